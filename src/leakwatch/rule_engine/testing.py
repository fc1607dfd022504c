"""Runs the tests inside rule files: rows are given, the rule judges them, missing and extra findings both fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import duckdb

from leakwatch.core.strict_yaml import nearest
from leakwatch.core.tables import Catalog
from leakwatch.rule_engine import params
from leakwatch.rule_engine.available import Facts, availability
from leakwatch.rule_engine.compile import bind, fill_missing, render
from leakwatch.rule_engine.load import LoadedRule
from leakwatch.rule_engine.run import fetch
from leakwatch.rule_engine.spec import TestSpec


@dataclass(frozen=True, slots=True)
class TestResult:
    """How one test of one rule went; no problems means it passed."""

    __test__ = False  # not a test class of pytest

    rule_id: str
    name: str
    problems: tuple[str, ...]


def run_rule_tests(loaded: LoadedRule, catalog: Catalog) -> list[TestResult]:
    """Return the result of every test in the rule's file, run in DuckDB in memory."""
    return [TestResult(loaded.rule.id, test.name, tuple(_run(loaded, test, catalog))) for test in loaded.spec.tests]


def _run(loaded: LoadedRule, test: TestSpec, catalog: Catalog) -> list[str]:
    values = dict(loaded.rule.params)
    for name, value in test.params.items():
        spec = loaded.spec.params.get(name)
        if spec is None:
            return [f"no parameter `{name}`"]
        values[name] = params.convert(spec.type, value)
    as_of = datetime.combine(test.as_of, time.min, tzinfo=UTC)
    resolved = params.resolve(loaded.spec.params, values, as_of_date=test.as_of, as_of=as_of)
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as connection:
        problems = _fill(connection, loaded, test, catalog)
        if problems:
            return problems
        columns = _present(loaded, test, catalog)
        reason, missing, _ = availability(loaded, Facts(columns, {}, ()), lambda table, column: f"{table}.{column}")
        if reason is not None:
            return [f"the rule would be switched off: {reason.en}"]
        try:
            rows = fetch(connection, render(fill_missing(bind(loaded.query.tree, resolved), missing, catalog)))
            problems = _differences(rows, test.expect)
            for name, query, expected, others in (
                ("population", loaded.population, test.population, test.counts),
                ("unjudged", loaded.unjudged, test.unjudged, {}),
            ):
                if query is not None and (expected is not None or others):
                    sql = render(fill_missing(bind(query.tree, resolved), missing, catalog))
                    problems += _miscounted(fetch(connection, sql)[0], name, expected, others)
        except duckdb.Error as error:
            return [str(error).splitlines()[0]]
    return problems


def _present(loaded: LoadedRule, test: TestSpec, catalog: Catalog) -> dict[str, frozenset[str]]:
    """Return the columns the rule is told of: all of the contract but those the test says are missing."""
    tables = loaded.reads.keys() - set(test.missing)
    return {
        table: frozenset(column for column in catalog[table] if f"{table}.{column}" not in test.missing)
        for table in tables
    }


def _fill(connection: duckdb.DuckDBPyConnection, loaded: LoadedRule, test: TestSpec, catalog: Catalog) -> list[str]:
    problems: list[str] = []
    for table in sorted(loaded.reads.keys() | test.given.keys()):
        if table not in catalog:
            problems.append(f"unknown table {table}{nearest(table, list(catalog))}")
            continue
        columns = catalog[table]
        connection.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")
        for row in test.given.get(table, ()):
            unknown = [name for name in row if name not in columns]
            if unknown:
                problems += [f"{table} has no column {name}{nearest(name, list(columns))}" for name in unknown]
                continue
            marks = ", ".join(f"CAST(? AS {columns[name]})" for name in row)
            given = [str(value) if isinstance(value, Decimal) else value for value in row.values()]
            names = ", ".join(row)
            connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", given)  # noqa: S608  checked names
    return problems


def _miscounted(counted: Mapping[str, Any], first: str, expected: int | None, others: Mapping[str, int]) -> list[str]:
    """Return where the first count, called `first`, and those called by their columns are not as expected."""
    wanted = [(first, next(iter(counted)), expected), *((name, name, number) for name, number in others.items())]
    return [
        f"{called} is {counted.get(column) or 0}, expected {number}"
        for called, column, number in wanted
        if number is not None and (counted.get(column) or 0) != number
    ]


def _differences(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> list[str]:
    left = list(rows)
    problems: list[str] = []
    for wanted in expected:
        match = next((row for row in left if _fits(row, wanted)), None)
        if match is None:
            problems.append(f"expected but not found: {_words(wanted)}")
        else:
            left.remove(match)
    return problems + [f"found but not expected: {_words(row)}" for row in left]


def _fits(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(name in row and _same(row[name], value) for name, value in wanted.items())


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, Decimal) and wanted is not None:
        return value == Decimal(wanted)
    return bool(value == wanted)


def _words(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in row.items())
