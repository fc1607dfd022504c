"""Things that happen later, on the business clock and on the wall's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org import agenda
from leakwatch.sandbox.org.facade import Org, OrgSettings
from sandbox.org.org_kit import Api, Clock, Company


@pytest.fixture(autouse=True)
def only_notes(org: Org) -> None:
    """An agenda without what the org itself has put on it."""
    for item in org.agenda.items():
        org.agenda.cancel(item.number)


@pytest.fixture
def done() -> Iterator[list[Any]]:
    """What the deed `note` was told; it fails where it is told to."""
    told: list[Any] = []

    @agenda.deed("note")
    def note(org: Org, facts: dict[str, Any]) -> None:
        org.seed("Account", [{"Name": facts["name"]}])
        if facts.get("fail"):
            raise RuntimeError("as told")
        told.append((facts["name"], org.clock.now()))

    assert note
    yield told
    agenda._DEEDS.pop("note")  # pyright: ignore[reportPrivateUsage]


def test_a_client_that_only_polls_sees_what_is_due_by_wall_time(api: Api, org: Org, done: list[Any]) -> None:
    wall = org.sessions.wall_clock()
    org.sessions.wall_clock = lambda: wall
    org.agenda.add("note", {"name": "job"}, seconds=5)
    api.get("limits")
    assert not done
    wall += 5
    api.get("limits")
    assert [name for name, _ in done] == ["job"]
    assert org.agenda.items() == []


def test_what_is_due_by_business_time_happens_in_order_when_the_clock_has_moved(
    org: Org, clock: Clock, done: list[Any]
) -> None:
    for name, hours in (("second", 2), ("first", 1), ("third", 30)):
        org.agenda.add("note", {"name": name}, at=clock.now() + timedelta(hours=hours), seconds=10_000)
    assert org.agenda.run_due() == 0
    clock.advance(hours=3)
    assert org.agenda.run_due() == 2
    assert [name for name, _ in done] == ["first", "second"]
    assert org.agenda.next_at() == clock.now().replace(microsecond=0) + timedelta(hours=27)


def test_the_agenda_survives_a_restart_and_goes_with_a_saved_state(
    org: Org, clock: Clock, tmp_path: Path, done: list[Any]
) -> None:
    org.agenda.add("note", {"name": "kept"}, at=clock.now() + timedelta(hours=1))
    org.save(tmp_path / "saved")
    org.close()
    again = Org(tmp_path / "org", clock, settings=OrgSettings())
    clock.advance(hours=1)
    assert again.agenda.run_due() == 1
    again.restore(tmp_path / "saved")
    assert again.agenda.run_due() == 1
    assert [name for name, _ in done] == ["kept", "kept"]
    again.close()


def test_an_item_that_fails_is_undone_told_and_dropped(
    org: Org, company: Company, done: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    org.agenda.add("note", {"name": "half", "fail": True}, seconds=0)
    org.agenda.add("note", {"name": "whole"}, seconds=0)
    assert org.agenda.run_due() == 2
    assert [name for name, _ in done] == ["whole"]
    assert org.query("SELECT Id FROM Account WHERE Name = 'half'") == []
    assert "RuntimeError: as told" in capsys.readouterr().err


def test_a_cancelled_item_does_not_happen(org: Org, done: list[Any]) -> None:
    org.agenda.cancel(org.agenda.add("note", {"name": "no"}, seconds=0))
    assert (org.agenda.run_due(), done) == (0, [])


def test_a_served_org_does_what_is_due_without_being_called(org: Org) -> None:
    happened = threading.Event()
    agenda.deed("ring")(lambda _org, _facts: happened.set())
    org.agenda.watch()
    org.agenda.add("ring", {}, seconds=0.01)
    assert happened.wait(10)
