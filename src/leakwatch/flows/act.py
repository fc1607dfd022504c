"""findings ─▶ messages ─▶ actions ─▶ WriteOps to the writer ─▶ results.

What is to be said is stored together with what it changes on findings, in one transaction, before anything is sent.
Then it is sent: at least once, and harmlessly twice, because each message has one key for ever. A crash anywhere leaves
messages that the next run sends under the same keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from leakwatch import faultpoints
from leakwatch.core.fingerprint import parse_key
from leakwatch.core.notice import plan_notices
from leakwatch.core.notice_policy import LINE_WORDS, NoticePlan, NoticePolicy, Recipient, said_today
from leakwatch.core.task_updates import CLOSING, NOTE, UPDATE_KINDS, plan_updates, tasks_to_update
from leakwatch.core.tasks import TaskState, TaskWords, task_states
from leakwatch.flows.act_sending import ActReport, Sender
from leakwatch.model import Delivery, Finding, FindingStatus, Rule, Run
from leakwatch.ports import Action, FindingStore, RecordFetcher, Writer

TASK_FIELDS = (
    "Id",
    "Status",
    "IsClosed",
    "IsDeleted",
    "OwnerId",
    "LastModifiedById",
    "LastModifiedDate",
    "CompletedDateTime",
    "Subject",
    "Description",
    "Priority",
    "Leakwatch_Key__c",
)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OrgView:
    """What is known of the org when it is decided what to say."""

    tasks: Mapping[str, TaskState]  # our alert Tasks by Leakwatch_Key__c, from the last snapshot (`core.tasks`)
    recipients: Mapping[str, Recipient]  # users by id
    words: TaskWords
    our_user_id: str | None = None  # leakwatch's own user: changes by anybody else are a person's


def act(
    *,
    run: Run,
    rules: Iterable[Rule],
    store: FindingStore,
    writer: Writer,
    actions: Mapping[str, Action],
    org: OrgView,
    policy: NoticePolicy,
    now: datetime,
    fetcher: RecordFetcher | None = None,
    dry_run: bool = False,
) -> ActReport:
    """Say what is to be said, close what is settled, and return what happened.

    Args:
        run: the writes are logged under it.
        rules: as configured now.
        store: findings and deliveries. Nobody else may change it meanwhile (`RunLog.exclusive`).
        writer: where all writes go.
        actions: action's file name -> action.
        org: Tasks, users and words of the org.
        policy: switches and limits.
        now: aware.
        fetcher: reads the Tasks that are to be updated once more, right before. Without it no line can be added to a
            Task that a person changed, because its text is not known.
        dry_run: store and send nothing; `ops` of the result is exactly what would be written.

    Raises:
        TransientError, BudgetError, AuthError, SafetyError: from the writer; what was not sent is stored and is sent by
            the next run.
    """
    findings = {finding.fingerprint: finding for finding in store.findings()}
    notices = _notices(rules, findings, store, org, policy, now)
    noticed = {one.fingerprint: one for one in notices.findings}
    true, overtaken = _leftovers(store.undelivered(), {**findings, **noticed})
    after = {**findings, **_say_again(true, findings), **noticed}
    fresh = _read_afresh(org, after, fetcher)
    updates = plan_updates(
        after,
        fresh.values(),
        known=_known(store, tasks_to_update(after, fresh.values())),
        recipients=org.recipients,
        policy=policy,
        now=now,
    )
    after.update({finding.fingerprint: finding for finding in updates.findings})
    planned = [*notices.deliveries, *updates.deliveries]
    allowed = [delivery for delivery in true if policy.writes.get(delivery.channel, False)]
    keys = {delivery.key for delivery in planned}
    stale = [one for one in allowed if one.kind in UPDATE_KINDS and one.key not in keys]
    to_send = [one for one in allowed if one.kind not in UPDATE_KINDS and one.key not in keys] + planned
    sender = Sender(run, store, writer, actions, after, fresh, policy, now)
    ops = sender.plan(to_send)
    report = ActReport(
        waiting=notices.waiting,
        withdrawn=len(overtaken) + len(stale),
        ops=tuple(ops),
        deliveries=tuple(to_send),
        dry_run=dry_run,
    )
    if dry_run:
        return replace(report, failed=sender.refusals(to_send))
    faultpoints.reach("act.messages.planned")
    changed = [finding for mark, finding in after.items() if finding != findings[mark]]
    if planned or changed:
        store.commit_deliveries(planned, changed)
    for delivery in (*overtaken, *stale):
        store.record_delivery(_closed_file(delivery, fresh, now))
    return sender.send(to_send, ops, report)


def _notices(
    rules: Iterable[Rule],
    findings: Mapping[str, Finding],
    store: FindingStore,
    org: OrgView,
    policy: NoticePolicy,
    now: datetime,
) -> NoticePlan:
    rule_of = {mark: finding.rule_id for mark, finding in findings.items()}
    said = [one for one in store.deliveries(since=now - 2 * _DAY) if not _is_released(one, findings)]
    return plan_notices(
        {rule.id: rule for rule in rules},
        [finding for finding in findings.values() if finding.status is not FindingStatus.RESOLVED],
        said_today=said_today(said, rule_of, now=now, zone=policy.zone),
        tasks=org.tasks,
        recipients=org.recipients,
        policy=policy,
        now=now,
        refused={delivery.key: delivery.recipient_id for delivery in store.refused()},
    )


def _say_again(leftovers: Sequence[Delivery], findings: Mapping[str, Finding]) -> dict[str, Finding]:
    """Return the findings whose line was planned but not sent, as if it still waited: it is planned anew."""
    again: dict[str, Finding] = {}
    for delivery in leftovers:
        word = delivery.kind.removesuffix(NOTE)
        finding = findings.get(next(iter(delivery.fingerprints), ""))
        if word in LINE_WORDS and finding is not None and finding.pending_notice is None:
            again[finding.fingerprint] = replace(finding, pending_notice=word)
    return again


def _closed_file(delivery: Delivery, tasks: Mapping[str, TaskState], now: datetime) -> Delivery:
    """Return a leftover as it is to be kept: done after all (the answer was lost), or overtaken."""
    task = next((task for task in tasks.values() if task.record_id == delivery.remote_id), None)
    if task is not None:
        closed = task.is_closed and delivery.kind in CLOSING
        written = task.description is not None and task.description.replace("\r\n", "\n") == delivery.body
        if closed or written:
            return replace(delivery, sent_at=now, error=None)
    overtaken = "OVERTAKEN: nothing is to be said of it any more; should it have been sent, its Task is closed later"
    return replace(delivery, quarantined=True, error=overtaken)


def _read_afresh(org: OrgView, findings: Mapping[str, Finding], fetcher: RecordFetcher | None) -> dict[str, TaskState]:
    """Return the org's Tasks, those that may be updated as they are right now: a snapshot is hours old."""
    wanted = tasks_to_update(findings, org.tasks.values())
    if fetcher is None or not wanted:
        return dict(org.tasks)
    rows = fetcher.fetch("Task", [task.record_id for task in wanted], TASK_FIELDS)
    now_there = task_states(rows.values(), org.words, our_user_id=org.our_user_id)
    missing = {task.key: replace(task, is_deleted=True) for task in wanted if task.key not in now_there}
    return {**org.tasks, **missing, **now_there}


