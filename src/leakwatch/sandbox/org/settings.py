"""How one emulated org is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class OrgSettings:
    """Settings of one org. Those marked *probe* stand for facts that only a real org can settle."""

    org_id: str = "00D5e000000LeakEAA"
    name: str = "Sandbox Org"
    currency: str = "USD"
    """Default (corporate) currency."""
    multicurrency: bool = False
    """Without it there is no CurrencyIsoCode field and no CurrencyType object, as in the real service."""
    person_accounts: bool = False
    """Brings Account's fields of a person; writing a person's account is not emulated."""
    shared_activities: bool = False
    """Brings TaskRelation and its kin, as plain rows; relating several people to a task is not emulated."""
    time_zone: str = "UTC"
    """IANA name; the day of relative date literals and of activities hangs on it."""
    locale: str = "en_US"
    language: str = "en_US"
    fiscal_year_start_month: int = 1
    daily_api_limit: int = 100_000
    app_quotas: dict[str, int] = field(default_factory=dict[str, int])
    """API calls a day that a connected app has for itself, by consumer key; most orgs set none."""
    app_names: dict[str, str] = field(default_factory=dict[str, str])
    """What connected apps are called, by consumer key."""
    concurrent_long_limit: int = 25
    """Requests of 20 seconds and more that may run at once; 5 in Developer Edition and trial orgs."""
    long_requests: int = 0
    """Such requests of others that are running: makes the limit reachable without waiting."""
    data_storage_mb: int = 10_240
    """Enterprise Edition: 10 GB, plus 20 MB a user which are not counted here."""
    file_storage_mb: int = 10_240
    storage_enforced: bool = False
    """Whether a full data storage refuses new records. Off, a world may be larger than a real org would be."""
    missing_permissions: list[str] = field(default_factory=list[str])
    """User permissions, by API name, that no caller has: ViewSetup, ManageUsers, SendCustomNotifications."""
    page_size: int = 2000
    """Rows per query page; the real service may return fewer than 2,000 at will."""
    audit_fields: bool = False
    """Whether CreatedDate and its kin may be set on insert ("Set Audit Fields upon Record Creation")."""
    email_message_key_unique: bool = True
    """Probe: whether a unique key deploys on EmailMessage; if not, it deploys as not unique."""
    composite_collections_allowed: bool = True
    """Probe: whether Collections may be subrequests of Composite."""
    auto_task_owner: Literal["sender_user", "integration_user"] = "integration_user"
    """Probe: who owns the Task that an EmailMessage makes."""
    open_transaction_minutes: int = 0
    """How long the oldest open transaction runs: getDeleted and getUpdated cover nothing after its beginning."""
    deleted_window_days: int = 15
    """Probe: how old the start of a getDeleted window may be. 15 days of deletions are documented; clients report
    that the call itself is refused from 30 days on only."""
    deleted_needs_covered_end: bool = False
    """Probe: whether getDeleted refuses a window whose end lies after `latestDateCovered`, as the SOAP guide says
    and as nobody reports."""
    delete_log_limit: int = 0
    """Entries that the delete log may hold before its oldest are purged; 0: 15,000 per licence."""
    session_seconds: int = 7200
    """Wall seconds an access token lives (the session policy's default is two hours)."""
    system_user_id: str = "0055e000000SystAAO"
    """Stands as creator of what nobody created."""


CHANGEABLE: dict[str, type | tuple[str, ...]] = {
    "app_names": dict,
    "app_quotas": dict,
    "audit_fields": bool,
    "auto_task_owner": ("sender_user", "integration_user"),
    "composite_collections_allowed": bool,
    "concurrent_long_limit": int,
    "daily_api_limit": int,
    "data_storage_mb": int,
    "delete_log_limit": int,
    "deleted_needs_covered_end": bool,
    "deleted_window_days": int,
    "email_message_key_unique": bool,
    "file_storage_mb": int,
    "long_requests": int,
    "missing_permissions": list,
    "open_transaction_minutes": int,
    "page_size": int,
    "storage_enforced": bool,
}
"""What may be changed while the org runs, with its type or its values."""
