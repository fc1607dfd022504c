"""The journal and the write log: all or nothing, once, and still there after a crash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from capture_samples import ANN, BOB, NINE, activity
from leakwatch import faultpoints
from leakwatch.core.exclusion import exclude
from leakwatch.core.normalise import merge
from leakwatch.errors import BusyError, CursorError
from leakwatch.model import (
    Activity,
    Cursor,
    CursorPhase,
    Decision,
    Match,
    MatchBasis,
    Outcome,
    SkipReason,
    SourceRef,
    Verb,
    WriteOp,
    WriteResult,
    WriteStatus,
)
from leakwatch.store import capture_tables as tables
from leakwatch.store.capture_codec import activity_digest
from leakwatch.store.capture_status import CaptureStatus
from leakwatch.store.database import metadata, open_engine, transaction
from leakwatch.store.journal import SqlJournal
from leakwatch.store.write_log import SqlWriteLog

NOW = datetime(2026, 7, 2, tzinfo=UTC)
CURSOR = Cursor("gmail", ANN.address, "mailbox", CursorPhase.SNAPSHOT, "100", window_start=NINE - timedelta(days=90))
MATCH = Match("k", ("003EVE",), None, None, "005ANN", MatchBasis.CONTACT_EMAIL, "Eve is the sender.")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_engine(tmp_path / "state.db", durable=False)
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def journal(engine: Engine) -> SqlJournal:
    return SqlJournal(engine)


def commit(journal: SqlJournal, *activities: Activity, cursor: Cursor = CURSOR, **more: object) -> Cursor:
    options = {"decisions": [], "removed": [], **more}
    return journal.commit_page(cursor, activities=activities, now=NOW, **options)  # type: ignore[arg-type]


def unsettled(journal: SqlJournal) -> list[Activity]:
    """Return the mails that wait, each with its copies merged."""
    return [merge(waiting.copies) for waiting in journal.unsettled()]


def skipped(provider_id: str, reason: SkipReason, key: str | None = None) -> Decision:
    return Decision(SourceRef("gmail", ANN.address, provider_id), Outcome.SKIPPED, reason, NOW, key)


# --- cursors ---


def test_a_mailbox_never_read_has_no_cursor(journal: SqlJournal):
    assert journal.cursor("gmail", ANN.address, "mailbox") is None


def test_a_cursor_comes_back_as_it_was_stored(journal: SqlJournal):
    full = replace(CURSOR, page_token="p2", window_end=NOW, anchored_at=NOW, generation=3, phase=CursorPhase.DELTA)
    stored = commit(journal, cursor=full)
    assert stored == replace(full, revision=1)
    assert journal.cursor("gmail", ANN.address, "mailbox") == stored


def test_only_one_of_two_that_read_the_same_cursor_can_move_it(journal: SqlJournal):
    first = commit(journal)
    commit(journal, cursor=first)
    with pytest.raises(BusyError):
        commit(journal, activity(), cursor=first)
    with pytest.raises(BusyError):
        commit(journal, activity(), cursor=CURSOR)
    assert list(unsettled(journal)) == []


@pytest.mark.parametrize("body", [b"", b"{}", b"not json", b'{"v": 99}', b'{"v": 1, "source": "gmail"}'])
def test_an_unreadable_cursor_is_an_error_never_a_fresh_mailbox(engine: Engine, journal: SqlJournal, body: bytes):
    commit(journal)
    with transaction(engine) as connection:
        connection.execute(update(tables.cursors).values(body=body))
    with pytest.raises(CursorError, match="not read and nothing was lost"):
        journal.cursor("gmail", ANN.address, "mailbox")


def test_a_cursor_of_another_mailbox_is_refused(engine: Engine, journal: SqlJournal):
    commit(journal)
    with transaction(engine) as connection:
        connection.execute(update(tables.cursors).values(principal=BOB.address))
    with pytest.raises(CursorError):
        journal.cursor("gmail", BOB.address, "mailbox")


# --- pages ---


class Killed(BaseException):
    """As good as SIGKILL for a transaction."""


@pytest.mark.parametrize("point", ["journal.commit_page.before", "journal.commit_page.inside"])
def test_killed_inside_a_page_neither_cursor_nor_items_are_there(journal: SqlJournal, point: str):
    def kill(name: str) -> None:
        if name == point:
            raise Killed

    faultpoints.install(kill)
    try:
        with pytest.raises(Killed):
            commit(journal, activity(), decisions=[skipped("x", SkipReason.SPAM)])
    finally:
        faultpoints.install(None)
    assert journal.cursor("gmail", ANN.address, "mailbox") is None
    assert list(unsettled(journal)) == []
    assert journal.known_ids("gmail", ANN.address, ["x", "m1"]) == frozenset()


def test_copies_from_two_mailboxes_are_one_activity(journal: SqlJournal):
    commit(journal, activity(ANN, provider_id="a"))
    commit(journal, activity(BOB, provider_id="b"), cursor=replace(CURSOR, principal=BOB.address))
    (merged,) = unsettled(journal)
    assert [ref.provider_id for ref in merged.refs] == ["a", "b"]


def test_the_same_page_stored_twice_changes_nothing(journal: SqlJournal):
    first = commit(journal, activity())
    before = list(unsettled(journal))
    commit(journal, activity(), activity(), cursor=first)
    assert list(unsettled(journal)) == before


def test_a_reused_message_id_is_kept_apart_also_when_both_come_in_one_page(journal: SqlJournal):
    commit(journal, activity(provider_id="a"), activity(provider_id="b", sender="mallory@evil.net"))
    one, two = unsettled(journal)
    assert one.key != two.key
    assert sorted([one.reused_id, two.reused_id]) == [False, True]


def test_what_decides_a_mails_writes_has_the_digest_it_always_had():
    # Another digest would have each mail of each journal in the field looked at again.
    text = (
        '{"body":null,"bulk":false,"cancelled":false,"direction":"inbound","end":null,'
        '"fingerprint":"52dc119ecc7358bd57468f92bc152e98d4ebe7c6","key":"lw1:m:7af5cd4c9f4be1c73ffc7d8c854a3261e058715c",'
        '"kind":"mail","message_id":"abc@acme.com","omitted":0,'
        '"people":[["eve@acme.com","from","Eve Adams",false,null],["ann@ourco.com","to","",false,null]],'
        '"reused_id":false,"sent_at":"2026-07-01T09:00:00+00:00",'
        '"start":"2026-07-01T09:00:00+00:00","subject":"Offer","thread":"abc@acme.com","weak":false}'
    )
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    assert activity_digest(activity()) == digest == "53b2631c437898577791ef478bbcc697"


def test_bcc_stays_on_the_senders_copy(engine: Engine, journal: SqlJournal):
    commit(journal, activity(ANN, sender="ann@ourco.com", to="eve@acme.com", in_sent=True, Bcc="boss@ourco.com"))
    (merged,) = unsettled(journal)
    assert "boss@ourco.com" not in str(merged)
    with transaction(engine) as connection:
        assert b"boss@ourco.com" in connection.execute(select(tables.copies.c.body)).scalar_one()


def test_excluded_items_leave_a_reason_and_nothing_of_their_content(
    engine: Engine, journal: SqlJournal, tmp_path: Path
):
    commit(journal, decisions=[skipped("x", SkipReason.INTERNAL_ONLY, "lw1:m:abc")])
    with transaction(engine) as connection:
        row = connection.execute(select(tables.decisions)).one()
    assert (row.provider_id, row.reason, row.detail) == ("x", "internal_only", "")


def test_oldest_activities_come_first_and_all_of_them(journal: SqlJournal):
    many = [
        activity(provider_id=f"m{n}", message_id=f"<{n}@x.com>", received_at=NINE - timedelta(minutes=n))
        for n in range(1_100)
    ]
    commit(journal, *many)
    starts = [found.start for found in unsettled(journal)]
    assert len(starts) == 1_100
    assert starts == sorted(starts)


def test_a_mail_deleted_from_the_mailbox_stays_in_the_journal(journal: SqlJournal):
    first = commit(journal, activity())
    commit(journal, cursor=first, removed=[SourceRef("gmail", ANN.address, "m1"), SourceRef("gmail", ANN.address, "?")])
    assert len(list(unsettled(journal))) == 1


# --- known ids ---


def test_stored_and_finally_skipped_ids_need_no_fetching_but_passing_ones_do(journal: SqlJournal):
    reasons = {
        "internal": SkipReason.INTERNAL_ONLY,
        "bulk": SkipReason.BULK,
        "old": SkipReason.TOO_OLD,
        "spam": SkipReason.SPAM,
        "draft": SkipReason.DRAFT,
        "label": SkipReason.OPT_OUT_LABEL,
    }
    commit(journal, activity(), decisions=[skipped(name, reason) for name, reason in reasons.items()])
    known = journal.known_ids("gmail", ANN.address, ["m1", *reasons, "new"])
    assert known == {"m1", "internal", "bulk"}
    assert journal.known_ids("gmail", BOB.address, ["m1"]) == frozenset()


def test_a_mail_that_left_spam_is_captured_and_its_old_decision_forgotten(engine: Engine, journal: SqlJournal):
    first = commit(journal, decisions=[skipped("m1", SkipReason.SPAM)])
    commit(journal, activity(), cursor=first)
    with transaction(engine) as connection:
        assert connection.execute(select(tables.decisions)).all() == []


# --- outcomes ---


def record(journal: SqlJournal, found: Activity, outcome: Outcome, match: Match | None = MATCH) -> None:
    matches = {found.key: match} if match is not None else {}
    journal.record_matches(matches, {found.key: outcome}, now=NOW)


@pytest.mark.parametrize(
    ("outcome", "final"),
    [
        (Outcome.WRITTEN, True),
        (Outcome.QUARANTINED, True),
        (Outcome.SKIPPED, True),
        (Outcome.UNMATCHED, False),
        (Outcome.HELD, False),
    ],
)
def test_written_and_quarantined_rest_and_the_others_come_again(journal: SqlJournal, outcome: Outcome, final: bool):
    commit(journal, activity())
    record(journal, activity(), outcome)
    assert [found.key for found in unsettled(journal)] == ([] if final else [activity().key])
    assert journal.settled([activity().key, "other"]) == ({activity().key} if final else set())


def test_a_late_copy_that_changes_nothing_written_keeps_it_at_rest(journal: SqlJournal):
    commit(journal, activity(ANN))
    record(journal, activity(), Outcome.WRITTEN)
    commit(journal, activity(BOB, provider_id="late"), cursor=replace(CURSOR, principal=BOB.address))
    assert list(unsettled(journal)) == []


def test_a_late_sent_copy_that_changes_the_direction_comes_again(journal: SqlJournal):
    commit(journal, activity(ANN, sender="bob@ourco.com", to="eve@acme.com", Cc="ann@ourco.com"))
    (found,) = unsettled(journal)
    record(journal, found, Outcome.WRITTEN)
    sent = activity(BOB, provider_id="s", sender="bob@ourco.com", to="eve@acme.com", Cc="ann@ourco.com", in_sent=True)
    commit(journal, sent, cursor=replace(CURSOR, principal=BOB.address))
    assert [one.direction for one in unsettled(journal)] == ["outbound"]


def blocked(copy: Activity) -> Decision:
    return exclude(copy, SkipReason.BLOCKED, at=NOW)


def test_a_mail_is_offered_with_the_vetoes_on_its_message_id_or_its_fingerprint(journal: SqlJournal):
    same_id = blocked(activity(BOB, provider_id="b"))
    rewritten = blocked(activity(BOB, provider_id="c", message_id="<other@relay.net>"))
    journal.record_decisions(
        [same_id, rewritten, blocked(activity(BOB, provider_id="d", message_id="<no@x>", to="x@y"))]
    )
    commit(journal, activity())
    (waiting,) = journal.unsettled()
    assert set(waiting.vetoes) == {same_id, rewritten} == set(journal.vetoes([activity()]))


def test_a_veto_keeps_neither_address_nor_subject_of_the_mail(engine: Engine, journal: SqlJournal):
    journal.record_decisions([blocked(activity(sender="x@lawyer.com", subject="Settlement"))])
    with transaction(engine) as connection:
        row = str(connection.execute(select(tables.decisions)).one())
    assert "lawyer" not in row
    assert "Settlement" not in row


def test_a_withdrawn_copy_leaves_its_reason_and_the_other_copy_stays(engine: Engine, journal: SqlJournal):
    commit(journal, activity(ANN, provider_id="a"))
    commit(journal, activity(BOB, provider_id="b"), cursor=replace(CURSOR, principal=BOB.address))
    journal.withdraw([exclude(activity(ANN, provider_id="a"), SkipReason.OPT_OUT_LABEL, at=NOW)], now=NOW)
    (waiting,) = journal.unsettled()
    assert [copy.refs[0].principal for copy in waiting.copies] == [BOB.address]
    assert [one.reason for one in CaptureStatus(engine).explain("a")] == ["opt_out_label"]


def test_a_mail_without_copies_is_gone_and_can_be_read_again(engine: Engine, journal: SqlJournal):
    commit(journal, activity())
    journal.withdraw([exclude(activity(), SkipReason.OPT_OUT_LABEL, at=NOW)], now=NOW)
    assert unsettled(journal) == []
    with transaction(engine) as connection:
        assert connection.execute(select(tables.activities)).all() == []
        assert connection.execute(select(tables.copies)).all() == []
    assert journal.known_ids("gmail", ANN.address, ["m1"]) == frozenset()


def test_a_mailbox_read_no_more_begins_anew_when_copies_of_it_were_dropped(journal: SqlJournal):
    commit(journal, activity())
    commit(journal, cursor=replace(CURSOR, principal=BOB.address))
    gone = [exclude(activity(one), SkipReason.OFF_ROSTER, at=NOW) for one in (ANN, BOB)]
    journal.withdraw(gone, now=NOW)
    assert journal.cursor("gmail", ANN.address, "mailbox") is None
    assert journal.cursor("gmail", BOB.address, "mailbox") is not None


@pytest.mark.parametrize("outcome", [Outcome.UNMATCHED, Outcome.QUARANTINED, Outcome.SKIPPED])
def test_a_decision_that_comes_with_a_page_drops_the_copy_unless_the_mail_is_written(
    engine: Engine, journal: SqlJournal, outcome: Outcome
):
    first = commit(journal, activity(), activity(provider_id="w", message_id="<w@acme.com>"))
    written = activity(message_id="<w@acme.com>")
    record(journal, activity(), outcome)
    record(journal, written, Outcome.WRITTEN)
    commit(journal, cursor=first, decisions=[skipped(name, SkipReason.OPT_OUT_LABEL) for name in ("m1", "w")])
    with transaction(engine) as connection:
        assert connection.execute(select(tables.copies.c.provider_id)).scalars().all() == ["w"]
    assert [one.outcome for one in CaptureStatus(engine).explain("w")] == ["written"]


def test_a_mail_that_vanished_from_the_mailbox_keeps_its_copy(journal: SqlJournal):
    first = commit(journal, activity())
    commit(journal, cursor=first, decisions=[skipped("m1", SkipReason.GONE)])
    assert len(unsettled(journal)) == 1


def test_matches_of_written_activities_can_be_asked_for(journal: SqlJournal):
    commit(journal, activity())
    record(journal, activity(), Outcome.UNMATCHED)
    assert journal.matches([activity().key]) == {}
    record(journal, activity(), Outcome.WRITTEN)
    assert journal.matches([activity().key]) == {activity().key: MATCH}


def test_quarantined_activities_can_be_released(journal: SqlJournal):
    commit(journal, activity())
    record(journal, activity(), Outcome.QUARANTINED)
    assert journal.release_quarantined([activity().key, "other"], now=NOW) == 1
    assert len(list(unsettled(journal))) == 1


# --- mailboxes ---


def test_the_roster_comes_back_and_parking_survives_its_refresh(journal: SqlJournal):
    journal.sync_principals([ANN, BOB], now=NOW)
    journal.park(ANN.address, "invalid_grant", now=NOW)
    journal.park(ANN.address, "invalid_grant", now=NOW + timedelta(days=1))
    journal.sync_principals([replace(ANN, notice_date=date(2026, 2, 2)), BOB], now=NOW)
    assert journal.parked() == {ANN.address: ("invalid_grant", NOW)}
    assert journal.principals() == (replace(ANN, notice_date=date(2026, 2, 2), parked_reason="invalid_grant"), BOB)
    journal.unpark(ANN.address, now=NOW)
    assert journal.parked() == {}


def test_coverage_says_from_when_to_when_a_mailbox_is_known(engine: Engine, journal: SqlJournal):
    journal.sync_principals([ANN, BOB], now=NOW)
    first = commit(journal)
    assert [one.covered_from for one in CaptureStatus(engine).coverage(["gmail"])] == [None, None]
    commit(journal, cursor=replace(first, phase=CursorPhase.DELTA))
    journal.mailbox_read("gmail", ANN.address, now=NOW)
    ann, bob = CaptureStatus(engine).coverage(["gmail"])
    assert (ann.covered_from, ann.read_at) == (CURSOR.window_start, NOW)
    assert (bob.covered_from, bob.read_at, bob.salesforce_user_id) == (None, None, "005BOB")


def test_who_has_a_calendar_is_known_as_far_as_mail_and_calendar_both_are(engine: Engine, journal: SqlJournal):
    journal.sync_principals([ANN], now=NOW)
    commit(journal, cursor=replace(commit(journal), phase=CursorPhase.DELTA))
    later = CURSOR.window_start + timedelta(days=60)
    calendar = replace(CURSOR, source="google_calendar", window_start=later)
    first = commit(journal, cursor=calendar)
    for source, hours in (("gmail", 0), ("google_calendar", 5)):
        journal.mailbox_read(source, ANN.address, now=NOW - timedelta(hours=hours))
    both = ["gmail", "google_calendar"]
    assert CaptureStatus(engine).coverage(both)[0].covered_from is None  # the calendar is being read
    commit(journal, cursor=replace(first, phase=CursorPhase.DELTA))
    (ann,) = CaptureStatus(engine).coverage(both)
    assert (ann.covered_from, ann.read_at) == (later, NOW - timedelta(hours=5))
    (mail,) = CaptureStatus(engine).coverage(["gmail"])
    assert (mail.covered_from, mail.read_at) == (CURSOR.window_start, NOW)


@pytest.mark.parametrize("term", ["m1", "<abc@acme.com>", "abc@ACME.com", "lw1:m:", "02s1"])
def test_a_mail_is_explained_by_any_of_its_names(engine: Engine, journal: SqlJournal, term: str):
    commit(journal, activity())
    record(journal, activity(), Outcome.WRITTEN)
    write_log = SqlWriteLog(engine)
    write_log.begin("run", [insert(activity().key)], now=NOW)
    write_log.finish([WriteResult(f"{activity().key}|insert", WriteStatus.DONE, "02s1")], now=NOW)
    (found,) = CaptureStatus(engine).explain(term)
    assert (found.outcome, found.reason, found.record_ids) == ("written", "Eve is the sender.", ("02s1",))


def test_a_skipped_item_is_explained_too(engine: Engine, journal: SqlJournal):
    commit(journal, decisions=[skipped("x", SkipReason.INTERNAL_ONLY)])
    (found,) = CaptureStatus(engine).explain("x")
    assert (found.outcome, found.reason) == ("skipped", "internal_only")
    assert CaptureStatus(engine).explain("nothing of that name") == ()
    assert CaptureStatus(engine).counts() == {"skipped.internal_only": 1}


# --- the write log ---


def insert(key: str) -> WriteOp:
    return WriteOp(f"{key}|insert", "EmailMessage", Verb.INSERT, key, {"Subject": "Teklif ₺", "ToIds": ["003"]}, "why")


def test_a_write_begun_and_not_finished_is_in_doubt(engine: Engine):
    log = SqlWriteLog(engine)
    log.begin("run1", [insert("a"), insert("b")], now=NOW)
    assert [op.op_id for op in log.in_doubt()] == ["a|insert", "b|insert"]
    assert log.in_doubt()[0] == insert("a")
    log.finish([WriteResult("a|insert", WriteStatus.DONE, "02s1", created=True)], now=NOW)
    assert [op.op_id for op in log.in_doubt()] == ["b|insert"]
    assert log.done(["a|insert", "b|insert"]) == {"a|insert": "02s1"}


@pytest.mark.parametrize(
    ("status", "doubt", "done"),
    [
        (WriteStatus.DONE, False, True),
        (WriteStatus.ALREADY_THERE, False, True),
        (WriteStatus.UNKNOWN, True, False),
        (WriteStatus.RETRY, False, False),
        (WriteStatus.REFUSED, False, False),
    ],
)
def test_each_end_of_a_write_has_its_consequence(engine: Engine, status: WriteStatus, doubt: bool, done: bool):
    log = SqlWriteLog(engine)
    log.begin("run1", [insert("a")], now=NOW)
    log.finish([WriteResult("a|insert", status, "02s1", code="X", message="m" * 9_000)], now=NOW)
    assert bool(log.in_doubt()) is doubt
    assert bool(log.done(["a|insert"])) is done
    (entry,) = log.by_run("run1")
    assert (entry.status, entry.code, len(entry.message)) == (status, "X", 2_000)
    assert bool(log.refused()) is (status is WriteStatus.REFUSED)


def test_a_refused_write_may_be_begun_again(engine: Engine):
    log = SqlWriteLog(engine)
    log.begin("run1", [insert("a")], now=NOW)
    log.finish([WriteResult("a|insert", WriteStatus.REFUSED, code="X")], now=NOW)
    log.begin("run2", [insert("a"), insert("a")], now=NOW)
    assert [op.op_id for op in log.in_doubt()] == ["a|insert"]
    assert log.by_run("run1") == []


def test_what_is_adopted_is_noted_and_is_no_write_of_ours(engine: Engine):
    log = SqlWriteLog(engine)
    op = WriteOp("a|adopt", "Event", Verb.ADOPT, "a", {}, "there already", "00UTHEIRS")
    for _ in range(2):
        log.adopt("run1", [op], now=NOW)
    log.begin("run1", [insert("b")], now=NOW)
    log.finish([WriteResult("b|insert", WriteStatus.DONE, "02s1")], now=NOW)
    assert log.adopted(["a", "b"]) == {"a": "00UTHEIRS"}
    assert log.keys_of(["00UTHEIRS", "02s1", "00UNONE"]) == {"00UTHEIRS": "a", "02s1": "b"}
    assert (log.done(["a|adopt"]), dict(log.history(["a"])), log.in_doubt(), log.refused()) == ({}, {}, [], [])
    assert [one.op_id for one in log.latest("EmailMessage", limit=5)] == ["b|insert"]
    assert log.latest("Event", limit=5) == []
    (adopted,) = [one for one in log.by_run("run1") if one.op == op]
    assert (adopted.status, adopted.created) == ("adopted", False)


def test_copies_of_our_own_are_known_until_they_are_written_after_all(engine: Engine):
    log = SqlWriteLog(engine)
    ops = [WriteOp(f"{key}|copy", "Event", Verb.ADOPT, key, {}, f"why {key}", "00UOURS") for key in ("a", "b")]
    log.copied("run1", ops, now=NOW)
    assert log.copies() == {"a": "why a", "b": "why b"}
    assert (log.adopted(["a", "b"]), dict(log.history(["a"])), log.keys_of(["00UOURS"])) == ({}, {}, {})
    log.begin("run1", [insert("b")], now=NOW)
    assert set(log.copies()) == {"a", "b"}
    log.finish([WriteResult("b|insert", WriteStatus.DONE, "02s1")], now=NOW)
    assert log.copies() == {"a": "why a"}


def test_prior_values_are_kept_for_undo(engine: Engine):
    op = WriteOp("o", "Task", Verb.UPDATE, None, {"OwnerId": "2"}, "why", "00T1", "001", {"OwnerId": "1"}, "a|insert")
    log = SqlWriteLog(engine)
    log.begin("run1", [op], now=NOW)
    assert log.by_run("run1")[0].op == op


def test_results_of_one_call_each_keep_their_own_end(engine: Engine):
    log = SqlWriteLog(engine)
    owner = WriteOp("o", "Task", Verb.UPDATE, None, {"OwnerId": "2"}, "why", "00T1")
    log.begin("run1", [insert("a"), insert("b"), owner], now=NOW)
    log.finish(
        [
            WriteResult("a|insert", WriteStatus.DONE, "02s1", created=True),
            WriteResult("b|insert", WriteStatus.REFUSED, code="X", message="no"),
            WriteResult("o", WriteStatus.REFUSED, code="Y"),
        ],
        now=NOW,
    )
    found = {entry.op.op_id: (entry.status, entry.code, entry.created) for entry in log.by_run("run1")}
    assert found == {"a|insert": ("done", "", True), "b|insert": ("refused", "X", False), "o": ("refused", "Y", False)}
    # A refusal names no record: the one that was to be changed stays known.
    assert {entry.op.op_id: entry.op.record_id for entry in log.by_run("run1")} == {
        "a|insert": "02s1", "b|insert": None, "o": "00T1",
    }  # fmt: skip


@pytest.mark.parametrize("reason", [SkipReason.OPT_OUT_LABEL, SkipReason.GONE, SkipReason.NOT_GIVEN])
def test_a_veto_outlasts_a_decision_made_without_a_look_at_the_mail(journal: SqlJournal, reason: SkipReason):
    cursor = commit(journal, decisions=[exclude(activity(ANN), SkipReason.BLOCKED, at=NOW)])
    commit(journal, cursor=cursor, decisions=[skipped("m1", reason)])
    assert [veto.reason for veto in journal.vetoes([activity(BOB)])] == [SkipReason.BLOCKED]
    assert journal.not_given("gmail", ANN.address) == []
