"""A series' rule (RFC 5545) as Outlook tells it: patternedRecurrence (resources recurrencePattern, recurrenceRange)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from leakwatch.sandbox.google.recurrence import wall
from leakwatch.sandbox.microsoft.time_zones import windows_name

Json = dict[str, Any]

_DAYS = {
    "SU": "sunday", "MO": "monday", "TU": "tuesday", "WE": "wednesday", "TH": "thursday", "FR": "friday",
    "SA": "saturday",
}  # fmt: skip
_INDEX = {"1": "first", "2": "second", "3": "third", "4": "fourth", "-1": "last"}


def patterned(body: Json, zone: str) -> Json | None:
    """The recurrence of a series; None where it has no RRULE, which Outlook has no words for.

    Args:
        body: A series with `start` and `recurrence`.
        zone: IANA name of the zone of a series of whole days.
    """
    line = next((one for one in body.get("recurrence") or [] if one.startswith("RRULE:")), None)
    if line is None:
        return None
    rule = dict(part.split("=", 1) for part in line.removeprefix("RRULE:").split(";"))
    start, place = wall(body["start"])
    pattern: Json = {
        "type": "daily", "interval": int(rule.get("INTERVAL", "1")), "month": 0, "dayOfMonth": 0, "daysOfWeek": [],
        "firstDayOfWeek": _DAYS[rule.get("WKST", "MO")], "index": "first",
    }  # fmt: skip
    pattern |= _details(rule, start)
    span: Json = {
        "type": "noEnd", "startDate": start.date().isoformat(), "endDate": "0001-01-01",
        "recurrenceTimeZone": windows_name(place.key if place is not None else zone), "numberOfOccurrences": 0,
    }  # fmt: skip
    if "COUNT" in rule:
        span |= {"type": "numbered", "numberOfOccurrences": int(rule["COUNT"])}
    elif "UNTIL" in rule:
        span |= {"type": "endDate", "endDate": _until(rule["UNTIL"], place)}
    return {"pattern": pattern, "range": span}


def _details(rule: dict[str, str], start: datetime) -> Json:
    frequency, days = rule.get("FREQ", "DAILY"), rule.get("BYDAY", "")
    named = [_DAYS[one[-2:]] for one in days.split(",") if one]
    if frequency == "WEEKLY":
        return {"type": "weekly", "daysOfWeek": named or [_day(start)]}
    if frequency == "DAILY":
        return {"type": "weekly", "daysOfWeek": named} if named else {}
    yearly = frequency == "YEARLY"
    month: Json = {"month": int(rule.get("BYMONTH", start.month))} if yearly else {}
    if named:
        place = rule.get("BYSETPOS") or days.split(",")[0][:-2] or "1"
        kind = "relativeYearly" if yearly else "relativeMonthly"
        return month | {"type": kind, "daysOfWeek": named, "index": _INDEX.get(place.lstrip("+"), "last")}
    kind = "absoluteYearly" if yearly else "absoluteMonthly"
    return month | {"type": kind, "dayOfMonth": int(rule.get("BYMONTHDAY", start.day))}


def _day(start: datetime) -> str:
    return list(_DAYS.values())[(start.weekday() + 1) % 7]


def _until(text: str, place: Any) -> str:
    """The last day, on the wall clock of the series."""
    if not text.endswith("Z"):
        return f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    instant = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return instant.astimezone(place or UTC).date().isoformat()
