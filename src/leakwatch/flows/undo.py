"""undo  write log ─▶ core.undo ─▶ writer: what one run of capture wrote is taken back.

What is taken back is withheld in the journal first, so that no sync writes it again, whenever the undo is interrupted;
then it is removed; then the write log says so. Begun again, it goes on with what is left.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from leakwatch import faultpoints
from leakwatch.core.meeting_fields import EVENT
from leakwatch.core.undo import (
    EMAIL_MESSAGE,
    TASK,
    Fate,
    OrgNow,
    Undoing,
    activity_of,
    is_meeting,
    lists_people,
    plan_leftovers,
    plan_undo,
    removal_id,
    wanted_fields,
)
from leakwatch.errors import RecordError
from leakwatch.flows.related_people import related_people
from leakwatch.model import Outcome, WriteOp, WriteResult, WriteStatus, Written
from leakwatch.ports import RecordFetcher, Writer

NOT_REMOVED = "Taking it back was refused: "


class WithheldJournal(Protocol):
    """The journal, as far as an undo needs it."""

    def withhold(self, reasons: Mapping[str, str], outcome: Outcome, *, now: datetime) -> None: ...
    def withheld(self, keys: Iterable[str]) -> Mapping[str, Outcome]: ...
    def written_after_all(self, reasons: Mapping[str, str], *, now: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class UndoDoors:
    """What an undo works through.

    Attributes:
        journal: withholds what is taken back. writer: the one way to Salesforce. records: reads records back by id.
        history: returns key -> what was written of a record of ours. ops: returns op id -> write, of those that landed.
        mark_undone: notes in the write log that writes were taken back.
        calls: returns how many API calls writes take.
    """

    journal: WithheldJournal
    writer: Writer
    records: RecordFetcher
    history: Callable[[Iterable[str]], Mapping[str, Written]]
    ops: Callable[[Iterable[str]], Mapping[str, WriteOp]]
    mark_undone: Callable[[Iterable[str]], None]
    calls: Callable[[Sequence[WriteOp]], int]


@dataclass(frozen=True, slots=True)
class Stays:
    """One record that is left as it is."""

    record_id: str
    sobject: str
    why: str


@dataclass(slots=True)
class UndoReport:
    """What an undo did, or would do.

    Attributes:
        of_run: the run that is undone. run_id: this run.
        removed, put_back: records by object.
        gone: records that a person removed or put back before.
        kept: records that stay, and why. refused: those that Salesforce would not let go, and why.
        waiting: records that could not be taken back for now; the same command goes on with them.
        calls: about how many API calls the writing takes.
        operations: the writes; the Tasks that Salesforce may leave standing when it deletes mails are not known before.
    """

    of_run: str
    run_id: str
    dry_run: bool
    removed: Counter[str] = field(default_factory=Counter[str])
    put_back: Counter[str] = field(default_factory=Counter[str])
    gone: int = 0
    kept: list[Stays] = field(default_factory=list[Stays])
    refused: list[Stays] = field(default_factory=list[Stays])
    waiting: int = 0
    calls: int = 0
    operations: tuple[WriteOp, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is left that is to be taken back."""
        return not self.waiting and not self.refused

    def counts(self) -> dict[str, int]:
        """Return the figures as one flat mapping, for the run log."""
        found = {"gone": self.gone, "kept": len(self.kept), "refused": len(self.refused), "waiting": self.waiting}
        found |= {f"removed.{name}": count for name, count in sorted(self.removed.items())}
        return found | {f"put_back.{name}": count for name, count in sorted(self.put_back.items())}


def undo(
    of_run: str,
    writes: Sequence[WriteOp],
    found: Sequence[WriteOp],
    doors: UndoDoors,
    *,
    run_id: str,
    now: datetime,
    dry_run: bool,
) -> UndoReport:
    """Take back `writes`, which the run `of_run` made; return what was done.

    Args:
        of_run: the run that is undone.
        writes: what it wrote and is not taken back yet.
        found: what it wanted to make and found made already.
        doors: what the undo works through.
        run_id: names this run in the write log.
        now: aware UTC.
        dry_run: ask the org how things stand, write nothing and keep nothing.

    Raises:
        AuthError, TransientError, BudgetError, SafetyError: stopped; the same call goes on where it was.
    """
    plans = plan_undo(writes, found, _org_now(writes, doors))
    report = UndoReport(of_run, run_id, dry_run)
    report.gone = sum(plan.fate is Fate.GONE for plan in plans)
    report.kept = [_stays(plan.write, plan.why) for plan in plans if plan.fate is Fate.KEPT]
    report.operations = tuple(plan.op for plan in plans if plan.op is not None)
    report.calls = doors.calls(report.operations)
    going = [plan for plan in plans if plan.fate in (Fate.REMOVED, Fate.PUT_BACK)]
    if dry_run:
        for plan in going:
            _count(report, plan)
        return report
    why = f"Undone by run {run_id}: what run {of_run} wrote was taken back. Released by: undo --run {of_run} --release"
    doors.journal.withhold({plan.key: why for plan in going if plan.key}, Outcome.UNDONE, now=now)
    results = {result.op_id: result for result in doors.writer.apply(report.operations, run_id=run_id)}
    faultpoints.reach("undo.after_apply")
    done = [plan for plan in going if plan.op is None or _landed(results.get(plan.op.op_id))]
    late = _clear_tasks(done, report, doors)
    for plan in going:
        if plan.op is not None and plan not in done:
            _refused(report, plan, results.get(plan.op.op_id), doors, now)
    taken = [plan for plan in done if plan.write.op_id not in late]
    report.waiting += len(late)
    for plan in taken:
        _count(report, plan)
    doors.mark_undone(op_id for plan in taken for op_id in plan.op_ids or (plan.write.op_id,))
    return report


