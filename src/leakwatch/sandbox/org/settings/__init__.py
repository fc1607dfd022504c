"""How one emulated org is set up: a group of settings per part, and which of them may be changed while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from leakwatch.sandbox.org.settings.bulk import BulkSettings
from leakwatch.sandbox.org.settings.calls import CallSettings
from leakwatch.sandbox.org.settings.company import CompanySettings
from leakwatch.sandbox.org.settings.limits import LimitSettings
from leakwatch.sandbox.org.settings.switch import changeable, check
from leakwatch.sandbox.org.settings.writes import WriteSettings

__all__ = ["CHANGEABLE", "OrgSettings", "check"]


@dataclass(kw_only=True)
class OrgSettings(CompanySettings, LimitSettings, CallSettings, WriteSettings, BulkSettings):
    """Settings of one org. Those marked *probe* stand for facts that only a real org can settle."""


CHANGEABLE = changeable(OrgSettings)
"""What may be changed while the org runs, with its type or its values."""
