"""Writing rows: what a row must satisfy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org, OrgSettings
from sandbox.org.org_kit import Clock, Company

pytestmark = pytest.mark.documented("REST API Developer Guide, sObject Rows; SOAP API Developer Guide, StatusCode")


def refused(call: Any, *args: Any, **kwargs: Any) -> OrgError:
    with pytest.raises(OrgError) as caught:
        call(*args, **kwargs)
    return caught.value


def test_an_id_has_eighteen_characters_and_the_documented_checksum(org: Org) -> None:
    assert ids.suffix("001D000000IRFma") == "IAH"
    made = org.new_id("Task")
    assert (made[:3], len(made), ids.normalise(made[:15])) == ("00T", 18, made)
    assert ids.normalise("001d000000irfmaiah") == "001D000000IRFmaIAH"
    for number in (1, 36, 61, 62, 3_843, 3_844, 4_000_000, 62**4 - 1, 62**4, 62**9 - 1):
        made = ids.make("00T", number)
        counted = 0
        for digit in made[6:15]:
            counted = counted * 62 + ids.DIGITS.index(digit)
        assert (counted, made[15:]) == (number, ids.suffix(made[:15]))


@pytest.mark.parametrize(
    ("sobject", "fields", "code", "named"),
    [
        ("Lead", {"LastName": "x"}, "REQUIRED_FIELD_MISSING", ["Company"]),
        ("Lead", {"LastName": "x" * 81, "Company": "c"}, "STRING_TOO_LONG", ["LastName"]),
        ("Lead", {"LastName": "x", "Company": "c", "Email": "not an address"}, "INVALID_EMAIL_ADDRESS", ["Email"]),
        ("Lead", {"LastName": "x", "Company": "c", "Nope": 1}, "INVALID_FIELD", []),
        ("Lead", {"LastName": "x", "Company": "c", "Name": "x"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"]),
        (
            "Lead",
            {"LastName": "x", "Company": "c", "CreatedDate": "2020-01-01T00:00:00Z"},
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            ["CreatedDate"],
        ),
        ("Lead", {"LastName": "x", "Company": "c", "AnnualRevenue": "much"}, "JSON_PARSER_ERROR", []),
        ("Lead", {"LastName": {}, "Company": "c"}, "JSON_PARSER_ERROR", []),
        ("Task", {"ActivityDate": "02.03.2026"}, "JSON_PARSER_ERROR", []),
        ("Task", {"IsReminderSet": "maybe"}, "JSON_PARSER_ERROR", []),
        ("Event", {"StartDateTime": "2026-03-02T10:00:00"}, "JSON_PARSER_ERROR", []),
        ("Task", {"TaskSubtype": "Fax"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["TaskSubtype"]),
        ("Task", {"WhoId": "nonsense"}, "MALFORMED_ID", ["WhoId"]),
        ("Task", {"WhoId": "0015e0000000001AAA"}, "MALFORMED_ID", ["WhoId"]),
        ("Task", {"WhoId": "0035e00000zzzzzAAA"}, "INVALID_CROSS_REFERENCE_KEY", ["WhoId"]),
        ("OpportunityHistory", {"StageName": "x"}, "INVALID_TYPE_FOR_OPERATION", []),
    ],
)
def test_a_bad_row_is_refused_with_its_code_and_fields(
    org: Org, company: Company, sobject: str, fields: dict[str, Any], code: str, named: list[str]
) -> None:
    error = refused(org.create, sobject, fields, user_id=company.rep)
    assert (error.status, error.error_code, error.fields) == (400, code, named)
    assert org.query("SELECT Id FROM Task") == []


def test_an_inactive_user_owns_nothing_and_a_queue_only_what_it_serves(org: Org, company: Company) -> None:
    lead = {"LastName": "x", "Company": "c"}
    gone = refused(org.create, "Lead", lead | {"OwnerId": company.leaver}, user_id=company.rep)
    assert gone.error_code == "INACTIVE_OWNER_OR_USER"
    assert org.create("Lead", lead | {"OwnerId": company.queue}, user_id=company.rep).startswith("00Q")
    task = refused(org.create, "Task", {"OwnerId": company.queue}, user_id=company.rep)
    assert "Queue not associated" in task.message
    moved = refused(org.update, "Lead", company.lead, {"OwnerId": company.leaver}, user_id=company.rep)
    assert moved.error_code == "INACTIVE_OWNER_OR_USER"


def test_a_lead_and_a_related_record_exclude_each_other(org: Org, company: Company) -> None:
    error = refused(org.create, "Task", {"WhoId": company.lead, "WhatId": company.deal}, user_id=company.rep)
    assert error.error_code == "FIELD_INTEGRITY_EXCEPTION"


def test_converted_leads_are_read_only_and_cannot_be_referenced(org: Org, company: Company) -> None:
    error = refused(org.update, "Lead", company.converted, {"Title": "x"}, user_id=company.rep)
    assert (error.error_code, error.message) == ("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    task = refused(org.create, "Task", {"WhoId": company.converted}, user_id=company.rep)
    assert task.error_code == "CANNOT_UPDATE_CONVERTED_LEAD"


def test_writing_stamps_whole_seconds_and_who(org: Org, company: Company, clock: Clock) -> None:
    clock.advance(minutes=5)
    org.update("Account", company.account, {"Site": "HQ"}, user_id=company.manager)
    row = org.get("Account", company.account)
    assert row is not None
    assert row["SystemModstamp"] == row["LastModifiedDate"] == "2026-03-02T09:05:30.000+0000"
    assert (row["LastModifiedById"], row["CreatedById"]) == (company.manager, company.rep)


def test_what_is_gone_cannot_be_written(org: Org, company: Company) -> None:
    org.delete("Lead", company.lead, user_id=company.rep)
    again = refused(org.delete, "Lead", company.lead, user_id=company.rep)
    assert (again.status, again.error_code) == (404, "ENTITY_IS_DELETED")
    change = refused(org.update, "Lead", company.lead, {"Title": "x"}, user_id=company.rep)
    assert change.error_code == "ENTITY_IS_DELETED"
    never = refused(org.update, "Lead", "00Q5e00000zzzzzAAA", {"Title": "x"}, user_id=company.rep)
    assert (never.status, never.error_code) == (404, "INVALID_CROSS_REFERENCE_KEY")
    linked = refused(org.create, "Task", {"WhoId": company.lead}, user_id=company.rep)
    assert linked.error_code == "ENTITY_IS_DELETED"


def test_deleting_a_parent_takes_its_children_along(org: Org, company: Company) -> None:
    task = org.create("Task", {"WhatId": company.deal}, user_id=company.rep)
    org.delete("Account", company.account, user_id=company.rep)
    for sobject, record_id in (("Opportunity", company.deal), ("Contact", company.contact), ("Task", task)):
        row = org.get(sobject, record_id)
        assert row is not None
        assert row["IsDeleted"] is True


def test_the_key_field_exists_once_it_is_deployed(org: Org, company: Company, project: Path) -> None:
    before = refused(org.create, "Task", {"Leakwatch_Key__c": "k"}, user_id=company.rep)
    assert before.message == "No such column 'Leakwatch_Key__c' on sobject of type Task"
    assert org.deploy(project) == []
    task = org.create("Task", {"Leakwatch_Key__c": "Kk"}, user_id=company.rep)
    twice = refused(org.create, "Task", {"Leakwatch_Key__c": "Kk"}, user_id=company.rep)
    assert (twice.error_code, twice.message) == (
        "DUPLICATE_VALUE",
        f"duplicate value found: Leakwatch_Key__c duplicates value on record with id: {task[:15]}",
    )
    org.create("Task", {"Leakwatch_Key__c": "kK"}, user_id=company.rep)  # the field is case-sensitive


def test_a_key_of_activity_is_unique_over_tasks_and_events(org: Org, company: Company, project: Path) -> None:
    org.deploy(project)
    org.create("Task", {"Leakwatch_Key__c": "same"}, user_id=company.rep)
    event = {"StartDateTime": "2026-03-02T10:00:00Z", "DurationInMinutes": 30, "Leakwatch_Key__c": "same"}
    assert refused(org.create, "Event", event, user_id=company.rep).error_code == "DUPLICATE_VALUE"
    mail = {"Status": "3", "Leakwatch_Key__c": "same"}
    assert org.create("EmailMessage", mail, user_id=company.rep)  # another object, another index


def test_a_deleted_rows_key_is_free_again(org: Org, company: Company, project: Path) -> None:
    org.deploy(project)
    first = org.create("Task", {"Leakwatch_Key__c": "k"}, user_id=company.rep)
    org.delete("Task", first, user_id=company.rep)
    assert org.create("Task", {"Leakwatch_Key__c": "k"}, user_id=company.rep) != first


def test_an_org_may_refuse_a_unique_key_on_email_message(tmp_path: Path, clock: Clock, project: Path) -> None:
    org = Org(tmp_path / "strict", clock, settings=OrgSettings(email_message_key_unique=False))
    assert org.deploy(project) == [
        "EmailMessage.Leakwatch_Key__c: this org allows no unique field here; it is not unique"
    ]
    user = org.new_id("User")
    for _ in range(2):
        org.create("EmailMessage", {"Status": "3", "Leakwatch_Key__c": "k"}, user_id=user)
    assert len(org.query("SELECT Id FROM EmailMessage WHERE Leakwatch_Key__c = 'k'")) == 2


def test_custom_fields_of_a_world_are_typed_and_checked(org: Org, company: Company) -> None:
    org.add_custom_field("Opportunity", {"fullName": "Budget__c", "type": "Currency", "precision": 6, "scale": 2})
    reasons = {"fullName": "Loss_Reason__c", "type": "Picklist", "values": ["Fiyat", "Bütçe"], "restricted": True}
    org.add_custom_field("Opportunity", reasons)
    org.update("Opportunity", company.deal, {"Budget__c": 999.5, "Loss_Reason__c": "Bütçe"}, user_id=company.rep)
    assert org.query("SELECT Budget__c FROM Opportunity WHERE Loss_Reason__c = 'bütçe'") == [{"Budget__c": 999.5}]
    for fields, code in (
        ({"Loss_Reason__c": "Other"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"Budget__c": 10_000}, "NUMBER_OUTSIDE_VALID_RANGE"),
    ):
        assert refused(org.update, "Opportunity", company.deal, fields, user_id=company.rep).error_code == code


def test_audit_fields_are_taken_on_insert_only_where_the_org_allows_it(tmp_path: Path, clock: Clock) -> None:
    org = Org(tmp_path / "audit", clock, settings=OrgSettings(audit_fields=True))
    user = org.new_id("User")
    org.seed("User", [{"Id": user, "LastName": "A", "Username": "a@a.example", "Email": "a@a.example"}])
    task = org.create("Task", {"CreatedDate": "2020-01-01T00:00:00Z"}, user_id=user)
    row = org.get("Task", task)
    assert row is not None
    assert row["CreatedDate"] == "2020-01-01T00:00:00.000+0000"
    late = refused(org.update, "Task", task, {"CreatedDate": "2021-01-01T00:00:00Z"}, user_id=user)
    assert late.error_code == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_seeding_refuses_unknown_fields_and_impossible_values(org: Org) -> None:
    assert refused(org.seed, "Lead", [{"Nope": 1}]).error_code == "INVALID_FIELD"
    with pytest.raises(ValueError, match="CloseDate"):
        org.seed("Opportunity", [{"Name": "x", "CloseDate": "31.12.2026"}])
    assert org.query("SELECT Id FROM Opportunity") == []


def test_seeding_stages_replaces_the_default_ones(org: Org) -> None:
    org.seed(
        "OpportunityStage", [{"ApiName": "Kazanıldı", "MasterLabel": "Kazanıldı", "IsClosed": True, "IsWon": True}]
    )
    assert org.query("SELECT ApiName FROM OpportunityStage") == [{"ApiName": "Kazanıldı"}]
    org.seed("Opportunity", [{"Name": "x", "StageName": "Kazanıldı", "CloseDate": "2026-01-01"}])
    assert org.query("SELECT IsClosed, IsWon FROM Opportunity") == [{"IsClosed": True, "IsWon": True}]
