"""What is in a mailbox's calendar: single events, series, their occurrences and exceptions, and what changed of them.

Copies of meetings are kept once for both providers (`google.calendar_store`); here is what Outlook makes of a copy.
A guest who declines has no copy any more; what the organiser cancels stays with the guests as cancelled until they
remove it; with the organiser it is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from leakwatch.sandbox.google.calendar_store import CalendarStore, Row
from leakwatch.sandbox.google.recurrence import instance, moment, occurrence_at, occurrences, zone_of
from leakwatch.sandbox.microsoft.event_ids import number_of
from leakwatch.sandbox.microsoft.settings import Kept

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Window:
    """A time range: what ends after its start and begins before its end is in it."""

    start: datetime
    end: datetime

    def has(self, begins: datetime, ends: datetime) -> bool:
        """Whether something of this length is in it; what lasts no time counts at its instant."""
        return begins < self.end and (ends > self.start or begins >= self.start)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a calendar."""

    row: Row
    """The copy that it follows from: of an occurrence, its series'."""
    kind: str
    """eventType: `singleInstance`, `seriesMaster`, `occurrence` or `exception`."""
    body: Json
    """In the words of `google.meeting_fields`."""
    begins: datetime
    ends: datetime
    key: str = ""
    """Original start of an occurrence or exception, as at the end of its name."""

    @property
    def series(self) -> str:
        """The name of the series that it is of, or its own."""
        return str(self.body.get("recurringEventId") or self.body["id"])

    @property
    def name(self) -> str:
        """What the event is called among those who take part."""
        return str(self.body["id"])


class Diary:
    """Reads the calendars of mailboxes."""

    def __init__(self, store: CalendarStore, settings: Kept) -> None:
        self.store = store
        self.settings = settings

    @property
    def zone(self) -> ZoneInfo:
        """Where days begin at midnight."""
        return zone_of(self.store.zone)

    def shown(self, row: Row, master: Row | None) -> bool:
        """Whether this copy is still in its calendar."""
        body = row.body
        if body.get("_removed") or (master is not None and not self.shown(master, None)):
            return False
        if master is not None and occurrence_at(master.body, row.id.rpartition("_")[2], _far(row)) is None:
            return False  # the series' new rule has no place for it
        if body["organizer"]["email"] == row.calendar:
            return not row.cancelled
        now = self.settings.now
        own = next((one for one in body.get("attendees", []) if one["email"] == row.calendar), {})
        if own.get("responseStatus") == "declined" and now.declined_copies == "removed":
            return False
        return not row.cancelled or now.cancelled_copies == "kept"

    def rows(self, mailbox: str) -> dict[str, Row]:
        """All copies by name, deleted or not."""
        return {row.id: row for row in self.store.all(mailbox)}

    def _entry(self, row: Row, kind: str, body: Json, key: str = "") -> Entry:
        return Entry(row, kind, body, moment(body["start"], self.zone), moment(body["end"], self.zone), key)

    def of_row(self, row: Row) -> Entry:
        """A copy itself, not its occurrences."""
        if row.recurring:
            return self._entry(row, "seriesMaster", row.body)
        if row.body.get("recurringEventId"):
            return self._entry(row, "exception", row.body, row.id.rpartition("_")[2])
        return self._entry(row, "singleInstance", row.body)

    def occurrences(self, master: Row, rows: dict[str, Row], window: Window) -> Iterator[Entry]:
        """The occurrences of a series in a window that follow its rule."""
        for one in occurrences(master.body, window.end):
            body = instance(master.body, one)
            if body["id"] in rows:
                continue
            entry = self._entry(master, "occurrence", body, one.key)
            if window.has(entry.begins, entry.ends):
                yield entry

    def view(self, mailbox: str, window: Window, series: str | None = None) -> list[Entry]:
        """What takes place in a window, occurrence by occurrence, by start; `series`: of this one alone."""
        rows = self.rows(mailbox)
        found: list[Entry] = []
        for row in rows.values():
            master = rows.get(str(row.body.get("recurringEventId")))
            if series not in (None, row.id, master.id if master else None) or not self.shown(row, master):
                continue
            if row.recurring:
                found += self.occurrences(row, rows, window)
                continue
            entry = self.of_row(row)
            if window.has(entry.begins, entry.ends):
                found.append(entry)
        return sorted(found, key=lambda one: (one.begins, one.name))

    def listed(self, mailbox: str) -> list[Entry]:
        """Single events and series, latest start first."""
        rows = [row for row in self.store.all(mailbox) if not row.body.get("recurringEventId")]
        entries = [self.of_row(row) for row in rows if self.shown(row, None)]
        return sorted(entries, key=lambda one: (one.begins, one.name), reverse=True)

    def get(self, mailbox: str, number: int, key: str) -> Entry | None:
        """The event of a number, or an occurrence of it."""
        rows = self.rows(mailbox)
        found = next((row for row in rows.values() if number_of(row.id) == number), None)
        if found is None or not self.shown(found, None):
            return None
        if not key:
            return self.of_row(found)
        exception = rows.get(f"{found.id}_{key}")
        if exception is not None:
            return self.of_row(exception) if self.shown(exception, found) else None
        one = occurrence_at(found.body, key, _far(found)) if found.recurring else None
        return self._entry(found, "occurrence", instance(found.body, one), key) if one is not None else None

    # -- changes -----------------------------------------------------------------------------------

    def changes(self, mailbox: str, window: Window, since: int, until: int) -> dict[str, Entry | None]:
        """What changed after one change up to another, by name in the order of changes; None: not in the window."""
        rows = self.rows(mailbox)
        told: dict[str, Entry | None] = {}
        for row in sorted(rows.values(), key=lambda one: one.change):
            if not since < row.change <= until:
                continue
            master = rows.get(str(row.body.get("recurringEventId")))
            former = self.store.former(mailbox, row.id, since, until)
            if row.recurring or former:
                told |= self._series(row, former, rows, window)
                continue
            entry = self.of_row(row)
            inside = self.shown(row, master) and window.has(entry.begins, entry.ends)
            told[row.id] = entry if inside else None
        return told

    def _series(self, row: Row, former: list[Json], rows: dict[str, Row], window: Window) -> dict[str, Entry | None]:
        shown = self.shown(row, None)
        before = former if shown else [*former, row.body]
        gone = {
            instance(body, one)["id"]
            for body in before
            if body.get("recurrence")
            for one in occurrences(body, window.end)
            if window.has(moment(one.start, self.zone), moment(one.end, self.zone))
        }
        now = list(self.occurrences(row, rows, window)) if shown and row.recurring else []
        told: dict[str, Entry | None] = dict.fromkeys(sorted(gone - {one.name for one in now} - set(rows)))
        if not shown:
            told |= {name: None for name, one in rows.items() if one.body.get("recurringEventId") == row.id}
        entry = self.of_row(row)
        inside = bool(now) or (not row.recurring and window.has(entry.begins, entry.ends))
        inside = inside or any(
            one.body.get("recurringEventId") == row.id and self.shown(one, row) for one in rows.values()
        )
        return {row.id: entry if shown and inside else None} | told | {one.name: one for one in now}


def _far(row: Row) -> datetime:
    """Late enough for the occurrence of any exception."""
    return datetime.fromtimestamp(row.updated / 1000, UTC) + timedelta(days=30 * 365)
