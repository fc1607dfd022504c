"""The house rules of rule SQL, checked on the syntax tree: what passes means the same on every engine.

Natural SQL gives silently wrong answers on a second engine (audits.md (c): 0 instead of 10,328 stale leads on SQLite),
so only a small subset is allowed: what is not named here is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from leakwatch.core.strict_yaml import nearest
from leakwatch.core.tables import Catalog
from leakwatch.rule_engine.compile import bind

DIALECT = "duckdb"

_ALLOWED: tuple[type[exp.Expr], ...] = (
    exp.Select, exp.Union, exp.With, exp.CTE, exp.Subquery, exp.From, exp.Join, exp.Where, exp.Group, exp.Having,
    exp.Table, exp.TableAlias, exp.Column, exp.Identifier, exp.Alias, exp.Paren, exp.Distinct, exp.Star,
    exp.Literal, exp.Boolean, exp.Null, exp.Placeholder, exp.Cast, exp.DataType, exp.DataTypeParam,
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.In, exp.Between,
    exp.Exists, exp.Case, exp.If, exp.Coalesce, exp.Nullif,
    exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Abs,
    exp.Sum, exp.Count, exp.Min, exp.Max, exp.RowNumber, exp.Window, exp.Order, exp.Ordered,
)  # fmt: skip

_CLOCK = "no clock in a rule: use $as_of_date or $as_of_epoch"
_FOLDING = "no text folding or matching in a rule: compare the *_key column, or a meaning that ingest works out"
_DATES = "no date arithmetic in a rule: derive a parameter from as_of_date, or compare *_epoch columns"
_DIVISION = "no division or rounding in a rule: multiply the threshold's side by a decimal parameter"

_ADVICE: Mapping[str, str] = {
    **dict.fromkeys(("CurrentDate", "CurrentTimestamp", "CurrentTime", "CurrentDatetime", "Localtime", "Now"), _CLOCK),
    **dict.fromkeys(
        ("Like", "ILike", "SimilarTo", "Glob", "RegexpLike", "RegexpILike", "RegexpReplace", "RegexpExtract", "Lower",
         "Upper", "Trim", "Replace", "StripAccents", "StartsWith", "EndsWith", "Contains", "StrPosition", "Length",
         "Substring", "Left", "Right", "Collate", "DPipe", "Concat", "SplitPart"),
        _FOLDING,
    ),
    **dict.fromkeys(
        ("Interval", "DateAdd", "DateSub", "DateDiff", "DateTrunc", "TimestampTrunc", "TimestampDiff", "TsOrDsAdd",
         "Extract", "Year", "Month", "Day", "DayOfWeek", "AtTimeZone", "StrToTime", "TimeToStr", "Date"),
        _DATES,
    ),
    **dict.fromkeys(("Div", "IntDiv", "Mod", "Round", "Floor", "Ceil", "Trunc", "Pow", "Sqrt", "Avg"), _DIVISION),
    **dict.fromkeys(("Limit", "Offset", "Fetch", "TableSample"), "no row limit in a rule: it would hide findings"),
    **dict.fromkeys(("Lateral", "Unnest", "Pivot", "Values"), "only plain tables may be read"),
    "Qualify": "no QUALIFY: put the window into a subquery and filter outside",
}  # fmt: skip

_NUMERIC = {"INT", "BIGINT", "SMALLINT", "TINYINT", "DECIMAL", "DOUBLE", "FLOAT", "UBIGINT", "INT128", "HUGEINT"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One breach of a house rule, with the line in the SQL text (from 1)."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT that passed: its tree, the columns it reads by table, the columns it returns, the parameters it uses."""

    tree: exp.Expr
    reads: Mapping[str, frozenset[str]]
    returns: tuple[str, ...]
    params: frozenset[str]


def lint(sql: str, *, catalog: Catalog, samples: Mapping[str, Any]) -> tuple[Query | None, list[Problem]]:
    """Return the query with no problems, or None with all the problems found.

    `samples` gives each parameter that exists a value of its type. What was found is remembered: a daemon loads the
    same rules for every job, which is 20 ms a query.
    """
    tables = tuple((table, tuple(columns.items())) for table, columns in catalog.items())
    values = tuple((name, type(value), value) for name, value in samples.items())  # True is 1, but not of its type
    query, problems = _linted(sql, tables, values)
    return query, list(problems)


