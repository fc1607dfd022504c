"""Salesforce ─▶ mirror: what changed since last time, what was deleted, then one published snapshot.

Changes come in closed windows [lo, hi) on each object's stamp: `hi` is the end of the org's present second, `lo` the
last `hi` less an overlap, because rows are committed late (seen: minutes after their stamp). Rows read twice are merged
by Id. What is read whole has no end: its `hi` is taken before, so that the next window covers what changed meanwhile.
Deletions have a moment of their own up to which they are known (`core.deletions`). Objects without a stamp are read
whole. A table that can't be read keeps its old rows and its old freshness, so that rules know they may not conclude
anything from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from leakwatch import faultpoints, log
from leakwatch.core.deletions import DeleteLog, Removals, by_comparison, by_log, log_since
from leakwatch.core.report_inputs import Note
from leakwatch.core.tables import FieldSpec, MirrorConfig, ObjectSpec, fields_from_describe, wanted_fields
from leakwatch.errors import CursorError, NotFoundError, RecordError, StoppedError, TransientError
from leakwatch.model import Snapshot
from leakwatch.ports import Reader

OVERLAP = timedelta(minutes=10)  # late commits: a row may appear minutes after its stamp
LOG_ENDS_AFTER = timedelta(minutes=1)  # the delete log ignores seconds: so the present minute is asked for, too
MISSING = frozenset({"INVALID_FIELD", "INVALID_TYPE", "NOT_FOUND", "INSUFFICIENT_ACCESS"})
# Salesforce finds reading the table too much work, for us; trying again would not help.
TOO_MUCH = {
    "OPERATION_TOO_LARGE": " Give the integration user the permission View All Data, which makes it less work.",
    "QUERY_TOO_COMPLICATED": " Take formula fields of it out of config/mirror.yaml.",
}
WINDOW_TRIES = 2  # a locator that expired while paging starts its window again, once

_log = log.get(__name__)


class Merged(Protocol):
    """What a merge did."""

    @property
    def rows(self) -> int: ...
    @property
    def deleted(self) -> int: ...


class MirrorMarks(Protocol):
    """How far each table of the mirror was read."""

    def watermark(self, sobject: str) -> datetime | None: ...
    def deletions_known_until(self, sobject: str) -> datetime | None: ...
    def fields(self, sobject: str) -> Mapping[str, str]: ...


class MirrorWriter(MirrorMarks, Protocol):
    """The writing side of the mirror store."""

    def merge(
        self,
        sobject: str,
        rows: Iterable[Mapping[str, Any]],
        *,
        fields: Mapping[str, FieldSpec],
        watermark: datetime | None = None,
        removals: Removals | None = None,
    ) -> Merged: ...

    def replace(
        self,
        sobject: str,
        rows: Iterable[Mapping[str, Any]],
        *,
        fields: Mapping[str, FieldSpec],
        watermark: datetime | None = None,
    ) -> Merged: ...

    def ids(self, sobject: str) -> Collection[str]: ...
    def publish(self, now: datetime, org_id: str) -> Snapshot: ...


class DeletionReader(Reader, Protocol):
    """A Reader that also knows what was deleted for good."""

    def delete_logs(self, since: Mapping[str, datetime], until: datetime) -> Mapping[str, DeleteLog]: ...
    def prepare_describes(self, sobjects: Sequence[str], *, anew: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class TableReport:
    """What happened to one table."""

    sobject: str
    rows: int = 0
    deleted: int = 0
    missing_fields: tuple[str, ...] = ()
    note: str = ""  # why it was not read, in words
    whole: bool = False


@dataclass(frozen=True, slots=True)
class MirrorReport:
    """One refresh of the mirror."""

    snapshot: Snapshot | None
    tables: tuple[TableReport, ...] = field(default_factory=tuple)
    notes: tuple[Note, ...] = ()  # what had to be assumed

    @property
    def complete(self) -> bool:
        """Whether every object that is not optional was read."""
        return all(not table.note for table in self.tables)

    @property
    def rows(self) -> int:
        """Rows read in all."""
        return sum(table.rows for table in self.tables)


def mirror(
    reader: DeletionReader,
    store: MirrorWriter,
    config: MirrorConfig,
    *,
    org_id: str,
    derive: Callable[[], tuple[Note, ...]],
    now: datetime,
    full: bool = False,
    should_stop: Callable[[], bool] | None = None,
) -> MirrorReport:
    """Refresh every configured table and publish a snapshot; `derive()` works out the derived columns before.

    Raises:
        AuthError, TransientError, BudgetError: Salesforce can't be read now. StoppedError: `should_stop` said so.
            Tables read so far are kept, no snapshot is published, and the next run goes on from there.
    """
    reader.prepare_describes([spec.name for spec in config.objects], anew=True)
    logs = {} if full else _delete_logs(reader, store, config.objects)
    tables: list[TableReport] = []
    for spec in config.objects:
        if should_stop is not None and should_stop():
            raise StoppedError("asked to stop; the tables read so far are kept, the next run goes on from there")
        tables.append(_refresh(reader, store, spec, logs.get(spec.name), full=full))
    notes = derive()
    snapshot = store.publish(now, org_id)
    faultpoints.reach("mirror.after_publish")
    _log.info(log.Event.SNAPSHOT_PUBLISHED, snapshot=snapshot.snapshot_id, rows=sum(table.rows for table in tables))
    return MirrorReport(snapshot, tuple(tables), notes)


def _delete_logs(reader: DeletionReader, store: MirrorWriter, objects: Sequence[ObjectSpec]) -> Mapping[str, DeleteLog]:
    """Ask for the delete logs of all objects that are read by their changes, together: one API call for 25 of them."""
    now = reader.server_now()
    known = {
        spec.name: store.deletions_known_until(spec.name)
        for spec in objects
        if spec.stamp is not None and store.watermark(spec.name) is not None
    }
    since = {
        name: start
        for name, until in known.items()
        if until is not None and (start := log_since(until, now, OVERLAP)) is not None
    }
    return reader.delete_logs(since, now + LOG_ENDS_AFTER) if since else {}


@dataclass(frozen=True, slots=True)
class Window:
    """What of one object is read now."""

    fields: Mapping[str, FieldSpec]
    missing: tuple[str, ...]  # fields that the org does not show, optional ones left out
    stamp: str | None  # the field that moves with every change
    since: datetime | None  # the last window's end; None: everything is read
    until: datetime  # before this moment everything is in then

    @property
    def whole(self) -> bool:
        """Whether everything is read."""
        return self.since is None

    @property
    def where(self) -> str:
        """The window as the end of a query."""
        if self.since is None:
            return ""
        return f" WHERE {self.stamp} >= {_stamp(self.since - OVERLAP)} AND {self.stamp} < {_stamp(self.until)}"


def window_of(reader: DeletionReader, marks: MirrorMarks, spec: ObjectSpec, *, full: bool) -> Window:
    """Return what of `spec` is read now. Raises NotFoundError or RecordError where the org does not show it."""
    described = reader.describe(spec.name)
    fields = fields_from_describe(described, wanted_fields(spec, described))
    missing = tuple(item.name for item in spec.fields if item.name not in fields and not item.optional)
    stamp = spec.stamp if spec.stamp in fields else None
    # A field that became visible has no value in the rows read before: they are read again, whole.
    grown = not fields.keys() <= marks.fields(spec.name).keys()
    since = None if full or grown or stamp is None else marks.watermark(spec.name)
    until = reader.server_now().replace(microsecond=0) + timedelta(seconds=1)
    return Window(fields, missing, stamp, since, until)


def _refresh(
    reader: DeletionReader, store: MirrorWriter, spec: ObjectSpec, log_of_it: DeleteLog | None, *, full: bool
) -> TableReport:
    try:
        window = window_of(reader, store, spec, full=full)
    except (NotFoundError, RecordError) as error:
        note = "" if spec.optional else f"{spec.name} can't be read: {error}. Rules that need it are switched off."
        return TableReport(spec.name, note=note)
    for attempt in range(WINDOW_TRIES):
        try:
            return _read_window(reader, store, spec, window, log_of_it)
        except CursorError as error:
            if attempt == WINDOW_TRIES - 1:
                raise TransientError(
                    f"Salesforce gave up its cursor twice while {spec.name} was read ({error}). The tables read before "
                    "are kept; the next run reads this one again."
                ) from error
        except RecordError as error:
            if error.code not in MISSING | TOO_MUCH.keys():
                raise
            words = " ".join(str(error).split()).rstrip(".")  # a refused query is told in lines that point at the place
            note = f"{spec.name} can't be read: {words}.{TOO_MUCH.get(error.code, '')}"
            return TableReport(spec.name, missing_fields=window.missing, note=note)
    raise AssertionError("unreachable")


def _read_window(
    reader: DeletionReader, store: MirrorWriter, spec: ObjectSpec, window: Window, log_of_it: DeleteLog | None
) -> TableReport:
    query = f"SELECT {', '.join(window.fields)} FROM {spec.name}{window.where}"  # noqa: S608  names from describe
    pages = reader.query(query, all_rows=window.stamp is not None)
    rows = (row for page in pages for row in page)
    if window.whole:
        merged = store.replace(spec.name, rows, fields=window.fields, watermark=window.until)
    else:
        gone = _removals(reader, store, spec, log_of_it, window.until)
        merged = store.merge(spec.name, rows, fields=window.fields, watermark=window.until, removals=gone)
    _log.info(
        log.Event.TABLE_REFRESHED, sobject=spec.name, rows=merged.rows, deleted=merged.deleted, whole=window.whole
    )
    return TableReport(
        spec.name, rows=merged.rows, deleted=merged.deleted, missing_fields=window.missing, whole=window.whole
    )


def _removals(
    reader: DeletionReader, store: MirrorWriter, spec: ObjectSpec, log_of_it: DeleteLog | None, upper: datetime
) -> Removals:
    """Return what leaves the table: by the delete log, or by comparing ids where it can't be had."""
    found = by_log(store.deletions_known_until(spec.name), log_of_it, upper)
    if found is not None:
        return found
    there = reader.query(f"SELECT Id FROM {spec.name}", all_rows=True)  # noqa: S608  identifiers come from describe
    living = {str(row["Id"]) for page in there for row in page}
    return by_comparison(store.ids(spec.name), living, upper)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
