"""What capture is told by the settings, the mirror and the directory: who is one of us, whose mailboxes are read."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from leakwatch import config
from leakwatch.app import daily
from leakwatch.app.capturing import capture_options, may_be_opened, roster
from leakwatch.clock import SettableClock, SystemClock
from leakwatch.model import Principal
from leakwatch.store.snapshot_facts import UserFact


def parts(**sections: Any) -> Any:
    settings = config.load(None, {"company": {"domains": ["ourco.com"]}, **sections})
    clock = SettableClock(datetime(2026, 7, 1, 9, tzinfo=UTC))
    org = SimpleNamespace(task_closed_status="Completed", shared_activities=False, meeting_task_type=None)
    return SimpleNamespace(settings=settings, clock=clock, org=org)


def user(name: str, address: str, *, active: bool = True, kind: str = "Standard") -> UserFact:
    return UserFact(f"005{name}", address, name, address, active, None, kind)


ANN = user("ANN", "ann@ourco.com")
CONTRACTOR = user("CON", "con@freelance.example")
LEFT = user("LEFT", "left@home.example", active=False)
PORTAL = user("PORTAL", "eve@acme.com", kind="PowerCustomerSuccess")


def test_active_standard_users_and_directory_users_are_ours_and_portal_users_and_leavers_are_not() -> None:
    directory = [{"primaryEmail": "ann@ourco.com", "aliases": ["Ann@Second.example"]}]
    options = capture_options(parts(), [ANN, CONTRACTOR, LEFT, PORTAL], directory)
    assert options.internal_addresses == ("ann@ourco.com", "ann@second.example", "con@freelance.example")


def test_a_portal_user_gets_no_mailbox_although_the_directory_knows_the_address() -> None:
    directory = [{"id": one, "primaryEmail": one} for one in ("ann@ourco.com", "eve@acme.com")]
    capture = {"notice_for_all": date(2026, 1, 1)}
    assert [one.address for one in roster(parts(capture=capture), [ANN, PORTAL], directory)] == ["ann@ourco.com"]


def test_nobody_is_opened_who_was_not_told_by_now() -> None:
    dates = {"told": date(2026, 7, 1), "later": date(2026, 7, 2), "never": None}
    people = [
        Principal(f"{name}@ourco.com", "google", name, f"005{name}", notice_date=day) for name, day in dates.items()
    ]
    found = may_be_opened(parts(google={"admin_email": "admin@ourco.com"}), people)
    assert found == ["admin@ourco.com", "told@ourco.com"]
    assert may_be_opened(parts(), people, ["later@ourco.com"]) == [""]


def test_google_s_pacing_outlives_the_daemons_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = parts().settings
    made = SimpleNamespace(
        settings=SimpleNamespace(
            reads_mail=True, reads_outlook=False, reads_google_calendar=False, google=SimpleNamespace(enabled=True)
        ),
        capture_status=SimpleNamespace(coverage=lambda _sources: ()),
        runs=SimpleNamespace(latest=lambda _flow, limit: [None] * limit),
    )
    limiters: list[Any] = []
    monkeypatch.setattr(daily, "Parts", lambda *_given, **_named: nullcontext(made))
    monkeypatch.setattr(daily, "run_capture", lambda _parts, *, google, **_more: limiters.append(google.limiter))
    run_flow = daily.flow_runner(settings, SystemClock())
    for _ in range(2):
        run_flow("capture", {}, lambda: False)
    assert limiters[0] is limiters[1]
