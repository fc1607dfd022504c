"""The data API: versions, limits, describe, queries with pages, single rows, posts."""

from __future__ import annotations

from pathlib import Path

import pytest

from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Api, Clock, Company

pytestmark = pytest.mark.documented("REST API Developer Guide, Reference")


def many_leads(org: Org, company: Company, count: int) -> None:
    org.seed("Lead", ({"LastName": f"L{i:05}", "Company": "c", "OwnerId": company.rep} for i in range(count)))


# -- around the calls -----------------------------------------------------------------------------------


def test_versions_are_listed_without_a_session(api: Api) -> None:
    del api.http.headers["Authorization"]
    listed = api.http.get("/services/data/").json()
    labels = {one["version"]: one["label"] for one in listed}
    assert (labels["66.0"], labels["65.0"], labels["31.0"]) == ("Spring '26", "Winter '26", "Summer '14")
    assert api.http.get("/services/data/v66.0/limits").status_code == 401


@pytest.mark.parametrize(("version", "status"), [("v51.0", 200), ("v68.0", 200), ("v30.0", 410), ("v69.0", 404)])
def test_any_living_version_works_and_retired_ones_are_gone(api: Api, version: str, status: int) -> None:
    answer = api.http.get(f"/services/data/{version}/limits")
    assert answer.status_code == status
    if status == 410:
        assert answer.json()[0]["errorCode"] == "GONE"


def test_every_answer_carries_usage_and_the_orgs_own_time(api: Api) -> None:
    first, second = api.get("limits"), api.query("SELECT Nope FROM Lead")
    assert (first.headers["Sforce-Limit-Info"], second.headers["Sforce-Limit-Info"]) == (
        "api-usage=1/100000",
        "api-usage=2/100000",
    )
    assert second.status_code == 400
    assert first.headers["Date"] == "Mon, 02 Mar 2026 09:00:30 GMT"
    assert first.json()["DailyApiRequests"] == {"Max": 100_000, "Remaining": 99_999}


