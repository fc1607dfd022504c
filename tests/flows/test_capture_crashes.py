"""Killed at any boundary and run again, capture ends in the state of an undisturbed run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.capture_world import World, fill
from leakwatch import faultpoints


class Killed(BaseException):
    """The process ends here: no handler below may swallow it, open transactions are rolled back."""


def undisturbed(folder: Path) -> tuple[Any, list[str]]:
    """Return the org's end state, and the boundaries passed on the way."""
    passed: list[str] = []
    world = World(folder)
    fill(world)
    faultpoints.install(passed.append)
    try:
        world.capture()
    finally:
        faultpoints.install(None)
    world.engine.dispose()
    return world.org.state(), passed


def killed_at(folder: Path, place: int) -> Any:
    """Return the org's end state after a run killed at the `place`-th boundary and a second, whole one."""
    world = World(folder)
    fill(world)
    reached = 0

    def kill(_name: str) -> None:
        nonlocal reached
        reached += 1
        if reached == place:
            raise Killed

    faultpoints.install(kill)
    try:
        with pytest.raises(Killed):
            world.capture()
    finally:
        faultpoints.install(None)
    world.engine.dispose()
    survivor = World(folder)
    survivor.gmail, survivor.org = world.gmail, world.org
    survivor.capture()
    again = survivor.capture()
    assert again.planned == {}
    survivor.engine.dispose()
    return survivor.org.state()


def test_killed_at_every_boundary_it_ends_as_if_undisturbed(tmp_path: Path):
    expected, passed = undisturbed(tmp_path / "whole")
    assert len(passed) > 30
    names = set(passed)
    assert {
        "journal.commit_page.inside",
        "write_log.begin.after",
        "capture.after_apply",
        "capture.after_owners",
    } <= names
    for place in range(1, len(passed) + 1):
        assert killed_at(tmp_path / str(place), place) == expected, passed[place - 1]
