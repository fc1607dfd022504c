"""Small makers of rules, rows, outcomes and findings for tests of the life cycle, notices and flows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from leakwatch.core.fingerprint import fingerprint
from leakwatch.core.lifecycle import Evaluation, Signals, evaluate
from leakwatch.core.tasks import TaskState
from leakwatch.model import (
    EscalationStep,
    Finding,
    Lifecycle,
    Mode,
    Rule,
    RuleAction,
    RuleLimits,
    RuleOutcome,
    RuleRow,
    Run,
    Severity,
    Text,
)

ORG = "00D000000000001AAA"
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OWNER, OTHER_OWNER = "005000000000001AAA", "005000000000002AAA"
MANAGER, REVOPS = "005000000000008AAA", "005000000000009AAA"
QUEUE = "00G000000000001AAA"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Accepted:
    """An exception as the life cycle sees it."""

    record_id: str
    expires: date

    def covers(self, row, *, today):
        return row.record_id == self.record_id and today <= self.expires


def rule(rule_id: str = "opp_close_overdue", **changes: Any) -> Rule:
    values: dict[str, Any] = {
        "id": rule_id,
        "version": 1,
        "title": Text("Open opportunity past its close date", "Kapanış tarihi geçmiş açık fırsat"),
        "why": Text("It inflates the forecast.", "Tahmini şişirir."),
        "fix": Text("Move the close date or close it.", "Kapanış tarihini güncelleyin ya da kapatın."),
        "message": Text("late", "geç"),
        "category": "pipeline_hygiene",
        "severity": Severity.MEDIUM,
        "owner_team": "revops",
        "mode": Mode.ACT,
        "sobject": "Opportunity",
        "sql": "SELECT 1",
        "population_sql": None,
        "params": {},
        "params_digest": "p1",
        "key": ("record_id",),
        "lifecycle": Lifecycle(
            escalate=(EscalationStep(timedelta(days=10), "manager"), EscalationStep(timedelta(days=21), "revops"))
        ),
        "limits": RuleLimits(),
        "actions": (RuleAction("task"),),
    }
    return Rule(**(values | changes))


def opportunity_id(number: int) -> str:
    return f"006{number:012d}AAA"


def row(number: int = 1, **changes: Any) -> RuleRow:
    record_id = changes.pop("record_id", opportunity_id(number))
    values: dict[str, Any] = {
        "rule_id": "opp_close_overdue",
        "business_key": (record_id,),
        "record_id": record_id,
        "sobject": "Opportunity",
        "record_name": f"Deal {number}",
        "owner_id": OWNER,
        "owner_name": "Ayşe Yılmaz",
        "manager_id": MANAGER,
        "severity": Severity.MEDIUM,
        "impact": Decimal("1000.00"),
        "currency": "TRY",
        "impact_kind": "at_risk",
        "message_en": "Close date passed 20 days ago",
        "message_tr": "Kapanış tarihi 20 gün önce geçti",
        "evidence": {"close_date": MONDAY.date() - 20 * DAY, "stage_name": "Negotiation"},
        "account_id": "001000000000001AAA",
    }
    return RuleRow(**(values | changes))


def outcome(*rows: RuleRow, of: Rule | None = None, **changes: Any) -> RuleOutcome:
    of = of or rule()
    values: dict[str, Any] = {
        "rule_id": of.id,
        "rule_version": of.version,
        "params_digest": of.params_digest,
        "rows": tuple(rows),
        "population": 1000,
        "complete": True,
    }
    return RuleOutcome(**(values | changes))


def run(flow: str = "audit", run_id: str = "run-1", at: datetime = MONDAY) -> Run:
    return Run(run_id, flow, at)


def mark(number: int = 1, rule_id: str = "opp_close_overdue") -> str:
    return fingerprint(ORG, rule_id, (opportunity_id(number),))


def finding(number: int = 1, *, of: Rule | None = None, at: datetime = MONDAY, **changes: Any) -> Finding:
    """Return an open, confirmed, not yet told finding as a first evaluation makes it, with `changes`."""
    of = of or rule()
    (found,) = judge(outcome(row(number, rule_id=of.id), of=of), of=of, now=at, snapshot="s0").findings
    return replace(found, **changes)


def judge(
    result: RuleOutcome,
    held: list[Finding] | None = None,
    *,
    of: Rule | None = None,
    now: datetime = MONDAY,
    snapshot: str = "s1",
    first_run: bool = False,
    meaning_changed: bool = False,
    signals: Signals | None = None,
    hold_note: str = "",
) -> Evaluation:
    return evaluate(
        of or rule(),
        result,
        held or [],
        now=now,
        run_id="run-1",
        snapshot_id=snapshot,
        org_id=ORG,
        first_run=first_run,
        meaning_changed=meaning_changed,
        signals=signals,
        hold_note=hold_note,
    )


def apply(held: list[Finding], evaluation: Evaluation) -> list[Finding]:
    """Return what the store holds after `evaluation`."""
    known = {item.fingerprint: item for item in held}
    known.update({item.fingerprint: item for item in evaluation.findings})
    for gone in evaluation.dropped:
        known.pop(gone, None)
    return list(known.values())


def task(key: str, **changes: Any) -> TaskState:
    values: dict[str, Any] = {
        "key": key,
        "record_id": "00T000000000001AAA",
        "status": "Not Started",
        "is_closed": False,
        "in_progress": False,
        "is_deleted": False,
        "owner_id": OWNER,
        "last_modified_by_other": False,
        "modified_at": MONDAY,
    }
    return TaskState(**(values | changes))
