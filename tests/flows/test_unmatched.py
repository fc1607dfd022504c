"""The people who talk to us and are not in Salesforce."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from capture_samples import ANN, BOB, NINE
from flows.capture_world import NOW, World
from leakwatch.app.unmatched import unmatched_people
from leakwatch.cli.people_words import unmatched_lines
from leakwatch.core.privacy import Insiders
from leakwatch.core.unmatched import SeenPerson, unmatched
from leakwatch.errors import StaleError
from leakwatch.model import AddressBook, Company, DomainAccount, Person
from leakwatch.store.journal_people import people_seen

US = Insiders(domains=["ourco.com"], addresses=[])
UTC_ZONE = ZoneInfo("UTC")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.engine.dispose()


def seen(*addresses: str, mails: int = 1) -> list[SeenPerson]:
    return [SeenPerson(one, "", mails, NINE) for one in addresses]


def test_each_outsider_counts_once_for_each_mail_and_excluded_mail_not_at_all(world: World):
    for owner in (ANN, BOB):
        world.gmail.deliver(
            owner, "one@new.com", From="Zoe Zu <zoe@new.com>", To="ann@ourco.com, bob@ourco.com", Cc="yan@new.com"
        )
    world.gmail.deliver(ANN, "two@new.com", From="zoe@new.com", at="2026-07-01T10:00:00+00:00")
    world.gmail.deliver(ANN, "three@acme.com", Cc="max@acme.com")
    world.gmail.deliver(ANN, "four@lawyer.com", From="x@lawyer.com")
    world.capture()
    found = {one.address: one for one in people_seen(world.engine, since=NOW - timedelta(days=9))}
    assert {address: one.mails for address, one in found.items()} == {
        "zoe@new.com": 2, "yan@new.com": 1, "eve@acme.com": 1, "max@acme.com": 1,
    }  # fmt: skip
    assert (found["zoe@new.com"].name, found["zoe@new.com"].last_at) == ("Zoe Zu", NINE + timedelta(hours=1))
    assert people_seen(world.engine, since=NOW) == ()


def test_people_in_salesforce_ours_and_those_who_never_match_are_no_gap():
    book = AddressBook({"eve@acme.com": (Person("003", "Contact", "Eve"),)}, {})
    people = seen("eve@acme.com", "eve+x@acme.com", "bob@eu.ourco.com", "robot@tool.com", "max@acme.com")
    (found,) = unmatched(people, book, US, never_match=["tool.com"])
    assert [person.address for person in found.people] == ["max@acme.com"]


def test_domains_come_with_their_account_the_most_people_first():
    book = AddressBook({}, {}, "", {"acme.co.uk": (DomainAccount("001A"),)}, {"001A": Company("001A", "Acme Ltd")})
    found = unmatched(seen("a@gmail.com", "x@acme.co.uk", "y@eu.acme.co.uk", "z@solo.io"), book, US)
    assert [(one.domain, len(one.people), one.account_name, one.is_shared) for one in found] == [
        ("acme.co.uk", 2, "Acme Ltd", False),
        ("gmail.com", 1, None, True),
        ("solo.io", 1, None, False),
    ]


def test_it_is_told_in_a_sentence_and_person_by_person_when_asked():
    found = unmatched(seen("x@acme.com", "y@acme.com", mails=3), AddressBook({}, {}), US)
    lines = unmatched_lines(found, limit=5, one=False, zone=UTC_ZONE)
    assert lines[0] == "2 people at acme.com talked to you and are not in Salesforce."
    assert "acme.com       2      6  2026-07-01" in lines[-1]
    assert unmatched_lines(found, limit=5, one=True, zone=UTC_ZONE)[-1].startswith("y@acme.com")
    assert "everybody" in unmatched_lines((), limit=5, one=False, zone=UTC_ZONE)[0]


def test_before_salesforce_was_mirrored_nobody_is_called_missing():
    parts: Any = SimpleNamespace(
        newest_snapshot=lambda: None, clock=SimpleNamespace(now=lambda: datetime(2026, 7, 2, tzinfo=UTC))
    )
    with pytest.raises(StaleError, match="leakwatch mirror"):
        unmatched_people(parts, days=90)
