"""Things that go wrong inside the org, by the same rules as on the network."""

from __future__ import annotations

from typing import Any

import pytest

from leakwatch.sandbox.faults import FaultBook, FaultError, Rule
from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.known_errors import ROW_ERRORS
from sandbox.org.org_kit import Api, Clock, Company


@pytest.fixture
def book(org: Org) -> FaultBook:
    made = FaultBook()
    org.trouble.ask = made.take_at
    return made


def rule(book: FaultBook, **body: Any) -> None:
    book.add(Rule.from_json({"service": "salesforce", **body}))


def test_a_locked_account_refuses_each_second_row_that_hangs_on_it(api: Api, book: FaultBook, company: Company) -> None:
    rule(book, do="lock_row", match=f"create Opportunity .*{company.account}", every=2)
    rows = [
        {
            "attributes": {"type": "Opportunity"},
            "Name": f"D{i}",
            "StageName": "Prospecting",
            "CloseDate": "2026-05-01",
            "AccountId": account,
        }
        for i, account in enumerate([company.account, company.other_account, company.account, company.account])
    ]
    answers = api.call("POST", "composite/sobjects", {"records": rows}).json()
    assert [answer["success"] for answer in answers] == [False, True, True, False]
    error = answers[0]["errors"][0]
    assert error["statusCode"] == "UNABLE_TO_LOCK_ROW"
    assert error["message"].startswith("unable to obtain exclusive access to this record or 1 records: ")


