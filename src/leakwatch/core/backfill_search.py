"""Gmail searches for the mail of people whom Salesforce knows, cut so short that each fits into a URL. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from urllib.parse import quote_plus

from leakwatch.core.addresses import domain_of, in_domain, normalise
from leakwatch.core.match_domains import registrable, walk

MAX_QUERY = 1_500  # characters of one search as it stands in the URL; Google documents no limit, 2 kB pass everywhere
MOST_SEARCHES = 1_000  # of one mailbox: 5,000 units, as much as 250 mails; for more all mail is read
OPERATORS = ("from", "to", "cc")  # a BCC shows in the sender's copy only, and is never written
_PLAIN = re.compile(r"[A-Za-z0-9.@_+-]+")
_MARK = "known"


def known_terms(
    addresses: Iterable[str], domains: Iterable[str], *, shared: Collection[str] = (), own: Collection[str] = ()
) -> tuple[str, ...]:
    """Return what to search for, in order: the domains of companies, and the addresses at providers of free mail.

    Args:
        addresses: of contacts, leads and person accounts.
        domains: of accounts.
        shared: domains that belong to no single company, besides those everybody knows.
        own: our own domains; nobody there is searched for.
    """
    found: set[str] = set()
    for raw in addresses:
        address = normalise(raw)
        if address is not None:
            steps = walk(domain_of(address), shared)
            found |= {domain_of(address), steps[-1]} if steps else {address}
    for raw in domains:
        domain = raw.strip().lower()
        if "." in domain:
            found |= {domain, registrable(domain) or domain}
    return tuple(sorted(term for term in found if not _is_own(term, own)))


def _is_own(term: str, own: Collection[str]) -> bool:
    return any(in_domain(term.rpartition("@")[2], one) for one in own)


def searches(base: str, terms: Sequence[str]) -> list[str]:
    """Return searches that together find what `base` finds of `terms`: mail from, to or with copy to one of them."""
    room = MAX_QUERY - len(quote_plus(f"{{}} {base}"))
    found: list[list[str]] = []
    left = 0
    for term in terms:
        words = " ".join(f"{operator}:{_quoted(term)}" for operator in OPERATORS)
        length = len(quote_plus(f"{words} "))
        if not found or length > left:
            found.append([])
            left = room
        found[-1].append(words)
        left -= length
    return [f"{{{' '.join(words)}}} {base}" for words in found]


def _quoted(term: str) -> str:
    return term if _PLAIN.fullmatch(term) else '"{}"'.format(term.replace('"', ""))


def digest(terms: Sequence[str]) -> str:
    """Return a mark of these terms: a place in another list of searches is no place in this one."""
    return hashlib.blake2b("\n".join(terms).encode(), digest_size=6).hexdigest()


def place(mark: str, index: int, page_token: str) -> str:
    """Return the page token of a page of the search `index` of the list with this mark."""
    return f"{_MARK}|{mark}|{index}|{page_token}"


def read_place(token: str | None, mark: str) -> tuple[int, str | None]:
    """Return (index of the search, Gmail's page token); of another list's place the beginning."""
    pieces = (token or "").split("|", 3)
    if len(pieces) != 4 or pieces[0] != _MARK or pieces[1] != mark or not pieces[2].isdigit():
        return 0, None
    return int(pieces[2]), pieces[3] or None
