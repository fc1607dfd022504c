"""Runs rules over a published snapshot. One failing rule never stops another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from leakwatch import log
from leakwatch.core.tables import SNAPSHOT_SETTINGS, Catalog
from leakwatch.errors import LeakwatchError
from leakwatch.model import RuleOutcome, Text
from leakwatch.rule_engine import params
from leakwatch.rule_engine.compile import bind, fill_missing, render
from leakwatch.rule_engine.isolated import ChildLimits, Row, run_isolated
from leakwatch.rule_engine.lint import Query
from leakwatch.rule_engine.load import LoadedRule
from leakwatch.rule_engine.rows import Owner, to_rows

Label = Callable[[str, str | None], str]  # (table, column or None) -> its name in Salesforce

DEFAULT_LIMITS = ChildLimits()
RULE_TIMEOUT_SECONDS = 600.0  # of a shipped rule; the slowest took 10 s on 40 million rows when measured


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a snapshot before any rule runs."""

    columns: Mapping[str, frozenset[str]]
    freshness: Mapping[str, datetime]
    notes: Sequence[tuple[str, str | None, Text]]  # table (or *), column (or None = all), what was assumed about it
    unreadable: Mapping[str, Text] = field(default_factory=dict[str, Text])  # table -> why


class RuleEngine:
    """Rules and what is needed to run them."""

    def __init__(
        self,
        rules: Sequence[LoadedRule],
        *,
        catalog: Catalog,
        label: Label | None = None,
        limits: ChildLimits = DEFAULT_LIMITS,
        timeout_seconds: float = RULE_TIMEOUT_SECONDS,
    ) -> None:
        self.rules = tuple(rules)
        self._catalog = catalog
        self._label: Label = label or (lambda table, column: f"{table}.{column}" if column else table)
        self._limits = limits
        self._timeout = timeout_seconds

    def run(
        self,
        snapshot_path: Path | str,
        *,
        as_of_date: date,
        as_of: datetime,
        unreadable: Mapping[str, Text] | None = None,
        only: Sequence[str] | None = None,
    ) -> list[RuleOutcome]:
        """Return one outcome per rule, in order of id.

        `as_of_date` is the day in the org's time zone, `as_of` (aware) the moment that freshness is measured at.
        `unreadable` names tables whose files could not be read, with the reason: what needs them is switched off, even
        where they are optional, because not being able to look is not absence. `only` limits the run to some rule ids.

        Raises:
            LeakwatchError: the snapshot can't be opened.
        """
        path = Path(snapshot_path)
        with _open(path) as connection:
            facts = _facts(connection, unreadable or {})
            rules = [item for item in self.rules if only is None or item.rule.id in only]
            return [self._run_one(connection, path, item, facts, as_of_date, as_of) for item in rules]

    def _run_one(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        loaded: LoadedRule,
        facts: Facts,
        as_of_date: date,
        as_of: datetime,
    ) -> RuleOutcome:
        rule = loaded.rule
        started = time.perf_counter()
        reason, missing, assumed = availability(loaded, facts, self._label)
        if reason is not None:
            log.get("audit").info(log.Event.RULE_SWITCHED_OFF, rule=rule.id, reason=reason.en)
            return RuleOutcome(
                rule.id, rule.version, rule.params_digest, (), None, complete=False,
                switched_off=reason.en, switched_off_tr=reason.tr,
            )  # fmt: skip
        values = params.resolve(loaded.spec.params, rule.params, as_of_date=as_of_date, as_of=as_of)
        stale = _stale(loaded, facts, as_of, self._label)
        if stale is not None:
            assumed.append(stale)
        try:
            rows = self._query(connection, path, loaded, loaded.query, missing, values)
            population = None
            if loaded.population is not None:
                counted = self._query(connection, path, loaded, loaded.population, missing, values)
                population = int(next(iter(counted[0].values())) or 0) if counted else 0
            people = _people(connection, facts, [str(row[loaded.spec.finding.owner] or "") for row in rows])
            found = to_rows(loaded, rows, population=population, values=values, people=people)
        except (duckdb.Error, LeakwatchError, ArithmeticError, ValueError, TypeError) as error:
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            log.get("audit").error(log.Event.RULE_FAILED, rule=rule.id, error=text)
            return RuleOutcome(
                rule.id, rule.version, rule.params_digest, (), None, complete=False, error=text,
                seconds=time.perf_counter() - started,
            )  # fmt: skip
        seconds = time.perf_counter() - started
        log.get("audit").info(
            log.Event.RULE_EVALUATED, rule=rule.id, rows=len(found), population=population, seconds=round(seconds, 3)
        )
        return RuleOutcome(
            rule_id=rule.id,
            rule_version=rule.version,
            params_digest=rule.params_digest,
            rows=found,
            population=population,
            complete=stale is None,
            assumptions=tuple(text.en for text in assumed),
            assumptions_tr=tuple(text.tr for text in assumed),
            seconds=seconds,
        )

    def _query(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        loaded: LoadedRule,
        query: Query,
        missing: Mapping[str, frozenset[str] | None],
        values: Mapping[str, Any],
    ) -> list[Row]:
        sql = render(fill_missing(bind(query.tree, values), missing, self._catalog))
        if not loaded.shipped:
            return run_isolated(path, sql, self._limits)
        with _interrupting(connection, self._timeout):
            return fetch(connection, sql)


def run_rules(
    snapshot_path: Path | str,
    rules: Sequence[LoadedRule],
    *,
    catalog: Catalog,
    as_of_date: date,
    as_of: datetime,
    label: Label | None = None,
    limits: ChildLimits = DEFAULT_LIMITS,
    timeout_seconds: float = RULE_TIMEOUT_SECONDS,
) -> list[RuleOutcome]:
    """Return one outcome per rule: `RuleEngine.run` in one call."""
    engine = RuleEngine(rules, catalog=catalog, label=label, limits=limits, timeout_seconds=timeout_seconds)
    return engine.run(snapshot_path, as_of_date=as_of_date, as_of=as_of)