def _org_now(writes: Sequence[WriteOp], doors: UndoDoors) -> OrgNow:
    by_object: defaultdict[str, list[WriteOp]] = defaultdict(list)
    for op in writes:
        by_object[op.sobject].append(op)
    rows: dict[str, Mapping[str, Any]] = {}
    for sobject, some in by_object.items():
        ids = sorted({str(op.record_id) for op in some})
        rows |= doors.records.fetch(sobject, ids, wanted_fields(sobject, some))
    mails = {op.record_id for op in writes if op.sobject == EMAIL_MESSAGE}
    of_mail = {mail: str(row["ActivityId"]) for mail, row in rows.items() if mail in mails and row.get("ActivityId")}
    tasks = _tasks(doors, of_mail.values())
    keys = {key for op in writes if (key := activity_of(op))}
    begun = {key for key, outcome in doors.journal.withheld(keys).items() if outcome is Outcome.UNDONE}
    return OrgNow(
        rows,
        {mail: tasks[task] for mail, task in of_mail.items() if task in tasks},
        doors.history(op.key for op in writes if op.key and (is_meeting(op) or lists_people(op))),
        begun,
        _named(writes, rows, doors),
    )


def _named(
    writes: Sequence[WriteOp], rows: Mapping[str, Mapping[str, Any]], doors: UndoDoors
) -> Mapping[str, Collection[str]]:
    """Return record id -> whom it names now, of those whose people the run wrote as a list."""
    found: dict[str, Collection[str]] = {}
    for sobject in (EVENT, TASK):
        ids = {str(op.record_id) for op in writes if op.sobject == sobject and lists_people(op)}
        try:
            found |= related_people(doors.records, sobject, [rows[one] for one in sorted(ids) if one in rows])
        except RecordError:
            continue  # an org that shows no relations any more: what is not known stays
    return found


def _tasks(doors: UndoDoors, ids: Iterable[str]) -> Mapping[str, Mapping[str, Any]]:
    wanted = sorted(set(ids))
    return doors.records.fetch(TASK, wanted, wanted_fields(TASK, ())) if wanted else {}


def _clear_tasks(done: Sequence[Undoing], report: UndoReport, doors: UndoDoors) -> frozenset[str]:
    """Delete the Tasks that stayed behind without their mails; return the op ids of mails whose Task must wait."""
    removals = {removal_id(plan.write, {}): plan.write for plan in done if plan.write.sobject == EMAIL_MESSAGE}
    mails = doors.ops(removals)
    standing = _tasks(doors, (str(op.prior["ActivityId"]) for op in mails.values() if op.prior.get("ActivityId")))
    leftovers = plan_leftovers(list(mails.values()), standing)
    if not leftovers:
        return frozenset()
    results = {result.op_id: result for result in doors.writer.apply(leftovers, run_id=report.run_id)}
    faultpoints.reach("undo.after_tasks")
    late: set[str] = set()
    for op in leftovers:
        result = results.get(op.op_id)
        if result is not None and result.status is WriteStatus.REFUSED:
            report.refused.append(_stays(op, f"{result.code}: {result.message}"))
        elif not _landed(result) and op.after:
            late.add(removals[op.after].op_id)
    return frozenset(late)


def _refused(report: UndoReport, plan: Undoing, result: WriteResult | None, doors: UndoDoors, now: datetime) -> None:
    """Note what could not be taken back: refused, it is in Salesforce and followed again; else it waits."""
    if result is None or result.status is not WriteStatus.REFUSED:
        report.waiting += 1
        return
    why = f"{result.code}: {result.message}"
    report.refused.append(_stays(plan.write, why))
    if plan.key:
        doors.journal.written_after_all({plan.key: NOT_REMOVED + why}, now=now)


def _landed(result: WriteResult | None) -> bool:
    return result is not None and result.status.landed


def _count(report: UndoReport, plan: Undoing) -> None:
    counter = report.removed if plan.fate is Fate.REMOVED else report.put_back
    counter[plan.write.sobject] += 1


def _stays(write: WriteOp, why: str) -> Stays:
    return Stays(str(write.record_id), write.sobject, why)
