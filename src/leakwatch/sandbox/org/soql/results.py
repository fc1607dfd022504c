"""Running compiled queries, shaping records, and paging."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from leakwatch.sandbox.org import values
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.cursors import Cursor, Cursors
from leakwatch.sandbox.org.database import Parameters
from leakwatch.sandbox.org.errors import OrgError, bad
from leakwatch.sandbox.org.schema import Field, Schema, SObject
from leakwatch.sandbox.org.soql import ast
from leakwatch.sandbox.org.soql.compile import Column, Compiler, Plan
from leakwatch.sandbox.org.soql.filters import Calendar
from leakwatch.sandbox.org.soql.parse import parse, too_complicated
from leakwatch.sandbox.org.soql.tables import find_object, kind_of
from leakwatch.sandbox.org.store import Store, alive_ids

MAX_PAGE = 2000
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an answer; `locator` (with the next offset behind a dash) leads to the next."""

    total: int
    records: list[Record]
    locator: str | None = None


class Source(Protocol):
    """What rows are read from: the store, or a snapshot of it."""

    def execute(self, sql: str, parameters: Parameters = ...) -> Iterable[Any]:
        """Run one statement."""
        ...


@dataclass(frozen=True, slots=True)
class Stream:
    """All rows of a query."""

    columns: list[Column]
    """What was selected, in order; `names` is the path."""
    rows: Iterator[list[Any]]
    """The values of each row as the REST API answers them, one for each column."""


