"""The only place that asks the time. Everything else is given `now` (aware UTC)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never jumps."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block for `seconds`."""
        time.sleep(seconds)


class SettableClock:
    """A clock that stands still until moved: for the demo, `--as-of` and tests. Sleeping moves it."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock needs an aware datetime")
        self._now = start.astimezone(UTC)
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the moment last set, aware UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds this clock was moved or slept since it was made."""
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Move the clock forward by `seconds` at once."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def move_to(self, moment: datetime) -> None:
        """Set the clock to `moment` (aware)."""
        self._monotonic += max(0.0, (moment - self._now).total_seconds())
        self._now = moment.astimezone(UTC)


class ShiftedClock:
    """A clock begun at `start` (aware) that goes on with the machine's: for a sandbox, whose time is not ours."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock needs an aware datetime")
        self._start = start.astimezone(UTC)
        self._zero = time.monotonic()

    def now(self) -> datetime:
        """Return `start` and the time since this clock was made, aware UTC."""
        return self._start + timedelta(seconds=time.monotonic() - self._zero)

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never jumps."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block for `seconds`."""
        time.sleep(seconds)