@lru_cache(maxsize=256)
def _linted(
    sql: str, tables: tuple[tuple[str, tuple[tuple[str, str], ...]], ...], values: tuple[tuple[str, type, Any], ...]
) -> tuple[Query | None, list[Problem]]:
    catalog = {table: dict(columns) for table, columns in tables}
    samples = {name: value for name, _, value in values}
    try:
        statements = [statement for statement in sqlglot.parse(sql, dialect=DIALECT) if statement is not None]
    except (ParseError, TokenError) as error:
        details: dict[str, Any] = (getattr(error, "errors", None) or [{}])[0]
        reason = str(details.get("description", "it can't be read")).split(" but got <")[0]
        return None, [Problem(int(details.get("line") or 1), f"not valid SQL: {reason}")]
    if len(statements) != 1:
        return None, [Problem(1, f"exactly one SELECT is allowed, found {len(statements)} statements")]
    tree = statements[0]
    if not isinstance(tree, exp.Select | exp.Union):
        return None, [Problem(1, f"only a SELECT is allowed, found {tree.key.upper()}")]
    problems = _node_problems(tree) + _table_problems(tree, catalog) + _param_problems(tree, samples)
    problems += _join_problems(tree) + _result_problems(tree)
    if problems:
        return None, sorted(set(problems), key=lambda problem: (problem.line, problem.text))
    try:
        qualified = _qualify(tree, catalog, samples)
    except OptimizeError as error:
        return None, [_column_problem(error, tree, catalog)]
    problems = _type_problems(qualified)
    if problems:
        return None, problems
    used = frozenset(node.name for node in tree.find_all(exp.Placeholder))
    return Query(tree, _reads(qualified, catalog), tuple(tree.named_selects), used), []


def _line(node: exp.Expr) -> int:
    for item in (node, *node.walk()):
        if "line" in item.meta:
            return int(item.meta["line"])
    parent = node.parent
    while parent is not None:
        if "line" in parent.meta:
            return int(parent.meta["line"])
        parent = parent.parent
    return 1


def _node_problems(tree: exp.Expr) -> list[Problem]:
    problems: list[Problem] = []
    for node in tree.walk():
        text = _node_problem(node)
        if text and not isinstance(node, exp.Var):  # the word inside a refused function
            problems.append(Problem(_line(node), text))
    return problems


def _node_problem(node: exp.Expr) -> str | None:
    if type(node) not in _ALLOWED:
        name = type(node).__name__
        if isinstance(node, exp.Anonymous):
            clock = node.name.lower() in ("now", "today", "get_current_time", "get_current_timestamp")
            return _CLOCK if clock else f"the function {node.name} is not on the allow-list"
        if isinstance(node, exp.Func):
            return _ADVICE.get(name, f"the function {node.sql_name()} is not on the allow-list")
        return _ADVICE.get(name, f"{name} is not part of the subset that rules may use")
    if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
        return "no SELECT *: name the columns"
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
        return "no SELECT *: name the columns"
    if isinstance(node, exp.With) and node.args.get("recursive"):
        return "no recursion"
    if isinstance(node, exp.Order) and not isinstance(node.parent, exp.Window):
        return "no ORDER BY outside a window: findings are sorted by the engine"
    if isinstance(node, exp.RowNumber) and not (isinstance(node.parent, exp.Window) and node.parent.args.get("order")):
        return "ROW_NUMBER needs OVER (... ORDER BY ...)"
    if isinstance(node, exp.Window) and node.args.get("spec"):
        return "no window frames"
    if isinstance(node, exp.Cast) and not isinstance(node.this, exp.Null | exp.Literal):
        return "CAST only of a literal or NULL: engines round differently"
    if isinstance(node, exp.Group) and (node.args.get("all") or node.args.get("cube") or node.args.get("rollup")):
        return "GROUP BY needs its columns named"
    return None


def _table_problems(tree: exp.Expr, catalog: Catalog) -> list[Problem]:
    problems: list[Problem] = []
    own = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    problems += [
        Problem(_line(cte), f"the name {cte.alias} belongs to a table")
        for cte in tree.find_all(exp.CTE)
        if cte.alias.lower() in catalog
    ]
    for table in tree.find_all(exp.Table):
        name = table.name.lower()
        if not isinstance(table.this, exp.Identifier):
            problems.append(Problem(_line(table), "only tables may be read, no functions and no files"))
        elif table.args.get("db") or table.args.get("catalog"):
            problems.append(Problem(_line(table), f"no schema or catalog before the table {table.name}"))
        elif name not in own and name not in catalog:
            problems.append(Problem(_line(table), f"unknown table {table.name}{nearest(name, list(catalog))}"))
    return problems


def _param_problems(tree: exp.Expr, samples: Mapping[str, Any]) -> list[Problem]:
    return [
        Problem(_line(node), f"unknown parameter ${node.name}{nearest(node.name, list(samples))}")
        for node in tree.find_all(exp.Placeholder)
        if node.name not in samples
    ]


