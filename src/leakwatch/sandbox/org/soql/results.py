"""Running compiled queries, shaping records, and paging."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from leakwatch.sandbox.org import values
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.cursors import CHUNK, Cursor, Cursors
from leakwatch.sandbox.org.database import Parameters
from leakwatch.sandbox.org.errors import OrgError, bad
from leakwatch.sandbox.org.schema import Schema, SObject
from leakwatch.sandbox.org.soql import ast, typeof
from leakwatch.sandbox.org.soql.compile import Compiler
from leakwatch.sandbox.org.soql.filters import Calendar
from leakwatch.sandbox.org.soql.listing import Beginning, Listing
from leakwatch.sandbox.org.soql.parse import located, parse, too_complicated
from leakwatch.sandbox.org.soql.plan import Column, Plan
from leakwatch.sandbox.org.soql.records import Record, converter, records
from leakwatch.sandbox.org.soql.tables import find_object, kind_of
from leakwatch.sandbox.org.store import Store

MAX_PAGE = 2000
MAX_JUNCTION_IDS = 500
"""Ids in lists of related people that one page can hold (an error that clients report: Trailblazer Community,
14 Nov 2024). Whether Salesforce counts by page is unverified."""
NESTED_SINCE = 58
"""The first version with subqueries inside subqueries (SOQL reference, "Relationship Query Limitations")."""


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
        if int(float(self.caller.version)) < typeof.SINCE:
            typeof.refuse(query)
        compiler = Compiler(self.schema, self.calendar, all_rows, query, sobject)
        listing = Listing(self.store, self.schema, self.calendar, query, sobject, all_rows)
        kind = kind_of(query)
        if kind == "count":
            return Page(listing.count(), [])
        if kind == "groups":
            return self._groups(compiler.groups())
        return self._rows(listing, compiler.rows(), page_size)

    def _rows(self, listing: Listing, plan: Plan, size: int) -> Page:
        """The first page of records."""
        query, all_rows = listing.query, listing.all_rows
        known: Beginning | None = None
        if listing.ids_first(plan, size + 1):
            known = listing.found(size + 1)
            records, taken = self._known(query, plan.sobject, all_rows, [*known.ids[:size]], size, ())
            more = taken < len(known.ids)
        else:
            rows = self.store.execute(listing.statement(plan.sql, size + 1), plan.values).fetchmany(size + 1)
            more, rows = len(rows) > size, rows[:size]
            records = self._records(plan, rows)
            taken = self._children(plan, rows, records, all_rows, size)
        if taken == len(records) and not more:
            return Page(taken, records)
        cursor = self._open_cursor(listing, known or listing.walked())
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
        query = parse(cursor.soql)
        sobject = find_object(self.schema, query)
        numbers = [int(one) for one in cursor.child.split(".") if one]
        for depth, number in enumerate(numbers):
            child = self._compiler(query, sobject, cursor.all_rows, depth).rows().children[number]
            query, sobject = child.query, child.sobject
        records, taken = self._known(query, sobject, cursor.all_rows, found, page_size, tuple(numbers))
        end = start + taken
        return Page(cursor.total, records, f"{name}-{end}" if end < cursor.total else None)

    def known(self, soql: str, found: list[str]) -> list[Record]:
        """The records of rows whose ids are known."""
        query = parse(soql)
        return self._known(query, find_object(self.schema, query), True, found, len(found) or 1, ())[0]

    def stream(self, soql: str, source: Source, *, all_rows: bool) -> Stream:
        """All rows of a query without child subqueries or aggregates, one after the other, as they are in `source`.

        The query is compiled, and refused, before this returns.
        """
        query = parse(soql)
        sobject = find_object(self.schema, query)
        plan = Compiler(self.schema, self.calendar, all_rows, query, sobject).rows()
        columns = plan.shape.columns
        converters = [converter(one.field) for one in columns]

        def rows() -> Iterator[list[Any]]:
            for row in source.execute(plan.sql, plan.values):
                yield [
                    value if value is None or convert is None else convert(value)
                    for value, convert in zip((row[one.at] for one in columns), converters, strict=True)
                ]

        return Stream(columns, rows())

    def _open_cursor(self, listing: Listing, known: Beginning) -> Cursor:
        """A cursor over the rows that the thread's present state has; long answers are listed beside this call."""
        soql, all_rows, user_id, now = listing.query.text, listing.all_rows, self.caller.user_id, self.calendar.now
        if known.whole:
            return self.cursors.keep(known.ids, soql=soql, all_rows=all_rows, user_id=user_id, now=now)
        total = listing.count()
        snapshot = self.store.detached() if total > CHUNK else None  # which costs more than listing a few
        return self.cursors.open(
            snapshot or self.store,
            *listing.ids(dense=known.dense),
            soql=soql,
            all_rows=all_rows,
            total=total,
            user_id=user_id,
            now=now,
            known=known.ids,
        )

    def _known(
        self, query: ast.Query, sobject: SObject, all_rows: bool, wanted: list[str], size: int, at: tuple[int, ...]
    ) -> tuple[list[Record], int]:
        """The records of known rows that a page can hold, and how many of the ids they use up."""
        plan = self._compiler(query, sobject, all_rows, len(at)).rows(of=("Id", "page"))
        rows = self.store.execute(plan.sql, {**plan.values, "page": json.dumps(wanted)}).fetchall()
        by_id = {row[0]: row for row in rows}
        rows = [by_id[one] for one in wanted if one in by_id]
        records = self._records(plan, rows)
        taken = self._children(plan, rows, records, all_rows, size, at)
        return records[:taken], wanted.index(rows[taken][0]) if taken < len(rows) else len(wanted)

    def _compiler(self, query: ast.Query, sobject: SObject, all_rows: bool, depth: int) -> Compiler:
        if depth and query.subqueries and int(float(self.caller.version)) < NESTED_SINCE:  # the words are unverified
            said = f"Subqueries inside subqueries need version {NESTED_SINCE}.0 of the API"
            raise located(query.text, query.subqueries[0].source.at, "MALFORMED_QUERY", said)
        return Compiler(self.schema, self.calendar, all_rows, query, sobject, "k" if depth else "t", depth)

    def _children(
        self,
        plan: Plan,
        rows: Sequence[Sequence[Any]],
        records: list[Record],
        all_rows: bool,
        size: int,
        at: tuple[int, ...] = (),
    ) -> int:
        """Put child rows into the records; return how many records the page can hold.

        Rows of child subqueries count towards the page too (REST guide, "Query"). Where one record has more of
        them than a page holds, they have pages of their own.
        """
        # a record behind the first that has more than a page holds is left to the next page
        counts = self._filled(plan, rows, records, all_rows, size, at, 1)
        total = 0
        for i, count in enumerate(counts):
            total += count
            if total > size and i:
                return i
        return len(rows)

    def _filled(
        self,
        plan: Plan,
        rows: Sequence[Sequence[Any]],
        records: list[Record],
        all_rows: bool,
        size: int,
        at: tuple[int, ...],
        paged: int,
    ) -> list[int]:
        """Put child rows, and theirs, into the records; how many rows each record has with all below it.

        Child results of more than a page are kept for later under the first `paged` records only.
        """
        counts = [1] * len(rows)
        parents = json.dumps([row[0] for row in rows])
        for number, child in enumerate(plan.children):
            path, sub = (*at, number), child.query
            child_plan = self._compiler(sub, child.sobject, all_rows, len(path)).rows(of=(child.link, "parents"))
            found = self.store.execute(child_plan.sql, {**child_plan.values, "parents": parents}).fetchall()
            by_parent: dict[str, list[Any]] = {}
            for row in found:
                by_parent.setdefault(row[-1], []).append(row)
            owners: list[int] = []
            below: list[Any] = []
            inside: list[Record] = []
            for i, (row, record) in enumerate(zip(rows, records, strict=True)):
                offset = sub.offset or 0
                mine = by_parent.get(row[0], [])[offset : None if sub.limit is None else offset + sub.limit]
                shaped = self._records(child_plan, mine[:size])
                owners += [i] * len(shaped)
                below += mine[:size]
                inside += shaped
                result: Record = {"totalSize": len(mine), "done": len(mine) <= size}
                if len(mine) > size and i < paged:
                    result["nextRecordsUrl"] = self._keep([one[0] for one in mine], size, sub, path, all_rows)
                record[child.relationship] = {**result, "records": shaped} if mine else None
            under = sum(owner < paged for owner in owners)
            for owner, count in zip(
                owners, self._filled(child_plan, below, inside, all_rows, size, path, under), strict=True
            ):
                counts[owner] += count
        return counts

    def _keep(self, found: list[str], taken: int, query: ast.Query, path: tuple[int, ...], all_rows: bool) -> str:
        """The address of the rest of a child result."""
        cursor = self.cursors.keep(
            found,
            soql=query.text,
            child=".".join(map(str, path)),
            all_rows=all_rows,
            user_id=self.caller.user_id,
            now=self.calendar.now,
        )
        return f"/services/data/v{self.caller.version}/query/{cursor.id}-{taken}"

    def _records(self, plan: Plan, rows: Sequence[Sequence[Any]]) -> list[Record]:
        made = records(self.schema, self.caller.version, plan, rows)
        lists = [one.at for one in plan.shape.columns if one.field.type == "junction"]
        if lists and sum(len(json.loads(row[at])) for row in rows for at in lists) > MAX_JUNCTION_IDS:
            said = f"Query is requesting too many junction ids; limit is {MAX_JUNCTION_IDS}"
            raise bad("MALFORMED_QUERY", said)
        return made

    def _groups(self, plan: Plan) -> Page:
        rows = self.store.execute(plan.sql, plan.values).fetchmany(MAX_PAGE + 1)
        if len(rows) > MAX_PAGE:
            said = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"
            raise bad("EXCEEDED_ID_LIMIT", said)
        records = [
            {"attributes": {"type": "AggregateResult"}}
            | {one.names[0]: values.outgoing(one.field, row[one.at]) for one in plan.shape.columns}
            for row in rows
        ]
        return Page(len(records), records)


def _bad_locator() -> OrgError:
    return bad("INVALID_QUERY_LOCATOR", "invalid query locator")
