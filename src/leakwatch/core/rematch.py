"""What a newer snapshot knows better about an activity that is in Salesforce: somebody, an account or a deal. Pure.

Only what was missing is added: a person where an address was nobody's, an account where there was none, an opportunity
where there was none or the account alone. One right record is never changed for another: what changes with time (the
last activity, who owns what, which deal is still open) would turn old mail over and over. See docs/decisions/0010.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import timedelta

from leakwatch.core.addresses import AddressPatterns
from leakwatch.core.match_people import candidates, people_of
from leakwatch.model import AddressBook, Match, MatchBasis, OpenOpportunity, Person, WrittenMatch

DEAL_PREFIX, LEAD_PREFIX, CONTACT_PREFIX = "006", "00Q", "003"  # of ids of these objects (Object Reference v63)
# A deal this much older than a match may still not have been in the mirror by which it was made.
MIRROR_LAG = timedelta(hours=2)
_BY_PERSON = frozenset({MatchBasis.CONTACT_EMAIL, MatchBasis.CONVERTED_LEAD})


def news(one: WrittenMatch, book: AddressBook, never: AddressPatterns) -> tuple[str, ...]:
    """Return in words what of `book` may better how `one` matches; empty if nothing, which is so of almost all.

    `never` are addresses that never stand for a record.
    """
    addresses = [address for address in sorted(one.outsiders) if not never.match(address)]
    if _lead(one.match) is not None:
        return tuple(dict.fromkeys(_conversions(one.match, addresses, book)))
    words = [*_appeared(one.match, addresses, book), *_accounts(one.match, addresses, book), *_deals(one, book)]
    return tuple(dict.fromkeys(words))


def _appeared(match: Match, addresses: Collection[str], book: AddressBook) -> Iterator[str]:
    for address in addresses:
        contacts = _contacts(book, address)
        ids = {person.record_id for person in contacts}
        if contacts and not ids & set(match.who_ids) and match.addresses.get(address) not in match.who_ids:
            yield f"{contacts[0].name or address} appeared as a contact"


def _contacts(book: AddressBook, address: str) -> tuple[Person, ...]:
    found = candidates(people_of(book, address))
    return tuple(person for person in found.people if person.sobject == "Contact") if found is not None else ()


def _conversions(match: Match, addresses: Collection[str], book: AddressBook) -> Iterator[str]:
    for address in addresses:
        for person in people_of(book, address):
            if person.record_id == _lead(match) and person.is_converted_lead:
                yield f"the lead {person.name or address} was converted"


def _accounts(match: Match, addresses: Collection[str], book: AddressBook) -> Iterator[str]:
    if match.account_id is not None:
        return
    for address in addresses:
        for person in _contacts(book, address):
            if person.record_id in match.who_ids and person.account_id is not None:
                yield f"{person.name or address} belongs to an account now"


def _deals(one: WrittenMatch, book: AddressBook) -> Iterator[str]:
    match = one.match
    if _is_deal(match.what_id):
        return
    for deals in book.open_opportunities.values():
        for deal in deals:
            near = deal.account_id == match.account_id or bool(deal.roles.keys() & set(match.who_ids))
            if near and _is_new(deal, one) and deal.record_id not in match.runners_up:
                yield f"the opportunity {deal.name} was made"


def _is_new(deal: OpenOpportunity, one: WrittenMatch) -> bool:
    return deal.created_at is not None and deal.created_at > one.stored_at - MIRROR_LAG


def better(stored: Match, new: Match, open_deals: Collection[str]) -> Match:
    """Return `stored` with what it lacks and `new`, how the activity would match now, knows.

    `open_deals` are the opportunities that are open now. Where one that the activity might have been about then is not,
    it is linked to no other: it may well have been about that one.
    """
    if new.basis is MatchBasis.NONE:
        return stored
    who = _who(stored, new)
    if who and who[0].startswith(LEAD_PREFIX):
        return stored  # nothing stands beside a lead, and a lead that was found is a right person
    what_id, account_id = _what(stored, new, frozenset(open_deals))
    named = {address: record for address, record in new.addresses.items() if record in who or not _is_outside(record)}
    better_grounds = who != stored.who_ids or what_id != stored.what_id
    return replace(
        stored,
        who_ids=who,
        what_id=what_id,
        account_id=account_id,
        basis=new.basis if better_grounds else stored.basis,
        reason=new.reason if better_grounds else stored.reason,
        runners_up=new.runners_up,
        addresses={**stored.addresses, **named},
    )


def _who(stored: Match, new: Match) -> tuple[str, ...]:
    lead = _lead(stored)
    if lead is not None:
        addresses = [address for address, record in stored.addresses.items() if record == lead]
        became = [record for one in addresses if (record := new.addresses.get(one, lead)).startswith(CONTACT_PREFIX)]
        return (*became[:1], *(one for one in new.who_ids if one not in became[:1])) if became else stored.who_ids
    fresh = {
        record
        for address, record in new.addresses.items()
        if record.startswith(CONTACT_PREFIX) and stored.addresses.get(address) not in stored.who_ids
    }
    return (*stored.who_ids, *(one for one in new.who_ids if one in fresh and one not in stored.who_ids))


def _what(stored: Match, new: Match, open_deals: frozenset[str]) -> tuple[str | None, str | None]:
    """Return the record that the activity is about, and the account."""
    before = stored.what_id
    by_domain = stored.basis is MatchBasis.ACCOUNT_DOMAIN and new.basis in _BY_PERSON
    same = stored.account_id is None or stored.account_id == new.account_id
    if _is_deal(before) or new.what_id is None or not (same or by_domain):
        return before, stored.account_id
    gone = {one for one in stored.runners_up if _is_deal(one)} - open_deals
    now = new.account_id if _is_deal(new.what_id) and gone else new.what_id
    return now or before, new.account_id or stored.account_id


def remembered(stored: Match | None, new: Match) -> Match:
    """Return how an activity matches as it is to be stored: what is in Salesforce stays as it was `stored`.

    A copy that came later may change its owner and name more people, not what its record was related to.
    """
    if stored is None or stored.basis is MatchBasis.NONE:
        return new
    kept = {name: getattr(stored, name) for name in ("who_ids", "what_id", "account_id", "basis", "reason")}
    return replace(new, **kept)


def _lead(match: Match) -> str | None:
    return next((one for one in match.who_ids[:1] if one.startswith(LEAD_PREFIX)), None)


def _is_deal(record_id: str | None) -> bool:
    return record_id is not None and record_id.startswith(DEAL_PREFIX)


def _is_outside(record_id: str) -> bool:
    return record_id.startswith((CONTACT_PREFIX, LEAD_PREFIX))
