"""Calendar v3, the reading half: events.list, events.get, events.instances, calendarList and calendars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from leakwatch.sandbox.google import calendar_errors as errors
from leakwatch.sandbox.google import calendar_view as view
from leakwatch.sandbox.google.calendar_query import (
    NO_TOKEN_WITH,
    Filter,
    Parameters,
    seal,
    span,
    time_range,
    unseal,
)
from leakwatch.sandbox.google.calendar_store import CalendarStore, Row
from leakwatch.sandbox.google.calendar_view import Reader
from leakwatch.sandbox.google.directory import Directory
from leakwatch.sandbox.google.recurrence import EXPANSION, instance, is_all_day, moment, occurrence_at, occurrences

Json = dict[str, Any]

#: What a role may do, from little to much.
ROLES = ("freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")


@dataclass(frozen=True, slots=True)
class Call:
    """One call, already allowed: by whom, of which calendar and event, with which parameters."""

    user: str
    calendar: str
    event: str
    given: Parameters
    empty_page: bool = False
    """A fault: answer an empty page that has a next page."""


@dataclass(frozen=True, slots=True)
class _Item:
    """An event in a list, with its place in the order."""

    place: list[int | str]
    row: Row


@dataclass(slots=True)
class Calendar:
    """Answers the calls from the store."""

    store: CalendarStore
    directory: Directory
    token_days: int = 30
    """How old (virtual days) sync tokens and `updatedMin` may be. Google names no figure: *unverified*."""

    # -- events ------------------------------------------------------------------------------------

    def list_events(self, call: Call) -> Json:
        """events.list: all of a calendar, a window of it, or what changed."""
        wanted = Filter.read(call.given)
        reader = self._reader(call)
        if wanted.updated is not None and wanted.updated < self._oldest():
            raise errors.updated_min_too_long_ago()
        change, generation, _, zone = self.store.state(reader.calendar)
        since, pinned, after = self._position(call, reader.calendar, change, generation)
        incremental = since is not None or wanted.updated is not None
        rows = self.store.all(reader.calendar) if since is None else self.store.changed(reader.calendar, since)
        reader = replace(reader, deleted_details=bool(wanted.deleted))
        found = [_item(row, wanted.order, ZoneInfo(zone)) for row in self._found(rows, wanted, incremental, zone)]
        found = sorted((item for item in found if after is None or item.place > after), key=lambda item: item.place)
        size = 0 if call.empty_page else call.given.size()
        page = found[:size]
        answer = self._envelope(reader, zone)
        if len(found) > size or call.empty_page:
            place = page[-1].place if page else after
            answer["nextPageToken"] = seal("page", {"since": since, "pinned": pinned, "after": place})
        elif not any(call.given.one(name) for name in NO_TOKEN_WITH):
            issued = int(self.store.mail.clock.now().timestamp())
            token = {"calendar": reader.calendar, "change": pinned, "generation": generation, "issued": issued}
            answer["nextSyncToken"] = seal("sync", token)
        return answer | {"items": [view.event(item.row, reader) for item in page]}

    def _position(
        self, call: Call, calendar: str, change: int, generation: int
    ) -> tuple[int | None, int, list[int | str] | None]:
        """(change to list from, change the next sync token stands for, place after which the page begins)."""
        since: int | None = None
        token = call.given.one("syncToken")
        if token is not None:
            held = unseal("sync", token)
            if held is None or (held["calendar"], held["generation"]) != (calendar, generation):
                raise errors.full_sync_required()
            if datetime.fromtimestamp(held["issued"], UTC) < self._oldest() or held["change"] > change:
                raise errors.full_sync_required()
            since = int(held["change"])
        page = call.given.one("pageToken")
        if page is None:
            return since, change, None
        held = unseal("page", page)
        if held is None or held["since"] != since:
            raise errors.invalid_value("pageToken", page, "be a token of the former page")
        return since, int(held["pinned"]), held["after"]

    def _oldest(self) -> datetime:
        return self.store.mail.clock.now() - timedelta(days=self.token_days)

    def _found(self, rows: list[Row], wanted: Filter, incremental: bool, zone: str) -> Iterator[Row]:
        """The events that a list shows, before they are ordered and cut into pages."""
        home = ZoneInfo(zone)
        masters = {row.id: row for row in rows if row.recurring}
        for row in rows:
            if row.recurring and wanted.single:
                yield from self._expanded(row, wanted, incremental, home)
            elif wanted.single and row.body.get("recurringEventId") in masters:
                continue  # comes with its series
            elif wanted.allows(row.body) and not _too_old(row, wanted) and self._shows(row, wanted, incremental):
                yield from [row] if self._in_range(row, wanted, home) else []

    def _shows(self, row: Row, wanted: Filter, incremental: bool) -> bool:
        """Whether a deleted event is shown; others are."""
        if not row.cancelled or wanted.deleted or incremental:
            return True
        master = self.store.get(row.calendar, row.body.get("recurringEventId", ""))
        return not wanted.single and master is not None and not master.cancelled

    def _in_range(self, row: Row, wanted: Filter, home: ZoneInfo) -> bool:
        """Whether an event lies in the window; a series does if one of its occurrences does (*unverified*)."""
        if wanted.earliest is None and wanted.latest is None:
            return True
        if not row.recurring:
            return wanted.in_range(*span(row.body, home))
        return any(wanted.in_range(*span(one.body, home)) for one in self._instances(row, wanted.latest))

    def _expanded(self, master: Row, wanted: Filter, incremental: bool, home: ZoneInfo) -> Iterator[Row]:
        for row in self._instances(master, wanted.latest):
            if not wanted.allows(row.body) or _too_old(row, wanted) or not wanted.in_range(*span(row.body, home)):
                continue
            if not row.cancelled or wanted.deleted or incremental:
                yield row

    def _instances(self, master: Row, latest: datetime | None = None) -> Iterator[Row]:
        """All occurrences of a series that start before an instant: by the rule, or as its exceptions say."""
        horizon = self.store.mail.clock.now() + EXPANSION
        exceptions = self.store.exceptions(master.calendar, master.id)
        yield from exceptions
        moved = {row.id for row in exceptions}
        for one in occurrences(master.body, min(latest or horizon, horizon)):
            if f"{master.id}_{one.key}" not in moved:
                yield replace(master, body=instance(master.body, one))

    def get_event(self, call: Call) -> Json:
        """events.get: deleted ones too, and single occurrences by their id."""
        reader = self._reader(call)
        return view.event(self._row(reader.calendar, call.event), reader)

    def _row(self, calendar: str, event: str) -> Row:
        row = self.store.get(calendar, event)
        if row is not None:
            return row
        name, _, key = event.rpartition("_")
        master = self.store.get(calendar, name)
        if master is not None and master.recurring:
            one = occurrence_at(master.body, key, self.store.mail.clock.now() + EXPANSION)
            if one is not None:
                return replace(master, body=instance(master.body, one))
        raise errors.not_found()

    def list_instances(self, call: Call) -> Json:
        """events.instances of a series, by start."""
        reader = self._reader(call)
        earliest, latest = time_range(call.given)
        deleted = call.given.boolean("showDeleted") or False
        home = ZoneInfo(self.store.state(reader.calendar)[3])
        master = self.store.get(reader.calendar, call.event)
        if master is None:
            raise errors.not_found()
        if not master.recurring:
            raise errors.bad_request()  # *unverified*: what Google says of an event that is no series
        items: list[_Item] = []
        for row in self._instances(master, latest):
            begins, ends = span(row.body, home)
            if (earliest is not None and ends < earliest) or (latest is not None and begins >= latest):
                continue
            if (not row.cancelled or deleted) and _starts_at(row, call.given.one("originalStart"), home):
                items.append(_item(row, "startTime", home))
        return self._page_of(call, reader, sorted(items, key=lambda item: item.place))

    def _page_of(self, call: Call, reader: Reader, items: list[_Item]) -> Json:
        token = call.given.one("pageToken")
        held = unseal("page", token) if token else {"after": None}
        if held is None:
            raise errors.invalid_value("pageToken", token or "", "be a token of the former page")
        after = held["after"]
        left = [item for item in items if after is None or item.place > after]
        size = 0 if call.empty_page else call.given.size()
        page = left[:size]
        answer = self._envelope(reader, self.store.state(reader.calendar)[3])
        if len(left) > size or call.empty_page:
            answer["nextPageToken"] = seal("page", {"after": page[-1].place if page else after})
        return answer | {"items": [view.event(item.row, reader) for item in page]}

    def _envelope(self, reader: Reader, zone: str) -> Json:
        change = self.store.state(reader.calendar)[0]
        return {
            "kind": "calendar#events",
            "etag": view.etag(reader.calendar, change),
            "summary": reader.calendar,
            "updated": self._updated(),
            "timeZone": zone,
            "accessRole": reader.role,
            "defaultReminders": [{"method": "popup", "minutes": 10}] if reader.role == "owner" else [],
        }

    def _updated(self) -> str:
        return self.store.mail.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # -- calendars ---------------------------------------------------------------------------------

    def _reader(self, call: Call) -> Reader:
        """Who reads which calendar; 404 for what the user may not see."""
        calendar = call.user if call.calendar.lower() == "primary" else call.calendar.lower()
        role = "owner" if calendar == call.user else self.store.shares(call.user).get(calendar)
        if role is None:
            raise errors.not_found()
        zone = call.given.zone(self.store.state(calendar)[3])
        return Reader(calendar, role, zone, call.given.number("maxAttendees"))

    def list_calendars(self, call: Call) -> Json:
        """calendarList.list: one's own, and those that were shared."""
        least = call.given.one("minAccessRole")
        if least is not None and least not in ROLES:
            raise errors.invalid_value("minAccessRole", least, f"be one of: {', '.join(ROLES)}")
        if call.given.one("syncToken"):
            raise errors.not_emulated("calendarList.list with a syncToken")
        entries = [self._entry(call.user, call.user, "owner")]
        entries += [self._entry(name, call.user, role) for name, role in self.store.shares(call.user).items()]
        if least is not None:
            entries = [entry for entry in entries if ROLES.index(entry["accessRole"]) >= ROLES.index(least)]
        return {"kind": "calendar#calendarList", "etag": view.etag(entries), "items": entries}

    def get_calendar_entry(self, call: Call) -> Json:
        """calendarList.get."""
        reader = self._reader(call)
        return self._entry(reader.calendar, call.user, reader.role)

    def _entry(self, calendar: str, user: str, role: str) -> Json:
        entry: Json = {"kind": "calendar#calendarListEntry", "etag": view.etag(calendar, role), "id": calendar}
        entry |= {"summary": calendar, "timeZone": self.store.state(calendar)[3], "accessRole": role}
        entry |= {"colorId": "14", "backgroundColor": "#9fe1e7", "foregroundColor": "#000000", "selected": True}
        entry |= {"defaultReminders": [{"method": "popup", "minutes": 10}] if calendar == user else []}
        entry |= {"conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]}}
        return entry | ({"primary": True} if calendar == user else {})

    def get_calendar(self, call: Call) -> Json:
        """calendars.get."""
        reader = self._reader(call)
        body: Json = {"kind": "calendar#calendar", "etag": view.etag(reader.calendar), "id": reader.calendar}
        body |= {"summary": reader.calendar, "timeZone": self.store.state(reader.calendar)[3]}
        return body | {"conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]}}


def _too_old(row: Row, wanted: Filter) -> bool:
    return wanted.updated is not None and datetime.fromtimestamp(row.updated / 1000, UTC) < wanted.updated


def _item(row: Row, order: str | None, home: ZoneInfo) -> _Item:
    start = int(moment(row.body["start"], home).timestamp())
    first = {"startTime": start, "updated": row.updated}.get(order or "", row.change)
    return _Item([first, start, row.id], row)


def _starts_at(row: Row, text: str | None, home: ZoneInfo) -> bool:
    """Whether an occurrence is the one that by its rule starts then (a date, or an instant)."""
    if text is None:
        return True
    original = row.body["originalStartTime"]
    if is_all_day(original):
        return bool(original["date"] == text)
    return bool(original["dateTime"] == text) or moment(original, home) == Parameters({"at": [text]}).instant("at")
