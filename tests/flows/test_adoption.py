"""What other tools wrote is adopted, copies of our own Events are never written, and a loop stops the Events."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from capture_samples import ANN, BOB
from flows.capture_world import NOW
from flows.meeting_world import TOMORROW, EventOrg, MeetingWorld
from leakwatch import faultpoints
from leakwatch.app import doctoring_mails
from leakwatch.app.doctoring_mails import mail_checks
from leakwatch.cli.words import capture_lines
from leakwatch.core.plan import PlanRules
from leakwatch.core.record_ids import long_id
from leakwatch.errors import RecordError
from leakwatch.flows.capture import CaptureDoors
from leakwatch.flows.capture_adopt import LEFT, LOOP
from leakwatch.model import KEY_FIELD, DomainAccount, Verb, WriteOp, WriteResult
from leakwatch.store.capture_status import CaptureStatus

THEIRS = "00UTOOL00000001AAA"


class Tools:
    """What other tools wrote, and our own Events beside it."""

    def __init__(self, world: MeetingWorld) -> None:
        self._world = world
        self.mail: dict[str, str] = {}
        self.theirs: list[dict[str, Any]] = []
        self.tasks: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.refusal: RecordError | None = None

    def mails(self, message_ids: Collection[str]) -> Mapping[str, str]:
        self.asked.append("mails")
        return {one: self.mail[one] for one in message_ids if one in self.mail}

    def events(self, owners: Collection[str], start: datetime, end: datetime) -> Sequence[Mapping[str, Any]]:
        self.asked.append("events")
        if self.refusal is not None:
            raise self.refusal
        ours = [{"CreatedDate": NOW.isoformat(), **row} for row in self._world.event_org.events.values()]
        return [row for row in (*ours, *self.theirs) if row.get("OwnerId") in owners]

    def mail_tasks(self, owners: Collection[str], first: date, last: date) -> Sequence[Mapping[str, Any]]:
        self.asked.append("mail_tasks")
        inside = [row for row in self.tasks if first.isoformat() <= row["ActivityDate"] <= last.isoformat()]
        return [row for row in inside if row["OwnerId"] in owners]

    def put(self, record_id: str = THEIRS, **changes: Any) -> None:
        self.theirs.append(
            {
                "Id": record_id, "Subject": "Demo", "OwnerId": "005ANN", "IsAllDayEvent": False, KEY_FIELD: None,
                "StartDateTime": TOMORROW.isoformat(), "EndDateTime": (TOMORROW + timedelta(hours=1)).isoformat(),
                "CreatedDate": NOW.isoformat(),
            }
            | changes
        )  # fmt: skip


class Ids(EventOrg):
    """Salesforce's Events, with ids as Salesforce makes them."""

    def carry_out(self, op: WriteOp) -> WriteResult:
        if op.verb is not Verb.INSERT:
            return super().carry_out(op)
        made = replace(op, record_id=long_id(f"00U{len(self.sent) + 1:012}"))
        return replace(super().carry_out(made), created=True)


