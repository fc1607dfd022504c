"""How fast every provider may be asked, as the settings have it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leakwatch.clients.limiter import Limiter
    from leakwatch.config import Settings
    from leakwatch.ports import Clock


def pacing_of(settings: Settings, wall: Clock) -> Limiter:
    """Return the pacing for all providers. It remembers what was spent and who asked for a pause, so share it."""
    from leakwatch.clients.limiter import CALENDAR, DIRECTORY, GMAIL_2026, GRAPH, PUBSUB, Limiter

    section = settings.google
    gmail = replace(
        GMAIL_2026,
        per_principal_minute=section.units_per_user_minute,
        per_project_minute=section.units_per_project_minute,
    )
    calendar = replace(
        CALENDAR,
        per_principal_minute=section.calendar_calls_per_user_minute,
        per_project_minute=section.calendar_calls_per_project_minute,
    )
    quotas = {"google": gmail, "google_calendar": calendar, "google_directory": DIRECTORY, "google_pubsub": PUBSUB}
    if settings.microsoft.enabled:
        quotas["microsoft"] = replace(GRAPH, per_principal_minute=settings.microsoft.requests_per_mailbox_minute)
    return Limiter(wall, quotas)
