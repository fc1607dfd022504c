"""What SQL lacks for SOQL's functions, as functions that a connection to the org's file knows.

Kept values come in (see `values`: instants are UTC text), numbers and texts go out; null in, null out.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal

from leakwatch.sandbox.org import values

DATE_PARTS = frozenset(
    (
        *("CALENDAR_MONTH", "CALENDAR_QUARTER", "CALENDAR_YEAR"),
        *("DAY_IN_MONTH", "DAY_IN_WEEK", "DAY_IN_YEAR", "DAY_ONLY"),
        *("FISCAL_MONTH", "FISCAL_QUARTER", "FISCAL_YEAR"),
        *("HOUR_IN_DAY", "WEEK_IN_MONTH", "WEEK_IN_YEAR"),
    )
)
"""The date functions (SOQL reference, "Date Functions")."""
INSTANTS_ONLY = frozenset(("DAY_ONLY", "HOUR_IN_DAY"))
"""Date functions that take a dateTime and no date."""


def register(connection: sqlite3.Connection) -> None:
    """Make the functions known to a connection."""
    for name, (arguments, function) in FUNCTIONS.items():
        connection.create_function(name, arguments, function, deterministic=True)


@lru_cache(maxsize=65536)
def local(instant: str | None, zone: str) -> str | None:
    """A kept instant as the clock of a time zone shows it, in the form of a kept instant."""
    if instant is None:
        return None
    try:
        there = values.instant_of(instant).astimezone(ZoneInfo(zone))
    except OverflowError:  # the first or last day of the years 1 to 9999
        return instant
    return there.strftime("%Y-%m-%dT%H:%M:%S").zfill(19)


@lru_cache(maxsize=65536)
def date_part(name: str, text: str | None, fiscal_month: int) -> int | str | None:
    """The value of a date function over a kept date or dateTime; `fiscal_month` begins the fiscal year."""
    if text is None:
        return None
    if name == "DAY_ONLY":
        return text[:10]
    if name == "HOUR_IN_DAY":
        return int(text[11:13])
    day = date.fromisoformat(text[:10])
    in_year = (day - date(day.year, 1, 1)).days
    months = (day.month - fiscal_month) % 12
    parts = {
        "CALENDAR_MONTH": day.month,
        "CALENDAR_QUARTER": (day.month + 2) // 3,
        "CALENDAR_YEAR": day.year,
        "DAY_IN_MONTH": day.day,
        "DAY_IN_WEEK": day.isoweekday() % 7 + 1,  # 1 for Sunday
        "DAY_IN_YEAR": in_year + 1,
        "FISCAL_MONTH": months + 1,
        "FISCAL_QUARTER": months // 3 + 1,
        # the fiscal year has the name of the calendar year it ends in, as in Opportunity.FiscalYear
        "FISCAL_YEAR": day.year + (1 if fiscal_month > 1 and day.month >= fiscal_month else 0),
        "WEEK_IN_MONTH": (day.day - 1) // 7 + 1,  # the first week is the first seven days
        "WEEK_IN_YEAR": in_year // 7 + 1,
    }
    return parts[name]


def labels(value: str | None, pairs: str) -> str | None:
    """The labels of a picklist's value or, between semicolons, values; `pairs` is JSON of value to label."""
    if value is None:
        return None
    known: dict[str, str] = json.loads(pairs)
    return ";".join(known.get(one, one) for one in value.split(";"))


def formatted(kind: str, value: float | str | None, scale: int, locale: str, more: str) -> str | None:
    """A value as the locale writes it (SOQL reference, "FORMAT()"; its examples show few results, so the details
    are unverified): `more` is the currency's code for `currency` and `iso`, the time zone for `datetime`.
    """
    if value is None:
        return None
    place = _locale(locale)
    if isinstance(value, str):
        pattern = _long_year(str(place.date_formats["short"].pattern))
        if kind == "date":
            return format_date(date.fromisoformat(value), pattern, locale=place)
        moment = values.instant_of(value).astimezone(ZoneInfo(more))
        clock = place.time_formats["short"].pattern
        return _plain(format_datetime(moment, f"{pattern}, {clock}", locale=place))
    if kind == "currency":
        return _plain(format_currency(value, more, locale=place))
    digits = f"#,##0.{'0' * scale}" if scale else "#,##0"
    shown = _plain(format_decimal(value, digits, locale=place))
    return f"{more} {shown}" if kind == "iso" else shown


def _plain(text: str) -> str:
    """With plain blanks: CLDR has narrow and unbreakable ones."""
    return text.replace("\u202f", " ").replace("\xa0", " ")


def _long_year(pattern: str) -> str:
    return pattern if "yyyy" in pattern or "y" not in pattern else pattern.replace("yy", "y").replace("y", "yyyy")


@lru_cache(maxsize=64)
def _locale(name: str) -> Locale:
    """The locale; of a name that CLDR does not know, such as de_DE_EURO, the part that it knows."""
    language, _, rest = name.partition("_")
    try:
        return Locale.parse(f"{language}_{rest[:2]}" if rest else language)
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_US")


def exact(value: float | None) -> float | None:
    """A computed number without the traces that binary fractions leave: to 15 digits."""
    return float(f"{value:.15g}") if isinstance(value, float) else value


FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "sf_local": (2, local),
    "sf_part": (3, date_part),
    "sf_labels": (2, labels),
    "sf_format": (5, formatted),
    "sf_exact": (1, exact),
}
"""Their names in SQL, and how many arguments they take."""
