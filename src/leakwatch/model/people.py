"""Who is who in Salesforce, for matching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Person:
    """A Contact, Lead, person account or User that an address may belong to.

    A converted Lead names in `contact_id`, `account_id` and `opportunity_id` what it became; any of them may be None.
    """

    record_id: str
    sobject: str  # Contact | Lead | User | Account
    name: str
    account_id: str | None = None
    owner_id: str | None = None
    created_at: datetime | None = None
    is_active: bool = True
    is_person_account: bool = False  # the Contact that stands for a person account
    is_main_address: bool = True  # found by a field named in the settings, not by one that only describe knows
    last_activity: date | None = None
    contact_id: str | None = None
    opportunity_id: str | None = None

    @property
    def is_converted_lead(self) -> bool:
        """Whether this is a Lead that became something we know."""
        return self.sobject == "Lead" and bool(self.contact_id or self.account_id)


@dataclass(frozen=True, slots=True)
class OpenOpportunity:
    """An open deal, as the resolver needs it.

    `roles` says by contact whether theirs is the primary role; `team` are the users of its opportunity team.
    """

    record_id: str
    account_id: str
    name: str
    owner_id: str | None
    created_at: datetime | None = None
    close_date: date | None = None
    last_activity: date | None = None
    roles: Mapping[str, bool] = field(default_factory=dict[str, bool])
    team: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Company:
    """An Account, as the resolver needs it."""

    record_id: str
    name: str
    owner_id: str | None = None
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class DomainAccount:
    """An Account that a mail domain may belong to."""

    account_id: str
    is_stated: bool = True  # by its website or domain field; else it is what most of its contacts' addresses end in


@dataclass(frozen=True, slots=True)
class AddressBook:
    """All that the resolver may know: built from a mirror snapshot for the addresses in question."""

    people: Mapping[str, tuple[Person, ...]]  # lower-case address -> candidates
    open_opportunities: Mapping[str, tuple[OpenOpportunity, ...]]  # account id -> open deals
    snapshot_id: str = ""
    domains: Mapping[str, tuple[DomainAccount, ...]] = field(default_factory=dict[str, tuple[DomainAccount, ...]])
    companies: Mapping[str, Company] = field(default_factory=dict[str, Company])  # by id; parents of them too
