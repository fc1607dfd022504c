"""Held meetings of the mirror: with whom, how long ago in working hours, and what followed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest

from leakwatch.core.working_time import WorkingTime
from leakwatch.store.snapshots import open_snapshot
from mirror_data import ISTANBUL, Rows, publish

REP, CONTACT, OTHER, LEAD = "005000000000001AAA", "003000000000001AAA", "003000000000002AAA", "00Q000000000001AAA"
DEAL, ACCOUNT, EVENT = "006000000000001AAA", "001000000000001AAA", "00U000000000001AAA"
# NOON is Tuesday, 31 March 2026, 12:00 in Istanbul; the meeting ends on Friday, the 27th, at 15:00: three working hours
# on that day, nine on Monday, three today.
FRIDAY = "2026-03-27T11:00:00Z"

MEETING = {
    "Id": EVENT, "OwnerId": REP, "WhoId": CONTACT, "WhatId": DEAL, "IsAllDayEvent": False, "IsDeleted": False,
    "ActivityDate": "2026-03-27", "ActivityDateTime": FRIDAY, "DurationInMinutes": 60,
    "EndDateTime": "2026-03-27T12:00:00Z", "CreatedDate": "2026-03-20T08:00:00Z",
}  # fmt: skip
PEOPLE: dict[str, Any] = {
    "Account": [{"Id": ACCOUNT, "Name": "Işık Makine"}],
    "Contact": [
        {"Id": CONTACT, "Name": "Ayşe Işık", "AccountId": ACCOUNT},
        {"Id": OTHER, "Name": "Can Er", "AccountId": ACCOUNT},
    ],
    "Lead": [{"Id": LEAD, "Name": "Şule Ak", "Company": "Ak Döküm"}],
}


def meetings(folder: Path, columns: str, *events: dict[str, Any], **tables: Any) -> list[tuple[Any, ...]]:
    options = {name: tables.pop(name) for name in ("settings",) if name in tables}
    data: Rows = PEOPLE | {"Event": list(events) or [MEETING]} | tables
    sql = f"SELECT {columns} FROM lw_meeting ORDER BY record_id"
    with open_snapshot(Path(publish(folder, data, **options).path)) as connection:
        return connection.execute(sql).fetchall()


def followed(folder: Path, *events: dict[str, Any], **tables: Any) -> str | None:
    rows = meetings(folder, "record_id, followed_up_by", MEETING, *events, **tables)
    return dict(rows)[EVENT]


def test_a_meeting_is_named_by_its_guest_and_counted_in_working_hours(tmp_path: Path) -> None:
    columns = "record_id, owner_id, guest_name, company, account_id, what_id, about_id, held_on, waited_hours, guests"
    assert meetings(tmp_path, columns) == [
        (EVENT, REP, "Ayşe Işık", "Işık Makine", ACCOUNT, DEAL, DEAL, date(2026, 3, 27), 15, 1)
    ]


@pytest.mark.parametrize(
    ("working", "hours"),
    [
        (WorkingTime(days=frozenset(range(7))), 33),
        (WorkingTime(holidays=frozenset({date(2026, 3, 30)})), 6),
        (WorkingTime(opens=time(10), closes=time(14)), 6),
    ],
)
def test_the_companys_days_hours_and_holidays_decide_how_long_is_waited(
    tmp_path: Path, working: WorkingTime, hours: int
) -> None:
    settings = replace(ISTANBUL, working=working)
    assert meetings(tmp_path, "waited_hours", settings=settings) == [(hours,)]


def test_a_lead_stands_for_itself_and_its_company(tmp_path: Path) -> None:
    event = MEETING | {"WhoId": LEAD, "WhatId": None}
    assert meetings(tmp_path, "guest_name, company, about_id", event) == [("Şule Ak", "Ak Döküm", LEAD)]


def test_further_guests_count_and_their_touches_do_too(tmp_path: Path) -> None:
    relations = [{"Id": "0RE000000000001AAA", "EventId": EVENT, "RelationId": OTHER}]
    call = {"Id": "00T000000000001AAA", "WhoId": OTHER, "Status": "Completed", "IsClosed": True,
            "CreatedDate": "2026-03-30T09:00:00Z", "CompletedDateTime": "2026-03-30T09:00:00Z"}  # fmt: skip
    columns = "guests, followed_up_by"
    assert meetings(tmp_path / "a", columns, EventRelation=relations) == [(2, None)]
    assert meetings(tmp_path / "b", columns, EventRelation=relations, Task=[call]) == [(2, "task")]
    gone = [relations[0] | {"IsDeleted": True}]
    assert meetings(tmp_path / "c", columns, EventRelation=gone, Task=[call]) == [(1, None)]


def test_a_call_touches_everybody_whom_its_task_names(tmp_path: Path) -> None:
    call = {"Id": "00T000000000001AAA", "WhoId": OTHER, "Status": "Completed", "IsClosed": True,
            "CreatedDate": "2026-03-30T09:00:00Z", "CompletedDateTime": "2026-03-30T09:00:00Z"}  # fmt: skip
    further = [{"Id": "0RT000000000001AAA", "TaskId": call["Id"], "RelationId": CONTACT}]
    assert followed(tmp_path / "a", Task=[call]) is None
    assert followed(tmp_path / "b", Task=[call], TaskRelation=further) == "task"
    assert followed(tmp_path / "c", Task=[call], TaskRelation=[further[0] | {"IsDeleted": True}]) is None


LOGGED = {
    "Id": "00T000000000009AAA", "OwnerId": REP, "WhoId": CONTACT, "WhatId": DEAL, "Status": "Completed",
    "IsClosed": True, "IsDeleted": False, "ActivityDate": "2026-03-27", "CreatedDate": "2026-03-27T12:05:00Z",
    "CompletedDateTime": "2026-03-27T12:05:00Z", "Leakwatch_Key__c": "lw1:e:" + "0" * 40,
}  # fmt: skip


def logged(folder: Path, columns: str, *tasks: dict[str, Any], **tables: Any) -> list[tuple[Any, ...]]:
    """The held meetings of an org where they are logged as Tasks."""
    no_event = MEETING | {"WhoId": None, "WhatId": None, "Id": "00U00000000000ZAAA"}
    return meetings(folder, columns, no_event, Task=list(tasks) or [LOGGED], **tables)


def test_a_meeting_that_was_logged_as_a_task_is_one_and_waits_from_the_day_after(tmp_path: Path) -> None:
    further = [{"Id": "0RT000000000001AAA", "TaskId": LOGGED["Id"], "RelationId": OTHER}]
    columns = "record_id, owner_id, guest_name, about_id, held_on, waited_hours, guests, followed_up_by"
    other_tasks = [LOGGED | {"Id": f"00T00000000000{number}AAA", "WhoId": None, "WhatId": None, **changes}
                   for number, changes in enumerate([{"Leakwatch_Key__c": None}, {"IsDeleted": True}])]  # fmt: skip
    assert logged(tmp_path, columns, LOGGED, *other_tasks, TaskRelation=further) == [
        (LOGGED["Id"], REP, "Ayşe Işık", DEAL, date(2026, 3, 27), 12, 2, None)
    ]


def test_whatever_touched_its_people_on_its_own_day_may_have_followed_up_a_logged_meeting(tmp_path: Path) -> None:
    columns = "followed_up_by"
    assert logged(tmp_path / "a", columns, EmailMessage=[mail("2026-03-27T06:00:00Z", incoming=True)]) == [("email",)]
    assert logged(tmp_path / "b", columns, EmailMessage=[mail("2026-03-26T06:00:00Z")]) == [(None,)]


def test_a_logged_meeting_follows_up_an_earlier_one_and_not_itself(tmp_path: Path) -> None:
    next_one = LOGGED | {"Id": "00T000000000008AAA", "ActivityDate": "2026-03-30",
                         "Leakwatch_Key__c": "lw1:e:" + "1" * 40}  # fmt: skip
    rows = logged(tmp_path, "record_id, followed_up_by", LOGGED, next_one)
    assert rows == [(next_one["Id"], None), (LOGGED["Id"], "event")]


def mail(at: str, *, incoming: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "Id": "02s000000000001AAA",
        "RelatedToId": DEAL,
        "Status": "3",
        "Incoming": incoming,
        "MessageDate": at,
    } | more


@pytest.mark.parametrize(
    ("sent", "by"),
    [
        (mail("2026-03-27T12:30:00Z"), "email"),
        (mail("2026-03-27T10:30:00Z"), None),
        (mail("2026-03-27T11:50:00Z"), "email"),  # it ended early, and the rep wrote at once
        (mail("2026-03-27T11:05:00Z", incoming=True), None),  # "I am five minutes late"
        (mail("2026-03-28T11:05:00Z", incoming=True), "email"),
        (mail("2026-03-28T11:05:00Z", Status="5"), None),  # a draft
        (mail("2026-03-28T11:05:00Z", IsDeleted=True), None),
    ],
)
def test_a_mail_follows_up_if_it_was_sent_after_the_meeting_or_by_us_in_it(
    tmp_path: Path, sent: dict[str, Any], by: str | None
) -> None:
    assert followed(tmp_path, EmailMessage=[sent]) == by


def test_the_task_of_an_older_mail_that_was_logged_later_is_no_follow_up(tmp_path: Path) -> None:
    logged = {"Id": "00T000000000002AAA", "WhoId": CONTACT, "Status": "Completed", "IsClosed": True,
              "CreatedDate": "2026-03-30T09:00:00Z", "CompletedDateTime": "2026-03-30T09:00:00Z"}  # fmt: skip
    old = mail("2026-03-20T10:00:00Z", ActivityId=logged["Id"])
    assert followed(tmp_path / "a", EmailMessage=[old], Task=[logged]) is None
    assert followed(tmp_path / "b", Task=[logged]) == "task"
    as_task = logged | {"Leakwatch_Key__c": "lw1:m:" + "0" * 40, "ActivityDate": "2026-03-20"}
    assert followed(tmp_path / "c", Task=[as_task]) is None


def test_a_task_set_after_the_meeting_is_a_follow_up_but_our_own_alert_is_none(tmp_path: Path) -> None:
    task = {"Id": "00T000000000003AAA", "WhatId": DEAL, "Status": "Not Started", "IsClosed": False,
            "CreatedDate": "2026-03-27T13:00:00Z"}  # fmt: skip
    assert followed(tmp_path / "a", Task=[task]) == "task"
    assert followed(tmp_path / "b", Task=[task | {"CreatedDate": "2026-03-26T13:00:00Z"}]) is None
    assert followed(tmp_path / "c", Task=[task | {"Leakwatch_Key__c": "lw1:f:abc:1:new"}]) is None


def test_a_later_meeting_follows_up_when_it_began_and_is_planned_until_then(tmp_path: Path) -> None:
    later = MEETING | {"Id": "00U000000000002AAA", "WhoId": None}
    held = later | {"ActivityDateTime": "2026-03-30T09:00:00Z", "EndDateTime": "2026-03-30T10:00:00Z"}
    planned = later | {"ActivityDateTime": "2026-04-02T09:00:00Z", "EndDateTime": "2026-04-02T10:00:00Z"}
    columns = "record_id, followed_up_by, next_meeting_epoch IS NOT NULL"
    assert (EVENT, "event", False) in meetings(tmp_path / "a", columns, MEETING, held)
    assert meetings(tmp_path / "b", columns, MEETING, planned) == [(EVENT, None, True)]
    assert meetings(tmp_path / "c", columns, MEETING, planned | {"WhatId": None}) == [(EVENT, None, False)]


def test_an_all_day_meeting_ends_with_its_last_day_in_the_orgs_zone(tmp_path: Path) -> None:
    fair = MEETING | {"IsAllDayEvent": True, "ActivityDate": "2026-03-29", "ActivityDateTime": "2026-03-29T00:00:00Z",
                      "EndDateTime": "2026-03-30T00:00:00Z"}  # fmt: skip
    assert meetings(tmp_path / "a", "held_on, waited_hours", fair) == [(date(2026, 3, 30), 3)]
    assert meetings(tmp_path / "b", "held_on", fair | {"EndDateTime": "2026-03-31T00:00:00Z"}) == []  # it is still on


def test_meetings_of_nobody_outside_and_invitees_copies_are_none(tmp_path: Path) -> None:
    internal = MEETING | {"WhoId": None, "WhatId": None}
    account_only = internal | {"Id": "00U000000000002AAA", "WhatId": ACCOUNT}
    on_a_deal = internal | {"Id": "00U000000000003AAA", "WhatId": DEAL}
    copy = MEETING | {"Id": "00U000000000004AAA", "IsChild": True}
    rows = meetings(tmp_path, "record_id, guests", internal, account_only, on_a_deal, copy)
    assert rows == [("00U000000000003AAA", 0)]


def test_without_events_in_the_data_there_is_no_such_table(tmp_path: Path) -> None:
    with open_snapshot(Path(publish(tmp_path, {"Contact": PEOPLE["Contact"]}).path)) as connection:
        assert not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'lw_meeting'").fetchall()
