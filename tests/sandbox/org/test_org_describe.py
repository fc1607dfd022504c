"""describe against the bodies of real orgs, attribute by attribute, and conditional requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org.describe import describe, global_describe
from leakwatch.sandbox.org.facade import Org, OrgSettings
from sandbox.org.org_kit import Api, Clock

pytestmark = pytest.mark.documented(
    "REST API Developer Guide, Describe Global, sObject Describe; SOAP API Developer Guide, describeSObjects"
)

REAL: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "describe.json").read_text(encoding="utf-8"))
OBJECTS: dict[str, Any] = REAL["objects"]
FEATURE_BEHIND = {"DandbCompanyId": "Data.com", "OperatingHoursId": "Field Service", "IndividualId": "data privacy"}
FEATURE_BEHIND["PersonIndividualId"] = "data privacy"
"""Fields of the real bodies that come with features the sandbox has not got."""
FEWER_TARGETS = {("Event", "WhatId"), ("Event", "OwnerId")}
"""References to more objects than the sandbox has."""
FEATURE_BEHIND_CHILD = {"AccountContactRelation": "contacts to several accounts", "Quote": "quotes", "Order": "orders"}
"""Children that the bodies' orgs have not, or not on all their objects."""


def body_of(org: Org, name: str) -> dict[str, Any]:
    return describe(org.schema, org.store, org.schema.objects[name], "66.0", "https://org.example")


@pytest.mark.parametrize("name", OBJECTS)
def test_every_attribute_of_every_standard_field_is_what_a_real_org_answers(org: Org, name: str) -> None:
    assert differences(name, body_of(org, name)["fields"], OBJECTS[name]["fields"]) == []


def differences(name: str, described: list[dict[str, Any]], real: list[dict[str, Any]]) -> list[Any]:
    """(field, attribute, real, ours) of what is not the same; a field that is missing as a whole."""
    ours = {field["name"]: shown(field) for field in described}
    present = [field for field in real if field["name"] in ours]
    missing = [field["name"] for field in real if field["name"] not in {*ours, *FEATURE_BEHIND}]
    return missing + [
        (field["name"], key, field.get(key), said)
        for field in present
        for key, said in ours[field["name"]].items()
        if field.get(key) != said and not (key == "referenceTo" and (name, field["name"]) in FEWER_TARGETS)
    ]


def shown(field: dict[str, Any]) -> dict[str, Any]:
    """A field as the test's data writes it: None for what is false, null, 0 or empty."""
    body = {key: value if value not in (False, 0, [], "") else None for key, value in field.items()}
    if field["defaultValue"] is False:
        body["defaultValue"] = False
    values = [[one["value"], one["label"], one["defaultValue"]] for one in field["picklistValues"]]
    return body | {"picklistValues": values[:40] or None}


@pytest.mark.parametrize("name", OBJECTS)
def test_the_object_has_every_key_flag_and_address_of_a_real_body(org: Org, name: str) -> None:
    ours, real = body_of(org, name), OBJECTS[name]
    assert set(real["keys"]) - set(ours) == set()
    assert {key: value for key, value in ours.items() if value and key in real["object"]} == real["object"]
    lists = ("fields", "childRelationships", "recordTypeInfos", "urls", "sobjectDescribeOption")
    assert {key for key, value in ours.items() if value not in (False, None, []) and key not in lists} == set(
        real["object"]
    )
    assert sorted(ours["urls"]) == real["urls"]
    assert all(sorted(field) == REAL["fieldKeys"] for field in ours["fields"])


@pytest.mark.parametrize("name", OBJECTS)
def test_child_relationships_are_those_of_a_real_body_as_far_as_the_objects_exist(org: Org, name: str) -> None:
    real = {(child, field): more for child, field, *more in OBJECTS[name]["children"]}
    for child in body_of(org, name)["childRelationships"]:
        key = (child["childSObject"], child["field"])
        if key in real:
            assert [child["relationshipName"], child["cascadeDelete"], child["restrictedDelete"]] == real[key], key
        else:
            assert key[0] in FEATURE_BEHIND_CHILD, key


def test_describe_global_says_of_each_object_what_a_real_org_says(org: Org) -> None:
    listed = {one["name"]: one for one in global_describe(org.schema, "66.0")["sobjects"]}
    assert all(sorted(one) == REAL["globalKeys"] for one in listed.values())
    for name, real in REAL["global"].items():
        ours = listed[name]
        assert {**real, "on": sorted(key for key, value in ours.items() if value is True)} == real, name
        assert (ours["keyPrefix"], ours["labelPlural"], sorted(ours["urls"])) == (
            *(real["keyPrefix"], real["labelPlural"]),
            real["urls"],
        )
    assert listed["AccountHistory"]["keyPrefix"] is None
    assert (listed["CaseHistory"]["associateEntityType"], listed["CaseHistory"]["associateParentEntity"]) == (
        "History",
        "Case",
    )


def test_describe_is_not_sent_again_while_nothing_was_deployed(api: Api, project: Path, clock: Clock) -> None:
    first = api.get("sobjects/Task/describe")
    stamp = first.headers["Last-Modified"]
    assert (first.status_code, stamp) == (200, "Mon, 02 Mar 2026 09:00:30 GMT")
    clock.advance(hours=1)
    same = api.call("GET", "sobjects/Task/describe", headers={"If-Modified-Since": stamp})
    assert (same.status_code, same.content) == (304, b"")
    assert api.call("GET", "sobjects", headers={"If-Modified-Since": stamp}).status_code == 304
    api.org.deploy(project)
    for path in ("sobjects/Task/describe", "sobjects/Account/describe", "sobjects"):
        changed = api.call("GET", path, headers={"If-Modified-Since": stamp})
        assert (changed.status_code, changed.headers["Last-Modified"]) == (200, "Mon, 02 Mar 2026 10:00:30 GMT")
    refused = api.call("GET", "sobjects/Task/describe", headers={"If-Unmodified-Since": stamp})
    assert refused.status_code == 412
    assert api.call("GET", "sobjects", headers={"If-Modified-Since": "yesterday"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("describe/layouts", "page layouts"),
        ("describe/layouts/012000000000000AAA", "page layouts"),
        ("describe/compactLayouts", "compact layouts"),
        ("describe/approvalLayouts", "approval layouts"),
        ("listviews", "list views"),
        ("quickActions", "quick actions"),
    ],
)
def test_what_describe_links_to_without_emulation_says_so_by_name(api: Api, path: str, what: str) -> None:
    answer = api.get(f"sobjects/Account/{path}")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (501, "SANDBOX_NOT_EMULATED")
    assert what in answer.json()[0]["message"]


def test_an_org_with_person_accounts_shows_their_fields(tmp_path: Path) -> None:
    org = Org(tmp_path / "org", Clock(), settings=OrgSettings(person_accounts=True))
    assert differences("Account", body_of(org, "Account")["fields"], REAL["personAccountFields"]) == []
    assert "IsPersonAccount" in {field["name"] for field in body_of(org, "Contact")["fields"]}
    org.close()
