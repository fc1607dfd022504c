"""Tells somebody by a Task of theirs, and closes it when the matter is settled.

An open Task with a due date makes Salesforce lock the account while it is inserted (salesforce fact: so does any update
or delete of a Task). That is accepted: alerts are few, a due date is what makes a Task show up on the right day, and
the writer groups by account and repeats locked rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from leakwatch.core.task_updates import CLOSING, MAX_DESCRIPTION, MAX_SUBJECT, UPDATE_KINDS
from leakwatch.core.tasks import TaskWords
from leakwatch.core.text import cut
from leakwatch.errors import RecordError
from leakwatch.model import Delivery, Severity, Verb, WriteOp

WHO_PREFIXES = ("00Q", "003")  # Lead, Contact
# Account, Opportunity, Case, Campaign, Contract, Order, Product2, Asset, Quote; custom objects begin with "a"
WHAT_PREFIXES = ("001", "006", "500", "701", "800", "801", "01t", "02i", "0Q0", "a")


class Settings(BaseModel):
    """How alert Tasks look. Whether they are made at all is `writes.salesforce_task`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    open_status: str | None = Field(None, description="Status of a new Task; default: the org's own default")
    closed_status: str | None = Field(None, description="Status of a settled Task; default: the org's own closed one")
    priorities: dict[Severity, str] = Field(
        default_factory=dict[Severity, str], description="Severity → Task priority; default: the org's own order"
    )
    due_date: bool = Field(True, description="Give Tasks a due date; off for orgs where account locks hurt")


class SalesforceTask:
    """One Task for one delivery, made once; later only closed, or given a line."""

    name = "salesforce_task"

    def __init__(self, settings: Settings, words: TaskWords) -> None:
        self._settings = settings
        self._words = words

    def plan(self, delivery: Delivery) -> Sequence[WriteOp]:
        """Return the insert of the Task that carries the message, or the update of the one that is there.

        Raises:
            RecordError: an update without the id of its Task.
        """
        return [self._change(delivery) if delivery.kind in UPDATE_KINDS else self._make(delivery)]

    def _make(self, delivery: Delivery) -> WriteOp:
        record = delivery.record_id or ""
        fields: dict[str, Any] = {
            "Subject": cut(delivery.title, MAX_SUBJECT),
            "Description": cut(delivery.body, MAX_DESCRIPTION),
            "OwnerId": delivery.recipient_id,
            "Status": self._settings.open_status or self._words.open_status,
            "IsReminderSet": False,
        }
        priority = self._settings.priorities.get(delivery.severity) or self._words.priority(delivery.severity)
        if priority:
            fields["Priority"] = priority
        if self._settings.due_date and delivery.due_on is not None:
            fields["ActivityDate"] = delivery.due_on
        # A Lead stands alone: WhoId of a Lead beside any WhatId is refused.
        if record.startswith(WHO_PREFIXES):
            fields["WhoId"] = record
        elif record.startswith(WHAT_PREFIXES):
            fields["WhatId"] = record
        return WriteOp(
            op_id=delivery.key,
            sobject="Task",
            verb=Verb.INSERT,
            key=delivery.key,
            fields=fields,
            reason=f"alert ({delivery.kind}) for {record or 'the process'}",
        )

    def _change(self, delivery: Delivery) -> WriteOp:
        if not delivery.remote_id:
            raise RecordError(f"update {delivery.key} does not say which Task", code="NO_TASK_ID")
        fields: dict[str, Any] = {}
        if delivery.body:
            fields["Description"] = cut(delivery.body, MAX_DESCRIPTION)
        if delivery.kind in CLOSING:
            fields["Status"] = self._settings.closed_status or self._words.closed_status
        elif delivery.kind == "grew":
            priority = self._settings.priorities.get(delivery.severity) or self._words.priority(delivery.severity)
            if priority:
                fields["Priority"] = priority
        return WriteOp(
            op_id=delivery.key,
            sobject="Task",
            verb=Verb.UPDATE,
            key=None,
            fields=fields,
            reason=f"alert Task: {delivery.kind}",
            record_id=delivery.remote_id,
        )


def create(settings: Settings, words: TaskWords) -> SalesforceTask:
    """Return the action for an org with these `words`."""
    return SalesforceTask(settings, words)
