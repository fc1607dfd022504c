"""One line of a report, whichever kind: a rule's row as it stands, or a finding with its life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from leakwatch.core.formats import NO_CURRENCY
from leakwatch.model import Finding, FindingStatus, Proof, RuleOutcome, RuleRow, Severity, Text

AT_RISK, LOST, DEVIATION, NO_IMPACT = "at_risk", "lost", "deviation", "none"
IMPACT_KINDS = (AT_RISK, LOST, DEVIATION)

# A snoozed finding is still a leak: its owner only asked for time. Pending is not yet confirmed, excepted is accepted.
STANDING = frozenset(
    {FindingStatus.OPEN, FindingStatus.ESCALATED, FindingStatus.ACKNOWLEDGED, FindingStatus.SNOOZED},
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a report: a rule's row as it stands, or a finding with its life. `currency` is never empty."""

    id: str
    rule_id: str
    rule_version: int
    sobject: str
    record_id: str
    record_name: str
    owner_id: str | None
    owner_name: str
    manager_id: str | None
    status: FindingStatus
    severity: Severity
    impact: Decimal | None
    currency: str
    impact_kind: str
    message: Text
    evidence: Mapping[str, Any]
    account_id: str | None = None
    is_process: bool = False
    count: int = 1
    since: datetime | None = None  # start of this episode; None where nothing is remembered (an export)
    first_seen: datetime | None = None
    status_since: datetime | None = None
    proof: Proof | None = None
    baseline: bool | None = None
    reopened: int | None = None
    notified: bool | None = None
    resolved_reason: str | None = None

    @property
    def size(self) -> Decimal:
        """What it adds to a total, never below zero: a deviation in either direction, else the amount.

        A negative amount (a credit, a typing error) puts no money at risk and takes none away from other records.
        """
        return money_size(self.impact, self.impact_kind)

    @property
    def countable(self) -> bool:
        """Whether this may enter a total at all: proven, and about one record, not about the company's process."""
        return not self.is_process and self.proof is not Proof.UNPROVEN

    @property
    def standing(self) -> bool:
        """Whether the leak is there now and counted."""
        return self.countable and self.status in STANDING


def money_size(impact: Decimal | None, kind: str) -> Decimal:
    """Return how much money `impact` stands for in totals and orders: deviations by size, others not below zero."""
    if impact is None:
        return Decimal(0)
    return abs(impact) if kind == DEVIATION else max(impact, Decimal(0))


def from_row(row: RuleRow, outcome: RuleOutcome, default_currency: str | None) -> Entry:
    """Return a rule's row as it stands: an open finding without a life."""
    return Entry(
        id="|".join((row.rule_id, *row.business_key)),
        rule_id=row.rule_id,
        rule_version=outcome.rule_version,
        sobject=row.sobject,
        record_id=row.record_id,
        record_name=row.record_name,
        owner_id=row.owner_id,
        owner_name=row.owner_name,
        manager_id=row.manager_id,
        status=FindingStatus.OPEN,
        severity=row.severity,
        impact=_finite(row.impact),
        currency=row.currency or default_currency or NO_CURRENCY,
        impact_kind=row.impact_kind,
        message=Text(en=row.message_en, tr=row.message_tr),
        evidence=row.evidence,
        account_id=row.account_id,
        is_process=row.is_process,
        count=row.count,
    )


def from_finding(found: Finding, default_currency: str | None) -> Entry:
    """Return a stored finding as a line of the report."""
    return Entry(
        id=found.fingerprint,
        rule_id=found.rule_id,
        rule_version=found.rule_version,
        sobject=found.sobject,
        record_id=found.record_id,
        record_name=found.record_name,
        owner_id=found.owner_id,
        owner_name=found.owner_name,
        manager_id=found.manager_id,
        status=found.status,
        severity=found.severity,
        impact=_finite(found.impact),
        currency=found.currency or default_currency or NO_CURRENCY,
        impact_kind=found.impact_kind,
        message=Text(en=found.message_en, tr=found.message_tr),
        evidence=found.evidence,
        account_id=found.account_id,
        is_process=found.is_process,
        count=found.count,
        since=found.since,
        first_seen=found.first_seen,
        status_since=found.status_since,
        proof=found.proof,
        baseline=found.baseline,
        reopened=found.reopened,
        notified=found.notified_owner_id is not None,
        resolved_reason=found.resolved_reason,
    )


def _finite(value: Decimal | None) -> Decimal | None:
    """Return no amount for NaN and infinities (a broken input file): they can neither be compared nor added."""
    return value if value is not None and value.is_finite() else None
