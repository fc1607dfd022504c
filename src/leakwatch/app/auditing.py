"""Audit and act: joins the snapshot, the rules, the life of findings and the actions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from leakwatch.app.building import Parts
from leakwatch.app.mirroring import latest_snapshot, stale_after
from leakwatch.app.streams import streams
from leakwatch.core.lifecycle import Signals
from leakwatch.core.notice_policy import NoticePolicy, Recipient
from leakwatch.core.rates import Rates
from leakwatch.core.record_ids import activity_object
from leakwatch.core.spans import in_words
from leakwatch.core.tasks import TaskState, task_states
from leakwatch.errors import ConfigError, NotFoundError, RecordError, SafetyError, StaleError
from leakwatch.flows.act import TASK_FIELDS, OrgView, act
from leakwatch.flows.act_sending import ActReport
from leakwatch.flows.audit import AuditReport, audit
from leakwatch.model import KEY_FIELD, Rule, Snapshot

ALERTS_KEPT = timedelta(days=60)  # closed alert Tasks older than this no longer matter to any finding
QUIET_CATEGORIES = frozenset({"response", "activity", "lead_follow_up"})


def run_audit(parts: Parts, *, dry_run: bool = False, accept_shrunk: bool = False) -> AuditReport:
    """Run the rules over the newest snapshot and bring the findings up to date."""
    latest_snapshot(parts)
    engine = rule_engine(parts)
    rules = parts.rules
    with parts.run("audit", dry_run=dry_run) as note:
        # Looked at under the lock: what was seen before somebody else's audit must not be judged after it.
        snapshot = latest_snapshot(parts)
        now = parts.clock.now()
        outcomes = engine.run(Path(snapshot.path), as_of_date=now.astimezone(parts.zone).date(), as_of=now)
        tasks = alert_tasks(parts)
        report = audit(
            run=note.run,
            rules=rules,
            outcomes=outcomes,
            snapshot=snapshot,
            store=parts.findings,
            now=now,
            signals=lambda rule: _signals(parts, rule, snapshot, tasks, now),
            known_rule_ids={loaded.rule.id for loaded in _all_rules(parts)},
            accept_shrunk=accept_shrunk,
            dry_run=dry_run,
        )
        note.complete = report.complete
        note.counts = dict(report.counts())
    return report


def rule_engine(parts: Parts) -> Any:
    """Return the engine with every loaded rule."""
    from leakwatch.rule_engine.run import RuleEngine

    config, company = parts.mirror_config, parts.settings.company
    return RuleEngine(
        parts.loaded_rules,
        catalog=config.catalog(),
        label=config.label,
        stale_after=stale_after(parts),
        rates=Rates(company.currency, company.exchange_rates),
    )


def run_act(parts: Parts, *, dry_run: bool = False) -> ActReport:
    """Tell people what is to be told, close what is settled.

    Raises:
        StaleError: the mirror, or the last audit, is older than `audit.stale_after_hours`: what it found may be mended
            by now. Nobody was told anything.
    """
    latest_snapshot(parts)
    with parts.run("act", dry_run=dry_run) as note:
        if not dry_run:
            _require_key(parts)
        snapshot = latest_snapshot(parts)  # under the lock, as in `run_audit`
        _require_fresh(parts, snapshot)
        if not dry_run:
            parts.writer.settle()
        report = act(
            run=note.run,
            rules=parts.rules,
            store=parts.findings,
            writer=parts.writer,
            actions=parts.actions,
            org=OrgView(
                tasks=alert_tasks(parts),
                recipients=recipients(snapshot),
                words=parts.task_words,
                our_user_id=our_user_id(parts),
            ),
            policy=notice_policy(parts),
            now=parts.clock.now(),
            fetcher=parts.reader,
            dry_run=dry_run,
        )
        note.complete = report.unsent == 0 and not report.failed
        note.counts = dict(report.counts())
        note.counts["api_calls"] = parts.client.calls
    return report


def _require_fresh(parts: Parts, snapshot: Snapshot) -> None:
    now, limit = parts.clock.now(), stale_after(parts)
    said = f"(audit.stale_after_hours: {parts.settings.audit.stale_after_hours}). Nobody was told anything: it may be "
    read = now - snapshot.published_at
    if read > limit:
        raise StaleError(
            f"the mirror was last read {in_words(read)} ago {said}mended by now. "
            "Run `leakwatch mirror`, then `leakwatch audit`, then this again."
        )
    judged = parts.findings.last_judged()
    if judged is not None and now - judged > limit:
        raise StaleError(
            f"the last audit was {in_words(now - judged)} ago {said}mended by now. "
            "Run `leakwatch audit`, then this again."
        )


def notice_policy(parts: Parts) -> NoticePolicy:
    """Return what the admin decided about telling people."""
    settings = parts.settings
    return NoticePolicy(
        writes={"salesforce_task": settings.writes.salesforce_task, "chatter_post": settings.writes.chatter_post},
        zone=parts.zone,
        per_owner_per_day=settings.actions.per_owner_per_day,
        per_day=settings.actions.per_day,
        revops_user_id=settings.audit.revops_user_id,
        language=settings.company.language,
        due_business_days=settings.actions.due_business_days,
        chatter_show_money=settings.actions.chatter_show_money,
        working=settings.company.working_time,
        feed_objects=_feed_objects(parts),
        rates=rule_engine(parts).rates(latest_snapshot(parts).path).per_unit,
    )


def _feed_objects(parts: Parts) -> frozenset[str]:
    found: set[str] = set()
    wanted = {rule.sobject for rule in parts.rules}
    if any(loaded.spec.finding.about for loaded in _all_rules(parts)):
        wanted |= {"Account", "Contact", "Lead", "Opportunity"}
    sobjects = sorted(wanted)
    parts.reader.prepare_describes(sobjects)
    for sobject in sobjects:
        try:
            if parts.reader.describe(sobject).get("feedEnabled"):
                found.add(sobject)
        except (NotFoundError, RecordError):
            continue
    return frozenset(found)


def _require_key(parts: Parts) -> None:
    writes = parts.settings.writes
    if (writes.salesforce_task or writes.chatter_post) and not parts.org.key_on_task:
        raise SafetyError(
            f"Task.{KEY_FIELD} is not in this org (or the integration user may not see it): without it an alert could "
            "be made twice. Nothing was written. Deploy the salesforce/ folder and assign its permission set, then run "
            "leakwatch doctor."
        )


# --- what people did ---


def alert_tasks(parts: Parts) -> dict[str, TaskState]:
    """Return our alert Tasks by key as they are in the org now, deleted ones too; none without the package."""
    if not parts.org.key_on_task:
        return {}
    since = (parts.clock.now() - ALERTS_KEPT).strftime("%Y-%m-%dT%H:%M:%SZ")
    query = (
        f"SELECT {', '.join(TASK_FIELDS)} FROM Task WHERE {KEY_FIELD} LIKE 'lw1:f:%' "  # noqa: S608  our own names
        f"AND (IsClosed = false OR SystemModstamp >= {since})"
    )
    rows: list[Mapping[str, Any]] = [row for page in parts.reader.query(query, all_rows=True) for row in page]
    return task_states(rows, parts.task_words, our_user_id=our_user_id(parts))


def _signals(parts: Parts, rule: Rule, snapshot: Snapshot, tasks: Mapping[str, TaskState], now: datetime) -> Signals:
    return Signals(
        tasks=tasks,
        gone_records=_gone(parts, rule, snapshot),
        unproven_owners=_unread_owners(parts, rule, snapshot, now),
        exceptions=tuple(exceptions(parts)),
        zone=parts.zone,
    )


def _gone(parts: Parts, rule: Rule, snapshot: Snapshot) -> frozenset[str]:
    """Return the records of this rule's open findings that the snapshot shows as deleted."""
    open_ids = sorted(
        {
            finding.record_id
            for finding in parts.findings.findings(rule_id=rule.id, include_resolved=False)
            if not finding.is_process
        }
    )
    from leakwatch.store.snapshot_facts import deleted_ids

    gone: frozenset[str] = frozenset()
    for sobject in sorted({activity_object(rule.sobject, one) for one in open_ids}):
        spec = parts.mirror_config.object(sobject)
        if spec is not None:
            its = [one for one in open_ids if activity_object(rule.sobject, one) == sobject]
            gone |= deleted_ids(snapshot, spec.table, its)
    return gone


