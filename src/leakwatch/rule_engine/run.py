"""Runs rules over a published snapshot. One failing rule never stops another."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from leakwatch import log
from leakwatch.core.rates import Rates
from leakwatch.core.tables import SNAPSHOT_SETTINGS, Catalog
from leakwatch.errors import LeakwatchError
from leakwatch.model import RuleOutcome, Text
from leakwatch.rule_engine import params
from leakwatch.rule_engine.available import Facts, Label, LeftOut, availability, read_facts, stale
from leakwatch.rule_engine.compile import bind, fill_missing, render
from leakwatch.rule_engine.isolated import ChildLimits, Row, run_isolated
from leakwatch.rule_engine.lint import Query
from leakwatch.rule_engine.load import LoadedRule
from leakwatch.rule_engine.money import rates_of, unrated_notes, with_home
from leakwatch.rule_engine.process import find_process
from leakwatch.rule_engine.rows import Owner, to_rows

DEFAULT_LIMITS = ChildLimits()
RULE_TIMEOUT_SECONDS = 600.0  # of a shipped rule; the slowest took 10 s on 40 million rows when measured


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
        stale_after: timedelta | None = None,
        rates: Rates | None = None,
    ) -> None:
        """`stale_after`: data read longer ago prove nothing, whatever a rule's own `fresh_within` allows.

        `rates`: the company's currency, for limits on money, and what others are worth. What is not in it the snapshot
        says; without any word on the currency, it is the only one there is among a rule's rows.
        """
        self.rules = tuple(rules)
        self._catalog = catalog
        self._label: Label = label or (lambda table, column: f"{table}.{column}" if column else table)
        self._limits = limits
        self._timeout = timeout_seconds
        self._stale_after = stale_after
        self._rates = rates or Rates()

    def run(
        self,
        snapshot_path: Path | str,
        *,
        as_of_date: date,
        as_of: datetime,
        unreadable: Mapping[str, Text] | None = None,
        left_out: LeftOut | None = None,
        once: bool = False,
        only: Sequence[str] | None = None,
    ) -> list[RuleOutcome]:
        """Return one outcome per rule, in order of id.

        `as_of_date` is the day in the org's time zone, `as_of` (aware) the moment that freshness is measured at.
        `unreadable` names tables whose files could not be read, with the reason: what needs them is switched off, even
        where they are optional, because not being able to look is not absence. `left_out` does so for columns (table,
        column), but of what is optional a rule does without, and says so. With `once` the age of the data does not
        matter: nothing is kept, so nothing can wrongly count as fixed. `only` limits the run to some rule ids.

        Raises:
            LeakwatchError: the snapshot can't be opened.
        """
        path = Path(snapshot_path)
        with _open(path) as connection:
            facts = read_facts(connection, unreadable or {}, left_out or {})
            rules = [item for item in self.rules if only is None or item.rule.id in only]
            return [self._run_one(connection, path, item, facts, as_of_date, as_of, once=once) for item in rules]

    def rates(self, snapshot_path: Path | str) -> Rates:
        """Return what amounts are weighed by: the rates given, else the org's own as the snapshot has them."""
        with _open(Path(snapshot_path)) as connection:
            return rates_of(connection, read_facts(connection, {}, {}).columns, self._rates)

    def _run_one(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        loaded: LoadedRule,
        facts: Facts,
        as_of_date: date,
        as_of: datetime,
        *,
        once: bool,
    ) -> RuleOutcome:
        rule = loaded.rule
        started = time.perf_counter()
        reason, missing, assumed = availability(loaded, facts, self._label)
        if reason is not None:
            return _switched_off(loaded, reason)
        values = params.resolve(loaded.spec.params, rule.params, as_of_date=as_of_date, as_of=as_of)
        too_old = None if once else stale(loaded, facts, as_of, self._label, self._stale_after)
        if too_old is not None:
            assumed.append(too_old)
        try:
            rows = self._query(connection, path, loaded, loaded.query, missing, values)
            counts = self._counts(connection, path, loaded, loaded.population, missing, values)
            without = _first(self._counts(connection, path, loaded, loaded.unjudged, missing, values))
            process = find_process(loaded, rows, counts, missing=missing, values=values, label=self._label)
            if process.replace_singles:
                rows = []
            people = _people(connection, facts, [str(row[loaded.spec.finding.owner] or "") for row in rows])
            rates = with_home(rates_of(connection, facts.columns, self._rates), loaded, rows)
            found = (*process.rows, *to_rows(loaded, rows, values=values, people=people, rates=rates))
            assumed += unrated_notes(loaded, rows, rates)
            population = _first(counts)
        except (duckdb.Error, LeakwatchError, ArithmeticError, ValueError, TypeError) as error:
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            log.get("audit").error(log.Event.RULE_FAILED, rule=rule.id, error=text)
            return RuleOutcome(
                rule.id, rule.version, rule.params_digest, (), None, complete=False, error=text,
                seconds=time.perf_counter() - started,
            )  # fmt: skip
        unjudged = _unjudged(loaded, without, population, values)
        if unjudged is not None and without == population:
            return _switched_off(loaded, unjudged)
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
            complete=too_old is None,
            stale=too_old.en if too_old else None,
            assumptions=tuple(text.en for text in assumed),
            assumptions_tr=tuple(text.tr for text in assumed),
            seconds=seconds,
            unjudged=unjudged,
            unchecked=process.unchecked,
            singles_replaced=process.replace_singles,
            window=_window(loaded, values, as_of_date),
        )

    def _counts(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        loaded: LoadedRule,
        query: Query | None,
        missing: Mapping[str, frozenset[str] | None],
        values: Mapping[str, Any],
    ) -> dict[str, int]:
        """Return the numbers that `query` gives by name, none if the rule has no such query."""
        if query is None:
            return {}
        counted = self._query(connection, path, loaded, query, missing, values)
        return {name: int((counted[0][name] if counted else 0) or 0) for name in query.returns}

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


def _first(counts: Mapping[str, int]) -> int | None:
    return next(iter(counts.values()), None)


def _switched_off(loaded: LoadedRule, reason: Text) -> RuleOutcome:
    rule = loaded.rule
    log.get("audit").info(log.Event.RULE_SWITCHED_OFF, rule=rule.id, reason=reason.en)
    return RuleOutcome(
        rule.id, rule.version, rule.params_digest, (), None, complete=False,
        switched_off=reason.en, switched_off_tr=reason.tr,
    )  # fmt: skip


def _window(loaded: LoadedRule, values: Mapping[str, Any], as_of_date: date) -> tuple[str, date] | None:
    """Return which column of the evidence, before which day, takes a record out of the rule's sight; None if none."""
    window = loaded.spec.finding.window
    days = values[window.days] if window else 0
    return (window.column, as_of_date - timedelta(days=days)) if window and days else None


def _unjudged(loaded: LoadedRule, count: int | None, population: int | None, values: Mapping[str, Any]) -> Text | None:
    """Return in words how many of the population lack what the rule judges by; None if all have it."""
    if not count or loaded.unjudged_message is None:
        return None
    english, turkish = loaded.unjudged_message
    facts = {**values, "count": count, "population": population}
    return Text(english.fill(facts), turkish.fill(facts))


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
