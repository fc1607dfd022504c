"""What a mailbox gives, and what becomes of it: principals, cursors, activities, decisions, matches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from leakwatch.model.quick import changer


@dataclass(frozen=True, slots=True)
class Principal:
    """A mailbox owner we may read."""

    address: str
    provider: str  # "google" | "microsoft"
    provider_id: str
    salesforce_user_id: str | None
    name: str = ""
    aliases: frozenset[str] = frozenset()
    notice_date: date | None = None  # the day the employee was told; nothing is read without one
    parked_reason: str | None = None

    @property
    def addresses(self) -> frozenset[str]:
        """Every address that is this person: primary and aliases."""
        return self.aliases | {self.address}


class CursorPhase(StrEnum):
    """Where a stream stands: reading what is there, or what changed since."""

    SNAPSHOT = "snapshot"
    DELTA = "delta"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far one stream of one principal was read. Stored with compare-and-swap on `revision`."""

    source: str
    principal: str
    stream: str
    phase: CursorPhase
    token: str  # the provider's own change token (Gmail historyId); taken before the snapshot is listed
    page_token: str | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    anchored_at: datetime | None = None
    generation: int = 1  # raised by each reconcile
    narrowed: bool = False  # only mail of people known by then was listed; all mail is known from `anchored_at` on
    revision: int = 0  # raised by each store; 0 = not stored yet
    version: int = 1  # of this record's layout


@dataclass(frozen=True, slots=True)
class Page:
    """What one call of `Source.fetch_page` brought: raw provider items, never stored as they are."""

    upserts: tuple[Mapping[str, Any], ...]
    removed: tuple[str, ...]  # provider ids
    next_cursor: Cursor
    has_more: bool
    reset: bool = False  # the provider forgot the cursor: `next_cursor` begins a reconcile, nothing is to be wiped
    gone: tuple[str, ...] = ()  # ids listed by the provider that had vanished when fetched
    # When those that are gone went, as far as the provider says; empty where that tells nothing.
    removed_at: Mapping[str, datetime | None] = field(default_factory=dict[str, "datetime | None"])
    # When each of `upserts` last changed, by its id; empty where that tells nothing.
    changed_at: Mapping[str, datetime | None] = field(default_factory=dict[str, "datetime | None"])


class ActivityKind(StrEnum):
    """What really happened."""

    MAIL = "mail"
    MEETING = "meeting"
    CALL = "call"
    CHAT_DAY = "chat_day"


class Role(StrEnum):
    """How a participant took part (RFC 5322 and iCalendar words)."""

    FROM = "from"
    TO = "to"
    CC = "cc"
    BCC = "bcc"
    REPLY_TO = "reply_to"
    ORGANIZER = "organizer"
    ATTENDEE = "attendee"


