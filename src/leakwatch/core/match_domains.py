"""Which company a mail domain belongs to. Pure: the public suffix list is the one inside the pinned package.

Sources: publicsuffix.org, "Algorithm"; the order of trials is that of the project's matching table.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from publicsuffixlist import PublicSuffixList

from leakwatch.core.addresses import domain_of, normalise
from leakwatch.core.mail_providers import NO_COMPANY
from leakwatch.model import AddressBook, Company, DomainAccount

MOST_PARENTS = 10  # steps up an account hierarchy; more is a circle or a mistake
_HOST = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*://)?(?:[^/@\s]*@)?([^/:?#\s]+)", re.IGNORECASE)


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@lru_cache(maxsize=4_096)
def registrable(domain: str) -> str | None:
    """Return the part of `domain` that somebody registered (`acme.co.uk`), or None for a public suffix or nonsense."""
    try:
        return (_suffixes().privatesuffix(domain) or None) if "." in domain else None
    except (ValueError, IndexError):
        return None


def walk(domain: str, shared: Collection[str] = ()) -> tuple[str, ...]:
    """Return `domain` and its parents down to the registrable one; none where it belongs to no single company.

    `shared` are more domains to leave out, as `NO_COMPANY` are.
    """
    last = registrable(domain)
    if last is None or not domain.endswith(last):
        return ()
    labels = domain.split(".")
    steps = [".".join(labels[start:]) for start in range(len(labels) - last.count("."))]
    steps = steps[: steps.index(last) + 1] if last in steps else [domain]
    return () if any(step in NO_COMPANY or step in shared for step in steps) else tuple(steps)


def website_domain(website: str) -> str | None:
    """Return the mail domain that a website stands for (`https://www.Acme.com/tr` is `acme.com`), or None."""
    found = _HOST.match(website)
    if found is None:
        return None
    address = normalise(f"x@{found[1]}")
    return domain_of(address).removeprefix("www.") if address is not None else None


def lookup_domains(addresses: Iterable[str], shared: Collection[str] = ()) -> frozenset[str]:
    """Return every domain that `DomainFinder` may look up for `addresses`."""
    domains = {domain_of(address) for address in addresses}
    return frozenset(step for domain in domains for step in walk(domain, shared))


@dataclass(frozen=True, slots=True)
class CompanyFound:
    """The account of a domain and why; `account_id` is None where several accounts have it and none stands out."""

    account_id: str | None
    words: str
    runners_up: tuple[str, ...] = ()


class DomainFinder:
    """Finds accounts by mail domain in one address book; `shared` are our own domains and those that say nothing."""

    def __init__(self, book: AddressBook, shared: Collection[str] = ()) -> None:
        self._book = book
        self._shared = frozenset(shared)
        self._accounts: dict[str, tuple[DomainAccount, ...]] = {}  # by domain, as far as they were asked for

    def accounts(self, domain: str) -> tuple[DomainAccount, ...]:
        """Return the accounts of the most special part of `domain` that has any: stated ones, else by contacts."""
        if domain not in self._accounts:
            self._accounts[domain] = self._find(domain)
        return self._accounts[domain]

    def _find(self, domain: str) -> tuple[DomainAccount, ...]:
        for step in walk(domain, self._shared):
            found = self._book.domains.get(step, ())
            stated = tuple(one for one in found if one.is_stated)
            if stated or found:
                return stated or found
        return ()

    def company(self, address: str, ours: Collection[str]) -> CompanyFound | None:
        """Return the account of the address's domain, or None if nobody has it; `ours` are our users in the mail."""
        found = self.accounts(domain_of(address))
        if not found:
            return None
        grounds = "by its website" if found[0].is_stated else "as most of its contacts' addresses do"
        ids = sorted({one.account_id for one in found})
        if len(ids) == 1:
            return CompanyFound(ids[0], f"The mail domain belongs to account {self._name(ids[0])} {grounds}.")
        return self._one_of(ids, grounds, ours)

    def _one_of(self, ids: Sequence[str], grounds: str, ours: Collection[str]) -> CompanyFound:
        tops = {_top(one, self._book.companies) for one in ids}
        if len(tops) == 1:
            top = next(iter(tops))
            words = f"The mail domain belongs to {len(ids)} accounts {grounds}; {self._name(top)} is the parent of all."
            return CompanyFound(top, words, tuple(one for one in ids if one != top))
        owned = [one for one in ids if self._owner(one) in ours]
        if len(owned) == 1:
            words = (
                f"Of {len(ids)} accounts with the mail domain {self._name(owned[0])} is the one of a rep in the mail."
            )
            return CompanyFound(owned[0], words, tuple(one for one in ids if one != owned[0]))
        words = f"{len(ids)} accounts have the mail domain and none stands out."
        return CompanyFound(None, words, tuple(ids))

    def _name(self, account_id: str) -> str:
        company = self._book.companies.get(account_id)
        return company.name if company is not None else account_id

    def _owner(self, account_id: str) -> str | None:
        company = self._book.companies.get(account_id)
        return company.owner_id if company is not None else None


def parents(account_id: str, companies: Mapping[str, Company]) -> Iterator[str]:
    """Yield `account_id` and the accounts above it, as far as they are known."""
    seen: set[str] = set()
    step: str | None = account_id
    while step is not None and step not in seen and len(seen) <= MOST_PARENTS:
        yield step
        seen.add(step)
        company = companies.get(step)
        step = company.parent_id if company is not None else None


def _top(account_id: str, companies: Mapping[str, Company]) -> str:
    *_, top = parents(account_id, companies)
    return top
