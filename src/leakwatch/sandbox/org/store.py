"""The org's rows on disk: one SQLite file, one table per object with one typed column per field."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from leakwatch.sandbox.org import ids, indexes
from leakwatch.sandbox.org.database import Database
from leakwatch.sandbox.org.indexes import folded, quote
from leakwatch.sandbox.org.schema import ACTIVITY_OBJECTS, SQL_TYPES, Field, Schema, SObject, read_field, read_object
from leakwatch.sandbox.org.soql import functions

FILE_NAME = "org.sqlite"
_META = """
CREATE TABLE IF NOT EXISTS _meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _counter (prefix TEXT, pod TEXT, n INTEGER NOT NULL, PRIMARY KEY (prefix, pod));
CREATE TABLE IF NOT EXISTS _object (name TEXT PRIMARY KEY, spec TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _field (sobject TEXT, name TEXT, spec TEXT NOT NULL, PRIMARY KEY (sobject, name));
CREATE TABLE IF NOT EXISTS _deleted (sobject TEXT, id TEXT, at TEXT NOT NULL, PRIMARY KEY (sobject, id));
CREATE INDEX IF NOT EXISTS _deleted_at ON _deleted (at);
CREATE TABLE IF NOT EXISTS _agenda (
    n INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, facts TEXT NOT NULL, at TEXT, wall REAL
);
CREATE TABLE IF NOT EXISTS _segments (id TEXT PRIMARY KEY, segments TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _notification (n INTEGER PRIMARY KEY, at TEXT NOT NULL, notification TEXT NOT NULL);
"""


@lru_cache(maxsize=65536)
def fold(text: str | None) -> str | None:
    """Text without regard to case, for comparisons. Letters stay letters: İ does not become I."""
    return None if text is None else text.casefold()


def _register(db: sqlite3.Connection) -> None:
    """Give a connection the functions that queries use."""
    db.create_function("sf_fold", 1, fold, deterministic=True)
    functions.register(db)


def row_dict(row: sqlite3.Row) -> dict[str, Any]:
    """A row by its columns. `dict(row)` looks each one up among all: a millisecond for the 150 columns of a User."""
    return dict(zip(row.keys(), row, strict=True))


_EMPTY: dict[tuple[frozenset[str], str], bytes] = {}
"""Files without rows by kind of schema, so that a process makes the tables of its second org by copying them."""


class Store(Database):
    """Rows, counters and the deployed fields of one org."""

    def __init__(self, folder: Path, schema: Schema) -> None:
        path = folder / FILE_NAME
        fresh = not path.exists()
        empty = _EMPTY.get(schema.key) if fresh else None
        if empty is not None:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(empty)
        super().__init__(path, _register)
        self._before: dict[tuple[str, str], dict[str, Any] | None] | None = None
        self._schema = schema
        if empty is None:
            self._prepare()
        if fresh and empty is None:
            _EMPTY[schema.key] = self._writer.serialize()

    def _prepare(self) -> None:
        """Make the tables there are not yet; take up the deployed fields."""
        with self.transaction():
            for statement in _META.split(";"):
                self.execute(statement)
            for row in self.execute("SELECT spec FROM _object ORDER BY rowid").fetchall():
                self._schema.add_object(read_object(json.loads(row["spec"])))
            for row in self.execute("SELECT sobject, spec FROM _field").fetchall():
                if row["sobject"] in self._schema.objects:
                    self._schema.add(row["sobject"], read_field(json.loads(row["spec"])))
            for one in self._schema.objects.values():
                self._make_table(one)

    def _make_table(self, one: SObject) -> None:
        """An object's table and indexes, or what an older folder lacks of them."""
        known = {row["name"] for row in self.execute(f"SELECT name FROM pragma_table_info('{one.name}')")}
        missing = [field for field in one.stored_fields if field.name not in known]
        if not missing:
            return
        if known:
            for field in missing:
                self._add_column(one.name, field)
            return
        columns = ", ".join(_column(field) for field in one.stored_fields)
        self.execute(f"CREATE TABLE {quote(one.name)} ({columns}) WITHOUT ROWID")
        for statement in indexes.of_object(one):
            self.execute(statement)
        for field in one.stored_fields:
            for statement in indexes.of_field(one, field):
                self.execute(statement)

    def _add_column(self, sobject: str, field: Field) -> None:
        self.execute(f"ALTER TABLE {quote(sobject)} ADD COLUMN {_column(field)}")
        if field.type == "boolean":
            default = int(bool(field.default))
            self.execute(f"UPDATE {quote(sobject)} SET {quote(field.name)} = ?", (default,))
        for statement in indexes.of_field(self._schema.objects[sobject], field):
            self.execute(statement)

    # -- rows -----------------------------------------------------------------------------------------

    def get(self, sobject: str, record_id: str) -> dict[str, Any] | None:
        """One row, kept form, deleted or not."""
        row = self.execute(f"SELECT * FROM {quote(sobject)} WHERE Id = ?", (record_id,)).fetchone()
        return row_dict(row) if row is not None else None

    def find(self, sobject: str, field: Field, value: Any, *, deleted: bool = False) -> list[dict[str, Any]]:
        """Rows with this value, compared as the field compares."""
        alive = "" if deleted or not self._schema.objects[sobject].has_bin else " AND IsDeleted = 0"
        sql = f"SELECT * FROM {quote(sobject)} WHERE {_match(field)}{alive} ORDER BY Id"
        return [row_dict(row) for row in self.execute(sql, (value,))]

    @contextmanager
    def recorded(self) -> Generator[dict[tuple[str, str], dict[str, Any] | None]]:
        """What the rows that are written inside were before, by object and id; None for new ones. Nests."""
        outer, here = self._before, dict[tuple[str, str], dict[str, Any] | None]()
        self._before = here
        try:
            yield here
        finally:
            self._before = outer
            if outer is not None:
                outer |= here | outer

    def _record(self, sobject: str, record_id: str) -> None:
        if self._before is not None and (sobject, record_id) not in self._before:
            self._before[sobject, record_id] = self.get(sobject, record_id)

    def insert(self, sobject: str, row: Mapping[str, Any]) -> None:
        """Add one row; every column not given is null."""
        self._record(sobject, row["Id"])
        names = ", ".join(map(quote, row))
        marks = ", ".join("?" * len(row))
        self.execute(f"INSERT INTO {quote(sobject)} ({names}) VALUES ({marks})", tuple(row.values()))

    def insert_many(self, sobject: SObject, rows: Iterable[Mapping[str, Any]]) -> int:
        """Add many rows fast."""
        names = [field.name for field in sobject.stored_fields]
        sql = (
            f"INSERT INTO {quote(sobject.name)} ({', '.join(map(quote, names))}) VALUES ({', '.join('?' * len(names))})"
        )
        return self.execute_many(sql, (tuple(map(row.get, names)) for row in rows))

    def update(self, sobject: str, record_id: str, changes: Mapping[str, Any]) -> None:
        """Change some columns of one row."""
        self._record(sobject, record_id)
        if changes:
            sets = ", ".join(f"{quote(name)} = ?" for name in changes)
            self.execute(f"UPDATE {quote(sobject)} SET {sets} WHERE Id = ?", (*changes.values(), record_id))

    def remove(self, sobject: str, record_id: str) -> None:
        """Take a row away for good."""
        self._record(sobject, record_id)
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
                self._add_column(sobject, field)
            spec_text = json.dumps(dict(spec), sort_keys=True)
            self.execute("INSERT OR REPLACE INTO _field VALUES (?, ?, ?)", (sobject, field.name, spec_text))
            self._schema.add(sobject, field)

    def add_object(self, spec: Mapping[str, Any]) -> None:
        """Add a custom object, described as in the schema files: its table, its description.

        One that is there keeps its fields and rows; a new description takes hold when the folder is opened again.
        """
        name = spec["name"]
        with self.transaction():
            sql = "INSERT INTO _object VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET spec = excluded.spec"
            self.execute(sql, (name, json.dumps(dict(spec), sort_keys=True)))
            if name not in self._schema.objects:
                self._schema.add_object(read_object(spec))
                self._make_table(self._schema.objects[name])

    def prefixes(self) -> dict[str, str]:
        """The key prefixes of the deployed custom objects."""
        rows = self.execute("SELECT name FROM _object ORDER BY rowid").fetchall()
        found = {row["name"]: self._schema.objects[row["name"]] for row in rows}
        return {name: one.prefix for name, one in found.items() if one.allows("keyPrefix")}

    def next_number(self, counter: str, start: int) -> int:
        """The next number of an auto-number field."""
        sql = "INSERT INTO _counter VALUES (?, '#', ?) ON CONFLICT DO UPDATE SET n = n + 1 RETURNING n"
        return int(self.execute(sql, (counter, start)).fetchone()[0])

    # -- the file -------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Copy the state into a folder."""
        self.copy_to(folder / FILE_NAME)

    def restore(self, folder: Path, schema: Schema) -> None:
        """Go back to a copied state; `schema` is a fresh one, to take up the copy's own fields."""
        with self.writing():
            self.copy_from(folder / FILE_NAME)
            self._schema = schema
            self._prepare()


def _column(field: Field) -> str:
    if field.name == "Id":
        return '"Id" TEXT PRIMARY KEY NOT NULL'
    return f"{quote(field.name)} {SQL_TYPES.get(field.type, 'TEXT')}"


def _match(field: Field) -> str:
    return f"sf_fold({quote(field.name)}) = sf_fold(?)" if folded(field) else f"{quote(field.name)} = ?"


def shares_index(sobject: str, field: Field) -> Sequence[str]:
    """The objects over which a unique field of this object is unique.

    Custom fields of Task and Event are fields of Activity, so their index is one (unverified, see
    salesforce.md 5.4: the scope of uniqueness over Task and Event is assumed to be shared).
    """
    return ACTIVITY_OBJECTS if field.custom and sobject in ACTIVITY_OBJECTS else (sobject,)
