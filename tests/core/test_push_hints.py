"""What a notification says, and when a mailbox may be left for later: always in favour of reading."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakwatch.core.push_hints import Hint, Reading, Watch, quiet_mailboxes, read_hint

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
TOPIC = "projects/p/topics/gmail"
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("number", ["9876543210", 9876543210], ids=["as the guide has it", "as the wire has it"])
def test_a_notification_names_a_mailbox_and_a_history_id(number: Any) -> None:
    data = json.dumps({"emailAddress": "Ann@OurCo.com", "historyId": number}).encode()
    assert read_hint(data) == Hint("ann@ourco.com", 9876543210)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"{}", b"\xff\xfe", b'{"emailAddress": "ann@x.com"}', b"[" * 9_000, b"1" * 20_000,
        b'{"emailAddress": 7, "historyId": "1"}', b'{"emailAddress": "ann", "historyId": "1"}',
        b'{"emailAddress": "a@x.com", "historyId": "0"}', b'{"emailAddress": "a@x.com", "historyId": true}',
        b'{"emailAddress": "a@x.com", "historyId": 1.5}',
        b'{"emailAddress": "a@x.com", "historyId": "18446744073709551616"}',
    ],
)  # fmt: skip
def test_what_is_no_notification_is_no_hint(data: bytes) -> None:
    assert read_hint(data) is None


@given(
    st.binary(max_size=300) | st.text().map(lambda text: json.dumps({"emailAddress": text, "historyId": text}).encode())
)
def test_no_content_raises(data: bytes) -> None:
    read_hint(data)


WATCHED = Watch(
    "ann@ourco.com",
    TOPIC,
    expires_at=NOW + timedelta(days=6),
    since=NOW - timedelta(days=1),
    renewed_at=NOW - timedelta(hours=2),
)
READ = Reading(NOW - 10 * MINUTE, 500)


def is_quiet(
    watch: Watch | None = WATCHED, reading: Reading = READ, *, pulled: timedelta | None = MINUTE, topic: str = TOPIC
) -> bool:
    found = quiet_mailboxes(
        {"Ann@ourco.com": reading},
        {watch.mailbox: watch} if watch is not None else {},
        topic=topic,
        pulled_at=NOW - pulled if pulled is not None else None,
        fallback=timedelta(hours=1),
        now=NOW,
    )
    return found == {"Ann@ourco.com"}


def test_a_watched_mailbox_that_was_read_a_moment_ago_and_not_hinted_at_is_left() -> None:
    assert is_quiet()


@pytest.mark.parametrize(
    "case",
    [
        {"watch": None},
        {"watch": replace(WATCHED, expires_at=NOW)},
        {"watch": replace(WATCHED, since=None)},
        {"watch": replace(WATCHED, since=NOW - 9 * MINUTE)},
        {"topic": "projects/p/topics/other"},
        {"reading": Reading(None)},
        {"reading": Reading(NOW - timedelta(hours=1), 500)},
        {"reading": Reading(NOW + MINUTE, 500)},
        {"pulled": None},
        {"pulled": timedelta(minutes=5)},
        {"pulled": -MINUTE},
        {"watch": replace(WATCHED, hinted_at=NOW - MINUTE, hinted_id=501)},
        {"watch": replace(WATCHED, hinted_at=READ.read_at, hinted_id=501)},
    ],
    ids=[
        "not watched", "watch over", "watch never granted", "not read since the watch began", "another topic",
        "never read", "not read for an hour", "read in the future: the clock went back", "Pub/Sub never answered",
        "Pub/Sub is silent", "Pub/Sub answered in the future", "hinted at since", "hinted at the very moment",
    ],
)  # fmt: skip
def test_in_doubt_it_is_read(case: dict[str, Any]) -> None:
    assert not is_quiet(**case)


@pytest.mark.parametrize(
    "watch",
    [
        replace(WATCHED, hinted_at=NOW, hinted_id=500),
        replace(WATCHED, hinted_at=NOW, hinted_id=3),
        replace(WATCHED, hinted_at=NOW - timedelta(minutes=11), hinted_id=501),
    ],
    ids=["of what was read", "of older news", "before the last reading"],
)
def test_a_hint_of_what_was_read_is_no_reason_to_read(watch: Watch) -> None:
    assert is_quiet(watch)


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, False),
        ({"renewed_at": NOW - timedelta(days=1)}, True),
        ({"renewed_at": NOW + MINUTE}, True),
        ({"expires_at": NOW}, True),
        ({"topic": ""}, True),
        ({"topic": "", "failed_at": NOW - timedelta(minutes=59)}, False),
        ({"topic": "", "failed_at": NOW - timedelta(hours=1)}, True),
    ],
)
def test_a_watch_is_asked_for_once_a_day_and_an_hour_after_a_refusal(changes: dict[str, Any], due: bool) -> None:
    assert replace(WATCHED, **changes).is_due(TOPIC, NOW) is due
