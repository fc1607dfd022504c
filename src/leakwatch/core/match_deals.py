"""Which open opportunity a mail is about: one clear winner, or none. Pure.

The order and the limits are those of the project's matching table; the filter by our people is what Einstein
Conversation Insights publishes ("related records").
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from operator import attrgetter

from leakwatch.model import AddressBook, Match, OpenOpportunity

BEFORE_CREATED = timedelta(days=7)  # a deal is often entered some days after its first mail
AFTER_CLOSE = timedelta(days=30)  # and its close date passes unnoticed; later mail is more likely about something else
LIVELY = timedelta(days=30)  # between a mail and the last activity of the deal it is about ...
DORMANT = timedelta(days=90)  # ... and of each deal that it is then not about
OPPORTUNITY_PREFIX = "006"  # of an Opportunity's id (Object Reference v63)
SHOWN = 5  # names of candidates in a reason


@dataclass(frozen=True, slots=True)
class Setting:
    """What a mail says that bears on its opportunity.

    Attributes:
        at: when it was sent or received.
        account_id: the primary company's account; None if unknown.
        by_person: that account is a known person's, not merely the one of a mail domain.
        person_id: the contact that stands for the primary company.
        contacts: every contact in the mail.
        converted: opportunities that leads in it became.
        ours: our users in it.
    """

    at: datetime
    account_id: str | None
    by_person: bool
    person_id: str | None = None
    contacts: frozenset[str] = frozenset()
    converted: frozenset[str] = frozenset()
    ours: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Picked:
    """The opportunity, or None with the candidates that were too many; and why, in words."""

    deal: OpenOpportunity | None
    words: str = ""
    runners_up: tuple[str, ...] = field(default=())


def in_time(deal: OpenOpportunity, at: datetime) -> bool:
    """Return whether a mail of `at` may be about `deal`: from a week before its making to 30 days past its close."""
    if deal.created_at is not None and at < deal.created_at - BEFORE_CREATED:
        return False
    return deal.close_date is None or at.date() <= deal.close_date + AFTER_CLOSE


def pick(deals: Iterable[OpenOpportunity], setting: Setting) -> Picked:
    """Return which of `deals` (all that anybody in the mail may have to do with) the mail is about."""
    timely = sorted((deal for deal in deals if in_time(deal, setting.at)), key=attrgetter("record_id"))
    near, far = _near_and_far(timely, setting)
    if near:
        return _one_of(near, setting, strict=not setting.by_person)
    if far:
        return _one_of(far, setting, strict=True)
    return Picked(None, " It has no open opportunity of that time." if setting.account_id else "")


def _near_and_far(
    deals: Sequence[OpenOpportunity], setting: Setting
) -> tuple[list[OpenOpportunity], list[OpenOpportunity]]:
    """Return (deals of the primary company and person, deals elsewhere in which somebody else in the mail has a role).

    A partner's role in another customer's deal says little beside the company that the mail is written to.
    """
    near = [
        deal
        for deal in deals
        if (setting.account_id is not None and deal.account_id == setting.account_id)
        or (setting.person_id is not None and setting.person_id in deal.roles)
        or deal.record_id in setting.converted
    ]
    taken = {deal.record_id for deal in near}
    far = [deal for deal in deals if deal.record_id not in taken and deal.roles.keys() & setting.contacts]
    return near, far


def _one_of(deals: Sequence[OpenOpportunity], setting: Setting, *, strict: bool) -> Picked:
    """Return the one of `deals` left after each rule in turn; `strict`: it must be one of a rep in the mail."""
    ours = setting.ours
    left = [deal for deal in deals if deal.owner_id in ours or deal.team & ours]
    words = f"of {len(deals)} open ones the one of a rep in the mail" if len(deals) > 1 else ""
    if not left and strict:
        return Picked(None, _too_many(deals, "and none of a rep in the mail"), tuple(deal.record_id for deal in deals))
    if not left or len(left) == len(deals):
        left, words = list(deals), ""
    for name, keep in _rules(setting) if len(left) > 1 else ():
        if len(left) == 1:
            break
        kept = keep(left)
        if kept and len(kept) < len(left):
            left, words = kept, name
    if len(left) > 1:
        return Picked(None, _too_many(left, "and none stands out"), tuple(deal.record_id for deal in deals))
    rest = tuple(deal.record_id for deal in deals if deal.record_id != left[0].record_id)
    own = left[0].account_id == setting.account_id
    only = (
        "the only open opportunity of the account" if own else "the only one in which somebody in the mail has a role"
    )
    return Picked(left[0], f" Linked to {left[0].name}, {words or only}.", rest)


_Rule = Callable[[Sequence[OpenOpportunity]], list[OpenOpportunity]]


def _rules(setting: Setting) -> list[tuple[str, _Rule]]:
    """Return (words, rule) in order; a rule returns those it speaks for."""
    contacts, ours = setting.contacts, setting.ours

    def with_role(deals: Sequence[OpenOpportunity]) -> list[OpenOpportunity]:
        return [deal for deal in deals if deal.roles.keys() & contacts or deal.record_id in setting.converted]

    def primary_role(deals: Sequence[OpenOpportunity]) -> list[OpenOpportunity]:
        return [deal for deal in deals if any(deal.roles.get(one, False) for one in contacts)]

    return [
        ("the one in which somebody in the mail has a contact role", with_role),
        ("the one in which somebody in the mail is the primary contact", primary_role),
        ("the one owned by a rep in the mail", lambda deals: [deal for deal in deals if deal.owner_id in ours]),
        ("the only one at work at that time", lambda deals: _lively(deals, setting.at.date())),
    ]


def _lively(deals: Sequence[OpenOpportunity], at: date) -> list[OpenOpportunity]:
    """Return the one deal that was worked on around `at` while every other lay still; nothing if it is not so clear."""
    apart = {deal.record_id: _days_apart(deal, at) for deal in deals}
    near = [deal for deal in deals if (days := apart[deal.record_id]) is not None and days <= LIVELY]
    still = [deal for deal in deals if (days := apart[deal.record_id]) is not None and days >= DORMANT]
    return near if len(near) == 1 and len(near) + len(still) == len(deals) else []


def _days_apart(deal: OpenOpportunity, at: date) -> timedelta | None:
    """Return the time between `at` and the deal's last activity (its making, where it never had any)."""
    day = deal.last_activity or (deal.created_at.date() if deal.created_at is not None else None)
    return abs(day - at) if day is not None else None


def _too_many(deals: Collection[OpenOpportunity], why: str) -> str:
    names = ", ".join(deal.name for deal in list(deals)[:SHOWN]) + (", …" if len(deals) > SHOWN else "")
    number = "1 opportunity is open" if len(deals) == 1 else f"{len(deals)} opportunities are open"
    return f" Linked to the account: {number} {why} ({names})."


def with_past_deal(match: Match, earlier: Match | None, book: AddressBook) -> Match:
    """Return `match` of what was written before, linked as it was if its opportunity was closed since: past links stay.

    `earlier` is how it matched then. With another company the old link would be wrong; while the deal is open, the new
    match has weighed it.
    """
    deal = earlier.what_id if earlier is not None else None
    if earlier is None or deal is None or not deal.startswith(OPPORTUNITY_PREFIX) or match.account_id is None:
        return match
    still_open = any(one.record_id == deal for deals in book.open_opportunities.values() for one in deals)
    if still_open or match.account_id != earlier.account_id:
        return match
    return replace(match, what_id=deal, reason=f"{match.reason} Its opportunity was closed since: the link stays.")
