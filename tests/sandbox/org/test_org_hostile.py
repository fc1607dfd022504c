"""Requests that no sane client sends: every answer has Salesforce's shape, and nothing of ours leaks."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.rest import build_app
from leakwatch.sandbox.org.rest.http import router
from sandbox.org.org_kit import Api, Company, TestClient

pytestmark = pytest.mark.documented("REST API Developer Guide, Status Codes and Error Responses")

REFUSED = [
    ("CloseDate = LAST_N_DAYS:99999999", "MALFORMED_QUERY"),
    ("CloseDate = LAST_N_YEARS:5000", "MALFORMED_QUERY"),
    ("CloseDate > N_MONTHS_AGO:99999999999999999999", "MALFORMED_QUERY"),
    ("CreatedDate > 0001-01-01T00:00:00+05:00", "MALFORMED_QUERY"),
    ("CreatedDate < 9999-12-31T23:00:00-05:00", "MALFORMED_QUERY"),
    (r"Name = '\uD83D'", "MALFORMED_QUERY"),
    (r"Name = 'a\uDCA5b'", "MALFORMED_QUERY"),
    ("COUNT(Id) > 3", "MALFORMED_QUERY"),
    ("NOT " * 3_000 + "Name = 'a'", "QUERY_TOO_COMPLICATED"),
    ("(" * 5_000 + "Name = 'a'" + ")" * 5_000, None),  # 5,000 brackets around one test are one test
]
ANSWERED = [
    ("Amount = 99999999999999999999", 0),
    ("Amount < 99999999999999999999", 1),
    (" OR ".join(f"Name = 'n{i}'" for i in range(1_200)) + " OR Name LIKE '%'", 1),
    (r"Name = 'no \uD83D\uDCA5 here'", 0),
]


def ids(pair: tuple[str, Any]) -> str:
    return pair[0][:40]


def long_query(org: Org, where: str) -> Any:
    """Without the limit of an URI's length, which a Bulk job's body does not have."""
    return org.query_page(f"SELECT Id FROM Opportunity WHERE {where}", all_rows=False, page_size=200)


@pytest.mark.parametrize(("where", "code"), REFUSED, ids=map(ids, REFUSED))
def test_a_filter_beyond_all_bounds_is_refused_or_answered(
    org: Org, company: Company, where: str, code: str | None
) -> None:
    if code is None:
        assert long_query(org, where).total == 0
        return
    with pytest.raises(Exception, match=code):
        long_query(org, where)


@pytest.mark.parametrize(("where", "count"), ANSWERED, ids=map(ids, ANSWERED))
def test_a_large_filter_is_answered(org: Org, company: Company, where: str, count: int) -> None:
    assert long_query(org, where).total == count


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT COUNT(BillingAddress) FROM Account",
        "SELECT Id FROM Account ORDER BY COUNT(Id)",
        "SELECT COUNT(Id) FROM Account WHERE MAX(CreatedDate) > 2020-01-01T00:00:00Z",
    ],
)
def test_an_aggregate_where_none_belongs_is_refused(api: Api, soql: str) -> None:
    answer = api.query(soql)
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] == "MALFORMED_QUERY"


def test_a_limit_beyond_all_rows_gives_all_rows(api: Api, company: Company) -> None:
    answer = api.query("SELECT Id FROM Account LIMIT 99999999999999999999")
    assert answer.json()["totalSize"] == 2


@pytest.mark.documented(guess="the code of the refusal")
@pytest.mark.parametrize(
    ("sobject", "fields"),
    [
        ("Account", {"Name": "A", "NumberOfEmployees": 10**30}),
        ("Account", {"Name": "A", "NumberOfEmployees": 2**31}),
        ("Event", {"StartDateTime": "9999-12-31T23:59:59Z", "DurationInMinutes": 60, "Subject": "x"}),
        ("Event", {"StartDateTime": "0001-01-01T00:00:00+05:00", "DurationInMinutes": 60, "Subject": "x"}),
        ("Opportunity", {"Name": "A", "StageName": "Prospecting", "CloseDate": "1600-01-01"}),
    ],
)
def test_a_value_that_no_field_can_hold_is_refused(api: Api, sobject: str, fields: dict[str, Any]) -> None:
    answer = api.call("POST", f"sobjects/{sobject}", fields)
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] == "JSON_PARSER_ERROR"


@pytest.mark.documented(guess="the code of the refusal")
@pytest.mark.parametrize(
    "body", [b"no gzip at all", gzip.compress(b"{}", mtime=0)[:-3], b""], ids=["text", "cut", "none"]
)
def test_a_body_that_is_not_the_gzip_it_claims_to_be_is_refused(api: Api, body: bytes) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = api.http.request("POST", f"{api.root}/sobjects/Account", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] == "JSON_PARSER_ERROR"


@pytest.mark.documented(guess="the limit, status and code")
def test_a_small_body_that_unpacks_to_a_huge_one_is_refused_before_it_is_unpacked(api: Api) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    bomb = gzip.compress(b" " * 200_000_000, compresslevel=9)
    answer = api.http.request("POST", f"{api.root}/sobjects/Account", content=bomb, headers=headers)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (413, "REQUEST_ENTITY_TOO_LARGE")


def test_a_fault_of_the_sandbox_itself_is_a_500_in_salesforces_shape_and_shows_nothing_of_ours(
    org: Org, company: Company, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(_call: Any) -> Any:
        raise RuntimeError("something secret of the sandbox")

    monkeypatch.setattr(router, "_find", breaks)
    http = TestClient(build_app(org, instance_url="https://org.example"), raise_server_exceptions=False)
    token = org.sessions.open(company.rep).token
    answer = http.get("/services/data/v66.0/limits", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 500
    (only,) = answer.json()
    assert only["errorCode"] == "UNKNOWN_EXCEPTION"
    assert "ErrorId" in only["message"]
    assert "secret" not in answer.text
    told = capsys.readouterr().err
    assert "something secret of the sandbox" in told  # whoever runs the sandbox can look it up by the id
    assert only["message"].rsplit(": ", 1)[1] in told


def test_after_a_failed_write_the_next_one_works(org: Org, company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_arguments: Any) -> None:
        raise RuntimeError("in the middle of a transaction")

    with monkeypatch.context() as patch:
        patch.setattr(org.store, "insert", breaks)
        with pytest.raises(RuntimeError):
            org.create("Account", {"Name": "A"}, user_id=company.rep)
    assert org.create("Account", {"Name": "B"}, user_id=company.rep)
