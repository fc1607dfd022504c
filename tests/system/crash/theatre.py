"""Where the crash tests play: one sandbox, one warm parent, states that can be gone back to, and what is compared."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

import duckdb

from leakwatch.demo.judging import record_of
from leakwatch.demo.stage import Sandbox, write_settings
from leakwatch.demo.story import audit_moment

SOURCE = Path(__file__).parents[3] / "src"
SETTLED_NS = 100_000_000  # a file that was changed less than this ago may change again within one tick of its stamp
ROOM_BYTES = 2_000_000_000  # of a memory file system, before it is used instead of the disk
Facts = dict[str, Any]
Leak = tuple[str, str]

# Columns that say when, by which run or on which try something was stored, not what is so.
PASSING = {
    "activities": {"updated_at"},
    "alembic_version": set(),
    "cursors": {"revision", "updated_at"},
    "deliveries": {"attempts"},
    "findings": {"snapshot_id", "checked_in"},
    "mail_copies": {"stored_at"},
    "principals": {"updated_at"},
    "rule_runs": {"run_id", "snapshot_id"},
    "transitions": {"id", "run_id"},
    "writes": {"run_id", "status", "created", "code", "message", "attempts", "begun_at", "finished_at"},
}
IGNORED_TABLES = {"runs"}  # one row per attempt, on purpose
PASSING_SNAPSHOT = {"lw_snapshot", "lw_recipes"}  # its id, and versions, which are drawn by chance


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    exit: int | None
    signal: int | None
    points: list[str]
    result: dict[str, int] = field(default_factory=dict)
    error: str = ""
    words: str = ""


class Theatre:
    """One sandbox with the world `small`, one leakwatch that meets it. Use as a context manager."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")
        roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM_BYTES
        self.folder = Path(tempfile.mkdtemp(prefix="leakwatch-crash-", dir=memory if roomy else None))
        self.state = self.folder / "state"
        self.sandbox = Sandbox(self.folder / "sandbox", world="small", seed=7)
        self.images: dict[str, tuple[dict[str, str], list[str], datetime]] = {}
        self._kept = self.folder / "kept"
        self._looked_at: dict[Path, tuple[Any, str]] = {}

    def __enter__(self) -> Self:
        try:
            self.sandbox.__enter__()
            settings = write_settings(self.folder, self.sandbox, language="en", calendars=True)
            self._zone = ZoneInfo(self.sandbox.world["company"]["time_zone"])
            self._start = datetime.fromisoformat(self.sandbox.info["world"]["start"])
            self.now = self._start
            self._warm = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("warm.py")), str(settings), *self.mailboxes()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": str(SOURCE)},
            )
            self._rehearse()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        warm = getattr(self, "_warm", None)
        if warm is not None:
            warm.stdin.close()
            warm.wait(20)
            warm.stdout.close()
        if getattr(self.sandbox, "_process", None) is not None:
            self.sandbox.__exit__(kind, value, trace)
        shutil.rmtree(self.folder, ignore_errors=True)

    def mailboxes(self) -> list[str]:
        """Return the addresses of the mailboxes that are read."""
        return [user["email"] for user in self.sandbox.world["users"] if user.get("notice_date")]

    # --- playing ---

    def _rehearse(self) -> None:
        """Have the warm parent run everything once, on the first day, and undo it."""
        self.save_org("fresh")
        self.day(0)
        self._say(self.now.isoformat())
        self._hear()
        self.control("POST", "/restore", {"name": "fresh"})
        shutil.rmtree(self.state)
        self.state.mkdir(mode=0o700)

    def _hear(self) -> dict[str, Any]:
        line = self._warm.stdout.readline()  # pyright: ignore[reportOptionalMemberAccess]
        assert line, "the warm parent ended"
        return json.loads(line)

    def _say(self, line: str) -> None:
        self._warm.stdin.write(line + "\n")  # pyright: ignore[reportOptionalMemberAccess]
        self._warm.stdin.flush()  # pyright: ignore[reportOptionalMemberAccess]

    def run(self, command: str, *, kill_at: int | None = None, watch: Callable[[str], object] | None = None) -> Ended:
        """Run a command in a fork, and kill it at its `kill_at`-th fault point if that is given.

        `watch` is called with the name of each fault point, while the command stands still there.
        """
        order = {"command": command, "now": self.now.isoformat(), "kill_at": kill_at, "watched": watch is not None}
        self._say(json.dumps(order))
        while "reached" in (told := self._hear()):
            assert watch is not None
            watch(told["reached"])
            self._say("go on")
        known = {name: told[name] for name in ("result", "error", "words") if name in told}
        return Ended(told.get("exit"), told.get("signal"), told.get("points", []), **known)

    def day(self, number: int) -> None:
        """Move the world, and leakwatch's clock, to six in the morning of a day."""
        self.now = audit_moment(self._start, self._zone, number)
        self.sandbox.move_to(self.now)

    # --- states ---

    def save(self, name: str) -> None:
        """Keep org, mailboxes, clock and the state folder under a name."""
        self.save_org(name)
        self.keep_state(name)

    def save_org(self, name: str) -> None:
        """Keep org, mailboxes and clock under a name."""
        self.control("POST", "/save", {"name": name})

    def keep_state(self, name: str) -> str:
        """Keep the state folder, as it is on the disk, under a name; return a digest of all that is in it.

        Each content is kept once, for most of it does not change from one fault point to the next. SQLite's shared
        memory is left out: whoever opens the file makes it anew.
        """
        self._kept.mkdir(exist_ok=True)
        files = {
            str(path.relative_to(self.state)): self._content(path)
            for path in sorted(self.state.rglob("*"))
            if path.is_file() and not path.name.endswith("-shm")
        }
        folders = sorted(str(path.relative_to(self.state)) for path in self.state.rglob("*") if path.is_dir())
        told = json.dumps({"files": files, "folders": folders})
        self.images[name] = (files, folders, self.now)
        return hashlib.blake2b(told.encode()).hexdigest()

    def _content(self, path: Path) -> str:
        """Keep a file's content by its digest; return that. A file that was looked at and is as old is not read."""
        found = path.stat()
        mark = (found.st_ino, found.st_size, found.st_mtime_ns)
        known, digest = self._looked_at.get(path, (None, ""))
        if known == mark:
            return digest
        content = path.read_bytes()
        digest = hashlib.blake2b(content, digest_size=20).hexdigest()
        if not (self._kept / digest).exists():
            (self._kept / digest).write_bytes(content)
        if time.time_ns() - found.st_mtime_ns > SETTLED_NS:
            self._looked_at[path] = (mark, digest)
        return digest

    def restore(self, name: str, *, org: str | None) -> None:
        """Go back to the state folder of that name, and to the org of the name `org`.

        The org can be left out when nothing was written to it since.
        """
        if org is not None:
            self.control("POST", "/restore", {"name": org})
        files, folders, self.now = self.images[name]
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir(mode=0o700)
        for folder in folders:
            (self.state / folder).mkdir(mode=0o700)
        for file, digest in files.items():
            if "/snapshots/" in file:  # a published one is never changed
                os.link(self._kept / digest, self.state / file)
            else:
                shutil.copyfile(self._kept / digest, self.state / file)

    # --- looking ---

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the sandbox's control API."""
        return self.sandbox._ask(method, path, body)

    def forget_calls(self) -> None:
        """Count the calls from zero."""
        self.control("DELETE", "/ledger")

    def written(self) -> dict[str, int]:
        """Return the rows that Salesforce was asked to write since counting began anew, refused ones too."""
        return self.sandbox.ledger()["salesforce_rows"]

    def org(self) -> tuple[Facts, dict[str, str]]:
        """Return the org's rows by object, with labels in place of ids it gave out, and the label of each such id."""
        answer = self.control("GET", "/org/dump?labels=true")
        return answer["rows"], answer["labels"]

    def leaks_seen(self) -> set[Leak]:
        """Return (rule, record id) of what the audit of this moment found."""
        with closing(sqlite3.connect(self.state / "state.db")) as connection:
            rows = connection.execute("SELECT rule_id, record_id, last_seen FROM findings")
            return {(rule, record) for rule, record, seen in rows if datetime.fromisoformat(seen) == self.now}

    def leaks_planted(self) -> set[Leak]:
        """Return (rule, record id) of what the world says is leaking at this moment."""
        events = self._events()
        return {
            (entry["rule"], record_of(entry, events))
            for entry in self.control("GET", "/truth")["findings"]
            if datetime.fromisoformat(entry["from"]) <= self.now
            and (entry["until"] is None or self.now < datetime.fromisoformat(entry["until"]))
        }

    def _events(self) -> dict[str, dict[str, Any]]:
        """Return the Events that leakwatch wrote, by their keys."""
        with closing(sqlite3.connect(self.state / "state.db")) as connection:
            made = connection.execute("SELECT key, record_id FROM writes WHERE sobject = 'Event' AND created")
            return {key: {"Id": record_id} for key, record_id in made}

    def facts(self, labels: dict[str, str], *, mirror: bool) -> Facts:
        """Return what leakwatch knows, with the org's labels in place of ids, without what differs by run.

        `mirror`: with the content of the newest snapshot, and how far each table of the live mirror is.
        """
        renamed = _renamer(labels)
        found: Facts = {}
        connection = sqlite3.connect(self.state / "state.db")
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in sorted(set(names) - IGNORED_TABLES):
            found[name] = _rows(connection, name, renamed)
        connection.close()
        if mirror:
            newest = max((self.state / "mirror" / "snapshots").glob("*.duckdb"))
            found["snapshot"] = _tables(newest)
            found["watermarks"] = _watermarks(self.state / "mirror" / "live.duckdb")
        return found


