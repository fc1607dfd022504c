"""Who is who in Salesforce, for matching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Person:
    """A Contact, Lead, person account or User that an address may belong to."""

    record_id: str
    sobject: str  # Contact | Lead | User | Account
    name: str
    account_id: str | None = None
    owner_id: str | None = None
    created_at: datetime | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class OpenOpportunity:
    """An open deal, as the resolver needs it."""

    record_id: str
    account_id: str
    name: str
    owner_id: str | None


@dataclass(frozen=True, slots=True)
class AddressBook:
    """All that the resolver may know: built from a mirror snapshot for the addresses in question."""

    people: Mapping[str, tuple[Person, ...]]  # lower-case address -> candidates
    open_opportunities: Mapping[str, tuple[OpenOpportunity, ...]]  # account id -> open deals
    snapshot_id: str = ""
