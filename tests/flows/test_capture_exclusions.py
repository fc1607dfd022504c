"""Exclusions made after a mail was read, and vetoes by other copies: nothing excluded is written; it is said why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from capture_samples import ANN, BOB, NINE
from flows.capture_world import NOW, World, without_notice
from leakwatch.core.privacy import PrivacyRules
from leakwatch.flows.capture_report import CaptureReport
from leakwatch.model import Person, Principal
from leakwatch.store.capture_status import CaptureStatus, Explanation


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.engine.dispose()


def explained(world: World, message_id: str) -> list[Explanation]:
    return list(CaptureStatus(world.engine).explain(f"<{message_id}>"))


def on_disk(world: World, folder: Path) -> bytes:
    world.engine.dispose()
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.suffix == ".db")


def read_only(world: World) -> None:
    """Deliver an offer and read it, without writing."""
    world.gmail.deliver(ANN, "offer@acme.com", Subject="Unmistakable offer", Cc="carl@partner.com")
    assert world.capture(write=False).captured == 1


def assert_dropped(world: World, reason: str) -> None:
    dry = world.capture(dry_run=True)
    assert (dry.operations, dry.skipped) == ((), {reason: 1})
    assert len(list(world.journal.unsettled())) == 1
    report = world.capture()
    assert (world.org.mails, report.skipped) == ({}, {reason: 1})
    (told,) = explained(world, "offer@acme.com")
    assert told.outcome == "skipped"
    assert told.reason.startswith(f"{reason}: decided after it was read")
    assert list(world.journal.unsettled()) == []
    assert world.capture().skipped == {}


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (PrivacyRules(never_log=("partner.com",)), "blocked"),
        (PrivacyRules(subject_markers=("unmistakable",)), "confidential_subject"),
        (PrivacyRules(only_log=("other.com",)), "not_on_list"),
    ],
)
def test_a_tightened_exclusion_reaches_mails_that_were_read_before(world: World, rules: PrivacyRules, reason: str):
    read_only(world)
    world.options = replace(world.options, privacy=rules)
    assert_dropped(world, reason)


def test_somebody_of_ours_named_later_makes_a_mail_internal(world: World):
    read_only(world)
    world.options = replace(world.options, internal_addresses=("eve@acme.com", "carl@partner.com"))
    assert_dropped(world, "internal_only")


def test_a_withdrawn_notice_reaches_mails_that_were_read_before_it(world: World):
    read_only(world)
    world.roster = [without_notice(ANN), BOB]
    assert_dropped(world, "no_notice")


def test_a_mailbox_taken_off_the_roster_gives_nothing_more(world: World):
    read_only(world)
    world.roster = [BOB]
    assert_dropped(world, "off_roster")


@pytest.mark.parametrize("roster", [[without_notice(ANN), BOB], [BOB]], ids=["no notice", "off the roster"])
def test_what_a_closed_mailbox_held_goes_at_once_also_while_nothing_is_written(
    world: World, tmp_path: Path, roster: list[Principal]
):
    read_only(world)
    for number in range(3):
        world.gmail.deliver(ANN, f"refused{number}@acme.com", Subject="Unmistakable refusal")
    world.org.refuse["Unmistakable"] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    assert world.capture().quarantined == {"FIELD_CUSTOM_VALIDATION_EXCEPTION": 4}
    world.gmail.deliver(BOB, "offer@acme.com", Subject="Kept")
    world.gmail.deliver(ANN, "kept@acme.com", Subject="In Salesforce")
    world.capture()
    world.roster = roster
    assert sum(world.capture(write=False).skipped.values()) == 4
    assert b"Unmistakable" not in on_disk(world, tmp_path)
    assert [one.outcome for one in explained(world, "kept@acme.com")] == ["written"]
    assert world.capture(write=False).skipped == {}


@pytest.mark.parametrize("without", [[without_notice(ANN), BOB], [BOB]])
def test_a_mailbox_that_may_be_read_again_brings_back_what_was_dropped(world: World, without: list[object]):
    read_only(world)
    world.roster = without  # type: ignore[assignment]
    world.capture()
    world.roster = [ANN, BOB]
    assert world.capture().written == {"EmailMessage": 1}


def test_an_empty_roster_could_not_be_had_and_drops_nothing(world: World):
    read_only(world)
    world.roster = []
    for dry_run in (True, False):
        assert world.capture(dry_run=dry_run).skipped == {}
    assert world.org.mails == {}
    world.roster = [ANN, BOB]
    assert world.capture().written == {"EmailMessage": 1}


def test_what_is_dropped_leaves_no_word_in_the_journal(world: World, tmp_path: Path):
    read_only(world)
    world.options = replace(world.options, privacy=PrivacyRules(never_log=("partner.com",)))
    world.capture()
    stored = on_disk(world, tmp_path)
    assert b"partner.com" not in stored
    assert b"Unmistakable" not in stored


def test_a_refused_mail_that_is_excluded_later_leaves_no_word_in_the_write_log(world: World, tmp_path: Path):
    world.gmail.deliver(ANN, "offer@acme.com", Subject="Unmistakable offer", Cc="carl@partner.com")
    world.org.refuse["Unmistakable"] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    world.capture()
    (key,) = {str(one.key) for one in explained(world, "offer@acme.com")}
    world.journal.release_quarantined([key], now=NOW)
    world.options = replace(world.options, privacy=PrivacyRules(never_log=("partner.com",)))
    world.capture()
    assert [entry.code for entry in world.log.refused()] == ["FIELD_CUSTOM_VALIDATION_EXCEPTION"]
    stored = on_disk(world, tmp_path)
    assert b"partner.com" not in stored
    assert b"Unmistakable" not in stored


def test_reading_one_mailbox_only_drops_nothing_of_the_others(world: World):
    read_only(world)
    world.gmail.opened.clear()
    assert world.capture(only=[BOB.address]).written == {"EmailMessage": 1}
    assert set(world.gmail.opened) == {BOB.address}


def test_a_mail_that_is_in_salesforce_stays_known_when_an_exclusion_is_made_later(world: World):
    world.gmail.deliver(ANN, "offer@acme.com", To="ann@ourco.com, bob@ourco.com")
    world.capture()
    world.options = replace(world.options, privacy=PrivacyRules(never_log=("acme.com",)))
    world.gmail.deliver(BOB, "offer@acme.com", To="ann@ourco.com, bob@ourco.com", Cc="x@acme.com")
    report = world.capture()
    assert (report.planned, report.skipped) == ({}, {"blocked": 1})
    assert sorted(one.outcome for one in explained(world, "offer@acme.com")) == ["skipped", "written"]
    assert len(world.org.mails) == 1


# --- vetoes ---


def secret(world: World, *, sent_id: str, seen_id: str, first: str) -> CaptureReport:
    """Ann writes to Eve and Bob, with a lawyer in BCC; a relay may give Bob's copy another Message-ID."""
    headers = {"From": "ann@ourco.com", "To": "eve@acme.com, bob@ourco.com", "Date": "Wed, 01 Jul 2026 12:00:00 +0300"}
    if first == "received":
        world.gmail.deliver(BOB, seen_id, **headers)
        world.capture(only=[BOB.address])
    world.gmail.deliver(ANN, sent_id, labels=("SENT",), Bcc="x@lawyer.com", **headers)
    if first == "sent":
        world.capture(only=[ANN.address])
    if first != "received":
        world.gmail.deliver(BOB, seen_id, **headers)
    return world.capture()


