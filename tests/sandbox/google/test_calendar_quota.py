"""Calendar's quota in requests, in wall time that the test holds, and faults in its shape."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from leakwatch.sandbox.control.calendars import act, change_quota
from leakwatch.sandbox.control.desk import Call
from leakwatch.sandbox.faults import FaultBook, Rule
from leakwatch.sandbox.google.calendar_quota import CalendarQuota, CalendarQuotaSettings
from leakwatch.sandbox.google.errors import GoogleError
from leakwatch.sandbox.google.meeting_fields import MeetingError
from leakwatch.sandbox.google.service import Reply
from sandbox.google.calendar_desk import ANN, BOB, Desk


def _control(desk: Desk) -> Any:
    """What the control API's calls reach, as far as they are about calendars."""
    return SimpleNamespace(stage=SimpleNamespace(meetings=desk.meetings), google=desk.google)


def _call(body: dict[str, Any]) -> Call:
    return Call(body, {}, {})


class Wall:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def refused(quota: CalendarQuota, user: str) -> tuple[int, str]:
    with pytest.raises(GoogleError) as caught:
        quota.charge(user)
    return caught.value.status, caught.value.body["error"]["errors"][0]["reason"]


def test_a_user_may_ask_600_times_a_minute_and_is_nobody_else() -> None:
    wall = Wall()
    quota = CalendarQuota(CalendarQuotaSettings.profile("real"), now=wall)
    for _ in range(600):
        quota.charge(ANN)
    assert refused(quota, ANN) == (403, "userRateLimitExceeded")
    quota.charge(BOB)
    wall.now += 60
    quota.charge(ANN)
    assert quota.requests == {ANN: 601, BOB: 1}


def test_the_project_has_limits_a_minute_and_a_day() -> None:
    wall = Wall()
    settings = CalendarQuotaSettings(True, 5, 10, 15, answer=429)
    quota = CalendarQuota(settings, now=wall)
    for number in range(10):
        quota.charge(f"user{number}")
    assert refused(quota, ANN) == (429, "rateLimitExceeded")
    wall.now += 61
    for number in range(5):
        quota.charge(f"user{number}")
    assert refused(quota, ANN) == (403, "quotaExceeded")
    wall.now += 86_400
    quota.charge(ANN)


def test_a_refusal_reaches_the_client_and_settings_are_changed_by_control(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert change_quota(_control(desk), _call({"profile": "real", "per_user_minute": 1}))["per_user_minute"] == 1
    desk.events()
    with pytest.raises(HttpError, match="User Rate Limit Exceeded") as caught:
        desk.events()
    error = json.loads(caught.value.content)["error"]
    assert error["errors"][0]["domain"] == "usageLimits"
    assert "status" not in error
    with pytest.raises(MeetingError, match="unknown quota setting 'speed'"):
        change_quota(_control(desk), _call({"speed": 1}))
    desk.mail.close()


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, "userRateLimitExceeded"), (410, "fullSyncRequired"), (429, "rateLimitExceeded"), (503, "backendError")],
)
def test_a_fault_on_a_calendar_call_has_the_calendars_body(status: int, reason: str) -> None:
    book = FaultBook()
    book.add(Rule.from_json({"service": "google", "match": "/calendar/v3/", "status": status}))
    reply = book.part_fault("GET", "/calendar/v3/calendars/primary/events")
    assert isinstance(reply, Reply)
    assert reply.body["error"]["errors"][0]["reason"] == reason
    assert "status" not in reply.body["error"]
    assert book.part_fault("GET", "/gmail/v1/users/me/profile") is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"do": "postpone"}, "do must be one of create"),
        ({"do": "cancel"}, "needs 'event'"),
        ({"do": "respond", "event": "x", "guest": BOB}, "needs 'response'"),
        ({"do": "cancel", "event": "x", "who": BOB}, "has no key 'who'"),
        ({"do": "cancel", "event": "x"}, "there is no event 'x'"),
        (
            {"do": "create", "event": {"organizer": "out@side.example", "start": {"date": "2026-03-01"}}},
            "needs its end",
        ),
    ],
)
def test_what_control_can_not_do_is_said(tmp_path: Path, body: dict[str, object], said: str) -> None:
    desk = Desk(tmp_path)
    with pytest.raises(MeetingError, match=said):
        act(_control(desk), _call(body))
    desk.mail.close()
