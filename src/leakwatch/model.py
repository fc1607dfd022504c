"""The nouns: frozen dataclasses that every part of leakwatch passes to the next, with no behaviour of their own.

Datetimes are aware UTC, all-day things are `date`, money is `Decimal` with an ISO 4217 code, e-mail addresses are
lower case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

# --- capture ---


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
    BLOCKED = "blocked"
    OPT_OUT_LABEL = "opt_out_label"
    NO_NOTICE = "no_notice"
    OFF_ROSTER = "off_roster"  # read before its mailbox was taken off the roster, and not written by then
    BULK = "bulk"
    GONE = "gone"
    TOO_OLD = "too_old"
    NO_SENDER = "no_sender"
    NOT_GIVEN = "not_given"  # Gmail fails for this one mail: quarantined, and asked for again by every reading
    NOT_ON_LIST = "not_on_list"  # an allow list is set and nobody in this mail is on it


class Outcome(StrEnum):
    """What became of an item."""

    WRITTEN = "written"
    SKIPPED = "skipped"
    UNMATCHED = "unmatched"
    HELD = "held"
    QUARANTINED = "quarantined"


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


# --- writing to Salesforce ---


class Verb(StrEnum):
    """What a write does."""

    INSERT = "insert"
    UPSERT = "upsert"
    UPDATE = "update"
    DELETE = "delete"
    POST = "post"  # a Chatter post through the chatterPost action


KEY_FIELD = "Leakwatch_Key__c"


@dataclass(frozen=True, slots=True)
class WriteOp:
    """One wanted write. `op_id` is stable: planning the same thing again gives the same id."""

    op_id: str  # e.g. "lw1:m:...|insert" ; unique in the write log
    sobject: str
    verb: Verb
    key: str | None  # value of Leakwatch_Key__c for insert and upsert
    fields: Mapping[str, Any]
    reason: str
    record_id: str | None = None  # for update and delete
    account_id: str | None = None  # writes are grouped by it
    prior: Mapping[str, Any] = field(default_factory=dict[str, Any])  # values before, for undo
    after: str | None = None  # op_id that must have landed first

    @property
    def relations(self) -> Mapping[str, Any]:
        """The fields that name people by id lists."""
        return {name: value for name, value in self.fields.items() if name in ("ToIds", "CcIds", "BccIds")}


class WriteStatus(StrEnum):
    """How a write ended."""

    DONE = "done"
    ALREADY_THERE = "already_there"  # our key was there before: the record's id is known now
    UNKNOWN = "unknown"  # the answer was lost: looked up by key before any retry
    RETRY = "retry"  # refused for now (lock, limit)
    REFUSED = "refused"  # will never be taken as it is
    HELD = "held"  # not sent, on purpose: nothing was tried, and a later run sends it


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What Salesforce said to one WriteOp."""

    op_id: str
    status: WriteStatus
    record_id: str | None = None
    code: str = ""  # Salesforce's own error code
    message: str = ""
    created: bool = False


# --- audit ---


