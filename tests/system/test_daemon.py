"""The daemon as a process: due jobs, signals, kills, a second instance, and what other processes see of it."""

from __future__ import annotations

import json
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO

import pytest

from leakwatch import daemon
from leakwatch.clock import SettableClock, SystemClock
from leakwatch.jobs import JobStatus, Outcome, Phase, read_status
from system import daemon_program

PATIENCE_S = 40  # a deadline, not a wait: a loaded machine takes long to import the engine
EVERY_MINUTE = "* * * * *"
JUST_BEFORE = "2026-06-01T05:59:59.500+00:00"  # a Monday; half a second before the minute


class Daemon:
    """A daemon process and the lines it prints to standard error: its log, and what its flows say."""

    def __init__(
        self, store: Path, jobs: Path, *, start: str = JUST_BEFORE, drain_s: float = 8, notify: str | None = None
    ) -> None:
        self.process, errors = daemon_program.start(
            store,
            jobs,
            start=datetime.fromisoformat(start),
            drain_limit=timedelta(seconds=drain_s),
            notify=notify,
        )
        self.seen: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        stream = os.fdopen(os.dup(errors.fileno()), encoding="utf-8")
        errors.close()
        self._reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line.strip())

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.all_lines()

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    def until(self, text: str) -> str:
        """Return the first new line that holds `text`; fail with all lines if none comes in time."""
        try:
            while True:
                line = self._lines.get(timeout=PATIENCE_S)
                self.seen.append(line)
                if text in line:
                    return line
        except queue.Empty:
            raise AssertionError(f"{text!r} never came; got: {self.seen}") from None

    def until_all(self, *texts: str) -> None:
        missing = set(texts)
        while missing:
            line = self.until("")
            missing -= {text for text in missing if text in line}

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        os.kill(self.pid, number)
        return self.exit_code()

    def exit_code(self) -> int:
        """Wait for the end; return how it ended."""
        self.process.join(PATIENCE_S)
        assert self.process.exitcode is not None
        return self.process.exitcode

    def all_lines(self) -> list[str]:
        """Return every line, once the process has ended."""
        self.exit_code()
        self._reader.join(PATIENCE_S)
        while not self._lines.empty():
            self.seen.append(self._lines.get())
        return self.seen


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    folder = tmp_path / "jobs"
    folder.mkdir()
    return folder


def add(folder: Path, name: str, flow: str, do: str = "finish", schedule: str = EVERY_MINUTE) -> Path:
    text = f'flow: {flow}\nschedule: "{schedule}"\noptions: {{do: {do}}}\n'
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def status_of(store: Path, job: str) -> JobStatus:
    (found,) = [each for each in read_status(store) if each.job == job]
    return found


@dataclass(frozen=True)
class Minute:
    """What is left of a daemon that served one minute of four jobs, three of them failing, and was stopped."""

    store: Path
    code: int
    lines: list[str]
    seen_alive: dict[str, JobStatus]


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Minute:
    base = tmp_path_factory.mktemp("minute")
    store, jobs = base / "store", base / "jobs"
    jobs.mkdir()
    for name, flow, do in (("a", "capture", "refuse"), ("b", "report", "no_credentials"), ("c", "audit", "break")):
        add(jobs, f"{name}_{do}", flow, do)
    add(jobs, "d_good", "report")  # its flow is the last in turn: what it logs comes after all is noted
    with Daemon(store, jobs) as running:
        running.until_all("job.run.postponed", "job.run.blocked", "job.run.failed", "job.run.finished")
        alive = {each.job: each for each in read_status(store)}
        code = running.stop()
    return Minute(store, code, running.all_lines(), alive)


def test_due_job_when_its_minute_comes_runs_once_and_is_seen_by_another_process(minute: Minute) -> None:
    (finished,) = [json.loads(line) for line in minute.lines if "job.run.finished" in line]
    seen = minute.seen_alive["d_good"]
    assert (seen.phase, seen.outcome, seen.run_id) == (Phase.IDLE, Outcome.SUCCEEDED, finished["run_id"])
    assert seen.due == datetime(2026, 6, 1, 6, 0, tzinfo=UTC)
    assert seen.next_due == datetime(2026, 6, 1, 6, 1, tzinfo=UTC)
    assert seen.last_success_at is not None
    assert minute.lines.count("end report") == 1


@pytest.mark.parametrize(
    ("job", "outcome", "error"),
    [
        ("a_refuse", Outcome.POSTPONED, "the service is away"),
        ("b_no_credentials", Outcome.BLOCKED, "the key was revoked"),
        ("c_break", Outcome.FAILED, "nobody foresaw this"),
    ],
)
def test_failing_job_never_stops_the_daemon_and_its_reason_is_kept(
    job: str, outcome: Outcome, error: str, minute: Minute
) -> None:
    bad = minute.seen_alive[job]
    assert (bad.outcome, bad.error) == (outcome, error)
    assert bad.retry_at is not None
    assert bad.finished_at is not None
    assert bad.retry_at > bad.finished_at
    assert minute.code == 0
    assert minute.seen_alive["d_good"].outcome is Outcome.SUCCEEDED


