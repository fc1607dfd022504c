"""What is set aside: shown with all that is known, dropped with a reason, taken up again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from capture_samples import ANN
from flows.capture_world import NOW, World, fill
from leakwatch.app import capturing
from leakwatch.app.quarantine import drop, dropped, quarantined, release, show
from leakwatch.app.quarantine_people import entering
from leakwatch.cli.mend_words import quarantine_lines
from leakwatch.cli.people_words import entering_line
from leakwatch.core import set_aside
from leakwatch.core.newcomers import CreateRules
from leakwatch.errors import UsageError
from leakwatch.model import AddressBook, Company, Delivery, DomainAccount, Person, Severity
from leakwatch.store.capture_status import CaptureStatus
from leakwatch.store.findings import SqlFindingStore

CODE = "FIELD_CUSTOM_VALIDATION_EXCEPTION"


class Stage:
    """A world with a refused mail, a mail that Gmail fails to give, and a refused alert."""

    def __init__(self, folder: Path) -> None:
        self.world = world = World(folder)
        fill(world)
        world.gmail.deliver(ANN, "broken@acme.com")
        self.broken = str(world.gmail.boxes[ANN.address][-1]["id"])
        world.gmail.broken.add(self.broken)
        world.org.refuse["More 3"] = CODE
        world.capture(run_id="one")
        self.findings = SqlFindingStore(world.engine)
        self.alert = "lw1:f:abcdef:1:005ANN"
        alert = Delivery(
            self.alert, "salesforce_task", "005ANN", "new", ("abcdef",), "006X", "Late", "", None, Severity.HIGH, NOW
        )  # fmt: skip
        self.findings.commit_deliveries([alert], [])
        self.findings.record_delivery(replace(alert, quarantined=True, attempts=1, error=f"{CODE}: no"))
        self.status = CaptureStatus(world.engine)
        self.parts: Any = SimpleNamespace(
            journal=world.journal,
            write_log=world.log,
            findings=self.findings,
            capture_status=self.status,
            clock=SimpleNamespace(now=lambda: NOW),
        )

    @property
    def mail(self) -> str:
        (found,) = self.status.explain("<more3@acme.com>")
        return str(found.key)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_refused_mail_is_shown_with_its_mailbox_its_people_its_error_its_try_and_what_to_do(stage: Stage):
    (found,) = show(stage.parts, stage.mail)
    assert found.refusal.code == CODE
    assert [mailbox for mailbox, _ in found.mailboxes] == ["bob@ourco.com"]
    assert (found.people, found.tries, found.run_id, found.first_at) == (("003EVE",), 1, "one", NOW)
    assert found.fields["Subject"] == "More 3"
    words = "\n".join(quarantine_lines(found, ZoneInfo("UTC")))
    assert "validation rule" in words
    assert "tried once" in words
    assert "not like this" in words


def test_a_mail_that_is_not_given_and_an_alert_are_shown_too(stage: Stage):
    (item,) = show(stage.parts, stage.broken)
    assert (item.refusal.code, item.mailboxes, item.first_at) == ("not_given", ((ANN.address, stage.broken),), NOW)
    (alert,) = show(stage.parts, stage.alert)
    assert (alert.recipient_id, alert.about, alert.tries) == ("005ANN", "006X", 1)
    assert show(stage.parts, "nothing") == []


def test_what_is_dropped_leaves_the_list_is_never_tried_again_and_explained_with_the_reason(stage: Stage):
    keys = [stage.mail, stage.broken, stage.alert]
    assert {one.key for one in quarantined(stage.parts)} == set(keys)
    found = drop(stage.parts, [*keys, "lw1:m:none"], "a test;\nof ours")
    assert (found.mails, found.alerts, found.unknown) == (2, 1, ("lw1:m:none",))
    assert quarantined(stage.parts) == []
    assert {one.key: one.dropped for one in dropped(stage.parts)} == dict.fromkeys(keys, "a test; of ours")
    stage.world.org.refuse.clear()
    stage.world.gmail.broken.clear()
    assert stage.world.capture(run_id="two").written == {}
    assert stage.world.capture(run_id="three", full=True).written == {}
    assert stage.world.capture(dry_run=True).operations == ()
    (mail,) = stage.status.explain("<more3@acme.com>")
    assert (mail.outcome, "a test; of ours" in mail.reason, CODE in mail.reason) == ("dropped", True, True)
    (item,) = stage.status.explain(stage.broken)
    assert (item.outcome, "a test; of ours" in item.reason) == ("dropped", True)
    (alert,) = stage.findings.refused()
    assert "a test; of ours" in str(alert.error)


def test_a_dropped_mail_that_was_not_given_leaves_the_gap_in_what_is_known(stage: Stage):
    (before, _) = stage.status.coverage(["gmail"])
    drop(stage.parts, [stage.broken], "lost")
    (after, _) = stage.status.coverage(["gmail"])
    assert (before.covered_from, before.not_given) == (NOW, 1)
    assert (after.covered_from, after.not_given) == (NOW, 0)
    assert stage.world.journal.holes("gmail") == {ANN.address: NOW}


def test_retry_takes_up_again_what_was_dropped_as_if_it_never_had_been(stage: Stage):
    keys = [stage.mail, stage.broken, stage.alert]
    before = list(quarantined(stage.parts))
    drop(stage.parts, keys, "by mistake")
    assert release(stage.parts, keys).total == 3
    assert {one.key for one in quarantined(stage.parts)} <= set(keys)
    assert dropped(stage.parts) == []
    (item,) = stage.status.explain(stage.broken)
    assert item.outcome == "quarantined"
    stage.world.capture(run_id="two")  # refused again
    assert [one for one in quarantined(stage.parts) if one.key != stage.alert] == [
        one for one in before if one.key != stage.alert
    ]
    stage.world.org.refuse.clear()
    stage.world.gmail.broken.clear()
    release(stage.parts, [stage.mail])
    assert stage.world.capture(run_id="three").written == {"EmailMessage": 2}


def test_a_drop_without_a_reason_is_refused(stage: Stage):
    with pytest.raises(UsageError, match="say why"):
        drop(stage.parts, [stage.mail], " \n")
    assert len(quarantined(stage.parts)) == 3


def test_each_word_about_a_drop_leads_back_to_what_stood_there():
    words = set_aside.dropped("why; before: not", "CODE: words; before: that")
    assert set_aside.as_before(words) == "CODE: words; before: that"
    assert set_aside.reason_of(words) == "why, not"
    assert set_aside.as_before("CODE: words") == "CODE: words"


class Refused:
    """A world in which Salesforce refused to take somebody as a contact."""

    def __init__(self, folder: Path) -> None:
        self.world = world = World(folder)
        world.domains["new.com"] = (DomainAccount("001NEW"),)
        world.companies["001NEW"] = Company("001NEW", "New", "005OWNER")
        world.options = replace(world.options, create=CreateRules("contact", 20, write=True))
        ayse = '"Ayşe Işık" <ayse@new.com>'
        world.gmail.deliver(ANN, "a@in", From=ayse)
        world.gmail.deliver(ANN, "a@out", labels=("SENT",), From=ANN.address, To=ayse)
        world.org.refuse["Contact"] = "DUPLICATES_DETECTED"
        self.sync("one")
        self.parts: Any = SimpleNamespace(
            journal=world.journal,
            write_log=world.log,
            findings=SqlFindingStore(world.engine),
            capture_status=CaptureStatus(world.engine),
            clock=SimpleNamespace(now=lambda: NOW),
        )

    def sync(self, run_id: str) -> Any:
        return [self.world.capture(run_id=run_id) for _ in range(2)]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Person, ...]]:
    """Who is in the mirror by now, by address."""
    people: dict[str, tuple[Person, ...]] = {}
    monkeypatch.setattr(capturing, "address_book_of", lambda _parts, _addresses: AddressBook(people, {}, "s"))
    return people


@pytest.fixture
def refused(tmp_path: Path, known: dict[str, tuple[Person, ...]]) -> Refused:
    return Refused(tmp_path)


def test_a_person_whom_salesforce_refuses_is_listed_and_shown_with_what_to_do(refused: Refused):
    (listed,) = quarantined(refused.parts)
    assert (listed.what, listed.code) == ("Contact ayse@new.com", "DUPLICATES_DETECTED")
    (found,) = show(refused.parts, listed.key)
    assert (found.fields["LastName"], found.fields["AccountId"], found.run_id) == ("Işık", "001NEW", "one")
    words = "\n".join(quarantine_lines(found, ZoneInfo("UTC")))
    assert "takes for the same person" in words
    assert "talks with us: 1 received, 1 sent" in words


def test_retry_lets_the_next_sync_enter_the_person(refused: Refused):
    (listed,) = quarantined(refused.parts)
    found = release(refused.parts, [listed.key, "lw1:p:nobody"])
    assert (found.people, found.mails, found.unknown) == (1, 0, ("lw1:p:nobody",))
    assert quarantined(refused.parts) == []
    refused.sync("two")  # refused again
    assert [one.key for one in quarantined(refused.parts)] == [listed.key]
    refused.world.org.refuse.clear()
    refused.sync("three")
    assert refused.world.org.people == []
    release(refused.parts, [listed.key])
    refused.sync("four")
    assert [row["Email"] for row in refused.world.org.people] == ["ayse@new.com"]
    assert quarantined(refused.parts) == []


def test_a_dropped_person_is_never_tried_again_and_explained_with_the_reason(refused: Refused):
    (listed,) = quarantined(refused.parts)
    found = drop(refused.parts, [listed.key], "a supplier")
    assert (found.people, found.mails, found.unknown) == (1, 0, ())
    assert quarantined(refused.parts) == []
    assert [one.dropped for one in dropped(refused.parts)] == ["a supplier"]
    refused.world.org.refuse.clear()
    refused.sync("two")
    assert refused.world.org.people == []
    for term in ("Ayse@new.com", listed.key):
        (one,) = entering(refused.parts, term)
        assert "a supplier" in entering_line(one, ZoneInfo("UTC"))
    assert release(refused.parts, [listed.key]).people == 1
    refused.sync("three")
    assert len(refused.world.org.people) == 1


def test_whom_somebody_entered_by_hand_waits_for_nobody(refused: Refused, known: dict[str, tuple[Person, ...]]):
    (listed,) = quarantined(refused.parts)
    known["ayse@new.com"] = (Person("003HAND", "Contact", "Ayşe Işık", "001NEW"),)
    assert quarantined(refused.parts) == []
    assert show(refused.parts, listed.key) == []
    assert release(refused.parts, [listed.key]).unknown == (listed.key,)
