"""Where rows come from: the object of FROM, which of its rows are alive, and the kind of answer."""

from __future__ import annotations

from typing import Literal

from sqlglot import exp

from leakwatch.sandbox.org.errors import not_emulated
from leakwatch.sandbox.org.schema import Schema, SObject
from leakwatch.sandbox.org.soql import ast, scope
from leakwatch.sandbox.org.soql.parse import located
from leakwatch.sandbox.org.soql.plan import Bound

AGGREGATES = frozenset(("COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"))


def find_object(schema: Schema, query: ast.Query) -> SObject:
    """The object of the FROM clause."""
    sobject = schema.find(query.source.text)
    if sobject is None or not sobject.allows("queryable"):
        said = scope.unknown_object(query.source.text)
        raise located(query.text, query.source.at, "INVALID_TYPE", said)
    return sobject


def is_aggregate(what: ast.Path | ast.Func | ast.Value | ast.TypeOf) -> bool:
    """Whether something selected is about groups: an aggregate, GROUPING, or FORMAT of one."""
    if not isinstance(what, ast.Func):
        return False
    return what.name in AGGREGATES or what.name == "GROUPING" or any(map(is_aggregate, what.args))


def kind_of(query: ast.Query) -> Literal["rows", "count", "groups"]:
    """What sort of answer a query has."""
    selected = [item.what for item in query.items if isinstance(item, ast.Item)]
    bare = [one for one in selected if isinstance(one, ast.Func) and one.name == "COUNT" and not one.args]
    if bare:
        alone = len(query.items) == 1 and not query.subqueries and not query.group_by
        if not alone:
            said = "COUNT() must be the only element in the SELECT list"
            raise located(query.text, bare[0].at, "MALFORMED_QUERY", said)
        _check_count(query)
        return "count"
    return "groups" if query.group_by or any(map(is_aggregate, selected)) else "rows"


def _check_count(query: ast.Query) -> None:
    """COUNT() has no alias and no ORDER BY (SOQL reference, "COUNT()"; the words are unverified)."""
    only = query.items[0]
    if isinstance(only, ast.Item) and only.alias:
        raise located(query.text, only.at, "MALFORMED_QUERY", f"unexpected token: '{only.alias}'")
    for one in query.order_by:
        what = one.operand.text if isinstance(one.operand, ast.Path) else one.operand.name
        said = f"Ordered field must be grouped or aggregated: {what}"
        raise located(query.text, one.operand.at, "MALFORMED_QUERY", said)


def alive(sobject: SObject, table: str) -> list[exp.Expr]:
    """What `query` leaves out and `queryAll` shows: the recycle bin and archived activities.

    Written with NOT: an equality would let the planner expect that an index with the flag spares it most rows, and
    go through all rows by that index where it had better read the table.
    """
    flags = [name for name in ("IsDeleted", "IsArchived") if name in sobject.fields]
    if sobject.name not in ("Task", "Event"):
        flags = [name for name in flags if name != "IsArchived"]
    return [exp.Not(this=scope.column(table, name)) for name in flags]


_SCOPES = frozenset(
    (
        *("delegated", "everything", "mine", "mine_and_my_groups"),
        *("my_territory", "my_team_territory", "scopingrule", "team"),
    )
)


def scope_tests(
    query: ast.Query, sobject: SObject, of: scope.Scope, bound: Bound, user_id: str | None
) -> list[exp.Expr]:
    """What USING SCOPE leaves of the rows (SOQL reference, "USING SCOPE"); the refusals' words are unverified."""
    if query.using is None:
        return []
    name = query.using.text.lower()
    if name == "everything":
        return []
    if name == "mine" and "OwnerId" in sobject.fields:
        return [exp.EQ(this=of.base("OwnerId"), expression=bound.add(user_id or ""))]
    if name not in _SCOPES or name == "mine":
        said = f"Invalid scope '{query.using.text}' for {sobject.name}"
        raise located(query.text, query.using.at, "INVALID_QUERY_SCOPE", said)
    raise not_emulated(f"the SOQL scope {query.using.text}")


def json_values(name: str) -> exp.Select:
    """The values of a bound JSON list."""
    listed = exp.Anonymous(this="json_each", expressions=[exp.Placeholder(this=name)])
    return exp.select(exp.column("value")).from_(exp.Table(this=listed))
