"""One finding while it is being judged: what a run says about it, what people did, and the moves it made so far.

Used through `core.lifecycle`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Protocol

from leakwatch.core.fingerprint import NoticeKey
from leakwatch.core.tasks import TaskState
from leakwatch.model import Finding, FindingStatus, Mode, Proof, Rule, RuleOutcome, RuleRow, Severity, Transition

PENDING, OPEN, ESCALATED = FindingStatus.PENDING, FindingStatus.OPEN, FindingStatus.ESCALATED
ACKNOWLEDGED, SNOOZED = FindingStatus.ACKNOWLEDGED, FindingStatus.SNOOZED
EXCEPTED, RESOLVED = FindingStatus.EXCEPTED, FindingStatus.RESOLVED

_DAY = timedelta(days=1)
MAX_WORDS_PER_EPISODE = 3  # Tasks or posts to one owner; after that only the escalation speaks
SEVERITY_RANK: Mapping[Severity, int] = {severity: rank for rank, severity in enumerate(Severity)}

# What may wait to be said to an owner. Of two, the stronger stays: who was never told gets "new", not "it grew".
NOTICE_STRENGTH: Mapping[str, int] = {
    "grew": 1,
    "still_open": 2,
    "not_fixed": 3,
    "resumed": 3,
    "reassigned": 4,
    "new": 5,
    "back_again": 5,
}


class Look(StrEnum):
    """What one run says about one finding."""

    SEEN = "seen"
    ABSENT = "absent"  # looked properly, not there
    BLIND = "blind"  # could not look, or must not conclude from what it saw
    GONE = "gone"  # the record was deleted or merged away
    CHANGED = "changed"  # absent, and the rule means something else than when it was last seen


class Acceptance(Protocol):
    """A leak that somebody accepted until a day: `rule_engine.exceptions` reads them."""

    def covers(self, row: RuleRow, *, today: date) -> bool:
        """Return whether `row` is accepted on `today` (org's zone)."""
        ...


@dataclass(frozen=True, slots=True)
class Signals:
    """What people and the rest of the world say about findings, taken from the same snapshot as the rule's rows."""

    tasks: Mapping[str, TaskState] = field(default_factory=dict[str, TaskState])  # by Leakwatch_Key__c
    gone_records: frozenset[str] = frozenset()  # ids seen as deleted, or as the loser of a merge
    unproven_owners: frozenset[str] = frozenset()  # mailbox not read; only for rules that speak about activity
    exceptions: tuple[Acceptance, ...] = ()
    snoozed: Mapping[str, datetime] = field(default_factory=dict[str, datetime])  # fingerprint -> end
    zone: tzinfo = UTC  # the org's: days are days there


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is the same for every finding of one evaluation."""

    rule: Rule
    outcome: RuleOutcome
    now: datetime
    run_id: str
    snapshot_id: str
    quiet: bool  # baseline: what appears now is recorded, nobody is told
    guarded: bool  # the run succeeded, but a guard forbids to conclude from absence
    signals: Signals
    tasks: Mapping[str, tuple[tuple[NoticeKey, TaskState], ...]]  # fingerprint -> its alert Tasks

    @property
    def today(self) -> date:
        """The day that exceptions are measured against."""
        return self._day(self.now)

    def passed(self, since: datetime, span: timedelta) -> bool:
        """Return whether `span` has passed since `since`.

        Whole days are days of the org's calendar: a limit of 10 days set on a Monday at noon is reached on the tenth
        day after it, at whatever hour the audit runs. By the clock, an audit that begins a minute earlier than the one
        that set it would put everything off by a day.
        """
        if span % _DAY or not span:
            return self.now - since >= span
        return self._day(self.now) - self._day(since) >= span

    def within(self, since: datetime, span: timedelta) -> bool:
        """Return whether no more than `span` has passed since `since`, whole days by the org's calendar as above."""
        if span % _DAY or not span:
            return self.now - since <= span
        return self._day(self.now) - self._day(since) <= span

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self.signals.zone).date()

    def excepted(self, subject: Finding | RuleRow) -> bool:
        """Return whether an exception covers `subject` today."""
        if not self.signals.exceptions:
            return False
        row = subject if isinstance(subject, RuleRow) else as_row(subject)
        return any(entry.covers(row, today=self.today) for entry in self.signals.exceptions)


