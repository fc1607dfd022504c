"""What people do with meetings: invite, change, move, answer, cancel. Every change reaches every copy.

There is one copy in the calendar of each colleague who takes part. Copies have the same iCalUID and, as Google's
have, the same id; a meeting whose organiser is elsewhere gets an id made of its foreign UID.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

from leakwatch.sandbox.colleagues import Roster
from leakwatch.sandbox.google import meeting_fields
from leakwatch.sandbox.google.calendar_store import CalendarStore, Row
from leakwatch.sandbox.google.meeting_fields import MeetingError, NoCalendarError
from leakwatch.sandbox.google.recurrence import EXPANSION, instance, key_of, occurrence_at, until_before

Json = dict[str, Any]

#: Fields that each guest sets for his own copy.
OWN_FIELDS = ("visibility", "transparency", "reminders", "colorId", "_hidden")

RESPONSES = ("needsAction", "declined", "tentative", "accepted")

#: "For events with more than 200 guests" responses are not propagated to the other copies.
GUESTS_TOLD = 200


@dataclass(frozen=True, slots=True)
class Meetings:
    """The company's meetings."""

    store: CalendarStore
    directory: Roster
    """Who has a calendar here; both providers' people, where there are two."""

    # -- making ------------------------------------------------------------------------------------

    def create(self, given: Json, *, created: str | None = None) -> Json:
        """Invite everybody to a new meeting.

        Args:
            given: `organizer` (address or `Name <address>`), `start`, `end`, any of `FIELDS`, and for a meeting
                that is known elsewhere `iCalUID`; `id` only where it must be known before.
            created: When it was made, if not now.

        Returns:
            `id`, `iCalUID` and the `calendars` that have a copy.
        """
        rest = {name: value for name, value in given.items() if name not in {"organizer", "iCalUID", "id"}}
        organiser = self._person(given.get("organizer"))
        now = self.store.mail.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        body: Json = {"status": "confirmed", "created": created or now, "creator": organiser, "organizer": organiser}
        body |= {"sequence": 0, "eventType": "default"} | self._checked(rest, organiser)
        for name in ("start", "end"):
            if name not in body:
                raise MeetingError(f"a meeting needs its {name}")
        meeting_fields.check_times(body, self.store.zone)
        uid = given.get("iCalUID")
        body["id"] = given.get("id") or (foreign_id(uid) if uid else self._new_id(body))
        body["iCalUID"] = uid or f"{body['id']}@google.com"
        if self.store.copies(body["id"]):
            raise MeetingError(f"there is an event {body['id']!r} already")
        with self.store.mail.writing():
            calendars = self._spread(body, {})
        if not calendars:
            raise NoCalendarError("nobody who takes part has a calendar here")
        return {"id": body["id"], "iCalUID": body["iCalUID"], "calendars": calendars}

    def _new_id(self, body: Json) -> str:
        """26 letters of base32hex, as Google's ids; the same world gives the same ids."""
        for attempt in range(1_000):
            seed = repr((body["organizer"], body.get("summary"), body["start"], body["created"], attempt)).encode()
            digest = base64.b32hexencode(hashlib.blake2b(seed, digest_size=20).digest()).decode().lower()
            if not self.store.copies(digest[:26]):
                return digest[:26]
        raise MeetingError("no free event id")

    def _person(self, text: object) -> Json:
        """Somebody as events name him; a colleague by his main address, whatever alias was written."""
        name, address = parseaddr(str(text or ""))
        if "@" not in address:
            raise MeetingError(f"not an address: {text!r}")
        account = self.directory.find(address)
        email = str(account["primaryEmail"]) if account is not None else address.lower()
        return {"email": email} | ({"displayName": name} if name else {})

    def _checked(self, given: Json, organiser: Json) -> Json:
        """The fields as they are kept."""
        found = meeting_fields.checked(given, self.store.zone)
        if "attendees" in given:
            found["attendees"] = self._guests(given["attendees"], organiser)
        return found

    def _guests(self, given: list[Any], organiser: Json) -> list[Json]:
        """Attendees in the API's form; whoever invites guests takes part himself, unless the list says how."""
        guests: dict[str, Json] = {}
        for item in given:
            guest: Json = dict(item) if isinstance(item, dict) else {"email": item}
            person = self._person(guest["email"])
            if guest.get("responseStatus", "needsAction") not in RESPONSES:
                raise MeetingError(f"responseStatus must be one of {', '.join(RESPONSES)}")
            guests[person["email"]] = {"responseStatus": "needsAction"} | person | (guest | {"email": person["email"]})
        if guests and organiser["email"] not in guests:
            guests = {organiser["email"]: organiser | {"responseStatus": "accepted"}} | guests
        return list(guests.values())

    # -- copies ------------------------------------------------------------------------------------

    def _calendars(self, body: Json) -> list[str]:
        """The calendars that have a copy: the organiser's and each guest's, of those who work here."""
        found: list[str] = []
        for person in (body["organizer"], *body.get("attendees", [])):
            account = self.directory.find(person["email"])
            if account is not None and not account["suspended"] and self.store.state(account["primaryEmail"])[2]:
                found.append(str(account["primaryEmail"]))
        return list(dict.fromkeys(found))

    def _spread(self, body: Json, former: dict[str, Row]) -> list[str]:
        """Write a meeting into every copy; who takes part no more has a cancelled one."""
        calendars = self._calendars(body)
        for calendar in calendars:
            self.store.put(calendar, body, former[calendar].own if calendar in former else None)
        for calendar, row in former.items():
            if calendar not in calendars and not row.cancelled:
                self.store.put(calendar, body | {"status": "cancelled"}, row.own)
        return calendars

    def _copies(self, event: str) -> dict[str, Row]:
        rows = {row.calendar: row for row in self.store.copies(event)}
        if not rows:
            raise MeetingError(f"there is no event {event!r}")
        return rows

    def _target(self, event: str, occurrence: str | None) -> tuple[Json, dict[str, Row]]:
        """(what is shared, the copies) of an event, or of one occurrence, which becomes an exception."""
        copies = self._copies(event)
        if occurrence is None:
            return _shared(copies), copies
        key = _key(occurrence)
        exceptions = {row.calendar: row for row in self.store.copies(f"{event}_{key}")}
        master = _shared(copies)
        one = occurrence_at(master, key, self.store.mail.clock.now() + EXPANSION) if "recurrence" in master else None
        alive = {name: row for name, row in copies.items() if not row.cancelled}
        if exceptions:
            return _shared(exceptions), alive | exceptions
        if one is None:
            raise MeetingError(f"the event {event!r} has no occurrence that starts at {occurrence}")
        return instance(master, one), alive

    # -- changing ----------------------------------------------------------------------------------

    def update(self, event: str, fields: Json, *, occurrence: str | None = None) -> Json:
        """The organiser changes a meeting or one occurrence; guests are added and removed by `attendees`."""
        shared, copies = self._target(event, occurrence)
        if shared["status"] == "cancelled":
            raise MeetingError(f"the event {event!r} is cancelled")
        body = shared | self._checked(fields, shared["organizer"])
        known = {guest["email"]: guest["responseStatus"] for guest in shared.get("attendees", [])}
        said = [one for one in fields.get("attendees", []) if isinstance(one, dict) and "responseStatus" in one]
        told = {self._person(one["email"])["email"] for one in said}
        for guest in body.get("attendees", []):
            if guest["email"] not in told:  # who was invited before keeps his answer
                guest["responseStatus"] = known.get(guest["email"], guest["responseStatus"])
        meeting_fields.check_times(body, self.store.zone)
        moved = any(body.get(name) != shared.get(name) for name in ("start", "end", "recurrence"))
        body["sequence"] = shared["sequence"] + int(moved)
        with self.store.mail.writing():
            calendars = self._spread(body, copies)
            if moved and "recurrence" in body:
                self._drop_lost(body)
        return {"id": body["id"], "iCalUID": body["iCalUID"], "calendars": calendars}

    def _drop_lost(self, master: Json) -> None:
        """Exceptions whose place the new rule does not have are gone."""
        until = self.store.mail.clock.now() + EXPANSION
        for calendar in self._calendars(master):
            for row in self.store.exceptions(calendar, master["id"]):
                key = row.id.rpartition("_")[2]
                if not row.cancelled and occurrence_at(master, key, until) is None:
                    self.store.put(calendar, row.shared | {"status": "cancelled"}, row.own)

    def split(self, event: str, occurrence: str, fields: Json) -> Json:
        """The organiser changes an occurrence and all that follow: the series ends before it, a new one begins.

        The new series has the old id with `_R` and the original start (UTC), its iCalUID likewise.
        """
        master, copies = self._target(event, None)
        key = _key(occurrence)
        one = occurrence_at(master, key, self.store.mail.clock.now() + EXPANSION) if "recurrence" in master else None
        if one is None or one.start == master["start"]:
            raise MeetingError(f"the event {event!r} has no later occurrence that starts at {occurrence}")
        head, _, domain = str(master["iCalUID"]).partition("@")
        mark = split_mark(occurrence)
        rest = {"id": event.partition("_R")[0] + mark, "iCalUID": f"{head.partition('_R')[0]}{mark}@{domain}"}
        ends = master | {"recurrence": until_before(master, one), "sequence": master["sequence"] + 1}
        begins = master | {"start": one.start, "end": one.end} | rest | self._checked(fields, master["organizer"])
        meeting_fields.check_times(begins, self.store.zone)
        with self.store.mail.writing():
            self._spread(ends, copies)
            self._drop_lost(ends)
            calendars = self._spread(begins, {})
        return {"id": begins["id"], "iCalUID": begins["iCalUID"], "calendars": calendars}

    def transfer(self, event: str, organizer: str) -> Json:
        """Make somebody else the organiser; a former one who is no guest keeps a cancelled stub with an id only."""
        shared, copies = self._target(event, None)
        person = self._person(organizer)
        body = shared | {"organizer": person}
        with self.store.mail.writing():
            calendars = self._spread(body, copies)
        return {"id": body["id"], "iCalUID": body["iCalUID"], "calendars": calendars}

    def cancel(self, event: str, *, occurrence: str | None = None) -> Json:
        """The organiser cancels a meeting, or one occurrence of it."""
        shared, copies = self._target(event, occurrence)
        body = shared | {"status": "cancelled", "sequence": shared["sequence"] + 1}
        with self.store.mail.writing():
            for calendar, row in copies.items():
                if not row.cancelled:
                    self.store.put(calendar, body, row.own)
                for exception in self.store.exceptions(calendar, body["id"]):
                    if not exception.cancelled:
                        self.store.put(calendar, exception.shared | {"status": "cancelled"}, exception.own)
        return {"id": body["id"], "iCalUID": body["iCalUID"], "calendars": list(copies)}

    def respond(self, event: str, guest: str, response: str, *, occurrence: str | None = None) -> Json:
        """A guest, or somebody outside, accepts or declines; beyond 200 guests only the organiser learns it."""
        if response not in RESPONSES:
            raise MeetingError(f"response must be one of {', '.join(RESPONSES)}")
        shared, copies = self._target(event, occurrence)
        who = self._person(guest)["email"]
        if who not in {one["email"] for one in shared.get("attendees", [])}:
            raise MeetingError(f"{guest!r} is not invited")
        guests = [one | ({"responseStatus": response} if one["email"] == who else {}) for one in shared["attendees"]]
        body = shared | {"attendees": guests}
        told = set(copies) if len(guests) <= GUESTS_TOLD else {who, shared["organizer"]["email"]} & set(copies)
        with self.store.mail.writing():
            for calendar in told:
                if not copies[calendar].cancelled:
                    self.store.put(calendar, body, copies[calendar].own)
        return {"id": body["id"], "iCalUID": body["iCalUID"], "calendars": sorted(told)}

    def remove_copy(self, event: str, calendar: str, *, occurrence: str | None = None) -> Json:
        """A guest deletes the meeting from his own calendar: for the others he declined."""
        shared, copies = self._target(event, occurrence)
        if calendar not in copies or shared["organizer"]["email"] == calendar:
            raise MeetingError(f"{calendar!r} is no guest with a copy of {event!r}")
        with self.store.mail.writing():
            self.respond(event, calendar, "declined", occurrence=occurrence)
            body = self._target(event, occurrence)[0]
            self.store.put(calendar, body | {"status": "cancelled", "_removed": True}, copies[calendar].own)
        return {"id": body["id"], "iCalUID": body["iCalUID"], "calendars": [calendar]}

    def set_own(self, event: str, calendar: str, fields: Json, *, occurrence: str | None = None) -> Json:
        """The owner of a copy sets what is his alone: visibility, transparency, reminders, colour."""
        shared, copies = self._target(event, occurrence)
        unknown = set(fields) - set(OWN_FIELDS)
        if unknown or calendar not in copies:
            raise MeetingError(f"not a field of one's own: {sorted(unknown)}" if unknown else f"no copy in {calendar}")
        self.store.put(calendar, shared, copies[calendar].own | fields)
        return {"id": shared["id"], "iCalUID": shared["iCalUID"], "calendars": [calendar]}


def _shared(copies: dict[str, Row]) -> Json:
    """What all copies have in common: the organiser's if it is not cancelled, else any that is not."""
    rows = sorted(copies.values(), key=lambda row: (row.cancelled, row.shared["organizer"]["email"] != row.calendar))
    return rows[0].shared


def split_mark(occurrence: str) -> str:
    """What the id and the iCalUID of a series get that begins at an occurrence of another one."""
    return "_R" + _key(occurrence).rstrip("Z")


def _key(occurrence: str) -> str:
    return key_of({"date": occurrence} if "T" not in occurrence else {"dateTime": occurrence})


def foreign_id(uid: str) -> str:
    """The id that an event from elsewhere gets: an underscore and its UID in base32hex."""
    return "_" + base64.b32hexencode(uid.encode()).decode().lower().rstrip("=")
