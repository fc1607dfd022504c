"""Which records a mail belongs to, and why in words. A pure resolver over an AddressBook.

It abstains rather than guesses: an opportunity is linked only where one clear winner is left. `match_people` chooses
between records of one address, `match_domains` finds companies by mail domain, `match_deals` picks the opportunity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from leakwatch.core.addresses import AddressPatterns, domain_of, variants
from leakwatch.core.match_deals import Picked, Setting, pick
from leakwatch.core.match_domains import CompanyFound, DomainFinder
from leakwatch.core.match_ours import OurSide, Span
from leakwatch.core.match_people import Candidates, Chosen, Surroundings, candidates, choose, people_of, the_only
from leakwatch.core.privacy import outsiders
from leakwatch.model import (
    Activity,
    AddressBook,
    DomainAccount,
    Match,
    MatchBasis,
    OpenOpportunity,
    Person,
    Principal,
    Role,
)


@dataclass(frozen=True, slots=True)
class MatchRules:
    """What the resolver is told besides the address book.

    `principals` are the people on the roster; `read` says by address from when to when their mailboxes are known, so
    that a mail of theirs in that time without their own copy is known to be forged; `never_match` are addresses that
    never stand for a record; `shared_domains` say nothing about a company, nor do our own.
    """

    principals: tuple[Principal, ...] = ()
    read: Mapping[str, Span] = field(default_factory=dict[str, Span])
    never_match: tuple[str, ...] = ()
    match_bulk: bool = False
    shared_domains: frozenset[str] = frozenset()
    as_of: datetime | None = None  # a meeting to come is about what is open now: nobody knows what will be open then


@dataclass(frozen=True, slots=True)
class _Known:
    """The outsiders of one mail of whom something is known, in the order in which they matter."""

    chosen: Mapping[str, Chosen]  # address -> its record
    companies: Mapping[str, CompanyFound]  # address without a record -> the account of its domain

    def by_kind(self, sobject: str) -> dict[str, Person]:
        """Return address -> record of one kind."""
        return {address: one.person for address, one in self.chosen.items() if one.person.sobject == sobject}

    def runners_up(self) -> tuple[str, ...]:
        """Return every record that was not chosen, leads beside contacts too."""
        lost = [other for one in self.chosen.values() for other in (*one.runners_up, *one.doubles)]
        return tuple(dict.fromkeys([*lost, *(other for one in self.companies.values() for other in one.runners_up)]))


@dataclass(frozen=True, slots=True)
class _Primary:
    """Whose mail it is: an address, the record or account that stands for it, and the grounds in words."""

    address: str
    account_id: str | None
    basis: MatchBasis
    words: str
    person: Person | None = None


class Resolver:
    """Matches activities against one address book."""

    def __init__(self, book: AddressBook, rules: MatchRules) -> None:
        self._book = book
        self._rules = rules
        self._never = AddressPatterns(rules.never_match)
        self._ours = OurSide(book, rules.principals, rules.read)
        self._domains = DomainFinder(book, rules.shared_domains)
        # What was found out about addresses: the same ones stand in mail after mail.
        self._by_address: dict[str, Candidates | None] = {}
        self._nobody: set[str] = set()
        self._deals = {deal.record_id: deal for deals in book.open_opportunities.values() for deal in deals}
        self._deals_of: dict[str, list[OpenOpportunity]] = {}
        for deal in self._deals.values():
            for contact in deal.roles:
                self._deals_of.setdefault(contact, []).append(deal)

    def resolve(self, activity: Activity, earlier: Match | None = None) -> Match:
        """Return the match of `activity`; basis NONE if nobody in it is known, with the reason.

        `earlier` is how the mail before it in its conversation matched, the nearest one of which that is known.
        """
        owner = self._ours.owner(activity)
        users = self._ours.users(activity)
        if activity.bulk and not self._rules.match_bulk:
            return _nothing(activity, owner, users, "A newsletter or notification: not matched.")
        ours = frozenset({*users.values(), *({owner} if owner is not None else ())})
        known = self._known(activity, earlier, ours)
        primary = self._primary(known, activity)
        thread = self._thread_deal(earlier)
        if primary is None and thread is not None:
            words = f"Nobody outside the company is known, but it answers a mail of {thread.name}, which is still open."
            primary = _Primary("", thread.account_id, MatchBasis.THREAD, words)
        if primary is None:
            people = outsiders(activity)
            words = "Nobody outside the company is named." if not people else _count(len(people))
            words += "".join(f" {one.words}" for one in dict.fromkeys(known.companies.values()))
            return _nothing(activity, owner, users, words, known.runners_up())
        return self._match(activity, owner, users, known, primary, self._deal(activity, known, primary, thread, ours))

    # --- the people ---

    def _known(self, activity: Activity, earlier: Match | None, ours: frozenset[str]) -> _Known:
        found: dict[str, Candidates] = {}
        unknown: list[str] = []
        for participant in outsiders(activity):
            address = participant.address
            those = self._candidates(address)
            if those is not None:
                found[address] = those
            elif address in self._nobody:
                unknown.append(address)
        companies = {address: one for address in unknown if (one := self._domains.company(address, ours)) is not None}
        single = [those for those in found.values() if len(those.people) == 1]
        if len(single) == len(found):  # nothing to choose, as in nearly every mail
            return _Known({address: the_only(those) for address, those in found.items()}, companies)

        def others(address: str) -> set[str]:
            accounts = {one.account_id for other in {*found, *unknown} - {address} for one in self._at(other)}
            people = [one for other, those in found.items() if other != address for one in those.people]
            return accounts | {one.account_id for one in people if one.account_id}

        sure = frozenset(those.people[0].account_id for those in single if those.people[0].account_id)
        around = Surroundings(earlier, sure, others, ours)
        return _Known({one: choose(one, those, self._book, around) for one, those in found.items()}, companies)

    def _candidates(self, address: str) -> Candidates | None:
        """Return who may stand for an address; None if nobody, and it is noted in `_nobody` if it isn't one of ours."""
        if address not in self._by_address:
            people = people_of(self._book, address) if not self._never.match(address) else None
            those = self._by_address[address] = candidates(people) if people is not None else None
            user = any(person.sobject == "User" and person.is_active for person in people or ())
            if people is not None and those is None and not user:
                self._nobody.add(address)
        return self._by_address[address]

    def _at(self, address: str) -> tuple[DomainAccount, ...]:
        return self._domains.accounts(domain_of(address))

    def _primary(self, known: _Known, activity: Activity) -> _Primary | None:
        """Return whose mail it is: the first company in it, people before domains of nobody we know; else a lead."""
        contacts = known.by_kind("Contact")
        first_without: _Primary | None = None
        for participant in outsiders(activity):
            address = participant.address
            one, company = known.chosen.get(address), known.companies.get(address)
            if company is not None and company.account_id is not None:
                return _Primary(address, company.account_id, MatchBasis.ACCOUNT_DOMAIN, company.words)
            if one is None or (one.person.sobject == "Lead" and contacts):
                continue
            person = one.person
            account = person.record_id if person.sobject == "Account" else person.account_id
            primary = _Primary(address, account, one.basis, _described(one, activity, address), person)
            if person.sobject == "Lead" or account is not None:
                return primary
            first_without = first_without or primary
        return first_without

    # --- the opportunity ---

    def _thread_deal(self, earlier: Match | None) -> OpenOpportunity | None:
        return self._deals.get(earlier.what_id) if earlier is not None and earlier.what_id is not None else None

    def _deal(
        self,
        activity: Activity,
        known: _Known,
        primary: _Primary,
        thread: OpenOpportunity | None,
        ours: frozenset[str],
    ) -> Picked:
        """Return the opportunity it is about: that of its conversation while that is open, else the clear winner."""
        person = primary.person
        if person is not None and person.sobject == "Lead":
            return Picked(None)
        contacts = frozenset(one.record_id for one in known.by_kind("Contact").values())
        if thread is not None and (thread.account_id == primary.account_id or thread.roles.keys() & contacts):
            words = "" if primary.basis is MatchBasis.THREAD else f" Linked to {thread.name}, as the mail before it."
            return Picked(thread, words)
        converted = {one.person.opportunity_id for one in known.chosen.values()}
        setting = Setting(
            at=min(activity.start, self._rules.as_of or activity.start),
            account_id=primary.account_id,
            by_person=person is not None,
            person_id=person.record_id if person is not None else None,
            contacts=contacts,
            converted=frozenset(one for one in converted if one is not None),
            ours=ours,
        )
        near = self._book.open_opportunities.get(primary.account_id or "", ())
        by_role = [deal for one in contacts for deal in self._deals_of.get(one, ())]
        became = [self._deals[one] for one in setting.converted if one in self._deals]
        every = {deal.record_id: deal for deal in (*near, *by_role, *became)}
        return pick(every.values(), setting)

    def _match(
        self,
        activity: Activity,
        owner: str | None,
        users: Mapping[str, str],
        known: _Known,
        primary: _Primary,
        picked: Picked,
    ) -> Match:
        people, leads = known.by_kind("Contact"), known.by_kind("Lead")
        left_out = ""
        if primary.person is not None and primary.person.sobject == "Lead":
            # One lead or many contacts: Salesforce takes no mixture, and no WhatId beside a lead.
            people = {primary.address: primary.person}
        elif leads and people:
            left_out = f" {len(leads)} lead{'s' if len(leads) > 1 else ''} beside the contacts left out."
        order = [primary.address, *(address for address in people if address != primary.address)]
        who = dict.fromkeys(people[address].record_id for address in order if address in people)
        what_id = picked.deal.record_id if picked.deal is not None else primary.account_id
        lead = primary.person is not None and primary.person.sobject == "Lead"
        return Match(
            activity_key=activity.key,
            who_ids=tuple(who),
            what_id=None if lead else what_id,
            account_id=None if lead else primary.account_id,
            owner_id=owner,
            basis=primary.basis,
            reason=f"{primary.words}{picked.words}{left_out}{_rival_words(known)}",
            runners_up=tuple(dict.fromkeys((*known.runners_up(), *picked.runners_up))),
            addresses={**{address: person.record_id for address, person in people.items()}, **users},
            left_out=tuple(address for address in leads if address not in people),
        )


