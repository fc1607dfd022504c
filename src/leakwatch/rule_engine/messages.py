"""Fills a rule's sentences with a row's values, in English and Turkish, dates and money as `core.formats` writes them.

`{amount}` is a value, `{amount:money}` an amount with the row's currency, `{low:percent}` a share of one as percent,
`{as_of_date - close_date}` the days between two dates, `{as_of_date - close_date:days}` with their word ("1 day"),
`{amount / reference}` one amount as a percentage of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from leakwatch.core import formats

_PLACE = re.compile(r"\{\s*([a-z][a-z0-9_]*)\s*(?:([-/])\s*([a-z][a-z0-9_]*)\s*)?(?::\s*(money|percent|days)\s*)?\}")


@dataclass(frozen=True, slots=True)
class _Place:
    left: str
    sign: str | None
    right: str | None
    form: str | None  # money | percent | days


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


Sentence = tuple[Template, Template]  # English, Turkish


def parse(sentence: str, *, turkish: bool) -> Template:
    """Return `sentence` as a template. Raises ValueError if a brace is not part of a placeholder."""
    parts: list[str | _Place] = []
    end = 0
    for match in _PLACE.finditer(sentence):
        parts.append(sentence[end : match.start()])
        parts.append(_Place(match[1], match[2], match[3], match[4]))
        end = match.end()
    parts.append(sentence[end:])
    for part in parts:
        if isinstance(part, str) and ("{" in part or "}" in part):
            raise ValueError(
                f"can't read the placeholder in {sentence!r}; use {{name}}, {{name:money}}, {{name:percent}}, "
                "{name:days}, {a - b}, {a - b:days}, {a / b}"
            )
    return Template(tuple(part for part in parts if part != ""), turkish)


def unknown_names(templates: Iterable[Template], known: Iterable[str]) -> list[str]:
    """Return the names that the templates use and `known` lacks, sorted."""
    allowed = set(known)
    return sorted({name for template in templates for name in template.names()} - allowed)


def _fill(place: _Place, values: Mapping[str, Any], currency: str | None, *, turkish: bool) -> str:
    language = "tr" if turkish else "en"
    value = values.get(place.left)
    if place.sign is not None and place.right is not None:
        right = values.get(place.right)
        if value is None or right is None:
            return formats.UNKNOWN
        if place.sign == "/":
            return formats.ratio(Decimal(value), Decimal(right), language) if right else formats.UNKNOWN
        value = value - right if not isinstance(value, date) else (value - right).days
    if value is None:
        return formats.UNKNOWN
    match place.form:
        case "money":
            return formats.money(Decimal(value), currency, language)
        case "percent":
            return formats.ratio(Decimal(value), Decimal(1), language)
        case "days":
            return days(int(value), turkish=turkish)
        case _:
            return plain(value, turkish=turkish)


def days(count: int, *, turkish: bool) -> str:
    """Return a number of days with its word: 1 day, 1,234 days, 15 gün."""
    figure = plain(count, turkish=turkish)
    return f"{figure} gün" if turkish else f"{figure} day{'' if abs(count) == 1 else 's'}"


def plain(value: Any, *, turkish: bool) -> str:
    """Return a value as people of the language write it: dates, grouped numbers without closing zeros."""
    if value is None:
        return formats.UNKNOWN
    if isinstance(value, bool):
        return {True: ("yes", "evet"), False: ("no", "hayır")}[value][turkish]
    if isinstance(value, date):
        return formats.day(value, "tr" if turkish else "en")
    if isinstance(value, Decimal | int):
        return formats.number(value, "tr" if turkish else "en")
    return str(value)
