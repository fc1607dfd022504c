"""Capture as a whole: each mail once, whoever saw it; nothing lost, nothing written that was not wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from capture_samples import ANN, BOB, NINE
from flows.capture_world import EVE, NOW, World, fill, without_notice
from leakwatch.app.planning import Plan, planned_captures
from leakwatch.cli.words import _mailbox_state, capture_lines
from leakwatch.core.plan import PlanRules
from leakwatch.errors import AuthError, BudgetError, ConfigError, TransientError
from leakwatch.model import CursorPhase, OpenOpportunity, Outcome, Person, Principal, Verb
from leakwatch.ports import WHOLE_MAILBOX
from leakwatch.store import capture_tables as tables
from leakwatch.store.capture_status import CaptureStatus
from leakwatch.store.database import transaction


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.engine.dispose()


def owners(world: World) -> dict[str, str]:
    """Message-ID -> owner of its Task."""
    tasks = world.org.tasks
    return {row["MessageIdentifier"]: tasks[row["ActivityId"]]["OwnerId"] for row in world.org.mails.values()}


def status_words(world: World) -> str:
    """What `status` says of each mailbox."""
    return "\n".join(_mailbox_state(one) for one in CaptureStatus(world.engine).coverage(["gmail"]))


def test_one_mail_in_two_mailboxes_is_one_record_and_its_task_the_reps(world: World):
    fill(world)
    report = world.capture()
    assert owners(world) == {
        "<both@acme.com>": "005ANN",
        "<reply@ourco.com>": "005ANN",
        **{f"<more{number}@acme.com>": "005BOB" for number in range(5)},
    }
    assert (report.mailboxes_read, report.unmatched, report.owners_given) == (2, 1, 7)
    assert report.written == {"EmailMessage": 7}
    assert report.matched == {"contact_email": 7}
    assert report.skipped == {"internal_only": 1, "blocked": 1}
    assert report.complete


def test_run_again_at_once_it_reads_and_writes_nothing(world: World):
    fill(world)
    world.capture()
    before, calls, fetched = world.org.state(), world.org.calls, world.gmail.fetched
    again = world.capture()
    assert world.org.state() == before
    assert (world.org.calls, world.gmail.fetched) == (calls, fetched)
    assert (again.items_seen, again.planned, again.unmatched) == (0, {}, 1)


def test_new_mail_is_picked_up_from_where_it_stopped(world: World):
    fill(world)
    world.capture()
    world.gmail.deliver(ANN, "late@acme.com")
    assert world.capture().written == {"EmailMessage": 1}
    assert "<late@acme.com>" in owners(world)


def test_a_sent_mail_is_outgoing_and_a_received_one_incoming(world: World):
    fill(world)
    world.capture()
    incoming = {row["MessageIdentifier"]: row["Incoming"] for row in world.org.mails.values()}
    assert incoming["<reply@ourco.com>"] is False
    assert incoming["<both@acme.com>"] is True


def test_excluded_mail_leaves_a_reason_but_no_word_of_its_content(world: World, tmp_path: Path):
    world.gmail.deliver(ANN, "legal@lawyer.com", From="x@lawyer.com", Subject="Unmistakable settlement")
    world.gmail.deliver(ANN, "intern@ourco.com", From="bob@ourco.com", Subject="Unmistakable salaries")
    world.capture()
    world.engine.dispose()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Unmistakable" not in stored
    assert b"lawyer.com" not in stored
    reasons = [
        CaptureStatus(world.engine).explain(f"<{name}>")[0].reason for name in ("legal@lawyer.com", "intern@ourco.com")
    ]
    assert reasons == ["blocked", "internal_only"]


def test_without_a_notice_to_the_employee_nothing_is_read(world: World):
    fill(world)
    world.roster = [without_notice(ANN), replace(BOB, notice_date=date(2026, 7, 2))]
    report = world.capture()
    assert world.gmail.opened == []
    assert report.mailboxes_without_notice == (ANN.address, BOB.address)
    assert CaptureStatus(world.engine).counts() == {"skipped.no_notice": 2}


def test_mail_before_the_window_is_not_captured(world: World):
    world.gmail.deliver(ANN, "old@acme.com", at=(NOW - timedelta(days=91)).isoformat())
    world.gmail.deliver(ANN, "new@acme.com", at=(NOW - timedelta(days=89)).isoformat())
    report = world.capture()
    assert report.skipped == {"too_old": 1}
    assert list(owners(world)) == ["<new@acme.com>"]


def test_a_longer_backfill_brings_the_older_mail_and_nothing_twice(world: World):
    world.gmail.deliver(ANN, "old@acme.com", at=(NOW - timedelta(days=200)).isoformat())
    world.gmail.deliver(ANN, "new@acme.com")
    world.capture()
    world.options = replace(world.options, backfill=timedelta(days=365))
    assert world.capture().written == {"EmailMessage": 1}
    assert set(owners(world)) == {"<old@acme.com>", "<new@acme.com>"}
    fetched = world.gmail.fetched
    assert world.capture(now=NOW + timedelta(days=1)).items_seen == 0
    assert world.gmail.fetched == fetched


def test_a_shorter_backfill_changes_nothing(world: World):
    fill(world)
    world.capture()
    world.options = replace(world.options, backfill=timedelta(days=1))
    assert world.capture().items_seen == 0


# --- failures ---


def test_a_mailbox_that_refuses_is_parked_and_the_other_goes_on(world: World):
    fill(world)
    world.gmail.failures[ANN.address] = AuthError("no", reason="invalid_grant")
    report = world.capture()
    assert report.mailboxes_parked == {ANN.address: "invalid_grant"}
    assert report.mailboxes_read == 1
    assert world.journal.parked()[ANN.address][0] == "invalid_grant"
    assert len(world.org.mails) == 7


def test_a_parked_mailbox_is_left_alone_for_hours_and_comes_back_by_itself(world: World):
    fill(world)
    world.gmail.failures[ANN.address] = AuthError("no", reason="invalid_grant")
    world.capture()
    world.gmail.failures.clear()
    world.gmail.opened.clear()
    assert world.capture(now=NOW + timedelta(hours=5)).mailboxes_parked == {ANN.address: "invalid_grant"}
    assert ANN.address not in world.gmail.opened
    assert world.capture(now=NOW + timedelta(hours=7)).mailboxes_parked == {}
    assert world.journal.parked() == {}
    assert "<reply@ourco.com>" in owners(world)


def test_a_parked_mailbox_is_tried_at_once_when_asked(world: World):
    world.gmail.failures[ANN.address] = AuthError("no", reason="invalid_grant")
    world.capture()
    world.gmail.failures.clear()
    assert world.capture(retry_parked=True).mailboxes_parked == {}


def test_a_mailbox_that_cannot_answer_now_is_read_in_the_next_run(world: World):
    fill(world)
    world.gmail.failures[ANN.address] = TransientError("503")
    first = world.capture()
    assert list(first.mailboxes_failed) == [ANN.address]
    assert not first.complete
    world.gmail.failures.clear()
    assert world.capture().complete
    assert len(owners(world)) == 7


def test_a_colleagues_mail_waits_for_the_colleagues_own_copy(world: World):
    fill(world)
    world.gmail.failures[ANN.address] = TransientError("503")
    assert world.capture().held == 1
    assert "<reply@ourco.com>" not in owners(world)
    world.gmail.failures.clear()
    world.capture()
    assert owners(world)["<reply@ourco.com>"] == "005ANN"


FROM_ANN = {"From": "ann@ourco.com", "To": "eve@acme.com", "Cc": "bob@ourco.com"}


def test_nobody_waits_for_the_copy_of_a_parked_mailbox_and_the_task_is_the_senders(world: World):
    world.gmail.failures[ANN.address] = AuthError("no", reason="invalid_grant")
    world.gmail.deliver(BOB, "fresh@ourco.com", at=NOW.isoformat(), **FROM_ANN)
    for dry_run in (True, False):
        report = world.capture(dry_run=dry_run)
        assert (report.held, report.planned) == (0, {"EmailMessage": 1})
    assert owners(world) == {"<fresh@ourco.com>": "005ANN"}


def test_a_mail_from_the_time_a_parked_mailbox_was_still_read_is_forged_without_its_own_copy(world: World):
    world.capture()
    world.gmail.failures[ANN.address] = AuthError("no", reason="invalid_grant")
    later = NOW + timedelta(hours=1)
    for name, at in (("forged", NOW - timedelta(hours=1)), ("after", NOW + timedelta(minutes=30))):
        world.gmail.deliver(BOB, f"{name}@ourco.com", at=at.isoformat(), **FROM_ANN)
    world.capture(now=later)
    assert owners(world) == {"<forged@ourco.com>": "005BOB", "<after@ourco.com>": "005ANN"}


@pytest.mark.parametrize("roster", [[BOB], [without_notice(ANN), BOB]], ids=["off the roster", "not told"])
def test_a_sender_whose_mailbox_is_not_read_owns_the_task_by_being_a_user(world: World, roster: list[Principal]):
    world.roster = roster
    world.gmail.deliver(BOB, "a@ourco.com", at=NOW.isoformat(), **FROM_ANN)
    assert world.capture().held == 0
    assert owners(world) == {"<a@ourco.com>": "005ANN"}


def test_where_the_sender_is_no_user_the_task_is_of_whose_mailbox_holds_the_copy(world: World):
    world.roster = [BOB]
    world.gmail.deliver(BOB, "a@ourco.com", **(FROM_ANN | {"From": "temp@ourco.com", "Cc": "team@ourco.com"}))
    world.capture()
    assert owners(world) == {"<a@ourco.com>": "005BOB"}


def test_the_copy_of_a_mailbox_that_is_left_out_this_time_is_waited_for(world: World):
    world.gmail.deliver(BOB, "a@ourco.com", **FROM_ANN)
    assert world.capture(only=[BOB.address]).held == 1
    world.gmail.deliver(ANN, "a@ourco.com", labels=("SENT",), **FROM_ANN)
    assert world.capture().written == {"EmailMessage": 1}


def test_a_senders_copy_is_waited_for_also_where_they_wrote_with_a_plus_tag(world: World):
    world.gmail.deliver(BOB, "a@ourco.com", **(FROM_ANN | {"From": "ann+deals@ourco.com"}))
    assert world.capture(only=[BOB.address]).held == 1


def test_a_forged_sender_is_not_believed_and_does_not_wait_for_ever(world: World):
    world.gmail.deliver(BOB, "forged@evil.net", From="ann@ourco.com", To="eve@acme.com", Cc="bob@ourco.com")
    assert world.capture().held == 0
    assert owners(world) == {"<forged@evil.net>": "005BOB"}


def test_a_surprise_in_one_mailbox_does_not_cost_the_other_its_turn(world: World):
    fill(world)
    world.gmail.failures[ANN.address] = ValueError("a bug")  # type: ignore[assignment]
    report = world.capture()
    assert "ValueError" in report.mailboxes_failed[ANN.address]
    assert report.mailboxes_read == 1


def test_a_wrong_configuration_stops_everything(world: World):
    world.gmail.failures[ANN.address] = ConfigError("no CA")
    with pytest.raises(ConfigError):
        world.capture()


def test_an_unreadable_stored_cursor_is_said_and_nothing_is_wiped(world: World):
    fill(world)
    world.capture()
    with transaction(world.engine) as connection:
        connection.execute(update(tables.cursors).where(tables.cursors.c.principal == ANN.address).values(body=b"?"))
    world.gmail.deliver(ANN, "late@acme.com")
    report = world.capture()
    assert "can't be used" in report.mailboxes_failed[ANN.address]
    assert "<late@acme.com>" not in owners(world)


@pytest.mark.parametrize("mails", [1, 5])
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_list_that_leads_in_circles_ends_and_is_read_again_later(world: World, mails: int, dry_run: bool):
    for number in range(mails):
        world.gmail.deliver(ANN, f"m{number}@acme.com")
    world.gmail.circles = True
    report = world.capture(dry_run=dry_run)
    assert "circles" in report.mailboxes_failed[ANN.address]
    assert not any(
        one.read_at for one in CaptureStatus(world.engine).coverage(["gmail"]) if one.principal == ANN.address
    )
    world.gmail.circles = False
    again = world.capture()
    assert (again.mailboxes_failed, len(world.org.mails)) == ({}, mails)


def test_a_forgotten_cursor_starts_a_reconcile_that_fetches_only_what_is_new(world: World):
    fill(world)
    world.capture()
    world.gmail.forgotten = {ANN.address}
    world.gmail.deliver(ANN, "late@acme.com")
    fetched, before = world.gmail.fetched, len(owners(world))
    report = world.capture()
    assert (report.reconciled, report.written) == (1, {"EmailMessage": 1})
    assert world.gmail.fetched == fetched + 1
    assert len(owners(world)) == before + 1
    cursor = world.journal.cursor("gmail", ANN.address, "mailbox")
    assert cursor is not None
    assert (cursor.generation, cursor.phase) == (2, CursorPhase.DELTA)
    assert cursor.window_start == NOW - timedelta(days=90)


def test_a_mailbox_that_left_the_roster_is_named_for_a_month_and_by_status_for_good(world: World):
    world.capture()
    world.roster = [BOB]
    assert world.capture(dry_run=True).mailboxes_left == (ANN.address,)
    assert world.capture(now=NOW + timedelta(days=1)).mailboxes_left == (ANN.address,)
    ann, bob = CaptureStatus(world.engine).coverage(["gmail"])
    assert (ann.left_at, bob.left_at) == (NOW + timedelta(days=1), None)
    assert world.capture(now=NOW + timedelta(days=30)).mailboxes_left == (ANN.address,)
    assert world.capture(now=NOW + timedelta(days=32)).mailboxes_left == ()
    assert "off the roster since 2026-07-02" in status_words(world)
    world.roster = [ANN, BOB]
    assert world.capture().mailboxes_left == ()
    assert "off the roster" not in status_words(world)


def test_a_mailbox_that_was_never_read_leaves_without_a_word(world: World):
    world.roster = [without_notice(ANN), BOB]
    world.capture()
    world.roster = [BOB]
    assert world.capture().mailboxes_left == ()


def test_a_mailbox_whose_notice_is_withdrawn_is_not_called_ok(world: World):
    world.capture()
    assert status_words(world).count("ok") == 2
    world.roster = [without_notice(ANN), replace(BOB, notice_date=date(2026, 12, 1))]
    world.capture()
    words = status_words(world)
    assert "no notice is recorded" in words
    assert "told on 2026-12-01" in words
    assert "ok" not in words


def test_an_empty_roster_is_said(world: World):
    world.roster = []
    report = world.capture()
    assert report.roster_empty
    assert "nobody is on the roster" in "\n".join(capture_lines(report))
    assert "left the roster" in "\n".join(capture_lines(replace(report, mailboxes_left=("x@ourco.com",))))


def test_an_odd_mail_is_quarantined_and_the_rest_written(world: World):
    fill(world)
    world.gmail.boxes[ANN.address][0]["payload"] = None
    report = world.capture()
    assert report.quarantined == {"unreadable": 1}
    assert len(world.org.mails) == 7


# --- Salesforce's answers ---


LATER = NOW + timedelta(minutes=5)


def test_a_mailbox_with_nothing_new_is_known_further_and_its_place_is_not_stored_again(world: World):
    def place() -> tuple[int, datetime]:
        cursor = world.journal.cursor("gmail", ANN.address, WHOLE_MAILBOX)
        assert cursor is not None
        return cursor.revision, world.journal.spans("gmail")[ANN.address][1]

    world.gmail.deliver(ANN, "one@acme.com")
    world.capture()
    revision, _ = place()
    world.capture(now=LATER)
    assert place() == (revision, LATER)
    world.gmail.deliver(ANN, "two@acme.com")
    world.capture(now=LATER)
    assert place() == (revision + 1, LATER)


def test_a_mail_that_gmail_fails_to_give_is_asked_for_by_each_sync_and_written_once_it_comes(world: World):
    world.gmail.deliver(ANN, "kept@acme.com")
    world.capture()
    world.gmail.deliver(ANN, "broken@acme.com")
    world.gmail.deliver(ANN, "after@acme.com")
    broken = world.gmail.boxes[ANN.address][1]["id"]
    world.gmail.broken.add(broken)
    assert world.capture().quarantined == {"not_given": 1}
    assert set(owners(world)) == {"<kept@acme.com>", "<after@acme.com>"}
    assert world.capture().items_seen == 0
    world.gmail.broken.clear()
    assert len(world.capture(dry_run=True).operations) == 1
    assert world.capture().written == {"EmailMessage": 1}
    assert set(owners(world)) == {"<kept@acme.com>", "<after@acme.com>", "<broken@acme.com>"}
    again = world.capture()
    assert (again.items_seen, again.planned) == (0, {})
    assert world.journal.not_given("gmail", ANN.address) == []


def test_a_mail_that_was_not_given_and_is_gone_by_now_is_let_go(world: World):
    world.gmail.deliver(ANN, "broken@acme.com")
    world.gmail.broken.add(world.gmail.boxes[ANN.address][0]["id"])
    world.capture()
    world.gmail.boxes[ANN.address].clear()
    world.gmail.broken.clear()
    assert world.capture().skipped == {"gone": 1}
    assert world.journal.not_given("gmail", ANN.address) == []


def test_a_reps_mail_whose_own_copy_is_not_given_is_still_the_reps(world: World):
    reply = {"From": "ann@ourco.com", "To": "eve@acme.com", "Cc": "bob@ourco.com"}
    world.gmail.deliver(ANN, "reply@ourco.com", labels=("SENT",), **reply)
    world.gmail.broken.add(world.gmail.boxes[ANN.address][0]["id"])
    world.capture()  # Ann's copy is known as not given
    world.gmail.deliver(BOB, "reply@ourco.com", **reply)
    world.capture()
    assert owners(world) == {"<reply@ourco.com>": "005ANN"}


def test_a_mailbox_with_a_mail_that_was_not_given_is_proven_only_from_then_on(world: World):
    world.gmail.deliver(ANN, "broken@acme.com")
    world.gmail.broken.add(world.gmail.boxes[ANN.address][0]["id"])
    world.capture()
    world.capture(now=LATER)
    (ann, _), status = CaptureStatus(world.engine).coverage(["gmail"]), CaptureStatus(world.engine)
    assert (ann.covered_from, ann.read_at, ann.not_given) == (NOW, LATER, 1)
    (shown,) = status.quarantined()
    assert (shown.ref.principal, shown.at, shown.reason.partition(":")[0]) == (ANN.address, NOW, "not_given")
    world.gmail.broken.clear()
    world.capture(now=LATER)
    (ann, _) = CaptureStatus(world.engine).coverage(["gmail"])
    assert (ann.covered_from, ann.not_given) == (NOW - timedelta(days=90), 0)
    assert status.quarantined() == ()


def test_a_refused_mail_is_quarantined_with_its_reason_and_the_others_are_written(world: World):
    fill(world)
    world.org.refuse["More 3"] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    report = world.capture()
    assert report.quarantined == {"FIELD_CUSTOM_VALIDATION_EXCEPTION": 1}
    assert len(world.org.mails) == 6
    (found,) = CaptureStatus(world.engine).explain("<more3@acme.com>")
    assert (found.outcome, found.reason) == ("quarantined", "FIELD_CUSTOM_VALIDATION_EXCEPTION: not like this")
    assert world.capture().planned == {}
    world.org.refuse.clear()
    assert world.journal.release_quarantined([found.key or ""], now=NOW) == 1
    assert world.capture().written == {"EmailMessage": 1}


GONE = "ENTITY_IS_DELETED"


@pytest.mark.parametrize(
    "code", [GONE, "INVALID_CROSS_REFERENCE_KEY", "CANNOT_UPDATE_CONVERTED_LEAD", "INACTIVE_OWNER_OR_USER"]
)
def test_a_mail_whose_record_is_gone_waits_for_a_newer_mirror_and_is_matched_anew(world: World, code: str):
    world.gmail.deliver(ANN, "a@acme.com")
    world.org.refuse["Offer"] = code
    report = world.capture()
    assert (report.held, report.quarantined, report.complete) == (1, {}, True)
    calls = world.org.calls
    assert (world.capture().held, world.capture(dry_run=True).operations) == (1, ())
    assert world.org.calls == calls
    assert [one.outcome for one in CaptureStatus(world.engine).explain("<a@acme.com>")] == ["held"]
    world.snapshot, world.people["eve@acme.com"] = "snapshot 2", (replace(EVE, record_id="003MERGED"),)
    world.org.refuse.clear()
    assert world.capture().written == {"EmailMessage": 1}
    assert [row["FromId"] for row in world.org.mails.values()] == ["003MERGED"]


def test_a_mail_whose_contact_is_gone_waits_unmatched_when_nobody_else_has_the_address(world: World):
    world.gmail.deliver(ANN, "a@acme.com")
    world.org.refuse["Offer"] = GONE
    world.capture()
    world.snapshot = "snapshot 2"
    del world.people["eve@acme.com"]
    assert (world.capture().unmatched, world.capture().held) == (1, 0)


def test_a_mail_refused_by_three_snapshots_is_set_aside_until_it_is_released(world: World):
    world.gmail.deliver(ANN, "a@acme.com")
    world.org.refuse["Offer"] = GONE
    for number in (1, 2, 3):
        world.snapshot = f"snapshot {number}"
        report = world.capture()
    assert (report.held, report.quarantined) == (0, {GONE: 1})
    world.snapshot = "snapshot 4"
    assert world.capture().planned == {}
    (key,) = {one.key for one in CaptureStatus(world.engine).explain("<a@acme.com>")}
    assert world.journal.quarantined([str(key)]) == {key}
    world.journal.release_quarantined([str(key)], now=NOW)
    assert world.capture().held == 1


def test_without_a_snapshot_to_wait_for_it_is_set_aside_at_once(world: World):
    world.snapshot = ""
    world.gmail.deliver(ANN, "a@acme.com")
    world.org.refuse["Offer"] = GONE
    assert world.capture().quarantined == {GONE: 1}


def test_what_is_refused_for_now_waits_and_is_written_later(world: World):
    fill(world)
    world.org.delay = {"EmailMessage"}
    assert world.capture().waiting == 7
    world.org.delay = set()
    assert world.capture().written == {"EmailMessage": 7}


def test_an_owner_that_could_not_be_given_is_given_later(world: World):
    fill(world)
    world.org.delay = {"Task"}
    first = world.capture()
    assert (first.waiting, first.written) == (7, {"EmailMessage": 7})
    world.org.delay = set()
    second = world.capture()
    assert (second.already_there, second.owners_given) == (7, 7)
    assert set(owners(world).values()) == {"005ANN", "005BOB"}


def test_a_task_whose_owner_is_refused_does_not_bring_the_mail_back_for_ever(world: World):
    fill(world)
    world.org.refuse["Task"] = "INACTIVE_OWNER_OR_USER"
    assert world.capture().quarantined == {"task_owner.INACTIVE_OWNER_OR_USER": 7}
    calls = world.org.calls
    world.capture()
    assert world.org.calls == calls


def test_a_task_a_person_gave_away_stays_where_it_is(world: World):
    fill(world)
    world.capture()
    for task in world.org.tasks.values():
        task["OwnerId"] = "005CEM"
    world.capture()
    assert set(owners(world).values()) == {"005CEM"}


def test_a_task_a_person_gave_away_stays_where_it_is_also_when_the_journal_was_lost(world: World, tmp_path: Path):
    fill(world)
    world.capture()
    for task in world.org.tasks.values():
        task["OwnerId"] = "005CEM"
    other = World(tmp_path / "restored")
    other.gmail, other.org = world.gmail, world.org
    report = other.capture()
    other.engine.dispose()
    assert (report.already_there, report.owners_given) == (7, 0)
    assert set(owners(world).values()) == {"005CEM"}


def test_a_salesforce_outage_costs_no_reading_and_is_made_up_for(world: World):
    fill(world)
    world.org.failure = TransientError("503 for an hour")
    report = world.capture()
    assert isinstance(report.failure, TransientError)
    assert (report.mailboxes_read, report.complete) == (2, False)
    fetched = world.gmail.fetched
    world.org.failure = None
    assert world.capture().written == {"EmailMessage": 7}
    assert world.gmail.fetched == fetched


def test_a_spent_api_budget_stops_the_writing_only(world: World):
    fill(world)
    world.org.failure = BudgetError("reserve reached")
    assert isinstance(world.capture().failure, BudgetError)


# --- matching again ---


def test_somebody_made_a_contact_since_gets_their_old_mail_without_a_provider_call(world: World):
    fill(world)
    world.capture()
    world.people["zoe@nowhere.com"] = (Person("003ZOE", "Contact", "Zoe", "001NOW"),)
    fetched = world.gmail.fetched
    report = world.capture()
    assert (report.written, report.unmatched) == ({"EmailMessage": 1}, 0)
    assert world.gmail.fetched == fetched


def test_an_open_deal_is_related_when_it_is_the_only_one(world: World):
    world.deals["001ACME"] = (OpenOpportunity("006ONE", "001ACME", "Acme line", "005ANN"),)
    world.gmail.deliver(ANN, "a@acme.com")
    world.capture()
    assert [row["RelatedToId"] for row in world.org.mails.values()] == ["006ONE"]


# --- a dry run and other ways ---


def test_a_dry_run_shows_what_would_be_written_and_leaves_no_trace(world: World):
    fill(world)
    dry = world.capture(dry_run=True)
    assert world.org.mails == {}
    assert world.journal.cursor("gmail", ANN.address, "mailbox") is None
    assert list(world.journal.unsettled()) == []
    assert CaptureStatus(world.engine).counts() == {}
    assert world.journal.principals() == ()
    assert (dry.planned, dry.unmatched, dry.skipped) == ({"EmailMessage": 7}, 1, {"internal_only": 1, "blocked": 1})
    world.capture()
    wanted = {op.key: {**op.fields} for op in dry.operations}
    written = {
        key: {k: v for k, v in row.items() if k not in ("Id", "ActivityId")} for key, row in world.org.mails.items()
    }
    assert wanted == written


def test_a_dry_run_after_a_real_one_wants_only_what_is_new(world: World):
    fill(world)
    world.capture()
    world.gmail.deliver(ANN, "late@acme.com")
    world.gmail.deliver(BOB, "both@acme.com", To="ann@ourco.com, bob@ourco.com")
    assert world.capture(dry_run=True).planned == {"EmailMessage": 1}


def test_reading_alone_stores_and_writes_later(world: World):
    fill(world)
    assert world.capture(write=False).planned == {}
    assert world.org.mails == {}
    assert world.capture().written == {"EmailMessage": 7}


def test_four_readers_at_once_end_where_one_does(world: World, tmp_path: Path):
    fill(world)
    world.options = replace(world.options, workers=4)
    world.capture()
    other = World(tmp_path / "other")
    fill(other)
    other.capture()
    assert world.org.state() == other.org.state()
    other.engine.dispose()


def test_without_enhanced_email_mails_become_tasks(world: World):
    world.options = replace(world.options, planning=PlanRules(mail_as="task"))
    world.gmail.deliver(ANN, "a@acme.com")
    report = world.capture()
    assert report.planned == {"Task": 1}
    (op,) = [entry.op for entry in world.log.by_run("run")]
    assert (op.sobject, op.fields["OwnerId"], op.fields["WhoId"]) == ("Task", "005ANN", EVE.record_id)


def test_progress_is_told_page_by_page(world: World):
    fill(world)
    seen: list[tuple[str, int]] = []
    world.capture(on_page=lambda mailbox, items: seen.append((mailbox, items)))
    assert sum(items for mailbox, items in seen if mailbox == ANN.address) == 4


def test_coverage_starts_with_the_window_and_ends_with_the_last_whole_read(world: World):
    world.gmail.failures[BOB.address] = TransientError("503")
    world.capture()
    ann, bob = CaptureStatus(world.engine).coverage(["gmail"])
    assert (ann.covered_from, ann.read_at) == (NOW - timedelta(days=90), NOW)
    assert bob.read_at is None


def test_a_mail_is_known_by_the_task_that_salesforce_made_for_it(world: World):
    fill(world)
    world.capture()
    given = next(entry.op for entry in world.log.by_run("run") if entry.op.verb is Verb.UPDATE)
    status = CaptureStatus(world.engine)
    found = status.explain(given.record_id)
    assert found == status.explain(given.op_id.split("|")[0])
    assert given.record_id in found[0].record_ids


def test_figures_add_up(world: World):
    fill(world)
    report = world.capture()
    counts = report.counts()
    assert (
        counts["items.seen"] == counts["items.captured"] + counts["skipped.internal_only"] + counts["skipped.blocked"]
    )
    assert counts["written.EmailMessage"] == 7
    assert Outcome.WRITTEN in {one.outcome for one in CaptureStatus(world.engine).explain("<both@acme.com>")}
    assert NINE < NOW


def test_a_dry_run_knows_the_copies_that_are_stored(world: World):
    """A relay gave the one mail another Message-ID; the other one bears an id that another mail has."""
    sent = {"From": "ann@ourco.com", "To": "eve@acme.com, bob@ourco.com", "Date": "Wed, 01 Jul 2026 12:00:00 +0300"}
    world.gmail.deliver(ANN, "sent@ourco.com", labels=("SENT",), **sent)
    world.gmail.deliver(ANN, "used@acme.com")
    world.capture()
    before = set(world.org.mails)
    world.gmail.deliver(BOB, "rewritten@relay.com", **sent)
    world.people["mal@acme.com"] = (EVE,)
    world.gmail.deliver(BOB, "used@acme.com", From="mal@acme.com")
    shown = [op.key for op in world.capture(dry_run=True).operations]
    world.capture()
    assert shown == sorted(set(world.org.mails) - before)


def test_a_dry_run_shows_a_refused_mail_that_another_copy_of_it_lets_be_tried_again(world: World):
    world.gmail.deliver(ANN, "refused@acme.com")
    world.org.refuse["Offer"] = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    world.capture()
    world.org.refuse.clear()
    world.gmail.deliver(BOB, "refused@acme.com", Cc="bob@ourco.com")
    shown = [op.key for op in world.capture(dry_run=True).operations]
    world.capture()
    assert shown == list(world.org.mails)
    assert world.capture(dry_run=True).operations == ()


# --- a mail that is written turns up in another mailbox ---


@pytest.fixture
def sent_by_ann(world: World) -> World:
    """What Ann sent under another name is in Salesforce from Bob's mailbox, and his until her copy proves it hers."""
    sent = {"From": "ann@events.org", "To": "eve@acme.com, bob@ourco.com"}
    world.gmail.deliver(BOB, "sent@ourco.com", **sent)
    world.gmail.failures[ANN.address] = AuthError("refused")
    world.capture()
    assert set(owners(world).values()) == {"005BOB"}
    world.gmail.failures.clear()
    world.gmail.deliver(ANN, "sent@ourco.com", labels=("SENT",), **sent)
    return world


