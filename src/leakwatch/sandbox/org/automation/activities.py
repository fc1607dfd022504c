"""Tasks and events, and the dates they leave on the records they belong to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from leakwatch.sandbox.org import values
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules
from leakwatch.sandbox.org.errors import OrgError, bad

MAX_EVENT_MINUTES = 14 * 24 * 60
_DAY = 24 * 60


# -- both ---------------------------------------------------------------------------------------------


def check_relations(engine: Engine, change: Change) -> None:
    """A lead and a What exclude each other; converted leads cannot be referenced; the account follows."""
    row = change.row
    who, what = row.get("WhoId"), row.get("WhatId")
    if change.changed("WhoId", "WhatId") and who and who.startswith("00Q"):
        if what:
            # the code is what clients report; the words are not Salesforce's
            said = "field integrity exception: WhoId, WhatId (a lead cannot be combined with a related record)"
            raise bad("FIELD_INTEGRITY_EXCEPTION", said, "WhoId", "WhatId")
        lead = engine.lookup(who)
        if lead is not None and lead["IsConverted"] and change.changed("WhoId"):
            raise bad("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", "WhoId")
    if change.changed("WhoId", "WhatId"):
        row["AccountId"] = account_of(engine, who, what)


def account_of(engine: Engine, who: str | None, what: str | None) -> str | None:
    """AccountId: of the What if it is an account or has one, else of the contact (object reference, Task)."""
    if what and what.startswith("001"):
        return what
    target = engine.lookup(what)
    if what and what.startswith("006"):
        return target["AccountId"] if target else None
    contact = engine.lookup(who) if who and who.startswith("003") else None
    return contact["AccountId"] if contact else None


def contribution(row: Row | None, *, is_event: bool) -> str | None:
    """The date an activity gives to LastActivityDate: an event's, or a closed task's due date."""
    if row is None or row.get("IsDeleted") or not (is_event or row.get("IsClosed")):
        return None
    return row.get("ActivityDate")


def _parents(row: Row | None) -> set[str]:
    return {row[name] for name in ("WhoId", "WhatId", "AccountId") if row and row.get(name)}


def settle(engine: Engine, change: Change) -> None:
    """Move LastActivityDate of everything the activity belongs, or belonged, to."""
    is_event = change.sobject.name == "Event"
    new, old = contribution(change.row, is_event=is_event), contribution(change.old, is_event=is_event)
    before, after = _parents(change.old), _parents(change.row)
    for parent in sorted(before | after):
        lost = old if parent in before and (parent not in after or new != old) else None
        gained = new if parent in after else None
        _touch(engine, parent, gained, lost)


def removed(engine: Engine, row: Row, _caller: Caller) -> None:
    """The same after the activity went."""
    lost = row.get("ActivityDate")
    for parent in sorted(_parents(row)):
        _touch(engine, parent, None, lost)


def _touch(engine: Engine, parent_id: str, gained: str | None, lost: str | None) -> None:
    """Bump a parent's LastActivityDate and SystemModstamp; LastModifiedDate stays (help 000387261)."""
    sobject = engine.schema.of_id(parent_id)
    parent = engine.lookup(parent_id)
    if sobject is None or parent is None or "LastActivityDate" not in sobject.fields:
        return
    last = parent["LastActivityDate"]
    if lost is not None and lost == last:
        last = last_activity(engine, parent_id)
    if gained is not None and (last is None or gained > last):
        last = gained
    if last != parent["LastActivityDate"]:
        engine.store.update(sobject.name, parent_id, {"LastActivityDate": last, "SystemModstamp": engine.now()})


def last_activity(engine: Engine, parent_id: str) -> str | None:
    """LastActivityDate computed anew."""
    mine = "(WhoId = :id OR WhatId = :id OR AccountId = :id) AND IsDeleted = 0"
    sql = (
        f"SELECT MAX(d) FROM (SELECT MAX(ActivityDate) AS d FROM Task WHERE {mine} AND IsClosed = 1 "
        f"UNION ALL SELECT MAX(ActivityDate) FROM Event WHERE {mine})"
    )
    return engine.store.execute(sql, {"id": parent_id}).fetchone()[0]


# -- tasks --------------------------------------------------------------------------------------------


def prepare_task(engine: Engine, change: Change) -> None:
    """Closing follows the status; reopening clears the time of completion."""
    check_relations(engine, change)
    row = change.row
    was_closed = bool(change.old and change.old["IsClosed"])
    derive_task(engine, row)
    if row["IsClosed"] and not was_closed:
        row["CompletedDateTime"] = engine.now()
    elif not row["IsClosed"]:
        row["CompletedDateTime"] = None


