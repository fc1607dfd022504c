"""What a run of capture wrote → the writes that take it back. Pure: the same input gives the same operations.

A record that the run made is deleted, a field that it changed gets its earlier value. What a person changed since stays
as it is, and so does what leakwatch can't bring back; each with its reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from leakwatch.core.field_values import same_value
from leakwatch.core.identity import MEETING_PREFIX
from leakwatch.core.meeting_fields import EVENT, TASK
from leakwatch.core.meeting_record import PRIVATE
from leakwatch.core.newcomers import PEOPLE
from leakwatch.model import KEY_FIELD, PEOPLE_LISTS, Verb, WriteOp, Written

EMAIL_MESSAGE = "EmailMessage"
_STAMPS = ("CreatedById", "LastModifiedById")
# What of an Event or a Task of ours a person may have changed; an EmailMessage can't be edited (Object Reference v63).
_CONTENT = {
    EVENT: ("Subject", "IsAllDayEvent", "StartDateTime", "EndDateTime", "WhoId", "WhatId"),
    TASK: ("Subject", "Status", "ActivityDate", "WhoId", "WhatId"),
}
_LISTS = frozenset(PEOPLE_LISTS)  # whom a record names now is no field that can be compared
_KEYED = frozenset({EMAIL_MESSAGE, EVENT, TASK})

TAKEN_BACK = "The run that made it is undone."
PUT_BACK = "The run that changed it is undone."
GONE = "It is not in Salesforce any more: a person deleted it."
REPLACED = "leakwatch itself deleted it since."
CHANGED = "A person changed it since: it stays."
TASK_CHANGED = "A person changed its Task since: both stay."
NOT_OURS = "It does not carry leakwatch's key any more: it stays."
WAS_DELETED = "The run deleted it, and leakwatch can't undelete: for 15 days it can be restored from the recycle bin."
NOT_KNOWN = "What stood there before is not known: it stays."
HIDDEN = "The run hid what is private now: that is not shown again."
BACK_ALREADY = "It has its earlier values already."
ENTERED = "It is a person whom others may have taken up since: delete them by hand if nobody did."
WAS_THERE = "It was there before this run: it stays."


class Fate(StrEnum):
    """What becomes of one write of an undone run."""

    REMOVED = "removed"  # the record is deleted
    PUT_BACK = "put_back"  # the earlier values are written
    GONE = "gone"  # a person removed it, or put it back
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Undoing:
    """One write of the run and what becomes of it.

    `op` takes it back; where an attempt that was interrupted did so already, there is none. `why` says why it stays.
    `op_ids` names the writes, where several changed one record.
    """

    write: WriteOp
    fate: Fate
    op: WriteOp | None = None
    why: str = ""
    op_ids: tuple[str, ...] = ()

    @property
    def key(self) -> str | None:
        """The activity that it belongs to."""
        return activity_of(self.write)


@dataclass(frozen=True, slots=True)
class OrgNow:
    """What stands in Salesforce now.

    Attributes:
        rows: record id -> its row, with the fields of `wanted_fields`; what is not there is missing.
        tasks: EmailMessage id -> the row of the Task that Salesforce made for it, where there is one.
        history: activity key -> all that leakwatch wrote of its record, over all runs.
        begun: activity keys that an undo has begun to take back: what is missing of them, it removed.
        people: record id -> whom it names now, of those whose people the run wrote as a list; what is not known is
            missing.
    """

    rows: Mapping[str, Mapping[str, Any]]
    tasks: Mapping[str, Mapping[str, Any]]
    history: Mapping[str, Written]
    begun: Collection[str] = frozenset()
    people: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])


def activity_of(write: WriteOp) -> str | None:
    """Return the key of the activity that `write` belongs to: its own, or that of the record it followed from."""
    return write.key or (write.after or "").split("|")[0] or None


def is_meeting(write: WriteOp) -> bool:
    """Return whether `write` is one of those of a meeting's record, which are numbered and follow the meeting."""
    return (write.key or "").startswith(MEETING_PREFIX)


