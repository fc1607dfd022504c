"""The sending half of `act`: deliveries to writes, writes to the writer, answers to what became of each delivery.

One message that can't be carried, or is refused, is set aside with its reason; the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from leakwatch import faultpoints, log
from leakwatch.core.notice_policy import POST, NoticePolicy, Waiting
from leakwatch.core.task_updates import CLOSING, UPDATE_KINDS
from leakwatch.core.tasks import TaskState
from leakwatch.core.told import told, untold
from leakwatch.errors import RecordError
from leakwatch.model import Delivery, Finding, Run, Verb, WriteOp, WriteResult, WriteStatus
from leakwatch.ports import Action, FindingStore, Writer

MOST_TRIES = 6  # runs; as many as a locked row is tried within one
INACTIVE = "INACTIVE_OWNER_OR_USER"
GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND"})
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that Salesforce refused for good. It is kept, shown, and not tried again by itself."""

    key: str
    kind: str
    recipient_id: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class ActReport:
    """What was said and done, and what was not and why."""

    tasks_made: int = 0
    posts_made: int = 0
    tasks_closed: int = 0
    lines_added: int = 0
    left_alone: int = 0  # Tasks that a person deleted before we could update them
    withdrawn: int = 0  # messages that were overtaken before they could be sent
    unsent: int = 0  # to be tried again by the next run
    waiting: tuple[Waiting, ...] = ()
    failed: tuple[Failure, ...] = ()
    ops: tuple[WriteOp, ...] = ()  # what was (or, in a dry run, would be) written
    deliveries: tuple[Delivery, ...] = ()
    dry_run: bool = False

    def counts(self) -> Mapping[str, int]:
        """Return the figures for the run log."""
        names = ("tasks_made", "posts_made", "tasks_closed", "lines_added", "left_alone", "withdrawn", "unsent")
        return {name: getattr(self, name) for name in names} | {
            "waiting": len(self.waiting),
            "failed": len(self.failed),
        }


