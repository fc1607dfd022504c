"""Meetings from the emulated Google Calendar to Events: what people do there is what stands in Salesforce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from flows.meeting_world import MeetingWorld
from leakwatch.clients.google_calendar import CalendarClient
from leakwatch.clients.google_errors import classify
from leakwatch.core.google_events import FIELDS
from leakwatch.model import Person, Principal
from leakwatch.sandbox.google.tokens import Grant
from leakwatch.sources.google_calendar import GoogleCalendarSource
from sandbox.google.calendar_desk import ANN, BOB, CUSTOMER, START, Desk

TOLD = date(2026, 1, 1)
REPS = [
    Principal(ANN, "google", "1", "005ANN", "Ann", frozenset(), TOLD),
    Principal(BOB, "google", "2", "005BOB", "Bob", frozenset(), TOLD),
]
SERIES = {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"], "attendees": [{"email": CUSTOMER}, {"email": BOB}]}
ONCE = {"attendees": [{"email": CUSTOMER}, {"email": BOB}]}


class Wire:
    """What the calendar client asks, answered by the emulated Google in this process."""

    connection = SimpleNamespace(calendar_url="https://google.invalid")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.asked: list[str] = []

    def json(self, subject: str, scopes: tuple[str, ...], uri: str, *, provider: str, operation: str) -> dict[str, Any]:
        self.asked.append(operation)
        parts = urlsplit(uri)
        token = self._desk.tokens.seal(Grant(subject, frozenset(scopes)))
        reply = self._desk.google.answer("GET", f"{parts.path}?{parts.query}", f"Bearer {token}")
        if reply.status != 200:
            raise classify(reply.status, reply.headers, orjson.dumps(reply.body), what=operation, now=START)
        return orjson.loads(orjson.dumps(reply.body))


class Company(MeetingWorld):
    """Two reps with calendars at the emulated Google."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.desk = Desk(folder)
        self.wire = Wire(self.desk)
        self.roster = REPS
        self.options = replace(self.options, company_domains=("acme.example",), backfill=timedelta(days=30))
        self.people = {
            CUSTOMER: (Person("003ZEYNEP", "Contact", "Zeynep", "001MUSTERI"),),
            ANN: (Person("005ANN", "User", "Ann"),),
            BOB: (Person("005BOB", "User", "Bob"),),
        }

    @property
    def now(self) -> datetime:
        return self.desk.clock.now()

    def sources(self, now: datetime) -> list[Any]:
        calendars = CalendarClient(self.wire, fields=FIELDS)  # type: ignore[arg-type]
        return [GoogleCalendarSource(calendars, now=lambda: now, known=self.journal.ids_under)]

    @property
    def starts(self) -> Sequence[str]:
        return sorted(row["StartDateTime"][5:16] for row in self.event_org.events.values())


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


def test_a_meeting_of_two_reps_with_a_customer_is_one_event_and_an_idle_poll_costs_one_call_a_calendar(
    company: Company,
):
    company.desk.meet(**ONCE)
    assert company.sync().written == {"Event": 1}
    assert company.event["OwnerId"] == "005ANN"
    assert company.event["WhoId"] == "003ZEYNEP"
    company.wire.asked.clear()
    assert company.sync().written == {}
    assert company.wire.asked == ["events.list", "events.list"]


def test_of_a_series_each_occurrence_is_an_event_also_one_that_was_moved_and_without_one_that_was_cancelled(
    company: Company,
):
    event = company.desk.meet(**SERIES)
    company.sync()
    assert company.starts == ["03-10T07:00", "03-17T07:00", "03-24T07:00", "03-31T07:00"]
    meetings = company.desk.meetings
    company.desk.pass_time(hours=1)
    moved = {"start": {"dateTime": "2026-03-18T15:00:00+03:00"}, "end": {"dateTime": "2026-03-18T16:00:00+03:00"}}
    meetings.update(event, moved, occurrence="2026-03-17T10:00:00+03:00")
    meetings.cancel(event, occurrence="2026-03-24T10:00:00+03:00")
    report = company.sync()
    assert report.written == {"Event.changed": 1, "Event.deleted": 1}
    assert company.starts == ["03-10T07:00", "03-18T12:00", "03-31T07:00"]


def test_a_series_that_is_called_off_loses_its_coming_events_and_keeps_those_that_were_held(company: Company):
    event = company.desk.meet(**SERIES)
    company.sync()
    company.desk.pass_time(days=10)
    company.desk.meetings.cancel(event)
    company.sync()
    assert company.starts == ["03-10T07:00"]


def test_a_shortened_series_loses_what_it_lost(company: Company):
    event = company.desk.meet(**SERIES)
    company.sync()
    company.desk.pass_time(hours=1)
    company.desk.meetings.update(event, {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]})
    company.sync()
    assert company.starts == ["03-10T07:00", "03-17T07:00"]


def test_an_endless_series_is_written_as_far_as_the_horizon_and_goes_on_as_time_goes_by(company: Company):
    company.desk.meet(**SERIES | {"recurrence": ["RRULE:FREQ=WEEKLY"]})
    company.sync()
    before = company.starts
    assert (before[0], before[-1], len(before)) == ("03-10T07:00", "04-28T07:00", 8)
    company.desk.pass_time(days=14)
    assert company.sync().written == {"Event": 2}
    assert company.starts[-1] == "05-12T07:00"


