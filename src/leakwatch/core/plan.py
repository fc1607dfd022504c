"""Matched activities → wanted writes. Pure: the same activity and match always give the same operations.

Mail becomes an EmailMessage (Status 3, as Salesforce demands of mail outside cases), inserted with its people: `FromId`
(create-only), `ToIds` and `CcIds` (with it Reply-To) name contacts, leads and users; the address fields hold only
people whom Salesforce does not know. Where Enhanced Email is off it becomes a completed Task of subtype Email.
BCC is never written. Lengths: Object Reference v63, EmailMessage and Task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from leakwatch.core.plan_people import first_people
from leakwatch.core.text import clean_line, cut
from leakwatch.model import (
    KEY_FIELD,
    Activity,
    Direction,
    Match,
    MatchBasis,
    Participant,
    Role,
    Verb,
    WriteOp,
)

NO_SUBJECT = "(no subject)"
SUBJECT_OFF = "(subject not captured)"
STATUS_SENT = "3"  # the only status that mail outside cases may have, incoming or not
MAX_SUBJECT = 3_000
MAX_TASK_SUBJECT = 255
MAX_NAME = 1_000
MAX_ADDRESSES = 4_000
MAX_IDENTIFIER = 255
MAX_RECORDS = 50  # contacts related to one activity (Shared Activities)
_CONTACT, _LEAD = "003", "00Q"  # record id prefixes


@dataclass(frozen=True, slots=True)
class PlanRules:
    """How mail is written.

    Attributes:
        mail_as: `task` for orgs without Enhanced Email.
        set_audit_fields: write CreatedDate, which needs an org permission.
        subjects: off writes `(subject not captured)`.
        time_zone: IANA zone of the org's business days, for a Task's date.
        closed_status: the org's own name of a completed Task's status.
        shared_activities: the org relates one activity to several contacts (Shared Activities).
        meetings_as: `task` writes a meeting as a completed Task once it was held.
        meeting_type: the Task type that the org has for meetings; None if it has none.
    """

    mail_as: Literal["email_message", "task"] = "email_message"
    set_audit_fields: bool = False
    subjects: bool = True
    time_zone: str = "UTC"
    closed_status: str = "Completed"
    shared_activities: bool = False
    meetings_as: Literal["event", "task"] = "event"
    meeting_type: str | None = None


def plan_mail(activity: Activity, match: Match, rules: PlanRules) -> tuple[WriteOp, ...]:
    """Return the writes that log `activity`; none if it matched nothing. The first one makes its record."""
    if match.basis is MatchBasis.NONE:
        return ()
    if rules.mail_as == "task":
        return (_task(activity, match, rules),)
    return (_email_message(activity, match, rules),)


def insert_op_id(key: str) -> str:
    """Return the op id of the write that makes the record of the activity `key`."""
    return f"{key}|insert"


def _email_message(activity: Activity, match: Match, rules: PlanRules) -> WriteOp:
    people = _People(activity, match)
    sender = next((person for person in activity.participants if person.role is Role.FROM), None)
    fields: dict[str, Any] = {
        "Subject": cut(_subject(activity, rules), MAX_SUBJECT),
        "MessageDate": moment(activity.start),
        # A colleague's mail seen only in another mailbox is no word from the customer, whoever really sent it.
        "Incoming": activity.direction is not Direction.OUTBOUND and not (sender is not None and sender.internal),
        "Status": STATUS_SENT,
        KEY_FIELD: activity.key,
    }
    optional: dict[str, Any] = {
        "FromName": cut(clean_line(sender.name), MAX_NAME) if sender is not None else None,
        "FromAddress": sender.address if sender is not None else None,
        "FromId": match.addresses.get(sender.address) if sender is not None else None,
        "ToIds": people.ids(Role.TO),
        "CcIds": people.ids(Role.CC),
        "ToAddress": people.unknown(Role.TO),
        "CcAddress": people.unknown(Role.CC),
        "MessageIdentifier": None if activity.reused_id else _identifier(activity.message_id),
        "ThreadIdentifier": _identifier(activity.thread_key),
        "RelatedToId": match.what_id,
        "CreatedDate": moment(activity.start) if rules.set_audit_fields else None,
    }
    fields |= {name: value for name, value in optional.items() if value}
    return _op(activity, match, "EmailMessage", Verb.INSERT, fields)


def _task(activity: Activity, match: Match, rules: PlanRules) -> WriteOp:
    fields: dict[str, Any] = {
        "Subject": cut(_subject(activity, rules), MAX_TASK_SUBJECT),
        "TaskSubtype": "Email",
        "Status": rules.closed_status,
        "ActivityDate": activity.start.astimezone(ZoneInfo(rules.time_zone)).date().isoformat(),
        KEY_FIELD: activity.key,
    }
    optional: dict[str, Any] = {
        "OwnerId": match.owner_id,
        **first_people(match, "Task", shared=rules.shared_activities),
        "WhatId": match.what_id,
        "CreatedDate": moment(activity.start) if rules.set_audit_fields else None,
    }
    fields |= {name: value for name, value in optional.items() if value}
    # Inserted, not upserted: CreatedDate and TaskSubtype are taken on insert only, and a Task that is there already
    # (its key is refused as a duplicate then) may have been edited by a person.
    return _op(activity, match, "Task", Verb.INSERT, fields)


def _op(activity: Activity, match: Match, sobject: str, verb: Verb, fields: Mapping[str, Any]) -> WriteOp:
    return WriteOp(
        op_id=insert_op_id(activity.key),
        sobject=sobject,
        verb=verb,
        key=activity.key,
        fields=fields,
        reason=match.reason,
        account_id=match.account_id,
    )


def plan_owner(
    activity_key: str,
    match: Match,
    *,
    task: Mapping[str, Any],
    sender_id: str | None,
    earlier_owner: str | None,
) -> WriteOp | None:
    """Return the write that gives the Task which Salesforce made for a mail to its rep, or None if nothing is to do.

    Args:
        activity_key: the mail.
        match: says whose it is.
        task: the Task of the EmailMessage's ActivityId, as it is now: Id, OwnerId, CreatedById.
        sender_id: the EmailMessage's FromId.
        earlier_owner: whom leakwatch gave the Task to before, as far as the journal knows (it may be an old one,
            restored). A Task that is neither that person's, nor its creator's or the sender's, as Salesforce makes it,
            was given away by a person or by the org's own automation, and is left alone.
    """
    current_owner = task.get("OwnerId")
    if match.owner_id is None or current_owner == match.owner_id:
        return None
    untouched = (earlier_owner,) if earlier_owner is not None else (task.get("CreatedById"), sender_id)
    if current_owner not in untouched:
        return None
    return WriteOp(
        op_id=f"{activity_key}|task-owner|{match.owner_id}",
        sobject="Task",
        verb=Verb.UPDATE,
        key=None,
        fields={"OwnerId": match.owner_id},
        reason="The mail belongs to the rep who sent or received it.",
        record_id=str(task["Id"]),
        account_id=match.account_id,
        prior={"OwnerId": current_owner},
        after=insert_op_id(activity_key),
    )


class _People:
    """Recipients of one mail, parted into those with a record and those without."""

    def __init__(self, activity: Activity, match: Match) -> None:
        self._match = match
        self._from = {person.address for person in activity.participants if person.role is Role.FROM}
        self._seen = set(self._from)
        self._ids: dict[Role, list[str]] = {}
        self._unknown: dict[Role, list[str]] = {}
        used: set[str] = set()
        outside = 0
        for role in (Role.TO, Role.CC):
            for person in _once(activity.participants, role, self._seen):
                record = match.addresses.get(person.address)
                external = _is_outside(record)
                if record is None or (external and outside >= MAX_RECORDS):
                    self._unknown.setdefault(role, []).append(person.address)
                elif record not in used:
                    used.add(record)
                    outside += external
                    self._ids.setdefault(role, []).append(record)
        used |= {record for address in self._from if (record := match.addresses.get(address)) is not None}
        # Whom the answer is to go to (web forms, shared mailboxes). An insert has no list for them, so they go with Cc.
        for person in _once(activity.participants, Role.REPLY_TO, self._seen):
            record = match.addresses.get(person.address)
            if record is not None and _is_outside(record) and record not in used and outside < MAX_RECORDS:
                used.add(record)
                outside += 1
                self._ids.setdefault(Role.CC, []).append(record)

    def ids(self, role: Role) -> list[str]:
        """Return record ids, in header order, each once."""
        return self._ids.get(role, [])

    def unknown(self, role: Role) -> str:
        """Return addresses without a record, joined as Salesforce does, whole ones only."""
        return _joined(self._unknown.get(role, ()))


def _is_outside(record: str | None) -> bool:
    return record is not None and record.startswith((_CONTACT, _LEAD))


def _once(participants: Sequence[Participant], role: Role, seen: set[str]) -> Iterable[Participant]:
    for person in participants:
        if person.role is role and person.address not in seen:
            seen.add(person.address)
            yield person


def _joined(addresses: Sequence[str]) -> str:
    kept: list[str] = []
    length = 0
    for address in addresses:
        length += len(address) + (2 if kept else 0)
        if length > MAX_ADDRESSES:
            break
        kept.append(address)
    return "; ".join(kept)


def _subject(activity: Activity, rules: PlanRules) -> str:
    if not rules.subjects:
        return SUBJECT_OFF
    return clean_line(activity.subject) or NO_SUBJECT


def _identifier(message_id: str | None) -> str | None:
    """Return a Message-ID in angle brackets, as Salesforce keeps them; None if it would have to be cut."""
    if message_id is None or len(message_id) > MAX_IDENTIFIER - 2:
        return None
    return f"<{message_id}>"


def moment(value: datetime) -> str:
    """Return `value` as Salesforce takes datetimes: UTC, milliseconds, `Z`."""
    return f"{value.astimezone(UTC).isoformat(timespec='seconds')[:19]}.000Z"