def test_every_log_line_of_the_daemon_is_one_json_object(minute: Minute) -> None:
    lines = [line for line in minute.lines if line and not line.startswith(("begin", "end"))]
    assert len(lines) >= 8
    assert {"event", "level", "timestamp"} <= set.intersection(*(set(json.loads(line)) for line in lines))
    assert not [line for line in lines if "dbos.dev" in line.lower() or "conductor" in line.lower()]


def test_engine_file_holds_names_and_times_in_json_and_nothing_that_runs_on_reading(minute: Minute) -> None:
    with closing(sqlite3.connect(minute.store / "jobs.db")) as database:
        inputs = {text for (text,) in database.execute("SELECT inputs FROM workflow_input")}
        kinds = set(database.execute("SELECT application_version, executor_id FROM workflow_status"))
        (mode,) = database.execute("PRAGMA journal_mode").fetchone()
    assert [json.loads(text)["args"] for text in inputs if "d_good" in text] == [["d_good", "d_good@20260601T0600Z#1"]]
    assert all(set(json.loads(text)) == {"args", "kwargs"} for text in inputs)
    assert (kinds, mode) == ({("1", "embedded")}, "wal")


def test_cleanly_stopped_daemon_leaves_no_heartbeat_behind(minute: Minute) -> None:
    assert not (minute.store / "daemon.json").exists()
    assert daemon.probe(minute.store, SystemClock())[0] is False


def test_job_that_just_became_known_does_not_make_up_for_slots_before(store: Path, jobs: Path) -> None:
    add(add(jobs, "weekly", "report", schedule="0 7 * * 1"), "mirror", "mirror")
    with Daemon(store, jobs, start="2026-06-01T07:30:59.500+00:00") as running:
        running.until("end mirror")
        running.stop()
    assert "begin report" not in running.all_lines()


def test_weekly_report_missed_while_down_is_made_up_for_once_and_not_doubled(store: Path, jobs: Path) -> None:
    add(jobs, "weekly", "report", schedule="0 7 * * 1")
    with Daemon(store, jobs, start="2026-06-01T06:59:59.500+00:00") as first:
        first.until("end report")
        first.until("job.run.finished")
        first.stop()
    # Three Mondays pass. On the Tuesday after, leakwatch is started again, and then once more.
    with Daemon(store, jobs, start="2026-06-23T09:00:00+00:00") as second:
        second.until("end report")
        second.until("job.run.finished")
        second.stop()
    assert second.all_lines().count("begin report") == 1
    assert status_of(store, "weekly").due == datetime(2026, 6, 22, 7, 0, tzinfo=UTC)
    add(jobs, "mirror", "mirror")
    with Daemon(store, jobs, start="2026-06-23T09:05:59.500+00:00") as third:
        third.until("daemon.process.started")
        third.stop()
    assert "begin report" not in third.all_lines()


def test_two_due_jobs_never_run_at_the_same_time(store: Path, jobs: Path) -> None:
    for name, flow in (("a", "mirror"), ("b", "mirror"), ("c", "audit")):
        add(jobs, name, flow)
    with Daemon(store, jobs) as running:
        for _ in range(3):
            running.until("job.run.finished")
        running.stop()
    order = [line.split()[0] for line in running.all_lines() if line.startswith(("begin", "end"))]
    assert order == ["begin", "end"] * 3


def test_sigterm_while_a_job_runs_lets_it_end_where_it_can_go_on_and_the_next_start_goes_on(
    store: Path, jobs: Path
) -> None:
    add(jobs, "capture", "capture", do="until_stopped")
    with Daemon(store, jobs) as first:
        first.until("begin capture")
        assert first.stop() == 0
    assert "end capture" in first.all_lines(), "the flow was asked to stop, and ended by itself"
    assert status_of(store, "capture").outcome is Outcome.INTERRUPTED
    add(jobs, "capture", "capture")
    with Daemon(store, jobs, start="2026-06-01T06:00:20+00:00") as second:
        second.until("end capture")
        second.until("job.run.finished")
        second.stop()
    again = status_of(store, "capture")
    assert (again.outcome, again.attempt) == (Outcome.SUCCEEDED, 2)
    assert again.due == datetime(2026, 6, 1, 6, 0, tzinfo=UTC), "the same slot, tried again"


def test_job_that_does_not_stop_in_time_cannot_hold_the_process(store: Path, jobs: Path) -> None:
    add(jobs, "mirror", "mirror", do="hang")
    with Daemon(store, jobs, drain_s=0.3) as running:
        running.until("begin mirror")
        assert running.stop() == 0
    stopped = [json.loads(line) for line in running.all_lines() if "daemon.process.stopped" in line]
    assert [line["finished"] for line in stopped] == [False]


def test_second_signal_ends_the_process_at_once(store: Path, jobs: Path) -> None:
    add(jobs, "mirror", "mirror", do="hang")
    with Daemon(store, jobs, drain_s=3600) as running:
        running.until("begin mirror")
        os.kill(running.pid, signal.SIGINT)
        running.until("daemon.process.draining")
        assert running.stop(signal.SIGINT) == 130


