"""Deploying an SFDX project with custom objects: what it brings, and how it is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.metadata import MetadataError
from sandbox.org.org_kit import Api, Clock, Company

pytestmark = pytest.mark.documented("Metadata API Developer Guide, CustomObject, CustomField, PermissionSet")

NS = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
OBJECT = """<CustomObject {ns}><label>{label}</label><pluralLabel>{label}s</pluralLabel>
<nameField><label>Name</label><type>{kind}</type><displayFormat>{fmt}</displayFormat></nameField>
<sharingModel>ReadWrite</sharingModel><enableActivities>{active}</enableActivities><enableHistory>{active}</enableHistory>
</CustomObject>"""
VALUES = """<valueSet><restricted>true</restricted><valueSetDefinition><sorted>false</sorted>
<value><fullName>Red</fullName><default>true</default><label>Rot</label></value>
<value><fullName>Blue</fullName><default>false</default><label>Blau</label></value></valueSetDefinition></valueSet>"""
FIELDS = {
    "Partner__c.Account__c": "<type>Lookup</type><referenceTo>Account</referenceTo>"
    "<relationshipName>Partners</relationshipName><relationshipLabel>Partners</relationshipLabel>",
    "Partner__c.Number__c": "<type>AutoNumber</type><displayFormat>P-{0000}</displayFormat>",
    "Partner__c.Opens__c": "<type>Time</type>",
    "Partner__c.Colours__c": f"<type>MultiselectPicklist</type><visibleLines>3</visibleLines>{VALUES}",
    "Partner__c.Colour__c": f"<type>Picklist</type>{VALUES}",
    "Partner__c.Story__c": "<type>Html</type><length>32768</length><visibleLines>10</visibleLines>",
    "Partner__c.Rate__c": "<type>Number</type><precision>6</precision><scale>2</scale>"
    "<trackHistory>true</trackHistory>",
    "Partner_Fee__c.Partner__c": "<type>MasterDetail</type><referenceTo>Partner__c</referenceTo>"
    "<relationshipName>Fees</relationshipName><relationshipOrder>0</relationshipOrder>",
}
PERMISSIONS = f"""<PermissionSet {NS}><label>P</label>
<fieldPermissions><editable>false</editable><field>Partner__c.Rate__c</field><readable>true</readable></fieldPermissions>
<objectPermissions><allowRead>true</allowRead><object>Partner__c</object></objectPermissions></PermissionSet>"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with an object, its detail, their fields and a permission set."""
    folder = tmp_path_factory.mktemp("sfdx")
    main = folder / "force-app/main/default"
    for name, kind, active in (("Partner__c", "Text", "true"), ("Partner_Fee__c", "AutoNumber", "false")):
        home = main / "objects" / name
        (home / "fields").mkdir(parents=True)
        label = name.removesuffix("__c").replace("_", " ")
        text = OBJECT.format(ns=NS, label=label, kind=kind, fmt="F-{000}", active=active)
        (home / f"{name}.object-meta.xml").write_text(text, encoding="utf-8")
    for key, body in FIELDS.items():
        sobject, name = key.split(".")
        write_field(main, sobject, name, body)
    (main / "permissionsets").mkdir()
    (main / "permissionsets/Sales.permissionset-meta.xml").write_text(PERMISSIONS, encoding="utf-8")
    return folder


def write_field(main: Path, sobject: str, name: str, body: str) -> Path:
    home = main / "objects" / sobject / "fields"
    home.mkdir(parents=True, exist_ok=True)
    path = home / f"{name}.field-meta.xml"
    text = f"<CustomField {NS}><fullName>{name}</fullName><label>{name[:-3]}</label>{body}</CustomField>"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def custom(org: Org, company: Company, files: Path) -> Api:
    org.deploy(files)
    return Api(org, company.rep)