def test_the_daily_limit_refuses_and_rolls_on(api: Api, org: Org, clock: Clock) -> None:
    org.settings.daily_api_limit = 2
    assert [api.get("limits").status_code for _ in range(3)] == [200, 200, 403]
    refused = api.get("limits")
    assert refused.json() == [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    assert refused.headers["Sforce-Limit-Info"] == "api-usage=2/2"
    clock.advance(hours=25)
    assert api.get("limits").status_code == 200


def test_long_addresses_are_refused_at_the_edge(api: Api) -> None:
    soql = "SELECT Id FROM Lead WHERE Name IN (" + ",".join("'x'" for _ in range(6000)) + ")"
    assert api.query(soql).status_code == 414
    assert api.call("GET", "limits", headers={"X-Long": "x" * 17_000}).status_code == 431


@pytest.mark.parametrize("path", ["composite/tree/Lead", "composite/graph", "tooling/query", "chatter/feeds", "search"])
def test_what_is_not_emulated_is_named(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (501, "SANDBOX_NOT_EMULATED")


def test_unknown_paths_methods_and_bodies_are_refused(api: Api) -> None:
    assert api.get("nowhere").json()[0]["errorCode"] == "NOT_FOUND"
    assert api.call("PUT", "sobjects/Lead").status_code == 405
    raw = api.http.post(f"{api.root}/sobjects/Lead", content=b"{", headers={"Content-Type": "application/json"})
    assert (raw.status_code, raw.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
    form = api.http.post(f"{api.root}/sobjects/Lead", data={"LastName": "x"})
    assert (form.status_code, form.json()[0]["errorCode"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


# -- describe -------------------------------------------------------------------------------------------


def test_describe_tells_the_facts_that_clients_check(api: Api, org: Org, project: Path) -> None:
    org.deploy(project)
    fields = {one["name"]: one for one in api.get("sobjects/EmailMessage/describe").json()["fields"]}
    key = fields["Leakwatch_Key__c"]
    assert (key["type"], key["length"], key["unique"], key["externalId"], key["caseSensitive"]) == (
        "string",
        64,
        True,
        True,
        True,
    )
    assert (fields["MessageIdentifier"]["idLookup"], fields["MessageIdentifier"]["unique"]) == (True, False)
    lead = {one["name"]: one for one in api.get("sobjects/lead/describe").json()["fields"]}
    assert (lead["Description"]["filterable"], lead["OwnerId"]["referenceTo"]) == (False, ["Group", "User"])
    assert lead["Status"]["picklistValues"][0]["value"] == "Open - Not Contacted"
    deal = api.get("sobjects/Opportunity/describe").json()
    kids = {one["relationshipName"]: one["childSObject"] for one in deal["childRelationships"]}
    assert kids["OpportunityHistories"] == "OpportunityHistory"
    assert api.get("sobjects/Nope/describe").status_code == 404


def test_describe_global_lists_the_objects_with_their_prefixes(api: Api) -> None:
    listed = {one["name"]: one for one in api.get("sobjects").json()["sobjects"]}
    assert (listed["Lead"]["keyPrefix"], listed["Task"]["keyPrefix"]) == ("00Q", "00T")
    assert listed["OpportunityHistory"]["createable"] is False
    assert "CurrencyType" not in listed


# -- queries --------------------------------------------------------------------------------------------


def test_a_record_names_its_type_and_address_in_the_version_asked_for(api: Api, company: Company) -> None:
    soql = f"SELECT Id, IsConverted, Owner.Name FROM Lead WHERE Id = '{company.lead}'"
    answer = api.http.get("/services/data/v61.0/query/", params={"q": soql}).json()
    assert answer == {
        "totalSize": 1,
        "done": True,
        "records": [
            {
                "attributes": {"type": "Lead", "url": f"/services/data/v61.0/sobjects/Lead/{company.lead}"},
                "Id": company.lead,
                "IsConverted": False,
                "Owner": {
                    "attributes": {"type": "Name", "url": f"/services/data/v61.0/sobjects/User/{company.rep}"},
                    "Name": "Jane Doe",
                },
            }
        ],
    }


def test_pages_come_one_after_the_other_without_gap_or_repeat(api: Api, org: Org, company: Company) -> None:
    many_leads(org, company, 1100)
    soql = "SELECT LastName FROM Lead WHERE Company = 'c' ORDER BY LastName DESC"
    page = api.query(soql, **{"Sforce-Query-Options": "batchSize=500"}).json()
    seen, sizes = [], []
    while True:
        seen += [one["LastName"] for one in page["records"]]
        sizes.append(len(page["records"]))
        assert page["totalSize"] == 1100
        if page["done"]:
            break
        headers = {"Sforce-Query-Options": "batchSize=500"}
        page = api.http.get(page["nextRecordsUrl"], headers=headers).json()
    assert sizes == [500, 500, 100]
    assert seen == [f"L{i:05}" for i in reversed(range(1100))]


def test_a_page_has_at_least_two_hundred_rows_however_few_are_asked_for(api: Api, org: Org, company: Company) -> None:
    many_leads(org, company, 300)
    page = api.query("SELECT Id FROM Lead", **{"Sforce-Query-Options": "batchSize=1"}).json()
    assert len(page["records"]) == 200


def test_children_count_towards_the_page(api: Api, org: Org, company: Company) -> None:
    org.settings.page_size = 4
    org.seed("Contact", [{"LastName": f"x{i}", "AccountId": company.other_account} for i in range(3)])
    page = api.query("SELECT Id, (SELECT Id FROM Contacts) FROM Account").json()
    assert (page["totalSize"], page["done"], len(page["records"])) == (2, False, 1)
    rest = api.http.get(page["nextRecordsUrl"]).json()
    assert (rest["done"], len(rest["records"])) == (True, 1)
    assert page["records"][0]["Id"] != rest["records"][0]["Id"]


def test_a_locator_lives_two_days_and_nonsense_is_refused(api: Api, org: Org, company: Company, clock: Clock) -> None:
    many_leads(org, company, 300)
    org.settings.page_size = 200
    next_page = api.query("SELECT Id FROM Lead").json()["nextRecordsUrl"]
    clock.advance(hours=47)
    assert api.http.get(next_page).status_code == 200
    clock.advance(hours=2)
    late = api.http.get(next_page)
    assert (late.status_code, late.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")
    assert api.get("query/01gRO0000016PIAYA2-500").json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_query_all_pages_on_under_query_and_goes_on_showing_the_deleted(api: Api, org: Org, company: Company) -> None:
    many_leads(org, company, 250)
    org.settings.page_size = 200
    for one in org.query("SELECT Id FROM Lead WHERE LastName LIKE 'L%' ORDER BY Id DESC LIMIT 5"):
        org.delete("Lead", one["Id"], user_id=company.rep)
    first = api.query("SELECT Id, IsDeleted FROM Lead ORDER BY Id", resource="queryAll").json()
    assert "/query/" in first["nextRecordsUrl"]
    rest = api.http.get(first["nextRecordsUrl"]).json()
    assert sum(one["IsDeleted"] for one in rest["records"]) == 5


# -- single rows ----------------------------------------------------------------------------------------


def test_a_row_is_created_read_changed_and_deleted(api: Api, company: Company) -> None:
    made = api.call("POST", "sobjects/Lead", {"LastName": "Şen", "Company": "Ş"})
    record_id = made.json()["id"]
    assert (made.status_code, made.json()) == (201, {"id": record_id, "success": True, "errors": []})
    assert made.headers["Location"] == f"{api.root}/sobjects/Lead/{record_id}"
    assert api.call("PATCH", f"sobjects/Lead/{record_id}", {"Title": "CEO"}).status_code == 204
    read = api.get(f"sobjects/Lead/{record_id}", fields="LastName,Title").json()
    assert (read["LastName"], read["Title"], read["Id"]) == ("Şen", "CEO", record_id)
    assert api.call("DELETE", f"sobjects/Lead/{record_id}").status_code == 204
    gone = api.get(f"sobjects/Lead/{record_id}")
    assert (gone.status_code, gone.json()[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")


def test_upsert_creates_then_updates_and_refuses_its_key_in_the_body(api: Api, org: Org, project: Path) -> None:
    org.deploy(project)
    path = "sobjects/Task/Leakwatch_Key__c/abc"
    made = api.call("PATCH", path, {"Subject": "one"})
    again = api.call("PATCH", path, {"Subject": "two"})
    assert (made.status_code, made.json()["created"]) == (201, True)
    assert (again.status_code, again.json()["created"], again.json()["id"]) == (200, False, made.json()["id"])
    assert org.query("SELECT Subject, Leakwatch_Key__c FROM Task") == [{"Subject": "two", "Leakwatch_Key__c": "abc"}]
    repeated = api.call("PATCH", path, {"Leakwatch_Key__c": "abc"})
    assert (repeated.status_code, repeated.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    old = api.http.patch("/services/data/v45.0/sobjects/Task/Leakwatch_Key__c/abc", json={"Subject": "three"})
    assert old.status_code == 204


def test_upsert_by_what_is_no_key_or_matches_several(api: Api, org: Org, company: Company) -> None:
    unknown = api.call("PATCH", "sobjects/Task/Subject/x", {})
    assert (unknown.status_code, unknown.json()[0]["errorCode"]) == (404, "NOT_FOUND")
    for _ in range(2):
        org.create("EmailMessage", {"Status": "3", "MessageIdentifier": "<m@x>"}, user_id=company.rep)
    several = api.call("PATCH", "sobjects/EmailMessage/MessageIdentifier/%3Cm%40x%3E", {"IsExternallyVisible": True})
    assert several.status_code == 300
    assert len(several.json()) == 2
    assert several.json()[0].startswith(f"{api.root}/sobjects/EmailMessage/02s")


def test_values_that_end_like_a_host_are_not_found(api: Api) -> None:
    answer = api.call("PATCH", "sobjects/EmailMessage/MessageIdentifier/a@mail.inc", {"Status": "3"})
    assert answer.status_code == 404


# -- what changed ---------------------------------------------------------------------------------------


def test_changed_and_deleted_rows_can_be_asked_for_by_window(
    api: Api, org: Org, company: Company, clock: Clock
) -> None:
    org.update("Lead", company.lead, {"Title": "x"}, user_id=company.rep)
    org.delete("Contact", company.colleague, user_id=company.rep)
    clock.advance(minutes=10)
    window = {"start": "2026-03-02T08:00:00+00:00", "end": "2026-03-02T09:05:00Z"}
    changed = api.get("sobjects/Lead/updated/", **window).json()
    assert changed == {"ids": [company.lead], "latestDateCovered": "2026-03-02T09:05:00.000+0000"}
    deleted = api.get("sobjects/Contact/deleted/", **window).json()
    assert deleted["deletedRecords"] == [{"id": company.colleague, "deletedDate": "2026-03-02T09:00:30.000+0000"}]
    early = api.get("sobjects/Lead/updated/", start="2026-01-01T00:00:00Z", end="2026-03-02T09:05:00Z")
    assert (early.status_code, early.json()[0]["errorCode"]) == (400, "INVALID_REPLICATION_DATE")


def test_rows_deleted_for_good_are_shown_by_the_delete_log_alone(
    api: Api, org: Org, company: Company, clock: Clock
) -> None:
    org.delete("Lead", company.lead, user_id=company.rep)
    org.purge("Lead", [company.lead])  # out of the bin
    org.purge("Contact", [company.colleague])  # past it
    clock.advance(minutes=10)
    window = {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T09:05:00Z"}
    for sobject, record in (("Lead", company.lead), ("Contact", company.colleague)):
        assert (
            api.query(f"SELECT Id FROM {sobject} WHERE Id = '{record}'", resource="queryAll").json()["totalSize"] == 0
        )
        deleted = api.get(f"sobjects/{sobject}/deleted/", **window).json()["deletedRecords"]
        assert [entry["id"] for entry in deleted] == [record]


def test_an_open_transaction_keeps_deletions_from_counting_as_covered(api: Api, org: Org, clock: Clock) -> None:
    org.change_settings({"open_transaction_minutes": 45})
    clock.advance(minutes=10)
    window = {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T09:05:00Z"}
    for kind in ("updated", "deleted"):
        answer = api.get(f"sobjects/Lead/{kind}/", **window).json()
        assert answer["latestDateCovered"] == "2026-03-02T08:25:00.000+0000"


# -- posts ----------------------------------------------------------------------------------------------


@pytest.mark.documented(guess="the codes of the refusals")
def test_posts_are_made_one_per_input_and_fail_one_by_one(api: Api, org: Org, company: Company) -> None:
    inputs = [
        {"subjectNameOrId": company.deal, "text": f"Merhaba @[{company.rep}] #[leak]"},
        {"subjectNameOrId": "0065e00000zzzzzAAA", "text": "x"},
        {"subjectNameOrId": company.deal, "text": "x" * 10_001},
    ]
    answers = api.call("POST", "actions/standard/chatterPost", {"inputs": inputs}).json()
    assert [one["isSuccess"] for one in answers] == [True, False, False]
    assert answers[2]["errors"][0]["statusCode"] == "STRING_TOO_LONG"
    (post,) = org.query("SELECT Id, ParentId, Body, CreatedById FROM FeedItem")
    assert post == {
        "Id": answers[0]["outputValues"]["feedItemId"],
        "ParentId": company.deal,
        "Body": "Merhaba @Jane Doe #leak",
        "CreatedById": company.rep,
    }
