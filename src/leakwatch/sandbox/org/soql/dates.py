"""Relative date literals: the span of days each stands for (SOQL reference, "Date Formats and Date Literals").

Days begin at midnight in the time zone of the querying user, weeks on Sunday or Monday by the user's locale,
fiscal years with a month of the org's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from leakwatch.sandbox.org import values

_COUNTED = re.compile(r"(LAST|NEXT)_N_(FISCAL_)?(DAYS|WEEKS|MONTHS|QUARTERS|YEARS):(\d+)\Z")
_AGO = re.compile(r"N_(FISCAL_)?(DAYS|WEEKS|MONTHS|QUARTERS|YEARS)_AGO:(\d+)\Z")
_NAMED = re.compile(r"(LAST|THIS|NEXT)_(FISCAL_)?(WEEK|MONTH|QUARTER|YEAR)\Z")
_DAYS = {"YESTERDAY": -1, "TODAY": 0, "TOMORROW": 1}


@dataclass(frozen=True, slots=True)
class Calendar:
    """When and where a query is asked: what relative date literals and some functions hang on."""

    now: datetime
    zone: ZoneInfo
    first_weekday: int = 6
    fiscal_month: int = 1
    locale: str = "en_US"
    currency: str = "USD"
    """The querying user's own currency."""
    user_id: str | None = None

    @property
    def today(self) -> date:
        """The querying user's day."""
        return self.now.astimezone(self.zone).date()

    def midnight(self, day: date) -> str:
        """The instant a day begins, as it is kept."""
        return values.instant_text(datetime.combine(day, time(), tzinfo=self.zone))


def _month(day: date, months: int) -> date:
    """The first of the month that lies `months` after the one of `day`."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _start(unit: str, today: date, offset: int, first_weekday: int, fiscal_month: int) -> date:
    """The first day of the `offset`-th unit from the one that holds today."""
    if unit == "DAY":
        return today + timedelta(days=offset)
    if unit == "WEEK":
        return today - timedelta(days=(today.weekday() - first_weekday) % 7) + timedelta(weeks=offset)
    if unit == "MONTH":
        return _month(today, offset)
    months = 3 if unit == "QUARTER" else 12
    back = (today.month - fiscal_month) % months
    return _month(today, offset * months - back)


def span(literal: str, today: date, *, first_weekday: int = 6, fiscal_month: int = 1) -> tuple[date, date] | None:
    """First day and the day after the last; None for a name that is no literal, or one that leaves the calendar.

    `first_weekday` counts from Monday = 0. LAST_N_DAYS:n ends with today, so it spans n + 1 days.
    """
    try:
        return _span(literal, today, first_weekday, fiscal_month)
    except (OverflowError, ValueError):  # the year 10000, or 0
        return None


def _span(literal: str, today: date, first_weekday: int, fiscal_month: int) -> tuple[date, date] | None:
    literal = literal.replace("_90_DAYS", "_N_DAYS:90")
    if literal in _DAYS:
        day = today + timedelta(days=_DAYS[literal])
        return day, day + timedelta(days=1)

    def start(unit: str, offset: int, fiscal: bool = False) -> date:
        return _start(unit, today, offset, first_weekday, fiscal_month if fiscal else 1)

    if match := _NAMED.match(literal):
        offset = {"LAST": -1, "THIS": 0, "NEXT": 1}[match[1]]
        return start(match[3], offset, bool(match[2])), start(match[3], offset + 1, bool(match[2]))
    if match := _AGO.match(literal):
        unit, n, fiscal = match[2][:-1], int(match[3]), bool(match[1])
        return start(unit, -n, fiscal), start(unit, -n + 1, fiscal)
    if match := _COUNTED.match(literal):
        unit, n, fiscal = match[3][:-1], int(match[4]), bool(match[2])
        if match[1] == "LAST":
            return start(unit, -n, fiscal), start(unit, 1 if unit == "DAY" else 0, fiscal)
        return start(unit, 1, fiscal), start(unit, n + 1, fiscal)
    return None
