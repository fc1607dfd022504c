"""The calendars on disk, in the file of the mailboxes: copies of events, each change numbered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from leakwatch.sandbox.google.store import MailStore, milliseconds

Json = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS calendar(
  address TEXT PRIMARY KEY, change INTEGER, generation INTEGER, enabled INTEGER, zone TEXT);
CREATE TABLE IF NOT EXISTS calendar_share(calendar TEXT, reader TEXT, role TEXT, PRIMARY KEY(calendar, reader));
CREATE TABLE IF NOT EXISTS event(
  calendar TEXT, id TEXT, uid TEXT, master TEXT, change INTEGER, updated INTEGER, body TEXT, own TEXT,
  PRIMARY KEY(calendar, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS event_change ON event(calendar, change);
CREATE INDEX IF NOT EXISTS event_master ON event(calendar, master);
CREATE INDEX IF NOT EXISTS event_id ON event(id);
CREATE TABLE IF NOT EXISTS event_former(
  calendar TEXT, id TEXT, change INTEGER, body TEXT, PRIMARY KEY(calendar, id, change)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One copy of an event: `body` as the API has it, without what depends on the reader.

    `shared` is what all copies have in common, `own` what the owner of this one set for himself.
    """

    calendar: str
    change: int
    updated: int
    """Milliseconds since the epoch."""
    body: Json
    shared: Json
    own: Json

    @property
    def id(self) -> str:
        """The event's id."""
        return str(self.body["id"])

    @property
    def cancelled(self) -> bool:
        """Whether the event is deleted."""
        return self.body["status"] == "cancelled"

    @property
    def recurring(self) -> bool:
        """Whether this is a series."""
        return bool(self.body.get("recurrence"))


class CalendarStore:
    """All primary calendars of the company, by address."""

    def __init__(self, mail: MailStore, zone: str) -> None:
        self.mail = mail
        self.zone = zone
        mail.define(SCHEMA)

    def _open(self, address: str) -> None:
        row = (address, 0, 1, 1, self.zone)
        self.mail.db.execute("INSERT OR IGNORE INTO calendar VALUES (?, ?, ?, ?, ?)", row)

    def state(self, address: str) -> tuple[int, int, bool, str]:
        """(last change, generation, whether the service is on, time zone) of a calendar."""
        query = "SELECT change, generation, enabled, zone FROM calendar WHERE address = ?"
        row = self.mail.db.execute(query, (address,)).fetchone()
        return (int(row[0]), int(row[1]), bool(row[2]), str(row[3])) if row else (0, 1, True, self.zone)

    def switch(self, address: str, *, enabled: bool) -> None:
        """Switch the Calendar service of a user on or off."""
        with self.mail.writing():
            self._open(address)
            self.mail.db.execute("UPDATE calendar SET enabled = ? WHERE address = ?", (int(enabled), address))

    def expire(self, address: str) -> None:
        """Make all sync tokens of a calendar worthless."""
        with self.mail.writing():
            self._open(address)
            self.mail.db.execute("UPDATE calendar SET generation = generation + 1 WHERE address = ?", (address,))

    def share(self, address: str, reader: str, role: str) -> None:
        """Share a calendar with a colleague, or with `none` no more; its sync tokens end ("changes in ACLs")."""
        with self.mail.writing():
            self.mail.db.execute("DELETE FROM calendar_share WHERE calendar = ? AND reader = ?", (address, reader))
            if role != "none":
                self.mail.db.execute("INSERT INTO calendar_share VALUES (?, ?, ?)", (address, reader, role))
            self.expire(address)

    def shares(self, reader: str) -> dict[str, str]:
        """The calendars that others share with somebody, with his role."""
        query = "SELECT calendar, role FROM calendar_share WHERE reader = ? ORDER BY calendar"
        return {row[0]: row[1] for row in self.mail.db.execute(query, (reader,))}

    # -- events ------------------------------------------------------------------------------------

    def put(self, calendar: str, body: Json, own: Json | None = None) -> None:
        """Write a copy; `updated` becomes now, and the change gets the calendar's next number."""
        now = self.mail.clock.now()
        stamped = body | {"updated": now.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
        with self.mail.writing():
            self._open(calendar)
            self.mail.db.execute("UPDATE calendar SET change = change + 1 WHERE address = ?", (calendar,))
            change = self.state(calendar)[0]
            self.mail.db.execute(
                "INSERT INTO event_former SELECT calendar, id, ?, body FROM event WHERE calendar = ? AND id = ? "
                "AND json_extract(body, '$.recurrence') IS NOT NULL",
                (change, calendar, body["id"]),
            )
            texts = (json.dumps(stamped, ensure_ascii=False), json.dumps(own or {}, ensure_ascii=False))
            row = (calendar, body["id"], body["iCalUID"], body.get("recurringEventId", ""), change, milliseconds(now))
            self.mail.db.execute("INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, *texts))

    def _rows(self, where: str, values: tuple[Any, ...]) -> list[Row]:
        query = f"SELECT calendar, change, updated, body, own FROM event WHERE {where} ORDER BY calendar, change"
        found: list[Row] = []
        for calendar, change, updated, body, own in self.mail.db.execute(query, values):
            shared, mine = json.loads(body), json.loads(own)
            found.append(Row(calendar, change, updated, shared | mine, shared, mine))
        return found

    def get(self, calendar: str, event: str) -> Row | None:
        """One copy."""
        rows = self._rows("calendar = ? AND id = ?", (calendar, event))
        return rows[0] if rows else None

    def all(self, calendar: str) -> list[Row]:
        """Everything in a calendar, deleted or not, by change."""
        return self._rows("calendar = ?", (calendar,))

    def changed(self, calendar: str, since: int) -> list[Row]:
        """What changed after a change, by change."""
        return self._rows("calendar = ? AND change > ?", (calendar, since))

    def exceptions(self, calendar: str, master: str) -> list[Row]:
        """The occurrences of a series that differ from its rule."""
        return self._rows("calendar = ? AND master = ?", (calendar, master))

    def copies(self, event: str) -> list[Row]:
        """The copies of an event in all calendars."""
        return self._rows("id = ?", (event,))

    def former(self, calendar: str, event: str, since: int, until: int) -> list[Json]:
        """What a series was before each of its changes after one change up to another."""
        query = "SELECT body FROM event_former WHERE calendar = ? AND id = ? AND change > ? AND change <= ?"
        return [json.loads(row[0]) for row in self.mail.db.execute(query, (calendar, event, since, until))]

    def joined_at(self, url: str) -> list[Row]:
        """The copies of events whose conference is joined at an address."""
        query = "EXISTS (SELECT 1 FROM json_each(body, '$.conferenceData.entryPoints') p WHERE p.value ->> 'uri' = ?)"
        return self._rows(query, (url,))
