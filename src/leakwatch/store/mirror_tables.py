"""The tables of the live mirror: their columns follow describe, their rows are merged in batches, in transactions.

Tables have no primary key and are merged by batched DELETE and INSERT: measured four times faster than MERGE.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb

from leakwatch import faultpoints, log
from leakwatch.core.deletions import Removals
from leakwatch.core.tables import FieldSpec, MirrorConfig, ObjectSpec
from leakwatch.errors import LeakwatchError
from leakwatch.store.mirror_ingest import FROM_API, CsvSource, cast_sql, content_version, failure, quoted, write_rows
from leakwatch.store.mirror_marks import BOOKKEEPING, MirrorMarks
from leakwatch.store.mirror_removals import delete_ids, naive, remove


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What a merge did.

    Attributes:
        rows: now in the table from it. unreadable: values per field that could not be read as their type.
        deleted: rows it removed because they are gone from the org. changed: whether the table has other rows now.
    """

    rows: int
    unreadable: Mapping[str, int] = field(default_factory=dict[str, int])
    deleted: int = 0
    changed: bool = True


class LiveTables(MirrorMarks):
    """The tables behind an open connection; `staging` is a folder for temporary files."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, config: MirrorConfig, staging: Path) -> None:
        super().__init__(connection, config)
        self._staging = staging
        for statement in BOOKKEEPING:
            connection.execute(statement)

    def merge(
        self,
        sobject: str,
        rows: Iterable[Mapping[str, Any]],
        *,
        fields: Mapping[str, FieldSpec],
        watermark: datetime | None = None,
        removals: Removals | None = None,
    ) -> MergeResult:
        """Replace the rows with the same Id by `rows` (Salesforce API names, JSON values), in one transaction.

        `fields` (see `core.tables.fields_from_describe`) says which columns the table has from now on: new ones are
        added (NULL in older rows, until those are fetched again), lost ones dropped. Of two rows with one Id the one
        with the later stamp stays. `watermark` (aware: everything before it is in) is stored with the rows. What
        `removals` name goes in the same transaction, which also stores up to when deletions are known: they would not
        be asked for again.
        """
        return self._store(sobject, rows, fields, watermark, whole=False, removals=removals)

    def replace(
        self,
        sobject: str,
        rows: Iterable[Mapping[str, Any]],
        *,
        fields: Mapping[str, FieldSpec],
        watermark: datetime | None = None,
    ) -> MergeResult:
        """Make `rows` the whole content of the table, as `merge` otherwise. Deletions are known up to `watermark`."""
        return self._store(sobject, rows, fields, watermark, whole=True)

    def _store(
        self,
        sobject: str,
        rows: Iterable[Mapping[str, Any]],
        fields: Mapping[str, FieldSpec],
        watermark: datetime | None,
        *,
        whole: bool,
        removals: Removals | None = None,
    ) -> MergeResult:
        spec = self._spec(sobject)
        path = self._staging / f"{spec.table}.csv"
        try:
            written = write_rows(path, rows, fields)
            source = CsvSource(path, ",", len(fields), {name: place for place, name in enumerate(fields)})
            with self._transaction():
                altered = self._ensure(spec, fields)
                version = content_version(path) if whole else uuid4().hex
                if whole and not altered and self._marks.tables[spec.name].version == version:
                    result = self._unchanged(spec)
                else:
                    result = self._load(spec, source, fields, written, whole=whole)
                if removals is not None:
                    result = replace(result, deleted=self._remove(spec, removals))
                if altered or result.changed or result.deleted:
                    self._set_version(spec, version)
                if watermark is not None:
                    known_until = removals.until if removals is not None else watermark if whole else None
                    self._set_marks(spec, watermark, known_until)
                faultpoints.reach("mirror.merge.before_commit")
        finally:
            path.unlink(missing_ok=True)
        faultpoints.reach("mirror.merge.after_commit")
        if result.unreadable:
            log.get("mirror").warning(
                log.Event.TABLE_REFRESHED, table=spec.table, rows=result.rows, unreadable=dict(result.unreadable)
            )
        return result

    def _unchanged(self, spec: ObjectSpec) -> MergeResult:
        """Return what reading a table anew did that holds just that: typing it again would cost 30 ms of planning."""
        row = self._connection.execute(f"SELECT count(*) FROM {quoted(spec.table)}").fetchone()
        return MergeResult(int(row[0]) if row else 0, changed=False)

    def _load(
        self, spec: ObjectSpec, source: CsvSource, fields: Mapping[str, FieldSpec], written: int, *, whole: bool
    ) -> MergeResult:
        if not written and not whole:
            return MergeResult(
                0, changed=False
            )  # most tables on most days: typing no rows would still cost 30 ms of planning
        run = self._connection.execute
        typed = [(item, f"c{source.columns[name]}") for name, item in fields.items()]
        select = ", ".join(f"{cast_sql(text, item, FROM_API)} AS {quoted(item.column)}" for item, text in typed)
        run(f"CREATE OR REPLACE TEMP TABLE lw_batch AS SELECT {select} FROM {source.sql()}")
        # Read twice, typed once: typing costs ten milliseconds of planning, whatever the number of rows.
        given = ", ".join(f"count({text})" for _, text in typed)
        had = run(f"SELECT count(*), {given} FROM {source.sql()}").fetchone() or (0,)
        understood = ", ".join(f"count({quoted(item.column)})" for item, _ in typed)
        ids, kinds, *has = run(f"SELECT count(id), count(DISTINCT id), {understood} FROM lw_batch").fetchone() or (0, 0)
        if had[0] != written:
            raise LeakwatchError(f"{spec.name}: {written} rows were fetched but {had[0]} read back; nothing was stored")
        if ids > kinds:
            stamp = fields.get(spec.stamp or "")
            order = f"{quoted(stamp.column)} DESC NULLS LAST" if stamp else "rowid DESC"
            run(
                "DELETE FROM lw_batch WHERE rowid IN (SELECT rowid FROM (SELECT rowid, row_number() OVER"
                f" (PARTITION BY id ORDER BY {order}, rowid DESC) AS place FROM lw_batch"
                " WHERE id IN (SELECT id FROM lw_batch GROUP BY id HAVING count(*) > 1)) WHERE place > 1)"
            )
        table = quoted(spec.table)
        names = ", ".join(quoted(item.column) for item in fields.values())
        changed = whole or self._brings_news(table, names)
        if changed:
            run(f"DELETE FROM {table}" + ("" if whole else " WHERE id IN (SELECT id FROM lw_batch)"))
            run(f"INSERT INTO {table} ({names}) SELECT {names} FROM lw_batch WHERE id IS NOT NULL")
        run("DROP TABLE lw_batch")
        lost = zip((item.name for item, _ in typed), had[1:], has, strict=True)
        unreadable = {name: int(before - after) for name, before, after in lost if before > after}
        return MergeResult(int(kinds), unreadable, changed=changed)

    def _brings_news(self, table: str, names: str) -> bool:
        """Return whether a batch holds a row that the table has not got just so.

        Windows overlap, so most batches of a frequent refresh bring what was merged a little while ago.
        """
        there = f"SELECT {names} FROM {table} WHERE id IN (SELECT id FROM lw_batch)"
        sql = f"SELECT 1 FROM (SELECT {names} FROM lw_batch WHERE id IS NOT NULL EXCEPT {there}) LIMIT 1"
        return bool(self._connection.execute(sql).fetchall())

    def _ensure(self, spec: ObjectSpec, fields: Mapping[str, FieldSpec]) -> bool:
        """Give the table exactly the columns of `fields`; return whether that changed it."""
        run = self._connection.execute
        table = quoted(spec.table)
        if "Id" not in fields:
            raise LeakwatchError(f"{spec.name} was read without its Id field; check the permissions of our user")
        known = {name: kind for name, (_, kind) in self._marks.columns.get(spec.table, {}).items()}
        wanted = {item.column: item for item in fields.values()}
        if not known:
            run(
                f"CREATE OR REPLACE TABLE {table} ("
                + ", ".join(f"{quoted(name)} {item.sql_type}" for name, item in wanted.items())
                + ")"
            )
            run("INSERT INTO lw_tables (sobject, table_name) VALUES (?, ?)", [spec.name, spec.table])
        else:
            for name in known.keys() - wanted.keys():
                run(f"ALTER TABLE {table} DROP COLUMN {quoted(name)}")
            for name, item in wanted.items():
                if name not in known:
                    run(f"ALTER TABLE {table} ADD COLUMN {quoted(name)} {item.sql_type}")
                elif known[name] != item.sql_type:
                    kind = item.sql_type
                    run(
                        f"ALTER TABLE {table} ALTER COLUMN {quoted(name)} SET DATA TYPE {kind}"
                        f" USING TRY_CAST({quoted(name)} AS {kind})"
                    )
        altered = known != {name: item.sql_type for name, item in wanted.items()}
        if altered:
            run("DELETE FROM lw_columns WHERE table_name = ?", [spec.table])
            rows = [(spec.table, name, item.name, item.sql_type) for name, item in wanted.items()]
            run(f"INSERT INTO lw_columns VALUES {', '.join(['(?, ?, ?, ?)'] * len(rows))}", list(chain(*rows)))
            self._forget_marks()
        return altered

    def delete(self, sobject: str, ids: Iterable[str]) -> int:
        """Remove the rows with these 18-character ids; return how many there were. Unknown ids do nothing."""
        spec = self._spec(sobject)
        wanted = list(ids)
        if not wanted or not self.fields(sobject):
            return 0
        with self._transaction():
            self._set_version(spec, None)
            return delete_ids(self._connection, spec.table, wanted)

    def _remove(self, spec: ObjectSpec, removals: Removals) -> int:
        columns = self.fields(spec.name)
        stamp = spec.field(spec.stamp) if spec.stamp in columns else None
        return remove(
            self._connection,
            spec.table,
            removals,
            stamp=stamp.column if stamp else None,
            marked="COALESCE(is_deleted, FALSE)" if "IsDeleted" in columns else "FALSE",
        )

    def ids(self, sobject: str) -> set[str]:
        """Return the Id of every row, for finding out which were deleted for good."""
        spec = self._spec(sobject)
        if not self.fields(sobject):
            return set()
        return {row[0] for row in self._connection.execute(f"SELECT id FROM {quoted(spec.table)}").fetchall()}

    def set_watermark(self, sobject: str, watermark: datetime) -> None:
        """Store the watermark alone, for an object in which nothing changed."""
        with self._transaction():
            self._set_marks(self._spec(sobject), watermark)

    def _set_marks(self, spec: ObjectSpec, watermark: datetime, deletions_until: datetime | None = None) -> None:
        """Store how far the table was read and, unless None, up to when its deletions are known."""
        mark = self._marks.tables.get(spec.name)
        if mark is None:
            return
        mark.watermark = naive(watermark)
        mark.deletions_until = naive(deletions_until) if deletions_until is not None else mark.deletions_until
        sql = "UPDATE lw_tables SET watermark = ?, deletions_until = ? WHERE sobject = ?"
        self._connection.execute(sql, [mark.watermark, mark.deletions_until, spec.name])

    def _set_version(self, spec: ObjectSpec, version: str | None) -> None:
        """Store that rows or columns of the table changed; None: it is not to be told from any other state."""
        self._marks.tables[spec.name].version = version
        self._connection.execute("UPDATE lw_tables SET version = ? WHERE sobject = ?", [version, spec.name])

    def drop(self, sobject: str) -> None:
        """Forget an object that the org no longer has (or no longer shows us), with its watermark."""
        spec = self._spec(sobject)
        with self._transaction():
            self._connection.execute(f"DROP TABLE IF EXISTS {quoted(spec.table)}")
            self._connection.execute("DELETE FROM lw_tables WHERE sobject = ?", [spec.name])
            self._connection.execute("DELETE FROM lw_columns WHERE table_name = ?", [spec.table])
            self._forget_marks()

    def load_csv(self, sobject: str, select_sql: str, fields: Mapping[str, FieldSpec]) -> None:
        """Make the typed rows of `select_sql`, in the order of `fields`, the whole content of the table."""
        spec = self._spec(sobject)
        with self._transaction():
            self._ensure(spec, fields)
            self._set_version(spec, None)
            self._connection.execute(f"DELETE FROM {quoted(spec.table)}")
            names = ", ".join(quoted(item.column) for item in fields.values())
            self._connection.execute(f"INSERT INTO {quoted(spec.table)} ({names}) {select_sql}")

    def drop_doubles(self, sobject: str) -> int:
        """Keep of rows with one Id the one with the latest stamp; return how many went."""
        spec = self._spec(sobject)
        table = quoted(spec.table)
        counts = self._connection.execute(f"SELECT count(*), count(DISTINCT id) FROM {table}").fetchone()
        doubles = int(counts[0] - counts[1]) if counts else 0
        if doubles:
            self._set_version(spec, None)
            stamp = spec.field(spec.stamp) if spec.stamp and spec.stamp in self.fields(sobject) else None
            order = f"{quoted(stamp.column)} DESC NULLS LAST, " if stamp else ""
            self._connection.execute(
                f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM (SELECT rowid, row_number() OVER"
                f" (PARTITION BY id ORDER BY {order}rowid DESC) AS place FROM {table} WHERE id IN"
                f" (SELECT id FROM {table} GROUP BY id HAVING count(*) > 1)) WHERE place > 1)"
            )
        return doubles

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
            self._connection.execute("COMMIT")
        except duckdb.Error as error:
            self._roll_back()
            raise failure(error) from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        self._forget_marks()
        with suppress(duckdb.Error):  # a commit that failed has rolled back already
            self._connection.execute("ROLLBACK")
