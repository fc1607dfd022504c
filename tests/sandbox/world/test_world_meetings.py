"""A generated world's meetings: what truth says of them is what the calendars show, day by day."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.clock import VirtualClock
from leakwatch.sandbox.google.calendar import Calendar, Call
from leakwatch.sandbox.google.calendar_query import Parameters
from leakwatch.sandbox.google.calendar_store import CalendarStore
from leakwatch.sandbox.google.directory import Directory
from leakwatch.sandbox.google.meetings import Meetings
from leakwatch.sandbox.google.store import MailStore
from leakwatch.sandbox.world import appointment_cases, seed
from leakwatch.sandbox.world import meetings as world_meetings
from leakwatch.sandbox.world.check import WorldError
from leakwatch.sandbox.world.follow_ups import RULE
from leakwatch.sandbox.world.generate import generate
from leakwatch.sandbox.world.model import MEETING_SKIPS, MEETING_STATES, World, instant
from leakwatch.sandbox.world.reader import parse_world

Json = dict[str, Any]


class Office:
    """The calendars of a world without its org and mail."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.clock = VirtualClock(None, world.start)
        self.mail = MailStore(folder / "google.sqlite", self.clock)
        self.directory = Directory(self.mail)
        self.meetings = Meetings(CalendarStore(self.mail, world.company["time_zone"]), self.directory)
        self.calendar = Calendar(self.meetings.store, self.directory)
        with self.mail.writing():
            for user in world.users:
                if user.get("google") is not None:
                    seed.put_account(world, self.directory, user)
        world_meetings.seed_meetings(world, self.meetings)
        events = [(instant(one["at"]), one) for one in world.timeline if one["do"] == "meeting"]
        events += [(instant(one["at"]), one) for one in world.meetings if instant(one["at"]) > world.start]
        self.script = sorted(events, key=lambda pair: pair[0])

    def play_until(self, moment: Any) -> None:
        while self.script and self.script[0][0] <= moment:
            at, event = self.script.pop(0)
            self.clock.move_to(at)
            if event.get("do") == "meeting":
                name = world_meetings.event_id(self.world.meeting(event["meeting"]), self.world.seed)
                world_meetings.act(self.meetings, name, event)
            else:
                world_meetings.invite(event, self.world, self.meetings)
        self.clock.move_to(moment)

    def occurrences(self) -> dict[tuple[str, str | None], list[tuple[str, Json]]]:
        """(iCalUID, original start) -> the copies: (calendar, event)."""
        found: dict[tuple[str, str | None], list[tuple[str, Json]]] = {}
        until = (self.world.start + timedelta(days=60)).isoformat()
        query = {"singleEvents": ["true"], "timeMax": [until], "timeZone": ["UTC"], "maxResults": ["2500"]}
        for user in self.world.users:
            if user.get("google") is None or user["google"].get("suspended"):
                continue
            call = Call(user["email"], "primary", "", Parameters(query))
            for event in self.calendar.list_events(call)["items"]:
                original = event.get("originalStartTime")
                key = (event["iCalUID"], told(original) if original else None)
                found.setdefault(key, []).append((user["email"], event))
        return found


def told(when: Json) -> str:
    return when.get("date") or when["dateTime"]


@pytest.fixture(scope="module")
def world() -> World:
    return generate("small", 7)


@pytest.fixture
def office(world: World, tmp_path: Path) -> Iterator[Office]:
    one = Office(world, tmp_path)
    yield one
    one.mail.close()


def in_force(world: World, moment: Any) -> list[Json]:
    return [
        item
        for item in world.truth["meetings"]
        if instant(item["from"]) <= moment and (item["until"] is None or moment < instant(item["until"]))
    ]


def attends(world: World, owner: str, copies: list[tuple[str, Json]]) -> bool:
    """Whether the owner has a copy and has not declined."""
    email = world.user(owner)["email"]
    event = dict(copies).get(email)
    return event is not None and not any(
        guest.get("self") and guest["responseStatus"] == "declined" for guest in event.get("attendees", [])
    )


