"""Which records a mail belongs to, and why in words. A pure resolver over an AddressBook.

It abstains rather than guesses: an opportunity is linked only when it is the one open deal of the matched account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from leakwatch.core.addresses import AddressPatterns, variants
from leakwatch.core.meetings import attending
from leakwatch.core.normalise import sender_of
from leakwatch.core.privacy import outsiders
from leakwatch.model import (
    Activity,
    ActivityKind,
    AddressBook,
    Direction,
    Match,
    MatchBasis,
    Participant,
    Person,
    Principal,
    Role,
)

Span = tuple[datetime, datetime]  # from, to; aware UTC

_LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_BASIS = {"Contact": MatchBasis.CONTACT_EMAIL, "Lead": MatchBasis.LEAD_EMAIL, "Account": MatchBasis.ACCOUNT_EMAIL}


@dataclass(frozen=True, slots=True)
class MatchRules:
    """What the resolver is told besides the address book.

    `principals` are the people on the roster; `read` says by address from when to when their mailboxes are known, so
    that a mail of theirs in that time without their own copy is known to be forged; `never_match` are addresses that
    never stand for a record.
    """

    principals: tuple[Principal, ...] = ()
    read: Mapping[str, Span] = field(default_factory=dict[str, Span])
    never_match: tuple[str, ...] = ()
    match_bulk: bool = False


class Resolver:
    """Matches activities against one address book."""

    def __init__(self, book: AddressBook, rules: MatchRules) -> None:
        self._book = book
        self._rules = rules
        self._never = AddressPatterns(rules.never_match)
        self._owners = {address: principal for principal in rules.principals for address in principal.addresses}

    def resolve(self, activity: Activity) -> Match:
        """Return the match of `activity`; basis NONE if nobody in it is known, with the reason."""
        owner = self._owner(activity)
        users = self._users(activity)
        if activity.bulk and not self._rules.match_bulk:
            return _nothing(activity, owner, users, "A newsletter or notification: not matched.")
        found = self._records(activity)
        if not found:
            people = outsiders(activity)
            words = "Nobody outside the company is named." if not people else _count(len(people))
            return _nothing(activity, owner, users, words)
        chosen, rivals = self._choose(found, activity)
        return self._match(activity, owner, users, chosen, rivals)

    def _match(
        self,
        activity: Activity,
        owner: str | None,
        users: Mapping[str, str],
        chosen: Mapping[str, Person],
        rivals: tuple[str, ...],
    ) -> Match:
        people = {address: person for address, person in chosen.items() if person.sobject == "Contact"}
        people = people or {address: person for address, person in chosen.items() if person.sobject == "Lead"}
        lead_address = next(iter(people), None) or next(iter(chosen))
        primary = chosen[lead_address]
        if primary.sobject == "Lead":
            # One lead or many contacts: Salesforce takes no mixture, and no WhatId beside a lead.
            people = {lead_address: primary}
        account_id = primary.account_id if primary.sobject == "Contact" else None
        if primary.sobject == "Account":
            account_id = primary.record_id
        what_id, deals, words = self._what(account_id)
        return Match(
            activity_key=activity.key,
            who_ids=tuple(dict.fromkeys(person.record_id for person in people.values())),
            what_id=what_id,
            account_id=account_id,
            owner_id=owner,
            basis=_BASIS[primary.sobject],
            reason=f"{_described(primary, activity, lead_address)}{words}{_rival_words(rivals)}",
            runners_up=(*rivals, *deals),
            addresses={**{address: person.record_id for address, person in people.items()}, **users},
        )

    def _what(self, account_id: str | None) -> tuple[str | None, tuple[str, ...], str]:
        """Return (what id, candidate opportunities that were not taken, words)."""
        if account_id is None:
            return None, (), ""
        deals = sorted(self._book.open_opportunities.get(account_id, ()), key=lambda deal: deal.record_id)
        if len(deals) == 1:
            return deals[0].record_id, (), f" Linked to {deals[0].name}, the only open opportunity of the account."
        if not deals:
            return account_id, (), " Linked to the account, which has no open opportunity."
        names = ", ".join(deal.name for deal in deals[:5]) + (", …" if len(deals) > 5 else "")
        words = f" Linked to the account: {len(deals)} opportunities are open and none stands out ({names})."
        return account_id, tuple(deal.record_id for deal in deals), words

    def _records(self, activity: Activity) -> dict[str, list[Person]]:
        """Return outside address -> Contacts, else Leads, else Accounts with that address, most important first."""
        found: dict[str, list[Person]] = {}
        for participant in outsiders(activity):
            if self._never.match(participant.address):
                continue
            candidates = self._candidates(participant.address)
            if any(person.sobject == "User" and person.is_active for person in candidates):
                continue  # one of us, whatever contact carries the same address
            for sobject in ("Contact", "Lead", "Account"):
                fitting = [person for person in candidates if person.sobject == sobject]
                if fitting:
                    found[participant.address] = fitting
                    break
        return found

    def _candidates(self, address: str) -> tuple[Person, ...]:
        for form in variants(address):
            people = self._book.people.get(form)
            if people:
                return people
        return ()

    def _choose(
        self, found: Mapping[str, list[Person]], activity: Activity
    ) -> tuple[dict[str, Person], tuple[str, ...]]:
        """Return address -> record and the ids that lost, where several records share an address.

        Preferred: same account as somebody unambiguous in the mail, then an account with an open deal of one of our
        people in the mail, then the oldest record, then the lower id.
        """
        sure = {
            person.account_id for people in found.values() if len(people) == 1 for person in people if person.account_id
        }
        ours = set(self._users(activity).values())

        def rank(person: Person) -> tuple[bool, bool, datetime, str]:
            deals = self._book.open_opportunities.get(person.account_id or "", ())
            return (
                person.account_id not in sure,
                not any(deal.owner_id in ours for deal in deals),
                person.created_at or _LATEST,
                person.record_id,
            )

        chosen: dict[str, Person] = {}
        rivals: list[str] = []
        for address, people in found.items():
            best, *rest = sorted(people, key=rank)
            chosen[address] = best
            rivals += [person.record_id for person in rest]
        return chosen, tuple(dict.fromkeys(rivals))

    # --- our side ---

    def _users(self, activity: Activity) -> dict[str, str]:
        """Return visible address -> User id of our people in the mail."""
        found: dict[str, str] = {}
        for participant in activity.participants:
            if participant.role in (Role.BCC, Role.REPLY_TO):
                continue
            user = self._user(participant)
            if user is not None:
                found[participant.address] = user
        return found

    def _user(self, participant: Participant) -> str | None:
        """Return the id of the active User behind an address; an inactive one can't be related or own anything."""
        users = [person for person in self._candidates(participant.address) if person.sobject == "User"]
        active = sorted(person.record_id for person in users if person.is_active)
        if active:
            return active[0]
        principal = self._principal(participant.address)
        if users or principal is None:
            return None
        return principal.salesforce_user_id

    def _principal(self, address: str) -> Principal | None:
        return next((self._owners[form] for form in variants(address) if form in self._owners), None)

    def _owner(self, activity: Activity) -> str | None:
        """Return whose it is: the sending rep, else our first To, else our first Cc, else the mailbox's owner.

        A meeting is whose who called it, else the first of ours who came, by address.
        """
        if activity.kind is ActivityKind.MEETING:
            return _first_user(attending(activity), self._user)
        people = activity.participants
        senders = [person for person in people if person.role is Role.FROM]
        recipients = [person for role in (Role.TO, Role.CC) for person in people if person.role is role]
        mailboxes = [Participant(one, Role.TO) for one in sorted({ref.principal for ref in activity.refs})]
        if activity.direction is Direction.OUTBOUND:
            # Sent as an address that names no user: from the mailbox that holds it without being written to.
            written_to = {self._principal(person.address) for person in recipients}
            senders += [one for one in mailboxes if self._principal(one.address) not in written_to]
        elif not self._sent_unseen(activity):
            senders = []
        return _first_user((*senders, *recipients, *mailboxes), self._user)

    def _sent_unseen(self, activity: Activity) -> bool:
        """Return whether the sender's Sent box was not read for that time: then From is all there is to go by."""
        sender = self._principal(sender_of(activity))
        span = self._rules.read.get(sender.address) if sender is not None else None
        return span is None or not span[0] <= activity.start <= span[1]


