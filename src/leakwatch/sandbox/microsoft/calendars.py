"""Calendars and events: calendar views, lists, single events and their instances (user-list-calendarview, event-get).

Every mailbox has its one calendar, at all the paths that Graph has for it.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from leakwatch.sandbox.google.calendar_store import CalendarStore
from leakwatch.sandbox.microsoft import calendar_errors, errors, event_ids, ids
from leakwatch.sandbox.microsoft.call import GraphCall, Reply, Route
from leakwatch.sandbox.microsoft.diary import Diary, Entry, Window
from leakwatch.sandbox.microsoft.event import BASIC_HIDES, SELECTABLE, TYPE, EventView
from leakwatch.sandbox.microsoft.filters import Column, compile_filter, compile_order
from leakwatch.sandbox.microsoft.mail import selected
from leakwatch.sandbox.microsoft.settings import Kept
from leakwatch.sandbox.microsoft.store import Mailboxes
from leakwatch.sandbox.microsoft.time_zones import zone_named

#: user-list-calendarview: "a default page size of 10 and maximum of 1000".
DEFAULT_PAGE, MAX_PAGE = 10, 1_000

READ = ("Calendars.ReadBasic.All", "Calendars.Read", "Calendars.ReadWrite")
_WHOLE = frozenset(("Calendars.Read", "Calendars.ReadWrite"))

#: Where a mailbox's calendar is found.
BASES = ("users/{}", "users/{}/calendar", "users/{}/calendars/{}")

#: What events can be filtered and sorted by.
_COLUMNS = {
    "start/dateTime": Column("begins", "instant"), "end/dateTime": Column("ends", "instant"),
    "createdDateTime": Column("created", "instant"), "lastModifiedDateTime": Column("modified", "instant"),
    "subject": Column("subject"), "iCalUId": Column("uid"), "type": Column("kind", "enum"),
    "sensitivity": Column("sensitivity", "enum"), "isCancelled": Column("cancelled", "bool"),
    "isAllDay": Column("all_day", "bool"), "isOrganizer": Column("organised", "bool"),
}  # fmt: skip
_TABLE = (
    "CREATE TABLE event(number INTEGER PRIMARY KEY, begins INTEGER, ends INTEGER, created INTEGER, modified INTEGER, "
    "subject TEXT, uid TEXT, kind TEXT, sensitivity TEXT, cancelled INTEGER, all_day INTEGER, organised INTEGER)"
)


class Calendars:
    """Answers what is asked of calendars, but for their changes."""

    def __init__(self, mailboxes: Mailboxes, store: CalendarStore, settings: Kept) -> None:
        self.mailboxes = mailboxes
        self.settings = settings
        self.diary = Diary(store, settings)

    # -- how ---------------------------------------------------------------------------------------

    def view(self, call: GraphCall, *, typed: bool = False) -> EventView:
        """How this call wants events shown; raises GraphError."""
        now = self.settings.now
        select = call.options.select(SELECTABLE, TYPE)
        hidden = frozenset[str]() if call.permissions & _WHOLE else BASIC_HIDES
        if hidden & set(select or ()) and now.basic_select == "denied":
            raise errors.denied()
        name = call.prefer.time_zone or "UTC"
        zone = zone_named(name)
        if zone is None:
            raise calendar_errors.unknown_zone(name)
        if call.prefer.time_zone is not None:
            call.applied.append(f'outlook.timezone="{name}"')
        if call.prefer.immutable_ids:
            call.applied.append('IdType="ImmutableId"')
        if call.prefer.text_bodies:
            call.applied.append('outlook.body-content-type="text"')
        return EventView(
            self.mailboxes.guid(call.mailbox), self.diary.store.zone, zone, name, self._cancelled,
            tuple(one for one in select if one != "id") if select is not None else None, call.prefer.immutable_ids,
            call.prefer.text_bodies, hidden, typed, now.occurrence_uids == "dated", now.all_day_times == "shifted",
        )  # fmt: skip

    def _cancelled(self, entry: Entry) -> list[str]:
        rows = self.diary.store.exceptions(entry.row.calendar, entry.row.id)
        return sorted(row.id.rpartition("_")[2] for row in rows if not self.diary.shown(row, entry.row))

    def window(self, call: GraphCall, zone: ZoneInfo | None = None) -> Window:
        """The time range of a view; raises GraphError. A bound without an offset is in UTC, as is documented."""
        found: list[datetime] = []
        for name in ("startDateTime", "endDateTime"):
            text = call.options.custom.get(name.lower())
            if not text:
                raise calendar_errors.no_window()
            try:
                moment = datetime.fromisoformat(text.replace(" ", "+"))
            except ValueError:
                raise calendar_errors.bad_instant(name, text) from None
            found.append(moment.replace(tzinfo=moment.tzinfo or zone or UTC).astimezone(UTC))
        if found[1] <= found[0]:
            raise calendar_errors.bad_range()
        return Window(found[0], found[1])

    def check_calendar(self, call: GraphCall) -> None:
        """Refuse an id in the path that is not of this mailbox's calendar; raises GraphError."""
        parts = call.path.lower().strip("/").split("/")
        if len(parts) > 2 and parts[2] == "calendars" and len(call.keys) > 1 and call.keys[1] != self._id(call):
            raise errors.no_item()

    def _id(self, call: GraphCall) -> str:
        return ids.folder_id(self.mailboxes.guid(call.mailbox), event_ids.CALENDAR)

    def entry(self, call: GraphCall, key: str) -> Entry:
        """The event that an id means; raises GraphError."""
        if event_ids.read(key, self.mailboxes.guid(call.mailbox)) is None and ids.read(key) is None:
            raise errors.bad_id()
        meant = event_ids.read(key, self.mailboxes.guid(call.mailbox))
        found = self.diary.get(call.mailbox, meant.number, meant.key) if meant is not None else None
        if found is None:
            raise errors.no_item()
        return found

    # -- lists -------------------------------------------------------------------------------------

    def _list(self, call: GraphCall, entries: list[Entry], what: str) -> Reply:
        view, options = self.view(call), call.options
        options.refuse("skiptoken", "deltatoken", "search")
        if options.get("expand") is not None:
            raise errors.not_emulated("$expand of events")
        entries = _filtered(entries, view, options.get("filter"), options.get("orderby"))
        size, skip = options.top(DEFAULT_PAGE, MAX_PAGE, preferred=call.prefer.page_size), options.skip()
        if call.prefer.page_size is not None and options.get("top") is None:
            call.applied.append(f"odata.maxpagesize={size}")
        body: dict[str, Any] = {"@odata.context": f"{call.owner}/{what}{selected(view.select)}"}
        if options.flag("count"):
            body["@odata.count"] = len(entries)
        if call.request.behaviour == "empty_page":
            return Reply(200, body | {"value": [], "@odata.nextLink": call.link(options.again(skip=skip))})
        value = [view.show(one) for one in entries[skip : skip + size]]
        if call.request.behaviour == "repeat":
            value = [one for one in value for _ in range(2)]
        if len(entries) > skip + size:
            body["@odata.nextLink"] = call.link(options.again(skip=skip + size))
        return Reply(200, body | {"value": value})

    def calendar_view(self, call: GraphCall) -> Reply:
        """`/users/{id}/calendarView`: single events, occurrences and exceptions of a time range, by start."""
        self.check_calendar(call)
        return self._list(call, self.diary.view(call.mailbox, self.window(call)), "calendarView")

    def events(self, call: GraphCall) -> Reply:
        """`/users/{id}/events`: "single instance meetings and series masters"."""
        self.check_calendar(call)
        return self._list(call, self.diary.listed(call.mailbox), "events")

    def instances(self, call: GraphCall) -> Reply:
        """`/users/{id}/events/{id}/instances`: occurrences and exceptions of a series in a time range."""
        self.check_calendar(call)
        series = self.entry(call, call.keys[-1])
        window = self.window(call)
        entries = self.diary.view(call.mailbox, window, series.name) if series.kind == "seriesMaster" else []
        return self._list(call, entries, f"events('{call.keys[-1]}')/instances")

    def get(self, call: GraphCall) -> Reply:
        """`/users/{id}/events/{id}`: any event, an occurrence or a series too."""
        self.check_calendar(call)
        call.options.refuse("filter", "orderby", "top", "skip")
        view = self.view(call)
        context = f"{call.owner}/events{selected(view.select)}/$entity"
        return Reply(200, {"@odata.context": context} | view.show(self.entry(call, call.keys[-1])))

    def untracked(self, _call: GraphCall) -> Reply:
        """`/users/{id}/events/delta`: beta alone."""
        raise calendar_errors.events_untracked()

    # -- calendars ---------------------------------------------------------------------------------

    def _calendar(self, call: GraphCall) -> dict[str, Any]:
        user = call.user or {}
        return {
            "id": self._id(call), "name": "Calendar", "color": "auto", "hexColor": "", "isDefaultCalendar": True,
            "changeKey": ids.change_key(self.mailboxes.guid(call.mailbox), 1), "canShare": True,
            "canViewPrivateItems": True, "canEdit": True, "isTallyingResponses": True, "isRemovable": False,
            "allowedOnlineMeetingProviders": ["teamsForBusiness"], "defaultOnlineMeetingProvider": "teamsForBusiness",
            "owner": {"name": user.get("displayName"), "address": call.mailbox},
        }  # fmt: skip

    def list_calendars(self, call: GraphCall) -> Reply:
        """`/users/{id}/calendars`."""
        return Reply(200, {"@odata.context": f"{call.owner}/calendars", "value": [self._calendar(call)]})

    def get_calendar(self, call: GraphCall) -> Reply:
        """`/users/{id}/calendar`, or the same by its id."""
        self.check_calendar(call)
        return Reply(200, {"@odata.context": f"{call.owner}/calendars/$entity"} | self._calendar(call))

    def routes(self) -> list[Route]:
        """What of Graph is here."""
        found = [
            Route("calendars.list", "GET", "users/{}/calendars", READ, self.list_calendars),
            Route("calendars.get", "GET", "users/{}/calendar", READ, self.get_calendar),
            Route("calendars.get", "GET", "users/{}/calendars/{}", READ, self.get_calendar),
        ]
        for base in BASES:
            found += [
                Route("calendarView.list", "GET", f"{base}/calendarView", READ, self.calendar_view),
                Route("events.list", "GET", f"{base}/events", READ, self.events),
                Route("events.delta", "GET", f"{base}/events/delta", READ, self.untracked),
                Route("events.get", "GET", f"{base}/events/{{}}", READ, self.get),
                Route("events.instances", "GET", f"{base}/events/{{}}/instances", READ, self.instances),
            ]
        return found


