"""What the record of a meeting holds: the fields of an Event, or of the completed Task of one that was held. Pure.

Lengths and days: Object Reference v63, "Event" and "Task".
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leakwatch.core.meeting_record import Part
from leakwatch.core.plan import MAX_TASK_SUBJECT, NO_SUBJECT, SUBJECT_OFF, PlanRules, moment
from leakwatch.core.plan_people import MAX_NOTE, unnamed
from leakwatch.core.text import clean_line, cut
from leakwatch.model import Activity, Match

EVENT, TASK = "Event", "Task"
LONGEST = timedelta(days=14)  # of an Event
EVENT_TIMES = ("IsAllDayEvent", "StartDateTime", "EndDateTime")  # belong together


def event_parts(activity: Activity, match: Match, rules: PlanRules) -> list[Part]:
    """Return what an Event holds besides its people, its owner and what it is about."""
    return [
        Part({"Subject": _subject(activity, rules)}, "The meeting was renamed."),
        Part(times(activity), "The meeting was moved."),
        Part({"Description": unnamed(activity, match, shared=rules.shared_activities)}, _OTHERS),
    ]


def task_parts(activity: Activity, match: Match, rules: PlanRules, zone: str | None) -> list[Part]:
    """Return what the Task of a meeting that was held holds besides its people, its owner and what it is about.

    Its day is the one on which it began where the rep is; `zone` is that zone, the org's if None or unknown.
    """
    where = _zone(zone, rules.time_zone)
    others = unnamed(activity, match, shared=rules.shared_activities)
    day = activity.start.date() if activity.all_day else activity.start.astimezone(where).date()
    note = cut("\n".join(line for line in (_lasted(activity, where), others) if line), MAX_NOTE)
    return [
        Part({"Subject": _subject(activity, rules)}, "The meeting was renamed."),
        Part({"ActivityDate": day.isoformat()}, "The meeting was moved."),
        Part({"Description": note}, f"The meeting was moved, or {_OTHERS[0].lower()}{_OTHERS[1:]}"),
    ]


def task_basics(rules: PlanRules) -> dict[str, Any]:
    """Return what every Task of a meeting holds: it is done, and of the org's own type for meetings if there is one."""
    return {"Status": rules.closed_status, **({"Type": rules.meeting_type} if rules.meeting_type else {})}


_OTHERS = "Its guests whom it can't be related to are others."


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


def _lasted(activity: Activity, zone: ZoneInfo) -> str:
    end = activity.end or activity.start
    if activity.all_day:
        last = max(end - timedelta(days=1), activity.start)
        days = (last - activity.start).days + 1
        return f"Meeting, all day, {activity.start:%Y-%m-%d}" + (f" to {last:%Y-%m-%d}" if days > 1 else "")
    first, last = activity.start.astimezone(zone), end.astimezone(zone)
    minutes = int((end - activity.start).total_seconds() // 60)
    until = f"{last:%H:%M}" if last.date() == first.date() else f"{last:%Y-%m-%d %H:%M}"
    return f"Meeting of {minutes} minutes, {first:%Y-%m-%d %H:%M} to {until} ({zone.key})"


def _zone(name: str | None, other: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or other)
    except (ZoneInfoNotFoundError, ValueError):  # a name that is a path, or none at all
        return ZoneInfo(other)


def _subject(activity: Activity, rules: PlanRules) -> str:
    words = clean_line(activity.subject) or NO_SUBJECT if rules.subjects else SUBJECT_OFF
    return cut(words, MAX_TASK_SUBJECT)
