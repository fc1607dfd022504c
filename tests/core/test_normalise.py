"""Reading headers, and merging copies: the same result whatever order they arrived in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture_samples import ANN, BOB, DATE_HEADER, NINE, activity, mail
from leakwatch.core.identity import mail_key
from leakwatch.core.mail import read_mail
from leakwatch.core.normalise import assign_key, merge
from leakwatch.model import Activity, Decision, Direction, Outcome, Role, SkipReason, SourceRef


def reason(found: Activity | Decision) -> str | None:
    return found.reason if isinstance(found, Decision) else None


# --- one mail ---


def test_the_servers_time_counts_not_the_senders():
    found = activity(date_header="Tue, 01 Jan 2030 00:00:00 +0000")
    assert found.start == NINE
    assert found.sent_at == datetime(2030, 1, 1, tzinfo=UTC)


def test_the_date_header_stands_in_when_the_server_gives_none():
    assert activity(received_at=None).start == NINE


@pytest.mark.parametrize("header", [None, "soon", "Wed, 01 Jul 2026 12:00:00 +2400", "Thu, 01 Jan 1601 00:00:00 +0000"])
def test_a_mail_without_any_usable_date_is_quarantined_not_raised(header: str | None):
    found = mail(received_at=None, date_header=header)
    assert isinstance(found, Decision)
    assert (found.outcome, found.reason) == (Outcome.QUARANTINED, "unreadable_date")


def test_outbound_needs_the_sent_label_and_an_own_address_where_the_mail_was_delivered():
    assert activity(sender="ann@ourco.com", to="eve@acme.com", in_sent=True).direction is Direction.OUTBOUND
    assert activity(sender="A.Reed@ourco.com", to="eve@acme.com", in_sent=True).direction is Direction.OUTBOUND
    assert activity(sender="sales@ourco.com", to="eve@acme.com", in_sent=True).direction is Direction.OUTBOUND
    assert activity(sender="ann@ourco.com", in_sent=False).direction is Direction.INBOUND
    assert activity(sender="eve@acme.com", in_sent=True, Delivered_To="ann@ourco.com").direction is Direction.INBOUND


def test_what_lies_in_the_sent_box_without_having_been_delivered_was_sent_whatever_its_from_says():
    sent = activity(sender="Ann <ann@partner.example>", to="eve@acme.com", in_sent=True, Bcc="boss@ourco.com")
    assert sent.direction is Direction.OUTBOUND
    assert [(one.address, one.internal) for one in sent.participants if one.role is Role.FROM] == [
        ("ann@partner.example", True)
    ]
    assert "boss@ourco.com" in {one.address for one in sent.participants if one.role is Role.BCC}


def test_bcc_is_read_from_the_senders_copy_only():
    sent = activity(sender="ann@ourco.com", to="eve@acme.com", in_sent=True, Bcc="boss@ourco.com")
    got = activity(Bcc="boss@ourco.com")
    assert [p.address for p in sent.participants if p.role is Role.BCC] == ["boss@ourco.com"]
    assert [p for p in got.participants if p.role is Role.BCC] == []


def test_a_google_group_that_steps_in_as_sender_is_looked_through():
    found = activity(sender="'Eve' via Sales <sales@ourco.com>", Reply_To="Eve <eve@acme.com>")
    assert found.participants[0].address == "eve@acme.com"
    found = activity(sender="'Eve' via Sales <sales@ourco.com>", X_Original_From="Eve <eve@acme.com>")
    assert found.participants[0].address == "eve@acme.com"
    abroad = {"Reply_To": "Eve <eve@acme.com>", "X_Google_Group_Id": "960895140360"}
    found = activity(sender="'Eve' via Partners <partners@acme.com>", **abroad)
    assert found.participants[0].address == "eve@acme.com"


def test_only_a_group_is_looked_through_not_a_machine_or_a_forged_header():
    signing = activity(sender="Eve via DocuSign <dse@docusign.net>", Reply_To="eve@acme.com")
    assert signing.participants[0].address == "dse@docusign.net"
    forged = activity(sender="mallory@evil.net", X_Original_From="ann@ourco.com")
    assert forged.participants[0].address == "mallory@evil.net"


@pytest.mark.parametrize(
    ("headers", "about"),
    [
        ({"In_Reply_To": "<offer@ourco.com>"}, "offer@ourco.com"),
        ({"References": "<first@acme.com> <offer@ourco.com>"}, "offer@ourco.com"),
        ({"Original_Message_ID": "<offer@OURCO.com>", "In_Reply_To": "<x@y.com>"}, "offer@ourco.com"),
        ({}, "abc@acme.com"),
    ],
)
def test_a_bounce_is_told_of_the_mail_it_is_about(headers: dict[str, str], about: str):
    found = mail(sender="MAILER-DAEMON@mx.acme.com", **headers)  # type: ignore[arg-type]
    assert isinstance(found, Decision)
    assert (found.reason, found.key) == (SkipReason.BOUNCE, mail_key(about))
    assert ("did not arrive" in found.detail) is bool(headers)


@pytest.mark.parametrize(
    "value",
    [
        "auto-replied; x=y",
        "(a (nested) one) AUTO-REPLIED (vacation)",
        r"(a quoted \) bracket) auto-replied",
        "auto-replied (never closed",
    ],
)
def test_a_keyword_is_read_without_comments_and_parameters(value: str):
    assert reason(mail(Auto_Submitted=value)) == SkipReason.AUTO_REPLY


def test_comments_nested_without_end_cost_no_time():
    assert not activity(Auto_Submitted="(" * 500_000 + ")" * 500_000 + "auto-replied").bulk


@pytest.mark.parametrize(("header", "kept"), [("Company-Confidential (policy 4)", "company-confidential"), ("", "")])
def test_what_its_sender_calls_a_mail_is_kept_for_judging_it(header: str, kept: str):
    assert activity(Sensitivity=header).sensitivity == kept


def test_a_mail_without_message_id_gets_a_weak_key_shared_by_its_copies():
    one = activity(ANN, message_id=None, provider_id="a", received_at=NINE)
    two = activity(BOB, message_id=None, provider_id="b", received_at=NINE + timedelta(seconds=40))
    other = activity(BOB, message_id=None, provider_id="c", subject="Another offer")
    assert one.weak_key
    assert one.key == two.key != other.key


def test_two_mails_that_have_no_message_id_are_not_one_for_that():
    one = activity(ANN, message_id=None, provider_id="a")
    other = activity(BOB, message_id=None, provider_id="b", subject="Another offer")
    assert one.message_id is other.message_id is None
    assert assign_key(other, [one]) == other


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Auto_Submitted": "auto-replied (vacation); owner-email=x"}, SkipReason.AUTO_REPLY),
        ({"X_Autoreply": "yes"}, SkipReason.AUTO_REPLY),
        ({"Precedence": "auto_reply"}, SkipReason.AUTO_REPLY),
        ({"Return_Path": "<>"}, SkipReason.AUTO_REPLY),
        ({"Content_Type": "multipart/report; report-type=delivery-status; boundary=x"}, SkipReason.BOUNCE),
        ({"Content_Type": 'multipart/report; report-type="disposition-notification"'}, SkipReason.AUTO_REPLY),
        ({"sender": "Mail Delivery <MAILER-DAEMON@mx.acme.com>"}, SkipReason.BOUNCE),
        ({"sender": "postmaster@acme.com"}, SkipReason.BOUNCE),
        ({"X_Failed_Recipients": "x@y.com"}, SkipReason.BOUNCE),
        ({"Content_Type": "text/calendar; method=REQUEST"}, SkipReason.CALENDAR_INVITATION),
        ({"Content_Class": "urn:content-classes:calendarmessage"}, SkipReason.CALENDAR_INVITATION),
        ({"Sender": "Google Calendar <calendar-notification@google.com>"}, SkipReason.CALENDAR_INVITATION),
        ({"sender": "calendar-notification@google.com"}, SkipReason.CALENDAR_INVITATION),
        ({"message_id": "<calendar-aff2aaae-0f0c-4753-b046-b1d3c315b21a@google.com>"}, SkipReason.CALENDAR_INVITATION),
        ({"Return_Path": "<3PNK@calendar-server.bounces.google.com>"}, SkipReason.CALENDAR_INVITATION),
        ({"X_MS_Exchange_Calendar_Originator_Id": "e7426284;/o=ExchangeLabs"}, SkipReason.CALENDAR_INVITATION),
        ({"X_MS_Exchange_Calendar_Series_Instance_Id": "BAAAAIIA4AB0xbcQ"}, SkipReason.CALENDAR_INVITATION),
        ({"X_MS_TrafficTypeDiagnostic": "AM6PR0:EE_MeetingMessage|AM6PR0:EE_"}, SkipReason.CALENDAR_INVITATION),
        (
            {"subject": "Updated invitation: Offer @ Tue", "Auto_Submitted": "auto-generated"},
            SkipReason.CALENDAR_INVITATION,
        ),
    ],
)
def test_what_is_no_conversation_is_skipped(headers: dict[str, str], expected: SkipReason):
    assert reason(mail(**headers)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "subject",
    [
        "Davet: Hat gezisi", "GÜNCELLENEN DAVET: Hat gezisi", "Kabul edildi: Toplantı", "İPTAL EDİLDİ: Toplantı",
        "iptal edilen etkinlik: Toplantı", "Invitation: Offer", "Accepted: Offer", "Einladung: Angebot",
        "=?UTF-8?B?S0FCVUwgRUTEsExExLA6IFRvcGxhbnTEsQ==?=",
    ],
)  # fmt: skip
def test_a_calendars_subject_counts_where_the_mail_says_that_a_machine_made_it_and_never_alone(subject: str):
    assert reason(mail(subject=subject, Auto_Submitted="auto-generated")) == SkipReason.CALENDAR_INVITATION
    assert activity(subject=subject).subject


@pytest.mark.parametrize(
    "headers",
    [
        {"message_id": "<calendar-1@example.com>"},
        {"message_id": "<my-calendar-1@google.com>"},
        {"Content_Type": "multipart/alternative; boundary=text/calendar"},
        {"Content_Class": "urn:content-classes:message"},
        {"X_MS_TrafficTypeDiagnostic": "AM6PR0:EE_"},
        {"subject": "Your invitation: when?", "Auto_Submitted": "auto-generated"},
    ],
)
def test_what_only_looks_like_a_calendars_mail_is_a_mail(headers: dict[str, str]):
    assert activity(**headers)  # type: ignore[arg-type]


def test_of_what_a_rep_sent_only_an_appointment_itself_is_left_out():
    sent = {"sender": "ann@ourco.com", "to": "eve@acme.com", "in_sent": True}
    kept = activity(**sent, Auto_Submitted="auto-generated", subject="Davet: Hat gezisi")  # type: ignore[arg-type]
    assert kept.direction is Direction.OUTBOUND
    found = mail(**sent, Content_Type="text/calendar; method=REPLY")  # type: ignore[arg-type]
    assert reason(found) == SkipReason.CALENDAR_INVITATION


@pytest.mark.parametrize(
    "headers",
    [
        {"List_Id": "<news.acme.com>"},
        {"List_Unsubscribe": "<mailto:u@acme.com>"},
        {"Precedence": "bulk"},
        {"Precedence": "List"},
        {"Auto_Submitted": "auto-generated"},
        {"Feedback_ID": "1:2:3"},
        {"sender": "no-reply@acme.com"},
        {"sender": "noreply+tag@acme.com"},
    ],
)
def test_newsletters_and_notifications_are_kept_apart_as_bulk(headers: dict[str, str]):
    assert activity(**headers).bulk  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "no"},
        {"Auto_Submitted": "(auto-replied) no"},
        {"X_Auto_Response_Suppress": "All"},
        {"Precedence": "normal"},
        {"X_Autoreply": "no"},
        {"sender": "bounce.smith@acme.com"},
        {"subject": "Automatic reply to your question"},
    ],
)
def test_a_persons_mail_is_neither_skipped_nor_bulk(headers: dict[str, str]):
    assert not activity(**headers).bulk  # type: ignore[arg-type]


GROUP = {  # as Google stamps what it delivers to the members of sales@ourco.com
    "Precedence": "list",
    "Mailing-List": "list sales@ourco.com; contact sales+owners@ourco.com",
    "List-ID": "<sales.ourco.com>",
    "X-Google-Group-Id": "960895140360",
    "List-Unsubscribe": "<mailto:googlegroups-manage+960895140360+unsubscribe@googlegroups.com>,"
    " <https://groups.google.com/a/ourco.com/group/sales/subscribe>",
}


def test_a_customers_mail_through_our_own_group_is_a_persons_mail():
    assert not activity(to="sales@ourco.com", **GROUP).bulk


@pytest.mark.parametrize(
    "changes",
    [
        {"List-ID": "<news.acme.com>"},
        {"List-ID": "Acme <news.acme.com>"},
        {"List-ID": "sales.ourco.com.evil.com"},
        {"List-ID": "notourco.com"},
        {"List-ID": ""},
        {"Precedence": "bulk"},
        {"List-Unsubscribe": "<https://mail.example/u/1>, <mailto:x@googlegroups.com>"},
        {"Feedback-ID": "1:campaign"},
        {"Auto-Submitted": "auto-generated"},
    ],
    ids=str,
)
def test_a_list_of_others_or_a_newsletter_to_our_group_stays_bulk(changes: dict[str, str]):
    assert activity(to="sales@ourco.com", **{**GROUP, **changes}).bulk


def test_a_newsletter_that_kept_its_own_list_beside_our_groups_stays_bulk():
    headers = [("From", "news@acme.com"), ("To", "sales@ourco.com"), *GROUP.items(), ("List-Id", "<news.acme.com>")]
    found = read_mail(SourceRef("gmail", "a", "1"), headers, owner=ANN, received_at=NINE, in_sent=False)
    assert isinstance(found, Activity)
    assert found.bulk


def test_a_group_of_any_of_our_domains_is_ours():
    headers = [("From", "eve@acme.com"), ("To", "info@second.example"), ("List-Id", "<info.second.example>")]
    ref = SourceRef("gmail", "a", "1")
    for domains, bulk in (((), True), (("second.example",), False)):
        found = read_mail(ref, headers, owner=ANN, received_at=NINE, in_sent=False, own_domains=domains)
        assert isinstance(found, Activity)
        assert found.bulk is bulk


def test_every_occurrence_of_auto_submitted_counts():
    headers = [
        ("From", "eve@acme.com"),
        ("Date", DATE_HEADER),
        ("Auto-Submitted", "no"),
        ("Auto-Submitted", "auto-replied"),
    ]
    found = read_mail(SourceRef("gmail", "a", "1"), headers, owner=ANN, received_at=NINE, in_sent=False)
    assert reason(found) == SkipReason.AUTO_REPLY


def test_a_reps_own_mail_is_never_machine_mail_whatever_their_sales_tool_adds():
    sent = activity(sender="ann@ourco.com", to="eve@acme.com", in_sent=True, List_Unsubscribe="<x>", Precedence="bulk")
    assert not sent.bulk


def test_a_mail_without_sender_is_skipped():
    assert reason(mail(sender="")) == SkipReason.NO_SENDER


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["From", "To", "Cc", "Date", "Subject", "Message-ID", "References", "Content-Type", "Return-Path"]
            ),
            st.text(alphabet=st.characters(), max_size=80),
        ),
        max_size=12,
    )
)
def test_no_header_makes_the_reader_raise_and_what_it_returns_can_be_stored(headers: list[tuple[str, str]]):
    from leakwatch.store.capture_codec import dump_activity, load_activity

    found = read_mail(SourceRef("gmail", "a", "1"), headers, owner=ANN, received_at=NINE, in_sent=False)
    if isinstance(found, Activity):
        assert load_activity(dump_activity(found)) == found


# --- several copies ---


def copies() -> list[Activity]:
    sent = activity(ANN, provider_id="s", sender="Ann Reed <ann@ourco.com>", to="eve@acme.com", Cc="bob@ourco.com",
                    in_sent=True, Bcc="boss@ourco.com")  # fmt: skip
    got = activity(BOB, provider_id="r", sender="ann@ourco.com", to="Eve <eve@acme.com>", Cc="bob@ourco.com",
                   received_at=NINE + timedelta(seconds=3))  # fmt: skip
    cem = replace(BOB, address="cem@ourco.com")
    late = activity(cem, provider_id="q", sender="ann@ourco.com", to="eve@acme.com", Cc="bob@ourco.com, cem@ourco.com",
                    received_at=NINE + timedelta(hours=2))  # fmt: skip
    return [sent, got, late]


@given(st.permutations(range(3)), st.integers(1, 3))
def test_copies_merge_to_the_same_activity_in_any_order(order: list[int], number: int):
    chosen = [copies()[index] for index in order]
    subset = [copy for copy in chosen if copies().index(copy) < number]
    assert merge(subset) == merge(sorted(subset, key=lambda copy: copy.refs[0].provider_id))
    assert merge([merge(subset[:1]), *subset[1:]]) == merge(subset)


def test_merged_people_are_united_names_filled_and_bcc_left_out():
    merged = merge(copies())
    assert merged.direction is Direction.OUTBOUND
    assert [(p.role, p.address, p.name) for p in merged.participants] == [
        (Role.FROM, "ann@ourco.com", "Ann Reed"),
        (Role.TO, "eve@acme.com", "Eve"),
        (Role.CC, "bob@ourco.com", ""),
        (Role.CC, "cem@ourco.com", ""),
    ]
    assert merged.start == NINE


def test_of_a_mail_we_sent_only_the_senders_mailbox_is_named_because_others_may_have_got_it_in_bcc():
    assert {ref.principal for ref in merge(copies()).refs} == {"ann@ourco.com"}
    assert {ref.principal for ref in merge(copies()[1:]).refs} == {"bob@ourco.com", "cem@ourco.com"}


def test_a_mail_to_a_list_and_to_us_directly_is_no_bulk():
    direct, listed = activity(ANN), activity(BOB, List_Id="<news.acme.com>")
    assert listed.bulk
    assert merge([listed]).bulk
    assert not merge([direct, listed]).bulk


def test_merging_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="at least one"):
        merge([])


def test_a_reused_message_id_with_another_sender_is_another_mail_and_flagged():
    first = activity()
    forged = activity(BOB, sender="mallory@evil.net", provider_id="x")
    kept = assign_key(forged, [first])
    assert kept.key != first.key
    assert kept.reused_id
    assert assign_key(replace(forged, refs=(SourceRef("gmail", "c", "y"),)), [first, kept]).key == kept.key


def test_a_reused_message_id_more_than_ten_minutes_apart_is_another_mail():
    first = activity()
    near = activity(BOB, date_header="Wed, 01 Jul 2026 12:09:59 +0300")
    far = activity(BOB, date_header="Wed, 01 Jul 2026 12:10:01 +0300")
    assert assign_key(near, [first]).key == first.key
    assert assign_key(far, [first]).key != first.key


def test_a_copy_delivered_hours_late_is_still_the_same_mail():
    late = activity(BOB, received_at=NINE + timedelta(hours=9))
    assert assign_key(late, [activity()]).key == activity().key


def test_a_relay_that_rewrote_the_message_id_does_not_make_two_mails():
    sent = activity(ANN, sender="ann@ourco.com", to="eve@acme.com", in_sent=True, message_id="<own@ourco.com>")
    delivered = activity(BOB, sender="ann@ourco.com", to="eve@acme.com", message_id="<0100@amazonses.com>",
                         received_at=NINE + timedelta(seconds=90))  # fmt: skip
    late = replace(delivered, start=NINE + timedelta(minutes=5))
    own = replace(delivered, refs=(SourceRef("gmail", ANN.address, "other"),))
    assert assign_key(delivered, [sent]).key == sent.key
    assert assign_key(late, [sent]).key == delivered.key
    assert assign_key(own, [sent]).key == delivered.key
