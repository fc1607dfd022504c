"""Settings of limits: what the org may use, and what its callers may do."""

from __future__ import annotations

from dataclasses import dataclass

from leakwatch.sandbox.org.settings.switch import collection, switch


@dataclass(kw_only=True)
class LimitSettings:
    """What hangs on the edition and on licences."""

    daily_api_limit: int = switch(100_000)
    app_quotas: dict[str, int] = collection(dict[str, int])  # noqa: RUF009  it makes a field
    """API calls a day that a connected app has for itself, by consumer key; most orgs set none."""
    app_names: dict[str, str] = collection(dict[str, str])  # noqa: RUF009  it makes a field
    """What connected apps are called, by consumer key."""
    concurrent_long_limit: int = switch(25)
    """Requests of 20 seconds and more that may run at once; 5 in Developer Edition and trial orgs."""
    long_requests: int = switch(0)
    """Such requests of others that are running: makes the limit reachable without waiting."""
    data_storage_mb: int = switch(10_240)
    """Enterprise Edition: 10 GB, plus 20 MB a user which are not counted here."""
    file_storage_mb: int = switch(10_240)
    storage_enforced: bool = switch(False)
    """Whether a full data storage refuses new records. Off, a world may be larger than a real org would be."""
    missing_permissions: list[str] = collection(list[str])  # noqa: RUF009  it makes a field
    """User permissions, by API name, that no caller has: ViewSetup, ManageUsers, SendCustomNotifications."""
    hidden_fields: list[str] = collection(list[str])  # noqa: RUF009  it makes a field
    """Fields that no caller may see or write (field-level security), as "Opportunity.Amount"."""
    chatter_hourly_limit: int = switch(200)
    """Requests to chatter/ resources per user, app and hour. The real number is not published; this one is a guess."""
    chatter_posts_allowed: bool = switch(True)
    """Probe: whether the callers' licences let them post to feeds."""
    feed_tracking_off: list[str] = collection(list[str])  # noqa: RUF009  it makes a field
    """Objects whose feeds are switched off: nothing can be posted to their records."""
