"""events.list as the documentation has it: windows, order, pages, and what a reader sees of an event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from sandbox.google.calendar_desk import ANN, BOB, CUSTOMER, EVE, SCOPE, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path)
    yield one
    one.mail.close()


def refusal(call: Any) -> tuple[int, str]:
    with pytest.raises(HttpError) as caught:
        call.execute()
    error = caught.value
    return error.resp.status, json.loads(error.content)["error"]["errors"][0]["reason"]


def test_a_meeting_is_in_each_colleagues_calendar_with_one_id_and_one_uid(desk: Desk) -> None:
    event = desk.meet(attendees=[BOB, CUSTOMER])
    own, guest = desk.events(ANN)[0], desk.events(BOB)[0]
    assert own["id"] == guest["id"] == event
    assert own["iCalUID"] == guest["iCalUID"] == f"{event}@google.com"
    assert own["organizer"] == {"email": ANN, "self": True}
    assert guest["organizer"] == {"email": ANN}
    assert [(one["email"], one["responseStatus"], one.get("self", False)) for one in guest["attendees"]] == [
        (ANN, "accepted", False),
        (BOB, "needsAction", True),
        (CUSTOMER, "needsAction", False),
    ]
    assert own["start"] == {"dateTime": "2026-03-10T10:00:00+03:00", "timeZone": "Europe/Istanbul"}
    assert desk.events(EVE) == []


def test_a_window_takes_what_overlaps_it_and_both_its_bounds_are_exclusive(desk: Desk) -> None:
    desk.meet("2026-03-10T10:00:00+03:00")
    window = {"timeMin": "2026-03-10T10:59:59+03:00", "timeMax": "2026-03-11T00:00:00Z"}
    assert len(desk.events(**window)) == 1
    assert desk.events(**window | {"timeMin": "2026-03-10T11:00:00+03:00"}) == []
    assert desk.events(timeMax="2026-03-10T07:00:00.999Z") == []
    assert len(desk.events(timeMax="2026-03-10T07:00:01Z")) == 1


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ({"timeMin": "2026-03-10T10:00:00"}, 400, "badRequest"),
        ({"timeMin": "2026-03-10"}, 400, "badRequest"),
        ({"updatedMin": "yesterday"}, 400, "badRequest"),
        ({"timeMin": "2026-03-10T10:00:00Z", "timeMax": "2026-03-10T10:00:00Z"}, 400, "timeRangeEmpty"),
        ({"orderBy": "startTime"}, 400, "orderingNotAvailable"),
        ({"timeZone": "Europe/Atlantis"}, 400, "invalidParameter"),
        ({"updatedMin": "2026-01-02T00:00:00Z"}, 410, "updatedMinTooLongAgo"),
        ({"syncToken": "nonsense"}, 410, "fullSyncRequired"),
        ({"pageToken": "nonsense"}, 400, "invalidParameter"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(
    desk: Desk, query: dict[str, str], status: int, reason: str
) -> None:
    assert refusal(desk.api().events().list(calendarId="primary", **query)) == (status, reason)


def test_pages_give_each_event_once_and_only_the_last_one_has_a_sync_token(desk: Desk) -> None:
    made = [desk.meet(f"2026-03-{day:02}T10:00:00+03:00") for day in range(3, 12)]
    found, token = desk.sync(maxResults=2)
    assert [event["id"] for event in found] == made
    assert token


def test_an_empty_page_may_have_a_next_page(desk: Desk) -> None:
    event = desk.meet()
    desk.empty_page = True
    first = desk.api().events().list(calendarId="primary").execute()
    assert first["items"] == []
    following = desk.api().events().list(calendarId="primary", pageToken=first["nextPageToken"]).execute()
    assert [item["id"] for item in following["items"]] == [event]


def test_events_can_be_had_by_start_and_in_another_time_zone(desk: Desk) -> None:
    late, early = desk.meet("2026-03-12T10:00:00+03:00"), desk.meet("2026-03-11T10:00:00+03:00")
    found = desk.events(singleEvents=True, orderBy="startTime", timeZone="America/New_York")
    assert [event["id"] for event in found] == [early, late]
    assert found[0]["start"] == {"dateTime": "2026-03-11T03:00:00-04:00", "timeZone": "Europe/Istanbul"}


def test_events_are_found_by_uid_words_type_and_private_properties(desk: Desk) -> None:
    marked = desk.meet(summary="Fiyat", extendedProperties={"private": {"deal": "42"}}, attendees=[CUSTOMER])
    desk.meet(summary="Odak", eventType="focusTime")
    assert [event["id"] for event in desk.events(iCalUID=f"{marked}@google.com")] == [marked]
    assert [event["id"] for event in desk.events(q="zeynep fiyat")] == [marked]
    assert [event["id"] for event in desk.events(privateExtendedProperty="deal=42")] == [marked]
    assert [event["summary"] for event in desk.events(eventTypes=["focusTime"])] == ["Odak"]
    assert desk.sync(q="fiyat")[1] is None


def test_attendees_beyond_the_maximum_are_left_out_and_that_is_said(desk: Desk) -> None:
    desk.meet(attendees=[BOB, EVE, CUSTOMER])
    (event,) = desk.events(BOB, maxAttendees=2)
    assert event["attendeesOmitted"] is True
    assert [guest["email"] for guest in event["attendees"]] == [BOB]
    assert "attendeesOmitted" not in desk.events(BOB, maxAttendees=4)[0]


def test_guests_who_may_not_see_each_other_see_themselves(desk: Desk) -> None:
    desk.meet(attendees=[BOB, CUSTOMER], guestsCanSeeOtherGuests=False)
    assert [guest["email"] for guest in desk.events(BOB)[0]["attendees"]] == [BOB]
    assert len(desk.events(ANN)[0]["attendees"]) == 3


def test_fields_cut_the_answer(desk: Desk) -> None:
    event = desk.meet()
    answer = desk.api().events().list(calendarId=ANN, fields="nextSyncToken,items(id,status)").execute()
    assert answer["items"] == [{"id": event, "status": "confirmed"}]
    assert set(answer) == {"items", "nextSyncToken"}


def test_a_private_event_is_whole_for_its_owner_and_stripped_for_a_reader(desk: Desk) -> None:
    event = desk.meet(summary="Doktor", visibility="private", attendees=[CUSTOMER])
    assert desk.events(ANN)[0]["summary"] == "Doktor"
    bobs = desk.api(BOB).events()
    assert refusal(bobs.list(calendarId=ANN)) == (404, "notFound")
    desk.store.share(ANN, BOB, "reader")
    stripped = bobs.get(calendarId=ANN, eventId=event).execute()
    assert not {"summary", "attendees", "organizer", "description"} & set(stripped)
    assert stripped["visibility"] == "private"
    assert stripped["start"]["dateTime"] == "2026-03-10T10:00:00+03:00"


def test_own_and_shared_calendars_are_listed(desk: Desk) -> None:
    desk.store.share(ANN, BOB, "reader")
    found = desk.api(BOB).calendarList().list().execute()["items"]
    assert [(one["id"], one["accessRole"], one.get("primary", False)) for one in found] == [
        (BOB, "owner", True),
        (ANN, "reader", False),
    ]
    assert desk.api(BOB).calendars().get(calendarId="primary").execute()["timeZone"] == "Europe/Istanbul"


def test_a_token_without_the_scope_a_switched_off_service_and_a_strange_method_are_refused(desk: Desk) -> None:
    gmail = "https://www.googleapis.com/auth/gmail.readonly"
    assert refusal(desk.api(ANN, gmail).events().list(calendarId="primary")) == (403, "insufficientPermissions")
    assert refusal(desk.api(ANN, SCOPE).calendarList().list()) == (403, "insufficientPermissions")
    insert = desk.api().events().insert(calendarId="primary", body={})
    assert refusal(insert) == (403, "insufficientPermissions")
    assert refusal(desk.api().settings().list()) == (501, "notEmulated")
    desk.store.switch(ANN, enabled=False)
    assert refusal(desk.api().events().list(calendarId="primary")) == (403, "notACalendarUser")


def test_a_refusal_has_the_calendars_shape(desk: Desk) -> None:
    reply = desk.google.answer(
        "GET", "/calendar/v3/calendars/primary/events?syncToken=x", f"Bearer {_token(desk)}", empty_page=False
    )
    text = "Sync token is no longer valid, a full sync is required."
    assert reply.body == {
        "error": {
            "errors": [
                {
                    "domain": "calendar", "reason": "fullSyncRequired", "message": text,
                    "locationType": "parameter", "location": "syncToken",
                }
            ],
            "code": 410,
            "message": text,
        }
    }  # fmt: skip


def _token(desk: Desk) -> str:
    from leakwatch.sandbox.google.tokens import Grant

    return desk.tokens.seal(Grant(ANN, frozenset({SCOPE})))
