"""Events with invitees."""

from __future__ import annotations

from typing import Any

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Company

pytestmark = pytest.mark.documented("Object Reference, EventRelation, Event")
MEETING = {"Subject": "Demo", "StartDateTime": "2026-03-05T08:00:00Z", "DurationInMinutes": 60}


def row(org: Org, sobject: str, record_id: str) -> dict[str, Any]:
    found = org.get(sobject, record_id)
    assert found is not None
    return found


def code(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(OrgError) as caught:
        call(*args, **kwargs)
    return caught.value.error_code


@pytest.fixture
def meeting(org: Org, company: Company) -> str:
    return org.create("Event", MEETING | {"WhatId": company.deal}, user_id=company.rep)


def invite(org: Org, event: str, who: str, by: str, **more: Any) -> str:
    return org.create("EventRelation", {"EventId": event, "RelationId": who, **more}, user_id=by)


def copies(org: Org) -> list[dict[str, Any]]:
    return org.query("SELECT Id, Subject, OwnerId, StartDateTime, WhatId FROM Event WHERE IsChild = true")


def test_an_invited_user_gets_a_copy_and_a_contact_gets_none(org: Org, company: Company, meeting: str) -> None:
    assert (row(org, "Event", meeting)["IsGroupEvent"], row(org, "Event", meeting)["GroupEventType"]) == (False, "0")
    invite(org, meeting, company.contact, company.rep)
    assert copies(org) == []
    relation = invite(org, meeting, company.manager, company.rep)
    assert row(org, "EventRelation", relation)["Status"] == "New"
    (copy,) = copies(org)
    assert (copy["OwnerId"], copy["WhatId"], copy["Subject"]) == (company.manager, company.deal, "Demo")
    assert (row(org, "Event", meeting)["IsGroupEvent"], row(org, "Event", meeting)["GroupEventType"]) == (True, "1")


@pytest.mark.documented(guess="the code of the refusal")
def test_a_changed_event_changes_its_copies_whose_own_change_is_the_reminder(
    org: Org, company: Company, meeting: str
) -> None:
    invite(org, meeting, company.manager, company.rep)
    moved = {"StartDateTime": "2026-03-06T08:00:00Z", "Subject": "Demo 2"}
    org.update("Event", meeting, moved, user_id=company.rep)
    (copy,) = copies(org)
    assert (copy["Subject"], copy["StartDateTime"]) == ("Demo 2", "2026-03-06T08:00:00.000+0000")
    assert row(org, "Opportunity", company.deal)["LastActivityDate"] == "2026-03-06"
    reminder = {"IsReminderSet": True, "ReminderDateTime": "2026-03-06T07:00:00Z"}
    org.update("Event", copy["Id"], reminder, user_id=company.manager)
    refused = code(org.update, "Event", copy["Id"], {"Subject": "mine"}, user_id=company.manager)
    assert refused == "FIELD_INTEGRITY_EXCEPTION"


@pytest.mark.documented(guess="that an answer by API is stamped")
def test_invitees_answer_and_go_and_the_event_goes_with_its_copies(org: Org, company: Company, meeting: str) -> None:
    relation = invite(org, meeting, company.manager, company.rep)
    org.update("EventRelation", relation, {"Status": "Accepted", "Response": "ok"}, user_id=company.manager)
    answered = row(org, "EventRelation", relation)
    assert (answered["Status"], answered["RespondedDate"]) == ("Accepted", "2026-03-02T09:00:30.000+0000")
    org.delete("EventRelation", relation, user_id=company.rep)
    assert (copies(org), row(org, "Event", meeting)["IsGroupEvent"]) == ([], False)
    invite(org, meeting, company.manager, company.rep)
    org.delete("Event", meeting, user_id=company.rep)
    assert (copies(org), org.query("SELECT Id FROM EventRelation")) == ([], [])


@pytest.mark.documented("Object Reference, EventRelation", settled=False)
def test_who_cannot_be_invited_is_refused(org: Org, company: Company, meeting: str) -> None:
    relation = invite(org, meeting, company.manager, company.rep)
    assert code(invite, org, meeting, company.manager, company.rep) == "DUPLICATE_VALUE"
    assert code(invite, org, copies(org)[0]["Id"], company.contact, company.rep) == "FIELD_INTEGRITY_EXCEPTION"
    changed = {"RelationId": company.contact}
    assert code(org.update, "EventRelation", relation, changed, user_id=company.rep) == "FIELD_INTEGRITY_EXCEPTION"
    many = [{"EventId": meeting, "RelationId": company.colleague} for _ in range(999)]
    org.seed("EventRelation", many)
    assert code(invite, org, meeting, company.contact, company.rep) == "LIMIT_EXCEEDED"


def test_recurring_activities_are_named_as_not_emulated(org: Org, company: Company) -> None:
    for sobject, fields in (("Task", {"IsRecurrence": True}), ("Event", MEETING | {"IsRecurrence": True})):
        assert code(org.create, sobject, fields, user_id=company.rep) == "SANDBOX_NOT_EMULATED"
