"""What must hold between the parts of one rule file: its queries, its sentences, its tables and its parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leakwatch.core import strict_yaml
from leakwatch.core.tables import Catalog
from leakwatch.model import Text
from leakwatch.rule_engine import messages
from leakwatch.rule_engine.lint import Query, lint
from leakwatch.rule_engine.messages import Sentence
from leakwatch.rule_engine.spec import RuleSpec

_PROCESS_NAMES = ("count", "population", "share", "impact")
_UNJUDGED_NAMES = ("count", "population")


def query_of(
    document: strict_yaml.Document, spec: RuleSpec, key: str, catalog: Catalog, samples: Mapping[str, Any]
) -> tuple[Query | None, list[str]]:
    """Return the rule's query called `key`, or None where there is none or it has the problems returned."""
    sql = full_sql(spec, key)
    if sql is None:
        return None, []
    query, problems = lint(sql, catalog=catalog, samples=samples)
    shared = len(spec.with_sql.splitlines()) if spec.with_sql else 0
    sentences: list[str] = []
    for problem in problems:
        in_shared = problem.line <= shared
        start = document.line(("with_sql" if in_shared else key,))
        line = start + (problem.line if in_shared else problem.line - shared)
        sentences.append(f"{document.name}, line {line}: {key}: {problem.text}")
    return query, sentences


def full_sql(spec: RuleSpec, key: str) -> str | None:
    """Return the rule's query called `key` with the shared WITH clause before it, or None if there is none."""
    text: str | None = getattr(spec, key)
    return f"{spec.with_sql}\n{text}" if text and spec.with_sql else text


def templates_of(
    document: strict_yaml.Document, spec: RuleSpec, query: Query | None, samples: Mapping[str, Any]
) -> tuple[dict[str, Sentence], list[str]]:
    """Return the rule's sentences (finding, process.0 and so on, unjudged) in both languages, and their problems."""
    known = {*(query.returns if query else ()), *samples}
    wanted: list[tuple[str, strict_yaml.Position, Text, set[str]]] = [
        ("finding", ("finding", "message"), spec.finding.message, known)
    ]
    for index, process in enumerate(spec.process):
        names = {*samples, *_PROCESS_NAMES}
        wanted.append((f"process.{index}", ("process", index, "message"), process.message, names))
    if spec.unjudged is not None:
        wanted.append(("unjudged", ("unjudged",), spec.unjudged, {*samples, *_UNJUDGED_NAMES}))
    pairs: dict[str, Sentence] = {}
    problems: list[str] = []
    for key, position, text, names in wanted:
        at = document.at(position)
        try:
            pair = (messages.parse(text.en, turkish=False), messages.parse(text.tr, turkish=True))
        except ValueError as error:
            problems.append(f"{at}: {error}")
            continue
        pairs[key] = pair
        if query is not None:
            problems += [
                f"{at}: the message uses {{{name}}}, which the rule does not return"
                f"{strict_yaml.nearest(name, sorted(names))}"
                for name in messages.unknown_names(pair, names)
            ]
    return pairs, problems


def column_problems(document: strict_yaml.Document, spec: RuleSpec, query: Query) -> list[str]:
    """Return which columns the rule wants of its SELECT that this does not return."""
    finding = spec.finding
    wanted: list[tuple[strict_yaml.Position, str]] = [(("sql",), "record_id"), (("finding", "owner"), finding.owner)]
    wanted += [(("finding", "key", index), name) for index, name in enumerate(finding.key)]
    wanted += [(("finding", "show", index), name) for index, name in enumerate(finding.show)]
    for role in ("manager", "name", "account", "about", "currency"):
        name: str | None = getattr(finding, role)
        wanted += [(("finding", role), name)] if name else []
    wanted += [(("finding", "words", name), name) for name in finding.words]
    wanted += [(("finding", "impact", "column"), finding.impact.column)] if finding.impact else []
    for index, item in enumerate(finding.severity_when):
        wanted += [(("finding", "severity_when", index), name) for name in item.conditions]
    returns = list(query.returns)
    unknown = [
        f"{document.at(position)}: the SELECT returns no column `{name}`{strict_yaml.nearest(name, returns)}"
        for position, name in wanted
        if name not in returns
    ]
    return unknown + _window_problems(document, spec)


