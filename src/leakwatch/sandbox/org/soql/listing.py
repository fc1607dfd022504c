"""Which rows a long answer has: the ids its pages begin with, and how many there are in all.

What a page costs must not depend on how many rows an object has, where that can be had. Three ways lead to the ids:
the rows in the order of their ids, of which a few thousand are looked at; an index, whose ids are sorted; and for
what neither has, a pass over all of them (`Cursors` makes it, beside the answer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leakwatch.sandbox.org.cursors import CHUNK
from leakwatch.sandbox.org.indexes import alive_ids, quote
from leakwatch.sandbox.org.schema import Schema, SObject
from leakwatch.sandbox.org.soql import ast
from leakwatch.sandbox.org.soql.compile import Compiler
from leakwatch.sandbox.org.soql.dates import Calendar
from leakwatch.sandbox.org.soql.plan import Plan
from leakwatch.sandbox.org.store import Store

AHEAD = 5 * CHUNK
"""Ids that are found with the first page, so that the pages after it need not wait for the list of all."""
WALK = 20_000
"""Rows that are looked at in the order of their ids, to find the first ones of a filter: 10 ms."""
DENSE = WALK // 10
"""Ids found among these, from which on reading all rows (0.3 µs each) beats sorting the ids that an index gives."""
_BEHIND_ALL = "~"  # sorts behind every id


@dataclass(frozen=True, slots=True)
class Beginning:
    """The ids that an answer begins with, in its order."""

    ids: Sequence[str]
    whole: bool
    """Whether these are all it has."""
    dense: bool = False
    """Whether so many of the first rows are of it that going on row by row is the way to list the others."""


@dataclass(slots=True)
class Listing:
    """The rows of one query, as the thread's present state has them."""

    store: Store
    schema: Schema
    calendar: Calendar
    query: ast.Query
    sobject: SObject
    all_rows: bool

    @property
    def unlimited(self) -> bool:
        """Whether the answer has no LIMIT and no OFFSET."""
        return self.query.limit is None and self.query.offset is None

    def statement(self, sql: str, most: int) -> str:
        """The query's SQL so that sorting stops at what is wanted; more rows than `most` may come."""
        return f"{sql} LIMIT {most}" if self.unlimited else sql

    def ids_first(self, plan: Plan, size: int) -> bool:
        """Whether to find the ids before the rows.

        So it is where a narrow index has them, and where SQLite would read all rows of the answer, to sort them,
        before it gives the first: it had better sort ids, which an index may have, than whole rows.
        """
        if plan.narrow:
            return True
        steps = self.store.execute(f"EXPLAIN QUERY PLAN {self.statement(plan.sql, size)}", plan.values)
        return any(step["detail"] == "USE TEMP B-TREE FOR ORDER BY" for step in steps)

    def found(self, size: int) -> Beginning:
        """The ids of the first `size` rows, and some more, whichever way is short."""
        walked = self._walked(size)
        if walked is not None and (walked.whole or len(walked.ids) >= size):
            return walked
        return self._first(max(size, AHEAD))

    def walked(self) -> Beginning:
        """The ids of some first rows, where they come one by one; none where that could take long."""
        return self._walked(AHEAD) or Beginning([], whole=False)

    def _walked(self, size: int) -> Beginning | None:
        """Ids among the first rows of the object; None where these need not be the first of the answer."""
        limit = self.query.limit
        if not self._by_id or (size > WALK if self.unlimited else limit is None):
            return None
        sql = f"SELECT Id FROM {quote(self.sobject.name)} ORDER BY Id LIMIT 1 OFFSET {WALK}"
        last = self.store.execute(sql).fetchone()
        if last is None:  # all of them are few
            return self._first(max(size, AHEAD))
        plan = self._compiler().rows(only_ids=True, until="until")
        rows = self.store.execute(self.statement(plan.sql, AHEAD), {**plan.values, "until": last[0]})
        found = [row[0] for row in rows]
        if self.unlimited:
            return Beginning(found, whole=False, dense=len(found) >= DENSE)
        return Beginning(found, whole=True) if len(found) == limit else None

    def _first(self, size: int) -> Beginning:
        sql, values = self.ids()
        found = [row[0] for row in self.store.execute(self.statement(sql, size + 1), values).fetchmany(size + 1)]
        return Beginning(found[:size], whole=len(found) <= size)

    def ids(self, *, dense: bool = False) -> tuple[str, dict[str, object]]:
        """The statement that gives all ids in order, and its values."""
        if self._all_alive and self._by_id:
            return f"{alive_ids(self.sobject, 'Id')} ORDER BY Id", {}
        if dense:
            plan = self._compiler().rows(only_ids=True, until="until")
            return plan.sql, {**plan.values, "until": _BEHIND_ALL}
        plan = self._compiler().rows(only_ids=True)
        return plan.sql, plan.values

    def count(self) -> int:
        """How many rows there are."""
        plan = self._compiler().count()  # which may refuse the query
        sql, values = (alive_ids(self.sobject, "COUNT(*)"), {}) if self._all_alive else (plan.sql, plan.values)
        return int(self.store.execute(sql, values).fetchone()[0])

    @property
    def _all_alive(self) -> bool:
        """Whether the answer is all that an object shows."""
        return not self.all_rows and self.unlimited and self.query.where is None and self.query.using is None

    @property
    def _by_id(self) -> bool:
        """Whether rows come in the order of their ids: without another order, they do."""
        match self.query.order_by:
            case ():
                return True
            case (ast.Order(ast.Path((name,)), False),):
                return name.lower() == "id"
            case _:
                return False

    def _compiler(self) -> Compiler:
        return Compiler(self.schema, self.calendar, self.all_rows, self.query, self.sobject)
