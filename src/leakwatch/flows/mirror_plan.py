"""What a refresh of the mirror would ask for, and how many API calls that would take. Reads no row.

Rows are counted by `SELECT COUNT()`, one call per object; the figures are as good as the org is quiet meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from leakwatch.core.deletions import by_log, log_since
from leakwatch.core.tables import MirrorConfig, ObjectSpec
from leakwatch.errors import NotFoundError, RecordError
from leakwatch.flows.mirror import OVERLAP, DeletionReader, MirrorMarks, Window, window_of

PAGE_ROWS = 2_000  # most rows of one query answer (REST guide, "Query")
PARTS = 25  # describes, or delete logs, that one Composite call carries


class CountingReader(DeletionReader, Protocol):
    """A DeletionReader that also counts."""

    def count(self, query: str, *, all_rows: bool = False) -> int: ...


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What would be asked about one object."""

    sobject: str
    fields: tuple[str, ...] = ()
    missing_fields: tuple[str, ...] = ()
    whole: bool = False
    since: datetime | None = None  # changes from here on
    until: datetime | None = None
    rows: int | None = None  # None: the org would not count them
    deletions: str = "none"  # log | ids | none: how rows deleted for good would be known
    calls: int = 0  # for rows and ids; describes and delete logs come together with those of other objects
    note: str = ""  # why it would not be read, in words


@dataclass(frozen=True, slots=True)
class MirrorPlan:
    """A refresh that was not made."""

    tables: tuple[TablePlan, ...]

    @property
    def rows(self) -> int:
        """Rows that would be read, as far as they could be counted."""
        return sum(table.rows or 0 for table in self.tables)

    @property
    def calls(self) -> int:
        """API calls it would take, besides the few that find out about the org."""
        logs = sum(table.deletions == "log" for table in self.tables)
        return sum(table.calls for table in self.tables) + _calls(len(self.tables), PARTS) + _calls(logs, PARTS)


def plan_mirror(reader: CountingReader, marks: MirrorMarks, config: MirrorConfig, *, full: bool = False) -> MirrorPlan:
    """Return what `mirror` would ask for now.

    Raises:
        AuthError, TransientError, BudgetError: Salesforce can't be read now.
    """
    reader.prepare_describes([spec.name for spec in config.objects], anew=True)
    return MirrorPlan(tuple(_table(reader, marks, spec, full=full) for spec in config.objects))


def _table(reader: CountingReader, marks: MirrorMarks, spec: ObjectSpec, *, full: bool) -> TablePlan:
    try:
        window = window_of(reader, marks, spec, full=full)
    except (NotFoundError, RecordError) as error:
        note = "not in this org" if spec.optional else f"{spec.name} can't be read: {error}"
        return TablePlan(spec.name, note=note)
    all_rows = window.stamp is not None
    every = f"SELECT COUNT() FROM {spec.name}"  # noqa: S608  identifiers come from the configuration
    rows = _count(reader, every + window.where, all_rows=all_rows)
    deletions = "none" if window.whole else _deletions(marks, spec, window)
    calls = _calls(rows or 1, PAGE_ROWS) or 1
    if deletions == "ids":
        calls += _calls(_count(reader, every, all_rows=True) or 1, PAGE_ROWS)
    return TablePlan(
        spec.name,
        fields=tuple(window.fields),
        missing_fields=window.missing,
        whole=window.whole,
        since=None if window.since is None else window.since - OVERLAP,
        until=window.until,
        rows=rows,
        deletions=deletions,
        calls=calls,
    )


def _deletions(marks: MirrorMarks, spec: ObjectSpec, window: Window) -> str:
    known = marks.deletions_known_until(spec.name)
    if known is not None and log_since(known, window.until, OVERLAP) is not None:
        return "log"
    return "ids" if by_log(known, None, window.until) is None else "none"


def _count(reader: CountingReader, query: str, *, all_rows: bool) -> int | None:
    try:
        return reader.count(query, all_rows=all_rows)
    except RecordError:
        return None


def _calls(things: int, each: int) -> int:
    return -(-things // each)