def test_a_row_is_refused_as_the_rule_says_and_nothing_of_it_stays(
    api: Api, org: Org, book: FaultBook, company: Company
) -> None:
    body = {"errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "Name a reason", "fields": ["StageName"]}
    rule(book, do="row_error", match=company.deal, body=body, times=1)
    answer = api.call("PATCH", f"sobjects/Opportunity/{company.deal}", {"Name": "x"})
    expected = {"errorCode": body["errorCode"], "message": "Name a reason", "fields": ["StageName"]}
    assert (answer.status_code, answer.json()) == (400, [expected])
    assert api.call("PATCH", f"sobjects/Opportunity/{company.deal}", {"Name": "x"}).status_code == 204


def test_a_locator_and_a_session_expire_between_two_pages(
    api: Api, org: Org, book: FaultBook, company: Company
) -> None:
    org.settings.page_size = 200
    org.seed("Account", ({"Name": f"A{i}"} for i in range(500)))
    first = api.query("SELECT Id FROM Account").json()
    second = api.http.get(first["nextRecordsUrl"]).json()
    rule(book, do="expire_locator", match="from 400", times=1)
    for _ in range(2):
        assert api.http.get(second["nextRecordsUrl"]).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    first = api.query("SELECT Id FROM Account").json()
    rule(book, do="expire_session", match="query/01g")
    assert api.http.get(first["nextRecordsUrl"]).json()[0]["errorCode"] == "INVALID_SESSION_ID"
    assert api.get("limits").status_code == 401
    book.clear()
    api.login()
    assert api.http.get(first["nextRecordsUrl"]).status_code == 200


def test_the_clock_of_the_answers_can_be_wrong(api: Api, book: FaultBook) -> None:
    assert api.get("limits").headers["Date"] == "Mon, 02 Mar 2026 09:00:30 GMT"
    rule(book, do="skew", seconds=-90)
    assert api.get("limits").headers["Date"] == "Mon, 02 Mar 2026 08:59:00 GMT"


def test_what_happens_inside_the_org_is_not_looked_for_on_the_network(book: FaultBook) -> None:
    rule(book, do="lock_row")
    assert book.take("salesforce", "POST /services/data/v66.0/composite/sobjects") is None
    with pytest.raises(FaultError, match=r"do must be one of .*lock_row"):
        rule(book, do="unlock_row")
    with pytest.raises(FaultError, match="salesforce"):
        Rule.from_json({"service": "google", "do": "lock_row"})


@pytest.mark.parametrize("code", sorted(ROW_ERRORS))
def test_a_row_is_refused_by_code_with_the_fields_and_the_status_that_belong_to_it(
    api: Api, book: FaultBook, company: Company, code: str
) -> None:
    rule(book, do="row_error", match="create Task", code=code, after=1, times=1)
    rows = [{"attributes": {"type": "Task"}, "Subject": f"T{i}", "WhatId": company.deal} for i in range(3)]
    answers = api.call("POST", "composite/sobjects", {"records": rows}).json()
    assert [answer["success"] for answer in answers] == [True, False, True]
    [error] = answers[1]["errors"]
    assert (error["statusCode"], error["fields"]) == (code, list(ROW_ERRORS[code].fields))
    assert "{id}" not in error["message"]


def test_the_same_rows_of_a_collection_fail_by_the_same_seed(api: Api, book: FaultBook, company: Company) -> None:
    def failed(seed: int) -> list[bool]:
        book.clear(seed)
        rule(book, do="lock_row", match="create Task", probability=0.3)
        rows = [{"attributes": {"type": "Task"}, "Subject": f"T{i}"} for i in range(30)]
        return [not one["success"] for one in api.call("POST", "composite/sobjects", {"records": rows}).json()]

    first = failed(3)
    assert 0 < sum(first) < 30
    assert failed(3) == first
    assert failed(4) != first


def test_a_row_committed_late_keeps_its_stamp_and_is_seen_when_its_time_has_come(
    api: Api, org: Org, book: FaultBook, company: Company, clock: Clock
) -> None:
    rule(book, do="late_commit", match="create (Task|Lead)|update Opportunity|delete Contact", seconds=240)
    call = {"Subject": "T", "WhatId": company.other_account, "Status": "Completed", "ActivityDate": "2026-03-01"}
    task = api.call("POST", "sobjects/Task", call).json()["id"]
    account = org.get("Account", company.other_account)
    assert api.call("PATCH", f"sobjects/Opportunity/{company.deal}", {"StageName": "Closed Won"}).status_code == 204
    assert api.call("DELETE", f"sobjects/Contact/{company.colleague}").status_code == 204
    window = "?start=2026-03-02T08:00:00Z&end=2026-03-02T09:30:00Z"

    def seen() -> tuple[Any, ...]:
        deleted = api.get(f"sobjects/Contact/deleted/{window}").json()
        return (
            [row["Id"] for row in org.query("SELECT Id FROM Task")],
            (org.get("Opportunity", company.deal) or {})["StageName"],
            len(org.query("SELECT Id FROM OpportunityHistory")),
            [one["id"] for one in deleted["deletedRecords"]],
            deleted["latestDateCovered"],
        )

    began = "2026-03-02T09:00:30.000+0000"
    clock.advance(seconds=239)
    org.agenda.run_due()
    assert seen() == ([], "Prospecting", 0, [], began), "even what follows from a row is not seen before"
    assert account is not None
    assert (org.get("Account", company.other_account), account["LastActivityDate"]) == (account, None)
    busy = api.call("PATCH", f"sobjects/Opportunity/{company.deal}", {"Name": "x"})
    assert busy.json()[0]["errorCode"] == "UNABLE_TO_LOCK_ROW"
    clock.advance(seconds=1)
    assert seen() == ([task], "Closed Won", 1, [company.colleague], "2026-03-02T09:04:00.000+0000")
    row = org.get("Task", task)
    assert row is not None
    assert row["SystemModstamp"] == "2026-03-02T09:00:30.000+0000"
    assert (org.get("Account", company.other_account) or {})["LastActivityDate"] == "2026-03-01"


def test_late_commits_outlive_a_restart_and_come_by_wall_time_too(
    org: Org, book: FaultBook, company: Company, clock: Clock, tmp_path: Any
) -> None:
    rule(book, do="late_commit", match="create Lead", seconds=60)
    lead = org.create("Lead", {"LastName": "Late", "Company": "L"}, user_id=company.rep)
    assert org.get("Lead", lead) is None
    org.close()
    again = Org(tmp_path / "org", clock)
    try:
        now = again.sessions.wall_clock()
        again.sessions.wall_clock = lambda: now + 61
        again.agenda.run_due()
        assert again.get("Lead", lead) is not None
    finally:
        again.close()


def test_of_two_rows_with_one_key_the_late_one_is_given_up(
    org: Org, book: FaultBook, company: Company, clock: Clock, project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    org.deploy(project)
    rule(book, do="late_commit", match="create Task", seconds=60, times=1)
    task = {"Subject": "T", "Leakwatch_Key__c": "lw1:f:1"}
    org.create("Task", task, user_id=company.rep)
    second = org.create("Task", task, user_id=company.rep)
    clock.advance(seconds=60)
    org.agenda.run_due()
    assert [row["Id"] for row in org.query("SELECT Id FROM Task")] == [second]
    assert "DUPLICATE_VALUE" in capsys.readouterr().err


def test_a_field_vanishes_while_a_client_pages(
    api: Api, org: Org, book: FaultBook, company: Company, tmp_path: Any
) -> None:
    org.settings.page_size = 200
    org.seed("Account", ({"Name": f"A{i}"} for i in range(500)))
    rule(book, do="hide_fields", match="query/01g", body=["Opportunity.Amount", "Contact.AccountId"], times=1)
    first = api.query("SELECT Id FROM Account").json()
    names = {field["name"] for field in api.get("sobjects/Opportunity/describe").json()["fields"]}
    assert "Amount" in names
    assert api.http.get(first["nextRecordsUrl"]).status_code == 200
    assert {field["name"] for field in api.get("sobjects/Opportunity/describe").json()["fields"]} == names - {"Amount"}
    refused = [
        api.query("SELECT Amount FROM Opportunity"),
        api.query("SELECT Id FROM Opportunity WHERE Amount > 1"),
        api.query("SELECT Id, Account.Name FROM Contact"),
        api.call("PATCH", f"sobjects/Opportunity/{company.deal}", {"Amount": 1}),
        api.get(f"sobjects/Opportunity/{company.deal}?fields=Amount"),
    ]
    assert [answer.json()[0]["errorCode"] for answer in refused] == ["INVALID_FIELD"] * 5
    assert "Amount" not in api.get(f"sobjects/Opportunity/{company.deal}").json()
    assert "Amount" not in api.query("SELECT FIELDS(ALL) FROM Opportunity LIMIT 1").json()["records"][0]
    org.save(tmp_path / "state")
    org.restore(tmp_path / "state")
    assert api.query("SELECT Amount FROM Opportunity").status_code == 400, "a setting is no part of a state"
    org.change_settings({"hidden_fields": []})
    assert api.query("SELECT Amount FROM Opportunity").status_code == 200
    with pytest.raises(ValueError, match=r"no field Account\.Nope"):
        org.change_settings({"hidden_fields": ["Account.Nope"]})


def test_senseless_rules_are_refused(book: FaultBook) -> None:
    for body, words in (
        ({"do": "row_error", "code": "NOPE"}, "code must be one of"),
        ({"do": "hide_fields"}, "hide_fields needs a body"),
        ({"retry_form": "soon"}, "retry_form"),
        ({"do": "drip", "bytes": 0}, "bytes"),
    ):
        with pytest.raises(FaultError, match=words):
            rule(book, **body)
    with pytest.raises(FaultError, match="code is of service 'salesforce'"):
        Rule.from_json({"service": "google", "code": "INVALID_FIELD"})
