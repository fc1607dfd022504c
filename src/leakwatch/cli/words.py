"""What each command prints: lines of plain text from what a flow returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from leakwatch.cli.output import MOST_LINES, counts, some, table
from leakwatch.cli.people_words import entering_line
from leakwatch.core.spans import in_words
from leakwatch.model import people_in

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from leakwatch.app.doctoring import Check
    from leakwatch.app.looking import RunShown, Status, Told
    from leakwatch.app.planning import Applied, Plan, PlannedWrite
    from leakwatch.flows.act_sending import ActReport
    from leakwatch.flows.audit import AuditReport
    from leakwatch.flows.capture_report import CaptureReport
    from leakwatch.flows.mirror_plan import MirrorPlan
    from leakwatch.jobs import JobStatus
    from leakwatch.model import Delivery, Finding, Snapshot, Transition, WriteOp
    from leakwatch.rule_engine.testing import TestResult
    from leakwatch.store.capture_status import Coverage


def capture_lines(found: CaptureReport) -> list[str]:
    """Return what a sync did."""
    head = "would read" if found.dry_run else "read"
    calendars = bool(found.calendars_read or found.calendars_failed)
    seen = "mails and events seen" if calendars else "mails seen"
    lines = [
        f"mailboxes {head}: {found.mailboxes_read}; {seen}: {found.items_seen}; captured: {found.captured}",
        f"skipped: {counts(found.skipped)}",
        f"matched: {counts(found.matched)}; unmatched: {found.unmatched}; held: {found.held}",
    ]
    if calendars:
        lines.insert(1, f"calendars {head}: {found.calendars_read}")
    if found.dry_run:
        lines.append(f"would write: {counts(found.planned)}")
        lines += some([f"  {_operation(op)}: {op.reason}" for op in found.operations])
        if any(op.sobject == "EmailMessage" for op in found.operations):
            lines.append("  then the Task that Salesforce makes for each EmailMessage would be given to the mail's rep")
    else:
        lines.append(
            f"written: {counts(found.written)}; already there: {found.already_there}; "
            f"Tasks given to their rep: {found.owners_given}; waiting: {found.waiting}"
        )
    lines += _beside_writing(found)
    if found.quarantined:
        lines.append(f"! quarantined: {counts(found.quarantined)}; see leakwatch quarantine list")
    if found.reconciled:
        lines.append(f"reconciled: {found.reconciled} mailboxes whose change log had expired")
    if found.mailboxes_parked:
        lines += [f"! {address}: parked: {reason}" for address, reason in found.mailboxes_parked.items()]
        lines.append(
            "  a parked mailbox is tried again by every sync, and by the daemon every 6 hours; see leakwatch doctor"
        )
    lines += [f"! {address}: not read to the end: {words}" for address, words in found.mailboxes_failed.items()]
    lines += [f"! {address}: calendar not read: {words}" for address, words in found.calendars_failed.items()]
    lines += [
        f"! {address}: not read: no notice is recorded (capture.notices)" for address in found.mailboxes_without_notice
    ]
    lines += [
        f"! {address}: not read any more: it left the roster (no active user, suspended, or left out by the settings)"
        for address in found.mailboxes_left
    ]
    if found.roster_empty:
        lines.append(
            "! nobody is on the roster: no directory user has the address of an active Salesforce user, or the "
            "settings name nobody. Nothing was read or written, what was read before is kept; see leakwatch doctor"
        )
    if found.units:
        lines.append(f"quota units: {counts(found.units)}")
    return lines


def _beside_writing(found: CaptureReport) -> list[str]:
    lines: list[str] = []
    if found.held_deletions:
        lines.append(f"! held back: {found.held_why}")
        lines += some([f"  not deleted: {op.sobject} {op.record_id}: {op.reason}" for op in found.held_deletions])
    if found.rematched:
        lines.append(f"matched anew, now that Salesforce knows more: {found.rematched}")
    if found.adopted:
        head = "would be adopted" if found.dry_run else "adopted"
        lines.append(f"already there by another tool, {head}: {len(found.adopted)}")
        lines += some([f"  {op.sobject} {op.record_id}: {op.reason}" for op in found.adopted]) if found.dry_run else []
    return [*lines, f"! {found.loop}"] if found.loop else lines


def mirror_plan_lines(plan: MirrorPlan) -> list[str]:
    """Return what a refresh of the mirror would ask for."""
    how = {"log": "delete log", "ids": "comparing ids"}
    rows = [
        (
            one.sobject,
            "whole" if one.whole else one.since,
            len(one.fields),
            one.rows,
            how.get(one.deletions, "-"),
            one.calls,
        )
        for one in plan.tables
        if not one.note
    ]
    lines = [table(["object", "changes since", "fields", "rows", "deletions by", "calls"], rows)]
    lines += [f"! {one.sobject}: {one.note}" for one in plan.tables if one.note]
    for one in plan.tables:
        if one.missing_fields:
            lines.append(f"! {one.sobject}: not in this org: {', '.join(one.missing_fields)}")
    lines.append(f"would read {plan.rows:,} rows with about {plan.calls:,} API calls; dry run: nothing was read")
    return lines


def audit_lines(found: AuditReport, now: datetime) -> list[str]:
    """Return what an audit found, rule by rule. `now` (aware) says how old its snapshot is."""
    rows = [
        (rule.rule_id, rule.population, rule.rows, rule.new, rule.baseline, rule.resolved, rule.reopened, rule.held)
        for rule in found.rules
    ]
    headers = ["rule", "examined", "leaking", "new", "baseline", "fixed", "reopened", "held"]
    lines = [
        table(headers, rows),
        _snapshot(found.snapshot_id, found.snapshot_at, now) + ("; dry run: nothing kept" if found.dry_run else ""),
    ]
    lines += [_note(rule.rule_id, rule.note) for rule in found.rules if rule.note]
    lines += [f"! {rule.rule_id}: failed: {rule.error}" for rule in found.rules if rule.error]
    lines += [f"! {rule.rule_id}: switched off: {rule.switched_off}" for rule in found.rules if rule.switched_off]
    return lines


def _note(rule_id: str, note: str) -> str:
    return f"! {rule_id}: {note.removeprefix(f'{rule_id}: ')}"


def snapshot_words(snapshot: Snapshot, now: datetime) -> str:
    """Return which snapshot of the mirror was gone by, and how old it is at `now` (aware)."""
    return _snapshot(snapshot.snapshot_id, snapshot.published_at, now)


def _snapshot(snapshot_id: str, published_at: datetime, now: datetime) -> str:
    return f"snapshot {snapshot_id}, read {in_words(now - published_at)} ago"


def act_lines(found: ActReport, names: Mapping[str, str]) -> list[str]:
    """Return who was told what; `names` are people's by user id."""
    if found.dry_run:
        lines = [f"would write {len(found.ops)} times:" if found.ops else "nothing would be written"]
        messages = {delivery.key: delivery for delivery in found.deliveries}
        said = [(op, messages[op.op_id]) for op in found.ops if op.op_id in messages]
        lines += some([f"  {op.verb.value} {op.sobject}: {op.reason}; {_to(one, names)}" for op, one in said])
    else:
        made = f"Tasks made: {found.tasks_made}; posts made: {found.posts_made}"
        lines = [f"{made}; Tasks closed: {found.tasks_closed}; lines added: {found.lines_added}"]
    if found.waiting:
        reasons: dict[str, int] = {}
        for waiting in found.waiting:
            reasons[waiting.reason] = reasons.get(waiting.reason, 0) + 1
        lines.append(f"not told yet: {counts(reasons)}")
    if found.unsent:
        lines.append(f"! {found.unsent} could not be sent; the next run tries again")
    lines += [f"! {failure.kind} {failure.key}: {failure.code}: {failure.reason}" for failure in found.failed]
    return lines


