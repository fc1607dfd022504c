"""From findings to one JSON-able result. Every rendering (HTML, CSV, text, mail) is made of this and of nothing else.

Pure: the same inputs give the same result, byte for byte. Its shape is `report/result.schema.json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from leakwatch.core import report_sections as sections
from leakwatch.core import report_values as values
from leakwatch.core.report_entries import Entry, from_finding, from_row
from leakwatch.core.report_inputs import (
    CaptureHealth,
    ExceptionEntry,
    Language,
    Note,
    OrgFacts,
    ReportContext,
    ReportOptions,
    RuleInfo,
    RuleRun,
)
from leakwatch.core.report_kpis import LIFE_KPIS, life_kpis, previous, standing_kpis
from leakwatch.core.report_method import method
from leakwatch.core.report_numbers import Events, History, Period, main_currency, rank
from leakwatch.core.report_sections import Happened
from leakwatch.core.report_trend import trend
from leakwatch.model import Finding, FindingStatus, RuleOutcome, Text, Transition

__all__ = [
    "SCHEMA_VERSION",
    "CaptureHealth",
    "ExceptionEntry",
    "Language",
    "Note",
    "OrgFacts",
    "ReportContext",
    "ReportOptions",
    "RuleInfo",
    "RuleRun",
    "export_audit",
    "to_json",
    "weekly",
]

SCHEMA_VERSION = 1  # raised when a field changes meaning or goes; new fields do not raise it

Result = dict[str, Any]


def export_audit(context: ReportContext, outcomes: Sequence[RuleOutcome]) -> Result:
    """Return the result of a stateless audit: the rules' rows as findings, as they stand.

    No baseline, no proof states, no trend: those fields are null.
    """
    outcomes = [_without_hold(outcome) for outcome in outcomes]
    entries = [from_row(row, outcome, context.org.default_currency) for outcome in outcomes for row in outcome.rows]
    main = main_currency(entries, context.org.default_currency)
    figures = standing_kpis(entries, main) | dict.fromkeys(LIFE_KPIS)
    return _result("export_audit", context, entries, outcomes, main, figures, Happened())


def weekly(
    context: ReportContext,
    outcomes: Sequence[RuleOutcome],
    *,
    findings: Sequence[Finding],
    transitions: Sequence[Transition],
    rule_runs: Sequence[RuleRun] = (),
    capture: Sequence[CaptureHealth] = (),
    exceptions: Sequence[ExceptionEntry] = (),
) -> Result:
    """Return the result for the seven days that end with `context.as_of` in the org's time zone.

    Args:
        context: the org, the rules and the data the report is about.
        outcomes: the latest evaluation of each rule; their rows are not used.
        findings: all findings, resolved ones included, as they stand now.
        transitions: at least those since the first day of the trend (`options.trend_weeks` before `as_of`).
        rule_runs: past evaluations: where the trend begins, its version marks, rule health.
        capture: how each mailbox is being read.
        exceptions: accepted leaks and how many findings each covers.
    """
    zone = ZoneInfo(context.org.time_zone)
    period = Period.week_to(context.as_of, zone)
    history = History(findings, transitions)
    events = history.events(period)
    everything = [from_finding(found, context.org.default_currency) for found in findings]
    main = main_currency([entry for entry in everything if entry.standing], context.org.default_currency)
    countable = frozenset(entry.id for entry in everything if entry.countable)
    happened = Happened(
        new=events.new & countable,
        fixed=frozenset(events.fixed) & countable,
        reopened=events.reopened & countable,
    )
    line = trend(
        everything, history, rule_runs, as_of=context.as_of, zone=zone, weeks=context.options.trend_weeks, main=main
    )
    figures = standing_kpis(everything, main) | life_kpis(context, everything, events, happened, main)
    figures["previous"] = previous(line["points"])
    listed = [entry for entry in everything if entry.status is not FindingStatus.RESOLVED or _ended(entry, events)]
    result = _result("weekly", context, listed, outcomes, main, figures, happened, rule_runs, period.opens)
    result["period"] = {"start": period.start.isoformat(), "end": period.end.isoformat()}
    result["trend"] = line
    result["capture"] = [_mailbox(health) for health in sorted(capture, key=lambda health: health.address)]
    result["exceptions"] = _exceptions(context, exceptions)
    return result


def to_json(result: Mapping[str, Any]) -> bytes:
    """Return the result as indented UTF-8 JSON with a final newline; objects keep their order, which is fixed."""
    return orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _result(
    kind: str,
    context: ReportContext,
    entries: Sequence[Entry],
    outcomes: Sequence[RuleOutcome],
    main: str,
    figures: Mapping[str, Any],
    happened: Happened,
    rule_runs: Sequence[RuleRun] = (),
    week_began: datetime | None = None,
) -> Result:
    infos = {info.id: info for info in context.rules}
    people = sections.names(context, entries)
    ordered = sorted(entries, key=lambda entry: rank(entry, main))
    rules = sections.rules(context, entries, outcomes, main, happened, rule_runs, week_began)
    top = [entry.id for entry in ordered if entry.standing][: context.options.top]
    league = context.options.owner_league
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": kind,
        "as_of": context.as_of.isoformat(),
        "period": None,
        "generated_at": values.moment(context.generated_at),
        "time_zone": context.org.time_zone,
        "language": context.language,
        "org": _org(context.org),
        "main_currency": main,
        "snapshot": _snapshot(context),
        "rule_counts": _rule_counts(rules),
        "kpis": dict(figures),
        "trend": None,
        "rules": rules,
        "teams": sections.teams(entries, main, happened, people),
        "owners": sections.owners(entries, main, happened, people) if league else None,
        "top_findings": [values.text(identity) for identity in top],
        "findings": [sections.finding(entry, infos, people, context.accounts) for entry in ordered],
        "exceptions": None,
        "capture": None,
        "notes": _notes(context, outcomes),
        "method": method(kind, context.rules),
    }


def _org(org: OrgFacts) -> dict[str, Any]:
    return {
        "id": org.org_id,
        "name": values.text(org.name),
        "base_url": org.base_url,
        "default_currency": org.default_currency,
        "is_sandbox": org.is_sandbox,
    }


def _snapshot(context: ReportContext) -> dict[str, Any]:
    tables = sorted(context.freshness.keys() | context.row_counts.keys())
    objects = [
        {"name": name, "fresh_at": values.moment(context.freshness.get(name)), "rows": context.row_counts.get(name)}
        for name in tables
    ]
    return {"id": context.snapshot_id or None, "objects": objects}


_RULE_STATUSES = ("run", "held", "failed", "switched_off", "skipped", "not_run")


def _rule_counts(rules: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {status: sum(1 for rule in rules if rule["status"] == status) for status in _RULE_STATUSES}


def _ended(entry: Entry, events: Events) -> bool:
    return entry.id in events.fixed or entry.id in events.resolved_otherwise


def _mailbox(health: CaptureHealth) -> dict[str, Any]:
    return {
        "address": values.text(health.address),
        "owner_id": health.owner_id,
        "name": values.text(health.name),
        "last_good_read": values.moment(health.last_good_read),
        "parked_reason": None if health.parked_reason is None else values.text(health.parked_reason),
    }


def _exceptions(context: ReportContext, exceptions: Sequence[ExceptionEntry]) -> list[dict[str, Any]]:
    soon = context.as_of + timedelta(days=context.options.expiring_within_days)

    def state(entry: ExceptionEntry) -> str:
        if entry.expires < context.as_of:
            return "expired"
        if entry.matches == 0:
            return "unused"
        return "expiring" if entry.expires <= soon else "active"

    return [
        {
            "rule_id": entry.rule_id,
            "scope": values.text(entry.scope),
            "reason": values.text(entry.reason),
            "author": values.text(entry.author),
            "expires": entry.expires.isoformat(),
            "matches": entry.matches,
            "state": state(entry),
        }
        for entry in sorted(exceptions, key=lambda entry: (entry.expires, entry.rule_id, entry.scope))
    ]


def _notes(context: ReportContext, outcomes: Sequence[RuleOutcome]) -> list[dict[str, Any]]:
    notes = list(context.notes)
    notes.extend(
        Note("rule", Text(en=english, tr=turkish or english), rule_id=outcome.rule_id)
        for outcome in sorted(outcomes, key=lambda outcome: outcome.rule_id)
        for english, turkish in zip_longest(outcome.assumptions, outcome.assumptions_tr[: len(outcome.assumptions)])
    )
    notes.extend(
        Note("unjudged", outcome.unjudged, "warning", outcome.rule_id)
        for outcome in sorted(outcomes, key=lambda outcome: outcome.rule_id)
        if outcome.unjudged is not None
    )
    told: dict[Text, Note] = {}
    for note in notes:  # what holds for several rules is said once, and of no rule in particular
        first = told.get(note.text, note)
        told[note.text] = first if first.rule_id == note.rule_id else replace(first, rule_id=None)
    lines = [
        {"code": note.code, "level": note.level, "rule_id": note.rule_id, "text": values.both(note.text)}
        for note in told.values()
    ]
    return sorted(lines, key=lambda line: line["level"] != "warning")


def _without_hold(outcome: RuleOutcome) -> RuleOutcome:
    """Return the outcome as complete if it ran at all: without state there is nothing that could be held."""
    return outcome if outcome.error or outcome.switched_off else replace(outcome, complete=True)
