"""Tasks that other tools wrote for mails: taken for a mail only where everything agrees and nothing else is meant."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from capture_samples import NINE, activity
from leakwatch.core.adoption_mails import days_of, logged_mails, mail_subject, task_subject
from leakwatch.model import KEY_FIELD, Activity, Match, MatchBasis

MAIL = activity(subject="Re: Teklif")
MATCH = Match(
    MAIL.key, ("003EVE",), None, "001ACME", "005ANN", MatchBasis.CONTACT_EMAIL, "",
    addresses={"eve@acme.com": "003EVE", "zed@acme.com": "003ZED",
               "ann@ourco.com": "005ANN", "bob@ourco.com": "005BOB"},
)  # fmt: skip


def task(record: str = "00TTOOL", **changes: Any) -> dict[str, Any]:
    return {
        "Id": record, "Subject": "Email: Re: Teklif", "TaskSubtype": "Email", "IsClosed": True, "OwnerId": "005ANN",
        "WhoId": "003EVE", "ActivityDate": "2026-07-01", "CreatedDate": NINE.isoformat(), KEY_FIELD: None,
    } | changes  # fmt: skip


def found(
    *rows: dict[str, Any], mails: tuple[Activity, ...] = (MAIL,), match: Match = MATCH
) -> dict[str, tuple[str, ...]]:
    matches = {one.key: match for one in mails}
    return {key: one.record_ids for key, one in logged_mails(mails, matches, rows).items()}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"TaskSubtype": "Task"},
        {"Subject": "Re: Teklif"},
        {"Subject": "[Outreach] [Email] [In] Re: Teklif", "TaskSubtype": None},
        {"Subject": "E-posta: RE: TEKLİF  [ ref:_00D213aDj._500215oiG0:ref ]"},
        {"OwnerId": "005BOB", "WhoId": "003ZED"},
        {"ActivityDate": "2026-06-30"},
        {"CreatedDate": "2026-09-01T00:00:00.000+0000"},
    ],
    ids=["as salesforce does", "no subtype", "subtype alone", "outreach", "marked, with a reference",
         "colleague and copied", "day before where the tool is", "logged later"],
)  # fmt: skip
def test_a_completed_task_with_the_mails_subject_day_person_and_owner_is_its_log(changes: dict[str, Any]):
    assert found(task(**changes)) == {MAIL.key: ("00TTOOL",)}


@pytest.mark.parametrize(
    "changes",
    [
        {"Subject": "Email: Teklif"},
        {"Subject": "Call: Re: Teklif", "TaskSubtype": "Call"},
        {"Subject": "Re: Teklif", "TaskSubtype": "Task"},
        {"IsClosed": False},
        {"OwnerId": "005ELSE"},
        {"WhoId": "003ELSE"},
        {"WhoId": None},
        {"ActivityDate": "2026-07-03"},
        {"ActivityDate": None},
        {"CreatedDate": (NINE - timedelta(hours=1)).isoformat()},
        {KEY_FIELD: "lw1:m:x"},
    ],
    ids=["the mail it answers", "a call", "a plain task", "open", "another owner", "another person", "nobody",
         "another day", "no day", "made before the mail", "ours"],
)  # fmt: skip
def test_what_differs_in_one_thing_is_not(changes: dict[str, Any]):
    assert found(task(**changes)) == {}


def test_several_tasks_are_its_log_if_each_names_another_of_its_people_and_else_none_is():
    assert found(task("00T2", WhoId="003ZED"), task("00T1")) == {MAIL.key: ("00T1", "00T2")}
    assert found(task("00T1"), task("00T2")) == {}


def test_a_task_that_two_mails_might_be_meant_by_stands_for_neither():
    later = replace(MAIL, key="lw1:m:later", start=NINE + timedelta(hours=1))
    row = task(CreatedDate=(NINE + timedelta(hours=2)).isoformat())
    assert found(row, mails=(MAIL, later)) == {}
    assert found(task(), mails=(MAIL, later)) == {MAIL.key: ("00TTOOL",)}, "it was made before the later one"


def test_without_a_subject_nothing_is_sure():
    assert found(task(Subject="Email: "), mails=(replace(MAIL, subject=""),)) == {}


def test_a_subject_that_a_task_can_not_hold_is_compared_as_far_as_it_goes():
    long = "Sözleşme " * 60
    for mark in ("", "Email: ", "[Outreach] [Email] [Out] "):
        assert task_subject(f"{mark}{long}"[:255]) == mail_subject(long)
    assert task_subject("Email: " + "Sözleşme " * 20) != mail_subject(long)


def test_the_days_of_a_moment_are_those_it_has_somewhere():
    assert days_of(NINE) == (date(2026, 6, 30), date(2026, 7, 1))