def fetch(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    """Return the rows of `sql` as mappings from column to value."""
    result = connection.execute(sql)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def availability(
    loaded: LoadedRule, facts: Facts, label: Label
) -> tuple[Text | None, dict[str, frozenset[str] | None], list[Text]]:
    """Return why the rule can't run (or None), what optional data are missing, and what is assumed because of that."""
    lacking: list[str] = []
    missing: dict[str, frozenset[str] | None] = {}
    assumed: list[Text] = []
    reads = _merged_reads(loaded)
    for table, columns in sorted(reads.items()):
        if table in facts.unreadable:
            return facts.unreadable[table], {}, []
        optional = loaded.spec.optional.get(table)
        if table not in facts.columns:
            if table in loaded.spec.needs:
                lacking.append(label(table, None))
                continue
            missing[table] = None
            assumed.append((optional.assume if optional else None) or _not_there(label(table, None)))
            continue
        gone = columns - facts.columns[table]
        if not gone:
            continue
        told: Mapping[str, Text | None] = (optional.columns if optional else None) or {}
        if table in loaded.spec.needs:
            lacking += [label(table, column) for column in sorted(gone) if column not in told]
        missing[table] = frozenset(gone)
        assumed += [told.get(column) or _not_there(label(table, column)) for column in sorted(gone)]
    if lacking:
        names = ", ".join(lacking)
        return Text(en=f"not in the data: {names}", tr=f"veride yok: {names}"), {}, []
    assumed += [
        text
        for table, column, text in facts.notes
        if table == "*" or (table in reads and column in (None, *reads[table]))
    ]
    return None, missing, assumed


def _merged_reads(loaded: LoadedRule) -> dict[str, frozenset[str]]:
    reads = dict(loaded.query.reads)
    for table, columns in (loaded.population.reads if loaded.population else {}).items():
        reads[table] = reads.get(table, frozenset()) | columns
    return reads


def _not_there(name: str) -> Text:
    return Text(
        en=f"{name} is not in the data; the rule ran without it.", tr=f"{name} veride yok; kural onsuz çalıştı."
    )


def _stale(loaded: LoadedRule, facts: Facts, as_of: datetime, label: Label) -> Text | None:
    """Return which needed data are too old for anything to count as fixed, or None."""
    old: list[str] = []
    for table, need in loaded.spec.needs.items():
        fresh = facts.freshness.get(table)
        if need.fresh_within is not None and (fresh is None or as_of - fresh > need.fresh_within):
            since = fresh.strftime("%Y-%m-%d %H:%M UTC") if fresh else "?"
            old.append(f"{label(table, None)} ({since})")
    if not old:
        return None
    names = ", ".join(old)
    return Text(
        en=f"Too old to say that anything was fixed: {names}. Findings are held.",
        tr=f"Düzeltildi demek için fazla eski: {names}. Bulgular askıda tutuluyor.",
    )


@contextmanager
def _open(path: Path) -> Generator[duckdb.DuckDBPyConnection]:
    try:
        connection = duckdb.connect(str(path), read_only=True, config=dict(SNAPSHOT_SETTINGS))
    except duckdb.Error as error:
        raise LeakwatchError(
            f"the snapshot {path} can't be opened ({type(error).__name__}); run `leakwatch mirror` to make a new one"
        ) from error
    try:
        connection.execute("SET enable_progress_bar=false")  # it would go to standard output
        yield connection
    finally:
        connection.close()


def _facts(connection: duckdb.DuckDBPyConnection, unreadable: Mapping[str, Text]) -> Facts:
    columns: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
    ).fetchall():
        columns.setdefault(table, set()).add(column)
    freshness: dict[str, datetime] = {}
    notes: list[tuple[str, str | None, Text]] = []
    if "lw_freshness" in columns:
        rows = connection.execute("SELECT table_name, fresh_until FROM lw_freshness").fetchall()
        freshness = {table: moment.replace(tzinfo=UTC) for table, moment in rows if moment is not None}
    if "lw_notes" in columns:
        rows = connection.execute("SELECT table_name, column_name, en, tr FROM lw_notes").fetchall()
        notes = [(table, column, Text(en=en, tr=tr)) for table, column, en, tr in rows]
    return Facts({table: frozenset(names) for table, names in columns.items()}, freshness, notes, unreadable)


def _people(connection: duckdb.DuckDBPyConnection, facts: Facts, owner_ids: Sequence[str]) -> dict[str, Owner]:
    """Return names and managers of owners: users, and queues by their name."""
    wanted = sorted(set(owner_ids) - {""})
    people: dict[str, Owner] = {}
    for table, manager in (("sf_group", None), ("sf_user", "manager_id")):
        known = facts.columns.get(table, frozenset())
        if not wanted or not {"id", "name"} <= known:
            continue
        boss = manager if manager in known else "NULL"
        rows = connection.execute(
            f"SELECT id, name, {boss} FROM {table} WHERE id IN (SELECT unnest(?::VARCHAR[]))",  # noqa: S608  own names
            [wanted],
        ).fetchall()
        people.update({row[0]: Owner(row[1] or "", row[2]) for row in rows})
    return people


@contextmanager
def _interrupting(connection: duckdb.DuckDBPyConnection, seconds: float) -> Generator[None]:
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise LeakwatchError(f"stopped after {seconds:.0f} seconds") from error
    finally:
        timer.cancel()