def difference(wanted: Facts, found: Facts) -> list[str]:
    """Return in words where two states differ; empty if they are the same."""
    words: list[str] = []
    for name in sorted(wanted.keys() | found.keys()):
        left, right = wanted.get(name, []), found.get(name, [])
        if left == right:
            continue
        if isinstance(left, dict) or isinstance(right, dict):
            words.append(f"{name}: " + ", ".join(k for k in {**left, **right} if left.get(k) != right.get(k)))
            continue
        rows = [json.dumps(row, sort_keys=True, ensure_ascii=False) for row in left]
        others = [json.dumps(row, sort_keys=True, ensure_ascii=False) for row in right]
        words.append(f"{name}: {len(rows)} rows wanted, {len(others)} found")
        words += [f"  missing: {row[:600]}" for row in rows if row not in others][:3]
        words += [f"  not wanted: {row[:600]}" for row in others if row not in rows][:3]
    return words


def _renamer(labels: dict[str, str]) -> Any:
    """Return what puts labels in place of the ids of 15 or 18 letters in a text."""
    pattern = re.compile(r"([A-Za-z0-9]{15})(?:[A-Z0-5]{3})?(?![A-Za-z0-9])")
    return lambda text: pattern.sub(lambda match: labels.get(match[1], match[0]), text)


