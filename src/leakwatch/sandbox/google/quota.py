"""Gmail's quota: units per user and minute, and requests in flight per user. In wall time.

Prices are data. `2026` is what a project gets that had no Gmail use before 1 May 2026 (6,000 units a minute
and user; messages.get 20, threads.get 40), `legacy` what older projects keep (15,000; 5; 10). The prices of
list and history are the same in both; getProfile (1), watch (100) and stop (50) were seen in the old table only.
Methods the tables do not name cost 5, as messages.list does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from leakwatch.sandbox.clock import monotonic_seconds, wall_seconds
from leakwatch.sandbox.google.errors import GoogleError, quota_exceeded, too_many_concurrent, user_rate_limited

PRICES: dict[str, dict[str, int]] = {
    "2026": {
        "messages.get": 20, "threads.get": 40, "messages.list": 5, "threads.list": 10, "history.list": 2,
        "getProfile": 1, "labels.list": 1, "labels.get": 1, "messages.attachments.get": 5, "watch": 100, "stop": 50,
    },
    "legacy": {
        "messages.get": 5, "threads.get": 10, "messages.list": 5, "threads.list": 10, "history.list": 2,
        "getProfile": 1, "labels.list": 1, "labels.get": 1, "messages.attachments.get": 5, "watch": 100, "stop": 50,
    },
}  # fmt: skip

DEFAULT_PRICE = 5

#: units a minute and user; parts of a batch that may run at once for one user. `generous` is for
#: demonstrations: the limit is there, a demo of two weeks does not meet it.
PROFILES: dict[str, tuple[bool, int, int]] = {
    "real": (True, 6_000, 50),
    "legacy": (True, 15_000, 50),
    "generous": (True, 600_000, 100),
    "off": (False, 0, 0),
}


@dataclass(slots=True)
class QuotaSettings:
    """What is enforced. `answer` is how: 429 with the instant in the text, or 403 rateLimitExceeded."""

    enabled: bool = True
    prices: str = "2026"
    units_per_user_minute: int = 600_000
    concurrent_per_user: int = 100
    answer: int = 429

    @classmethod
    def profile(cls, name: str) -> QuotaSettings:
        """Settings by name: real, legacy, generous, off."""
        enabled, units, concurrent = PROFILES[name]
        prices = "legacy" if name == "legacy" else "2026"
        return cls(enabled, prices, units, concurrent)

    def as_json(self) -> dict[str, Any]:
        """The settings as the control API shows them."""
        return asdict(self)


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


@dataclass
class Quota:
    """Token buckets by user, refilled evenly over the minute."""

    settings: QuotaSettings = field(default_factory=QuotaSettings)
    now: Callable[[], float] = monotonic_seconds
    wall: Callable[[], float] = wall_seconds
    units: dict[str, int] = field(default_factory=dict[str, int])
    in_flight: dict[str, int] = field(default_factory=dict[str, int])
    _buckets: dict[str, _Bucket] = field(default_factory=dict[str, _Bucket])

    def charge(self, user: str, method: str) -> None:
        """Take the method's price from the user's bucket, or refuse."""
        price = PRICES[self.settings.prices].get(method, DEFAULT_PRICE)
        limit = self.settings.units_per_user_minute
        if self.settings.enabled:
            moment = self.now()
            bucket = self._buckets.setdefault(user, _Bucket(limit, moment))
            bucket.left = min(limit, bucket.left + (moment - bucket.at) * limit / 60)
            bucket.at = moment
            if bucket.left < price:
                raise self._refusal((price - bucket.left) * 60 / limit)
            bucket.left -= price
        self.units[user] = self.units.get(user, 0) + price

    def _refusal(self, seconds: float) -> GoogleError:
        if self.settings.answer == 403:
            return quota_exceeded()
        moment = datetime.fromtimestamp(self.wall() + seconds, UTC)
        return user_rate_limited(moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"))

    def enter(self, user: str) -> None:
        """One more request of this user is running."""
        running = self.in_flight.get(user, 0)
        if self.settings.enabled and running >= self.settings.concurrent_per_user:
            raise too_many_concurrent()
        self.in_flight[user] = running + 1

    def leave(self, user: str) -> None:
        """One request of this user has ended."""
        self.in_flight[user] = max(0, self.in_flight.get(user, 0) - 1)

    def reset(self) -> None:
        """Forget what was counted, and fill the buckets."""
        self.units.clear()
        self._buckets.clear()
