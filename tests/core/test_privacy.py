"""What is never captured, decided before anything is stored."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest

from capture_samples import activity
from leakwatch.config import Privacy
from leakwatch.core.privacy import Insiders, PrivacyRules, outsiders, reduce, screen
from leakwatch.model import Activity, SkipReason

US = Insiders(domains=["ourco.com", "@OurCo.de"], addresses=["ann.reed@gmail.com", "Freelancer@agency.net"])
DEFAULT = PrivacyRules(subject_markers=("[Confidential]", "[Gizli]", "Privileged", "NDA"))


def screened(rules: PrivacyRules = DEFAULT, **options: str) -> SkipReason | None:
    in_sent = options.pop("in_sent", "") == "yes"
    return screen(US.mark(activity(in_sent=in_sent, **options)), rules)


@pytest.mark.parametrize(
    ("sender", "to"),
    [
        ("bob@ourco.com", "ann@ourco.com"),
        ("bob@mail.ourco.com", "ann@ourco.de"),
        ("a.nnreed+x@googlemail.com", "ann@ourco.com"),
        ("freelancer@agency.net", "ann@ourco.com"),
    ],
)
def test_a_mail_among_ourselves_is_not_captured(sender: str, to: str):
    assert screened(sender=sender, to=to) == SkipReason.INTERNAL_ONLY


@pytest.mark.parametrize(
    "outsider", ["eve@acme.com", "eve@notourco.com", "eve@ourco.com.evil.net", "unknown@agency.net"]
)
def test_one_outsider_makes_it_a_mail_with_the_outside(outsider: str):
    assert screened(sender="bob@ourco.com", to=f"ann@ourco.com, {outsider}") is None


def test_a_reply_address_outside_counts_as_an_outsider():
    assert screened(sender="bob@ourco.com", Reply_To="eve@acme.com") is None


def test_a_bcc_outside_does_not_because_no_other_copy_shows_it():
    sent = {"sender": "ann@ourco.com", "to": "bob@ourco.com", "in_sent": "yes"}
    assert screened(**sent, Bcc="eve@acme.com") == SkipReason.INTERNAL_ONLY
    assert screened(**sent) == SkipReason.INTERNAL_ONLY


def test_a_blocked_address_keeps_the_mail_out_even_in_bcc():
    rules = PrivacyRules(never_log=("firm.com", "spouse@home.net"))
    assert screened(rules, Cc="Lawyer <x@mail.firm.com>") == SkipReason.BLOCKED
    sent = {"sender": "ann@ourco.com", "to": "eve@acme.com", "in_sent": "yes", "Bcc": "spouse@home.net"}
    assert screened(rules, **sent) == SkipReason.BLOCKED
    assert screened(rules) is None


def test_with_an_allow_list_only_its_people_are_captured():
    rules = PrivacyRules(only_log=("acme.com",))
    assert screened(rules) is None
    assert screened(rules, sender="x@other.com") == SkipReason.NOT_ON_LIST


@pytest.mark.parametrize(
    "subject",
    [
        "Re: [CONFIDENTIAL] numbers",
        "[GİZLİ] fiyat",
        "[gizli] fiyat",
        "[gızlı]",
        "Privileged: draft",
        "the NDA, signed",
        "nda",
    ],
)
def test_a_marked_subject_keeps_the_mail_out(subject: str):
    assert screened(subject=subject) == SkipReason.CONFIDENTIAL_SUBJECT


@pytest.mark.parametrize("subject", ["Monday agenda", "Panda order", "unprivileged access", "confidential", "gizli"])
def test_a_marker_word_inside_another_word_or_without_its_brackets_does_not_count(subject: str):
    assert screened(subject=subject) is None


def test_a_marked_subject_is_found_also_with_its_letters_marks_apart():
    rules = PrivacyRules(subject_markers=("[kişiye özel]",))
    assert screened(rules, subject=unicodedata.normalize("NFD", "[KİŞİYE ÖZEL] fiyat")) == "confidential_subject"


@pytest.mark.parametrize("subject", ["(Hizmete Özel) plan", "KİŞİYE ÖZEL: teklif", "Ynt: [Çok Gizli] plan"])
def test_the_shipped_markers_know_turkish(subject: str):
    rules = PrivacyRules(subject_markers=Privacy().subject_markers)  # type: ignore[call-arg]
    assert screened(rules, subject=subject) == SkipReason.CONFIDENTIAL_SUBJECT
    assert screened(rules, subject="Size ve kişiye özel teklifimiz") is None


@pytest.mark.parametrize("value", ["Private", "personal", "Company-Confidential"])
def test_a_mail_that_its_sender_marked_as_sensitive_is_left_out_unless_it_is_wanted(value: str):
    assert screened(Sensitivity=value) == SkipReason.SENSITIVE
    assert screened(PrivacyRules(sensitivities=()), Sensitivity=value) is None
    assert screened(Sensitivity="Normal") is None


def test_newsletters_are_left_out_unless_they_are_wanted():
    assert screened(List_Id="<n.acme.com>") == SkipReason.BULK
    assert screened(PrivacyRules(log_bulk=True), List_Id="<n.acme.com>") is None


def test_subjects_switched_off_are_not_stored():
    assert reduce(activity(subject="Secret"), PrivacyRules(subjects=False)).subject == ""
    assert reduce(activity(subject="Secret"), PrivacyRules()).subject == "Secret"


def test_ten_thousand_recipients_are_cut_and_counted_and_judged_before_the_cut():
    crowd = ", ".join(f"p{n}@ourco.com" for n in range(10_000))
    inside = US.mark(activity(sender="bob@ourco.com", to=crowd))
    assert screen(inside, DEFAULT) == SkipReason.INTERNAL_ONLY
    mixed = US.mark(activity(sender="bob@ourco.com", to=f"{crowd}, eve@acme.com"))
    assert screen(mixed, DEFAULT) is None
    stored = reduce(mixed, DEFAULT)
    assert len(stored.participants) == 998
    assert stored.omitted_participants == 10_002 - 998


def test_a_body_is_never_stored():
    assert reduce(replace(activity(), body="Dear Ann"), DEFAULT).body is None


def test_outsiders_come_sender_first_inbound_and_recipients_first_outbound():
    def names(found: Activity) -> list[str]:
        return [person.address for person in outsiders(US.mark(found))]

    inbound = activity(to="ann@ourco.com, joe@acme.com", Cc="kim@other.com", Reply_To="desk@acme.com")
    assert names(inbound) == ["eve@acme.com", "joe@acme.com", "kim@other.com", "desk@acme.com"]
    outbound = activity(sender="ann@ourco.com", to="joe@acme.com, eve@acme.com", Cc="kim@other.com", in_sent=True)
    assert names(outbound) == ["joe@acme.com", "eve@acme.com", "kim@other.com"]
