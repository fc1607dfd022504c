"""Words, numbers, money and dates in a report's language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from babel.dates import format_interval

from leakwatch.core import formats
from leakwatch.core.collation import SortKey, sort_key
from leakwatch.report.hostile import clean


class Words:
    """One language: `en` or `tr`, with times in `time_zone`."""

    def __init__(self, language: str, time_zone: str = "UTC") -> None:
        self.language = "tr" if language == "tr" else "en"
        self.locale = formats.locale(self.language)
        self.zone = ZoneInfo(time_zone)
        self._words = _load(self.language)

    def __call__(self, key: str, **values: Any) -> str:
        """Return the phrase `key`, its placeholders filled. With `n`, the plural form that fits; `n` is formatted.

        Raises:
            KeyError: there is no such phrase (a fault in a template; tests hold every key).
        """
        phrase = self._words[key]
        if isinstance(phrase, Mapping):
            form = self.locale.plural_form(Decimal(values["n"]))
            phrase = phrase.get(form, phrase["other"])
        if "n" in values:
            values["n"] = self.number(values["n"])
        return str(phrase).format(**values)

    def known(self, prefix: str, code: str) -> str:
        """Return the phrase for a code, or the code itself where nobody has put it into words."""
        return str(self._words.get(f"{prefix}.{code}", code))

    def text(self, both: Mapping[str, str]) -> str:
        """Return a two-language text of the result in this language, cleaned."""
        return clean(both[self.language] or both["en"])

    def sort_key(self, name: str) -> SortKey:
        """Return the key that sorts names as readers of this language expect."""
        return sort_key(name, self.language)

    def number(self, value: int | Decimal | str) -> str:
        """Return a number with its separators: 1.234,5 in Turkish."""
        return formats.number(value, self.language)

    def percent(self, value: Decimal) -> str:
        """Return a share of one as percent, at most one decimal: 12.5%, in Turkish %12,5."""
        return formats.percent(value, self.language)

    def money(self, amount: str | Decimal, currency: str | None, *, whole: bool = False, signed: bool = False) -> str:
        """Return an amount with its currency: ₺1.234.567,50. `whole` drops the cents, `signed` shows a plus."""
        return formats.money(amount, currency, self.language, whole=whole, signed=signed)

    def compact(self, amount: Decimal, currency: str | None) -> str:
        """Return a short amount for a chart's axis: €1.2M, in Turkish ₺1,2 Mn."""
        return formats.compact(amount, currency, self.language)

    def day(self, value: str | date) -> str:
        """Return a day: 22 Nov 2026, in Turkish 22.11.2026."""
        return formats.day(_day(value), self.language)

    def short_day(self, value: str | date) -> str:
        """Return a day without its year: 22 Nov, in Turkish 22.11."""
        return formats.short_day(_day(value), self.language)

    def days(self, start: str, end: str) -> str:
        """Return a span of days: 16–22 Nov 2026, in Turkish 16.11.2026–22.11.2026."""
        if self.language == "tr":
            return f"{self.day(start)}–{self.day(end)}"
        return str(format_interval(_day(start), _day(end), "yMMMd", locale=self.locale))

    def moment(self, value: str) -> str:
        """Return a UTC moment of the result as local date and time: 22 Nov 2026 18:00."""
        return formats.moment(datetime.fromisoformat(value), self.zone, self.language)

    def local_day(self, value: str) -> date:
        """Return the org's local day of a UTC moment of the result."""
        return datetime.fromisoformat(value).astimezone(self.zone).date()

    def evidence(self, value: Any, kind: str) -> str:
        """Return one shown column in words; `kind` is its type from `rules[].evidence_types`."""
        if value is None:
            return self("value.empty")
        if isinstance(value, bool):
            return self("value.true" if value else "value.false")
        if kind in ("decimal", "integer"):
            return self.number(value)
        if kind == "date":
            return self.day(value)
        if kind == "datetime":
            return self.moment(value) if value.endswith("Z") else clean(value.replace("T", " "))
        return clean(str(value))

    def sobject(self, name: str) -> str:
        """Return an object's or mirror table's name as people say it: Opportunity, Fırsat."""
        plain = name.removeprefix("sf_").replace("_", "").lower()
        return str(self._words.get(f"object.{plain}", name))


def _day(value: str | date) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value


@cache
def _load(language: str) -> Mapping[str, Any]:
    source = files("leakwatch.report").joinpath("locales", f"{language}.yaml").read_text(encoding="utf-8")
    words: Mapping[str, Any] = yaml.safe_load(source)
    return words