def derive_task(engine: Engine, row: Row) -> None:
    """IsClosed by the org's statuses, IsHighPriority by its priorities."""
    row["IsClosed"] = int(_flag(engine, "TaskStatus", row.get("Status"), "IsClosed"))
    row["IsHighPriority"] = int(_flag(engine, "TaskPriority", row.get("Priority"), "IsHighPriority"))


def _flag(engine: Engine, sobject: str, name: str | None, flag: str) -> bool:
    if name is None:
        return False
    found = engine.store.find(sobject, engine.schema.objects[sobject].fields["ApiName"], name)
    return bool(found and found[0][flag])


# -- events -------------------------------------------------------------------------------------------


def _refuse(message: str, *fields: str) -> OrgError:
    # FIELD_INTEGRITY_EXCEPTION is documented; the exact words are unverified
    return bad("FIELD_INTEGRITY_EXCEPTION", message, *fields)


def prepare_event(engine: Engine, change: Change) -> None:
    """Start, end, duration and day agree (object reference, Event)."""
    check_relations(engine, change)
    row = change.row
    if row.get("IsPrivate") and (row.get("WhoId") or row.get("WhatId")):
        raise _refuse("Private events cannot be related to other records", "IsPrivate")
    if change.changed(
        "IsAllDayEvent", "StartDateTime", "EndDateTime", "DurationInMinutes", "ActivityDate", "ActivityDateTime"
    ):
        _times(change)


def _times(change: Change) -> None:
    row, given = change.row, change.given
    start_text = row.get("StartDateTime") if "StartDateTime" in given or not change.creating else None
    start_text = start_text or row.get("ActivityDateTime") or row.get("StartDateTime")
    all_day = bool(row.get("IsAllDayEvent"))
    if start_text is None and all_day and row.get("ActivityDate"):
        start_text = f"{row['ActivityDate']}T00:00:00.000+0000"
    if start_text is None:
        missing = "ActivityDate" if all_day else "ActivityDateTime"
        raise bad("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{missing}]", missing)
    start = values.instant_of(start_text)
    if all_day:
        start = start.replace(hour=0, minute=0, second=0)
    minutes = _minutes(change, start, all_day)
    if minutes < 0:
        raise _refuse("Event duration cannot be negative", _blamed(change))
    if minutes > MAX_EVENT_MINUTES:
        raise _refuse("Event duration cannot be longer than 14 days", _blamed(change))
    day = start_text[:10] if all_day else values.local_date(start_text, change.caller.zone)
    if change.creating and row.get("ActivityDate") not in (None, day, start_text[:10]):
        raise _refuse("ActivityDate must match StartDateTime", "ActivityDate")
    end = start + timedelta(minutes=max(minutes - _DAY, 0) if all_day else minutes)
    row |= {
        "StartDateTime": values.instant_text(start),
        "EndDateTime": values.instant_text(end),
        "DurationInMinutes": minutes,
        "ActivityDateTime": values.instant_text(start),
        "ActivityDate": day,
        "EndDate": values.instant_text(end)[:10],
    }


def _minutes(change: Change, start: datetime, all_day: bool) -> int:
    """Duration from what was given; both end and duration only where they agree."""
    row = change.row
    end_text: Any = row.get("EndDateTime") if change.creating or "EndDateTime" in change.given else None
    duration = row.get("DurationInMinutes") if change.creating or "DurationInMinutes" in change.given else None
    spanned = None
    if end_text is not None:
        span = values.instant_of(end_text) - start
        spanned = int(span.total_seconds() // 60) + (_DAY if all_day else 0)
    if spanned is not None and duration is not None and spanned != duration:
        raise _refuse("EndDateTime and DurationInMinutes do not agree", "EndDateTime", "DurationInMinutes")
    if spanned is not None:
        return spanned
    if duration is not None:
        return int(duration)
    if change.old is not None and change.old["DurationInMinutes"] is not None:
        return int(change.old["DurationInMinutes"])
    if all_day:
        return _DAY
    missing = "DurationInMinutes"
    raise bad("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{missing}]", missing)


def _blamed(change: Change) -> str:
    """Errors stand on EndDateTime where no duration was given (since v39)."""
    return "DurationInMinutes" if "DurationInMinutes" in change.given else "EndDateTime"


TASK = Rules(prepare=prepare_task, derive=derive_task, settle=settle, removed=removed)
EVENT = Rules(prepare=prepare_event, settle=settle, removed=removed)
RULES = {"Task": TASK, "Event": EVENT}
