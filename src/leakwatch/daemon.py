"""`leakwatch run`: one process per store that runs the jobs when they are due, and stops cleanly.

What it leaves in the store folder: `daemon.lock` (held while it lives), `daemon.json` (who it is, and its heartbeat)
and `jobs.db` (what became of each job). `read_status` and `probe` read them from any other process.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout

from leakwatch import log
from leakwatch.errors import BusyError, ConfigError
from leakwatch.jobs import Early, Job, JobEngine, JobStatus, Phase, RunFlow, early_slots, open_engine, wanted_now
from leakwatch.ports import Clock

LOCK_FILE = "daemon.lock"
HEARTBEAT_FILE = "daemon.json"

TICK = timedelta(seconds=1)  # how often it looks for due jobs
HEARTBEAT_EVERY = timedelta(seconds=10)
HEARTBEAT_STALE = timedelta(seconds=60)  # six missed beats: it hangs, or the machine does
DRAIN_LIMIT = timedelta(seconds=8)  # below the 10 s that container engines wait before they kill
OVERDUE_GRACE = timedelta(minutes=5)  # a job so long past its time limit does not answer: it hangs
STUCK_AFTER = timedelta(seconds=60)  # asked for or begun, and nothing runs: the queue or the bookkeeping failed
TIDY_EVERY = timedelta(hours=24)
LOCK_PATIENCE_S = 2.0  # a probe holds the lock for a moment; a second daemon holds it for good

EXIT_OK = 0
EXIT_INTERRUPTED = 130

_logger = log.get("leakwatch.daemon")


@dataclass(slots=True)
class _Beat:
    """When the daemon's regular duties were last done, in the clock's monotonic seconds."""

    heart: float = float("-inf")
    tidy: float = float("-inf")
    stuck_since: float | None = None
    hanging_said: str | None = None


def run(
    jobs: Sequence[Job],
    run_flow: RunFlow,
    *,
    clock: Clock,
    store_folder: Path,
    stop_event: threading.Event | None = None,
    drain_limit: timedelta = DRAIN_LIMIT,
    tick: timedelta = TICK,
    on_ready: Callable[[Sequence[JobStatus]], None] | None = None,
    early: Early | None = None,
) -> int:
    """Run `jobs` when they are due until SIGTERM, SIGINT or `stop_event`; return the exit code (0).

    `on_ready` is told the jobs with their next due times, once, before the first of them runs. `early` says when a flow
    is wanted before its job is due.

    On a stop, what runs is asked to end and given `drain_limit`. If it does not end in time, or a second signal comes,
    the *process* ends here (0, or 130 for the second signal): what was under way is taken up at the next start.

    Raises:
        BusyError: another daemon works on this store; its process id is named.
        ConfigError: the store folder can't be written.
    """
    stop = stop_event or threading.Event()
    with _lock(store_folder), _signals(stop):
        engine = open_engine(store_folder, run_flow, clock=clock, poll=tick)
        engine.schedule(jobs, now=clock.now())
        started = clock.now()
        names = [job.name for job in jobs if job.enabled]
        _logger.info(log.Event.DAEMON_STARTED, pid=os.getpid(), jobs=names, store=str(store_folder))
        _notify("READY=1", f"STATUS={len(names)} jobs scheduled")
        if on_ready is not None:
            on_ready([status for status in engine.status() if status.job in names])
        beat = _Beat()
        while not stop.is_set():
            _turn(engine, jobs, clock, store_folder, started, beat, early)
            stop.wait(tick.total_seconds())
        _drain(engine, drain_limit)
        with suppress(OSError):
            (store_folder / HEARTBEAT_FILE).unlink()
    return EXIT_OK


def probe(store_folder: Path, clock: Clock) -> tuple[bool, str]:
    """Return whether a healthy daemon works on `store_folder`, and one sentence that says so or why not.

    Healthy: the lock is held, which only a living process can, and its heartbeat is younger than HEARTBEAT_STALE.
    """
    if not _is_locked(store_folder):
        return False, f"no daemon runs on {store_folder}; start it with: leakwatch run"
    record = _read_heartbeat(store_folder)
    if record is None:
        return False, f"a daemon holds {store_folder / LOCK_FILE} but has not begun to work yet"
    age = clock.now() - datetime.fromisoformat(record["at"])
    if age > HEARTBEAT_STALE:
        return False, f"the daemon (process {record['pid']}) gave no sign for {int(age.total_seconds())} s"
    if record.get("hanging"):
        return False, f"the daemon (process {record['pid']}) hangs in the job {record['hanging']}; restart it"
    doing = f"runs {record['running']}" if record.get("running") else "waits for its next job"
    return True, f"the daemon (process {record['pid']}) is alive and {doing}"


# --- one turn of the loop ---


def _turn(
    engine: JobEngine,
    jobs: Sequence[Job],
    clock: Clock,
    store_folder: Path,
    started: datetime,
    beat: _Beat,
    early: Early | None,
) -> None:
    try:
        _ask_for_due(engine, jobs, clock.now(), early)
        now = clock.monotonic()
        if now - beat.tidy >= TIDY_EVERY.total_seconds():
            beat.tidy = now
            engine.tidy(now=clock.now())
        if now - beat.heart >= HEARTBEAT_EVERY.total_seconds():
            beat.heart = now
            _give_sign(engine, clock, store_folder, started, beat)
    except Exception as error:  # a full disk or a locked file must not end the daemon: it tries again
        _logger.exception(log.Event.ENGINE_WARNED, error=str(error))


def _ask_for_due(engine: JobEngine, jobs: Sequence[Job], now: datetime, early: Early | None) -> None:
    statuses = {status.job: status for status in engine.status()}
    slots = wanted_now(jobs, statuses, now)
    if not slots and early is not None and early.wanted():
        slots = early_slots(jobs, statuses, now, early)
    for slot in slots:
        engine.enqueue(slot)


def _give_sign(engine: JobEngine, clock: Clock, store_folder: Path, started: datetime, beat: _Beat) -> None:
    running = engine.running()
    name = running.slot.job if running else None
    hanging = _hanging(engine, clock.monotonic(), beat)
    if hanging is not None and hanging != beat.hanging_said:
        _logger.error(log.Event.JOB_OVERDUE, job=hanging)
    beat.hanging_said = hanging
    record = {
        "pid": os.getpid(),
        "started_at": started.isoformat(),
        "at": clock.now().isoformat(),
        "running": name,
        "hanging": hanging,
    }
    _write_whole(store_folder / HEARTBEAT_FILE, json.dumps(record))
    if hanging is None:  # a hanging job is for the supervisor to end: it restarts what gives no sign
        _notify("WATCHDOG=1", f"STATUS=running {name}" if name else "STATUS=waiting for the next job")


def _hanging(engine: JobEngine, now: float, beat: _Beat) -> str | None:
    """Return the job that will not end, or never begins, by itself; None if all is well."""
    running = engine.running()
    if running is not None:
        beat.stuck_since = None
        return running.slot.job if now > running.deadline + OVERDUE_GRACE.total_seconds() else None
    stuck = next((status.job for status in engine.status() if status.phase is not Phase.IDLE), None)
    if stuck is None:
        beat.stuck_since = None
        return None
    beat.stuck_since = now if beat.stuck_since is None else beat.stuck_since
    return stuck if now - beat.stuck_since > STUCK_AFTER.total_seconds() else None


def _drain(engine: JobEngine, limit: timedelta) -> None:
    _notify("STOPPING=1", "STATUS=finishing what runs")
    running = engine.running()
    _logger.info(
        log.Event.DAEMON_DRAINING, running=running.slot.job if running else None, limit_s=limit.total_seconds()
    )
    finished = engine.drain(limit)
    _logger.info(log.Event.DAEMON_STOPPED, finished=finished)
    if not finished:
        # The job's thread can't be ended from outside. Ending the process is safe: flows survive a kill at any point.
        _end_process(EXIT_OK)


def _end_process(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, RuntimeError):  # the last: a signal in the middle of a line being written
            stream.flush()
    os._exit(code)


# --- lock, signals, files, service manager ---


@contextmanager
def _lock(store_folder: Path) -> Generator[None]:
    try:
        store_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(store_folder / LOCK_FILE, mode=0o600, thread_local=False)
        lock.acquire(timeout=LOCK_PATIENCE_S)
    except Timeout:
        record = _read_heartbeat(store_folder)
        who = f"process {record['pid']}, started {record['started_at']}" if record else "another process"
        raise BusyError(
            f"a leakwatch daemon already works on {store_folder} ({who}). Nothing was started. "
            "Stop that one first, or give this one a store.folder of its own."
        ) from None
    except OSError as error:
        raise ConfigError(f"the store folder {store_folder} can't be written: {error.strerror}") from error
    try:
        with suppress(OSError):
            (store_folder / HEARTBEAT_FILE).unlink()  # of a process that was killed
        yield
    finally:
        lock.release()


def _is_locked(store_folder: Path) -> bool:
    path = store_folder / LOCK_FILE
    if not path.exists():
        return False
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


@contextmanager
def _signals(stop: threading.Event) -> Generator[None]:
    """Let SIGTERM and SIGINT set `stop`; a second one ends the process at once. Restores what was there before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            _end_process(EXIT_INTERRUPTED)
        stop.set()

    before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {
        number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read_heartbeat(store_folder: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((store_folder / HEARTBEAT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and {"pid", "at", "started_at"} <= record.keys() else None


def _write_whole(path: Path, text: str) -> None:
    """Write so that a reader sees the old file or the new one, never half."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def _notify(*assignments: str) -> None:
    """Tell systemd (sd_notify(3)); does nothing elsewhere."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # the abstract namespace
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.sendto("\n".join(assignments).encode(), address)
