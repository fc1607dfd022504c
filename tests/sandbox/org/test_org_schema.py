"""The data files' inner consistency, and that each object works as its describe flags say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org, OrgSettings
from leakwatch.sandbox.org.schema import FEATURES, Field, Schema, SObject
from sandbox.org.org_kit import Clock

pytestmark = pytest.mark.documented("REST API Developer Guide, sObject Describe; Object Reference")

WHOLE = Schema(multicurrency=True, currency="USD", features=FEATURES)
CREATEABLE = sorted(one.name for one in WHOLE.objects.values() if one.allows("createable"))
FLAGS = set("nCUFSGAIXQDRKVNWahqscdkP*")
ISSUE = """
Lead Contact Account Opportunity OpportunityHistory OpportunityFieldHistory OpportunityLineItem
OpportunityContactRole OpportunityStage Task TaskRelation Event EventRelation EmailMessage
EmailMessageRelation Case Campaign CampaignMember Product2 Pricebook2 PricebookEntry Quote QuoteLineItem
Order OrderItem Contract User UserRole Group GroupMember QueueSobject BusinessHours Holiday RecordType
Organization CurrencyType DatedConversionRate FeedItem LeadHistory AccountHistory ContactHistory
CaseHistory FeedComment CampaignMemberStatus CaseStatus ContractStatus OrderStatus Period
FiscalYearSettings Asset AccountContactRelation CustomNotificationType TaskWhoRelation EventWhoRelation
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Org]:
    """An org with every feature, and a user who owns what is made."""
    settings = OrgSettings(multicurrency=True, shared_activities=True)
    org = Org(tmp_path_factory.mktemp("whole") / "org", Clock(), settings=settings)
    org.seed("Profile", [{"Name": "Standard User"}])
    org.seed(
        "User",
        [{"Id": owner(org), "LastName": "System", "Username": "s@acme.example", "IsActive": True}],
    )
    yield org
    org.close()


def test_every_object_that_the_sandbox_owes_is_there_and_has_fields() -> None:
    assert [name for name in ISSUE.split() if name not in WHOLE.objects] == []
    assert all(one.find("Id") for one in WHOLE.objects.values())


@pytest.mark.parametrize("name", sorted(WHOLE.objects))
def test_data_files_use_known_letters_and_give_each_name_once(name: str) -> None:
    one = WHOLE.objects[name]
    assert {letter for field in one.fields.values() for letter in field.flags} <= FLAGS
    relationships = Counter(field.relationship.lower() for field in one.fields.values() if field.relationship)
    children = Counter(child.relationship.lower() for child in one.children if child.relationship)
    assert [found for found in (relationships | children).items() if found[1] > 1] == []
    assert [
        f.name for f in one.fields.values() if f.type == "reference" and not f.refers_to and name != "FeedItem"
    ] == []
    assert [f.name for f in one.fields.values() if f.can("F") and f.type in ("base64", "junction")] == []
    assert [
        f.name
        for f in one.fields.values()
        if f.can("R") and not f.can("F") and f.can("S") and f.can("A") and name != "FeedComment"
    ] == []


def test_children_are_the_references_of_all_objects_turned_round() -> None:
    children = {(parent.name, *child[:2]) for parent in WHOLE.objects.values() for child in parent.children}
    assert {("Account", "Contact", "AccountId"), ("Opportunity", "Quote", "OpportunityId")} <= children
    assert {("Contact", "Task", "WhoId"), ("Campaign", "Task", "WhatId"), ("User", "Account", "OwnerId")} <= children
    assert ("Account", "Account", "MasterRecordId") not in children


def test_an_org_without_a_feature_lacks_its_objects_and_fields() -> None:
    plain = Schema(multicurrency=False, currency="USD")
    assert {"TaskRelation", "DatedConversionRate", "CurrencyType"}.isdisjoint(plain.objects)
    assert plain.objects["Account"].find("PersonEmail") is None
    assert plain.objects["Account"].find("CurrencyIsoCode") is None
    assert WHOLE.objects["Account"].find("PersonEmail") is not None
    assert WHOLE.objects["Contact"].find("IsPersonAccount") is not None
    assert plain.objects["Contact"].find("IndividualId") is None, "there is no object Individual"


def test_what_no_source_states_is_marked_field_by_field() -> None:
    marks = Counter(
        {one.name: sum(len(field.unknown) for field in one.fields.values()) for one in WHOLE.objects.values()}
    )
    described = ("Account", "Case", "Contact", "Event", "Lead", "Opportunity", "OpportunityContactRole")
    assert [name for name in described if marks[name]] == []
    assert marks["Quote"] > 20
    assert sum(marks.values()) < 700, "a new guess is to be looked up before it is marked"


