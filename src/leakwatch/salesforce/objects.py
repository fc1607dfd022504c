"""What this org has: its objects, fields, statuses and whether leakwatch's own fields are deployed.

Nothing about an org is assumed: labels, closed statuses and currencies are the org's own.
Sources: Object Reference, "TaskStatus", "Organization"; REST API Developer Guide, "sObject Describe".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from leakwatch.errors import NotFoundError, RecordError
from leakwatch.model import KEY_FIELD
from leakwatch.salesforce.reader import SalesforceReader, missing

COMPOUND_TYPES = frozenset({"address", "location", "base64", "complexvalue"})  # not selectable as one column we keep


@dataclass(frozen=True, slots=True)
class OrgFacts:
    """What leakwatch must know of an org before it plans anything."""

    org_id: str
    name: str
    currency: str | None  # ISO 4217; None where the org does not show it
    time_zone: str | None  # IANA
    is_sandbox: bool
    task_open_status: str  # the status a new Task gets
    task_closed_status: str  # the org's own word for done
    task_progress_statuses: tuple[str, ...]  # open, but not the default: somebody works on it
    has_email_message: bool
    key_on_task: bool
    key_on_event: bool
    key_on_email_message: bool
    shared_activities: bool = False  # one activity is related to several contacts
    meeting_task_type: str | None = None  # the Task type for meetings, if the org has one


def org_facts(reader: SalesforceReader) -> OrgFacts:
    """Return the facts of the org behind `reader`; asks the org three times."""
    reader.prepare_describes(
        ("Organization", "TaskStatus", "TaskPriority", "EmailMessage", "Task", "Event", "EventRelation")
    )
    org = reader.org()
    statuses = list(_task_statuses(reader))
    opened = [row for row in statuses if not row["IsClosed"]]
    closed = [row for row in statuses if row["IsClosed"]]
    default = next((row for row in opened if row.get("IsDefault")), opened[0] if opened else None)
    done = next((row for row in closed if row.get("IsDefault")), closed[0] if closed else None)
    default_name = _status_name(default) if default else "Not Started"
    return OrgFacts(
        org_id=str(org["Id"]),
        name=str(org.get("Name") or ""),
        currency=org.get("DefaultCurrencyIsoCode") or None,
        time_zone=org.get("TimeZoneSidKey") or None,
        is_sandbox=bool(org.get("IsSandbox")),
        task_open_status=default_name,
        task_closed_status=_status_name(done) if done else "Completed",
        task_progress_statuses=tuple(_status_name(row) for row in opened if _status_name(row) != default_name),
        has_email_message=_exists(reader, "EmailMessage"),
        key_on_task=reader.has_field("Task", KEY_FIELD),
        key_on_event=_exists(reader, "Event") and reader.has_field("Event", KEY_FIELD),
        key_on_email_message=reader.has_field("EmailMessage", KEY_FIELD),
        shared_activities=_shares_activities(reader),
        meeting_task_type=_meeting_type(reader),
    )


def _shares_activities(reader: SalesforceReader) -> bool:
    """Return whether the org has Shared Activities, and shows us both the people's list and their relations.

    `EventWhoIds`, and `IsParent` of EventRelation, are fields of such orgs alone (Object Reference v63, "Event",
    "EventRelation").
    """
    if not _exists(reader, "Event") or not _exists(reader, "EventRelation"):
        return False
    lists = [entry for entry in reader.describe("Event")["fields"] if entry["name"] == "EventWhoIds"]
    return bool(lists and lists[0].get("createable", True)) and reader.has_field("EventRelation", "IsParent")


def _meeting_type(reader: SalesforceReader) -> str | None:
    """Return the value of Task.Type that stands for meetings, if that standard value is still among the org's own."""
    entry = next((item for item in reader.describe("Task")["fields"] if item["name"] == "Type"), None)
    values = (entry or {}).get("picklistValues") or ()
    return next((str(one["value"]) for one in values if one.get("value") == "Meeting" and one.get("active")), None)


def _task_statuses(reader: SalesforceReader) -> Iterable[Mapping[str, Any]]:
    fields = [
        name for name in ("ApiName", "MasterLabel", "IsClosed", "IsDefault") if reader.has_field("TaskStatus", name)
    ]
    if "IsClosed" not in fields:
        return
    for page in reader.query(f"SELECT {', '.join(fields)} FROM TaskStatus ORDER BY SortOrder"):
        yield from page


def _status_name(row: Mapping[str, Any]) -> str:
    return str(row.get("ApiName") or row.get("MasterLabel"))


def _exists(reader: SalesforceReader, sobject: str) -> bool:
    try:
        reader.describe(sobject)
    except NotFoundError:
        return False
    except RecordError as error:
        if missing(error):
            return False
        raise
    return True


def selectable(describe: Mapping[str, Any], wanted: Iterable[str]) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    """Return (field name → describe entry) for those of `wanted` the org shows us, and the names it does not."""
    known = {str(entry["name"]): entry for entry in describe["fields"] if entry.get("type") not in COMPOUND_TYPES}
    found = {name: known[name] for name in wanted if name in known}
    return found, [name for name in wanted if name not in known]
