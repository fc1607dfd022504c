"""`Id IN (SELECT ...)`, with the restrictions of the SOQL reference ("Comparison Operators")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.schema import ID_TYPES, Field, SObject
from leakwatch.sandbox.org.soql import ast, scope
from leakwatch.sandbox.org.soql.tables import find_object

if TYPE_CHECKING:
    from leakwatch.sandbox.org.soql.compile import Compiler

_NOT_INSIDE = frozenset(
    ("ActivityHistory", "Attachment", "Event", "EventAttendee", "Note", "OpenActivity", "TagDefinition", "Task")
)
"""Objects that no semi-join selects from."""
MAX_JOINS = 2


def check(query: ast.Query, locate: scope.Locate) -> None:
    """Refuse semi-joins under OR and NOT, and what stands in a child query that may not."""
    if query.where is not None:
        _check(query.where, locate, ())


def _check(cond: ast.Cond, locate: scope.Locate, above: tuple[str, ...]) -> None:
    match cond:
        case ast.Chain(word, parts):
            for part in parts:
                _check(part, locate, (*above, word))
        case ast.Not(part):
            _check(part, locate, (*above, "NOT"))
        case ast.InQuery() if above[-1:] == ("OR",):
            said = "Semi join sub-selects are not allowed with the 'OR' operator"
            raise locate(cond.query.source.at, "MALFORMED_QUERY", said)
        case ast.InQuery() if set(above) - {"AND"}:
            said = (
                "Semi join sub-selects are only allowed at the top level WHERE expressions "
                "and not in nested WHERE expressions."
            )
            raise locate(cond.query.source.at, "MALFORMED_QUERY", said)
        case _:
            return


def refuse_in_having(outer: Compiler, cond: ast.InQuery) -> exp.Expr:
    """HAVING has no semi-joins (SOQL reference, "HAVING"; the words are unverified)."""
    said = "Semi join sub-selects are not allowed in the HAVING clause"
    raise outer.locate(cond.query.source.at, "MALFORMED_QUERY", said)


def build(outer: Compiler, cond: ast.InQuery) -> exp.Expr:
    """The condition that a value is, or is not, among those of another query."""
    inner = cond.query
    if outer.depth:
        raise outer.locate(inner.source.at, "MALFORMED_QUERY", "Nesting of semi join sub-selects is not supported")
    outer.joined_queries += 1
    if outer.joined_queries > MAX_JOINS:
        said = f"Maximum {MAX_JOINS} semi join sub-selects are allowed"
        raise outer.locate(inner.source.at, "MALFORMED_QUERY", said)
    left = outer.operands.build(cond.operand)
    sobject = _inner_object(outer, inner)
    path = _selected(outer, inner, left.field)
    nested = type(outer)(
        outer.schema,
        outer.calendar,
        outer.all_rows,
        inner,
        sobject,
        f"{outer.prefix}s{outer.joined_queries}_",
        outer.depth + 1,
    )
    place = nested.scope.resolve(path)
    mine = left.place.nodes[-1].targets[0] if left.place else outer.sobject
    if not _meets(left.field, mine, place.field, place.nodes[-1].targets[0]):
        said = (
            f"The selected field '{path.text}' in the subquery and the left operand field in the where "
            f"expression in the outer query '{left.field.name}' should point to the same object type"
        )
        raise outer.locate(path.at, "MALFORMED_QUERY", said)
    tests = [*nested.tests(), exp.Not(this=exp.Is(this=place.column.copy(), expression=exp.Null()))]
    select = exp.Select().from_(scope.table(sobject.name, nested.scope.table))
    select.set("expressions", [place.column])
    nested.finish(select, tests, [])
    outer.bound.values.update(nested.bound.values)
    inside = exp.In(this=left.sql, query=exp.Subquery(this=select))
    if not cond.negated:
        return inside
    return exp.paren(exp.or_(exp.Is(this=left.sql.copy(), expression=exp.Null()), exp.Not(this=inside)))


def _inner_object(outer: Compiler, inner: ast.Query) -> SObject:
    sobject = find_object(outer.schema, inner)
    if sobject.name in _NOT_INSIDE:
        said = f"Entity '{sobject.name}' is not supported for semi join inner selects"
        raise outer.locate(inner.source.at, "MALFORMED_QUERY", said)
    if sobject.name == outer.sobject.name:
        said = "The inner and outer selects should not be on the same object type"
        raise outer.locate(inner.source.at, "MALFORMED_QUERY", said)
    return sobject


def _selected(outer: Compiler, inner: ast.Query, left: Field) -> ast.Path:
    """The one field that the inner query selects; the words of these refusals are unverified."""

    def refused(said: str) -> OrgError:
        return outer.locate(inner.source.at, "MALFORMED_QUERY", said)

    only = inner.items[0] if len(inner.items) == 1 and not inner.subqueries else None
    path = only.what if isinstance(only, ast.Item) and only.alias is None else None
    if left.type not in ID_TYPES or not isinstance(path, ast.Path):
        raise refused("semi join sub-selects need one ID or reference field")
    clauses = {
        "GROUP BY": inner.group_by,
        "ORDER BY": inner.order_by,
        "LIMIT": inner.limit is not None,
        "OFFSET": inner.offset is not None,
        "FOR UPDATE": inner.locked,
    }
    for clause, there in clauses.items():
        if there:
            raise refused(f"{clause} is not allowed in semi join sub-selects")
    return path


def _meets(left: Field, outer: SObject, right: Field, inner: SObject) -> bool:
    """Whether two id fields can hold the id of one row."""
    if left.type not in ID_TYPES or right.type not in ID_TYPES:
        return False
    return bool(_leads_to(left, outer) & _leads_to(right, inner))


def _leads_to(one: Field, owner: SObject) -> set[str]:
    return {owner.name} if one.type == "id" else set(one.refers_to)
