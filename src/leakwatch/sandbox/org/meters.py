"""Counters of an org's hourly and daily allocations, and of the requests that run at the same time.

Allocations roll by hours of business time: what was used in an hour comes free when the clock has moved on by
the allocation's length. They are kept in memory, because calls that only read must be able to count, and are
written down when the org is saved or closed.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.store import Store

LONG_SECONDS = 20
"""From when on a request counts as long-running ("API Request Limits and Allocations")."""
_NOTE = "meters"
_KEPT_HOURS = 31 * 24


class Meters:
    """How much of what was used, by hour; `hour` gives the present one."""

    def __init__(self, store: Store, hour: Callable[[], int]) -> None:
        self._store = store
        self._hour = hour
        self._lock = threading.Lock()
        self._used: dict[str, Counter[int]] = {}
        self.load()

    def load(self) -> None:
        """Take up what is written down."""
        kept: dict[str, dict[str, int]] = json.loads(self._store.note(_NOTE) or "{}")
        with self._lock:
            self._used = {name: Counter({int(hour): n for hour, n in hours.items()}) for name, hours in kept.items()}

    def write(self) -> None:
        """Write down what is not too old to matter; the caller may write."""
        with self._lock:
            first = self._hour() - _KEPT_HOURS
            kept = {name: {h: n for h, n in hours.items() if h > first} for name, hours in sorted(self._used.items())}
        with self._store.transaction():
            self._store.set_note(_NOTE, json.dumps(kept))

    def add(self, name: str, n: int = 1) -> None:
        """Use `n` of an allocation."""
        with self._lock:
            self._used.setdefault(name, Counter())[self._hour()] += n

    def used(self, name: str, hours: int = 24) -> int:
        """What was used in the last hours, the present one included."""
        with self._lock:
            first = self._hour() - hours
            return sum(n for hour, n in self._used.get(name, {}).items() if hour > first)

    def take(self, name: str, most: int, hours: int) -> bool:
        """Use one of an allocation of `most` in so many hours; False, and nothing is used, when none is left."""
        if self.used(name, hours) >= most:
            return False
        self.add(name)
        return True

    def as_json(self) -> dict[str, int]:
        """Everything that was used in the last 24 hours."""
        with self._lock:
            names = sorted(self._used)
        return {name: self.used(name) for name in names}


class Running:
    """The requests that are being answered; `seconds` is a clock that never goes back."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._began: dict[int, float] = {}
        self._next = 0

    @contextmanager
    def request(self, *, most: int, others: int = 0) -> Generator[None]:
        """Hold a place while a request is answered.

        Raises OrgError 403 when `most` requests are long-running already; `others` are such that nobody here sees.
        """
        with self._lock:
            now = self.seconds()
            if others + sum(1 for began in self._began.values() if now - began >= LONG_SECONDS) >= most:
                raise OrgError(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")
            self._next += 1
            number = self._next
            self._began[number] = now
        try:
            yield
        finally:
            with self._lock:
                del self._began[number]

    def count(self) -> int:
        """How many there are now."""
        with self._lock:
            return len(self._began)
