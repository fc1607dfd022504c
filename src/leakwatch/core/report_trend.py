"""The weeks behind a weekly report: what was open at each week's end, and where rules changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from leakwatch.core import report_values as values
from leakwatch.core.report_entries import AT_RISK, STANDING, Entry
from leakwatch.core.report_inputs import RuleRun
from leakwatch.core.report_numbers import History, Period, once_per_record


def trend(
    entries: Sequence[Entry],
    history: History,
    runs: Sequence[RuleRun],
    *,
    as_of: date,
    zone: ZoneInfo,
    weeks: int,
    main: str,
) -> dict[str, Any]:
    """Return up to `weeks` points, oldest first, the last one at the end of `as_of`; and the marks between them.

    Weeks before the first rule run are left out: nobody looked, so nothing is known of them.
    """
    countable = [entry for entry in entries if entry.countable]
    began = min((run.at for run in runs), default=None)
    if began is None:
        began = min((entry.first_seen for entry in countable if entry.first_seen), default=None)
    points: list[dict[str, Any]] = []
    for back in reversed(range(weeks)):
        period = Period.week_to(as_of - timedelta(weeks=back), zone)
        if back == 0 or (began is not None and began < period.closes):
            points.append(_point(countable, history, runs, period, main))
    return {"points": points, "marks": marks(runs, zone, since=date.fromisoformat(points[0]["start"]))}


def _point(
    entries: Sequence[Entry], history: History, runs: Sequence[RuleRun], period: Period, main: str
) -> dict[str, Any]:
    end = period.closes
    standing = [entry for entry in entries if history.status_at(entry.id, end) in STANDING]
    events = history.events(period)
    ids = {entry.id for entry in entries}
    return {
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
        "findings": len(standing),
        "at_risk": values.amounts(once_per_record(standing, AT_RISK), main),
        "new": len(events.new & ids),
        "fixed": len(events.fixed.keys() & ids),
        "reopened": len(events.reopened & ids),
        "complete": any(run.complete and period.holds(run.at) for run in runs),
    }


def marks(runs: Sequence[RuleRun], zone: ZoneInfo, *, since: date) -> list[dict[str, Any]]:
    """Return where a rule was added, or its version or thresholds changed, so that a step is not read as progress."""
    last: dict[str, RuleRun] = {}
    first_day = min((run.at for run in runs), default=None)
    found: list[dict[str, Any]] = []
    for run in sorted(runs, key=lambda run: (run.at, run.rule_id, run.run_id)):
        before = last.get(run.rule_id)
        last[run.rule_id] = run
        day = run.at.astimezone(zone).date()
        if day < since:
            continue
        if before is None:
            if first_day is not None and day > first_day.astimezone(zone).date():
                found.append(_mark(day, run, "added", None))
        elif before.rule_version != run.rule_version:
            found.append(_mark(day, run, "version", before.rule_version))
        elif before.params_digest and run.params_digest and before.params_digest != run.params_digest:
            found.append(_mark(day, run, "thresholds", before.rule_version))
    return found


def _mark(day: date, run: RuleRun, change: str, before: int | None) -> dict[str, Any]:
    return {
        "date": day.isoformat(),
        "rule_id": run.rule_id,
        "change": change,
        "from_version": before,
        "to_version": run.rule_version,
    }
