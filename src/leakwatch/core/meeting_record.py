"""The record of a meeting in Salesforce, an Event or a Task: made, brought in step, deleted. Pure.

A field is ours while it holds what we wrote last (`Written`); fields that belong together are ours together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leakwatch.core.field_values import same_value
from leakwatch.core.plan import PlanRules, insert_op_id
from leakwatch.core.plan_people import Invited, invited, list_field, people_change, settled_people
from leakwatch.model import Activity, Match, MatchBasis, Outcome, Verb, WriteOp, Written

PRIVATE = "(private appointment)"


@dataclass(frozen=True, slots=True)
class MeetingPlan:
    """What is to be done about one meeting: at most one write, and what the meeting is once that landed, and why."""

    op: WriteOp | None
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Part:
    """Fields of a record that belong together: if a person changed one, all are theirs. `words` say why they change."""

    values: Mapping[str, Any]
    words: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand with one meeting in Salesforce.

    Attributes:
        written: what leakwatch wrote for it so far; None if nothing.
        current: its record as it is now (`plan_meeting.read_back`); None if it is not there.
        people: whom that record names now, where that was looked up (see `looks_at_people`).
        earlier: how the meeting matched when it was written.
        zone: IANA name of the time zone of the rep whose meeting it is; None if not known.
    """

    written: Written | None = None
    current: Mapping[str, Any] | None = None
    people: tuple[str, ...] | None = None
    earlier: Match | None = None
    zone: str | None = None


def held(activity: Activity, now: datetime) -> bool:
    """Return whether a meeting is over; of one that lasts whole days, once its last day is over in UTC."""
    return (activity.end or activity.start) <= now


def guests_of(activity: Activity, match: Match, standing: Standing) -> Invited:
    """Return who is to be named by the record that is there."""
    ours = standing.written.people if standing.written is not None else frozenset[str]()
    return invited(activity, match, standing.earlier, ours)


def looks_at_people(activity: Activity, match: Match, standing: Standing) -> bool:
    """Return whether it must be looked up whom the record names now, before anything is decided."""
    if standing.written is None or standing.current is None:
        return False
    if activity.cancelled or activity.private:
        return True
    guests = guests_of(activity, match, standing)
    return guests.gone or not settled_people(guests.ids, standing.written, standing.current)


def others_named(standing: Standing, guests: Invited) -> bool:
    """Return whether the record names somebody whom a person related to it: neither we nor the guest list do.

    That one of ours is missing says nothing: a lead that was converted, or a contact that was merged, has another id.
    """
    who = (standing.current or {}).get("WhoId")
    people = standing.people if standing.people is not None else (who,) if who else ()
    ours = standing.written.people if standing.written is not None else frozenset[str]()
    return not set(people) <= ours | set(guests.ids)


def insert(
    sobject: str,
    activity: Activity,
    match: Match,
    fields: Mapping[str, Any],
    optional: Mapping[str, Any],
    written: Written,
) -> WriteOp:
    """Return the write that makes the record of a meeting, with those of the `optional` fields that hold something."""
    op_id = insert_op_id(activity.key)
    return WriteOp(
        op_id=f"{op_id}|{written.steps}" if written.steps else op_id,
        sobject=sobject,
        verb=Verb.INSERT,
        key=activity.key,
        fields={**fields, **{name: value for name, value in optional.items() if value}},
        reason=match.reason,
        account_id=match.account_id,
    )


def delete(sobject: str, activity: Activity, standing: Standing, names: Sequence[str], reason: str) -> WriteOp:
    """Return the write that deletes the record of a meeting; what it held in the fields `names` is kept for undoing."""
    written, current = standing.written or Written(), standing.current or {}
    prior = {name: current.get(name) for name in names}
    return WriteOp(
        op_id=f"{activity.key}|delete|{written.steps}",
        sobject=sobject,
        verb=Verb.DELETE,
        key=activity.key,
        fields={},
        reason=reason,
        record_id=written.record_id,
        prior=prior if standing.people is None else prior | {list_field(sobject): list(standing.people)},
    )


def change(
    sobject: str,
    activity: Activity,
    match: Match,
    rules: PlanRules,
    parts: Sequence[Part],
    guests: Invited,
    standing: Standing,
) -> WriteOp | None:
    """Return the write that brings the record of a living meeting in step with it; None if it is."""
    written, current = standing.written or Written(), standing.current or {}
    changes = _hidden(sobject, standing) if activity.private else {}
    reasons = ["The appointment was made private."] if changes else []
    if activity.private:
        parts = [part for part in parts if not part.values.keys() & {"Subject", "Description"}]
    elif match.basis is not MatchBasis.NONE:
        parts = [*parts, Part({"WhatId": match.what_id}, "It is about another record.")]
    for part in parts:
        differs = any(not same_value(value, written.fields.get(name)) for name, value in part.values.items())
        if differs and not edited(written, current, tuple(part.values)):
            changes |= {name: None if value == "" else value for name, value in part.values.items()}
            reasons.append(part.words)
    if not activity.private:
        owner = _owner(match, written, current)
        changes |= owner
        reasons += ["It belongs to another of ours."] if owner else []
        named = _people(sobject, match, rules, guests, standing, what_id=changes.get("WhatId", current.get("WhatId")))
        changes |= named
        reasons += ["Its guests who are in Salesforce are others."] if named else []
    if not changes:
        return None
    prior = {name: current.get(name) for name in changes}
    if list_field(sobject) in changes:
        prior[list_field(sobject)] = list(standing.people or ())
    return WriteOp(
        op_id=f"{activity.key}|change|{written.steps}",
        sobject=sobject,
        verb=Verb.UPDATE,
        key=activity.key,
        fields=changes,
        reason=" ".join(reasons),
        record_id=written.record_id,
        account_id=match.account_id,
        prior=prior,
    )


def _hidden(sobject: str, standing: Standing) -> dict[str, Any]:
    """Return what takes back all that was written while a meeting lay open, also where a person wrote it since."""
    current = standing.current or {}
    hidden: dict[str, Any] = {"Subject": PRIVATE, "WhoId": None, "WhatId": None, "Description": None}
    changes = {name: value for name, value in hidden.items() if (current.get(name) or None) != value}
    return changes | {"WhoId": None, list_field(sobject): None} if standing.people else changes


def _owner(match: Match, written: Written, current: Mapping[str, Any]) -> dict[str, Any]:
    """Return the change of owner; made without one, a record is the integration user's, who created it."""
    ours = written.fields.get("OwnerId") or current.get("CreatedById")
    if match.owner_id is None or match.owner_id == ours or current.get("OwnerId") != ours:
        return {}
    return {"OwnerId": match.owner_id}


def _people(
    sobject: str, match: Match, rules: PlanRules, guests: Invited, standing: Standing, *, what_id: str | None
) -> dict[str, Any]:
    unsure = match.basis is MatchBasis.NONE and not guests.gone and not guests.ids  # nobody says that they left
    if unsure or (rules.shared_activities and standing.people is None):
        return {}
    return people_change(
        guests.ids,
        sobject,
        written=standing.written or Written(),
        current=standing.current or {},
        present=standing.people if rules.shared_activities else None,
        lead_fits=not what_id,
    )


def edited(written: Written, current: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    """Return whether one of the fields `names` has another value in Salesforce than the last one we gave it."""
    return any(not same_value(current.get(name), written.fields.get(name)) for name in names)