def _rows(connection: sqlite3.Connection, table: str, renamed: Any) -> list[Any]:
    cursor = connection.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    shown: list[dict[str, Any]] = []
    for values in cursor:
        row: dict[str, Any] = {}
        for name, value in zip(names, values, strict=True):
            if name in PASSING.get(table, ()):
                continue
            text = value.decode("utf-8") if isinstance(value, bytes) else value
            row[name] = renamed(text) if isinstance(text, str) else text
        if table == "writes":
            status = values[names.index("status")]
            row["ended"] = "landed" if status in ("done", "already_there") else status
        shown.append(row)
    if table == "rule_runs":
        shown = _summed(shown)
    return sorted(shown, key=lambda row: json.dumps(row, sort_keys=True))


def _summed(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return evaluations of one rule at one moment as one: a run that was killed after it evaluated a rule left one.

    What each saw as new, fixed or back is added up: nothing may be counted twice.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for run in runs:
        before = found.get((run["rule_id"], run["at"]), {})
        sums = {name: run[name] + before.get(name, 0) for name in ("new", "resolved", "reopened")}
        found[run["rule_id"], run["at"]] = {**run, **sums}
    return list(found.values())


def _tables(path: Path) -> dict[str, str]:
    """Return table -> count and sum of digests of its rows, in any order."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        queries = [
            f"SELECT '{name}', count(*), sum(hash(t)::HUGEINT) FROM \"{name}\" t"
            for name in sorted(set(names) - PASSING_SNAPSHOT)
        ]
        return {
            name: f"{count} rows, {total}"
            for name, count, total in connection.execute(" UNION ALL ".join(queries)).fetchall()
        }


def _watermarks(path: Path) -> dict[str, str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return {
            row[0]: str(row[1]) for row in connection.execute("SELECT table_name, watermark FROM lw_tables").fetchall()
        }
