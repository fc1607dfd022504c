"""Whom a record of a meeting names, for every mixture of guests, of what we wrote and of what people did."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakwatch.core.plan_people import MOST_CONTACTS, people_change, settled_people
from leakwatch.model import Verb, WriteOp, Written, people_in

CONTACTS = [f"003{number:03}" for number in range(60)]
LEADS = ["00QA", "00QB"]
SOME = st.lists(st.sampled_from(CONTACTS), unique=True, max_size=6)
MANY = st.lists(st.sampled_from(CONTACTS), unique=True, min_size=45, max_size=60)
PEOPLE = SOME | st.sampled_from(LEADS).map(lambda lead: [lead]) | MANY


def changed(wanted: list[str], ours: list[str], present: list[str], **more: Any) -> tuple[dict[str, Any], Written]:
    fields = {"WhoId": ours[0] if ours else None}
    written = Written("00U", fields, 1, frozenset(ours))
    current = {"WhoId": present[0] if present else None}
    how = {"lead_fits": True, "present": present} | more
    return people_change(wanted, "Event", written=written, current=current, **how), written


@settings(max_examples=100)
@given(PEOPLE, PEOPLE, PEOPLE)
def test_theirs_stay_ours_go_with_their_guests_and_what_salesforce_refuses_is_never_asked_for(
    wanted: list[str], ours: list[str], present: list[str]
):
    present = present[:MOST_CONTACTS]
    fields, _ = changed(wanted, ours, present)
    after = fields.get("EventWhoIds", present)
    theirs = [one for one in present if one not in ours]
    assert set(theirs) <= set(after)
    assert not (set(ours) - set(wanted)) & set(after)
    assert set(after) <= set(present) | set(wanted) - set(ours)
    assert len(after) <= MOST_CONTACTS
    assert len(after) == 1 or not set(LEADS) & set(after)
    if fields:
        assert fields.get("WhoId") == (after[0] if after and "WhoId" in fields else None)
        assert len(set(after)) == len(after)


@settings(max_examples=1000)
@given(PEOPLE, PEOPLE, PEOPLE)
def test_asked_again_after_the_write_nothing_is_to_do(wanted: list[str], ours: list[str], present: list[str]):
    present = present[:MOST_CONTACTS]
    fields, written = changed(wanted, ours, present)
    if not fields:
        return
    prior = {"WhoId": present[0] if present else None, "EventWhoIds": present}
    op = WriteOp("o", "Event", Verb.UPDATE, "k", fields, "why", record_id="00U", prior=prior)
    after = written.after(op)
    now = {"WhoId": fields.get("WhoId", prior["WhoId"])}
    again = people_change(wanted, "Event", written=after, current=now, present=fields["EventWhoIds"], lead_fits=True)
    assert again == {}


def test_a_lead_is_not_put_beside_another_record():
    assert changed(["00QA"], [], [], lead_fits=False)[0] == {}
    assert changed(["00QA"], [], [])[0] == {"WhoId": "00QA", "EventWhoIds": ["00QA"]}


@pytest.mark.parametrize(("current", "wanted"), [("0031", "0032"), (None, None), ("003THEIRS", None)])
def test_without_shared_activities_only_the_who_that_we_wrote_is_changed(current: str | None, wanted: str | None):
    written = Written("00U", {"WhoId": "0031"}, 1, frozenset({"0031"}))
    found = people_change(["0032"], "Event", written=written, current={"WhoId": current}, present=None, lead_fits=True)
    assert found == ({"WhoId": wanted} if wanted else {})


def test_people_are_settled_when_ours_are_the_wanted_ones_and_the_first_leads():
    written = Written("00U", {"WhoId": "0031"}, 1, frozenset({"0031", "0032"}))
    assert settled_people(["0031", "0032"], written, {"WhoId": "0031"})
    assert not settled_people(["0032", "0031"], written, {"WhoId": "0031"})
    assert not settled_people(["0031"], written, {"WhoId": "0031"})


def test_fields_that_say_nothing_of_people_are_told_from_those_that_name_nobody():
    assert people_in({"Subject": "x"}) is None
    assert people_in({"WhoId": None, "TaskWhoIds": None}) == frozenset()
