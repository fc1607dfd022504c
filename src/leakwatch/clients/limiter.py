"""Pacing in the providers' own quota units: one allowance per (provider, principal) and one per (provider, project).

Google counts per minute. A classic token bucket that holds a full minute's units may spend nearly two minutes' worth
within one (the full bucket and its refill), so the allowance here is counted over the last 60 seconds instead: never
more than the quota in any minute, and still all of it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from leakwatch.errors import TransientError
from leakwatch.ports import Clock

WINDOW_S = 60.0
SLOT_S = 1.0  # spends are summed per second; a slot is freed a second late rather than early
LONGEST_WAIT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Quota:
    """What a provider allows, and what its calls cost, in its own units."""

    per_principal_minute: int
    per_project_minute: int
    costs: Mapping[str, int]
    default_cost: int = 5  # for a call the table does not name: the price of messages.list

    def cost(self, operation: str) -> int:
        """Return the units one `operation` costs."""
        return self.costs.get(operation, self.default_cost)


# Gmail API "Usage limits", prices for projects without Gmail use before 1 May 2026; getProfile, labels.list, watch and
# stop were not seen in the new table and stand as in the old one.
GMAIL_2026 = Quota(
    per_principal_minute=6_000,
    per_project_minute=1_200_000,
    costs={
        "getProfile": 1, "labels.list": 1, "history.list": 2, "messages.list": 5, "messages.get": 20,
        "threads.get": 40, "watch": 100, "stop": 50,
    },
)  # fmt: skip
GMAIL_GRANDFATHERED = Quota(
    per_principal_minute=15_000,
    per_project_minute=1_200_000,
    costs={**GMAIL_2026.costs, "messages.get": 5, "threads.get": 10},
)
# Calendar API, "Manage quotas": 600 requests per minute and user, 10,000 per project; every call counts one.
CALENDAR = Quota(per_principal_minute=600, per_project_minute=10_000, costs={}, default_cost=1)
# Pub/Sub, "Quotas and limits": tens of thousands of calls a minute. What we do is one after the other: no limit of ours
# but that of a loop that runs wild.
PUBSUB = Quota(per_principal_minute=600, per_project_minute=600, costs={}, default_cost=1)
# Directory API: 2,400 queries per minute and user by default; every call counts one.
DIRECTORY = Quota(per_principal_minute=2_400, per_project_minute=2_400, costs={}, default_cost=1)

# Graph: Outlook allows 10,000 requests per 10 minutes, app and mailbox; Graph itself 130,000 per 10 seconds and app
# (concepts/throttling-limits). Every call counts one, and so does every part of a batch.
GRAPH = Quota(per_principal_minute=1_000, per_project_minute=780_000, costs={}, default_cost=1)


class _Allowance:
    """Units spent in the last minute, and the moment before which nothing may be spent."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.paused_until = 0.0
        self._slots: deque[tuple[float, int]] = deque()
        self._spent = 0

    def wait_for(self, units: int, now: float) -> float:
        """Return the seconds until `units` may be spent; 0 if now. More than the limit waits for an empty window."""
        while self._slots and self._slots[0][0] + WINDOW_S + SLOT_S <= now:
            self._spent -= self._slots.popleft()[1]
        wait = max(0.0, self.paused_until - now)
        room = max(0, self.limit - units)
        left = self._spent
        for started, spent in self._slots:
            if left <= room:
                break
            left -= spent
            wait = max(wait, started + WINDOW_S + SLOT_S - now)
        return wait

    def spend(self, units: int, now: float) -> None:
        slot = now // SLOT_S * SLOT_S
        if self._slots and self._slots[-1][0] == slot:
            units_before = self._slots.pop()[1]
            self._slots.append((slot, units_before + units))
        else:
            self._slots.append((slot, units))
        self._spent += units


class Limiter:
    """Shared by every caller of one or more providers. Thread-safe; waits by the clock's own sleep."""

    def __init__(self, clock: Clock, quotas: Mapping[str, Quota], *, longest_wait: timedelta = LONGEST_WAIT) -> None:
        self._clock = clock
        self._quotas = dict(quotas)
        self._longest_wait_s = longest_wait.total_seconds()
        self._lock = threading.Lock()
        self._principals: dict[tuple[str, str], _Allowance] = {}
        self._projects = {name: _Allowance(quota.per_project_minute) for name, quota in quotas.items()}
        self._spent: dict[str, int] = {}
        self._calls: dict[str, int] = {}

    def acquire(self, provider: str, principal: str, operation: str, count: int = 1) -> None:
        """Return once `count` calls of `operation` may be made for `principal`, having booked their units.

        Raises:
            TransientError: the provider asked for a pause longer than the longest wait; `retry_after` is what is left.
        """
        units = self._quotas[provider].cost(operation) * count
        while True:
            with self._lock:
                now = self._clock.monotonic()
                allowances = (self._allowance(provider, principal), self._projects[provider])
                wait = max(allowance.wait_for(units, now) for allowance in allowances)
                if wait <= 0:
                    for allowance in allowances:
                        allowance.spend(units, now)
                    self._spent[provider] = self._spent.get(provider, 0) + units
                    self._calls[operation] = self._calls.get(operation, 0) + count
                    return
            if wait > self._longest_wait_s:
                raise TransientError(
                    f"{provider} asked to be left alone for {wait:.0f} seconds. Nothing is lost: this mailbox is read "
                    f"on in a later cycle.",
                    retry_after=timedelta(seconds=wait),
                )
            self._clock.sleep(wait)

    def cheaper_from(self, provider: str, whole: str, each: str) -> int:
        """Return of how many calls of `each` on, one call of `whole` in their place costs less."""
        quota = self._quotas[provider]
        return quota.cost(whole) // quota.cost(each) + 1

    def pause(self, provider: str, principal: str | None, wait: timedelta) -> None:
        """Let nobody call for `principal` (None: for anyone of `provider`) until `wait` has passed."""
        with self._lock:
            allowance = self._projects[provider] if principal is None else self._allowance(provider, principal)
            allowance.paused_until = max(allowance.paused_until, self._clock.monotonic() + wait.total_seconds())

    def spent(self) -> Mapping[str, int]:
        """Return the units booked so far, by provider."""
        with self._lock:
            return dict(self._spent)

    def calls(self) -> Mapping[str, int]:
        """Return the calls booked so far, by operation (a batch of 50 gets counts 50)."""
        with self._lock:
            return dict(self._calls)

    def _allowance(self, provider: str, principal: str) -> _Allowance:
        key = (provider, principal)
        if key not in self._principals:
            self._principals[key] = _Allowance(self._quotas[provider].per_principal_minute)
        return self._principals[key]
