"""What becomes of Tasks that are out there: closed when the matter is settled, a line added when it changed. Pure.

A Task that a person wrote in is never closed or rewritten by us, only a line is added; one whose status alone they
changed still closes itself; one they closed or deleted is left alone. What to do follows from the state of finding and
Task, so a crash or a lost answer only repeats it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from leakwatch.core.fingerprint import NoticeKey, parse_key
from leakwatch.core.lifecycle_case import is_superseded
from leakwatch.core.notice_policy import LINE_WORDS, TASK, NoticePolicy, Recipient
from leakwatch.core.notice_text import task_line
from leakwatch.core.tasks import TaskState
from leakwatch.core.text import cut
from leakwatch.model import Delivery, Finding, FindingStatus, Proof

CLOSING = frozenset({"resolved", "excepted", "superseded"})  # kinds that close the Task
NOTE = "_note"  # ends the kind of an update that only adds a line, because a person changed the Task
UPDATE_KINDS = frozenset({kind + end for kind in CLOSING | LINE_WORDS for end in ("", NOTE)})
MAX_DESCRIPTION = 32_000  # Task.Description, Object Reference
MAX_SUBJECT = 255  # Task.Subject, Object Reference


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    """Updates of Tasks, and findings for which a line was all that waited."""

    deliveries: tuple[Delivery, ...]
    findings: tuple[Finding, ...]


def tasks_to_update(findings: Mapping[str, Finding], tasks: Iterable[TaskState]) -> list[TaskState]:
    """Return the Tasks that an update may concern: these are read afresh before anything is decided on them."""
    return [task for _, _, task in _concerned(findings, tasks)]


def plan_updates(
    findings: Mapping[str, Finding],
    tasks: Iterable[TaskState],
    *,
    known: Mapping[str, Delivery],
    recipients: Mapping[str, Recipient],
    policy: NoticePolicy,
    now: datetime,
) -> UpdatePlan:
    """Return what is to be done to Tasks that are still open.

    Args:
        findings: fingerprint -> finding, resolved ones too.
        tasks: our alert Tasks, those of `tasks_to_update` as they are in Salesforce now.
        known: key -> delivery of all that was ever planned.
        recipients: user id -> user, for the language.
        policy: switches; with Tasks switched off nothing is updated.
        now: aware.
    """
    deliveries: list[Delivery] = []
    answered: dict[str, Finding] = {}
    lined: set[str] = set()
    for finding, kind, task in _concerned(findings, tasks):
        if not policy.writes.get(TASK, False):
            lined.add(finding.fingerprint)
            continue
        delivery = _update(finding, kind, task, known=known, recipients=recipients, policy=policy, now=now)
        if delivery is not None:
            deliveries.append(delivery)
    for finding in findings.values():
        if finding.pending_notice in LINE_WORDS and finding.fingerprint not in lined and _certain(finding):
            answered[finding.fingerprint] = _answered(finding, now)
    return UpdatePlan(tuple(deliveries), tuple(answered.values()))


def _answered(finding: Finding, now: datetime) -> Finding:
    """Return `finding` as it is once its line is said: reminded at `now` (unless its clock stands), measured anew."""
    if finding.pending_notice == "grew":
        return replace(finding, pending_notice=None, impact_reference=finding.impact)
    return replace(finding, pending_notice=None, notified_at=now if finding.notified_at is not None else None)


def _concerned(findings: Mapping[str, Finding], tasks: Iterable[TaskState]) -> list[tuple[Finding, str, TaskState]]:
    """Return (finding, kind of update, Task) for open Tasks of ours that something is to be done to."""
    open_tasks: dict[str, list[tuple[NoticeKey, TaskState]]] = {}
    for task in tasks:
        key = parse_key(task.key)
        if key is not None and not task.is_closed and not task.is_deleted:
            open_tasks.setdefault(key.fingerprint, []).append((key, task))
    found: list[tuple[Finding, str, TaskState]] = []
    for mark, group in open_tasks.items():
        finding = findings.get(mark)  # a Task of a finding that is not ours to know is left alone
        if finding is None:
            continue
        current = [(key, task) for key, task in group if key.episode == finding.episode]
        newest = max((key.number for key, _ in current), default=0)
        for key, task in current:
            kind = _kind(finding, key, task, newest)
            if kind is not None:
                found.append((finding, kind, task))
    return found


def _kind(finding: Finding, key: NoticeKey, task: TaskState, newest: int) -> str | None:
    if finding.status is FindingStatus.RESOLVED:
        return "resolved"
    if finding.status is FindingStatus.EXCEPTED:
        return "excepted"
    if is_superseded(finding, key, task):
        return "superseded"
    says = finding.pending_notice in LINE_WORDS and _certain(finding)
    return finding.pending_notice if says and 0 < key.number == newest else None


def _certain(finding: Finding) -> bool:
    return finding.proof is not Proof.HELD and not finding.absent_runs


def _only_we_wrote(task: TaskState, made: Delivery | None, updates: Iterable[Delivery]) -> bool:
    """Return whether a Task says what we made it with and the lines we added, and nothing else."""
    if made is None or task.description is None or task.subject not in (None, cut(made.title, MAX_SUBJECT)):
        return False
    text = _text(made.body)
    sent = [one for one in updates if one.sent_at is not None and one.body]
    for update in sorted(sent, key=lambda one: (one.sent_at, one.key)):
        written = _text(update.body)
        if not written.startswith(text) or "\n" in written[len(text) :].strip():
            return False  # somebody had written in it before we added our line
        text = written
    return text == _text(task.description)


def _text(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _update(
    finding: Finding,
    kind: str,
    task: TaskState,
    *,
    known: Mapping[str, Delivery],
    recipients: Mapping[str, Recipient],
    policy: NoticePolicy,
    now: datetime,
) -> Delivery | None:
    """Return the update of one Task, or None if it was made or can't be made without losing a person's text."""
    ours = [delivery for key, delivery in known.items() if key.startswith(f"{task.key}|")]
    touched = task.last_modified_by_other or any(delivery.kind.endswith(NOTE) for delivery in ours)
    if touched and kind in CLOSING and _only_we_wrote(task, known.get(task.key), ours):
        touched = False  # put in progress, put off, handed on: as our text promises, it closes itself
    today = now.astimezone(policy.zone).date()
    # A line about growth may come once a day; closing once for each time the finding is settled.
    round_ = today.isoformat() if kind in LINE_WORDS else str(finding.reopened)
    kind = kind + NOTE if touched else kind
    key = f"{task.key}|{kind}:{round_}"
    before = known.get(key)
    if before is not None and (before.sent_at is not None or before.quarantined):
        return None
    recipient = recipients.get(task.owner_id or "")
    writing = policy.writing(recipient, TASK)
    line = task_line(kind, finding, writing, today)
    if before is not None and before.body:
        line = before.body.rsplit("\n\n", 1)[-1]  # planned today and not sent: in the words it had
    body = ""
    known_text = task.description
    room = known_text is not None and len(known_text) + len(line) + 2 <= MAX_DESCRIPTION
    if known_text is not None and room and line not in known_text:  # an answer lost before may have left it there
        body = f"{known_text.rstrip()}\n\n{line}".lstrip()
    if not body and kind not in CLOSING:
        return None  # nothing to say it with: the text is not known, or full
    return Delivery(
        key=key,
        channel=TASK,
        recipient_id=task.owner_id or "",
        kind=kind,
        fingerprints=(finding.fingerprint,),
        record_id=None if finding.is_process else finding.record_id or None,
        title="",
        body=body,
        due_on=None,
        severity=finding.severity,
        created_at=now,
        language=writing.language,
        remote_id=task.record_id,
    )
