"""Field values: how they are kept, and how they go out (how they arrive in JSON is in `written`).

Kept: text as it is (empty text is null), booleans as 0/1, numbers as numbers, ids with 18 characters, dates as
`2026-01-31`, instants as `2026-01-31T10:00:00.000+0000` (second resolution, always UTC): the form the REST
API answers with, which also sorts as it should.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.schema import NUMBER_TYPES, Field

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})\Z", re.IGNORECASE)
_PLACE = re.compile(r"\{(0+|YYYY|YY|MM|DD)\}")
_TIME = re.compile(r"(\d{2}):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,9}))?)?(?:Z|\+00:00)?\Z", re.IGNORECASE)


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