def _join_problems(tree: exp.Expr) -> list[Problem]:
    problems: list[Problem] = []
    for join in tree.find_all(exp.Join):
        side = join.side or join.kind
        condition = join.args.get("on")
        if join.kind == "CROSS" or (condition is None and not join.args.get("using")):
            problems.append(Problem(_line(join), "no cross join: say ON which columns are equal"))
        elif join.method or join.kind in ("SEMI", "ANTI", "ASOF", "POSITIONAL") or side in ("FULL", "RIGHT"):
            problems.append(Problem(_line(join), "only JOIN and LEFT JOIN are allowed"))
        elif condition is None:
            problems.append(Problem(_line(join), "no USING: say ON which columns are equal"))
        else:
            problems += _condition_problems(join, condition)
    return problems


def _condition_problems(join: exp.Join, condition: exp.Expr) -> list[Problem]:
    joined = join.this.alias_or_name.lower()
    equal = False
    for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
        sides = {column.table.lower() for column in part.find_all(exp.Column)}
        if "" in sides:
            return [Problem(_line(join), "say in ON which table each column is from")]
        if len(sides) < 2:
            continue
        if not isinstance(part, exp.EQ):
            return [Problem(_line(join), "joins by equality only: a range join may never end on a big table")]
        equal = equal or joined in sides
    return [] if equal else [Problem(_line(join), f"ON must say which column of {joined} equals which other column")]


def _result_problems(tree: exp.Expr) -> list[Problem]:
    problems: list[Problem] = []
    selects = [tree] if isinstance(tree, exp.Select) else list(tree.find_all(exp.Select))[:1]
    for select in selects:
        names = [item.alias_or_name for item in select.expressions]
        problems += [
            Problem(_line(item), f"give the result column {item.sql(DIALECT)[:40]} a name with AS")
            for item in select.expressions
            if not item.alias_or_name
        ]
        twice = sorted({name for name in names if name and names.count(name) > 1})
        problems += [Problem(1, f"the result column {name} is there twice") for name in twice]
    return problems


def _qualify(tree: exp.Expr, catalog: Catalog, samples: Mapping[str, Any]) -> exp.Expr:
    schema = MappingSchema({table: dict(columns) for table, columns in catalog.items()}, dialect=DIALECT)
    bound = bind(tree, samples)
    qualified = qualify(bound, schema=schema, dialect=DIALECT, validate_qualify_columns=True, quote_identifiers=False)
    return annotate_types(qualified, schema=schema, dialect=DIALECT)


def _column_problem(error: OptimizeError, tree: exp.Expr, catalog: Catalog) -> Problem:
    known = {column for columns in catalog.values() for column in columns}
    own = {alias.alias for alias in tree.find_all(exp.Alias)}
    for column in tree.find_all(exp.Column):
        if column.name.lower() not in known and column.name not in own:
            return Problem(_line(column), f"unknown column {column.name}{nearest(column.name, sorted(known))}")
    text = str(error).split(". Line")[0].replace("'", "")
    return Problem(1, f"a column can't be placed: {text}")


def _type_problems(qualified: exp.Expr) -> list[Problem]:
    problems: list[Problem] = []
    for node in qualified.walk():
        kinds = [_kind(side) for side in _operands(node)]
        if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Neg | exp.Sum | exp.Abs):
            if any(kind == "DATE" or kind.startswith("TIMESTAMP") for kind in kinds):
                problems.append(Problem(_line(node), _DATES))
            elif any(kind not in _NUMERIC for kind in kinds):
                problems.append(Problem(_line(node), f"can't calculate with {', '.join(kinds)}: numbers only"))
        elif isinstance(node, exp.LT | exp.LTE | exp.GT | exp.GTE | exp.Between | exp.Min | exp.Max):
            if any(kind in ("VARCHAR", "TEXT") for kind in kinds):
                problems.append(Problem(_line(node), "no ordering of texts: engines sort letters differently"))
        elif isinstance(node, exp.Column) and _kind(node).startswith("TIMESTAMP"):
            problems.append(
                Problem(_line(node), f"no timestamps ({node.name}): use its *_epoch or *_date_local column")
            )
    return sorted(set(problems), key=lambda problem: (problem.line, problem.text))


def _operands(node: exp.Expr) -> Iterable[exp.Expr]:
    if isinstance(node, exp.Between):
        return (node.this, node.args["low"], node.args["high"])
    return tuple(side for side in (node.this, node.args.get("expression")) if isinstance(side, exp.Expr))


def _kind(node: exp.Expr) -> str:
    return node.type.this.name if node.type is not None else "UNKNOWN"


def _reads(qualified: exp.Expr, catalog: Catalog) -> dict[str, frozenset[str]]:
    """Return the columns that the query reads of each catalog table."""
    from sqlglot.optimizer.scope import traverse_scope

    reads: dict[str, set[str]] = {table.name: set() for table in qualified.find_all(exp.Table) if table.name in catalog}
    for scope in traverse_scope(qualified):
        for column in scope.columns:
            source = scope.sources.get(column.table)
            if isinstance(source, exp.Table) and source.name in catalog:
                reads[source.name].add(column.name)
    return {table: frozenset(columns) for table, columns in reads.items()}
