"""Gmail's search language on a mailbox made for the purpose."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leakwatch.sandbox.clock import VirtualClock
from leakwatch.sandbox.google.errors import GoogleError
from leakwatch.sandbox.google.gmail import Call, Gmail
from leakwatch.sandbox.google.store import MailStore

BOX = "ann@example.com"
START = datetime(2026, 3, 2, 12, tzinfo=UTC)


def raw(sender: str, to: str, subject: str, *, cc: str = "", body: str = "hello") -> bytes:
    lines = [f"From: {sender}", f"To: {to}", f"Subject: {subject}", f"Message-ID: <{subject.replace(' ', '')}@x>"]
    if cc:
        lines.append(f"Cc: {cc}")
    return ("\r\n".join(lines) + f"\r\n\r\n{body}\r\n").encode()


@pytest.fixture
def gmail(tmp_path: Path) -> Iterator[Gmail]:
    store = MailStore(tmp_path / "mail.sqlite", VirtualClock(None, START))
    store.open_mailbox(BOX)
    own = store.create_label(BOX, "No CRM")
    rows = [
        (raw("bob@acme.com", BOX, "price list"), ["INBOX", "UNREAD"], -1),
        (raw(BOX, "bob@acme.com", "our offer", cc="carol@beta.org"), ["SENT"], -2),
        (raw("dan@beta.org", BOX, "quarter 100%"), ["INBOX", own], -3),
        (raw("eve@spam.net", BOX, "you won"), ["SPAM"], -4),
        (raw("bob@acme.com", BOX, "thrown away"), ["TRASH"], -5),
        (raw(BOX, "bob@acme.com", "not yet"), ["DRAFT"], -6),
        (raw("Fay <fay@gamma.io>", BOX, "long ago", body="the turbine is late"), ["INBOX"], -100),
    ]
    for content, labels, day in rows:
        store.insert(BOX, content, labels, START + timedelta(days=day))
    yield Gmail(store)
    store.close()


def found(gmail: Gmail, q: str) -> set[str]:
    answer = gmail.list_messages(Call(BOX, {"q": [q]}, frozenset()))
    subjects: set[str] = set()
    for item in answer.get("messages", []):
        stored = gmail.store.get(BOX, item["id"])
        assert stored is not None
        subjects |= {value for name, value in stored.headers if name == "Subject"}
    return subjects


EVERYDAY = {"price list", "our offer", "quarter 100%", "not yet", "long ago"}


@pytest.mark.parametrize(
    ("q", "subjects"),
    [
        ("", EVERYDAY),
        ("from:@acme.com", {"price list"}),
        ("from:acme.com OR from:gamma.io", {"price list", "long ago"}),
        ("{from:@beta.org to:@beta.org cc:@beta.org}", {"our offer", "quarter 100%"}),
        ("-in:drafts -in:sent", {"price list", "quarter 100%", "long ago"}),
        ("in:spam", {"you won"}),
        ("in:anywhere from:bob", {"price list", "thrown away"}),
        ('subject:"our offer"', {"our offer"}),
        ("(from:@acme.com in:inbox) -is:read", {"price list"}),
        ("-{from:@acme.com from:@beta.org} in:inbox", {"long ago"}),
        ("label:no-crm", {"quarter 100%"}),
        ("100%", {"quarter 100%"}),
        ("turbine", {"long ago"}),
        ("newer_than:4d in:inbox", {"price list", "quarter 100%"}),
        ("older_than:2m", {"long ago"}),
        ("rfc822msgid:pricelist@x", {"price list"}),
        ("before:2026/01/01", {"long ago"}),
        (f"after:{int((START - timedelta(days=2)).timestamp())}", {"price list", "our offer"}),
        (f"before:{int((START - timedelta(days=2)).timestamp())} in:inbox", {"quarter 100%", "long ago"}),
        ("from:nobody", set()),
    ],
)
def test_a_query_finds_what_it_means(gmail: Gmail, q: str, subjects: set[str]) -> None:
    assert found(gmail, q) == subjects


def test_dates_begin_at_midnight_in_california(gmail: Gmail) -> None:
    # 1 March 2026, 12:00 UTC is 04:00 in California; the day began there at 08:00 UTC
    assert "price list" in found(gmail, "after:2026/03/01")
    assert "price list" not in found(gmail, "after:2026/03/02")
    assert "price list" in found(gmail, "after:2026/2/28 before:2026/03/02")


@pytest.mark.parametrize("q", ["filename:pdf", "{from:a", "from:a)", "after:tomorrow", "in:nowhere_at", "to:(a b)"])
def test_what_is_not_played_is_refused_and_not_ignored(gmail: Gmail, q: str) -> None:
    if q.startswith("in:"):
        assert found(gmail, q) == set()
        return
    with pytest.raises(GoogleError) as caught:
        found(gmail, q)
    assert caught.value.status == 400
