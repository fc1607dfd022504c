"""Values of written rows: what is taken, how it is kept, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org import written
from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org, OrgSettings
from leakwatch.sandbox.org.schema import Field
from sandbox.org.org_kit import Clock, Company

pytestmark = pytest.mark.documented("SOAP API Developer Guide, create() and Field Types")


@pytest.mark.parametrize(
    ("sobject", "field", "given", "kept"),
    [
        ("Lead", "Title", "  two words \n", "two words"),
        ("Lead", "Title", " \t ", None),
        ("Lead", "Title", 42, "42"),
        ("Lead", "NumberOfEmployees", "12", 12),
        ("Lead", "NumberOfEmployees", 12.0, 12),
        ("Lead", "AnnualRevenue", "1e3", 1000),
        ("Lead", "IsUnreadByOwner", "TRUE", True),
        ("Lead", "IsUnreadByOwner", False, False),
        ("Opportunity", "Amount", 10.559, 10.55),
        ("Opportunity", "Amount", 0.29, 0.29),
        ("Opportunity", "Amount", -10.559, -10.55),
        ("Opportunity", "CloseDate", "4000-12-31", "4000-12-31"),
        ("Task", "Status", "No such status", "No such status"),
        ("Lead", "Description", "a\x00b", "a\x00b"),
    ],
)
def test_a_value_is_kept_as_the_real_service_keeps_it(
    org: Org, company: Company, sobject: str, field: str, given: Any, kept: Any
) -> None:
    needed: dict[str, dict[str, Any]] = {
        "Lead": {"LastName": "x", "Company": "c"},
        "Opportunity": {"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-04-01"},
    }
    made = org.create(sobject, needed.get(sobject, {}) | {field: given}, user_id=company.rep)
    row = org.get(sobject, made)
    assert row is not None
    assert row[field] == kept


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"NumberOfEmployees": 100_000_000}, "NUMBER_OUTSIDE_VALID_RANGE", "value outside of valid range"),
        ({"NumberOfEmployees": 2**31}, "JSON_PARSER_ERROR", "int from VALUE_NUMBER_INT value 2147483648"),
        ({"NumberOfEmployees": 1.5}, "JSON_PARSER_ERROR", "VALUE_NUMBER_FLOAT value 1.5"),
        ({"AnnualRevenue": 10**18}, "NUMBER_OUTSIDE_VALID_RANGE", "value outside of valid range"),
        ({"AnnualRevenue": "1_000"}, "JSON_PARSER_ERROR", "currency from VALUE_STRING value 1_000"),
        ({"AnnualRevenue": True}, "JSON_PARSER_ERROR", "VALUE_TRUE value true"),
        ({"IsUnreadByOwner": "yes"}, "JSON_PARSER_ERROR", "boolean from VALUE_STRING value yes"),
        ({"IsUnreadByOwner": None}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ": value not of required type: "),
        ({"Title": ["a"]}, "JSON_PARSER_ERROR", "string from START_ARRAY value ["),
        ({"Title": {"a": 1}}, "JSON_PARSER_ERROR", "string from START_OBJECT value {"),
        ({"Title": False}, "JSON_PARSER_ERROR", "VALUE_FALSE value false"),
        ({"Phone": "1" * 41}, "STRING_TOO_LONG", "(max length=40)"),
        ({"Website": "x" * 256}, "STRING_TOO_LONG", "(max length=255)"),
        ({"Email": "x" * 80 + "@example.com"}, "STRING_TOO_LONG", "(max length=80)"),
    ],
)
def test_a_value_that_its_field_cannot_hold_is_refused(
    org: Org, company: Company, fields: dict[str, Any], code: str, said: str
) -> None:
    with pytest.raises(OrgError) as caught:
        org.create("Lead", {"LastName": "x", "Company": "c"} | fields, user_id=company.rep)
    assert (caught.value.status, caught.value.error_code) == (400, code)
    assert said in caught.value.message


@pytest.mark.documented(guess="the code of the refusal")
@pytest.mark.parametrize("day", ["1699-12-31", "4001-01-01", "2026-02-30"])
def test_a_date_lies_between_the_years_1700_and_4000(org: Org, company: Company, day: str) -> None:
    with pytest.raises(OrgError, match="JSON_PARSER_ERROR"):
        org.update("Opportunity", company.deal, {"CloseDate": day}, user_id=company.rep)


def test_a_record_type_is_an_active_one_of_the_object(org: Org, company: Company) -> None:
    made = {name: org.new_id("RecordType") for name in ("good", "idle", "other")}
    kinds = {"good": ("Lead", True), "idle": ("Lead", False), "other": ("Account", True)}
    rows = [
        {"Id": made[name], "SobjectType": kind, "IsActive": active, "Name": name, "DeveloperName": name}
        for name, (kind, active) in kinds.items()
    ]
    org.seed("RecordType", rows)
    org.update("Lead", company.lead, {"RecordTypeId": made["good"]}, user_id=company.rep)
    for name in ("idle", "other"):
        with pytest.raises(OrgError, match=r"INVALID_CROSS_REFERENCE_KEY: .*this ID value isn't valid for the user"):
            org.update("Lead", company.lead, {"RecordTypeId": made[name]}, user_id=company.rep)


def test_a_currency_is_an_active_one_of_the_org(tmp_path: Path, clock: Clock) -> None:
    org = Org(tmp_path / "many", clock, settings=OrgSettings(multicurrency=True, currency="EUR"))
    org.seed("CurrencyType", [{"IsoCode": "EUR", "IsActive": True}, {"IsoCode": "TRY", "IsActive": False}])
    who = org.settings.system_user_id
    assert org.create("Account", {"Name": "x", "CurrencyIsoCode": "EUR"}, user_id=who)
    for code in ("TRY", "XXX"):
        with pytest.raises(OrgError, match="INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"):
            org.create("Account", {"Name": "x", "CurrencyIsoCode": code}, user_id=who)
    org.close()


@pytest.mark.documented(guess="the order in which the values are kept")
def test_a_multi_select_picklist_keeps_each_value_once_in_the_picklists_order(org: Org) -> None:
    colours = tuple((name, name) for name in ("Red", "Green", "Blue"))
    field = Field("Colour__c", "multipicklist", "nCUR", "Colour", length=40, picklist=colours)
    assert written.parse(org.schema, field, "Blue; Red;Blue") == "Red;Blue"
    assert written.parse(org.schema, field, " ; ") is None
    with pytest.raises(OrgError, match="INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"):
        written.parse(org.schema, field, "Red;Pink")


def test_a_restricted_picklist_takes_the_values_that_the_org_has_rows_for(org: Org, company: Company) -> None:
    contract = org.create("Contract", {"AccountId": company.account, "Status": "Draft"}, user_id=company.rep)
    with pytest.raises(OrgError) as caught:
        org.update("Contract", contract, {"Status": "Nearly"}, user_id=company.rep)
    assert caught.value.body() == [
        {
            "message": "Status: bad value for restricted picklist field: Nearly",
            "errorCode": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "fields": ["Status"],
        }
    ]
    approval = {"ApiName": "Nearly", "MasterLabel": "Nearly", "SortOrder": 9, "StatusCode": "InApproval"}
    org.seed("ContractStatus", [{"ApiName": "Draft", "StatusCode": "Draft"}, approval])
    org.update("Contract", contract, {"Status": "Nearly"}, user_id=company.rep)
    assert org.create("Case", {"Status": "No such status"}, user_id=company.rep)  # whose picklist is not restricted
