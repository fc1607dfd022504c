"""A warm parent: everything is imported and loaded once, then each command runs in a fork of this process.

A process of its own, because a fork is only sound where one thread runs; a test runner has more. Speaks JSON lines:
a command on standard input, what became of it on standard output. A fork that is to be killed sends itself SIGKILL at
the k-th fault point it reaches: nothing is flushed, closed or rolled back, as when the kernel kills it. A fork that is
to be watched tells of each fault point and stands still there until it hears a line.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
import traceback
import typing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import babel.localedata

import leakwatch.actions
from leakwatch import config, faultpoints, log
from leakwatch.app import auditing, capturing, mirroring
from leakwatch.app.building import STATE_FILE, Parts
from leakwatch.app.google_parts import GoogleParts
from leakwatch.clock import SettableClock, SystemClock
from leakwatch.errors import LeakwatchError
from leakwatch.store import schema

# Imported late by the program; here once, for all forks.
HEAVY = (
    "alembic.command", "alembic.config", "duckdb", "jinja2", "leakwatch.clients.google_services",
    "leakwatch.sources.gmail",
    "leakwatch.rule_engine.run", "leakwatch.store.findings", "leakwatch.store.journal", "leakwatch.store.mirror",
    "leakwatch.store.mirror_derive", "leakwatch.store.schema", "leakwatch.store.snapshot_facts",
    "leakwatch.store.snapshots", "sqlalchemy.dialects.sqlite", "zoneinfo",
)  # fmt: skip
# Python 3.11 works out a Protocol's members anew at each isinstance, 1 ms each; newer ones remember them.
typing._get_protocol_attrs = functools.cache(typing._get_protocol_attrs)
LONGEST_S = 60  # of one command: more is a fork that hangs


def one_thread() -> bool:
    """Return whether this process has one thread only, as far as the system tells."""
    tasks = Path("/proc/self/task")
    return not tasks.exists() or len(list(tasks.iterdir())) == 1


class TirelessClock(SystemClock):
    """Real time, but waiting takes none: what was slept is added to the monotonic time."""

    def __init__(self) -> None:
        self.slept = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


class Warm:
    """Parts with everything loaded that needs no connection and no thread."""

    def __init__(self, settings_file: Path, people: list[str]) -> None:
        for name in HEAVY:
            importlib.import_module(name)
        for language in ("en", "tr"):
            babel.localedata.load(language)  # which remembers it
        for info in pkgutil.iter_modules(leakwatch.actions.__path__):
            importlib.import_module(f"leakwatch.actions.{info.name}")
        log.configure(level="CRITICAL")
        self.clock = SettableClock(datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
        self.wall = TirelessClock()
        self.settings = config.load(settings_file)
        self.people = people
        self._make_parts()
        self._meet(people)
        assert one_thread()

    def _make_parts(self) -> None:
        self.parts = Parts(self.settings, clock=self.clock, wall=self.wall)
        self.parts._durable = False  # a killed process loses nothing that the kernel has
        self.google = GoogleParts(self.parts)
        _ = self.parts.loaded_rules, self.parts.zone, self.google.gmail

    def practise(self, now: str) -> None:
        """Run every command once in this very process, so that no fork compiles a statement or parses a list again.

        Whoever asked for it empties the state folder and the org afterwards. Nothing learned is kept but that: parts
        are made anew, with the engine, which is where statements are remembered; its connections are closed.
        """
        self.clock.move_to(datetime.fromisoformat(now))
        for command in ("mirror", "capture", "mirror", "audit", "act"):
            self.command(command)
        engine = self.parts.engine
        self.parts.close()
        self.google.client.close()
        self._make_parts()
        self.parts.__dict__["engine"] = engine
        self._meet(self.people)
        assert one_thread()

    def _meet(self, people: list[str]) -> None:
        """Fetch every token and what an org says of itself, as a process does that has run a while; then hang up."""
        parts = self.parts
        _ = parts.org, parts.task_words, parts.actions
        self.google.client.allow([parts.settings.google.admin_email, *people])
        self.google.directory()
        for address in people:
            with contextlib.suppress(LeakwatchError):  # a suspended account
                self.google.gmail.profile(address)
        parts.client.close()
        self.google.client.close()

    def command(self, name: str) -> Any:
        """Run one command to its end; return its figures."""
        match name:
            case "capture":  # the rest of `sync` once the mirror is fresh
                age = timedelta(minutes=1)
                return capturing.run_capture(self.parts, google=self.google, readers=1, mirror_max_age=age).counts()
            case "mirror":
                return {"rows": mirroring.run_mirror(self.parts).rows}
            case "audit":
                return auditing.run_audit(self.parts).counts()
            case "act":
                return auditing.run_act(self.parts).counts()
            case _:
                raise ValueError(name)

    def child(self, order: dict[str, Any], answers: int, leave: int = -1) -> None:
        """Run in the fork; never returns. It hears on `leave` that it may go on, where it is watched."""
        points: list[str] = []

        def tell(words: dict[str, Any]) -> None:
            os.write(answers, json.dumps(words, default=str).encode() + b"\n")

        def hook(point: str) -> None:
            points.append(point)
            if len(points) == order.get("kill_at"):
                tell({"points": points})
                os.kill(os.getpid(), signal.SIGKILL)
            if order.get("watched"):
                tell({"reached": point})
                os.read(leave, 1)

        told: dict[str, Any] = {}
        code = 0
        try:
            self.clock.move_to(datetime.fromisoformat(order["now"]))
            if not (self.parts.settings.store.folder / STATE_FILE).exists():
                schema.upgrade(self.parts.engine)
            faultpoints.install(hook)
            told["result"] = dict(self.command(order["command"]))
            self.parts.close()
        except LeakwatchError as error:
            told["error"], told["words"], code = type(error).__name__, str(error), error.exit_code
        except BaseException:
            told["error"], told["words"], code = "crash", traceback.format_exc(), 70
        tell({"points": points, **told})
        os._exit(code)

    def run(self, order: dict[str, Any]) -> dict[str, Any]:
        """Fork, wait, and return how the fork ended: `exit` or `signal`, with what it told."""
        assert one_thread()
        reading, writing = os.pipe()
        leave, go_on = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            signal.alarm(LONGEST_S)
            gc.disable()  # looking through all that the parent has would copy every page of it
            self.child(order, writing, leave)
        os.close(writing)
        told: dict[str, Any] = {}
        with os.fdopen(reading, "rb") as answers:
            for line in answers:
                told = json.loads(line)
                if "reached" in told:
                    say(told)
                    sys.stdin.readline()
                    os.write(go_on, b".")
        os.close(leave)
        os.close(go_on)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return {"signal": os.WTERMSIG(status), **told}
        return {"exit": os.WEXITSTATUS(status), **told}


def main() -> None:
    warm = Warm(Path(sys.argv[1]), sys.argv[2:])
    warm.practise(sys.stdin.readline().strip())
    say({"ready": True})
    while line := sys.stdin.readline():
        say(warm.run(json.loads(line)))


def say(words: dict[str, Any]) -> None:
    """Write one line to whoever gave the order."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
