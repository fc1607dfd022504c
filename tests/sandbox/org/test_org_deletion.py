"""Deleting rows, the recycle bin."""

from __future__ import annotations

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Api, Clock, Company

pytestmark = pytest.mark.documented("Apex Developer Guide, Referential Integrity When Deleting and Restoring Records")


def refused(org: Org, sobject: str, record_id: str) -> str:
    with pytest.raises(OrgError) as caught:
        org.delete(sobject, record_id, user_id=org.settings.system_user_id)
    assert (caught.value.status, caught.value.error_code) == (400, "DELETE_FAILED")
    return caught.value.message


def deleted(org: Org, sobject: str, record_id: str) -> bool | None:
    row = org.get(sobject, record_id)
    return None if row is None else row["IsDeleted"]


def test_children_go_along_down_to_the_grandchildren(org: Org, company: Company) -> None:
    task = org.create("Task", {"WhatId": company.deal, "Subject": "Call"}, user_id=company.rep)
    org.delete("Account", company.account, user_id=company.rep)
    for sobject, record_id in (("Contact", company.contact), ("Opportunity", company.deal), ("Task", task)):
        assert deleted(org, sobject, record_id) is True
        assert org.query(f"SELECT Id FROM {sobject} WHERE Id = '{record_id}'") == []
        assert org.query(f"SELECT Id FROM {sobject} WHERE Id = '{record_id}'", all_rows=True)


@pytest.mark.documented(guess="that no stamp of the row moves")
def test_a_lookup_to_a_deleted_record_is_cleared_and_its_row_stays(org: Org, company: Company) -> None:
    org.update("Account", company.other_account, {"ParentId": company.account}, user_id=company.rep)
    before = org.get("Account", company.other_account)
    org.delete("Account", company.account, user_id=company.rep)
    after = org.get("Account", company.other_account)
    assert before
    assert after
    assert (after["ParentId"], after["IsDeleted"]) == (None, False)
    assert after["SystemModstamp"] == before["SystemModstamp"]


@pytest.mark.documented("the text as a client reports it")
def test_a_contact_with_cases_is_not_deleted(api: Api, org: Org, company: Company) -> None:
    org.update("Contact", company.contact, {"Salutation": "Ms."}, user_id=company.rep)
    case = org.create("Case", {"Subject": "Broken", "ContactId": company.contact}, user_id=company.rep)
    number = (org.get("Case", case) or {})["CaseNumber"]
    answer = api.call("DELETE", f"sobjects/Contact/{company.contact}")
    said = (
        "Your attempt to delete Ms. Işıl Çelik could not be completed because it is associated with the "
        f"following cases.: {number}\n"
    )
    assert (answer.status_code, answer.json()) == (400, [{"message": said, "errorCode": "DELETE_FAILED"}])
    org.delete("Case", case, user_id=company.rep)
    assert api.call("DELETE", f"sobjects/Contact/{company.contact}").status_code == 204


@pytest.mark.documented("the text as a client reports it")
def test_an_account_with_won_deals_is_not_deleted(org: Org, company: Company) -> None:
    org.update("Opportunity", company.deal, {"StageName": "Closed Won"}, user_id=company.rep)
    said = refused(org, "Account", company.account)
    assert said == (
        "Your attempt to delete Çelik Yapı A.Ş. could not be completed because some opportunities in that account "
        "were closed won. The opportunities that could not be deleted are shown below.: Çelik 2026\n"
    )
    assert deleted(org, "Contact", company.contact) is False


@pytest.mark.documented("Object Reference, Contract", guess="the words of the refusals")
def test_draft_contracts_go_along_and_activated_ones_hold_their_account(org: Org, company: Company) -> None:
    contract = org.create("Contract", {"AccountId": company.account}, user_id=company.rep)
    org.seed("Contract", [{"AccountId": company.other_account, "Status": "Activated", "ContractNumber": "00000107"}])
    org.delete("Account", company.account, user_id=company.rep)
    assert deleted(org, "Contract", contract) is True
    assert "associated with the following contracts.: 00000107\n" in refused(org, "Account", company.other_account)
    active = org.query("SELECT Id FROM Contract WHERE Status = 'Activated'")[0]["Id"]
    assert "00000107" in refused(org, "Contract", active)


def test_the_bin_keeps_rows_for_fifteen_days_and_the_delete_log_outlives_them(
    api: Api, org: Org, company: Company, clock: Clock
) -> None:
    org.delete("Account", company.account, user_id=company.rep)
    clock.advance(days=14)
    org.agenda.run_due()
    org.delete("Lead", company.lead, user_id=company.rep)
    assert deleted(org, "Account", company.account) is True
    assert (
        api.call("PATCH", f"sobjects/Account/{company.account}", {"Name": "x"}).json()[0]["errorCode"]
        == "ENTITY_IS_DELETED"
    )
    clock.advance(days=2)
    org.agenda.run_due()
    assert [org.get(*one) for one in (("Account", company.account), ("Contact", company.contact))] == [None, None]
    assert deleted(org, "Lead", company.lead) is True
    assert org.query(f"SELECT Id FROM Account WHERE Id = '{company.account}'", all_rows=True) == []
    logged = org.store.execute("SELECT COUNT(*) FROM _deleted WHERE id = ?", (company.account,)).fetchone()[0]
    assert logged == 1
    gone = api.call("DELETE", f"sobjects/Account/{company.account}")
    assert (gone.status_code, gone.json()[0]["errorCode"]) == (404, "INVALID_CROSS_REFERENCE_KEY")
    clock.advance(days=15)
    org.agenda.run_due()
    assert org.get("Lead", company.lead) is None
    assert [item for item in org.agenda.items() if item.kind == "bin.empty"] == []


def test_a_row_taken_out_of_the_bin_takes_what_went_with_it(org: Org, company: Company) -> None:
    org.delete("Account", company.account, user_id=company.rep)
    org.purge("Account", [company.account])
    assert [org.get("Contact", company.contact), org.get("Opportunity", company.deal)] == [None, None]


@pytest.mark.documented("the answers as a client's test expects them", settled=False)
def test_a_gone_row_an_unknown_one_and_one_of_another_object_are_told_apart(
    api: Api, org: Org, company: Company
) -> None:
    org.delete("Lead", company.lead, user_id=company.rep)
    for record_id, code in (
        (company.lead, "ENTITY_IS_DELETED"),
        ("00Q5e0000000099AAA", "INVALID_CROSS_REFERENCE_KEY"),
        (company.contact, "NOT_FOUND"),
    ):
        for method, body in (("DELETE", None), ("PATCH", {"LastName": "x"})):
            answer = api.call(method, f"sobjects/Lead/{record_id}", body)
            assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, code)