def _operation(op: WriteOp) -> str:
    """Return what a write of capture does; the records that it makes have no id yet."""
    record = f" {op.record_id}" if op.record_id else ""
    given = f" to {op.fields['OwnerId']}" if op.record_id and "OwnerId" in op.fields else ""
    return f"{op.verb.value} {op.sobject}{record}{given}{_people(op.fields, op.prior)}"


def _people(fields: Mapping[str, Any], prior: Mapping[str, Any]) -> str:
    """Return whom a write relates its record to: all of them, or who comes and who goes."""
    after, before = people_in(fields), people_in(prior)
    if fields.get("RelationId"):
        return f" for {fields['RelationId']}"
    if after is None:
        return ""
    if before is None:
        return f" with {', '.join(sorted(after)) or 'nobody'}"
    signs = [f"+{one}" for one in sorted(after - before)] + [f"-{one}" for one in sorted(before - after)]
    return f" with {' '.join(signs)}" if signs else ""


def _to(one: Delivery, names: Mapping[str, str]) -> str:
    """Return to whom a message goes and its subject, or whose Task is changed."""
    name = names.get(one.recipient_id) or one.recipient_id
    return f"to {name}: {one.title}" if one.title else f"{one.remote_id} of {name}"


def plan_lines(plan: Plan) -> list[str]:
    """Return a plan as a person reviews it."""
    many = len(plan.writes)
    lines = [f"{many} write{'' if many == 1 else 's'} planned for the org {plan.org_id}{':' if many else ''}"]
    lines += some([f"  {_planned_write(write)}: {write.reason}{_planned_for(write)}" for write in plan.writes])
    return lines + [f"note: {note}" for note in plan.notes]


