"""Findings, transitions and rule history over SQLAlchemy Core. What belongs together is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select

from leakwatch import faultpoints
from leakwatch.core.report import RuleRun
from leakwatch.model import Finding, FindingStatus, Proof, RuleCheck, Run, Transition
from leakwatch.store import finding_tables as tables
from leakwatch.store.database import metadata, transaction
from leakwatch.store.deliveries import FINDING, SqlDeliveries, delete_findings, rows_of, storing

# What counts as standing in a trend: told or not, but confirmed and not accepted.
_STANDING = (FindingStatus.OPEN, FindingStatus.ESCALATED, FindingStatus.ACKNOWLEDGED, FindingStatus.SNOOZED)
_TRANSITION = tuple(field.name for field in fields(Transition))


class SqlFindingStore(SqlDeliveries):
    """The `FindingStore` of `ports`, over SQLite or PostgreSQL."""

    @staticmethod
    def create_tables(engine: Engine) -> None:
        """Make the tables where they are missing (tests; production uses the migrations)."""
        metadata.create_all(engine)

    # --- findings ---

    def findings(self, *, rule_id: str | None = None, include_resolved: bool = True) -> Sequence[Finding]:
        """Return the stored findings, by fingerprint; all rules unless `rule_id` is given."""
        query = select(tables.findings).order_by(tables.findings.c.fingerprint)
        if rule_id is not None:
            query = query.where(tables.findings.c.rule_id == rule_id)
        if not include_resolved:
            query = query.where(tables.findings.c.status != FindingStatus.RESOLVED)
        with self._engine.connect() as connection:
            return [Finding(**row) for row in connection.execute(query).mappings()]

    def transitions(self, *, since: datetime | None = None) -> Sequence[Transition]:
        """Return status changes in the order they happened, from `since` (aware) on."""
        query = select(*(tables.transitions.c[name] for name in _TRANSITION)).order_by(tables.transitions.c.id)
        if since is not None:
            query = query.where(tables.transitions.c.at >= since)
        with self._engine.connect() as connection:
            return [Transition(**row) for row in connection.execute(query).mappings()]

    def commit_evaluation(
        self,
        *,
        run: Run,
        check: RuleCheck,
        findings: Sequence[Finding],
        transitions: Sequence[Transition],
        dropped: Sequence[str] = (),
    ) -> None:
        """Store one rule's evaluation in one transaction; see `ports.FindingStore`."""
        with storing(f"the evaluation of {check.rule_id}"), transaction(self._engine) as connection:
            delete_findings(connection, [*dropped, *(finding.fingerprint for finding in findings)])
            if dropped:
                gone = delete(tables.transitions).where(tables.transitions.c.fingerprint == bindparam("mark"))
                connection.execute(gone, [{"mark": mark} for mark in dropped])
            if findings:
                connection.execute(insert(tables.findings), rows_of(findings, FINDING))
            if transitions:
                connection.execute(insert(tables.transitions), rows_of(transitions, _TRANSITION))
            _remember_rule(connection, check)
            _remember_run(connection, run, check, transitions)
            faultpoints.reach("findings.evaluation.written")
        faultpoints.reach("findings.evaluation.committed")

    # --- rules ---

    def rule_seen(self, rule_id: str) -> tuple[int, str] | None:
        """Return (version, params digest) of the rule's last complete evaluation, or None on its first run."""
        state = self._state(rule_id)
        return None if state is None else (int(state["rule_version"]), str(state["params_digest"]))

    def last_population(self, rule_id: str) -> tuple[int, datetime] | None:
        """Return (rows examined, when) of the rule's last complete evaluation that counted them."""
        state = self._state(rule_id)
        if state is None or state["population"] is None:
            return None
        return int(state["population"]), state["population_at"]

    def _state(self, rule_id: str) -> Mapping[str, Any] | None:
        query = select(tables.rule_state).where(tables.rule_state.c.rule_id == rule_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
            return None if row is None else {str(name): value for name, value in row.items()}

    def rule_ids(self) -> Sequence[str]:
        """Return the ids of rules that have a state or living findings, sorted."""
        living = select(tables.findings.c.rule_id).where(tables.findings.c.status != FindingStatus.RESOLVED)
        query = select(tables.rule_state.c.rule_id).union(living)
        with self._engine.connect() as connection:
            return sorted(connection.execute(query).scalars())

    def rule_runs(self, *, rule_id: str | None = None, since: datetime | None = None) -> Sequence[RuleRun]:
        """Return past evaluations, oldest first: what trends and rule health are drawn from."""
        query = select(tables.rule_runs).order_by(tables.rule_runs.c.at, tables.rule_runs.c.rule_id)
        if rule_id is not None:
            query = query.where(tables.rule_runs.c.rule_id == rule_id)
        if since is not None:
            query = query.where(tables.rule_runs.c.at >= since)
        names = [field.name for field in fields(RuleRun)]
        with self._engine.connect() as connection:
            return [RuleRun(**{name: row[name] for name in names}) for row in connection.execute(query).mappings()]

    def last_judged(self) -> datetime | None:
        """Return when a rule was last evaluated (aware UTC), or None if none ever was."""
        query = select(func.max(tables.rule_runs.c.at, type_=tables.Moment))
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def first_runs(self) -> Mapping[str, datetime]:
        """Return rule id -> when it was first evaluated: how long the noise forecast could watch."""
        table = tables.rule_runs
        query = select(table.c.rule_id, func.min(table.c.at, type_=tables.Moment)).group_by(table.c.rule_id)
        with self._engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def rule_notes(self, run_id: str) -> Mapping[str, str]:
        """Return rule id -> note for RevOps (breaker, guard, unusable rows) of one run."""
        query = select(tables.rule_runs.c.rule_id, tables.rule_runs.c.note).where(tables.rule_runs.c.run_id == run_id)
        with self._engine.connect() as connection:
            return {row.rule_id: row.note for row in connection.execute(query) if row.note}


def _remember_rule(connection: Connection, check: RuleCheck) -> None:
    """Keep what the next run is compared with. Only a complete evaluation counts as having looked."""
    table = tables.rule_state
    if not (check.complete or check.retired):
        return
    before = connection.execute(select(table).where(table.c.rule_id == check.rule_id)).mappings().first()
    connection.execute(delete(table).where(table.c.rule_id == check.rule_id))
    if check.retired:
        return
    counted = check.population is not None
    connection.execute(
        insert(table).values(
            rule_id=check.rule_id,
            rule_version=check.rule_version,
            params_digest=check.params_digest,
            at=check.at,
            population=check.population if counted or before is None else before["population"],
            population_at=check.at if counted else None if before is None else before["population_at"],
        )
    )


def _remember_run(connection: Connection, run: Run, check: RuleCheck, changes: Sequence[Transition]) -> None:
    """Keep the run's figures for trends. The same run told twice keeps the last figures."""
    table = tables.rule_runs
    open_count, open_impact = _standing(connection, check.rule_id)
    connection.execute(delete(table).where(table.c.run_id == run.run_id, table.c.rule_id == check.rule_id))
    connection.execute(
        insert(table).values(
            run_id=run.run_id,
            rule_id=check.rule_id,
            rule_version=check.rule_version,
            params_digest=check.params_digest,
            snapshot_id=check.snapshot_id,
            at=check.at,
            complete=check.complete,
            population=check.population,
            open_count=open_count,
            open_impact=open_impact,
            new=sum(change.reason in ("detected", "confirmed") and change.new in _STANDING for change in changes),
            resolved=sum(change.reason == "fixed" for change in changes),
            reopened=sum(change.reason == "reopened" for change in changes),
            note=check.note,
            error=check.error,
        )
    )


def _standing(connection: Connection, rule_id: str) -> tuple[int, dict[str, Decimal]]:
    """Return how many proven findings about records stand open, and their impact by currency (sizes, not signs)."""
    table = tables.findings
    query = select(table.c.impact, table.c.currency).where(
        table.c.rule_id == rule_id,
        table.c.status.in_(_STANDING),
        table.c.proof != Proof.UNPROVEN,
        table.c.is_process.is_(False),
    )
    count, sums = 0, dict[str, Decimal]()
    for impact, currency in connection.execute(query):
        count += 1
        if impact is not None and currency is not None:
            sums[currency] = sums.get(currency, Decimal(0)) + abs(impact)
    return count, sums
