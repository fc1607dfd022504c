"""`ast.Query` to SQL: sqlglot expressions, every value of the query bound, never pasted."""

from __future__ import annotations

from sqlglot import exp

from leakwatch.sandbox.org.errors import OrgError, bad, not_emulated
from leakwatch.sandbox.org.indexes import NARROW, has_narrow
from leakwatch.sandbox.org.schema import Schema, SObject
from leakwatch.sandbox.org.soql import ast, groups, scope, semi_joins, typeof
from leakwatch.sandbox.org.soql.dates import Calendar
from leakwatch.sandbox.org.soql.filters import Filters
from leakwatch.sandbox.org.soql.money import money_of
from leakwatch.sandbox.org.soql.operands import Operand, Operands
from leakwatch.sandbox.org.soql.parse import located
from leakwatch.sandbox.org.soql.plan import Bound, Child, Column, Plan, Shape
from leakwatch.sandbox.org.soql.special import special
from leakwatch.sandbox.org.soql.tables import alive, is_aggregate, json_values, scope_tests

__all__ = ["Column", "Compiler", "Plan"]

MAX_OFFSET = 2000
MAX_CHILDREN = 20
"""Child relationships of one query (SOQL reference, "Understanding Relationship Query Limitations")."""
MAX_DEPTH = 4
"""Levels down, so that five objects take part (same place); before version 58.0 there is one."""
_ACTIVITY_LISTS = ("activityhistories", "openactivities")
_SHOWN = ("field", "label", "format", "money")


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
        self.money = money_of(schema)
        self.operands = Operands(self.scope, self.locate, self.bound, self.calendar, self.money)
        self.filters = self.conditions(having=False)
        self.joined_queries = 0
        for path, alias in query.parents:
            self.scope.name_parent(path, alias)
        semi_joins.check(query, self.locate)

    def conditions(self, *, having: bool) -> Filters:
        """What builds the conditions of WHERE or HAVING."""
        joined = semi_joins.refuse_in_having if having else semi_joins.build
        return Filters(
            self.locate,
            self.bound,
            self.calendar,
            self.money,
            self.operands.build,
            lambda cond: joined(self, cond),
            having,
        )

    def locate(self, at: int, code: str, message: str) -> OrgError:
        """An error at a place of this query's text."""
        return located(self.query.text, at, code, message)

    # -- rows -----------------------------------------------------------------------------------------

    def rows(self, *, only_ids: bool = False, of: tuple[str, str] | None = None, until: str | None = None) -> Plan:
        """Records. `of` = (field, name of a bound JSON list) keeps only rows whose field is in that list.

        With the field `Id` that is one page of a result already known: neither filter nor order apply. `until`
        names a bound id, behind which no row is looked at: they are read in the order of their ids, by no index.
        """
        page = of is not None and of[0] == "Id"
        shape, outputs = self._outputs(only_ids)
        if of is not None and not page:
            outputs.append(self.scope.base(of[0]))
        select = exp.Select().from_(scope.table(self.sobject.name, self.scope.table))
        tests = [] if page else self.tests()
        order = [] if page else [key for one in self.query.order_by for key in self._ordered(one)]
        if of is not None:
            listed = exp.Subquery(this=json_values(of[1]))
            tests.append(exp.In(this=self.scope.base(of[0]), query=listed))
        if until is not None:
            tests.append(exp.LTE(this=self.scope.base("Id"), expression=exp.Placeholder(this=until)))
        select.set("expressions", [exp.alias_(one, f"c{i}") for i, one in enumerate(outputs)])
        self.finish(select, tests, [*order, exp.Ordered(this=self.scope.base("Id"), nulls_first=True)])
        if of is None:
            self.limit(select)
        children = [] if only_ids else self._children()
        narrow = self._is_narrow(select)
        if narrow and only_ids and until is None:
            self._take_narrow(select)
            if not order:  # not the ids as they stand, or the planner goes through the rows in their order
                ids = exp.DPipe(this=self.scope.base("Id"), expression=scope.text(""))
                select.set("order", exp.Order(expressions=[exp.Ordered(this=ids, nulls_first=True)]))
        sql = select.sql(dialect="sqlite")
        if until is not None:
            sql = scope.by_ids(sql, self.sobject.name, self.scope.table)
        return Plan(sql, self.bound.values, self.sobject, shape, "rows", children, narrow)

    def _outputs(self, only_ids: bool) -> tuple[Shape, list[exp.Expr]]:
        shape = Shape()
        outputs: list[exp.Expr] = [self.scope.base("Id")]
        if only_ids:
            return shape, outputs
        seen: set[tuple[str, ...]] = set()
        chosen: list[tuple[str, ...]] = []
        for item in self._expanded():
            if isinstance(item, ast.TypeOf):
                chosen.append(typeof.add(self, item, shape, outputs))
                continue
            one, place = self._shown(item)
            names = (item.alias,) if item.alias else place.names
            if names in seen and item.alias:  # the words are unverified
                raise self.locate(item.at, "MALFORMED_QUERY", f"duplicate alias: {item.alias}")
            if names in seen:
                raise self.locate(item.at, "INVALID_FIELD", f"duplicate field selected: {names[-1]}")
            seen.add(names)
            self.put(shape, outputs, names, one, place.nodes)
        typeof.check_once(self, chosen, seen)
        return shape, outputs

    def put(
        self,
        shape: Shape,
        outputs: list[exp.Expr],
        names: tuple[str, ...],
        one: Operand,
        nodes: list[scope.Node],
    ) -> None:
        """Add a field, and the ids of the parents (all `nodes` but the first) it is reached through."""
        for i, node in enumerate(nodes[1:], 1):
            if len(names) > 1 and names[:i] not in shape.parents and node.ref is not None:
                shape.parents[names[:i]] = (len(outputs), node.entity)
                outputs.append(node.ref.copy())
        shape.columns.append(Column(names, one.field, len(outputs)))
        owner = nodes[-1]
        made = None
        if one.kind == "field" and owner.alias and one.place is not None:
            made = special(owner.targets[0], one.place.field, owner.alias, self.calendar.today.isoformat())
        outputs.append(made if made is not None else one.sql)

    def _shown(self, item: ast.Item) -> tuple[Operand, scope.Place]:
        """One selected field, or a function that shows one."""
        one = self.operands.build(item.what)
        if one.kind == "date":  # SOQL reference, "Date Functions": only with GROUP BY
            said = f"Field must be grouped or aggregated: {one.field.name}"
            raise self.locate(item.at, "MALFORMED_QUERY", said)
        if one.kind not in _SHOWN or one.place is None:
            raise self.locate(item.at, "MALFORMED_QUERY", "aggregates cannot be selected here")
        if item.alias and one.kind == "field":
            said = "only aggregate expressions use field aliasing"
            raise self.locate(item.at, "MALFORMED_QUERY", said)
        return one, one.place

    def _expanded(self) -> list[ast.Item | ast.TypeOf]:
        """What is selected, FIELDS() written out."""
        items: list[ast.Item | ast.TypeOf] = []
        for item in self.query.items:
            if isinstance(item, ast.TypeOf):
                items.append(item)
            elif isinstance(item.what, ast.Func) and item.what.name == "FIELDS" and item.what.path is not None:
                items += self._fields(item.what, item.what.path.text.upper())
            else:
                items.append(item)
        return items

    def _fields(self, what: ast.Func, kind: str) -> list[ast.Item]:
        if kind not in ("ALL", "STANDARD", "CUSTOM"):
            raise self.locate(what.at, "MALFORMED_QUERY", f"unexpected token: '{kind}'")
        if kind != "STANDARD" and (self.query.limit is None or self.query.limit > 200):
            said = "The SOQL FIELDS function must have a LIMIT of at most 200"
            raise self.locate(what.at, "MALFORMED_QUERY", said)
        wanted = {"ALL": (True, False), "STANDARD": (False,), "CUSTOM": (True,)}[kind]
        fields = (one for one in self.sobject.visible_fields if one.stored and one.custom in wanted)
        return [ast.Item(ast.Path((one.name,), what.at), None) for one in fields]

    def _ordered(self, one: ast.Order) -> list[exp.Expr]:
        if is_aggregate(one.operand):
            name = one.operand.name if isinstance(one.operand, ast.Func) else ""
            # the code is sure, the words are unverified
            said = f"Ordering by an aggregate needs GROUP BY: {name}"
            raise self.locate(one.operand.at, "MALFORMED_QUERY", said)
        return self.ordered(one, self.operands.build(one.operand))

    def ordered(self, one: ast.Order, operand: Operand) -> list[exp.Expr]:
        """The sort terms of one ORDER BY term."""
        if operand.kind in ("label", "format", "money"):  # the words are unverified
            said = f"Functions of this kind are not allowed in the ORDER BY clause: {operand.field.name}"
            raise self.locate(one.operand.at, "MALFORMED_QUERY", said)
        if not operand.field.can("S"):
            said = f"field '{operand.field.name}' can not be sorted in a query call"
            raise self.locate(one.operand.at, "MALFORMED_QUERY", said)
        keys = self.operands.sort_key(operand)
        return [exp.Ordered(this=key, desc=one.descending, nulls_first=not one.nulls_last) for key in keys]

    # -- the clauses ----------------------------------------------------------------------------------

    def tests(self) -> list[exp.Expr]:
        """The conditions of FROM, USING SCOPE and WHERE."""
        tests = [] if self.all_rows else alive(self.sobject, self.scope.table)
        tests += scope_tests(self.query, self.sobject, self.scope, self.bound, self.calendar.user_id)
        if self.query.where is not None:
            tests.append(self.filters.build(self.query.where))
        return tests

    def finish(self, select: exp.Select, tests: list[exp.Expr], order: list[exp.Expr]) -> None:
        """Put joins, conditions and order into a SELECT."""
        select.set("joins", self.scope.joins)
        if tests:
            select.set("where", exp.Where(this=exp.and_(*tests, copy=False)))
        if order:
            select.set("order", exp.Order(expressions=order))

    def _is_narrow(self, select: exp.Select) -> bool:
        """Whether a narrow index has all that the conditions and the order look at."""
        clauses = [one for one in (select.args.get("where"), select.args.get("order")) if one is not None]
        if self.sobject.name not in NARROW or any(one.find(exp.Var) for one in clauses):  # text, that may hide fields
            return False
        columns = (one for clause in clauses for one in clause.find_all(exp.Column))
        return has_narrow(self.sobject, (one.name for one in columns if one.table == self.scope.table))

    def _take_narrow(self, select: exp.Select) -> None:
        given = exp.Not(this=exp.Is(this=self.scope.base("Id"), expression=scope.text("")))
        select.where(given, copy=False)

    def limit(self, select: exp.Select) -> None:
        """Put LIMIT and OFFSET into a SELECT."""
        if self.query.offset is not None and self.query.offset > MAX_OFFSET:
            raise bad("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}")
        if self.query.limit is not None or self.query.offset:
            limit = -1 if self.query.limit is None else self.query.limit
            select.set("limit", exp.Limit(expression=exp.Literal.number(limit)))
        if self.query.offset:
            select.set("offset", exp.Offset(expression=exp.Literal.number(self.query.offset)))

    def _children(self) -> list[Child]:
        if len(self.query.subqueries) > MAX_CHILDREN:  # the words are unverified
            said = f"Maximum of {MAX_CHILDREN} parent-to-child relationships exceeded"
            raise self.locate(self.query.subqueries[MAX_CHILDREN].source.at, "MALFORMED_QUERY", said)
        return [self._child(one) for one in self.query.subqueries]

    def _child(self, sub: ast.Query) -> Child:
        if self.depth >= MAX_DEPTH:  # the words are unverified
            said = f"Maximum of {MAX_DEPTH} levels of parent-to-child relationships exceeded"
            raise self.locate(sub.source.at, "MALFORMED_QUERY", said)
        if any(isinstance(item, ast.Item) and is_aggregate(item.what) for item in sub.items) or sub.group_by:
            said = "only root queries support aggregate expressions"
            raise self.locate(sub.items[0].at, "MALFORMED_QUERY", said)
        if sub.offset is not None and self.query.limit != 1:
            # SOQL reference, "OFFSET": in a subquery only under LIMIT 1; the words are unverified
            said = "OFFSET is only allowed in a subquery if the parent query has LIMIT 1"
            raise self.locate(sub.source.at, "MALFORMED_QUERY", said)
        wanted = sub.source.parts[-1].lower()
        for child, field_name, relationship, _ in self.sobject.children:
            if relationship and relationship.lower() == wanted and child in self.schema.objects:
                return Child(relationship, self.schema.objects[child], field_name, sub)
        if wanted in _ACTIVITY_LISTS and any(child in ("Task", "Event") for child, *_ in self.sobject.children):
            raise not_emulated(f"the child relationship {sub.source.text}")
        said = scope.unknown_relationship(sub.source.text, child=True)
        raise self.locate(sub.source.at, "INVALID_TYPE", said)

    # -- aggregates -----------------------------------------------------------------------------------

    def count(self) -> Plan:
        """`SELECT COUNT() FROM ...`."""
        inner = exp.Select().from_(scope.table(self.sobject.name, self.scope.table))
        inner.set("expressions", [exp.Literal.number(1)])
        self.finish(inner, self.tests(), [])
        if self._is_narrow(inner):
            self._take_narrow(inner)
        self.limit(inner)
        outer = exp.select(exp.Count(this=exp.Star())).from_(inner.subquery("counted"))
        return Plan(outer.sql(dialect="sqlite"), self.bound.values, self.sobject, Shape(), "count")

    def groups(self) -> Plan:
        """An aggregate query."""
        return groups.plan(self)
