"""The process in which a customer's own SQL runs: what gets past the linter still hits a wall."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leakwatch.errors import LeakwatchError
from leakwatch.rule_engine.isolated import ChildLimits, run_isolated
from mirror_data import publish

SMALL = ChildLimits(cpu_seconds=2, wall_seconds=30, memory_mb=128, temp_mb=16, max_rows=1000)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snapshot")
    return Path(publish(folder, {"Lead": [{"Id": "00Q000000000001AAA", "Name": "x"}]}).path)


def refused(snapshot: Path, sql: str, limits: ChildLimits = SMALL) -> str:
    with pytest.raises(LeakwatchError) as caught:
        run_isolated(snapshot, sql, limits)
    return str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS a; SELECT 2 AS b",
        "CREATE TEMP TABLE t AS SELECT 1",
        "CREATE TEMP MACRO sum(x) AS 0",
        "PRAGMA database_list",
        "SET memory_limit = '100GB'",
        "DELETE FROM sf_lead",
    ],
)
def test_anything_but_one_select_is_refused(snapshot: Path, sql: str) -> None:
    assert "SELECT" in refused(snapshot, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT content FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT getenv('HOME')",
    ],
)
def test_files_and_the_environment_are_out_of_reach(snapshot: Path, sql: str) -> None:
    assert refused(snapshot, sql)


def test_a_bomb_of_text_is_stopped_by_memory(snapshot: Path) -> None:
    assert refused(snapshot, "SELECT length(repeat('x', 4000000000)) AS n")


def test_an_endless_query_is_stopped_by_processor_time(snapshot: Path) -> None:
    sql = "SELECT count(*) AS n FROM range(10000000) AS a, range(10000000) AS b WHERE a.range * b.range % 7 = 8"
    assert "2 seconds of processor time" in refused(snapshot, sql)


def test_too_many_rows_are_an_error_and_not_cut_off(snapshot: Path) -> None:
    assert refused(snapshot, "SELECT * FROM range(1001)") == "returned more than 1000 rows"
    assert len(run_isolated(snapshot, "SELECT * FROM range(1000)", SMALL)) == 1000


def test_waiting_too_long_is_an_error(snapshot: Path) -> None:
    limits = replace(SMALL, cpu_seconds=60, wall_seconds=1)
    sql = "SELECT count(*) AS n FROM range(10000000) AS a, range(10000000) AS b WHERE a.range * b.range % 7 = 8"
    assert refused(snapshot, sql, limits) == "stopped after 1 seconds"


def test_the_process_sees_no_environment_and_leaves_no_files(snapshot: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = set(snapshot.parent.iterdir())
    assert run_isolated(snapshot, "SELECT id AS record_id FROM sf_lead", SMALL) == [{"record_id": "00Q000000000001AAA"}]
    assert list(tmp_path.iterdir()) == []
    assert set(snapshot.parent.iterdir()) == before
