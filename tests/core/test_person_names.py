"""First and last names from what mails show."""

from __future__ import annotations

import pytest

from leakwatch.core.person_names import MAX_FIRST, MAX_LAST, person_name


@pytest.mark.parametrize(
    ("shown", "first", "last"),
    [
        ("Ayşe Işık", "Ayşe", "Işık"),
        ("IŞIK, Ayşe", "Ayşe", "IŞIK"),
        ("IŞIK Ayşe Nur", "Ayşe Nur", "IŞIK"),
        ("Ayşe Nur IŞIK (Acme)", "Ayşe Nur", "IŞIK"),
        ("AYŞE IŞIK", "AYŞE", "IŞIK"),
        ("Dr. Ayşe Işık Hanım", "Ayşe", "Işık"),
        ("Sn. Ali Öz | Acme A.Ş.", "Ali", "Öz"),
        ("'Ayşe Işık' via Satış", "Ayşe", "Işık"),
        ("Jan van der Berg", "Jan", "van der Berg"),
        ("Smith-Jones, J. R.", "J. R.", "Smith-Jones"),
        ("Sean O'Brien", "Sean", "O'Brien"),
        ("Ali Yýldýrým", "Ali", "Yıldırım"),
        ("ÅžiÅŸli Ali", "Şişli", "Ali"),
    ],
)
def test_a_display_name_is_parted_as_people_write_names(shown: str, first: str, last: str) -> None:
    assert person_name(shown, "x@acme.com") == (first, last)


@pytest.mark.parametrize(
    ("shown", "address", "name"),
    [
        ("", "ayse.isik85@acme.com", ("Ayse", "Isik")),
        ("ayse@acme.com", "ayse_nur-isik@acme.com", ("Ayse Nur", "Isik")),
        ("Acme 24", "ali.veli+crm@acme.com", ("Ali", "Veli")),
        ("Ayşe", "aisik@acme.com", ("", "aisik")),
        ("", "12.34@acme.com", ("", "12.34")),
    ],
)
def test_where_no_name_is_shown_the_address_has_to_do(shown: str, address: str, name: tuple[str, str]) -> None:
    assert person_name(shown, address) == name


@pytest.mark.parametrize(
    "shown", ["A" * 500, "İ" * 50 + " " + "ş" * 200, "\u202egnp.exe\u202c x", "( ( (", ",,,", "- - -", "\x00"]
)
def test_whatever_is_shown_there_is_a_last_name_of_a_length_that_salesforce_takes(shown: str) -> None:
    first, last = person_name(shown, f"{'x' * 64}@acme.com")
    assert 0 < len(last) <= MAX_LAST
    assert len(first) <= MAX_FIRST
