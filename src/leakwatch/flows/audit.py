"""snapshot ─▶ rule outcomes ─▶ life cycle ─▶ findings: one rule at a time, each in a transaction of its own.

A rule that fails, or whose evaluation can't be stored, is reported and stops no other. A rule whose file is broken is
not a removed rule: only what is in none of the rule files any more is retired.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from leakwatch import faultpoints, log
from leakwatch.core.lifecycle import Evaluation, Signals, evaluate, retire
from leakwatch.core.limits import shrink_note
from leakwatch.errors import RecordError
from leakwatch.model import Rule, RuleCheck, RuleOutcome, Run, Snapshot
from leakwatch.ports import FindingStore

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What one rule's evaluation did."""

    rule_id: str
    rule_version: int
    population: int | None = None
    rows: int = 0
    new: int = 0
    resolved: int = 0  # fixed
    resolved_otherwise: int = 0  # gone, aged out, rule changed, retired
    reopened: int = 0
    held: int = 0
    baseline: int = 0
    escalated: int = 0
    complete: bool = False
    note: str = ""  # for RevOps: breaker, guard, inputs too old, unusable rows
    breaker: bool = False
    error: str | None = None
    switched_off: str | None = None
    stale: bool = False  # its inputs were read too long ago; the note says which


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit did, rule by rule."""

    snapshot_id: str
    snapshot_at: datetime
    rules: tuple[RuleReport, ...]
    dry_run: bool = False
    evaluations: tuple[Evaluation, ...] = ()  # in the order of `rules`; what a dry run would have stored

    @property
    def complete(self) -> bool:
        """Whether every rule that could run ran and looked properly."""
        return all(rule.complete for rule in self.rules if rule.switched_off is None)

    @property
    def stale(self) -> bool:
        """Whether a rule had to hold its findings because its inputs were read too long ago."""
        return any(rule.stale for rule in self.rules)

    def counts(self) -> Mapping[str, int]:
        """Return the sums for the run log."""
        names = ("rows", "new", "resolved", "reopened", "held", "baseline", "escalated")
        sums = {name: sum(getattr(rule, name) for rule in self.rules) for name in names}
        return sums | {"rules": len(self.rules), "rules_failed": sum(rule.error is not None for rule in self.rules)}


def audit(
    *,
    run: Run,
    rules: Sequence[Rule],
    outcomes: Iterable[RuleOutcome],
    snapshot: Snapshot,
    store: FindingStore,
    now: datetime,
    signals: Signals | Callable[[Rule], Signals] | None = None,
    known_rule_ids: Collection[str] | None = None,
    accept_shrunk: bool = False,
    dry_run: bool = False,
) -> AuditReport:
    """Judge `outcomes` against what is stored, store what changed, and return what happened.

    Args:
        run: goes into every transition.
        rules: rules as configured; an outcome of any other is an error of that outcome only.
        outcomes: one per rule, taken one after the other (may be a generator that runs them).
        snapshot: what the outcomes were read from.
        store: where findings are kept. Nobody else may change it meanwhile (`RunLog.exclusive`).
        now: aware.
        signals: what people did, from the same snapshot; a function where it differs by rule.
        known_rule_ids: ids in all rule files, broken or switched-off ones too. Stored rules that are not among them
            are retired. None retires nothing.
        accept_shrunk: a person says that the smaller (or empty) population is right.
        dry_run: store nothing.
    """
    by_id = {rule.id: rule for rule in rules}
    reports: list[RuleReport] = []
    evaluations: list[Evaluation] = []
    for outcome in outcomes:
        rule = by_id.get(outcome.rule_id)
        if rule is None:
            error = "an outcome of a rule that is not loaded; nothing of it was stored"
            reports.append(RuleReport(outcome.rule_id, outcome.rule_version, rows=len(outcome.rows), error=error))
            evaluations.append(Evaluation())
            continue
        told = signals(rule) if callable(signals) else signals
        evaluation = _judge(rule, outcome, run, snapshot, store, now, told, accept_shrunk=accept_shrunk)
        faultpoints.reach("audit.rule.judged")
        error = None if dry_run else _keep(run, outcome, evaluation, snapshot, store, now)
        reports.append(_report(outcome, evaluation, error))
        evaluations.append(evaluation)
        _tell(reports[-1])
    if known_rule_ids is not None:
        for rule_id in store.rule_ids():
            if rule_id not in known_rule_ids:
                report, evaluation = _retire(rule_id, run, snapshot, store, now, dry_run=dry_run)
                reports.append(report)
                evaluations.append(evaluation)
    return AuditReport(snapshot.snapshot_id, snapshot.published_at, tuple(reports), dry_run, tuple(evaluations))


def _judge(
    rule: Rule,
    outcome: RuleOutcome,
    run: Run,
    snapshot: Snapshot,
    store: FindingStore,
    now: datetime,
    signals: Signals | None,
    *,
    accept_shrunk: bool,
) -> Evaluation:
    seen = store.rule_seen(rule.id)
    meaning = (outcome.rule_version, outcome.params_digest)
    changed = seen is not None and seen != meaning
    before = store.last_population(rule.id)
    # A rule that means something else now may well look at fewer rows, but hardly at none.
    compared = None if accept_shrunk or (changed and outcome.population) else before
    shrunk = shrink_note(rule.id, population=outcome.population, before=compared, now=now)
    return evaluate(
        rule,
        outcome,
        store.findings(rule_id=rule.id),
        now=now,
        run_id=run.run_id,
        snapshot_id=snapshot.snapshot_id,
        org_id=snapshot.org_id,
        first_run=seen is None,
        meaning_changed=changed,
        signals=signals,
        hold_note=" ".join(filter(None, [outcome.stale, shrunk])),
        believe_empty=before is not None and not shrunk,  # never at first: what comes later would not be baseline
    )


def _keep(
    run: Run, outcome: RuleOutcome, evaluation: Evaluation, snapshot: Snapshot, store: FindingStore, now: datetime
) -> str | None:
    """Store an evaluation; return why it could not be stored, if it could not."""
    check = RuleCheck(
        rule_id=outcome.rule_id,
        rule_version=outcome.rule_version,
        params_digest=outcome.params_digest,
        snapshot_id=snapshot.snapshot_id,
        at=now,
        complete=evaluation.complete,
        population=outcome.population,
        note=evaluation.note,
        error=outcome.error or outcome.switched_off,
    )
    try:
        store.commit_evaluation(
            run=run,
            check=check,
            findings=evaluation.findings,
            transitions=evaluation.transitions,
            dropped=evaluation.dropped,
        )
    except RecordError as error:
        return f"its findings could not be stored ({error}); they stay as they were"
    faultpoints.reach("audit.rule.stored")
    return None


def _retire(
    rule_id: str, run: Run, snapshot: Snapshot, store: FindingStore, now: datetime, *, dry_run: bool
) -> tuple[RuleReport, Evaluation]:
    """Close the findings of a rule that is in no rule file any more."""
    evaluation = retire(store.findings(rule_id=rule_id), now=now, run_id=run.run_id)
    version, digest = store.rule_seen(rule_id) or (0, "")
    if not dry_run:
        store.commit_evaluation(
            run=run,
            check=RuleCheck(
                rule_id, version, digest, snapshot.snapshot_id, now, complete=True, note="retired", retired=True
            ),
            findings=evaluation.findings,
            transitions=evaluation.transitions,
            dropped=evaluation.dropped,
        )
    return (
        RuleReport(
            rule_id, version, resolved_otherwise=evaluation.count("retired"), complete=True, note=f"{rule_id}: retired"
        ),
        evaluation,
    )


def _report(outcome: RuleOutcome, evaluation: Evaluation, error: str | None) -> RuleReport:
    return RuleReport(
        rule_id=outcome.rule_id,
        rule_version=outcome.rule_version,
        population=outcome.population,
        rows=len(outcome.rows),
        new=evaluation.count("detected", "confirmed"),
        resolved=evaluation.count("fixed"),
        resolved_otherwise=evaluation.count("gone", "aged_out", "rule_changed", "retired"),
        reopened=evaluation.count("reopened"),
        held=evaluation.held,
        baseline=evaluation.count("baseline"),
        escalated=evaluation.count("escalated"),
        complete=evaluation.complete and error is None,
        note=evaluation.note,
        breaker=evaluation.breaker,
        error=outcome.error or error,
        switched_off=outcome.switched_off,
        stale=outcome.stale is not None,
    )


def _tell(report: RuleReport) -> None:
    """Log one rule's evaluation: ids and numbers only."""
    if report.switched_off is not None:
        _log.warning(log.Event.RULE_SWITCHED_OFF, rule=report.rule_id, reason=report.switched_off)
        return
    if report.error is not None:
        _log.error(log.Event.RULE_FAILED, rule=report.rule_id, reason=report.error)
    if report.stale:
        _log.warning(log.Event.RULE_HELD, rule=report.rule_id, held=report.held, reason=report.note)
    if report.breaker:
        _log.warning(log.Event.BREAKER_TRIPPED, rule=report.rule_id, new=report.rows)
    _log.info(
        log.Event.RULE_EVALUATED,
        rule=report.rule_id,
        rows=report.rows,
        new=report.new,
        resolved=report.resolved,
        held=report.held,
        baseline=report.baseline,
        complete=report.complete,
    )
