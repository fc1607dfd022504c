"""Signs in the org that another tool handles the Events that leakwatch writes."""

from __future__ import annotations

from typing import Any

from core.test_adoption import EVENT_ID, OTHER_KEY, row
from leakwatch.core.calendar_loop import changed_by_others, doubled
from leakwatch.model import KEY_FIELD

OURS = {KEY_FIELD: OTHER_KEY, "CreatedById": "005BOT"}


def test_our_event_beside_a_tools_of_the_same_owner_time_and_subject_is_doubled():
    assert doubled([row(Id="00UA", **OURS), row(Id="00UB", Subject="Re: demo")]) == [("00UA", "00UB")]


def test_what_differs_or_has_no_subject_or_is_ours_alone_is_not_doubled():
    for other in ({"Subject": "x"}, {"OwnerId": "005BOB"}, {"IsAllDayEvent": True}, {"StartDateTime": None}, OURS):
        assert doubled([row(Id="00UA", **OURS), row(Id="00UB", **other)]) == []
    assert doubled([row(Subject="", **OURS), row(Id="00UB", Subject="")]) == []
    assert doubled([row(), row(Id="00UB")]) == []


def test_a_user_who_goes_over_our_events_of_several_owners_is_named_and_an_owner_or_a_single_change_is_not():
    def changed(by: str, *owners: str) -> list[dict[str, Any]]:
        return [row(Id=f"{EVENT_ID}{by}{n}", OwnerId=one, LastModifiedById=by, **OURS) for n, one in enumerate(owners)]

    rows = [
        *changed("005SYNC", "005ANN", "005BOB", "005BOB"),
        *changed("005ANN", "005ANN", "005ANN", "005BOB"),  # of the others only one
        *changed("005BOT", "005ANN", "005BOB", "005CEM"),  # ourselves
        *changed("005AID", "005ANN", "005ANN", "005ANN"),  # somebody's assistant
        *changed("005TWO", "005ANN", "005BOB"),
    ]
    assert changed_by_others(rows) == {"005SYNC": 3}
    assert changed_by_others([{**one, KEY_FIELD: None} for one in rows]) == {}