def _first_user(people: Iterable[Participant], user: Callable[[Participant], str | None]) -> str | None:
    return next((found for person in people if (found := user(person)) is not None), None)


def _nothing(activity: Activity, owner: str | None, users: Mapping[str, str], reason: str) -> Match:
    return Match(activity.key, (), None, None, owner, MatchBasis.NONE, reason, (), dict(users))


def _count(number: int) -> str:
    if number == 1:
        return "The person outside the company is no contact, lead or account in Salesforce."
    return f"None of the {number} people outside the company is a contact, lead or account in Salesforce."


def _described(person: Person, activity: Activity, address: str) -> str:
    part = {Role.FROM: "the sender", Role.TO: "a recipient", Role.CC: "in copy", Role.REPLY_TO: "the reply address",
            Role.ORGANIZER: "the organizer", Role.ATTENDEE: "a guest"}  # fmt: skip
    roles = [participant.role for participant in activity.participants if participant.address == address]
    role = next((part[role] for role in roles if role in part), "a participant")
    return f"{person.sobject} {person.name} is {role} (same e-mail address)."


def _rival_words(rivals: tuple[str, ...]) -> str:
    if not rivals:
        return ""
    noun = "record has" if len(rivals) == 1 else "records have"
    return f" {len(rivals)} other {noun} the same address."


def lookup_addresses(activity: Activity) -> frozenset[str]:
    """Return every address form that `Resolver` may look up for `activity`."""
    people = [person.address for person in activity.participants if person.role is not Role.BCC]
    people += [ref.principal for ref in activity.refs]
    return frozenset(form for address in people for form in variants(address))
