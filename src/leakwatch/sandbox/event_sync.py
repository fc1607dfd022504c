"""Another tool that syncs Events with calendars, as Einstein Activity Capture and its like do, played for the org.

It carries new Events into their owners' calendars and new meetings into the org, each once: it remembers what it
carried and never brings its own copies back. It acts as the user whose calendar it is (help, "How Event Attendees Sync
with Einstein Activity Capture"), invites the contact or lead of an Event, and leaves nothing in a copy that tells where
it comes from, unless it is set to: what real tools leave there is documented nowhere. Changes, deletions and series are
not carried.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from leakwatch.sandbox.google.calendar_store import Row
from leakwatch.sandbox.google.meeting_fields import MeetingError
from leakwatch.sandbox.google.meetings import Meetings

Json = dict[str, Any]

DIRECTIONS = ("off", "to_calendar", "to_org", "both")
#: The property that a copy carries where the tool is set to leave marks; the name is made up.
MARK = "salesforceEventId"
SCHEMA = """
CREATE TABLE IF NOT EXISTS event_sync(id INTEGER PRIMARY KEY CHECK (id = 1), direction TEXT, marks INTEGER);
CREATE TABLE IF NOT EXISTS event_sync_link(item TEXT, record TEXT, PRIMARY KEY(item, record)) WITHOUT ROWID;
"""
_WANTED = "Id, Subject, StartDateTime, EndDateTime, IsAllDayEvent, OwnerId, WhoId"


class OrgLike(Protocol):
    """What the tool needs of the emulated org (`org.facade.Org`)."""

    def create(self, sobject: str, fields: Json, *, user_id: str) -> str:
        """Insert one row as a user."""
        ...

    def query(self, soql: str) -> list[Json]:
        """All records of a query."""
        ...


@dataclass(frozen=True, slots=True)
class Setup:
    """How the tool is set up: which way it carries, and whether its copies name the Event that they come from."""

    direction: str = "off"
    marks: bool = False


@dataclass(frozen=True, slots=True)
class EventSync:
    """The tool. Its links and its setup lie beside the mailboxes, so that saved states hold them too."""

    org: OrgLike
    meetings: Meetings

    def __post_init__(self) -> None:
        self.meetings.store.mail.define(SCHEMA)

    @property
    def setup(self) -> Setup:
        """How it is set up now."""
        row = self.meetings.store.mail.db.execute("SELECT direction, marks FROM event_sync").fetchone()
        return Setup(str(row[0]), bool(row[1])) if row else Setup()

    def change(self, changes: Json) -> Setup:
        """Set it up anew; what is not given stays."""
        unknown = sorted(set(changes) - {"direction", "marks"})
        if unknown:
            raise MeetingError(f"the event sync has no setting {unknown[0]!r}")
        setup = Setup(**(asdict(self.setup) | changes))
        if setup.direction not in DIRECTIONS or not isinstance(setup.marks, bool):
            raise MeetingError(f"direction must be one of {', '.join(DIRECTIONS)}, and marks true or false")
        mail = self.meetings.store.mail
        with mail.writing():
            mail.db.execute("INSERT OR REPLACE INTO event_sync VALUES (1, ?, ?)", (setup.direction, int(setup.marks)))
        return setup

    def run(self) -> Json:
        """One round; how many it carried each way. Both sides are looked at before anything is carried."""
        setup = self.setup
        events = self._new_events() if setup.direction in ("both", "to_calendar") else []
        items = self._new_items() if setup.direction in ("both", "to_org") else []
        return {
            "to_calendar": sum(self._to_calendar(event, marks=setup.marks) for event in events),
            "to_org": sum(self._to_org(item) for item in items),
        }

    # -- what is new -------------------------------------------------------------------------------

    def _linked(self, column: str) -> set[str]:
        rows = self.meetings.store.mail.db.execute(f"SELECT {column} FROM event_sync_link")
        return {str(row[0]) for row in rows}

    def _link(self, item: str, record: str) -> None:
        with self.meetings.store.mail.writing():
            self.meetings.store.mail.db.execute("INSERT OR IGNORE INTO event_sync_link VALUES (?, ?)", (item, record))

    def _new_events(self) -> list[Json]:
        done = self._linked("record")
        rows = self.org.query(f"SELECT {_WANTED} FROM Event WHERE IsChild = false ORDER BY CreatedDate, Id")
        return [row for row in rows if row["Id"] not in done]

    def _new_items(self) -> list[Row]:
        """The organisers' own copies of single meetings that are not carried yet, by calendar."""
        done = self._linked("item")
        return [
            row
            for account in self.meetings.directory.all()
            for row in self.meetings.store.all(str(account["primaryEmail"]))
            if row.id not in done
            and not row.cancelled
            and not row.recurring
            and "recurringEventId" not in row.body
            and row.body["organizer"]["email"] == row.calendar
            and row.body.get("visibility") not in ("private", "confidential")
        ]

    # -- carrying ----------------------------------------------------------------------------------

    def _to_calendar(self, event: Json, *, marks: bool) -> bool:
        owner = self._addresses([event["OwnerId"]])
        account = self.meetings.directory.find(owner[0]) if owner else None
        if account is None:
            return False  # its owner has no calendar
        guests = self._addresses([event["WhoId"]]) if event["WhoId"] else []
        given: Json = {
            "organizer": account["primaryEmail"],
            "summary": event["Subject"] or "",
            "attendees": guests,
            **_when(event),
        }
        if marks:
            given["extendedProperties"] = {"private": {MARK: event["Id"]}}
        self._link(str(self.meetings.create(given)["id"]), str(event["Id"]))
        return True

    def _addresses(self, ids: list[str]) -> list[str]:
        """The addresses of users, contacts and leads."""
        found: list[str] = []
        for record in ids:
            sobject = {"005": "User", "003": "Contact", "00Q": "Lead"}.get(record[:3])
            if sobject is None:
                continue  # a public calendar owns Events too
            rows = self.org.query(f"SELECT Email FROM {sobject} WHERE Id = '{record}'")
            found += [str(row["Email"]) for row in rows if row["Email"]]
        return found

    def _to_org(self, item: Row) -> bool:
        users = self._with_address("User", [item.calendar], " AND IsActive = true")
        if not users:
            return False
        guests = [one["email"] for one in item.body.get("attendees", []) if one["email"] != item.calendar]
        people = self._with_address("Contact", guests) or self._with_address("Lead", guests, " AND IsConverted = false")
        fields: Json = {"Subject": item.body.get("summary", ""), "OwnerId": users[0], **_moments(item.body)}
        if people:
            fields["WhoId"] = people[0]
        self._link(item.id, self.org.create("Event", fields, user_id=users[0]))
        return True

    def _with_address(self, sobject: str, addresses: list[str], more: str = "") -> list[str]:
        if not addresses:
            return []
        quoted = ", ".join("'" + one.replace("\\", "\\\\").replace("'", "\\'") + "'" for one in addresses)
        rows = self.org.query(f"SELECT Id FROM {sobject} WHERE Email IN ({quoted}){more} ORDER BY CreatedDate, Id")
        return [str(row["Id"]) for row in rows]


def _when(event: Json) -> Json:
    """Start and end of a row as Calendar has them; the last day of an all-day Event counts, Calendar's end does not."""
    start, end = (datetime.fromisoformat(event[name]) for name in ("StartDateTime", "EndDateTime"))
    if event["IsAllDayEvent"]:
        days = (start.date(), end.date() + timedelta(days=1))
        return {name: {"date": day.isoformat()} for name, day in zip(("start", "end"), days, strict=True)}
    return {"start": {"dateTime": start.isoformat()}, "end": {"dateTime": end.isoformat()}}


def _moments(body: Json) -> Json:
    """The fields of an Event that say when."""
    if "date" in body["start"]:
        first, after = (datetime.fromisoformat(body[name]["date"]).replace(tzinfo=UTC) for name in ("start", "end"))
        return {"IsAllDayEvent": True, "StartDateTime": _text(first), "EndDateTime": _text(after - timedelta(days=1))}
    start, end = (datetime.fromisoformat(body[name]["dateTime"]) for name in ("start", "end"))
    return {"StartDateTime": _text(start), "EndDateTime": _text(end)}


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
