"""Converting a lead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.clock import VirtualClock
from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.world.play import Player
from leakwatch.sandbox.world.reader import parse_world
from sandbox.org.org_kit import NOW, Company

pytestmark = pytest.mark.documented("SOAP API Developer Guide, convertLead")


def row(org: Org, sobject: str, record_id: str | None) -> dict[str, Any]:
    found = org.get(sobject, record_id or "")
    assert found is not None
    return found


def refused(org: Org, company: Company, lead: str, **options: Any) -> tuple[str, str]:
    with pytest.raises(OrgError) as caught:
        org.convert_lead(lead, user_id=company.rep, **options)
    return caught.value.error_code, caught.value.message


def test_a_lead_becomes_an_account_a_contact_and_a_deal(org: Org, company: Company) -> None:
    org.update("Lead", company.lead, {"Phone": "1", "City": "Bursa", "LeadSource": "Web"}, user_id=company.rep)
    made = org.convert_lead(company.lead, user_id=company.manager)
    account = row(org, "Account", made["accountId"])
    contact = row(org, "Contact", made["contactId"])
    deal = row(org, "Opportunity", made["opportunityId"])
    assert (account["Name"], account["BillingCity"], account["OwnerId"]) == ("Öz Ltd", "Bursa", company.rep)
    assert (contact["LastName"], contact["Email"], contact["AccountId"]) == ("Öz", "oz@oz.example", account["Id"])
    expected = {
        "Name": "Öz Ltd",
        "AccountId": account["Id"],
        "StageName": "Prospecting",
        "CloseDate": "2026-03-31",
        "LeadSource": "Web",
        "Amount": None,
        "OwnerId": company.rep,
        "CreatedById": company.manager,
    }
    assert {name: deal[name] for name in expected} == expected
    roles = org.query(f"SELECT ContactId, IsPrimary FROM OpportunityContactRole WHERE OpportunityId = '{deal['Id']}'")
    assert roles == [{"ContactId": contact["Id"], "IsPrimary": True}]


def test_a_converted_lead_says_what_it_became_and_is_read_only(org: Org, company: Company) -> None:
    made = org.convert_lead(company.lead, user_id=company.rep, do_not_create_opportunity=True)
    lead = row(org, "Lead", company.lead)
    expected = {
        "IsConverted": True,
        "Status": "Closed - Converted",
        "ConvertedDate": "2026-03-02",
        "ConvertedAccountId": made["accountId"],
        "ConvertedContactId": made["contactId"],
        "ConvertedOpportunityId": None,
        "IsUnreadByOwner": False,
    }
    assert {name: lead[name] for name in expected} == expected
    with pytest.raises(OrgError) as caught:
        org.update("Lead", company.lead, {"Title": "x"}, user_id=company.rep)
    assert caught.value.error_code == "CANNOT_UPDATE_CONVERTED_LEAD"
    assert refused(org, company, company.lead)[0] == "CANNOT_UPDATE_CONVERTED_LEAD"


def test_conversion_into_records_that_are_there_fills_only_what_is_empty(org: Org, company: Company) -> None:
    org.update("Lead", company.lead, {"Title": "CEO", "LeadSource": "Web"}, user_id=company.rep)
    org.update("Contact", company.contact, {"LeadSource": "Partner"}, user_id=company.rep)
    into = {"account_id": company.account, "contact_id": company.contact, "do_not_create_opportunity": True}
    org.convert_lead(company.lead, user_id=company.rep, **into)
    contact = row(org, "Contact", company.contact)
    kept = (contact["LastName"], contact["Title"], contact["LeadSource"])
    assert kept == ("Çelik", "CEO", "Partner")
    assert row(org, "Account", company.account)["Name"] == "Çelik Yapı A.Ş."


@pytest.mark.documented("Salesforce help, Considerations for Converting Leads")
def test_activities_of_a_lead_go_to_the_contact_and_the_deal(org: Org, company: Company) -> None:
    done = {"WhoId": company.lead, "Status": "Completed", "ActivityDate": "2026-02-20"}
    task = org.create("Task", done, user_id=company.rep)
    event = {"WhoId": company.lead, "StartDateTime": "2026-02-25T08:00:00Z", "DurationInMinutes": 30}
    meeting = org.create("Event", event, user_id=company.rep)
    made = org.convert_lead(company.lead, user_id=company.rep)
    for sobject, record_id in (("Task", task), ("Event", meeting)):
        moved = row(org, sobject, record_id)
        assert (moved["WhoId"], moved["WhatId"], moved["AccountId"]) == (
            made["contactId"],
            made["opportunityId"],
            made["accountId"],
        )
    for sobject, key in (("Contact", "contactId"), ("Opportunity", "opportunityId"), ("Account", "accountId")):
        assert row(org, sobject, made[key])["LastActivityDate"] == "2026-02-25"


@pytest.mark.documented("Object Reference, EmailMessageRelation", settled=False)
def test_mails_of_a_lead_are_the_contacts_after_conversion(org: Org, company: Company) -> None:
    mail = {"Subject": "s", "Status": "3", "ToIds": [company.lead], "FromId": company.rep}
    message = org.create("EmailMessage", mail, user_id=company.rep)
    made = org.convert_lead(company.lead, user_id=company.rep)
    assert org.query(f"SELECT ToIds FROM EmailMessage WHERE Id = '{message}'") == [{"ToIds": [made["contactId"]]}]


@pytest.mark.documented(guess="the code for a contact of another account")
def test_a_conversion_that_cannot_be_leaves_everything_as_it_was(org: Org, company: Company) -> None:
    bad = {"converted_status": "Working - Contacted"}
    said = ("INVALID_STATUS", "invalid convertedStatus for lead conversion: Working - Contacted")
    assert refused(org, company, company.lead, **bad) == said
    wrong = {"account_id": company.other_account, "contact_id": company.contact}
    assert refused(org, company, company.lead, **wrong)[0] == "INVALID_CROSS_REFERENCE_KEY"
    assert refused(org, company, company.lead, contact_id=company.contact)[0] == "REQUIRED_FIELD_MISSING"
    assert row(org, "Lead", company.lead)["IsConverted"] is False
    assert len(org.query("SELECT Id FROM Account")) == 2


def test_the_lead_of_a_queue_needs_an_owner_for_what_it_becomes(org: Org, company: Company) -> None:
    org.update("Lead", company.lead, {"OwnerId": company.queue}, user_id=company.rep)
    assert refused(org, company, company.lead)[1].startswith("Converted objects can only be owned by users.")
    made = org.convert_lead(company.lead, user_id=company.rep, owner_id=company.manager)
    assert row(org, "Contact", made["contactId"])["OwnerId"] == company.manager


def test_people_of_a_world_convert_leads_and_name_what_comes_of_it(org: Org, company: Company, tmp_path: Path) -> None:
    world = parse_world(
        {
            "format": "leakwatch-world/1",
            "name": "tiny",
            "start": "2026-03-02T05:00:00Z",
            "company": {"name": "T", "domains": ["t.example"], "time_zone": "Europe/Berlin", "currency": "EUR"},
            "users": [{"ref": "@user:a", "first_name": "A", "last_name": "B", "email": "a@t.example", "role": "rep"}],
            "stages": [{"value": "Open", "is_closed": False, "is_won": False}],
            "lead_statuses": [{"value": "New"}],
            "meanings": {"stage": {"Open": "open"}, "lead_status": {"New": "open"}},
            "records": [
                {"ref": "@lead:oz", "object": "Lead", "fields": {"LastName": "Öz", "Company": "Öz"}},
                {"ref": "@acc:celik", "object": "Account", "fields": {"Name": "Çelik"}},
            ],
            "timeline": [
                {
                    "at": "2026-03-03T09:00:00Z",
                    "do": "convert_lead",
                    "record": "@lead:oz",
                    "by": "@user:a",
                    "account": "@acc:celik",
                    "contact": "@con:oz",
                    "opportunity": "@opp:oz",
                    "name": "Öz 2026",
                },
                {"at": "2026-03-04T09:00:00Z", "do": "delete", "record": "@opp:oz", "by": "@user:a"},
            ],
        }
    )
    for item in org.agenda.items():  # the player moves a clock of its own here, so the org's would never be due
        org.agenda.cancel(item.number)
    refs = {"@user:a": company.rep, "@lead:oz": company.lead, "@acc:celik": company.account}
    player = Player(world, org, None, None, VirtualClock(tmp_path / "clock", NOW))  # type: ignore[arg-type]
    player.start_from([refs], [{"@lead:oz": "Lead"}])
    played = player.play_until(NOW.replace(day=5))
    assert [event.get("error") for event in played] == [None, None]
    deal = row(org, "Opportunity", player.refs["@opp:oz"])
    assert (deal["Name"], deal["AccountId"], deal["IsDeleted"]) == ("Öz 2026", company.account, True)
    assert row(org, "Contact", player.refs["@con:oz"])["AccountId"] == company.account
