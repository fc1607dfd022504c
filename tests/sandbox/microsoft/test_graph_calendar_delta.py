"""Change tracking of calendar views (concepts/delta-query-events, api-reference event-delta)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sandbox.microsoft.tenant_desk import ANN, BOB, TenantDesk
from sandbox.microsoft.test_graph_calendar import MARCH, at, meet, weekly

DELTA = f"/users/{ANN}/calendarView/delta?{MARCH}"
SECOND = "2026-03-10T10:00:00+03:00"


def told(value: list[dict[str, Any]]) -> list[str]:
    return ["removed" if "@removed" in one else f"{one['type']} {one['start']['dateTime'][8:10]}" for one in value]


def test_a_first_round_gives_the_range_and_later_ones_what_changed(desk: TenantDesk) -> None:
    first = meet(desk, 10)
    meet(desk, 11)
    value, link = desk.round(DELTA)
    assert told(value) == ["singleInstance 10", "singleInstance 11"]
    assert value[0]["@odata.type"] == "#microsoft.graph.event"
    assert desk.round(link)[0] == []
    desk.meetings.update(first, at(12, 9))
    value, link = desk.round(link)
    assert told(value) == ["singleInstance 12"]
    desk.meetings.cancel(first)
    value, link = desk.round(link)
    assert [one["@removed"] for one in value] == [{"reason": "deleted"}]
    assert set(value[0]) == {"@odata.type", "id", "@removed"}
    assert desk.round(link)[0] == []


def test_a_change_outside_of_the_range_looks_like_a_removal_but_the_event_is_there(desk: TenantDesk) -> None:
    _, link = desk.round(DELTA)
    name = meet(desk, 10)
    april = {which: {"dateTime": f"2026-04-10T1{hour}:00:00", "timeZone": "UTC"} for hour, which in enumerate(at(1, 1))}
    desk.meetings.update(name, april)
    (removed,), link = desk.round(link)
    assert removed["@removed"] == {"reason": "deleted"}
    assert desk.get(f"/users/{ANN}/events/{removed['id']}")["isCancelled"] is False
    desk.meetings.cancel(name)
    (again,), _ = desk.round(link)
    assert again["id"] == removed["id"]
    assert desk.refused(f"/users/{ANN}/events/{again['id']}") == (404, "ErrorItemNotFound")


def test_the_range_goes_along_in_the_token_and_never_moves(desk: TenantDesk) -> None:
    _, link = desk.round(DELTA)
    assert "DateTime" not in link
    desk.clock.advance(timedelta(days=60))
    meet(desk, 11)
    assert told(desk.round(link)[0]) == ["singleInstance 11"]
    assert desk.refused(link.replace(ANN, BOB)) == (400, "SyncStateInvalid")


def test_occurrences_are_thin_and_their_series_comes_on_the_same_page(desk: TenantDesk) -> None:
    weekly(desk)
    pages = list(desk.pages(DELTA, Prefer="odata.maxpagesize=3"))
    assert [told(page["value"]) for page in pages] == [
        ["seriesMaster 03", "occurrence 03", "occurrence 10", "occurrence 17"], ["seriesMaster 03", "occurrence 24"],
    ]  # fmt: skip
    master, thin = pages[0]["value"][:2]
    assert set(thin) == {"@odata.type", "id", "seriesMasterId", "type", "start", "end"}
    assert thin["seriesMasterId"] == master["id"]
    assert master["subject"] == "Weekly"
    desk.graph.settings.change({"occurrences_in_delta": "whole"})
    assert desk.round(DELTA)[0][1]["subject"] == "Weekly"


def test_an_exception_comes_whole_with_its_series_and_a_cancelled_occurrence_as_removed(desk: TenantDesk) -> None:
    name = weekly(desk)
    value, link = desk.round(DELTA)
    second = value[2]["id"]
    desk.meetings.update(name, at(12, 15), occurrence=SECOND)
    value, link = desk.round(link)
    assert told(value) == ["seriesMaster 03", "exception 12"]
    assert (value[1]["id"], value[1]["subject"]) == (second, "Weekly")
    desk.meetings.cancel(name, occurrence=SECOND)
    (gone,), link = desk.round(link)
    assert (gone["id"], "@removed" in gone) == (second, True)


def test_a_series_that_is_shortened_or_cancelled_removes_the_occurrences_it_had(desk: TenantDesk) -> None:
    name = weekly(desk)
    first, link = desk.round(DELTA)
    desk.meetings.update(name, {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]})
    value, link = desk.round(link)
    assert sorted(told(value)) == ["occurrence 03", "occurrence 10", "removed", "removed", "seriesMaster 03"]
    assert {one["id"] for one in value if "@removed" in one} == {one["id"] for one in first[3:]}
    desk.meetings.cancel(name)
    value, _ = desk.round(link)
    assert {one["id"] for one in value if "@removed" in one} == {one["id"] for one in first[:3]}


def test_a_decline_is_a_removal_from_the_guests_calendar_alone(desk: TenantDesk) -> None:
    name = meet(desk)
    link, other = desk.round(DELTA)[1], desk.round(DELTA.replace(ANN, BOB))[1]
    desk.meetings.respond(name, BOB, "declined")
    assert told(desk.round(other)[0]) == ["removed"]
    (mine,) = desk.round(link)[0]
    assert mine["attendees"][0]["status"]["response"] == "declined"


@pytest.mark.parametrize("option", ["$select=subject", "$filter=x eq 1", "$orderby=x", "$search=x", "$top=5"])
def test_query_options_are_refused(desk: TenantDesk, option: str) -> None:
    assert desk.refused(f"{DELTA}&{option}") == (400, "ErrorInvalidUrlQuery")


def test_events_without_a_range_are_not_tracked_in_this_version(desk: TenantDesk) -> None:
    assert desk.refused(f"/users/{ANN}/events/delta")[0] == 400


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [("410_location", 410, "SyncStateNotFound"), ("410_resync_required", 410, "resyncRequired"),
     ("400", 400, "syncStateNotFound")],
)  # fmt: skip
def test_an_old_token_is_refused_as_mails_is(desk: TenantDesk, how: str, status: int, code: str) -> None:
    _, link = desk.round(DELTA)
    desk.graph.settings.change({"expired_delta": how})
    desk.graph.expire_deltas(ANN)
    assert desk.refused(link) == (status, code)
    assert desk.round(DELTA)[0] == []


def test_tokens_age_by_the_worlds_days(desk: TenantDesk) -> None:
    _, link = desk.round(DELTA)
    desk.graph.settings.change({"delta_days": 5})
    desk.clock.advance(timedelta(days=6))
    assert desk.ask(link).status == 410


def test_pages_may_be_empty_repeated_and_replayed(desk: TenantDesk) -> None:
    meet(desk)
    empty = desk.ask(DELTA, behaviour="empty_page").body
    assert (empty["value"], "@odata.nextLink" in empty) == ([], True)
    assert len(desk.ask(DELTA, behaviour="repeat").body["value"]) == 2
    _, link = desk.round(DELTA)
    assert told(desk.ask(link, behaviour="replay").body["value"]) == ["singleInstance 10"]
