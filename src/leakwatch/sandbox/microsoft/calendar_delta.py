"""Change tracking of a calendar view (concepts/delta-query-events, api-reference event-delta).

The time range of the first request goes along in every token: it never moves. A first round gives single events,
occurrences and exceptions of the range; a later one what changed, and as `@removed` both what is gone and what changed
outside of the range, which the client cannot tell apart. Occurrences are thin: what they have in common is in the row
of their series (`seriesMaster`), which comes on the same page.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from leakwatch.sandbox.google.store import milliseconds
from leakwatch.sandbox.microsoft import calendar_errors, errors
from leakwatch.sandbox.microsoft.calendars import BASES, DEFAULT_PAGE, MAX_PAGE, READ, Calendars
from leakwatch.sandbox.microsoft.call import GraphCall, Reply, Route
from leakwatch.sandbox.microsoft.delta import expired
from leakwatch.sandbox.microsoft.diary import Entry, Window
from leakwatch.sandbox.microsoft.event import TYPE, EventView
from leakwatch.sandbox.microsoft.sealing import Seal

_DAY = 86_400_000  # milliseconds


@dataclass(frozen=True, slots=True)
class ViewState:
    """What a token carries. Instants are milliseconds since the epoch."""

    mailbox: str
    begin: int
    end: int
    """The time range."""
    generation: int
    """Of the calendar: one that was raised meanwhile has forgotten the token."""
    phase: str = "all"
    """`all`: in a first round; `since`: in a later one; `done`: of a deltaLink."""
    start: int = 0
    """All changes up to this one are known to the client; while a first round runs, at its end."""
    until: int = 0
    """In a later round: where it ends."""
    after: tuple[int, str] | None = None
    """What the last page ended with: its start and its name; in a later round, how many were given."""
    at: int = 0
    """The world's time when the token was made."""

    @property
    def window(self) -> Window:
        """The time range."""
        return Window(datetime.fromtimestamp(self.begin / 1000, UTC), datetime.fromtimestamp(self.end / 1000, UTC))


class CalendarDelta:
    """Answers what is asked of changes in calendars."""

    def __init__(self, calendars: Calendars, key: bytes) -> None:
        self.calendars = calendars
        self.diary = calendars.diary
        self.settings = calendars.settings
        self.seal = Seal(key)

    def routes(self) -> list[Route]:
        """What of Graph is here."""
        return [Route("calendarView.delta", "GET", f"{base}/calendarView/delta", READ, self.answer) for base in BASES]

    def answer(self, call: GraphCall) -> Reply:
        """`/users/{id}/calendarView/delta`."""
        self.calendars.check_calendar(call)
        options = call.options
        if any(options.get(name) is not None for name in ("select", "filter", "expand", "orderby", "search")):
            raise calendar_errors.untracked_options()
        if options.get("top") is not None:
            raise calendar_errors.untracked_top()
        text = options.get("skiptoken") or options.get("deltatoken")
        state = self._resumed(call, text) if text else self._begun(call)
        view = self.calendars.view(call, typed=True)
        size = min(call.prefer.page_size or DEFAULT_PAGE, MAX_PAGE)
        if call.prefer.page_size is not None:
            call.applied.append(f"odata.maxpagesize={size}")
        body: dict[str, Any] = {"@odata.context": f"{call.context}Collection(event)"}
        if call.request.behaviour == "empty_page":
            return Reply(200, body | {"value": [], "@odata.nextLink": self._link(call, "skiptoken", state)})
        if call.request.behaviour == "replay" and state.phase == "done":
            state = replace(state, start=max(0, state.start - size))
        step = self._everything if state.phase == "all" else self._changes
        told, following = step(state, size)
        value = self._shown(call.mailbox, told, view)
        if call.request.behaviour == "repeat":
            value = [one for one in value for _ in range(2)]
        kind = "deltatoken" if following.phase == "done" else "skiptoken"
        link = "@odata.deltaLink" if following.phase == "done" else "@odata.nextLink"
        return Reply(200, body | {link: self._link(call, kind, following), "value": value})

    # -- tokens ------------------------------------------------------------------------------------

    def _link(self, call: GraphCall, kind: str, state: ViewState) -> str:
        now = milliseconds(self.diary.store.mail.clock.now())
        return call.link(f"${kind}={self.seal.write(list(astuple(replace(state, at=now))))}")

    def _begun(self, call: GraphCall) -> ViewState:
        window = self.calendars.window(call)
        change, generation, _, _ = self.diary.store.state(call.mailbox)
        bounds = (milliseconds(window.start), milliseconds(window.end))
        return ViewState(call.mailbox, *bounds, generation, start=change)

    def _resumed(self, call: GraphCall, text: str) -> ViewState:
        state = ViewState(*self.seal.read(text))
        if state.mailbox != call.mailbox:
            raise errors.bad_state()
        days = self.settings.now.delta_days
        now = milliseconds(self.diary.store.mail.clock.now())
        change, generation, _, _ = self.diary.store.state(call.mailbox)
        aged = days is not None and now - state.at > days * _DAY
        if aged or state.generation != generation or state.start > change:
            raise expired(call, self.settings.now.expired_delta)
        return replace(state, after=tuple(state.after) if state.after is not None else None)

    # -- pages -------------------------------------------------------------------------------------

    def _everything(self, state: ViewState, size: int) -> tuple[dict[str, Entry | None], ViewState]:
        """A page of a first round: what is in the range now, behind what was given."""
        entries = [(milliseconds(one.begins), one.name, one) for one in self.diary.view(state.mailbox, state.window)]
        left = [one for one in entries if state.after is None or (one[0], one[1]) > state.after]
        told: dict[str, Entry | None] = {name: one for _, name, one in left[:size]}
        if len(left) <= size:
            return told, replace(state, phase="done", after=None)
        begins, name, _ = left[size - 1]
        return told, replace(state, after=(begins, name))

    def _changes(self, state: ViewState, size: int) -> tuple[dict[str, Entry | None], ViewState]:
        """A page of a later round. What changes while it runs comes at its end in the next one."""
        if state.phase == "done":
            until = self.diary.store.state(state.mailbox)[0]
            state = replace(state, phase="since", until=until, after=None)
        given = state.after[0] if state.after is not None else 0
        changed = list(self.diary.changes(state.mailbox, state.window, state.start, state.until).items())
        told = dict(changed[given : given + size])
        if len(changed) > given + size:
            return told, replace(state, after=(given + size, ""))
        return told, replace(state, phase="done", start=state.until, until=0, after=None)

    def _shown(self, mailbox: str, told: dict[str, Entry | None], view: EventView) -> list[dict[str, Any]]:
        """The rows of a page, with the series that its occurrences and exceptions are of."""
        sparse = self.settings.now.occurrences_in_delta == "sparse"
        masters = dict.fromkeys(one.series for one in told.values() if one is not None and one.key)
        value: list[dict[str, Any]] = []
        for name in masters:
            row = self.diary.store.get(mailbox, name)
            if row is not None and told.get(name) is None:
                value.append(view.show(self.diary.of_row(row)))
        for name, entry in told.items():
            if entry is None:
                value.append({"@odata.type": f"#{TYPE}", "id": view.id_of(name), "@removed": {"reason": "deleted"}})
            else:
                value.append(view.show(entry, sparse=sparse and entry.kind == "occurrence"))
        return value
