"""Running compiled queries, shaping records, and paging."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from leakwatch.sandbox.org import ids, values
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.errors import OrgError, bad
from leakwatch.sandbox.org.schema import Schema
from leakwatch.sandbox.org.soql import ast
from leakwatch.sandbox.org.soql.compile import Compiler, Plan
from leakwatch.sandbox.org.soql.filters import Calendar
from leakwatch.sandbox.org.soql.parse import parse, too_complicated
from leakwatch.sandbox.org.soql.tables import find_object, kind_of
from leakwatch.sandbox.org.store import Store

LOCATOR_LIFE = timedelta(days=2)
MAX_PAGE = 2000
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an answer; `locator` (with the next offset behind a dash) leads to the next."""

    total: int
    records: list[Record]
    locator: str | None = None


@dataclass(slots=True)
class Runner:
    """Answers queries over one store, for one caller (whose API version stands in the records' URLs)."""

    store: Store
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
            plan = compiler.count()
            return Page(int(self.store.execute(plan.sql, plan.values).fetchone()[0]), [])
        if kind == "groups":
            return self._groups(compiler.groups())
        plan = compiler.rows()
        rows = self.store.execute(plan.sql, plan.values).fetchmany(page_size + 1)
        if len(rows) <= page_size and not plan.children:
            records = self._shape(plan, rows)
            return Page(len(records), records)
        return self._first_page(query, plan, all_rows, page_size)

    def more(self, locator: str, *, page_size: int) -> Page:
        """The page a locator leads to."""
        name, _, start_text = locator.partition("-")
        kept = self.store.execute("SELECT plan, at FROM _locator WHERE id = ?", (name,)).fetchone()
        if kept is None or not start_text.isdigit():
            raise _bad_locator()
        if self.calendar.now - values.instant_of(kept["at"]) > LOCATOR_LIFE:
            raise _bad_locator()
        state = json.loads(kept["plan"])
        query, start = parse(state["soql"]), int(start_text)
        if start >= len(state["ids"]):
            raise _bad_locator()
        return self._page(query, state["all_rows"], state["ids"], start, page_size, name)

    def known(self, soql: str, found: list[str]) -> list[Record]:
        """The records of rows whose ids are known."""
        return self._page(parse(soql), True, found, 0, len(found) or 1, None).records

    def _first_page(self, query: ast.Query, plan: Plan, all_rows: bool, page_size: int) -> Page:
        compiler = Compiler(self.schema, self.calendar, all_rows, query, plan.sobject)
        only = compiler.rows(only_ids=True)
        found = [row[0] for row in self.store.execute(only.sql, only.values)]
        return self._page(query, all_rows, found, 0, page_size, None)

    def _page(
        self, query: ast.Query, all_rows: bool, found: list[str], start: int, size: int, name: str | None
    ) -> Page:
        """One page of a known result; rows of child subqueries count too (REST guide, "Query")."""
        sobject = find_object(self.schema, query)
        wanted = found[start : start + size]
        plan = Compiler(self.schema, self.calendar, all_rows, query, sobject).rows(of=("Id", "page"))
        rows = self.store.execute(plan.sql, {**plan.values, "page": json.dumps(wanted)}).fetchall()
        by_id = {row[0]: row for row in rows}
        rows = [by_id[one] for one in wanted if one in by_id]
        records = self._shape(plan, rows)
        taken = self._children(plan, rows, records, all_rows, size)
        records, end = records[:taken], start + (taken if taken < len(rows) else len(wanted))
        if end >= len(found):
            return Page(len(found), records)
        if name is None:
            name = self._keep(query.text, all_rows, found)
        return Page(len(found), records, f"{name}-{end}")

    def _keep(self, soql: str, all_rows: bool, found: list[str]) -> str:
        name = ids.make("01g", secrets.randbelow(62**6), "RO")
        state = json.dumps({"soql": soql, "all_rows": all_rows, "ids": found})
        at = values.instant_text(self.calendar.now)
        self.store.execute("INSERT OR REPLACE INTO _locator VALUES (?, ?, ?)", (name, state, at))
        return name

    def _children(
        self, plan: Plan, rows: Sequence[Sequence[Any]], records: list[Record], all_rows: bool, size: int
    ) -> int:
        """Put child rows into the records; return how many records the page can hold."""
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
        index = 1
        for one in plan.columns:
            for i in range(1, len(one.names)):
                parent = one.names[:i]
                if parent not in made:
                    made.add(parent)
                    at, entity = plan.parents[parent]
                    steps.append(self._parent_step(parent, at, entity, url))
                    index += 1
            steps.append(_value_step(one.names, one.field, index))
            index += 1
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


def _value_step(names: tuple[str, ...], field: Any, at: int) -> Callable[[Record, Sequence[Any]], None]:
    *above, name = names
    convert = bool if field.type == "boolean" else json.loads if not field.stored else None

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
