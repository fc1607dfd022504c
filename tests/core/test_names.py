"""Comparing and folding names and labels, English and Turkish."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakwatch.core.names import fold, label_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Kaybedildi", "KAYBEDİLDİ"),
        ("Askıya Alındı", "ASKIYA ALINDI"),
        ("İptal", "iptal"),
        ("Closed Lost", "CLOSED LOST"),
        ("Vazgeçildi", unicodedata.normalize("NFD", "Vazgeçildi")),
        ("İptal", unicodedata.normalize("NFD", "İPTAL")),
        ("On Hold", "  on\u00a0hold "),
    ],
)
def test_labels_are_equal_whatever_their_case_kind_of_i_composition_and_spaces(one: str, other: str) -> None:
    assert label_key(one) == label_key(other)


@pytest.mark.parametrize(("one", "other"), [("Açık", "Acik"), ("Closed Won", "Closed Lost"), ("Şirket", "Sirket")])
def test_labels_with_other_letters_stay_different(one: str, other: str) -> None:
    assert label_key(one) != label_key(other)


@pytest.mark.parametrize("name", ["Uğur Özmen", "UĞUR ÖZMEN", "ugur ozmen", "Ugur  Özmen", "uğur-özmen"])
def test_folding_brings_every_spelling_of_a_name_together(name: str) -> None:
    assert fold(name) == "ugur ozmen"


@pytest.mark.parametrize(
    ("name", "folded"),
    [("Şişli A.Ş.", "sisli a s"), ("IŞIK", "isik"), ("Straße", "strasse"), ("Łódź", "lodz"), ("...", "")],
)
def test_folding_leaves_only_ascii_letters_digits_and_single_spaces(name: str, folded: str) -> None:
    assert fold(name) == folded


@given(st.text())
def test_folding_and_label_keys_are_stable_when_applied_twice(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert label_key(label_key(text)) == label_key(text)


@given(st.text())
def test_folding_gives_bare_ascii_for_any_text(text: str) -> None:
    folded = fold(text)
    assert folded.isascii()
    assert folded == folded.strip()
    assert all(char.isalnum() or char == " " for char in folded)
