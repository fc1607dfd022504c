"""A tiny program around `daemon.run` for test_daemon.py: flows that do what their options say, on a clock that starts
at a given moment. Started as: python daemon_program.py STORE JOBS_FOLDER START_ISO [DRAIN_SECONDS]
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
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


def main() -> int:
    store, jobs_folder = Path(sys.argv[1]), Path(sys.argv[2])
    clock = ShiftedClock(datetime.fromisoformat(sys.argv[3]))
    drain = timedelta(seconds=float(sys.argv[4]) if len(sys.argv) > 4 else 8)
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


if __name__ == "__main__":
    sys.exit(main())
