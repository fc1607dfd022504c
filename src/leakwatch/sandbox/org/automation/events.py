"""Events: how start, end, length and day agree, and what of an invitee's copy can change."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from leakwatch.sandbox.org import values
from leakwatch.sandbox.org.automation import invitees, last_activity
from leakwatch.sandbox.org.automation.activities import check_relations, refuse_series
from leakwatch.sandbox.org.automation.activities import settle as settle_activity
from leakwatch.sandbox.org.engine import Change, Engine, Rules
from leakwatch.sandbox.org.errors import OrgError, bad

MAX_EVENT_MINUTES = 14 * 24 * 60
_DAY = 24 * 60
_OF_A_COPY = frozenset(("IsReminderSet", "ReminderDateTime"))
"""What can be updated of an invitee's copy (Object Reference, Event, IsChild)."""


def _refuse(message: str, *fields: str) -> OrgError:
    # FIELD_INTEGRITY_EXCEPTION is documented; the exact words are unverified
    return bad("FIELD_INTEGRITY_EXCEPTION", message, *fields)


def prepare_event(engine: Engine, change: Change) -> None:
    """Start, end, duration and day agree (object reference, Event)."""
    refuse_series(change, "IsRecurrence", "Recurrence2PatternText")
    if change.old is not None and change.old["IsChild"] and (others := change.given - _OF_A_COPY):
        # the rule is documented, the code and the words are unverified
        raise _refuse("Only the reminder of an invitee's event can be updated", *sorted(others))
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


def settle(engine: Engine, change: Change) -> None:
    """What a task sets off too, and the copies of those invited."""
    settle_activity(engine, change)
    if not change.creating:
        invitees.carry(engine, change)


EVENT = Rules(prepare=prepare_event, settle=settle, removed=last_activity.removed)
RULES = {"Event": EVENT}
