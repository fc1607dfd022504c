"""The org's rows on disk: one SQLite file, one table per object with one typed column per field."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.schema import ACTIVITY_OBJECTS, SQL_TYPES, Field, Schema, SObject, read_field
from leakwatch.sandbox.org.soql import functions

FILE_NAME = "org.sqlite"
_META = """
CREATE TABLE IF NOT EXISTS _meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _counter (prefix TEXT, pod TEXT, n INTEGER NOT NULL, PRIMARY KEY (prefix, pod));
CREATE TABLE IF NOT EXISTS _field (sobject TEXT, name TEXT, spec TEXT NOT NULL, PRIMARY KEY (sobject, name));
CREATE TABLE IF NOT EXISTS _deleted (sobject TEXT, id TEXT, at TEXT NOT NULL, PRIMARY KEY (sobject, id));
CREATE TABLE IF NOT EXISTS _locator (id TEXT PRIMARY KEY, plan TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _calls (hour INTEGER PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS _app (client_id TEXT PRIMARY KEY, key TEXT NOT NULL, usernames TEXT NOT NULL);
"""


@lru_cache(maxsize=65536)
def fold(text: str | None) -> str | None:
    """Text without regard to case, for comparisons. Letters stay letters: İ does not become I."""
    return None if text is None else text.casefold()


def quote(name: str) -> str:
    """An SQL identifier (some objects are called `Group` and `Case`)."""
    return f'"{name}"'


class Store:
    """Rows, counters and the deployed fields of one org."""

    def __init__(self, folder: Path, schema: Schema) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE_NAME
        self.lock = threading.RLock()
        self._schema = schema
        self._depth = 0
        self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=512)
        db.execute("PRAGMA journal_mode=TRUNCATE")
        db.execute("PRAGMA synchronous=OFF")  # safe when the process dies; a power cut may cost the sandbox
        db.execute("PRAGMA temp_store=MEMORY")
        db.create_function("sf_fold", 1, fold, deterministic=True)
        functions.register(db)
        db.row_factory = sqlite3.Row
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = '_meta'").fetchone() is None:
            db.execute("BEGIN")
            for statement in (*_META.split(";"), *self._tables()):
                db.execute(statement)
            db.execute("COMMIT")
        for row in db.execute("SELECT sobject, spec FROM _field"):
            if row["sobject"] in self._schema.objects:
                self._schema.add(row["sobject"], read_field(json.loads(row["spec"])))
        return db

    def _tables(self) -> Iterator[str]:
        for one in self._schema.objects.values():
            columns = ", ".join(_column(field) for field in one.stored_fields)
            yield f"CREATE TABLE {quote(one.name)} ({columns}) WITHOUT ROWID"
            for field in one.stored_fields:
                yield from _indexes(one.name, field)

    # -- transactions ---------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing; nests (an inner one that fails undoes only itself)."""
        with self.lock:
            name = f"s{self._depth}"
            self._db.execute("BEGIN IMMEDIATE" if self._depth == 0 else f"SAVEPOINT {name}")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                else:
                    self._db.execute(f"ROLLBACK TO {name}")
                    self._db.execute(f"RELEASE {name}")
                raise
            self._depth -= 1
            self._db.execute("COMMIT" if self._depth == 0 else f"RELEASE {name}")

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> sqlite3.Cursor:
        """Run one statement with bound values."""
        return self._db.execute(sql, parameters)

    # -- rows -----------------------------------------------------------------------------------------

    def get(self, sobject: str, record_id: str) -> dict[str, Any] | None:
        """One row, kept form, deleted or not."""
        row = self.execute(f"SELECT * FROM {quote(sobject)} WHERE Id = ?", (record_id,)).fetchone()
        return dict(row) if row is not None else None

    def find(self, sobject: str, field: Field, value: Any, *, deleted: bool = False) -> list[dict[str, Any]]:
        """Rows with this value, compared as the field compares."""
        alive = "" if deleted or not self._schema.objects[sobject].has_bin else " AND IsDeleted = 0"
        sql = f"SELECT * FROM {quote(sobject)} WHERE {_match(field)}{alive} ORDER BY Id"
        return [dict(row) for row in self.execute(sql, (value,))]

    def insert(self, sobject: str, row: Mapping[str, Any]) -> None:
        """Add one row; every column not given is null."""
        names = ", ".join(map(quote, row))
        marks = ", ".join("?" * len(row))
        self.execute(f"INSERT INTO {quote(sobject)} ({names}) VALUES ({marks})", tuple(row.values()))

    def insert_many(self, sobject: SObject, rows: Iterable[Mapping[str, Any]]) -> int:
        """Add many rows fast."""
        names = [field.name for field in sobject.stored_fields]
        sql = (
            f"INSERT INTO {quote(sobject.name)} ({', '.join(map(quote, names))}) VALUES ({', '.join('?' * len(names))})"
        )
        with self.transaction():
            return self._db.executemany(sql, (tuple(map(row.get, names)) for row in rows)).rowcount

    def update(self, sobject: str, record_id: str, changes: Mapping[str, Any]) -> None:
        """Change some columns of one row."""
        if changes:
            sets = ", ".join(f"{quote(name)} = ?" for name in changes)
            self.execute(f"UPDATE {quote(sobject)} SET {sets} WHERE Id = ?", (*changes.values(), record_id))

    def remove(self, sobject: str, record_id: str) -> None:
        """Take a row away for good."""
        self.execute(f"DELETE FROM {quote(sobject)} WHERE Id = ?", (record_id,))

    def next_id(self, prefix: str, pod: str) -> str:
        """The next id of a key prefix."""
        with self.transaction():
            row = self.execute(
                "INSERT INTO _counter VALUES (?, ?, 1) ON CONFLICT (prefix, pod) DO UPDATE SET n = n + 1 RETURNING n",
                (prefix, pod),
            ).fetchone()
            return ids.make(prefix, int(row["n"]), pod)

    # -- the org's own notes --------------------------------------------------------------------------

    def note(self, key: str) -> str | None:
        """One of the org's own notes."""
        row = self.execute("SELECT value FROM _meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row["value"])

    def set_note(self, key: str, value: str) -> None:
        """Keep a note."""
        self.execute("INSERT OR REPLACE INTO _meta VALUES (?, ?)", (key, value))

    def add_field(self, sobject: str, field: Field, spec: Mapping[str, Any]) -> None:
        """Add a custom field: its column, its index, its description."""
        with self.transaction():
            known = self.execute(f"SELECT name FROM pragma_table_info('{sobject}')")
            if field.name not in {row["name"] for row in known}:
                self.execute(f"ALTER TABLE {quote(sobject)} ADD COLUMN {_column(field)}")
                if field.type == "boolean":
                    default = int(bool(field.default))
                    self.execute(f"UPDATE {quote(sobject)} SET {quote(field.name)} = ?", (default,))
                for statement in _indexes(sobject, field):
                    self.execute(statement)
            spec_text = json.dumps(dict(spec), sort_keys=True)
            self.execute("INSERT OR REPLACE INTO _field VALUES (?, ?, ?)", (sobject, field.name, spec_text))
            self._schema.add(sobject, field)

    # -- the file -------------------------------------------------------------------------------------

    def copy_to(self, folder: Path) -> None:
        """Copy the state into a folder."""
        with self.lock:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.path, folder / FILE_NAME)

    def copy_from(self, folder: Path, schema: Schema) -> None:
        """Go back to a copied state; `schema` is a fresh one, to take up the copy's own fields."""
        with self.lock:
            self._db.close()
            shutil.copyfile(folder / FILE_NAME, self.path)
            self._schema = schema
            self._db = self._open()

    def close(self) -> None:
        """Let go of the file."""
        with self.lock:
            self._db.close()


def _column(field: Field) -> str:
    if field.name == "Id":
        return '"Id" TEXT PRIMARY KEY NOT NULL'
    return f"{quote(field.name)} {SQL_TYPES.get(field.type, 'TEXT')}"


def folded(field: Field) -> bool:
    """Whether its values are compared without regard to case."""
    return field.is_text and not field.can("V")


def _match(field: Field) -> str:
    return f"sf_fold({quote(field.name)}) = sf_fold(?)" if folded(field) else f"{quote(field.name)} = ?"


def _indexes(sobject: str, field: Field) -> Iterator[str]:
    key = field.can("I") or field.can("X") or field.can("Q")
    parents = ("AccountId", "OpportunityId", "WhoId", "WhatId", "EmailMessageId", "ActivityId", "RelationId")
    if field.name == "Id" or not (key or field.name in (*parents, "SystemModstamp", "GroupId", "ParentId")):
        return
    what = f"sf_fold({quote(field.name)})" if folded(field) else quote(field.name)
    yield f"CREATE INDEX {quote(f'{sobject}_{field.name}')} ON {quote(sobject)} ({what})"


def shares_index(sobject: str, field: Field) -> Sequence[str]:
    """The objects over which a unique field of this object is unique.

    Custom fields of Task and Event are fields of Activity, so their index is one (unverified, see
    salesforce.md 5.4: the scope of uniqueness over Task and Event is assumed to be shared).
    """
    return ACTIVITY_OBJECTS if field.custom and sobject in ACTIVITY_OBJECTS else (sobject,)
