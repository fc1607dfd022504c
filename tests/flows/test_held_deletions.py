"""Too many deletions at once are held back until a person lets them go; everything else goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from capture_samples import ANN, BOB
from flows.capture_world import NOW
from flows.meeting_world import TOMORROW, MeetingWorld
from leakwatch.app.doctoring import _held
from leakwatch.app.looking import held_deletions
from leakwatch.cli.words import capture_lines
from leakwatch.core.deletion_limits import Deletion, DeletionLimits, hold_back
from leakwatch.model import Run, Verb, WriteOp
from leakwatch.store.capture_status import CaptureStatus

MANY = 25  # meetings of Ann's; more than a share is asked for


class Diary(MeetingWorld):
    """Ann calls many meetings, Bob a few; Ann's calendar can be lost."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.options = replace(self.options, round_size=10)
        for number in range(MANY):
            self.meet(f"a{number}", ANN, number)
        for number in range(3):
            self.meet(f"b{number}", BOB, number)

    def meet(self, event_id: str, owner: Any, number: int, **changes: Any) -> None:
        start = TOMORROW + timedelta(hours=number)
        people = [{"email": owner.address}, {"email": "eve@acme.com"}]
        times = {
            "start": {"dateTime": start.isoformat()},
            "end": {"dateTime": (start + timedelta(hours=1)).isoformat()},
        }
        more = {"organizer": {"email": owner.address}, "attendees": people}
        self.calendars.put(event_id, owner, **(times | more | changes))

    def lose(self, count: int = MANY) -> None:
        for number in range(count):
            self.meet(f"a{number}", ANN, number, status="cancelled")

    def allow(self, allowed: int | None = None, **limits: Any) -> None:
        self.options = replace(self.options, deletions=DeletionLimits(**limits, allowed=allowed))


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    made = Diary(tmp_path)
    made.sync()
    return made


def test_a_calendar_that_loses_its_meetings_keeps_its_events_and_what_others_do_goes_on(diary: Diary):
    diary.lose()
    diary.meet("b0", BOB, 0, status="cancelled")
    diary.meet("b1", BOB, 1, summary="Renamed")
    diary.meet("new", BOB, 5)
    report = diary.sync()
    assert report.written == {"Event": 1, "Event.changed": 1, "Event.deleted": 1}
    assert len(report.held_deletions) == MANY
    assert "25 of 25 in the calendar of ann@ourco.com" in report.held_why
    assert "sync --allow-deletes 25" in report.held_why
    assert len(diary.event_org.events) == MANY + 3
    assert report.complete
    assert any("held back" in line for line in capture_lines(report))


def test_a_dry_run_says_what_would_be_held_back_and_does_not_count_it_among_the_writes(diary: Diary):
    diary.lose()
    shown = diary.sync(dry_run=True)
    assert (shown.operations, len(shown.held_deletions), shown.planned) == ((), MANY, {})
    assert [op.op_id for op in diary.sync().held_deletions] == [op.op_id for op in shown.held_deletions]


def test_what_is_held_back_is_wanted_again_by_each_sync_and_explained(diary: Diary):
    diary.lose()
    diary.sync()
    again = diary.sync()
    assert (len(again.held_deletions), again.written) == (MANY, {})
    (one, *_) = CaptureStatus(diary.engine).explain("a0")
    assert (one.outcome, "held back" in one.reason) == ("written", True)


def test_let_go_for_one_run_all_are_deleted_and_the_next_is_held_back_again(diary: Diary):
    diary.lose()
    diary.sync()
    diary.allow(MANY - 1)
    few = diary.sync()
    assert (few.written, "24 were allowed" in few.held_why) == ({}, True)
    diary.allow(MANY)
    assert diary.sync().written == {"Event.deleted": MANY}
    assert len(diary.event_org.events) == 3
    (one, *_) = CaptureStatus(diary.engine).explain("a0")
    assert one.outcome == "skipped"


def test_meetings_that_come_back_are_held_back_no_more(diary: Diary):
    diary.lose()
    diary.sync()
    for number in range(MANY):
        diary.meet(f"a{number}", ANN, number)
    report = diary.sync()
    assert (report.held_deletions, report.written, len(diary.event_org.events)) == ((), {}, MANY + 3)


def test_a_few_meetings_called_off_are_deleted_whatever_share_they_are(diary: Diary):
    diary.lose(20)
    assert diary.sync().written == {"Event.deleted": 20}


def test_the_number_holds_back_all_where_no_calendar_loses_much(diary: Diary):
    diary.allow(per_run=3)
    diary.lose(4)
    assert len(diary.sync().held_deletions) == 4
    diary.allow(per_run=4)
    assert diary.sync().written == {"Event.deleted": 4}


@pytest.mark.parametrize(
    ("gone", "standing", "total", "held"),
    [
        (20, 20, 20, 0),  # so few say nothing
        (21, 40, 1_000, 21),  # more than half of one calendar
        (21, 42, 1_000, 0),  # half of it
        (21, 42, 41, 21),  # more than half of all
        (200, 1_000, 1_000, 0),
        (201, 1_000, 10_000, 201),  # too many whatever the share
        (21, 0, 0, 21),  # nothing is known to stand: a share of nothing is too much
    ],
)
def test_the_limits_are_a_number_of_all_and_a_share_of_each(gone: int, standing: int, total: int, held: int):
    ops = [WriteOp(str(number), "Event", Verb.DELETE, None, {}, "off") for number in range(gone)]
    found = hold_back([Deletion(op, frozenset({"ann"})) for op in ops], {"ann": standing}, total, DeletionLimits())
    assert (len(found.ops), bool(found.why)) == (held, held > 0)


def test_only_the_calendar_that_loses_too_much_is_held_back():
    ops = [WriteOp(str(number), "Event", Verb.DELETE, None, {}, "off") for number in range(26)]
    wanted = [Deletion(op, frozenset({"ann" if int(op.op_id) < 22 else "bob"})) for op in ops]
    limits = DeletionLimits(per_run=100, share=Decimal("0.50"))
    found = hold_back(wanted, {"ann": 22, "bob": 4}, 500, limits)
    assert {op.op_id for op in found.ops} == {str(number) for number in range(22)}


def test_doctor_says_so_until_a_sync_holds_nothing_back():
    held = Run("r", "capture", NOW, finished_at=NOW, complete=True, counts={"deletions.held": 25})
    runs = [replace(held, dry_run=True, counts={}), held]
    parts: Any = SimpleNamespace(runs=SimpleNamespace(latest=lambda flow: runs))
    assert held_deletions(parts) == 25
    (check,) = _held(parts)
    assert (check.state, "25 deletions" in check.words, "--allow-deletes 25" in check.fix) == ("bad", True, True)
    runs[:] = [replace(held, counts={"deletions.held": 0}), held]
    assert list(_held(parts)) == []
