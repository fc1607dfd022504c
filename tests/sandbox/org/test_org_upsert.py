"""Rows by key: upsert, parents named by their key, and the paths that lead from row to row."""

from __future__ import annotations

from typing import Any

import pytest

from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Api, Company

pytestmark = pytest.mark.documented("REST API Developer Guide, sObject Rows by External ID, sObject Relationships")


@pytest.fixture
def keyed(org: Org, company: Company) -> Org:
    """An org whose accounts have a unique key, and whose leads have one that repeats."""
    spec = {"fullName": "Ext__c", "type": "Text", "length": 20, "externalId": True}
    org.add_custom_field("Account", spec | {"unique": True})
    org.add_custom_field("Lead", spec)
    org.update("Account", company.account, {"Ext__c": "A-1"}, user_id=company.rep)
    return org


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()[0]["errorCode"]


def test_a_parent_is_named_by_its_key(api: Api, keyed: Org, company: Company) -> None:
    made = api.call("POST", "sobjects/Contact", {"LastName": "x", "Account": {"Ext__c": "a-1"}}).json()
    row = keyed.get("Contact", made["id"])
    assert row is not None
    assert row["AccountId"] == company.account
    assert api.call("PATCH", f"sobjects/Contact/{made['id']}", {"Account": None}).status_code == 204
    what = {"attributes": {"type": "Account"}, "Ext__c": "A-1"}
    task = api.call("POST", "sobjects/Task", {"What": what}).json()["id"]
    assert keyed.query(f"SELECT WhatId FROM Task WHERE Id = '{task}'") == [{"WhatId": company.account}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"Account": {"Ext__c": "nope"}}, "Foreign key external ID: nope not found for field Ext__c in entity Account"),
        ({"Account": {"Name": "x"}}, "Name does not match an External ID, Salesforce Id, or indexed field for Account"),
        ({"Account": {"Ext__c": "A-1"}, "AccountId": None}, "Cannot specify both an external ID reference Account"),
        ({"CreatedBy": {"Username": "x"}}, "Unable to create/update fields: CreatedById"),
    ],
)
def test_a_parent_that_is_not_found_by_its_key_is_refused(
    api: Api, keyed: Org, body: dict[str, Any], said: str
) -> None:
    answer = api.call("POST", "sobjects/Contact", {"LastName": "x", **body})
    assert answer.status_code == 400
    assert said in answer.json()[0]["message"]


def test_an_upsert_says_whether_it_created(api: Api, keyed: Org, company: Company) -> None:
    path = "sobjects/Account/Ext__c/B-1"
    first = api.call("PATCH", path, {"Name": "New"})
    again = api.call("PATCH", path, {"Site": "HQ"})
    assert (first.status_code, first.json()["created"]) == (201, True)
    assert (again.status_code, again.json()) == (200, {**first.json(), "created": False})
    assert api.call("DELETE", path).status_code == 204
    assert code(api.call("DELETE", path)) == (404, "NOT_FOUND")


def test_an_upsert_that_may_only_update_creates_nothing(api: Api, keyed: Org) -> None:
    answer = api.call("PATCH", "sobjects/Account/Ext__c/B-1", {"Name": "x"}, params={"updateOnly": "true"})
    assert code(answer) == (404, "NOT_FOUND")
    assert api.call("PATCH", "sobjects/Account/Ext__c/A-1?updateOnly=true", {"Site": "x"}).status_code == 200


@pytest.mark.parametrize("name", ["Ext__c", "ext__C", "Id"])
def test_the_key_is_not_repeated_in_the_body(api: Api, keyed: Org, name: str) -> None:
    answer = api.call("PATCH", "sobjects/Account/Ext__c/A-1", {name: "A-1"})
    assert code(answer) == (400, "INVALID_FIELD")


def test_a_key_that_several_rows_have_is_answered_with_their_addresses(api: Api, keyed: Org, company: Company) -> None:
    rows = [keyed.create("Lead", {"LastName": "x", "Company": "c", "Ext__c": "L"}, user_id=company.rep) for _ in "ab"]
    for method, body in (("PATCH", {"Title": "x"}), ("GET", None), ("DELETE", None)):
        answer = api.call(method, "sobjects/Lead/Ext__c/L", body)
        assert answer.status_code == 300
        assert answer.json() == [f"{api.root}/sobjects/Lead/{row}" for row in rows]
    records = [{"attributes": {"type": "Lead"}, "Ext__c": "L", "Title": "x"}]
    (row,) = api.call("PATCH", "composite/sobjects/Lead/Ext__c", {"records": records}).json()
    assert row["errors"][0]["statusCode"] == "DUPLICATE_EXTERNAL_ID"


