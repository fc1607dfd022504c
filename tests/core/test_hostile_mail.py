"""Mail that means harm: captured or set aside with a reason, never a crash, and nothing of it reaches a record raw."""

from __future__ import annotations

import base64
import unicodedata
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture_samples import ANN, NINE, activity, mail
from leakwatch.core.mail import MAX_SUBJECT, WANTED_HEADERS
from leakwatch.core.plan import MAX_NAME, PlanRules, plan_mail
from leakwatch.core.privacy import PrivacyRules, reduce
from leakwatch.model import Activity, Decision, Match, MatchBasis, Outcome
from leakwatch.sources.gmail import GmailSource
from leakwatch.store.capture_codec import dump_activity, load_activity

MEGABYTE = 1_000_000
PIECES = (
    "\x00", "\x1b[2J", "\ud83d", "\udc00", "\u202e", "\u2066", "\r\nBcc: x@y.com", "=?utf-8?b?////?=",
    "=?x-odd?q?=FF?=", "=?utf-8?q?=C5=9Eirket?=", "=?utf-16?b?AAA=?=", "<script>alert(1)</script>", "=cmd|'/c calc'!A1",
    "((((", '"', "\\",
    "eve@acme.com", "<eve@acme.com>", "@", ",", ";", ":", "a" * 300, "İşğ", "Mon, 99 Foo 20260 99:99 +9999",
    "Tue, 01 Jan 0000 00:00:00 +0000", "multipart/report;", "text/calendar", "auto-replied", "😀",
)  # fmt: skip
header_values = st.lists(st.one_of(st.sampled_from(PIECES), st.text(st.characters(), max_size=8)), max_size=6).map(
    "".join
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
headers = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from(WANTED_HEADERS), "value": st.one_of(header_values, json_values)}),
    max_size=8,
)
payloads = st.fixed_dictionaries(
    {"headers": st.one_of(headers, json_values)},
    optional={"mimeType": json_values, "parts": json_values},
)
items = st.fixed_dictionaries(
    {"id": st.text(max_size=5), "payload": st.one_of(payloads, json_values)},
    optional={
        "labelIds": st.one_of(st.lists(st.sampled_from(["INBOX", "SENT", "DRAFT", "SPAM"])), json_values),
        "internalDate": st.one_of(st.just("1782896400000"), json_values),
    },
)
SOURCE = GmailSource(None)  # type: ignore[arg-type]  # what reads one item asks Gmail nothing


def is_harmless(text: str) -> bool:
    """Whether a text has no control characters, halves of characters, or marks that turn the line around."""
    turning = {"\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069", "\ufeff"}
    return not any(unicodedata.category(one) in ("Cc", "Cs") or one in turning for one in text)


@settings(max_examples=60, deadline=None)
@given(items)
def test_any_item_is_a_mail_or_a_decision_with_a_reason_and_can_be_stored(item: dict[str, Any]):
    found = SOURCE.to_activity(item, ANN)
    if isinstance(found, Decision):
        assert found.outcome in (Outcome.SKIPPED, Outcome.QUARANTINED)
        assert found.reason
    else:
        assert load_activity(dump_activity(found)) == found


@settings(max_examples=60, deadline=None)
@given(header_values, header_values, header_values)
def test_what_is_written_of_any_mail_is_harmless_text_of_the_allowed_length(subject: str, name: str, to: str):
    found = mail(subject=subject, sender=f"{name} <eve@acme.com>", to=f"{to}, ann@ourco.com")
    if not isinstance(found, Activity):
        return
    match = Match(found.key, ("003EVE",), None, None, "005ANN", MatchBasis.CONTACT_EMAIL, "why")
    (op,) = plan_mail(reduce(found, PrivacyRules()), match, PlanRules())
    orjson.dumps(dict(op.fields))
    assert all(is_harmless(value) for value in op.fields.values() if isinstance(value, str))
    assert len(op.fields["Subject"]) <= MAX_SUBJECT
    assert len(op.fields.get("FromName", "")) <= MAX_NAME


@pytest.mark.parametrize(
    "value",
    [
        "x" * MEGABYTE,
        "=?utf-8?q?a?= " * (MEGABYTE // 14),
        "=?utf-8?b?" + base64.b64encode(b"x" * 700_000).decode() + "?=",
        "\x00\u202e" * (MEGABYTE // 2),
    ],
    ids=["letters", "encoded words", "one encoded word", "controls"],
)
def test_a_megabyte_of_subject_is_cut_without_taking_long(value: str):
    assert len(activity(subject=value).subject) <= MAX_SUBJECT


@pytest.mark.parametrize(
    "value",
    ["(" * MEGABYTE, ";" * MEGABYTE, "@" * MEGABYTE, "a:" * (MEGABYTE // 2), '"' * MEGABYTE, "\\" * MEGABYTE],
    ids=["comments", "groups' ends", "ats", "groups", "quotes", "escapes"],
)
def test_a_megabyte_that_is_no_address_list_costs_neither_the_mail_nor_much_time(value: str):
    assert [one.address for one in activity(Cc=value).participants] == ["eve@acme.com", "ann@ourco.com"]


def test_of_a_long_list_each_address_is_read_whatever_stands_between_and_commas_in_names_part_nothing():
    people = [f'"Kaya, No {number}" <p{number}@acme.com>' for number in range(2_000)]
    people.insert(1_000, "x" * 5_000 + " <late@acme.com>")
    found = [(one.address, one.name) for one in activity(to=", ".join(people)).participants[1:]]
    assert found[0] == ("p0@acme.com", "Kaya, No 0")
    assert found[-1] == ("p1999@acme.com", "Kaya, No 1999")
    assert len(found) == 2_001
    assert "late@acme.com" in dict(found)


def test_a_date_that_can_not_be_falls_back_to_the_servers():
    found = activity(date_header="Tue, 31 Feb 2026 25:61:00 +9999")
    assert (found.start, found.sent_at) == (NINE, None)
