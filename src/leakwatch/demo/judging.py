"""Holding a demo against the world's own truth: every leak of every day, every mail and every meeting.

What the truth says of a meeting names it by its iCalendar UID and, in a series, by its original start, because its
Event is made in the play.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from leakwatch.app.building import Parts
from leakwatch.core.identity import meeting_key
from leakwatch.demo.score import Mark, Score, Story

Row = Mapping[str, Any]


def judge(
    story: Story, truth: Mapping[str, Any], seen: Mapping[int, set[Mark]], moments: list[datetime], parts: Parts
) -> None:
    """Hold every day's leaks against what the world says of that moment, and every mail against where it belongs."""
    for rule in parts.rules:
        story.scores[rule.id] = Score()
    events = _events(parts)
    findings = [{**entry, "record_id": record_of(entry, events)} for entry in truth["findings"]]
    for day, moment in enumerate(moments):
        real = {(entry["rule"], entry["record_id"]) for entry in findings if _in_force(entry, moment)}
        for rule, record in real:
            score = story.scores.setdefault(rule, Score())
            if (rule, record) not in seen[day] and record not in score.missed:
                score.missed.append(record)
        for rule, record in seen[day] - real:
            score = story.scores.setdefault(rule, Score())
            if record not in score.wrongly_raised:
                score.wrongly_raised.append(record)
    for entry in findings:
        if any(_in_force(entry, moment) for moment in moments):
            score = story.scores.setdefault(entry["rule"], Score())
            score.planted += 1
            score.found += any((entry["rule"], entry["record_id"]) in marks for marks in seen.values())
    _judge_mails(story, truth, parts)
    horizon = parts.clock.now() + timedelta(days=parts.settings.capture.meeting_horizon_days)
    _judge_meetings(story, truth, events, horizon.isoformat())


def _in_force(entry: Mapping[str, Any], moment: datetime) -> bool:
    until = entry.get("until")
    return datetime.fromisoformat(entry["from"]) <= moment and (until is None or moment < datetime.fromisoformat(until))


def _judge_mails(story: Story, truth: Mapping[str, Any], parts: Parts) -> None:
    """Compare what stands in the org with where each mail belongs by the world's own word."""
    expected = {entry["message_id"].strip("<>"): entry for entry in truth["captures"]}
    rows = [
        row
        for page in parts.reader.query(
            "SELECT Id, MessageIdentifier, RelatedToId, ActivityId FROM EmailMessage"
            " WHERE Leakwatch_Key__c LIKE 'lw1:m:%'"
        )
        for row in page
    ]
    there = {str(row["MessageIdentifier"]).strip("<>"): row for row in rows}
    owners = parts.reader.fetch(
        "Task", [str(row["ActivityId"]) for row in rows if row["ActivityId"]], ["Id", "OwnerId"]
    )
    for message_id, entry in expected.items():
        row = there.get(message_id)
        problem = _mail_problem(entry, row, owners)
        if problem:
            story.mails_wrong.append(f"{message_id}: {problem}")
        else:
            story.mails_right += 1
    story.mails_wrong += [
        f"{message_id}: logged, unknown to the truth" for message_id in there.keys() - expected.keys()
    ]
    if len(rows) != len(there):
        story.mails_wrong.append(f"{len(rows) - len(there)} mails were logged twice")


def _mail_problem(
    entry: Mapping[str, Any], row: Mapping[str, Any] | None, owners: Mapping[str, Mapping[str, Any]]
) -> str | None:
    if entry["expect"] != "written":
        return None if row is None else f"logged although {entry.get('reason') or entry['expect']}"
    if row is None:
        return "belongs in Salesforce, is not there"
    if (row["RelatedToId"] or None) != entry.get("what_id"):
        return f"is about {row['RelatedToId']}, belongs to {entry.get('what_id')}"
    owner = owners.get(str(row["ActivityId"]), {}).get("OwnerId")
    return None if owner == entry.get("owner_id") else f"its Task is {owner}'s, belongs to {entry.get('owner_id')}"


def _events(parts: Parts) -> dict[str, Row]:
    """Return the Events that leakwatch wrote and that are there, by their keys."""
    query = (
        "SELECT Id, Leakwatch_Key__c, WhoId, WhatId, OwnerId, IsAllDayEvent, ActivityDate, StartDateTime, EndDateTime"
        " FROM Event WHERE Leakwatch_Key__c LIKE 'lw1:e:%'"
    )
    return {str(row["Leakwatch_Key__c"]): row for page in parts.reader.query(query) for row in page}


def _key_of(meeting: Row) -> str:
    original = meeting.get("original_start")
    if original is None:
        return meeting_key(meeting["uid"])
    return meeting_key(
        meeting["uid"], datetime.fromisoformat(original) if "T" in original else date.fromisoformat(original)
    )


def record_of(finding: Row, events: Mapping[str, Row]) -> str:
    """Return the id of what a finding of the truth is about; the key itself for a meeting that has no Event."""
    if finding.get("meeting") is None:
        return str(finding["record_id"])
    key = _key_of(finding["meeting"])
    return str(events[key]["Id"]) if key in events else key


def _judge_meetings(story: Story, truth: Mapping[str, Any], events: Mapping[str, Row], horizon: str) -> None:
    """Compare the Events with what must have become of each meeting, as far as the calendars are read ahead."""
    wanted: dict[str, Row] = {}
    for entry in truth["meetings"]:
        there = entry["expect"] == "written" and entry["state"] != "cancelled"
        if there or _key_of(entry) not in wanted:
            wanted[_key_of(entry)] = entry
    for key, entry in wanted.items():
        if entry.get("start", "") > horizon:
            continue
        problem = _meeting_problem(entry, events.get(key))
        if problem:
            story.meetings_wrong.append(f"{entry['uid']} {entry.get('original_start') or ''}: {problem}")
        else:
            story.meetings_right += 1
    story.meetings_wrong += [f"{row['Id']}: unknown to the truth" for key, row in events.items() if key not in wanted]


def _meeting_problem(entry: Row, row: Row | None) -> str | None:
    if entry["expect"] != "written" or entry["state"] == "cancelled":
        return (
            None
            if row is None
            else f"has an Event although {entry.get('reason') or entry.get('state') or 'nobody is known'}"
        )
    if row is None:
        return "belongs in Salesforce, is not there"
    for name, text in (("StartDateTime", entry["start"]), ("EndDateTime", entry["end"])):
        if "T" in text and datetime.fromisoformat(row[name]) != datetime.fromisoformat(text):
            return f"{name} is {row[name]}, is to be {text}"
    if "T" not in entry["start"] and (not row["IsAllDayEvent"] or row["ActivityDate"] != entry["start"]):
        return f"is on {row['ActivityDate']}, is to last all day from {entry['start']}"
    if row["WhoId"] not in entry["who_ids"]:
        return f"is with {row['WhoId']}, is to be with {entry['who_ids']}"
    if (row["WhatId"] or None) != entry.get("what_id"):
        return f"is about {row['WhatId']}, belongs to {entry.get('what_id')}"
    return None if row["OwnerId"] == entry["owner_id"] else f"is {row['OwnerId']}'s, belongs to {entry['owner_id']}"
