"""Taking back what one run of capture wrote: exactly that, whatever happens on the way, and not written again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from capture_samples import ANN, BOB
from flows.capture_world import NOW, LoggedWriter, Org, World, fill
from flows.meeting_world import TOMORROW, MeetingWorld
from leakwatch import faultpoints
from leakwatch.core.meeting_record import PRIVATE
from leakwatch.core.undo import (
    CHANGED,
    ENTERED,
    HIDDEN,
    NOT_OURS,
    REPLACED,
    TASK_CHANGED,
    WAS_DELETED,
    OrgNow,
    plan_undo,
)
from leakwatch.flows.undo import UndoDoors, UndoReport, undo
from leakwatch.model import KEY_FIELD, Outcome, Verb, WriteOp, WriteResult, WriteStatus
from leakwatch.store.capture_status import CaptureStatus


class UndoOrg(Org):
    """An org whose mails can be deleted; `leaves_tasks`: their Tasks stay when they go."""

    def __init__(self) -> None:
        super().__init__()
        self.leaves_tasks = False
        self.made = 0

    def _with_own_ids(self, result: WriteResult) -> WriteResult:
        """Give what was just made ids that no record had before, and the stamps of its maker."""
        if not result.created:
            return result
        self.made += 1
        (row,) = [row for row in self.mails.values() if row["Id"] == result.record_id]
        task = self.tasks.pop(row["ActivityId"])
        row |= {"Id": f"02s{self.made:015}", "ActivityId": f"00T{self.made:015}"}
        task |= {"Id": row["ActivityId"], "LastModifiedById": task["CreatedById"]}
        self.tasks[task["Id"]] = task
        return replace(result, record_id=row["Id"])

    def carry_out(self, op: WriteOp) -> WriteResult:
        if op.verb is not Verb.DELETE:
            return self._with_own_ids(super().carry_out(op))
        if op.sobject in self.refuse:
            return WriteResult(op.op_id, WriteStatus.REFUSED, code=self.refuse[op.sobject], message="not yours")
        assert op.record_id is not None
        if op.sobject == "Task":
            del self.tasks[op.record_id]
        else:
            (key,) = [key for key, row in self.mails.items() if row["Id"] == op.record_id]
            task = self.mails.pop(key)["ActivityId"]
            if not self.leaves_tasks:
                self.tasks.pop(task, None)
        return WriteResult(op.op_id, WriteStatus.DONE, op.record_id)


def take_back(world: World, org: Any, of_run: str, *, dry_run: bool = False, run_id: str = "undo1") -> UndoReport:
    logged = [one for one in world.log.by_run(of_run) if one.status in ("done", "already_there")]
    found = [one.op for one in logged if one.op.verb is Verb.INSERT and not one.created]
    doors = UndoDoors(
        world.journal,
        LoggedWriter(org, world.log),
        org,
        world.log.history,
        world.log.ops,
        world.log.mark_undone,
        calls=len,
    )
    writes = [one.op for one in logged if one.op not in found]
    return undo(of_run, writes, found, doors, run_id=run_id, now=NOW, dry_run=dry_run)


@pytest.fixture(autouse=True)
def _no_hook() -> Iterator[None]:
    yield
    faultpoints.install(None)


@pytest.fixture
def mails(tmp_path: Path) -> World:
    """Two reps whose mails were captured by the run `one`, and one mail more by the run `two`."""
    world = World(tmp_path)
    world.org = UndoOrg()
    fill(world)
    world.capture(run_id="one")
    world.gmail.deliver(ANN, "late@acme.com", Subject="Late")
    world.capture(run_id="two")
    return world


def keys_of(world: World, run_id: str) -> set[str | None]:
    return {one.op.key for one in world.log.by_run(run_id) if one.op.key}


def test_a_dry_run_names_each_record_and_changes_nothing(mails: World):
    before = mails.org.state()
    shown = take_back(mails, mails.org, "one", dry_run=True)
    assert {op.record_id for op in shown.operations} == {
        row["Id"] for key, row in mails.org.mails.items() if key in keys_of(mails, "one")
    }
    assert (shown.removed["EmailMessage"], shown.calls) == (7, 7)
    assert mails.org.state() == before
    assert mails.journal.withheld(keys_of(mails, "one")) == {}


def test_what_the_run_wrote_goes_with_its_tasks_and_what_another_run_wrote_stays(mails: World):
    late = mails.org.mails[next(iter(keys_of(mails, "two") - {None}))]
    report = take_back(mails, mails.org, "one")
    assert report.complete
    assert report.removed == {"EmailMessage": 7}
    assert list(mails.org.mails.values()) == [late]
    assert list(mails.org.tasks) == [late["ActivityId"]]


def test_tasks_that_salesforce_leaves_standing_are_deleted_too(mails: World):
    mails.org.leaves_tasks = True
    take_back(mails, mails.org, "one")
    assert len(mails.org.tasks) == 1
    assert {one.status for one in mails.log.by_run("one")} == {"undone"}


def test_a_task_that_may_not_be_deleted_is_named(mails: World):
    mails.org.leaves_tasks = True
    mails.org.refuse["Task"] = "INSUFFICIENT_ACCESS_OR_READONLY"
    report = take_back(mails, mails.org, "one")
    assert {one.sobject for one in report.refused} == {"Task"}
    assert report.removed == {"EmailMessage": 7}


def test_no_sync_writes_it_again_also_not_when_another_copy_comes_or_all_is_read_anew(mails: World):
    take_back(mails, mails.org, "one")
    mails.gmail.deliver(BOB, "more1@acme.com", Subject="More 1", To="ann@ourco.com")
    mails.gmail.deliver(ANN, "more1@acme.com", Subject="More 1", To="ann@ourco.com")
    shown = mails.capture(run_id="three", dry_run=True)
    assert shown.operations == ()
    assert mails.capture(run_id="three").written == {}
    assert mails.capture(run_id="four", full=True).written == {}
    assert len(mails.org.mails) == 1


def test_explain_says_which_run_took_it_back_and_how_it_is_let_go(mails: World):
    take_back(mails, mails.org, "one")
    key = next(iter(keys_of(mails, "one")))
    assert key
    (found, *_) = CaptureStatus(mails.engine).explain(key)
    assert found.outcome == "undone"
    assert "Undone by run undo1" in found.reason
    assert "--run one --release" in found.reason


def test_released_it_is_written_again_and_given_to_its_rep_and_can_be_undone_again(mails: World):
    _, owners = mails.org.state()
    take_back(mails, mails.org, "one")
    assert mails.journal.let_go(keys_of(mails, "one") - {None}, Outcome.UNDONE, now=NOW) == 7
    assert mails.capture(run_id="three").written == {"EmailMessage": 7}
    assert mails.org.state()[1] == owners
    assert take_back(mails, mails.org, "three", run_id="undo2").removed == {"EmailMessage": 7}
    assert len(mails.org.mails) == 1


def test_undone_twice_the_second_finds_nothing(mails: World):
    take_back(mails, mails.org, "one")
    again = take_back(mails, mails.org, "one", run_id="undo2")
    assert (again.removed, again.gone, again.kept, again.operations) == ({}, 0, [], ())


def test_what_a_person_changed_took_over_or_deleted_stays_so_with_its_reason(mails: World):
    touched, tasked, renamed, deleted, *_ = (mails.org.mails[key] for key in sorted(keys_of(mails, "one") - {None}))
    touched["LastModifiedById"] = "005EVE"
    mails.org.tasks[tasked["ActivityId"]]["LastModifiedById"] = "005EVE"
    renamed[KEY_FIELD] = "theirs"
    del mails.org.mails[deleted[KEY_FIELD]]
    report = take_back(mails, mails.org, "one")
    assert {one.record_id: one.why for one in report.kept} == {
        touched["Id"]: CHANGED, tasked["Id"]: TASK_CHANGED, renamed["Id"]: NOT_OURS,
    }  # fmt: skip
    assert (report.removed, report.gone) == ({"EmailMessage": 3}, 1)
    # What stays is followed as before; what the person deleted is no business of the undo.
    assert len(mails.journal.withheld(keys_of(mails, "one") - {None})) == 3


def test_what_salesforce_will_not_let_go_is_named_and_followed_again(mails: World):
    mails.org.refuse["EmailMessage"] = "DELETE_FAILED"
    report = take_back(mails, mails.org, "one")
    assert not report.complete
    assert {one.why for one in report.refused} == {"DELETE_FAILED: not yours"}
    assert mails.journal.withheld(keys_of(mails, "one") - {None}) == {}
    mails.org.refuse.clear()
    assert take_back(mails, mails.org, "one", run_id="undo2").removed == {"EmailMessage": 7}


class Killed(BaseException):
    """The process ended here."""


def killed_at(number: int) -> Callable[[str], None]:
    left = [number]

    def hook(_name: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    return hook


def test_killed_at_any_point_and_run_again_it_ends_as_undisturbed(tmp_path: Path):
    points = 0
    while True:
        points += 1
        folder = tmp_path / str(points)
        folder.mkdir()
        world = World(folder)
        world.org = UndoOrg()
        world.org.leaves_tasks = True
        for number in range(2):
            world.gmail.deliver(ANN, f"m{number}@acme.com", Subject=str(number))
        world.capture(run_id="one")
        faultpoints.install(killed_at(points))
        try:
            take_back(world, world.org, "one")
        except Killed:
            faultpoints.install(None)
            settle(world)
            assert world.capture(run_id="between").written == {}  # a sync in between takes it as it is
            take_back(world, world.org, "one", run_id="undo2")
            ended = False
        else:
            ended = True
        faultpoints.install(None)
        assert (world.org.mails, world.org.tasks) == ({}, {}), points
        assert {one.status for one in world.log.by_run("one")} == {"undone"}, points
        assert set(world.journal.withheld(keys_of(world, "one")).values()) == {Outcome.UNDONE}, points
        world.engine.dispose()
        if ended:
            break
    assert points > 8


def settle(world: World) -> None:
    """What the writer does before a run: look up what was in flight. A deletion landed if the row is gone."""
    there = {row["Id"] for row in (*world.org.mails.values(), *world.org.tasks.values())}
    world.log.finish(
        [
            WriteResult(op.op_id, WriteStatus.RETRY if op.record_id in there else WriteStatus.DONE, op.record_id)
            for op in world.log.in_doubt()
        ],
        now=NOW,
    )


# --- meetings ---


@pytest.fixture
def meetings(tmp_path: Path) -> MeetingWorld:
    return MeetingWorld(tmp_path)


def synced(world: MeetingWorld, run_id: str, **options: Any) -> None:
    """Sync, and let the writes of it be those of `run_id`."""
    before = {one.op.op_id for one in world.log.by_run("run")}
    world.sync(**options)
    world.named = {**getattr(world, "named", {}), run_id: {one.op.op_id for one in world.log.by_run("run")} - before}


def undone(world: MeetingWorld, run_id: str) -> UndoReport:
    writes = [one.op for one in world.log.by_run("run") if one.op.op_id in world.named[run_id]]
    org = world.event_org
    doors = UndoDoors(
        world.journal, LoggedWriter(org, world.log), org, world.log.history, world.log.ops,  # type: ignore[arg-type]
        world.log.mark_undone, calls=len,
    )  # fmt: skip
    return undo(run_id, writes, [], doors, run_id="undo", now=NOW, dry_run=False)


def test_an_event_that_the_run_made_goes_although_a_later_run_moved_it(meetings: MeetingWorld):
    meetings.calendars.put("m")
    synced(meetings, "one")
    meetings.calendars.put("m", start={"dateTime": (TOMORROW + timedelta(hours=2)).isoformat()},
                           end={"dateTime": (TOMORROW + timedelta(hours=3)).isoformat()})  # fmt: skip
    synced(meetings, "two")
    assert undone(meetings, "one").removed == {"Event": 1}
    assert meetings.event_org.events == {}
    meetings.calendars.put("m", summary="Renamed")
    assert meetings.sync().written == {}


def test_of_an_event_made_before_the_run_only_what_the_run_changed_is_put_back(meetings: MeetingWorld):
    meetings.calendars.put("m")
    synced(meetings, "one")
    before = dict(meetings.event)
    meetings.calendars.put("m", summary="Renamed", start={"dateTime": (TOMORROW + timedelta(hours=2)).isoformat()},
                           end={"dateTime": (TOMORROW + timedelta(hours=3)).isoformat()})  # fmt: skip
    synced(meetings, "two")
    assert meetings.event["Subject"] == "Renamed"
    assert undone(meetings, "two").put_back == {"Event": 1}
    assert meetings.event == before
    assert meetings.sync().written == {}
    (key,) = {one.op.key for one in meetings.log.by_run("run")}
    assert key
    meetings.journal.let_go([key], Outcome.UNDONE, now=NOW)
    assert meetings.sync().written == {"Event.changed": 1}
    assert meetings.event["Subject"] == "Renamed"


def test_an_event_that_a_person_edited_since_stays(meetings: MeetingWorld):
    meetings.calendars.put("m")
    synced(meetings, "one")
    meetings.event["Subject"] = "Theirs"
    (kept,) = undone(meetings, "one").kept
    assert kept.why == CHANGED
    assert meetings.event["Subject"] == "Theirs"


def test_what_the_run_hid_is_not_shown_again(meetings: MeetingWorld):
    meetings.calendars.put("m", ANN)
    synced(meetings, "one")
    meetings.calendars.put("m", ANN, visibility="private")
    synced(meetings, "two")
    assert meetings.event["Subject"] == PRIVATE
    (kept,) = undone(meetings, "two").kept
    assert kept.why == HIDDEN
    assert meetings.event["Subject"] == PRIVATE


def test_an_event_that_the_run_deleted_lies_in_the_recycle_bin_and_is_named(meetings: MeetingWorld):
    meetings.calendars.put("m")
    synced(meetings, "one")
    meetings.calendars.put("m", status="cancelled")
    synced(meetings, "two")
    assert meetings.event_org.events == {}
    (kept,) = undone(meetings, "two").kept
    assert kept.why == WAS_DELETED
    (kept,) = undone(meetings, "one").kept
    assert kept.why == REPLACED


def test_a_released_event_is_made_again_and_its_coming_changes_are_followed(meetings: MeetingWorld):
    meetings.calendars.put("m")
    synced(meetings, "one")
    undone(meetings, "one")
    (key,) = {one.op.key for one in meetings.log.by_run("run")}
    assert key
    meetings.journal.let_go([key], Outcome.UNDONE, now=NOW)
    assert meetings.sync().written == {"Event": 1}
    meetings.calendars.put("m", summary="Renamed")
    assert meetings.sync().written == {"Event.changed": 1}
    assert meetings.event["Subject"] == "Renamed"


@pytest.mark.parametrize("sobject", ["Contact", "Lead"])
def test_whom_the_run_entered_stays_and_is_named(sobject: str):
    write = WriteOp(
        "lw1:p:1|insert", sobject, Verb.INSERT, None, {"Email": "eve@acme.com"}, "talks", record_id="003EVE"
    )
    (plan,) = plan_undo([write], [], OrgNow({"003EVE": {"Id": "003EVE"}}, {}, {}))
    assert (plan.op, plan.why) == (None, ENTERED)
