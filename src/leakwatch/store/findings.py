"""Findings, transitions, deliveries and rule history over SQLAlchemy Core. What belongs together is one transaction."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import OperationalError, StatementError

from leakwatch import faultpoints
from leakwatch.core.report import RuleRun
from leakwatch.errors import BusyError, RecordError, SafetyError
from leakwatch.model import Delivery, Finding, FindingStatus, Proof, RuleCheck, Run, Transition
from leakwatch.store import finding_tables as tables
from leakwatch.store.database import metadata, transaction

# What counts as standing in a trend: told or not, but confirmed and not accepted.
_STANDING = (FindingStatus.OPEN, FindingStatus.ESCALATED, FindingStatus.ACKNOWLEDGED, FindingStatus.SNOOZED)
_FINDING = tuple(field.name for field in fields(Finding))
_TRANSITION = tuple(field.name for field in fields(Transition))
_DELIVERY = tuple(field.name for field in fields(Delivery))


class SqlFindingStore:
    """The `FindingStore` of `ports`, over SQLite or PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

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
        with _storing(f"the evaluation of {check.rule_id}"), transaction(self._engine) as connection:
            _delete_findings(connection, [*dropped, *(finding.fingerprint for finding in findings)])
            if dropped:
                gone = delete(tables.transitions).where(tables.transitions.c.fingerprint == bindparam("mark"))
                connection.execute(gone, [{"mark": mark} for mark in dropped])
            if findings:
                connection.execute(insert(tables.findings), _rows(findings, _FINDING))
            if transitions:
                connection.execute(insert(tables.transitions), _rows(transitions, _TRANSITION))
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

    # --- deliveries ---

    def commit_deliveries(self, deliveries: Sequence[Delivery], findings: Sequence[Finding]) -> None:
        """Store messages to be sent and what they change on findings, in one transaction; see `ports.FindingStore`."""
        with _storing("the messages to be sent"), transaction(self._engine) as connection:
            settled = _settled(connection, [delivery.key for delivery in deliveries])
            wanted = [delivery for delivery in deliveries if delivery.key not in settled]
            if wanted:
                keys = [{"old": delivery.key} for delivery in wanted]
                for table in (tables.deliveries, tables.delivery_findings):
                    connection.execute(delete(table).where(table.c.key == bindparam("old")), keys)
                connection.execute(insert(tables.deliveries), _rows(wanted, _DELIVERY))
                links = [
                    {"fingerprint": mark, "key": delivery.key}
                    for delivery in wanted
                    for mark in dict.fromkeys(delivery.fingerprints)
                ]
                if links:
                    connection.execute(insert(tables.delivery_findings), links)
            _delete_findings(connection, [finding.fingerprint for finding in findings])
            if findings:
                connection.execute(insert(tables.findings), _rows(findings, _FINDING))
            faultpoints.reach("findings.deliveries.written")
        faultpoints.reach("findings.deliveries.committed")

    def undelivered(self) -> Sequence[Delivery]:
        """Return deliveries that are neither sent nor quarantined, oldest first."""
        table = tables.deliveries
        query = select(table).where(table.c.sent_at.is_(None), table.c.quarantined.is_(False))
        with self._engine.connect() as connection:
            ordered = connection.execute(query.order_by(table.c.created_at, table.c.key)).mappings()
            return [Delivery(**row) for row in ordered]

    def deliveries(self, *, fingerprint: str | None = None, since: datetime | None = None) -> Sequence[Delivery]:
        """Return deliveries, oldest first: of one finding, or planned from `since` (aware) on, or all."""
        table, links = tables.deliveries, tables.delivery_findings
        query = select(table).order_by(table.c.created_at, table.c.key)
        if fingerprint is not None:
            query = query.join(links, links.c.key == table.c.key).where(links.c.fingerprint == fingerprint)
        if since is not None:
            query = query.where(table.c.created_at >= since)
        with self._engine.connect() as connection:
            return [Delivery(**row) for row in connection.execute(query).mappings()]

    def by_remote_id(self, record_id: str) -> Sequence[Delivery]:
        """Return the deliveries that made or changed the Task or post `record_id` (15 or 18 characters)."""
        table = tables.deliveries
        query = select(table).where(func.substr(table.c.remote_id, 1, 15) == record_id[:15])
        with self._engine.connect() as connection:
            ordered = connection.execute(query.order_by(table.c.created_at, table.c.key)).mappings()
            return [Delivery(**row) for row in ordered]

    def record_delivery(self, delivery: Delivery, finding: Finding | None = None) -> None:
        """Store what became of a delivery, and what that changes on its finding, in one transaction."""
        (row,) = _rows([delivery], _DELIVERY)
        with _storing(f"delivery {delivery.key}"), transaction(self._engine) as connection:
            connection.execute(update(tables.deliveries).where(tables.deliveries.c.key == delivery.key).values(**row))
            if finding is not None:
                (values,) = _rows([finding], _FINDING)
                same = tables.findings.c.fingerprint == finding.fingerprint
                connection.execute(update(tables.findings).where(same).values(**values))
        faultpoints.reach("findings.delivery.recorded")

    def refused(self) -> Sequence[Delivery]:
        """Return the deliveries that wait for a person (`Delivery.refused`), oldest first."""
        table = tables.deliveries
        query = select(table).where(table.c.quarantined.is_(True)).order_by(table.c.created_at, table.c.key)
        with self._engine.connect() as connection:
            found = [Delivery(**row) for row in connection.execute(query).mappings()]
        return [delivery for delivery in found if delivery.refused]

    def release_refused(self, keys: Iterable[str]) -> set[str]:
        """Let refused deliveries be tried again by the next `act`; return the keys of those that were."""
        table = tables.deliveries
        released = {delivery.key for delivery in self.refused()} & set(keys)
        with _storing("the release"), transaction(self._engine) as connection:
            for key in sorted(released):
                connection.execute(update(table).where(table.c.key == key).values(quarantined=False, attempts=0))
        return released


@contextmanager
def _storing(what: str) -> Generator[None]:
    """Translate what the database says. In each case nothing of `what` was stored.

    Raises:
        BusyError: another process holds the database. SafetyError: the file can't be written. RecordError: a value in
            it can't be stored.
    """
    try:
        yield
    except OperationalError as error:
        if "locked" in str(error.orig):
            raise BusyError(
                f"{what} could not be stored: another process works on the same state folder. Nothing of it was; "
                "the next run does it again."
            ) from error
        raise SafetyError(
            f"{what} could not be stored ({error.orig}). Nothing of it was. Look at space and rights of the state "
            "folder, then run again."
        ) from error
    except (StatementError, UnicodeError, TypeError) as error:
        raise RecordError(f"{what} holds a value that can't be stored: {error}", code="NOT_STORED") from error


def _rows(things: Iterable[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    return [{name: getattr(thing, name) for name in names} for thing in things]


def _delete_findings(connection: Connection, marks: Sequence[str]) -> None:
    if marks:
        query = delete(tables.findings).where(tables.findings.c.fingerprint == bindparam("mark"))
        connection.execute(query, [{"mark": mark} for mark in marks])


def _settled(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Return those of `keys` that are sent or quarantined."""
    table = tables.deliveries
    found: set[str] = set()
    for start in range(0, len(keys), 500):  # SQLite's oldest limit on variables in a statement is 999
        query = select(table.c.key).where(
            table.c.key.in_(keys[start : start + 500]), or_(table.c.sent_at.is_not(None), table.c.quarantined.is_(True))
        )
        found.update(connection.execute(query).scalars())
    return found


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