@pytest.mark.parametrize("read_before", [False, True], ids=["unread yet", "read into the journal already"])
def test_a_dry_run_shows_the_task_that_changes_hands_and_not_the_mail_that_is_there(
    sent_by_ann: World, read_before: bool
):
    world = sent_by_ann
    if read_before:
        world.capture(write=False, retry_parked=True)
    (task,) = world.org.tasks
    dry = world.capture(dry_run=True, retry_parked=True)
    assert [(op.sobject, op.verb, op.record_id, op.fields) for op in dry.operations] == [
        ("Task", Verb.UPDATE, task, {"OwnerId": "005ANN"})
    ]
    assert set(owners(world).values()) == {"005BOB"}
    real = world.capture(run_id="real", retry_parked=True)
    assert (real.already_there, real.owners_given, real.written) == (1, 1, {})
    assert [entry.op.op_id for entry in world.log.by_run("real")] == [op.op_id for op in dry.operations]
    assert world.capture(dry_run=True).operations == ()


def test_apply_gives_the_task_that_its_plan_shows_and_no_other(sent_by_ann: World):
    dry = sent_by_ann.capture(dry_run=True, retry_parked=True)
    planned = Plan(NOW, "00D", tuple(planned_captures(dry.operations, {"005ANN": "Ann Reed"})))
    assert [write.recipient for write in planned.writes] == ["Ann Reed"]
    sent_by_ann.plan = Plan(NOW, "00D", ())
    assert sent_by_ann.capture(retry_parked=True).waiting == 1
    assert set(owners(sent_by_ann).values()) == {"005BOB"}
    sent_by_ann.plan = planned
    assert sent_by_ann.capture().owners_given == 1
    assert set(owners(sent_by_ann).values()) == {"005ANN"}


