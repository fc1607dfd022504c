"""Google Calendar as a stream of pages: everything first, then what changed since. No writes, no rules.

The token stream brings masters of series, not occurrences (one edit of an endless series would else bring thousands);
the occurrences of a master that changed are asked for as far as the horizon. New ones enter the horizon as time goes
by without having changed: a slice of the calendar is listed for them when the horizon has moved a day.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from leakwatch.core.google_events import is_cancelled, moment, read_event
from leakwatch.errors import NotFoundError, TransientError
from leakwatch.model import Activity, ActivityKind, Cursor, CursorPhase, Decision, Page, Principal, SourceRef
from leakwatch.ports import WHOLE_MAILBOX

NAME = "google_calendar"
ROLL_AFTER = timedelta(days=1)  # the horizon moves at most so often: one more call a day and calendar
# How Google names the occurrences of series ABC: ABC_20260701T090000Z or ABC_20260701, by the original start.
_OCCURRENCE = re.compile(r"\d{8}(T\d{6}Z)?")

Known = Callable[[str, str, str], Sequence[str]]


class _Calendar(Protocol):
    """The Calendar client, as this source needs it."""

    def changes(self, subject: str, *, sync_token: str | None, page_token: str | None = None) -> Mapping[str, Any]: ...
    def between(
        self, subject: str, start: datetime, end: datetime, *, page_token: str | None = None
    ) -> Mapping[str, Any]: ...
    def instances(
        self, subject: str, event_id: str, start: datetime, end: datetime, *, page_token: str | None = None
    ) -> Mapping[str, Any]: ...


@dataclass(slots=True)
class _Round:
    """What a page comes to: events by id, the last word on each; when those that are gone went."""

    events: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    gone: dict[str, datetime | None] = field(default_factory=dict[str, "datetime | None"])

    def take(self, event: Mapping[str, Any]) -> None:
        event_id = str(event.get("id") or "")
        self.events.pop(event_id, None)
        self.gone.pop(event_id, None)
        if is_cancelled(event):
            self.gone[event_id] = _updated(event)
        else:
            self.events[event_id] = event


class GoogleCalendarSource:
    """The `Source` port over a person's primary Google calendar.

    Args:
        calendar: the client.
        horizon: meetings that begin later than so far ahead are not brought yet.
        now: tells the time, for the horizon; without it the horizon stays where the first reading put it.
        known: returns the ids of stored events that begin with a prefix (source, principal, prefix); the journal's
            `ids_under`. Without it the occurrences of a series that ends earlier than before stay.
    """

    name = NAME
    kind = ActivityKind.MEETING

    def __init__(
        self,
        calendar: _Calendar,
        *,
        horizon: timedelta = timedelta(days=60),
        now: Callable[[], datetime] | None = None,
        known: Known | None = None,
    ) -> None:
        self._calendar = calendar
        self._horizon = horizon
        self._now = now
        self._known = known

    def first_cursor(self, principal: Principal, *, window_start: datetime, now: datetime) -> Cursor:
        """Return a SNAPSHOT cursor. It holds no change token: Google gives it with the last page of the snapshot."""
        return Cursor(
            source=self.name,
            principal=principal.address,
            stream=WHOLE_MAILBOX,
            phase=CursorPhase.SNAPSHOT,
            token="",
            window_start=window_start,
            window_end=now + self._horizon,
            anchored_at=now,
        )

    def fetch_page(self, principal: Principal, cursor: Cursor) -> Page:
        """Return what comes after `cursor`. Errors: see the port."""
        edge = self._edge(cursor)
        if edge is not None:
            return self._roll(principal, cursor, edge)
        delta = cursor.phase is CursorPhase.DELTA
        answer = self._calendar.changes(
            principal.address, sync_token=cursor.token if delta else None, page_token=cursor.page_token
        )
        found = _Round()
        for event in answer.get("items") or ():
            found.take(event)
        for event in [one for one in found.events.values() if one.get("recurrence")]:
            self._unfold(principal, cursor, event, found)
        for event_id, when in list(found.gone.items()):
            # It may have been a whole series, whose occurrences are not named one by one.
            found.gone |= dict.fromkeys(self._occurrences(principal, event_id), when)
        following = answer.get("nextPageToken")
        if following:
            after = replace(cursor, page_token=str(following))
        else:
            token = str(answer.get("nextSyncToken") or "")
            if not token:
                raise TransientError("Google ended a list of events without a sync token; it is read in a later cycle")
            after = replace(cursor, phase=CursorPhase.DELTA, token=token, page_token=None)
        return self._page(cursor, found, after, has_more=bool(following))

    def fetch_again(self, principal: Principal, cursor: Cursor, ids: Sequence[str]) -> Page:  # noqa: ARG002  the port's
        """Return an empty page: a calendar gives all its events or none."""
        return Page((), (), cursor, has_more=True)

    def to_activity(self, item: Mapping[str, Any], principal: Principal) -> Activity | Decision:
        """Return the meeting in a raw event, or why it is none. Pure; never raises on odd content."""
        return read_event(SourceRef(self.name, principal.address, str(item.get("id") or "")), item, principal)

    # --- series ---

    def _unfold(self, principal: Principal, cursor: Cursor, master: Mapping[str, Any], found: _Round) -> None:
        """Put the occurrences of a series in the window into `found`, and those that are no more among its gone."""
        series = str(master.get("id") or "")
        vanished = set(self._occurrences(principal, series))
        start, end = cursor.window_start or datetime(1970, 1, 1, tzinfo=UTC), cursor.window_end
        if end is None:
            return
        try:
            for page in _pages(
                lambda token: self._calendar.instances(principal.address, series, start, end, page_token=token)
            ):
                for event in page.get("items") or ():
                    found.take(event)
                    vanished.discard(str(event.get("id") or ""))
        except NotFoundError:
            pass  # it went since the page was made; the next round tells
        else:
            found.gone |= dict.fromkeys(vanished - found.gone.keys(), _updated(master))

    def _occurrences(self, principal: Principal, series: str) -> list[str]:
        """Return the ids of stored occurrences of `series`. The rest of a split series (ABC_R2026...) has its own."""
        if self._known is None or not series:
            return []
        prefix = f"{series}_"
        ids = self._known(self.name, principal.address, prefix)
        return [one for one in ids if _OCCURRENCE.fullmatch(one.removeprefix(prefix))]

    # --- the horizon ---

    def _edge(self, cursor: Cursor) -> datetime | None:
        """Return where the horizon lies now, if it moved far enough to look for what came within it."""
        if self._now is None or cursor.phase is not CursorPhase.DELTA or cursor.page_token is not None:
            return None
        edge = self._now() + self._horizon
        return edge if cursor.window_end is not None and edge - cursor.window_end >= ROLL_AFTER else None

    def _roll(self, principal: Principal, cursor: Cursor, edge: datetime) -> Page:
        found, start = _Round(), cursor.window_end or edge
        for page in _pages(lambda token: self._calendar.between(principal.address, start, edge, page_token=token)):
            for event in page.get("items") or ():
                found.take(event)
        after = replace(cursor, window_end=edge)
        return self._page(after, found, after, has_more=True)

    def _page(self, cursor: Cursor, found: _Round, after: Cursor, *, has_more: bool) -> Page:
        events = tuple(event for event in found.events.values() if not _beyond(event, cursor.window_end))
        changed = {str(event["id"]): _updated(event) for event in events if event.get("id")}
        return Page(events, tuple(found.gone), after, has_more=has_more, removed_at=found.gone, changed_at=changed)


def _pages(ask: Callable[[str | None], Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield every page of a list.

    Raises:
        TransientError: Google leads in circles.
    """
    token: str | None = None
    tokens: set[str] = set()
    while True:
        page = ask(token)
        yield page
        following = page.get("nextPageToken")
        if not following:  # an empty page with a token is not the end
            return
        token = str(following)
        if token in tokens:
            raise TransientError("Google leads back to a page of events that was read: it goes in circles")
        tokens.add(token)


def _beyond(event: Mapping[str, Any], horizon: datetime | None) -> bool:
    begins = moment(event.get("start"))
    if horizon is None or begins is None:
        return False
    return begins > horizon if isinstance(begins, datetime) else begins > horizon.date()


def _updated(event: Mapping[str, Any]) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(event.get("updated")))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
