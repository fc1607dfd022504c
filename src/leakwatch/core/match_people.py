"""Which record stands for an address where several could. Pure; the same whatever order they come in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from leakwatch.core.addresses import variants
from leakwatch.model import AddressBook, Match, MatchBasis, Person

_LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_LONG_AGO = date(1, 1, 1)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The records that may stand for one address: of one kind, the best kind that there is.

    `doubles` are leads that have the address beside a contact.
    """

    people: tuple[Person, ...]
    basis: MatchBasis
    doubles: tuple[Person, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The record that stands for an address, why it and no other, and the ids of those others."""

    person: Person
    basis: MatchBasis
    words: str = ""
    runners_up: tuple[str, ...] = ()
    doubles: tuple[str, ...] = ()  # leads that are there beside the contact


def people_of(book: AddressBook, address: str) -> tuple[Person, ...]:
    """Return who is known by `address`, or else by the first of its other forms that anybody is known by."""
    for form in variants(address):
        people = book.people.get(form)
        if people:
            return people
    return ()


def candidates(people: Sequence[Person]) -> Candidates | None:
    """Return who of `people` may stand for their address; None if nobody, or if it is a user's: one of us.

    Contacts come before what a converted lead became, then leads, then accounts; what a named field finds before what
    another one finds.
    """
    if any(person.sobject == "User" and person.is_active for person in people):
        return None
    main = [person for person in people if person.is_main_address] or list(people)
    contacts = _of(main, "Contact")
    became = tuple(_became(person) for person in main if person.is_converted_lead)
    leads = tuple(person for person in _of(main, "Lead") if not person.is_converted_lead)
    if contacts:
        return Candidates(contacts, MatchBasis.CONTACT_EMAIL, leads)
    if became:
        return Candidates(_once(became), MatchBasis.CONVERTED_LEAD, leads)
    if leads:
        return Candidates(leads, MatchBasis.LEAD_EMAIL)
    accounts = _of(main, "Account")
    return Candidates(accounts, MatchBasis.ACCOUNT_EMAIL) if accounts else None


def _of(people: Iterable[Person], sobject: str) -> tuple[Person, ...]:
    return _once(person for person in people if person.sobject == sobject)


def _once(people: Iterable[Person]) -> tuple[Person, ...]:
    """Return `people` in order of their ids, each record once."""
    found = {person.record_id: person for person in sorted(people, key=_id_and_address)}
    return tuple(found[record_id] for record_id in sorted(found))


def _id_and_address(person: Person) -> tuple[str, str, str]:
    return (person.record_id, person.opportunity_id or "", person.account_id or "")


def _became(lead: Person) -> Person:
    """Return the contact that a converted lead became, or its account where the contact is unknown."""
    if lead.contact_id is not None:
        return replace(lead, record_id=lead.contact_id, sobject="Contact")
    return replace(lead, record_id=lead.account_id or "", sobject="Account", contact_id=None)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else the mail says, by which one of several records is chosen.

    Attributes:
        earlier: how the mail before it in its conversation matched.
        sure: accounts of people in the mail about whom there is no doubt.
        others: returns the accounts of everybody else in the mail, by record or by mail domain.
        ours: our users in the mail.
    """

    earlier: Match | None
    sure: frozenset[str]
    others: Callable[[str], Collection[str]]
    ours: frozenset[str]


def the_only(found: Candidates) -> Chosen:
    """Return the one record of `found`, which has no other."""
    return Chosen(found.people[0], found.basis, doubles=tuple(lead.record_id for lead in found.doubles))


def choose(address: str, found: Candidates, book: AddressBook, around: Surroundings) -> Chosen:
    """Return which of `found` stands for `address`: by each rule in turn, until one record is left.

    Several always leave one, the last rules being the oldest record and the lower id; the others are named.
    """
    if len(found.people) == 1:
        return the_only(found)
    left = list(found.people)
    words = ""
    for name, keep in _rules(address, book, around):
        if len(left) == 1:
            break
        kept = keep(left)
        if kept and len(kept) < len(left):
            left, words = kept, name
    best = min(left, key=_oldest)
    return Chosen(
        best,
        found.basis,
        words if len(left) == 1 else "the oldest record",
        tuple(person.record_id for person in found.people if person.record_id != best.record_id),
        tuple(lead.record_id for lead in found.doubles),
    )


_Rule = Callable[[Sequence[Person]], list[Person]]


def _rules(address: str, book: AddressBook, around: Surroundings) -> list[tuple[str, _Rule]]:
    """Return (words, rule) in order; a rule returns those it speaks for."""

    def in_thread(people: Sequence[Person]) -> list[Person]:
        earlier = around.earlier
        if earlier is None:
            return []
        same = [person for person in people if person.record_id in earlier.who_ids]
        return same or [person for person in people if _in(person, {earlier.account_id})]

    def company_or_person(people: Sequence[Person]) -> list[Person]:
        private = [person for person in people if _is_person_account(person)]
        if not private or len(private) == len(people):
            return []
        others = set(around.others(address))
        business = [person for person in people if not _is_person_account(person)]
        return [person for person in business if _in(person, others)] or private

    def with_own_deal(people: Sequence[Person]) -> list[Person]:
        return [
            person
            for person in people
            for deals in [book.open_opportunities.get(person.account_id or "", ())]
            if any(deal.owner_id in around.ours or deal.team & around.ours for deal in deals)
        ]

    def latest(people: Sequence[Person]) -> list[Person]:
        newest = max(person.last_activity or _LONG_AGO for person in people)
        return [person for person in people if newest != _LONG_AGO and person.last_activity == newest]

    return [
        ("the one of the mail before", in_thread),
        ("by the company of the others in the mail", company_or_person),
        (
            "at the account of somebody else in the mail",
            lambda people: [one for one in people if _in(one, around.sure)],
        ),
        ("its account has an open opportunity of a rep in the mail", with_own_deal),
        ("the last one with any activity", latest),
    ]


def _is_person_account(person: Person) -> bool:
    return person.is_person_account or person.sobject == "Account"


def _in(person: Person, accounts: Collection[str | None]) -> bool:
    return person.account_id is not None and person.account_id in accounts


def _oldest(person: Person) -> tuple[datetime, str]:
    return (person.created_at or _LATEST, person.record_id)
