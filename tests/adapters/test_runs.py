"""Runs are kept, and only one process works on a store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leakwatch.errors import BusyError
from leakwatch.store.database import metadata, open_engine
from leakwatch.store.runs import SqlRunLog

NOW = datetime(2026, 7, 2, 9, 30, tzinfo=UTC)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[SqlRunLog]:
    engine = open_engine(tmp_path / "state.db", durable=False)
    metadata.create_all(engine)
    yield SqlRunLog(engine, tmp_path / "run.lock")
    engine.dispose()


def test_a_run_is_there_from_its_start_and_keeps_how_it_ended(runs: SqlRunLog):
    run = runs.start("capture", now=NOW, dry_run=True)
    assert runs.get(run.run_id) == run
    ended = replace(run, finished_at=NOW + timedelta(minutes=1), complete=True, counts={"items": 3}, error=None)
    runs.finish(ended)
    assert runs.get(run.run_id) == ended


def test_run_ids_differ_and_sort_by_time(runs: SqlRunLog):
    first = runs.start("capture", now=NOW)
    second = runs.start("capture", now=NOW + timedelta(seconds=1))
    again = runs.start("capture", now=NOW)
    assert first.run_id < second.run_id
    assert first.run_id != again.run_id


def test_the_newest_runs_come_first_by_flow(runs: SqlRunLog):
    first = runs.start("capture", now=NOW)
    second = runs.start("audit", now=NOW + timedelta(hours=1))
    assert runs.latest() == [second, first]
    assert runs.latest("capture") == [first]
    assert runs.latest(limit=1) == [second]
    assert runs.get("unknown") is None


def test_a_second_process_is_refused_and_let_in_afterwards(runs: SqlRunLog):
    with runs.exclusive(), pytest.raises(BusyError, match="another leakwatch"), runs.exclusive():
        pytest.fail("two at once")
    with runs.exclusive():
        pass
