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
    """One output column: where it goes in the record."""

    names: tuple[str, ...]
    field: Field


@dataclass(slots=True)
class Plan:
    """A compiled query."""

    sql: str
    values: dict[str, Any]
    sobject: SObject
    columns: list[Column]
    parents: dict[tuple[str, ...], tuple[int, str]]
    """Relationship path to (index of the column with the parent's id, entity for `attributes`)."""
    kind: Literal["rows", "count", "groups"]
    children: list[tuple[str, str, ast.Query]] = field(default_factory=list[tuple[str, str, ast.Query]])
    """(relationship name, field of the child that points here, the subquery)."""
