"""The daemon's flows: what a scheduled job does before and besides its own work."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from leakwatch.app import daily, mirroring
from leakwatch.errors import TransientError
from leakwatch.model import Snapshot
from leakwatch.store.capture_status import Coverage

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
PARTS: Any = SimpleNamespace(newest_snapshot=lambda: None, clock=SimpleNamespace(now=lambda: NOW))
PACING: Any = None  # of Google, which an audit does not ask


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of what was run."""
    names: list[str] = []
    monkeypatch.setattr(mirroring, "run_mirror", lambda _, **__: names.append("mirror"))
    monkeypatch.setattr(daily, "run_audit", lambda _: names.append("audit"))
    return names


def newest(monkeypatch: pytest.MonkeyPatch, age: timedelta | None) -> None:
    snapshot = None if age is None else Snapshot("s", "", NOW - age, "00D", {}, {})
    monkeypatch.setattr(PARTS, "newest_snapshot", lambda: snapshot)


@pytest.mark.parametrize("age", [timedelta(minutes=20), timedelta(days=1), None], ids=["20 min", "a day", "none yet"])
def test_an_audit_reads_the_org_first_where_the_mirror_job_did_not(
    monkeypatch: pytest.MonkeyPatch, done: list[str], age: timedelta | None
) -> None:
    newest(monkeypatch, age)
    daily._one(PARTS, "audit", {}, lambda: False, PACING)
    assert done == ["mirror", "audit"]


def test_an_audit_goes_by_a_mirror_that_was_read_just_now(monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    newest(monkeypatch, timedelta(minutes=19))
    daily._one(PARTS, "audit", {}, lambda: False, PACING)
    assert done == ["audit"]


def test_an_audit_is_postponed_rather_than_made_on_an_old_mirror(
    monkeypatch: pytest.MonkeyPatch, done: list[str]
) -> None:
    def away(_: Any, **__: Any) -> None:
        raise TransientError("503")

    newest(monkeypatch, timedelta(days=1))
    monkeypatch.setattr(mirroring, "run_mirror", away)
    with pytest.raises(TransientError):
        daily._one(PARTS, "audit", {}, lambda: False, PACING)
    assert done == []


class Capturing:
    """What the capture job needs of the parts: mailboxes, known or not."""

    def __init__(self, *known: Coverage) -> None:
        google = SimpleNamespace(enabled=True, calendar=False)
        on = {"reads_mail": True, "reads_outlook": False, "reads_google_calendar": False}
        self.settings = SimpleNamespace(google=google, **on)
        self.capture_status = SimpleNamespace(coverage=lambda _sources: known)


def mailbox(name: str, **changes: Any) -> Coverage:
    told = NOW.date() - timedelta(days=9)
    return replace(Coverage(name, None, NOW - timedelta(days=90), NOW, None, notice_date=told), **changes)


@pytest.mark.parametrize(
    ("other", "runs"),
    [
        (mailbox("bob"), [()]),
        (mailbox("bob", covered_from=None, read_at=None), [("ann",), ()]),
        (mailbox("bob", covered_from=None, read_at=None, parked_reason="invalid_grant"), [()]),
        (mailbox("bob", covered_from=None, read_at=None, notice_date=None), [()]),
    ],
)
def test_while_a_mailbox_is_read_for_the_first_time_the_mail_of_the_others_comes_before_it(
    monkeypatch: pytest.MonkeyPatch, other: Coverage, runs: list[tuple[str, ...]]
) -> None:
    seen: list[tuple[str, ...]] = []
    monkeypatch.setattr(daily, "GoogleParts", lambda *_: None)
    monkeypatch.setattr(daily, "run_capture", lambda _, *, only, **__: seen.append(only))
    parts: Any = Capturing(mailbox("ann"), other)
    daily._one(parts, "capture", {}, lambda: False, PACING)
    assert seen == runs
