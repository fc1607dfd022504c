"""What is to be written to Salesforce, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verb(StrEnum):
    """What a write does."""

    INSERT = "insert"
    UPSERT = "upsert"
    UPDATE = "update"
    DELETE = "delete"
    POST = "post"  # a Chatter post through the chatterPost action


KEY_FIELD = "Leakwatch_Key__c"


@dataclass(frozen=True, slots=True)
class WriteOp:
    """One wanted write. `op_id` is stable: planning the same thing again gives the same id."""

    op_id: str  # e.g. "lw1:m:...|insert" ; unique in the write log
    sobject: str
    verb: Verb
    key: str | None  # value of Leakwatch_Key__c for insert and upsert
    fields: Mapping[str, Any]
    reason: str
    record_id: str | None = None  # for update and delete
    account_id: str | None = None  # writes are grouped by it
    prior: Mapping[str, Any] = field(default_factory=dict[str, Any])  # values before, for undo
    after: str | None = None  # op_id that must have landed first

    @property
    def relations(self) -> Mapping[str, Any]:
        """The fields that name people by id lists."""
        return {name: value for name, value in self.fields.items() if name in ("ToIds", "CcIds", "BccIds")}


@dataclass(frozen=True, slots=True)
class Written:
    """What leakwatch wrote of one record of its own so far.

    Attributes:
        record_id: the record as it is now; None if it was never made, or deleted by us since.
        fields: the last value that we gave to each field.
        steps: how many writes that were; the next one is told apart by it.
    """

    record_id: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    steps: int = 0

    def after(self, op: WriteOp) -> Written:
        """Return what stands written once `op` has landed too; its `record_id` is known."""
        if op.verb is Verb.DELETE:
            return Written(None, {}, self.steps + 1)
        if op.verb is Verb.UPDATE:
            return Written(self.record_id, {**self.fields, **op.fields}, self.steps + 1)
        return Written(op.record_id, dict(op.fields), self.steps + 1)


class WriteStatus(StrEnum):
    """How a write ended."""

    DONE = "done"
    ALREADY_THERE = "already_there"  # our key was there before: the record's id is known now
    UNKNOWN = "unknown"  # the answer was lost: looked up by key before any retry
    RETRY = "retry"  # refused for now (lock, limit)
    REFUSED = "refused"  # will never be taken as it is
    HELD = "held"  # not sent, on purpose: nothing was tried, and a later run sends it
    UNDONE = "undone"  # it landed, and an undo took it back: it may be sent again


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What Salesforce said to one WriteOp."""

    op_id: str
    status: WriteStatus
    record_id: str | None = None
    code: str = ""  # Salesforce's own error code
    message: str = ""
    created: bool = False
