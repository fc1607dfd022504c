"""The parts of a parsed SOQL query. `at` is a position in the text, for the error that names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Path:
    """A field, through relationships or not: `Owner.Name`."""

    parts: tuple[str, ...]
    at: int

    @property
    def text(self) -> str:
        """As it was written, without blanks."""
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Func:
    """A function over a field, or over nothing: `COUNT()`."""

    name: str
    path: Path | None
    at: int


@dataclass(frozen=True, slots=True)
class Item:
    """One thing selected."""

    what: Path | Func
    alias: str | None


@dataclass(frozen=True, slots=True)
class Value:
    """A literal; `like` is the same text as a LIKE pattern with the backslash as escape."""

    kind: Literal["string", "number", "boolean", "null", "date", "datetime", "currency", "relative"]
    value: Any
    at: int
    like: str = ""


@dataclass(frozen=True, slots=True)
class Compare:
    """`operand op value`."""

    operand: Path | Func
    op: str
    value: Value


@dataclass(frozen=True, slots=True)
class InList:
    """`operand IN (values)`."""

    operand: Path | Func
    negated: bool
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class InQuery:
    """A semi-join or anti-join."""

    operand: Path | Func
    negated: bool
    query: Query


@dataclass(frozen=True, slots=True)
class Chain:
    """Conditions joined by one word."""

    word: Literal["AND", "OR"]
    parts: tuple[Cond, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """A condition turned round."""

    part: Cond


Cond = Compare | InList | InQuery | Chain | Not


@dataclass(frozen=True, slots=True)
class Order:
    """One ORDER BY term."""

    operand: Path | Func
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT. `source` is the object, or a child relationship in a subquery of the select list."""

    items: tuple[Item, ...]
    subqueries: tuple[Query, ...]
    source: Path
    alias: str | None
    where: Cond | None
    group_by: tuple[Path | Func, ...]
    having: Cond | None
    order_by: tuple[Order, ...]
    limit: int | None
    offset: int | None
    text: str = ""