@pytest.mark.parametrize("first", ["sent", "received", "together"])
@pytest.mark.parametrize("seen_id", ["sent@ourco.com", "0100@ses.example"])
def test_a_mail_with_a_blocked_person_in_bcc_is_not_written_from_any_copy(world: World, first: str, seen_id: str):
    secret(world, sent_id="sent@ourco.com", seen_id=seen_id, first=first)
    assert world.org.mails == {}
    assert list(world.journal.unsettled()) == []
    assert {one.reason.partition(":")[0] for one in explained(world, seen_id)} == {"blocked"}


@pytest.mark.parametrize("seen_id", ["sent@ourco.com", "0100@ses.example"])
def test_a_dry_run_heeds_the_veto_it_comes_across(world: World, seen_id: str):
    headers = {"From": "ann@ourco.com", "To": "eve@acme.com, bob@ourco.com", "Date": "Wed, 01 Jul 2026 12:00:00 +0300"}
    world.gmail.deliver(ANN, "sent@ourco.com", labels=("SENT",), Bcc="x@lawyer.com", **headers)
    world.gmail.deliver(BOB, seen_id, **headers)
    assert world.capture(dry_run=True).operations == ()
    world.capture(only=[ANN.address])
    assert world.capture(dry_run=True).operations == ()


@pytest.mark.parametrize("lawyer_first", [True, False])
def test_a_blocked_persons_mail_does_not_suppress_another_that_has_the_same_message_id(
    world: World, lawyer_first: bool
):
    def offer() -> None:
        world.gmail.deliver(ANN, "shared@acme.com")

    if not lawyer_first:
        offer()
    world.gmail.deliver(BOB, "shared@acme.com", From="x@lawyer.com")
    world.capture(only=[BOB.address])
    if lawyer_first:
        offer()
    assert len(world.capture(dry_run=True).operations) == (0 if world.org.mails else 1)
    world.capture()
    assert [row["FromAddress"] for row in world.org.mails.values()] == ["eve@acme.com"]