class Severity(StrEnum):
    """How bad a leak is, in rising order."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Mode(StrEnum):
    """How far a rule may go. A new rule starts as `report`."""

    REPORT = "report"
    NOTIFY = "notify"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Text:
    """A text for people, in both of our languages."""

    en: str
    tr: str

    def get(self, language: str) -> str:
        """Return the Turkish text for `tr`, the English one for anything else."""
        return self.tr if language == "tr" else self.en


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """After how long without acknowledgement somebody else is told: `manager` or `revops`."""

    after: timedelta
    to: str


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """How findings of a rule are born, confirmed, closed and escalated."""

    confirm_runs: int = 1
    keep_open_runs: int = 2  # absent in so many complete runs before it counts as fixed
    reopen_within: timedelta = timedelta(days=30)
    remind_every: timedelta = timedelta(days=7)
    ack_timeout: timedelta = timedelta(days=14)
    closed_task_grace: timedelta = timedelta(days=2)  # Task closed, condition persists: "closed but not fixed"
    grew_share: Decimal = Decimal("0.50")  # impact up by more than this is worth a new word
    escalate: tuple[EscalationStep, ...] = ()
    yields_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleLimits:
    """Limits on harm. The breaker trips when *both* `new_per_run` and `new_share` are passed."""

    per_owner_per_day: int = 5
    new_per_run: int = 200
    new_share: Decimal = Decimal("0.20")  # of the rule's population


@dataclass(frozen=True, slots=True)
class RuleAction:
    """One entry of a rule's `actions`: channel name (`task`, `chatter`) and its options."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Rule:
    """One audit rule, loaded, overridden and checked. `sql` returns the offending rows."""

    id: str
    version: int
    title: Text
    why: Text
    fix: Text
    message: Text
    category: str
    severity: Severity
    owner_team: str
    mode: Mode
    sobject: str
    sql: str
    population_sql: str | None
    params: Mapping[str, Any]  # resolved values, derived ones excluded
    params_digest: str  # of the values that change the rule's meaning
    key: tuple[str, ...]
    lifecycle: Lifecycle
    limits: RuleLimits
    actions: tuple[RuleAction, ...]
    runbook: str = ""
    path: str = ""
    words: Mapping[str, Mapping[str, Text]] = field(
        default_factory=dict[str, Mapping[str, Text]]
    )  # column -> code -> text
    process_fixes: Mapping[str, Text] = field(
        default_factory=dict[str, Text]
    )  # record id of a process finding -> what to do


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One offending row of a rule's SELECT, before any state: what the engine hands to the lifecycle."""

    rule_id: str
    business_key: tuple[str, ...]
    record_id: str
    sobject: str
    record_name: str
    owner_id: str | None
    owner_name: str
    manager_id: str | None
    severity: Severity
    impact: Decimal | None
    currency: str | None
    impact_kind: str  # "at_risk" | "lost" | "deviation" | "none"
    message_en: str
    message_tr: str
    evidence: Mapping[str, Any]  # shown columns: name -> value (str, int, Decimal, date, None)
    account_id: str | None = None
    is_process: bool = False  # about the company's process; `record_id` is the empty field, as table.column
    count: int = 1  # rows this finding stands for


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """One evaluation of one rule."""

    rule_id: str
    rule_version: int
    params_digest: str
    rows: tuple[RuleRow, ...]
    population: int | None  # rows examined; 0 makes the rule "skipped", not clean, until it is believed
    complete: bool  # ran without error on fresh, complete inputs: only then may findings resolve
    error: str | None = None
    switched_off: str | None = None  # why it could not run at all (missing object or column)
    assumptions: tuple[str, ...] = ()
    seconds: float = 0.0
    switched_off_tr: str | None = None  # `switched_off` in Turkish
    assumptions_tr: tuple[str, ...] = ()  # `assumptions` in Turkish, in the same order
    stale: str | None = None  # which of its inputs were read too long ago; also among the assumptions
    unjudged: Text | None = None  # how many of the population it could not judge and why, if there are any
    unchecked: frozenset[str] = frozenset()  # process findings (record ids) whose field is not in the data
    singles_replaced: bool = False  # a process finding stands for the single ones, which are not in `rows`
    window: tuple[str, date] | None = None  # a record whose evidence in this column is before this day is not looked at


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """That a rule was evaluated, and what became of it: kept for every run, for trends, guards and rule health."""

    rule_id: str
    rule_version: int
    params_digest: str
    snapshot_id: str
    at: datetime
    complete: bool
    population: int | None = None
    note: str = ""  # breaker or guard, in words for RevOps
    error: str | None = None
    retired: bool = False


class FindingStatus(StrEnum):
    """Where a finding stands in its life."""

    PENDING = "pending"
    OPEN = "open"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    EXCEPTED = "excepted"
    RESOLVED = "resolved"


class Proof(StrEnum):
    """How sure we are of what a finding says."""

    PROVEN = "proven"
    UNPROVEN = "unproven"  # "no activity" while the owner's mailbox was not captured
    HELD = "held"  # the last run could not look


