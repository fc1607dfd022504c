"""Which findings become which messages, to whom, today. Pure: state in, deliveries and changed findings out.

One channel per finding; at most so many words a day to a person, biggest impact first, the rest waits and is not lost;
never to a queue, an inactive user, or about something that the last run could not see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from leakwatch.core.fingerprint import NoticeKey, escalation_key, owner_key, parse_key
from leakwatch.core.limits import DailyAllowance
from leakwatch.core.notice_policy import (
    OWNER_WORDS,
    POST,
    TASK,
    NoticePlan,
    NoticePolicy,
    Recipient,
    Waiting,
)
from leakwatch.core.notice_route import Routes, action_of, template_of
from leakwatch.core.notice_text import More, post_body, subject, task_body, title
from leakwatch.core.tasks import TaskState
from leakwatch.model import Delivery, Finding, FindingStatus, Mode, Proof, Rule, RuleAction, Severity

_RANK = {severity: rank for rank, severity in enumerate(Severity)}
_DUE = re.compile(r"(\d{1,3})bd")
_LIVING = (FindingStatus.OPEN, FindingStatus.ESCALATED)


@dataclass(frozen=True, slots=True)
class _Wish:
    """One word that wants to be said."""

    finding: Finding
    rule: Rule
    kind: str
    channel: str
    recipient_id: str
    key: str
    action: RuleAction
    mentions: tuple[str, ...] = ()


def plan_notices(
    rules: Mapping[str, Rule],
    findings: Iterable[Finding],
    *,
    said_today: Iterable[tuple[str, str]],
    tasks: Mapping[str, TaskState],
    recipients: Mapping[str, Recipient],
    policy: NoticePolicy,
    now: datetime,
    refused: Mapping[str, str] | None = None,
) -> NoticePlan:
    """Return the messages for what waits to be said and for escalation steps that were reached.

    Args:
        rules: id -> rule; findings of other rules, or of rules that may not act, are passed over.
        findings: every unresolved finding (all of them, because findings of one rule may yield to another's).
        said_today: (recipient, rule id) of each message planned today (the org's day) that counts against limits.
        tasks: Leakwatch_Key__c -> state of our alert Tasks.
        recipients: user id -> user; who is not in it is not told.
        policy: limits and switches.
        now: aware.
        refused: key -> recipient of messages that were refused for good: their words wait for a person.
    """
    planner = _Planner(rules, tuple(findings), tasks, recipients, policy, now, refused or {})
    return planner.plan(DailyAllowance(policy.per_owner_per_day, policy.per_day).spent(said_today))


class _Planner:
    def __init__(
        self,
        rules: Mapping[str, Rule],
        findings: Sequence[Finding],
        tasks: Mapping[str, TaskState],
        recipients: Mapping[str, Recipient],
        policy: NoticePolicy,
        now: datetime,
        refused: Mapping[str, str],
    ) -> None:
        self.rules, self.policy, self.recipients, self.now = rules, policy, recipients, now
        self.refused = refused
        self.routes = Routes(recipients, policy)
        self.before = {finding.fingerprint: finding for finding in findings}
        self.after = dict(self.before)
        self.waiting: list[Waiting] = []
        self.tasks: dict[str, list[tuple[NoticeKey, TaskState]]] = {}
        for task in tasks.values():
            key = parse_key(task.key)
            if key is not None:
                self.tasks.setdefault(key.fingerprint, []).append((key, task))
        self.living = {
            (finding.rule_id, finding.record_id)
            for finding in findings
            if finding.status in (*_LIVING, FindingStatus.ACKNOWLEDGED)
        }

    def plan(self, allowance: DailyAllowance) -> NoticePlan:
        wishes: list[_Wish] = []
        for finding in self.before.values():
            rule = self.rules.get(finding.rule_id)
            if rule is None or rule.mode is not Mode.ACT or finding.baseline:
                continue
            both = (self._owner_wish(rule, finding), self._escalation_wish(rule, finding))
            wishes += [wish for wish in both if wish is not None]
        taken: list[_Wish] = []
        behind: dict[str, int] = {}
        for wish in sorted(wishes, key=self._urgency):
            per_rule = wish.rule.limits.per_owner_per_day
            refusal = allowance.refusal(wish.recipient_id, wish.rule.id, per_rule=per_rule)
            if refusal is None:
                allowance.take(wish.recipient_id, wish.rule.id)
                taken.append(wish)
            else:
                self._wait(wish.finding, refusal, wish.recipient_id)
                behind[wish.recipient_id] = behind.get(wish.recipient_id, 0) + 1
        last = {wish.recipient_id: wish.key for wish in taken}
        deliveries = [
            self._deliver(wish, behind.get(wish.recipient_id, 0) if last[wish.recipient_id] == wish.key else 0)
            for wish in taken
        ]
        changed = [item for mark, item in self.after.items() if item is not self.before[mark]]
        return NoticePlan(tuple(deliveries), tuple(changed), tuple(self.waiting))

    def _urgency(self, wish: _Wish) -> tuple[Any, ...]:
        """Order: biggest impact, then severity, then age. Amounts are weighed by `rates` only to order them."""
        finding = wish.finding
        weight = self.policy.rates.get(finding.currency or "", Decimal(1))
        return (-abs(finding.impact or Decimal(0)) * weight, -_RANK[finding.severity], finding.since, wish.key)

    # --- who wants what said ---

    def _owner_wish(self, rule: Rule, finding: Finding) -> _Wish | None:
        kind = finding.pending_notice
        if kind not in OWNER_WORDS or self._must_wait(rule, finding):
            return None
        action = action_of(rule, escalating=False)
        if action is None:
            return self._wait(finding, "no_channel")
        to = str(action.options.get("to", "owner"))
        recipient_id = self.routes.recipient(finding, to)
        if recipient_id is None:
            # Nobody can be told: the report says it, and the escalation clock starts.
            return self._settle(finding, None, told_at=self.now)
        channel = self.routes.channel(action, finding)
        if not self.policy.writes.get(channel, False):
            return self._wait(finding, "writes_off", recipient_id)
        mine = [(key, task) for key, task in self._episode_tasks(finding) if key.number]
        same = [(key, task) for key, task in mine if task.owner_id == recipient_id]
        if any(task.is_deleted for _, task in same):
            # Deleted by a person: respected for this episode, and nobody is reported to a manager for it.
            return self._settle(finding, recipient_id, told_at=None)
        if kind != "not_fixed" and any(not task.is_closed for _, task in same):
            return self._settle(finding, recipient_id, max(key.number for key, _ in same), told_at=self.now)
        number = max([finding.notices, *(key.number for key, _ in mine)]) + 1
        key = owner_key(finding.fingerprint, finding.episode, number)
        while key in self.refused:
            if self.refused[key] in (recipient_id, self.policy.revops_user_id):
                return self._wait(finding, "refused", recipient_id)
            number += 1  # refused to somebody who is not the owner any more
            key = owner_key(finding.fingerprint, finding.episode, number)
        mentions = self.routes.mentions(action, finding, recipient_id) if channel == POST else ()
        return _Wish(finding, rule, kind, channel, recipient_id, key, action, mentions)

    def _escalation_wish(self, rule: Rule, finding: Finding) -> _Wish | None:
        step = finding.escalation_told
        if finding.status is not FindingStatus.ESCALATED or step >= finding.escalation_step:
            return None
        if step >= len(rule.lifecycle.escalate) or self._must_wait(rule, finding):
            return None
        if finding.notified_at is None:  # the owner deleted the Task since: there is nothing to report
            self._change(finding, escalation_told=step + 1)
            return None
        if finding.proof is Proof.UNPROVEN:
            return self._wait(finding, "unproven")  # nobody is reported to a manager for something that may not be so
        recipient_id = self.routes.recipient(finding, rule.lifecycle.escalate[step].to)
        if recipient_id is None or recipient_id == finding.notified_owner_id:
            recipient_id = self.routes.recipient(finding, "revops")
        if recipient_id is None or recipient_id == finding.notified_owner_id:
            self._change(finding, escalation_told=step + 1)
            return None
        action = action_of(rule, escalating=True) or RuleAction("task")
        channel = self.routes.channel(action, finding)
        if not self.policy.writes.get(channel, False):
            channel = TASK
        if not self.policy.writes.get(channel, False):
            return self._wait(finding, "writes_off", recipient_id)
        key = escalation_key(finding.fingerprint, finding.episode, step + 1, finding.reopened)
        mentions = (
            self.routes.mentions(action, finding, recipient_id, always=(recipient_id,)) if channel == POST else ()
        )
        return _Wish(finding, rule, "escalated", channel, recipient_id, key, action, mentions)

    def _must_wait(self, rule: Rule, finding: Finding) -> bool:
        reason = None
        if finding.status is FindingStatus.ACKNOWLEDGED:
            reason = "acknowledged"
        elif finding.status not in _LIVING:
            return True
        elif finding.proof is Proof.HELD:
            reason = "held"  # the last run could not look: what we would say may be old
        elif finding.absent_runs:
            reason = "not_seen"
        elif any(
            (other, record) in self.living
            for other in rule.lifecycle.yields_to
            for record in (finding.record_id, finding.owner_id)
        ):
            reason = "yields"
        if reason is not None:
            self._wait(finding, reason)
        return reason is not None

    def _episode_tasks(self, finding: Finding) -> list[tuple[NoticeKey, TaskState]]:
        found = self.tasks.get(finding.fingerprint, [])
        return [(key, task) for key, task in found if key.episode == finding.episode]

    # --- what becomes of it ---

    def _wait(self, finding: Finding, reason: str, recipient_id: str | None = None) -> None:
        waits = finding.pending_notice in OWNER_WORDS or finding.escalation_told < finding.escalation_step
        if waits:
            self.waiting.append(Waiting(finding.fingerprint, recipient_id, reason))

    def _settle(
        self, finding: Finding, recipient_id: str | None, at_least: int = 0, told_at: datetime | None = None
    ) -> None:
        """What waited need not wait longer. The escalation clock runs from `told_at`; None stops it."""
        self._change(
            finding,
            pending_notice=None,
            notified_at=told_at,
            notified_owner_id=recipient_id,
            notices=max(finding.notices, at_least),
        )

    def _change(self, finding: Finding, **changes: Any) -> None:
        self.after[finding.fingerprint] = replace(self.after[finding.fingerprint], **changes)

    def _deliver(self, wish: _Wish, more: int) -> Delivery:
        finding, rule = wish.finding, wish.rule
        if wish.kind == "escalated":
            self._change(finding, escalation_told=finding.escalation_told + 1)
        else:
            number = parse_key(wish.key)  # the clock starts when it is sent: `core.told`
            self._settle(finding, wish.recipient_id, at_least=number.number if number else 0)
        writing = self.policy.writing(
            self.recipients.get(wish.recipient_id),
            wish.channel,
            rule_allows=bool(wish.action.options.get("show_money", True)),
        )
        writing = replace(writing, revops=self.routes.revops_name(besides=wish.recipient_id))
        english, turkish = title(wish.kind, subject(rule, finding, writing, template_of(wish.action, writing.language)))
        heading = turkish if writing.language == "tr" else english
        behind = More(more, min(self.policy.per_owner_per_day, rule.limits.per_owner_per_day))
        stand_in = _stands_in(wish)
        body = (
            task_body(wish.kind, rule, finding, writing, more=behind, stand_in=stand_in)
            if wish.channel == TASK
            else post_body(wish.kind, rule, finding, writing, heading, more=behind, stand_in=stand_in)
        )
        return Delivery(
            key=wish.key,
            channel=wish.channel,
            recipient_id=wish.recipient_id,
            kind=wish.kind,
            fingerprints=(finding.fingerprint,),
            record_id=None if finding.is_process else finding.about_id or finding.record_id or None,
            title=heading,
            body=body,
            due_on=self._due(wish.action),
            severity=finding.severity,
            created_at=self.now,
            language=writing.language,
            mentions=wish.mentions,
        )

    def _due(self, action: RuleAction) -> date:
        found = _DUE.fullmatch(str(action.options.get("due", "")))
        days = int(found[1]) if found else self.policy.due_business_days
        return self.policy.working.add_days(self.now.astimezone(self.policy.zone).date(), days)


def _stands_in(wish: _Wish) -> bool:
    """Return whether the owner should have been told, and somebody else is."""
    meant_for_owner = wish.kind != "escalated" and str(wish.action.options.get("to", "owner")) == "owner"
    return meant_for_owner and not wish.finding.is_process and wish.recipient_id != wish.finding.owner_id
