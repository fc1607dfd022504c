"""What an admin decided about telling people, and the plan that comes of it. Used through `core.notice`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal

from leakwatch.core.notice_text import Writing
from leakwatch.core.working_time import WorkingTime
from leakwatch.model import Delivery, Finding

TASK, POST = "salesforce_task", "chatter_post"
CHANNELS: Mapping[str, str] = {"task": TASK, "chatter": POST}  # a rule's word -> an action's file name
# Each is a Task or post of its own.
OWNER_WORDS = frozenset({"new", "back_again", "reassigned", "not_fixed", "resumed"})
LINE_WORDS = frozenset({"grew", "still_open"})  # only a line in the Task that is there
COUNTED = OWNER_WORDS | {"escalated"}  # what the daily limits count


@dataclass(frozen=True, slots=True)
class Recipient:
    """A Salesforce user who may be told something."""

    user_id: str
    is_active: bool = True
    language: str | None = None  # "en" or "tr"; None takes the company's
    name: str = ""


@dataclass(frozen=True, slots=True)
class NoticePolicy:
    """What an admin decided about being told."""

    writes: Mapping[str, bool]  # action's file name -> switched on
    zone: tzinfo  # the org's: working days, "today"
    working: WorkingTime = field(default_factory=WorkingTime)
    per_owner_per_day: int = 5
    per_day: int = 2_000
    revops_user_id: str | None = None  # gets what has no owner to tell; None leaves it to the report
    language: str = "en"
    due_business_days: int = 2
    chatter_show_money: bool = False
    feed_objects: frozenset[str] = frozenset()  # objects whose describe says feedEnabled
    rates: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])  # currency -> weight; only to order by

    def writing(self, recipient: Recipient | None, channel: str, *, rule_allows: bool = True) -> Writing:
        """Return how a message to `recipient` on `channel` is written.

        A post names amounts only where the admin allows it and the rule does not forbid it.
        """
        language = (recipient.language if recipient else None) or self.language
        return Writing(language, self.zone, money=channel != POST or (self.chatter_show_money and rule_allows))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A word that is not said now. It stays with the finding and gets its turn when the reason goes."""

    fingerprint: str
    recipient_id: str | None
    # owner_cap | daily_budget | writes_off | no_channel | refused | held | not_seen | yields | acknowledged | unproven
    reason: str


@dataclass(frozen=True, slots=True)
class NoticePlan:
    """What is said now, what changes on findings with it, and what waits."""

    deliveries: tuple[Delivery, ...]
    findings: tuple[Finding, ...]
    waiting: tuple[Waiting, ...]


def said_today(
    deliveries: Iterable[Delivery], rule_of: Mapping[str, str], *, now: datetime, zone: tzinfo
) -> list[tuple[str, str]]:
    """Return (recipient, rule id) of each message planned on the org's present day that the daily limits count.

    Args:
        deliveries: at least those of the last 24 hours, sent or not.
        rule_of: fingerprint -> rule id.
        now: aware.
        zone: the org's.
    """
    today = now.astimezone(zone).date()
    return [
        (delivery.recipient_id, rule_of.get(next(iter(delivery.fingerprints), ""), ""))
        for delivery in deliveries
        if delivery.kind in COUNTED
        and not delivery.quarantined
        and delivery.created_at.astimezone(zone).date() == today
    ]