def test_a_dry_run_shows_no_change_of_a_task_that_a_person_gave_away(sent_by_ann: World):
    (task,) = sent_by_ann.org.tasks.values()
    task["OwnerId"] = "005CEM"
    assert sent_by_ann.capture(dry_run=True, retry_parked=True).operations == ()
    sent_by_ann.capture(retry_parked=True)
    assert task["OwnerId"] == "005CEM"


def test_a_task_that_cannot_change_hands_now_does_so_later(sent_by_ann: World):
    sent_by_ann.org.delay = {"Task"}
    assert sent_by_ann.capture(retry_parked=True).waiting == 1
    sent_by_ann.org.delay = set()
    assert sent_by_ann.capture().owners_given == 1
    assert set(owners(sent_by_ann).values()) == {"005ANN"}


def test_a_bounce_is_told_beside_the_mail_that_did_not_arrive(world: World):
    world.gmail.deliver(ANN, "offer@ourco.com", labels=("SENT",), From="ann@ourco.com", To="eve@acme.com")
    world.gmail.deliver(
        ANN, "report@mx.acme.com", From="mailer-daemon@mx.acme.com", In_Reply_To="<offer@ourco.com>", Subject="Failed"
    )
    assert world.capture().skipped == {"bounce": 1}
    sent, bounce = CaptureStatus(world.engine).explain("<offer@ourco.com>")
    assert (sent.outcome, bounce.outcome) == (Outcome.WRITTEN, Outcome.SKIPPED)
    assert bounce.reason == "bounce: it reports that the mail with this key did not arrive"


def test_a_mail_marked_sensitive_that_was_let_in_is_kept_out_once_that_is_forbidden(world: World):
    world.options = replace(world.options, privacy=replace(world.options.privacy, sensitivities=()))
    world.gmail.deliver(ANN, "a@acme.com", Sensitivity="Private", Subject="Secret", From="zoe@nowhere.com")
    assert world.capture().unmatched == 1
    world.options = replace(world.options, privacy=replace(world.options.privacy, sensitivities=("private",)))
    assert world.capture().skipped == {"sensitive": 1}
