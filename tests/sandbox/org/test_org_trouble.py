"""Things that go wrong inside the org, by the same rules as on the network."""

from __future__ import annotations

from typing import Any

import pytest

from leakwatch.sandbox.faults import FaultBook, FaultError, Rule
from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Api, Company


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
