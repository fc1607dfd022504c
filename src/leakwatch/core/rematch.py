"""What a newer snapshot knows better about an activity that is in Salesforce: somebody, an account or a deal. Pure.

Only what was missing is added: a person where an address was nobody's, an account where there was none, an opportunity
where there was none or the account alone. One right record is never changed for another: what changes with time (the
last activity, who owns what, which deal is still open) would turn old mail over and over. See docs/decisions/0012.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from leakwatch.core.addresses import AddressPatterns
from leakwatch.core.identity import MEETING_PREFIX
from leakwatch.core.match_people import candidates, people_of
from leakwatch.model import AddressBook, Match, MatchBasis, OpenOpportunity, Person, WrittenMatch

DEAL_PREFIX, LEAD_PREFIX, CONTACT_PREFIX = "006", "00Q", "003"  # of ids of these objects (Object Reference v63)
# A deal this much older than a match may still not have been in the mirror by which it was made.
MIRROR_LAG = timedelta(hours=2)
_BY_PERSON = frozenset({MatchBasis.CONTACT_EMAIL, MatchBasis.CONVERTED_LEAD})


class News:
    """What one address book may tell of activities that are in Salesforce.

    `never` are addresses that never stand for a record.
    """

    def __init__(self, book: AddressBook, never: AddressPatterns) -> None:
        self._book = book
        self._never = never
        self._deals: defaultdict[str, list[OpenOpportunity]] = defaultdict(list)  # by account and by contact
        for account_id, deals in book.open_opportunities.items():
            for deal in deals:
                for near in (account_id, *deal.roles):
                    self._deals[near].append(deal)

    def about(self, one: WrittenMatch) -> tuple[str, ...]:
        """Return in words what may better how `one` matches; empty if nothing, which is so of almost all."""
        match, named = one.match, frozenset(one.match.who_ids)
        unknown = sorted(address for address in one.outsiders if match.addresses.get(address) not in named)
        words: list[str] = []
        if _lead(match) is not None:
            words += self._conversions(match)
        else:
            words += self._appeared(unknown, named) if unknown else ()
            words += self._accounts(one) if match.account_id is None else ()
            words += self._new_deals(one) if not _is_deal(match.what_id) else ()
        return tuple(dict.fromkeys(words))

    def _appeared(self, unknown: Collection[str], named: frozenset[str]) -> Iterator[str]:
        for address in unknown:
            contacts = self._contacts(address)
            if contacts and not any(one.record_id in named for one in contacts):
                yield f"{contacts[0].name or address} appeared as a contact"

    def _contacts(self, address: str) -> tuple[Person, ...]:
        people = people_of(self._book, address)
        if not people or self._never.match(address):
            return ()
        found = candidates(people)
        return tuple(one for one in found.people if one.sobject == "Contact") if found is not None else ()

    def _conversions(self, match: Match) -> Iterator[str]:
        lead = _lead(match)
        for address in sorted(one for one, record in match.addresses.items() if record == lead):
            for person in people_of(self._book, address):
                if person.record_id == lead and person.is_converted_lead:
                    yield f"the lead {person.name or address} was converted"

    def _accounts(self, one: WrittenMatch) -> Iterator[str]:
        for address in sorted(one.outsiders):
            for person in self._contacts(address):
                if person.record_id in one.match.who_ids and person.account_id is not None:
                    yield f"{person.name or address} belongs to an account now"

    def _new_deals(self, one: WrittenMatch) -> Iterator[str]:
        match, oldest = one.match, one.stored_at - MIRROR_LAG
        for near in (match.account_id, *match.who_ids):
            for deal in self._deals.get(near or "", ()):
                is_new = deal.created_at is not None and deal.created_at > oldest
                if is_new and deal.record_id not in match.runners_up:
                    yield f"the opportunity {deal.name} was made"


def better(stored: Match, new: Match, open_deals: Mapping[str, OpenOpportunity]) -> Match:
    """Return `stored` with what it lacks and `new`, how the activity would match now, knows.

    `open_deals` are the opportunities that are open now, by id.
    """
    if new.basis is MatchBasis.NONE:
        return stored
    who = _who(stored, new)
    if who and who[0].startswith(LEAD_PREFIX):
        return stored  # nothing stands beside a lead, and a lead that was found is a right person
    what_id, account_id = _what(stored, new, open_deals, frozenset(who) - frozenset(stored.who_ids))
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


def _what(
    stored: Match, new: Match, open_deals: Mapping[str, OpenOpportunity], added: frozenset[str]
) -> tuple[str | None, str | None]:
    """Return the record that the activity is about, and the account; `added` are the people known now."""
    before = stored.what_id
    by_domain = stored.basis is MatchBasis.ACCOUNT_DOMAIN and new.basis in _BY_PERSON
    same = stored.account_id is None or stored.account_id == new.account_id
    if _is_deal(before) or new.what_id is None or not (same or by_domain):
        return before, stored.account_id
    now = new.what_id
    if _is_deal(now) and not _may_be_about(open_deals.get(now), stored, open_deals, added):
        now = new.account_id
    return now or before, new.account_id or stored.account_id


def _may_be_about(
    deal: OpenOpportunity | None, stored: Match, open_deals: Mapping[str, OpenOpportunity], added: frozenset[str]
) -> bool:
    """Return whether `deal`, the winner now, is to be linked.

    Not where one that was in question then is closed: the activity may well have been about that one. And of several in
    question then, only one in which somebody known now has a role; what else chooses between them changes with time.
    """
    rivals = [one for one in stored.runners_up if _is_deal(one)]
    if deal is None or not all(one in open_deals for one in rivals):
        return False
    return deal.record_id not in rivals or len(rivals) == 1 or bool(deal.roles.keys() & added)


def remembered(stored: Match | None, new: Match) -> Match:
    """Return how an activity matches as it is to be stored: what a mail in Salesforce names stays as it was `stored`.

    A copy that came later may change its owner and name more people, not what its Task was related to. The record of a
    meeting is brought in step as a whole.
    """
    if stored is None or stored.basis is MatchBasis.NONE or new.activity_key.startswith(MEETING_PREFIX):
        return new
    kept = {name: getattr(stored, name) for name in ("who_ids", "what_id", "account_id", "basis", "reason")}
    return replace(new, **kept)


def _lead(match: Match) -> str | None:
    return next((one for one in match.who_ids[:1] if one.startswith(LEAD_PREFIX)), None)


def _is_deal(record_id: str | None) -> bool:
    return record_id is not None and record_id.startswith(DEAL_PREFIX)


def _is_outside(record_id: str) -> bool:
    return record_id.startswith((CONTACT_PREFIX, LEAD_PREFIX))
