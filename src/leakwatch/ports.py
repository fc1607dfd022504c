"""Every door to the outside, as Protocols, on one page: flows are given objects that fit these."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Any, Protocol

from leakwatch.model import (
    Activity,
    ActivityKind,
    AddressBook,
    Cursor,
    Dealing,
    Decision,
    Delivery,
    Finding,
    Match,
    Outcome,
    Page,
    Principal,
    RuleCheck,
    Run,
    Snapshot,
    SourceRef,
    Transition,
    WaitingMail,
    WriteOp,
    WriteResult,
    WrittenMatch,
)

WHOLE_MAILBOX = "mailbox"  # name of the one stream of a source that reads a mailbox as a whole


class Clock(Protocol):
    """The time. See `clock.py`."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class Source(Protocol):
    """One kind of mailbox stream. Pure page functions: no writes, no rules."""

    name: str
    kind: ActivityKind  # of what it brings

    def first_cursor(self, principal: Principal, *, window_start: datetime, now: datetime) -> Cursor:
        """Return a SNAPSHOT cursor whose change token was taken before anything is listed.

        Raises:
            AuthError: this mailbox refuses us.
            TransientError: the provider can't answer now.
        """
        ...

    def fetch_page(self, principal: Principal, cursor: Cursor) -> Page:
        """Return what comes after `cursor`. Never stores anything.

        Raises:
            CursorError: the provider forgot the cursor; the flow starts a reconcile from `first_cursor`.
            AuthError: this mailbox refuses us; the flow parks the principal.
            TransientError: the provider can't answer now; the cursor stays.
        """
        ...

    def fetch_again(self, principal: Principal, cursor: Cursor, ids: Sequence[str]) -> Page:
        """Return what the provider now gives of `ids`, which it failed to give before; `cursor` stays where it is.

        What it still does not give is not in the page; what is there no more is among `gone`. Never waits long.

        Raises:
            AuthError: this mailbox refuses us; the flow parks the principal.
        """
        ...

    def to_activity(self, item: Mapping[str, Any], principal: Principal) -> Activity | Decision:
        """Return the activity in a raw item, or why it is none (draft, spam ...). Pure; never raises on odd content."""
        ...