def _filtered(entries: list[Entry], view: EventView, text: str | None, sort: str | None) -> list[Entry]:
    """What a filter leaves, in the order that was asked for; raises GraphError."""
    if not text and not sort:
        return entries
    where = compile_filter(_quoted_instants(text), _COLUMNS, TYPE) if text else None
    order = compile_order(sort, _COLUMNS, TYPE) if sort else []
    db = sqlite3.connect(":memory:")
    try:
        db.execute(_TABLE)
        db.executemany(
            f"INSERT INTO event VALUES ({', '.join('?' * 12)})",
            [_row(number, one, view) for number, one in enumerate(entries)],
        )
        query = f"SELECT number FROM event WHERE {where.sql if where else '1'} ORDER BY "
        query += ", ".join([*(sql for _, sql in order), "number"])
        return [entries[number] for (number,) in db.execute(query, where.values if where else [])]
    finally:
        db.close()


def _quoted_instants(text: str) -> str:
    """`start/dateTime` is a text at Graph: what it is compared with stands in quotes."""
    words = text.split(" ")
    for at, word in enumerate(words[:-2]):
        if word.strip("(") in ("start/dateTime", "end/dateTime") and words[at + 2].startswith("'"):
            bare = words[at + 2].replace("'", "", 2)
            words[at + 2] = bare if bare.rstrip(")").endswith("Z") else bare.rstrip(")") + "Z" + ")" * bare.count(")")
    return " ".join(words)


def _row(number: int, entry: Entry, view: EventView) -> tuple[Any, ...]:
    shown = view.show(entry)
    created = datetime.fromisoformat(entry.body["created"]).timestamp()
    return (
        number, round(entry.begins.timestamp() * 1000), round(entry.ends.timestamp() * 1000), round(created * 1000),
        entry.row.updated, entry.body.get("summary", ""), entry.body["iCalUID"], entry.kind,
        shown.get("sensitivity", "normal"), int(entry.body["status"] == "cancelled"),
        int("date" in entry.body["start"]), int(entry.body["organizer"]["email"] == entry.row.calendar),
    )  # fmt: skip
