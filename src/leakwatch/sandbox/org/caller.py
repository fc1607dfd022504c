"""Who acts on the org: the user, the connected app, the API version, and what hangs on the user's own settings.

Relative dates, days of activities, weekdays and currencies follow the *user's* time zone and locale
(SOQL reference, "Date Formats and Date Literals"); only the fiscal year is the org's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leakwatch.sandbox.org.settings import OrgSettings

DEFAULT_VERSION = "66.0"
_SUNDAY_FIRST = ("en_US", "en_CA", "ja", "pt_BR", "he", "ko", "zh_TW")
_SUNDAY, _MONDAY = 6, 0


@dataclass(frozen=True, slots=True)
class Caller:
    """A user with an app at an API version."""

    user_id: str
    zone: ZoneInfo
    locale: str
    language: str
    currency: str
    """The user's own currency; the org's where there are not several."""
    fiscal_month: int
    """The month (1 to 12) in which the org's fiscal year begins."""
    app: str = ""
    """The consumer key of the connected app; empty for what acts inside the sandbox."""
    version: str = DEFAULT_VERSION
    save_duplicates: bool = False
    """Whether the write goes through although a duplicate rule that may be overridden finds something."""
    show_duplicates: bool = False
    """Whether the duplicates are shown whole."""

    @property
    def first_weekday(self) -> int:
        """The day weeks begin on in the user's locale: 6 for Sunday, 0 for Monday."""
        return _SUNDAY if self.locale.startswith(_SUNDAY_FIRST) else _MONDAY


def caller_of(user_id: str, user: Mapping[str, Any] | None, settings: OrgSettings) -> Caller:
    """The caller that a row of User stands for; what the row leaves open is the org's."""
    known = user or {}
    return Caller(
        user_id=user_id,
        zone=_zone(known.get("TimeZoneSidKey"), settings.time_zone),
        locale=known.get("LocaleSidKey") or settings.locale,
        language=known.get("LanguageLocaleKey") or settings.language,
        currency=known.get("DefaultCurrencyIsoCode") or settings.currency,
        fiscal_month=settings.fiscal_year_start_month,
    )


def _zone(name: str | None, otherwise: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or otherwise)
    except (ZoneInfoNotFoundError, ValueError):  # User.TimeZoneSidKey takes any text here
        return ZoneInfo(otherwise)
