"""Collections and Composite: many rows, and many calls, in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Api, Company

pytestmark = pytest.mark.documented("REST API Developer Guide, sObject Collections, Composite, Batch")


def task(**fields: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Task"}, **fields}


def subjects(org: Org) -> list[str]:
    return [one["Subject"] for one in org.query("SELECT Subject FROM Task ORDER BY Subject")]


def test_rows_of_a_collection_succeed_and_fail_one_by_one(api: Api, org: Org) -> None:
    records = [task(Subject="a"), task(Subject="x" * 256), task(Subject="b")]
    answer = api.call("POST", "composite/sobjects", {"records": records})
    assert (answer.status_code, answer.headers["Sforce-Limit-Info"]) == (200, "api-usage=1/100000")
    first, failed, last = answer.json()
    assert (first["success"], last["success"], first["errors"]) == (True, True, [])
    assert failed["errors"][0]["statusCode"] == "STRING_TOO_LONG"
    assert failed["errors"][0]["fields"] == ["Subject"]
    assert subjects(org) == ["a", "b"]


def test_with_all_or_none_one_bad_row_undoes_all(api: Api, org: Org) -> None:
    records = [task(Subject="a"), task(TaskSubtype="Fax"), task(Subject="b")]
    answer = api.call("POST", "composite/sobjects", {"allOrNone": True, "records": records})
    codes = [one["errors"][0]["statusCode"] for one in answer.json()]
    assert codes == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    ]
    assert subjects(org) == []


@pytest.mark.documented(guess="the code for the chunks")
def test_a_collection_has_at_most_200_rows_and_10_chunks_of_types(api: Api, company: Company) -> None:
    many = api.call("POST", "composite/sobjects", {"records": [task() for _ in range(201)]})
    assert (many.status_code, many.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")
    lead = {"attributes": {"type": "Lead"}, "LastName": "x", "Company": "c"}
    mixed = api.call("POST", "composite/sobjects", {"records": [task(), lead] * 5 + [task()]})
    assert (mixed.status_code, mixed.json()[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")
    assert all(one["success"] for one in api.call("POST", "composite/sobjects", {"records": [task(), lead] * 5}).json())


def test_a_key_used_twice_in_one_request_is_a_duplicate(api: Api, org: Org, project: Path) -> None:
    org.deploy(project)
    records = [task(Leakwatch_Key__c="k"), task(Leakwatch_Key__c="k")]
    inserted = api.call("POST", "composite/sobjects", {"records": records}).json()
    assert [one["success"] for one in inserted] == [True, False]
    assert inserted[1]["errors"][0]["statusCode"] == "DUPLICATE_VALUE"
    assert inserted[0]["id"][:15] in inserted[1]["errors"][0]["message"]
    upserted = api.call("PATCH", "composite/sobjects/Task/Leakwatch_Key__c", {"records": records}).json()
    assert (upserted[0]["created"], upserted[1]["errors"][0]["statusCode"]) == (False, "DUPLICATE_VALUE")


def test_a_collection_is_upserted_by_key(api: Api, org: Org, project: Path) -> None:
    org.deploy(project)
    path = "composite/sobjects/Task/Leakwatch_Key__c"
    first = api.call("PATCH", path, {"records": [task(Leakwatch_Key__c="a", Subject="1")]}).json()
    records = [task(Leakwatch_Key__c="a", Subject="2"), task(Leakwatch_Key__c="b", Subject="3"), task(Subject="4")]
    again = api.call("PATCH", path, {"records": records}).json()
    assert (first[0]["created"], again[0]["created"], again[1]["created"]) == (True, False, True)
    assert again[2]["errors"][0]["statusCode"] == "MISSING_ARGUMENT"
    assert subjects(org) == ["2", "3"]
    wrong = api.call("PATCH", "composite/sobjects/Task/Subject", {"records": records})
    assert wrong.status_code == 404


def test_a_collection_is_updated_and_deleted_by_id(api: Api, org: Org, company: Company) -> None:
    made = [org.create("Task", {"Subject": str(i)}, user_id=company.rep) for i in range(2)]
    records = [task(id=made[0], Subject="new"), task(Subject="x"), task(id="00T5e00000zzzzz", Subject="x")]
    updated = api.call("PATCH", "composite/sobjects", {"records": records}).json()
    assert updated[0] == {"id": made[0], "success": True, "errors": []}
    assert [one["errors"][0]["statusCode"] for one in updated[1:]] == [
        "MISSING_ARGUMENT",
        "INVALID_CROSS_REFERENCE_KEY",
    ]
    wanted = ",".join([*made, "00T5e00000zzzzzAAA"])
    deleted = api.call("DELETE", "composite/sobjects", params={"ids": wanted}).json()
    assert [one["success"] for one in deleted] == [True, True, False]


def test_up_to_two_thousand_rows_are_read_by_id_with_null_for_what_is_missing(
    api: Api, org: Org, company: Company
) -> None:
    org.delete("Contact", company.colleague, user_id=company.rep)
    body = {"ids": [company.colleague, company.contact], "fields": ["LastName", "Account.Name"]}
    gone, there = api.call("POST", "composite/sobjects/Contact", body).json()
    assert gone is None
    assert (there["LastName"], there["Account"]["Name"]) == ("Çelik", "Çelik Yapı A.Ş.")
    by_get = api.get("composite/sobjects/Contact", ids=company.contact, fields="LastName").json()
    assert by_get[0]["LastName"] == "Çelik"
    many = api.call("POST", "composite/sobjects/Contact", {"ids": [company.contact] * 2001, "fields": ["Id"]})
    assert many.json()[0]["errorCode"] == "EXCEEDED_ID_LIMIT"
    wrong = api.call("POST", "composite/sobjects/Contact", {"ids": [company.contact], "fields": ["Id FROM User"]})
    assert wrong.json()[0]["errorCode"] == "INVALID_FIELD"


# -- composite ------------------------------------------------------------------------------------------


def sub(name: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    return {"referenceId": name, "method": method, "url": f"/services/data/v66.0/{path}", "body": body}


def composite(api: Api, *subrequests: dict[str, Any], **more: Any) -> Any:
    return api.call("POST", "composite", {"compositeRequest": list(subrequests), **more})


def test_five_collections_of_200_rows_are_one_call(api: Api, org: Org) -> None:
    records = [task(Subject=f"{i:03}") for i in range(200)]
    subrequests = [sub(f"c{i}", "POST", "composite/sobjects", {"records": records}) for i in range(5)]
    answer = composite(api, *subrequests)
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=1/100000"
    parts = answer.json()["compositeResponse"]
    assert [(one["referenceId"], one["httpStatusCode"], len(one["body"])) for one in parts] == [
        (f"c{i}", 200, 200) for i in range(5)
    ]
    assert len(subjects(org)) == 1000


def test_a_subrequest_uses_the_answers_of_those_before(api: Api, org: Org) -> None:
    parts = composite(
        api,
        sub("acc", "POST", "sobjects/Account", {"Name": "New"}),
        sub("con", "POST", "sobjects/Contact", {"LastName": "x", "AccountId": "@{acc.id}"}),
        sub("q", "GET", "query/?q=SELECT+Id,Name+FROM+Account+WHERE+Id='@{acc.id}'"),
        sub("upd", "PATCH", "sobjects/Account/@{q.records[0].Id}", {"Site": "@{q.records[0].Name}!"}),
    ).json()["compositeResponse"]
    assert [one["httpStatusCode"] for one in parts] == [201, 201, 200, 204]
    assert parts[0]["httpHeaders"]["Location"].endswith(parts[0]["body"]["id"])
    assert org.query("SELECT Site, (SELECT LastName FROM Contacts) FROM Account WHERE Name = 'New'") == [
        {"Site": "New!", "Contacts": [{"LastName": "x"}]}
    ]


@pytest.mark.documented("no document shows references with encoded braces", settled=False)
@pytest.mark.parametrize(("resolved", "status"), [(False, 404), (True, 204)])
def test_a_reference_with_encoded_braces_is_resolved_where_the_org_is_set_so(
    api: Api, org: Org, resolved: bool, status: int
) -> None:
    org.change_settings({"composite_encoded_references": resolved})
    parts = composite(
        api,
        sub("acc", "POST", "sobjects/Account", {"Name": "New"}),
        sub("q", "GET", "query/?q=SELECT+Id+FROM+Account+WHERE+Name='New'"),
        sub("upd", "PATCH", "sobjects/Account/@%7Bq.records%5B0%5D.Id%7D", {"Site": "x"}),
    ).json()["compositeResponse"]
    assert [one["httpStatusCode"] for one in parts] == [201, 200, status]


def test_a_failed_reference_halts_only_what_hangs_on_it(api: Api, org: Org) -> None:
    parts = composite(
        api,
        sub("bad", "POST", "sobjects/Lead", {}),
        sub("next", "POST", "sobjects/Task", {"WhoId": "@{bad.id}"}),
        sub("free", "POST", "sobjects/Task", {"Subject": "free"}),
    ).json()["compositeResponse"]
    assert [one["httpStatusCode"] for one in parts] == [400, 400, 201]
    assert parts[1]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert subjects(org) == ["free"]


def test_with_all_or_none_a_composite_is_undone_whole(api: Api, org: Org) -> None:
    parts = composite(
        api,
        sub("a", "POST", "sobjects/Task", {"Subject": "a"}),
        sub("b", "POST", "sobjects/Lead", {}),
        allOrNone=True,
    ).json()["compositeResponse"]
    assert [one["body"][0]["errorCode"] for one in parts] == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
    assert subjects(org) == []


@pytest.mark.parametrize(
    "subrequests",
    [
        [sub(f"r{i}", "GET", "limits") for i in range(26)],
        [sub(f"r{i}", "GET", "query?q=SELECT+Id+FROM+Lead") for i in range(6)],
        [sub("same", "GET", "limits"), sub("same", "GET", "limits")],
        [{"method": "GET", "url": "/services/data/v66.0/limits"}],
        [],
    ],
    ids=["26 subrequests", "6 queries", "same reference", "no reference", "nothing"],
)
def test_a_composite_that_breaks_its_limits_is_refused_whole(api: Api, subrequests: list[dict[str, Any]]) -> None:
    assert composite(api, *subrequests).status_code == 400


@pytest.mark.documented(guess="what such an org answers")
def test_an_org_may_refuse_collections_in_composite(api: Api, org: Org) -> None:
    org.settings.composite_collections_allowed = False
    parts = composite(
        api,
        sub("c", "POST", "composite/sobjects", {"records": [task()]}),
        sub("ok", "GET", "sobjects"),
    ).json()["compositeResponse"]
    assert [one["httpStatusCode"] for one in parts] == [400, 200]
    assert subjects(org) == []


def test_batch_answers_each_call_and_counts_each(api: Api) -> None:
    requests = [{"method": "GET", "url": "v66.0/limits"}, {"method": "GET", "url": "v66.0/sobjects/No"}]
    answer = api.call("POST", "composite/batch", {"batchRequests": requests})
    assert (answer.json()["hasErrors"], [one["statusCode"] for one in answer.json()["results"]]) == (True, [200, 404])
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=2/100000"


@pytest.mark.documented(guess="the code of the refusal")
@pytest.mark.parametrize("path", ["composite/batch", "limits", "jobs/query", "chatter/feeds"])
def test_composite_takes_rows_queries_and_collections_only(api: Api, path: str) -> None:
    (part,) = composite(api, sub("x", "GET", path)).json()["compositeResponse"]
    assert (part["httpStatusCode"], part["body"][0]["errorCode"]) == (400, "INVALID_INPUT")


@pytest.mark.parametrize("header", ["Accept", "authorization", "Content-Type"])
def test_a_subrequest_brings_no_header_that_the_call_gives(api: Api, header: str) -> None:
    bad = sub("x", "GET", "sobjects") | {"httpHeaders": {header: "x"}}
    assert composite(api, bad).status_code == 400


def test_a_subrequest_has_headers_of_its_own(api: Api, org: Org, company: Company) -> None:
    org.declare({"duplicate_rules": [{"name": "d", "object": "Account", "match": ["Name"], "action": "allow"}]})
    again = {"Name": "Northwind"}
    save = {"httpHeaders": {"Sforce-Duplicate-Rule-Header": "allowSave=true"}}
    refused = sub("a", "POST", "sobjects/Account", again)
    parts = composite(api, refused, sub("b", "POST", "sobjects/Account", again) | save).json()["compositeResponse"]
    assert [one["httpStatusCode"] for one in parts] == [400, 201]


def test_a_value_of_an_answer_is_encoded_where_it_goes_into_an_address(api: Api, org: Org, company: Company) -> None:
    org.update("Account", company.account, {"Name": "A&B #1/2 100%"}, user_id=company.rep)
    parts = composite(
        api,
        sub("a", "GET", f"sobjects/Account/{company.account}?fields=Name,IsDeleted"),
        sub("q", "GET", "query?q=SELECT+Id+FROM+Account+WHERE+Name='@{a.Name}'"),
        sub("c", "POST", "sobjects/Contact", {"LastName": "is deleted: @{a.IsDeleted}"}),
    ).json()["compositeResponse"]
    assert [one["Id"] for one in parts[1]["body"]["records"]] == [company.account]
    made = org.query("SELECT LastName FROM Contact WHERE LastName LIKE 'is deleted%'")
    assert made == [{"LastName": "is deleted: false"}]


def test_methods_are_spelled_in_capitals_and_versions_must_exist(api: Api) -> None:
    small = sub("a", "get", "sobjects")
    future = sub("b", "GET", "sobjects") | {"url": "/services/data/v99.0/sobjects"}
    retired = sub("c", "GET", "sobjects") | {"url": "/services/data/v25.0/sobjects"}
    parts = composite(api, small, future, retired).json()["compositeResponse"]
    assert [one["httpStatusCode"] for one in parts] == [405, 404, 410]


@pytest.mark.parametrize(("halt", "statuses"), [(False, [201, 400, 201]), (True, [201, 400, 412])])
def test_a_batch_halts_on_an_error_where_it_is_asked_to(api: Api, org: Org, halt: bool, statuses: list[int]) -> None:
    bad = {"method": "POST", "url": "v66.0/sobjects/Lead", "richInput": {}}
    good = {"method": "POST", "url": "v66.0/sobjects/Task", "richInput": {"Subject": "x"}}
    body = {"haltOnError": halt, "batchRequests": [good, bad, good]}
    answer = api.call("POST", "composite/batch", body).json()
    assert ([one["statusCode"] for one in answer["results"]], answer["hasErrors"]) == (statuses, True)
    assert len(subjects(org)) == statuses.count(201)
    if halt:
        assert answer["results"][2]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"


@pytest.mark.documented(guess="the code of the refusal")
@pytest.mark.parametrize("url", ["v33.0/limits", "v67.0/limits", "v66.0/composite/sobjects"])
def test_a_batch_goes_no_further_than_its_own_version_and_its_resources(api: Api, url: str) -> None:
    (one,) = api.call("POST", "composite/batch", {"batchRequests": [{"method": "GET", "url": url}]}).json()["results"]
    assert (one["statusCode"], one["result"][0]["errorCode"]) == (400, "INVALID_INPUT")


def test_the_composite_resources_are_listed(api: Api) -> None:
    assert api.get("composite").json()["batch"] == f"{api.root}/composite/batch"
