"""Every move a finding can make: what each status does with what a run saw, then with what people did.

Used through `core.lifecycle`. Two tables at the end hold every pair; a missing pair is a bug that a test finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from leakwatch.core.lifecycle_case import (
    ACKNOWLEDGED,
    ESCALATED,
    EXCEPTED,
    MAX_WORDS_PER_EPISODE,
    OPEN,
    PENDING,
    RESOLVED,
    SEVERITY_RANK,
    SNOOZED,
    Case,
    Look,
    is_live,
    row_fields,
)
from leakwatch.model import Finding, FindingStatus, Mode, Proof

# --- what the run saw ---


def stay(_case: Case) -> None:
    """Nothing to do."""


def drop(case: Case) -> None:
    """Forget a finding that was never confirmed: it leaves no trace in any figure."""
    case.dropped = True


def hold(case: Case) -> None:
    """Failure to look is not absence: unchanged, and shown as held."""
    checked = case.run.snapshot_id if case.run.guarded else case.finding.checked_in
    case.finding = replace(case.finding, proof=Proof.HELD, checked_in=checked)


def confirm(case: Case) -> None:
    """Seen again while pending: open it once it was seen in enough different snapshots."""
    refresh(case)
    case.finding = replace(case.finding, impact_reference=case.finding.impact)
    if case.finding.seen_runs >= case.run.rule.lifecycle.confirm_runs:
        case.move(OPEN, "baseline" if case.finding.baseline else "confirmed", "new")


def see(case: Case) -> None:
    """Still there: take over what is new about it, and say so where it matters to somebody."""
    old = case.finding
    refresh(case)
    new = case.finding
    if new.owner_id != old.owner_id and not new.is_process and old.status in (OPEN, ESCALATED, ACKNOWLEDGED):
        # An acknowledgement was the old owner's word, not the new one's.
        case.move(OPEN if old.status is ACKNOWLEDGED else old.status, "reassigned", "reassigned")
    if (old.rule_version, old.params_digest) != (new.rule_version, new.params_digest):
        case.finding = replace(case.finding, impact_reference=new.impact)  # the rule moved, not the leak
        return
    bigger, reference = _growth(old, new, case.run.rule.lifecycle.grew_share)
    worse = SEVERITY_RANK[new.severity] > SEVERITY_RANK[old.severity]
    said_soon = bigger and old.pending_notice == "grew"
    if (worse or (bigger and not said_soon)) and case.finding.status in (OPEN, ESCALATED):
        case.move(case.finding.status, "grew", "grew")
    if not (bigger and case.finding.pending_notice == "grew"):  # until it is said, the line needs what it grew from
        case.finding = replace(case.finding, impact_reference=reference)


def _growth(old: Finding, new: Finding, share: Decimal) -> tuple[bool, Decimal | None]:
    """Return whether the impact outgrew what it is measured from, and what to measure from next time.

    Measured from the last impact worth a word, not from the last run: else 10 % more a day would never be said.
    """
    before = old.impact_reference
    if before is None or not before or old.currency != new.currency:
        return False, new.impact
    if new.impact is None or abs(new.impact) <= abs(before) * (1 + share):
        return False, before
    return True, new.impact


def refresh(case: Case) -> None:
    """Take over the row's data. A second look at the same snapshot is no second sighting."""
    assert case.row is not None  # noqa: S101  SEEN always has a row
    run, row, old = case.run, case.row, case.finding
    again = old.checked_in != run.snapshot_id
    case.finding = replace(
        old,
        rule_version=run.outcome.rule_version,
        params_digest=run.outcome.params_digest,
        last_seen=run.now if again else old.last_seen,
        seen_runs=old.seen_runs + 1 if again else old.seen_runs,
        absent_runs=0,
        snapshot_id=run.snapshot_id,
        checked_in=run.snapshot_id,
        **row_fields(run, row),
    )


