"""The arithmetic of a report: which findings count, sums that take each record once, and where a finding stood when.

Pure. Amounts are `Decimal` and never leave their currency: a sum is always one figure per ISO 4217 code.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from leakwatch.core.report_entries import NO_CURRENCY, STANDING, Entry
from leakwatch.model import Finding, FindingStatus, Severity, Transition

SEVERITY_RANK: Mapping[str, int] = {severity.value: rank for rank, severity in enumerate(Severity)}

_NOT_THERE = (None, FindingStatus.PENDING, FindingStatus.RESOLVED)  # a finding that opens from these is news
_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum in one currency, and how many records it is of."""

    currency: str
    amount: Decimal
    records: int


def once_per_record(entries: Iterable[Entry], kind: str) -> dict[str, Amount]:
    """Return currency -> the sum of one `impact_kind`, taking of each record only its largest amount.

    A record may appear once per currency (two rules may read two money fields). Deviations count by size, not sign;
    a negative amount of another kind counts as zero.
    """
    largest: dict[tuple[str, str], Decimal] = {}
    for entry in entries:
        if entry.impact is None or entry.impact_kind != kind:
            continue
        key = (entry.currency, entry.record_id)
        size = entry.size
        if size > largest.get(key, Decimal(-1)):
            largest[key] = size
    sums: dict[str, list[Decimal]] = {}
    for (currency, _record), size in largest.items():
        sums.setdefault(currency, []).append(size)
    return {currency: Amount(currency, sum(sizes, Decimal(0)), len(sizes)) for currency, sizes in sorted(sums.items())}


def main_currency(entries: Sequence[Entry], default: str | None) -> str:
    """Return the currency that is shown first: the org's own if any finding carries it, else the most frequent.

    Ties go by code; without any amount it is the org's own.
    """
    counts = Counter(entry.currency for entry in entries if entry.impact is not None)
    if default and (default in counts or not counts):
        return default
    return min(counts, key=lambda code: (-counts[code], code), default=NO_CURRENCY)


def rank(entry: Entry, main: str) -> tuple[Any, ...]:
    """Return the key that puts the worst first: severity, then size in the main currency, then in the others.

    Amounts of different currencies are never compared with each other.
    """
    size = entry.size
    currency = "" if entry.currency == main else entry.currency
    return (-SEVERITY_RANK[entry.severity.value], size == 0, currency, -size, entry.rule_id, entry.record_id, entry.id)


@dataclass(frozen=True, slots=True)
class Period:
    """Days `start` to `end`, both included, of the org's own calendar."""

    start: date
    end: date
    zone: ZoneInfo

    @classmethod
    def week_to(cls, end: date, zone: ZoneInfo) -> Period:
        """Return the seven days that end with `end`."""
        return cls(end - timedelta(days=6), end, zone)

    @property
    def opens(self) -> datetime:
        """The moment the first day begins."""
        return day_start(self.start, self.zone)

    @property
    def closes(self) -> datetime:
        """The moment after the last day."""
        return day_start(self.end + timedelta(days=1), self.zone)

    def holds(self, moment: datetime) -> bool:
        """Return whether `moment` (aware) falls in these days."""
        return self.opens <= moment < self.closes


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of `day` in `zone`, aware."""
    return datetime.combine(day, time_of_day.min, tzinfo=zone)


class History:
    """Where each finding stood at any moment, replayed from its transitions.

    Needs only the transitions after the earliest moment asked for: before a finding's first known transition, it
    stood where that transition says it came from.
    """

    def __init__(self, findings: Iterable[Finding], transitions: Iterable[Transition]) -> None:
        self._findings = {finding.fingerprint: finding for finding in findings}
        self._changes: dict[str, list[Transition]] = {}
        ordered = sorted(transitions, key=lambda change: (change.at, change.episode, change.run_id))
        self.changes = [change for change in ordered if change.fingerprint in self._findings]
        for change in self.changes:
            self._changes.setdefault(change.fingerprint, []).append(change)

    def status_at(self, fingerprint: str, moment: datetime) -> FindingStatus | None:
        """Return the finding's status just before `moment`, or None if it did not exist yet."""
        finding = self._findings[fingerprint]
        if finding.first_seen >= moment:
            return None
        changes = self._changes.get(fingerprint, [])
        later = bisect_left(changes, moment, key=_when)
        return changes[later].old if later < len(changes) else finding.status

    def events(self, period: Period) -> Events:
        """Return what happened to countable findings in `period`."""
        new: set[str] = set()
        reopened: set[str] = set()
        fixed: dict[str, Transition] = {}
        other: dict[str, str] = {}
        first = bisect_left(self.changes, period.opens, key=_when)
        beyond = bisect_left(self.changes, period.closes, key=_when)
        for change in self.changes[first:beyond]:
            mark = change.fingerprint
            if change.new is FindingStatus.RESOLVED:
                fixed.pop(mark, None)
                other.pop(mark, None)
                if change.reason == "fixed":
                    fixed[mark] = change
                else:
                    other[mark] = change.reason
            elif change.new in STANDING:
                fixed.pop(mark, None)
                other.pop(mark, None)
                if change.old is FindingStatus.RESOLVED and change.reason in ("reopened", "back_again"):
                    reopened.add(mark)
                elif change.old in _NOT_THERE and not self._baseline(change):
                    new.add(mark)
        return Events(frozenset(new), frozenset(reopened), fixed, other)

    def _baseline(self, change: Transition) -> bool:
        """Return whether the finding was there before anybody looked (first run, breaker): found, but not new."""
        finding = self._findings[change.fingerprint]
        return change.reason == "baseline" or (finding.baseline and finding.episode == change.episode)


def _when(change: Transition) -> datetime:
    return change.at


@dataclass(frozen=True, slots=True)
class Events:
    """What happened in a period, by fingerprint. A finding fixed and open again at the end is not in `fixed`."""

    new: frozenset[str]
    reopened: frozenset[str]
    fixed: Mapping[str, Transition]
    resolved_otherwise: Mapping[str, str]  # fingerprint -> reason


def median_days(spans: Iterable[timedelta]) -> Decimal | None:
    """Return the median of `spans` in days with one decimal, or None of nothing."""
    days = [Decimal(int(span.total_seconds())) / _SECONDS_PER_DAY for span in spans]
    return Decimal(median(days)).quantize(Decimal("0.1")) if days else None
