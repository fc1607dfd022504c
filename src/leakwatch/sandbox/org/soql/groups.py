"""Aggregate queries: GROUP BY with HAVING, and the subtotals of ROLLUP and CUBE.

SQLite knows no grouping sets, so a query with subtotals is one SELECT for each of them, put together.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from sqlglot import exp

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.soql import ast, scope
from leakwatch.sandbox.org.soql.operands import Operand
from leakwatch.sandbox.org.soql.plan import Column, Plan, Shape
from leakwatch.sandbox.org.soql.tables import is_aggregate

if TYPE_CHECKING:
    from leakwatch.sandbox.org.soql.compile import Compiler

_SUBTOTALS = ("ROLLUP", "CUBE")
MAX_SUBTOTALLED = 3
"""Fields of ROLLUP or CUBE (SOQL reference, "GROUP BY ROLLUP")."""


def plan(of: Compiler) -> Plan:
    """The statement of an aggregate query."""
    return _Groups(of).plan()


class _Groups:
    """Compiles one aggregate query."""

    def __init__(self, of: Compiler) -> None:
        self.of = of
        self.query = of.query
        self.subtotals, self.grouped = self._grouping()
        self.keys = [of.operands.build_key(one) for one in self.grouped]
        self.columns: list[Column] = []
        self.unnamed = 0
        self.widths: list[int] = []
        """How many sort terms each ORDER BY term is."""

    def _malformed(self, at: int, said: str) -> OrgError:
        return self.of.locate(at, "MALFORMED_QUERY", said)

    def _grouping(self) -> tuple[str | None, tuple[ast.Path | ast.Func, ...]]:
        """Which subtotals there are, and the grouped fields."""
        for what in self.query.group_by:
            if not isinstance(what, ast.Func) or what.name not in _SUBTOTALS:
                continue
            if len(self.query.group_by) > 1:
                raise self._malformed(what.at, f"GROUP BY {what.name} can not be combined with other groupings")
            fields = tuple(one for one in what.args if isinstance(one, ast.Path | ast.Func))
            if not 1 <= len(fields) <= MAX_SUBTOTALLED or len(fields) < len(what.args):
                raise self._malformed(what.at, f"{what.name} takes one to {MAX_SUBTOTALLED} fields")
            return what.name, fields
        return None, self.query.group_by

    def plan(self) -> Plan:
        """Check everything, then build one SELECT or several."""
        self._check()
        for what in self.grouped:
            self._groupable(what)
        if self.subtotals is None:
            sql = self._select(frozenset(), wrapped=False).sql(dialect="sqlite")
        else:
            sql = self._put_together().sql(dialect="sqlite")
        return Plan(sql, self.of.bound.values, self.of.sobject, Shape(self.columns), "groups")

    def _check(self) -> None:
        query = self.query
        if query.subqueries:  # the words are unverified
            raise self._malformed(query.subqueries[0].source.at, "Aggregate queries do not support child relationships")
        for item in query.items:
            if isinstance(item, ast.TypeOf):  # SOQL reference, "TYPEOF": not with GROUP BY; the words are unverified
                raise self._malformed(item.at, "TYPEOF is not allowed in aggregate queries")
        if query.limit is not None and not query.group_by:
            said = "Non-grouped query that uses overall aggregate functions cannot also use LIMIT"
            raise self._malformed(query.source.at, said)

    def _groupable(self, what: ast.Path | ast.Func) -> None:
        one = self.of.operands.build(what)
        if one.kind == "date":
            return
        if one.kind != "field":  # the words are unverified
            raise self._malformed(what.at, f"Functions of this kind are not allowed in the GROUP BY clause: {what}")
        if not one.field.can("G"):
            raise self._malformed(what.at, f"field '{one.field.name}' can not be grouped in a query call")

    def _sets(self) -> list[frozenset[str]]:
        """For each kind of group, the fields it is a subtotal over; plain groups first."""
        if self.subtotals == "ROLLUP":
            return [frozenset(self.keys[i:]) for i in range(len(self.keys), -1, -1)]
        return [frozenset(some) for n in range(len(self.keys) + 1) for some in combinations(self.keys, n)]

    def _put_together(self) -> exp.Select:
        """Groups and subtotals, each subtotal behind the groups it is over (the order is unverified)."""
        selects = [self._select(missing, wrapped=True) for missing in self._sets()]
        whole = selects[0] if len(selects) == 1 else exp.union(*selects, distinct=False, copy=False)
        outer = exp.Select().from_(whole.subquery("sets"))
        outer.set("expressions", [exp.column(f"c{i}") for i in range(len(self.columns))])
        order: list[exp.Expr] = []
        if self.query.order_by:
            for i, one in enumerate(self.query.order_by):
                flags = {"desc": one.descending, "nulls_first": not one.nulls_last}
                order += [exp.Ordered(this=exp.column(f"o{i}_{j}"), **flags) for j in range(self.widths[i])]
        else:
            for i in range(len(self.keys)):
                order.append(exp.Ordered(this=exp.column(f"m{i}"), nulls_first=True))
                order.append(exp.Ordered(this=exp.column(f"k{i}"), nulls_first=True))
        outer.set("order", exp.Order(expressions=order))
        self.of.limit(outer)
        return outer

    def _select(self, missing: frozenset[str], *, wrapped: bool) -> exp.Select:
        """The groups without the missing fields; `wrapped` with what the order needs among the columns."""
        of = self.of
        tests = of.tests()  # WHERE is about rows, which lack nothing
        of.operands.missing_keys = missing if wrapped else None
        self.columns, self.unnamed = [], 0
        outputs = [exp.alias_(self._output(item), f"c{i}") for i, item in enumerate(self._items())]
        order = [of.ordered(one, self._sortable(one)) for one in self.query.order_by]
        self.widths = [len(keys) for keys in order]
        if wrapped:
            terms = ((f"o{i}_{j}", key.this) for i, keys in enumerate(order) for j, key in enumerate(keys))
            outputs += [exp.alias_(term.copy(), name) for name, term in terms]
            for i, (what, key) in enumerate(zip(self.grouped, self.keys, strict=True)):
                outputs.append(exp.alias_(scope.number(int(key in missing)), f"m{i}"))
                outputs.append(exp.alias_(of.operands.build(what).sql, f"k{i}"))
        select = exp.Select().from_(scope.table(of.sobject.name, of.scope.table))
        select.set("expressions", outputs)
        having = self._having()
        of.finish(select, tests, [] if wrapped else [key for keys in order for key in keys])
        if wrapped:
            select.set("joins", [join.copy() for join in of.scope.joins])
        pairs = zip(self.grouped, self.keys, strict=True)
        by = [of.operands.build(what).sql for what, key in pairs if key not in missing]
        if by:
            select.set("group", exp.Group(expressions=by))
        elif self.query.group_by:  # a grand total over no rows is no row
            select.set("group", exp.Group(expressions=[exp.Null()]))
        if having is not None:
            select.set("having", exp.Having(this=having))
        if not wrapped:
            of.limit(select)
        of.operands.missing_keys = None
        return select

    def _items(self) -> list[ast.Item]:
        return [item for item in self.query.items if isinstance(item, ast.Item)]

    def _output(self, item: ast.Item) -> exp.Expr:
        one = self.of.operands.build(item.what)
        self._must_be_grouped(item.what, one, "Field")
        name = item.alias
        if name is None and (isinstance(item.what, ast.Path) or one.kind == "label"):
            name = one.field.name
        elif name is None:
            name, self.unnamed = f"expr{self.unnamed}", self.unnamed + 1
        if any(before.names == (name,) for before in self.columns):  # the words are unverified
            raise self._malformed(item.what.at, f"duplicate alias: {name}")
        self.columns.append(Column((name,), one.field, len(self.columns)))
        return one.sql

    def _sortable(self, one: ast.Order) -> Operand:
        operand = self.of.operands.build(one.operand)
        self._must_be_grouped(one.operand, operand, "Ordered field")
        return operand

    def _having(self) -> exp.Expr | None:
        if self.query.having is None:
            return None
        for what in _operands(self.query.having):
            self._must_be_grouped(what, self.of.operands.build(what), "Field")
        return self.of.conditions(having=True).build(self.query.having)

    def _must_be_grouped(self, what: ast.Path | ast.Func, one: Operand, called: str) -> None:
        if is_aggregate(what) or self.of.operands.build_key(what) in self.keys:
            return
        if isinstance(what, ast.Func) and one.place is not None:
            # a date's function is grouped with the date (SOQL reference, "Date Functions"), a label with its value
            under = one.place.column.sql(dialect="sqlite")
            if under in self.keys and (one.kind != "date" or one.place.field.type == "date"):
                return
        raise self._malformed(what.at, f"{called} must be grouped or aggregated: {one.field.name}")


def _operands(cond: ast.Cond) -> list[ast.Path | ast.Func]:
    """What the conditions are about."""
    match cond:
        case ast.Chain(_, parts):
            return [one for part in parts for one in _operands(part)]
        case ast.Not(part):
            return _operands(part)
        case ast.InQuery():
            return []
        case _:
            return [cond.operand]
