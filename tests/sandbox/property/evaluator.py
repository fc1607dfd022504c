"""A second opinion on SOQL: plain Python over plain rows, written from the reference and without any SQL.

It shares nothing with the sandbox's own parser and compiler: queries are built as the small objects below, which
`Query.text` writes as SOQL and `Evaluator.answer` answers from rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]


# -- the queries --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operand:
    """A path, or a date function over one."""

    path: str
    kind: str
    """string, picklist, multipicklist, number, boolean, date, datetime or id."""
    function: str = ""
    zoned: bool = False

    def __str__(self) -> str:
        inner = f"convertTimezone({self.path})" if self.zoned else self.path
        return f"{self.function}({inner})" if self.function else inner

    @property
    def result(self) -> str:
        """The kind of what it gives."""
        return ("date" if self.function == "DAY_ONLY" else "number") if self.function else self.kind


@dataclass(frozen=True)
class Aggregate:
    """A function over a group."""

    name: str
    operand: Operand

    def __str__(self) -> str:
        return f"{self.name}({self.operand})"


@dataclass(frozen=True)
class Test:
    """`operand op value`; the value is what it means, `shown` how it is written."""

    operand: Operand | Aggregate
    op: str
    value: Any
    shown: str

    def __str__(self) -> str:
        return f"{self.operand} {self.op} {self.shown}"


@dataclass(frozen=True)
class Joined:
    """Conditions joined by a word; NOT has one."""

    word: str
    parts: tuple[Any, ...]

    def __str__(self) -> str:
        if self.word == "NOT":
            return f"NOT ({self.parts[0]})"
        return f" {self.word} ".join(f"({part})" for part in self.parts)


@dataclass(frozen=True)
class SemiJoin:
    """`operand [NOT] IN (SELECT ...)`."""

    operand: Operand
    negated: bool
    path: str
    inner: Query

    def __str__(self) -> str:
        return f"{self.operand} {'NOT IN' if self.negated else 'IN'} ({self.inner.text([self.path])})"


@dataclass(frozen=True)
class Order:
    """One term of ORDER BY."""

    operand: Operand | Aggregate
    descending: bool
    nulls_last: bool

    def __str__(self) -> str:
        where = " NULLS LAST" if self.nulls_last else ""
        return f"{self.operand}{' DESC' if self.descending else ''}{where}"


@dataclass
class Query:
    """One SELECT."""

    source: str
    select: list[Operand | Aggregate]
    where: Any = None
    group: list[Operand] = field(default_factory=list[Operand])
    subtotals: str = ""
    having: Any = None
    order: list[Order] = field(default_factory=list[Order])
    limit: int | None = None
    offset: int | None = None
    children: list[tuple[str, Query]] = field(default_factory=list[tuple[str, Any]])
    """(relationship, what is selected there)."""

    def text(self, selected: Iterable[str] | None = None, source: str | None = None) -> str:
        """The query as SOQL."""
        items = list(selected) if selected is not None else [str(one) for one in self.select]
        items += [f"({sub.text(source=name)})" for name, sub in self.children]
        parts = [f"SELECT {', '.join(items)} FROM {source or self.source}"]
        if self.where is not None:
            parts.append(f"WHERE {self.where}")
        if self.group:
            keys = ", ".join(map(str, self.group))
            parts.append(f"GROUP BY {self.subtotals}({keys})" if self.subtotals else f"GROUP BY {keys}")
        if self.having is not None:
            parts.append(f"HAVING {self.having}")
        if self.order:
            parts.append(f"ORDER BY {', '.join(map(str, self.order))}")
        if self.limit is not None:
            parts.append(f"LIMIT {self.limit}")
        if self.offset is not None:
            parts.append(f"OFFSET {self.offset}")
        return " ".join(parts)


# -- the answers --------------------------------------------------------------------------------------


@dataclass
class Evaluator:
    """Answers over `rows`, by object; `parents` and `children` say where relationships lead."""

    rows: dict[str, list[Row]]
    parents: dict[tuple[str, str], str]
    """(object, relationship) to the field with the id."""
    children: dict[tuple[str, str], tuple[str, str]]
    """(object, relationship) to (object, field that points here)."""
    picklists: dict[tuple[str, str], list[str]]
    """(object, field) to the values in their order."""
    zone: ZoneInfo
    today: date
    first_weekday: int
    fiscal_month: int

    def __post_init__(self) -> None:
        self.by_id = {row["Id"]: (name, row) for name, rows in self.rows.items() for row in rows}

    def answer(self, query: Query) -> list[Row]:
        """The records, each a flat dict of what was selected; children under their relationship's name."""
        found = [row for row in self.rows[query.source] if query.where is None or self.holds(query, query.where, row)]
        if query.group or any(isinstance(one, Aggregate) for one in query.select):
            return self._groups(query, found)
        found.sort(key=lambda row: row["Id"])
        for one in reversed(query.order):
            found = self._sorted(query.source, found, one, lambda row, of: self.value(query.source, row, of))
        found = found[query.offset or 0 :]
        found = found if query.limit is None else found[: query.limit]
        return [self._record(query, row) for row in found]

    def _record(self, query: Query, row: Row) -> Row:
        record = {str(one): self.value(query.source, row, one) for one in query.select}
        for name, sub in query.children:
            child, link = self.children[query.source, name]
            mine = Evaluator(
                {**self.rows, child: [one for one in self.rows[child] if one[link] == row["Id"]]}, *self._more()
            )
            mine.by_id = self.by_id
            record[name] = mine.answer(sub)
        return record

    def _more(self) -> tuple[Any, ...]:
        more = (self.parents, self.children, self.picklists, self.zone, self.today, self.first_weekday)
        return (*more, self.fiscal_month)

    # -- values ---------------------------------------------------------------------------------------

    def value(self, source: str, row: Row, of: Operand | Aggregate) -> Any:
        """What an operand is in a row."""
        assert isinstance(of, Operand)
        *steps, last = of.path.split(".")
        name, here = source, row
        for step in steps:
            there = self.by_id.get(here[self.parents[name, step]] or "")
            if there is None:
                return None
            name, here = there
        value = name if last == "Type" and steps and "Type" not in here else here[last]
        return value if value is None or not of.function else self._part(of, value)

    def _part(self, of: Operand, value: str) -> Any:
        moment = datetime.fromisoformat(value.replace("+0000", "+00:00"))
        if of.kind == "datetime":
            moment = moment.astimezone(self.zone if of.zoned else UTC)
        day = moment.date()
        yearly = int(day.strftime("%j"))
        return {
            "CALENDAR_YEAR": day.year,
            "CALENDAR_QUARTER": [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4][day.month - 1],
            "CALENDAR_MONTH": day.month,
            "DAY_IN_MONTH": day.day,
            "DAY_IN_WEEK": int(day.strftime("%w")) + 1,
            "DAY_IN_YEAR": yearly,
            "DAY_ONLY": day.isoformat(),
            "FISCAL_QUARTER": ((day.month - self.fiscal_month + 12) % 12) // 3 + 1,
            "HOUR_IN_DAY": moment.hour,
            "WEEK_IN_MONTH": math.ceil(day.day / 7),
            "WEEK_IN_YEAR": math.ceil(yearly / 7),
        }[of.function]

    # -- conditions -----------------------------------------------------------------------------------

    def holds(self, query: Query, cond: Any, row: Row, values: Callable[[Any], Any] | None = None) -> bool:
        """Whether a condition is true of a row, or of a group whose values `values` knows."""
        known = values or (lambda of: self.value(query.source, row, of))
        match cond:
            case Joined("NOT", (part,)):
                return not self.holds(query, part, row, values)
            case Joined("AND", parts):
                return all(self.holds(query, part, row, values) for part in parts)
            case Joined(_, parts):
                return any(self.holds(query, part, row, values) for part in parts)
            case SemiJoin(operand, negated, path, inner):
                inner = Query(inner.source, [Operand(path, "id")], inner.where)
                return (known(operand) in {one[path] for one in self.answer(inner)} - {None}) != negated
            case _:
                return self._test(cond, known(cond.operand))

    def _test(self, test: Test, value: Any) -> bool:
        match test.op:
            case "IN" | "NOT IN":
                among = {_folded(test.operand, one) for one in test.value}
                return (_folded(test.operand, value) in among) == (test.op == "IN")
            case "INCLUDES" | "EXCLUDES":
                held = {part.casefold() for part in (value or "").split(";")}
                some = any({part.casefold() for part in one.split(";")} <= held for one in test.value)
                return some == (test.op == "INCLUDES")
            case "LIKE":
                return value is not None and _like(test.value.casefold(), value.casefold())
            case _:
                pass
        if isinstance(test.value, Relative):
            return self._relative(test, value)
        if test.op in ("=", "!="):
            return (_folded(test.operand, value) == _folded(test.operand, test.value)) == (test.op == "=")
        if value is None:
            return False
        left, right = _folded(test.operand, value), _folded(test.operand, test.value)
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[test.op]

    def _relative(self, test: Test, value: str | None) -> bool:
        if value is None:
            return test.op == "!="
        day = date.fromisoformat(value[:10])
        if len(value) > 10:
            day = datetime.fromisoformat(value.replace("+0000", "+00:00")).astimezone(self.zone).date()
        literal: Relative = test.value
        far = self._index(literal, day) - self._index(literal, self.today)
        low, high = literal.first, literal.last
        return {
            "=": low <= far <= high,
            "!=": not low <= far <= high,
            "<": far < low,
            "<=": far <= high,
            ">": far > high,
            ">=": far >= low,
        }[test.op]

    def _index(self, literal: Relative, day: date) -> int:
        """A number that grows by one from each unit to the next."""
        months = day.year * 12 + day.month - (self.fiscal_month if literal.fiscal else 1)
        return {
            "DAY": day.toordinal(),
            "WEEK": (day.toordinal() - 1 - self.first_weekday) // 7,  # the day 1 was a Monday
            "MONTH": months,
            "QUARTER": months // 3,
            "YEAR": months // 12,
        }[literal.unit]

    # -- order and groups -----------------------------------------------------------------------------

    def _sorted(self, source: str, rows: list[Any], one: Order, value: Callable[[Any, Any], Any]) -> list[Any]:
        none = [row for row in rows if value(row, one.operand) is None]
        some = [row for row in rows if value(row, one.operand) is not None]
        some.sort(key=lambda row: self._rank(source, one.operand, value(row, one.operand)), reverse=one.descending)
        if one.descending:  # rows that are equal keep their order
            groups: list[list[Any]] = []
            for row in some:
                if groups and self._same(source, one, value, groups[-1][0], row):
                    groups[-1].append(row)
                else:
                    groups.append([row])
            place = {id(row): i for i, row in enumerate(rows)}
            some = [row for group in groups for row in sorted(group, key=lambda row: place[id(row)])]
        return some + none if one.nulls_last else none + some

    def _same(self, source: str, one: Order, value: Callable[[Any, Any], Any], a: Any, b: Any) -> bool:
        ranks = [self._rank(source, one.operand, value(row, one.operand)) for row in (a, b)]
        return ranks[0] == ranks[1]

    def _rank(self, source: str, of: Operand | Aggregate, value: Any) -> Any:
        path = of.path if isinstance(of, Operand) else ""
        listed = self.picklists.get((source, path))
        if listed is None or (isinstance(of, Operand) and of.function):
            return _folded(of, value)
        return (listed.index(value) if value in listed else len(listed), _folded(of, value))

    def _groups(self, query: Query, found: list[Row]) -> list[Row]:
        keys = [[self.value(query.source, row, one) for one in query.group] for row in found]
        width = len(query.group)
        if query.subtotals == "ROLLUP":
            kept = [set(range(n)) for n in range(width + 1)]
        elif query.subtotals == "CUBE":
            kept = [{i for i in range(width) if mask >> i & 1} for mask in range(2**width)]
        else:
            kept = [set(range(width))]
        answers: list[tuple[Row, Callable[[Any], Any]]] = []
        for some in kept:
            groups: dict[tuple[Any, ...], list[Row]] = {} if query.group else {(): []}
            for row, key in zip(found, keys, strict=True):
                groups.setdefault(tuple(key[i] if i in some else None for i in range(width)), []).append(row)
            for key, members in groups.items():
                values = self._group_values(query, key, members)
                if query.having is None or self.holds(query, query.having, {}, values):
                    answers.append(({str(one): values(one) for one in query.select}, values))
        for one in reversed(query.order):
            answers = self._sorted(query.source, answers, one, lambda pair, of: pair[1](of))
        return [answer for answer, _ in answers]

    def _group_values(self, query: Query, key: tuple[Any, ...], members: list[Row]) -> Callable[[Any], Any]:
        def values(of: Operand | Aggregate) -> Any:
            if isinstance(of, Operand):
                return key[query.group.index(of)]
            there = [self.value(query.source, row, of.operand) for row in members]
            there = [one for one in there if one is not None]
            if of.name == "COUNT":
                return len(there)
            if of.name == "COUNT_DISTINCT":
                return len({_folded(of, one) for one in there})
            if not there:
                return None
            if of.name in ("SUM", "AVG"):
                return math.fsum(there) / (len(there) if of.name == "AVG" else 1)
            listed = self.picklists.get((query.source, of.operand.path))

            def rank(one: Any) -> Any:
                return one if listed is None else (listed.index(one) if one in listed else len(listed), one)

            return (min if of.name == "MIN" else max)(there, key=rank)

        return values


@dataclass(frozen=True)
class Relative:
    """A relative date literal: units from the one of today, the first and the last that it means."""

    unit: str
    first: int
    last: int
    fiscal: bool = False


def _folded(of: Operand | Aggregate, value: Any) -> Any:
    """A value as it is compared: ids by their letters, other texts without regard to case."""
    kind = of.operand.kind if isinstance(of, Aggregate) else of.kind
    return value.casefold() if isinstance(value, str) and kind != "id" else value


def _like(pattern: str, text: str) -> bool:
    """LIKE, by trying: `%` is any text, `_` one character, `\\` takes the next one as it is."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(_like(pattern[1:], text[i:]) for i in range(len(text) + 1))
    escaped = pattern[0] == "\\" and len(pattern) > 1
    wanted, rest = (pattern[1], pattern[2:]) if escaped else (pattern[0], pattern[1:])
    return bool(text) and (wanted == text[0] or (wanted == "_" and not escaped)) and _like(rest, text[1:])