class Case:
    """One finding while it is being judged: it as it stands so far, and the moves it made."""

    def __init__(self, run: Circumstances, finding: Finding, row: RuleRow | None, look: Look) -> None:
        self.run = run
        self.finding = finding
        self.row = row
        self.look = look
        self.transitions: list[Transition] = []
        self.dropped = False

    def move(self, status: FindingStatus, reason: str, notify: str | None = None, **changes: Any) -> None:
        """Go to `status` (or stay in it) for `reason`. Nobody is told of a baseline finding, whatever `notify` says."""
        old = self.finding.status
        if status is not old:
            changes["status_since"] = self.run.now
        moved = replace(self.finding, status=status, **changes)
        word = None if moved.baseline else notify
        if word is not None and word in NOTICE_STRENGTH and self.run.rule.mode is Mode.ACT:
            waiting = moved.pending_notice
            if waiting is None or NOTICE_STRENGTH[word] > NOTICE_STRENGTH.get(waiting, 0):
                moved = replace(moved, pending_notice=word)
        if status in (RESOLVED, EXCEPTED, SNOOZED):
            if moved.pending_notice == "grew":  # nobody will say what it grew from
                moved = replace(moved, impact_reference=moved.impact)
            moved = replace(moved, pending_notice=None)
        self.finding = moved
        self.transitions.append(
            Transition(moved.fingerprint, old, status, reason, self.run.now, self.run.run_id, moved.episode, word)
        )

    def aged_out(self) -> bool:
        """Return whether the record is too old for the rule by now: it is not looked at, and nobody mended it."""
        if self.run.outcome.window is None:
            return False
        column, first = self.run.outcome.window
        day = self.finding.evidence.get(column)
        return isinstance(day, date) and day < first

    def owner_tasks(self) -> list[tuple[NoticeKey, TaskState]]:
        """Return this episode's Tasks to the owner, oldest first."""
        found = self.run.tasks.get(self.finding.fingerprint, ())
        mine = [(key, task) for key, task in found if key.episode == self.finding.episode and key.number]
        return sorted(mine, key=lambda pair: pair[0].number)

    def live_tasks(self) -> list[TaskState]:
        """Return this episode's Tasks (to owner or manager) that are neither closed nor deleted nor superseded."""
        found = [pair for pair in self.run.tasks.get(self.finding.fingerprint, ()) if is_live(pair[1])]
        mine = [pair for pair in found if pair[0].episode == self.finding.episode]
        return [task for key, task in mine if not is_superseded(self.finding, key, task)]


def is_live(task: TaskState) -> bool:
    """Return whether a Task is neither closed nor deleted."""
    return not task.is_closed and not task.is_deleted


def is_superseded(finding: Finding, key: NoticeKey, task: TaskState) -> bool:
    """Return whether a Task of the finding's episode is an earlier owner's, and a later word went to somebody else."""
    return 0 < key.number < finding.notices and task.owner_id != finding.notified_owner_id


def row_fields(run: Circumstances, row: RuleRow) -> dict[str, Any]:
    """Return what a finding takes over from its row as it is."""
    proof = Proof.PROVEN
    if run.outcome.stale is not None:
        proof = Proof.HELD  # seen, but long ago: it may be mended by now, so nobody is told
    elif row.owner_id is not None and row.owner_id in run.signals.unproven_owners:
        proof = Proof.UNPROVEN
    return {
        "sobject": row.sobject,
        "record_id": row.record_id,
        "record_name": row.record_name,
        "owner_id": row.owner_id,
        "owner_name": row.owner_name,
        "manager_id": row.manager_id,
        "severity": row.severity,
        "impact": row.impact,
        "currency": row.currency,
        "impact_kind": row.impact_kind,
        "message_en": row.message_en,
        "message_tr": row.message_tr,
        "evidence": row.evidence,
        "account_id": row.account_id,
        "about_id": row.about_id,
        "is_process": row.is_process,
        "count": row.count,
        "proof": proof,
    }


def as_row(finding: Finding) -> RuleRow:
    """Return the row a finding was last made from, without its business key: for asking exceptions about it."""
    names = (field.name for field in fields(RuleRow) if field.name != "business_key")
    return RuleRow(business_key=(), **{name: getattr(finding, name) for name in names})
