"""The life of a finding: one pure function from what a rule saw and what was known to what is known now.

What exists on a rule's first run is baseline and told to nobody; a failed or incomplete run closes nothing; two
complete runs on different snapshots close; a flood is recorded and told to nobody; evaluating the same thing twice
changes nothing. The moves themselves are in `lifecycle_moves`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from leakwatch.core.fingerprint import NoticeKey, fingerprint, parse_key
from leakwatch.core.lifecycle_case import (
    EXCEPTED,
    OPEN,
    PENDING,
    RESOLVED,
    Case,
    Circumstances,
    Look,
    Signals,
    row_fields,
)
from leakwatch.core.lifecycle_moves import LOOK_MOVES, SIGNAL_MOVES
from leakwatch.core.limits import breaker_note
from leakwatch.core.tasks import TaskState
from leakwatch.model import Finding, Proof, Rule, RuleOutcome, RuleRow, Transition

__all__ = ["Evaluation", "Signals", "evaluate", "retire"]

_MOST_MOVES = 8  # a finding moves at most a few times in one run; more would be a loop in the tables


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one evaluation of one rule changed."""

    findings: tuple[Finding, ...] = ()  # new or changed
    transitions: tuple[Transition, ...] = ()
    dropped: tuple[str, ...] = ()  # fingerprints that were never confirmed
    complete: bool = False  # whether this run was allowed to close findings
    note: str = ""  # for RevOps: a breaker, a guard, rows that could not be used
    breaker: bool = False
    held: int = 0  # open findings that this run could not judge

    def count(self, *reasons: str) -> int:
        """Return how many findings moved for one of `reasons`."""
        return len({change.fingerprint for change in self.transitions if change.reason in reasons})


def evaluate(
    rule: Rule,
    outcome: RuleOutcome,
    held: Sequence[Finding],
    *,
    now: datetime,
    run_id: str,
    snapshot_id: str,
    org_id: str,
    first_run: bool,
    meaning_changed: bool,
    signals: Signals | None = None,
    hold_note: str = "",
    believe_empty: bool = False,
) -> Evaluation:
    """Return what `outcome` does to the findings of `rule` that are known.

    Args:
        rule: the rule as it is configured now.
        outcome: what it saw.
        held: every finding of the rule that is stored, resolved ones too.
        now: aware.
        run_id: goes into the transitions.
        snapshot_id: what was looked at; the same snapshot never counts as a second look.
        org_id: part of the fingerprint.
        first_run: no complete evaluation is stored: what appears is baseline.
        meaning_changed: version or parameters differ from the last complete evaluation: what appears is baseline.
        signals: what people did, from the same snapshot.
        hold_note: why nothing may be closed although the run succeeded (see `limits.shrink_note`).
        believe_empty: a run that examined no row at all is one that looked, and not one that was kept from looking.
    """
    signals = signals or Signals()
    known = {finding.fingerprint: finding for finding in held}
    rows, problems = _by_fingerprint(outcome.rows, org_id, rule.id)
    fresh = sum(mark not in known or known[mark].status is RESOLVED for mark in rows)
    baseline = first_run or meaning_changed
    flood = None if baseline else breaker_note(rule.limits, fresh=fresh, population=outcome.population, rule_id=rule.id)
    looked = outcome.complete and outcome.error is None and outcome.switched_off is None
    looked = looked and (outcome.population != 0 or believe_empty)
    run = Circumstances(
        rule=rule,
        outcome=outcome,
        now=now,
        run_id=run_id,
        snapshot_id=snapshot_id,
        quiet=baseline or flood is not None,
        guarded=looked and bool(flood or hold_note),
        signals=signals,
        tasks=_by_finding(signals.tasks.values()),
    )
    conclusive = looked and not run.guarded
    # What old data show may be mended by now: as a new finding it would later count as fixed.
    born = [] if outcome.stale is not None else [mark for mark in rows if mark not in known]
    cases = [_born(run, mark, rows[mark]) for mark in born]
    for mark, finding in known.items():
        case = Case(run, finding, rows.get(mark), _look(run, finding, rows.get(mark), conclusive=conclusive))
        LOOK_MOVES[finding.status][case.look](case)
        cases.append(case)
    for case in cases:
        _follow_signals(case)
    kept = [case for case in cases if not case.dropped]
    return Evaluation(
        findings=tuple(case.finding for case in kept if case.finding != known.get(case.finding.fingerprint)),
        transitions=tuple(change for case in kept for change in case.transitions),
        dropped=tuple(case.finding.fingerprint for case in cases if case.dropped),
        complete=conclusive,
        note=" ".join(filter(None, [flood, hold_note, *problems])),
        breaker=flood is not None,
        held=sum(case.finding.proof is Proof.HELD and case.finding.status is not RESOLVED for case in kept),
    )


