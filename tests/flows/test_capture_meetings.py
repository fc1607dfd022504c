"""Meetings from the calendars of two reps to Events, over a real journal and write log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from capture_samples import ANN, BOB, NINE
from flows.capture_world import NOW, LoggedWriter, World
from leakwatch.core.plan_meeting import CANCELLED
from leakwatch.errors import AuthError
from leakwatch.flows.capture import CaptureDoors, capture
from leakwatch.flows.capture_report import CaptureReport
from leakwatch.model import Verb, WriteOp, WriteResult, WriteStatus
from leakwatch.sources.gmail import GmailSource
from leakwatch.sources.google_calendar import GoogleCalendarSource
from leakwatch.store import capture_tables as tables
from leakwatch.store.database import transaction

TOMORROW = NINE + timedelta(days=1)


class Calendars:
    """Calendars whose every change is one page."""

    def __init__(self) -> None:
        self.changed: dict[str, list[dict[str, Any]]] = {ANN.address: [], BOB.address: []}
        self.failures: dict[str, Exception] = {}

    def put(self, event_id: str, *owners: Any, **changes: Any) -> None:
        for owner in owners or (ANN, BOB):
            event = {
                "id": event_id, "status": "confirmed", "iCalUID": f"{event_id}@x", "summary": "Demo",
                "start": {"dateTime": TOMORROW.isoformat()},
                "end": {"dateTime": (TOMORROW + timedelta(hours=1)).isoformat()},
                "organizer": {"email": ANN.address},
                "attendees": [{"email": ANN.address}, {"email": BOB.address}, {"email": "eve@acme.com"}],
            }  # fmt: skip
            self.changed[owner.address].append(event | changes)

    def changes(self, subject: str, *, sync_token: str | None, page_token: str | None = None) -> Mapping[str, Any]:
        if subject in self.failures:
            raise self.failures[subject]
        items = self.changed[subject]
        return {"items": items[int(sync_token or 0) :], "nextSyncToken": str(len(items))}


class EventOrg:
    """Salesforce's Events."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.sent: list[WriteOp] = []
        self.failure = None

    def carry_out(self, op: WriteOp) -> WriteResult:
        self.sent.append(op)
        record_id = op.record_id or f"00U{len(self.sent):015}"
        if op.verb is Verb.DELETE:
            del self.events[record_id]
        else:
            self.events.setdefault(record_id, {"Id": record_id}).update(op.fields)
        return WriteResult(op.op_id, WriteStatus.DONE, record_id, created=op.verb is Verb.INSERT)

    def fetch(self, sobject: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        return {one: {name: self.events[one].get(name) for name in fields} for one in ids if one in self.events}

    calls = 0


class MeetingWorld(World):
    """The capture world with calendars beside the mailboxes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.calendars = Calendars()
        self.event_org = EventOrg()
        self.options = replace(self.options, meetings=True)

    def sync(self, *, now: datetime = NOW, **options: Any) -> CaptureReport:
        doors = CaptureDoors(
            sources=[
                GmailSource(self.gmail, known=self.journal.known_ids),
                GoogleCalendarSource(self.calendars, known=self.journal.ids_under),  # type: ignore[arg-type]
            ],
            journal=self.journal,
            address_book=self.book,
            writer=LoggedWriter(self.event_org, self.log),  # type: ignore[arg-type]
            records=self.event_org,
            landed=self.log.done,
            history=self.log.history,
        )
        return capture(self.roster, doors, self.options, run_id="run", now=now, **options)

    @property
    def event(self) -> dict[str, Any]:
        (found,) = self.event_org.events.values()
        return found


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