def test_a_deployed_object_is_described_written_and_queried_like_any_other(custom: Api, company: Company) -> None:
    body = custom.get("sobjects/Partner__c/describe").json()
    fields = {field["name"]: field for field in body["fields"]}
    assert (body["keyPrefix"], body["custom"], body["labelPlural"]) == ("a01", True, "Partners")
    assert (fields["Account__c"]["relationshipName"], fields["Account__c"]["referenceTo"]) == (
        "Account__r",
        ["Account"],
    )
    assert fields["Number__c"]["autoNumber"]
    assert not fields["Number__c"]["createable"]
    assert (fields["Story__c"]["htmlFormatted"], fields["Story__c"]["filterable"]) == (True, False)
    assert [one["label"] for one in fields["Colour__c"]["picklistValues"]] == ["Rot", "Blau"]
    made = custom.call(
        "POST",
        "sobjects/Partner__c",
        {"Name": "Acme", "Account__c": company.account, "Rate__c": 7.5, "Opens__c": "09:30:00Z"},
    )
    assert (made.status_code, made.json()["id"][:3]) == (201, "a01")
    soql = "SELECT Name, Number__c, Colour__c, Opens__c, Account__r.Name, Owner.Name FROM Partner__c WHERE Rate__c > 7"
    row = custom.query(soql).json()["records"][0]
    assert (row["Number__c"], row["Colour__c"], row["Opens__c"]) == ("P-0001", "Red", "09:30:00.000Z")
    assert row["Account__r"]["Name"] == "Çelik Yapı A.Ş."
    children = custom.query(f"SELECT (SELECT Name FROM Partners__r) FROM Account WHERE Id = '{company.account}'").json()
    assert [one["Name"] for one in children["records"][0]["Partners__r"]["records"]] == ["Acme"]


def test_a_detail_has_no_owner_and_goes_with_its_master(custom: Api) -> None:
    described = custom.get("sobjects/Partner_Fee__c/describe").json()
    fields = {field["name"]: field for field in described["fields"]}
    assert "OwnerId" not in fields
    master = fields["Partner__c"]
    assert (master["cascadeDelete"], master["nillable"], master["updateable"], master["relationshipOrder"]) == (
        *(True, False, False),
        0,
    )
    partner = custom.call("POST", "sobjects/Partner__c", {}).json()["id"]
    missing = custom.call("POST", "sobjects/Partner_Fee__c", {}).json()[0]
    assert missing["errorCode"] == "REQUIRED_FIELD_MISSING"
    fee = custom.call("POST", "sobjects/Partner_Fee__c", {"Partner__c": partner}).json()["id"]
    assert custom.query("SELECT Name, Partner__r.Name FROM Partner_Fee__c").json()["records"][0]["Name"] == "F-001"
    assert custom.get(f"sobjects/Partner__c/{partner}").json()["Name"] == partner[:15]
    custom.call("DELETE", f"sobjects/Partner__c/{partner}")
    assert custom.get(f"sobjects/Partner_Fee__c/{fee}").status_code == 404


def test_a_queue_may_own_rows_of_a_custom_object_once_it_serves_it(custom: Api, company: Company) -> None:
    partner = custom.call("POST", "sobjects/Partner__c", {}).json()["id"]
    refused = custom.call("PATCH", f"sobjects/Partner__c/{partner}", {"OwnerId": company.queue})
    assert refused.status_code == 400
    link = {"QueueId": company.queue, "SobjectType": "Partner__c"}
    assert custom.call("POST", "sobjects/QueueSobject", link).status_code == 201
    assert custom.call("PATCH", f"sobjects/Partner__c/{partner}", {"OwnerId": company.queue}).status_code == 204


def test_an_object_with_activities_and_history_has_both_relationships(custom: Api) -> None:
    partner = custom.call("POST", "sobjects/Partner__c", {"Name": "Acme"}).json()["id"]
    task = custom.call("POST", "sobjects/Task", {"Subject": "Call", "WhatId": partner})
    assert task.status_code == 201
    record = custom.query("SELECT What.Name, What.Type FROM Task").json()["records"][0]
    assert (record["What"]["Name"], record["What"]["Type"]) == ("Acme", "Partner__c")
    described = custom.get("sobjects/Partner__c/describe").json()
    children = {(one["childSObject"], one["relationshipName"]) for one in described["childRelationships"]}
    assert {("Task", "Tasks"), ("Partner__History", "Histories"), ("Partner_Fee__c", "Fees__r")} <= children
    (made,) = custom.query("SELECT Field, OldValue FROM Partner__History").json()["records"]
    assert (made["Field"], made["OldValue"]) == ("created", None)
    listed = {one["name"]: one for one in custom.get("sobjects").json()["sobjects"]}
    assert listed["Partner__History"]["associateParentEntity"] == "Partner__c"


def test_custom_objects_outlive_a_restart_and_a_second_deployment(
    custom: Api, files: Path, tmp_path: Path, clock: Clock
) -> None:
    custom.call("POST", "sobjects/Partner__c", {"Name": "Acme"})
    custom.org.deploy(files)
    custom.org.save(tmp_path / "kept")
    again = Org(tmp_path / "kept", clock, settings=custom.org.settings)
    assert again.query("SELECT Name, Rate__c FROM Partner__c") == [{"Name": "Acme", "Rate__c": None}]
    assert again.schema.objects["Partner_Fee__c"].prefix == "a00"
    granted = again.permission_set("Sales") or {}
    assert granted["fieldPermissions"] == [{"editable": False, "field": "Partner__c.Rate__c", "readable": True}]
    assert again.permission_set("Other") is None
    again.close()


