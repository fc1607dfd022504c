"""Which held meetings nobody followed up: plain Python over the file alone, from what else its truth says.

A meeting follows from `truth.meetings` or is an Event among the records; what came after it, from `truth.captures`
(mails), from tasks and from other meetings. With so many people writing to each other nobody could plant this by hand,
so the truth of a generated world is worked out here, once an audit, and written into the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parseaddr

from leakwatch.sandbox.world.letters import message_id
from leakwatch.sandbox.world.model import Json, World, account_of, instant
from leakwatch.sandbox.world.state import State, audits, event_times

RULE = "meeting_without_follow_up"
#: The rule's boundaries: 16 working hours (Monday to Friday, nine to six) and 14 days.
HOURS, DAYS = 16, 14
OPENS, CLOSES = time(9), time(18)


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting as it stands at one instant: its mark, when it is, and the refs of the people and of the deal."""

    mark: str
    begins: datetime
    ends: datetime
    people: tuple[str, ...]
    what: str | None

    @property
    def refs(self) -> tuple[str, ...]:
        """Everybody and everything it is with."""
        return (*self.people, *([self.what] if self.what else []))


def mark_of(item: Json) -> str:
    """How a finding or an expectation names what it is about: a record's reference, or a meeting's UID and start."""
    if "record" in item:
        return str(item["record"])
    meeting: Json = item.get("meeting", item)
    return f"{meeting['uid']} {meeting.get('original_start') or ''}".strip()


class FollowUps:
    """What is known of a world's meetings, for asking about one instant after the other."""

    def __init__(self, world: World) -> None:
        self.world = world
        mails = {message_id(mail, world): mail for mail in world.mails}
        ours = {user["email"].lower() for user in world.users}
        ours |= {alias.lower() for user in world.users for alias in (account_of(user) or {}).get("aliases", [])}
        self.mails = [
            (item, instant(mails[item["message_id"]]["at"]), parseaddr(mails[item["message_id"]]["from"])[1] in ours)
            for item in world.truth.get("captures", [])
            if item["expect"] == "written" and item["message_id"] in mails
        ]

    def at(self, now: datetime) -> dict[str, Meeting]:
        """The meetings that nobody has followed up at an instant, by their marks."""
        state = State(self.world, now)
        meetings = [*self._of_calendars(now), *_of_records(state)]
        touches = self._touches(state, now)
        for meeting in meetings:
            for ref in meeting.refs:
                touches.setdefault(ref, []).append((meeting.begins, False, meeting.mark))
        today = state.local(now)
        return {
            meeting.mark: meeting
            for meeting in meetings
            if meeting.people
            and meeting.ends <= now
            and state.local(meeting.ends - timedelta(microseconds=1)) >= today - timedelta(days=DAYS)
            and self.worked(meeting.ends, now) >= timedelta(hours=HOURS)
            and not any(
                mark != meeting.mark and at >= (meeting.begins if ours else meeting.ends)
                for ref in meeting.refs
                for at, ours, mark in touches.get(ref, ())
            )
        }

    def _of_calendars(self, now: datetime) -> Iterator[Meeting]:
        for item in self.world.truth.get("meetings", []):
            until = item.get("until")
            in_force = instant(item["from"]) <= now and (until is None or instant(until) > now)
            if in_force and item["expect"] == "written" and item["state"] != "cancelled":
                begins, ends = (self._moment(item[name]) for name in ("start", "end"))
                yield Meeting(mark_of(item), begins, ends, tuple(item["who"]), item.get("what"))

    def _moment(self, text: str) -> datetime:
        if "T" in text:
            return instant(text)
        return datetime.combine(date.fromisoformat(text), time(), self.world.zone)

    def _touches(self, state: State, now: datetime) -> dict[str, list[tuple[datetime, bool, str]]]:
        """For each ref when it was touched, whether by a mail of ours, and (for meetings) by which."""
        touches: dict[str, list[tuple[datetime, bool, str]]] = {}
        for item, sent, ours in self.mails:
            until = item.get("until")
            if instant(item["from"]) <= now and sent <= now and (until is None or instant(until) > now):
                for ref in {*item.get("who", []), item.get("what")} - {None}:
                    touches.setdefault(ref, []).append((sent, ours, ""))
        for _, relation in state.of("EmailMessageRelation"):
            mail = state.rows[relation["EmailMessageId"]]
            ours = mail.get("Incoming") is False
            touches.setdefault(relation["RelationId"], []).append((instant(mail["MessageDate"]), ours, ""))
        for _, task in state.of("Task"):
            at = instant(task["created"])
            if task.get("CompletedDateTime"):
                at = max(at, instant(task["CompletedDateTime"]))
            elif task.get("Status") == "Completed" and task.get("ActivityDate"):
                at = max(at, self._moment(task["ActivityDate"]) + timedelta(days=1))
            for name in ("WhoId", "WhatId"):
                if task.get(name) and at <= now:
                    touches.setdefault(task[name], []).append((at, False, ""))
        return touches

    def worked(self, start: datetime, end: datetime) -> timedelta:
        """Working time between two instants."""
        total, zone = timedelta(), self.world.zone
        day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
        while day <= last:
            if day.weekday() < 5:
                opens, closes = (datetime.combine(day, moment, zone).astimezone(UTC) for moment in (OPENS, CLOSES))
                total += max(timedelta(), min(closes, end) - max(opens, start))
            day += timedelta(days=1)
        return total


def _of_records(state: State) -> Iterator[Meeting]:
    for ref, event in state.of("Event"):
        begins, ends = event_times(event)
        if begins is not None and ends is not None:
            people = tuple(who for who in [event.get("WhoId")] if who)
            yield Meeting(ref, begins, ends, people, event.get("WhatId"))


def evaluate(world: World, now: datetime) -> set[tuple[str, str]]:
    """(rule, mark) of every meeting that was not followed up at an instant."""
    return {(RULE, mark) for mark in FollowUps(world).at(now)}


def findings(world: World) -> list[Json]:
    """The same for all audits of a world, as `truth.findings` lists them: from one audit until another."""
    known = FollowUps(world)
    found: list[Json] = []
    open_ones: dict[str, Json] = {}
    for number, now in enumerate(audits(world)):
        missing = known.at(now)
        at = now.isoformat().replace("+00:00", "Z")
        for mark in open_ones.keys() - missing.keys():
            open_ones.pop(mark)["until"] = at
        for mark in sorted(missing.keys() - open_ones.keys()):
            uid, _, original = mark.partition(" ")
            about: Json = {"record": mark} if mark.startswith("@") else {"meeting": {"uid": uid}}
            if original:
                about["meeting"]["original_start"] = original
            entry: Json = {"rule": RULE} | about
            entry |= {"from": at, "until": None, "baseline": number == 0, "why": "no touch since it was held"}
            open_ones[mark] = entry
            found.append(entry)
    return found
