"""The order of names: Turkish by its alphabet, anything else by plain Latin."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from leakwatch.core.collation import TURKISH_ALPHABET, sort_key, turkish_key


def turkish(*names: str) -> list[str]:
    shuffled = list(names)
    random.Random(1).shuffle(shuffled)
    return sorted(shuffled, key=turkish_key)


def test_turkish_letters_sort_in_their_own_places() -> None:
    names = ["Cem", "Çetin", "Dede", "Gül", "Ğ", "Hale", "Irmak", "İnci", "Jale", "Oya", "Ömer", "Pelin", "Su", "Şule",
             "Tan", "Umut", "Ümit", "Veli"]  # fmt: skip
    assert turkish(*names) == names


def test_every_letter_of_the_alphabet_sorts_after_the_one_before() -> None:
    assert turkish(*TURKISH_ALPHABET) == list(TURKISH_ALPHABET)


def test_dotted_and_dotless_i_when_capital_are_different_letters() -> None:
    assert turkish("İzmir", "Isparta", "ırmak", "iğne") == ["ırmak", "Isparta", "iğne", "İzmir"]


def test_case_when_names_are_otherwise_equal_decides_alone() -> None:
    assert turkish("AYŞE", "ayşe", "AYŞEN", "ayşen") == ["ayşe", "AYŞE", "ayşen", "AYŞEN"]


def test_a_dotted_i_written_with_a_combining_dot_is_the_same_letter() -> None:
    assert turkish_key("i\u0307zmir")[0] == turkish_key("İzmir")[0] == turkish_key("izmir")[0]


def test_decomposed_letters_sort_as_composed_ones() -> None:
    assert turkish_key("s\u0327ule")[0] == turkish_key("şule")[0]


def test_foreign_letters_sort_beside_their_plain_ones_and_accents_only_break_ties() -> None:
    names = ["Adem", "Âdem", "Ångström", "Elan", "Élan", "Elanor", "Lodz", "Łódź", "Strasse", "Straße", "Zoe"]
    assert turkish(*names) == names


def test_spaces_punctuation_and_digits_come_before_letters_and_other_scripts_after() -> None:
    assert turkish("Ada", "3M", "Мир", "- dash", " lead", "Ω") == [" lead", "- dash", "3M", "Ada", "Ω", "Мир"]


def test_a_shorter_name_sorts_before_its_continuation() -> None:
    assert turkish("Ali Veli", "Ali", "Alim") == ["Ali", "Ali Veli", "Alim"]


def test_english_order_treats_turkish_letters_as_accented_ones() -> None:
    assert sorted(["Zed", "Çetin", "Cem", "Dan"], key=lambda name: sort_key(name, "en")) == [
        "Cem",
        "Çetin",
        "Dan",
        "Zed",
    ]
    assert sorted(["Izmir", "İnci", "ılgaz"], key=lambda name: sort_key(name, "en")) == ["ılgaz", "İnci", "Izmir"]


@given(st.lists(st.text(max_size=6), max_size=8), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_how_the_names_came(names: list[str], chance: random.Random) -> None:
    mixed = names[:]
    chance.shuffle(mixed)
    assert sorted(mixed, key=turkish_key) == sorted(names, key=turkish_key)


@given(st.text(max_size=6), st.text(max_size=6))
def test_two_different_names_never_share_a_key(one: str, other: str) -> None:
    assert (turkish_key(one) == turkish_key(other)) == (one == other)