BROKEN: list[tuple[str, str, str]] = [
    ("<type>Text</type>", "length", "is required for the type Text"),
    ("<type>Text</type><length>300</length>", "length", "must be between 1 and 255"),
    ("<type>Text</type><length>many</length>", "length", "many is no whole number"),
    ("<type>Number</type><precision>19</precision><scale>2</scale>", "precision", "at most 18"),
    ("<type>Checkbox</type>", "defaultValue", "is required"),
    ("<type>Picklist</type>", "valueSet", "is required"),
    ("<type>Date</type><unique>true</unique>", "unique", "is not for the type Date"),
    ("<type>Date</type><colour>red</colour>", "colour", "is no element of a CustomField"),
    ("<type>AutoNumber</type><displayFormat>A</displayFormat>", "displayFormat", "needs a format"),
    ("<type>Lookup</type><referenceTo>Nowhere__c</referenceTo>", "referenceTo", "there is no object Nowhere__c"),
    (
        "<type>Lookup</type><referenceTo>Account</referenceTo><relationshipName>Partners</relationshipName>",
        *("relationshipName", "has a child relationship Partners__r already"),
    ),
    (
        "<type>MasterDetail</type><referenceTo>Account</referenceTo><relationshipName>X</relationshipName>",
        *("type", "only custom objects"),
    ),
]


@pytest.mark.parametrize(("body", "element", "said"), BROKEN)
def test_what_does_not_deploy_names_file_and_element_and_changes_nothing(
    org: Org, files: Path, tmp_path: Path, body: str, element: str, said: str
) -> None:
    shutil.copytree(files, tmp_path / "sfdx")
    sobject = "Opportunity" if "MasterDetail" in body else "Partner__c"
    path = write_field(tmp_path / "sfdx/force-app/main/default", sobject, "Zero__c", body)
    with pytest.raises(MetadataError) as refused:
        org.deploy(tmp_path / "sfdx")
    assert f"{path}: {element}: " in refused.value.message
    assert said in refused.value.message
    assert "Partner__c" not in org.schema.objects


@pytest.mark.parametrize(
    ("sobject", "body", "what"),
    [
        ("Account", "<type>Text</type><formula>Name</formula>", "formula fields"),
        ("Account", "<type>Summary</type><summaryOperation>sum</summaryOperation>", "roll-up summary fields"),
        ("Account", "<type>Location</type>", "type Location"),
        ("Rule__mdt", "<type>Checkbox</type><defaultValue>false</defaultValue>", "custom metadata types"),
        ("Paid__e", "<type>Checkbox</type><defaultValue>false</defaultValue>", "platform events"),
    ],
)
def test_metadata_that_is_not_emulated_is_refused_by_name(
    org: Org, tmp_path: Path, sobject: str, body: str, what: str
) -> None:
    write_field(tmp_path, sobject, "Odd__c", body)
    with pytest.raises(OrgError, match=what) as refused:
        org.deploy(tmp_path)
    assert refused.value.error_code == "SANDBOX_NOT_EMULATED"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<CustomObject", "not well-formed XML"),
        (f"<CustomField {NS}/>", "a CustomObject of the namespace"),
        (f"<CustomObject {NS}><label>X</label></CustomObject>", "pluralLabel: is required"),
        (
            f"<CustomObject {NS}><label>X</label><pluralLabel>X</pluralLabel><sharingModel/></CustomObject>",
            "sharingModel: is required",
        ),
    ],
)
def test_a_broken_object_file_says_what_is_wrong(org: Org, tmp_path: Path, text: str, said: str) -> None:
    home = tmp_path / "objects/Odd__c"
    home.mkdir(parents=True)
    (home / "Odd__c.object-meta.xml").write_text(text, encoding="utf-8")
    with pytest.raises(MetadataError, match=r"Odd__c\.object-meta\.xml") as refused:
        org.deploy(tmp_path)
    assert said in refused.value.message


def test_our_own_project_deploys_and_its_permission_set_is_kept(org: Org) -> None:
    org.deploy(Path(__file__).parents[3] / "salesforce")
    granted: dict[str, Any] = org.permission_set("Leakwatch") or {}
    assert {"editable": True, "field": "Task.Leakwatch_Key__c", "readable": True} in granted["fieldPermissions"]
