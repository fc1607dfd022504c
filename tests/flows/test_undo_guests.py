"""Taking back a changed guest list: the record names again whom it named before, unless somebody changed that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from capture_samples import NINE
from flows.meeting_world import MeetingWorld
from flows.test_meeting_guests import EVE, ZED, guests, named
from flows.test_undo import synced, undone
from leakwatch.core.plan import PlanRules
from leakwatch.core.undo import CHANGED, NOT_KNOWN
from leakwatch.errors import RecordError
from leakwatch.model import Outcome, Person

YESTERDAY = {
    "start": {"dateTime": (NINE - timedelta(days=1)).isoformat()},
    "end": {"dateTime": (NINE - timedelta(hours=23)).isoformat()},
}


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> MeetingWorld:
    found = MeetingWorld(tmp_path)
    found.people[ZED] = (Person("003ZED", "Contact", "Zed", "001ACME"),)
    kind = getattr(request, "param", "event")
    found.options = replace(found.options, planning=PlanRules(shared_activities=True, meetings_as=kind))
    return found


def meet(world: MeetingWorld, *people: str, run: str) -> None:
    """The meeting has these guests, and a sync called `run` sees it."""
    world.calendars.put("m", **guests(*people), **YESTERDAY)
    synced(world, run)


@pytest.mark.parametrize(
    ("world", "before", "after", "were"),
    [
        ("event", (EVE,), (EVE, ZED), ["003EVE"]),
        ("event", (EVE, ZED), (ZED,), ["003EVE", "003ZED"]),
        ("event", (EVE,), (ZED,), ["003EVE"]),
        ("task", (EVE,), (ZED,), ["003EVE"]),
    ],
    ids=["one more", "one less", "another", "another on a task"],
    indirect=["world"],
)
def test_the_guests_are_those_of_before_the_run_until_it_is_released(
    world: MeetingWorld, before: tuple[str, ...], after: tuple[str, ...], were: list[str]
):
    meet(world, *before, run="one")
    meet(world, *after, run="two")
    became = list(named(world))
    assert became != were
    kind = world.event_org.sent[0].sobject
    report = undone(world, "two")
    assert (report.put_back, report.kept) == ({kind: 1}, [])
    assert named(world) == were
    assert world.sync().written == {}
    assert undone(world, "two").operations == ()
    (key,) = {one.op.key for one in world.log.by_run("run")}
    world.journal.let_go([str(key)], Outcome.UNDONE, now=NINE)
    assert world.sync().written == {f"{kind}.changed": 1}
    assert sorted(named(world)) == sorted(became)


def test_several_changes_of_one_run_are_one_way_back(world: MeetingWorld):
    meet(world, EVE, run="one")
    meet(world, EVE, ZED, run="two")
    meet(world, ZED, run="three")
    world.named["both"] = world.named["two"] | world.named["three"]  # type: ignore[attr-defined]
    assert sum(undone(world, "both").put_back.values()) == 1
    assert named(world) == ["003EVE"]


@pytest.mark.parametrize(
    "theirs", [["003EVE", "003ZED", "003THEIRS"], ["003EVE", "003ZED"]], ids=["added", "taken away"]
)
def test_whom_a_person_related_or_took_away_since_decides_and_is_left(world: MeetingWorld, theirs: list[str]):
    world.people["kim@acme.com"] = (Person("003KIM", "Contact", "Kim", "001ACME"),)
    meet(world, EVE, run="one")
    meet(world, EVE, ZED, "kim@acme.com", run="two")
    (record,) = world.event_org.events
    world.event_org.people[record] = theirs
    (kept,) = undone(world, "two").kept
    assert kept.why == CHANGED
    assert named(world) == theirs


def test_a_record_that_the_run_made_stays_where_a_person_related_somebody_to_it(world: MeetingWorld):
    meet(world, EVE, ZED, run="one")
    (record,) = world.event_org.events
    world.event_org.people[record].append("003THEIRS")
    (kept,) = undone(world, "one").kept
    assert kept.why == CHANGED
    world.event_org.people[record].remove("003THEIRS")
    assert sum(undone(world, "one").removed.values()) == 1


@pytest.mark.parametrize("shown", ["refused", "in part"])
def test_what_the_org_does_not_show_whole_stays(world: MeetingWorld, monkeypatch: pytest.MonkeyPatch, shown: str):
    meet(world, EVE, run="one")
    meet(world, EVE, ZED, run="two")

    def related(_sobject: str, field: str, parents: Any, _fields: Any) -> list[dict[str, Any]]:
        if shown == "refused":
            raise RecordError("no such column", code="INVALID_FIELD")
        return [{field: one, "RelationId": "003ZED", "IsWhat": False, "IsParent": True} for one in parents]

    monkeypatch.setattr(world.event_org, "related", related)
    (kept,) = undone(world, "two").kept
    assert kept.why == NOT_KNOWN
    assert sorted(named(world)) == ["003EVE", "003ZED"]
