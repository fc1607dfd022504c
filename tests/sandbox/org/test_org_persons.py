"""Person accounts: an account and a contact that are one person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org, OrgSettings
from sandbox.org.org_kit import Api, Clock, Company

pytestmark = pytest.mark.documented("SOAP API Developer Guide, Person Account Record Types; Object Reference, Account")


@pytest.fixture
def org(tmp_path: Path, clock: Clock) -> Iterator[Org]:
    made = Org(tmp_path / "org", clock, settings=OrgSettings(person_accounts=True))
    yield made
    made.close()


@pytest.fixture
def person_type(org: Org) -> str:
    sql = "SELECT Id FROM RecordType WHERE SobjectType = 'Account' AND IsPersonType = true"
    (found,) = org.query(sql)
    return found["Id"]


@pytest.fixture
def ada(org: Org, company: Company, person_type: str) -> str:
    fields = {"RecordTypeId": person_type, "FirstName": "Ada", "LastName": "Yılmaz", "PersonEmail": "ada@home.example"}
    more = {"Phone": "123", "PersonMailingCity": "Ankara", "Salutation": "Ms."}
    return org.create("Account", fields | more, user_id=company.rep)


def row(org: Org, sobject: str, record_id: str) -> dict[str, Any]:
    found = org.get(sobject, record_id)
    assert found is not None
    return found


def contact_of(org: Org, account: str) -> dict[str, Any]:
    return row(org, "Contact", row(org, "Account", account)["PersonContactId"])


def refusal(call: Any, *args: Any, **kwargs: Any) -> OrgError:
    with pytest.raises(OrgError) as caught:
        call(*args, **kwargs)
    return caught.value


def test_an_account_of_the_record_type_for_persons_has_a_contact(api: Api, org: Org, person_type: str) -> None:
    body = {"RecordTypeId": person_type, "FirstName": "Ada", "LastName": "Yılmaz", "PersonMobilePhone": "555"}
    account = row(org, "Account", api.call("POST", "sobjects/Account", body).json()["id"])
    assert (account["Name"], account["IsPersonAccount"]) == ("Ada Yılmaz", True)
    contact = contact_of(org, account["Id"])
    expected = {
        "AccountId": account["Id"],
        "IsPersonAccount": True,
        "Name": "Ada Yılmaz",
        "MobilePhone": "555",
        "OwnerId": api.user_id,
    }
    assert {name: contact[name] for name in expected} == expected


def test_both_can_be_queried_and_lead_to_each_other(org: Org, company: Company, ada: str) -> None:
    found = org.query("SELECT Account.PersonEmail, Email, MailingCity FROM Contact WHERE IsPersonAccount = true")
    assert found == [
        {"Account": {"PersonEmail": "ada@home.example"}, "Email": "ada@home.example", "MailingCity": "Ankara"}
    ]
    other = org.query("SELECT PersonContact.Email, PersonMailingAddress FROM Account WHERE PersonEmail LIKE 'ada%'")
    assert other[0]["PersonContact"]["Email"] == "ada@home.example"
    assert other[0]["PersonMailingAddress"]["city"] == "Ankara"
    business = org.query("SELECT Id, PersonEmail, PersonContactId FROM Account WHERE IsPersonAccount = false")
    assert {(one["PersonEmail"], one["PersonContactId"]) for one in business} == {(None, None)}


def test_whichever_is_changed_the_other_follows(org: Org, company: Company, ada: str) -> None:
    org.update("Account", ada, {"LastName": "Öz", "PersonTitle": "Dr", "Phone": "9"}, user_id=company.rep)
    contact = contact_of(org, ada)
    assert (contact["Name"], contact["Title"], contact["Phone"]) == ("Ada Öz", "Dr", "9")
    org.update("Contact", contact["Id"], {"FirstName": None, "Email": "oz@home.example"}, user_id=company.manager)
    account = row(org, "Account", ada)
    assert (account["Name"], account["PersonEmail"]) == ("Öz", "oz@home.example")
    assert account["LastModifiedById"] == company.manager
    org.update("Account", ada, {"OwnerId": company.manager}, user_id=company.rep)
    assert contact_of(org, ada)["OwnerId"] == company.manager


def test_a_contacts_custom_field_is_one_of_person_accounts_too(org: Org, company: Company, person_type: str) -> None:
    size = {"fullName": "Shoe_Size__c", "type": "Number", "precision": 4, "scale": 1, "label": "Shoe Size"}
    org.add_custom_field("Contact", size)
    fields = {"RecordTypeId": person_type, "LastName": "Ada", "Shoe_Size__pc": 38.5}
    account = org.create("Account", fields, user_id=company.rep)
    assert contact_of(org, account)["Shoe_Size__c"] == 38.5
    org.update("Contact", contact_of(org, account)["Id"], {"Shoe_Size__c": 39}, user_id=company.rep)
    assert org.query("SELECT Shoe_Size__pc FROM Account WHERE Shoe_Size__pc > 38.9") == [{"Shoe_Size__pc": 39}]


def test_the_name_of_a_person_is_made_of_the_parts_and_not_set(org: Org, company: Company, person_type: str) -> None:
    wrong = {"RecordTypeId": person_type, "LastName": "Ada", "Name": "Ada"}
    refused = refusal(org.create, "Account", wrong, user_id=company.rep)
    assert (refused.error_code, refused.fields) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"])
    bare = refusal(org.create, "Account", {"RecordTypeId": person_type}, user_id=company.rep)
    assert (bare.error_code, bare.fields) == ("REQUIRED_FIELD_MISSING", ["LastName"])
    nameless = refusal(org.create, "Account", {}, user_id=company.rep)
    assert (nameless.error_code, nameless.fields) == ("REQUIRED_FIELD_MISSING", ["Name"])


def test_each_kind_of_account_is_refused_the_others_fields(org: Org, company: Company, ada: str) -> None:
    mail = {"PersonEmail": "a@b.example", "LastName": "B"}
    refused = refusal(org.update, "Account", company.account, mail, user_id=company.rep)
    assert refused.error_code == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert refused.message == "Account: bad field names on insert/update call: LastName, PersonEmail"
    code = {"NaicsCode": "12"}
    assert (
        refusal(org.update, "Account", ada, code, user_id=company.rep).error_code == "INVALID_FIELD_FOR_INSERT_UPDATE"
    )


@pytest.mark.documented("Salesforce help, profiles' default record types of accounts", settled=False)
def test_a_last_name_without_a_record_type_makes_a_person(org: Org, company: Company, person_type: str) -> None:
    account = row(org, "Account", org.create("Account", {"LastName": "Ada"}, user_id=company.rep))
    assert (account["RecordTypeId"], account["IsPersonAccount"]) == (person_type, True)


@pytest.mark.documented("SOAP API Developer Guide, Person Account Record Types", settled=False)
def test_the_contact_comes_goes_and_stays_with_its_account(org: Org, company: Company, ada: str) -> None:
    contact = contact_of(org, ada)["Id"]
    refused = refusal(org.delete, "Contact", contact, user_id=company.rep)
    assert refused.error_code == "INVALID_PERSON_ACCOUNT_OPERATION"
    second = {"LastName": "B", "AccountId": ada}
    refused = refusal(org.create, "Contact", second, user_id=company.rep)
    assert refused.error_code == "INVALID_PERSON_ACCOUNT_OPERATION"
    moved = {"AccountId": company.account}
    refused = refusal(org.update, "Contact", contact, moved, user_id=company.rep)
    assert refused.message == "Account: bad field names on insert/update call: AccountId"


def test_a_deleted_person_account_takes_its_contact_along(org: Org, company: Company, ada: str) -> None:
    contact = contact_of(org, ada)["Id"]
    org.delete("Account", ada, user_id=company.rep)
    assert (row(org, "Contact", contact)["IsDeleted"], row(org, "Account", ada)["PersonContactId"]) == (True, contact)
    org.purge("Account", [ada])
    assert (org.get("Account", ada), org.get("Contact", contact)) == (None, None)


def test_activities_name_the_person_as_who_and_the_account_as_what(org: Org, company: Company, ada: str) -> None:
    contact = contact_of(org, ada)["Id"]
    call = {"Status": "Completed", "ActivityDate": "2026-02-20"}
    task = org.create("Task", call | {"WhoId": contact}, user_id=company.rep)
    assert row(org, "Task", task)["AccountId"] == ada
    assert row(org, "Account", ada)["LastActivityDate"] == "2026-02-20"
    assert refusal(org.create, "Task", call | {"WhoId": ada}, user_id=company.rep).error_code == "MALFORMED_ID"
    assert row(org, "Task", org.create("Task", call | {"WhatId": ada}, user_id=company.rep))["WhatId"] == ada


@pytest.mark.documented("Salesforce help, Considerations for Using Person Accounts", settled=False)
def test_persons_are_merged_with_persons_and_what_hangs_on_either_record_moves(
    org: Org, company: Company, ada: str, person_type: str
) -> None:
    other = org.create("Account", {"RecordTypeId": person_type, "LastName": "Ada"}, user_id=company.rep)
    kept, gone = contact_of(org, ada)["Id"], contact_of(org, other)["Id"]
    task = org.create("Task", {"WhoId": gone}, user_id=company.rep)
    for sobject, master, lost in (("Account", ada, company.account), ("Contact", kept, gone)):
        refused = refusal(org.merge, sobject, master, [lost], user_id=company.rep)
        assert refused.error_code == "INVALID_PERSON_ACCOUNT_OPERATION"
    org.merge("Account", ada, [other], {"PersonTitle": "Dr"}, user_id=company.rep)
    moved = row(org, "Task", task)
    assert (moved["WhoId"], moved["AccountId"]) == (kept, ada)
    assert (row(org, "Contact", gone)["IsDeleted"], row(org, "Contact", gone)["MasterRecordId"]) == (True, kept)
    assert contact_of(org, ada)["Title"] == "Dr"


@pytest.mark.documented("Object Reference, Lead, Company and Title")
def test_a_lead_without_a_company_becomes_a_person_account(org: Org, company: Company, person_type: str) -> None:
    fields = {"LastName": "Solo", "FirstName": "Han", "Email": "han@home.example", "Title": "Pilot", "City": "Izmir"}
    lead = org.create("Lead", fields, user_id=company.rep)
    made = org.convert_lead(lead, user_id=company.rep)
    account = row(org, "Account", str(made["accountId"]))
    assert (account["Name"], account["RecordTypeId"], account["IsPersonAccount"]) == ("Han Solo", person_type, True)
    assert (account["PersonEmail"], account["PersonTitle"]) == ("han@home.example", "Pilot")
    assert (account["PersonMailingCity"], made["contactId"]) == ("Izmir", account["PersonContactId"])
    long = org.create("Lead", {"LastName": "Long", "Title": "x" * 81}, user_id=company.rep)
    assert refusal(org.convert_lead, long, user_id=company.rep).error_code == "STRING_TOO_LONG"


@pytest.mark.documented("SOAP API Developer Guide, convertLead, LeadConvert")
def test_a_lead_joins_a_person_account_that_is_named_without_its_contact(org: Org, company: Company, ada: str) -> None:
    lead = org.create("Lead", {"LastName": "Yılmaz", "MobilePhone": "555"}, user_id=company.rep)
    contact = contact_of(org, ada)["Id"]
    refused = refusal(org.convert_lead, lead, account_id=ada, contact_id=contact, user_id=company.rep)
    assert refused.error_code == "INVALID_PERSON_ACCOUNT_OPERATION"
    made = org.convert_lead(lead, account_id=ada, user_id=company.rep)
    assert (made["contactId"], contact_of(org, ada)["MobilePhone"]) == (contact, "555")
    assert row(org, "Account", ada)["Name"] == "Ada Yılmaz"


@pytest.mark.documented("Salesforce help, Considerations for Converting Business Accounts to Person Accounts")
def test_another_record_type_marries_an_account_with_its_only_contact(
    org: Org, company: Company, person_type: str
) -> None:
    account = org.create("Account", {"Name": "Ada Ltd", "Phone": "1"}, user_id=company.rep)
    contact = {"LastName": "Ada", "Email": "ada@home.example", "Phone": "2", "AccountId": account}
    contact_id = org.create("Contact", contact, user_id=company.rep)
    more = {"RecordTypeId": person_type, "Phone": "3"}
    refused = refusal(org.update, "Account", account, more, user_id=company.rep)
    said = "Cannot specify any additional fields when marrying or separating a Person-Account"
    assert (refused.error_code, refused.message) == ("INVALID_FIELD_FOR_INSERT_UPDATE", said)
    org.update("Account", account, {"RecordTypeId": person_type}, user_id=company.rep)
    married = row(org, "Account", account)
    assert (married["Name"], married["PersonEmail"], married["PersonContactId"]) == (
        "Ada",
        "ada@home.example",
        contact_id,
    )
    assert (row(org, "Contact", contact_id)["Phone"], row(org, "Contact", contact_id)["IsPersonAccount"]) == ("1", True)


@pytest.mark.documented("SOAP API Developer Guide, Person Account Record Types", settled=False)
def test_who_cannot_be_married_is_refused_and_a_person_can_be_separated(
    org: Org, company: Company, ada: str, person_type: str
) -> None:
    for account in (company.account, company.other_account):  # two contacts, and none
        refused = refusal(org.update, "Account", account, {"RecordTypeId": person_type}, user_id=company.rep)
        assert refused.error_code == "INVALID_PERSON_ACCOUNT_OPERATION"
    contact = contact_of(org, ada)["Id"]
    org.update("Account", ada, {"RecordTypeId": None}, user_id=company.rep)
    separated = row(org, "Account", ada)
    assert (separated["IsPersonAccount"], separated["PersonContactId"], separated["PersonEmail"]) == (False, None, None)
    left = row(org, "Contact", contact)
    assert (left["IsPersonAccount"], left["AccountId"], left["Email"]) == (False, ada, "ada@home.example")


def test_seeded_persons_get_their_contact(org: Org, company: Company, person_type: str) -> None:
    ids = [org.new_id("Account"), org.new_id("Account")]
    persons = [{"Id": one, "LastName": f"P{at}", "PersonEmail": f"p{at}@home.example"} for at, one in enumerate(ids)]
    org.seed("Account", persons)
    org.seed("Contact", [{"LastName": "P1", "AccountId": ids[1], "Title": "Dr"}])
    org.recompute_last_activity()
    assert [contact_of(org, one)["Email"] for one in ids] == ["p0@home.example", "p1@home.example"]
    assert (row(org, "Account", ids[1])["PersonTitle"], row(org, "Account", ids[1])["RecordTypeId"]) == (
        "Dr",
        person_type,
    )


def test_without_person_accounts_there_are_no_such_fields(tmp_path: Path) -> None:
    org = Org(tmp_path / "plain", Clock())
    account, contact = org.schema.objects["Account"].fields, org.schema.objects["Contact"].fields
    assert [name for name in account if name.startswith("Person") or name == "IsPersonAccount"] == []
    assert "IsPersonAccount" not in contact
    assert "IsPersonType" not in org.schema.objects["RecordType"].fields
    assert org.schema.objects["Lead"].fields["Company"].can("n") is False
    org.close()