class Journal(Protocol):
    """Durable memory of capture: cursors, activities, decisions, wanted and done writes."""

    def cursor(self, source: str, principal: str, stream: str) -> Cursor | None:
        """Return the stored cursor.

        Raises:
            CursorError: one is stored but can't be read. Never treated as a fresh mailbox.
        """
        ...

    def commit_page(
        self,
        cursor: Cursor,
        *,
        activities: Sequence[Activity],
        decisions: Sequence[Decision],
        removed: Sequence[SourceRef],
        now: datetime,
    ) -> Cursor:
        """Store a page's items and its new cursor in one transaction; return the cursor with its new revision.

        Raises:
            BusyError: somebody else moved this cursor since it was read.
        """
        ...

    def unsettled(self) -> Iterator[WaitingMail]:
        """Yield the copies of mails that have no settled outcome yet, or changed since, with what may forbid them."""
        ...

    def unwritten(self, source: str, *, outside: Collection[str]) -> Iterator[Sequence[Activity]]:
        """Yield copies of mails not written, some at a time, that lie in mailboxes other than `outside`."""
        ...

    def alike(self, copies: Sequence[Activity]) -> Sequence[Activity]:
        """Return the stored copies with the Message-ID or the fingerprint of one of `copies`."""
        ...

    def stored(self, refs: Sequence[SourceRef]) -> Sequence[Activity]:
        """Return the stored copies that lie at `refs`."""
        ...

    def vetoes(self, copies: Sequence[Activity]) -> Sequence[Decision]:
        """Return the stored vetoes that may be about one of `copies`; `core.exclusion` says whether they are."""
        ...

    def withdraw(self, decisions: Sequence[Decision], *, now: datetime) -> None:
        """Store `decisions` and delete the copies they are about, except those of mails that are in Salesforce."""
        ...

    def record_matches(
        self,
        matches: Mapping[str, Match],
        outcomes: Mapping[str, Outcome],
        *,
        now: datetime,
        reasons: Mapping[str, str] | None = None,
        refused: Mapping[str, str] | None = None,
    ) -> None:
        """Store how activities matched and what became of them, in one transaction.

        `reasons` says why some were held or quarantined; `refused` names the snapshot by which those were matched that
        Salesforce refused because a record is gone.
        """
        ...

    def record_decisions(self, decisions: Sequence[Decision]) -> None:
        """Store why items were not captured, outside any page; the newest decision about an item stays."""
        ...

    def matches(self, keys: Iterable[str]) -> Mapping[str, Match]:
        """Return how those of `keys` that are in Salesforce matched when they were written or adopted."""
        ...

    def settled(self, keys: Iterable[str]) -> frozenset[str]:
        """Return those of `keys` that need nothing more: written or quarantined, and unchanged since."""
        ...

    def ahead(self, source: str, principal: str, *, after: datetime) -> Sequence[Activity]:
        """Return the stored copies in one mailbox of what begins after this moment."""
        ...

    def coming(self, now: datetime) -> tuple[int, Mapping[str, int]]:
        """Return how many meetings that begin after `now` stand in Salesforce, and how many of them by mailbox."""
        ...

    def remark(self, reasons: Mapping[str, str]) -> None:
        """Replace what is said of these activities (key -> reason); what became of them stays."""
        ...

    def withheld(self, keys: Iterable[str]) -> Mapping[str, Outcome]:
        """Return those of `keys` that a person keeps out (`WITHHELD`), and how: nothing more is done about them."""
        ...

    def written_since(self, since: datetime) -> Iterator[Sequence[WrittenMatch]]:
        """Yield, some at a time, the settled activities from `since` on that are in Salesforce, and their addresses."""
        ...

    def dealings(self, since: datetime, until: datetime) -> Iterator[Sequence[Dealing]]:
        """Yield, some at a time, what the screened activities of that time say of people outside."""
        ...

    def copies(self, keys: Iterable[str]) -> Sequence[WaitingMail]:
        """Return the stored copies of the written activities `keys`, with what may forbid them."""
        ...

    def known_ids(self, source: str, principal: str, provider_ids: Sequence[str]) -> frozenset[str]:
        """Return those ids that need no fetching again: stored, or skipped for a reason that lasts."""
        ...

    def settled_ids(self, source: str, principal: str, provider_ids: Sequence[str]) -> frozenset[str]:
        """Return those ids that no change of the settings can let in: stored, or skipped whatever these say."""
        ...

    def not_given(self, source: str, principal: str) -> Sequence[str]:
        """Return the ids of mails that the provider named but failed to give, longest known first."""
        ...

    def holes(self, source: str) -> Mapping[str, datetime]:
        """Return principal address -> from when on it is known without a gap, where mails were not given before."""
        ...

    def spans(self, source: str) -> Mapping[str, tuple[datetime, datetime]]:
        """Return principal address -> (from, to) of the time whose mail is known without a gap."""
        ...

    def parked(self) -> Mapping[str, tuple[str, datetime]]:
        """Return principal address -> (reason, since) of mailboxes that refused us."""
        ...

    def sync_principals(self, principals: Sequence[Principal], *, now: datetime) -> None:
        """Store who is on the roster, and since when those who were on it are not; an empty one changes nothing."""
        ...

    def left(self, present: Collection[str], *, since: datetime) -> tuple[str, ...]:
        """Return the mailboxes that were read before, are not among `present`, and left the roster after `since`."""
        ...

    def park(self, principal: str, reason: str, *, now: datetime) -> None: ...
    def unpark(self, principal: str, *, now: datetime) -> None: ...
    def mailbox_read(self, source: str, principal: str, *, now: datetime) -> None:
        """Note that a mailbox was read up to `now` without a gap: the proof that "no activity" findings need."""
        ...


