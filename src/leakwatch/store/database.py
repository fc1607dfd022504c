"""One SQLite file for all state that can't be rebuilt: journal, findings, runs. The mirror is elsewhere and can be.

Tables are declared beside the code that uses them (`journal.py`, `findings.py`, `runs.py`) on this module's
`metadata`; `migrations/` brings a file from any older layout to this one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.engine import ExceptionContext

from leakwatch.errors import BusyError, ConfigError, SafetyError

metadata = MetaData()

BUSY_TIMEOUT_MS = 30_000  # how long a writer waits for another before SQLite says "database is locked"


def open_engine(path: Path, *, durable: bool = True) -> Engine:
    """Return an engine over the SQLite file at `path`, made with its folder if missing (owner-only).

    WAL; `synchronous=FULL` unless `durable` is off (tests), because a committed cursor must survive a power cut.

    Raises:
        ConfigError: the folder can't be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"the state folder {path.parent} can't be made: {error.strerror}") from error
    with suppress(OSError):  # SQLite says it better
        # Owner-only in a folder made by others, too: it holds names and addresses. SQLite's side files take its mode.
        path.touch(mode=0o600, exist_ok=False)
    # An error's text must not carry the values of a statement: they are people's data.
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, hide_parameters=True)

    @event.listens_for(engine, "handle_error")
    def _on_error(context: ExceptionContext) -> None:  # pyright: ignore[reportUnusedFunction]
        _translate(path, context.original_exception)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        try:
            prepare(connection)
        except sqlite3.Error as error:
            _translate(path, error)
            raise

    def prepare(connection: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: the driver's own does not cover reads
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")  # what is excluded later is gone from the file, not only from sight
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        # Read-modify-write must hold the write lock from its first read (measured: 75 of 100 increments lost without).
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _translate(path: Path, error: BaseException) -> None:
    """Raise what `error` means for a person, if it is about the file itself; return otherwise."""
    words = str(error)
    kept = "What was stored before is kept, nothing of this step was."
    if isinstance(error, sqlite3.DatabaseError) and "not a database" in words:
        raise ConfigError(
            f"{path} is not a state file of leakwatch (or is damaged). Nothing was done. Restore it from a backup, or "
            "choose another store.folder."
        ) from error
    if not isinstance(error, sqlite3.OperationalError):
        return
    if "readonly" in words or "unable to open" in words:
        raise ConfigError(
            f"the state file {path} can't be opened for writing ({words}). {kept} Give this user write access to "
            "store.folder, or choose another one."
        ) from error
    if "full" in words or "disk I/O" in words:
        raise SafetyError(
            f"the state file {path} could not be written ({words}). {kept} Free some space on its disk, then run the "
            "command again."
        ) from error
    if "locked" in words:
        raise BusyError(
            f"the state file {path} was busy for {BUSY_TIMEOUT_MS // 1000} s. {kept} Look for another leakwatch "
            "process (leakwatch status), then try again."
        ) from error


@contextmanager
def transaction(engine: Engine) -> Generator[Connection]:
    """Yield a connection inside one `BEGIN IMMEDIATE` transaction: all of it is stored, or none."""
    with engine.begin() as connection:
        yield connection
