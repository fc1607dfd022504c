"""Rows by the million: written as `Org.seed` would have left them, without deriving each one by itself.

What follows from other columns follows from few of them (a deal's fiscal year from its day of closing), so an object's
own rule is asked once for each combination that occurs. What is the same in every row stands in the statement. Indexes
are taken away first and made anew at the end, which sorts them once instead of growing each in no order.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.engine import Engine
from leakwatch.sandbox.org.indexes import quote
from leakwatch.sandbox.org.schema import SObject
from leakwatch.sandbox.org.store import Store

Values = tuple[Any, ...]

_CLOSING = ("IsClosed", "IsWon", "Probability", "ForecastCategoryName", "ForecastCategory")
_FISCAL = ("FiscalYear", "FiscalQuarter", "Fiscal", "PushCount")
DERIVED: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    "Account": (),  # only a person's Name follows from something, and no world that is poured has persons
    "Contact": ((("FirstName", "LastName"), ("Name",)),),
    "Opportunity": (
        (("StageName", "CloseDate"), (*_CLOSING, *_FISCAL)),
        (("StageName", "Amount"), ("ExpectedRevenue",)),
    ),
    "Task": ((("Status", "Priority"), ("IsClosed", "IsHighPriority")),),
}
"""Objects whose rule derives something: what from what. Must be all that the rule reads and writes."""
_STAMPS = (
    ("LastModifiedDate", "CreatedDate"),
    ("SystemModstamp", "LastModifiedDate"),
    ("CreatedById", "OwnerId"),
    ("LastModifiedById", "CreatedById"),
)
"""System fields and what they are copied from where they are not given, as `seeding.load` does."""


class Pour:
    """Writes rows of one object whose values stand in these columns, `Id`, `OwnerId` and `CreatedDate` among them.

    Values are trusted, in the form they are kept in (`values`). Raises ValueError for columns that do not do.
    """

    def __init__(self, engine: Engine, sobject: str, columns: Sequence[str]) -> None:
        self._engine = engine
        self._object = engine.schema.objects[sobject]
        stored = [one.name for one in self._object.stored_fields]
        if wrong := [name for name in columns if name not in stored]:
            raise ValueError(f"{sobject} has no column {', '.join(wrong)}")
        if lacking := {"Id", "OwnerId", "CreatedDate"} & set(stored) - set(columns):
            raise ValueError(f"{sobject} can't be poured without {', '.join(sorted(lacking))}")
        groups = DERIVED.get(sobject, ())
        if engine.rules(self._object).derive is not None and sobject not in DERIVED:
            raise ValueError(f"{sobject} can't be poured: nobody said what its derived columns follow from")
        self._derive = [_Group(self._row, columns, sources, targets) for sources, targets in groups]
        self._sql = self._statement(columns, [name for _, targets in groups for name in targets])

    def write(self, rows: Iterable[Values]) -> int:
        """Add rows, in the order of their ids; how many they were. The caller holds the transaction."""
        return self._engine.store.execute_many(self._sql, self._full(rows) if self._derive else rows)

    def _full(self, rows: Iterable[Values]) -> Iterable[Values]:
        first, *others = self._derive
        if not others:
            return (row + first.of(row) for row in rows)
        (second,) = others  # more than two nobody needed yet
        return (row + first.of(row) + second.of(row) for row in rows)

    def _row(self, given: dict[str, Any]) -> dict[str, Any]:
        """What the object's own rule makes of a row in which only this is given."""
        row = _blank(self._object) | given
        if derive := self._engine.rules(self._object).derive:
            derive(self._engine, row)
        return row

    def _statement(self, columns: Sequence[str], derived: Sequence[str]) -> str:
        values = {name: f"?{place}" for place, name in enumerate((*columns, *derived), 1)}
        for name, source in _STAMPS:
            if name in self._object.fields and self._object.fields[name].stored:
                values.setdefault(name, values.get(source, "NULL"))
        for name, value in _blank(self._object).items():
            if value is not None:
                values.setdefault(name, _literal(value))
        names = ", ".join(map(quote, values))
        return f"INSERT INTO {quote(self._object.name)} ({names}) VALUES ({', '.join(values.values())})"


class _Group:
    """Columns that follow from others: what follows is looked up, and derived the first time it is wanted."""

    def __init__(
        self,
        derive: Callable[[dict[str, Any]], dict[str, Any]],
        columns: Sequence[str],
        sources: Sequence[str],
        targets: Sequence[str],
    ) -> None:
        self._derive = derive
        self._sources, self._targets = sources, targets
        self._key = itemgetter(*(columns.index(name) for name in sources))
        self._known: dict[Any, Values] = {}

    def of(self, row: Values) -> Values:
        """The values of the derived columns of a row."""
        key = self._key(row)
        found = self._known.get(key)
        if found is None:
            full = self._derive(dict(zip(self._sources, key, strict=True)))
            found = self._known[key] = tuple(full[name] for name in self._targets)
        return found


def _blank(sobject: SObject) -> dict[str, Any]:
    return {one.name: int(bool(one.default)) if one.type == "boolean" else one.default for one in sobject.stored_fields}


def _literal(value: Any) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


@contextmanager
def without_indexes(store: Store, sobjects: Iterable[str], told: Callable[[str], None]) -> Generator[None]:
    """Take the objects' indexes away and make them anew at the end; `told` is called with the name of each before.

    An error inside leaves them away: it is for filling an org that is thrown away when that fails.
    """
    sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
    found = [row for name in sobjects for row in store.execute(sql, (name,)).fetchall()]
    with store.writing():
        for row in found:
            store.execute(f"DROP INDEX {quote(row['name'])}")
        yield
        for row in found:
            told(row["name"])
            store.execute(row["sql"])


def claim_ids(engine: Engine, sobject: str, count: int) -> None:
    """Take the ids of the first `count` seeded rows of an object (`ids.make` with its number, from 1).

    Raises ValueError where some were given out before.
    """
    prefix = engine.schema.objects[sobject].prefix
    sql = "INSERT INTO _counter VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    if not engine.store.execute(sql, (prefix, ids.SEEDED_POD, count)).rowcount:
        raise ValueError(f"the org has seeded rows of {sobject} already")
