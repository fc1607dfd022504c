"""What the application tells the life cycle besides rows: who is not proven quiet, who we are, what was looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from leakwatch.app import auditing
from leakwatch.errors import StaleError
from leakwatch.model import Snapshot
from leakwatch.store import snapshot_facts
from leakwatch.store.capture_status import Coverage

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SNAPSHOT = Snapshot("s", "s.duckdb", NOW, "00D", {}, {})
QUIET = SimpleNamespace(category="lead_follow_up", params={"days": 30})


def coverage(user: str, **changes: Any) -> Coverage:
    values: dict[str, Any] = {"covered_from": NOW - timedelta(days=90), "read_at": NOW, "parked_reason": None}
    return Coverage(f"{user}@acme.example", user, **{**values, **changes})


def parts(*read: Coverage, google: bool = True) -> Any:
    return SimpleNamespace(
        settings=SimpleNamespace(
            google=SimpleNamespace(enabled=google, calendar=True),
            reads_mail=google,
            reads_outlook=False,
            reads_google_calendar=google,
            audit=SimpleNamespace(stale_after_hours=24),
        ),
        capture_status=SimpleNamespace(coverage=lambda _sources: read),
    )


@pytest.fixture(autouse=True)
def people(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [SimpleNamespace(user_id=name) for name in ("005READ", "005PARKED", "005SHORT", "005STALE", "005NEVER")]
    monkeypatch.setattr(snapshot_facts, "users", lambda snapshot: known)


def test_only_a_mailbox_read_without_a_gap_through_the_whole_window_proves_that_its_owner_was_quiet() -> None:
    found = auditing._unread_owners(
        parts(
            coverage("005READ"),
            coverage("005PARKED", parked_reason="invalid_grant"),
            coverage("005SHORT", covered_from=NOW - timedelta(days=29)),
            coverage("005STALE", read_at=NOW - timedelta(hours=25)),
        ),
        QUIET,
        SNAPSHOT,
        NOW,
    )
    assert found == {"005PARKED", "005SHORT", "005STALE", "005NEVER"}


def test_an_owner_whose_mailbox_is_not_on_the_roster_is_not_proven_quiet() -> None:
    assert "005NEVER" in auditing._unread_owners(parts(coverage("005READ")), QUIET, SNAPSHOT, NOW)


def test_where_no_mailbox_is_captured_the_rules_speak_of_salesforce_alone() -> None:
    assert auditing._unread_owners(parts(google=False), QUIET, SNAPSHOT, NOW) == frozenset()


def test_our_own_user_is_found_however_its_name_is_spelt() -> None:
    asked: list[str] = []

    def query(text: str) -> Iterator[list[dict[str, str]]]:
        asked.append(text)
        yield [{"Id": "005US"}]  # Salesforce: Username compares without case

    org: Any = SimpleNamespace(
        settings=SimpleNamespace(salesforce=SimpleNamespace(username="Leakwatch@Acme.example")),
        reader=SimpleNamespace(query=query),
    )
    assert auditing.our_user_id(org) == "005US"
    assert asked == ["SELECT Id FROM User WHERE Username = 'Leakwatch@Acme.example'"]


def test_an_audit_looks_at_the_snapshot_that_is_newest_once_it_holds_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    newest = ["before"]
    looked: list[str] = []

    @contextmanager
    def run(flow: str, *, dry_run: bool) -> Iterator[Any]:
        newest.append("published and judged by another process while this one waited")
        yield SimpleNamespace(run=None, complete=False, counts={})

    org: Any = SimpleNamespace(run=run, rules=[], findings=None, zone=UTC, clock=SimpleNamespace(now=lambda: NOW))
    engine = SimpleNamespace(run=lambda path, **_: looked.append(str(path)) or [])
    monkeypatch.setattr(auditing, "latest_snapshot", lambda _: SimpleNamespace(snapshot_id="", path=newest[-1]))
    monkeypatch.setattr(auditing, "rule_engine", lambda _: engine)
    monkeypatch.setattr(auditing, "alert_tasks", lambda _: {})
    monkeypatch.setattr(auditing, "_all_rules", lambda _: ())
    monkeypatch.setattr(
        auditing,
        "audit",
        lambda **told: looked.append(told["snapshot"].path) or SimpleNamespace(complete=True, counts=dict),
    )
    auditing.run_audit(org)
    assert looked == [newest[-1], newest[-1]]


# --- what must not be acted on ---


def acting(*, read: timedelta, judged: timedelta | None) -> Any:
    """Return parts whose mirror was read, and whose findings were judged, so long ago."""

    @contextmanager
    def run(flow: str, *, dry_run: bool) -> Iterator[Any]:
        yield SimpleNamespace(run=None)

    off = SimpleNamespace(salesforce_task=False, chatter_post=False)
    return SimpleNamespace(
        run=run,
        settings=SimpleNamespace(writes=off, audit=SimpleNamespace(stale_after_hours=24)),
        clock=SimpleNamespace(now=lambda: NOW + read),
        findings=SimpleNamespace(last_judged=lambda: None if judged is None else NOW + read - judged),
    )


@pytest.mark.parametrize(
    ("read", "judged", "said"),
    [
        (timedelta(hours=24, seconds=1), timedelta(0), "leakwatch mirror"),
        (timedelta(days=5), timedelta(days=5), "5 days ago"),
        (timedelta(0), timedelta(hours=25), "last audit was 25 hours ago"),
    ],
)
def test_nobody_is_told_what_was_seen_or_judged_too_long_ago(
    monkeypatch: pytest.MonkeyPatch, read: timedelta, judged: timedelta, said: str
) -> None:
    monkeypatch.setattr(auditing, "latest_snapshot", lambda _: SNAPSHOT)
    for dry_run in (False, True):
        with pytest.raises(StaleError, match=said) as caught:
            auditing.run_act(acting(read=read, judged=judged), dry_run=dry_run)
        assert "Nobody was told anything" in str(caught.value)
        assert caught.value.exit_code == 75


def test_a_mirror_and_an_audit_that_are_young_enough_may_be_acted_on() -> None:
    for judged in (timedelta(hours=24), None):  # None: no audit yet, so there is nothing to tell
        auditing._require_fresh(acting(read=timedelta(hours=24), judged=judged), SNAPSHOT)
