"""The mirror: refreshed from the org, and what the other flows ask of its snapshots."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from leakwatch.app.building import Parts
from leakwatch.errors import SafetyError
from leakwatch.flows.mirror import MirrorReport, mirror
from leakwatch.flows.mirror_plan import MirrorPlan, plan_mirror
from leakwatch.model import Snapshot


def run_mirror(parts: Parts, *, full: bool = False, should_stop: Callable[[], bool] | None = None) -> MirrorReport:
    """Refresh the mirror and publish a snapshot.

    Raises:
        AuthError, TransientError, BudgetError: the org can't be read; nothing is published.
    """
    from leakwatch.store.mirror_derive import DeriveSettings

    with parts.run("mirror") as note, parts.open_mirror() as store:
        org = parts.org
        settings = DeriveSettings(
            time_zone=parts.settings.company.time_zone,
            default_currency=parts.settings.company.currency or org.currency,
            working=parts.settings.company.working_time,
        )
        report = mirror(
            parts.reader,
            store,
            parts.mirror_config,
            org_id=org.org_id,
            derive=lambda: store.derive(settings, now=parts.clock.now()),
            now=parts.clock.now(),
            full=full,
            should_stop=should_stop,
        )
        note.complete = report.complete
        note.counts = {table.sobject: table.rows for table in report.tables if table.rows}
        note.counts["api_calls"] = parts.client.calls
    return report


def plan_refresh(parts: Parts, *, full: bool = False) -> MirrorPlan:
    """Return what a refresh would ask of the org now. Nothing is read into the mirror.

    Raises:
        AuthError, TransientError, BudgetError: the org can't be read.
    """
    from leakwatch.store.mirror_marks import marks_of

    with parts.run("mirror", dry_run=True) as note, marks_of(parts.mirror_folder, parts.mirror_config) as marks:
        plan = plan_mirror(parts.reader, marks, parts.mirror_config, full=full)
        note.complete = True
        note.counts["api_calls"] = parts.client.calls
    return plan


def refresh_if_older(parts: Parts, age: timedelta, *, should_stop: Callable[[], bool] | None = None) -> None:
    """Refresh the mirror unless its newest snapshot is younger than `age`.

    Raises:
        AuthError, TransientError, BudgetError: as `run_mirror`.
    """
    known = parts.newest_snapshot()
    if known is None or parts.clock.now() - known.published_at >= age:
        run_mirror(parts, should_stop=should_stop)


def latest_snapshot(parts: Parts) -> Snapshot:
    """Return the newest snapshot.

    Raises:
        SafetyError: there is none yet, so nothing may be concluded.
    """
    snapshot = parts.newest_snapshot()
    if snapshot is None:
        raise SafetyError("there is no mirror yet; run `leakwatch mirror` first. Nothing was judged.")
    return snapshot


def stale_after(parts: Parts) -> timedelta:
    """Return the age from which a mirror proves nothing."""
    return timedelta(hours=parts.settings.audit.stale_after_hours)
