"""What is searched for in a first reading, and how the searches are cut."""

from __future__ import annotations

from urllib.parse import quote_plus

from hypothesis import given, settings
from hypothesis import strategies as st

from leakwatch.core.backfill_search import MAX_QUERY, digest, known_terms, place, read_place, searches

BASE = "after:1780000000 -in:chats -in:drafts -in:spam -in:trash"


def test_companies_are_searched_by_domain_people_at_free_mail_by_address_and_our_own_not_at_all() -> None:
    addresses = [
        "Eve@Mail.Acme.co.uk",
        "zoe@gmail.com",
        "bob@ourco.com",
        "x@hr.ourco.com",
        "no address",
        "",
        "i@hub.io",
    ]
    found = known_terms(addresses, ["beta.com", "", "nonsense", "ourco.com"], shared=("hub.io",), own=("ourco.com",))
    assert found == ("acme.co.uk", "beta.com", "i@hub.io", "mail.acme.co.uk", "zoe@gmail.com")


def test_a_search_finds_mail_from_to_or_with_copy_to_any_of_them() -> None:
    assert searches(BASE, ["a.com", "z@b.com"]) == [
        f"{{from:a.com to:a.com cc:a.com from:z@b.com to:z@b.com cc:z@b.com}} {BASE}"
    ]
    assert searches(BASE, []) == []


def test_what_has_a_meaning_in_gmails_language_is_quoted() -> None:
    assert searches("", ["o'neil{x}@gmail.com"])[0].startswith('{from:"o\'neil{x}@gmail.com" to:')


TERM = st.text("abcxyz", min_size=1, max_size=60).map(lambda name: f"{name}.com.tr") | st.just("ç" * 40)
TERMS = st.lists(TERM, max_size=150, unique=True)


@given(TERMS)
@settings(max_examples=20)
def test_each_term_is_in_one_search_and_none_is_longer_than_fits(terms: list[str]) -> None:
    found = searches(BASE, terms)
    assert all(len(quote_plus(one)) <= MAX_QUERY for one in found)
    together = " ".join(found)
    for term in terms:
        assert together.count(f" to:{term} ") + together.count(f' to:"{term}" ') == 1


@given(st.integers(0, 999), st.text(max_size=20))
def test_a_place_is_read_as_it_was_written_and_begins_anew_in_another_list(index: int, token: str) -> None:
    one, other = digest(["a.com"]), digest(["a.com", "b.com"])
    assert read_place(place(one, index, token), one) == (index, token or None)
    assert read_place(place(one, index, token), other) == (0, None)


def test_a_place_of_a_reading_of_all_mail_is_none_of_a_search() -> None:
    assert read_place("12345", digest(["a.com"])) == (0, None)
    assert read_place(None, digest(["a.com"])) == (0, None)
