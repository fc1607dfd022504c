"""Runs: one row per execution of a flow, so that every figure can be traced to one; and the one-at-a-time lock."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Boolean, Column, Engine, LargeBinary, RowMapping, String, Table, select

from leakwatch import faultpoints
from leakwatch.errors import BusyError
from leakwatch.model import Run
from leakwatch.store import capture_codec as codec
from leakwatch.store.capture_tables import text, upsert, when
from leakwatch.store.database import metadata, transaction

runs = Table(
    "runs",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("flow", String, nullable=False, index=True),
    Column("started_at", String, nullable=False, index=True),
    Column("finished_at", String),
    Column("complete", Boolean, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("counts", LargeBinary, nullable=False),  # JSON
    Column("error", String),
)


class SqlRunLog:
    """The `RunLog` port. `lock_file` lies beside the database; its lock ends with the process that holds it."""

    def __init__(self, engine: Engine, lock_file: Path) -> None:
        self._engine = engine
        self._lock_file = lock_file

    def start(self, flow: str, *, now: datetime, dry_run: bool = False) -> Run:
        """Store and return a new run. Its id sorts by time."""
        run = Run(
            run_id=f"{now:%Y%m%dT%H%M%S}-{flow}-{secrets.token_hex(3)}", flow=flow, started_at=now, dry_run=dry_run
        )
        self._store(run)
        return run

    def finish(self, run: Run) -> None:
        """Store how `run` ended (`finished_at`, `complete`, `counts`, `error`)."""
        self._store(run)

    @contextmanager
    def exclusive(self) -> Generator[None]:
        """Hold the store's lock.

        Raises:
            BusyError: another leakwatch process holds it.
        """
        self._lock_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(self._lock_file)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BusyError(
                f"another leakwatch process works on this store (it holds {self._lock_file.name}). Nothing was done. "
                "Wait for it, or stop it, and try again."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def latest(self, flow: str | None = None, *, limit: int = 20) -> list[Run]:
        """Return the newest runs, of one flow or of all, newest first."""
        query = select(runs).order_by(runs.c.started_at.desc(), runs.c.run_id.desc()).limit(limit)
        if flow is not None:
            query = query.where(runs.c.flow == flow)
        with transaction(self._engine) as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def get(self, run_id: str) -> Run | None:
        """Return one run, or None if there is none of that id."""
        with transaction(self._engine) as connection:
            row = connection.execute(select(runs).where(runs.c.run_id == run_id)).mappings().first()
        return _run(row) if row is not None else None

    def _store(self, run: Run) -> None:
        row = {
            "run_id": run.run_id,
            "flow": run.flow,
            "started_at": text(run.started_at),
            "finished_at": text(run.finished_at) if run.finished_at is not None else None,
            "complete": run.complete,
            "dry_run": run.dry_run,
            "counts": codec.dump(dict(run.counts)),
            "error": run.error,
        }
        with transaction(self._engine) as connection:
            upsert(connection, runs, [row])
        faultpoints.reach(f"runs.{run.flow}.stored")


def _run(row: RowMapping) -> Run:
    return replace(
        Run(run_id=row["run_id"], flow=row["flow"], started_at=when(row["started_at"])),
        finished_at=when(row["finished_at"]) if row["finished_at"] is not None else None,
        complete=row["complete"],
        dry_run=row["dry_run"],
        counts=codec.load(row["counts"]),
        error=row["error"],
    )
