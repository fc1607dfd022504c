"""The report of an export and of a week: one JSON result each, and its files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from leakwatch.app.auditing import exceptions, rule_engine
from leakwatch.app.building import Parts
from leakwatch.app.mirroring import latest_snapshot
from leakwatch.app.streams import MAIL
from leakwatch.core import report as numbers
from leakwatch.core.lifecycle_case import as_row
from leakwatch.core.report_inputs import (
    CaptureHealth,
    ExceptionEntry,
    Language,
    OrgFacts,
    ReportContext,
    ReportOptions,
    RuleInfo,
)
from leakwatch.model import Finding, Snapshot
from leakwatch.store.capture_status import Coverage

TREND = timedelta(weeks=13)  # twelve weeks of trend and the week before them


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where a report was written."""

    json: Path
    html: Path
    csv: Path
    excel_csv: Path | None


def export_result(parts: Parts, paths: Sequence[Path], *, as_of: date | None) -> Mapping[str, Any]:
    """Return the result of auditing a Salesforce Data Export, once and without state. Nothing is left on disk.

    Raises:
        LeakwatchError: nothing of the export can be used; each file is named with what to do.
    """
    from leakwatch.flows.audit_export import audit_export
    from leakwatch.store.export_loader import ExportLoader
    from leakwatch.store.mirror_derive import DeriveSettings

    company = parts.settings.company
    derive = DeriveSettings(
        time_zone=company.time_zone if company.time_zone != "UTC" else None,
        default_currency=company.currency,
        working=company.working_time,
    )
    with tempfile.TemporaryDirectory(prefix="leakwatch-export-") as folder:
        loader = ExportLoader(parts.mirror_config, Path(folder), settings=derive)
        found = audit_export(
            paths,
            loader=loader,
            engine=rule_engine(parts),
            now=parts.clock.now(),
            as_of_date=as_of,
            accepted=tuple(exceptions(parts)),
        )
        context = _context(
            parts,
            found.snapshot,
            org=OrgFacts(
                "", _name(found.snapshot), found.time_zone, company.currency, parts.settings.report.record_url
            ),
            as_of=found.as_of_date,
            notes=found.notes,
            account_ids=[row.account_id for row in found.findings],
        )
        return numbers.export_audit(context, found.outcomes)


def weekly_result(parts: Parts, *, as_of: date | None = None) -> Mapping[str, Any]:
    """Return the result for the seven days that end with `as_of` (default: yesterday in the org's zone)."""
    from leakwatch.store.snapshot_facts import notes

    snapshot = latest_snapshot(parts)
    now = parts.clock.now()
    last_day = as_of or now.astimezone(parts.zone).date() - timedelta(days=1)
    trend_from = datetime.combine(last_day, time(), parts.zone) - TREND
    outcomes = rule_engine(parts).run(Path(snapshot.path), as_of_date=now.astimezone(parts.zone).date(), as_of=now)
    findings = parts.findings.findings()
    org = OrgFacts(
        snapshot.org_id,
        _name(snapshot),
        parts.settings.company.time_zone,
        parts.settings.company.currency or _currency(findings),
        parts.settings.report.record_url or parts.settings.salesforce.instance_url,
    )
    account_ids = [finding.account_id for finding in findings]
    context = _context(parts, snapshot, org=org, as_of=last_day, notes=notes(snapshot), account_ids=account_ids)
    return numbers.weekly(
        context,
        outcomes,
        findings=findings,
        transitions=parts.findings.transitions(since=trend_from),
        rule_runs=parts.findings.rule_runs(since=trend_from),
        capture=capture_health(parts),
        exceptions=_exceptions(parts, findings),
    )


def week_stem(result: Mapping[str, Any]) -> str:
    """Return how the files of a weekly report are called, without their endings."""
    return f"leakwatch-week-{result['as_of']}"


