"""A rule's parameters: checked against their type and bounds, and derived from the day of the audit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from leakwatch.rule_engine.spec import ParamSpec

BUILT_IN: Mapping[str, str] = {"as_of_date": "date", "as_of_epoch": "int"}


def convert(kind: str, value: Any) -> Any:
    """Return `value` as the parameter type `kind`. Raises ValueError with words for a person."""
    match kind:
        case "int" if isinstance(value, int) and not isinstance(value, bool):
            return value
        case "decimal" if isinstance(value, int | str | Decimal) and not isinstance(value, bool):
            try:
                number = Decimal(value)
            except InvalidOperation:
                number = Decimal("NaN")
            if number.is_finite():
                return number
        case "date" if isinstance(value, date) and not isinstance(value, datetime):
            return value
        case "text" if isinstance(value, str):
            return value
        case "bool" if isinstance(value, bool):
            return value
        case _:
            pass
    raise ValueError(f"expected a value of type {kind}, got {value!r}")


def check(spec: ParamSpec, value: Any) -> Any:
    """Return `value` converted and inside the bounds of `spec`. Raises ValueError with words for a person."""
    converted = convert(spec.type, value)
    if spec.min is not None and converted < convert(spec.type, spec.min):
        raise ValueError(f"{value} is below the smallest allowed value {spec.min}")
    if spec.max is not None and converted > convert(spec.type, spec.max):
        raise ValueError(f"{value} is above the largest allowed value {spec.max}")
    return converted


def derivation_problem(name: str, spec: ParamSpec, specs: Mapping[str, ParamSpec]) -> str | None:
    """Return what is wrong with the `derive` of parameter `name`, or None."""
    left, sign, right = spec.derive or ["", "", ""]
    if sign not in ("+", "-"):
        return f'`derive` of {name}: the middle must be "+" or "-", got {sign!r}'
    kinds: list[str] = []
    for part in (left, right):
        if isinstance(part, int) and not isinstance(part, bool):
            kinds.append("int")
        elif str(part) in BUILT_IN:
            kinds.append(BUILT_IN[str(part)])
        elif str(part) in specs and specs[str(part)].derive is None:
            kinds.append(specs[str(part)].type)
        else:
            return f"`derive` of {name}: {part!r} is neither a whole number, nor as_of_date, nor a plain parameter"
    if kinds[1] != "int" or kinds[0] not in ("date", "int") or spec.type != kinds[0]:
        return f"`derive` of {name}: expected a date or whole number plus or minus a whole number (of days)"
    return None


def resolve(
    specs: Mapping[str, ParamSpec], values: Mapping[str, Any], *, as_of_date: date, as_of: datetime
) -> dict[str, Any]:
    """Return every parameter with its value: built-in, given (`values` by name) and derived ones."""
    known: dict[str, Any] = {"as_of_date": as_of_date, "as_of_epoch": int(as_of.astimezone(UTC).timestamp())}
    known.update(values)
    for name, spec in specs.items():
        if spec.derive is not None:
            left, sign, right = spec.derive
            start = known.get(left, left)
            amount = known.get(right, right) * (1 if sign == "+" else -1)
            try:
                known[name] = start + timedelta(days=amount) if isinstance(start, date) else start + amount
            except OverflowError:
                known[name] = date.min if amount < 0 else date.max
    return known


def digest(values: Mapping[str, Any]) -> str:
    """Return 16 hex digits that change when a value changes the rule's meaning (0.5 and 0.50 are the same)."""
    plain = {
        name: str(value.normalize()) if isinstance(value, Decimal) else str(value) for name, value in values.items()
    }
    return hashlib.blake2b(json.dumps(plain, sort_keys=True).encode(), digest_size=8).hexdigest()