class WriteLog(Protocol):
    """The record of every write: what is in doubt, what was done, by which run."""

    def begin(self, run_id: str, ops: Sequence[WriteOp], *, now: datetime) -> None:
        """Durably mark `ops` as in flight before the request leaves."""
        ...

    def finish(self, results: Sequence[WriteResult], *, now: datetime) -> None: ...

    def in_doubt(self) -> Sequence[WriteOp]:
        """Return ops that were in flight when a process ended: to be looked up before any retry."""
        ...

    def done(self, op_ids: Iterable[str]) -> Mapping[str, str]:
        """Return op_id -> Salesforce id for those of `op_ids` that landed."""
        ...


class AdoptionLog(Protocol):
    """Which records of other tools stand for activities. What is adopted is never ours to change or delete."""

    def adopt(self, run_id: str, ops: Sequence[WriteOp], *, now: datetime) -> None:
        """Note that each of `ops` (verb ADOPT) is there already; nothing is sent."""
        ...

    def adopted(self, keys: Iterable[str]) -> Mapping[str, str]:
        """Return key -> id of the record that was adopted for it."""
        ...

    def copied(self, run_id: str, ops: Sequence[WriteOp], *, now: datetime) -> None:
        """Note that the activity of each of `ops` (verb ADOPT) is a copy of our own record; its reason says by what."""
        ...

    def copies(self) -> Mapping[str, str]:
        """Return key -> reason of the activities that are copies of our own records and were never written."""
        ...

    def keys_of(self, record_ids: Iterable[str]) -> Mapping[str, str]:
        """Return record id -> key of the activity that it was written or adopted for; ids of 18 characters."""
        ...


class Neighbours(Protocol):
    """What other tools wrote to the org: Einstein Activity Capture, mail add-ins, calendar syncs."""

    def mails(self, message_ids: Collection[str]) -> Mapping[str, str]:
        """Return normalised Message-ID -> id of the EmailMessage that bears it and is not ours.

        Raises:
            AuthError, TransientError, BudgetError: the org can't be asked.
        """
        ...

    def events(self, owners: Collection[str], start: datetime, end: datetime) -> Sequence[Mapping[str, Any]]:
        """Return the Events, ours too, of the users `owners` that begin between `start` and `end`, both included.

        Rows have the fields of `core.adoption.EVENT_FIELDS`, as far as the org has them.

        Raises:
            RecordError: the org does not show them. Others: see `mails`.
        """
        ...

    def mail_tasks(self, owners: Collection[str], first: date, last: date) -> Sequence[Mapping[str, Any]]:
        """Return the closed Tasks of the users `owners` that look like logged mails, not ours, of these days.

        Rows have the fields of `core.adoption_mails.TASK_FIELDS`, as far as the org has them; none where the org does
        not show them. Errors: see `mails`.
        """
        ...


class Writer(Protocol):
    """The one way anything is written to Salesforce."""

    def apply(self, ops: Sequence[WriteOp], *, run_id: str) -> Sequence[WriteResult]:
        """Write `ops` and return one result each, in order. Already landed ops are not sent again.

        Raises:
            AuthError: the org refuses us. TransientError: it can't answer now. BudgetError: the reserve is reached.
            In each case what was sent is in the write log, and calling again is safe.
        """
        ...


class Reader(Protocol):
    """Salesforce, read."""

    def org(self) -> Mapping[str, Any]:
        """Return the Organization row: Id, Name, DefaultCurrencyIsoCode, TimeZoneSidKey, IsSandbox."""
        ...

    def describe(self, sobject: str) -> Mapping[str, Any]: ...

    def server_now(self) -> datetime:
        """Return the org's own time (HTTP Date header), aware UTC."""
        ...

    def query(self, query: str, *, all_rows: bool = False) -> Iterator[list[Mapping[str, Any]]]:
        """Yield pages of rows (attributes stripped; relationship fields nested)."""
        ...


