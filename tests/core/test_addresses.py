"""Addresses as they really come."""

from __future__ import annotations

import email.utils
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakwatch.core import addresses
from leakwatch.core.addresses import (
    AddressPatterns,
    canonical,
    decode_words,
    in_domain,
    normalise,
    parse_list,
    variants,
)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        (" <ann@example.com> ", "ann@example.com"),
        ("mailto:ann@example.com", "ann@example.com"),
        ("ann@münchen.de", "ann@xn--mnchen-3ya.de"),
        ("ann@example.com.", "ann@example.com"),
        ("SRS0=HHH=TT=example.com=bob@relay.net", "bob@example.com"),
        ("prvs=2345abcdef=sue@acme.de", "sue@acme.de"),
        ("o'brien+x@acme.ie", "o'brien+x@acme.ie"),
        ("ann\x00@example.com", "ann@example.com"),
    ],
)
def test_an_address_is_brought_to_one_form(written: str, address: str):
    assert normalise(written) == address


@pytest.mark.parametrize(
    "written",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "a@b@c",
        "ann@exa mple.com",
        "ann@-.com",
        "x" * 65 + "@a.com",
        "a@" + "b" * 300,
    ],
)
def test_what_is_no_address_is_none(written: str):
    assert normalise(written) is None


def test_a_header_list_keeps_order_names_and_first_mentions():
    header = 'Ann <ann@a.com>, "Doe, Jo" <jo@b.com>, ANN@A.com, team: x@c.com, y@c.com;, undisclosed-recipients:;'
    assert parse_list([header]) == [
        ("Ann", "ann@a.com"),
        ("Doe, Jo", "jo@b.com"),
        ("", "x@c.com"),
        ("", "y@c.com"),
    ]


def test_encoded_names_are_decoded_and_bad_ones_do_not_raise():
    assert parse_list(["=?utf-8?q?Ay=C5=9Fe_Y=C4=B1lmaz?= <ayse@firma.com.tr>"]) == [
        ("Ayşe Yılmaz", "ayse@firma.com.tr")
    ]
    assert decode_words("=?iso-8859-9?Q?=DEirket?=") == "Şirket"
    assert decode_words("=?no-such-charset?q?=41?=") == "A"
    assert decode_words("=?utf-8?b?%%%?= rest").endswith("rest")


def test_an_address_spelled_with_at_is_read_as_list_archives_mean_it():
    assert parse_list(["rob at spamassassin.org"]) == [("", "rob@spamassassin.org")]


def test_one_odd_address_does_not_cost_the_others():
    assert [address for _, address in parse_list(["a@b@c, good@x.com"])] == ["good@x.com"]


def test_ten_thousand_nested_comments_do_not_raise():
    assert parse_list(["(" * 10_000 + " ann@a.com"]) == [("", "ann@a.com")]


def test_plus_tags_fall_away_everywhere_and_dots_only_at_gmail():
    assert variants("ann+crm@acme.com") == ("ann+crm@acme.com", "ann@acme.com")
    assert "an.n@acme.com" in variants("an.n@acme.com")
    assert "ann@acme.com" not in variants("an.n@acme.com")
    assert "ann@gmail.com" in variants("a.nn+x@googlemail.com")
    assert canonical("a.nn+x@googlemail.com") == canonical("ann@gmail.com")
    assert canonical("a.nn@acme.com") != canonical("ann@acme.com")


def test_a_domain_holds_its_subdomains_but_no_look_alikes():
    assert in_domain("mail.acme.com", "acme.com")
    assert in_domain("acme.com", "acme.com")
    assert not in_domain("notacme.com", "acme.com")
    assert not in_domain("acme.com.evil.net", "acme.com")


