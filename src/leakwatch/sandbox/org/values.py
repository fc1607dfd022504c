"""Field values: how they arrive in JSON, how they are kept, how they go out.

Kept: text as it is (empty text is null), booleans as 0/1, numbers as numbers, ids with 18 characters, dates as
`2026-01-31`, instants as `2026-01-31T10:00:00.000+0000` (second resolution, always UTC): the form the REST
API answers with, which also sorts as it should.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.errors import OrgError, bad
from leakwatch.sandbox.org.schema import NUMBER_TYPES, Field, Schema

MAX_INT = 2**31 - 1  # `xsd:int` of the field types
FIRST_YEAR, FIRST_YEAR_AFTER = 1700, 4001
"""Dates that a record can hold (Salesforce help, "Supported Date Format"); the code of the refusal is unverified."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})\Z", re.IGNORECASE)
_PLACE = re.compile(r"\{(0+|YYYY|YY|MM|DD)\}")
_TIME = re.compile(r"(\d{2}):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,9}))?)?(?:Z|\+00:00)?\Z", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@<>(),;:\\\"\[\]]+@(?:[^\s@<>(),;:\\\"\[\]._]+(?:[-_]+[^\s@.]+)*\.)+[^\s@.\d]{2,}\Z")


def instant_text(moment: datetime) -> str:
    """An aware instant as it is kept."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def instant_of(text: str) -> datetime:
    """The aware instant of a kept text."""
    return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)


def parse_instant(text: str) -> str | None:
    """A JSON or SOQL dateTime in the form it is kept, None if it is none (an offset is required)."""
    match = _INSTANT.match(text)
    if not match:
        return None
    day, clock, offset = match.groups()
    zone = "+0000" if offset in "Zz" else offset.replace(":", "")
    try:
        return instant_text(datetime.strptime(f"{day}T{clock}{zone}", "%Y-%m-%dT%H:%M:%S%z"))
    except (ValueError, OverflowError):  # the offset may lead out of the years 1 to 9999
        return None


def parse_date(text: str) -> str | None:
    """A `yyyy-MM-dd` date, None if it is none."""
    if not _DATE.match(text):
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def parse_time(text: str) -> str | None:
    """A time of day in the form it is kept and answered, `10:30:00.000Z`; None if it is none."""
    match = _TIME.match(text)
    if not match or match.group(1) > "23":
        return None
    return f"{match.group(1)}:{match.group(2)}:{match.group(3) or '00'}.{(match.group(4) or '').ljust(3, '0')[:3]}Z"


def numbered(written: str, number: int, now: str) -> str:
    """An auto-number as its display format writes it: `{0000}` the number, `{YYYY}`, `{YY}`, `{MM}`, `{DD}` today.

    `now` is a kept instant; without a format the number stands alone.
    """
    parts = {"YYYY": now[:4], "YY": now[2:4], "MM": now[5:7], "DD": now[8:10]}
    return _PLACE.sub(lambda match: parts.get(match[1]) or str(number).zfill(len(match[1])), written or "{0}")


def local_date(instant: str, zone: ZoneInfo) -> str:
    """The calendar day of a kept instant in a time zone."""
    return instant_of(instant).astimezone(zone).date().isoformat()


def is_email(text: str) -> bool:
    """Whether Salesforce would take it as an address (a plausible rule; its own is not published)."""
    return bool(_EMAIL.match(text)) and ".." not in text


def _parser_error(kind: str, value: Any) -> OrgError:
    token = "VALUE_STRING" if isinstance(value, str) else "VALUE_NUMBER" if _is_number(value) else "START_OBJECT"
    if isinstance(value, bool):
        token = f"VALUE_{str(value).upper()}"
    return bad(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {kind} from {token} value {value} "
        "or request may be missing a required field at [line:1, column:1]",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _number(field: Field, value: Any) -> int | float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _parser_error(field.type if field.type == "int" else "double", value) from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise _parser_error("double", value)
    if field.type == "int":
        if number != int(number) or abs(number) > MAX_INT:
            raise _parser_error("int", value)
        return int(number)
    if field.precision and abs(number) >= 10 ** (field.precision - field.scale):
        raise bad(
            "NUMBER_OUTSIDE_VALID_RANGE",
            f"{field.label}: value outside of valid range on numeric field: {value}",
            field.name,
        )
    return number


def parse_id(schema: Schema, field: Field, value: Any) -> str:
    """A reference: well-formed, and of an object that the field may point to."""
    normal = ids.normalise(value) if isinstance(value, str) else None
    if normal is None:
        raise bad("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", field.name)
    target = schema.of_id(normal)
    if field.refers_to and (target is None or target.name not in field.refers_to):
        raise bad("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", field.name)
    return normal


def _text(field: Field, value: Any) -> str | None:
    if isinstance(value, bool | dict | list):
        raise _parser_error("string", value)
    text = str(value)
    if not text:
        return None
    if field.length and len(text) > field.length:
        raise bad(
            "STRING_TOO_LONG",
            f"{field.label}: data value too large: {text[:200]} (max length={field.length})",
            field.name,
        )
    if field.can("R") and field.picklist and text not in {value for value, _ in field.picklist}:
        raise bad(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            f"{field.label}: bad value for restricted picklist field: {text}",
            field.name,
        )
    if field.type == "email" and not is_email(text):
        raise bad("INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {text}", field.name)
    return text


def parse(schema: Schema, field: Field, value: Any) -> Any:
    """A JSON value of a written row in the form it is kept; refuses what the real service refuses."""
    if value is None:
        return None
    kind = field.type
    if kind == "boolean":
        return _boolean(value)
    if kind in NUMBER_TYPES:
        return None if value == "" else _number(field, value)
    if kind in ("date", "datetime"):
        if value == "":
            return None
        parsed = (parse_date if kind == "date" else parse_instant)(value) if isinstance(value, str) else None
        if parsed is None or not FIRST_YEAR <= int(parsed[:4]) < FIRST_YEAR_AFTER:
            raise _parser_error(kind, value)
        return parsed
    if kind == "time":
        clock = parse_time(value) if isinstance(value, str) and value else None
        if clock is None and value != "":
            raise _parser_error(kind, value)
        return clock
    if kind in ("reference", "id"):
        return None if value == "" else parse_id(schema, field, value)
    return _text(field, value)


def _boolean(value: Any) -> int:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return int(value.lower() == "true")
    raise _parser_error("boolean", value)


def seeded(field: Field, value: Any) -> Any:
    """A Python value of a seeded row in the form it is kept: trusted, but its shape must be right."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return instant_text(value) if field.type == "datetime" else value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if field.type == "boolean":
        return int(bool(value))
    if field.type in NUMBER_TYPES:
        return int(value) if field.type == "int" else float(value)
    reader = _SEED_READERS.get(field.type)
    kept = reader(value) if reader else str(value)
    if kept is None:
        raise ValueError(f"{field.name}: not of the type {field.type}: {value!r}")
    return kept


_SEED_READERS: dict[str, Callable[[str], str | None]] = {
    "datetime": parse_instant,
    "date": parse_date,
    "time": parse_time,
    "id": ids.normalise,
    "reference": ids.normalise,
}


def outgoing(field: Field, value: Any) -> Any:
    """A kept value as the REST API answers it."""
    if value is None:
        return None
    return bool(value) if field.type == "boolean" else value
