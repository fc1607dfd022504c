"""Which meetings the world's own word says were not followed up, on worlds small enough to see through."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from leakwatch.sandbox.world.follow_ups import RULE, findings, mark_of
from leakwatch.sandbox.world.model import World
from leakwatch.sandbox.world.reader import parse_world

# Monday, 2 March 2026; audits are at six in the morning in Istanbul, three o'clock UTC.
FRIDAY_AUDIT = "2026-03-06T03:00:00Z"  # the first one after 16 working hours: 3 on Tuesday, 9 on each day after it
MEETING = {"uid": "m1@h.example", "expect": "written", "state": "held", "who": ["@con:eve"], "what": "@opp:line",
           "owner": "@user:a", "start": "2026-03-03T11:00:00Z", "end": "2026-03-03T12:00:00Z",
           "from": "2026-03-03T12:00:00Z", "until": None}  # fmt: skip


def world(*, truth: dict[str, Any] | None = None, **more: Any) -> World:
    person = {"ref": "@user:a", "first_name": "A", "last_name": "B", "email": "a@h.example", "role": "rep"}
    records = [
        {"ref": "@acc:acme", "object": "Account", "fields": {"Name": "Acme"}},
        {"ref": "@con:eve", "object": "Contact", "fields": {"LastName": "Eve", "AccountId": "@acc:acme"}},
        {"ref": "@opp:line", "object": "Opportunity",
         "fields": {"Name": "Line", "StageName": "Talk", "CloseDate": "2026-06-01", "AccountId": "@acc:acme"}},
    ]  # fmt: skip
    meeting = {"id": "m1", "iCalUID": "m1@h.example", "at": "2026-03-01T08:00:00Z", "organizer": "A <a@h.example>",
               "summary": "Talk", "start": {"dateTime": "2026-03-03T11:00:00Z"},
               "end": {"dateTime": "2026-03-03T12:00:00Z"}}  # fmt: skip
    return parse_world(
        {
            "format": "leakwatch-world/1",
            "name": "by-hand",
            "start": "2026-03-02T02:00:00Z",
            "company": {"name": "H", "domains": ["h.example"], "time_zone": "Europe/Istanbul", "currency": "TRY"},
            "users": [person],
            "stages": [{"value": "Talk", "is_closed": False, "is_won": False}],
            "lead_statuses": [{"value": "New"}],
            "meanings": {"stage": {"Talk": "open"}, "lead_status": {"New": "open"}},
            "records": [*records, *more.pop("records", [])],
            "meetings": [meeting],
            "truth": {"meetings": [MEETING]} | (truth or {}),
            **more,
        }
    )


def spans(of: World) -> list[tuple[str, str, str | None]]:
    return [(mark_of(item), item["from"], item["until"]) for item in findings(of)]


def test_a_meeting_is_a_leak_from_the_first_audit_after_sixteen_working_hours_of_silence() -> None:
    assert spans(world()) == [("m1@h.example", FRIDAY_AUDIT, None)]
    (item,) = findings(world())
    assert (item["rule"], item["baseline"]) == (RULE, False)


@pytest.mark.parametrize(
    ("about", "at", "until"),
    [
        ({"WhoId": "@con:eve"}, "2026-03-04T08:00:00Z", "never"),
        ({"WhatId": "@opp:line"}, "2026-03-04T08:00:00Z", "never"),
        ({"WhoId": "@con:eve"}, "2026-03-03T11:30:00Z", None),
        ({"WhoId": "@con:eve"}, "2026-03-09T08:00:00Z", "2026-03-10T03:00:00Z"),
    ],
)
def test_a_task_since_with_the_same_people_or_on_the_deal_ends_it(
    about: dict[str, str], at: str, until: str | None
) -> None:
    task = {"ref": "@task:1", "object": "Task", "fields": {"Subject": "Call", "Status": "Not Started"} | about}
    deed = {"at": at, "do": "create", "by": "@user:a"} | task
    assert spans(world(timeline=[deed])) == ([] if until == "never" else [("m1@h.example", FRIDAY_AUDIT, until)])


def test_a_next_meeting_that_is_planned_counts_and_one_cancelled_later_no_longer_does() -> None:
    planned = MEETING | {"uid": "m1@h.example", "original_start": "2026-03-20T11:00:00Z", "state": "planned",
                         "start": "2026-03-20T11:00:00Z", "end": "2026-03-20T12:00:00Z",
                         "from": "2026-03-01T08:00:00Z"}  # fmt: skip
    assert spans(world(truth={"meetings": [MEETING, planned]})) == []
    until = planned | {"until": "2026-03-10T08:00:00Z"}
    found = spans(world(truth={"meetings": [MEETING, until]}))
    assert found == [("m1@h.example", "2026-03-11T03:00:00Z", None)]


def test_weekends_are_no_working_time_and_meetings_leave_sight_after_fourteen_days() -> None:
    event = {"Subject": "Visit", "WhoId": "@con:eve", "StartDateTime": "2026-02-20T12:00:00Z",
             "EndDateTime": "2026-02-20T13:00:00Z"}  # fmt: skip
    records = [{"ref": "@event:1", "object": "Event", "created": "2026-02-19T12:00:00Z", "fields": event}]
    of = world(records=records, truth={"meetings": []}, start="2026-02-20T02:00:00Z", meetings=[])
    # Friday afternoon: two hours on that day, nine on Monday, nine on Tuesday.
    assert spans(of) == [("@event:1", "2026-02-25T03:00:00Z", None)]
    later = world(records=records, truth={"meetings": []}, start="2026-03-02T02:00:00Z", meetings=[])
    assert spans(later) == [("@event:1", "2026-03-02T03:00:00Z", "2026-03-07T03:00:00Z")]
    assert datetime.fromisoformat("2026-03-07").weekday() == 5
