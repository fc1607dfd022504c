"""Whom a written mail is related to: a late copy adds people, nobody is taken away, and what a person did stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from capture_samples import ANN, BOB
from flows.capture_world import World
from leakwatch.model import Person, Verb

TO_BOTH = {"To": "ann@ourco.com", "Cc": "zed@acme.com"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.engine.dispose()


def related(world: World) -> list[tuple[str, str | None, str | None]]:
    rows = world.org.relations.values()
    return sorted((row["RelationType"], row["RelationId"], row.get("RelationAddress")) for row in rows)


def zed_is_known(world: World) -> None:
    world.people["zed@acme.com"] = (Person("003ZED", "Contact", "Zed", "001ACME"),)


def test_people_whom_a_later_copy_names_are_added_once_and_a_dry_run_shows_each(world: World):
    zed_is_known(world)
    world.gmail.deliver(BOB, "a@acme.com", To="ann@ourco.com")
    world.capture()
    world.gmail.deliver(ANN, "a@acme.com", **TO_BOTH)
    shown = world.capture(dry_run=True).operations
    assert [(op.sobject, op.verb, op.fields["RelationId"]) for op in shown] == [
        ("EmailMessageRelation", Verb.INSERT, "003ZED")
    ]
    assert world.capture().written == {"EmailMessageRelation": 1}
    assert ("CcAddress", "003ZED", "zed@acme.com") in related(world)
    assert world.capture().written == {}


def test_a_relation_of_the_bare_address_gets_the_contact_who_is_known_by_then(world: World):
    world.gmail.deliver(BOB, "a@acme.com", To="ann@ourco.com", Cc="zed@acme.com")
    world.capture()
    assert ("CcAddress", None, "zed@acme.com") in related(world)
    zed_is_known(world)
    before = len(related(world))
    world.gmail.deliver(ANN, "a@acme.com", To="ann@ourco.com, bob@ourco.com", Cc="zed@acme.com")
    world.capture()
    assert ("CcAddress", "003ZED", "zed@acme.com") in related(world)
    assert len(related(world)) == before + 1  # Bob's


def test_whom_a_person_related_is_not_related_twice_and_whom_a_person_took_away_not_again(world: World):
    zed_is_known(world)
    world.gmail.deliver(BOB, "a@acme.com", To="ann@ourco.com")
    world.capture()
    (mail,) = world.org.mails.values()
    theirs = {"Id": "0CZTHEIRS", "EmailMessageId": mail["Id"], "RelationId": "003ZED", "RelationType": "OtherAddress"}
    world.org.relations["0CZTHEIRS"] = theirs
    ours = next(key for key, row in world.org.relations.items() if row["RelationId"] == "003EVE")
    del world.org.relations[ours]
    world.gmail.deliver(ANN, "a@acme.com", **TO_BOTH)
    assert world.capture().written == {}
    assert {one for _, one, _ in related(world)} == {"005ANN", "003ZED"}


def test_whom_only_a_bcc_names_is_never_related(world: World):
    zed_is_known(world)
    world.gmail.deliver(BOB, "a@ourco.com", From="ann@ourco.com", To="eve@acme.com")
    world.capture()
    sent = {"From": "ann@ourco.com", "To": "eve@acme.com", "Bcc": "zed@acme.com, bob@ourco.com"}
    world.gmail.deliver(ANN, "a@ourco.com", labels=("SENT",), **sent)
    world.capture()
    assert {one for _, one, _ in related(world)} == {"005ANN", "003EVE"}


def test_a_relation_that_salesforce_refuses_is_said_and_the_mail_is_settled_with_the_others(world: World):
    zed_is_known(world)
    world.gmail.deliver(BOB, "a@acme.com", To="ann@ourco.com")
    world.capture()
    world.org.refuse["EmailMessageRelation"] = "INSUFFICIENT_ACCESS_OR_READONLY"
    world.gmail.deliver(ANN, "a@acme.com", **TO_BOTH)
    assert world.capture().quarantined == {"relation.INSUFFICIENT_ACCESS_OR_READONLY": 1}
    assert world.capture().quarantined == {}


def test_a_relation_that_must_wait_is_added_by_the_next_run(world: World):
    zed_is_known(world)
    world.gmail.deliver(BOB, "a@acme.com", To="ann@ourco.com")
    world.capture()
    world.org.delay.add("EmailMessageRelation")
    world.gmail.deliver(ANN, "a@acme.com", **TO_BOTH)
    assert world.capture().waiting == 1
    world.org.delay.clear()
    assert world.capture().written == {"EmailMessageRelation": 1}
