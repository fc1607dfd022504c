"""The parts of a report's JSON that both kinds share: findings, rules, teams and owners."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from leakwatch.core import columns
from leakwatch.core import report_values as values
from leakwatch.core.record_ids import is_person
from leakwatch.core.report_entries import IMPACT_KINDS, NO_CURRENCY, STANDING, Entry
from leakwatch.core.report_inputs import ReportContext, RuleInfo, RuleRun
from leakwatch.core.report_numbers import once_per_record
from leakwatch.model import FindingStatus, Proof, RuleOutcome, Text

K = TypeVar("K")

_RESOLVED = FindingStatus.RESOLVED
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Happened:
    """Ids of the entries that were new, fixed or reopened in the report's period."""

    new: frozenset[str] = _NOTHING
    fixed: frozenset[str] = _NOTHING
    reopened: frozenset[str] = _NOTHING

    def counts(self, entries: Iterable[Entry]) -> dict[str, int]:
        """Return how many of `entries` were new, fixed and reopened."""
        ids = {entry.id for entry in entries}
        return {
            "new": len(self.new & ids),
            "fixed": len(self.fixed & ids),
            "reopened": len(self.reopened & ids),
        }


def money(entries: Sequence[Entry], main: str) -> dict[str, list[dict[str, Any]]]:
    """Return the three sums of the standing ones among `entries`, each record once per sum and currency."""
    standing = [entry for entry in entries if entry.standing]
    return {kind: values.amounts(once_per_record(standing, kind), main) for kind in IMPACT_KINDS}


def names(context: ReportContext, entries: Iterable[Entry]) -> dict[str, str]:
    """Return user id -> name, from the findings' owners and what the caller knows; the caller's word wins."""
    known = {entry.owner_id: entry.owner_name for entry in entries if entry.owner_id and entry.owner_name}
    return {**known, **context.people}


def finding(
    entry: Entry, rules: Mapping[str, RuleInfo], people: Mapping[str, str], accounts: Mapping[str, str]
) -> dict[str, Any]:
    """Return one finding, whole: everything a script or an auditor needs without looking elsewhere."""
    rule = rules.get(entry.rule_id)
    return {
        "id": values.text(entry.id),
        "rule_id": entry.rule_id,
        "rule_version": entry.rule_version,
        "sobject": entry.sobject,
        "record_id": values.text(entry.record_id),
        "record_name": values.text(entry.record_name),
        "account_id": entry.account_id,
        "account_name": values.text(accounts.get(entry.account_id or "", "")),
        "owner_id": entry.owner_id,
        "owner_name": values.text(entry.owner_name),
        "manager_id": entry.manager_id,
        "manager_name": values.text(people.get(entry.manager_id or "", "")),
        "impact": values.decimal(entry.impact),
        "currency": None if entry.impact is None or entry.currency == NO_CURRENCY else entry.currency,
        "impact_kind": entry.impact_kind,
        "severity": entry.severity.value,
        "status": entry.status.value,
        "since": values.moment(entry.since),
        "first_seen": values.moment(entry.first_seen),
        "status_since": values.moment(entry.status_since),
        "proof": None if entry.proof is None else entry.proof.value,
        "baseline": entry.baseline,
        "reopened": entry.reopened,
        "notified": entry.notified,
        "resolved_reason": entry.resolved_reason,
        "process": entry.is_process,
        "count": entry.count,
        "counted": entry.standing,
        "evidence": {values.text(name): values.evidence(value) for name, value in entry.evidence.items()},
        "message": values.both(entry.message),
        "fix": values.both(_fix(entry, rule)),
    }


def _fix(entry: Entry, rule: RuleInfo | None) -> Text:
    if rule is None:
        return Text(en="", tr="")
    return rule.process_fixes.get(entry.record_id, rule.fix) if entry.is_process else rule.fix


def process_records(entries: Iterable[Entry]) -> int:
    """Return how many records process findings stand for: of each rule the largest count.

    Several fields may be empty in the same records of one rule; how many of them coincide is not known.
    """
    counts: dict[str, int] = {}
    for entry in entries:
        counts[entry.rule_id] = max(entry.count, counts.get(entry.rule_id, 0))
    return sum(counts.values())


def outcome_status(outcome: RuleOutcome | None) -> str:
    """Return `run`, `failed`, `held`, `switched_off`, `skipped` (nothing to examine) or `not_run`."""
    if outcome is None:
        return "not_run"
    if outcome.switched_off is not None:
        return "switched_off"
    if outcome.error is not None:
        return "failed"
    if outcome.population == 0 and not outcome.rows:  # a process finding may count records that it can not judge
        return "skipped"
    return "run" if outcome.complete else "held"


def rules(
    context: ReportContext,
    entries: Sequence[Entry],
    outcomes: Sequence[RuleOutcome],
    main: str,
    happened: Happened,
    runs: Sequence[RuleRun] = (),
    week_began: datetime | None = None,
) -> list[dict[str, Any]]:
    """Return one object per rule, the most money first, of whatever kind; then the most findings."""
    latest = {outcome.rule_id: outcome for outcome in outcomes}
    by_rule = _grouped(entries, lambda entry: entry.rule_id)
    ordered_runs = sorted(runs, key=lambda run: (run.at, run.run_id))
    lines = [
        _rule(
            info,
            latest.get(info.id),
            by_rule.get(info.id, []),
            main,
            happened,
            [run for run in ordered_runs if run.rule_id == info.id],
            week_began,
        )
        for info in context.rules
    ]
    return sorted(lines, key=lambda line: (min(_by_money(line, main)[:-1]), -line["findings"], line["id"]))