def miss(case: Case) -> None:
    """Properly looked for and not found: fixed after enough such looks, each at another snapshot."""
    run, old = case.run, case.finding
    if old.checked_in == run.snapshot_id:
        return
    proof = Proof.PROVEN if old.proof is Proof.HELD else old.proof
    case.finding = replace(old, absent_runs=old.absent_runs + 1, checked_in=run.snapshot_id, proof=proof)
    if case.finding.absent_runs >= run.rule.lifecycle.keep_open_runs:
        _resolve(case, "aged_out" if case.aged_out() else "fixed")


def vanish(case: Case) -> None:
    """The record is gone: deleted, or merged into another one, which has a finding of its own."""
    _resolve(case, "gone")


def overtake(case: Case) -> None:
    """Absent because the rule changed its meaning. Nobody fixed anything, so it counts as nobody's success."""
    _resolve(case, "rule_changed")


def _resolve(case: Case, reason: str) -> None:
    told = case.finding.notified_owner_id is not None
    word = "resolved" if reason == "fixed" and told else None
    case.move(RESOLVED, reason, word, resolved_reason=reason, proof=Proof.PROVEN)


def come_back(case: Case) -> None:
    """Seen again after it was resolved: the same episode within `reopen_within`, else a new one."""
    old, run = case.finding, case.run
    refresh(case)
    recent = run.within(old.status_since, run.rule.lifecycle.reopen_within)
    fresh_clock: dict[str, Any] = {
        "baseline": run.quiet,
        "resolved_reason": None,
        "escalation_step": 0,
        "escalation_told": 0,
        "notified_at": None,
        "seen_runs": 1,
        "impact_reference": case.finding.impact,
    }
    if recent and old.resolved_reason in ("fixed", "gone"):
        case.move(OPEN, "reopened", "back_again", reopened=old.reopened + 1, **fresh_clock)
        return
    case.move(
        OPEN,
        "baseline" if run.quiet else "detected",
        "new",
        episode=old.episode + 1,
        since=run.now,
        notices=0,
        notified_owner_id=None,
        **fresh_clock,
    )


# --- what people did ---


def accept(case: Case) -> None:
    """An exception covers it."""
    if case.run.excepted(case.finding):
        case.move(EXCEPTED, "excepted")


def expire(case: Case) -> None:
    """No exception covers it any more."""
    if not case.run.excepted(case.finding):
        case.move(OPEN, "exception_ended", _again(case))


def snooze(case: Case) -> None:
    """Its owner asked for time."""
    if case.run.signals.snoozed.get(case.finding.fingerprint, case.run.now) > case.run.now:
        case.move(SNOOZED, "snoozed")


def wake(case: Case) -> None:
    """The time its owner asked for is over."""
    if case.run.signals.snoozed.get(case.finding.fingerprint, case.run.now) <= case.run.now:
        case.move(OPEN, "snooze_ended", _again(case))


def _again(case: Case) -> str:
    """Return the word for what is due again: a line if the owner's Task is still there, else a message of its own."""
    finding = case.finding
    if finding.notified_owner_id is None:
        return "new"
    there = any(task.owner_id == finding.owner_id for _, task in case.owner_tasks() if is_live(task))
    return "still_open" if there else "resumed"


def acknowledge(case: Case) -> None:
    """Somebody put one of its Tasks in progress, not longer ago than an acknowledgement lasts.

    What the old owner does with their Task does not keep the new one from being told.
    """
    run = case.run
    if case.finding.pending_notice == "reassigned":
        return
    for task in case.live_tasks():
        recent = task.modified_at is not None and not run.passed(task.modified_at, run.rule.lifecycle.ack_timeout)
        if task.in_progress and task.last_modified_by_other and recent:
            case.move(ACKNOWLEDGED, "acknowledged")
            return


def time_out(case: Case) -> None:
    """Acknowledged, and nothing happened for as long as an acknowledgement lasts."""
    if case.look is not Look.SEEN:
        return
    touched = [task.modified_at for task in case.live_tasks() if task.modified_at and task.last_modified_by_other]
    if case.run.passed(max([case.finding.status_since, *touched]), case.run.rule.lifecycle.ack_timeout):
        case.move(OPEN, "ack_expired", "still_open")


