"""Which record that stands in the org already is a meeting of ours: another tool's, or our own gone round. Pure.

Einstein Activity Capture, calendar syncs and add-ins leave no mark on an Event that is documented, and no iCalendar
UID. So a tool's Event is taken for a meeting only where everything agrees and nothing else could be meant: the same
start and end to the minute, an owner who takes part, the same subject, and exactly one such Event. Rather a double,
which doctor reports, than a meeting that is nowhere because another one looked like it. Decision 0011.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from leakwatch.core.identity import MEETING_PREFIX
from leakwatch.core.meetings import attending
from leakwatch.core.text import clean_line, fold
from leakwatch.model import KEY_FIELD, Activity, Match

EVENT_FIELDS = (
    "Id", "Subject", "StartDateTime", "EndDateTime", "IsAllDayEvent", "OwnerId", "GroupEventType", "IsRecurrence",
    "CreatedDate", "CreatedById", "LastModifiedById", KEY_FIELD,
)  # fmt: skip
COMPARED = 250  # characters of a subject: Events hold 255, and tools differ in how they cut
LONGEST = timedelta(days=14)  # of an Event (Object Reference v63)
CLOCK_SKEW = timedelta(minutes=2)  # between the calendar's clock and Salesforce's
SERIES_PATTERN = "3"  # GroupEventType of the row that stands for a whole series, not for an occurrence
_USER = "005"  # prefix of a User's id
# What mail programs, calendars and add-ins put before a subject, in English, German, French, Spanish and Turkish.
_WORDS = (
    "re", "fw", "fwd", "aw", "wg", "tr", "rv", "ynt", "ilt", "email", "meeting", "event",
    "accepted", "declined", "tentative", "tentatively accepted", "cancell?ed", "(?:updated )?invitation", "updated",
    "zugesagt", "abgelehnt", "abgesagt", "einladung", "accepte", "annule", "aceptado", "invitacion",
    "kabul edildi", "reddedildi", "belirsiz", "iptal(?: edildi)?", "(?:guncellenmis )?davet", "davetiye",
)  # fmt: skip
_PREFIX = re.compile(rf"^(?:(?:{'|'.join(_WORDS)})\s*:\s*)+")
_PLAIN = str.maketrans("çğıöşüéè", "cgiosuee")


class Kind(StrEnum):
    """What a record is to a meeting."""

    ADOPTED = "adopted"  # another tool wrote it for this very meeting
    COPY = "copy"  # ours, and the calendar item names it: the item is a copy of it
    LIKE = "like"  # ours, older than the calendar item and like it in everything: the item is a copy of it


@dataclass(frozen=True, slots=True)
class Found:
    """A record that stands for a meeting, and why."""

    kind: Kind
    record_id: str
    reason: str


def people_of(activity: Activity, match: Match) -> frozenset[str]:
    """Return the ids of our users whose Event of this meeting could be: its owner, and whoever of ours takes part."""
    users = {match.addresses.get(person.address) for person in attending(activity)}
    return frozenset(one for one in (*users, match.owner_id) if one and one.startswith(_USER))


def recognise(
    activity: Activity, match: Match, rows: Sequence[Mapping[str, Any]], keys: Mapping[str, str]
) -> Found | None:
    """Return the record that stands for `activity`, which has none of ours; None if there is none or it is doubtful.

    Args:
        activity: the merged meeting.
        match: says whose it is.
        rows: Events (`EVENT_FIELDS`) of about that time, of anybody.
        keys: Event id -> key of the activity that we wrote it for, of the Event that the item names, if it is ours.
    """
    named = _named(activity, rows, keys)
    if named is not None:
        return named
    alike = [row for row in rows if _agrees(activity, row, people_of(activity, match))]
    for row in alike:
        if _is_older_of_ours(activity, row):
            why = f"The calendar's item was made after our own Event {row['Id']}, with its time, subject and owner"
            return Found(Kind.LIKE, str(row["Id"]), f"{why}: a copy of it, not written again.")
    others = [row for row in alike if not row.get(KEY_FIELD)]
    if len(others) != 1:
        return None
    record = str(others[0]["Id"])
    why = (
        f"Already there: the Event {record}, not ours, has its start, end and subject, and one of its people as owner."
    )
    return Found(Kind.ADOPTED, record, f"{why} Adopted: nothing of it is ours to change.")


def _named(activity: Activity, rows: Sequence[Mapping[str, Any]], keys: Mapping[str, str]) -> Found | None:
    """Return what the item itself names; another tool's Event only if it is there at about that time."""
    origin = activity.origin
    if not origin:
        return None
    row = next((one for one in rows if origin in (one["Id"], one.get(KEY_FIELD))), None)
    key = str(row.get(KEY_FIELD) or "") if row is not None else keys.get(origin, "")
    key = origin if origin.startswith(MEETING_PREFIX) else key
    if key == activity.key:
        return None
    record = str(row["Id"]) if row is not None else origin
    if key.startswith(MEETING_PREFIX):
        return Found(Kind.COPY, record, f"The calendar's item names our own Event {record}: a copy of it.")
    if row is None:
        return None
    why = f"Already there: the calendar's item names the Event {record}, which it is a copy of."
    return Found(Kind.ADOPTED, record, f"{why} Adopted: nothing of it is ours to change.")


def _agrees(activity: Activity, row: Mapping[str, Any], people: Collection[str]) -> bool:
    return (
        row.get("OwnerId") in people
        and row.get("GroupEventType") != SERIES_PATTERN
        and not row.get("IsRecurrence")  # the same in Classic's series
        and row.get(KEY_FIELD) != activity.key
        and _same_time(activity, row)
        and bool(subject_key(activity.subject))
        and subject_key(str(row.get("Subject") or "")) == subject_key(activity.subject)
    )


def _same_time(activity: Activity, row: Mapping[str, Any]) -> bool:
    if bool(row.get("IsAllDayEvent")) is not activity.all_day:
        return False
    start, end = moment_of(row.get("StartDateTime")), moment_of(row.get("EndDateTime"))
    return start is not None and end is not None and (start, end) == span(activity)


def span(activity: Activity) -> tuple[datetime, datetime]:
    """Return from when to when an Event of `activity` lasts, to the minute; the last day of an all-day one counts."""
    end = min(activity.end or activity.start, activity.start + LONGEST)
    if activity.all_day:
        end = max(end - timedelta(days=1), activity.start)
    return _minute(activity.start), _minute(end)


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def moment_of(raw: Any) -> datetime | None:
    """Return a datetime of Salesforce's to the minute, None if it is none."""
    try:
        found = datetime.fromisoformat(str(raw))
    except ValueError:
        return None
    return _minute(found) if found.tzinfo is not None else None


def _is_older_of_ours(activity: Activity, row: Mapping[str, Any]) -> bool:
    written = moment_of(row.get("CreatedDate"))
    return (
        str(row.get(KEY_FIELD) or "").startswith(MEETING_PREFIX)
        and activity.made is not None
        and written is not None
        and written <= activity.made + CLOCK_SKEW
    )


def subject_key(subject: str) -> str:
    """Return a subject for comparing: one line, lower case, without what programs put before it."""
    folded = fold(clean_line(subject)[:COMPARED])
    plain = folded.translate(_PLAIN)
    prefix = _PREFIX.match(plain)
    return folded[prefix.end() :] if prefix is not None else folded
