"""What people may set of a meeting, and what makes sense of it."""

from __future__ import annotations

from datetime import datetime
from difflib import get_close_matches
from typing import Any

from leakwatch.sandbox.google.recurrence import RecurrenceError, is_all_day, moment, rules, wall, zone_of

Json = dict[str, Any]

#: Fields of an event that people may set (discovery document calendar v3, without what is read-only).
FIELDS = (
    "summary", "description", "location", "start", "end", "recurrence", "attendees", "visibility", "transparency",
    "status", "eventType", "hangoutLink", "conferenceData", "extendedProperties", "guestsCanSeeOtherGuests",
    "guestsCanInviteOthers", "guestsCanModify", "anyoneCanAddSelf", "colorId", "source", "attachments", "reminders",
    "workingLocationProperties", "outOfOfficeProperties", "focusTimeProperties", "birthdayProperties",
)  # fmt: skip


class MeetingError(ValueError):
    """Something was asked of a meeting that makes no sense."""


class NoCalendarError(MeetingError):
    """None of those who take part has a calendar here."""


def checked(given: Json, zone: str) -> Json:
    """The fields as they are kept; unknown ones are refused with the nearest known one.

    Args:
        given: Values of `FIELDS`.
        zone: The time zone of times that name none.
    """
    for name in given:
        if name not in FIELDS:
            near = get_close_matches(name, FIELDS, 1)
            raise MeetingError(f"unknown field {name!r}" + (f", did you mean {near[0]!r}?" if near else ""))
    if given.get("status", "confirmed") not in {"confirmed", "tentative"}:
        raise MeetingError("status must be confirmed or tentative; what is to be cancelled is cancelled")
    return dict(given) | {name: _time(name, given[name], zone) for name in ("start", "end") if name in given}


def _time(name: str, value: Json, default: str) -> Json:
    """A start or end, its time with the offset and its zone named; a time without an offset is of its zone."""
    if set(value) == {"date"}:
        return value
    if "dateTime" not in value or set(value) - {"dateTime", "timeZone"}:
        raise MeetingError(f'{name} must be {{"date"}} or {{"dateTime", "timeZone"}}, not {value!r}')
    zone = zone_of(value.get("timeZone", default))
    at = datetime.fromisoformat(value["dateTime"])
    local = at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
    return {"dateTime": local.isoformat(timespec="seconds"), "timeZone": zone.key}


def check_times(body: Json, zone: str) -> None:
    """Refuse an event that ends before it begins, or a series that does not begin with its first occurrence."""
    home = zone_of(zone)
    if is_all_day(body["start"]) != is_all_day(body["end"]):
        raise MeetingError("start and end must both be dates or both be times")
    if moment(body["end"], home) < moment(body["start"], home):
        raise MeetingError("the end lies before the start")
    if is_all_day(body["start"]) and body["end"]["date"] == body["start"]["date"]:
        raise MeetingError("the end of an all-day event is exclusive: name the day after its last one")
    if body.get("recurrence") and next(iter(rules(body)), None) != wall(body["start"])[0]:
        raise RecurrenceError("a series must start with its first occurrence")