def retire(held: Sequence[Finding], *, now: datetime, run_id: str) -> Evaluation:
    """Return what becomes of a rule's findings when the rule is removed: closed as retired, nobody's success."""
    findings: list[Finding] = []
    transitions: list[Transition] = []
    for finding in held:
        if finding.status in (RESOLVED, PENDING):
            continue
        findings.append(
            replace(
                finding,
                status=RESOLVED,
                status_since=now,
                resolved_reason="retired",
                pending_notice=None,
                proof=Proof.PROVEN,
            )
        )
        transitions.append(
            Transition(finding.fingerprint, finding.status, RESOLVED, "retired", now, run_id, finding.episode)
        )
    dropped = tuple(finding.fingerprint for finding in held if finding.status is PENDING)
    return Evaluation(tuple(findings), tuple(transitions), dropped, complete=True)


def _look(run: Circumstances, finding: Finding, row: RuleRow | None, *, conclusive: bool) -> Look:
    if row is not None:
        return Look.SEEN
    if finding.record_id in run.signals.gone_records and not finding.is_process:
        return Look.GONE  # positive evidence: needs no complete run
    if not conclusive:
        return Look.BLIND
    if finding.is_process and finding.record_id in run.outcome.unchecked:
        return Look.BLIND  # the field is not in the data any more: nobody knows whether it is filled
    if not finding.is_process and run.outcome.singles_replaced:
        return Look.BLIND  # "empty in nearly every record" now stands for the single ones: they are not fixed
    if (finding.rule_version, finding.params_digest) != (run.outcome.rule_version, run.outcome.params_digest):
        return Look.CHANGED
    return Look.ABSENT


def _born(run: Circumstances, mark: str, row: RuleRow) -> Case:
    """Return a finding seen for the first time, in its first status."""
    status = PENDING if run.rule.lifecycle.confirm_runs > 1 else OPEN
    status = EXCEPTED if run.excepted(row) else status
    finding = Finding(
        fingerprint=mark,
        rule_id=run.rule.id,
        rule_version=run.outcome.rule_version,
        params_digest=run.outcome.params_digest,
        status=status,
        since=run.now,
        first_seen=run.now,
        last_seen=run.now,
        status_since=run.now,
        episode=1,
        baseline=run.quiet,
        absent_runs=0,
        seen_runs=1,
        reopened=0,
        snapshot_id=run.snapshot_id,
        checked_in=run.snapshot_id,
        impact_reference=row.impact,
        **row_fields(run, row),
    )
    case = Case(run, finding, row, Look.SEEN)
    first = {EXCEPTED: "excepted", PENDING: "pending"}.get(status, "baseline" if run.quiet else "detected")
    case.move(status, first, "new" if status is OPEN else None)
    case.transitions = [replace(case.transitions[0], old=None)]
    return case


def _follow_signals(case: Case) -> None:
    """Let people's doings move the finding until nothing moves any more, so that a second evaluation finds nothing."""
    if case.dropped:
        return
    for _ in range(_MOST_MOVES):
        before = case.finding.status
        for move in SIGNAL_MOVES[before]:
            move(case)
            if case.finding.status is not before:
                break
        else:
            return


def _by_fingerprint(rows: Iterable[RuleRow], org_id: str, rule_id: str) -> tuple[dict[str, RuleRow], list[str]]:
    """Return fingerprint -> row, and a sentence about rows that can't be findings. One bad row never stops the rest."""
    found: dict[str, RuleRow] = {}
    keyless = doubled = 0
    for row in rows:
        if not any(row.business_key):
            keyless += 1
            continue
        mark = fingerprint(org_id, rule_id, row.business_key)
        if mark in found:
            doubled += 1
            if abs(row.impact or 0) <= abs(found[mark].impact or 0):
                continue
        found[mark] = row
    problems: list[str] = []
    if keyless:
        problems.append(f"{rule_id}: {keyless:,} rows have no key and were left out; check finding.key.")
    if doubled:
        problems.append(f"{rule_id}: {doubled:,} rows repeat a key; of each the largest impact was kept.")
    return found, problems


def _by_finding(tasks: Iterable[TaskState]) -> dict[str, tuple[tuple[NoticeKey, TaskState], ...]]:
    found: dict[str, tuple[tuple[NoticeKey, TaskState], ...]] = {}
    for task in tasks:
        key = parse_key(task.key)
        if key is not None:
            found[key.fingerprint] = (*found.get(key.fingerprint, ()), (key, task))
    return found
