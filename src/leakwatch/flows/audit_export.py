"""Audit of a Salesforce Data Export: files ─▶ snapshot ─▶ rules ─▶ findings as they stand. Once, without state.

No baseline, no life cycle, no proof states: what the files show is what is said, with everything that was assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Protocol

from leakwatch.core.report_inputs import Note
from leakwatch.model import RuleOutcome, RuleRow, Snapshot, Text


class Export(Protocol):
    """A loaded export."""

    @property
    def snapshot(self) -> Snapshot: ...
    @property
    def as_of_date(self) -> date: ...
    @property
    def as_of(self) -> datetime: ...
    @property
    def time_zone(self) -> str: ...
    @property
    def notes(self) -> tuple[Note, ...]: ...
    @property
    def unreadable(self) -> Mapping[str, Text]: ...
    @property
    def left_out(self) -> Mapping[tuple[str, str], Text]: ...
    @property
    def ignored(self) -> tuple[str, ...]: ...


class Accepted(Protocol):
    """A leak that somebody accepted, until a day."""

    def covers(self, row: RuleRow, *, today: date) -> bool:
        """Return whether it is about `row`, and still in force."""
        ...


class Loader(Protocol):
    """What makes a snapshot of export files."""

    def load(self, paths: Sequence[Path], *, now: datetime, as_of_date: date | None = None) -> Export:
        """Return the export at `paths`. Raises LeakwatchError where nothing of it can be used."""
        ...


class Engine(Protocol):
    """What runs rules over a snapshot."""

    def run(
        self,
        snapshot_path: Path | str,
        *,
        as_of_date: date,
        as_of: datetime,
        unreadable: Mapping[str, Text] | None = None,
        left_out: Mapping[tuple[str, str], Text] | None = None,
        once: bool = False,
    ) -> list[RuleOutcome]:
        """Return one outcome per rule."""
        ...


@dataclass(frozen=True, slots=True)
class ExportAudit:
    """The result: an outcome per rule, and everything a reader must know about the files."""

    snapshot: Snapshot
    as_of_date: date
    as_of: datetime
    time_zone: str
    outcomes: tuple[RuleOutcome, ...]
    notes: tuple[Note, ...]  # assumptions and warnings about the files, not about single rules
    ignored: tuple[str, ...]  # files that no rule needs

    @property
    def findings(self) -> tuple[RuleRow, ...]:
        """Every finding of every rule that ran."""
        return tuple(row for outcome in self.outcomes for row in outcome.rows)

    @property
    def skipped(self) -> Mapping[str, Text]:
        """Rule id -> why it could not run."""
        return {
            outcome.rule_id: Text(en=outcome.switched_off, tr=outcome.switched_off_tr or outcome.switched_off)
            for outcome in self.outcomes
            if outcome.switched_off is not None
        }


def audit_export(
    paths: Sequence[Path],
    *,
    loader: Loader,
    engine: Engine,
    now: datetime,
    as_of_date: date | None = None,
    accepted: Sequence[Accepted] = (),
) -> ExportAudit:
    """Return what the rules find in the export at `paths`, seen from the end of `as_of_date` or from `now`.

    What is `accepted` on that day is left out, and a note says how much that is.

    Raises:
        LeakwatchError: nothing of the export can be used; the text names each file and what to do.
    """
    export = loader.load(paths, now=now, as_of_date=as_of_date)
    outcomes = engine.run(
        export.snapshot.path,
        as_of_date=export.as_of_date,
        as_of=export.as_of,
        unreadable=export.unreadable,
        left_out=export.left_out,
        once=True,
    )
    day = export.as_of_date
    kept = [
        replace(one, rows=tuple(row for row in one.rows if not any(each.covers(row, today=day) for each in accepted)))
        for one in outcomes
    ]
    left_out = sum(len(one.rows) for one in outcomes) - sum(len(one.rows) for one in kept)
    return ExportAudit(
        snapshot=export.snapshot,
        as_of_date=export.as_of_date,
        as_of=export.as_of,
        time_zone=export.time_zone,
        outcomes=tuple(kept),
        notes=(*export.notes, *_accepted_note(left_out), *_owners_note(kept)),
        ignored=export.ignored,
    )


def _accepted_note(count: int) -> list[Note]:
    if not count:
        return []
    en = f"{count:,} finding{'' if count == 1 else 's'} accepted in audit.exceptions_file: left out."
    tr = f"audit.exceptions_file dosyasında kabul edilmiş {count} bulgu gösterilmedi."
    return [Note("accepted", Text(en, tr))]


def _owners_note(outcomes: Sequence[RuleOutcome]) -> list[Note]:
    """An owner whose name is not known goes by the id."""
    nameless = {row.owner_id for one in outcomes for row in one.rows if row.owner_id and row.owner_name == row.owner_id}
    if not nameless:
        return []
    en = f"The names of {len(nameless):,} owners are not in the data (User, Group): they are shown by their ids."
    if len(nameless) == 1:
        en = "The name of 1 owner is not in the data (User, Group): the id is shown instead."
    tr = f"{len(nameless)} kayıt sahibinin adı veride yok (User, Group); yerine kimlikleri gösterildi."
    return [Note("owners_unnamed", Text(en, tr), "warning")]