def _rule(
    info: RuleInfo,
    outcome: RuleOutcome | None,
    entries: Sequence[Entry],
    main: str,
    happened: Happened,
    runs: Sequence[RuleRun],
    week_began: datetime | None,
) -> dict[str, Any]:
    standing = [entry for entry in entries if entry.standing]
    complete = [run.at for run in runs if run.complete]
    process = [entry for entry in entries if entry.is_process and entry.status in STANDING]
    types = _evidence_types(entries)
    before = [run for run in runs if week_began is not None and run.at < week_began]
    return {
        "id": info.id,
        "version": info.version,
        "title": values.both(info.title),
        "why": values.both(info.why),
        "fix": values.both(info.fix),
        "severity": info.severity.value,
        "mode": info.mode.value,
        "category": info.category,
        "owner_team": info.owner_team,
        "runbook": info.runbook,
        "sobject": info.sobject,
        "params": {name: values.evidence(value) for name, value in sorted(info.params.items())},
        "param_help": {name: values.both(said) for name, said in sorted(info.param_help.items())},
        "status": outcome_status(outcome),
        "reason": _reason(outcome),
        "population": None if outcome is None else outcome.population,
        "findings": len(standing),
        "findings_before": before[-1].open_count if before else None,
        "records": len({entry.record_id for entry in standing}),
        "process_findings": len(process),
        "process_records": process_records(process),
        "unproven": sum(1 for entry in entries if _unproven(entry)),
        **happened.counts(entries),
        "amounts": money(standing, main),
        "last_run_at": values.moment(runs[-1].at) if runs else None,
        "last_complete_at": values.moment(complete[-1]) if complete else None,
        "evidence_types": types,
        "evidence_labels": {name: values.both(columns.label(name)) for name in types},
        "evidence_words": {
            column: {code: values.both(said) for code, said in sorted(codes.items())}
            for column, codes in sorted(info.words.items())
        },
    }


def _reason(outcome: RuleOutcome | None) -> dict[str, str] | None:
    said = None if outcome is None else outcome.switched_off or outcome.error
    if outcome is None or said is None:
        return None
    return values.both(Text(en=said, tr=(outcome.switched_off and outcome.switched_off_tr) or said))


def _unproven(entry: Entry) -> bool:
    return entry.proof is Proof.UNPROVEN and entry.status is not _RESOLVED


def _evidence_types(entries: Sequence[Entry]) -> dict[str, str]:
    types: dict[str, str] = {}
    for entry in entries:
        for name, value in entry.evidence.items():
            if value is not None:
                types.setdefault(values.text(name), values.evidence_type(value))
    return dict(sorted(types.items()))


def teams(entries: Sequence[Entry], main: str, happened: Happened, people: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return one object per manager (None: owners without one, and records without owner), worst first."""
    lines = [
        {
            "manager_id": manager,
            "manager_name": values.text(people.get(manager or "", "")),
            "owners": len({entry.owner_id for entry in group if entry.standing and is_person(entry.owner_id)}),
            **_tally(group, main, happened),
        }
        for manager, group in _grouped(_about_people(entries), lambda entry: entry.manager_id).items()
    ]
    return _worst_first(lines, main, "manager_id")


def owners(entries: Sequence[Entry], main: str, happened: Happened, people: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return one object per owner, worst first. Only made where the admin switched the owner league on."""
    lines = [
        {
            "owner_id": owner,
            "owner_name": values.text(people.get(owner or "", "")),
            "manager_id": group[0].manager_id,
            "manager_name": values.text(people.get(group[0].manager_id or "", "")),
            **_tally(group, main, happened),
        }
        for owner, group in _grouped(_about_people(entries), lambda entry: entry.owner_id).items()
    ]
    return _worst_first(lines, main, "owner_id")


def _about_people(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.countable]


def _tally(group: Sequence[Entry], main: str, happened: Happened) -> dict[str, Any]:
    standing = [entry for entry in group if entry.standing]
    return {
        "findings": len(standing),
        "records": len({entry.record_id for entry in standing}),
        "escalated": sum(1 for entry in standing if entry.status is FindingStatus.ESCALATED),
        **happened.counts(group),
        "amounts": money(standing, main),
    }


def _worst_first(lines: list[dict[str, Any]], main: str, tie: str) -> list[dict[str, Any]]:
    living = [line for line in lines if line["findings"] or line["new"] or line["fixed"] or line["reopened"]]
    return sorted(living, key=lambda line: (*_by_money(line, main), line[tie] or "~"))


def _by_money(line: Mapping[str, Any], main: str) -> tuple[Any, ...]:
    def size(kind: str) -> Decimal:
        return -next((Decimal(one["amount"]) for one in line["amounts"][kind] if one["currency"] == main), Decimal(0))

    return (*(size(kind) for kind in IMPACT_KINDS), -line["findings"])


def _grouped(entries: Iterable[Entry], key: Callable[[Entry], K]) -> dict[K, list[Entry]]:
    groups: dict[K, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(key(entry), []).append(entry)
    return groups
