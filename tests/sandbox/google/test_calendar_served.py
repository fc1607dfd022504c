"""The served Calendar: delegation, control, batches, faults and saved states, by the official client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest

from sandbox.google.witness import Witness

EVENTS = "https://www.googleapis.com/auth/calendar.events.readonly"


def calendar(witness: Witness, subject: str, *scopes: str) -> Any:
    options = {"api_endpoint": witness.google["calendar_url"]}
    return discovery.build("calendar", "v3", http=witness.http(subject, *(scopes or (EVENTS,))), client_options=options)


def test_control_adds_an_event_the_client_syncs_it_and_a_restore_takes_it_back(witness: Witness) -> None:
    events = calendar(witness, witness.rep).events()
    first = events.list(calendarId="primary", maxResults=2500).execute()
    assert any(item.get("recurrence") for item in first["items"])
    when = {"start": {"dateTime": "2026-03-04T10:00:00+03:00"}, "end": {"dateTime": "2026-03-04T11:00:00+03:00"}}
    event = {"organizer": witness.rep, "summary": "Deneme", "attendees": ["biri@disarida.example"]} | when
    made = witness.running.control("POST", "/calendar/events", {"do": "create", "event": event})
    changed = events.list(calendarId=witness.rep, syncToken=first["nextSyncToken"]).execute()
    assert [(item["id"], item["summary"]) for item in changed["items"]] == [(made["id"], "Deneme")]
    witness.running.control("POST", "/calendar/expire", {"calendar": witness.rep})
    with pytest.raises(HttpError) as caught:
        events.list(calendarId="primary", syncToken=changed["nextSyncToken"]).execute()
    assert caught.value.resp.status == 410
    witness.running.control("POST", "/restore", {"name": "fresh"})
    assert events.list(calendarId="primary", maxResults=2500).execute()["items"] == first["items"]


def test_a_batch_answers_each_call_by_itself_and_faults_can_hit_one(witness: Witness) -> None:
    api = calendar(witness, witness.rep)
    events = api.events().list(calendarId="primary").execute()["items"][:3]
    rule = {"service": "google", "match": "/calendar/v3/.*/events/", "status": 403, "after": 1, "times": 1}
    witness.running.control("POST", "/faults", rule)
    answers: list[tuple[Any, Any]] = []
    batch = BatchHttpRequest(
        lambda _id, answer, error: answers.append((answer, error)), batch_uri=witness.google["calendar_batch_url"]
    )
    for event in events:
        batch.add(api.events().get(calendarId="primary", eventId=event["id"]))
    batch.execute()
    assert [error is None for _, error in answers] == [True, False, True]
    assert json.loads(answers[1][1].content)["error"]["errors"][0]["reason"] == "userRateLimitExceeded"
    assert answers[0][0] == events[0]
    assert witness.running.control("GET", "/ledger")["google_methods"] == {
        "calendar.events.get": 2,
        "calendar.events.list": 1,
    }


def test_truth_tells_of_meetings_with_ids_and_the_story_plays_without_errors(witness: Witness) -> None:
    played = witness.advance(days=15)
    about = [event for event in played if event["do"] in {"invite", "meeting"}]
    assert about
    assert not [event for event in about if "error" in event]
    told = witness.running.control("GET", "/truth")["meetings"]
    written = [item for item in told if item["expect"] == "written"]
    assert all(item["owner_id"].startswith("005") and item["who_ids"] for item in written)
    assert {item["state"] for item in written} == {"held", "planned", "cancelled"}


def test_a_scope_that_was_not_delegated_mints_no_token(witness: Witness) -> None:
    writing = "https://www.googleapis.com/auth/calendar"
    with pytest.raises(Exception, match="unauthorized_client"):
        calendar(witness, witness.rep, writing).events().list(calendarId="primary").execute()


def test_another_tool_carries_events_and_meetings_both_ways_once_each_and_after_every_move_of_the_clock(
    witness: Witness,
) -> None:
    control = witness.running.control
    assert control("GET", "/calendar/sync") == {"direction": "off", "marks": False}
    refused = witness.running.raw_control("POST", "/calendar/sync", {"direction": "sideways"})
    assert (refused.status_code, "direction must be one of" in refused.json()["error"]) == (400, True)
    assert witness.running.raw_control("POST", "/calendar/sync", {"speed": 1}).status_code == 400
    assert control("POST", "/calendar/sync", {"direction": "both", "marks": True})["carried"]["to_org"] > 0
    assert control("POST", "/calendar/sync", {})["carried"] == {"to_calendar": 0, "to_org": 0}
    when = {"start": {"dateTime": "2026-03-04T10:00:00+03:00"}, "end": {"dateTime": "2026-03-04T11:00:00+03:00"}}
    event = {"organizer": witness.rep, "summary": "Deneme", **when}
    control("POST", "/calendar/events", {"do": "create", "event": event})
    control("POST", "/clock", {"advance_seconds": 60})
    made = [row for row in control("GET", "/org/dump")["Event"] if row["Subject"] == "Deneme"]
    assert [row["StartDateTime"] for row in made] == ["2026-03-04T07:00:00.000+0000"]
    control("POST", "/restore", {"name": "fresh"})
    assert control("GET", "/calendar/sync") == {"direction": "off", "marks": False}
