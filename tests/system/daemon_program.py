"""A tiny program around `daemon.run` for test_daemon.py: flows that do what their options say, on a clock that starts
at a given moment. Each is a process forked off one that has imported the engine already: importing takes seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from leakwatch import daemon, errors, log
from leakwatch.jobs import load_jobs
from leakwatch.model import Run


class ShiftedClock:
    """The machine's clock, begun at another moment."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._zero = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._zero)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        threading.Event().wait(seconds)


def start(
    store: Path, jobs_folder: Path, *, start: datetime, drain_limit: timedelta, notify: str | None
) -> tuple[BaseProcess, Connection]:
    """Start the program in a process of its own; return it, and the end of a pipe that its standard error comes from.

    Its exit code is what the program `leakwatch run` would exit with.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dbos", "leakwatch.daemon", "sqlalchemy.dialects.sqlite", __name__])
    reading, writing = context.Pipe(duplex=False)
    process = context.Process(target=main, args=(writing, store, jobs_folder, start, drain_limit, notify), daemon=True)
    process.start()
    writing.close()  # so that the pipe ends with the process
    return process, reading


def main(
    errors_to: Connection, store: Path, jobs_folder: Path, start: datetime, drain: timedelta, notify: str | None
) -> None:
    os.dup2(errors_to.fileno(), 2)
    errors_to.close()
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115  it lives as long as we do
    sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115
    os.environ.pop("NOTIFY_SOCKET", None)
    if notify:
        os.environ["NOTIFY_SOCKET"] = notify
    sys.exit(work(store, jobs_folder, ShiftedClock(start), drain))


def work(store: Path, jobs_folder: Path, clock: ShiftedClock, drain: timedelta) -> int:
    log.configure(json=True)

    def say(*words: str) -> None:
        sys.stderr.write(" ".join(words) + "\n")  # one stream with the log: their order is what tests look at
        sys.stderr.flush()

    def run_flow(flow: str, options: Mapping[str, Any], should_stop: Callable[[], bool]) -> Run:
        say("begin", flow)
        complete = True
        match options.get("do", "finish"):
            case "finish":
                pass
            case "until_stopped":
                while not should_stop():
                    threading.Event().wait(0.02)
                complete = False
            case "hang":
                threading.Event().wait()
            case "refuse":
                raise errors.TransientError("the service is away")
            case "no_credentials":
                raise errors.AuthError("the key was revoked")
            case "break":
                raise RuntimeError("nobody foresaw this")
        say("end", flow)
        now = clock.now()
        return Run(run_id=f"run-{os.getpid()}", flow=flow, started_at=now, finished_at=now, complete=complete)

    try:
        jobs = load_jobs(jobs_folder)
        return daemon.run(
            jobs, run_flow, clock=clock, store_folder=store, drain_limit=drain, tick=timedelta(milliseconds=50)
        )
    except errors.LeakwatchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
