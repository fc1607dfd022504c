"""One derivation of a snapshot in progress: its connection, its settings, and what had to be assumed on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Literal

import duckdb

from leakwatch.core.report_inputs import Note
from leakwatch.core.tables import MirrorConfig
from leakwatch.model import Text
from leakwatch.store.mirror_ingest import literal, quoted
from leakwatch.store.mirror_reuse import Reuse

ROWS_AT_ONCE = 200  # of one INSERT: ten times faster than one by one, and more rows in one gain no more


@dataclass(frozen=True, slots=True)
class TableNote:
    """An assumption, and whom it concerns: readers of the table (`*` = everybody), or of one column of it."""

    table: str
    column: str | None
    note: Note


class Build:
    """One derivation: the open connection (live file as main, `next` attached), and what has been found so far."""

    now: datetime  # aware; touches after it don't count
    folder: Path  # for temporary files
    zone = "UTC"  # IANA name; local dates are days there
    reuse: Reuse  # what the last snapshot has that is as good as new

    def __init__(self, connection: duckdb.DuckDBPyConnection, config: MirrorConfig) -> None:
        self.connection = connection
        self.config = config
        self.notes: list[TableNote] = []
        self.columns: dict[str, dict[str, str]] = {}
        for table, column, kind in connection.execute(
            "SELECT table_name, column_name, type FROM lw_columns"
        ).fetchall():
            self.columns.setdefault(table, {})[column] = kind

    def run(self, sql: str, parameters: Iterable[object] = ()) -> list[tuple[object, ...]]:
        """Execute `sql` and return its rows."""
        return self.connection.execute(sql, list(parameters)).fetchall()

    def has(self, table: str, *columns: str) -> bool:
        """Tell whether the live mirror holds `table` with all of `columns`."""
        return table in self.columns and all(column in self.columns[table] for column in columns)

    def column(self, table: str, column: str, kind: str, alias: str = "t") -> str:
        """Return the column as SQL, or a typed NULL where the mirror lacks it."""
        return f"{alias}.{quoted(column)}" if self.has(table, column) else f"CAST(NULL AS {kind})"

    def local_date(self, timestamp: str) -> str:
        """Return SQL for the day on which a UTC timestamp falls in the org's time zone."""
        if self.zone == "UTC":
            return f"CAST({timestamp} AS DATE)"
        return f"CAST(({timestamp} AT TIME ZONE 'UTC') AT TIME ZONE {literal(self.zone)} AS DATE)"

    def assume(
        self, table: str, code: str, en: str, tr: str, *, column: str | None = None, warning: bool = False
    ) -> None:
        """Remember an assumption about `table` or one of its columns, to be told to their readers."""
        level = "warning" if warning else "assumption"
        self.notes.append(TableNote(table, column, Note(code, Text(en=en, tr=tr), level)))

    def take(self, recipe: str | None, *tables: str) -> bool:
        """Copy tables from the last snapshot, with what it noted of them, if they are as good as new there."""
        if not self.reuse.take(recipe, tables):
            return False
        told = {(item.table, item.note.code) for item in self.notes}
        for table, column, code, level, en, tr in chain.from_iterable(map(self.reuse.notes, tables)):
            if (table, code) not in told:
                kind: Literal["assumption", "warning"] = "warning" if level == "warning" else "assumption"
                self.notes.append(TableNote(table, column, Note(code, Text(en=en, tr=tr), kind)))
        return True

    def map_table(self, name: str, columns: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Make a temporary table of a few rows worked out in Python."""
        self.run(f"CREATE OR REPLACE TEMP TABLE {name} ({columns})")
        self.insert(name, rows)

    def insert(self, table: str, rows: Iterable[Sequence[object]]) -> None:
        """Insert rows worked out in Python: many with one statement, because planning one costs a millisecond."""
        prepared = list(rows)
        for start in range(0, len(prepared), ROWS_AT_ONCE):
            some = prepared[start : start + ROWS_AT_ONCE]
            marks = f"({', '.join('?' * len(some[0]))})"
            self.run(f"INSERT INTO {table} VALUES {', '.join([marks] * len(some))}", chain.from_iterable(some))
