"""Settings of the company: what a world brings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True)
class CompanySettings:
    """What an admin finds under Company Information, and the features that were switched on."""

    org_id: str = "00D5e000000LeakEAC"
    name: str = "Sandbox Org"
    currency: str = "USD"
    """Default (corporate) currency."""
    multicurrency: bool = False
    """Without it there is no CurrencyIsoCode field and no CurrencyType object, as in the real service."""
    person_accounts: bool = False
    """Lets accounts be persons (see `automation.persons`); once on, it stays on, as in the real service."""
    shared_activities: bool = False
    """Lets tasks and events name several contacts, by TaskRelation and its kin (see `automation.shared`)."""
    time_zone: str = "UTC"
    """IANA name; the day of relative date literals and of activities hangs on it, for users without their own."""
    locale: str = "en_US"
    language: str = "en_US"
    fiscal_year_start_month: int = 1
    system_user_id: str = "0055e000000SystAAC"
    """Stands as creator of what nobody created."""
