"""Sync tokens, deleted events and series of the Calendar API, and what people do with meetings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from leakwatch.sandbox.google.meeting_fields import MeetingError
from sandbox.google.calendar_desk import ANN, BOB, CUSTOMER, EVE, Desk

WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=5"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path)
    yield one
    one.mail.close()


def refusal(call: Any) -> tuple[int, str]:
    with pytest.raises(HttpError) as caught:
        call.execute()
    return caught.value.resp.status, json.loads(caught.value.content)["error"]["errors"][0]["reason"]


def instances(desk: Desk, event: str, user: str = ANN, **query: Any) -> list[dict[str, Any]]:
    return desk.api(user).events().instances(calendarId="primary", eventId=event, **query).execute()["items"]


def test_a_sync_token_gives_what_changed_since_and_a_new_token(desk: Desk) -> None:
    kept = desk.meet()
    _, token = desk.sync()
    assert desk.sync(syncToken=token)[0] == []
    desk.pass_time(hours=1)
    desk.meetings.update(kept, {"summary": "Yeni ad"})
    added = desk.meet("2026-03-11T10:00:00+03:00")
    found, following = desk.sync(syncToken=token)
    assert [(event["id"], event["summary"]) for event in found] == [(kept, "Yeni ad"), (added, "Görüşme")]
    assert found[0]["updated"] == "2026-03-02T03:00:00.000Z"
    assert desk.sync(syncToken=following)[0] == []
    assert [event["id"] for event in desk.sync(syncToken=token)[0]] == [kept, added]


def test_what_changes_while_the_pages_are_read_is_not_lost(desk: Desk) -> None:
    first, second = desk.meet(), desk.meet("2026-03-11T10:00:00+03:00")
    events = desk.api().events()
    page = events.list(calendarId="primary", maxResults=1).execute()
    desk.meetings.update(first, {"summary": "Meanwhile"})
    rest = events.list(calendarId="primary", pageToken=page["nextPageToken"]).execute()
    seen = [item["id"] for item in rest["items"]]
    assert second in seen
    changed = desk.sync(syncToken=rest["nextSyncToken"])[0]
    assert first in seen or "Meanwhile" in [item["summary"] for item in changed]
    assert [item["summary"] for item in changed] == ["Meanwhile"]


@pytest.mark.parametrize(
    "query",
    [
        {"timeMin": "2026-03-01T00:00:00Z"}, {"timeMax": "2026-04-01T00:00:00Z"}, {"q": "x"}, {"iCalUID": "x"},
        {"updatedMin": "2026-03-01T00:00:00Z"}, {"orderBy": "updated"}, {"privateExtendedProperty": "a=b"},
        {"sharedExtendedProperty": "a=b"}, {"showDeleted": False},
    ],
)  # fmt: skip
def test_restrictions_beside_a_sync_token_are_refused(desk: Desk, query: dict[str, Any]) -> None:
    _, token = desk.sync()
    call = desk.api().events().list(calendarId="primary", syncToken=token, **query)
    assert refusal(call) == (400, "syncTokenWithRequestRestrictions")


def test_a_sync_token_ends_with_age_with_a_changed_acl_and_on_demand_and_is_of_one_calendar(desk: Desk) -> None:
    _, token = desk.sync()
    call = desk.api().events().list(calendarId="primary", syncToken=token)
    assert refusal(desk.api(BOB).events().list(calendarId="primary", syncToken=token)) == (410, "fullSyncRequired")
    desk.store.share(ANN, BOB, "reader")
    assert refusal(call) == (410, "fullSyncRequired")
    _, token = desk.sync()
    desk.pass_time(days=31)
    assert refusal(desk.api().events().list(calendarId="primary", syncToken=token)) == (410, "fullSyncRequired")
    _, token = desk.sync()
    desk.store.expire(ANN)
    assert refusal(desk.api().events().list(calendarId="primary", syncToken=token)) == (410, "fullSyncRequired")


def test_a_deleted_event_is_a_stub_in_the_next_sync_and_hidden_in_a_list(desk: Desk) -> None:
    event = desk.meet(attendees=[BOB])
    tokens = {user: desk.sync(user)[1] for user in (ANN, BOB)}
    desk.meetings.cancel(event)
    for user, token in tokens.items():
        (stub,) = desk.sync(user, syncToken=token)[0]
        assert set(stub) == {"kind", "etag", "id", "status"}
        assert (stub["id"], stub["status"]) == (event, "cancelled")
        assert desk.events(user) == []
    assert desk.api().events().get(calendarId="primary", eventId=event).execute()["summary"] == "Görüşme"
    assert "summary" not in desk.api(BOB).events().get(calendarId="primary", eventId=event).execute()
    assert [item["summary"] for item in desk.events(ANN, showDeleted=True)] == ["Görüşme"]
    assert [item["id"] for item in desk.events(ANN, updatedMin="2026-03-01T00:00:00Z")] == [event]


def test_a_series_is_one_master_or_its_occurrences_with_one_uid(desk: Desk) -> None:
    event = desk.meet(recurrence=[WEEKLY, "EXDATE;TZID=Europe/Istanbul:20260324T100000"], attendees=[BOB])
    (master,) = desk.events(BOB)
    assert master["recurrence"][0] == WEEKLY
    found = desk.events(BOB, singleEvents=True, orderBy="startTime")
    assert [one["id"] for one in found] == [
        f"{event}_20260310T070000Z", f"{event}_20260317T070000Z", f"{event}_20260331T070000Z",
        f"{event}_20260407T070000Z",
    ]  # fmt: skip
    assert {one["iCalUID"] for one in found} == {f"{event}@google.com"}
    assert {one["recurringEventId"] for one in found} == {event}
    assert found[1]["originalStartTime"] == found[1]["start"]
    assert "recurrence" not in found[0]
    assert instances(desk, event) == desk.events(ANN, singleEvents=True, orderBy="startTime")


def test_an_occurrence_that_is_moved_keeps_its_original_start_and_comes_alone(desk: Desk) -> None:
    event = desk.meet(recurrence=[WEEKLY])
    _, token = desk.sync()
    moved = {"start": {"dateTime": "2026-03-18T15:00:00+03:00"}, "end": {"dateTime": "2026-03-18T16:00:00+03:00"}}
    desk.meetings.update(event, moved, occurrence="2026-03-17T10:00:00+03:00")
    (one,) = desk.sync(syncToken=token)[0]
    assert one["id"] == f"{event}_20260317T070000Z"
    assert one["recurringEventId"] == event
    assert one["start"]["dateTime"] == "2026-03-18T15:00:00+03:00"
    assert one["originalStartTime"]["dateTime"] == "2026-03-17T10:00:00+03:00"
    assert len(instances(desk, event)) == 5
    assert instances(desk, event, originalStart="2026-03-17T10:00:00+03:00") == [one]
    assert desk.api().events().get(calendarId="primary", eventId=one["id"]).execute() == one
    other = desk.api().events().get(calendarId="primary", eventId=f"{event}_20260324T070000Z").execute()
    assert other["start"]["dateTime"] == "2026-03-24T10:00:00+03:00"
    nowhere = desk.api().events().get(calendarId="primary", eventId=f"{event}_20260325T070000Z")
    assert refusal(nowhere) == (404, "notFound")


def test_a_cancelled_occurrence_is_a_stub_that_stays_with_its_series(desk: Desk) -> None:
    event = desk.meet(recurrence=[WEEKLY])
    desk.meetings.cancel(event, occurrence="2026-03-17T10:00:00+03:00")
    listed = desk.events()
    assert [(one["id"], one["status"]) for one in listed][1] == (f"{event}_20260317T070000Z", "cancelled")
    assert set(listed[1]) == {"kind", "etag", "id", "status", "recurringEventId", "originalStartTime"}
    assert len(desk.events(singleEvents=True)) == len(instances(desk, event)) == 4
    assert len(instances(desk, event, showDeleted=True)) == 5
    desk.meetings.cancel(event)
    assert desk.events() == []


def test_an_all_day_series_has_dates_and_an_exclusive_end(desk: Desk) -> None:
    body = {"start": {"date": "2026-03-28"}, "end": {"date": "2026-03-30"}, "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]}
    event = desk.meetings.create({"organizer": ANN, "summary": "Fuar"} | body)["id"]
    found = instances(desk, event)
    assert [(one["id"], one["start"], one["end"]) for one in found] == [
        (f"{event}_20260328", {"date": "2026-03-28"}, {"date": "2026-03-30"}),
        (f"{event}_20260404", {"date": "2026-04-04"}, {"date": "2026-04-06"}),
    ]
    with pytest.raises(MeetingError, match="exclusive"):
        desk.meetings.create({"organizer": ANN, "start": {"date": "2026-03-28"}, "end": {"date": "2026-03-28"}})


def test_ten_oclock_stays_ten_oclock_when_summer_time_begins(desk: Desk) -> None:
    zone = {"timeZone": "Europe/Berlin"}
    start, end = {"dateTime": "2026-03-27T10:00:00+01:00"} | zone, {"dateTime": "2026-03-27T11:00:00+01:00"} | zone
    until = "RRULE:FREQ=DAILY;UNTIL=20260330T080000Z"
    event = desk.meetings.create({"organizer": ANN, "start": start, "end": end, "recurrence": [until]})["id"]
    assert [one["id"].rpartition("_")[2] for one in instances(desk, event, timeZone="Europe/Berlin")] == [
        "20260327T090000Z", "20260328T090000Z", "20260329T080000Z", "20260330T080000Z",
    ]  # fmt: skip
    assert {one["start"]["dateTime"][11:19] for one in instances(desk, event, timeZone="Europe/Berlin")} == {"10:00:00"}


def test_an_endless_series_comes_as_far_as_was_asked_or_for_decades(desk: Desk) -> None:
    event = desk.meet(recurrence=["RRULE:FREQ=MONTHLY"])
    assert len(desk.events(singleEvents=True, timeMax="2026-06-01T00:00:00Z")) == 3
    endless = desk.events(singleEvents=True)
    assert 350 < len(endless) < 400
    assert len(desk.events(timeMin="2040-01-01T00:00:00Z")) == 1
    assert instances(desk, event, timeMin="2026-05-01T00:00:00Z", timeMax="2026-06-01T00:00:00Z")[0]["id"] == (
        f"{event}_20260510T070000Z"
    )


def test_this_and_following_ends_the_series_and_begins_another(desk: Desk) -> None:
    event = desk.meet(recurrence=[WEEKLY], attendees=[BOB])
    desk.meetings.update(event, {"summary": "Ertelendi"}, occurrence="2026-03-31T10:00:00+03:00")
    _, token = desk.sync(BOB)
    made = desk.meetings.split(
        event, "2026-03-24T10:00:00+03:00", {"summary": "Yeni seri", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]}
    )
    assert made["id"] == f"{event}_R20260324T070000"
    assert made["iCalUID"] == f"{event}_R20260324T070000@google.com"
    changed = {one["id"]: one for one in desk.sync(BOB, syncToken=token)[0]}
    assert changed[event]["recurrence"] == ["RRULE:FREQ=WEEKLY;UNTIL=20260324T065959Z"]
    assert changed[f"{event}_20260331T070000Z"]["status"] == "cancelled"
    assert [one["start"]["dateTime"][:10] for one in instances(desk, event, BOB)] == ["2026-03-10", "2026-03-17"]
    assert len(instances(desk, made["id"], BOB)) == 3


def test_an_answer_and_a_change_reach_every_copy(desk: Desk) -> None:
    event = desk.meet(attendees=[BOB, EVE, CUSTOMER])
    tokens = {user: desk.sync(user)[1] for user in (ANN, BOB, EVE)}
    desk.meetings.respond(event, CUSTOMER, "accepted")
    desk.meetings.respond(event, BOB, "declined")
    for user, token in tokens.items():
        (one,) = desk.sync(user, syncToken=token)[0]
        answers = {guest["email"]: guest["responseStatus"] for guest in one["attendees"]}
        assert answers == {ANN: "accepted", BOB: "declined", EVE: "needsAction", CUSTOMER: "accepted"}
        assert one["sequence"] == 0
    later = {"start": {"dateTime": "2026-03-12T10:00:00+03:00"}, "end": {"dateTime": "2026-03-12T11:00:00+03:00"}}
    desk.meetings.update(event, later)
    assert desk.events(EVE)[0]["sequence"] == 1
    assert desk.events(EVE)[0]["start"]["dateTime"] == "2026-03-12T10:00:00+03:00"


def test_who_is_uninvited_has_a_cancelled_copy_and_who_deletes_his_has_declined(desk: Desk) -> None:
    event = desk.meet(attendees=[BOB, EVE])
    token = desk.sync(EVE)[1]
    desk.meetings.update(event, {"attendees": [BOB]})
    (stub,) = desk.sync(EVE, syncToken=token)[0]
    assert (stub["id"], stub["status"]) == (event, "cancelled")
    desk.meetings.remove_copy(event, BOB)
    assert desk.events(BOB) == []
    assert [guest["responseStatus"] for guest in desk.events(ANN)[0]["attendees"]] == ["accepted", "declined"]
    assert desk.events(BOB, showDeleted=True)[0]["summary"] == "Görüşme"


def test_who_is_invited_to_one_occurrence_has_that_alone(desk: Desk) -> None:
    event = desk.meet(recurrence=[WEEKLY], attendees=[BOB])
    desk.meetings.update(event, {"attendees": [BOB, EVE]}, occurrence="2026-03-17T10:00:00+03:00")
    (only,) = desk.events(EVE)
    assert only["recurringEventId"] == event
    assert refusal(desk.api(EVE).events().get(calendarId="primary", eventId=event)) == (404, "notFound")
    assert [one["id"] for one in desk.events(EVE, singleEvents=True)] == [f"{event}_20260317T070000Z"]


def test_a_meeting_of_an_outside_organiser_has_an_id_made_of_its_uid(desk: Desk) -> None:
    given = {"organizer": f"Zeynep <{CUSTOMER}>", "iCalUID": "040000008200E0@outlook", "attendees": [ANN, BOB]}
    when = {"start": {"dateTime": "2026-03-10T10:00:00+03:00"}, "end": {"dateTime": "2026-03-10T11:00:00+03:00"}}
    made = desk.meetings.create(given | when)
    assert made["id"].startswith("_")
    assert made["calendars"] == [ANN, BOB]
    assert desk.events(ANN)[0]["organizer"] == {"email": CUSTOMER, "displayName": "Zeynep"}
    assert desk.events(BOB)[0]["iCalUID"] == "040000008200E0@outlook"


def test_a_former_organiser_who_is_no_guest_keeps_a_stub(desk: Desk) -> None:
    event = desk.meet()
    token = desk.sync(ANN)[1]
    desk.meetings.transfer(event, BOB)
    (own,) = desk.sync(ANN, syncToken=token, showDeleted=True)[0]
    assert set(own) == {"kind", "etag", "id", "status"}
    assert desk.events(BOB)[0]["organizer"] == {"email": BOB, "self": True}


def test_what_one_sets_for_his_own_copy_the_organisers_changes_leave_alone(desk: Desk) -> None:
    event = desk.meet(attendees=[BOB])
    desk.meetings.set_own(event, BOB, {"visibility": "private", "transparency": "transparent"})
    desk.meetings.update(event, {"summary": "Yeni"})
    bobs, anns = desk.events(BOB)[0], desk.events(ANN)[0]
    assert (bobs["summary"], bobs["visibility"], bobs["transparency"]) == ("Yeni", "private", "transparent")
    assert "visibility" not in anns


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sumary": "x"}, "did you mean 'summary'"),
        ({"start": {"dateTime": "2026-03-10T12:00:00+03:00"}}, "before the start"),
        ({"recurrence": ["RRULE:FREQ=SOMETIMES"]}, "recurrence"),
        ({"recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=MO"]}, "first occurrence"),
        ({"attendees": ["nobody"]}, "not an address"),
    ],
)
def test_a_meeting_that_makes_no_sense_is_refused(desk: Desk, fields: dict[str, Any], said: str) -> None:
    event = desk.meet()
    with pytest.raises(ValueError, match=said):
        desk.meetings.update(event, fields)


def test_each_change_has_an_etag_of_its_own_though_the_clock_stands_still(desk: Desk) -> None:
    event = desk.meet()
    before = desk.events()[0]["etag"]
    desk.meetings.update(event, {"summary": "x"})
    assert desk.events()[0]["etag"] != before


def test_who_is_invited_later_changes_nobody_elses_answer(desk: Desk) -> None:
    event = desk.meet(attendees=[CUSTOMER, BOB])
    desk.meetings.respond(event, CUSTOMER, "accepted")
    desk.meetings.respond(event, BOB, "tentative")
    desk.meetings.update(event, {"attendees": [EVE, "b@acme.example", CUSTOMER]})
    answers = {guest["email"]: guest["responseStatus"] for guest in desk.events(EVE)[0]["attendees"]}
    assert answers == {ANN: "accepted", EVE: "needsAction", BOB: "tentative", CUSTOMER: "accepted"}


def test_a_deleted_series_is_its_occurrences_deleted_where_they_are_asked_for_singly(desk: Desk) -> None:
    event = desk.meet(recurrence=[WEEKLY])
    _, token = desk.sync(singleEvents=True)
    desk.meetings.cancel(event)
    found, _ = desk.sync(singleEvents=True, syncToken=token)
    assert {one["status"] for one in found} == {"cancelled"}
    assert len(found) == 5
    assert all(set(one) == {"kind", "etag", "id", "status", "recurringEventId", "originalStartTime"} for one in found)


def test_one_rdate_and_one_exrule_are_followed(desk: Desk) -> None:
    lines = ["RRULE:FREQ=DAILY;COUNT=4", "EXRULE:FREQ=DAILY;INTERVAL=3;COUNT=2", "RDATE:20260320T120000Z"]
    event = desk.meet(recurrence=["RRULE:FREQ=DAILY;COUNT=4", "RDATE:20260320T120000Z"])
    assert instances(desk, event)[-1]["start"]["dateTime"] == "2026-03-20T15:00:00+03:00"
    with pytest.raises(ValueError, match="first occurrence"):  # the rule of exceptions takes the first one away
        desk.meetings.update(event, {"recurrence": lines})
    desk.meetings.update(event, {"recurrence": [lines[0], "EXRULE:FREQ=DAILY;BYMONTHDAY=12"]})
    assert [one["start"]["dateTime"][8:10] for one in instances(desk, event)] == ["10", "11", "13"]


def test_beyond_two_hundred_guests_an_answer_reaches_the_organiser_alone(desk: Desk) -> None:
    event = desk.meet(attendees=[BOB, EVE, *(f"guest{number}@elsewhere.example" for number in range(200))])
    token = desk.sync(EVE)[1]
    desk.meetings.respond(event, BOB, "declined")
    assert desk.sync(EVE, syncToken=token)[0] == []
    (own,) = desk.events(ANN)
    assert next(guest for guest in own["attendees"] if guest["email"] == BOB)["responseStatus"] == "declined"