@dataclass(slots=True)
class Runner:
    """Answers queries over one store, for one caller (whose API version stands in the records' URLs)."""

    store: Store
    cursors: Cursors
    schema: Schema
    calendar: Calendar
    caller: Caller

    def run(self, soql: str, *, all_rows: bool, page_size: int) -> Page:
        """The first page."""
        try:
            return self._run(soql, all_rows, page_size)
        except RecursionError:  # hundreds of brackets or NOTs around each other
            raise too_complicated() from None

    def _run(self, soql: str, all_rows: bool, page_size: int) -> Page:
        query = parse(soql)
        sobject = find_object(self.schema, query)
        compiler = Compiler(self.schema, self.calendar, all_rows, query, sobject)
        kind = kind_of(query)
        if kind == "count":
            return Page(self._count(query, sobject, all_rows), [])
        if kind == "groups":
            return self._groups(compiler.groups())
        plan = compiler.rows()
        whole = query.limit is None and query.offset is None
        sql = f"{plan.sql} LIMIT {page_size + 1}" if whole else plan.sql  # sorting stops at what is wanted
        rows = self.store.execute(sql, plan.values).fetchmany(page_size + 1)
        more, rows = len(rows) > page_size, rows[:page_size]
        records = self._shape(plan, rows)
        taken = self._children(plan, rows, records, all_rows, page_size)
        if taken == len(rows) and not more:
            return Page(len(records), records)
        cursor = self._open_cursor(query, plan, all_rows)
        return Page(cursor.total, records[:taken], f"{cursor.id}-{taken}")

    def more(self, locator: str, *, page_size: int) -> Page:
        """The page a locator leads to."""
        name, _, start_text = locator.partition("-")
        cursor = self.cursors.find(name, self.calendar.now)
        start = int(start_text) if start_text.isdecimal() and len(start_text) < 10 else 0
        if cursor is None or not 0 < start < cursor.total:
            raise _bad_locator()
        found = self.cursors.ids(cursor, start, page_size)
        if not found:
            raise _bad_locator()
        records, taken = self._known(parse(cursor.soql), cursor.all_rows, found, page_size)
        end = start + taken
        return Page(cursor.total, records, f"{name}-{end}" if end < cursor.total else None)

    def known(self, soql: str, found: list[str]) -> list[Record]:
        """The records of rows whose ids are known."""
        return self._known(parse(soql), True, found, len(found) or 1)[0]

    def stream(self, soql: str, source: Source, *, all_rows: bool) -> Stream:
        """All rows of a query without child subqueries or aggregates, one after the other, as they are in `source`.

        The query is compiled, and refused, before this returns.
        """
        query = parse(soql)
        sobject = find_object(self.schema, query)
        plan = Compiler(self.schema, self.calendar, all_rows, query, sobject).rows()
        places = _places(plan)
        converters = [_converter(one.field) for one in plan.columns]

        def rows() -> Iterator[list[Any]]:
            for row in source.execute(plan.sql, plan.values):
                yield [
                    value if value is None or convert is None else convert(value)
                    for value, convert in zip((row[i] for i in places), converters, strict=True)
                ]

        return Stream(plan.columns, rows())

    def _open_cursor(self, query: ast.Query, plan: Plan, all_rows: bool) -> Cursor:
        """A cursor over the rows that the thread's present state has."""
        whole = _is_whole(query, all_rows)
        only = Compiler(self.schema, self.calendar, all_rows, query, plan.sobject).rows(only_ids=True)
        total = self._count(query, plan.sobject, all_rows) if whole else None
        plain = whole and not query.order_by
        snapshot = self.store.detached() if whole else None
        return self.cursors.open(
            snapshot or self.store,
            f"{alive_ids(plan.sobject, 'Id')} ORDER BY Id" if plain else only.sql,
            () if plain else only.values,
            soql=query.text,
            all_rows=all_rows,
            total=total,
            user_id=self.caller.user_id,
            now=self.calendar.now,
        )

    def _count(self, query: ast.Query, sobject: SObject, all_rows: bool) -> int:
        plan = Compiler(self.schema, self.calendar, all_rows, query, sobject).count()
        sql, bound = plan.sql, plan.values
        if _is_whole(query, all_rows):
            sql, bound = alive_ids(sobject, "COUNT(*)"), {}
        return int(self.store.execute(sql, bound).fetchone()[0])

    def _known(self, query: ast.Query, all_rows: bool, wanted: list[str], size: int) -> tuple[list[Record], int]:
        """The records of known rows that a page can hold, and how many of the ids they use up."""
        sobject = find_object(self.schema, query)
        plan = Compiler(self.schema, self.calendar, all_rows, query, sobject).rows(of=("Id", "page"))
        rows = self.store.execute(plan.sql, {**plan.values, "page": json.dumps(wanted)}).fetchall()
        by_id = {row[0]: row for row in rows}
        rows = [by_id[one] for one in wanted if one in by_id]
        records = self._shape(plan, rows)
        taken = self._children(plan, rows, records, all_rows, size)
        return records[:taken], wanted.index(rows[taken][0]) if taken < len(rows) else len(wanted)

    def _children(
        self, plan: Plan, rows: Sequence[Sequence[Any]], records: list[Record], all_rows: bool, size: int
    ) -> int:
        """Put child rows into the records; return how many records the page can hold.

        Rows of child subqueries count towards the page too (REST guide, "Query").
        """
        if not plan.children:
            return len(rows)
        counts = [1] * len(rows)
        parents = json.dumps([row[0] for row in rows])
        for relationship, child_field, sub in plan.children:
            child, _, link = child_field.partition(".")
            sobject = self.schema.objects[child]
            compiler = Compiler(self.schema, self.calendar, all_rows, sub, sobject, "k", 1)
            child_plan = compiler.rows(of=(link, "parents"))
            found = self.store.execute(child_plan.sql, {**child_plan.values, "parents": parents}).fetchall()
            by_parent: dict[str, list[Any]] = {}
            for row in found:
                by_parent.setdefault(row[-1], []).append(row)
            for i, (row, record) in enumerate(zip(rows, records, strict=True)):
                offset = sub.offset or 0
                mine = by_parent.get(row[0], [])[offset : None if sub.limit is None else offset + sub.limit]
                shaped = self._shape(child_plan, mine)
                counts[i] += len(shaped)
                record[relationship] = {"totalSize": len(shaped), "done": True, "records": shaped} if shaped else None
        total = 0
        for i, count in enumerate(counts):
            total += count
            if total > size and i:
                return i
        return len(rows)

    def _groups(self, plan: Plan) -> Page:
        rows = self.store.execute(plan.sql, plan.values).fetchmany(MAX_PAGE + 1)
        if len(rows) > MAX_PAGE:
            said = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"
            raise bad("EXCEEDED_ID_LIMIT", said)
        records = [
            {"attributes": {"type": "AggregateResult"}}
            | {one.names[0]: values.outgoing(one.field, row[i]) for i, one in enumerate(plan.columns)}
            for row in rows
        ]
        return Page(len(records), records)

    # -- shaping --------------------------------------------------------------------------------------

    def _shape(self, plan: Plan, rows: Sequence[Sequence[Any]]) -> list[Record]:
        url = f"/services/data/v{self.caller.version}/sobjects/"
        base = f"{url}{plan.sobject.name}/"
        steps = self._steps(plan, url)
        records: list[Record] = []
        for row in rows:
            record: Record = {"attributes": {"type": plan.sobject.name, "url": base + row[0]}}
            for step in steps:
                step(record, row)
            records.append(record)
        return records

    def _steps(self, plan: Plan, url: str) -> list[Callable[[Record, Sequence[Any]], None]]:
        """One small function per output, in the order of the SELECT list."""
        steps: list[Callable[[Record, Sequence[Any]], None]] = []
        made: set[tuple[str, ...]] = set()
        for one, place in zip(plan.columns, _places(plan), strict=True):
            for i in range(1, len(one.names)):
                parent = one.names[:i]
                if parent not in made:
                    made.add(parent)
                    at, entity = plan.parents[parent]
                    steps.append(self._parent_step(parent, at, entity, url))
            steps.append(_value_step(one.names, one.field, place))
        return steps

    def _parent_step(
        self, path: tuple[str, ...], at: int, entity: str, url: str
    ) -> Callable[[Record, Sequence[Any]], None]:
        *above, name = path

        def step(record: Record, row: Sequence[Any]) -> None:
            holder: Record | None = record
            for part in above:
                holder = holder[part] if holder else None
            if holder is None:
                return
            parent_id = row[at]
            if parent_id is None:
                holder[name] = None
                return
            target = self.schema.of_id(parent_id)
            link = f"{url}{target.name if target else entity}/{parent_id}"
            holder[name] = {"attributes": {"type": entity, "url": link}}

        return step


