"""The metadata an admin deploys, against Salesforce's own schema (bundled with simple-salesforce)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import simple_salesforce
from lxml import etree

PROJECT = Path(__file__).parents[2] / "salesforce"
SOURCES = PROJECT / "force-app" / "main" / "default"
METADATA = "http://soap.sforce.com/2006/04/metadata"
XSD = "http://www.w3.org/2001/XMLSchema"
ROOT_TYPES = ("CustomField", "PermissionSet")
KEY_FIELDS = {
    "Activity": SOURCES / "objects/Activity/fields/Leakwatch_Key__c.field-meta.xml",
    "EmailMessage": SOURCES / "objects/EmailMessage/fields/Leakwatch_Key__c.field-meta.xml",
}
PERMISSION_SET = SOURCES / "permissionsets/Leakwatch.permissionset-meta.xml"
DEPLOYED = sorted(SOURCES.rglob("*-meta.xml"))


def schema_from_wsdl() -> etree.XMLSchema:
    """The `types` schema of metadata.wsdl, with our root elements added: the WSDL names types only."""
    wsdl = etree.parse(str(Path(simple_salesforce.__file__).parent / "metadata.wsdl"))
    (inside,) = [s for s in wsdl.iter(f"{{{XSD}}}schema") if s.get("targetNamespace") == METADATA]
    schema = etree.Element(f"{{{XSD}}}schema", nsmap={"xsd": XSD, "tns": METADATA})
    for name, value in inside.attrib.items():
        schema.set(name, value)
    schema.extend(list(inside))
    for root in ROOT_TYPES:
        etree.SubElement(schema, f"{{{XSD}}}element", name=root, type=f"tns:{root}")
    return etree.XMLSchema(etree.ElementTree(schema))


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    return schema_from_wsdl()


def texts(path: Path) -> dict[str, str]:
    return {etree.QName(child).localname: child.text or "" for child in etree.parse(str(path)).getroot()}


def rows(element: str) -> list[dict[str, str]]:
    found = etree.parse(str(PERMISSION_SET)).getroot().findall(f"{{{METADATA}}}{element}")
    return [{etree.QName(cell).localname: cell.text or "" for cell in row} for row in found]


@pytest.mark.parametrize("path", DEPLOYED, ids=lambda path: path.name)
def test_every_deployed_file_is_valid_by_salesforces_own_schema(path: Path, schema: etree.XMLSchema) -> None:
    assert schema.validate(etree.parse(str(path))), schema.error_log


def test_the_two_key_fields_and_the_permission_set_are_all_there_is() -> None:
    assert set(DEPLOYED) == {*KEY_FIELDS.values(), PERMISSION_SET}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("<unique>true</unique>", "<uniqe>true</uniqe>"),
        ("<type>Text</type>", "<type>Textt</type>"),
        ("<length>64</length>", "<length>long</length>"),
    ],
    ids=["misspelt element", "unknown type", "length in words"],
)
def test_a_mistake_in_a_field_is_refused_by_the_schema(good: str, bad: str, schema: etree.XMLSchema) -> None:
    """Otherwise the test above would prove nothing."""
    text = KEY_FIELDS["Activity"].read_text(encoding="utf-8")
    assert good in text
    assert not schema.validate(etree.fromstring(text.replace(good, bad).encode()))


@pytest.mark.parametrize("path", KEY_FIELDS.values(), ids=KEY_FIELDS)
def test_the_key_field_is_a_unique_case_sensitive_external_id_of_64_characters(path: Path) -> None:
    field = texts(path)
    assert field["fullName"] == "Leakwatch_Key__c"
    assert (field["type"], field["length"]) == ("Text", "64")
    assert (field["externalId"], field["unique"], field["caseSensitive"]) == ("true", "true", "true")
    assert field["required"] == "false", "people's own records have no key"
    assert len(field["description"]) <= 1000, "Salesforce's limit for a field description"


def test_the_permission_set_opens_the_key_for_writing_on_task_event_and_mail() -> None:
    keys = {row["field"]: row["editable"] for row in rows("fieldPermissions") if row["field"].endswith("_Key__c")}
    assert keys == {
        "Task.Leakwatch_Key__c": "true",
        "Event.Leakwatch_Key__c": "true",
        "EmailMessage.Leakwatch_Key__c": "true",
    }


def test_the_permission_set_never_lets_leakwatch_change_or_delete_a_sales_record() -> None:
    granted = rows("objectPermissions")
    assert {"Account", "Contact", "Lead", "Opportunity"} <= {row["object"] for row in granted}
    for row in granted:
        assert row["allowRead"] == "true"
        for verb in ("allowCreate", "allowEdit", "allowDelete", "modifyAllRecords"):
            assert row[verb] == "false", (row["object"], verb)
    sales = {"Account", "Contact", "Lead", "Opportunity"}
    writable = [row["field"] for row in rows("fieldPermissions") if row["editable"] == "true"]
    assert not [field for field in writable if field.split(".")[0] in sales]


def test_the_permission_set_grants_no_right_over_the_whole_org() -> None:
    names = {row["name"] for row in rows("userPermissions")}
    assert {"ApiEnabled", "EditTask", "EditEvent"} <= names
    assert not names & {"ViewAllData", "ModifyAllData", "CustomizeApplication", "ManageUsers", "AuthorApex"}


def test_task_and_event_share_field_security_so_fields_of_both_are_named_together() -> None:
    editable = {row["field"] for row in rows("fieldPermissions") if row["editable"] == "true"}
    shared = ("Description", "WhoId", "WhatId", "Leakwatch_Key__c")
    assert {f"{name}.{field}" for name in ("Task", "Event") for field in shared} <= editable


def test_the_project_file_names_the_folder_that_holds_the_metadata() -> None:
    project = json.loads((PROJECT / "sfdx-project.json").read_text(encoding="utf-8"))
    (package,) = project["packageDirectories"]
    assert (PROJECT / package["path"] / "main/default") == SOURCES
    assert package["default"] is True
    assert float(project["sourceApiVersion"]) >= 60
