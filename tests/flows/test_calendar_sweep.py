"""A calendar whose change token was lost is read anew, and meetings that are missing from it are called off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from capture_samples import ANN, BOB
from flows.capture_world import NOW
from flows.meeting_world import TOMORROW, MeetingWorld
from leakwatch.errors import CursorError, TransientError
from leakwatch.store.capture_status import CaptureStatus

PAGE = 2


class Listed:
    """Calendars that list what is in them, page by page, and forget what went as soon as their token is lost."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, dict[str, Any]]] = {ANN.address: {}, BOB.address: {}}
        self.forgotten: set[str] = set()
        self.fail_at: str | None = None  # page token at which the list can't be had
        self.asked: list[str | None] = []

    def put(self, event_id: str, *, owner: Any = ANN, hours: int = 0, **changes: Any) -> None:
        start = TOMORROW + timedelta(hours=hours)
        self.events[owner.address][event_id] = {
            "id": event_id, "status": "confirmed", "iCalUID": f"{event_id}@x", "summary": "Demo",
            "start": {"dateTime": start.isoformat()}, "end": {"dateTime": (start + timedelta(hours=1)).isoformat()},
            "organizer": {"email": owner.address},
            "attendees": [{"email": owner.address}, {"email": "eve@acme.com"}],
        } | changes  # fmt: skip

    def lose(self, *event_ids: str, owner: Any = ANN) -> None:
        """Delete events, and lose the token that would tell."""
        for event_id in event_ids:
            del self.events[owner.address][event_id]
        self.forgotten.add(owner.address)

    def changes(self, subject: str, *, sync_token: str | None, page_token: str | None = None) -> Mapping[str, Any]:
        if sync_token is not None:
            if subject in self.forgotten:
                self.forgotten.discard(subject)
                raise CursorError("410 GONE")
            return {"items": [], "nextSyncToken": sync_token}
        self.asked.append(page_token)
        if page_token is not None and page_token == self.fail_at:
            raise TransientError("503")
        items, start = list(self.events[subject].values()), int(page_token or 0)
        answer: dict[str, Any] = {"items": items[start : start + PAGE]}
        more = start + PAGE < len(items)
        return answer | ({"nextPageToken": str(start + PAGE)} if more else {"nextSyncToken": "t"})


class Diary(MeetingWorld):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.listed = self.calendars = Listed()  # type: ignore[assignment]

    @property
    def there(self) -> list[str]:
        return sorted(row["StartDateTime"][5:13] for row in self.event_org.events.values())


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    made = Diary(tmp_path)
    for number in range(5):
        made.listed.put(f"a{number}", hours=number)
    made.sync()
    assert made.there == ["07-02T09", "07-02T10", "07-02T11", "07-02T12", "07-02T13"]
    return made


def test_events_of_coming_meetings_that_are_missing_from_the_new_list_are_deleted(diary: Diary):
    diary.listed.lose("a1", "a4")
    report = diary.sync()
    assert (report.reconciled, report.written) == (1, {"Event.deleted": 2})
    assert diary.there == ["07-02T09", "07-02T11", "07-02T12"]
    assert diary.sync().written == {}
    (found,) = CaptureStatus(diary.engine).explain("a1")
    assert (found.outcome, "before it took place" in found.reason) == ("skipped", True)


def test_the_dry_run_shows_the_same_deletions(diary: Diary):
    diary.listed.lose("a1", "a4")
    shown = diary.sync(dry_run=True)
    diary.listed.forgotten.add(ANN.address)
    before = len(diary.event_org.sent)
    diary.sync()
    assert sorted(op.op_id for op in shown.operations) == sorted(op.op_id for op in diary.event_org.sent[before:])
    assert len(shown.operations) == 2


def test_a_new_list_asked_for_by_hand_finds_them_too(diary: Diary):
    diary.listed.lose("a1")
    diary.listed.forgotten.clear()
    assert diary.sync().written == {}
    assert diary.sync(full=True).written == {"Event.deleted": 1}


def test_a_list_that_ends_half_way_takes_nothing_away_and_begins_again(diary: Diary):
    diary.listed.lose("a1")
    diary.listed.fail_at = "2"
    report = diary.sync()
    assert (report.written, list(report.calendars_failed)) == ({}, [ANN.address])
    diary.listed.fail_at, diary.listed.asked = None, []
    assert diary.sync().written == {"Event.deleted": 1}
    assert diary.listed.asked[0] is None
    assert len(diary.there) == 4


def test_a_meeting_that_was_held_stays_when_it_is_missing(diary: Diary):
    later = TOMORROW + timedelta(hours=2, minutes=30)
    diary.listed.lose("a0", "a1", "a4")  # two are over by then
    assert diary.sync(now=later).written == {"Event.deleted": 1}
    assert diary.there == ["07-02T09", "07-02T10", "07-02T11", "07-02T12"]


def test_an_empty_list_takes_nothing_away(diary: Diary):
    diary.listed.lose(*list(diary.listed.events[ANN.address]))
    report = diary.sync()
    assert (report.written, report.reconciled, len(diary.there)) == ({}, 1, 5)


def test_a_meeting_moved_to_where_nobody_looks_yet_loses_its_event_until_it_comes_near(diary: Diary):
    diary.listed.put("a4", hours=24 * 90)
    diary.listed.forgotten.add(ANN.address)
    assert diary.sync().written == {"Event.deleted": 1}
    assert diary.sync(now=NOW + timedelta(days=60), full=True).written == {"Event": 1}
    assert diary.there[-1] == "09-30T09"


def test_a_calendar_that_lost_most_of_its_meetings_is_held_back_like_any_other_loss(diary: Diary):
    for number in range(5, 30):
        diary.listed.put(f"a{number}", hours=number)
    diary.sync(full=True)
    diary.listed.lose(*[f"a{number}" for number in range(29)])
    report = diary.sync()
    assert (report.written, len(report.held_deletions), len(diary.there)) == ({}, 29, 30)


def test_a_guests_lost_calendar_does_not_call_off_what_its_organizer_still_has(tmp_path: Path):
    diary = Diary(tmp_path)
    both = {"attendees": [{"email": ANN.address}, {"email": BOB.address}, {"email": "eve@acme.com"}]}
    diary.listed.put("m", **both)
    diary.listed.put("m", owner=BOB, organizer={"email": ANN.address}, **both)
    diary.listed.put("other", owner=BOB, hours=3)
    diary.sync()
    diary.listed.lose("m", owner=BOB)
    assert diary.sync().written == {}
    diary.listed.put("n", hours=5)
    diary.listed.lose("m")
    assert diary.sync().written == {"Event": 1, "Event.deleted": 1}