def _planned_write(write: PlannedWrite) -> str:
    people = _people(write.fields, {}) if write.flow == "capture" else ""
    return f"{write.flow}: {write.verb} {write.sobject}{people}"


def _planned_for(write: PlannedWrite) -> str:
    if not write.recipient:
        return ""
    if write.subject:
        return f"; to {write.recipient}: {write.subject}"
    return f"; {write.record_id} {'goes to' if write.flow == 'capture' else 'of'} {write.recipient}"


def applied_lines(found: Applied) -> list[str]:
    """Return what came of a plan."""
    lines = [f"written: {found.written}; already there: {found.already_there}"]
    if found.changed:
        lines.append(f"! {len(found.changed)} differ now from the plan and were not written; make a new plan")
    if found.unplanned:
        lines.append(f"{found.unplanned} are wanted now that the plan does not hold; not written")
    if found.no_longer:
        lines.append(f"{len(found.no_longer)} of the plan are not wanted any more")
    return lines + [f"! refused: {words}" for words in found.refused]


def status_lines(found: Status, jobs: Sequence[JobStatus], *, zone: ZoneInfo, now: datetime) -> list[str]:
    """Return where everything stands at `now` (aware), with every moment in the company's time zone."""

    def local(moment: datetime | None) -> str:
        return "-" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"

    on = [name for name, value in found.writes.items() if value]
    lines = [f"writes switched on: {', '.join(on) or 'none'}; times are those of {zone.key}"]
    silent = {
        one.principal: now - one.read_at for one in found.mailboxes if one.read_at and one.principal in found.stopped
    }
    rows = [
        (one.principal, local(one.covered_from), local(one.read_at), _mailbox_state(one, silent.get(one.principal)))
        for one in found.mailboxes
    ]
    lines.append(table(["mailbox", "read from", "read to", "state"], rows) or "no mailbox was read yet")
    lines.append(f"activities: {counts(found.activities)}")
    lines.append(_mirror_state(found, now))
    held = f"; of these held, because the last audit could not judge them: {found.held:,}" if found.held else ""
    lines.append(f"findings: {counts(found.findings)}{held}")
    lines += [_note(rule_id, note) for rule_id, note in sorted(found.rule_notes.items())]
    lines.append(f"quarantined: {found.quarantined}; messages not sent yet: {found.undelivered}")
    if found.held_deletions:
        lines.append(f"! deletions held back by the last sync: {found.held_deletions}; see leakwatch doctor")
    rows = [
        (
            one.job,
            one.phase.value,
            local(one.next_due),
            local(one.last_success_at),
            one.paused_reason or one.error or "",
        )
        for one in jobs
    ]
    if rows:
        lines.append(table(["job", "phase", "next due", "last success", "last error"], rows))
    runs = [
        (run.run_id, local(run.finished_at), "yes" if run.complete else "no", run.error or "") for run in found.runs
    ]
    if runs:
        lines.append(table(["run", "finished", "complete", "error"], runs))
    return lines


def _mirror_state(found: Status, now: datetime) -> str:
    if found.snapshot_id is None or found.snapshot_at is None:
        return "mirror: none yet; run leakwatch mirror"
    words = f"mirror: {_snapshot(found.snapshot_id, found.snapshot_at, now)}"
    return f"{words}: too old, so audits hold and nobody is told" if found.snapshot_is_stale else words


def _mailbox_state(one: Coverage, silent: timedelta | None = None) -> str:
    """Return how a mailbox stands; `silent`: for how long it was not read, if that is too long."""
    if one.left_at is not None:
        return f"not read any more: off the roster since {one.left_at:%Y-%m-%d}"
    if one.notice_date is None:
        return "not read: no notice is recorded (capture.notices)"
    if one.read_at is not None and one.notice_date > one.read_at.date():
        return f"not read: its owner is told on {one.notice_date}"
    if one.parked_reason:
        return f"parked: {one.parked_reason}"
    if one.not_given:
        mails = "1 mail" if one.not_given == 1 else f"{one.not_given} mails"
        return f"{mails} not given by the provider yet; asked for again by every sync"
    if one.read_at is None:
        return "not read yet"
    return f"not read for {in_words(silent)}" if silent is not None else "ok"


