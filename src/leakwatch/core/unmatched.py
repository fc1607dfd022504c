"""People outside who talk to us and are not in Salesforce, by the company their mail domain belongs to. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from leakwatch.core.addresses import AddressPatterns, domain_of
from leakwatch.core.match_domains import DomainFinder, registrable, walk
from leakwatch.core.match_people import people_of
from leakwatch.core.privacy import Insiders
from leakwatch.model import AddressBook


@dataclass(frozen=True, slots=True)
class SeenPerson:
    """An address in captured mails: the name it last came with, in how many mails, and when last (aware UTC)."""

    address: str
    name: str
    mails: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class UnmatchedDomain:
    """The people of one mail domain who are not in Salesforce, those with the most mails first.

    `account_id` is the account that the domain belongs to, if that is clear; `is_shared` says that it can't belong to
    any: free mail, internet providers and the like.
    """

    domain: str
    is_shared: bool
    account_id: str | None
    account_name: str | None
    mails: int
    last_at: datetime
    people: tuple[SeenPerson, ...]


def unmatched(
    seen: Iterable[SeenPerson],
    book: AddressBook,
    insiders: Insiders,
    *,
    never_match: Collection[str] = (),
    shared: Collection[str] = (),
) -> tuple[UnmatchedDomain, ...]:
    """Return who of `seen` nobody in `book` stands for, by registered domain, most people first.

    Whoever is one of us, or must never match (settings), is no gap in Salesforce and is left out.
    """
    never = AddressPatterns(never_match)
    by_domain: defaultdict[str, list[SeenPerson]] = defaultdict(list)
    for person in seen:
        address = person.address
        if insiders.holds(address) or never.match(address) or people_of(book, address):
            continue
        domain = domain_of(address)
        by_domain[registrable(domain) or domain].append(person)
    finder = DomainFinder(book, shared)
    found = [_domain(domain, people, book, finder, shared) for domain, people in by_domain.items()]
    return tuple(sorted(found, key=lambda one: (-len(one.people), -one.mails, one.domain)))


def _domain(
    domain: str, people: list[SeenPerson], book: AddressBook, finder: DomainFinder, shared: Collection[str]
) -> UnmatchedDomain:
    company = finder.company(f"x@{domain}", ())
    account_id = company.account_id if company is not None else None
    account = book.companies.get(account_id) if account_id is not None else None
    return UnmatchedDomain(
        domain=domain,
        is_shared=not walk(domain, shared),
        account_id=account_id,
        account_name=account.name if account is not None else None,
        mails=sum(person.mails for person in people),
        last_at=max(person.last_at for person in people),
        people=tuple(sorted(people, key=lambda person: (-person.mails, person.address))),
    )
