"""Wanted writes: what Salesforce takes, and nothing more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from capture_samples import NINE, activity
from leakwatch.core.plan import PlanRules, plan_mail, plan_owner
from leakwatch.core.privacy import Insiders
from leakwatch.model import Activity, Match, MatchBasis, Verb, WriteOp

US = Insiders(domains=["ourco.com"], addresses=[])
MATCH = Match(
    "key", ("003EVE",), "006ONE", "001ACME", "005ANN", MatchBasis.CONTACT_EMAIL, "Eve is the sender.", (),
    {"eve@acme.com": "003EVE", "ann@ourco.com": "005ANN"},
)  # fmt: skip


def planned(found: Activity, match: Match = MATCH, rules: PlanRules | None = None) -> WriteOp:
    (op,) = plan_mail(US.mark(found), match, rules or PlanRules())
    return op


def test_an_inbound_mail_becomes_one_email_message_with_its_people():
    found = activity(
        to="Ann <ann@ourco.com>, new@acme.com", Cc="stranger@x.com, eve@acme.com", References="<root@acme.com>"
    )
    op = planned(found)
    assert (op.sobject, op.verb, op.key, op.op_id) == ("EmailMessage", Verb.INSERT, found.key, f"{found.key}|insert")
    assert op.fields == {
        "Subject": "Offer",
        "MessageDate": "2026-07-01T09:00:00.000Z",
        "Incoming": True,
        "Status": "3",
        "Leakwatch_Key__c": found.key,
        "FromName": "Eve Adams",
        "FromAddress": "eve@acme.com",
        "FromId": "003EVE",
        "ToIds": ["005ANN"],
        "ToAddress": "new@acme.com",
        "CcAddress": "stranger@x.com",
        "MessageIdentifier": "<abc@acme.com>",
        "ThreadIdentifier": "<root@acme.com>",
        "RelatedToId": "006ONE",
    }
    assert op.reason == "Eve is the sender."
    assert op.account_id == "001ACME"


def test_bcc_and_bodies_are_never_written():
    sent = activity(sender="ann@ourco.com", to="eve@acme.com", in_sent=True, Bcc="secret@rival.com")
    fields = planned(replace(sent, body="Dear Eve")).fields
    assert "secret@rival.com" not in str(fields)
    assert not {"BccIds", "BccAddress", "TextBody", "HtmlBody", "Headers"} & set(fields)
    assert fields["Incoming"] is False


def test_a_colleagues_mail_seen_only_in_anothers_mailbox_is_no_word_from_the_customer():
    assert planned(activity(sender="bob@ourco.com", to="eve@acme.com")).fields["Incoming"] is False


def test_an_unmatched_mail_wants_no_write():
    assert plan_mail(activity(), replace(MATCH, basis=MatchBasis.NONE), PlanRules()) == ()


def test_a_lead_gets_no_related_record():
    lead = replace(MATCH, who_ids=("00QLEA",), what_id=None, basis=MatchBasis.LEAD_EMAIL)
    assert "RelatedToId" not in planned(activity(), lead).fields


def test_switched_off_subjects_are_named_so_and_missing_ones_too():
    assert planned(activity(), rules=PlanRules(subjects=False)).fields["Subject"] == "(subject not captured)"
    assert planned(activity(subject="")).fields["Subject"] == "(no subject)"


def test_an_identifier_too_long_for_salesforce_is_left_out_not_cut():
    fields = planned(activity(message_id=f"<{'a' * 300}@x.com>")).fields
    assert "MessageIdentifier" not in fields


def test_a_mail_with_a_reused_message_id_does_not_carry_it():
    assert "MessageIdentifier" not in planned(replace(activity(), reused_id=True)).fields


def test_audit_fields_are_written_only_when_allowed():
    assert "CreatedDate" not in planned(activity()).fields
    assert (
        planned(activity(), rules=PlanRules(set_audit_fields=True)).fields["CreatedDate"] == "2026-07-01T09:00:00.000Z"
    )


def test_addresses_without_record_are_cut_between_addresses():
    crowd = ", ".join(f"person{n:04}@example.com" for n in range(400))
    text = planned(activity(to=crowd)).fields["ToAddress"]
    assert len(text) <= 4_000
    assert all(part.endswith("@example.com") for part in text.split("; "))


def test_no_more_than_fifty_contacts_are_related():
    names = [f"c{n}@acme.com" for n in range(60)]
    match = replace(MATCH, addresses={name: f"003{n:015}" for n, name in enumerate(names)})
    fields = planned(activity(to=", ".join(names)), match).fields
    assert len(fields["ToIds"]) == 50
    assert len(fields["ToAddress"].split("; ")) == 10


def test_a_person_named_twice_is_related_once():
    match = replace(
        MATCH, addresses={"eve@acme.com": "003EVE", "e.adams@acme.com": "003EVE", "ann@ourco.com": "005ANN"}
    )
    fields = planned(activity(sender="x@y.com", to="eve@acme.com", Cc="e.adams@acme.com, eve@acme.com"), match).fields
    assert fields["ToIds"] == ["003EVE"]
    assert "CcIds" not in fields
    assert "CcAddress" not in fields


def test_a_contact_found_by_the_reply_address_is_related():
    form = activity(sender="Web form <noreply@forms.example>", to="ann@ourco.com", Reply_To="eve@acme.com")
    fields = planned(form).fields
    assert "FromId" not in fields
    assert (fields["FromAddress"], fields["ToIds"], fields["CcIds"]) == (
        "noreply@forms.example", ["005ANN"], ["003EVE"],
    )  # fmt: skip
    assert "CcAddress" not in fields


def test_a_reply_address_without_record_or_of_somebody_named_already_adds_nobody():
    match = replace(MATCH, addresses={**MATCH.addresses, "e.adams@acme.com": "003EVE"})
    for reply in ("stranger@x.com", "e.adams@acme.com", "ann@ourco.com"):
        fields = planned(activity(Reply_To=reply), match).fields
        assert not {"CcIds", "CcAddress"} & set(fields), reply


def test_without_enhanced_email_a_mail_becomes_a_completed_task_of_the_rep_on_the_orgs_own_day():
    late = activity(received_at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    op = planned(late, rules=PlanRules(mail_as="task", time_zone="Europe/Istanbul", closed_status="Tamamlandı"))
    assert (op.sobject, op.verb) == ("Task", Verb.INSERT)
    assert op.fields == {
        "Subject": "Offer",
        "TaskSubtype": "Email",
        "Status": "Tamamlandı",
        "ActivityDate": "2026-07-02",
        "Leakwatch_Key__c": late.key,
        "OwnerId": "005ANN",
        "WhoId": "003EVE",
        "WhatId": "006ONE",
    }


def owner(current: str = "005BOT", *, earlier: str | None = None, sender: str | None = "003EVE") -> WriteOp | None:
    task = {"Id": "00T1", "OwnerId": current, "CreatedById": "005BOT"}
    return plan_owner("key", MATCH, task=task, sender_id=sender, earlier_owner=earlier)


def test_the_task_salesforce_made_is_given_to_the_rep_after_the_mail_landed():
    op = owner()
    assert op is not None
    assert (op.sobject, op.verb, op.record_id, op.after) == ("Task", Verb.UPDATE, "00T1", "key|insert")
    assert op.fields == {"OwnerId": "005ANN"}
    assert op.prior == {"OwnerId": "005BOT"}


def test_a_task_that_is_the_reps_already_is_left_alone():
    assert owner("005ANN") is None


def test_a_task_a_person_gave_away_since_is_left_alone():
    assert owner("005CEM", earlier="005BOB") is None
    assert owner("005BOB", earlier="005BOB") is not None


def test_a_task_a_person_gave_away_is_left_alone_also_when_the_journal_does_not_know_whom_we_gave_it_to():
    assert owner("005CEM") is None


def test_a_task_that_salesforce_gave_to_the_sender_is_still_given_to_the_rep():
    assert owner("005BOB", sender="005BOB") is not None
    assert owner("005BOB", sender="005CEM") is None


@given(st.text(alphabet=st.characters(), max_size=5_000), st.text(max_size=50))
def test_whatever_a_subject_holds_it_fits_and_planning_twice_gives_the_same(subject: str, name: str):
    found = replace(activity(), subject=subject, start=NINE)
    op = planned(found)
    assert op == planned(found)
    assert 1 <= len(op.fields["Subject"].encode("utf-16-le")) // 2 <= 3_000
    task = planned(found, rules=PlanRules(mail_as="task"))
    assert len(task.fields["Subject"].encode("utf-16-le")) // 2 <= 255