# --- loosened exclusions ---


def test_a_loosened_exclusion_lets_older_mails_in_when_the_window_is_read_anew(world: World):
    world.people["x@lawyer.com"] = (Person("003LAW", "Contact", "Lawyer"),)
    world.gmail.deliver(ANN, "legal@lawyer.com", From="x@lawyer.com", at=(NINE + timedelta(minutes=1)).isoformat())
    world.gmail.deliver(ANN, "intern@ourco.com", From="bob@ourco.com")
    world.gmail.deliver(ANN, "robot@acme.com", Auto_Submitted="auto-replied")
    world.gmail.deliver(ANN, "offer@acme.com")
    world.capture()
    world.options = replace(world.options, privacy=PrivacyRules())
    later = NOW + timedelta(hours=1)
    assert world.capture(now=later).planned == {}
    fetched = world.gmail.fetched
    assert world.capture(now=later, full=True, dry_run=True).planned == {"EmailMessage": 1}
    report = world.capture(now=later, full=True)
    assert (report.written, report.skipped) == ({"EmailMessage": 1}, {"internal_only": 1})
    assert (
        world.gmail.fetched == fetched + 4
    )  # the lawyer's and the internal one, twice; neither the robot's nor the offer
    assert [one.outcome for one in explained(world, "legal@lawyer.com")] == ["written"]
    assert CaptureStatus(world.engine).coverage(["gmail"])[0].covered_from == NOW - timedelta(days=90)
    assert world.capture(now=later).items_seen == 0


def test_what_one_copy_still_forbids_stays_out_when_the_window_is_read_anew(world: World):
    secret(world, sent_id="s@ourco.com", seen_id="s@ourco.com", first="sent")
    world.capture(full=True)
    world.capture(only=[BOB.address], full=True)
    assert world.org.mails == {}
    world.options = replace(world.options, privacy=PrivacyRules())
    assert world.capture(full=True).written == {"EmailMessage": 1}


COPIED = {"From": "ann@ourco.com", "To": "eve@acme.com, bob@ourco.com", "Date": "Wed, 01 Jul 2026 12:00:00 +0300"}


def test_a_veto_stays_when_the_mail_is_asked_for_again_and_not_given(world: World):
    world.gmail.deliver(ANN, "offer@ourco.com", labels=("SENT",), Bcc="x@lawyer.com", **COPIED)
    world.gmail.deliver(BOB, "offer@ourco.com", **COPIED)
    world.capture()
    world.gmail.broken.add(world.gmail.boxes[ANN.address][0]["id"])
    assert world.capture(full=True).captured == 1
    assert world.org.mails == {}
    assert {one.reason.partition(":")[0] for one in explained(world, "offer@ourco.com")} == {"blocked"}


def test_a_veto_found_in_a_mailbox_that_is_read_no_more_holds_for_the_other_copies(world: World):
    world.gmail.deliver(ANN, "offer@ourco.com", labels=("SENT",), Bcc="x@partner.com", **COPIED)
    world.gmail.deliver(BOB, "offer@ourco.com", **COPIED)
    world.capture(write=False)
    world.options = replace(world.options, privacy=PrivacyRules(never_log=("partner.com",)))
    world.roster = [BOB]
    assert world.capture(dry_run=True).operations == ()
    assert world.capture().skipped == {"blocked": 2}
    assert world.org.mails == {}


AS_ANOTHER = {"From": "Ann <ann@partner.example>", "To": "bob@ourco.com", "Subject": "Among us"}


@pytest.mark.parametrize("first", [ANN, BOB], ids=["the sender's copy first", "the colleague's copy first"])
def test_a_mail_to_colleagues_only_is_internal_whatever_address_it_was_sent_as(world: World, first: Principal):
    second = BOB if first is ANN else ANN
    for owner in (first, second):
        labels = ("SENT",) if owner is ANN else ("INBOX",)
        world.gmail.deliver(owner, "among@partner.example", labels=labels, **AS_ANOTHER)
        world.capture()
    assert list(world.journal.unsettled()) == []
    assert {one.reason.partition(":")[0] for one in explained(world, "among@partner.example")} == {"internal_only"}


def test_the_same_address_writing_from_elsewhere_stays_an_outsider(world: World):
    world.gmail.deliver(ANN, "among@partner.example", labels=("SENT",), **AS_ANOTHER)
    world.gmail.deliver(BOB, "other@partner.example", **(AS_ANOTHER | {"Subject": "From outside"}))
    report = world.capture()
    assert (report.skipped, report.unmatched) == ({"internal_only": 1}, 1)
