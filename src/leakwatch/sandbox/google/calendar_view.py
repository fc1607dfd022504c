"""An event as one reader sees it: whose copy it is, in which time zone, with which details."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from leakwatch.sandbox.google.calendar_store import Row
from leakwatch.sandbox.google.recurrence import is_all_day

Json = dict[str, Any]

#: "For recurring and single events, only the id field is guaranteed"; of an exception also what it belongs to.
_STUB = ("id", "status", "recurringEventId", "originalStartTime")

#: What a reader without access to private details still gets of a private event.
_PRIVATE = (
    "id", "status", "created", "updated", "start", "end", "recurrence", "recurringEventId", "originalStartTime",
    "transparency", "visibility", "iCalUID", "eventType",
)  # fmt: skip

#: Roles that see private details.
FULL_ROLES = frozenset({"owner", "writer"})


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: the calendar, the role on it, the zone of the answer, how many attendees are wanted."""

    calendar: str
    role: str
    zone: ZoneInfo
    max_attendees: int | None = None
    deleted_details: bool = True
    """Whether deleted events keep their details where they have some (showDeleted, and events.get)."""


def etag(*parts: object) -> str:
    """An opaque quoted tag of some values."""
    return '"' + hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest() + '"'


def event(row: Row, reader: Reader) -> Json:
    """The event resource of a row for a reader."""
    # Google's tags are twice the microseconds of `updated`; the change is added because the clock may stand still.
    head: Json = {"kind": "calendar#event", "etag": f'"{row.updated * 2000 + row.change % 2000}"'}
    body = {key: value for key, value in row.body.items() if not key.startswith("_")}
    if row.cancelled and not (reader.deleted_details and _keeps_details(row)):
        return head | {key: body[key] for key in _STUB if key in body}
    if body.get("visibility") in {"private", "confidential"} and reader.role not in FULL_ROLES:
        return head | _timed({key: body[key] for key in _PRIVATE if key in body}, reader)
    body["htmlLink"] = f"https://www.google.com/calendar/event?eid={_link(row)}"
    body["reminders"] = body.get("reminders", {"useDefault": True})
    _people(body, row, reader)
    return head | _timed(body, reader)


def _keeps_details(row: Row) -> bool:
    """Deleted events keep details on the organiser's calendar, and where a guest removed his copy himself.

    Cancelled occurrences never do: they tell which one it is, and no more.
    """
    if row.body.get("recurringEventId"):
        return False
    return row.body["organizer"]["email"] == row.calendar or bool(row.body.get("_removed"))


def _link(row: Row) -> str:
    return base64.urlsafe_b64encode(f"{row.id} {row.calendar}".encode()).decode().rstrip("=")


def _people(body: Json, row: Row, reader: Reader) -> None:
    """Mark who is the reader's calendar, and leave out whom the reader may not see or did not ask for."""
    for name in ("creator", "organizer"):
        if body[name]["email"] == row.calendar:
            body[name] = body[name] | {"self": True}
    organiser = body["organizer"]["email"]
    guests: list[Json] = []
    for guest in body.get("attendees", []):
        marks: Json = {"organizer": True} if guest["email"] == organiser else {}
        marks |= {"self": True} if guest["email"] == row.calendar else {}
        guests.append(guest | marks)
    own = [guest for guest in guests if guest.get("self")]
    hidden = body.get("guestsCanSeeOtherGuests", True) is False and organiser != row.calendar
    too_many = reader.max_attendees is not None and len(guests) > reader.max_attendees
    if guests and (hidden or too_many):
        guests = own
        body["attendeesOmitted"] = True
    if "attendees" in body:
        body["attendees"] = guests


def _timed(body: Json, reader: Reader) -> Json:
    """The times in the zone of the answer; the event's own zone stays beside them."""
    for name in ("start", "end", "originalStartTime"):
        when = body.get(name)
        if when is not None and not is_all_day(when):
            local = datetime.fromisoformat(when["dateTime"]).astimezone(reader.zone)
            text = local.isoformat(timespec="seconds")
            body[name] = when | {"dateTime": text[:-6] + "Z" if text.endswith("+00:00") else text}
    return body
