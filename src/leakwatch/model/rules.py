"""Rules and what they find in a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad a leak is, in rising order."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Mode(StrEnum):
    """How far a rule may go. A new rule starts as `report`."""

    REPORT = "report"
    NOTIFY = "notify"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Text:
    """A text for people, in both of our languages."""

    en: str
    tr: str

    def get(self, language: str) -> str:
        """Return the Turkish text for `tr`, the English one for anything else."""
        return self.tr if language == "tr" else self.en


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """After how long without acknowledgement somebody else is told: `manager` or `revops`."""

    after: timedelta
    to: str


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """How findings of a rule are born, confirmed, closed and escalated."""

    confirm_runs: int = 1
    keep_open_runs: int = 2  # absent in so many complete runs before it counts as fixed
    reopen_within: timedelta = timedelta(days=30)
    remind_every: timedelta = timedelta(days=7)
    ack_timeout: timedelta = timedelta(days=14)
    closed_task_grace: timedelta = timedelta(days=2)  # Task closed, condition persists: "closed but not fixed"
    grew_share: Decimal = Decimal("0.50")  # impact up by more than this is worth a new word
    escalate: tuple[EscalationStep, ...] = ()
    yields_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleLimits:
    """Limits on harm. The breaker trips when *both* `new_per_run` and `new_share` are passed."""

    per_owner_per_day: int = 5
    new_per_run: int = 200
    new_share: Decimal = Decimal("0.20")  # of the rule's population


@dataclass(frozen=True, slots=True)
class RuleAction:
    """One entry of a rule's `actions`: channel name (`task`, `chatter`) and its options."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Rule:
    """One audit rule, loaded, overridden and checked. `sql` returns the offending rows."""

    id: str
    version: int
    title: Text
    why: Text
    fix: Text
    message: Text
    category: str
    severity: Severity
    owner_team: str
    mode: Mode
    sobject: str
    sql: str
    population_sql: str | None
    params: Mapping[str, Any]  # resolved values, derived ones excluded
    params_digest: str  # of the values that change the rule's meaning
    key: tuple[str, ...]
    lifecycle: Lifecycle
    limits: RuleLimits
    actions: tuple[RuleAction, ...]
    runbook: str = ""
    path: str = ""
    words: Mapping[str, Mapping[str, Text]] = field(
        default_factory=dict[str, Mapping[str, Text]]
    )  # column -> code -> text
    process_fixes: Mapping[str, Text] = field(
        default_factory=dict[str, Text]
    )  # record id of a process finding -> what to do


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One offending row of a rule's SELECT, before any state: what the engine hands to the lifecycle."""

    rule_id: str
    business_key: tuple[str, ...]
    record_id: str
    sobject: str
    record_name: str
    owner_id: str | None
    owner_name: str
    manager_id: str | None
    severity: Severity
    impact: Decimal | None
    currency: str | None
    impact_kind: str  # "at_risk" | "lost" | "deviation" | "none"
    message_en: str
    message_tr: str
    evidence: Mapping[str, Any]  # shown columns: name -> value (str, int, Decimal, date, None)
    account_id: str | None = None
    about_id: str | None = None  # the record that messages go on, where that is another one
    is_process: bool = False  # about the company's process; `record_id` is the empty field, as table.column
    count: int = 1  # rows this finding stands for


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """One evaluation of one rule."""

    rule_id: str
    rule_version: int
    params_digest: str
    rows: tuple[RuleRow, ...]
    population: int | None  # rows examined; 0 makes the rule "skipped", not clean, until it is believed
    complete: bool  # ran without error on fresh, complete inputs: only then may findings resolve
    error: str | None = None
    switched_off: str | None = None  # why it could not run at all (missing object or column)
    assumptions: tuple[str, ...] = ()
    seconds: float = 0.0
    switched_off_tr: str | None = None  # `switched_off` in Turkish
    assumptions_tr: tuple[str, ...] = ()  # `assumptions` in Turkish, in the same order
    stale: str | None = None  # which of its inputs were read too long ago; also among the assumptions
    unjudged: Text | None = None  # how many of the population it could not judge and why, if there are any
    unchecked: frozenset[str] = frozenset()  # process findings (record ids) whose field is not in the data
    singles_replaced: bool = False  # a process finding stands for the single ones, which are not in `rows`
    window: tuple[str, date] | None = None  # a record whose evidence in this column is before this day is not looked at


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """That a rule was evaluated, and what became of it: kept for every run, for trends, guards and rule health."""

    rule_id: str
    rule_version: int
    params_digest: str
    snapshot_id: str
    at: datetime
    complete: bool
    population: int | None = None
    note: str = ""  # breaker or guard, in words for RevOps
    error: str | None = None
    retired: bool = False