@pytest.mark.parametrize(
    ("pattern", "hit", "miss"),
    [
        ("lawyer@firm.com", "lawyer+case@firm.com", "other@firm.com"),
        ("firm.com", "a@mail.firm.com", "a@notfirm.com"),
        ("@firm.com", "a@firm.com", "a@firm.org"),
        ("*@firm.com", "a@firm.com", "a@firm.org"),
        ("legal-*@firm.com", "legal-tr@firm.com", "sales@firm.com"),
        ("*.firm.com", "a@x.firm.com", "a@firm.net"),
    ],
)
def test_a_pattern_covers_what_an_admin_means(pattern: str, hit: str, miss: str):
    patterns = AddressPatterns([pattern])
    assert patterns.match(hit)
    assert not patterns.match(miss)


def test_an_empty_list_matches_nothing():
    assert not AddressPatterns([" ", ""])
    assert not AddressPatterns([]).match("a@b.com")


@given(st.text(max_size=200))
def test_no_text_makes_the_parser_raise_and_what_it_returns_is_normalised(value: str):
    for _, address in parse_list([value]):
        assert normalise(address) == address
        assert address == address.lower()


@given(st.text(max_size=120))
def test_normalising_twice_changes_nothing(value: str):
    once = normalise(value)
    if once is not None:
        assert normalise(once) == once
        assert canonical(canonical(once)) == canonical(once)


# Plain headers, and what may stand in one that only looks plain.
HOSTILE_PIECES = (
    " ", "  ", ",", ", ", "<", ">", "@", ".", "..", ":", ";", '"', "\\", "(", ")", "(x)", "[", "]", "'", "=", "+", "-",
    "\t", "\r\n ", "\x00", "\x7f", "\u00a0", "\u202e", "\ud83d", "=?utf-8?q?=C5=9E?=", "Ann", "Ayşe Yılmaz", "A. B",
    "ann@acme.com", "<ann@acme.com>", "ann@[10.0.0.1]", '"Doe, Jo" ', "team: ", "mailto:", "SRS0=HHH=TT=a.com=bob",
    "a" * 65, "x@" + "b" * 64 + ".com", "ann.@acme.com", ".ann@acme.com", "ANN@ACME.COM", "ann@acme", "a@b.com.",
    "bob+tag@acme-corp.co.uk", "münchen.de", "ann@münchen.de", "\u0130", "ß", "ann at acme.com",
)  # fmt: skip
plain_entries = st.builds(
    lambda name, address: f"{name}<{address}>" if name else address,
    st.sampled_from(["", "Ann ", "Ayşe Yılmaz ", '"Doe, Jo" ', "A. B. Smith ", "=?utf-8?q?=C5=9E?= ", "ann@x.com "]),
    st.sampled_from(
        ["ann@acme.com", "Bob.X+t@acme-corp.co.uk", "a@b.c", "_@-.-", "x" * 65 + "@a.com", "a@" + "b" * 64]
    ),
)
address_headers = st.one_of(
    st.lists(plain_entries, max_size=4).map(", ".join),
    st.lists(st.one_of(st.sampled_from(HOSTILE_PIECES), plain_entries), max_size=8).map("".join),
)


@settings(max_examples=150, deadline=None)
@given(address_headers)
def test_a_plain_header_says_the_same_however_it_is_read(header: str):
    value = addresses._unfolded(header)
    plain = addresses._plain_pairs(value)
    read = email.utils.getaddresses([value], **addresses._LENIENT)
    assert plain is None or plain == read


def test_the_usual_forms_are_read_as_plain():
    header = 'Ayşe Yılmaz <ayse@acme.com>, "Doe, Jo" <jo.doe+x@b.co.uk>,bob@c.com, =?utf-8?q?=C5=9E?= <s@d.com>'
    assert addresses._plain_pairs(header) == email.utils.getaddresses([header])


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.sampled_from(HOSTILE_PIECES), address_headers, st.emails()))
def test_a_plain_address_comes_to_the_same_by_either_way(written: str):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(addresses, "_PLAIN_ADDRESS", re.compile(r"(?!)"))
        slow = normalise(written)
    assert normalise(written) == slow
