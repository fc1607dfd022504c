"""Turns a checked query into the SQL of one run: parameters bound on the tree, missing optional data filled in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlglot import exp

from leakwatch.core.tables import Catalog


def value_literal(value: Any) -> exp.Expr:
    """Return a parameter's value as a typed literal of the syntax tree. Raises TypeError for an unknown type."""
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int):
        return exp.Literal.number(value) if value >= 0 else exp.Neg(this=exp.Literal.number(-value))
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        scale = max(0, -exponent) if isinstance(exponent, int) else 0
        digits = max(len(value.as_tuple().digits), scale + 1)
        return exp.cast(
            exp.Literal.string(format(value, "f")), f"DECIMAL({min(38, digits + 1)},{scale})", dialect="duckdb"
        )
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "DATE", dialect="duckdb")
    if isinstance(value, str):
        return exp.Literal.string(value)
    raise TypeError(f"a parameter can't be a {type(value).__name__}")


def bind(tree: exp.Expr, values: Mapping[str, Any]) -> exp.Expr:
    """Return a copy of `tree` with each `$name` replaced by its value."""

    def replace(node: exp.Expr) -> exp.Expr:
        return value_literal(values[node.name]) if isinstance(node, exp.Placeholder) else node

    return tree.transform(replace)  # which copies


def fill_missing(tree: exp.Expr, missing: Mapping[str, frozenset[str] | None], catalog: Catalog) -> exp.Expr:
    """Return `tree` reading an empty typed table, or NULL columns, where the data lack something optional.

    `missing` maps a table to its missing columns, or to None where the whole table is missing.
    """

    def replace(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Table) or node.name.lower() not in missing:
            return node
        name = node.name.lower()
        columns = missing[name]
        wanted = sorted(catalog[name] if columns is None else columns)
        nulls = [exp.alias_(exp.cast(exp.Null(), catalog[name][item], dialect="duckdb"), item) for item in wanted]
        if columns is None:
            inner = exp.select(*nulls).where(exp.false())
        else:
            inner = exp.select(exp.Column(this=exp.Star(), table=exp.to_identifier("whole")), *nulls).from_(
                exp.alias_(exp.to_table(name), "whole", table=True)
            )
        return inner.subquery(node.alias_or_name, copy=False)

    return tree.transform(replace) if missing else tree


def render(tree: exp.Expr, *, dialect: str = "duckdb") -> str:
    """Return the SQL text of `tree` for an engine."""
    return tree.sql(dialect=dialect, pretty=True)
