"""The calendar as a stream: snapshot, changes, series unfolded, the horizon, and what is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from capture_samples import ANN
from leakwatch.clients.google_calendar import CalendarClient
from leakwatch.errors import TransientError
from leakwatch.model import CursorPhase
from leakwatch.sources.google_calendar import GoogleCalendarSource

NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)
START = NOW - timedelta(days=90)


def at(event_id: str, day: str = "2026-07-02", **more: Any) -> dict[str, Any]:
    return {"id": event_id, "iCalUID": event_id, "start": {"date": day}, "end": {"date": day}, **more}


class Calendar:
    """Answers what it was given, and notes what it was asked."""

    def __init__(self, *pages: Mapping[str, Any]) -> None:
        self.pages = list(pages)
        self.series: dict[str, list[dict[str, Any]]] = {}
        self.slice: list[dict[str, Any]] = []
        self.asked: list[tuple[Any, ...]] = []

    def changes(self, subject: str, *, sync_token: str | None, page_token: str | None = None) -> Mapping[str, Any]:
        self.asked.append((sync_token, page_token))
        return self.pages.pop(0)

    def between(self, subject: str, start: datetime, end: datetime, **_: Any) -> Mapping[str, Any]:
        self.asked.append((start, end))
        return {"items": self.slice}

    def instances(self, subject: str, event_id: str, *_: Any, page_token: str | None = None) -> Mapping[str, Any]:
        self.asked.append((event_id, page_token))
        found = self.series[event_id]
        place = int(page_token or 0)
        more = {"nextPageToken": str(place + 1)} if place + 1 < len(found) else {}
        return {"items": found[place : place + 1], **more}


def source(calendar: Calendar, *, now: datetime = NOW, known: Sequence[str] = ()) -> GoogleCalendarSource:
    return GoogleCalendarSource(
        calendar, now=lambda: now, known=lambda _, __, prefix: [one for one in known if one.startswith(prefix)]
    )


def first(calendar: Calendar, **options: Any) -> Any:
    reading = source(calendar, **options)
    return reading.fetch_page(ANN, reading.first_cursor(ANN, window_start=START, now=NOW))


def test_the_snapshot_is_paged_to_its_end_also_over_an_empty_page_and_its_token_begins_the_changes():
    calendar = Calendar({"items": [], "nextPageToken": "p2"}, {"items": [at("a")], "nextSyncToken": "s1"})
    reading = source(calendar)
    page = reading.fetch_page(ANN, reading.first_cursor(ANN, window_start=START, now=NOW))
    assert page.has_more
    assert page.next_cursor.phase is CursorPhase.SNAPSHOT
    page = reading.fetch_page(ANN, page.next_cursor)
    assert [one["id"] for one in page.upserts] == ["a"]
    assert (page.next_cursor.phase, page.next_cursor.token, page.has_more) == (CursorPhase.DELTA, "s1", False)
    assert calendar.asked == [(None, None), (None, "p2")]


def test_a_list_that_ends_without_a_sync_token_is_not_taken_for_read():
    with pytest.raises(TransientError):
        first(Calendar({"items": []}))


def test_a_series_comes_as_its_occurrences_and_what_it_lost_is_gone_but_not_the_rest_of_a_split_series():
    calendar = Calendar(
        {"items": [at("s", recurrence=["RRULE:FREQ=WEEKLY"], updated="2026-07-01T08:00:00Z")], "nextSyncToken": "s1"}
    )
    calendar.series["s"] = [at("s_20260702"), at("s_20260709"), at("s_20260716", status="cancelled")]
    page = first(calendar, known=["s_20260702", "s_20260723", "s_R20260801_20260801", "s_20260801T090000Z"])
    assert [one["id"] for one in page.upserts] == ["s", "s_20260702", "s_20260709"]
    assert set(page.removed) == {"s_20260716", "s_20260723", "s_20260801T090000Z"}
    assert page.removed_at["s_20260723"] == NOW - timedelta(hours=1)


def test_a_deleted_series_takes_its_stored_occurrences_with_it():
    page = first(
        Calendar({"items": [{"id": "s", "status": "cancelled"}], "nextSyncToken": "s1"}), known=["s_20260702", "t_1"]
    )
    assert set(page.removed) == {"s", "s_20260702"}
    assert page.upserts == ()


def test_the_last_word_on_an_event_in_a_round_counts():
    gone, back = {"id": "a", "status": "cancelled"}, at("a")
    assert first(Calendar({"items": [gone, back], "nextSyncToken": "s"})).removed == ()
    assert first(Calendar({"items": [back, gone], "nextSyncToken": "s"})).upserts == ()


def test_what_begins_beyond_the_horizon_waits_until_the_horizon_has_come_so_far():
    far = at("far", (NOW + timedelta(days=61)).date().isoformat())
    calendar = Calendar({"items": [far], "nextSyncToken": "s1"}, {"items": [], "nextSyncToken": "s2"})
    page = first(calendar)
    assert page.upserts == ()
    later = source(calendar, now=NOW + timedelta(days=2))
    calendar.slice = [far]
    rolled = later.fetch_page(ANN, page.next_cursor)
    assert [one["id"] for one in rolled.upserts] == ["far"]
    assert calendar.asked[-1] == (NOW + timedelta(days=60), NOW + timedelta(days=62))
    assert rolled.has_more
    after = later.fetch_page(ANN, rolled.next_cursor)
    assert (after.next_cursor.token, after.has_more) == ("s2", False)
    assert calendar.asked[-1] == ("s1", None)


def calendar_client() -> tuple[CalendarClient, list[dict[str, list[str]]], set[tuple[str, ...]]]:
    """Return a client, what it asks, and the scopes that it asks for."""
    asked: list[dict[str, list[str]]] = []
    wanted: set[tuple[str, ...]] = set()

    def answer(_subject: str, scopes: tuple[str, ...], uri: str, **_: Any) -> dict[str, Any]:
        asked.append(parse_qs(urlsplit(uri).query))
        wanted.add(scopes)
        return {}

    wire = SimpleNamespace(connection=SimpleNamespace(calendar_url="https://google.invalid"), json=answer)
    return CalendarClient(wire, fields="id"), asked, wanted  # type: ignore[arg-type]


def test_the_calendar_is_read_with_the_narrow_scope_alone():
    client, _, scopes = calendar_client()
    client.changes(ANN.address, sync_token=None)
    client.between(ANN.address, START, NOW)
    client.instances(ANN.address, "series", START, NOW)
    assert scopes == {("https://www.googleapis.com/auth/calendar.events.readonly",)}


def test_each_later_call_has_the_parameters_of_the_first_and_a_token_and_asks_for_pages_of_2500():
    client, asked, _ = calendar_client()
    client.changes(ANN.address, sync_token=None)
    client.changes(ANN.address, sync_token=None, page_token="p")
    client.changes(ANN.address, sync_token="s")
    client.changes(ANN.address, sync_token="s", page_token="q")
    first_call, *later = asked
    assert first_call["maxResults"] == ["2500"]
    assert first_call["singleEvents"] == ["false"]
    assert "timeMin" not in first_call
    assert later == [
        first_call | {"pageToken": ["p"]},
        first_call | {"syncToken": ["s"]},
        first_call | {"syncToken": ["s"], "pageToken": ["q"]},
    ]
