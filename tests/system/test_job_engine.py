"""The job engine by itself, in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leakwatch.clock import SystemClock
from leakwatch.errors import AuthError, StoppedError
from leakwatch.jobs import Job, JobEngine, Outcome, Phase, Slot, open_engine, wanted
from leakwatch.jobs.ledger import JobStatus, open_database
from leakwatch.model import Run

CLOCK = SystemClock()
JOB = Job("mirror", "mirror", "* * * * *", "UTC", timedelta(minutes=1))
LATER = CLOCK.now().replace(second=0, microsecond=0) + timedelta(hours=1)
PATIENCE_S = 40


class Flow:
    """Counts its runs; ends each when told to."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()

    def __call__(self, flow: str, options: Mapping[str, Any], should_stop: Callable[[], bool]) -> Run:
        self.runs.append(flow)
        self.begun.release()
        while not (self.go_on.wait(0.02) or should_stop()):
            pass
        now = CLOCK.now()
        return Run("run-1", flow, started_at=now, finished_at=now, complete=not should_stop())


def status_when(engine: JobEngine, is_so: Callable[[JobStatus], bool]) -> JobStatus:
    deadline, pause = CLOCK.monotonic() + PATIENCE_S, threading.Event()
    while CLOCK.monotonic() < deadline:
        (status,) = engine.status()
        if is_so(status):
            return status
        pause.wait(0.02)
    raise AssertionError(f"never came to be so: {status}")


@pytest.fixture
def flow() -> Flow:
    return Flow()


@pytest.fixture
def engine(tmp_path: Path, flow: Flow) -> Iterator[JobEngine]:
    engine = open_engine(tmp_path, flow, clock=CLOCK, poll=timedelta(milliseconds=50))
    engine.schedule([JOB], now=CLOCK.now())
    yield engine
    flow.go_on.set()
    assert engine.drain(timedelta(seconds=PATIENCE_S))


def test_slot_asked_for_before_during_and_after_its_run_runs_once(engine: JobEngine, flow: Flow) -> None:
    for _ in range(2):
        engine.enqueue(Slot("mirror", LATER))
    assert flow.begun.acquire(timeout=PATIENCE_S)
    engine.enqueue(Slot("mirror", LATER))
    flow.go_on.set()
    status_when(engine, lambda status: status.phase is Phase.IDLE and status.outcome is Outcome.SUCCEEDED)
    engine.enqueue(Slot("mirror", LATER))
    engine.enqueue(Slot("mirror", LATER, 2))
    assert flow.begun.acquire(timeout=PATIENCE_S)
    status_when(engine, lambda status: status.phase is Phase.IDLE)
    assert len(flow.runs) == 2, "once for the slot, once for its second attempt"


def test_pause_and_retry_are_noted_where_the_timetable_looks(engine: JobEngine) -> None:
    engine.pause("mirror", "the admin is on leave")
    (status,) = engine.status()
    assert wanted(JOB, status, LATER) is None
    engine.pause("mirror", None)
    engine.retry_failed("mirror", now=LATER)
    (status,) = engine.status()
    assert wanted(JOB, status, LATER) == Slot("mirror", LATER)
    assert status.retry_at == LATER


def test_runs_finished_a_month_ago_are_forgotten_and_younger_ones_kept(engine: JobEngine, flow: Flow) -> None:
    flow.go_on.set()
    engine.enqueue(Slot("mirror", LATER))
    status_when(engine, lambda status: status.outcome is Outcome.SUCCEEDED)
    assert engine.tidy(now=CLOCK.now() + timedelta(days=29)) == 0
    # The engine notes the end of a run a moment after our status does.
    status_when(engine, lambda _: engine.tidy(now=CLOCK.now() + timedelta(days=31)) == 1)
    assert engine.status()[0].outcome is Outcome.SUCCEEDED, "what status shows is kept"


def test_drain_asks_the_flow_to_stop_and_notes_that_it_is_not_done(tmp_path: Path, flow: Flow) -> None:
    engine = open_engine(tmp_path, flow, clock=CLOCK, poll=timedelta(milliseconds=50))
    engine.schedule([JOB], now=CLOCK.now())
    engine.enqueue(Slot("mirror", LATER))
    assert flow.begun.acquire(timeout=PATIENCE_S)
    running = engine.running()
    assert running is not None
    assert running.slot == Slot("mirror", LATER)
    assert engine.drain(timedelta(seconds=PATIENCE_S))
    assert engine.running() is None
    (status,) = engine.status()
    assert (status.phase, status.outcome) == (Phase.IDLE, Outcome.INTERRUPTED)