def _unread_owners(parts: Parts, rule: Rule, snapshot: Snapshot, now: datetime) -> frozenset[str]:
    """Return the users whose mailbox was not read without a gap in the rule's window, or is not read at all."""
    days = rule.params.get("days")
    if not parts.settings.reads_mail or rule.category not in QUIET_CATEGORIES or not isinstance(days, int):
        return frozenset()
    from leakwatch.store.snapshot_facts import users

    window = now - timedelta(days=days)
    fresh = now - timedelta(hours=parts.settings.audit.stale_after_hours)
    read = {
        entry.salesforce_user_id
        for entry in parts.capture_status.coverage(streams(parts))
        if entry.parked_reason is None
        and entry.covered_from is not None
        and entry.covered_from <= window
        and entry.read_at is not None
        and entry.read_at >= fresh
    }
    return frozenset(user.user_id for user in users(snapshot)) - read


def exceptions(parts: Parts) -> Iterable[Any]:
    """Return the accepted leaks of `audit.exceptions_file`."""
    path = parts.settings.audit.exceptions_file
    if path is None:
        return ()
    if not path.exists():  # left out in silence, every accepted leak would be told to somebody
        raise ConfigError(f"audit.exceptions_file: {path} does not exist. Nothing was judged. Correct the path.")
    from leakwatch.rule_engine.exceptions import load_exceptions

    today = parts.clock.now().astimezone(parts.zone).date()
    return load_exceptions(path, rule_ids=[loaded.rule.id for loaded in _all_rules(parts)], today=today)


def _all_rules(parts: Parts) -> tuple[Any, ...]:
    from leakwatch.rule_engine.load import load_rules

    audit_settings = parts.settings.audit
    if not audit_settings.rules:
        return parts.loaded_rules
    return load_rules(
        parts.mirror_config.catalog(),
        user_folder=audit_settings.rules_folder,
        overrides=audit_settings.overrides_file,
    )


# --- who is who ---


def recipients(snapshot: Snapshot) -> dict[str, Recipient]:
    """Return every user of the snapshot as one who may (or may no longer) be told something."""
    from leakwatch.store.snapshot_facts import users

    return {user.user_id: Recipient(user.user_id, is_active=user.is_active, name=user.name) for user in users(snapshot)}


def our_user_id(parts: Parts) -> str | None:
    """Return the Salesforce id of leakwatch's own user: what others change is a person's change."""
    from leakwatch.clients.salesforce import soql

    # Salesforce compares user names without case, and so must we: unknown, our own Tasks would look like a person's.
    query = soql("SELECT Id FROM User WHERE Username = {name}", name=parts.settings.salesforce.username)
    return next((str(row["Id"]) for page in parts.reader.query(query) for row in page), None)