def _nothing(
    activity: Activity, owner: str | None, users: Mapping[str, str], reason: str, runners_up: tuple[str, ...] = ()
) -> Match:
    return Match(activity.key, (), None, None, owner, MatchBasis.NONE, reason, runners_up, dict(users))


def _count(number: int) -> str:
    if number == 1:
        return "The person outside the company is no contact, lead or account in Salesforce."
    return f"None of the {number} people outside the company is a contact, lead or account in Salesforce."


def _described(one: Chosen, activity: Activity, address: str) -> str:
    roles = (person.role for person in activity.participants if person.address == address)
    role = next((_PART[role] for role in roles if role in _PART), "a participant")
    grounds = "a lead with this e-mail address became it" if one.basis is MatchBasis.CONVERTED_LEAD else _SAME
    return f"{one.person.sobject} {one.person.name} is {role} ({grounds})."


_SAME = "same e-mail address"
_PART = {Role.FROM: "the sender", Role.TO: "a recipient", Role.CC: "in copy", Role.REPLY_TO: "the reply address",
         Role.ORGANIZER: "the organizer", Role.ATTENDEE: "a guest"}  # fmt: skip


def _rival_words(known: _Known) -> str:
    words = ""
    rivals = {other for one in known.chosen.values() for other in one.runners_up}
    if rivals:
        why = "; ".join(dict.fromkeys(one.words for one in known.chosen.values() if one.runners_up))
        noun = "record has" if len(rivals) == 1 else "records have"
        words = f" {len(rivals)} other {noun} the same address; chosen: {why}."
    doubles = {other for one in known.chosen.values() for other in one.doubles}
    if doubles:
        noun = "A lead has" if len(doubles) == 1 else f"{len(doubles)} leads have"
        words += f" {noun} a contact's address too: a duplicate."
    return words


def lookup_addresses(activity: Activity) -> frozenset[str]:
    """Return every address form that `Resolver` may look up for `activity`."""
    people = [person.address for person in activity.participants if person.role is not Role.BCC]
    people += [ref.principal for ref in activity.refs]
    return frozenset(form for address in people for form in variants(address))
