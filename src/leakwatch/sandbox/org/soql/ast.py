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
    """A function over a field, over another function, or over nothing: `COUNT()`. Its name is in capitals."""

    name: str
    args: tuple[Path | Func | Value, ...]
    at: int

    @property
    def path(self) -> Path | None:
        """The one field that it is called with, if that is what it is called with."""
        only = self.args[0] if len(self.args) == 1 else None
        return only if isinstance(only, Path) else None


@dataclass(frozen=True, slots=True)
class Item:
    """One thing selected."""

    what: Path | Func
    alias: str | None

    @property
    def at(self) -> int:
        """Where it stands."""
        return self.what.at


@dataclass(frozen=True, slots=True)
class When:
    """What TYPEOF selects where the reference leads to one object; `sobject` None is ELSE."""

    sobject: Path | None
    fields: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class TypeOf:
    """Fields that depend on the object a reference leads to."""

    path: Path
    whens: tuple[When, ...]
    at: int


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
class Includes:
    """`operand INCLUDES (values)` of a multi-select picklist, or EXCLUDES."""

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


Cond = Compare | InList | Includes | InQuery | Chain | Not


@dataclass(frozen=True, slots=True)
class Order:
    """One ORDER BY term."""

    operand: Path | Func
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT. `source` is the object, or a child relationship in a subquery of the select list."""

    items: tuple[Item | TypeOf, ...]
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
    parents: tuple[tuple[Path, str | None], ...] = ()
    """Further names of FROM: parents and their aliases (`FROM Contact c, c.Account a`)."""
    using: Path | None = None
    """The name after USING SCOPE."""
    locked: bool = False
    """Whether FOR UPDATE stands at the end."""
