"""Findings with their life, and the messages about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from leakwatch.model.rules import Severity


class FindingStatus(StrEnum):
    """Where a finding stands in its life."""

    PENDING = "pending"
    OPEN = "open"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    EXCEPTED = "excepted"
    RESOLVED = "resolved"


class Proof(StrEnum):
    """How sure we are of what a finding says."""

    PROVEN = "proven"
    UNPROVEN = "unproven"  # "no activity" while the owner's mailbox was not captured
    HELD = "held"  # the last run could not look


@dataclass(frozen=True, slots=True)
class Finding:
    """A leak with its life. `fingerprint` never holds owner, amount, date or threshold."""

    fingerprint: str
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
    since: datetime  # start of this episode
    first_seen: datetime
    last_seen: datetime
    status_since: datetime
    episode: int
    baseline: bool  # existed on the rule's first run, or the breaker tripped: reported, never notified
    absent_runs: int
    seen_runs: int
    reopened: int
    impact: Decimal | None
    currency: str | None
    impact_kind: str
    message_en: str
    message_tr: str
    evidence: Mapping[str, Any]
    proof: Proof
    snapshot_id: str
    params_digest: str = ""
    account_id: str | None = None
    is_process: bool = False
    count: int = 1
    escalation_step: int = 0
    notified_owner_id: str | None = None  # to whom the last word went, or is on its way
    resolved_reason: str | None = None  # fixed | aged_out | rule_changed | gone | retired
    notified_at: datetime | None = None  # when it was sent; the escalation clock runs from here, None stops it
    notices: int = 0  # words to the owner in this episode; numbers their keys
    pending_notice: str | None = None  # what is still to be said to the owner, in the words of Transition.notify
    escalation_told: int = 0  # escalation steps whose message was planned
    checked_in: str = ""  # snapshot that last looked for it, seen or not: a second look needs another one
    impact_reference: Decimal | None = None  # impact that `grew` is measured from
    about_id: str | None = None  # the record that Tasks and posts go on; None is the finding's own


@dataclass(frozen=True, slots=True)
class Transition:
    """A status change with time and reason. Alerts, history and KPIs all derive from it."""

    fingerprint: str
    old: FindingStatus | None
    new: FindingStatus
    reason: str  # detected | confirmed | fixed | reopened | escalated | acknowledged | ack_expired | rule_changed | ...
    at: datetime
    run_id: str
    episode: int
    # new | reassigned | grew | escalated | still_open | resolved | not_fixed | back_again | resumed
    notify: str | None = None


WITHDRAWN = ("OVERTAKEN", "LEFT_ALONE")  # codes that begin `Delivery.error`: there was nothing to be said any more


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one recipient on one channel. Sent at least once, harmless twice."""

    key: str  # idempotency key
    channel: str  # an action's file name: salesforce_task, chatter_post
    recipient_id: str  # Salesforce user (or queue) id
    kind: str  # new | reassigned | escalated | resolved | not_fixed | back_again | resumed | grew
    fingerprints: tuple[str, ...]
    record_id: str | None
    title: str
    body: str
    due_on: date | None
    severity: Severity
    created_at: datetime
    language: str = "en"
    mentions: tuple[str, ...] = ()
    remote_id: str | None = None
    sent_at: datetime | None = None
    attempts: int = 0
    error: str | None = None
    quarantined: bool = False  # refused for good, or withdrawn: never sent again by itself; `error` says why

    @property
    def refused(self) -> bool:
        """Whether it waits for a person to mend what it was refused for. What was withdrawn waits for nobody."""
        return self.quarantined and not (self.error or "").startswith(WITHDRAWN)
