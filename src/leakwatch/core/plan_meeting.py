"""Matched meetings → wanted writes. Pure: the same input always gives the same operations.

One meeting is one Event, owned by whoever of ours called it, else by the first of ours who came, and related to the
guests who are in Salesforce. It follows the meeting: moved, it moves; renamed, it is renamed; cancelled or left by all
outside guests before it took place, it is deleted (it must not stand as a next step), and made again should the meeting
live again. A field that a person changed since is theirs, and a record that a person changed is not deleted.

Where the admin wants no Events, a meeting becomes a completed Task once it was held, with the same key. What was
written as an Event stays one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from leakwatch.core.meeting_fields import EVENT, EVENT_TIMES, TASK, event_parts, task_basics, task_parts
from leakwatch.core.meeting_record import (
    MeetingPlan,
    Part,
    Standing,
    change,
    delete,
    edited,
    guests_of,
    held,
    insert,
    others_named,
)
from leakwatch.core.meetings import skip_reason
from leakwatch.core.plan import PlanRules, moment
from leakwatch.core.plan_people import first_people
from leakwatch.core.record_ids import TASK_PREFIX
from leakwatch.model import KEY_FIELD, Activity, Match, MatchBasis, Outcome, WriteOp, Written

# Who changed one of these, or related it to others, has made the record theirs: it is not deleted any more.
_GUARDED = {
    EVENT: ("Subject", *EVENT_TIMES, "WhatId", "Description"),
    TASK: ("Subject", "ActivityDate", "Status", "WhatId", "Description"),
}

CANCELLED = "The meeting was cancelled, or all its outside guests left it, before it took place: its record is deleted."
POSTPONED = "The meeting was moved and is still to come: its Task is deleted, and made again once it was held."
NOT_HELD = "Its Task is made once the meeting was held."
KEPT = "The meeting was cancelled or put off, but a person changed its record: it stays."
DELETED = "A person deleted its record: it is not made again."


def kind(rules: PlanRules, written: Written | None) -> str:
    """Return what a meeting is in Salesforce: what it was written as, else what the settings say."""
    if written is not None and written.record_id is not None:
        return TASK if written.record_id.startswith(TASK_PREFIX) else EVENT
    return TASK if rules.meetings_as == "task" else EVENT


def read_back(sobject: str) -> tuple[str, ...]:
    """Return the fields of a meeting's record by which is decided what is to be done about it."""
    return ("Id", *_GUARDED[sobject], "WhoId", "OwnerId", "CreatedById")


def plan_meeting(
    activity: Activity, match: Match, rules: PlanRules, standing: Standing, *, now: datetime
) -> MeetingPlan:
    """Return what brings Salesforce in step with `activity`.

    Args:
        activity: the merged meeting.
        match: what it belongs to.
        rules: how activities are written.
        standing: what stands in Salesforce.
        now: aware; what is over by then was held.
    """
    written = standing.written
    sobject, was_held = kind(rules, written), held(activity, now)
    parts = (
        task_parts(activity, match, rules, standing.zone) if sobject == TASK else event_parts(activity, match, rules)
    )
    if written is None or written.record_id is None:
        skipped = skip_reason(activity)
        if skipped is not None:
            return MeetingPlan(None, Outcome.SKIPPED, skipped)
        if match.basis is MatchBasis.NONE:
            return MeetingPlan(None, Outcome.UNMATCHED, match.reason)
        if sobject == TASK and not was_held:
            return MeetingPlan(None, Outcome.HELD, NOT_HELD)
        return MeetingPlan(_insert(sobject, activity, match, rules, parts, written), Outcome.WRITTEN, match.reason)
    if standing.current is None:
        return MeetingPlan(None, Outcome.WRITTEN, DELETED)
    guests = guests_of(activity, match, standing)
    gone = guests.gone and not activity.private and not was_held
    postponed = sobject == TASK and not was_held
    if not activity.cancelled and not gone and not postponed:
        op = change(sobject, activity, match, rules, parts, guests, standing)
        return MeetingPlan(op, Outcome.WRITTEN, match.reason)
    if edited(written, standing.current, _GUARDED[sobject]) or others_named(standing, guests):
        return MeetingPlan(None, Outcome.WRITTEN, KEPT)
    outcome, reason = Outcome.SKIPPED, CANCELLED
    if not activity.cancelled:
        outcome, reason = (Outcome.UNMATCHED, CANCELLED) if gone else (Outcome.HELD, POSTPONED)
    return MeetingPlan(delete(sobject, activity, standing, (*_GUARDED[sobject], "WhoId"), reason), outcome, reason)


def _insert(
    sobject: str, activity: Activity, match: Match, rules: PlanRules, parts: list[Part], written: Written | None
) -> WriteOp:
    values = {name: value for part in parts for name, value in part.values.items()}
    note = values.pop("Description")
    fields: dict[str, Any] = {**values, KEY_FIELD: activity.key}
    optional: dict[str, Any] = {
        "OwnerId": match.owner_id,
        **first_people(match, sobject, shared=rules.shared_activities),
        "WhatId": match.what_id,
        "Description": note,
    }
    if sobject == TASK:
        fields |= task_basics(rules)
        optional |= {"CreatedDate": moment(activity.start) if rules.set_audit_fields else None}
    return insert(sobject, activity, match, fields, optional, written or Written())
