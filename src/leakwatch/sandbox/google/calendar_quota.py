"""Calendar's quota in requests: a minute and user, a minute and project, a day and project. In wall time.

"Per minute per project: 10,000; per minute per user per project: 600" (guide "Manage quotas"); the threshold of a
day is 1,000,000 as far as it can be read, so that figure is *unverified*. The impersonated user is charged. The
guide: a limit a minute gives 403 or 429 with `rateLimitExceeded` or `userRateLimitExceeded`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from leakwatch.sandbox.clock import monotonic_seconds
from leakwatch.sandbox.google.calendar_errors import rate_limited, usage_limits_exceeded, user_rate_limited

_MINUTE, _DAY = 60, 86_400

#: requests a minute and user, a minute and project, a day and project
PROFILES: dict[str, tuple[bool, int, int, int]] = {
    "real": (True, 600, 10_000, 1_000_000),
    "legacy": (True, 600, 10_000, 1_000_000),
    "generous": (True, 60_000, 1_000_000, 100_000_000),
    "off": (False, 0, 0, 0),
}


@dataclass(slots=True)
class CalendarQuotaSettings:
    """What is enforced; `answer` is the status of a refusal by the minute: 403 or 429."""

    enabled: bool = True
    per_user_minute: int = 60_000
    per_project_minute: int = 1_000_000
    per_project_day: int = 100_000_000
    answer: int = 403

    @classmethod
    def profile(cls, name: str) -> CalendarQuotaSettings:
        """Settings by name: real, legacy (the same), generous, off."""
        return cls(*PROFILES[name])

    def as_json(self) -> dict[str, Any]:
        """The settings as the control API shows them."""
        return asdict(self)


@dataclass(slots=True)
class CalendarQuota:
    """Requests counted in windows that begin with the first one in them."""

    settings: CalendarQuotaSettings = field(default_factory=CalendarQuotaSettings)
    now: Callable[[], float] = monotonic_seconds
    requests: dict[str, int] = field(default_factory=dict[str, int])
    _windows: dict[str, tuple[float, int]] = field(default_factory=dict[str, tuple[float, int]])

    def charge(self, user: str) -> None:
        """Count one request of a user, or refuse it."""
        limits = self.settings
        if limits.enabled:
            if self._count("day", _DAY) >= limits.per_project_day:
                raise usage_limits_exceeded()
            if self._count("project", _MINUTE) >= limits.per_project_minute:
                raise rate_limited(limits.answer)
            if self._count(f"user {user}", _MINUTE) >= limits.per_user_minute:
                raise user_rate_limited(limits.answer)
            for name in ("day", "project", f"user {user}"):
                begun, count = self._windows[name]
                self._windows[name] = (begun, count + 1)
        self.requests[user] = self.requests.get(user, 0) + 1

    def _count(self, name: str, length: int) -> int:
        begun, count = self._windows.get(name, (self.now(), 0))
        if self.now() - begun >= length:
            begun, count = self.now(), 0
        self._windows[name] = (begun, count)
        return count

    def reset(self) -> None:
        """Forget what was counted."""
        self.requests.clear()
        self._windows.clear()
