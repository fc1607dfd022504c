"""Matched meetings → wanted writes of Events. Pure: the same input always gives the same operations.

One meeting is one Event, owned by whoever of ours called it, else by the first of ours who came. It follows the
meeting: moved, it moves; renamed, it is renamed; declined by whose it is, it passes to the next of ours; cancelled
before it took place, it is deleted (it must not stand as a next step), and made again should the meeting live again. A
field that a person changed since is theirs, and an Event that a person changed is not deleted. Lengths and days: Object
Reference v63, "Event".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leakwatch.core.meetings import skip_reason
from leakwatch.core.plan import MAX_TASK_SUBJECT, NO_SUBJECT, SUBJECT_OFF, PlanRules, insert_op_id, moment
from leakwatch.core.text import clean_line, cut
from leakwatch.model import KEY_FIELD, Activity, Match, MatchBasis, Outcome, Verb, WriteOp, Written

EVENT = "Event"
PRIVATE = "(private appointment)"
LONGEST = timedelta(days=14)  # of an Event
_TIMES = ("IsAllDayEvent", "StartDateTime", "EndDateTime")  # belong together: changed by a person, all are theirs
READ_BACK = ("Id", "Subject", *_TIMES, "WhoId", "WhatId", "OwnerId")


CANCELLED = "The meeting was cancelled before it took place: its Event is deleted."
KEPT = "The meeting was cancelled, but a person changed its Event: it stays."
DELETED = "A person deleted its Event: it is not made again."


@dataclass(frozen=True, slots=True)
class MeetingPlan:
    """What is to be done about one meeting: at most one write, and what the meeting is once that landed, and why."""

    op: WriteOp | None
    outcome: Outcome
    reason: str


def plan_meeting(
    activity: Activity,
    match: Match,
    rules: PlanRules,
    *,
    written: Written | None,
    current: Mapping[str, Any] | None,
) -> MeetingPlan:
    """Return what brings Salesforce in step with `activity`.

    Args:
        activity: the merged meeting.
        match: what it belongs to; counts where the Event is not there yet.
        rules: how activities are written.
        written: what leakwatch wrote for this meeting so far; None if nothing.
        current: the Event as it is in Salesforce now (`READ_BACK`); None if it is not there.
    """
    if written is None or written.record_id is None:
        skipped = skip_reason(activity)
        if skipped is not None:
            return MeetingPlan(None, Outcome.SKIPPED, skipped)
        if match.basis is MatchBasis.NONE:
            return MeetingPlan(None, Outcome.UNMATCHED, match.reason)
        return MeetingPlan(_insert(activity, match, rules, written or Written()), Outcome.WRITTEN, match.reason)
    if current is None:
        return MeetingPlan(None, Outcome.WRITTEN, DELETED)
    if not activity.cancelled:
        return MeetingPlan(_change(activity, match, rules, written, current), Outcome.WRITTEN, match.reason)
    if _edited(written, current, READ_BACK[1:]):
        return MeetingPlan(None, Outcome.WRITTEN, KEPT)
    return MeetingPlan(_delete(activity, written, current), Outcome.SKIPPED, CANCELLED)


def _insert(activity: Activity, match: Match, rules: PlanRules, written: Written) -> WriteOp:
    fields: dict[str, Any] = {"Subject": _subject(activity, rules), **times(activity), KEY_FIELD: activity.key}
    optional: dict[str, Any] = {
        "OwnerId": match.owner_id,
        "WhoId": match.who_ids[0] if match.who_ids else None,
        "WhatId": match.what_id,
    }
    fields |= {name: value for name, value in optional.items() if value}
    op_id = insert_op_id(activity.key)
    return WriteOp(
        op_id=f"{op_id}|{written.steps}" if written.steps else op_id,
        sobject=EVENT,
        verb=Verb.INSERT,
        key=activity.key,
        fields=fields,
        reason=match.reason,
        account_id=match.account_id,
    )


def _delete(activity: Activity, written: Written, current: Mapping[str, Any]) -> WriteOp:
    return WriteOp(
        op_id=f"{activity.key}|delete|{written.steps}",
        sobject=EVENT,
        verb=Verb.DELETE,
        key=activity.key,
        fields={},
        reason=CANCELLED,
        record_id=written.record_id,
        prior={name: current.get(name) for name in READ_BACK[1:]},
    )


def _change(
    activity: Activity, match: Match, rules: PlanRules, written: Written, current: Mapping[str, Any]
) -> WriteOp | None:
    changes: dict[str, Any] = {}
    reasons: list[str] = []
    if activity.private:
        # What was written while it lay open is taken back, also where a person wrote it since.
        hidden: dict[str, Any] = {"Subject": PRIVATE, "WhoId": None, "WhatId": None}
        changes |= {name: value for name, value in hidden.items() if current.get(name) != value}
        reasons += ["The appointment was made private."] if changes else []
    else:
        subject = _subject(activity, rules)
        if written.fields.get("Subject") != subject and not _edited(written, current, ("Subject",)):
            changes["Subject"] = subject
            reasons.append("The meeting was renamed.")
    wanted = times(activity)
    moved = any(not same_moment(wanted[name], written.fields.get(name)) for name in _TIMES)
    if moved and not _edited(written, current, _TIMES):
        changes |= wanted
        reasons.append("The meeting was moved.")
    # Whose it was declined, or the organizer's own calendar is read by now.
    passed_on = match.owner_id is not None and written.fields.get("OwnerId") not in (None, match.owner_id)
    if passed_on and not _edited(written, current, ("OwnerId",)):
        changes["OwnerId"] = match.owner_id
        reasons.append("The meeting is another colleague's now.")
    if not changes:
        return None
    return WriteOp(
        op_id=f"{activity.key}|change|{written.steps}",
        sobject=EVENT,
        verb=Verb.UPDATE,
        key=activity.key,
        fields=changes,
        reason=" ".join(reasons),
        record_id=written.record_id,
        prior={name: current.get(name) for name in changes},
    )


def times(activity: Activity) -> dict[str, Any]:
    """Return the fields of an Event that say when.

    An all-day Event is given midnights in UTC, which stand for dates; its last day counts, where a calendar's end is
    the day after. What is longer than Salesforce takes ends after 14 days.
    """
    end = activity.end or activity.start
    if activity.all_day:
        end = max(end - timedelta(days=1), activity.start)
        end = min(end, activity.start + LONGEST - timedelta(days=1))
    return {
        "IsAllDayEvent": activity.all_day,
        "StartDateTime": moment(activity.start),
        "EndDateTime": moment(min(end, activity.start + LONGEST)),
    }


def _subject(activity: Activity, rules: PlanRules) -> str:
    words = clean_line(activity.subject) or NO_SUBJECT if rules.subjects else SUBJECT_OFF
    return cut(words, MAX_TASK_SUBJECT)


def _edited(written: Written, current: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    """Return whether one of the fields `names` has another value in Salesforce than the last one we gave it.

    An owner that we did not give was Salesforce's own choice.
    """
    given = [name for name in names if name != "OwnerId" or "OwnerId" in written.fields]
    return any(not same_moment(current.get(name), written.fields.get(name)) for name in given)


def same_moment(one: Any, other: Any) -> bool:
    """Return whether two values of a field are the same; datetimes are, however their offset is spelled."""
    if one == other or (not one and not other):
        return True
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except ValueError:
        return False
