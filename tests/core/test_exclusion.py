"""Vetoes and exclusions made after a mail was read: which copies they are about, and what may still be written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from capture_samples import ANN, BOB, NINE, activity
from leakwatch.core.exclusion import DROPPED, Screening, Vetoes, exclude, forbids
from leakwatch.core.normalise import assign_key
from leakwatch.core.privacy import Insiders, PrivacyRules
from leakwatch.model import Activity, Decision, SkipReason, WaitingMail

NOW = datetime(2026, 7, 2, tzinfo=UTC)
SCREENING = Screening(
    Insiders(domains=["ourco.com"], addresses=[]),
    PrivacyRules(never_log=("lawyer.com",)),
    told=frozenset({ANN.address, BOB.address}),
    roster=frozenset({ANN.address, BOB.address}),
)


def blocked(copy: Activity) -> Decision:
    return exclude(copy, SkipReason.BLOCKED, at=NOW)


def judge(*copies: Activity, vetoes: tuple[Decision, ...] = (), screening: Screening = SCREENING):
    kept, decisions = screening.judge(WaitingMail(copies[0].key, copies, vetoes), now=NOW)
    return [copy.refs[0].provider_id for copy in kept], [(one.ref.provider_id, one.reason) for one in decisions]


# --- which copies a veto is about ---


def test_a_veto_holds_for_the_other_copies_of_its_mail():
    assert forbids(blocked(activity(BOB)), activity(ANN))


def test_a_veto_holds_for_a_copy_whose_message_id_a_relay_rewrote():
    veto = blocked(activity(BOB, message_id="<sent@ourco.com>"))
    delivered = activity(ANN, message_id="<0100@ses.example>", received_at=NINE + timedelta(seconds=90))
    assert forbids(veto, delivered)
    assert not forbids(veto, replace(delivered, start=NINE + timedelta(minutes=3)))
    assert not forbids(veto, replace(activity(BOB, message_id="<0100@ses.example>")))


def test_a_veto_does_not_hold_for_somebody_elses_mail_with_the_same_message_id():
    veto = blocked(activity(BOB, sender="x@lawyer.com"))
    assert not forbids(veto, activity(ANN))
    assert not forbids(blocked(activity(BOB)), activity(ANN, date_header="Wed, 01 Jul 2026 12:11:00 +0300"))


def test_it_holds_for_a_copy_that_is_kept_apart_because_the_message_id_was_used_before():
    kept_apart = assign_key(activity(ANN), [activity(ANN, provider_id="x", sender="mallory@evil.net")])
    assert kept_apart.key != activity(ANN).key
    assert forbids(blocked(activity(BOB)), kept_apart)
    assert not forbids(blocked(activity(BOB, sender="mallory@evil.net")), kept_apart)


def test_it_holds_for_a_copy_that_is_stored_under_the_sent_ones_key():
    delivered = activity(ANN, message_id="<0100@ses.example>")
    stored = assign_key(delivered, [activity(BOB, message_id="<sent@ourco.com>")])
    assert stored.key != delivered.key
    assert forbids(blocked(activity(BOB, message_id="<sent@ourco.com>")), stored)


def test_a_veto_of_an_older_leakwatch_holds_for_the_message_id():
    old = replace(blocked(activity(BOB, sender="x@lawyer.com")), trace=None)
    assert forbids(old, activity(ANN))
    assert not forbids(old, activity(ANN, message_id="<else@acme.com>"))


def test_a_mail_without_message_id_is_told_by_its_fingerprint():
    veto = blocked(activity(BOB, message_id=None))
    assert forbids(veto, activity(ANN, message_id=None))
    assert not forbids(veto, activity(ANN, message_id=None, subject="Another"))


def test_nothing_of_a_vetoed_mail_can_be_read_from_its_decision():
    words = str(blocked(activity(BOB, sender="x@lawyer.com", subject="Settlement")))
    assert "lawyer" not in words
    assert "Settlement" not in words


def test_only_vetoes_bear_a_trace():
    assert exclude(activity(), SkipReason.INTERNAL_ONLY, at=NOW).trace is None


def test_vetoes_are_found_by_message_id_or_fingerprint_and_other_decisions_are_none():
    same, rewritten = blocked(activity(BOB)), blocked(activity(BOB, provider_id="r", message_id="<r@x>"))
    other = blocked(activity(BOB, provider_id="o", message_id="<o@x>", subject="Else"))
    found = Vetoes([same, rewritten, other, exclude(activity(BOB), SkipReason.BULK, at=NOW)]).about([activity(ANN)])
    assert set(found) == {same, rewritten}


# --- judging again ---


def test_what_nothing_excludes_is_kept_with_its_people_marked_anew():
    kept, decisions = SCREENING.judge(WaitingMail("k", (activity(),)), now=NOW)
    assert decisions == []
    assert {person.address: person.internal for person in kept[0].participants} == {
        "eve@acme.com": False,
        "ann@ourco.com": True,
    }


def test_somebody_who_was_one_of_us_and_is_no_more_counts_as_outside_again():
    was = Insiders(domains=["ourco.com", "acme.com"], addresses=[]).mark(activity())
    kept, decisions = SCREENING.judge(WaitingMail("k", (was,)), now=NOW)
    assert decisions == []
    assert [person.internal for person in kept[0].participants] == [False, True]


@pytest.mark.parametrize(
    ("copy", "rules", "reason"),
    [
        (activity(Cc="x@lawyer.com"), PrivacyRules(never_log=("lawyer.com",)), "blocked"),
        (activity(sender="bob@ourco.com"), PrivacyRules(), "internal_only"),
        (activity(subject="Privileged: offer"), PrivacyRules(subject_markers=("privileged",)), "confidential_subject"),
        (activity(), PrivacyRules(only_log=("other.com",)), "not_on_list"),
        (activity(List_Id="<news.acme.com>"), PrivacyRules(), "bulk"),
    ],
)
def test_a_rule_made_since_keeps_the_copy_out(copy: Activity, rules: PrivacyRules, reason: str):
    kept, decisions = replace(SCREENING, rules=rules).judge(WaitingMail("k", (copy,)), now=NOW)
    assert kept == []
    assert [(one.reason, one.detail, one.key) for one in decisions] == [(reason, DROPPED, copy.key)]


def test_a_mailbox_whose_owner_is_not_told_any_more_or_that_left_the_roster_loses_its_copies_only():
    ann, bob = activity(ANN, provider_id="a"), activity(BOB, provider_id="b")
    untold = replace(SCREENING, told=frozenset({BOB.address}))
    assert judge(ann, bob, screening=untold) == (["b"], [("a", "no_notice")])
    gone = replace(untold, roster=frozenset({BOB.address}))
    assert judge(ann, bob, screening=gone) == (["b"], [("a", "off_roster")])


def test_a_veto_by_one_copy_keeps_all_copies_out():
    sent = activity(BOB, provider_id="s", sender="bob@ourco.com", to="eve@acme.com", in_sent=True, Bcc="x@lawyer.com")
    seen = activity(ANN, provider_id="r", sender="bob@ourco.com", to="eve@acme.com")
    assert judge(sent, seen) == ([], [("s", "blocked"), ("r", "blocked")])


def test_a_stored_veto_keeps_all_copies_out_and_one_on_another_mail_none():
    ann = activity(ANN, provider_id="a")
    assert judge(ann, vetoes=(blocked(activity(BOB)),)) == ([], [("a", "blocked")])
    assert judge(ann, vetoes=(blocked(activity(BOB, sender="x@lawyer.com")),)) == (["a"], [])
