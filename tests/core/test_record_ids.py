"""The two forms of Salesforce ids."""

from __future__ import annotations

import pytest

from leakwatch.core.record_ids import long_id, org_address


@pytest.mark.parametrize(
    ("short", "long"),
    [
        # Worked by hand: per group of five, the first letter counts 1, the second 2 ... the fifth 16; A-Z then 0-5.
        ("001000000000000", "001000000000000AAA"),  # no capitals at all
        ("00D000000000001", "00D000000000001EAA"),  # D is third of the first group: 4 = E
        ("0060000000ABCDE", "0060000000ABCDEAA5"),  # all five of the last group: 31 = 5
        ("A0000B0000C0000", "A0000B0000C0000BBB"),  # the first of each group: 1 = B
    ],
)
def test_a_short_id_gets_the_suffix_that_says_which_letters_are_capitals(short: str, long: str) -> None:
    assert long_id(short) == long


@pytest.mark.parametrize("other", ["", "001000000000000AAA", "late", "00Q-00000000001"])
def test_what_is_no_short_id_stays_as_it_is(other: str) -> None:
    assert long_id(other) == other


@pytest.mark.parametrize(
    "text",
    [
        "https://Acme.lightning.force.com", "https://acme.lightning.force.com/", " https://acme.lightning.force.com ",
        "https://acme.lightning.force.com/lightning/page/home?x=1",
    ],
)  # fmt: skip
def test_an_address_copied_from_the_browser_is_cut_to_the_org(text: str) -> None:
    assert org_address(text) == "https://acme.lightning.force.com"


@pytest.mark.parametrize(
    "text",
    ["acme.lightning.force.com", "http://acme.lightning.force.com", "https://", "https://user@acme.com", "https://a b"],
)
def test_what_is_no_https_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="https address"):
        org_address(text)
