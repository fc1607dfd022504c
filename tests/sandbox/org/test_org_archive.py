"""The archive of activities, and what of mails can change."""

from __future__ import annotations

from typing import Any

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Clock, Company

pytestmark = pytest.mark.documented("Object Reference, EmailMessage, EmailMessageRelation")


def code(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(OrgError) as caught:
        call(*args, **kwargs)
    return caught.value.error_code


def row(org: Org, sobject: str, record_id: str) -> dict[str, Any]:
    found = org.get(sobject, record_id)
    assert found is not None
    return found


# -- the archive --------------------------------------------------------------------------------------


def aged(org: Org, company: Company) -> list[str]:
    """A closed task and an event of a year ago, an open task of then and a closed one without a day."""
    old = {"WhatId": company.deal, "CreatedDate": "2025-03-01T08:00:00Z"}
    times = {"ActivityDate": "2025-03-02", "EndDate": "2025-03-02", "StartDateTime": "2025-03-02T08:00:00Z"}
    rows: list[tuple[str, dict[str, Any]]] = [
        ("Task", old | {"Status": "Completed", "ActivityDate": "2025-03-03"}),
        ("Task", old | {"Status": "Completed"}),
        ("Event", old | times),
        ("Task", old | {"ActivityDate": "2025-01-03"}),
        ("Task", old | {"Status": "Completed", "ActivityDate": "2025-03-04"}),
    ]
    made = [org.new_id(sobject) for sobject, _ in rows]
    for record_id, (sobject, fields) in zip(made, rows, strict=True):
        org.seed(sobject, [fields | {"Id": record_id}])
    return made


@pytest.mark.documented("Salesforce help, Archived Activities")
def test_activities_of_a_year_ago_are_archived_the_next_day_unless_open(
    org: Org, company: Company, clock: Clock
) -> None:
    ids = aged(org, company)
    clock.advance(days=1)
    org.agenda.run_due()
    assert [row(org, "Event" if one.startswith("00U") else "Task", one)["IsArchived"] for one in ids] == [
        *(True, True, True),
        *(False, False),
    ]
    shown = {one["Id"] for one in org.query("SELECT Id FROM Task")}
    every = {one["Id"] for one in org.query("SELECT Id FROM Task", all_rows=True)}
    assert (ids[0] in shown, ids[0] in every, ids[3] in shown) == (False, True, True)
    clock.advance(days=1)
    org.agenda.run_due()
    assert row(org, "Task", ids[4])["IsArchived"] is True


@pytest.mark.documented("Salesforce help, Archived Activities")
def test_an_archived_activity_can_be_changed_and_deleted_but_not_put_there(
    org: Org, company: Company, clock: Clock
) -> None:
    task = aged(org, company)[0]
    clock.advance(days=1)
    org.agenda.run_due()
    org.update("Task", task, {"Subject": "later"}, user_id=company.rep)
    assert (row(org, "Task", task)["Subject"], row(org, "Task", task)["IsArchived"]) == ("later", True)
    refused = code(org.update, "Task", task, {"IsArchived": False}, user_id=company.rep)
    assert refused == "INVALID_FIELD_FOR_INSERT_UPDATE"
    org.delete("Task", task, user_id=company.rep)
    assert row(org, "Task", task)["IsDeleted"] is True


@pytest.mark.documented("Salesforce help, Archived Activities", settled=False)
def test_an_archived_activity_comes_back_with_another_what(org: Org, company: Company, clock: Clock) -> None:
    task = aged(org, company)[0]
    clock.advance(days=1)
    org.agenda.run_due()
    org.update("Task", task, {"WhatId": company.account}, user_id=company.rep)
    assert row(org, "Task", task)["IsArchived"] is False


@pytest.mark.documented("Salesforce help, Archived Activities")
def test_an_org_can_archive_later_or_never(org: Org, company: Company, clock: Clock) -> None:
    ids = aged(org, company)
    org.change_settings({"archive_after_days": 3_650})
    clock.advance(days=1)
    org.agenda.run_due()
    assert row(org, "Task", ids[0])["IsArchived"] is False
    org.change_settings({"archive_after_days": 0})
    clock.advance(days=1)
    org.agenda.run_due()
    assert org.agenda.items() == []


# -- mails --------------------------------------------------------------------------------------------


def relations(org: Org, message: str) -> list[tuple[Any, ...]]:
    found = org.query(
        "SELECT RelationType, RelationId, RelationAddress, RelationObjectType FROM EmailMessageRelation "
        f"WHERE EmailMessageId = '{message}' ORDER BY Id"
    )
    return [tuple(one.values()) for one in found]


@pytest.fixture
def case(org: Org, company: Company) -> str:
    return org.create("Case", {"Subject": "s"}, user_id=company.rep)


@pytest.mark.documented(guess="the codes of the refusals")
def test_a_draft_on_a_case_has_no_task_and_changes_freely_but_for_its_status(
    org: Org, company: Company, case: str
) -> None:
    draft = {"ParentId": case, "Status": "5", "Subject": "a", "ToIds": [company.contact], "CcAddress": "x@y.example"}
    message = org.create("EmailMessage", draft, user_id=company.rep)
    assert (row(org, "EmailMessage", message)["ActivityId"], org.query("SELECT Id FROM Task")) == (None, [])
    changes = {"Subject": "b", "ToIds": [company.colleague], "CcAddress": None}
    org.update("EmailMessage", message, changes, user_id=company.rep)
    assert relations(org, message) == [("ToAddress", company.colleague, "kaya@celik.example", "Contact")]
    for fields in ({"Status": "3"}, {"IsExternallyVisible": True}):
        refused = code(org.update, "EmailMessage", message, fields, user_id=company.rep)
        assert refused == "INSUFFICIENT_ACCESS_OR_READONLY"
    answer = {"ParentId": case, "Status": "3", "ReplyToEmailMessageId": message}
    assert code(org.create, "EmailMessage", answer, user_id=company.rep) == "FIELD_INTEGRITY_EXCEPTION"


@pytest.mark.documented(guess="the code of the refusal")
def test_a_mail_of_a_case_may_name_its_task_and_is_read_once(org: Org, company: Company, case: str) -> None:
    task = org.create("Task", {"WhatId": case}, user_id=company.rep)
    mail = {"ParentId": case, "Status": "0", "Incoming": True, "ActivityId": task}
    message = org.create("EmailMessage", mail, user_id=company.rep)
    found = row(org, "EmailMessage", message)
    assert (found["RelatedToId"], found["ActivityId"], len(org.query("SELECT Id FROM Task"))) == (case, task, 1)
    org.update("EmailMessage", message, {"Status": "1"}, user_id=company.rep)
    refused = code(org.update, "EmailMessage", message, {"Status": "0"}, user_id=company.rep)
    assert refused == "INSUFFICIENT_ACCESS_OR_READONLY"


def test_a_mail_that_a_client_manages_can_be_related_anew_with_its_task(org: Org, company: Company) -> None:
    mail = {"Status": "3", "RelatedToId": company.deal, "IsClientManaged": True}
    message = org.create("EmailMessage", mail, user_id=company.rep)
    org.update("EmailMessage", message, {"RelatedToId": company.account}, user_id=company.rep)
    task = row(org, "EmailMessage", message)["ActivityId"]
    assert row(org, "Task", task)["WhatId"] == company.account


@pytest.mark.documented("Object Reference v67, EmailMessage", settled=False)
def test_the_task_of_an_updated_mail_is_made_anew_where_the_org_does_so(org: Org, company: Company) -> None:
    mail = {"Status": "3", "IsClientManaged": True, "ToIds": [company.contact], "FromId": company.rep, "Subject": "s"}
    message = org.create("EmailMessage", mail, user_id=company.rep)
    former = row(org, "EmailMessage", message)["ActivityId"]
    org.update("EmailMessage", message, {"IsExternallyVisible": False}, user_id=company.manager)
    assert row(org, "EmailMessage", message)["ActivityId"] == former
    org.change_settings({"email_task_on_update": "remade"})
    org.update("EmailMessage", message, {"RelatedToId": company.deal}, user_id=company.manager)
    task = row(org, "Task", row(org, "EmailMessage", message)["ActivityId"])
    assert (task["Id"] != former, row(org, "Task", former)["IsDeleted"]) == (True, True)
    assert (task["WhoId"], task["WhatId"], task["Subject"]) == (company.contact, company.deal, "s")
    assert task["OwnerId"] == company.manager


@pytest.mark.documented("Salesforce help, Considerations for Using Enhanced Email")
def test_the_task_of_a_mail_has_the_first_closed_status_of_the_org(org: Org, company: Company) -> None:
    statuses = [("Open", False), ("Filed", True), ("Completed", True)]
    org.seed(
        "TaskStatus", [{"ApiName": name, "SortOrder": at, "IsClosed": end} for at, (name, end) in enumerate(statuses)]
    )
    message = org.create("EmailMessage", {"Status": "3"}, user_id=company.rep)
    assert row(org, "Task", row(org, "EmailMessage", message)["ActivityId"])["Status"] == "Filed"


@pytest.mark.documented("Object Reference, EmailMessageRelation", settled=False)
def test_addresses_of_unknown_people_are_relations_without_an_id(org: Org, company: Company) -> None:
    mail = {"Status": "3", "FromAddress": "b@x.example", "ToAddress": "a@x.example; c@x.example"}
    message = org.create("EmailMessage", mail | {"ToIds": [company.contact]}, user_id=company.rep)
    assert relations(org, message) == [
        ("ToAddress", company.contact, "isil@celik.example", "Contact"),
        ("ToAddress", None, "a@x.example", None),
        ("ToAddress", None, "c@x.example", None),
        ("FromAddress", None, "b@x.example", None),
    ]
    assert org.query("SELECT ToIds FROM EmailMessage") == [{"ToIds": [company.contact]}]


@pytest.mark.documented(guess="the code of the refusal")
def test_a_relation_by_hand_takes_its_address_from_the_person(org: Org, company: Company) -> None:
    message = org.create("EmailMessage", {"Status": "3"}, user_id=company.rep)
    fields = {"EmailMessageId": message, "RelationType": "OtherAddress"}
    org.create("EmailMessageRelation", fields | {"RelationId": company.lead}, user_id=company.rep)
    assert relations(org, message) == [("OtherAddress", company.lead, "oz@oz.example", "Lead")]
    assert code(org.create, "EmailMessageRelation", fields, user_id=company.rep) == "REQUIRED_FIELD_MISSING"
