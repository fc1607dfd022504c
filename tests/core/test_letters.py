"""What may be meant by mangled letters: proposed, and matched by nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakwatch.core.addresses import normalise, variants
from leakwatch.core.letters import company_key, mended, plain_address

TURKISH = "abcçdefgğhıijklmnoöprsştuüvyzABCÇDEFGĞHIİJKLMNOÖPRSŞTUÜVYZ "


@pytest.mark.parametrize(
    ("seen", "meant"),
    [
        ("Yýldýrým", "Yıldırım"),
        ("Þirket", "Şirket"),
        ("Ayþe Ðöðüþ ÝPEK", "Ayşe Ğöğüş İPEK"),
        ("ÅžiÅŸli", "Şişli"),
        ("YÄ±ldÄ±z", "Yıldız"),
        ("Ã‡ağ", None),
    ],
)
def test_turkish_read_in_the_wrong_character_set_is_recognised(seen: str, meant: str | None):
    assert mended(seen) == meant


@pytest.mark.parametrize("name", ["Yıldırım", "Şişli", "Özgür", "Guðrún Þórsdóttir", "José", "Ann", "Ångström", ""])
def test_what_is_right_as_it_is_is_left_alone(name: str):
    assert mended(name) is None


@given(st.text(alphabet=TURKISH, max_size=20))
def test_every_turkish_text_is_brought_back(text: str):
    mangled = text.encode("cp1254").decode("latin-1")
    assert (mended(mangled) or mangled) == text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("yıldırım@acme.com", "yildirim@acme.com"),
        ("ayşe.öz@şişli.com", "ayse.oz@sisli.com"),
        ("ayþe@acme.com", "ayse@acme.com"),
        ("ann@acme.com", None),
    ],
)
def test_letters_of_no_address_are_proposed_in_plain(written: str, meant: str | None):
    assert plain_address(written) == meant


def test_addresses_that_only_look_alike_are_never_one():
    assert normalise("sınan@acme.com") != normalise("sinan@acme.com")
    assert "sinan@acme.com" not in variants("sınan@acme.com")
    assert "sınan@acme.com" not in variants("sinan@acme.com")


@pytest.mark.parametrize(
    "name",
    [
        "Yıldırım Makina San. ve Tic. A.Ş.",
        "YILDIRIM MAKİNA LTD. ŞTİ.",
        "Yıldırım Makina Sanayi ve Ticaret Limited Şirketi",
        "Yildirim Makina Anonim Şirketi",
        "Yýldýrým Makina A.Þ.",
        "Yıldırım Makina GmbH",
    ],
)
def test_a_companys_legal_form_is_no_part_of_its_name(name: str):
    assert company_key(name) == "yildirimmakina"


@pytest.mark.parametrize("name", ["A.Ş.", "Ltd. Şti.", "Sanayi", "Kaş Otel", "Asya Nakliyat"])
def test_a_name_that_is_only_a_legal_form_or_ends_like_one_keeps_something(name: str):
    assert company_key(name)
    assert company_key("Kaş Otel") == "kasotel"