@dataclass(frozen=True, slots=True)
class Finding:
    """A leak with its life. `fingerprint` never holds owner, amount, date or threshold."""

    fingerprint: str
    rule_id: str
    rule_version: int
    sobject: str
    record_id: str
    record_name: str
    owner_id: str | None
    owner_name: str
    manager_id: str | None
    status: FindingStatus
    severity: Severity
    since: datetime  # start of this episode
    first_seen: datetime
    last_seen: datetime
    status_since: datetime
    episode: int
    baseline: bool  # existed on the rule's first run, or the breaker tripped: reported, never notified
    absent_runs: int
    seen_runs: int
    reopened: int
    impact: Decimal | None
    currency: str | None
    impact_kind: str
    message_en: str
    message_tr: str
    evidence: Mapping[str, Any]
    proof: Proof
    snapshot_id: str
    params_digest: str = ""
    account_id: str | None = None
    is_process: bool = False
    count: int = 1
    escalation_step: int = 0
    notified_owner_id: str | None = None  # to whom the last word went, or is on its way
    resolved_reason: str | None = None  # fixed | aged_out | rule_changed | gone | retired
    notified_at: datetime | None = None  # when it was sent; the escalation clock runs from here, None stops it
    notices: int = 0  # words to the owner in this episode; numbers their keys
    pending_notice: str | None = None  # what is still to be said to the owner, in the words of Transition.notify
    escalation_told: int = 0  # escalation steps whose message was planned
    checked_in: str = ""  # snapshot that last looked for it, seen or not: a second look needs another one
    impact_reference: Decimal | None = None  # impact that `grew` is measured from


@dataclass(frozen=True, slots=True)
class Transition:
    """A status change with time and reason. Alerts, history and KPIs all derive from it."""

    fingerprint: str
    old: FindingStatus | None
    new: FindingStatus
    reason: str  # detected | confirmed | fixed | reopened | escalated | acknowledged | ack_expired | rule_changed | ...
    at: datetime
    run_id: str
    episode: int
    # new | reassigned | grew | escalated | still_open | resolved | not_fixed | back_again | resumed
    notify: str | None = None


WITHDRAWN = ("OVERTAKEN", "LEFT_ALONE")  # codes that begin `Delivery.error`: there was nothing to be said any more


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one recipient on one channel. Sent at least once, harmless twice."""

    key: str  # idempotency key
    channel: str  # an action's file name: salesforce_task, chatter_post
    recipient_id: str  # Salesforce user (or queue) id
    kind: str  # new | reassigned | escalated | resolved | not_fixed | back_again | resumed | grew
    fingerprints: tuple[str, ...]
    record_id: str | None
    title: str
    body: str
    due_on: date | None
    severity: Severity
    created_at: datetime
    language: str = "en"
    mentions: tuple[str, ...] = ()
    remote_id: str | None = None
    sent_at: datetime | None = None
    attempts: int = 0
    error: str | None = None
    quarantined: bool = False  # refused for good, or withdrawn: never sent again by itself; `error` says why

    @property
    def refused(self) -> bool:
        """Whether it waits for a person to mend what it was refused for. What was withdrawn waits for nobody."""
        return self.quarantined and not (self.error or "").startswith(WITHDRAWN)


# --- runs ---


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a flow: what it read, planned, wrote, spent, and whether it was complete."""

    run_id: str
    flow: str  # capture | mirror | audit | act | report
    started_at: datetime
    finished_at: datetime | None = None
    complete: bool = False
    dry_run: bool = False
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A published, read-only copy of the mirror."""

    snapshot_id: str
    path: str
    published_at: datetime
    org_id: str
    freshness: Mapping[str, datetime]  # table -> everything before this moment is in it
    row_counts: Mapping[str, int]


# --- who is who in Salesforce, for matching ---


@dataclass(frozen=True, slots=True)
class Person:
    """A Contact, Lead, person account or User that an address may belong to."""

    record_id: str
    sobject: str  # Contact | Lead | User | Account
    name: str
    account_id: str | None = None
    owner_id: str | None = None
    created_at: datetime | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class OpenOpportunity:
    """An open deal, as the resolver needs it."""

    record_id: str
    account_id: str
    name: str
    owner_id: str | None


@dataclass(frozen=True, slots=True)
class AddressBook:
    """All that the resolver may know: built from a mirror snapshot for the addresses in question."""

    people: Mapping[str, tuple[Person, ...]]  # lower-case address -> candidates
    open_opportunities: Mapping[str, tuple[OpenOpportunity, ...]]  # account id -> open deals
    snapshot_id: str = ""