def _window_problems(document: strict_yaml.Document, spec: RuleSpec) -> list[str]:
    window = spec.finding.window
    if window is None:
        return []
    at = document.at(("finding", "window"))
    problems: list[str] = []
    if window.column not in spec.finding.show:
        problems.append(f"{at}: `{window.column}` must stand in `show`, to be known when the record is seen no more")
    if window.days not in spec.params or spec.params[window.days].type != "int":
        problems.append(f"{at}: `{window.days}` is no parameter of type int")
    return problems


def table_problems(
    document: strict_yaml.Document, spec: RuleSpec, queries: Sequence[Query], catalog: Catalog
) -> list[str]:
    """Return which tables and columns are read without being named, or named without being read."""
    read = {table for query in queries for table in query.reads}
    problems = [
        f"{document.at(('needs',))}: the table {table} is read but stands neither under `needs` nor under `optional`"
        for table in sorted(read - spec.needs.keys() - spec.optional.keys())
    ]
    for key, tables in (("needs", spec.needs), ("optional", spec.optional)):
        problems += [
            f"{document.at((key, table))}: the table {table} is not read by the SQL"
            f"{strict_yaml.nearest(table, sorted(read))}"
            for table in tables
            if table not in read
        ]
    for table, need in spec.needs.items():
        known = list(catalog.get(table, {}))
        problems += [
            f"{document.at(('needs', table, 'without', column))}: {table} has no column `{column}`"
            f"{strict_yaml.nearest(column, known)}"
            for column in need.without
            if column not in known
        ]
    for table, optional in spec.optional.items():
        at = document.at(("optional", table))
        known = list(catalog.get(table, {}))
        problems += [
            f"{at}: {table} has no column `{column}`{strict_yaml.nearest(column, known)}"
            for column in optional.columns or ()
            if column not in known
        ]
        if optional.columns is None and table in spec.needs:
            problems.append(f"{at}: {table} is needed, so name the `columns` of it that may be missing")
    return problems


def process_problems(document: strict_yaml.Document, spec: RuleSpec, population: Query | None) -> list[str]:
    """Return which entries of `process` `population_sql` can't count."""
    problems: list[str] = []
    for index, process in enumerate(spec.process):
        at = document.at(("process", index))
        if spec.population_sql is None:
            problems.append(f"{at}: `process` counts with `population_sql`, and there is none")
        if population is None:
            continue
        returns = list(population.returns)
        problems += [
            f"{at}: population_sql returns no column `{name}`{strict_yaml.nearest(name, returns)}"
            for name in (process.empty, process.of)
            if name is not None and name not in returns
        ]
        table, column = process.field.split(".")
        if column not in population.reads.get(table, frozenset()):
            problems.append(f"{at}: population_sql does not read {process.field}, so it can't know where it is empty")
        if process.field in {other.field for other in spec.process[:index]}:
            problems.append(f"{at}: {process.field} has an entry already")
    return problems


def unused_problems(
    document: strict_yaml.Document, spec: RuleSpec, queries: Sequence[Query], templates: Iterable[Sentence]
) -> list[str]:
    """Return which parameters nothing uses."""
    used = {name for query in queries for name in query.params}
    used |= {part for param in spec.params.values() for part in param.derive or () if isinstance(part, str)}
    used |= {name for pair in templates for template in pair for name in template.names()}
    return [
        f"{document.at(('params', name))}: the parameter `{name}` is used nowhere"
        for name in spec.params
        if name not in used
    ]