class Direction(StrEnum):
    """Seen from our company."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Participant:
    """One address taking part in an activity."""

    address: str
    role: Role
    name: str = ""
    internal: bool = False
    response: str | None = None


@lru_cache(maxsize=8_192)
def participant(
    address: str, role: Role, name: str = "", internal: bool = False, response: str | None = None
) -> Participant:
    """Return the `Participant` with these values, one object for all mails that name somebody alike.

    The same people write again and again: to look one up costs a quarter of making one.
    """
    return Participant(address, role, name, internal, response)


@dataclass(frozen=True, slots=True)
class SourceRef:
    """Where a copy of an activity was seen."""

    source: str
    principal: str
    provider_id: str


@dataclass(frozen=True, slots=True)
class Activity:
    """One real-world mail, meeting, call or chat-day. `key` names the thing, not the copy."""

    key: str  # lw1:m:<40 hex>, see core.identity
    weak_key: bool
    kind: ActivityKind
    start: datetime
    end: datetime | None
    subject: str
    participants: tuple[Participant, ...]
    direction: Direction
    refs: tuple[SourceRef, ...]
    message_id: str | None = None  # normalised RFC 5322 Message-ID, mail only
    thread_key: str | None = None  # root Message-ID of the conversation
    bulk: bool = False  # newsletters and notifications: logged only for known people when asked, never matched alone
    cancelled: bool = False
    body: str | None = None  # only where the admin switched bodies on
    sent_at: datetime | None = None  # the Date header, which the sender controls; `start` is the server's time
    fingerprint: str = ""  # digest of From, Date, Subject, recipients: finds copies whose Message-ID a relay rewrote
    omitted_participants: int = 0  # beyond the cap on stored participants
    reused_id: bool = False  # another mail with the same Message-ID but other From or Date exists: never merged
    all_day: bool = False  # meetings: `start` and `end` are midnights in UTC that stand for dates, `end` exclusive
    private: bool = False  # meetings: its time alone may be known
    organizers: bool = False  # meetings: this is the organizer's own copy, whose word counts
    made: datetime | None = None  # meetings: when the calendar's item was made
    origin: str = ""  # meetings: the Salesforce Event or key of ours that the item names as what it is a copy of
    sensitivity: str = ""  # what its sender calls it: personal, private, company-confidential (RFC 2156)
    answers: tuple[str, ...] = ()  # Message-IDs of the mails before it in its conversation, the nearest first


altered = changer(Activity)


class SkipReason(StrEnum):
    """Why an item was not captured. Stable words: users filter on them."""

    INTERNAL_ONLY = "internal_only"
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SPAM = "spam"
    TRASH = "trash"
    CHAT = "chat"
    BOUNCE = "bounce"
    AUTO_REPLY = "auto_reply"
    CALENDAR_INVITATION = "calendar_invitation"
    CONFIDENTIAL_SUBJECT = "confidential_subject"
    SENSITIVE = "sensitive"  # by its Sensitivity header
    BLOCKED = "blocked"
    OPT_OUT_LABEL = "opt_out_label"
    NOT_LABELLED = "not_labelled"  # labels that let a mail in are set, and it carries none of them
    NO_NOTICE = "no_notice"
    OFF_ROSTER = "off_roster"  # read before its mailbox was taken off the roster, and not written by then
    BULK = "bulk"
    GONE = "gone"
    TOO_OLD = "too_old"
    NO_SENDER = "no_sender"
    NOT_GIVEN = "not_given"  # the provider fails for this one mail: quarantined, and asked for again by every reading
    NOT_ON_LIST = "not_on_list"  # an allow list is set and nobody in this mail is on it
    CANCELLED = "cancelled"  # a meeting that will not take place, or that all of ours declined
    PRIVATE = "private"  # an appointment that its owner marked as private
    NOT_A_MEETING = "not_a_meeting"  # birthdays, focus time, out of office, working location
    SERIES = "series"  # the master of a series: its occurrences are the meetings
    COPY_OF_OURS = "copy_of_our_event"  # a calendar item that names an Event of ours: another tool copied it there
    LIKE_OURS = "like_our_event"  # made after an Event of ours, with its time, subject and people


class Outcome(StrEnum):
    """What became of an item."""

    WRITTEN = "written"
    SKIPPED = "skipped"
    UNMATCHED = "unmatched"
    HELD = "held"
    QUARANTINED = "quarantined"
    ADOPTED = "adopted"  # another tool's record stands for it: nothing of it is ours (decision 0011)
    UNDONE = "undone"  # an undo took it back: it is left alone until that undo is released
    DROPPED = "dropped"  # an admin set it aside for good


WITHHELD = frozenset({Outcome.UNDONE, Outcome.DROPPED})  # a person decided so: no sync looks at them again


@dataclass(frozen=True, slots=True)
class MailTrace:
    """What tells whether another copy is the same mail, without a word or an address of it."""

    fingerprint: str  # of the Activity
    sender: str  # digest of the address in From, salted with the mail's key
    sent_at: datetime | None  # the Date header
    start: datetime  # the server's time of this copy


@dataclass(frozen=True, slots=True)
class Decision:
    """Why an item was written, skipped, held or quarantined: reason and provider id, no content."""

    ref: SourceRef
    outcome: Outcome
    reason: str
    at: datetime
    key: str | None = None  # what the Message-ID alone gives
    detail: str = ""  # words for a person, no subject and no outside address
    trace: MailTrace | None = None  # only where the decision holds for the mail's other copies too


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """The stored copies of one mail that is not settled, and decisions about other copies that may forbid it."""

    key: str
    copies: tuple[Activity, ...]
    vetoes: tuple[Decision, ...] = ()
    written: bool = False  # it is in Salesforce; a copy that came since may change whose it is
    refused_snapshot: str | None = None  # a record that this snapshot knows was gone when the mail was to be written
    refusals: int = 0  # how often that happened


class MatchBasis(StrEnum):
    """On what grounds an activity belongs to a record."""

    CONTACT_EMAIL = "contact_email"
    LEAD_EMAIL = "lead_email"
    ACCOUNT_EMAIL = "account_email"  # person account or an account's own e-mail field
    CONVERTED_LEAD = "converted_lead"  # the address is a lead's, which became this contact or account
    ACCOUNT_DOMAIN = "account_domain"  # nobody in it is known, but whose mail domain it is
    THREAD = "thread"  # nobody in it is known, but it answers a mail of this deal
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Match:
    """Which records an activity belongs to, and why in words."""

    activity_key: str
    who_ids: tuple[str, ...]  # first = primary
    what_id: str | None
    account_id: str | None
    owner_id: str | None
    basis: MatchBasis
    reason: str
    runners_up: tuple[str, ...] = ()
    addresses: Mapping[str, str] = field(default_factory=dict[str, str])  # matched address -> Contact, Lead or User id
    left_out: tuple[str, ...] = ()  # addresses of leads that can not be named beside these records


@dataclass(frozen=True, slots=True)
class WrittenMatch:
    """An activity that is in Salesforce, as far as a newer snapshot may know it better.

    `outsiders` are the visible addresses in it that are not ours; `stored_at` is when `match` was stored (aware UTC).
    """

    key: str
    stored_at: datetime
    match: Match
    outsiders: frozenset[str]


@dataclass(frozen=True, slots=True)
class Dealing:
    """What one mail or meeting says of one person outside: they wrote to us, we wrote to them, or we met."""

    address: str
    name: str
    at: datetime
    received: bool
    sent: bool
    met: bool
    mailboxes: tuple[str, ...]  # of ours that hold it
