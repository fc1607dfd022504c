"""Throttling (concepts/throttling-limits), in wall time: windows of requests, and requests at once.

Outlook: 10,000 requests in ten minutes and four at once, for each application and mailbox. Directory: resource units
in ten seconds for each application and tenant (3,500 in a small one). Graph as a whole: 130,000 requests in ten
seconds for each application. A window begins with its first request; a refused request counts too, since "Graph
continues to log resource usage while a client is being throttled".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from leakwatch.sandbox.clock import monotonic_seconds
from leakwatch.sandbox.microsoft.errors import too_many, too_many_concurrent, too_many_for_mailbox

#: Seconds of each window.
MAILBOX_WINDOW, DIRECTORY_WINDOW, GLOBAL_WINDOW = 600.0, 10.0, 10.0


@dataclass(slots=True)
class Limits:
    """What is enforced; 0 is no limit."""

    mailbox_requests: int = 10_000
    mailbox_at_once: int = 4
    directory_units: int = 3_500
    global_requests: int = 130_000

    @classmethod
    def profile(cls, name: str) -> Limits:
        """By name: `real` and `legacy` are Graph's, `generous` has none of rate, `off` none at all."""
        if name in ("real", "legacy"):
            return cls()
        return cls(0, 4 if name == "generous" else 0, 0, 0)

    def as_json(self) -> dict[str, Any]:
        """The limits as the control API shows them."""
        return asdict(self)


@dataclass(slots=True)
class _Window:
    began: float
    used: int = 0


@dataclass
class Throttle:
    """What was used of the limits so far."""

    limits: Limits = field(default_factory=Limits)
    now: Callable[[], float] = monotonic_seconds
    requests: dict[str, int] = field(default_factory=dict[str, int])
    """Requests by mailbox, since the ledger was emptied."""
    running: dict[str, int] = field(default_factory=dict[str, int])
    paused: dict[str, float] = field(default_factory=dict[str, float])
    """Mailboxes that are throttled until an instant of `now`, whatever they used (control API)."""
    _windows: dict[tuple[str, str], _Window] = field(default_factory=dict[tuple[str, str], _Window])

    def charge_global(self, app: str) -> None:
        """One request of the application; raises GraphError."""
        left = self._charge("graph", app, 1, self.limits.global_requests, GLOBAL_WINDOW)
        if left is not None:
            raise too_many(left)

    def charge_mailbox(self, app: str, mailbox: str) -> None:
        """One request to a mailbox; raises GraphError."""
        self.requests[mailbox] = self.requests.get(mailbox, 0) + 1
        until = self.paused.get(mailbox, 0.0) - self.now()
        if until > 0:
            raise too_many_for_mailbox(until)
        left = self._charge("mailbox", f"{app} {mailbox}", 1, self.limits.mailbox_requests, MAILBOX_WINDOW)
        if left is not None:
            raise too_many_for_mailbox(left)

    def charge_directory(self, app: str, units: int) -> None:
        """One request to the directory that costs so many units; raises GraphError."""
        left = self._charge("directory", app, units, self.limits.directory_units, DIRECTORY_WINDOW)
        if left is not None:
            raise too_many(left)

    def _charge(self, service: str, who: str, units: int, limit: int, length: float) -> float | None:
        """Take units from the window; the seconds until the next one where it is used up."""
        if not limit:
            return None
        moment = self.now()
        window = self._windows.setdefault((service, who), _Window(moment))
        if moment - window.began >= length:
            window.began, window.used = moment, 0
        window.used += units
        return window.began + length - moment if window.used > limit else None

    def enter(self, key: str) -> None:
        """One more request runs; raises GraphError where four do."""
        count = self.running.get(key, 0)
        if self.limits.mailbox_at_once and count >= self.limits.mailbox_at_once:
            raise too_many_concurrent()
        self.running[key] = count + 1

    def leave(self, key: str) -> None:
        """One request has ended."""
        self.running[key] = max(0, self.running.get(key, 0) - 1)

    def reset(self) -> None:
        """Forget what was used and who is paused."""
        self.requests.clear()
        self.paused.clear()
        self._windows.clear()