def files_of(parts: Parts, result: Mapping[str, Any], stem: str) -> ReportFiles:
    """Return where `write_files` writes, in `report.folder`."""
    folder = parts.settings.report.folder
    return ReportFiles(
        json=folder / f"{stem}.json",
        html=folder / f"{stem}.html",
        csv=folder / f"{stem}.csv",
        excel_csv=folder / f"{stem}-excel.csv" if result["language"] == "tr" else None,
    )


def write_files(parts: Parts, result: Mapping[str, Any], stem: str) -> ReportFiles:
    """Write the result and its renderings into `report.folder` as `stem.json`, `.html` and `.csv`; return where.

    In Turkish a second CSV is written that Turkish Excel opens as it is.
    """
    from leakwatch.report.csv import render_csv
    from leakwatch.report.html import render_html

    files = files_of(parts, result, stem)
    files.html.parent.mkdir(parents=True, exist_ok=True)
    _write_whole(files.json, numbers.to_json(result))
    _write_whole(files.html, render_html(result).encode("utf-8"))
    _write_whole(files.csv, render_csv(result))
    if files.excel_csv is not None:
        _write_whole(files.excel_csv, render_csv(result, "excel-tr"))
    return files


def _write_whole(path: Path, content: bytes) -> None:
    """Write `content` so that a reader sees the old file or the new one, never half of it."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def _context(
    parts: Parts,
    snapshot: Snapshot,
    *,
    org: OrgFacts,
    as_of: date,
    notes: Sequence[Any],
    account_ids: Sequence[str | None],
) -> ReportContext:
    from leakwatch.store.snapshot_facts import account_names, users

    language: Language = parts.settings.company.language
    # Only what the rules look at; statuses and the like would bury it.
    read = {table for loaded in parts.loaded_rules for table in loaded.query.reads if table.startswith("sf_")}
    return ReportContext(
        org=org,
        rules=tuple(
            RuleInfo.from_rule(loaded.rule, reading=loaded.reading, param_help=loaded.param_help)
            for loaded in parts.loaded_rules
        ),
        as_of=as_of,
        generated_at=parts.clock.now(),
        language=language,
        snapshot_id=snapshot.snapshot_id,
        freshness={table: moment for table, moment in snapshot.freshness.items() if table in read},
        row_counts={table: count for table, count in snapshot.row_counts.items() if table in read},
        people={user.user_id: user.name for user in users(snapshot)},
        accounts=account_names(snapshot, account_ids),
        notes=tuple(notes),
        options=ReportOptions(owner_league=parts.settings.report.owner_league),
    )


def _name(snapshot: Snapshot) -> str:
    from leakwatch.store.snapshot_facts import organization_name

    return organization_name(snapshot)


def _currency(findings: Sequence[Finding]) -> str | None:
    known = {finding.currency for finding in findings if finding.currency}
    return known.pop() if len(known) == 1 else None


def capture_health(parts: Parts) -> list[CaptureHealth]:
    """Return how each mailbox that is or was on the roster is read, and why not where it is not."""
    names = {principal.address: principal.name for principal in parts.journal.principals()}
    return [
        CaptureHealth(
            entry.principal,
            entry.salesforce_user_id,
            names.get(entry.principal, ""),
            entry.read_at,
            _why_not_read(entry),
        )
        for entry in parts.capture_status.coverage(MAIL)
    ]


def _why_not_read(mailbox: Coverage) -> str | None:
    """Return the code of the reason why nobody reads a mailbox (`parked.*` in the locales), None where it is read."""
    if mailbox.left_at is not None:
        return "left"
    return "no_notice" if mailbox.notice_date is None else mailbox.parked_reason


def _exceptions(parts: Parts, findings: Sequence[Finding]) -> list[ExceptionEntry]:
    today = parts.clock.now().astimezone(parts.zone).date()
    return [
        ExceptionEntry(
            entry.rule_id or "*",
            entry.scope,
            entry.reason,
            entry.author,
            entry.expires,
            sum(1 for finding in findings if entry.covers(as_row(finding), today=today)),
        )
        for entry in exceptions(parts)
    ]
