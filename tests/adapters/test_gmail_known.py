"""A first reading narrowed to people whom Salesforce knows: what it lists, where it goes on, what it never claims."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from capture_samples import ANN, NINE
from leakwatch.core import backfill_search
from leakwatch.errors import CursorError
from leakwatch.model import Cursor, CursorPhase
from leakwatch.sources.gmail import GmailOptions, GmailSource
from leakwatch.store import capture_codec
from leakwatch.store.capture_status import CaptureStatus
from leakwatch.store.database import metadata, open_engine
from leakwatch.store.journal import SqlJournal

NOW = NINE + timedelta(days=1)
WINDOW = NINE - timedelta(days=90)
TERM = re.compile(r"(from|to|cc):([^ }]+)")


class Searched:
    """A mailbox that can be searched for `from:`, `to:` and `cc:`, two ids a page."""

    can_search = True

    def __init__(self, **mails: str) -> None:
        self.mails = mails  # id -> From
        self.listed = 0
        self.fetched: list[str] = []

    def profile(self, subject: str) -> Mapping[str, Any]:
        return {"historyId": "1000"}

    def labels(self, subject: str) -> Mapping[str, str]:
        return {}

    def list_messages(
        self, subject: str, *, page_token: str | None = None, search: str | None = None, page_size: int = 500
    ) -> Mapping[str, Any]:
        self.listed += 1
        terms = [term for _, term in TERM.findall(search or "")]
        names = [name for name, sender in self.mails.items() if not terms or any(term in sender for term in terms)]
        start = int(page_token or 0)
        answer: dict[str, Any] = {"messages": [{"id": name} for name in names[start : start + 2]]}
        return answer | ({"nextPageToken": str(start + 2)} if start + 2 < len(names) else {})

    def history(self, subject: str, start: str, *, page_token: str | None = None) -> Mapping[str, Any]:
        return {"historyId": "1000"}

    def get_messages(self, subject: str, ids: Any) -> Any:
        self.fetched += ids
        stamp = str(int(NINE.timestamp() * 1000))
        return [{"id": one, "internalDate": stamp, "payload": {"headers": []}} for one in ids], []

    def get_threads(self, subject: str, ids: Any) -> Any:
        raise AssertionError("no conversation is dense here")

    ask_again = get_messages


MAILS = {"a1": "x@a.com", "a2": "y@a.com", "a3": "z@sub.a.com", "b1": "x@b.com", "c1": "x@c.com", "g1": "zoe@gmail.com"}


def source(gmail: Searched, *terms: str, known: set[str] | None = None) -> GmailSource:
    options = GmailOptions(known_terms=(lambda: terms) if terms else None)
    stored = known if known is not None else set[str]()
    return GmailSource(gmail, options, known=lambda _s, _p, ids: frozenset(set(ids) & stored))


def first(one: GmailSource) -> Cursor:
    return one.first_cursor(ANN, window_start=WINDOW, now=NOW)


def read(one: GmailSource, cursor: Cursor, pages: int = 100) -> tuple[list[str], Cursor]:
    found: list[str] = []
    for _ in range(pages):
        page = one.fetch_page(ANN, cursor)
        found += [str(item["id"]) for item in page.upserts]
        cursor = page.next_cursor
        if cursor.phase is CursorPhase.DELTA:
            break
    return found, cursor


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a search have room for one term."""
    monkeypatch.setattr(backfill_search, "MAX_QUERY", 130)


@pytest.mark.usefixtures("short")
def test_each_search_is_read_to_its_last_page_and_nobody_elses_mail_is_fetched() -> None:
    gmail = Searched(**MAILS)
    found, cursor = read(source(gmail, "a.com", "b.com", "zoe@gmail.com"), first(source(gmail, "a.com")))
    assert found == ["a1", "a2", "a3", "b1", "g1"]
    assert gmail.fetched == found
    assert gmail.listed == 4
    assert cursor.narrowed
    assert cursor.page_token is None


@pytest.mark.usefixtures("short")
def test_interrupted_it_goes_on_in_the_search_and_page_where_it_was() -> None:
    gmail = Searched(**MAILS)
    one = source(gmail, "a.com", "b.com")
    before, cursor = read(one, first(one), pages=1)
    stored = capture_codec.load_cursor(
        capture_codec.dump_cursor(cursor), source="gmail", principal=ANN.address, stream=cursor.stream, revision=0
    )
    after, _ = read(source(gmail, "a.com", "b.com"), stored)
    assert (before, after) == (["a1", "a2"], ["a3", "b1"])


@pytest.mark.usefixtures("short")
def test_should_salesforce_know_more_by_then_the_searches_begin_anew_and_nothing_is_fetched_twice() -> None:
    gmail = Searched(**MAILS)
    one = source(gmail, "a.com", "b.com")
    before, cursor = read(one, first(one), pages=1)
    after, _ = read(source(gmail, "a.com", "b.com", "c.com", known=set(before)), cursor)
    assert after == ["a3", "b1", "c1"]
    assert len(gmail.fetched) == 5


def test_where_salesforce_knows_nobody_or_too_many_all_mail_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leakwatch.sources.gmail.MOST_SEARCHES", 0)
    gmail = Searched(**MAILS)
    for one in (source(gmail, "a.com"), GmailSource(gmail, GmailOptions(known_terms=lambda: ()))):
        cursor = first(one)
        assert not cursor.narrowed
        assert read(one, cursor)[0] == list(MAILS)


def test_once_all_mail_is_wanted_a_narrowed_mailbox_is_read_anew() -> None:
    gmail = Searched(**MAILS)
    one = source(gmail, "a.com")
    half, _ = first(one), None
    _, whole = read(one, half)
    for cursor in (half, whole):
        with pytest.raises(CursorError):
            source(gmail).fetch_page(ANN, cursor)


def test_it_is_known_without_a_gap_from_the_first_reading_on_and_not_from_the_beginning_of_the_window(
    tmp_path: Path,
) -> None:
    engine = open_engine(tmp_path / "state.db", durable=False)
    metadata.create_all(engine)
    journal = SqlJournal(engine)
    journal.sync_principals([ANN], now=NOW)
    for narrowed, known in ((False, WINDOW), (True, NOW)):
        cursor = journal.cursor("gmail", ANN.address, "mailbox") or first(source(Searched(), "a.com"))
        cursor = replace(cursor, phase=CursorPhase.DELTA, narrowed=narrowed)
        journal.commit_page(cursor, activities=(), decisions=(), removed=(), now=NOW)
        journal.mailbox_read("gmail", ANN.address, now=NOW)
        (coverage,) = CaptureStatus(engine).coverage(["gmail"])
        assert coverage.covered_from == known
        assert journal.spans("gmail")[ANN.address][0] == known
    engine.dispose()
