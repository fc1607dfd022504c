"""Shared activities: tasks and events of several people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org, OrgSettings
from sandbox.org.org_kit import Api, Clock, Company

pytestmark = pytest.mark.documented("Object Reference, Task, TaskRelation, TaskWhoRelation")
MEETING = {"Subject": "Demo", "StartDateTime": "2026-03-05T08:00:00Z", "DurationInMinutes": 60}
CALL = {"Subject": "Call", "Status": "Completed", "ActivityDate": "2026-02-20"}


@pytest.fixture
def org(tmp_path: Path, clock: Clock) -> Iterator[Org]:
    made = Org(tmp_path / "org", clock, settings=OrgSettings(shared_activities=True))
    yield made
    made.close()


def row(org: Org, sobject: str, record_id: str) -> dict[str, Any]:
    found = org.get(sobject, record_id)
    assert found is not None
    return found


def code(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(OrgError) as caught:
        call(*args, **kwargs)
    return caught.value.error_code


def people(org: Org, task: str) -> list[str]:
    (found,) = org.query(f"SELECT TaskWhoIds FROM Task WHERE Id = '{task}'")
    return found["TaskWhoIds"]


def test_the_first_of_the_listed_people_leads_and_all_are_related(api: Api, org: Org, company: Company) -> None:
    body = CALL | {"TaskWhoIds": [company.colleague, company.contact], "WhatId": company.deal}
    task = api.call("POST", "sobjects/Task", body).json()["id"]
    made = row(org, "Task", task)
    assert (made["WhoId"], made["WhoCount"], made["WhatCount"]) == (company.colleague, 2, 1)
    assert made["AccountId"] == company.account
    relations = org.query(f"SELECT RelationId, IsWhat, AccountId FROM TaskRelation WHERE TaskId = '{task}'")
    assert {(one["RelationId"], one["IsWhat"]) for one in relations} == {
        (company.colleague, False),
        (company.contact, False),
        (company.deal, True),
    }
    assert {one["AccountId"] for one in relations} == {company.account}
    listed = org.query("SELECT Id, (SELECT RelationId, Type FROM TaskWhoRelations) FROM Task")[0]["TaskWhoRelations"]
    assert {(one["RelationId"], one["Type"]) for one in listed} == {
        (company.colleague, "Contact"),
        (company.contact, "Contact"),
    }


def test_a_who_that_is_not_listed_joins_as_the_first(org: Org, company: Company) -> None:
    both = CALL | {"WhoId": company.contact, "TaskWhoIds": [company.colleague]}
    task = org.create("Task", both, user_id=company.rep)
    assert people(org, task) == [company.contact, company.colleague]
    alone = org.create("Task", CALL | {"WhoId": company.contact}, user_id=company.rep)
    assert (people(org, alone), row(org, "Task", alone)["WhoCount"]) == ([company.contact], 1)


def test_without_the_who_another_of_the_people_leads_and_without_the_list_the_who_stays(
    org: Org, company: Company
) -> None:
    task = org.create("Task", CALL | {"TaskWhoIds": [company.contact, company.colleague]}, user_id=company.rep)
    org.update("Task", task, {"TaskWhoIds": None}, user_id=company.rep)
    assert people(org, task) == [company.contact]
    org.update("Task", task, {"TaskWhoIds": [company.colleague, company.contact]}, user_id=company.rep)
    org.update("Task", task, {"WhoId": None}, user_id=company.rep)
    assert row(org, "Task", task)["WhoId"] == company.contact
    assert people(org, task) == [company.contact]


@pytest.mark.documented("Object Reference, Task", settled=False)
def test_a_new_who_joins_those_there_are_but_a_lead_is_alone(org: Org, company: Company) -> None:
    task = org.create("Task", CALL | {"WhoId": company.contact}, user_id=company.rep)
    org.update("Task", task, {"WhoId": company.colleague}, user_id=company.rep)
    assert people(org, task) == [company.colleague, company.contact]
    org.update("Task", task, {"WhoId": company.lead}, user_id=company.rep)
    assert people(org, task) == [company.lead]


@pytest.mark.documented("Object Reference, TaskRelation", settled=False)
def test_more_than_one_lead_leads_with_contacts_and_fifty_one_contacts_are_refused(org: Org, company: Company) -> None:
    org.seed("Lead", [{"LastName": "B", "Company": "B", "OwnerId": company.rep}])
    other = org.query(f"SELECT Id FROM Lead WHERE Id != '{company.lead}' AND IsConverted = false")[0]["Id"]
    crowd = [org.new_id("Contact") for _ in range(51)]
    org.seed("Contact", [{"Id": one, "LastName": "C", "AccountId": company.account} for one in crowd])
    for listed in ([company.lead, other], [company.contact, company.lead], crowd):
        refused = code(org.create, "Task", CALL | {"TaskWhoIds": listed}, user_id=company.rep)
        assert refused == "FIELD_INTEGRITY_EXCEPTION"
    assert len(people(org, org.create("Task", CALL | {"TaskWhoIds": crowd[:50]}, user_id=company.rep))) == 50
    with_lead = CALL | {"TaskWhoIds": [company.lead], "WhatId": company.deal}
    assert code(org.create, "Task", with_lead, user_id=company.rep) == "FIELD_INTEGRITY_EXCEPTION"


def test_relations_written_by_themselves_change_the_task(org: Org, company: Company) -> None:
    task = org.create("Task", CALL, user_id=company.rep)
    for one in (company.contact, company.colleague, company.deal):
        org.create("TaskRelation", {"TaskId": task, "RelationId": one}, user_id=company.rep)
    made = row(org, "Task", task)
    assert (made["WhoId"], made["WhatId"], made["WhoCount"]) == (company.contact, company.deal, 2)


@pytest.mark.documented("Object Reference, TaskRelation", settled=False)
def test_relations_that_cannot_be_are_refused(org: Org, company: Company) -> None:
    related = CALL | {"WhoId": company.contact, "WhatId": company.deal}
    task = org.create("Task", related, user_id=company.rep)
    again = {"TaskId": task, "RelationId": company.contact}
    assert code(org.create, "TaskRelation", again, user_id=company.rep) == "DUPLICATE_VALUE"
    second = {"TaskId": task, "RelationId": company.account}
    assert code(org.create, "TaskRelation", second, user_id=company.rep) == "FIELD_INTEGRITY_EXCEPTION"
    wrong = {"TaskId": task, "RelationId": company.lead, "IsWhat": True}
    assert code(org.create, "TaskRelation", wrong, user_id=company.rep) == "FIELD_INTEGRITY_EXCEPTION"


def test_a_deleted_relation_promotes_another_and_skips_the_recycle_bin(org: Org, company: Company) -> None:
    whole = CALL | {"TaskWhoIds": [company.contact, company.colleague], "WhatId": company.deal}
    task = org.create("Task", whole, user_id=company.rep)

    def drop(record: str) -> dict[str, Any]:
        (relation,) = org.query(f"SELECT Id FROM TaskRelation WHERE RelationId = '{record}'")
        org.delete("TaskRelation", relation["Id"], user_id=company.rep)
        return row(org, "Task", task)

    assert drop(company.contact)["WhoId"] == company.colleague
    assert (drop(company.deal)["WhatId"], row(org, "Task", task)["WhatCount"]) == (None, 0)
    last = drop(company.colleague)
    assert (last["WhoId"], last["WhoCount"], people(org, task)) == (None, 0, [])
    assert org.query("SELECT Id FROM TaskRelation", all_rows=True) == []


def test_the_account_of_a_task_is_that_of_its_contract(org: Org, company: Company) -> None:
    contract = org.create("Contract", {"AccountId": company.other_account}, user_id=company.rep)
    task = org.create("Task", CALL | {"WhoId": company.contact, "WhatId": contract}, user_id=company.rep)
    assert row(org, "Task", task)["AccountId"] == company.other_account


def test_a_deleted_task_takes_its_relations_along(org: Org, company: Company) -> None:
    task = org.create("Task", CALL | {"TaskWhoIds": [company.contact, company.colleague]}, user_id=company.rep)
    org.delete("Task", task, user_id=company.rep)
    assert org.query("SELECT Id FROM TaskRelation") == org.query("SELECT Id FROM TaskWhoRelation") == []
    assert {one["IsDeleted"] for one in org.query("SELECT IsDeleted FROM TaskRelation", all_rows=True)} == {True}


@pytest.mark.documented("Object Reference, Task", settled=False)
def test_the_last_activity_of_everybody_on_the_task_moves(org: Org, company: Company) -> None:
    task = org.create("Task", CALL | {"TaskWhoIds": [company.contact, company.colleague]}, user_id=company.rep)
    assert row(org, "Contact", company.colleague)["LastActivityDate"] == "2026-02-20"
    org.update("Task", task, {"ActivityDate": "2026-02-18"}, user_id=company.rep)
    assert row(org, "Contact", company.colleague)["LastActivityDate"] == "2026-02-18"
    org.delete("Task", task, user_id=company.rep)
    assert row(org, "Contact", company.colleague)["LastActivityDate"] is None


@pytest.mark.documented("Object Reference, EventRelation, EventWhoRelation")
def test_invitees_and_people_of_an_event_are_told_apart_and_one_may_be_both(org: Org, company: Company) -> None:
    event = org.create("Event", MEETING | {"EventWhoIds": [company.contact, company.colleague]}, user_id=company.rep)
    assert row(org, "Event", event)["IsGroupEvent"] is False
    org.create("EventRelation", {"EventId": event, "RelationId": company.manager}, user_id=company.rep)
    assert row(org, "Event", event)["IsGroupEvent"] is True
    flags = "SELECT RelationId, IsInvitee, IsParent FROM EventRelation WHERE EventId = '{}'"
    found = {one["RelationId"]: (one["IsInvitee"], one["IsParent"]) for one in org.query(flags.format(event))}
    assert found == {
        company.contact: (False, True),
        company.colleague: (False, True),
        company.manager: (True, False),
    }
    (relation,) = org.query(f"SELECT Id FROM EventRelation WHERE RelationId = '{company.colleague}'")
    org.update("EventRelation", relation["Id"], {"IsInvitee": True}, user_id=company.rep)
    org.update("Event", event, {"EventWhoIds": [company.contact]}, user_id=company.rep)
    both = row(org, "EventRelation", relation["Id"])
    assert (both["IsInvitee"], both["IsParent"], row(org, "Event", event)["WhoCount"]) == (True, False, 1)
    org.update("EventRelation", relation["Id"], {"IsParent": True}, user_id=company.rep)
    assert row(org, "Event", event)["WhoCount"] == 2
    assert [one["RelationId"] for one in org.query("SELECT RelationId FROM EventWhoRelation")] == [
        company.contact,
        company.colleague,
    ]
    copies = org.query("SELECT Id FROM Event WHERE IsChild = true")
    assert len(copies) == 1
    assert org.query(f"SELECT Id FROM EventRelation WHERE EventId = '{copies[0]['Id']}'") == []


@pytest.mark.documented("Object Reference, EventRelation")
def test_deleting_the_relation_of_the_first_promotes_another_on_the_event(org: Org, company: Company) -> None:
    whole = MEETING | {"EventWhoIds": [company.contact, company.colleague], "WhatId": company.deal}
    event = org.create("Event", whole, user_id=company.rep)
    for record, field, left in ((company.contact, "WhoId", company.colleague), (company.deal, "WhatId", None)):
        (relation,) = org.query(f"SELECT Id FROM EventRelation WHERE RelationId = '{record}'")
        org.delete("EventRelation", relation["Id"], user_id=company.rep)
        assert row(org, "Event", event)[field] == left


def test_a_converted_leads_task_names_the_contact_and_a_merged_contacts_task_the_kept_one(
    org: Org, company: Company
) -> None:
    task = org.create("Task", CALL | {"WhoId": company.lead}, user_id=company.rep)
    contact = org.convert_lead(company.lead, user_id=company.rep)["contactId"]
    assert people(org, task) == [contact]
    shared = org.create("Task", CALL | {"TaskWhoIds": [company.contact, company.colleague]}, user_id=company.rep)
    org.merge("Contact", company.colleague, [company.contact], user_id=company.rep)
    assert (row(org, "Task", shared)["WhoId"], people(org, shared)) == (company.colleague, [company.colleague])
    assert row(org, "Task", shared)["WhoCount"] == 1


def test_the_lists_are_fields_of_such_orgs_alone_and_describe_links_them(api: Api, org: Org, tmp_path: Path) -> None:
    body = api.get("sobjects/Task/describe").json()
    child = next(one for one in body["childRelationships"] if one["childSObject"] == "TaskWhoRelation")
    assert child["junctionIdListNames"] == ["TaskWhoIds"]
    assert {"WhoCount", "WhatCount", "TaskWhoIds"} <= {field["name"] for field in body["fields"]}
    plain = Org(tmp_path / "plain", Clock())
    assert not {"WhoCount", "WhatCount", "TaskWhoIds"} & set(plain.schema.objects["Task"].fields)
    assert "TaskRelation" not in plain.schema.objects
    plain.close()


def test_seeded_activities_get_their_relations(org: Org, company: Company) -> None:
    task = org.new_id("Task")
    org.seed("Task", [{"Id": task, "WhoId": company.contact, "WhatId": company.deal, "OwnerId": company.rep}])
    org.recompute_last_activity()
    assert people(org, task) == [company.contact]
    assert (row(org, "Task", task)["WhoCount"], row(org, "Task", task)["WhatCount"]) == (1, 1)


@pytest.mark.documented("Trailblazer Community, Query is requesting too many junction ids", settled=False)
def test_a_page_with_more_than_500_related_ids_is_refused(api: Api, org: Org, company: Company) -> None:
    crowd = [org.new_id("Contact") for _ in range(50)]
    org.seed("Contact", [{"Id": one, "LastName": "C"} for one in crowd])
    for _ in range(10):
        org.create("Task", CALL | {"TaskWhoIds": crowd}, user_id=company.rep)
    assert api.query("SELECT TaskWhoIds FROM Task").status_code == 200
    org.create("Task", CALL | {"WhoId": crowd[0]}, user_id=company.rep)
    answer = api.query("SELECT TaskWhoIds FROM Task")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "MALFORMED_QUERY")
    assert "limit is 500" in answer.json()[0]["message"]
    assert api.query("SELECT Id FROM Task").status_code == 200