def lists_people(write: WriteOp) -> bool:
    """Return whether `write` says by a list whom a record names: that is looked up apart from its fields."""
    return bool(write.fields.keys() & _LISTS)


def wanted_fields(sobject: str, writes: Sequence[WriteOp]) -> tuple[str, ...]:
    """Return the fields that `plan_undo` needs of the records of `sobject` that `writes` made or changed."""
    names = ["Id", *_CONTENT.get(sobject, ())]
    if sobject in _KEYED:
        names += [KEY_FIELD, *_STAMPS]  # a relation is made and deleted, nothing of it is edited
    if sobject == EMAIL_MESSAGE:
        names.append("ActivityId")
    names += sorted({name for op in writes if op.verb is Verb.UPDATE for name in op.fields} - _LISTS)
    return tuple(dict.fromkeys(names))


def plan_undo(writes: Sequence[WriteOp], found: Sequence[WriteOp], now: OrgNow) -> list[Undoing]:
    """Return what becomes of each write of a run.

    Args:
        writes: what the run wrote, in the order it did; their record ids are known. What followed from a record that
            the run made itself (the Task given to a rep) goes or stays with it and is not in the answer.
        found: records that the run wanted to make and that were there already.
        now: what stands in Salesforce.
    """
    made = [op for op in writes if op.verb in (Verb.INSERT, Verb.UPSERT)]
    own = {op.op_id for op in made} | {op.record_id for op in made}
    later = [op for op in writes if op not in made and op.after not in own and op.record_id not in own]
    plans = [Undoing(op, Fate.KEPT, why=ENTERED) if op.sobject in PEOPLE else _removal(op, now) for op in made]
    plans += [_return(group, now) for group in _by_record(op for op in later if op.verb is Verb.UPDATE)]
    plans += [Undoing(op, Fate.KEPT, why=WAS_DELETED) for op in later if op.verb is Verb.DELETE]
    return plans + [Undoing(op, Fate.KEPT, why=WAS_THERE) for op in found]


def plan_leftovers(mails: Sequence[WriteOp], tasks: Mapping[str, Mapping[str, Any]]) -> list[WriteOp]:
    """Return the deletions of Tasks that Salesforce left standing when it deleted their mails.

    Whether a mail takes its Task along is not documented. A Task that a person changed meanwhile stays.

    Args:
        mails: the deletions of EmailMessages that landed; `prior` names the Task.
        tasks: id -> row of those Tasks that are there.
    """
    ops: list[WriteOp] = []
    for mail in mails:
        row = tasks.get(str(mail.prior.get("ActivityId") or ""))
        if row is not None and not _touched(row):
            ops.append(
                WriteOp(
                    op_id=f"{mail.op_id}|task", sobject=TASK, verb=Verb.DELETE, key=None, fields={}, reason=TAKEN_BACK,
                    record_id=str(row["Id"]), after=mail.op_id,
                )
            )  # fmt: skip
    return ops


def removal_id(write: WriteOp, history: Mapping[str, Written]) -> str:
    """Return the op id of the deletion that takes back the record that `write` made: its own, and for a mail the same
    at each attempt. The writes of a meeting's record are numbered (see `core.plan_meeting`).
    """
    known = history.get(write.key or "") if is_meeting(write) else None
    steps = known.steps if known is not None else ""
    return f"{write.key or write.op_id}|undo {write.record_id}|{steps}".rstrip("|")


