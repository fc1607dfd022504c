"""`ast.Query` to SQL: sqlglot expressions, every value of the query bound, never pasted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from sqlglot import exp

from leakwatch.sandbox.org.errors import OrgError, bad, not_emulated
from leakwatch.sandbox.org.schema import ID_TYPES, NUMBER_TYPES, Field, Schema, SObject
from leakwatch.sandbox.org.soql import ast, scope
from leakwatch.sandbox.org.soql.filters import Bound, Calendar, Filters
from leakwatch.sandbox.org.soql.parse import located
from leakwatch.sandbox.org.soql.special import special
from leakwatch.sandbox.org.soql.tables import AGGREGATES, alive, find_object, json_values
from leakwatch.sandbox.org.store import folded

MAX_OFFSET = 2000
_DATE_PARTS = {"CALENDAR_YEAR": (1, 4), "CALENDAR_MONTH": (6, 2), "DAY_IN_MONTH": (9, 2), "DAY_ONLY": (1, 10)}
_COUNTED = Field("count", "int", "FS")
_SUMMED = Field("sum", "double", "FS")


@dataclass(slots=True)
class Column:
    """One output column: where it goes in the record."""

    names: tuple[str, ...]
    field: Field


@dataclass(slots=True)
class Plan:
    """A compiled query."""

    sql: str
    values: dict[str, Any]
    sobject: SObject
    columns: list[Column]
    parents: dict[tuple[str, ...], tuple[int, str]]
    """Relationship path to (index of the column with the parent's id, entity for `attributes`)."""
    kind: Literal["rows", "count", "groups"]
    children: list[tuple[str, str, ast.Query]] = field(default_factory=list[tuple[str, str, ast.Query]])
    """(relationship name, field of the child that points here, the subquery)."""


class Compiler:
    """Compiles one SELECT; semi-joins use one of their own."""

    def __init__(
        self,
        schema: Schema,
        calendar: Calendar,
        all_rows: bool,
        query: ast.Query,
        sobject: SObject,
        prefix: str = "t",
        depth: int = 0,
    ) -> None:
        self.schema = schema
        self.calendar = calendar
        self.all_rows = all_rows
        self.query = query
        self.sobject = sobject
        self.prefix = prefix
        self.depth = depth
        self.scope = scope.Scope(self.schema, self.sobject, self.locate, self.prefix, self.query.alias)
        self.bound = Bound(f"{self.prefix}v")
        self.filters = Filters(self.locate, self.bound, self.calendar, self.operand, self.semi_join)
        self._semi_joins = 0

    def locate(self, at: int, code: str, message: str) -> OrgError:
        """An error at a place of this query's text."""
        return located(self.query.text, at, code, message)

    # -- operands -------------------------------------------------------------------------------------

    def operand(self, what: ast.Path | ast.Func) -> tuple[Field, exp.Expr]:
        """A field or a function as a typed SQL expression."""
        if isinstance(what, ast.Path):
            place = self.scope.resolve(what)
            return place.field, place.column
        if what.name in AGGREGATES:
            return self._aggregate(what)
        if what.name in _DATE_PARTS and what.path is not None:
            one, column = self.operand(what.path)
            start, length = _DATE_PARTS[what.name]
            part = exp.Anonymous(this="substr", expressions=[column, scope.number(start), scope.number(length)])
            if what.name == "DAY_ONLY":
                return Field(one.name, "date", "nFSG"), part
            return Field(one.name, "int", "nFSG"), exp.cast(part, "INTEGER")
        raise not_emulated(f"the SOQL function {what.name}()")

    def _aggregate(self, what: ast.Func) -> tuple[Field, exp.Expr]:
        if what.path is None:
            return _COUNTED, exp.Count(this=exp.Star())
        one, column = self.operand(what.path)
        if not one.stored:
            said = f"field {one.name} does not support aggregate operator {what.name}"
            raise self.locate(what.at, "MALFORMED_QUERY", said)
        if what.name in ("SUM", "AVG"):
            if one.type not in NUMBER_TYPES:
                said = f"field {one.name} does not support aggregate operator {what.name}"
                raise self.locate(what.at, "MALFORMED_QUERY", said)
            return _SUMMED, (exp.Sum if what.name == "SUM" else exp.Avg)(this=column)
        if what.name in ("MIN", "MAX"):
            return one, (exp.Min if what.name == "MIN" else exp.Max)(this=column)
        counted = exp.Anonymous(this="sf_fold", expressions=[column]) if folded(one) else column
        distinct = exp.Distinct(expressions=[counted]) if what.name == "COUNT_DISTINCT" else column
        return _COUNTED, exp.Count(this=distinct)

    # -- the SELECT -----------------------------------------------------------------------------------

    def rows(self, *, only_ids: bool = False, of: tuple[str, str] | None = None) -> Plan:
        """Records. `of` = (field, name of a bound JSON list) keeps only rows whose field is in that list.

        With the field `Id` that is one page of a result already known: neither filter nor order apply.
        """
        page = of is not None and of[0] == "Id"
        columns, parents, outputs = self._outputs(only_ids)
        if of is not None and not page:
            outputs.append(self.scope.base(of[0]))
        select = exp.Select().from_(scope.table(self.sobject.name, self.scope.table))
        tests = [] if page else self._tests()
        order = [] if page else [self._ordered(one) for one in self._ungrouped_order()]
        if of is not None:
            listed = exp.Subquery(this=json_values(of[1]))
            tests.append(exp.In(this=self.scope.base(of[0]), query=listed))
        select.set("expressions", [exp.alias_(one, f"c{i}") for i, one in enumerate(outputs)])
        self._finish(select, tests, [*order, exp.Ordered(this=self.scope.base("Id"), nulls_first=True)])
        if of is None:
            self._limit(select)
        children = [] if only_ids else [self._child(one) for one in self.query.subqueries]
        sql = select.sql(dialect="sqlite")
        return Plan(sql, self.bound.values, self.sobject, columns, parents, "rows", children)

    def _outputs(self, only_ids: bool) -> tuple[list[Column], dict[tuple[str, ...], tuple[int, str]], list[exp.Expr]]:
        outputs: list[exp.Expr] = [self.scope.base("Id")]
        columns: list[Column] = []
        parents: dict[tuple[str, ...], tuple[int, str]] = {}
        if only_ids:
            return columns, parents, outputs
        seen: set[tuple[str, ...]] = set()
        for item in self._expanded():
            place = self.scope.resolve(item)
            if place.names in seen:
                raise self.locate(item.at, "INVALID_FIELD", f"duplicate field selected: {item.text}")
            seen.add(place.names)
            for i, node in enumerate(place.nodes[1:], 1):
                if place.names[:i] not in parents and node.ref is not None:
                    parents[place.names[:i]] = (len(outputs), node.entity)
                    outputs.append(node.ref.copy())
            columns.append(Column(place.names, place.field))
            node = place.nodes[-1]
            alias, owner = node.targets[0]
            made = special(owner, place.field, alias, self.calendar.today.isoformat())
            outputs.insert(len(outputs), made if made is not None else place.column)
        return columns, parents, outputs

    def _expanded(self) -> list[ast.Path]:
        """The selected paths, FIELDS() written out."""
        paths: list[ast.Path] = []
        for item in self.query.items:
            if isinstance(item.what, ast.Path):
                if item.alias:
                    raise self.locate(item.what.at, "MALFORMED_QUERY", f"unexpected token: '{item.alias}'")
                paths.append(item.what)
            elif item.what.name == "FIELDS" and item.what.path is not None:
                paths += self._fields(item.what, item.what.path.text.upper())
            else:
                raise not_emulated(f"the SOQL function {item.what.name}() outside of an aggregate query")
        return paths

    def _fields(self, what: ast.Func, kind: str) -> list[ast.Path]:
        if kind not in ("ALL", "STANDARD", "CUSTOM"):
            raise self.locate(what.at, "MALFORMED_QUERY", f"unexpected token: '{kind}'")
        if kind != "STANDARD" and (self.query.limit is None or self.query.limit > 200):
            said = "The SOQL FIELDS function must have a LIMIT of at most 200"
            raise self.locate(what.at, "MALFORMED_QUERY", said)
        wanted = {"ALL": (True, False), "STANDARD": (False,), "CUSTOM": (True,)}[kind]
        fields = (one for one in self.sobject.stored_fields if one.custom in wanted)
        return [ast.Path((one.name,), what.at) for one in fields]

    def _tests(self) -> list[exp.Expr]:
        tests = [] if self.all_rows else alive(self.sobject, self.scope.table)
        if self.query.where is not None:
            tests.append(self.filters.build(self.query.where))
        return tests

    def _finish(self, select: exp.Select, tests: list[exp.Expr], order: list[exp.Expr]) -> None:
        select.set("joins", self.scope.joins)
        if tests:
            select.set("where", exp.Where(this=exp.and_(*tests, copy=False)))
        if order:
            select.set("order", exp.Order(expressions=order))

    def _ordered(self, one: ast.Order) -> exp.Expr:
        known, column = self.operand(one.operand)
        if not known.can("S"):
            said = f"field '{known.name}' can not be sorted in a query call"
            raise self.locate(one.operand.at, "MALFORMED_QUERY", said)
        if folded(known):
            column = exp.Anonymous(this="sf_fold", expressions=[column])
        return exp.Ordered(this=column, desc=one.descending, nulls_first=not one.nulls_last)

    def _ungrouped_order(self) -> tuple[ast.Order, ...]:
        """The order of rows that are not grouped; an aggregate is none."""
        for one in self.query.order_by:
            if isinstance(one.operand, ast.Func) and one.operand.name in AGGREGATES:
                # the code is sure, the words are unverified
                said = f"Ordering by an aggregate needs GROUP BY: {one.operand.name}"
                raise self.locate(one.operand.at, "MALFORMED_QUERY", said)
        return self.query.order_by

    def _limit(self, select: exp.Select) -> None:
        if self.query.offset is not None and self.query.offset > MAX_OFFSET:
            raise bad("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}")
        if self.query.limit is not None or self.query.offset:
            limit = -1 if self.query.limit is None else self.query.limit
            select.set("limit", exp.Limit(expression=exp.Literal.number(limit)))
        if self.query.offset:
            select.set("offset", exp.Offset(expression=exp.Literal.number(self.query.offset)))

    def _child(self, sub: ast.Query) -> tuple[str, str, ast.Query]:
        if self.depth:
            raise not_emulated("subqueries inside subqueries")
        wanted = sub.source.parts[-1].lower()
        for child, field_name, relationship, _ in self.sobject.children:
            if relationship and relationship.lower() == wanted and child in self.schema.objects:
                return relationship, f"{child}.{field_name}", sub
        said = scope.unknown_relationship(sub.source.text, child=True)
        raise self.locate(sub.source.at, "INVALID_TYPE", said)

    # -- semi-joins -----------------------------------------------------------------------------------

    def semi_join(self, cond: ast.InQuery) -> exp.Expr:
        """`Id IN (SELECT ...)`, with the restrictions of the SOQL reference ("Comparison Operators")."""
        self._semi_joins += 1
        inner = cond.query
        if self.depth:
            raise self.locate(inner.source.at, "MALFORMED_QUERY", "Nesting of semi join sub-selects is not supported")
        if self._semi_joins > 2:
            said = "Maximum 2 semi join sub-selects are allowed"
            raise self.locate(inner.source.at, "MALFORMED_QUERY", said)
        one, column = self.operand(cond.operand)
        sobject = find_object(self.schema, inner)
        path = inner.items[0].what if len(inner.items) == 1 and not inner.subqueries else None
        if sobject.name == self.sobject.name:
            said = "The inner and outer selects should not be on the same object type"
            raise self.locate(inner.source.at, "MALFORMED_QUERY", said)
        if one.type not in ID_TYPES or not isinstance(path, ast.Path):
            raise self.locate(
                inner.source.at, "MALFORMED_QUERY", "semi join sub-selects need one ID or reference field"
            )
        prefix = f"s{self._semi_joins}_"
        nested = Compiler(self.schema, self.calendar, self.all_rows, inner, sobject, prefix, self.depth + 1)
        place = nested.scope.resolve(path)
        if place.field.type not in ID_TYPES:
            said = (
                f"The selected field '{path.text}' in the subquery and the left operand field in the where "
                f"expression in the outer query '{one.name}' should point to the same object type"
            )
            raise self.locate(path.at, "MALFORMED_QUERY", said)
        tests = [*nested._tests(), exp.Not(this=exp.Is(this=place.column.copy(), expression=exp.Null()))]
        select = exp.Select().from_(scope.table(sobject.name, nested.scope.table))
        select.set("expressions", [place.column])
        nested._finish(select, tests, [])
        nested._limit(select)
        self.bound.values.update(nested.bound.values)
        inside = exp.In(this=column, query=exp.Subquery(this=select))
        if not cond.negated:
            return inside
        return exp.paren(exp.or_(exp.Is(this=column.copy(), expression=exp.Null()), exp.Not(this=inside)))

    # -- aggregates -----------------------------------------------------------------------------------

    def count(self) -> Plan:
        """`SELECT COUNT() FROM ...`."""
        inner = exp.Select().from_(scope.table(self.sobject.name, self.scope.table))
        inner.set("expressions", [exp.Literal.number(1)])
        self._finish(inner, self._tests(), [])
        self._limit(inner)
        outer = exp.select(exp.Count(this=exp.Star())).from_(inner.subquery("counted"))
        return Plan(outer.sql(dialect="sqlite"), self.bound.values, self.sobject, [], {}, "count")

    def groups(self) -> Plan:
        """An aggregate query."""
        grouped = [self._groupable(one) for one in self.query.group_by]
        keys = {column.sql(dialect="sqlite") for _, column in grouped}
        columns: list[Column] = []
        outputs: list[exp.Expr] = []
        unnamed = 0
        for item in self.query.items:
            one, column = self.operand(item.what)
            is_aggregate = isinstance(item.what, ast.Func) and item.what.name in AGGREGATES
            if not is_aggregate and column.sql(dialect="sqlite") not in keys:
                said = f"Field must be grouped or aggregated: {one.name}"
                raise self.locate(item.what.at, "MALFORMED_QUERY", said)
            name = item.alias
            if name is None and isinstance(item.what, ast.Func):
                name, unnamed = f"expr{unnamed}", unnamed + 1
            columns.append(Column((name or one.name,), one))
            outputs.append(column)
        select = exp.Select().from_(scope.table(self.sobject.name, self.scope.table))
        select.set("expressions", [exp.alias_(one, f"c{i}") for i, one in enumerate(outputs)])
        order = [self._ordered(one) for one in self.query.order_by]
        tests = self._tests()
        having = None
        if self.query.having is not None:
            self.filters.aggregates = True
            having = self.filters.build(self.query.having)
        self._finish(select, tests, order)
        if grouped:
            select.set("group", exp.Group(expressions=[column for _, column in grouped]))
        if having is not None:
            select.set("having", exp.Having(this=having))
        self._limit(select)
        return Plan(select.sql(dialect="sqlite"), self.bound.values, self.sobject, columns, {}, "groups")

    def _groupable(self, what: ast.Path | ast.Func) -> tuple[Field, exp.Expr]:
        one, column = self.operand(what)
        if not one.can("G") and not isinstance(what, ast.Func):
            said = f"field '{one.name}' can not be grouped in a query call"
            raise self.locate(what.at, "MALFORMED_QUERY", said)
        return one, column
