"""Calendar events as meetings, their copies as one, and the Events they become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from capture_samples import ANN, BOB, NINE
from leakwatch.core.google_events import read_event
from leakwatch.core.identity import meeting_key
from leakwatch.core.meeting_record import PRIVATE, MeetingPlan, Standing
from leakwatch.core.meetings import attending, merge_meeting, withdrawn
from leakwatch.core.normalise import merge
from leakwatch.core.plan import PlanRules
from leakwatch.core.plan_meeting import plan_meeting
from leakwatch.core.privacy import Insiders
from leakwatch.model import Activity, Decision, Match, MatchBasis, Outcome, Principal, SourceRef, Verb, Written

INSIDERS = Insiders(domains=("ourco.com",), addresses=())
MATCH = Match("k", ("003EVE",), "006DEAL", "001ACME", "005ANN", MatchBasis.CONTACT_EMAIL, "Contact Eve is a guest.")


def event(**changes: Any) -> dict[str, Any]:
    return {
        "id": "ev1",
        "status": "confirmed",
        "iCalUID": "ev1@google.com",
        "summary": "Demo",
        "start": {"dateTime": "2026-07-01T12:00:00+03:00"},
        "end": {"dateTime": "2026-07-01T13:00:00+03:00"},
        "organizer": {"email": "ann@ourco.com"},
        "attendees": [
            {"email": "ann@ourco.com", "responseStatus": "accepted"},
            {"email": "bob@ourco.com", "responseStatus": "needsAction"},
            {"email": "eve@acme.com", "displayName": "Eve Adams", "responseStatus": "accepted"},
            {"email": "room@resource.calendar.google.com", "resource": True},
        ],
        **changes,
    }


def read(owner: Principal = ANN, **changes: Any) -> Activity | Decision:
    found = read_event(SourceRef("google_calendar", owner.address, "ev1"), event(**changes), owner)
    return INSIDERS.mark(found) if isinstance(found, Activity) else found


def meeting(owner: Principal = ANN, **changes: Any) -> Activity:
    found = read(owner, **changes)
    assert isinstance(found, Activity), found
    return found


def test_an_event_is_a_meeting_with_its_people_and_without_its_room():
    found = meeting()
    assert (found.start, found.end) == (NINE, NINE + timedelta(hours=1))
    assert [person.address for person in found.participants] == [
        "ann@ourco.com", "ann@ourco.com", "bob@ourco.com", "eve@acme.com",
    ]  # fmt: skip
    assert (found.organizers, found.all_day, found.cancelled) == (True, False, False)
    assert found.key == meeting_key("ev1@google.com")


def test_occurrences_of_a_series_share_their_uid_and_differ_by_the_original_start_wherever_they_are_moved():
    stamps = {"recurringEventId": "s", "originalStartTime": {"dateTime": "2026-07-01T12:00:00+03:00"}}
    first = meeting(**stamps)
    moved = meeting(**stamps, start={"dateTime": "2026-07-02T12:00:00+03:00"}, end={"dateTime": "2026-07-02T13:00:00Z"})
    other = meeting(**stamps | {"originalStartTime": {"dateTime": "2026-07-08T09:00:00Z"}})
    same_moment = meeting(**stamps | {"originalStartTime": {"dateTime": "2026-07-01T09:00:00Z"}})
    assert first.key == moved.key == same_moment.key != other.key


def test_an_all_day_event_keeps_its_dates_in_every_zone_and_ends_on_its_last_day_in_salesforce():
    found = meeting(start={"date": "2026-07-01"}, end={"date": "2026-07-03"})
    op = planned(found).op
    assert found.all_day
    assert op is not None
    assert (op.fields["StartDateTime"][:10], op.fields["EndDateTime"][:10]) == ("2026-07-01", "2026-07-02")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"recurrence": ["RRULE:FREQ=DAILY"]}, "series"),
        ({"eventType": "outOfOffice"}, "not_a_meeting"),
        ({"eventType": "birthday"}, "not_a_meeting"),
        ({"eventType": "focusTime"}, "not_a_meeting"),
        ({"eventType": "workingLocation"}, "not_a_meeting"),
        ({"eventType": "fromGmail"}, "not_a_meeting"),
        ({"iCalUID": None}, "unreadable"),
        ({"start": {"dateTime": "soon"}}, "unreadable"),
        ({"start": {"dateTime": "2026-07-01T12:00:00", "timeZone": "Mars/Olympus"}}, "unreadable"),
        ({"recurringEventId": "s"}, "unreadable"),
        ({"end": {"dateTime": "2020-07-01T13:00:00Z"}}, "unreadable_date"),
    ],
)
def test_what_is_no_meeting_or_can_not_be_read_is_said_so(changes: dict[str, Any], reason: str):
    found = read(**changes)
    assert isinstance(found, Decision)
    assert found.reason == reason


def test_a_meeting_during_which_its_owner_shows_as_free_is_one():
    assert meeting(transparency="transparent") == meeting()


def test_a_local_time_is_read_in_the_zone_beside_it_also_across_a_clock_change():
    before = meeting(start={"dateTime": "2026-03-28T09:00:00", "timeZone": "Europe/Berlin"},
                     end={"dateTime": "2026-03-28T10:00:00", "timeZone": "Europe/Berlin"})  # fmt: skip
    after = meeting(start={"dateTime": "2026-03-29T09:00:00", "timeZone": "Europe/Berlin"},
                    end={"dateTime": "2026-03-29T10:00:00", "timeZone": "Europe/Berlin"})  # fmt: skip
    assert (before.start.hour, after.start.hour) == (8, 7)


def test_of_a_private_event_only_time_and_owner_are_kept():
    found = meeting(visibility="private")
    assert found.subject == ""
    assert {person.address for person in found.participants} == {"ann@ourco.com"}
    assert planned(found) == MeetingPlan(None, Outcome.SKIPPED, "private")


# --- copies ---


def test_copies_merge_to_the_same_meeting_in_every_order_and_the_organizers_word_leads():
    anns = meeting(ANN)
    bobs = meeting(BOB, summary="Demo (old title)", attendees=[{"email": "bob@ourco.com"}, {"email": "eve@acme.com"}])
    carls = replace(
        meeting(BOB, summary="Third"), refs=(SourceRef("google_calendar", "carl@ourco.com", "ev1"),), private=True
    )
    merged = {merge(order) for order in permutations((anns, bobs, carls))}
    assert len(merged) == 1
    one = merged.pop()
    assert (one.subject, one.private, len(one.refs)) == ("Demo", False, 3)


def test_each_of_ours_answers_in_their_own_copy():
    bobs = meeting(BOB, attendees=[{"email": "bob@ourco.com", "responseStatus": "declined"}])
    one = merge_meeting([meeting(ANN), bobs])
    assert not one.cancelled
    assert [person.address for person in attending(one)] == ["ann@ourco.com"]


def test_a_guest_who_deletes_their_copy_or_declines_does_not_call_the_meeting_off_but_the_organizer_does():
    anns, bobs = meeting(ANN), meeting(BOB)
    assert not merge_meeting([anns, withdrawn(bobs)]).cancelled
    assert merge_meeting([withdrawn(anns), bobs]).cancelled


def test_a_meeting_handed_on_to_another_organizer_lives_although_the_former_one_keeps_a_cancelled_copy():
    stub, handed_on = withdrawn(meeting(ANN)), {"organizer": {"email": "bob@ourco.com"}}
    bobs = meeting(BOB, **handed_on)
    carls = replace(meeting(BOB, **handed_on), refs=(SourceRef("google_calendar", "carl@ourco.com", "ev1"),),
                    organizers=False)  # fmt: skip
    merged = {merge(order) for order in permutations((stub, bobs, carls))}
    assert [(one.cancelled, attending(one)[0].address) for one in merged] == [(False, "bob@ourco.com")]
    assert not merge_meeting([stub, carls]).cancelled, "also where the new organizer's calendar is not read"
    assert merge_meeting([withdrawn(bobs), carls]).cancelled, "and is called off by the new organizer"
    old = replace(carls, participants=stub.participants)
    assert merge_meeting([stub, withdrawn(bobs), old]).cancelled, "whatever a calendar that is behind says"


def test_where_the_organizers_calendar_is_not_read_it_is_off_when_all_of_ours_are_out():
    outside = {"organizer": {"email": "eve@acme.com"}}
    bobs = meeting(BOB, **outside)
    declined = meeting(BOB, **outside, attendees=[{"email": "bob@ourco.com", "responseStatus": "declined"}])
    assert not merge_meeting([bobs]).cancelled
    assert merge_meeting([declined]).cancelled


# --- Events ---


def planned(activity: Activity, written: Written | None = None, match: Match = MATCH, **current: Any) -> MeetingPlan:
    row = {**(written.fields if written is not None else {}), **current} if current != {"gone": True} else None
    return plan_meeting(activity, match, PlanRules(), Standing(written, row), now=NINE)


def landed(plan: MeetingPlan, before: Written | None = None) -> Written:
    assert plan.op is not None
    return (before or Written()).after(replace(plan.op, record_id="00UEVENT"))


def test_a_new_meeting_becomes_one_event_of_who_called_it():
    op = planned(meeting()).op
    assert op is not None
    assert (op.sobject, op.verb) == ("Event", Verb.INSERT)
    assert op.fields == {
        "Subject": "Demo", "IsAllDayEvent": False, "StartDateTime": "2026-07-01T09:00:00.000Z",
        "EndDateTime": "2026-07-01T10:00:00.000Z", "Leakwatch_Key__c": op.key, "OwnerId": "005ANN",
        "WhoId": "003EVE", "WhatId": "006DEAL",
    }  # fmt: skip


def test_an_unchanged_meeting_needs_no_write_however_salesforce_spells_the_moment():
    written = landed(planned(meeting()))
    assert planned(meeting(), written, StartDateTime="2026-07-01T09:00:00.000+0000").op is None


def test_a_moved_meeting_moves_its_event_and_moved_back_moves_it_back():
    there = landed(planned(meeting()))
    later = meeting(start={"dateTime": "2026-07-01T11:00:00Z"}, end={"dateTime": "2026-07-01T12:00:00Z"})
    first = planned(later, there)
    assert first.op is not None
    assert first.op.fields["StartDateTime"] == "2026-07-01T11:00:00.000Z"
    assert "Subject" not in first.op.fields
    moved = landed(first, there)
    back = planned(meeting(), moved)
    assert back.op is not None
    assert back.op.op_id != first.op.op_id
    again = planned(later, landed(back, moved))
    assert again.op is not None
    assert again.op.op_id not in (first.op.op_id, back.op.op_id)


def test_what_a_person_changed_in_salesforce_is_theirs():
    there = landed(planned(meeting()))
    renamed = meeting(summary="Demo and price")
    assert planned(renamed, there, Subject="Demo (Eve was late)").op is None
    moved = meeting(start={"dateTime": "2026-07-01T09:30:00Z"})
    assert planned(moved, there, StartDateTime="2026-07-01T08:00:00.000Z").op is None


def test_a_meeting_passes_to_the_next_of_ours_unless_a_person_gave_its_event_to_somebody():
    first = planned(meeting())
    written = landed(first)
    theirs = replace(MATCH, owner_id="005000000000009AAA")
    passed = planned(meeting(), written, match=theirs)
    assert passed.op is not None
    assert dict(passed.op.fields) == {"OwnerId": theirs.owner_id}
    assert passed.op.prior == {"OwnerId": MATCH.owner_id}
    assert planned(meeting(), landed(passed, written), match=theirs).op is None
    assert planned(meeting(), written, match=theirs, OwnerId="005000000000777AAA").op is None


def test_a_meeting_cancelled_before_it_took_place_loses_its_event_and_gets_a_new_one_should_it_live_again():
    there = landed(planned(meeting()))
    off = planned(withdrawn(meeting()), there)
    assert off.op is not None
    assert (off.op.verb, off.op.record_id, off.outcome) == (Verb.DELETE, "00UEVENT", Outcome.SKIPPED)
    gone = landed(off, there)
    again = planned(meeting(), gone).op
    assert again is not None
    assert (again.verb, again.key) == (Verb.INSERT, meeting().key)
    assert again.op_id != planned(meeting()).op.op_id  # type: ignore[union-attr]


def test_a_cancelled_meeting_keeps_the_event_that_a_person_changed():
    there = landed(planned(meeting()))
    assert planned(withdrawn(meeting()), there, Subject="Call Eve instead").op is None


def test_an_event_that_a_person_deleted_is_not_made_again():
    there = landed(planned(meeting()))
    assert planned(meeting(summary="New"), there, gone=True).op is None


def test_a_meeting_made_private_later_takes_back_what_was_written_of_it():
    there = landed(planned(meeting()))
    op = planned(meeting(visibility="private"), there).op
    assert op is not None
    assert op.fields == {"Subject": PRIVATE, "WhoId": None, "WhatId": None}
    hidden = landed(MeetingPlan(op, Outcome.WRITTEN, ""), there)
    assert planned(meeting(visibility="private"), hidden).op is None


def test_a_meeting_longer_than_salesforce_takes_ends_after_fourteen_days():
    op = planned(meeting(end={"dateTime": "2026-09-01T09:00:00Z"})).op
    assert op is not None
    assert op.fields["EndDateTime"] == "2026-07-15T09:00:00.000Z"


def test_the_people_of_a_meeting_of_a_stranger_make_no_event():
    nobody: Mapping[str, Any] = {"basis": MatchBasis.NONE}
    plan = plan_meeting(meeting(), replace(MATCH, **nobody), PlanRules(), Standing(), now=NINE)
    assert (plan.op, plan.outcome) == (None, Outcome.UNMATCHED)
