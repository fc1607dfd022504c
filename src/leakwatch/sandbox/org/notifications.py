"""Custom notifications, and the outbox that shows what was sent (actions guide, "Custom Notification Actions").

At most 10,000 notifications are sent in an hour; what exceeds that is lost and nobody is told. The codes and
words of the refusals are unverified.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.errors import OrgError, bad

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org

MAX_RECIPIENTS = 500
MAX_TITLE = 250
MAX_BODY = 750
HOURLY = 10_000
_RECIPIENTS = ("User", "Group", "Account", "Opportunity")
_REQUIRED = ("customNotifTypeId", "recipientIds", "title", "body")
METER = "custom notifications"


def send(org: Org, caller: Caller, given: dict[str, Any]) -> None:
    """Send one to its recipients, or lose it silently; raises OrgError for what is no notification."""
    if "SendCustomNotifications" in org.settings.missing_permissions:
        raise OrgError(403, "INSUFFICIENT_ACCESS", "You need the permission Send Custom Notifications")
    missing = [name for name in _REQUIRED if not given.get(name)]
    if missing:
        raise bad("REQUIRED_FIELD_MISSING", f"Missing required input parameter: {', '.join(missing)}", *missing)
    if not given.get("targetId") and not given.get("targetPageRef"):
        raise bad("REQUIRED_FIELD_MISSING", "Specify either a targetId or a targetPageRef", "targetId")
    kind = _row(org, given["customNotifTypeId"], "CustomNotificationType")
    if kind is None:
        raise bad("INVALID_ID_FIELD", "No such notification type", "customNotifTypeId")
    for name, most in (("title", MAX_TITLE), ("body", MAX_BODY)):
        if len(str(given[name])) > most:
            raise bad("STRING_TOO_LONG", f"{name}: data value too large (max length={most})", name)
    if given.get("targetId") and ids.normalise(str(given["targetId"])) is None:
        raise bad("INVALID_ID_FIELD", f"Invalid identifier: {given['targetId']}", "targetId")
    recipients = _recipients(org, given["recipientIds"])
    if org.meters.take(METER, HOURLY, 1):
        _keep(org, caller, given, recipients)


def outbox(org: Org) -> list[dict[str, Any]]:
    """What was sent, oldest first: when, by whom, to which active users, and its texts."""
    rows = org.store.execute("SELECT at, notification FROM _notification ORDER BY n").fetchall()
    return [{"at": row["at"], **json.loads(row["notification"])} for row in rows]


def _keep(org: Org, caller: Caller, given: dict[str, Any], recipients: list[str]) -> None:
    names = ("customNotifTypeId", "title", "body", "targetId", "targetPageRef", "recipientIds")
    sent = {name: given.get(name) for name in names}
    sent |= {"senderId": given.get("senderId") or caller.user_id, "users": recipients}
    text = json.dumps(sent)
    org.store.execute("INSERT INTO _notification (at, notification) VALUES (?, ?)", (org.now_text(), text))


def _recipients(org: Org, given: Any) -> list[str]:
    """The active users that the recipients stand for; account and opportunity teams have nobody in them here."""
    if not isinstance(given, list):
        raise bad("INVALID_API_INPUT", "recipientIds must be a list", "recipientIds")
    if len(given) > MAX_RECIPIENTS:
        raise bad("LIMIT_EXCEEDED", f"A notification has at most {MAX_RECIPIENTS} recipients", "recipientIds")
    found: list[str] = []
    for one in given:
        normal = ids.normalise(str(one))
        sobject = org.schema.of_id(normal) if normal else None
        if normal is None or sobject is None or sobject.name not in _RECIPIENTS:
            raise bad("INVALID_ID_FIELD", f"No recipient of a notification: {one}", "recipientIds")
        if sobject.name == "User":
            found.append(normal)
        elif sobject.name == "Group":
            members = org.schema.objects["GroupMember"]
            rows = org.store.find("GroupMember", members.fields["GroupId"], normal)
            found += [row["UserOrGroupId"] for row in rows]
    active = (row for one in dict.fromkeys(found) if (row := _row(org, one, "User")) is not None)
    return [row["Id"] for row in active if row["IsActive"]]


def _row(org: Org, record_id: Any, sobject: str) -> dict[str, Any] | None:
    normal = ids.normalise(str(record_id))
    return org.store.get(sobject, normal) if normal else None
