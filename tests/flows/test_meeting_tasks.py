"""Meetings as completed Tasks, where an org wants no Events: once each, when they were held."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from capture_samples import ANN, BOB
from flows.meeting_world import TOMORROW, MeetingWorld
from leakwatch.core.plan import PlanRules
from leakwatch.core.plan_meeting import NOT_HELD, POSTPONED
from leakwatch.model import Person

AFTER = TOMORROW + timedelta(hours=2)
LATER = TOMORROW + timedelta(days=7)


@pytest.fixture
def world(tmp_path: Path) -> MeetingWorld:
    found = MeetingWorld(tmp_path)
    found.people["zed@acme.com"] = (Person("003ZED", "Contact", "Zed", "001ACME"),)
    rules = PlanRules(meetings_as="task", meeting_type="Meeting", shared_activities=True, time_zone="Europe/Berlin")
    found.options = replace(found.options, planning=rules)
    return found


def when(start: datetime) -> dict[str, Any]:
    return {"start": {"dateTime": start.isoformat()}, "end": {"dateTime": (start + timedelta(hours=1)).isoformat()}}


def test_a_meeting_is_one_completed_task_of_its_organizer_once_it_was_held_and_waits_until_then(world: MeetingWorld):
    people = (ANN.address, BOB.address, "eve@acme.com", "zed@acme.com")
    world.calendars.put("m", attendees=[{"email": one} for one in people])
    report = world.sync()
    assert (report.written, report.held) == ({}, 1)
    assert world.sync(now=AFTER).written == {"Task": 1}
    task = dict(world.event)
    key = task.pop("Leakwatch_Key__c")
    assert key.startswith("lw1:e:")
    assert task.pop("Id").startswith("00T")
    assert task == {
        "Subject": "Demo", "ActivityDate": "2026-07-02", "Status": "Completed", "Type": "Meeting",
        "Description": "Meeting of 60 minutes, 2026-07-02 11:00 to 12:00 (Europe/Berlin)",
        "OwnerId": "005ANN", "CreatedById": "005BOT", "WhoId": "003EVE", "WhatId": "001ACME",
    }  # fmt: skip
    assert world.event_org.people[world.event["Id"]] == ["003EVE", "003ZED"]
    assert world.sync(now=AFTER).written == {}


def test_its_day_is_the_one_on_which_it_began_where_the_rep_is(world: MeetingWorld):
    world.event_org.zones["005ANN"] = "Pacific/Auckland"
    world.calendars.put("m", **when(TOMORROW.replace(hour=20)))
    world.sync(now=LATER)
    assert world.event["ActivityDate"] == "2026-07-03"
    assert world.event["Description"].endswith("2026-07-03 08:00 to 09:00 (Pacific/Auckland)")


def test_days_are_dates_in_every_zone(world: MeetingWorld):
    world.event_org.zones["005ANN"] = "Pacific/Auckland"
    world.calendars.put("m", start={"date": "2026-07-02"}, end={"date": "2026-07-04"})
    world.sync(now=LATER)
    assert (world.event["ActivityDate"], world.event["Description"]) == (
        "2026-07-02", "Meeting, all day, 2026-07-02 to 2026-07-03",
    )  # fmt: skip


def test_a_time_zone_that_nobody_knows_is_the_orgs(world: MeetingWorld):
    world.event_org.zones["005ANN"] = "Mars/Olympus"
    world.calendars.put("m")
    world.sync(now=AFTER)
    assert world.event["Description"].endswith("(Europe/Berlin)")


def test_a_meeting_cancelled_before_it_was_held_is_no_task_and_one_tidied_up_later_stays(world: MeetingWorld):
    world.calendars.put("off")
    world.sync()
    world.calendars.put("off", status="cancelled")
    world.calendars.put("on")
    world.sync()
    assert world.sync(now=AFTER).written == {"Task": 1}
    world.calendars.put("on", status="cancelled")
    assert world.sync(now=LATER).written == {}


def test_a_meeting_put_off_after_it_seemed_to_be_over_loses_its_task_and_gets_it_when_it_was_held(world: MeetingWorld):
    world.calendars.put("m")
    world.sync(now=AFTER)
    world.calendars.put("m", **when(LATER))
    (op,) = world.sync(now=AFTER, dry_run=True).operations
    assert op.reason == POSTPONED
    assert world.sync(now=AFTER).written == {"Task.deleted": 1}
    assert world.sync(now=AFTER).written == {}
    assert world.sync(now=LATER + timedelta(hours=2)).written == {"Task": 1}
    assert world.event["ActivityDate"] == "2026-07-09"


def test_a_meeting_moved_to_another_time_that_is_past_moves_its_task_unless_a_person_did(world: MeetingWorld):
    world.calendars.put("m")
    world.sync(now=LATER)
    world.calendars.put("m", **when(TOMORROW + timedelta(days=1)), summary="Demo 2")
    assert world.sync(now=LATER).written == {"Task.changed": 1}
    assert (world.event["ActivityDate"], world.event["Subject"]) == ("2026-07-03", "Demo 2")
    assert "2026-07-03 11:00" in world.event["Description"]
    world.event["Description"] = "Eve was late"
    world.calendars.put("m", **when(TOMORROW), summary="Demo 2")
    world.sync(now=LATER)
    assert (world.event["ActivityDate"], world.event["Description"]) == ("2026-07-02", "Eve was late")


def test_a_task_that_a_person_deleted_or_opened_again_is_left_alone(world: MeetingWorld):
    world.calendars.put("opened")
    world.calendars.put("deleted", summary="Gone")
    world.sync(now=AFTER)
    tasks = {row["Subject"]: row for row in world.event_org.events.values()}
    tasks["Demo"]["Status"] = "In Progress"
    del world.event_org.events[tasks["Gone"]["Id"]]
    world.calendars.put("opened", **when(LATER))
    world.calendars.put("deleted", summary="Back")
    assert world.sync(now=AFTER).written == {}


def test_a_meeting_made_private_after_it_was_held_is_blanked(world: MeetingWorld):
    world.calendars.put("m")
    world.sync(now=AFTER)
    world.calendars.put("m", visibility="private")
    world.sync(now=AFTER)
    row = world.event
    assert row["Subject"] == "(private appointment)"
    assert row["WhoId"] is row["WhatId"] is row["Description"] is None
    assert world.event_org.people[row["Id"]] == []


def test_what_was_written_as_an_event_stays_one_when_the_setting_changes_and_is_not_doubled(world: MeetingWorld):
    as_tasks = world.options
    world.options = replace(world.options, planning=PlanRules())
    world.calendars.put("m")
    world.sync()
    world.options = as_tasks
    world.calendars.put("m", summary="Renamed")
    assert world.sync(now=AFTER).written == {"Event.changed": 1}
    assert world.event["Subject"] == "Renamed"


def test_why_a_planned_meeting_is_not_there_yet_is_kept(world: MeetingWorld):
    world.calendars.put("m")
    world.sync()
    (waiting,) = world.journal.unsettled()
    assert not waiting.written
    assert world.reason() == NOT_HELD
