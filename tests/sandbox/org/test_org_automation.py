"""What follows from a written row: mails make tasks, activities move dates, stages decide outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org, OrgSettings
from sandbox.org.org_kit import Clock, Company

pytestmark = pytest.mark.documented("Object Reference, Task, Event, EmailMessage, Opportunity")


def refused(call: Any, *args: Any, **kwargs: Any) -> OrgError:
    with pytest.raises(OrgError) as caught:
        call(*args, **kwargs)
    return caught.value


def mail(company: Company, **more: Any) -> dict[str, Any]:
    base = {
        "Subject": "Teklif",
        "Status": "3",
        "MessageDate": "2026-03-01T22:30:00Z",  # already the 2nd in Istanbul
        "FromId": company.rep,
        "FromAddress": "jane.doe@acme.example",
        "ToIds": [company.contact],
        "CcIds": [company.colleague, company.manager],
        "RelatedToId": company.deal,
    }
    return base | more


def row(org: Org, sobject: str, record_id: str) -> dict[str, Any]:
    found = org.get(sobject, record_id)
    assert found is not None
    return found


# -- mail ---------------------------------------------------------------------------------------------


def test_a_mail_relates_its_people_and_makes_its_task(org: Org, company: Company) -> None:
    message = org.create("EmailMessage", mail(company), user_id=company.manager)
    relations = org.query("SELECT RelationId, RelationType, RelationAddress FROM EmailMessageRelation")
    assert sorted((one["RelationType"], one["RelationId"]) for one in relations) == sorted(
        [
            ("FromAddress", company.rep),
            ("ToAddress", company.contact),
            ("CcAddress", company.colleague),
            ("CcAddress", company.manager),
        ]
    )
    task = row(org, "Task", row(org, "EmailMessage", message)["ActivityId"])
    expected = {
        "TaskSubtype": "Email",
        "Status": "Completed",
        "IsClosed": True,
        "Subject": "Teklif",
        "ActivityDate": "2026-03-02",
        "WhoId": company.contact,
        "WhatId": company.deal,
        "AccountId": company.account,
        "OwnerId": company.manager,
    }
    assert {name: task[name] for name in expected} == expected


def test_the_task_of_an_incoming_mail_names_its_sender(org: Org, company: Company) -> None:
    incoming = mail(company, Incoming=True, FromId=company.colleague, ToIds=[company.rep], CcIds=[company.contact])
    message = org.create("EmailMessage", incoming, user_id=company.manager)
    assert row(org, "Task", row(org, "EmailMessage", message)["ActivityId"])["WhoId"] == company.colleague


def test_the_task_can_go_to_the_sender_and_later_to_somebody_else(org: Org, company: Company) -> None:
    org.settings.auto_task_owner = "sender_user"
    message = org.create("EmailMessage", mail(company), user_id=company.manager)
    task = row(org, "EmailMessage", message)["ActivityId"]
    assert row(org, "Task", task)["OwnerId"] == company.rep
    org.update("Task", task, {"OwnerId": company.manager}, user_id=company.manager)
    assert row(org, "Task", task)["OwnerId"] == company.manager


@pytest.mark.documented(guess="the code for a status other than sent")
@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Status": "0"}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"Status": None}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"Status": "9"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"ToIds": "00Qx"}, "JSON_PARSER_ERROR"),
        ({"ToIds": ["0015e0000000001AAA"]}, "MALFORMED_ID"),
        ({"ToIds": ["0035e00000zzzzzAAA"]}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"Subject": "x" * 3001}, "STRING_TOO_LONG"),
    ],
)
def test_a_bad_mail_is_refused_and_leaves_nothing(org: Org, company: Company, more: dict[str, Any], code: str) -> None:
    assert refused(org.create, "EmailMessage", mail(company) | more, user_id=company.rep).error_code == code
    for sobject in ("EmailMessage", "EmailMessageRelation", "Task"):
        assert org.query(f"SELECT Id FROM {sobject}") == []


def test_the_task_of_a_mail_cannot_be_chosen(org: Org, company: Company) -> None:
    task = org.create("Task", {}, user_id=company.rep)
    error = refused(org.create, "EmailMessage", mail(company, ActivityId=task), user_id=company.rep)
    assert error.error_code == "INSUFFICIENT_ACCESS_OR_READONLY"


@pytest.mark.documented(guess="the codes of the refusals")
def test_a_sent_mail_keeps_all_but_visibility_and_custom_fields(org: Org, company: Company, project: Path) -> None:
    org.deploy(project)
    message = org.create("EmailMessage", mail(company), user_id=company.rep)
    org.update("EmailMessage", message, {"IsExternallyVisible": True, "Leakwatch_Key__c": "k"}, user_id=company.rep)
    for fields in ({"Subject": "other"}, {"RelatedToId": company.account}, {"ToIds": []}):
        error = refused(org.update, "EmailMessage", message, fields, user_id=company.rep)
        assert error.error_code == "INSUFFICIENT_ACCESS_OR_READONLY"


def test_deleting_a_mail_deletes_its_task_and_takes_back_the_last_activity(org: Org, company: Company) -> None:
    message = org.create("EmailMessage", mail(company), user_id=company.rep)
    task = row(org, "EmailMessage", message)["ActivityId"]
    assert row(org, "Contact", company.contact)["LastActivityDate"] == "2026-03-02"
    org.delete("EmailMessage", message, user_id=company.rep)
    assert row(org, "Task", task)["IsDeleted"] is True
    assert row(org, "Contact", company.contact)["LastActivityDate"] is None
    assert org.query("SELECT Id FROM EmailMessageRelation") == []


# -- activities and their parents -----------------------------------------------------------------------


def test_a_closed_task_moves_the_last_activity_of_all_it_belongs_to(org: Org, company: Company, clock: Clock) -> None:
    clock.advance(hours=1)
    fields = {"WhoId": company.contact, "WhatId": company.deal, "Status": "Completed", "ActivityDate": "2026-02-27"}
    org.create("Task", fields, user_id=company.rep)
    for sobject, record_id in (
        ("Contact", company.contact),
        ("Opportunity", company.deal),
        ("Account", company.account),
    ):
        parent = row(org, sobject, record_id)
        assert parent["LastActivityDate"] == "2026-02-27"
        assert parent["SystemModstamp"] == "2026-03-02T10:00:30.000+0000"
        assert parent["LastModifiedDate"] == "2025-01-01T00:00:00.000+0000"


def test_open_tasks_and_tasks_without_a_date_do_not_count(org: Org, company: Company) -> None:
    org.create("Task", {"WhoId": company.lead, "ActivityDate": "2026-02-27"}, user_id=company.rep)
    org.create("Task", {"WhoId": company.lead, "Status": "Completed"}, user_id=company.rep)
    lead = row(org, "Lead", company.lead)
    assert (lead["LastActivityDate"], lead["SystemModstamp"]) == (None, "2025-01-01T00:00:00.000+0000")


def test_an_older_activity_moves_nothing(org: Org, company: Company, clock: Clock) -> None:
    closed = {"WhoId": company.lead, "Status": "Completed"}
    org.create("Task", closed | {"ActivityDate": "2026-02-27"}, user_id=company.rep)
    stamp = row(org, "Lead", company.lead)["SystemModstamp"]
    clock.advance(hours=1)
    org.create("Task", closed | {"ActivityDate": "2026-02-20"}, user_id=company.rep)
    assert row(org, "Lead", company.lead)["LastActivityDate"] == "2026-02-27"
    assert row(org, "Lead", company.lead)["SystemModstamp"] == stamp


def test_reopening_and_moving_a_task_takes_its_date_along(org: Org, company: Company) -> None:
    closed = {"WhoId": company.lead, "Status": "Completed", "ActivityDate": "2026-02-27"}
    task = org.create("Task", closed, user_id=company.rep)
    org.update("Task", task, {"Status": "In Progress"}, user_id=company.rep)
    reopened = row(org, "Task", task)
    assert (reopened["IsClosed"], reopened["CompletedDateTime"]) == (False, None)
    assert row(org, "Lead", company.lead)["LastActivityDate"] is None
    org.update("Task", task, {"Status": "Completed", "WhoId": company.contact}, user_id=company.rep)
    assert row(org, "Task", task)["CompletedDateTime"] == "2026-03-02T09:00:30.000+0000"
    assert row(org, "Contact", company.contact)["LastActivityDate"] == "2026-02-27"
    assert row(org, "Task", task)["AccountId"] == company.account


def test_an_event_counts_even_when_it_lies_ahead(org: Org, company: Company) -> None:
    event = {"WhatId": company.account, "StartDateTime": "2026-04-01T08:00:00Z", "DurationInMinutes": 60}
    org.create("Event", event, user_id=company.rep)
    assert row(org, "Account", company.account)["LastActivityDate"] == "2026-04-01"


def test_last_activity_can_be_computed_for_a_seeded_world_without_stamps_moving(org: Org, company: Company) -> None:
    org.seed("Task", [{"WhoId": company.lead, "Status": "Completed", "ActivityDate": "2026-01-05"}])
    assert row(org, "Lead", company.lead)["LastActivityDate"] is None
    org.recompute_last_activity()
    lead = row(org, "Lead", company.lead)
    assert (lead["LastActivityDate"], lead["SystemModstamp"]) == ("2026-01-05", "2025-01-01T00:00:00.000+0000")


# -- events -------------------------------------------------------------------------------------------


def test_the_end_of_an_event_follows_from_its_length_and_the_other_way_round(org: Org, company: Company) -> None:
    by_length = org.create(
        "Event", {"StartDateTime": "2026-03-02T21:30:00Z", "DurationInMinutes": 45}, user_id=company.rep
    )
    found = row(org, "Event", by_length)
    assert (found["EndDateTime"], found["ActivityDate"]) == ("2026-03-02T22:15:00.000+0000", "2026-03-03")
    by_end = org.create(
        "Event", {"StartDateTime": "2026-03-02T10:00:00Z", "EndDateTime": "2026-03-02T11:30:00Z"}, user_id=company.rep
    )
    assert row(org, "Event", by_end)["DurationInMinutes"] == 90
    org.update("Event", by_end, {"StartDateTime": "2026-03-02T12:00:00Z"}, user_id=company.rep)
    assert row(org, "Event", by_end)["EndDateTime"] == "2026-03-02T13:30:00.000+0000"


def test_an_all_day_event_needs_only_its_day(org: Org, company: Company) -> None:
    event = org.create("Event", {"IsAllDayEvent": True, "ActivityDate": "2026-03-05"}, user_id=company.rep)
    found = row(org, "Event", event)
    assert (found["StartDateTime"], found["EndDateTime"], found["DurationInMinutes"]) == (
        "2026-03-05T00:00:00.000+0000",
        "2026-03-05T00:00:00.000+0000",
        1440,
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "REQUIRED_FIELD_MISSING"),
        ({"StartDateTime": "2026-03-02T10:00:00Z"}, "REQUIRED_FIELD_MISSING"),
        ({"StartDateTime": "2026-03-02T10:00:00Z", "EndDateTime": "2026-03-02T09:00:00Z"}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"StartDateTime": "2026-03-02T10:00:00Z", "DurationInMinutes": 20_161}, "FIELD_INTEGRITY_EXCEPTION"),
        (
            {"StartDateTime": "2026-03-02T10:00:00Z", "EndDateTime": "2026-03-02T11:00:00Z", "DurationInMinutes": 30},
            "FIELD_INTEGRITY_EXCEPTION",
        ),
    ],
)
def test_times_that_do_not_agree_are_refused(org: Org, company: Company, fields: dict[str, Any], code: str) -> None:
    assert refused(org.create, "Event", fields, user_id=company.rep).error_code == code


@pytest.mark.documented(guess="which field the refusal names")
def test_a_private_event_is_related_to_nothing(org: Org, company: Company) -> None:
    event = {"StartDateTime": "2026-03-02T10:00:00Z", "DurationInMinutes": 30, "IsPrivate": True}
    error = refused(org.create, "Event", event | {"WhatId": company.deal}, user_id=company.rep)
    assert error.fields == ["IsPrivate"]


# -- deals --------------------------------------------------------------------------------------------


def test_the_stage_decides_outcome_probability_and_forecast(org: Org, company: Company) -> None:
    org.update("Opportunity", company.deal, {"StageName": "Closed Won"}, user_id=company.rep)
    deal = row(org, "Opportunity", company.deal)
    expected = {
        "IsClosed": True,
        "IsWon": True,
        "Probability": 100.0,
        "ForecastCategory": "Closed",
        "ExpectedRevenue": 12_500.5,
        "LastStageChangeDate": "2026-03-02T09:00:30.000+0000",
    }
    assert {name: deal[name] for name in expected} == expected


def test_history_keeps_every_change_of_stage_amount_probability_and_close_date(org: Org, company: Company) -> None:
    deal = org.create(
        "Opportunity",
        {"Name": "n", "StageName": "Prospecting", "CloseDate": "2026-04-01", "Amount": 10},
        user_id=company.rep,
    )
    org.update("Opportunity", deal, {"Amount": 20, "CloseDate": "2026-05-02"}, user_id=company.rep)
    org.update("Opportunity", deal, {"NextStep": "call"}, user_id=company.rep)
    rows = org.query(
        "SELECT Amount, CloseDate, PrevAmount, PrevCloseDate FROM OpportunityHistory "
        f"WHERE OpportunityId = '{deal}' ORDER BY Id"
    )
    assert rows == [
        {"Amount": 10.0, "CloseDate": "2026-04-01", "PrevAmount": None, "PrevCloseDate": None},
        {"Amount": 20.0, "CloseDate": "2026-05-02", "PrevAmount": 10.0, "PrevCloseDate": "2026-04-01"},
    ]
    found = row(org, "Opportunity", deal)
    assert (found["PushCount"], found["LastStageChangeDate"]) == (1, None)
    assert found["LastAmountChangedHistoryId"] == found["LastCloseDateChangedHistoryId"]


def test_lines_make_the_amount_and_then_it_cannot_be_set(org: Org, company: Company) -> None:
    product, book, entry = (org.new_id(name) for name in ("Product2", "Pricebook2", "PricebookEntry"))
    org.seed("Product2", [{"Id": product, "Name": "Panel", "ProductCode": "P1", "IsActive": True}])
    org.seed("Pricebook2", [{"Id": book, "Name": "Standard", "IsStandard": True, "IsActive": True}])
    org.seed(
        "PricebookEntry",
        [{"Id": entry, "Pricebook2Id": book, "Product2Id": product, "UnitPrice": 100, "IsActive": True}],
    )
    line = org.create(
        "OpportunityLineItem",
        {"OpportunityId": company.deal, "PricebookEntryId": entry, "Quantity": 3, "UnitPrice": 50, "Discount": 10},
        user_id=company.rep,
    )
    found = row(org, "OpportunityLineItem", line)
    assert (found["ListPrice"], found["Subtotal"], found["TotalPrice"]) == (100.0, 150.0, 135.0)
    org.update("Opportunity", company.deal, {"Amount": 1}, user_id=company.rep)
    deal = row(org, "Opportunity", company.deal)
    assert (deal["Amount"], deal["HasOpportunityLineItem"]) == (135.0, True)
    org.delete("OpportunityLineItem", line, user_id=company.rep)
    assert org.get("OpportunityLineItem", line) is None  # no recycle bin for lines
    assert row(org, "Opportunity", company.deal)["HasOpportunityLineItem"] is False


def test_a_fiscal_year_takes_the_name_of_the_year_it_ends_in(tmp_path: Path, clock: Clock) -> None:
    org = Org(tmp_path / "fiscal", clock, settings=OrgSettings(fiscal_year_start_month=4))
    org.seed("Opportunity", [{"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-05-01"}])
    assert org.query("SELECT Fiscal, FiscalQuarter FROM Opportunity") == [{"Fiscal": "2027 1", "FiscalQuarter": 1}]


# -- posts --------------------------------------------------------------------------------------------


def test_a_post_needs_a_body_and_says_who_wrote_it(org: Org, company: Company) -> None:
    post = org.create("FeedItem", {"ParentId": company.deal, "Body": "Merhaba"}, user_id=company.rep)
    found = row(org, "FeedItem", post)
    assert (found["InsertedById"], found["Type"], found["Body"]) == (company.rep, "TextPost", "Merhaba")
    for fields, code in (
        ({"ParentId": company.deal}, "REQUIRED_FIELD_MISSING"),
        ({"ParentId": company.deal, "Body": "x" * 10_001}, "STRING_TOO_LONG"),
    ):
        assert refused(org.create, "FeedItem", fields, user_id=company.rep).error_code == code