def _is_whole(query: ast.Query, all_rows: bool) -> bool:
    """Whether the answer is all that an object shows."""
    filters = (query.where, query.using, query.limit, query.offset)
    return not all_rows and all(one is None for one in filters)


def _places(plan: Plan) -> list[int]:
    """Where each column stands in a row: behind the row's id and the ids of parents that came before it."""
    places: list[int] = []
    parents: set[tuple[str, ...]] = set()
    for i, one in enumerate(plan.columns, 1):
        parents |= {one.names[:depth] for depth in range(1, len(one.names))}
        places.append(i + len(parents))
    return places


def _converter(field: Field) -> Callable[[Any], Any] | None:
    return bool if field.type == "boolean" else json.loads if not field.stored else None


def _value_step(names: tuple[str, ...], field: Field, at: int) -> Callable[[Record, Sequence[Any]], None]:
    *above, name = names
    convert = _converter(field)

    def step(record: Record, row: Sequence[Any]) -> None:
        holder: Record | None = record
        for part in above:
            holder = holder[part] if holder else None
        if holder is not None:
            value = row[at]
            holder[name] = value if value is None or convert is None else convert(value)

    return step


def _bad_locator() -> OrgError:
    return bad("INVALID_QUERY_LOCATOR", "invalid query locator")
