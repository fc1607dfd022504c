"""The nouns: frozen dataclasses that every part of leakwatch passes to the next, with no behaviour of their own.

Datetimes are aware UTC, all-day things are `date`, money is `Decimal` with an ISO 4217 code, e-mail addresses are
lower case.
"""

from __future__ import annotations

from leakwatch.model.capture import (
    WITHHELD,
    Activity,
    ActivityKind,
    Cursor,
    CursorPhase,
    Decision,
    Direction,
    MailTrace,
    Match,
    MatchBasis,
    Outcome,
    Page,
    Participant,
    Principal,
    Role,
    SkipReason,
    SourceRef,
    WaitingMail,
)
from leakwatch.model.findings import WITHDRAWN, Delivery, Finding, FindingStatus, Proof, Transition
from leakwatch.model.people import AddressBook, Company, DomainAccount, OpenOpportunity, Person
from leakwatch.model.rules import (
    EscalationStep,
    Lifecycle,
    Mode,
    Rule,
    RuleAction,
    RuleCheck,
    RuleLimits,
    RuleOutcome,
    RuleRow,
    Severity,
    Text,
)
from leakwatch.model.runs import Run, Snapshot
from leakwatch.model.writing import KEY_FIELD, PEOPLE_LISTS, Verb, WriteOp, WriteResult, WriteStatus, Written

__all__ = [
    "KEY_FIELD",
    "PEOPLE_LISTS",
    "WITHDRAWN",
    "WITHHELD",
    "Activity",
    "ActivityKind",
    "AddressBook",
    "Company",
    "Cursor",
    "CursorPhase",
    "Decision",
    "Delivery",
    "Direction",
    "DomainAccount",
    "EscalationStep",
    "Finding",
    "FindingStatus",
    "Lifecycle",
    "MailTrace",
    "Match",
    "MatchBasis",
    "Mode",
    "OpenOpportunity",
    "Outcome",
    "Page",
    "Participant",
    "Person",
    "Principal",
    "Proof",
    "Role",
    "Rule",
    "RuleAction",
    "RuleCheck",
    "RuleLimits",
    "RuleOutcome",
    "RuleRow",
    "Run",
    "Severity",
    "SkipReason",
    "Snapshot",
    "SourceRef",
    "Text",
    "Transition",
    "Verb",
    "WaitingMail",
    "WriteOp",
    "WriteResult",
    "WriteStatus",
    "Written",
]