def reject_closing(case: Case) -> None:
    """A person closed the last Task, the condition is still there after the grace: say so, once for each Task.

    The closed Task stays closed (it is that person's record of what they did); the next word is a new Task.
    A deleted Task is a wish not to be asked again in this episode, and is respected.
    """
    finding, run = case.finding, case.run
    tasks = case.owner_tasks()
    if case.look is not Look.SEEN or run.rule.mode is not Mode.ACT or finding.baseline or finding.pending_notice:
        return
    if not tasks:
        return
    key, last = tasks[-1]
    if last.is_deleted or not last.is_closed or last.closed_at is None or not last.last_modified_by_other:
        return  # what we closed ourselves (accepted, handed on) is nobody's claim that it was fixed
    # A higher count than the last Task seen means that the next word is out already, but not yet in the mirror.
    if key.number != finding.notices or finding.notices >= MAX_WORDS_PER_EPISODE:
        return
    if run.passed(last.closed_at, run.rule.lifecycle.closed_task_grace):
        status = OPEN if finding.status is ACKNOWLEDGED else finding.status
        case.move(status, "closed_not_fixed", "not_fixed")


def respect_deletion(case: Case) -> None:
    """Our text lets an owner delete a Task that is wrong: the escalation clock stops, for this owner and episode.

    Remembered on the finding, because Salesforce forgets a deleted Task after 15 days.
    """
    finding, tasks = case.finding, case.owner_tasks()
    if not tasks or finding.notified_at is None:
        return
    _, last = tasks[-1]
    if last.is_deleted and last.owner_id == finding.notified_owner_id:
        case.move(finding.status, "task_deleted", notified_at=None)


def escalate(case: Case) -> None:
    """Told long enough ago, not acknowledged, still there: the next step's turn. One step at a time."""
    finding, rule = case.finding, case.run.rule
    steps = rule.lifecycle.escalate
    if case.look is not Look.SEEN or rule.mode is not Mode.ACT or finding.baseline:
        return
    if finding.proof is not Proof.PROVEN:
        return  # nobody is reported to a manager for something that may not be so
    if finding.notified_at is None or finding.pending_notice or finding.escalation_told < finding.escalation_step:
        return  # nobody is reported to a manager for something they were not told
    if finding.escalation_step < len(steps):
        step = steps[finding.escalation_step]
        if case.run.passed(finding.notified_at, step.after):
            case.move(ESCALATED, "escalated", "escalated", escalation_step=finding.escalation_step + 1)


Move = Callable[[Case], None]

SEEN, ABSENT, BLIND, GONE, CHANGED = Look.SEEN, Look.ABSENT, Look.BLIND, Look.GONE, Look.CHANGED

LOOK_MOVES: Mapping[FindingStatus, Mapping[Look, Move]] = {
    PENDING: {SEEN: confirm, ABSENT: drop, BLIND: hold, GONE: drop, CHANGED: drop},
    OPEN: {SEEN: see, ABSENT: miss, BLIND: hold, GONE: vanish, CHANGED: overtake},
    ESCALATED: {SEEN: see, ABSENT: miss, BLIND: hold, GONE: vanish, CHANGED: overtake},
    ACKNOWLEDGED: {SEEN: see, ABSENT: miss, BLIND: hold, GONE: vanish, CHANGED: overtake},
    SNOOZED: {SEEN: see, ABSENT: miss, BLIND: hold, GONE: vanish, CHANGED: overtake},
    EXCEPTED: {SEEN: see, ABSENT: miss, BLIND: hold, GONE: vanish, CHANGED: overtake},
    RESOLVED: {SEEN: come_back, ABSENT: stay, BLIND: stay, GONE: stay, CHANGED: stay},
}

SIGNAL_MOVES: Mapping[FindingStatus, tuple[Move, ...]] = {
    PENDING: (accept,),
    OPEN: (accept, snooze, respect_deletion, acknowledge, reject_closing, escalate),
    ESCALATED: (accept, snooze, respect_deletion, acknowledge, reject_closing, escalate),
    ACKNOWLEDGED: (accept, snooze, respect_deletion, reject_closing, time_out),
    SNOOZED: (accept, wake),
    EXCEPTED: (expire,),
    RESOLVED: (),
}
