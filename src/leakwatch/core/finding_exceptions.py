"""Accepted leaks: what somebody decided to live with, until a date. Exact matches only; no patterns, no end left open.

(Prowler's mutes match unanchored and never expire: muting `i-123` there also mutes `i-1234`, for ever.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from leakwatch.model import Finding, RuleRow

MAX_DAYS = 180  # an acceptance is looked at again at least twice a year


@dataclass(frozen=True, slots=True)
class FindingException:
    """One accepted leak. Every target that is given must match, exactly; at least one beside the rule is needed."""

    reason: str
    author: str
    expires: date  # last day it holds, in the org's zone
    rule_id: str | None = None  # None: any rule
    record_id: str | None = None
    owner_id: str | None = None
    account_id: str | None = None

    def covers(self, rule_id: str, subject: Finding | RuleRow, today: date) -> bool:
        """Return whether this accepts `subject` on `today` (org's zone)."""
        if today > self.expires or (self.rule_id is not None and self.rule_id != rule_id):
            return False
        wanted = (
            (self.record_id, subject.record_id),
            (self.owner_id, subject.owner_id),
            (self.account_id, subject.account_id),
        )
        return any(given for given, _ in wanted) and all(not given or given == actual for given, actual in wanted)


def problems(entries: Sequence[FindingException], *, today: date) -> list[str]:
    """Return a sentence for each fault; an expired entry is no fault. With any fault, nothing may run.

    "Never no exceptions": a file that does not validate stops the run, or everything accepted would be told at once.
    """
    found: list[str] = []
    for number, entry in enumerate(entries, 1):
        where = f"exception {number} ({entry.rule_id or 'any rule'}, by {entry.author or 'nobody'})"
        if not entry.reason.strip():
            found.append(f"{where} has no reason")
        if not entry.author.strip():
            found.append(f"{where} has no author")
        if not (entry.record_id or entry.owner_id or entry.account_id):
            found.append(f"{where} names no record, owner or account")
        if entry.expires > today + timedelta(days=MAX_DAYS):
            found.append(f"{where} ends on {entry.expires}: at most {MAX_DAYS} days from today are allowed")
    return found


def matches(entry: FindingException, findings: Iterable[Finding], today: date) -> int:
    """Return how many of `findings` the entry covers on `today`: 0 says it is unused, or expired."""
    return sum(entry.covers(finding.rule_id, finding, today) for finding in findings)
