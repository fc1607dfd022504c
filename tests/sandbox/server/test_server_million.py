"""The world `million`, small: poured into the org in bulk, it is what it would be loaded row by row."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox import filling
from leakwatch.sandbox.__main__ import main
from leakwatch.sandbox.clock import format_instant
from leakwatch.sandbox.org import dump, ids
from leakwatch.sandbox.server import Options, open_stage
from leakwatch.sandbox.stage import Stage, StageError
from leakwatch.sandbox.world.check import WorldError
from leakwatch.sandbox.world.expect import truth_now
from leakwatch.sandbox.world.generate import generate
from leakwatch.sandbox.world.million import COLUMNS
from leakwatch.sandbox.world.state import audits
from leakwatch.sandbox.world.truth import evaluate, planted

SCALE = 0.00012  # 120 deals: each planted case once
DEALS = 120


@pytest.fixture(scope="module")
def poured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("million")
    stage, _ = open_stage(Options(folder, "million", scale=SCALE))
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The same as a world file, which goes the way of every world."""
    folder = tmp_path_factory.mktemp("loaded")
    file = folder / "a-file.json"
    assert main(["world", "million", "--scale", str(SCALE), "-o", str(file)]) == 0
    stage, _ = open_stage(Options(folder, str(file)))
    yield stage
    stage.close()


def rows(stage: Stage, sobject: str) -> list[dict[str, Any]]:
    return [dict(row) for row in stage.org.store.execute(f'SELECT * FROM "{sobject}" ORDER BY Id').fetchall()]


@pytest.mark.parametrize("sobject", [*COLUMNS, "User"])
def test_poured_rows_are_column_by_column_what_seeding_one_by_one_makes(
    poured: Stage, loaded: Stage, sobject: str
) -> None:
    assert rows(poured, sobject) == rows(loaded, sobject)


def test_it_has_as_many_rows_as_its_numbers_say(poured: Stage) -> None:
    found = {name: len(rows(poured, name)) for name in COLUMNS}
    assert found == {"Account": 12, "Contact": 30, "Opportunity": DEALS, "Task": 4 * DEALS, "Event": DEALS}


def test_its_indexes_are_those_of_any_org(poured: Stage, loaded: Stage) -> None:
    sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name"
    found, wanted = (list(map(tuple, one.org.store.execute(sql).fetchall())) for one in (poured, loaded))
    assert found == wanted


def test_what_is_planted_by_formula_is_what_the_rules_find_at_every_audit() -> None:
    world = generate("million", 7, scale=0.0005)
    counts = []
    for now in audits(world):
        assert evaluate(world, now) == planted(world, now)
        counts.append(len(planted(world, now)))
    assert counts[0] < counts[-1]


def test_another_seed_gives_other_rows_and_the_same_one_the_same() -> None:
    first, again, other = (generate("million", seed, scale=0.0001).records for seed in (7, 7, 8))
    assert first == again != other


def test_the_truth_names_ids_of_rows_although_nobody_keeps_them(poured: Stage, loaded: Stage) -> None:
    for days in (0, 20):
        now = poured.world.start + timedelta(days=days)
        found, wanted = (truth_now(one.world, now, one.player.refs) for one in (poured, loaded))
        assert found == wanted
        assert {item["rule"] for item in found["findings"]} == {
            "opp_close_overdue",
            "opp_lost_without_reason",
            "opp_price_deviation",
        }


def test_references_reach_from_the_first_row_to_the_last_and_no_further(poured: Stage) -> None:
    refs = poured.player.refs
    assert refs["@task:480"] == ids.make("00T", 480)
    assert poured.player.objects["@task:480"] == "Task"
    for name in ("@task:481", "@task:0", "@opp:x", "@lead:1", "task"):
        assert name not in refs
        assert refs.get(name) is None


def test_a_second_start_finds_it_and_what_happened_meanwhile(tmp_path: Path) -> None:
    options = Options(tmp_path, "million", scale=0.00001)
    stage, _ = open_stage(options)
    stage.play_until(stage.world.start + timedelta(days=2))
    refs = stage.player.refs
    stage.org.update("Opportunity", refs["@opp:3"], {"NextStep": "call"}, user_id=refs["@user:rep1"])
    stage.close()
    again, _ = open_stage(options)
    assert again.org.get("Opportunity", again.player.refs["@opp:3"])["NextStep"] == "call"
    assert again.clock.now() == again.world.start + timedelta(days=2)
    assert truth_now(again.world, again.clock.now(), again.player.refs)["as_of"] == format_instant(again.clock.now())
    again.close()


def test_a_reset_is_refused_with_what_to_do_instead(poured: Stage) -> None:
    with pytest.raises(StageError, match="start the sandbox with --reset instead"):
        poured.reset()


def test_an_org_too_large_to_be_dumped_says_what_to_use_instead(poured: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    every = sum(map(len, poured.org.dump().values()))
    monkeypatch.setattr(dump, "MOST", every)
    assert len(poured.org.dump()["Opportunity"]) == DEALS
    monkeypatch.setattr(dump, "MOST", every - 1)
    with pytest.raises(ValueError, match=rf"more than {every - 1:,}; .* Bulk API 2.0 query job, which is streamed"):
        poured.org.dump()


def test_a_disk_too_small_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(filling.shutil, "disk_usage", lambda _path: usage._replace(free=1_000_000_000))
    assert main(["serve", "--world", "million", "--dir", str(tmp_path)]) == 3
    assert "1,000,000 deals takes about" in (said := capsys.readouterr().err)
    assert "has 1.0 GB left" in said
    assert not (tmp_path / "world.json").exists()


@pytest.mark.parametrize("scale", ["0", "1.5", "-1"])
def test_a_share_that_is_none_is_refused(tmp_path: Path, scale: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--world", "million", "--scale", scale, "--dir", str(tmp_path)]) == 3
    assert "above 0 and at most 1" in capsys.readouterr().err


def test_more_than_memory_should_hold_is_no_world_file() -> None:
    with pytest.raises(WorldError, match="too many for a file"):
        generate("million", 7)


def test_what_was_seeded_is_written_once_and_not_at_every_step(loaded: Stage) -> None:
    loaded.play_until(loaded.clock.now() + timedelta(days=1))
    state = json.loads((loaded.folder / "stage.json").read_text(encoding="utf-8"))
    assert state["refs"] == state["objects"] == {}
    seeded = json.loads((loaded.folder / "refs.json").read_text(encoding="utf-8"))
    assert seeded["refs"]["@opp:7"] == loaded.player.refs["@opp:7"] == ids.make("006", 7)
    assert seeded["objects"]["@opp:7"] == "Opportunity"
