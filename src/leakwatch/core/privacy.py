"""What is never captured. Decided on headers alone, before anything is stored. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from leakwatch.core.addresses import AddressPatterns, canonical, domain_of, in_domain, normalise
from leakwatch.core.text import clean_line, fold
from leakwatch.model import Activity, Direction, Participant, Role, SkipReason, altered, participant

MOST_KNOWN = 16_384  # addresses remembered as ours or not
MAX_PARTICIPANTS = 998  # kept of one mail; the rest is counted (10,000 recipients are no conversation)


class Insiders:
    """Who counts as one of us: company domains with their subdomains, and single addresses. Unknown is outside."""

    def __init__(self, *, domains: Iterable[str], addresses: Iterable[str]) -> None:
        self._domains = tuple(sorted({domain.strip().lower().lstrip("@") for domain in domains} - {""}))
        self._addresses = {canonical(address) for raw in addresses if (address := normalise(raw)) is not None}
        self._known: dict[str, bool] = {}  # the same people stand in mail after mail

    def holds(self, address: str) -> bool:
        """Return whether `address` (lower case) belongs to one of us."""
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[address] = self._is_ours(address)
        return known

    def _is_ours(self, address: str) -> bool:
        if canonical(address) in self._addresses:
            return True
        domain = domain_of(address)
        return any(in_domain(domain, ours) for ours in self._domains)

    def mark(self, activity: Activity) -> Activity:
        """Return `activity` with `internal` set on each participant who is one of us, and on nobody else.

        Whoever sent a mail from one of our mailboxes is, whatever address they sent it as.
        """
        sent = activity.direction is Direction.OUTBOUND
        inside = [self.holds(person.address) or (sent and person.role is Role.FROM) for person in activity.participants]
        if inside == [person.internal for person in activity.participants]:
            return activity
        people = zip(activity.participants, inside, strict=True)
        return altered(
            activity,
            participants=tuple(
                participant(one.address, one.role, one.name, ours, one.response) for one, ours in people
            ),
        )


@dataclass(frozen=True)
class PrivacyRules:
    """The admin's exclusions.

    Attributes:
        never_log: addresses, domains or wildcards: a mail with one of them, BCC included, is not captured at all.
        only_log: if given, only mails with one of these are captured.
        subject_markers: a subject holding one of these is not captured; compared without case, Turkish-aware, as
            whole words where the marker begins or ends with a letter.
        sensitivities: a mail whose sender gave it one of these Sensitivity headers is not captured; lower case.
        subjects: off stores and writes no subject.
        log_bulk: newsletters and notifications are kept (and matched to known people) instead of skipped.
    """

    never_log: tuple[str, ...] = ()
    only_log: tuple[str, ...] = ()
    subject_markers: tuple[str, ...] = ()
    sensitivities: tuple[str, ...] = ("personal", "private", "company-confidential")
    subjects: bool = True
    log_bulk: bool = False
    max_participants: int = field(default=MAX_PARTICIPANTS)

    @cached_property
    def blocked(self) -> AddressPatterns:
        """`never_log`, ready to ask."""
        return AddressPatterns(self.never_log)

    @cached_property
    def allowed(self) -> AddressPatterns:
        """`only_log`, ready to ask."""
        return AddressPatterns(self.only_log)

    @cached_property
    def markers(self) -> re.Pattern[str] | None:
        """`subject_markers`, ready to ask; None if there are none."""
        words = [fold(clean_line(marker)) for marker in self.subject_markers]
        parts = [_whole(word) for word in sorted(set(words)) if word]
        return re.compile("|".join(parts)) if parts else None


def _whole(word: str) -> str:
    left = r"(?<!\w)" if word[0].isalnum() else ""
    right = r"(?!\w)" if word[-1].isalnum() else ""
    return f"{left}{re.escape(word)}{right}"


def screen(activity: Activity, rules: PrivacyRules) -> SkipReason | None:
    """Return why `activity` (participants marked by `Insiders.mark`) must not be stored, or None if it may."""
    if rules.blocked and any(map(rules.blocked.match, _addresses(activity))):
        return SkipReason.BLOCKED
    if is_internal(activity) and not activity.private:  # of a private one nobody else is kept: that tells nothing
        return SkipReason.INTERNAL_ONLY
    if rules.markers is not None and rules.markers.search(fold(activity.subject)):
        return SkipReason.CONFIDENTIAL_SUBJECT
    if activity.sensitivity in rules.sensitivities:
        return SkipReason.SENSITIVE
    if rules.allowed and not any(map(rules.allowed.match, _addresses(activity))):
        return SkipReason.NOT_ON_LIST
    if activity.bulk and not rules.log_bulk:
        return SkipReason.BULK
    return None


def _addresses(activity: Activity) -> set[str]:
    return {person.address for person in activity.participants}


def is_internal(activity: Activity) -> bool:
    """Return whether everybody in the mail is one of us: From, To, Cc and Reply-To.

    BCC does not count: only the sender's copy shows it, and every copy of a mail must be judged alike.
    """
    if activity.omitted_participants:
        return False
    return all(person.internal for person in activity.participants if person.role is not Role.BCC)


def reduce(activity: Activity, rules: PrivacyRules) -> Activity:
    """Return what of `activity` may be stored: no subject if switched off, no more people than the cap, no body.

    Call it after `screen`, which must see everything.
    """
    if rules.subjects and len(activity.participants) <= rules.max_participants and activity.body is None:
        return activity
    kept = activity.participants[: rules.max_participants]
    return altered(
        activity,
        subject=activity.subject if rules.subjects else "",
        participants=kept,
        omitted_participants=activity.omitted_participants + len(activity.participants) - len(kept),
        body=None,
    )


def outsiders(activity: Activity) -> tuple[Participant, ...]:
    """Return the visible people who are not ours, the ones that matter most first.

    Sender (inbound) or first To (outbound) leads; then To, Cc and Reply-To in header order, each address once. Of a
    meeting the organizer leads.
    """
    order = (Role.FROM, Role.TO, Role.CC, Role.REPLY_TO, Role.ORGANIZER, Role.ATTENDEE)
    if activity.direction is Direction.OUTBOUND:
        order = (Role.TO, Role.CC)
    found: dict[str, Participant] = {}
    outside = [person for person in activity.participants if not person.internal]
    for role in order:
        for person in outside:
            if person.role is role and person.address not in found:
                found[person.address] = person
    return tuple(found.values())
