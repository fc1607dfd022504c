"""Times of events and the occurrences of a series (RFC 5545 §3.8.5), in the event's own time zone.

python-dateutil does the arithmetic of the rules. It is given wall-clock times without a zone, and each result
gets its offset afterwards: ten o'clock stays ten o'clock when summer time begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrule, rruleset, rrulestr

Json = dict[str, Any]

#: An endless series is expanded this far past the clock: of a monthly one clients have seen 393 occurrences.
EXPANSION = timedelta(days=30 * 365)

_LINE = re.compile(r"(RRULE|EXRULE|RDATE|EXDATE)((?:;[A-Z-]+=[^:;]+)*):(.+)")
_UNTIL = re.compile(r"UNTIL=(\d{8}T\d{6})Z")


class RecurrenceError(ValueError):
    """A recurrence or a time that makes no sense."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence of a series: when it starts and ends by the rule, and the end of its id."""

    start: Json
    end: Json
    key: str


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its IANA name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RecurrenceError(f"no such time zone: {name!r}") from error


def is_all_day(when: Json) -> bool:
    """Whether a `start` or `end` is a date."""
    return "date" in when


def moment(when: Json, zone: ZoneInfo) -> datetime:
    """The instant (UTC) of a `start` or `end`; a date begins at midnight in the calendar's zone."""
    if is_all_day(when):
        return datetime.combine(date.fromisoformat(when["date"]), time(), zone).astimezone(UTC)
    return datetime.fromisoformat(when["dateTime"]).astimezone(UTC)


def key_of(when: Json) -> str:
    """What follows the underscore in the id of an occurrence that starts then by its rule."""
    if is_all_day(when):
        return str(when["date"]).replace("-", "")
    return datetime.fromisoformat(when["dateTime"]).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def wall(when: Json) -> tuple[datetime, ZoneInfo | None]:
    """The wall-clock time without a zone, and the zone; a date is midnight in no zone."""
    if is_all_day(when):
        return datetime.combine(date.fromisoformat(when["date"]), time()), None
    zone = zone_of(when["timeZone"])
    return datetime.fromisoformat(when["dateTime"]).astimezone(zone).replace(tzinfo=None), zone


def _local(text: str, parameters: str, zone: ZoneInfo | None) -> list[datetime]:
    """The times of an RDATE or EXDATE line, on the wall clock of the series."""
    named = re.search(r"TZID=([^;:]+)", parameters)
    found: list[datetime] = []
    for item in text.split(","):
        value = datetime.strptime(item.rstrip("Z"), "%Y%m%dT%H%M%S" if "T" in item else "%Y%m%d")  # noqa: DTZ007
        if zone is not None and item.endswith("Z"):
            value = value.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
        elif zone is not None and named:
            value = value.replace(tzinfo=zone_of(named.group(1))).astimezone(zone).replace(tzinfo=None)
        found.append(value)
    return found


def _rule(text: str, start: datetime, zone: ZoneInfo | None) -> rrule:
    def local_until(match: re.Match[str]) -> str:
        until = datetime.strptime(match.group(1), "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        return f"UNTIL={until.astimezone(zone or UTC).strftime('%Y%m%dT%H%M%S')}"

    made = rrulestr(_UNTIL.sub(local_until, text), dtstart=start)
    if not isinstance(made, rrule):
        raise RecurrenceError(f"not one rule: {text!r}")
    return made


def rules(body: Json) -> rruleset:
    """The rules of a series; `RecurrenceError` says which line can't be read."""
    start, zone = wall(body["start"])
    found = rruleset()
    for line in body["recurrence"]:
        match = _LINE.fullmatch(line)
        if match is None:
            raise RecurrenceError(f"recurrence: not an RRULE, EXRULE, RDATE or EXDATE line: {line!r}")
        name, parameters, text = match.groups()
        try:
            if name in {"RRULE", "EXRULE"}:
                (found.rrule if name == "RRULE" else found.exrule)(_rule(text, start, zone))
            for value in _local(text, parameters, zone) if name in {"RDATE", "EXDATE"} else []:
                (found.rdate if name == "RDATE" else found.exdate)(value)
        except (ValueError, TypeError) as error:
            raise RecurrenceError(f"recurrence: {line!r}: {error}") from error
    return found


def when(local: datetime, like: Json) -> Json:
    """A wall-clock time as a `start` or `end` of the same kind and zone as another one."""
    if is_all_day(like):
        return {"date": local.date().isoformat()}
    zone = zone_of(like["timeZone"])
    instant = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)  # out of the gap when summer time begins
    return {"dateTime": instant.isoformat(), "timeZone": like["timeZone"]}


def occurrences(body: Json, until: datetime) -> Iterator[Occurrence]:
    """The occurrences that start before an instant, in order; each lasts as long as the first."""
    zone = wall(body["start"])[1]
    if zone is None:
        length = date.fromisoformat(body["end"]["date"]) - date.fromisoformat(body["start"]["date"])
    else:
        length = moment(body["end"], zone) - moment(body["start"], zone)
    limit = until.astimezone(zone or UTC).replace(tzinfo=None) + timedelta(days=1 if zone is None else 0)
    for local in rules(body):
        if local >= limit:
            return
        begins = when(local, body["start"])
        if zone is None:
            ends: Json = {"date": (local + length).date().isoformat()}
        else:
            instant = datetime.fromisoformat(begins["dateTime"]).astimezone(UTC) + length
            ends = {"dateTime": instant.astimezone(zone).isoformat(), "timeZone": body["start"]["timeZone"]}
        yield Occurrence(begins, ends, key_of(begins))


def occurrence_at(body: Json, key: str, until: datetime) -> Occurrence | None:
    """The occurrence that by the rule has this key, if there is one before an instant."""
    for one in occurrences(body, until):
        if one.key >= key:
            return one if one.key == key else None
    return None


def instance(master: Json, one: Occurrence) -> Json:
    """An occurrence as an event: the series without its rule, with a place in it."""
    body = {name: value for name, value in master.items() if name != "recurrence"}
    body |= {"id": f"{master['id']}_{one.key}", "start": one.start, "end": one.end}
    return body | {"recurringEventId": master["id"], "originalStartTime": one.start}


def until_before(body: Json, one: Occurrence) -> list[str]:
    """The recurrence of a series that ends before one of its occurrences: its rules get an UNTIL, no COUNT."""
    if is_all_day(body["start"]):
        until = (date.fromisoformat(one.start["date"]) - timedelta(days=1)).strftime("%Y%m%d")
    else:
        begins = datetime.fromisoformat(one.start["dateTime"]).astimezone(UTC)
        until = (begins - timedelta(seconds=1)).strftime("%Y%m%dT%H%M%SZ")
    return [
        re.sub(r";(UNTIL|COUNT)=[^;]+", "", line) + f";UNTIL={until}" if line.startswith("RRULE") else line
        for line in body["recurrence"]
    ]