def test_a_sync_token_that_google_forgot_costs_a_new_list_and_writes_nothing_twice(company: Company):
    company.desk.meet(**ONCE)
    company.sync()
    company.desk.store.expire(ANN)
    company.desk.meet("2026-03-11T10:00:00+03:00", **ONCE)
    report = company.sync()
    assert report.reconciled == 1
    assert report.written == {"Event": 1}
    assert len(company.event_org.events) == 2


def test_what_was_called_off_long_before_the_lost_token_is_asked_for_loses_its_events_though_nobody_says_so(
    company: Company,
):
    once = company.desk.meet(**ONCE)
    company.desk.meet("2026-03-11T10:00:00+03:00", **ONCE)
    series = company.desk.meet("2026-03-12T10:00:00+03:00", **SERIES)
    company.sync()
    assert len(company.event_org.events) == 6
    company.desk.pass_time(hours=1)
    for event in (once, series):
        company.desk.meetings.cancel(event)
    with company.desk.mail.writing():  # "such cancelled events will eventually disappear"
        company.desk.mail.db.execute("DELETE FROM event WHERE json_extract(body, '$.status') = 'cancelled'")
    for owner in (ANN, BOB):
        company.desk.store.expire(owner)
    report = company.sync()
    assert (report.reconciled, report.written) == (2, {"Event.deleted": 5})
    assert company.starts == ["03-11T07:00"]


def test_a_declined_meeting_of_a_customer_is_none_and_an_accepted_one_belongs_to_who_came(company: Company):
    event = company.desk.meetings.create(
        {
            "organizer": CUSTOMER, "iCalUID": "uid-1@musteri", "summary": "Fiyat",
            "start": {"dateTime": "2026-03-10T10:00:00+03:00"}, "end": {"dateTime": "2026-03-10T11:00:00+03:00"},
            "attendees": [{"email": ANN}, {"email": BOB}],
        }
    )["id"]  # fmt: skip
    company.desk.meetings.respond(event, ANN, "declined")
    assert company.sync().written == {"Event": 1}
    assert company.event["OwnerId"] == "005BOB"
    company.desk.pass_time(hours=1)
    company.desk.meetings.respond(event, BOB, "declined")
    assert company.sync().written == {"Event.deleted": 1}


def test_a_meeting_that_is_handed_to_another_organizer_keeps_its_event_and_becomes_theirs(company: Company):
    event = company.desk.meet(**ONCE)
    company.sync()
    company.desk.pass_time(hours=1)
    company.desk.meetings.transfer(event, BOB)
    company.desk.meetings.update(event, ONCE)  # without Ann: all that is left to her is a cancelled id
    assert company.sync().written == {"Event.changed": 1}
    assert company.event["OwnerId"] == "005BOB"
    company.desk.pass_time(hours=1)
    company.desk.meetings.cancel(event)
    assert company.sync().written == {"Event.deleted": 1}


def test_a_series_made_private_is_blanked_in_every_occurrence_that_is_written(company: Company):
    event = company.desk.meet(**SERIES)
    company.sync()
    company.desk.pass_time(hours=1)
    company.desk.meetings.update(event, {"visibility": "private"})
    company.sync()
    rows = company.event_org.events.values()
    assert [(row["Subject"], row["WhoId"]) for row in rows] == [("(private appointment)", None)] * 4


def test_an_all_day_visit_keeps_its_days(company: Company):
    company.desk.meetings.create(
        {"organizer": ANN, "summary": "Fuar", "start": {"date": "2026-03-12"}, "end": {"date": "2026-03-14"}, **ONCE}
    )
    company.sync()
    assert company.event["IsAllDayEvent"]
    assert (company.event["StartDateTime"][:10], company.event["EndDateTime"][:10]) == ("2026-03-12", "2026-03-13")


def test_a_dry_run_of_a_changed_series_shows_what_the_run_then_writes(company: Company):
    event = company.desk.meet(**SERIES)
    company.sync()
    company.desk.pass_time(hours=1)
    company.desk.meetings.update(event, {"summary": "Yeni ad"})
    company.desk.meetings.cancel(event, occurrence="2026-03-24T10:00:00+03:00")
    before = len(company.event_org.sent)
    shown = company.sync(dry_run=True)
    assert len(company.event_org.sent) == before
    company.sync()
    assert sorted(op.op_id for op in shown.operations) == sorted(op.op_id for op in company.event_org.sent[before:])
    assert {row["Subject"] for row in company.event_org.events.values()} == {"Yeni ad"}


def test_past_meetings_are_read_as_far_back_as_the_backfill(company: Company):
    company.desk.meet((START - timedelta(days=20)).isoformat(), **ONCE)
    company.desk.meet((START - timedelta(days=40)).isoformat(), **ONCE)
    report = company.sync()
    assert report.written == {"Event": 1}
    assert report.skipped["too_old"] == 2
