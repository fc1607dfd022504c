"""Dates, numbers and money: one way a language, whoever writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from leakwatch.core import formats


@pytest.mark.parametrize(
    ("amount", "currency", "english", "turkish"),
    [
        ("1254.5", "TRY", "₺1,254.50", "₺1.254,50"),
        ("1234567.5", "TRY", "₺1,234,567.50", "₺1.234.567,50"),
        ("-0.004", "EUR", "€0.00", "€0,00"),
        ("-1234.5", "EUR", "−€1,234.50", "−€1.234,50"),
        ("2.005", "USD", "$2.01", "$2,01"),
        ("1234", "JPY", "¥1,234", "¥1.234"),
        ("5", "CHF", "CHF\u00a05.00", "CHF\u00a05,00"),
        ("5", None, "5.00", "5,00"),
        ("1" * 18 + ".50", None, ",".join(["111"] * 6) + ".50", ".".join(["111"] * 6) + ",50"),
    ],
)
def test_an_amount_has_its_currency_and_that_currencys_decimals(
    amount: str, currency: str | None, english: str, turkish: str
) -> None:
    assert formats.money(Decimal(amount), currency, "en") == english
    assert formats.money(Decimal(amount), currency, "tr") == turkish


def test_a_day_has_the_months_name_in_english_and_points_in_turkish() -> None:
    assert formats.day(date(2017, 12, 31), "en") == "31 Dec 2017"
    assert formats.day(date(2017, 12, 31), "tr") == "31.12.2017"
    assert formats.day(date(2026, 3, 1), "tr") == "01.03.2026"


def test_a_moment_is_told_in_the_orgs_zone() -> None:
    late = datetime(2026, 3, 31, 21, 30, tzinfo=UTC)
    assert formats.moment(late, ZoneInfo("Europe/Istanbul"), "tr") == "01.04.2026 00:30"
    assert formats.moment(late, ZoneInfo("Europe/Istanbul"), "en") == "1 Apr 2026 00:30"


def test_a_number_keeps_its_decimals_and_loses_closing_zeros() -> None:
    assert formats.number(Decimal("1234.500000"), "tr") == "1.234,5"
    assert formats.number(Decimal("2469.000000"), "en") == "2,469"
    assert formats.number(1_000_000, "tr") == "1.000.000"
