"""What a reply inherits from the mail before it, across runs, mailboxes and crashes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from capture_samples import ANN, BOB
from flows.capture_world import World
from leakwatch.model import OpenOpportunity, Person

ACME = "001ACME"
LINE_A = OpenOpportunity("006A", ACME, "Line A", "005ANN")
LINE_B = OpenOpportunity("006B", ACME, "Line B", "005ANN", roles={"003EVE": True})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    found.deals[ACME] = (LINE_A, LINE_B)
    found.people["joe@acme.com"] = (Person("003JOE", "Contact", "Joe", ACME),)
    yield found
    found.engine.dispose()


def related(world: World) -> dict[str, str]:
    return {row["MessageIdentifier"]: row["RelatedToId"] for row in world.org.mails.values()}


def test_a_reply_goes_to_the_deal_of_the_mail_it_answers_though_its_own_people_leave_it_open(world: World):
    world.gmail.deliver(ANN, "first@acme.com")
    world.gmail.deliver(ANN, "alone@acme.com", From="joe@acme.com")
    world.gmail.deliver(
        ANN, "reply@acme.com", From="joe@acme.com", In_Reply_To="<first@acme.com>", at="2026-07-01T10:00:00+00:00"
    )
    world.capture()
    assert related(world) == {"<first@acme.com>": "006B", "<alone@acme.com>": ACME, "<reply@acme.com>": "006B"}


def test_a_reply_read_by_a_later_run_knows_the_earlier_match_from_the_journal(world: World):
    world.gmail.deliver(ANN, "first@acme.com")
    world.capture()
    world.gmail.deliver(BOB, "reply@acme.com", From="joe@acme.com", References="<first@acme.com> <unseen@acme.com>")
    world.capture()
    assert related(world)["<reply@acme.com>"] == "006B"


def test_what_a_dry_run_shows_of_a_conversation_is_what_is_written(world: World):
    world.gmail.deliver(ANN, "first@acme.com")
    world.gmail.deliver(ANN, "reply@acme.com", From="joe@acme.com", In_Reply_To="<first@acme.com>")
    planned = world.capture(dry_run=True).operations
    world.capture()
    assert {str(op.fields["MessageIdentifier"]): op.fields["RelatedToId"] for op in planned} == related(world)


def test_once_the_deal_is_closed_a_reply_is_matched_on_its_own(world: World):
    world.gmail.deliver(ANN, "first@acme.com")
    world.capture()
    world.deals[ACME] = (LINE_A, replace(LINE_A, record_id="006C"))
    world.gmail.deliver(ANN, "reply@acme.com", From="joe@acme.com", In_Reply_To="<first@acme.com>")
    world.capture()
    assert related(world)["<reply@acme.com>"] == ACME
