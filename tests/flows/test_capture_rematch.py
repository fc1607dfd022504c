"""What later changes in Salesforce make of mails and meetings: what was nobody's is given to who appears."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from capture_samples import ANN, BOB, NINE
from flows.capture_world import EVE, NOW, World
from flows.meeting_world import MeetingWorld
from leakwatch.app.planning import Plan, planned_captures
from leakwatch.model import DomainAccount, OpenOpportunity, Person, Verb
from leakwatch.store.capture_status import CaptureStatus

LATER = NOW + timedelta(hours=1)
ISIK = Person("003ISIK", "Contact", "Ayşe Işık", "001NEW")
RELATION = {"RelationId": "003ISIK", "RelationType": "FromAddress", "RelationAddress": "ayse@new.com"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.engine.dispose()


def test_a_mail_of_strangers_is_logged_once_their_companys_website_is_entered(world: World):
    world.gmail.deliver(ANN, "a@new.com", From="zoe@new.com")
    assert world.capture().unmatched == 1
    world.domains["new.com"] = (DomainAccount("001NEW"),)
    fetched = world.gmail.fetched
    report = world.capture()
    assert (report.written, report.matched, report.unmatched) == ({"EmailMessage": 1}, {"account_domain": 1}, 0)
    (row,) = world.org.mails.values()
    assert (row["RelatedToId"], row.get("FromId"), row["FromAddress"]) == ("001NEW", None, "zoe@new.com")
    assert world.gmail.fetched == fetched


def test_a_mail_is_logged_once_a_contact_gets_its_address(world: World):
    world.gmail.deliver(ANN, "a@acme.com", From="eve@private.com")
    world.capture()
    world.people["eve@private.com"] = (EVE,)
    assert world.capture().written == {"EmailMessage": 1}


def test_what_is_written_stays_when_its_contact_moves_or_its_deal_changes(world: World):
    world.gmail.deliver(ANN, "a@acme.com")
    world.capture()
    before = world.org.state()
    world.people["eve@acme.com"] = (replace(EVE, account_id="001ELSE"),)
    world.deals["001ACME"] = (OpenOpportunity("006NEW", "001ACME", "New", "005ANN"),)
    world.snapshot = "snapshot 2"
    assert world.capture().planned == {}
    assert world.org.state() == before


def stranger(world: World, **headers: str) -> None:
    """Log a mail of somebody unknown whose company has an account."""
    world.domains["new.com"] = (DomainAccount("001NEW"),)
    world.gmail.deliver(ANN, "a@new.com", **{"From": "ayse@new.com"} | headers)
    world.capture()


def appear(world: World, person: Person = ISIK, address: str = "ayse@new.com") -> None:
    world.people[address] = (person,)
    world.snapshot += "+"


def shown(world: World) -> tuple[Any, Any]:
    """Who and what the one Task is about."""
    (task,) = world.org.tasks.values()
    return task["WhoId"], task["WhatId"]


def deal(record_id: str = "006NEW", account_id: str = "001NEW", **fields: Any) -> OpenOpportunity:
    made = {"created_at": NOW + timedelta(minutes=1), "owner_id": "005ANN", "name": "Pumps"} | fields
    return OpenOpportunity(record_id, account_id, **made)


def said(world: World) -> str:
    return CaptureStatus(world.engine).explain("<a@new.com>")[0].reason


def test_a_stranger_who_becomes_a_contact_is_given_to_their_mail_and_its_task(world: World):
    stranger(world)
    assert shown(world) == (None, "001NEW")
    appear(world)
    fetched = world.gmail.fetched
    report = world.capture(now=LATER)
    assert (report.rematched, shown(world)) == (1, ("003ISIK", "001NEW"))
    assert [row["RelationId"] for row in world.org.relations.values() if row["RelationType"] == "FromAddress"] == [
        "003ISIK"
    ]
    assert said(world).endswith("Matched anew: Ayşe Işık appeared as a contact.")
    assert world.gmail.fetched == fetched
    state, calls = world.org.state(), world.org.calls
    assert world.capture(now=LATER).rematched == 0
    assert (world.org.state(), world.org.calls) == (state, calls)


def test_a_dry_run_shows_each_write_with_its_reason_and_apply_writes_just_that(world: World):
    stranger(world)
    appear(world)
    report = world.capture(now=LATER, dry_run=True)
    (mail,) = world.org.mails.values()
    assert [(op.sobject, op.verb, dict(op.fields), dict(op.prior)) for op in report.operations] == [
        ("EmailMessageRelation", Verb.INSERT, RELATION | {"EmailMessageId": mail["Id"]}, {}),
        ("Task", Verb.UPDATE, {"WhoId": "003ISIK"}, {"WhoId": None}),
    ]
    assert all("Ayşe Işık appeared as a contact" in op.reason for op in report.operations)
    assert shown(world) == (None, "001NEW")
    world.plan = Plan(NOW, "00D", tuple(planned_captures(report.operations[:1], {})))
    assert world.capture(now=LATER).waiting == 1
    world.plan = Plan(NOW, "00D", tuple(planned_captures(report.operations, {})))
    world.capture(now=LATER)
    assert shown(world) == ("003ISIK", "001NEW")


def test_nothing_a_person_did_to_the_task_is_undone(world: World):
    stranger(world)
    (task,) = world.org.tasks.values()
    task["WhoId"], task["WhatId"] = "003OTHER", "001OTHER"
    appear(world)
    world.deals["001NEW"] = (deal(),)
    world.capture(now=LATER)
    assert shown(world) == ("003OTHER", "001OTHER")
    assert "a person changed" not in said(world)  # the mail's own relation was nobody's and is set
    world.capture(now=LATER)
    assert shown(world) == ("003OTHER", "001OTHER")


def test_a_deleted_mail_stays_deleted(world: World):
    stranger(world)
    world.org.mails.clear()
    world.org.tasks.clear()
    world.org.relations.clear()
    appear(world)
    report = world.capture(now=LATER)
    assert (report.written, report.rematched, world.org.relations) == ({}, 0, {})
    assert said(world).endswith("a person changed or deleted the record since, so it stays.")


def test_a_deal_made_soon_after_the_mail_takes_the_accounts_place(world: World):
    stranger(world)
    world.deals["001NEW"] = (deal(),)
    world.capture(now=LATER)
    assert shown(world) == (None, "006NEW")
    assert said(world).endswith("Matched anew: the opportunity Pumps was made.")


def test_an_older_deal_that_is_the_only_one_left_does_not(world: World):
    rivals = [deal(one, created_at=NINE - timedelta(days=9)) for one in ("006ONE", "006TWO")]
    world.deals["001NEW"] = tuple(rivals)
    stranger(world)
    assert shown(world) == (None, "001NEW")
    world.deals["001NEW"] = (rivals[0],)
    assert world.capture(now=LATER).rematched == 0
    appear(world)
    world.capture(now=LATER)
    assert shown(world) == ("003ISIK", "001NEW")  # it may have been about the other one


def test_of_several_deals_only_the_one_in_which_who_appeared_has_a_role_is_linked(world: World):
    old = NINE - timedelta(days=9)
    one, two = (deal(name, created_at=old, last_activity=NINE.date()) for name in ("006ONE", "006TWO"))
    world.deals["001NEW"] = (one, two)
    stranger(world)
    world.deals["001NEW"] = (one, replace(two, last_activity=NOW.date() + timedelta(days=99)))
    appear(world)
    world.capture(now=LATER)
    assert shown(world) == ("003ISIK", "001NEW")  # that the other one is at work now says nothing of then


@pytest.mark.parametrize("others", [0, 1])
def test_the_deal_of_who_appeared_is_linked(world: World, others: int):
    old = NINE - timedelta(days=9)
    theirs = deal("006ONE", created_at=old, owner_id="005ELSE", roles={"003ISIK": False} if others else {})
    world.deals["001NEW"] = (theirs, *(deal("006TWO", created_at=old, owner_id="005ELSE") for _ in range(others)))
    stranger(world)
    assert shown(world) == (None, "001NEW")
    appear(world)
    world.capture(now=LATER)
    assert shown(world) == ("003ISIK", "006ONE")


def test_who_appears_at_another_account_than_their_domains_takes_the_mail_there(world: World):
    stranger(world)
    appear(world, replace(ISIK, account_id="001HOLDING"))
    world.capture(now=LATER)
    assert shown(world) == ("003ISIK", "001HOLDING")


def test_a_known_persons_account_stays_whoever_else_appears(world: World):
    world.gmail.deliver(ANN, "a@new.com", From="ayse@new.com", Cc="eve@acme.com")
    world.capture()
    appear(world)
    world.capture(now=LATER)
    assert shown(world) == ("003EVE", "001ACME")
    assert {"003ISIK", "003EVE"} <= {row["RelationId"] for row in world.org.relations.values()}


def test_a_second_contact_with_the_same_address_changes_nothing(world: World):
    world.gmail.deliver(ANN, "a@new.com")
    world.capture()
    newer = replace(EVE, record_id="003TWIN", account_id="001TWIN", last_activity=NOW.date())
    world.people["eve@acme.com"] = (EVE, newer)
    world.deals["001TWIN"] = (deal(account_id="001TWIN"),)
    assert world.capture(now=LATER).planned == {}
    assert shown(world) == ("003EVE", "001ACME")


def test_a_contact_without_an_account_brings_it_later(world: World):
    world.people["eve@acme.com"] = (replace(EVE, account_id=None),)
    world.gmail.deliver(ANN, "a@new.com")
    world.capture()
    assert shown(world) == ("003EVE", None)
    world.people["eve@acme.com"] = (EVE,)
    world.capture(now=LATER)
    assert shown(world) == ("003EVE", "001ACME")


def test_a_lead_stays_and_nothing_stands_beside_it_until_it_is_converted(world: World):
    lead = Person("00QEVE", "Lead", "Eve Adams")
    world.people["eve@acme.com"] = (lead,)
    world.gmail.deliver(ANN, "a@new.com", Cc="ayse@new.com")
    world.capture()
    world.people["eve@acme.com"] = (lead, EVE)
    appear(world)
    assert world.capture(now=LATER).planned == {}
    assert shown(world) == ("00QEVE", None)
    became = replace(lead, account_id="001ACME", contact_id="003EVE")
    world.people["eve@acme.com"] = (became, EVE)
    world.capture(now=LATER)
    assert shown(world) == ("003EVE", "001ACME")
    assert said(world).endswith("Matched anew: the lead Eve Adams was converted.")


@pytest.mark.parametrize(
    ("days", "seen"), [(None, None), (timedelta(minutes=30), None), (timedelta(days=1), "003ISIK")]
)
def test_only_what_is_young_enough_is_matched_anew(world: World, days: timedelta | None, seen: str | None):
    stranger(world)
    appear(world)
    world.options = replace(world.options, rematch=days)
    world.capture(now=LATER)
    assert shown(world)[0] == seen


def test_what_is_excluded_by_now_is_left_alone(world: World):
    stranger(world)
    appear(world)
    privacy = replace(world.options.privacy, never_log=("new.com",))
    world.options = replace(world.options, privacy=privacy)
    world.capture(now=LATER)
    assert shown(world) == (None, "001NEW")


def test_a_copy_that_comes_between_does_not_hide_who_appeared(world: World):
    stranger(world, To="ann@ourco.com, bob@ourco.com")
    appear(world)
    world.options = replace(world.options, rematch=None)
    world.gmail.deliver(BOB, "a@new.com", From="ayse@new.com", To="ann@ourco.com, bob@ourco.com", Cc="zed@new.com")
    world.capture(now=LATER)
    assert shown(world) == (None, "001NEW")
    world.options = replace(world.options, rematch=timedelta(days=90))
    world.capture(now=LATER)
    assert shown(world) == ("003ISIK", "001NEW")


def test_a_refusal_is_told_once_and_not_tried_again(world: World):
    stranger(world)
    appear(world)
    world.org.refuse["Task"] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    report = world.capture(now=LATER)
    assert report.quarantined == {"rematch.FIELD_CUSTOM_VALIDATION_EXCEPTION": 1}
    assert "Salesforce refused it: FIELD_CUSTOM_VALIDATION_EXCEPTION" in said(world)
    assert world.capture(now=LATER).planned == {}


def test_what_is_locked_waits_for_the_next_run(world: World):
    stranger(world)
    appear(world)
    world.org.delay.add("Task")
    assert world.capture(now=LATER).waiting == 1
    world.org.delay.clear()
    assert world.capture(now=LATER).rematched == 1
    assert shown(world) == ("003ISIK", "001NEW")


def test_a_mail_written_as_a_task_gets_its_person_too(world: World):
    world.options = replace(world.options, planning=replace(world.options.planning, mail_as="task"))
    world.domains["new.com"] = (DomainAccount("001NEW"),)
    world.gmail.deliver(ANN, "a@new.com", From="ayse@new.com")
    world.capture()
    appear(world)
    world.capture(now=LATER)
    (task,) = world.org.tasks.values()
    assert (task["WhoId"], world.org.relations) == ("003ISIK", {})


def test_a_planned_meeting_gets_who_appeared_unless_a_person_named_somebody(tmp_path: Path):
    world = MeetingWorld(tmp_path)
    world.domains["new.com"] = (DomainAccount("001NEW"),)
    for name in ("m", "n"):
        world.calendars.put(name, attendees=[{"email": ANN.address}, {"email": "ayse@new.com"}])
    world.sync()
    first, second = world.event_org.events.values()
    second["WhoId"] = "003OTHER"
    appear(world)
    report = world.sync(now=LATER)
    assert report.rematched == 1
    assert (first["WhoId"], second["WhoId"]) == ("003ISIK", "003OTHER")
    assert [op.op_id.split("|")[1:] for op in world.event_org.sent[2:]] == [["change", "1"]]
    world.engine.dispose()


def test_the_journal_is_gone_through_only_once_the_people_of_the_mirror_are_others(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    stranger(world)
    asked: list[int] = []
    written_since = world.journal.written_since
    monkeypatch.setattr(world.journal, "written_since", lambda since: asked.append(1) or written_since(since))
    world.state = "one"
    for _ in range(2):
        world.capture(now=LATER)
    assert len(asked) == 1
    appear(world)
    world.state = "two"
    world.org.delay.add("Task")
    for _ in range(2):  # what waits is looked for again
        world.capture(now=LATER)
    assert len(asked) == 3
    world.org.delay.clear()
    assert world.capture(now=LATER).rematched == 1
    world.capture(now=LATER)
    assert len(asked) == 4
