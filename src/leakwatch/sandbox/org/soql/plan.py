"""What a compiled query is: the statement, and how its columns become records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from sqlglot import exp

from leakwatch.sandbox.org.schema import Field, SObject
from leakwatch.sandbox.org.soql import ast


@dataclass(slots=True)
class Bound:
    """Values bound to the statement, under generated names: equal values under one, so that equal terms stay equal."""

    prefix: str
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    _names: dict[tuple[type, Any], str] = field(default_factory=dict[tuple[type, Any], str])

    def add(self, value: Any) -> exp.Placeholder:
        """Bind one value."""
        name = self._names.setdefault((type(value), value), f"{self.prefix}{len(self.values)}")
        self.values[name] = value
        return exp.Placeholder(this=name)


@dataclass(slots=True)
class Column:
    """One output: where it goes in the record, and where it stands in the row."""

    names: tuple[str, ...]
    field: Field
    at: int
    choice: Choice | None = None
    """What TYPEOF makes of the reference that stands there; None for a plain field."""


@dataclass(slots=True)
class Shape:
    """How the columns of a row become a record."""

    columns: list[Column] = field(default_factory=list[Column])
    parents: dict[tuple[str, ...], tuple[int, str]] = field(default_factory=dict[tuple[str, ...], tuple[int, str]])
    """Relationship path to (index of the column with the parent's id, entity for `attributes`)."""


@dataclass(slots=True)
class Choice:
    """The record of a reference that may lead to several objects, by the object it leads to."""

    branches: dict[str, Shape]
    otherwise: Shape | None
    """For all other objects; without it they are shown as null."""


@dataclass(slots=True)
class Child:
    """A subquery over a child relationship."""

    relationship: str
    sobject: SObject
    link: str
    """The field of the child that points to the parent."""
    query: ast.Query


@dataclass(slots=True)
class Plan:
    """A compiled query."""

    sql: str
    values: dict[str, Any]
    sobject: SObject
    shape: Shape
    kind: Literal["rows", "count", "groups"]
    children: list[Child] = field(default_factory=list[Child])
    narrow: bool = False
    """Whether a narrow index tells which rows there are, and in which order (`indexes.NARROW`)."""
