"""What became of each job, in one small table that any process may read while the daemon writes it.

The table lies in the job engine's own file. It holds names, times and error texts, never content.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, get_type_hints

from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, create_engine, event, select

from leakwatch.clock import SystemClock

JOBS_FILE = "jobs.db"
UNIXEPOCH_KNOWS_SUBSEC = (3, 42, 0)  # SQLite's release notes, 2023-05-16
BUSY_TIMEOUT_MS = 30_000  # how long a writer waits for another before SQLite says "database is locked"


class Phase(StrEnum):
    """What a job is doing now."""

    IDLE = "idle"
    QUEUED = "queued"
    RUNNING = "running"


class Outcome(StrEnum):
    """How a job's last run ended. Stable words: they are shown and filtered on."""

    SUCCEEDED = "succeeded"
    INCOMPLETE = "incomplete"  # it ran to its end, but could not look everywhere; the flow said so
    POSTPONED = "postponed"  # a service could not answer; tried again by itself
    BLOCKED = "blocked"  # credentials or configuration: a person must mend it; tried again every hour
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # stopped before its end; taken up again at the next start


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One job as `leakwatch status` shows it. Times are aware UTC."""

    job: str
    flow: str
    schedule: str
    time_zone: str
    known_since: datetime  # slots before this moment are nobody's
    phase: Phase = Phase.IDLE
    due: datetime | None = None  # the slot asked for last
    attempt: int = 0
    slot_id: str | None = None  # the only slot id that may run now
    started_at: datetime | None = None
    finished_at: datetime | None = None
    outcome: Outcome | None = None
    error: str | None = None
    run_id: str | None = None
    failures: int = 0  # runs in a row that did not succeed
    last_success_at: datetime | None = None
    retry_at: datetime | None = None
    next_due: datetime | None = None  # None: not scheduled (switched off, or its file is gone)
    paused_reason: str | None = None


_HINTS = get_type_hints(JobStatus)
_metadata = MetaData()
_table = Table(
    "leakwatch_job",
    _metadata,
    *(
        Column(
            item.name,
            Integer if _HINTS[item.name] is int else String,
            primary_key=item.name == "job",
            nullable=True,
        )
        for item in fields(JobStatus)
    ),
)
_ALL = select(_table).order_by(_table.c.job)


def open_database(path: Path) -> Engine:
    """Return an engine over the jobs file: WAL, and each transaction takes the write lock from its start.

    `synchronous=NORMAL`: a power cut may lose the last moments of bookkeeping, after which a slot runs once more, and
    every flow may run once more.
    """
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = "IMMEDIATE"  # what the job engine sets on engines it makes itself
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if sqlite3.sqlite_version_info < UNIXEPOCH_KNOWS_SUBSEC:
            connection.create_function("unixepoch", 1, _unixepoch)

    return engine


def _unixepoch(modifier: str) -> float | None:
    """Stand in for `unixepoch('subsec')`, which older SQLite answers with NULL.

    The job engine stamps its rows with it on Python 3.12 and later, whatever SQLite that Python was built on (Debian 12
    and Ubuntu 22.04 have an older one): every insert would fail.
    """
    return SystemClock().now().timestamp() if modifier == "subsec" else None


class Ledger:
    """The table of job statuses. One writer: the daemon that holds the lock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        _metadata.create_all(engine)

    def all(self) -> Sequence[JobStatus]:
        """Return the status of every job ever known here, by name."""
        with self._engine.connect() as connection:
            return [_status(row) for row in connection.execute(_ALL).mappings()]

    def get(self, job: str) -> JobStatus | None:
        """Return one job's status, or None if it is not known."""
        with self._engine.connect() as connection:
            row = connection.execute(select(_table).where(_table.c.job == job)).mappings().one_or_none()
        return None if row is None else _status(row)

    def add(self, status: JobStatus) -> None:
        """Store the status of a job that is not known yet."""
        with self._engine.begin() as connection:
            connection.execute(_table.insert().values(_row({name: getattr(status, name) for name in _HINTS})))

    def change(self, job: str, **changes: Any) -> None:
        """Store `changes` (fields of JobStatus) to one job's status; other fields stay as they are."""
        with self._engine.begin() as connection:
            connection.execute(_table.update().where(_table.c.job == job).values(_row(changes)))


def read_status(store_folder: Path) -> list[JobStatus]:
    """Return what the daemon on `store_folder` last wrote about each job; empty if none ever ran there.

    Needs no running daemon and never makes a file.
    """
    path = store_folder / JOBS_FILE
    if not path.exists():
        return []
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    try:
        with engine.connect() as connection:
            if not engine.dialect.has_table(connection, _table.name):
                return []
            return [_status(row) for row in connection.execute(_ALL).mappings()]
    finally:
        engine.dispose()


def _row(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def _status(row: Mapping[Any, Any]) -> JobStatus:
    values: dict[str, Any] = {}
    for item in fields(JobStatus):
        value = row[item.name]
        hint = str(_HINTS[item.name])
        if value is not None and "datetime" in hint:
            value = datetime.fromisoformat(value)
        elif value is not None and "Phase" in hint:
            value = Phase(value)
        elif value is not None and "Outcome" in hint:
            value = Outcome(value)
        values[item.name] = value
    return JobStatus(**values)
