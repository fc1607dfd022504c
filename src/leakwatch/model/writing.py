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


class WriteStatus(StrEnum):
    """How a write ended."""

    DONE = "done"
    ALREADY_THERE = "already_there"  # our key was there before: the record's id is known now
    UNKNOWN = "unknown"  # the answer was lost: looked up by key before any retry
    RETRY = "retry"  # refused for now (lock, limit)
    REFUSED = "refused"  # will never be taken as it is
    HELD = "held"  # not sent, on purpose: nothing was tried, and a later run sends it


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What Salesforce said to one WriteOp."""

    op_id: str
    status: WriteStatus
    record_id: str | None = None
    code: str = ""  # Salesforce's own error code
    message: str = ""
    created: bool = False
