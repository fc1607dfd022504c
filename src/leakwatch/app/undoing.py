"""`leakwatch undo`: takes back what one run of capture wrote, and lets it be written again."""

from __future__ import annotations

from dataclasses import dataclass

from leakwatch.app.building import Parts
from leakwatch.app.looking import find_run
from leakwatch.core.undo import activity_of
from leakwatch.errors import UsageError
from leakwatch.flows.undo import UndoDoors, UndoReport, undo
from leakwatch.model import Outcome, Run, Verb, WriteStatus
from leakwatch.salesforce.cost import calls_for

FLOW = "capture"  # what other flows wrote has ways of its own: an alert closes itself


@dataclass(frozen=True, slots=True)
class ReleaseReport:
    """What `undo --release` let go."""

    of_run: str
    released: int


def run_undo(parts: Parts, run_id: str, *, dry_run: bool) -> UndoReport:
    """Take back what the run called `run_id` (or beginning so) wrote; a dry run only says what would be.

    It needs none of the switches of `writes`: whoever undoes a run has often switched writing off.

    Raises:
        UsageError: no run, or more than one, is called so, or it is not one of capture.
        AuthError, TransientError, BudgetError, SafetyError: stopped; the same command goes on where it was.
    """
    of_run = _capture_run(parts, run_id)
    with parts.run("undo", dry_run=dry_run) as note:
        if not dry_run:
            parts.writer.settle()
        logged = parts.write_log.by_run(of_run.run_id)
        landed = [one for one in logged if one.status in (WriteStatus.DONE, WriteStatus.ALREADY_THERE)]
        made = (Verb.INSERT, Verb.UPSERT)
        there = [one.op for one in landed if one.op.verb in made and not one.created]
        report = undo(
            of_run.run_id,
            [one.op for one in landed if one.op not in there],
            there,
            UndoDoors(
                journal=parts.journal,
                writer=parts.writer,
                records=parts.reader,
                history=parts.write_log.history,
                ops=parts.write_log.ops,
                mark_undone=parts.write_log.mark_undone,
                calls=lambda ops: calls_for(ops, composite=parts.settings.salesforce.composite),
            ),
            run_id=note.run.run_id,
            now=parts.clock.now(),
            dry_run=dry_run,
        )
        note.complete = report.complete
        note.counts = report.counts() | {"api_calls": parts.client.calls}
    return report


def release_undone(parts: Parts, run_id: str) -> ReleaseReport:
    """Let the next sync write again what was taken back of the run called `run_id` (or beginning so).

    Raises:
        UsageError: see `run_undo`. BusyError: another process works on this store.
    """
    of_run = _capture_run(parts, run_id)
    with parts.runs.exclusive():
        keys = {key for one in parts.write_log.by_run(of_run.run_id) if (key := activity_of(one.op))}
        return ReleaseReport(of_run.run_id, parts.journal.let_go(keys, Outcome.UNDONE, now=parts.clock.now()))


def _capture_run(parts: Parts, run_id: str) -> Run:
    run = find_run(parts, run_id)
    if run.flow != FLOW:
        raise UsageError(
            f"{run.run_id} is a run of {run.flow}; only runs of capture can be undone. Nothing was done. Alerts close "
            "themselves once their finding is gone or is an accepted exception."
        )
    return run
