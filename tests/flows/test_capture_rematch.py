"""What later changes in Salesforce make of mails: the unmatched find their records, the written stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from capture_samples import ANN
from flows.capture_world import EVE, World
from leakwatch.model import DomainAccount, OpenOpportunity


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.engine.dispose()


def test_a_mail_of_strangers_is_logged_once_their_companys_website_is_entered(world: World):
    world.gmail.deliver(ANN, "a@new.com", From="zoe@new.com")
    assert world.capture().unmatched == 1
    world.domains["new.com"] = (DomainAccount("001NEW"),)
    fetched = world.gmail.fetched
    report = world.capture()
    assert (report.written, report.matched, report.unmatched) == ({"EmailMessage": 1}, {"account_domain": 1}, 0)
    (row,) = world.org.mails.values()
    assert (row["RelatedToId"], row.get("FromId"), row["FromAddress"]) == ("001NEW", None, "zoe@new.com")
    assert world.gmail.fetched == fetched


def test_a_mail_is_logged_once_a_contact_gets_its_address(world: World):
    world.gmail.deliver(ANN, "a@acme.com", From="eve@private.com")
    world.capture()
    world.people["eve@private.com"] = (EVE,)
    assert world.capture().written == {"EmailMessage": 1}


def test_what_is_written_stays_when_its_contact_moves_or_its_deal_changes(world: World):
    world.gmail.deliver(ANN, "a@acme.com")
    world.capture()
    before = world.org.state()
    world.people["eve@acme.com"] = (replace(EVE, account_id="001ELSE"),)
    world.deals["001ACME"] = (OpenOpportunity("006NEW", "001ACME", "New", "005ANN"),)
    world.snapshot = "snapshot 2"
    assert world.capture().planned == {}
    assert world.org.state() == before
