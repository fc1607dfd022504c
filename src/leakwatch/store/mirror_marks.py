"""How far each table of the live mirror was read: what a refresh begins from, and what a dry run of it looks at."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from leakwatch.core.tables import MirrorConfig, ObjectSpec
from leakwatch.errors import BusyError, LeakwatchError

LIVE_FILE = "live.duckdb"
BOOKKEEPING = (
    "CREATE TABLE IF NOT EXISTS lw_tables (sobject VARCHAR, table_name VARCHAR, watermark TIMESTAMP)",
    "ALTER TABLE lw_tables ADD COLUMN IF NOT EXISTS deletions_until TIMESTAMP",  # files of 0.1.0 lack it
    "ALTER TABLE lw_tables ADD COLUMN IF NOT EXISTS version VARCHAR",  # and this
    "CREATE TABLE IF NOT EXISTS lw_columns (table_name VARCHAR, column_name VARCHAR, field VARCHAR, type VARCHAR)",
)


@dataclass(slots=True)
class _Mark:
    """One object's row in lw_tables; moments as the tables keep them, UTC without a zone."""

    watermark: datetime | None = None
    deletions_until: datetime | None = None
    version: str | None = None  # another one whenever rows or columns changed; None: who knows


@dataclass(frozen=True, slots=True)
class _Marks:
    """All that the bookkeeping says: marks by object, and by table its columns: name -> (API name, SQL type)."""

    tables: dict[str, _Mark]
    columns: dict[str, dict[str, tuple[str, str]]]


class MirrorMarks:
    """The bookkeeping behind an open connection, which has the tables of BOOKKEEPING.

    It is read once and then remembered: a refresh asks it some ninety times, for a millisecond of planning each. Who
    writes it through this connection keeps what is remembered in step, or calls `_forget_marks`; nobody else can.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, config: MirrorConfig) -> None:
        self._connection = connection
        self._config = config
        self._remembered: _Marks | None = None

    def fields(self, sobject: str) -> dict[str, str]:
        """Return the fields that the table holds: API name -> SQL type. Empty if the object was never merged."""
        return dict(self._marks.columns.get(self._spec(sobject).table, {}).values())

    def watermark(self, sobject: str) -> datetime | None:
        """Return the moment (aware UTC) before which everything of this object is in, or None."""
        mark = self._marks.tables.get(sobject)
        return mark.watermark.replace(tzinfo=UTC) if mark and mark.watermark else None

    def deletions_known_until(self, sobject: str) -> datetime | None:
        """Return the moment (aware UTC) before which every deletion of this object is known, or None."""
        mark = self._marks.tables.get(sobject)
        return mark.deletions_until.replace(tzinfo=UTC) if mark and mark.deletions_until else None

    def versions(self) -> dict[str, str | None]:
        """Return by table what changes with every change of its rows or columns; None where that is not known."""
        return {self._spec(name).table: mark.version for name, mark in self._marks.tables.items()}

    @property
    def _marks(self) -> _Marks:
        if self._remembered is None:
            run = self._connection.execute
            rows = run("SELECT sobject, watermark, deletions_until, version FROM lw_tables").fetchall()
            found = _Marks({name: _Mark(*mark) for name, *mark in rows}, {})
            for table, *column in run("SELECT table_name, column_name, field, type FROM lw_columns").fetchall():
                name, api_name, kind = column
                found.columns.setdefault(table, {})[name] = (api_name, kind)
            self._remembered = found
        return self._remembered

    def _forget_marks(self) -> None:
        """Have the bookkeeping read anew when it is asked next."""
        self._remembered = None

    def _spec(self, sobject: str) -> ObjectSpec:
        spec = self._config.object(sobject)
        if spec is None:
            raise LeakwatchError(f"{sobject} is not among the objects of mirror.yaml")
        return spec


@contextmanager
def marks_of(folder: Path, config: MirrorConfig) -> Generator[MirrorMarks]:
    """Yield the marks of the mirror in `folder` as they are now; makes and changes no file.

    Raises:
        BusyError: another process writes to it. LeakwatchError: the file can't be read.
    """
    with duckdb.connect(":memory:") as copy:
        for statement in BOOKKEEPING:
            copy.execute(statement)
        if (folder / LIVE_FILE).exists():
            with open_live(folder / LIVE_FILE, read_only=True) as live:
                for table in ("lw_tables", "lw_columns"):
                    _copy(live, copy, table)
        yield MirrorMarks(copy, config)


def _copy(live: duckdb.DuckDBPyConnection, copy: duckdb.DuckDBPyConnection, table: str) -> None:
    """Take over the rows of `table`, which an earlier version may have made with fewer columns, or not at all."""
    try:
        found = live.execute(f"SELECT * FROM {table}")
    except duckdb.CatalogException:
        return
    names = [str(column[0]) for column in found.description or ()]
    rows = found.fetchall()
    if rows:
        marks = ", ".join("?" for _ in names)
        copy.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)


def open_live(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Return a connection to the live mirror's file.

    Raises:
        BusyError: another process writes to it. LeakwatchError: the file can't be read.
    """
    try:
        return duckdb.connect(str(path), read_only=read_only)
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            raise BusyError(f"another leakwatch process works on the mirror {path}; wait for it, or stop it") from error
        raise LeakwatchError(
            f"the mirror {path} can't be opened ({type(error).__name__}). It holds nothing that is not in Salesforce:"
            f" delete {path} and its .wal file and run `leakwatch mirror` again"
        ) from error
