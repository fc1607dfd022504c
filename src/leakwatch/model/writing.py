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
    ADOPT = "adopt"  # nothing is sent: another tool's record stands for the activity (decision 0011)


KEY_FIELD = "Leakwatch_Key__c"
PEOPLE_LISTS = ("EventWhoIds", "TaskWhoIds")  # everybody an activity is related to, in orgs with Shared Activities
_ID_LISTS = ("ToIds", "CcIds", "BccIds", *PEOPLE_LISTS)


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
        return {name: value for name, value in self.fields.items() if name in _ID_LISTS}


@dataclass(frozen=True, slots=True)
class Written:
    """What leakwatch wrote of one record of its own so far.

    Attributes:
        record_id: the record as it is now; None if it was never made, or deleted by us since.
        fields: the last value that we gave to each field.
        steps: how many writes that were; the next one is told apart by it.
        people: whom we related an activity to and did not part from it; whom a person took away since is among them,
            whom a person related is not.
    """

    record_id: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    steps: int = 0
    people: frozenset[str] = frozenset()

    def after(self, op: WriteOp) -> Written:
        """Return what stands written once `op` has landed too; its `record_id` is known."""
        if op.verb is Verb.DELETE:
            return Written(None, {}, self.steps + 1)
        if op.verb is Verb.UPDATE:
            people = self.people
            if people_in(op.fields) is not None:
                named, before = people_in(op.fields) or frozenset(), people_in(op.prior) or frozenset()
                people = (people - (before - named)) | (named - before)
            return Written(self.record_id, {**self.fields, **op.fields}, self.steps + 1, people)
        return Written(op.record_id, dict(op.fields), self.steps + 1, people_in(op.fields) or frozenset())


def people_in(fields: Mapping[str, Any]) -> frozenset[str] | None:
    """Return whom the fields of an activity relate it to; None if they do not say."""
    if "WhoId" not in fields and not any(name in fields for name in PEOPLE_LISTS):
        return None
    named = [fields.get("WhoId"), *(one for name in PEOPLE_LISTS for one in fields.get(name) or ())]
    return frozenset(str(one) for one in named if one)


class WriteStatus(StrEnum):
    """How a write ended."""

    DONE = "done"
    ALREADY_THERE = "already_there"  # our key was there before: the record's id is known now
    UNKNOWN = "unknown"  # the answer was lost: looked up by key before any retry
    RETRY = "retry"  # refused for now (lock, limit)
    REFUSED = "refused"  # will never be taken as it is
    HELD = "held"  # not sent, on purpose: nothing was tried, and a later run sends it
    UNDONE = "undone"  # it landed, and an undo took it back: it may be sent again

    @property
    def landed(self) -> bool:
        """Whether the record is in Salesforce as wanted."""
        return self in (WriteStatus.DONE, WriteStatus.ALREADY_THERE)

    @property
    def waits(self) -> bool:
        """Whether a later run is to send it, or to look what became of it."""
        return self in (WriteStatus.UNKNOWN, WriteStatus.RETRY, WriteStatus.HELD)


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What Salesforce said to one WriteOp."""

    op_id: str
    status: WriteStatus
    record_id: str | None = None
    code: str = ""  # Salesforce's own error code
    message: str = ""
    created: bool = False