def _removal(write: WriteOp, now: OrgNow) -> Undoing:
    record = str(write.record_id)
    written = now.history.get(write.key or "")
    row = now.rows.get(record)
    if row is None and write.key in now.begun:
        return Undoing(write, Fate.REMOVED)
    if is_meeting(write) and written is not None and written.record_id != write.record_id:
        return Undoing(write, Fate.KEPT, why=REPLACED)
    if row is None:
        return Undoing(write, Fate.GONE, why=GONE)
    if write.sobject in _KEYED and row.get(KEY_FIELD) != write.key:
        return Undoing(write, Fate.KEPT, why=NOT_OURS)
    ours = written.fields if written is not None and is_meeting(write) else write.fields
    content = [name for name in _CONTENT.get(write.sobject, ()) if name in ours]
    named, known = now.people.get(record, ()), written.people if written is not None else frozenset[str]()
    edited = any(not same_value(row.get(name), ours[name]) for name in content)
    if _touched(row) or edited or not known.issuperset(named):
        return Undoing(write, Fate.KEPT, why=CHANGED)
    task = now.tasks.get(record)
    if task is not None and _touched(task):
        return Undoing(write, Fate.KEPT, why=TASK_CHANGED)
    prior = {name: value for name, value in row.items() if name not in ("Id", *_STAMPS)}
    op = WriteOp(
        op_id=removal_id(write, now.history),
        sobject=write.sobject,
        verb=Verb.DELETE,
        key=write.key,
        fields={},
        reason=TAKEN_BACK,
        record_id=record,
        account_id=write.account_id,
        prior=prior,
    )
    return Undoing(write, Fate.REMOVED, op)


def _return(writes: Sequence[WriteOp], now: OrgNow) -> Undoing:
    """Return what brings back the values before `writes`, which changed one record one after the other."""
    last, op_ids = writes[-1], tuple(op.op_id for op in writes)
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for op in writes:
        before = {**op.prior, **before}
        after |= op.fields
    row = now.rows.get(str(last.record_id))
    if row is None:
        return Undoing(last, Fate.GONE, why=GONE)
    if after.get("Subject") == PRIVATE:
        return Undoing(last, Fate.KEPT, why=HIDDEN)
    people = now.people.get(str(last.record_id))
    unsure = people is None or any("WhoId" in op.fields and not lists_people(op) for op in writes)
    if any(name not in before for name in after) or (after.keys() & _LISTS and unsure):
        return Undoing(last, Fate.KEPT, why=NOT_KNOWN)
    if _holds(row, people, before, after.keys()):
        begun = activity_of(last) in now.begun
        return Undoing(last, Fate.PUT_BACK if begun else Fate.GONE, why=BACK_ALREADY, op_ids=op_ids)
    if not _holds(row, people, after, after.keys()):
        return Undoing(last, Fate.KEPT, why=CHANGED)
    known = now.history.get(last.key or "")
    steps = known.steps if known is not None else ""
    op = WriteOp(
        op_id=f"{last.op_id}|undo|{steps}".rstrip("|"),
        sobject=last.sobject,
        verb=Verb.UPDATE,
        key=last.key,
        fields={name: before[name] or None if name in _LISTS else before[name] for name in after},
        reason=PUT_BACK,
        record_id=last.record_id,
        account_id=last.account_id,
        prior=after,
    )
    return Undoing(last, Fate.PUT_BACK, op, op_ids=op_ids)


def _holds(
    row: Mapping[str, Any], people: Collection[str] | None, values: Mapping[str, Any], names: Collection[str]
) -> bool:
    """Return whether a record holds `values` in its fields `names`; of a list of people the order says nothing."""
    lists = [name for name in names if name in _LISTS]
    if any(not same_value(row.get(name), values[name]) for name in names if name not in lists):
        return False
    lead = {values["WhoId"]} - {None} if "WhoId" in names else set[str]()
    return all(set(people or ()) == {*(values[name] or ()), *lead} for name in lists)


def _by_record(writes: Iterable[WriteOp]) -> list[list[WriteOp]]:
    groups: dict[str, list[WriteOp]] = {}
    for op in writes:
        groups.setdefault(str(op.record_id), []).append(op)
    return list(groups.values())


def _touched(row: Mapping[str, Any]) -> bool:
    """Return whether somebody else than its maker, which is the integration user, changed a record last."""
    return row.get("LastModifiedById") != row.get("CreatedById")