def test_job_killed_with_its_process_is_run_again_at_the_next_start_and_only_once(store: Path, jobs: Path) -> None:
    add(jobs, "mirror", "mirror", do="hang")
    with Daemon(store, jobs) as first:
        first.until("begin mirror")
        first.process.kill()
        first.exit_code()
    assert status_of(store, "mirror").phase is Phase.RUNNING, "nobody was left to say otherwise"
    add(jobs, "mirror", "mirror")
    add(jobs, "audit", "audit", schedule="1 6 * * *")
    with Daemon(store, jobs, start="2026-06-01T06:00:58+00:00") as second:
        second.until("end mirror")
        second.until("begin audit")  # what the engine recovers by itself came before it in the queue
        second.stop()
    # 06:00 was interrupted and 06:01 came meanwhile: each of the two slots runs at most once.
    assert second.all_lines().count("begin mirror") <= 2
    with closing(sqlite3.connect(store / "jobs.db")) as database:
        outputs = dict(database.execute("SELECT workflow_uuid, output FROM workflow_output").fetchall())
    assert outputs["mirror@20260601T0600Z#1"] == '"superseded"', "the killed attempt itself is not run again"
    assert outputs["mirror@20260601T0600Z#2"] == '"succeeded"'


def test_second_instance_on_the_same_store_is_refused_with_the_first_ones_process_id(store: Path, jobs: Path) -> None:
    add(jobs, "mirror", "mirror")
    with Daemon(store, jobs) as first:
        first.until("begin mirror")
        with Daemon(store, jobs) as second:
            refusal = second.until("already works on")
            assert second.exit_code() == 75
        assert f"process {first.pid}," in refusal
        assert str(store) in refusal
        assert first.stop() == 0, "the first one never noticed"


# --- the service manager ---


@pytest.fixture
def notify_socket(tmp_path: Path) -> Iterator[tuple[str, IO[str]]]:
    """An AF_UNIX datagram socket in another process's hands would be systemd's; here a child relays it to a pipe."""
    address = str(tmp_path / "notify")
    relay = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "s.bind(sys.argv[1])\n"
        "print('listening', flush=True)\n"
        "while True: print(s.recv(4096).decode().replace('\\n', ' '), flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", relay, address], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "listening\n"
    try:
        yield address, child.stdout
    finally:
        child.kill()
        child.wait(PATIENCE_S)
        child.stdout.close()


def test_service_manager_is_told_of_readiness_life_and_stopping(
    store: Path, jobs: Path, notify_socket: tuple[str, IO[str]]
) -> None:
    address, messages = notify_socket
    add(jobs, "mirror", "mirror")
    with Daemon(store, jobs, notify=address) as running:
        running.until("begin mirror")
        assert "READY=1" in next(messages)
        assert "WATCHDOG=1" in next(messages)
        running.stop()
        assert "STOPPING=1" in next(message for message in messages if "WATCHDOG" not in message)


# --- health ---


def test_probe_of_a_living_daemon_is_healthy_and_of_a_killed_one_is_not(store: Path, jobs: Path) -> None:
    add(jobs, "mirror", "mirror", do="hang")
    clock = SettableClock(datetime.fromisoformat(JUST_BEFORE))
    assert daemon.probe(store, clock)[0] is False, "nothing ever ran here"
    with Daemon(store, jobs) as running:
        running.until("begin mirror")
        healthy, words = daemon.probe(store, clock)
        assert healthy, words
        assert str(running.pid) in words
        running.process.kill()
        running.exit_code()
    healthy, words = daemon.probe(store, clock)
    assert not healthy
    assert "no daemon runs" in words


def test_probe_of_a_daemon_that_gives_no_sign_is_unhealthy(store: Path, jobs: Path) -> None:
    add(jobs, "mirror", "mirror", do="hang")
    with Daemon(store, jobs) as running:
        running.until("begin mirror")
        later = datetime.fromisoformat(JUST_BEFORE) + timedelta(minutes=10)
        os.kill(running.pid, signal.SIGSTOP)  # alive, holding its lock, and silent
        healthy, words = daemon.probe(store, SettableClock(later))
        os.kill(running.pid, signal.SIGCONT)
    assert not healthy
    assert "gave no sign" in words


def test_status_of_a_store_where_no_daemon_ever_ran_is_empty_and_leaves_no_file(tmp_path: Path) -> None:
    assert read_status(tmp_path) == []
    assert daemon.probe(tmp_path, SystemClock())[0] is False
    assert list(tmp_path.iterdir()) == []


def test_store_folder_that_cannot_be_written_is_a_configuration_fault(tmp_path: Path, jobs: Path) -> None:
    add(jobs, "mirror", "mirror")
    (tmp_path / "file").write_text("not a folder")
    with Daemon(tmp_path / "file" / "store", jobs) as running:
        running.until("can't be written")
        assert running.exit_code() == 3


def test_importing_the_jobs_does_not_import_the_engine() -> None:
    code = "import sys, leakwatch.daemon, leakwatch.jobs; sys.exit('dbos' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
