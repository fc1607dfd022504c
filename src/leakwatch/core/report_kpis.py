"""The headline figures of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from leakwatch.core import report_sections as sections
from leakwatch.core import report_values as values
from leakwatch.core.report_entries import AT_RISK, IMPACT_KINDS, NO_IMPACT, STANDING, Entry
from leakwatch.core.report_inputs import ReportContext
from leakwatch.core.report_numbers import Events, median_days, once_per_record
from leakwatch.core.report_sections import Happened
from leakwatch.model import FindingStatus, Mode, Proof

KINDS = (*IMPACT_KINDS, NO_IMPACT)
LIFE_KPIS = (  # null in an export audit, which remembers nothing
    "new",
    "fixed",
    "reopened",
    "resolved_otherwise",
    "median_days_to_fix",
    "recovered",
    "not_notified",
    "pending",
    "acknowledged",
    "snoozed",
    "escalated",
    "excepted",
    "held",
    "baseline",
    "previous",
)


def standing_kpis(entries: Sequence[Entry], main: str) -> dict[str, Any]:
    """Return the figures of what is there now: known to both kinds of report."""
    standing = [entry for entry in entries if entry.standing]
    unproven = [
        entry
        for entry in entries
        if not entry.is_process and entry.proof is Proof.UNPROVEN and entry.status in STANDING
    ]
    process = [entry for entry in entries if entry.is_process and entry.status in STANDING]
    severities = {
        severity: sum(1 for entry in standing if entry.severity.value == severity)
        for severity in ("critical", "high", "medium", "low")
    }
    return {
        **sections.money(standing, main),
        "findings": len(standing),
        "records": len({entry.record_id for entry in standing}),
        "severities": severities,
        "process_findings": len(process),
        "process_records": {
            kind: sections.process_records(entry for entry in process if entry.impact_kind == kind) for kind in KINDS
        },
        "unproven": len(unproven),
        "unproven_at_risk": values.amounts(once_per_record(unproven, AT_RISK), main),
    }


def life_kpis(
    context: ReportContext, entries: Sequence[Entry], events: Events, happened: Happened, main: str
) -> dict[str, Any]:
    """Return the figures that need memory: what the week brought and where findings stand in their lives."""
    speaking = {rule.id for rule in context.rules if rule.mode is not Mode.REPORT}
    standing = [entry for entry in entries if entry.standing]
    still_at_risk = {entry.record_id for entry in standing if entry.impact_kind == AT_RISK}
    fixed = [entry for entry in entries if entry.id in happened.fixed]
    recovered = [entry for entry in fixed if entry.record_id not in still_at_risk]
    countable = {entry.id for entry in entries if entry.countable}
    others = Counter(reason for identity, reason in events.resolved_otherwise.items() if identity in countable)
    spans: list[timedelta] = [events.fixed[entry.id].at - entry.since for entry in fixed if entry.since is not None]
    return {
        "new": len(happened.new),
        "fixed": len(happened.fixed),
        "reopened": len(happened.reopened),
        "resolved_otherwise": dict(sorted(others.items())),
        "median_days_to_fix": values.decimal(median_days(spans)),
        "recovered": values.amounts(once_per_record(recovered, AT_RISK), main),
        "not_notified": sum(
            1 for entry in standing if entry.rule_id in speaking and not entry.notified and not entry.baseline
        ),
        **{
            status.value: sum(1 for entry in entries if entry.status is status and not entry.is_process)
            for status in (
                FindingStatus.PENDING,
                FindingStatus.ACKNOWLEDGED,
                FindingStatus.SNOOZED,
                FindingStatus.ESCALATED,
                FindingStatus.EXCEPTED,
            )
        },
        "held": sum(1 for entry in entries if entry.proof is Proof.HELD and entry.status in STANDING),
        "baseline": sum(1 for entry in standing if entry.baseline),
    }


def previous(points: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return last week's figures to compare with, or None in the first week."""
    if len(points) < 2:
        return None
    before = points[-2]
    return {name: before[name] for name in ("at_risk", "findings", "new", "fixed", "reopened")}
