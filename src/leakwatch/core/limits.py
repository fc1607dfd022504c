"""Limits on harm: when nobody is told, when nothing is closed, and how many words a person or an org gets a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from leakwatch.model import RuleLimits

MAX_SHRINK = Decimal("0.50")  # a population that halves between two runs is a lost permission until proven otherwise
SMALLEST_GUARDED = 20  # rows; below, halving is ordinary
SHRINK_HOLD = timedelta(days=7)  # after so long the smaller population is taken as true: a week of report lines said so
EMPTY_HOLD = timedelta(days=14)  # none at all is likelier a lost permission: two weekly reports have to say so first


def breaker_note(limits: RuleLimits, *, fresh: int, population: int | None, rule_id: str) -> str | None:
    """Return the line for RevOps if `fresh` (new and reopened findings of one run) passes both limits, else None.

    An unknown population can't excuse a flood: then the count alone decides.
    """
    if fresh <= limits.new_per_run:
        return None
    if population and Decimal(fresh) <= limits.new_share * population:
        return None
    of = f" of {population:,} records examined" if population else ""
    return (
        f"{rule_id}: {fresh:,} new findings at once{of} (limits: {limits.new_per_run:,} and {limits.new_share:.0%}). "
        "They are in the report, nobody was told, and nothing of this rule was closed in this run. Look at a few: a "
        "bad import or a changed field is likelier than so many leaks. If they are right, leave them as baseline."
    )


def shrink_note(
    rule_id: str, *, population: int | None, before: tuple[int, datetime] | None, now: datetime
) -> str | None:
    """Return why this run may close nothing although it succeeded, or None if it may.

    Args:
        rule_id: for the text.
        population: rows examined now.
        before: rows examined in the last complete run, and when. An empty one among them was believed.
        now: aware.
    """
    if population is None or before is None:
        return None
    count, at = before
    hold = SHRINK_HOLD if population else EMPTY_HOLD
    if count == 0 or now - at >= hold:
        return None
    if population and (count < SMALLEST_GUARDED or population >= count * (1 - MAX_SHRINK)):
        return None
    seen = f"only {population:,} records were seen" if population else "no record was seen"
    return (
        f"{rule_id}: {seen}, {count:,} on {at:%Y-%m-%d}. Nothing was closed. If the integration user lost sight of "
        "records, give it back. If they really went, say so with `leakwatch audit --accept-shrunk`, or wait: closing "
        f"resumes by itself {hold.days} days after the last full look."
    )


@dataclass
class DailyAllowance:
    """What may still be said today: per person, per person and rule, and in the whole org. `take` spends it."""

    per_owner: int
    per_day: int
    _owners: Counter[str] = field(default_factory=Counter[str])
    _rules: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    _total: int = 0

    def spent(self, used: Iterable[tuple[str, str]]) -> DailyAllowance:
        """Count (person, rule) pairs that were told today already; return itself."""
        for owner_id, rule_id in used:
            self.take(owner_id, rule_id)
        return self

    def refusal(self, owner_id: str, rule_id: str, *, per_rule: int) -> str | None:
        """Return why `owner_id` may not be told anything more of `rule_id` today, or None."""
        if self._total >= self.per_day:
            return "daily_budget"
        if self._owners[owner_id] >= self.per_owner or self._rules[owner_id, rule_id] >= per_rule:
            return "owner_cap"
        return None

    def take(self, owner_id: str, rule_id: str) -> None:
        """Spend one word to `owner_id` about `rule_id`."""
        self._owners[owner_id] += 1
        self._rules[owner_id, rule_id] += 1
        self._total += 1
