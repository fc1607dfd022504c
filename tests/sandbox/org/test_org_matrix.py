"""Every way of writing a row against every kind of refusal: the code is the same, its place differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Api, Company

pytestmark = pytest.mark.documented("REST API Developer Guide; SOAP API Developer Guide, StatusCode")
GOOD = {"LastName": "x", "Company": "c"}
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no such field": ({"Nope": 1}, "INVALID_FIELD"),
    "field not writable": ({"Name": "x"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
    "required field empty": ({"LastName": None}, "REQUIRED_FIELD_MISSING"),
    "text too long": ({"LastName": "x" * 81}, "STRING_TOO_LONG"),
    "no address": ({"Email": "x"}, "INVALID_EMAIL_ADDRESS"),
    "wrong type": ({"AnnualRevenue": "x"}, "JSON_PARSER_ERROR"),
    "number too large": ({"NumberOfEmployees": 10**8}, "NUMBER_OUTSIDE_VALID_RANGE"),
    "no id": ({"OwnerId": "x"}, "MALFORMED_ID"),
    "id of another object": ({"OwnerId": "{account}"}, "MALFORMED_ID"),
    "inactive owner": ({"OwnerId": "{leaver}"}, "INACTIVE_OWNER_OR_USER"),
    "key of another row": ({"Ext__c": "taken"}, "DUPLICATE_VALUE"),
    "validation rule": ({"Title": "Nobody"}, "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
    "duplicate rule": ({"Email": "oz@oz.example", "Title": "twin"}, "DUPLICATES_DETECTED"),
}
Way = Callable[[Api, str, dict[str, Any]], str]


def single_create(api: Api, _lead: str, fields: dict[str, Any]) -> str:
    answer = api.call("POST", "sobjects/Lead", GOOD | fields)
    assert answer.status_code == 400
    return answer.json()[0]["errorCode"]


def single_update(api: Api, lead: str, fields: dict[str, Any]) -> str:
    answer = api.call("PATCH", f"sobjects/Lead/{lead}", fields)
    assert answer.status_code == 400
    return answer.json()[0]["errorCode"]


def upsert(api: Api, _lead: str, fields: dict[str, Any]) -> str:
    answer = api.call("PATCH", "sobjects/Lead/Other__c/new", GOOD | fields)
    assert answer.status_code == 400
    return answer.json()[0]["errorCode"]


def collection(method: str, path: str) -> Way:
    def way(api: Api, lead: str, fields: dict[str, Any]) -> str:
        row = {"attributes": {"type": "Lead"}, **GOOD, **fields}
        row |= {"Other__c": "new"} if path.endswith("Other__c") else {"id": lead} if method == "PATCH" else {}
        answer = api.call(method, path, {"records": [row]})
        assert answer.status_code == 200
        assert answer.json()[0]["success"] is False
        return answer.json()[0]["errors"][0]["statusCode"]

    return way


def composite(api: Api, _lead: str, fields: dict[str, Any]) -> str:
    part = {"method": "POST", "url": f"{api.root}/sobjects/Lead", "referenceId": "a", "body": GOOD | fields}
    (answer,) = api.call("POST", "composite", {"compositeRequest": [part]}).json()["compositeResponse"]
    assert answer["httpStatusCode"] == 400
    return answer["body"][0]["errorCode"]


WAYS: dict[str, Way] = {
    "single create": single_create,
    "single update": single_update,
    "upsert": upsert,
    "Collections create": collection("POST", "composite/sobjects"),
    "Collections update": collection("PATCH", "composite/sobjects"),
    "Collections upsert": collection("PATCH", "composite/sobjects/Lead/Other__c"),
    "Composite": composite,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_has_its_code_by_whatever_way_the_row_is_written(
    api: Api, org: Org, company: Company, way: str
) -> None:
    key = {"type": "Text", "length": 20, "externalId": True, "unique": True}
    org.add_custom_field("Lead", key | {"fullName": "Ext__c"})
    org.add_custom_field("Lead", key | {"fullName": "Other__c"})
    when = {"field": "Title", "is": "Nobody"}
    org.declare(
        {
            "validation_rules": [{"name": "v", "object": "Lead", "when": when, "message": "No."}],
            "duplicate_rules": [{"name": "d", "object": "Lead", "match": ["Email", "Title"]}],
        }
    )
    org.create("Lead", GOOD | {"Ext__c": "taken", "Email": "oz@oz.example", "Title": "twin"}, user_id=company.rep)
    before = org.query("SELECT Id, SystemModstamp FROM Lead")
    ids = {"account": company.account, "leaver": company.leaver}
    found = {
        fault: WAYS[way](
            api,
            company.lead,
            {name: value.format(**ids) if isinstance(value, str) else value for name, value in fields.items()},
        )
        for fault, (fields, _) in FAULTS.items()
    }
    assert found == {fault: code for fault, (_, code) in FAULTS.items()}
    assert org.query("SELECT Id, SystemModstamp FROM Lead") == before
