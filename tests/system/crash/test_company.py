"""A few cases of the long run (`long_run.py`) in each run of the suite: undoing, entering people, an org away."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from system.crash.cases import FAULTS, ODDITIES, Case
from system.crash.emulated import dice_of
from system.crash.long_run import cases_of

pytestmark = pytest.mark.timeout(900)  # of the fixture: ten CPU seconds, on a machine that may be very busy


@pytest.fixture(scope="module")
def lived() -> dict[str, Any]:
    """What became of the cases of `company_part.py`, which must run in a process with one thread."""
    tests = Path(__file__).parents[2]
    command = [sys.executable, "-m", "system.crash.company_part"]
    done = subprocess.run(command, cwd=tests, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def _wrong(scene: dict[str, Any]) -> dict[str, list[str]]:
    return {
        f"{place}, {scene['points'][place - 1]}": one["wrong"] for place, one in scene["played"].items() if one["wrong"]
    }


def test_undo_killed_at_every_third_point_and_run_again_it_ends_as_undisturbed(
    lived: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    scene = lived["undo-0"]
    record_property("kill_points", len(scene["played"]))
    assert scene["result"]["removed.EmailMessage"] > 0
    assert scene["result"]["removed.Event"] > 0
    assert {"undo.after_apply", "write_log.undone.stored"} <= set(scene["points"])
    assert [one["kills"] for one in scene["played"].values()] == [1] * len(scene["played"])
    assert _wrong(scene) == {}


def test_killed_while_people_are_entered_each_is_entered_once(
    lived: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    scene = lived["capture-3"]
    record_property("kill_points", len(scene["played"]))
    assert scene["result"]["written.Contact"] > 0
    assert _wrong(scene) == {}


def test_while_salesforce_is_away_mailboxes_are_read_and_written_once_it_is_back(lived: dict[str, Any]) -> None:
    away = lived["away"]
    assert away["exit"] == 75
    assert away["waiting"] > 0
    assert away["after"] == 0
    assert sum(count for name, count in away["written"].items() if name.startswith("written.")) > 0


def test_the_cases_of_a_scene_follow_from_their_name_alone_and_hold_every_point() -> None:
    cases = dict(cases_of("1/0/capture-3", 30))
    assert cases == dict(cases_of("1/0/capture-3", 30))
    assert cases != dict(cases_of("1/1/capture-3", 30))
    assert [case.kills for name, case in cases.items() if name.startswith("single/")] == [(n,) for n in range(1, 31)]
    assert len(cases) == 90
    assert all(2 <= len(case.kills) <= 5 for name, case in cases.items() if name.startswith("chain/"))


def test_every_kind_of_fault_is_drawn_and_is_a_rule_of_the_sandbox() -> None:
    drawn: set[str] = set()
    for name, case in cases_of("1/0/capture-0", 80):
        assert isinstance(case, Case), name
        drawn |= case.faults.keys()
    assert drawn == FAULTS.keys()
    assert dice_of("a", 1).random() == dice_of("a", 1).random()


def test_the_page_about_chaos_counts_the_troubles_right() -> None:
    page = (Path(__file__).parents[3] / "docs" / "chaos.md").read_text(encoding="utf-8")
    assert f"one to three of {len(FAULTS) + len(ODDITIES)} troubles" in " ".join(page.split())
