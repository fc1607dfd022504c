"""What a raw Google Calendar event says. Pure; never raises on odd content.

Source: Google Calendar API v3, "Events" resource.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leakwatch.core.mail import EPOCH, plausible
from leakwatch.core.meetings import Event, Guest, to_meeting
from leakwatch.core.origin import named_origin
from leakwatch.model import Activity, Decision, Outcome, Principal, SkipReason, SourceRef

ROOMS = "@resource.calendar.google.com"
# eventType of what is no meeting; `fromGmail` (bookings that Google read out of a mail) is none either.
NO_MEETINGS = frozenset({"birthday", "focusTime", "outOfOffice", "workingLocation", "fromGmail"})
HIDDEN = frozenset({"private", "confidential"})  # values of `visibility`; confidential is the old name of private
# Everything that is asked for: no description, no place, no attachment, no conference link. What tools note of an
# event's origin (extendedProperties, source) is looked through for ids of Salesforce and not kept.
FIELDS = (
    "id,status,iCalUID,recurringEventId,originalStartTime,recurrence,summary,start,end,organizer(email,displayName),"
    "attendees(email,displayName,responseStatus,resource),attendeesOmitted,guestsCanSeeOtherGuests,visibility,eventType,"
    "created,updated,source(url),extendedProperties"
)


def read_event(ref: SourceRef, item: Mapping[str, Any], owner: Principal) -> Activity | Decision:
    """Return the meeting in a raw event that is not cancelled, or why it is none."""
    if item.get("recurrence"):
        return Decision(ref, Outcome.SKIPPED, SkipReason.SERIES, EPOCH)
    if item.get("eventType") in NO_MEETINGS:
        return Decision(ref, Outcome.SKIPPED, SkipReason.NOT_A_MEETING, EPOCH)
    uid = item.get("iCalUID")
    start, end = moment(item.get("start")), moment(item.get("end"))
    if not isinstance(uid, str) or not uid or start is None or end is None:
        why = "the event has no iCalUID" if start is not None and end is not None else "its times can't be read"
        return Decision(ref, Outcome.QUARANTINED, "unreadable", EPOCH, detail=why)
    original = moment(item.get("originalStartTime"))
    if item.get("recurringEventId") and original is None:
        why = "an occurrence of a series without its original start"
        return Decision(ref, Outcome.QUARANTINED, "unreadable", EPOCH, detail=why)
    people = _rows(item.get("attendees"))
    organizer = _mapping(item.get("organizer"))
    event = Event(
        uid=uid,
        start=start,
        end=end,
        subject=_text(item.get("summary")),
        organizer=_guest(organizer) if organizer.get("email") else None,
        guests=tuple(_guest(row) for row in people if not _is_room(row)),
        original_start=original if item.get("recurringEventId") else None,
        private=item.get("visibility") in HIDDEN,
        complete=not item.get("attendeesOmitted") and item.get("guestsCanSeeOtherGuests") is not False,
        made=_stamp(item.get("created")),
        origin=named_origin(_notes(item, uid)),
    )
    return to_meeting(ref, event, owner)


def _notes(item: Mapping[str, Any], uid: str) -> Iterator[str]:
    """Yield the texts in which tools note what an event is a copy of; both kinds of properties are text to text."""
    yield uid
    yield _text(_mapping(item.get("source")).get("url"))
    properties = _mapping(item.get("extendedProperties"))
    for kind in ("private", "shared"):
        for value in _mapping(properties.get(kind)).values():
            yield _text(value)


def _stamp(raw: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(_text(raw))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None and plausible(found) else None


def _is_room(row: Mapping[str, Any]) -> bool:
    return bool(row.get("resource")) or _text(row.get("email")).lower().endswith(ROOMS)


def _guest(row: Mapping[str, Any]) -> Guest:
    answer = row.get("responseStatus")
    return Guest(_text(row.get("email")), _text(row.get("displayName")), answer if isinstance(answer, str) else None)


def moment(raw: Any) -> datetime | date | None:
    """Return an event's `start`, `end` or `originalStartTime`: an aware moment, or a date of an all-day event."""
    value = _mapping(raw)
    try:
        if value.get("date") is not None:
            found = date.fromisoformat(str(value["date"]))
            return found if plausible(datetime(found.year, found.month, found.day, tzinfo=UTC)) else None
        parsed = datetime.fromisoformat(str(value.get("dateTime")))
        if parsed.tzinfo is None:  # the offset may be left out where timeZone says it
            parsed = parsed.replace(tzinfo=ZoneInfo(str(value.get("timeZone"))))
        parsed = parsed.astimezone(UTC)
    except (ValueError, OverflowError, ZoneInfoNotFoundError, OSError):
        return None
    return parsed if plausible(parsed) else None


def is_cancelled(item: Mapping[str, Any]) -> bool:
    """Return whether an event was cancelled or deleted; then nothing but its id is sure to be there."""
    return item.get("status") == "cancelled"


def _text(raw: Any) -> str:
    return raw if isinstance(raw, str) else ""


def _mapping(raw: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], raw) if isinstance(raw, Mapping) else {}


def _rows(raw: Any) -> list[Mapping[str, Any]]:
    return [_mapping(row) for row in cast(Sequence[Any], raw)] if isinstance(raw, list | tuple) else []
