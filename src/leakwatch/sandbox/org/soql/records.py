"""Rows of a compiled query to the records of the REST API: parents inside, `attributes` everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from leakwatch.sandbox.org.schema import Field, Schema
from leakwatch.sandbox.org.soql.plan import Choice, Plan, Shape

Record = dict[str, Any]
_Row = Sequence[Any]
_Step = Callable[[Record, _Row], None]


def records(schema: Schema, version: str, plan: Plan, rows: Sequence[_Row]) -> list[Record]:
    """The records of rows; their URLs name a version of the API."""
    url = f"/services/data/v{version}/sobjects/"
    base = f"{url}{plan.sobject.name}/"
    steps = _steps(schema, url, plan.shape)
    made: list[Record] = []
    for row in rows:
        record: Record = {"attributes": {"type": plan.sobject.name, "url": base + row[0]}}
        for step in steps:
            step(record, row)
        made.append(record)
    return made


def converter(field: Field) -> Callable[[Any], Any] | None:
    """What turns a stored value into the one that is shown; None where they are the same."""
    return bool if field.type == "boolean" else json.loads if not field.stored else None


def _steps(schema: Schema, url: str, shape: Shape) -> list[_Step]:
    """One small function per output, in the order of the SELECT list."""
    steps: list[_Step] = []
    made: set[tuple[str, ...]] = set()
    for one in shape.columns:
        for i in range(1, len(one.names)):
            parent = one.names[:i]
            if parent not in made:
                made.add(parent)
                steps.append(_parent_step(schema, url, parent, *shape.parents[parent]))
        if one.choice is None:
            steps.append(_value_step(one.names, one.field, one.at))
        else:
            steps.append(_choice_step(schema, url, one.names, one.choice, one.at))
    return steps


def _holder(record: Record, above: Sequence[str]) -> Record | None:
    """The record that a path's last part belongs into; None where a parent on the way is null."""
    holder: Record | None = record
    for part in above:
        holder = holder[part] if holder else None
    return holder


def _value_step(names: tuple[str, ...], field: Field, at: int) -> _Step:
    *above, name = names
    convert = converter(field)

    def step(record: Record, row: _Row) -> None:
        holder = _holder(record, above) if above else record
        if holder is not None:
            value = row[at]
            holder[name] = value if value is None or convert is None else convert(value)

    return step


def _parent_step(schema: Schema, url: str, path: tuple[str, ...], at: int, entity: str) -> _Step:
    *above, name = path

    def step(record: Record, row: _Row) -> None:
        holder = _holder(record, above)
        if holder is None:
            return
        parent_id = row[at]
        if parent_id is None:
            holder[name] = None
            return
        target = schema.of_id(parent_id)
        link = f"{url}{target.name if target else entity}/{parent_id}"
        holder[name] = {"attributes": {"type": entity, "url": link}}

    return step


def _choice_step(schema: Schema, url: str, path: tuple[str, ...], choice: Choice, at: int) -> _Step:
    """What puts in the record of a TYPEOF; that one of ELSE is of the type `Name` is unverified."""
    *above, name = path
    branches = {of: _steps(schema, url, shape) for of, shape in choice.branches.items()}
    otherwise = None if choice.otherwise is None else _steps(schema, url, choice.otherwise)

    def step(record: Record, row: _Row) -> None:
        holder = _holder(record, above)
        if holder is None:
            return
        target = schema.of_id(row[at]) if row[at] else None
        inner = branches.get(target.name, otherwise) if target else None
        if target is None or inner is None:
            holder[name] = None
            return
        kind = target.name if target.name in branches else "Name"
        chosen: Record = {"attributes": {"type": kind, "url": f"{url}{target.name}/{row[at]}"}}
        for one in inner:
            one(chosen, row)
        holder[name] = chosen

    return step
