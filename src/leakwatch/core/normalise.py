"""Copies of one mail or meeting from several mailboxes → one Activity, the same in whatever order they came. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from leakwatch.core import identity
from leakwatch.core.meetings import merge_meeting
from leakwatch.model import Activity, ActivityKind, Direction, Participant, Role, SourceRef, altered

# Copies carry the very same Date header; a relay may rewrite it a little, a different mail is rarely this close.
SAME_MAIL_WITHIN = timedelta(minutes=10)
# Some relays (Amazon SES) give the delivered copy another Message-ID than the sent one; both are seen at once.
REWRITTEN_WITHIN = timedelta(minutes=2)


def merge(copies: Iterable[Activity]) -> Activity:
    """Return one Activity for copies of the same mail or meeting (of meetings see `core.meetings.merge_meeting`).

    The sender's own copy leads, then the earliest; later ones fill what it leaves blank and add people and refs. BCC
    is left out: only the sender's stored copy keeps it. So are, of a mail that we sent, the refs of copies besides the
    sender's own: a mailbox that holds it without being named got it in BCC.

    Raises:
        ValueError: there are no copies.
    """
    some = list(copies)
    if not some:
        raise ValueError("merge needs at least one copy")
    ordered = sorted(some, key=_rank) if len(some) > 1 else some
    lead = ordered[0]
    if lead.kind is ActivityKind.MEETING:
        return merge_meeting(ordered)
    if len(some) == 1:
        return _alone(lead)
    sent = [copy for copy in ordered if copy.direction is Direction.OUTBOUND]
    outbound = bool(sent)
    return altered(
        lead,
        participants=_united(ordered),
        refs=tuple(sorted({ref for copy in sent or ordered for ref in copy.refs}, key=_ref_rank)),
        direction=Direction.OUTBOUND if outbound else lead.direction,
        subject=_first(copy.subject for copy in ordered),
        thread_key=next((copy.thread_key for copy in ordered if copy.thread_key), None),
        answers=next((copy.answers for copy in ordered if copy.answers), ()),
        message_id=next((copy.message_id for copy in ordered if copy.message_id), None),
        sent_at=next((copy.sent_at for copy in ordered if copy.sent_at), None),
        bulk=not outbound and all(copy.bulk for copy in ordered),  # written to us directly, besides to a list
        weak_key=all(copy.weak_key for copy in ordered),
        omitted_participants=max(copy.omitted_participants for copy in ordered),
        reused_id=any(copy.reused_id for copy in ordered),
        sensitivity=_first(copy.sensitivity for copy in ordered),
        body=next((copy.body for copy in ordered if copy.body is not None), None),
    )


def _alone(copy: Activity) -> Activity:
    """Return what `merge` comes to for a single copy in one mailbox, as most mails are: nearly always the copy."""
    people = _united([copy])
    bulk = copy.bulk and copy.direction is not Direction.OUTBOUND
    if len(people) == len(copy.participants) and bulk is copy.bulk and len(copy.refs) == 1:
        return copy
    refs = tuple(sorted(set(copy.refs), key=_ref_rank))
    return altered(copy, participants=people, bulk=bulk, refs=refs)


def decisive(merged: Activity) -> tuple[Activity, str | None]:
    """Return what of a merged mail or meeting decides the writes: not where its copies lie (but see `holder`)."""
    if merged.kind is ActivityKind.MEETING:
        return altered(merged, refs=(), made=None), None
    return altered(merged, refs=()), holder(merged)


def holder(merged: Activity) -> str | None:
    """Return the mailbox that decides whose a merged mail is, or None where that does not hang on its mailboxes.

    Where nobody of ours is named in To or Cc (a list's mail, a BCC), the mail belongs to the first mailbox that holds
    it. Should a later copy lie in an earlier one, the mail changes hands: it ends with the same rep in whatever order
    the mailboxes were read.
    """
    if merged.kind is ActivityKind.MEETING:
        return None
    holders = {ref.principal for ref in merged.refs}
    for person in merged.participants:
        if person.address in holders and person.role in (Role.TO, Role.CC):
            return None
    return min(holders, default=None)


def _rank(copy: Activity) -> tuple[bool, str, list[tuple[str, str, str]]]:
    return (
        copy.direction is not Direction.OUTBOUND,
        copy.start.isoformat(),
        sorted(_ref_rank(ref) for ref in copy.refs),
    )


def _ref_rank(ref: SourceRef) -> tuple[str, str, str]:
    return (ref.principal, ref.source, ref.provider_id)


def _first(values: Iterable[str]) -> str:
    return next((value for value in values if value), "")


def _united(ordered: Sequence[Activity]) -> tuple[Participant, ...]:
    people: dict[tuple[Role, str], Participant] = {}
    for copy in ordered:
        for person in copy.participants:
            if person.role is Role.BCC:
                continue
            known = people.get((person.role, person.address))
            if known is None:
                people[(person.role, person.address)] = person
            elif (not known.name and person.name) or (person.internal and not known.internal):
                people[(person.role, person.address)] = replace(
                    known, name=known.name or person.name, internal=known.internal or person.internal
                )
    return tuple(people.values())


def sender_of(activity: Activity) -> str:
    """Return the address in From, or an empty string."""
    return next((person.address for person in activity.participants if person.role is Role.FROM), "")


def same_mail(one: Activity, other: Activity) -> bool:
    """Return whether two copies with one Message-ID are one mail: same From, Date headers within ten minutes."""
    if sender_of(one) != sender_of(other):
        return False
    if one.sent_at is None or other.sent_at is None:
        return True
    return abs(one.sent_at - other.sent_at) <= SAME_MAIL_WITHIN


def assign_key(copy: Activity, stored: Iterable[Activity]) -> Activity:
    """Return `copy` under the key it is to be stored by, given the `stored` copies it may belong to.

    - A copy of a mail that is stored already takes that mail's key, also where a relay rewrote the Message-ID
      (same fingerprint, another mailbox, within two minutes).
    - A Message-ID that another mail (other From or Date) uses already gets a key of its own and is flagged: a bad
      mailer, or an outsider trying to suppress a record.
    - A meeting's own key is all there is.
    """
    if copy.kind is ActivityKind.MEETING:
        return copy
    candidates = sorted(stored, key=_rank)
    if not candidates:
        return copy
    same_id = [other for other in candidates if other.message_id == copy.message_id and not copy.weak_key]
    for other in same_id:
        if same_mail(copy, other):
            return altered(copy, key=other.key, reused_id=other.reused_id)
    if any(other.key == copy.key for other in same_id):
        key = identity.conflict_key(copy.message_id or "", sender_of(copy), copy.sent_at)
        return altered(copy, key=key, reused_id=True)
    for other in candidates:
        if _rewritten(copy, other):
            return altered(copy, key=other.key)
    return copy


def _rewritten(copy: Activity, other: Activity) -> bool:
    if not copy.fingerprint or copy.fingerprint != other.fingerprint or copy.message_id == other.message_id:
        return False
    others = {ref.principal for ref in other.refs}
    return abs(copy.start - other.start) <= REWRITTEN_WITHIN and all(ref.principal not in others for ref in copy.refs)
