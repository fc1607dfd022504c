"""`leakwatch run` as the process it is, on the sandbox: every job does its work, and it stops when told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from system.cli_stage import Desk

JOBS = {"capture": "capture", "mirror": "mirror", "audit": "audit", "act": "act"}
NEXT_MINUTE_S = 90.0  # a machine so slow that it misses the first minute works in the second
STOPS_WITHIN_S = 8.0  # container engines kill after ten


class Daemon:
    """A running `leakwatch run`, with its log in a file."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.log = desk, desk.folder / "daemon.log"
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "leakwatch", "run", "--json"], stdout=subprocess.PIPE, stderr=log, text=True,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")},
            )  # fmt: skip

    def events(self) -> list[dict[str, object]]:
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def has(self, event: str, **wanted: object) -> bool:
        return any(
            entry["event"] == event and all(entry.get(name) == value for name, value in wanted.items())
            for entry in self.events()
        )

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float, str]:
        """Send the signal; return exit code, seconds it took, and what stood on standard output."""
        begun = time.monotonic()
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=STOPS_WITHIN_S + 12)
        return self.process.returncode, time.monotonic() - begun, out


@pytest.fixture
def daemon(desk: Desk) -> Iterator[Daemon]:
    """A daemon whose jobs are due every minute, three seconds before a minute is full."""
    jobs = desk.folder / "jobs"
    jobs.mkdir()
    for name, flow in JOBS.items():
        (jobs / f"{name}.yaml").write_text(f'flow: {flow}\nschedule: "* * * * *"\n', encoding="utf-8")
    settings = desk.config.read_text(encoding="utf-8")
    desk.config.write_text(f"{settings}\njobs_folder: jobs\n", encoding="utf-8")
    desk.go_to(desk.now + timedelta(seconds=57))
    running = Daemon(desk)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.communicate(timeout=10)


def test_it_captures_mirrors_audits_and_acts_when_due_and_stops_on_sigterm(desk: Desk, daemon: Daemon) -> None:
    missing = desk.mails_due() - desk.mails_there()
    assert missing
    waiting = set(JOBS)

    def all_ran() -> bool:
        waiting.difference_update(job for job in JOBS if daemon.has("job.run.finished", job=job))
        return not waiting

    desk.company.wait_for(all_ran, within_s=NEXT_MINUTE_S)
    ended = [str(entry["job"]) for entry in daemon.events() if entry["event"] == "job.run.finished"]
    assert list(dict.fromkeys(ended)) == ["mirror", "capture", "audit", "act"]
    assert desk.mails_there() == desk.mails_due()
    assert desk.soql("SELECT Id FROM Task WHERE Leakwatch_Key__c LIKE 'lw1:f:%'")
    looked = desk.run("status", "--probe")
    assert (looked.code, looked.err) == (0, "")
    assert f"process {daemon.process.pid}" in looked.out
    jobs = {job["job"]: job["outcome"] for job in desk.run("status", "--json").data["jobs"]}
    assert jobs.keys() == JOBS.keys()
    second = desk.run("run")
    assert (second.code, second.out) == (75, "")
    assert f"process {daemon.process.pid}" in second.words
    assert "Nothing was started" in second.words
    code, seconds, out = daemon.stop()
    assert code == 0
    assert {job["job"] for job in json.loads(out)["jobs"]} == JOBS.keys(), "one document, printed when it was ready"
    assert seconds < STOPS_WITHIN_S
    gone = desk.run("status", "--probe", "--json")
    assert gone.code == 1
    assert gone.data["healthy"] is False
    assert "leakwatch run" in gone.data["words"]


def test_sigterm_in_the_middle_of_a_capture_stops_in_time_and_loses_nothing(desk: Desk, daemon: Daemon) -> None:
    desk.fault(service="google", match="history", do="delay", delay_ms=1_500)
    desk.company.wait_for(
        lambda: desk.company.control("GET", "/ledger")["faults"].get("google delay"), within_s=NEXT_MINUTE_S
    )
    code, seconds, out = daemon.stop()
    assert code == 0
    assert {job["job"] for job in json.loads(out)["jobs"]} == JOBS.keys(), "one document, printed when it was ready"
    assert seconds < STOPS_WITHIN_S
    assert '"finished": true' in daemon.log.read_text(encoding="utf-8")  # it ended by itself, nobody ended it
    desk.company.control("DELETE", "/faults")
    assert desk.run("sync").code == 0
    assert desk.mails_there() == desk.mails_due()