class RecordFetcher(Protocol):
    """Records by id, in bulk (sObject Collections: `POST /composite/sobjects/{sobject}`)."""

    def fetch(self, sobject: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return id -> row of those of `ids` that exist; at most 2,000 ids a call to the org.

        Raises:
            AuthError: the org refuses us. TransientError: it can't answer now.
        """
        ...

    def related(
        self, sobject: str, field: str, parents: Sequence[str], fields: Sequence[str]
    ) -> Iterable[Mapping[str, Any]]:
        """Return the rows of `sobject` whose `field` is one of `parents`; a call to the org takes some 2,000 of these.

        Raises:
            AuthError: the org refuses us. TransientError: it can't answer now.
        """
        ...


class MirrorStore(Protocol):
    """The analytic copy of Salesforce."""

    def latest(self) -> Snapshot | None: ...
    def address_book(self, addresses: Iterable[str], deals: Iterable[str] = ()) -> AddressBook: ...


class FindingStore(Protocol):
    """Findings, transitions and deliveries; what belongs together is stored in one transaction."""

    def findings(self, *, rule_id: str | None = None, include_resolved: bool = True) -> Sequence[Finding]: ...
    def rule_seen(self, rule_id: str) -> tuple[int, str] | None:
        """Return (version, params digest) of the rule's last complete evaluation, or None on its first run."""
        ...

    def commit_evaluation(
        self,
        *,
        run: Run,
        check: RuleCheck,
        findings: Sequence[Finding],
        transitions: Sequence[Transition],
        dropped: Sequence[str] = (),
    ) -> None:
        """Store one rule's evaluation in one transaction: all of it or nothing.

        `findings` replace those of the same fingerprint; `dropped` (never confirmed) vanish with their transitions.
        A `check.retired` forgets the rule: should it come back, it starts with a baseline.
        """
        ...

    def rule_ids(self) -> Sequence[str]:
        """Return the rules that were evaluated and are not retired."""
        ...

    def last_population(self, rule_id: str) -> tuple[int, datetime] | None:
        """Return (rows examined, when) of the rule's last complete evaluation that counted them."""
        ...

    def commit_deliveries(self, deliveries: Sequence[Delivery], findings: Sequence[Finding]) -> None:
        """Store messages to be sent and what they change on findings, in one transaction, before anything is sent.

        A delivery whose key is stored replaces it while it is unsent, and is ignored once it is sent or quarantined.
        """
        ...

    def undelivered(self) -> Sequence[Delivery]:
        """Return deliveries that are neither sent nor quarantined, oldest first."""
        ...

    def deliveries(self, *, fingerprint: str | None = None, since: datetime | None = None) -> Sequence[Delivery]: ...
    def by_remote_id(self, record_id: str) -> Sequence[Delivery]:
        """Return the deliveries that made or changed the Task or post `record_id` (15 or 18 characters)."""
        ...

    def record_delivery(self, delivery: Delivery, finding: Finding | None = None) -> None:
        """Store what became of a delivery, and what that changes on its finding, in one transaction."""
        ...

    def refused(self) -> Sequence[Delivery]:
        """Return the deliveries that wait for a person (`Delivery.refused`), oldest first."""
        ...

    def release_refused(self, keys: Iterable[str]) -> set[str]:
        """Let refused deliveries be tried again by the next `act`; return the keys of those that were."""
        ...

    def transitions(self, *, since: datetime | None = None) -> Sequence[Transition]: ...


class Action(Protocol):
    """One way of telling somebody."""

    name: str

    def plan(self, delivery: Delivery) -> Sequence[WriteOp]:
        """Return the writes that deliver this message; the writer makes them idempotent."""
        ...


class RunLog(Protocol):
    """Runs, so that every figure can be traced to one."""

    def start(self, flow: str, *, now: datetime, dry_run: bool = False) -> Run: ...
    def finish(self, run: Run) -> None: ...
    def exclusive(self) -> AbstractContextManager[None]: ...