@pytest.mark.parametrize("name", CREATEABLE)
def test_a_row_with_what_describe_requires_is_created_read_changed_and_deleted(whole: Org, name: str) -> None:
    one = whole.schema.objects[name]
    given = required(whole, one)
    user = owner(whole)
    record_id = whole.create(name, given, user_id=user)
    filters = [field for field in one.stored_fields if field.can("F") and field.name in given]
    where = " AND ".join(
        f"{field.name} = {literal(field, given[field.name])}" for field in filters if field.type != "datetime"
    )
    shown = [field.name for field in one.stored_fields]
    found = whole.query(f"SELECT {', '.join(shown)} FROM {name} WHERE Id = '{record_id}'{where and ' AND ' + where}")
    assert len(found) == 1
    assert {key: found[0][key] for key in given if one.fields[key].type != "datetime"} == {
        key: value for key, value in given.items() if one.fields[key].type != "datetime"
    }
    if one.allows("updateable"):
        whole.update(name, record_id, changeable(one, given), user_id=user)
    else:
        with pytest.raises(OrgError, match="does not support update"):
            whole.update(name, record_id, {}, user_id=user)
    if one.allows("deletable"):
        whole.delete(name, record_id, user_id=user)
        assert whole.query(f"SELECT Id FROM {name} WHERE Id = '{record_id}'") == []


def required(org: Org, one: SObject) -> dict[str, Any]:
    """Values for the fields without which describe says a row can't be created."""
    names = [
        f for f in one.stored_fields if f.can("C") and not f.can("n") and f.default is None and f.type != "boolean"
    ]
    names = [f for f in names if f.name not in ("OwnerId", "CurrencyIsoCode", "RecordTypeId")]
    names = [f for f in names if (one.name, f.name) != ("QuoteLineItem", "Product2Id")]  # the price book entry's
    more = MORE.get(one.name, ())
    fields = [*names, *(one.fields[name] for name in more if one.fields[name] not in names)]
    return {field.name: value_for(org, one, field) for field in fields}


MORE = {
    "Event": ("StartDateTime", "DurationInMinutes"),
    "CampaignMember": ("ContactId",),
    "EmailMessageRelation": ("RelationId",),
    "FeedItem": ("Body",),
    "EmailMessage": ("Status",),
    "Pricebook2": ("IsActive",),
    "PricebookEntry": ("IsActive",),
    "OpportunityLineItem": ("PricebookEntryId", "UnitPrice"),
}
GIVEN: dict[tuple[str, str], Any] = {
    ("EmailMessage", "Status"): "3",  # other than sent is for cases
    ("QueueSobject", "SobjectType"): "Lead",
    ("Group", "Type"): "Queue",
    ("Pricebook2", "IsActive"): True,
    ("PricebookEntry", "IsActive"): True,
    ("Contract", "Status"): "Draft",
    ("Order", "Status"): "Draft",
}
BY_TYPE: dict[str, Any] = {
    "date": "2026-04-01",
    "datetime": "2026-04-01T10:00:00.000+0000",
    "email": "a@acme.example",
    "int": 30,
    "double": 2.0,
    "currency": 12.5,
    "percent": 5.0,
    "time": "09:30:00.000Z",
}
made = Counter[str]()


def value_for(org: Org, one: SObject, field: Field) -> Any:
    """Some value that the field's describe admits; a referenced row is created first."""
    if (one.name, field.name) in GIVEN:
        return GIVEN[one.name, field.name]
    if field.type == "reference":
        return target_of(org, field)
    if field.values_from:
        return org.query(f"SELECT ApiName FROM {field.values_from} LIMIT 1")[0]["ApiName"]
    if field.picklist:
        return field.picklist[0][0]
    made[field.name] += 1
    return BY_TYPE.get(field.type) or f"v{made[field.name]}"[: field.length]


def owner(org: Org) -> str:
    return ids.normalise(org.settings.system_user_id) or ""


def target_of(org: Org, field: Field) -> str:
    user = owner(org)
    target = next((name for name in field.refers_to if org.schema.objects[name].allows("createable")), None)
    if "User" in field.refers_to:
        return user
    if target is None:
        return org.query(f"SELECT Id FROM {field.refers_to[0]} LIMIT 1")[0]["Id"]
    return org.create(target, required(org, org.schema.objects[target]), user_id=user)


def literal(field: Field, value: Any) -> str:
    return f"'{value}'" if field.is_text or field.type in ("reference", "id") else str(value).lower()


def changeable(one: SObject, given: dict[str, Any]) -> dict[str, Any]:
    if one.name == "EmailMessage":
        return {}  # a sent mail is read-only
    return {name: value for name, value in given.items() if one.fields[name].can("U")}


def test_a_polymorphic_reference_names_a_row_by_its_objects_own_name_field(whole: Org) -> None:
    user = owner(whole)
    case = whole.create("Case", {"Subject": "Broken"}, user_id=user)
    number = whole.query(f"SELECT CaseNumber FROM Case WHERE Id = '{case}'")[0]["CaseNumber"]
    whole.create("Task", {"Subject": "Call", "WhatId": case}, user_id=user)
    found = whole.query(f"SELECT What.Name, What.Type FROM Task WHERE WhatId = '{case}'")[0]["What"]
    assert (found["Name"], found["Type"], len(number)) == (number, "Case", 8)
