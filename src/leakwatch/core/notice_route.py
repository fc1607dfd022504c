"""Whom a word goes to, and by which channel: from a rule's actions, the org's users and what an admin decided. Pure.

Used through `core.notice`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from leakwatch.core.notice_policy import CHANNELS, POST, TASK, NoticePolicy, Recipient
from leakwatch.core.record_ids import is_person, object_of
from leakwatch.model import Finding, Rule, RuleAction


@dataclass(frozen=True, slots=True)
class Routes:
    """The ways to people."""

    recipients: Mapping[str, Recipient]
    policy: NoticePolicy

    def recipient(self, finding: Finding, to: str) -> str | None:
        """Return who can be told: never a queue, an inactive or an unknown user; RevOps stands in."""
        wanted = None
        if not finding.is_process:
            wanted = {"owner": finding.owner_id, "manager": finding.manager_id}.get(to)
        if wanted is not None and self._tellable(wanted):
            return wanted
        stand_in = self.policy.revops_user_id
        known = self.recipients.get(stand_in) if stand_in else None
        return stand_in if stand_in and (known is None or known.is_active) else None

    def channel(self, action: RuleAction, finding: Finding) -> str:
        """Return the action's channel; what has no feed (a record or the process) gets a Task instead of a post."""
        channel = CHANNELS[action.kind]
        sobject = finding.sobject if finding.about_id is None else object_of(finding.about_id)
        feed = bool(finding.record_id) and not finding.is_process and sobject in self.policy.feed_objects
        return TASK if channel == POST and not feed else channel

    def mentions(
        self, action: RuleAction, finding: Finding, recipient_id: str, always: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """Return the users that a post mentions: `always`, and whom of the owner and manager the action names."""
        named = action.options.get("mention", ["owner", "manager"] if always else ["owner"])
        people = cast(Sequence[str], [named] if isinstance(named, str) else named)
        ids = [{"owner": finding.owner_id, "manager": finding.manager_id}.get(who) for who in people]
        wanted = [*always, *(one for one in ids if one is not None and self._tellable(one))]
        return tuple(dict.fromkeys(wanted or [recipient_id]))

    def revops_name(self, *, besides: str) -> str:
        """Return the name of who gets what has no owner to tell; empty if unknown, or the user `besides` themselves."""
        contact = self.recipients.get(self.policy.revops_user_id or "")
        return contact.name if contact is not None and contact.user_id != besides else ""

    def _tellable(self, user_id: str) -> bool:
        recipient = self.recipients.get(user_id)
        return recipient is not None and recipient.is_active and is_person(user_id)


def action_of(rule: Rule, *, escalating: bool) -> RuleAction | None:
    """Return the rule's action for telling the owner or for escalating; a rule without any gives the owner a Task."""
    known = [action for action in rule.actions if action.kind in CHANNELS]
    on_escalation = [action for action in known if action.options.get("on") == "escalate"]
    ordinary = [action for action in known if action.options.get("on") != "escalate"]
    if escalating:
        return next(iter([*on_escalation, *ordinary]), None)
    return ordinary[0] if ordinary else None if rule.actions else RuleAction("task")


def template_of(action: RuleAction, language: str) -> str | None:
    """Return the subject a rule's author wrote, in `language` if there are several."""
    wanted = action.options.get("subject")
    if isinstance(wanted, Mapping):
        texts = cast(Mapping[str, str], wanted)
        return texts.get(language) or texts.get("en")
    return None if wanted is None else str(wanted)
