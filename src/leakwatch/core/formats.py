"""How dates, numbers and money are written: one way a language, in findings, Tasks, posts and reports alike.

English: 22 Nov 2026, 1,234,567.50, €1,234.50. Turkish: 22.11.2026, 1.234.567,50, ₺1.234,50. A day with the month's name
is read the same way everywhere, 11/22 is not; Turkish readers expect the numbers with points.
"""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_compact_decimal, format_decimal, format_percent, get_currency_precision

from leakwatch.core.text import clean_line

NO_CURRENCY = "XXX"  # ISO 4217: "no currency involved"; for amounts whose org never said
UNKNOWN = "–"

_SYMBOLS = {"TRY": "₺", "EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}  # unambiguous enough; others keep their code
_LOCALES = {"en": Locale.parse("en_GB"), "tr": Locale.parse("tr_TR")}
_DAY = {"en": "d MMM y", "tr": "dd.MM.y"}
_SHORT_DAY = {"en": "d MMM", "tr": "dd.MM"}
_MINUS = "\N{MINUS SIGN}"
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
_PLACES_OF_PERCENT = 2
_MOST_PLACES_OF_PERCENT = 4


def locale(language: str) -> Locale:
    """Return the locale of `tr`, or the English one for anything else."""
    return _LOCALES["tr" if language == "tr" else "en"]


def number(value: int | Decimal | str, language: str) -> str:
    """Return a number with its separators and all its decimals but closing zeros: 1,234.5."""
    exact = Decimal(value)
    short = exact.to_integral_value() if exact == exact.to_integral_value() else exact.normalize()
    return format_decimal(short, locale=locale(language), decimal_quantization=False)


def money(
    amount: Decimal | str, currency: str | None, language: str, *, whole: bool = False, signed: bool = False
) -> str:
    """Return an amount with its currency and that currency's decimals: ₺1.234.567,50. No currency: two decimals.

    `whole` drops the decimals, `signed` shows a plus.
    """
    digits = 0 if whole else 2 if currency in (None, NO_CURRENCY) else get_currency_precision(currency)
    value = Decimal(amount).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    figure = format_decimal(value.copy_abs(), format=pattern, locale=locale(language))
    return _sign(value, signed=signed) + _prefix(currency) + figure


def compact(amount: Decimal, currency: str | None, language: str) -> str:
    """Return a short amount for a chart's axis: €1.2M, in Turkish ₺1,2 Mn."""
    figure = format_compact_decimal(abs(amount), locale=locale(language), fraction_digits=1)
    return _sign(amount) + _prefix(currency) + figure


def percent(share: Decimal, language: str, *, places: int = 1) -> str:
    """Return a share of one as percent with at most `places` decimals: 12.5%, in Turkish %12,5."""
    exact = share * 100
    rounded = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    return format_percent(rounded / 100, locale=locale(language), decimal_quantization=False)


def ratio(part: Decimal, whole: Decimal, language: str) -> str:
    """Return `part` of `whole` as percent with two decimals, more where fewer would round it onto a whole percent.

    Limits are set in whole percents nearly always: what is just beside one must not read as if it were on it.
    """
    exact = part * 100 / whole
    places = _PLACES_OF_PERCENT
    rounded = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    while rounded != exact and rounded == rounded.to_integral_value() and places < _MOST_PLACES_OF_PERCENT:
        places += 1
        rounded = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    if rounded != exact and rounded == rounded.to_integral_value():
        rounded = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_DOWN if exact < rounded else ROUND_UP)
    return format_percent(rounded / 100, locale=locale(language), decimal_quantization=False)


def day(value: date, language: str) -> str:
    """Return a day: 22 Nov 2026, in Turkish 22.11.2026. A datetime counts as the day it says, in whatever zone."""
    return format_date(value, _DAY["tr" if language == "tr" else "en"], locale=locale(language))


def short_day(value: date, language: str) -> str:
    """Return a day without its year: 22 Nov, in Turkish 22.11."""
    return format_date(value, _SHORT_DAY["tr" if language == "tr" else "en"], locale=locale(language))


def moment(value: datetime, zone: tzinfo, language: str) -> str:
    """Return an aware datetime as date and time in `zone`: 22 Nov 2026 18:00."""
    pattern = f"{_DAY['tr' if language == 'tr' else 'en']} HH:mm"
    return format_datetime(value, pattern, tzinfo=zone, locale=locale(language))


def _sign(value: Decimal, *, signed: bool = False) -> str:
    if value < 0:
        return _MINUS
    return "+" if signed and value > 0 else ""


def _prefix(currency: str | None) -> str:
    if currency is None or currency == NO_CURRENCY:
        return ""
    return _SYMBOLS.get(currency, f"{clean_line(currency)}{_NO_BREAK_SPACE}")
