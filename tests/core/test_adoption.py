"""Which Event in the org already is a meeting of ours, and which calendar item is a copy of our own Event."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from capture_samples import ANN, BOB, NINE
from core.test_meetings import MATCH, meeting
from leakwatch.core.adoption import Found, Kind, people_of, recognise, subject_key
from leakwatch.core.identity import meeting_key
from leakwatch.core.normalise import decisive, merge
from leakwatch.core.origin import named_origin
from leakwatch.model import KEY_FIELD, Activity
from leakwatch.store.capture_codec import activity_digest, dump_activity, load_activity

OURS = replace(MATCH, addresses={"ann@ourco.com": "005ANN", "bob@ourco.com": "005BOB", "eve@acme.com": "003EVE"})
OTHER_KEY = meeting_key("another@google.com")
EVENT_ID = "00U000000000001EAA"


def row(**changes: Any) -> dict[str, Any]:
    """Return an Event as Einstein Activity Capture leaves it: nothing but who, when and what."""
    return {
        "Id": EVENT_ID, "Subject": "Demo", "StartDateTime": "2026-07-01T09:00:00.000+0000",
        "EndDateTime": "2026-07-01T10:00:00.000+0000", "IsAllDayEvent": False, "OwnerId": "005ANN",
        "GroupEventType": "0", "CreatedDate": "2026-06-30T09:00:00.000+0000", KEY_FIELD: None,
    } | changes  # fmt: skip


def found(*rows: dict[str, Any], activity: Activity | None = None, **keys: str) -> Found | None:
    return recognise(activity or meeting(), OURS, rows, keys)


def test_the_one_event_with_the_same_times_subject_and_owner_is_adopted():
    there = found(row(), row(Id="00UOTHER", Subject="Lunch"))
    assert there is not None
    assert (there.kind, there.record_id) == (Kind.ADOPTED, EVENT_ID)
    assert EVENT_ID in there.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"Subject": "Demo 2"},
        {"StartDateTime": "2026-07-01T09:01:00.000+0000"},
        {"EndDateTime": "2026-07-01T10:01:00.000+0000"},
        {"IsAllDayEvent": True},
        {"OwnerId": "005CEM"},  # takes no part
        {"Subject": None},
        {"StartDateTime": None},
        {"GroupEventType": "3"},  # stands for a whole series
        {"IsRecurrence": True},
    ],
)
def test_what_differs_in_one_thing_is_not_adopted(changes: dict[str, Any]):
    assert found(row(**changes)) is None


def test_of_two_alike_none_is_adopted():
    assert found(row(), row(Id="00U000000000002AAA", OwnerId="005BOB")) is None


def test_a_colleague_who_takes_part_may_own_it_and_one_who_declined_may_not():
    assert found(row(OwnerId="005BOB")) is not None
    guests = [{"email": "bob@ourco.com", "responseStatus": "declined"}, {"email": "eve@acme.com"}]
    declined = meeting(attendees=guests)
    assert people_of(declined, OURS) == {"005ANN"}
    assert found(row(OwnerId="005BOB"), activity=declined) is None


def test_seconds_and_what_programs_put_before_a_subject_make_no_difference():
    assert found(row(Subject="Kabul edildi: DEMO", StartDateTime="2026-07-01T09:00:30.000+0000")) is not None
    assert subject_key("Ynt: Güncellenmiş davet: İstanbul") == subject_key("istanbul")
    assert subject_key("Reorder") == "reorder"
    assert subject_key("Re:") == ""


def test_without_a_subject_nothing_is_sure():
    assert found(row(Subject=""), activity=meeting(summary="")) is None


def test_an_all_day_event_counts_its_last_day_as_salesforce_does():
    days = meeting(start={"date": "2026-07-02"}, end={"date": "2026-07-04"})
    times = {"StartDateTime": "2026-07-02T00:00:00.000+0000", "EndDateTime": "2026-07-03T00:00:00.000+0000"}
    assert found(row(IsAllDayEvent=True, **times), activity=days) is not None
    assert found(row(IsAllDayEvent=False, **times), activity=days) is None


def test_our_own_event_of_this_very_meeting_is_nobody_elses():
    assert found(row(**{KEY_FIELD: meeting().key})) is None


def test_an_item_made_after_our_event_like_it_in_all_is_a_copy_and_one_made_before_is_a_meeting_of_its_own():
    ours = row(**{KEY_FIELD: OTHER_KEY})
    late = meeting(created="2026-06-30T09:00:05.000Z")
    there = found(ours, activity=late)
    assert there is not None
    assert there.kind is Kind.LIKE
    assert found(ours, activity=meeting(created="2026-06-29T09:00:00.000Z")) is None
    assert found(ours, activity=meeting(created=None)) is None


@pytest.mark.parametrize(
    "note",
    [
        {"extendedProperties": {"private": {"anything": EVENT_ID}}},
        {"extendedProperties": {"shared": {"sf": f"https://x.my.salesforce.com/{EVENT_ID[:15]}"}}},
        {"source": {"url": f"https://x.lightning.force.com/lightning/r/Event/{EVENT_ID}/view"}},
        {"iCalUID": f"{EVENT_ID}@salesforce.com"},
    ],
)
def test_an_item_that_names_our_event_is_a_copy_of_it_wherever_it_was_moved(note: dict[str, Any]):
    copy = meeting(start={"dateTime": "2026-07-02T12:00:00Z"}, end={"dateTime": "2026-07-02T13:00:00Z"}, **note)
    assert copy.origin == EVENT_ID
    there = found(activity=copy, **{EVENT_ID: OTHER_KEY})
    assert there is not None
    assert (there.kind, there.record_id) == (Kind.COPY, EVENT_ID)
    there = found(row(**{KEY_FIELD: OTHER_KEY}), activity=copy)
    assert there is not None
    assert there.kind is Kind.COPY


def test_an_item_that_names_an_event_of_another_tool_stands_for_that_one_if_it_is_there():
    copy = meeting(extendedProperties={"private": {"x": EVENT_ID}})
    there = found(row(Subject="Renamed"), activity=copy)
    assert there is not None
    assert there.kind is Kind.ADOPTED
    assert found(activity=copy) is None


def test_what_looks_like_an_id_and_is_none_is_no_origin():
    assert (
        named_origin(["040000008200E00074C5B7101A82E008", f"x{EVENT_ID}", "00U000000000001AAB", "", "003000000001"])
        == ""
    )
    assert named_origin([f"key={OTHER_KEY};"]) == OTHER_KEY


def test_an_item_that_names_the_key_of_its_own_meeting_is_that_meeting():
    mine = replace(meeting(), origin=meeting().key)
    assert found(activity=mine) is None


def test_the_origin_in_any_copy_is_the_meetings_and_what_is_kept_of_it_survives_the_journal():
    marked = meeting(ANN, extendedProperties={"private": {"x": EVENT_ID}}, created="2026-06-30T09:00:00Z")
    both = merge([marked, meeting(BOB)])
    assert both.origin == EVENT_ID
    kept = load_activity(dump_activity(both))
    assert (kept.origin, kept.made) == (EVENT_ID, NINE - timedelta(days=1))


def test_when_an_item_was_made_does_not_make_a_settled_meeting_look_changed():
    bare, _ = decisive(meeting(created="2026-06-30T09:00:00Z"))
    assert bare.made is None
    assert activity_digest(meeting()) == activity_digest(meeting(created="2026-06-30T09:00:00Z"))
