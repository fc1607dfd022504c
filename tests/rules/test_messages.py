"""Sentences of findings in English and Turkish."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from leakwatch.rule_engine.messages import parse

VALUES: dict[str, Any] = {
    "amount": Decimal("1234.50"),
    "reference": Decimal("2469.000000"),
    "none": None,
    "zero": Decimal(0),
    "count": 12345,
    "as_of_date": date(2026, 3, 31),
    "close_date": date(2026, 3, 16),
    "yesterday": date(2026, 3, 30),
    "low": Decimal("0.50"),
    "high": Decimal("1.255"),
    "name": "Şirket {x}",
    "flag": True,
}


@pytest.mark.parametrize(
    ("sentence", "currency", "english", "turkish"),
    [
        ("{amount}", None, "1,234.5", "1.234,5"),
        ("{amount:money}", "EUR", "€1,234.50", "€1.234,50"),
        ("{amount:money}", "TRY", "₺1,234.50", "₺1.234,50"),
        ("{amount:money}", None, "1,234.50", "1.234,50"),
        ("{reference}", None, "2,469", "2.469"),
        ("{count}", None, "12,345", "12.345"),
        ("{close_date}", None, "16 Mar 2026", "16.03.2026"),
        ("{as_of_date - close_date}", None, "15", "15"),
        ("{as_of_date - close_date:days}", None, "15 days", "15 gün"),
        ("{as_of_date - yesterday:days}", None, "1 day", "1 gün"),
        ("{count:days}", None, "12,345 days", "12.345 gün"),
        ("{low:percent} {high:percent}", None, "50% 125.5%", "%50 %125,5"),
        ("{amount / reference}", None, "50%", "%50"),
        ("{amount / zero}", None, "–", "–"),
        ("{amount / none}", None, "–", "–"),
        ("{none:money} {none}", "EUR", "– –", "– –"),
        ("{zero:money}", "JPY", "¥0", "¥0"),
        ("{name}", None, "Şirket {x}", "Şirket {x}"),
        ("{flag}", None, "yes", "evet"),
        ("plain", None, "plain", "plain"),
    ],
)
def test_values_read_as_people_of_each_language_write_them(
    sentence: str, currency: str | None, english: str, turkish: str
) -> None:
    assert parse(sentence, turkish=False).fill(VALUES, currency) == english
    assert parse(sentence, turkish=True).fill(VALUES, currency) == turkish


@pytest.mark.parametrize("sentence", ["{amount", "amount}", "{a.b}", "{amount + 1}", "{0}", "{amount!r}", "{}"])
def test_a_placeholder_that_cannot_be_read_is_refused(sentence: str) -> None:
    with pytest.raises(ValueError, match="placeholder"):
        parse(sentence, turkish=False)


def test_the_names_a_sentence_uses_are_known() -> None:
    assert parse("{a - b} of {c:money} and {a / d}", turkish=False).names() == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("500", "50%"),
        ("499.99", "49.999%"),
        ("499.9999", "49.9999%"),
        ("1250.01", "125.001%"),
        ("1254.5", "125.45%"),
        ("333.333", "33.33%"),
    ],
)
def test_a_share_just_beside_a_whole_percent_is_never_rounded_onto_it(amount, shown):
    template = parse("{amount / reference}", turkish=False)
    assert template.fill({"amount": Decimal(amount), "reference": Decimal(1000)}) == shown
