"""The org: how it is set up and used, and what its users and its admin do that no client's call does.

GET  /org/dump                  the org's records (?labels=true: {"rows", "labels"}, the label of each new id)
GET  /org/settings  POST        how the org is set up, its probe switches too; see org/settings
GET  /org/usage                 allocations used in 24 hours, requests running, what records weigh
GET  /org/notifications         the custom notifications that were sent
GET  /org/rules  POST           {"validation_rules", "duplicate_rules"}: the admin's; see docs/world-format.md
POST /org/rows                  {"sobject", "rows"}: rows as they are; with an old SystemModstamp: committed late
POST /org/purge                 {"sobject", "ids"}: deleted for good, past the recycle bin or out of it
GET  /rows/{sobject}/{id}       one row of the org as it is, deleted or not
POST /leads/convert             {"lead", "user", ...}: convert a lead, with the options of org/automation/conversion.py
POST /merge                     {"sobject", "master", "merged": [one or two ids], "fields"?, "user"}: merge records
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

from leakwatch.sandbox.control.desk import Body, Call, Desk, Route
from leakwatch.sandbox.org import notifications
from leakwatch.sandbox.stage import StageError


def get_dump(desk: Desk, call: Call) -> Any:
    """The org's records, as the org dumps itself."""
    rows, labels = desk.stage.org.labelled_dump()
    return {"rows": rows, "labels": labels} if call.query.get("labels") == "true" else rows


def get_settings(desk: Desk, _call: Call) -> Any:
    """How the org is set up."""
    return asdict(desk.stage.org.settings)


def post_settings(desk: Desk, call: Call) -> Any:
    """Set up the running org otherwise."""
    desk.stage.org.change_settings(call.body)
    return asdict(desk.stage.org.settings)


def get_usage(desk: Desk, _call: Call) -> Any:
    """How much of its allocations the org has used."""
    org = desk.stage.org
    return {
        "api_calls": org.calls_used(),
        "used": org.meters.as_json(),
        "running": org.running.count(),
        "storage_bytes": org.storage.used(),
        "storage": org.storage.by_object(),
    }


def get_notifications(desk: Desk, _call: Call) -> Any:
    """The outbox of custom notifications."""
    return {"notifications": notifications.outbox(desk.stage.org)}


def get_rules(desk: Desk, _call: Call) -> Any:
    """The declared rules."""
    return desk.stage.org.declared.as_json()


def post_rules(desk: Desk, call: Call) -> Any:
    """Declare rules anew; the kind that is not given stays."""
    return desk.stage.org.declare(call.body)


def post_rows(desk: Desk, call: Call) -> Any:
    """Add rows as they are."""
    return {"added": desk.stage.org.seed(str(call.body["sobject"]), cast(list[Body], call.body["rows"]))}


def get_row(desk: Desk, call: Call) -> Any:
    """One row."""
    sobject, record_id = call.path["sobject"], call.path["id"]
    row = desk.stage.org.get(sobject, record_id)
    if row is None:
        raise StageError(f"there is no {sobject} {record_id}")
    return row


def post_purge(desk: Desk, call: Call) -> Any:
    """Delete rows for good."""
    desk.stage.org.purge(str(call.body["sobject"]), cast(list[str], call.body["ids"]))
    return {"purged": len(call.body["ids"])}


def post_convert(desk: Desk, call: Call) -> Any:
    """Convert a lead as a user."""
    options = {name: value for name, value in call.body.items() if name not in ("lead", "user")}
    return desk.stage.org.convert_lead(str(call.body["lead"]), user_id=str(call.body["user"]), **options)


def post_merge(desk: Desk, call: Call) -> Any:
    """Merge records as a user."""
    body = call.body
    merged, fields = cast(list[str], body["merged"]), cast(Body, body.get("fields", {}))
    return desk.stage.org.merge(str(body["sobject"]), str(body["master"]), merged, fields, user_id=str(body["user"]))


ROUTES: list[Route] = [
    ("GET", "/org/dump", get_dump),
    ("GET", "/org/settings", get_settings),
    ("POST", "/org/settings", post_settings),
    ("GET", "/org/usage", get_usage),
    ("GET", "/org/notifications", get_notifications),
    ("GET", "/org/rules", get_rules),
    ("POST", "/org/rules", post_rules),
    ("POST", "/org/rows", post_rows),
    ("POST", "/org/purge", post_purge),
    ("GET", "/rows/{sobject}/{id}", get_row),
    ("POST", "/leads/convert", post_convert),
    ("POST", "/merge", post_merge),
]