class Sender:
    """Sends deliveries through the writer and remembers what became of each."""

    def __init__(
        self,
        run: Run,
        store: FindingStore,
        writer: Writer,
        actions: Mapping[str, Action],
        findings: Mapping[str, Finding],
        tasks: Mapping[str, TaskState],
        policy: NoticePolicy,
        now: datetime,
    ) -> None:
        self._run, self._store, self._writer, self._actions = run, store, writer, actions
        self._findings, self._policy, self._now = dict(findings), policy, now
        self._tasks = {task.record_id: task for task in tasks.values()}
        self._refused: dict[str, RecordError] = {}
        self._failed: list[Failure] = []
        self._counts = dict.fromkeys(("tasks_made", "posts_made", "tasks_closed", "lines_added"), 0)
        self._left_alone = self._unsent = 0

    def plan(self, deliveries: Sequence[Delivery]) -> list[WriteOp]:
        """Return the writes of `deliveries`. One that its action can't carry is set aside when the others are sent."""
        ops: list[WriteOp] = []
        for delivery in deliveries:
            action = self._actions.get(delivery.channel)
            try:
                if action is None:
                    raise RecordError(f"there is no action {delivery.channel}", code="NO_ACTION")
                ops += [self._complete(op, delivery) for op in action.plan(delivery)]
            except RecordError as error:
                self._refused[delivery.key] = error
        return ops

    def refusals(self, deliveries: Sequence[Delivery]) -> tuple[Failure, ...]:
        """Return which of `deliveries` no action could carry (for a dry run)."""
        return tuple(
            Failure(one.key, one.kind, one.recipient_id, error.code, str(error))
            for one in deliveries
            if (error := self._refused.get(one.key)) is not None
        )

    def _complete(self, op: WriteOp, delivery: Delivery) -> WriteOp:
        """Add what an action does not know: the account to group by, and the values that undo needs."""
        finding = self._finding(delivery)
        task = self._tasks.get(op.record_id or "") if op.verb is Verb.UPDATE else None
        known: dict[str, str | None] = {}
        if task is not None:
            known = {"Status": task.status, "Description": task.description, "Priority": task.priority}
        prior = {name: known[name] for name in op.fields if known.get(name) is not None}
        return replace(op, account_id=finding.account_id if finding else None, prior=prior)

    def send(self, deliveries: Sequence[Delivery], ops: Sequence[WriteOp], report: ActReport) -> ActReport:
        """Write `ops`, record what became of each delivery, and return `report` with the figures."""
        rerouted = self._settle(deliveries, self._apply(ops), may_reroute=True)
        if rerouted:
            self._store.commit_deliveries(rerouted, [])
            self._settle(rerouted, self._apply(self.plan(rerouted)), may_reroute=False)
        return replace(
            report, **self._counts, left_alone=self._left_alone, unsent=self._unsent, failed=tuple(self._failed)
        )

    def _apply(self, ops: Sequence[WriteOp]) -> dict[str, WriteResult]:
        results = self._writer.apply(ops, run_id=self._run.run_id) if ops else ()
        faultpoints.reach("act.messages.sent")
        return {result.op_id: result for result in results}

    def _settle(
        self, deliveries: Sequence[Delivery], results: Mapping[str, WriteResult], *, may_reroute: bool
    ) -> list[Delivery]:
        """Record each delivery's fate; return those that go to another person because theirs is inactive."""
        rerouted: list[Delivery] = []
        for delivery in deliveries:
            refused = self._refused.pop(delivery.key, None)
            result = results.get(delivery.key)
            if refused is not None:
                self._set_aside(delivery, refused.code, str(refused))
            elif result is not None and result.status is WriteStatus.HELD:
                self._unsent += 1  # nothing was tried: no failure, and no try is counted
            elif result is None or result.status in (WriteStatus.RETRY, WriteStatus.UNKNOWN):
                self._leave(delivery, result)
            elif result.status.landed:
                self._sent(delivery, result)
            elif result.code in GONE and delivery.kind in UPDATE_KINDS:
                self._left_alone += 1
                self._record(delivery, quarantined=True, error="LEFT_ALONE: a person deleted this Task")
            elif may_reroute and result.code == INACTIVE and self._stand_in(delivery):
                rerouted.append(replace(delivery, recipient_id=str(self._policy.revops_user_id)))
            else:
                self._set_aside(delivery, result.code, result.message)
        return rerouted

    def _stand_in(self, delivery: Delivery) -> bool:
        stand_in = self._policy.revops_user_id
        return stand_in is not None and stand_in != delivery.recipient_id and delivery.kind not in UPDATE_KINDS

    def _sent(self, delivery: Delivery, result: WriteResult) -> None:
        figure = "posts_made" if delivery.channel == POST else "tasks_made"
        if delivery.kind in UPDATE_KINDS:
            figure = "tasks_closed" if delivery.kind in CLOSING else "lines_added"
        self._counts[figure] += 1
        remote_id = result.record_id or delivery.remote_id
        finding = self._finding(delivery)
        changed = told(finding, delivery, at=self._now) if finding else None
        self._record(delivery, changed, sent_at=self._now, remote_id=remote_id, error=None)
        _log.info(log.Event.DELIVERY_SENT, key=delivery.key, channel=delivery.channel, kind=delivery.kind)

    def _leave(self, delivery: Delivery, result: WriteResult | None) -> None:
        """Leave it to the next run; after many of them, to a person."""
        reason = "no answer came" if result is None else f"{result.code} {result.message}".strip()
        if delivery.attempts + 1 >= MOST_TRIES:
            self._set_aside(delivery, "TOO_MANY_TRIES", f"{MOST_TRIES} runs failed to send it; last: {reason}")
            return
        self._unsent += 1
        self._record(delivery, error=reason)

    def _set_aside(self, delivery: Delivery, code: str, reason: str) -> None:
        self._failed.append(Failure(delivery.key, delivery.kind, delivery.recipient_id, code, reason))
        finding = self._finding(delivery)
        said = self._store.deliveries(fingerprint=finding.fingerprint) if finding else ()
        changed = untold(finding, delivery, said=said) if finding else None
        self._record(delivery, changed, quarantined=True, error=f"{code}: {reason}")
        _log.warning(log.Event.DELIVERY_FAILED, key=delivery.key, kind=delivery.kind, code=code)

    def _finding(self, delivery: Delivery) -> Finding | None:
        return self._findings.get(next(iter(delivery.fingerprints), ""))

    def _record(self, delivery: Delivery, finding: Finding | None = None, **changes: Any) -> None:
        """Store what became of `delivery`, and with it what that changes on its finding."""
        self._store.record_delivery(replace(delivery, attempts=delivery.attempts + 1, **changes), finding)
        if finding is not None:
            self._findings[finding.fingerprint] = finding
