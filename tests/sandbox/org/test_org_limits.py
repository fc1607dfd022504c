"""`limits` and its counters, the usage header, requests at the same time, data storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.fault_play import FaultMiddleware
from leakwatch.sandbox.faults import FaultBook, Rule
from leakwatch.sandbox.ledger import Ledger
from leakwatch.sandbox.org.facade import Org, OrgError
from leakwatch.sandbox.org.meters import Running
from leakwatch.sandbox.org.rest import build_app
from sandbox.org.org_kit import Api, Clock, Company, TestClient

pytestmark = pytest.mark.documented("REST API Developer Guide, Limits; API Request Limits and Allocations")

APP = "3MVG9.some.app"


def limits(api: Api, version: str = "66.0") -> dict[str, Any]:
    return api.http.get(f"/services/data/v{version}/limits").json()


def test_limits_list_what_a_version_knows(api: Api) -> None:
    names = limits(api).keys()
    assert len(names) > 45
    assert {"DailyBulkApiBatches", "DailyAsyncApexTests", "MonthlyPlatformEventsUsageEntitlement"} <= names
    assert names.isdisjoint({"DailyBulkApiRequests", "MonthlyPlatformEvents"})
    old = limits(api, "40.0").keys()
    assert {"DailyBulkApiRequests", "MonthlyPlatformEvents"} <= old
    assert old.isdisjoint({"DailyBulkApiBatches", "DailyBulkV2QueryJobs", "PermissionSets", "DailyAsyncApexTests"})


def test_limits_move_with_what_is_used_and_come_back_with_time(api: Api, org: Org, clock: Clock) -> None:
    org.meters.add("DailyBulkV2QueryJobs", 3)
    org.meters.add("HourlyPublishedPlatformEvents", 5)
    body = limits(api)
    assert body["DailyBulkV2QueryJobs"] == {"Max": 10_000, "Remaining": 9_997}
    assert body["HourlyPublishedPlatformEvents"]["Remaining"] == 249_995
    assert body["DailyApiRequests"] == {"Max": 100_000, "Remaining": 99_999}
    clock.advance(hours=1)
    body = limits(api)
    assert body["HourlyPublishedPlatformEvents"]["Remaining"] == 250_000
    assert body["DailyBulkV2QueryJobs"]["Remaining"] == 9_997
    clock.advance(hours=24)
    assert limits(api)["DailyBulkV2QueryJobs"]["Remaining"] == 10_000


def test_counters_are_kept_when_the_org_is_opened_again_or_restored(tmp_path: Path, clock: Clock) -> None:
    org = Org(tmp_path / "org", clock)
    org.meters.add("SingleEmail", 2)
    org.save(tmp_path / "copy")
    org.meters.add("SingleEmail")
    org.close()
    again = Org(tmp_path / "org", clock)
    assert again.meters.used("SingleEmail") == 3
    again.restore(tmp_path / "copy")
    assert again.meters.used("SingleEmail") == 2
    again.close()


@pytest.mark.documented(guess="the status of the refusal")
def test_permissions_decide_what_of_the_limits_is_shown(api: Api, org: Org) -> None:
    assert {"DataStorageMB", "FileStorageMB"} <= limits(api).keys()
    org.change_settings({"missing_permissions": ["ManageUsers"]})
    assert limits(api).keys().isdisjoint({"DataStorageMB", "FileStorageMB"})
    org.change_settings({"missing_permissions": ["ViewSetup"]})
    assert api.get("limits").status_code == 403


def test_record_counts_leave_out_deleted_rows_and_unknown_names(api: Api, org: Org, company: Company) -> None:
    org.delete("Contact", company.contact, user_id=company.rep)
    answer = api.get("limits/recordCount", sObjects="contact,Nope, Account").json()
    assert answer == {"sObjects": [{"count": 1, "name": "Contact"}, {"count": 2, "name": "Account"}]}
    everything = {one["name"]: one["count"] for one in api.get("limits/recordCount").json()["sObjects"]}
    assert everything["Lead"] == 2
    assert "OpportunityHistory" in everything
    assert api.http.get("/services/data/v39.0/limits/recordCount").status_code == 404


@pytest.mark.documented(guess="the words of the refusal")
def test_an_app_with_a_quota_of_its_own_is_told_of_it_and_stopped_by_it(api: Api, org: Org, company: Company) -> None:
    org.register_app(APP, "-", [])
    org.change_settings({"app_quotas": {APP: 2}, "app_names": {APP: "Some App"}})
    assert api.get("limits").headers["Sforce-Limit-Info"] == "api-usage=1/100000"  # a session of no such app
    api.http.headers["Authorization"] = f"Bearer {org.sessions.open(company.rep, APP).token}"
    first = api.get("limits")
    assert first.headers["Sforce-Limit-Info"] == "api-usage=2/100000; per-app-api-usage=1/2(appName=Some App)"
    assert first.json()["DailyApiRequests"]["Some App"] == {"Max": 2, "Remaining": 1}
    assert first.json()["DailyBulkApiBatches"]["Some App"] == {"Max": 0, "Remaining": 0}
    assert [api.get("limits").status_code for _ in range(2)] == [200, 403]
    refused = api.get("limits")
    assert refused.json() == [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    assert refused.headers["Sforce-Limit-Info"].endswith("per-app-api-usage=2/2(appName=Some App)")


def test_a_fault_can_take_the_usage_header_away(org: Org, company: Company) -> None:
    book = FaultBook()
    book.add(Rule.from_json({"service": "salesforce", "do": "no_limit_info", "times": 1}))
    app = build_app(org, instance_url="https://org.example")
    http = TestClient(FaultMiddleware(app, "salesforce", book, Ledger(), lambda _scope: None))
    headers = {"Authorization": f"Bearer {org.sessions.open(company.rep).token}"}
    answers = [http.get("/services/data/v66.0/limits", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert ["Sforce-Limit-Info" in answer.headers for answer in answers] == [False, True]


def test_twenty_five_long_requests_keep_the_next_one_out() -> None:
    now = [0.0]
    running = Running(lambda: now[0])
    held = [running.request(most=25) for _ in range(25)]
    for one in held:
        one.__enter__()
    now[0] = 19.9
    with running.request(most=25):
        pass
    now[0] = 20.0
    with pytest.raises(OrgError, match="ConcurrentPerOrgLongTxn"), running.request(most=25):
        pass
    held[0].__exit__(None, None, None)
    with running.request(most=25):
        assert running.count() == 25


def test_an_org_that_is_busy_with_long_requests_refuses_for_the_time_being(api: Api, org: Org) -> None:
    org.change_settings({"long_requests": 25})
    refused = api.get("limits")
    said = [{"message": "ConcurrentPerOrgLongTxn Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    assert (refused.status_code, refused.json()) == (403, said)
    org.change_settings({"long_requests": 24})
    assert api.get("limits").status_code == 200
    assert org.calls_used() == 1  # the refused one was not counted


def test_storage_weighs_records_by_their_object_and_mails_by_their_text(org: Org, company: Company) -> None:
    before = org.storage.used()
    org.create("Task", {"Subject": "x"}, user_id=company.rep)
    assert org.storage.used() - before == 2048
    org.create("FeedItem", {"ParentId": company.deal, "Body": "weighs nothing"}, user_id=company.rep)
    org.delete("Lead", company.lead, user_id=company.rep)  # nor what lies in the bin
    assert org.storage.used() == before
    fields = {"Subject": "x", "Status": "3", "HtmlBody": "x" * 5000, "RelatedToId": company.deal}
    org.create("EmailMessage", fields, user_id=company.rep)
    assert org.storage.by_object()["EmailMessage"] == {"records": 1, "bytes": 5000}


@pytest.mark.documented(guess="the HTTP status of a single row's refusal")
def test_a_full_storage_refuses_new_records_row_by_row_until_there_is_room(
    api: Api, org: Org, company: Company
) -> None:
    more = (1024 * 1024 - org.storage.used()) // 2048
    org.seed("Task", ({"Subject": "x", "OwnerId": company.rep} for _ in range(more - 1)))
    org.change_settings({"data_storage_mb": 1})
    assert api.call("POST", "sobjects/Task", {"Subject": "while it is not enforced"}).status_code == 201
    org.change_settings({"storage_enforced": True})
    refused = api.call("POST", "sobjects/Task", {"Subject": "one too many"})
    said = {"message": "storage limit exceeded", "errorCode": "STORAGE_LIMIT_EXCEEDED"}
    assert (refused.status_code, refused.json()) == (400, [said])
    rows = [{"attributes": {"type": "Task"}, "Subject": "y"} for _ in range(2)]
    answers = api.call("POST", "composite/sobjects", {"records": rows}).json()
    assert [one["errors"][0]["statusCode"] for one in answers] == ["STORAGE_LIMIT_EXCEEDED"] * 2
    assert limits(api)["DataStorageMB"] == {"Max": 1, "Remaining": 0}
    org.delete("Lead", company.lead, user_id=company.rep)
    answers = api.call("POST", "composite/sobjects", {"records": rows}).json()
    assert [one["success"] for one in answers] == [True, False]
    assert api.call("PATCH", f"sobjects/Contact/{company.contact}", {"Title": "changes need none"}).status_code == 204
