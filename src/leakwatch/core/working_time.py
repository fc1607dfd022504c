"""When a company works: its days, its hours and its holidays, in its own time zone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """The working days (0 is Monday), the hours of each, and the days on which nobody works although they are some."""

    days: frozenset[int] = frozenset({0, 1, 2, 3, 4})
    opens: time = time(9)
    closes: time = time(18)
    holidays: frozenset[date] = frozenset()

    def is_worked(self, day: date) -> bool:
        """Return whether `day` is a working day."""
        return day.weekday() in self.days and day not in self.holidays

    def add_days(self, start: date, days: int) -> date:
        """Return the date `days` working days after `start`; 0 moves a day off to the next working day."""
        day, left = start, days
        while left > 0 or not self.is_worked(day):
            day += timedelta(days=1)
            left -= self.is_worked(day)
        return day


def parse_hours(text: str) -> tuple[time, time]:
    """Return the beginning and the end of hours such as `09:00-18:00`.

    Raises:
        ValueError: it is no such text, or the end is not after the beginning.
    """
    first, dash, last = text.partition("-")
    try:
        opens, closes = (time.fromisoformat(part.strip()) for part in (first, last))
    except ValueError:
        dash = ""
        opens = closes = time()
    if not dash or opens.tzinfo or closes.tzinfo or opens >= closes:
        raise ValueError("expected hours of one day such as 09:00-18:00, the end after the beginning")
    return opens, closes
