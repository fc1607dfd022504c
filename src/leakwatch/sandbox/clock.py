"""The sandbox's two clocks.

Business time (records, mails, rules) is *virtual*: it stands still until somebody moves it, so that two
runs of the same world see the same instants. Token endpoints and quotas keep *wall* time, because the
real auth libraries sign with it and refuse anything else.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path


class ClockError(ValueError):
    """The clock was asked for something a clock cannot do."""


def as_utc(moment: datetime) -> datetime:
    """Return `moment` in UTC; a naive moment is refused, because nobody knows what it means."""
    if moment.tzinfo is None:
        raise ClockError(f"a moment needs its time zone: {moment.isoformat()}")
    return moment.astimezone(UTC)


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant with its offset (`Z` allowed) as aware UTC."""
    try:
        return as_utc(datetime.fromisoformat(text))
    except ValueError as error:
        raise ClockError(f"not an ISO 8601 instant with an offset: {text!r}") from error


def format_instant(moment: datetime) -> str:
    """Write an instant as `2026-03-02T05:00:00Z`, with a fraction only where there is one."""
    return as_utc(moment).isoformat().replace("+00:00", "Z")


def wall_seconds() -> float:
    """Wall time in seconds since the epoch: for tokens and quotas only."""
    return time.time()


def monotonic_seconds() -> float:
    """Seconds that never run backwards: for rates."""
    return time.monotonic()


class VirtualClock:
    """Business time of one sandbox: frozen unless moved, never backwards, kept on disk."""

    def __init__(self, path: Path | None, start: datetime) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._now = as_utc(start)
        if path is not None and path.exists():
            self._now = parse_instant(path.read_text(encoding="utf-8").strip())
        else:
            self._write()

    def now(self) -> datetime:
        """The virtual instant, aware, in UTC."""
        return self._now

    def move_to(self, moment: datetime) -> datetime:
        """Move forward to `moment`; standing still is allowed, moving back is not."""
        target = as_utc(moment)
        with self._lock:
            if target < self._now:
                raise ClockError(
                    f"the clock stands at {format_instant(self._now)} and does not go back to {format_instant(target)}"
                )
            self._now = target
            self._write()
        return target

    def advance(self, step: timedelta) -> datetime:
        """Move forward by `step`."""
        return self.move_to(self._now + step)

    def reset_to(self, moment: datetime) -> datetime:
        """Set the clock to any instant: only for restoring a saved state."""
        with self._lock:
            self._now = as_utc(moment)
            self._write()
        return self._now

    def _write(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(self._path.name + ".new")
        temporary.write_text(format_instant(self._now) + "\n", encoding="utf-8")
        temporary.replace(self._path)
