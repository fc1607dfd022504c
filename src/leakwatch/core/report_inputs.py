"""What a report is made from, as small frozen dataclasses. Used through `core.report`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from leakwatch.model import Mode, Rule, Severity, Text

Language = Literal["en", "tr"]


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What a report says about a rule, apart from its results."""

    id: str
    version: int
    title: Text
    why: Text
    fix: Text
    severity: Severity
    mode: Mode
    sobject: str
    category: str = ""
    owner_team: str = ""
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    runbook: str = ""
    param_help: Mapping[str, Text] = field(default_factory=dict[str, Text])  # what each of `params` means
    words: Mapping[str, Mapping[str, Text]] = field(
        default_factory=dict[str, Mapping[str, Text]]
    )  # column of the evidence -> code -> text
    process_fixes: Mapping[str, Text] = field(default_factory=dict[str, Text])  # empty field -> next step
    reading: Text | None = None  # how a rule understands an ambiguous definition, told under "How numbers are made"

    @classmethod
    def from_rule(
        cls, rule: Rule, *, reading: Text | None = None, param_help: Mapping[str, Text] | None = None
    ) -> RuleInfo:
        """Return the part of a loaded `rule` that a report shows."""
        return cls(
            id=rule.id,
            version=rule.version,
            title=rule.title,
            why=rule.why,
            fix=rule.fix,
            severity=rule.severity,
            mode=rule.mode,
            sobject=rule.sobject,
            category=rule.category,
            owner_team=rule.owner_team,
            params=rule.params,
            runbook=rule.runbook,
            param_help=param_help or {},
            words=rule.words,
            process_fixes=rule.process_fixes,
            reading=reading,
        )


@dataclass(frozen=True, slots=True)
class OrgFacts:
    """The Salesforce org a report is about. `base_url` (https, no path) makes record names links; None leaves them."""

    org_id: str
    name: str
    time_zone: str = "UTC"  # IANA name; the report's days are days there
    default_currency: str | None = None  # ISO 4217; also of amounts whose row names none
    base_url: str | None = None
    is_sandbox: bool = False


@dataclass(frozen=True, slots=True)
class CaptureHealth:
    """How one mailbox is being read: "no activity" is only as sure as this."""

    address: str
    owner_id: str | None
    name: str
    last_good_read: datetime | None
    parked_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something the reader must know about the input: a guess that was made, or what may be wrong with the data."""

    code: str
    text: Text
    level: Literal["assumption", "warning"] = "assumption"
    rule_id: str | None = None

    @classmethod
    def plain(cls, code: str, text: str, level: Literal["assumption", "warning"] = "assumption") -> Note:
        """Return a note that reads the same in both languages (names, numbers, codes)."""
        return cls(code, Text(en=text, tr=text), level)


@dataclass(frozen=True, slots=True)
class RuleRun:
    """One past evaluation of one rule: what the trend, its version marks and rule health are drawn from."""

    rule_id: str
    rule_version: int
    at: datetime
    open_count: int
    open_impact: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])  # by currency
    new: int = 0
    resolved: int = 0
    complete: bool = True
    params_digest: str = ""
    error: str | None = None
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class ExceptionEntry:
    """One accepted leak from `exceptions.yaml`: by whom, why, until when, and how many findings it covers now."""

    rule_id: str
    scope: str  # in words: "Opportunity 006..." or "Account Acme"
    reason: str
    author: str
    expires: date
    matches: int = 0


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What to show. The owner league is off by default: in many countries works councils have a say in it."""

    owner_league: bool = False
    top: int = 20
    trend_weeks: int = 12
    expiring_within_days: int = 14


@dataclass(frozen=True, slots=True)
class ReportContext:
    """What both kinds of report need beside the findings.

    `generated_at` is aware. `freshness` says up to when each table is known, None where the files don't tell;
    `people` gives names to user ids that own no finding themselves (managers), `accounts` to account ids.
    """

    org: OrgFacts
    rules: tuple[RuleInfo, ...]
    as_of: date
    generated_at: datetime
    language: Language = "en"
    snapshot_id: str = ""
    freshness: Mapping[str, datetime | None] = field(default_factory=dict[str, "datetime | None"])
    row_counts: Mapping[str, int] = field(default_factory=dict[str, int])
    people: Mapping[str, str] = field(default_factory=dict[str, str])
    accounts: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: tuple[Note, ...] = ()
    options: ReportOptions = ReportOptions()
