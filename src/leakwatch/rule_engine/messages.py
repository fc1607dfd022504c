"""Fills a rule's sentences with a row's values, in English and Turkish.

`{amount}` is a value, `{amount:money}` an amount with the row's currency, `{as_of_date - close_date}` the days between
two dates, `{amount / reference}` one amount as a percentage of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import Any

from babel.dates import format_date

_PLACE = re.compile(r"\{\s*([a-z][a-z0-9_]*)\s*(?:([-/])\s*([a-z][a-z0-9_]*)\s*)?(?::\s*(money)\s*)?\}")
_SWAP_POINT_AND_COMMA = str.maketrans(",.", ".,")
_UNKNOWN = "–"
_MOST_PLACES = 4
_NEAR_WHOLE = Decimal("0.1")  # nearer to a whole percent than this: decimals are shown


@dataclass(frozen=True, slots=True)
class _Place:
    left: str
    sign: str | None
    right: str | None
    money: bool


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed sentence in one language."""

    parts: tuple[str | _Place, ...]
    turkish: bool

    def names(self) -> set[str]:
        """Return the names of the values that the sentence uses."""
        places = [part for part in self.parts if isinstance(part, _Place)]
        return {name for place in places for name in (place.left, place.right) if name}

    def fill(self, values: Mapping[str, Any], currency: str | None = None) -> str:
        """Return the sentence with `values` in it; what is not known reads `–`."""
        return "".join(
            part if isinstance(part, str) else _fill(part, values, currency, turkish=self.turkish)
            for part in self.parts
        )


def parse(sentence: str, *, turkish: bool) -> Template:
    """Return `sentence` as a template. Raises ValueError if a brace is not part of a placeholder."""
    parts: list[str | _Place] = []
    end = 0
    for match in _PLACE.finditer(sentence):
        parts.append(sentence[end : match.start()])
        parts.append(_Place(match[1], match[2], match[3], match[4] is not None))
        end = match.end()
    parts.append(sentence[end:])
    for part in parts:
        if isinstance(part, str) and ("{" in part or "}" in part):
            raise ValueError(
                f"can't read the placeholder in {sentence!r}; use {{name}}, {{name:money}}, {{a - b}}, {{a / b}}"
            )
    return Template(tuple(part for part in parts if part != ""), turkish)


def unknown_names(templates: Iterable[Template], known: Iterable[str]) -> list[str]:
    """Return the names that the templates use and `known` lacks, sorted."""
    allowed = set(known)
    return sorted({name for template in templates for name in template.names()} - allowed)


def _fill(place: _Place, values: Mapping[str, Any], currency: str | None, *, turkish: bool) -> str:
    left = values.get(place.left)
    if place.sign is None or place.right is None:
        return money(left, currency, turkish=turkish) if place.money else plain(left, turkish=turkish)
    right = values.get(place.right)
    if left is None or right is None:
        return _UNKNOWN
    if place.sign == "-":
        difference = left - right
        return str(difference.days) if isinstance(left, date) else plain(difference, turkish=turkish)
    if not right:
        return _UNKNOWN
    percent = plain(_percent(Decimal(left) * 100 / Decimal(right)), turkish=turkish)
    return f"%{percent}" if turkish else f"{percent}%"


def _percent(exact: Decimal) -> Decimal:
    """Round to a whole percent, unless that would say "50%" of what is a little under or over it."""
    whole = exact.to_integral_value(rounding=ROUND_HALF_UP)
    if exact == whole or abs(exact - whole) >= _NEAR_WHOLE:
        return whole
    for places in range(1, _MOST_PLACES):
        rounded = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
        if rounded != whole:
            return rounded
    return exact.quantize(Decimal(1).scaleb(-_MOST_PLACES), rounding=ROUND_DOWN if exact < whole else ROUND_UP)


def plain(value: Any, *, turkish: bool) -> str:
    """Return a value as people of the language write it: dates, grouped numbers without trailing zeros."""
    if value is None:
        return _UNKNOWN
    if isinstance(value, bool):
        return {True: ("yes", "evet"), False: ("no", "hayır")}[value][turkish]
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, date):
        return value.strftime("%d.%m.%Y") if turkish else format_date(value, "d MMM y", locale="en_GB")
    if isinstance(value, Decimal):
        text = f"{value:,f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return text.translate(_SWAP_POINT_AND_COMMA) if turkish else text
    if isinstance(value, int):
        return f"{value:,}".translate(_SWAP_POINT_AND_COMMA) if turkish else f"{value:,}"
    return str(value)


def money(value: Any, currency: str | None, *, turkish: bool) -> str:
    """Return an amount with at most two decimals and its currency, where that is known."""
    if value is None:
        return _UNKNOWN
    text = plain(Decimal(value).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP), turkish=turkish)
    if turkish and currency == "TRY":
        return f"₺{text}"
    return f"{text} {currency}" if currency else text
