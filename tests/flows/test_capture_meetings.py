"""Meetings from the calendars of two reps to Events, over a real journal and write log."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from capture_samples import ANN, BOB
from flows.meeting_world import TOMORROW, MeetingWorld
from leakwatch.core.plan_meeting import CANCELLED
from leakwatch.errors import AuthError
from leakwatch.model import Verb
from leakwatch.store import capture_tables as tables
from leakwatch.store.database import transaction


@pytest.fixture
def world(tmp_path: Path) -> MeetingWorld:
    return MeetingWorld(tmp_path)


def test_a_meeting_in_two_calendars_is_one_event_of_its_organizer_and_a_second_sync_writes_nothing(world: MeetingWorld):
    world.calendars.put("m")
    report = world.sync()
    assert report.written == {"Event": 1}
    assert (world.event["OwnerId"], world.event["WhoId"]) == ("005ANN", "003EVE")
    assert world.sync().written == {}


def test_a_dry_run_shows_what_the_run_then_writes_and_keeps_nothing(world: MeetingWorld):
    world.calendars.put("m")
    shown = world.sync(dry_run=True)
    assert world.event_org.sent == []
    world.sync()
    assert list(shown.operations) == world.event_org.sent
    world.calendars.put("m", summary="Demo 2")
    shown = world.sync(dry_run=True)
    assert [op.fields for op in shown.operations] == [{"Subject": "Demo 2"}]
    world.sync()
    assert list(shown.operations) == world.event_org.sent[1:]
    world.calendars.put("m", status="cancelled")
    shown = world.sync(dry_run=True)
    assert [op.verb for op in shown.operations] == [Verb.DELETE]
    world.sync()
    assert world.event_org.events == {}


def test_a_meeting_that_the_organizer_called_off_loses_its_event_one_that_a_guest_deleted_does_not(world: MeetingWorld):
    world.calendars.put("m")
    world.sync()
    world.calendars.put("m", BOB, status="cancelled")
    assert world.sync().written == {}
    world.calendars.put("m", ANN, status="cancelled")
    assert world.sync().written == {"Event.deleted": 1}
    assert world.event_org.events == {}
    with transaction(world.engine) as connection:
        row = connection.execute(select(tables.activities)).one()
    assert (row.outcome, row.reason) == ("skipped", CANCELLED)
    world.calendars.put("m", ANN)
    assert world.sync().written == {"Event": 1}


def test_a_meeting_that_took_place_stays_when_somebody_tidies_up_their_calendar(world: MeetingWorld):
    world.calendars.put("m")
    world.sync()
    world.calendars.put("m", status="cancelled")
    assert world.sync(now=TOMORROW + timedelta(days=3)).written == {}
    assert world.event["Subject"] == "Demo"


def test_a_meeting_among_us_a_private_one_and_one_cancelled_before_it_was_seen_are_not_written(world: MeetingWorld):
    world.calendars.put("ours", attendees=[{"email": ANN.address}, {"email": BOB.address}])
    world.calendars.put("mine", visibility="private")
    world.calendars.put("off", status="cancelled")
    report = world.sync()
    assert report.written == {}
    assert (report.skipped["internal_only"], report.skipped["private"]) == (2, 2)
    assert world.journal.alike([]) == []


def test_a_meeting_made_private_later_is_blanked_in_salesforce(world: MeetingWorld):
    world.calendars.put("m")
    world.sync()
    world.calendars.put("m", visibility="private")
    world.sync()
    assert (world.event["Subject"], world.event["WhoId"]) == ("(private appointment)", None)


def test_a_calendar_that_refuses_us_stops_neither_its_owners_mail_nor_the_other_calendars(world: MeetingWorld):
    world.calendars.put("m")
    world.calendars.failures[ANN.address] = AuthError("no scope", reason="insufficient_permissions")
    world.gmail.deliver(ANN, "x@acme.com")
    report = world.sync()
    assert (report.mailboxes_read, report.calendars_read) == (2, 1)
    assert list(report.calendars_failed) == [ANN.address]
    assert not report.mailboxes_parked
    assert report.written["Event"] == 1
    assert not report.complete


def test_while_meetings_are_switched_off_they_wait_in_the_journal_and_come_when_they_are_on(world: MeetingWorld):
    world.options = replace(world.options, meetings=False)
    world.calendars.put("m")
    assert world.sync().written == {}
    world.options = replace(world.options, meetings=True)
    assert world.sync().written == {"Event": 1}
