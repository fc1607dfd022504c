"""Field history of tracked fields."""

from __future__ import annotations

from typing import Any

import pytest

from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Api, Company

pytestmark = pytest.mark.documented("Object Reference, OpportunityFieldHistory, CaseHistory")


def rows(org: Org, sobject: str, where: str) -> list[tuple[Any, ...]]:
    found = org.query(f"SELECT Field, DataType, OldValue, NewValue FROM {sobject} WHERE {where} ORDER BY Id")
    return [tuple(one.values()) for one in found]


def track(org: Org, **fields: list[str]) -> None:
    org.change_settings({"field_history": fields})


def test_a_change_of_a_tracked_field_is_kept_with_both_values(org: Org, company: Company) -> None:
    track(org, Opportunity=["Amount", "StageName", "IsPrivate", "Description"])
    changes = {"StageName": "Qualification", "Amount": 3, "Description": "x" * 300, "NextStep": "n"}
    org.update("Opportunity", company.deal, changes, user_id=company.manager)
    assert rows(org, "OpportunityFieldHistory", f"OpportunityId = '{company.deal}'") == [
        ("Amount", "Currency", 12_500.5, 3.0),
        ("Description", "TextArea", None, None),
        ("StageName", "DynamicEnum", "Prospecting", "Qualification"),
    ]
    who = org.query("SELECT CreatedById, CreatedDate FROM OpportunityFieldHistory LIMIT 1")
    assert who == [{"CreatedById": company.manager, "CreatedDate": "2026-03-02T09:00:30.000+0000"}]


def test_a_changed_lookup_makes_two_rows_with_the_names_and_with_the_ids(org: Org, company: Company) -> None:
    track(org, Lead=["OwnerId"], Contact=["AccountId"])
    org.update("Lead", company.lead, {"OwnerId": company.queue}, user_id=company.rep)
    assert rows(org, "LeadHistory", f"LeadId = '{company.lead}'") == [
        ("Owner", "Text", "Jane Doe", "Inbound"),
        ("Owner", "EntityId", company.rep, company.queue),
    ]
    org.update("Contact", company.contact, {"AccountId": company.other_account}, user_id=company.rep)
    assert rows(org, "ContactHistory", "Field = 'Account'")[0][2:] == ("Çelik Yapı A.Ş.", "Northwind")


@pytest.mark.documented(guess="the data type of that row")
def test_a_new_record_leaves_one_row_that_says_so(org: Org, company: Company) -> None:
    track(org, Account=["Name"], Case=["Status"])
    account = org.create("Account", {"Name": "New"}, user_id=company.rep)
    org.create("Case", {"Subject": "s"}, user_id=company.rep)
    assert rows(org, "AccountHistory", f"AccountId = '{account}'") == [("created", "Text", None, None)]
    assert [one[0] for one in rows(org, "CaseHistory", "Id <> null")] == ["created"]


@pytest.mark.documented("Salesforce help, Field History Tracking")
def test_nothing_is_kept_of_objects_without_a_tracked_field(org: Org, company: Company) -> None:
    org.update("Opportunity", company.deal, {"Amount": 3}, user_id=company.rep)
    assert rows(org, "OpportunityFieldHistory", "Id <> null") == []


@pytest.mark.documented("Salesforce help, Field History Tracking")
def test_a_custom_field_is_tracked_where_it_was_deployed_so(org: Org, company: Company) -> None:
    org.add_custom_field("Lead", {"fullName": "Score__c", "type": "Number", "trackHistory": True})
    org.update("Lead", company.lead, {"Score__c": 7}, user_id=company.rep)
    assert rows(org, "LeadHistory", f"LeadId = '{company.lead}'") == [("Score__c", "Double", None, 7.0)]


def test_a_converted_lead_says_so_in_its_history(org: Org, company: Company) -> None:
    track(org, Lead=["Status"])
    org.convert_lead(company.lead, user_id=company.rep)
    assert [one[0] for one in rows(org, "LeadHistory", f"LeadId = '{company.lead}'")] == ["Status", "leadConverted"]


def test_history_goes_with_its_record_and_nobody_writes_it(api: Api, company: Company) -> None:
    track(api.org, Opportunity=["Amount"])
    api.org.update("Opportunity", company.deal, {"Amount": 3}, user_id=company.rep)
    body = {"OpportunityId": company.deal, "Field": "Amount"}
    answer = api.call("POST", "sobjects/OpportunityFieldHistory", body)
    assert answer.status_code in (400, 405)
    api.org.delete("Opportunity", company.deal, user_id=company.rep)
    assert rows(api.org, "OpportunityFieldHistory", "Id <> null") == []