def test_every_day_the_calendars_show_what_truth_says(world: World, office: Office) -> None:
    contacts = {record["ref"]: record["fields"].get("Email") for record in world.records}
    edge = (world.start + timedelta(days=28)).isoformat()  # as far as the calendars are looked at here
    for day in range(world.days + 1):
        moment = world.start + timedelta(days=day, hours=1)
        office.play_until(moment)
        shown = office.occurrences()
        for item in in_force(world, moment):
            copies = shown.get((item["uid"], item.get("original_start")), [])
            if item["expect"] != "written" or item["start"] > edge:
                continue
            if item["state"] == "cancelled":
                assert not attends(world, item["owner"], copies), item
                continue
            if item["state"] == "held" and all(event["status"] == "cancelled" for _, event in copies):
                continue  # tidied up after it was over: it was held all the same
            assert attends(world, item["owner"], copies), item
            (event,) = {json.dumps([e["start"], e["end"]]): e for _, e in copies}.values()
            assert (told(event["start"]), told(event["end"])) == (item["start"], item["end"]), item
            people = {one["email"] for _, e in copies for one in [*e.get("attendees", []), e["organizer"]]}
            assert {contacts[ref] for ref in item["who"]} <= people, item
            ends = event["end"].get("dateTime") or f"{event['end']['date']}T00:00:00+03:00"
            assert (item["state"] == "held") == (instant(ends) <= moment), item


def test_every_meeting_that_is_shown_has_one_expectation(world: World, office: Office) -> None:
    known = {(item["uid"], item.get("original_start")) for item in world.truth["meetings"]}
    whole = {item["uid"] for item in world.truth["meetings"] if item["expect"] != "written"}
    for day in (0, 7, 14):
        office.play_until(world.start + timedelta(days=day))
        edge = (world.start + timedelta(days=28)).isoformat()
        for (uid, original), copies in office.occurrences().items():
            if told(copies[0][1]["start"]) < edge:
                assert (uid, original) in known or uid in whole
    for item in in_force(world, office.clock.now()):
        same = [one for one in in_force(world, office.clock.now()) if _key(one) == _key(item)]
        assert len(same) == 1


def _key(item: Json) -> tuple[str, str | None]:
    return item["uid"], item.get("original_start")


def test_every_state_and_every_reason_occurs(world: World) -> None:
    told_of = world.truth["meetings"]
    assert {item["reason"] for item in told_of if item["expect"] == "skipped"} == set(MEETING_SKIPS)
    assert {item["state"] for item in told_of if item["expect"] == "written"} == set(MEETING_STATES)
    assert any(item["expect"] == "unmatched" for item in told_of)
    assert any("date" in meeting["start"] for meeting in world.meetings)


def test_meetings_leave_the_rest_of_a_world_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appointment_cases, "add", lambda _build: ([], []))
    without = generate("small", 7).as_json()
    body = world.as_json()
    for name in ("records", "timeline"):  # beside what was there are new leads that are met, and calls after meetings
        assert [item for item in body[name] if item in without[name]] == without[name]
    assert body["truth"]["captures"] == without["truth"]["captures"]
    of_others = [item for item in body["truth"]["findings"] if item["rule"] != RULE]
    assert of_others == [item for item in without["truth"]["findings"] if item["rule"] != RULE]
    rest = without.keys() - {"records", "timeline", "truth"}
    assert {name: body[name] for name in rest} == {name: without[name] for name in rest}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda body: body["meetings"][0].update(sumary="x"), "unknown key 'sumary', did you mean 'summary'?"),
        (lambda body: body["meetings"][1].update(id=body["meetings"][0]["id"]), "is already taken"),
        (lambda body: body["truth"]["meetings"][0].update(uid="nobody"), "no meeting has the iCalUID 'nobody'"),
        (lambda body: body["timeline"].append(_act("e0", "cancel")), "no such meeting: 'e0'"),
        (lambda body: body["timeline"].append(_act("e1", "respond")), "respond needs the key 'guest'"),
        (lambda body: body["timeline"].append(_act("e1", "forget")), "'forget' is not one of update, cancel"),
    ],
)
def test_a_mistake_about_a_meeting_is_named(world: World, change: Any, problem: str) -> None:
    body = copy.deepcopy(world.as_json())
    change(body)
    with pytest.raises(WorldError, match=problem.replace("?", r"\?")):
        parse_world(body)


def _act(meeting: str, deed: str) -> Json:
    return {"at": "2026-03-05T09:00:00Z", "do": "meeting", "meeting": meeting, "act": deed}
