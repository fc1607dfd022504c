"""Which tables of the last snapshot are as good as new: they are copied into the next one instead of worked out again.

A table's recipe is a digest of all that it is made of: the versions of the live tables it reads, which change with
every change of their rows or columns, the settings and the day that its SQL contains, and the code that writes the SQL.
A snapshot stores the recipe of each of its tables; a table whose recipe is the same now has the same rows. Most tables
do not change between two refreshes, and typing out joins and folded keys for them again costs more than reading them.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb

from leakwatch import core
from leakwatch.store.mirror_ingest import literal, quoted

MADE_BY = ("currencies", "mail_providers", "match_domains", "names", "tables")  # of core: what the SQL is made with
RECIPES = "CREATE TABLE next.main.lw_recipes (table_name VARCHAR, recipe VARCHAR)"
Note = tuple[str, str | None, str, str, str, str]  # a row of lw_notes


@functools.cache
def code_digest() -> str:
    """Return a digest of the code that builds snapshots, so that a changed program does not take over old tables."""
    here, there = Path(__file__).parent, Path(core.__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*here.glob("mirror_*.py"), *(there / f"{name}.py" for name in MADE_BY)]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Reuse:
    """What the next snapshot may take over from the last one, whose file is at `last` (None: nothing).

    `versions` are those of the live tables, by their names; a table without one is never taken over, nor what reads it.
    Use as a context manager: the last snapshot is attached as `last` meanwhile.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, last: Path | None, versions: Mapping[str, str | None]
    ) -> None:
        self._connection = connection
        self._path = last
        self._versions = versions
        self._attached = False
        self._known: dict[str, str] = {}
        self._made: dict[str, str | None] = {}

    def __enter__(self) -> Reuse:
        if self._path is not None:
            try:
                self._connection.execute(f"ATTACH {literal(str(self._path))} AS last (READ_ONLY)")
                self._attached = True
                rows = self._connection.execute("SELECT table_name, recipe FROM last.main.lw_recipes").fetchall()
                self._known = dict(rows)
            except duckdb.Error:
                self._known = {}  # a damaged one, or of an earlier version: everything is worked out
        return self

    def __exit__(self, *_: object) -> None:
        if self._attached:
            self._connection.execute("DETACH last")

    def recipe(self, reads: Iterable[str], *words: str) -> str | None:
        """Return the recipe of what reads these live tables and is made with `words`; None if it can't be known."""
        digest = hashlib.sha256(code_digest().encode())
        for table in sorted(set(reads)):
            if table not in self._versions:
                digest.update(f"\n{table} is not there".encode())
                continue
            version = self._versions[table]
            if version is None:
                return None
            digest.update(f"\n{table} {version}".encode())
        for word in words:
            digest.update(f"\n{len(word)} {word}".encode())
        return digest.hexdigest()

    def take(self, recipe: str | None, tables: Sequence[str]) -> bool:
        """Copy `tables` from the last snapshot if all were made by `recipe`; return whether that was done.

        Either way the next snapshot will say that they were made by it.
        """
        self._made |= dict.fromkeys(tables, recipe)
        if recipe is None or any(self._known.get(table) != recipe for table in tables):
            return False
        for table in tables:
            name = quoted(table)
            self._connection.execute(f"CREATE TABLE next.main.{name} AS FROM last.main.{name}")
        return True

    def notes(self, table: str) -> list[Note]:
        """Return what the last snapshot noted about `table` and its columns, as rows of its `lw_notes`."""
        sql = "SELECT table_name, column_name, code, level, en, tr FROM last.main.lw_notes WHERE table_name = ?"
        return self._connection.execute(sql, [table]).fetchall()

    def write_down(self) -> None:
        """Store in the next snapshot by which recipes its tables were made."""
        self._connection.execute(RECIPES)
        rows = [(table, recipe) for table, recipe in self._made.items() if recipe is not None]
        if rows:
            marks = ", ".join(["(?, ?)"] * len(rows))
            flat = [item for row in rows for item in row]
            self._connection.execute(f"INSERT INTO next.main.lw_recipes VALUES {marks}", flat)
