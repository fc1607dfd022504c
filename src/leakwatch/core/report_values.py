"""How Python values stand in a report's JSON: decimals and dates as strings, so that nothing is rounded on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from leakwatch.core.report_numbers import Amount
from leakwatch.model import Text

_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")


def text(value: str) -> str:
    """Return `value` as valid Unicode: lone surrogates (broken input files) become U+FFFD."""
    return value if value.isascii() else value.translate(_SURROGATES)


def both(value: Text) -> dict[str, str]:
    """Return a two-language text as an object."""
    return {"en": text(value.en), "tr": text(value.tr)}


def moment(value: datetime | None) -> str | None:
    """Return an aware datetime as ISO 8601 in UTC with `Z`, whole seconds."""
    if value is None:
        return None
    return value.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def decimal(value: Decimal | None) -> str | None:
    """Return a decimal in plain notation (never `1E+6`); None for None, NaN and infinities."""
    return format(value, "f") if value is not None and value.is_finite() else None


def evidence(value: Any) -> str | int | bool | None:
    """Return one shown column: booleans and whole numbers as they are, everything else as text."""
    match value:
        case None | bool() | int():
            return value
        case Decimal():
            return decimal(value)
        case float():  # a rule's SQL may yield one; money never does
            return decimal(Decimal(repr(value)))
        case datetime():
            return moment(value) if value.tzinfo else value.isoformat()
        case date():
            return value.isoformat()
        case _:
            return text(str(value))


def evidence_type(value: Any) -> str:
    """Return the type's name in `rules[].evidence_types`: how to read the string again."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case Decimal() | float():
            return "decimal"
        case datetime():
            return "datetime"
        case date():
            return "date"
        case _:
            return "text"


def amounts(sums: Mapping[str, Amount], main: str) -> list[dict[str, Any]]:
    """Return one object per currency: the main currency first, the others by code."""
    ordered: Iterable[Amount] = sorted(sums.values(), key=lambda entry: (entry.currency != main, entry.currency))
    return [
        {"currency": entry.currency, "amount": format(entry.amount, "f"), "records": entry.records} for entry in ordered
    ]
