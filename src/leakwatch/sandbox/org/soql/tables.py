"""Where rows come from: the object of FROM, which of its rows are alive, and the kind of answer."""

from __future__ import annotations

from typing import Literal

from sqlglot import exp

from leakwatch.sandbox.org.schema import Schema, SObject
from leakwatch.sandbox.org.soql import ast, scope
from leakwatch.sandbox.org.soql.parse import located

AGGREGATES = frozenset(("COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"))


def find_object(schema: Schema, query: ast.Query) -> SObject:
    """The object of the FROM clause."""
    sobject = schema.find(query.source.text)
    if sobject is None or not sobject.allows("queryable"):
        said = scope.unknown_object(query.source.text)
        raise located(query.text, query.source.at, "INVALID_TYPE", said)
    return sobject


def kind_of(query: ast.Query) -> Literal["rows", "count", "groups"]:
    """What sort of answer a query has."""
    functions = [item.what for item in query.items if isinstance(item.what, ast.Func)]
    bare = [one for one in functions if one.name == "COUNT" and one.path is None]
    if bare:
        if len(query.items) > 1 or query.subqueries or query.group_by:
            said = "COUNT() must be the only element in the SELECT list"
            raise located(query.text, bare[0].at, "MALFORMED_QUERY", said)
        return "count"
    aggregate = any(one.name in AGGREGATES for one in functions)
    return "groups" if aggregate or query.group_by else "rows"


def alive(sobject: SObject, table: str) -> list[exp.Expr]:
    """What `query` leaves out and `queryAll` shows: the recycle bin and archived activities."""
    flags = [name for name in ("IsDeleted", "IsArchived") if name in sobject.fields]
    if sobject.name not in ("Task", "Event"):
        flags = [name for name in flags if name != "IsArchived"]
    return [exp.EQ(this=scope.column(table, name), expression=scope.number(0)) for name in flags]


def json_values(name: str) -> exp.Select:
    """The values of a bound JSON list."""
    listed = exp.Anonymous(this="json_each", expressions=[exp.Placeholder(this=name)])
    return exp.select(exp.column("value")).from_(exp.Table(this=listed))