def explanation_lines(found: Told, term: str, zone: tzinfo) -> list[str]:
    """Return why something is there, or why not; times are in `zone`, the company's."""
    if found.is_empty:
        return [f"{term}: {hint}" for hint in found.hints] + [f"  perhaps: {one}" for one in found.proposals]
    lines: list[str] = []
    for item in found.items:
        lines.append(f"{item.ref.principal} {item.ref.provider_id}: {item.outcome} ({_at(item.at, zone)})")
        lines.append(f"  why: {item.reason or 'it matched'}")
        if item.record_ids:
            lines.append(f"  records: {', '.join(item.record_ids)}")
        if item.who_ids or item.what_id:
            lines.append(f"  people: {', '.join(item.who_ids) or '-'}; about: {item.what_id or '-'}")
        lines += [f"  might also have been: {rival}" for rival in item.runners_up]
    lines += [entering_line(one, zone) for one in found.entering]
    lines += [f"  perhaps: {one}" for one in found.proposals]
    if len(found.items) > MOST_LINES:
        lines.append(f"{len(found.items)} copies of mails in all (--json holds every one)")
    for finding in found.findings:
        lines.append(f"finding {finding.fingerprint}: {finding.rule_id} on {finding.record_name} ({finding.record_id})")
        lines.append(f"  {finding.message_en}; {_stands(finding, zone)}")
        lines.append(
            f"  rule version {finding.rule_version}, snapshot {finding.snapshot_id}, proof {finding.proof.value}"
        )
        lines += [_change(change, zone) for change in found.transitions if change.fingerprint == finding.fingerprint]
        told = [one for one in found.deliveries if finding.fingerprint in one.fingerprints]
        lines += [_message(one, found.names, zone) for one in told]
    return lines


def _stands(finding: Finding, zone: tzinfo) -> str:
    """Return how the finding stands since when, and since when the leak is known if that is longer."""
    words = f"{finding.status.value} since {_at(finding.status_since, zone)}"
    return words if finding.since == finding.status_since else f"{words}, known since {_at(finding.since, zone)}"


def _at(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def _change(change: Transition, zone: tzinfo) -> str:
    old = change.old.value if change.old else "-"
    return f"  {_at(change.at, zone)} {old} -> {change.new.value}: {change.reason}"


def _message(one: Delivery, names: Mapping[str, str], zone: tzinfo) -> str:
    fate = one.remote_id or "sent"
    if one.sent_at is None:
        fate = ("refused" if one.refused else "withdrawn" if one.quarantined else "not sent yet") + (
            f" ({one.error})" if one.error else ""
        )
    name = names.get(one.recipient_id)
    to = f"{name} ({one.recipient_id})" if name else one.recipient_id
    subject = f', "{one.title}"' if one.title else ""
    return f"  {_at(one.created_at, zone)} {one.kind} to {to} by {one.channel}{subject}: {fate}"


def run_lines(found: RunShown) -> list[str]:
    """Return what a run did: its figures, then each write in the order it was begun."""
    run = found.run
    ended = f"{run.finished_at:%Y-%m-%d %H:%M:%S} UTC" if run.finished_at else "not ended (running, or killed)"
    lines = [
        f"{run.run_id}: {run.flow}{', dry run' if run.dry_run else ''}",
        f"started {run.started_at:%Y-%m-%d %H:%M:%S} UTC; ended {ended}; complete: {'yes' if run.complete else 'no'}",
        f"counts: {counts(run.counts)}",
    ]
    if run.error:
        lines.append(f"! {run.error}")
    rows = [
        (one.op.verb.value, one.op.sobject, one.op.record_id, one.status, one.op.reason or "", one.code)
        for one in found.writes
    ]
    lines.append(table(["verb", "object", "record", "status", "why", "code"], rows) or "it wrote nothing to Salesforce")
    return lines


def check_lines(checks: Sequence[Check]) -> list[str]:
    """Return doctor's checks."""
    signs = {"ok": "ok  ", "note": "note", "bad": "BAD "}
    lines: list[str] = []
    for check in checks:
        lines.append(f"{signs[check.state]} {check.name}: {check.words}")
        if check.fix and check.state != "ok":
            lines.append(f"       -> {check.fix}")
    bad = sum(1 for check in checks if check.state == "bad")
    lines.append(f"{bad} of {len(checks)} checks need mending" if bad else f"all {len(checks)} checks passed")
    return lines


def rule_test_lines(results: Sequence[TestResult]) -> list[str]:
    """Return how the rules' own tests went."""
    lines: list[str] = []
    for result in results:
        lines.append(f"{'FAIL' if result.problems else 'ok  '} {result.rule_id}: {result.name}")
        lines += [f"       {problem}" for problem in result.problems]
    failed = sum(1 for result in results if result.problems)
    lines.append(f"{len(results) - failed} passed, {failed} failed")
    return lines
