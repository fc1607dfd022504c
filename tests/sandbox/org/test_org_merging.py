"""Merging records."""

from __future__ import annotations

from typing import Any

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Clock, Company

pytestmark = pytest.mark.documented("SOAP API Developer Guide, merge()")


def row(org: Org, sobject: str, record_id: str) -> dict[str, Any]:
    found = org.get(sobject, record_id)
    assert found is not None
    return found


@pytest.mark.documented(guess="that the children's SystemModstamp moves")
def test_what_hangs_on_a_merged_account_is_the_kept_ones(org: Org, company: Company, clock: Clock) -> None:
    org.update("Opportunity", company.deal, {"StageName": "Closed Won"}, user_id=company.rep)
    fields = {"WhatId": company.account, "Subject": "Call", "Status": "Completed", "ActivityDate": "2026-03-10"}
    task = org.create("Task", fields, user_id=company.rep)
    clock.advance(hours=1)
    made = org.merge("Account", company.other_account, [company.account], {"Phone": "1"}, user_id=company.manager)
    assert (made["id"], made["success"]) == (company.other_account, True)
    assert made["mergedRecordIds"] == [company.account]
    assert {company.contact, company.colleague, company.deal, task} <= set(made["updatedRelatedIds"])
    for sobject, record_id in (("Contact", company.contact), ("Opportunity", company.deal), ("Task", task)):
        child = row(org, sobject, record_id)
        assert (child["AccountId"], child["IsDeleted"]) == (company.other_account, False)
        assert child["SystemModstamp"] == org.now_text()
    kept, gone = row(org, "Account", company.other_account), row(org, "Account", company.account)
    assert (kept["Phone"], kept["LastActivityDate"], kept["SystemModstamp"]) == ("1", "2026-03-10", org.now_text())
    assert (kept["MasterRecordId"], kept["LastModifiedById"]) == (None, company.manager)
    assert (gone["IsDeleted"], gone["MasterRecordId"]) == (True, company.other_account)


@pytest.mark.documented("SOAP API Developer Guide, merge(), List merged records")
def test_merged_records_are_found_by_their_master(org: Org, company: Company) -> None:
    org.merge("Contact", company.contact, [company.colleague], user_id=company.rep)
    soql = "SELECT Id FROM Contact WHERE IsDeleted = true AND MasterRecordId != null"
    assert org.query(soql, all_rows=True) == [{"Id": company.colleague}]
    assert org.query(soql) == []


@pytest.mark.documented("no document says what becomes of the second membership", settled=False)
def test_a_merged_person_is_in_a_campaign_once(org: Org, company: Company) -> None:
    campaign = org.create("Campaign", {"Name": "Fair"}, user_id=company.rep)
    for contact in (company.contact, company.colleague):
        org.create("CampaignMember", {"CampaignId": campaign, "ContactId": contact}, user_id=company.rep)
    org.merge("Contact", company.contact, [company.colleague], user_id=company.rep)
    assert org.query("SELECT ContactId FROM CampaignMember") == [{"ContactId": company.contact}]


@pytest.mark.documented(guess="the code for another number")
def test_a_merge_is_of_two_or_three_living_records_of_an_object_that_can_be_merged(org: Org, company: Company) -> None:
    def refused(sobject: str, master: str, *others: str) -> str:
        with pytest.raises(OrgError) as caught:
            org.merge(sobject, master, others, user_id=company.rep)
        return caught.value.error_code

    assert refused("Opportunity", company.deal, company.deal) == "INVALID_TYPE_FOR_OPERATION"
    assert refused("Contact", company.contact) == "INVALID_ARGUMENT"
    assert refused("Contact", company.contact, company.contact) == "INVALID_ARGUMENT"
    assert refused("Lead", company.lead, company.converted) == "CANNOT_UPDATE_CONVERTED_LEAD"
    assert refused("Contact", company.contact, "0035e0000000099AAA") == "INVALID_CROSS_REFERENCE_KEY"
    org.delete("Contact", company.colleague, user_id=company.rep)
    assert refused("Contact", company.contact, company.colleague) == "ENTITY_IS_DELETED"