class Stopping(Flow):
    """Ends with an error when it is asked to stop, as the mirror does."""

    def __call__(self, flow: str, options: Mapping[str, Any], should_stop: Callable[[], bool]) -> Run:
        run = super().__call__(flow, options, should_stop)
        if should_stop():
            raise StoppedError("asked to stop; the next run goes on from there")
        return run


@pytest.mark.parametrize(
    ("limit", "outcome", "words"),
    [
        (timedelta(minutes=1), Outcome.INTERRUPTED, "asked to stop"),
        (timedelta(milliseconds=50), Outcome.FAILED, "limit"),
    ],
    ids=["we stop", "its time is up"],
)
def test_flow_that_says_it_was_stopped_is_not_taken_for_one_whose_service_is_away(
    tmp_path: Path, limit: timedelta, outcome: Outcome, words: str
) -> None:
    flow = Stopping()
    engine = open_engine(tmp_path, flow, clock=CLOCK, poll=timedelta(milliseconds=50))
    engine.schedule([replace(JOB, timeout=limit)], now=CLOCK.now())
    engine.enqueue(Slot("mirror", LATER))
    assert flow.begun.acquire(timeout=PATIENCE_S)
    if outcome is Outcome.FAILED:
        status_when(engine, lambda status: status.outcome is not None)
    assert engine.drain(timedelta(seconds=PATIENCE_S))
    (status,) = engine.status()
    assert status.outcome is outcome
    assert words in str(status.error)


def test_flow_that_overruns_its_time_limit_is_stopped_and_said_to_have_failed(tmp_path: Path, flow: Flow) -> None:
    short = Job("mirror", "mirror", "* * * * *", "UTC", timedelta(milliseconds=50))
    engine = open_engine(tmp_path, flow, clock=CLOCK, poll=timedelta(milliseconds=50))
    engine.schedule([short], now=CLOCK.now())
    try:
        engine.enqueue(Slot("mirror", LATER))
        status = status_when(engine, lambda status: status.outcome is not None)
    finally:
        engine.drain(timedelta(seconds=PATIENCE_S))
    assert status.outcome is Outcome.FAILED
    assert "time limit" in str(status.error)
    assert status.retry_at is None


def test_blocked_job_waits_an_hour_and_is_tried_again_at_the_next_start(tmp_path: Path) -> None:
    def refused(flow: str, options: Mapping[str, Any], should_stop: Callable[[], bool]) -> Run:
        raise AuthError("the key was revoked")

    now = CLOCK.now()
    first = open_engine(tmp_path, refused, clock=CLOCK, poll=timedelta(milliseconds=50))
    first.schedule([JOB], now=now - timedelta(hours=1))
    try:
        first.enqueue(Slot("mirror", now.replace(second=0, microsecond=0)))
        blocked = status_when(first, lambda status: status.outcome is Outcome.BLOCKED)
    finally:
        first.drain(timedelta(seconds=PATIENCE_S))
    soon = now + timedelta(minutes=10)
    assert wanted(JOB, blocked, soon) is None, "ten of its slots have passed, and it waits"
    assert wanted(JOB, blocked, now + timedelta(minutes=61)) is not None
    second = open_engine(tmp_path, refused, clock=CLOCK, poll=timedelta(milliseconds=50))
    second.schedule([JOB], now=soon)
    (status,) = second.status()
    second.drain(timedelta(seconds=PATIENCE_S))
    assert wanted(JOB, status, soon) == Slot("mirror", soon.replace(second=0, microsecond=0))


def test_time_stamp_that_the_engine_asks_sqlite_for_is_never_null_on_old_versions_of_it(tmp_path: Path) -> None:
    """From Python 3.12 on it relies on `unixepoch('subsec')`, which SQLite before 3.42 answers with NULL."""
    database = open_database(tmp_path / "jobs.db")
    with database.connect() as connection:
        (stamp,) = connection.exec_driver_sql("SELECT unixepoch('subsec')").one()
    database.dispose()
    assert abs(stamp - CLOCK.now().timestamp()) < 5
