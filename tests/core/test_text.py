"""One cleaning function at the edge."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from leakwatch.core import text
from leakwatch.core.text import clean_line, cut, fold


def test_controls_surrogates_and_direction_overrides_are_removed():
    assert clean_line("a\x00b\x1b[31m\ud83d c\u202e\ufeff\r\n d\u2028e") == "ab[31m c d e"


def test_nothing_that_a_line_is_cleaned_of_counts_as_printable():
    printable = "".join(one for one in map(chr, range(0x110000)) if one.isprintable() and one != " ")
    assert text._UNWANTED.search(printable) is None
    assert text._BLANKS.search(printable) is None


@given(st.lists(st.one_of(st.sampled_from([" ", "  ", "\t", "\u00a0", "\x00", "ş", "a b"]), st.text(max_size=3))))
def test_a_clean_line_is_left_as_it_is_and_another_is_cleaned(parts: list[str]):
    line = "".join(parts)
    assert clean_line(line) == text._BLANKS.sub(" ", text._UNWANTED.sub("", line)).strip()


def test_a_cut_falls_between_characters_and_is_marked():
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "abcde…"
    assert cut("😀😀😀", 5) == "😀😀…"
    assert cut("😀😀", 4) == "😀😀"


def test_turkish_capitals_compare_equal_to_their_small_letters():
    assert fold("[GİZLİ]") == fold("[Gizli]") == fold("[GIZLI]") == fold("[gızlı]")


@given(st.text(alphabet=st.characters(), max_size=200))
def test_a_cleaned_line_can_always_be_stored_as_json(value: str):
    assert orjson.loads(orjson.dumps(clean_line(value))) == clean_line(value)


@given(st.text(max_size=60), st.integers(2, 40))
def test_a_cut_is_never_longer_than_asked_in_utf16(value: str, length: int):
    assert len(cut(value, length).encode("utf-16-le", "surrogatepass")) // 2 <= length