class SharedWorld(MeetingWorld):
    """The meeting world in an org where other tools write too."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.event_org = Ids(self.org)
        self.tools = Tools(self)

    def doors(self, now: datetime) -> CaptureDoors:
        return replace(super().doors(now), people_state=lambda: self.state, neighbours=self.tools, adoptions=self.log)

    def explain(self, term: str) -> list[tuple[str, str, tuple[str, ...]]]:
        return [(one.outcome, one.reason, one.record_ids) for one in CaptureStatus(self.engine).explain(term)]


@pytest.fixture
def world(tmp_path: Path) -> SharedWorld:
    return SharedWorld(tmp_path)


def test_a_meeting_that_another_tool_wrote_is_adopted_and_never_touched_whatever_becomes_of_it(world: SharedWorld):
    world.tools.put()
    world.calendars.put("m")
    report = world.sync()
    assert (report.written, [op.record_id for op in report.adopted]) == ({}, [THEIRS])
    ((outcome, reason, records), *_) = world.explain(THEIRS)
    assert (outcome, records) == ("adopted", (THEIRS,))
    assert f"the Event {THEIRS}, not ours" in reason
    world.calendars.put("m", summary="Renamed", start={"dateTime": (TOMORROW + timedelta(minutes=9)).isoformat()})
    world.sync()
    world.calendars.put("m", status="cancelled")
    world.sync()
    assert world.event_org.sent == []
    assert world.sync().adopted == ()


def test_a_dry_run_says_what_would_be_adopted_and_remembers_nothing(world: SharedWorld):
    world.tools.put()
    world.calendars.put("m")
    shown = world.sync(dry_run=True)
    assert shown.operations == ()
    lines = capture_lines(shown)
    assert "already there by another tool, would be adopted: 1" in lines
    assert any(THEIRS in line for line in lines)
    assert world.log.adopted([op.key or "" for op in shown.adopted]) == {}


def test_one_event_stands_for_one_meeting_only(world: SharedWorld):
    world.tools.put()
    world.calendars.put("m")
    world.calendars.put("n")
    assert world.sync().written == {"Event": 2}
    world.calendars.put("o")  # beside two of ours and one of theirs, none of which is its own
    assert world.sync().written == {}


def test_an_adopted_event_is_not_adopted_for_a_second_meeting(world: SharedWorld):
    world.tools.put()
    world.calendars.put("m")
    world.sync()
    world.calendars.put("n")
    assert world.sync().written == {"Event": 1}


def test_a_mail_that_another_tool_logged_is_adopted_by_its_message_id_and_others_are_written(world: SharedWorld):
    world.options = replace(world.options, meetings=False)
    for name in ("there@acme.com", "new@acme.com"):
        world.gmail.deliver(ANN, name)
    world.tools.mail = {"there@acme.com": "02sTOOL00000001AAA"}
    report = world.sync()
    assert report.written == {"EmailMessage": 1}
    assert [(op.sobject, op.verb, op.record_id) for op in report.adopted] == [
        ("EmailMessage", Verb.ADOPT, "02sTOOL00000001AAA")
    ]
    assert {row.get("MessageIdentifier") for row in world.org.mails.values()} == {"<new@acme.com>"}
    assert world.explain("there@acme.com")[0][0] == "adopted"
    world.gmail.deliver(BOB, "there@acme.com", To="ann@ourco.com, bob@ourco.com")
    assert world.sync().written == {}


def test_where_mails_are_tasks_the_task_that_another_tool_wrote_is_adopted_and_stands_for_one_mail(world: SharedWorld):
    world.options = replace(world.options, meetings=False, planning=PlanRules(mail_as="task"))
    world.gmail.deliver(ANN, "there@acme.com", Subject="Offer")
    world.gmail.deliver(ANN, "new@acme.com", Subject="Re: Offer")
    world.tools.tasks.append(
        {
            "Id": "00TTOOL00000001AAA", "Subject": "Email: Offer", "TaskSubtype": "Email", "IsClosed": True,
            "OwnerId": "005ANN", "WhoId": "003EVE", "ActivityDate": "2026-07-01", KEY_FIELD: None,
        }
    )  # fmt: skip
    report = world.sync()
    assert report.written == {"Task": 1}
    assert [(op.sobject, op.record_id) for op in report.adopted] == [("Task", "00TTOOL00000001AAA")]
    ((outcome, reason, records), *_) = world.explain("there@acme.com")
    assert (outcome, records, "the Task 00TTOOL00000001AAA, not ours" in reason) == (
        "adopted",
        ("00TTOOL00000001AAA",),
        True,
    )
    world.gmail.deliver(ANN, "again@acme.com", Subject="Offer")
    assert world.sync().written == {"Task": 1}
    assert world.sync().written == {}


@pytest.mark.parametrize("mail_as", ["email_message", "task"])
def test_doctor_names_tasks_of_another_tool_beside_mails_of_ours(
    world: SharedWorld, monkeypatch: pytest.MonkeyPatch, mail_as: Any
):
    world.options = replace(world.options, meetings=False, planning=PlanRules(mail_as=mail_as))
    for name in ("one@acme.com", "two@acme.com"):
        world.gmail.deliver(ANN, name, Subject=name)
    world.sync()
    parts: Any = SimpleNamespace(write_log=world.log, journal=world.journal)
    monkeypatch.setattr(doctoring_mails, "neighbours_of", lambda _parts: world.tools)
    assert list(mail_checks(parts)) == []
    world.tools.tasks.append(
        {
            "Id": "00TTOOL00000001AAA", "Subject": "Email: one@acme.com", "IsClosed": True, "OwnerId": "005ANN",
            "WhoId": "003EVE", "ActivityDate": "2026-07-01", KEY_FIELD: None,
        }
    )  # fmt: skip
    (check,) = mail_checks(parts)
    assert check.words.startswith("1 of the 2 mails that we logged last stand beside another tool's Tasks")
    assert "00TTOOL00000001AAA" in check.words


def test_where_mails_are_email_messages_nobodys_tasks_are_asked_for(world: SharedWorld):
    world.gmail.deliver(ANN, "new@acme.com")
    world.sync()
    assert "mail_tasks" not in world.tools.asked


def test_a_copy_of_our_own_event_is_never_written_whatever_the_setting(world: SharedWorld):
    for policy in ("refuse", "adopt", "write"):
        world.options = replace(world.options, calendar_loop=policy)
        if policy == "refuse":
            world.calendars.put("m")
            assert world.sync().written == {"Event": 1}
            (ours,) = world.event_org.events
            note = {"extendedProperties": {"private": {"id": ours}}}
        world.calendars.put(f"copy-{policy}", **note, iCalUID=f"copy-{policy}@x")
        report = world.sync()
        assert (report.written, report.skipped["copy_of_our_event"]) == ({}, 1)


def test_one_item_like_our_event_may_be_a_persons_double_and_two_are_a_loop(world: SharedWorld):
    later = (NOW + timedelta(minutes=5)).isoformat()
    for name in ("m", "n", "free"):
        world.calendars.put(name, summary=name)
        world.sync()
    world.calendars.put("m2", summary="m", created=later)
    world.calendars.put("fresh", summary="fresh")
    report = world.sync()
    assert (report.written, report.held, report.loop) == ({"Event": 1}, 1, "")
    ((outcome, reason, records), *_) = world.explain("m2")
    assert (outcome, "made after our own Event" in reason, len(records)) == ("held", True, 1)
    world.calendars.put("n2", summary="n", created=later)
    world.calendars.put("later", summary="later")
    report = world.sync()
    assert (report.written, report.held, report.loop) == ({}, 3, LOOP)
    assert f"! {LOOP}" in capture_lines(report)


def test_a_meeting_that_was_called_off_and_made_anew_gets_its_event(world: SharedWorld):
    world.calendars.put("m")
    world.sync()
    later = (NOW + timedelta(minutes=5)).isoformat()
    world.calendars.put("again", created=later)
    assert world.sync().held == 1, "the first one stands still"
    world.calendars.put("m", status="cancelled")
    assert world.sync().written == {"Event": 1, "Event.deleted": 1}
    world.calendars.put("again", status="cancelled")
    world.calendars.put("thrice", created=later)
    assert world.sync().written == {"Event": 1, "Event.deleted": 1}
    assert len(world.event_org.events) == 1


def test_a_copy_that_was_moved_since_is_still_a_copy(world: SharedWorld):
    world.options = replace(world.options, calendar_loop="write")
    later = (NOW + timedelta(minutes=5)).isoformat()
    for name in ("m", "n"):
        world.calendars.put(name, summary=name)
        world.sync()
        world.calendars.put(f"{name}2", summary=name, created=later)
    assert world.sync().held == 2
    world.calendars.put("m2", summary="Moved", created=later)
    assert world.sync().written == {}


def test_killed_between_adopting_and_recording_it_adopts_the_same_and_writes_nothing(world: SharedWorld):
    world.tools.put()
    world.calendars.put("m")

    def kill(point: str) -> None:
        if point == "journal.record_matches.before":
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faultpoints, "_hook", kill)
        with pytest.raises(KeyboardInterrupt):
            world.sync()
    world.tools.theirs.clear()  # whatever becomes of it meanwhile
    report = world.sync()
    assert (report.written, report.already_there, world.event_org.sent) == ({}, 1, [])


def test_after_a_loop_was_seen_no_event_is_written_changed_or_deleted_until_the_admin_decides(world: SharedWorld):
    world.calendars.put("m")
    world.sync()
    (ours,) = world.event_org.events
    world.calendars.put("copy", extendedProperties={"shared": {"from": ours}})
    world.sync()
    sent = len(world.event_org.sent)
    world.calendars.put("m", summary="Renamed")
    world.calendars.put("new", summary="New")
    world.gmail.deliver(ANN, "mail@acme.com")
    assert world.sync().written == {"EmailMessage": 1}, "everything else goes on"
    assert world.explain("new")[0][:2] == ("held", LOOP)
    assert world.event_org.events[ours]["Subject"] == "Demo"
    world.options = replace(world.options, calendar_loop="write")
    assert world.sync().written == {"Event": 1, "Event.changed": 1}
    assert len(world.event_org.sent) == sent + 2


def test_after_a_loop_was_seen_no_event_is_matched_anew_until_the_admin_decides(world: SharedWorld):
    eve = world.people.pop("eve@acme.com")
    world.domains["acme.com"] = (DomainAccount("001ACME"),)
    world.calendars.put("m")
    world.sync()
    (ours,) = world.event_org.events
    world.calendars.put("copy", extendedProperties={"shared": {"from": ours}})
    world.sync()
    world.people["eve@acme.com"] = eve
    world.state = "Eve is there"
    assert world.sync().written == {}
    world.options = replace(world.options, calendar_loop="write")
    assert world.sync().rematched == 1
    assert world.event_org.events[ours]["WhoId"] == "003EVE"


def test_events_left_to_the_other_tool_wait_for_it_and_are_adopted(world: SharedWorld):
    world.options = replace(world.options, calendar_loop="adopt")
    world.calendars.put("m")
    assert (world.sync().written, world.explain("m")[0][:2]) == ({}, ("held", LEFT))
    world.tools.put()
    assert [op.record_id for op in world.sync().adopted] == [THEIRS]
    assert world.event_org.sent == []


def test_where_the_org_does_not_show_its_events_meetings_wait_and_mail_is_written(world: SharedWorld):
    world.tools.refusal = RecordError("too many Events for this user", code="OPERATION_TOO_LARGE")
    world.calendars.put("m")
    world.gmail.deliver(ANN, "mail@acme.com")
    report = world.sync()
    assert (report.written, report.held, report.failure) == ({"EmailMessage": 1}, 1, None)
    assert "too many Events" in world.explain("m")[0][1]
    world.tools.refusal = None
    assert world.sync().written == {"Event": 1}


def test_an_idle_sync_asks_the_org_nothing_and_one_round_asks_it_once(world: SharedWorld):
    world.sync()
    assert world.tools.asked == []
    world.options = replace(world.options, round_size=100)
    for number in range(5):
        world.calendars.put(f"m{number}", summary=f"Demo {number}")
        world.gmail.deliver(ANN, f"mail{number}@acme.com")
    world.sync()
    assert sorted(world.tools.asked) == ["events", "mails"]