def test_a_row_is_posted_to_the_key_id_and_patched_by_it(api: Api, keyed: Org, company: Company) -> None:
    made = api.call("POST", "sobjects/Account/Id", {"Name": "x"})
    assert (made.status_code, made.json()["created"]) == (201, True)
    assert api.call("PATCH", f"sobjects/Account/Id/{company.account}", {"Site": "x"}).status_code == 200
    gone = api.call("PATCH", "sobjects/Account/Id/0015e00000zzzzz", {"Site": "x"})
    assert code(gone) == (404, "NOT_FOUND")


@pytest.mark.parametrize(("setting", "succeed"), [("later_refused", [True, False]), ("all_refused", [False, False])])
def test_one_key_twice_in_a_request_refuses_the_later_or_all(
    api: Api, keyed: Org, setting: str, succeed: list[bool]
) -> None:
    keyed.change_settings({"repeated_upsert_key": setting})
    records = [{"attributes": {"type": "Account"}, "Ext__c": "N", "Name": name} for name in "ab"]
    rows = api.call("PATCH", "composite/sobjects/Account/Ext__c", {"records": records}).json()
    assert [row["success"] for row in rows] == succeed
    assert rows[1]["errors"][0] == {
        "statusCode": "DUPLICATE_VALUE",
        "message": "Duplicate external id specified: N",
        "fields": ["Ext__c"],
    }


def test_rolled_back_upserts_name_their_ids_and_rolled_back_inserts_do_not(api: Api, keyed: Org) -> None:
    good = {"attributes": {"type": "Account"}, "Ext__c": "N", "Name": "x"}
    body = {"allOrNone": True, "records": [good, {**good, "Ext__c": "M", "Name": None}]}
    for method, path, named in (
        ("PATCH", "composite/sobjects/Account/Ext__c", True),
        ("POST", "composite/sobjects", False),
    ):
        undone, refused = api.call(method, path, body).json()
        assert ("id" in undone, undone["errors"][0]["statusCode"]) == (named, "ALL_OR_NONE_OPERATION_ROLLED_BACK")
        assert refused["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"


@pytest.mark.documented(guess="that the whole call is refused, and its code")
def test_setup_objects_are_not_written_together_with_others(api: Api, company: Company) -> None:
    records = [
        {"attributes": {"type": "User"}, "id": company.rep, "Title": "x"},
        {"attributes": {"type": "Account"}, "id": company.account, "Site": "x"},
    ]
    assert code(api.call("PATCH", "composite/sobjects", {"records": records})) == (400, "MIXED_DML_OPERATION")


def test_a_row_of_another_object_is_no_row_of_a_collections_update(api: Api, company: Company) -> None:
    records = [{"attributes": {"type": "Contact"}, "id": company.account, "Title": "x"}]
    (row,) = api.call("PATCH", "composite/sobjects", {"records": records}).json()
    said = f"Contact ID: id value of incorrect type: {company.account}"
    assert row == {
        "success": False,
        "errors": [{"statusCode": "MALFORMED_ID", "message": said, "fields": ["Id"]}],
    }


def test_what_is_no_id_reads_as_null_in_a_collection(api: Api, company: Company) -> None:
    body = {"ids": ["nonsense", company.lead, company.contact], "fields": ["Id"]}
    answer = api.call("POST", "composite/sobjects/Contact", body).json()
    assert [one and one["Id"] for one in answer] == [None, None, company.contact]


def test_a_path_leads_to_the_parent_and_to_the_children(api: Api, org: Org, company: Company) -> None:
    parent = api.get(f"sobjects/Contact/{company.contact}/Account", fields="Name").json()
    assert (parent["Name"], parent["attributes"]["type"]) == ("Çelik Yapı A.Ş.", "Account")
    children = api.get(f"sobjects/Account/{company.account}/Contacts", fields="LastName").json()
    assert (children["totalSize"], children["done"]) == (2, True)
    assert {one["LastName"] for one in children["records"]} == {"Çelik", "Kaya"}
    assert api.get(f"sobjects/Account/{company.other_account}/Contacts").json()["records"] == []
    assert code(api.get(f"sobjects/Account/{company.account}/Parent")) == (404, "NOT_FOUND")
    assert code(api.get(f"sobjects/Account/{company.account}/Nope")) == (404, "NOT_FOUND")
    assert api.call("PATCH", f"sobjects/Contact/{company.contact}/Account", {"Site": "HQ"}).status_code == 204
    assert api.call("DELETE", f"sobjects/Contact/{company.contact}/Account").status_code == 204
    row = org.get("Account", company.account)
    assert row is not None
    assert (row["Site"], row["IsDeleted"]) == ("HQ", True)
