"""A calendar event → a meeting, and its copies in several calendars → one. The same for every provider. Pure.

A meeting lives in as many calendars as it has guests of ours. The organizer's own copy is the one whose word counts: it
alone holds every guest and every answer, and it alone can cancel the meeting. A copy that its owner declined, or that
vanished from their calendar, says only that they were not there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from leakwatch.core.addresses import normalise
from leakwatch.core.identity import meeting_key
from leakwatch.core.text import clean_line
from leakwatch.model import (
    Activity,
    ActivityKind,
    Decision,
    Direction,
    Outcome,
    Participant,
    Principal,
    Role,
    SkipReason,
    SourceRef,
)

MAX_SUBJECT = 1_000  # characters kept; Salesforce takes 255
DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Guest:
    """One person of an event as the provider names them; `response` in Google's words (declined, accepted ...)."""

    address: str
    name: str = ""
    response: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What an event says, whichever provider it is from.

    Attributes:
        uid: iCalendar UID of the meeting, or of the series it is an occurrence of.
        start, end: aware, or dates of an all-day event, whose end is exclusive (RFC 5545, 3.6.1).
        original_start: of an occurrence; None for a meeting of its own.
        organizer: who called it; None if the provider does not say.
        guests: everybody invited, without rooms; the organizer may be among them.
        complete: whether the guests are all; providers leave some out of a guest's copy.
        made: when the item was made; aware. None if the provider does not say.
        origin: the Salesforce record that the item says it is a copy of (see `core.origin`).
    """

    uid: str
    start: datetime | date
    end: datetime | date
    subject: str
    organizer: Guest | None
    guests: tuple[Guest, ...]
    original_start: datetime | date | None = None
    private: bool = False
    complete: bool = True
    made: datetime | None = None
    origin: str = ""


def to_meeting(ref: SourceRef, event: Event, owner: Principal) -> Activity | Decision:
    """Return the meeting in `event`, as it stands in the calendar of `owner`; never raises on odd content.

    Of a private one only the time and the owner are kept. A copy that its owner declined comes as cancelled: `merge`
    knows that this is no word about the meeting.
    """
    start, end, all_day = _span(event.start, event.end)
    if end < start:
        return Decision(ref, Outcome.QUARANTINED, "unreadable_date", start, detail="it ends before it begins")
    people = _people(event)
    mine = [person for person in people if person.address in owner.addresses]
    organizer = next((person for person in people if person.role is Role.ORGANIZER), None)
    organizers = organizer is not None and organizer.address in owner.addresses
    declined = not organizers and any(person.response == DECLINED for person in mine)
    subject = clean_line(event.subject)[:MAX_SUBJECT]
    if event.private:
        subject, people = "", mine or [Participant(owner.address, Role.ATTENDEE, owner.name)]
    return Activity(
        key=meeting_key(event.uid, event.original_start),
        weak_key=False,
        kind=ActivityKind.MEETING,
        start=start,
        end=end,
        subject=subject,
        participants=tuple(people),
        direction=Direction.INTERNAL,  # a meeting goes nowhere
        refs=(ref,),
        cancelled=declined,
        omitted_participants=0 if event.complete or event.private else 1,
        all_day=all_day,
        private=event.private,
        organizers=organizers,
        made=event.made,
        origin=event.origin,
    )


def _span(start: datetime | date, end: datetime | date) -> tuple[datetime, datetime, bool]:
    """Return (start, end, all day) as aware moments in UTC; dates become midnights that stand for them."""
    if isinstance(start, datetime) and isinstance(end, datetime):
        return start.astimezone(UTC), end.astimezone(UTC), False
    first, last = (moment.date() if isinstance(moment, datetime) else moment for moment in (start, end))
    last = max(last, first + timedelta(days=1)) if last >= first else last  # some write one day as start = end
    return datetime.combine(first, time(), UTC), datetime.combine(last, time(), UTC), True


def _people(event: Event) -> list[Participant]:
    """Return organizer and guests by address, each once; what is no address is left out."""
    found: list[Participant] = []
    seen: set[str] = set()
    if event.organizer is not None and (address := normalise(event.organizer.address)) is not None:
        found.append(Participant(address, Role.ORGANIZER, clean_line(event.organizer.name)))
    for guest in event.guests:
        address = normalise(guest.address)
        if address is not None and address not in seen:
            seen.add(address)
            found.append(Participant(address, Role.ATTENDEE, clean_line(guest.name), response=guest.response))
    return found


def withdrawn(copy: Activity) -> Activity:
    """Return `copy` after it vanished from its calendar or was cancelled there."""
    return replace(copy, cancelled=True)


def merge_meeting(copies: Iterable[Activity]) -> Activity:
    """Return one meeting for its copies, the same whatever order they arrived in.

    - It is cancelled if the organizer's own copy is, or, where that calendar is not read, if every copy is. Who handed
      the meeting on to another organizer keeps a cancelled copy of it, too: that calls nothing off.
    - A private copy counts for nothing while an open one lives: its owner hid it in their own calendar only.
    - The organizer's copy leads, then the one that knows the most guests. Each of ours answers for themselves.

    Raises:
        ValueError: there are no copies.
    """
    ordered = sorted(copies, key=_rank)
    if not ordered:
        raise ValueError("merge needs at least one copy")
    living = [copy for copy in ordered if not copy.cancelled]
    gone = {_organizer(copy) for copy in ordered if copy.organizers and copy.cancelled}
    called_off = bool(gone) and not _handed_on(gone, living)
    seen = [copy for copy in living if not copy.private] or living or ordered
    lead = seen[0]
    return replace(
        lead,
        participants=_answered(lead, ordered),
        refs=tuple(sorted({ref for copy in ordered for ref in copy.refs}, key=_place)),
        subject=lead.subject or next((copy.subject for copy in seen if copy.subject), ""),
        cancelled=called_off or not living,
        organizers=any(copy.organizers for copy in ordered),
        origin=next((copy.origin for copy in ordered if copy.origin), ""),
    )


def _handed_on(gone: Collection[str | None], living: Iterable[Activity]) -> bool:
    """Return whether one of the `living` copies names an organizer besides those in whose calendars it is `gone`.

    Google leaves the former organizer a cancelled event with nothing but its id (Events resource, "status"), under
    which the copy from before is stored.
    """
    return any(_organizer(one) not in (None, *gone) for one in living)


def _organizer(copy: Activity) -> str | None:
    return next((person.address for person in copy.participants if person.role is Role.ORGANIZER), None)


def _rank(copy: Activity) -> tuple[bool, bool, int, list[tuple[str, str, str]]]:
    return (
        not copy.organizers,
        copy.omitted_participants > 0,
        -len(copy.participants),
        sorted(_place(ref) for ref in copy.refs),
    )


def _place(ref: SourceRef) -> tuple[str, str, str]:
    return (ref.principal, ref.source, ref.provider_id)


def _answered(lead: Activity, copies: Sequence[Activity]) -> tuple[Participant, ...]:
    """Return the lead's people, those of ours with the answer that their own copy gives."""
    own = {copy.refs[0].principal: copy for copy in copies if copy.refs}
    found: list[Participant] = []
    for person in lead.participants:
        copy = own.get(person.address)
        theirs = next((one.response for one in copy.participants if one.address == person.address and one.response),
                      None) if copy is not None else None  # fmt: skip
        found.append(replace(person, response=theirs) if theirs and person.role is Role.ATTENDEE else person)
    return tuple(found)


def attending(activity: Activity) -> tuple[Participant, ...]:
    """Return those of ours who count as present, whose meeting it is first: the organizer, then guests by address."""
    ours = [person for person in activity.participants if person.internal and person.response != DECLINED]
    order = {Role.ORGANIZER: 0}
    found: dict[str, Participant] = {}
    for person in sorted(ours, key=lambda one: (order.get(one.role, 1), one.address)):
        found.setdefault(person.address, person)
    return tuple(found.values())


def skip_reason(activity: Activity) -> SkipReason | None:
    """Return why a merged meeting that is not in Salesforce needs no record there; None if it may have one."""
    if activity.cancelled:
        return SkipReason.CANCELLED
    return SkipReason.PRIVATE if activity.private else None