def _leftovers(
    undelivered: Sequence[Delivery], findings: Mapping[str, Finding]
) -> tuple[list[Delivery], list[Delivery]]:
    """Split what an earlier run left unsent into what is still true, and what was overtaken before it could be said."""
    true: list[Delivery] = []
    overtaken: list[Delivery] = []
    for delivery in undelivered:
        key = parse_key(delivery.key)
        finding = findings.get(key.fingerprint) if key else None
        settled = key is not None and (
            finding is None
            or finding.episode != key.episode
            or finding.status in (FindingStatus.RESOLVED, FindingStatus.EXCEPTED)
            or 0 < key.number < finding.notices
        )
        if settled:
            overtaken.append(delivery)
        elif not _is_released(delivery, findings):
            true.append(delivery)
    return true, overtaken


def _is_released(delivery: Delivery, findings: Mapping[str, Finding]) -> bool:
    """Return whether a word was refused and then released: it waits on its finding and is planned anew in its turn."""
    key = parse_key(delivery.key)
    finding = findings.get(key.fingerprint) if key else None
    return key is not None and finding is not None and key.number > finding.notices and delivery.sent_at is None


def _known(store: FindingStore, tasks: Sequence[TaskState]) -> dict[str, Delivery]:
    """Return all that was ever said about the findings of `tasks`, by key."""
    marks = {key.fingerprint for task in tasks if (key := parse_key(task.key)) is not None}
    return {delivery.key: delivery for mark in sorted(marks) for delivery in store.deliveries(fingerprint=mark)}
