"""mailboxes ─▶ journal: page by page, excluded before storage, items and cursor in one transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from leakwatch import log
from leakwatch.core.exclusion import base_key, exclude
from leakwatch.core.meetings import withdrawn
from leakwatch.core.normalise import assign_key
from leakwatch.core.privacy import Insiders, PrivacyRules, reduce, screen
from leakwatch.errors import (
    AuthError,
    BusyError,
    ConfigError,
    CursorError,
    LeakwatchError,
    SafetyError,
    TransientError,
)
from leakwatch.flows.capture_report import Tally
from leakwatch.flows.capture_sweep import Sweep, begins_anew
from leakwatch.model import (
    Activity,
    ActivityKind,
    Cursor,
    Decision,
    Outcome,
    Page,
    Principal,
    SkipReason,
    SourceRef,
)
from leakwatch.ports import WHOLE_MAILBOX, Journal, Source

MAX_RECONCILES = 2  # of one stream in one run
WINDOW_SLACK = timedelta(hours=12)  # a backfill longer by less than this does not begin a stream anew

_log = log.get(__name__)


@dataclass(slots=True)
class Memory:
    """Where a dry run keeps what it read, and what is `stored` of the same mails: copies by activity key; decisions."""

    copies: dict[str, list[Activity]] = field(default_factory=dict[str, list[Activity]])
    stored: dict[str, dict[SourceRef, Activity]] = field(default_factory=dict[str, dict[SourceRef, Activity]])
    decisions: list[Decision] = field(default_factory=list[Decision])
    alike: dict[str, dict[SourceRef, Activity]] = field(default_factory=dict[str, dict[SourceRef, Activity]])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, activities: Sequence[Activity], decisions: Sequence[Decision], stored: Sequence[Activity]) -> None:
        """Add copies under the key they would be stored by, beside the `stored` ones alike, and decisions."""
        with self.lock:
            self.decisions += decisions
            for copy in stored:
                self.stored.setdefault(copy.key, {})[copy.refs[0]] = copy
                self._note(base_key(copy), copy)
            for activity in activities:
                ref = activity.refs[0]
                near = {**self.alike.get(activity.key, {}), **self.alike.get(activity.fingerprint, {})}
                near.pop(ref, None)
                kept = assign_key(activity, near.values())
                self.copies.setdefault(kept.key, []).append(kept)
                self._note(activity.key, kept)

    def _note(self, key: str, copy: Activity) -> None:
        for index in {key, copy.fingerprint} - {""}:
            self.alike.setdefault(index, {})[copy.refs[0]] = copy


@dataclass(frozen=True)  # no slots: it keeps what it asked for all mailboxes at once
class Reading:
    """Reads one source into the journal (or, in a dry run, into `memory`)."""

    source: Source
    journal: Journal
    insiders: Insiders
    privacy: PrivacyRules
    backfill: timedelta
    parked_retry: timedelta
    now: datetime
    memory: Memory | None = None
    on_page: Callable[[str, int], None] | None = None
    full: bool = False  # read every window anew, for what loosened settings now let in

    def read_all(self, principals: Sequence[Principal], *, workers: int, retry_parked: bool) -> Tally:
        """Read every mailbox; one that fails never stops the others.

        Raises:
            ConfigError, SafetyError, BusyError: these concern the whole run.
        """
        tally = Tally()
        parked = self.journal.parked()
        due: list[Principal] = []
        for principal in principals:
            reason, since = parked.get(principal.address, (None, self.now))
            if reason is not None and not retry_parked and self.now - since < self.parked_retry:
                tally.parked[principal.address] = reason
            else:
                due.append(principal)
        if workers <= 1:
            for principal in due:
                tally.add(self._read_one(principal, parked))
            return tally
        pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="capture")
        try:
            for part in pool.map(lambda principal: self._read_one(principal, parked), due):
                tally.add(part)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C must not wait for a slow answer
            raise
        pool.shutdown()
        return tally

    def _read_one(self, principal: Principal, parked: Mapping[str, tuple[str, datetime]]) -> Tally:
        tally = Tally()
        who = log.address_tag(principal.address)
        try:
            self._stream(principal, tally)
        except AuthError as error:
            if self.source.kind is not ActivityKind.MAIL:  # parked is who can't be read at all
                tally.failed[principal.address] = str(error)
                return tally
            if self.memory is None:
                self.journal.park(principal.address, error.reason, now=self.now)
            if parked.get(principal.address, ("",))[0] != error.reason:  # said once, not every cycle
                _log.warning(log.Event.PRINCIPAL_PARKED, mailbox=who, reason=error.reason, what=str(error))
            tally.parked[principal.address] = error.reason
        except (ConfigError, SafetyError, BusyError):
            raise
        except LeakwatchError as error:
            tally.failed[principal.address] = str(error)
        except Exception as error:  # noqa: BLE001  one mailbox's surprise must not cost the others their turn
            _log.exception(log.Event.JOB_FAILED, mailbox=who)
            tally.failed[principal.address] = f"unexpected {type(error).__name__}; see the log"
        else:
            tally.read = 1
            if principal.address in parked and self.memory is None:
                self.journal.unpark(principal.address, now=self.now)
                _log.info(log.Event.PRINCIPAL_RESTORED, mailbox=who)
        return tally

    def _stream(self, principal: Principal, tally: Tally) -> None:
        cursor = self.journal.cursor(self.source.name, principal.address, WHOLE_MAILBOX)
        if cursor is None:
            cursor = self._first(principal)
        elif self.full:
            start = self.now - self.backfill
            cursor = self._anew(principal, cursor, min(start, cursor.window_start or start))
        elif self._wants_more(cursor):
            cursor = self._anew(principal, cursor, self.now - self.backfill)
        elif begins_anew(self.source, cursor):
            cursor = self._anew(principal, cursor, cursor.window_start)
        cursor = self._ask_again(principal, cursor, tally)
        places = {replace(cursor, revision=0)}
        sweep = Sweep(self.source, principal, self.journal, self.now)
        while True:
            try:
                page = self.source.fetch_page(principal, cursor)
            except CursorError as error:
                cursor = self._reconcile(principal, cursor, error, tally)
                continue
            cursor = self._take(principal, cursor, sweep.complete(cursor, page), tally)
            if not page.has_more:
                break
            place = replace(cursor, revision=0)
            if place in places:
                circle = CursorError("the provider leads back to a page that was read: it goes in circles")
                cursor = self._reconcile(principal, cursor, circle, tally)
            places.add(place)
        if self.memory is None:
            self.journal.mailbox_read(self.source.name, principal.address, now=self.now)

    def _ask_again(self, principal: Principal, cursor: Cursor, tally: Tally) -> Cursor:
        """Take what the provider failed to give in earlier readings, as far as it gives it now; return the cursor."""
        if principal.address not in self._incomplete:
            return cursor
        ids = self.journal.not_given(self.source.name, principal.address)
        if not ids:
            return cursor
        page = self.source.fetch_again(principal, cursor, ids)
        if not page.upserts and not page.gone:
            return cursor
        return self._take(principal, cursor, page, tally)

    @cached_property
    def _incomplete(self) -> frozenset[str]:
        """Mailboxes of which something was not given: few, so that all are asked about at once."""
        return frozenset(self.journal.holes(self.source.name))

    def _first(self, principal: Principal, window_start: datetime | None = None) -> Cursor:
        start = window_start if window_start is not None else self.now - self.backfill
        return self.source.first_cursor(principal, window_start=start, now=self.now)

    def _reconcile(self, principal: Principal, cursor: Cursor, error: CursorError, tally: Tally) -> Cursor:
        """Begin the stream anew: a new generation over the same window; what is stored stays and is not fetched again.

        Raises:
            TransientError: the provider forgets cursors as fast as they are made.
        """
        tally.reconciled += 1
        if tally.reconciled > MAX_RECONCILES:
            raise TransientError(f"{error}. Begun anew {MAX_RECONCILES} times; read on in a later cycle")
        who = log.address_tag(principal.address)
        _log.warning(log.Event.STREAM_RECONCILED, mailbox=who, source=self.source.name, why=str(error))
        return self._anew(principal, cursor, cursor.window_start)

    def _wants_more(self, cursor: Cursor) -> bool:
        """Return whether the admin has asked for a longer backfill since this stream's window was set."""
        if cursor.window_start is None or cursor.anchored_at is None:
            return False
        return cursor.anchored_at - self.backfill < cursor.window_start - WINDOW_SLACK

    def _anew(self, principal: Principal, cursor: Cursor, window_start: datetime | None) -> Cursor:
        fresh = self._first(principal, window_start)
        return replace(fresh, generation=cursor.generation + 1, revision=cursor.revision)

    def _take(self, principal: Principal, cursor: Cursor, page: Page, tally: Tally) -> Cursor:
        """Judge a page's items and store them with the new cursor; return it as stored."""
        activities: list[Activity] = []
        decisions: list[Decision] = []
        for item in page.upserts:
            found = self._judge(item, principal, cursor)
            if isinstance(found, Activity):
                activities.append(found)
            else:
                decisions.append(found)
        decisions += [
            Decision(self._ref(principal, provider_id), Outcome.SKIPPED, SkipReason.GONE, self.now)
            for provider_id in page.gone
        ]
        activities += [*self._called_off(principal, page), *self._left_by_guests(decisions, page)]
        after = replace(page.next_cursor, revision=cursor.revision)
        if self.memory is not None:
            self.memory.keep(activities, decisions, self.journal.alike(activities))
        elif _says_nothing(page, cursor):
            after = cursor  # as in nearly every mailbox of a cycle: a commit would cost a turn of the disk
        else:
            after = self.journal.commit_page(
                after,
                activities=activities,
                decisions=decisions,
                removed=[self._ref(principal, provider_id) for provider_id in page.removed],
                now=self.now,
            )
        tally.items += len(page.upserts) + len(page.gone)
        tally.captured += len(activities)
        tally.skipped.update(d.reason for d in decisions if d.outcome is Outcome.SKIPPED)
        tally.quarantined.update(d.reason for d in decisions if d.outcome is Outcome.QUARANTINED)
        _log.debug(log.Event.PAGE_FETCHED, source=self.source.name, items=len(page.upserts), stored=len(activities))
        if self.on_page is not None:
            self.on_page(principal.address, len(page.upserts))
        return after

    def _called_off(self, principal: Principal, page: Page) -> list[Activity]:
        """Return the stored copies of meetings that vanished from this calendar before they were over, as cancelled.

        Whoever deletes a meeting that took place tidies up: it was held, and stays. The copies of a mail stay anyway.
        """
        if self.source.kind is not ActivityKind.MEETING or not page.removed:
            return []
        found: list[Activity] = []
        for copy in self.journal.stored([self._ref(principal, provider_id) for provider_id in page.removed]):
            went = page.removed_at.get(copy.refs[0].provider_id) or self.now
            if not copy.cancelled and went < (copy.end or copy.start):
                found.append(withdrawn(copy))
        return found

    def _left_by_guests(self, decisions: Sequence[Decision], page: Page) -> list[Activity]:
        """Return the stored copies of meetings in Salesforce that all outside guests left before the end, as cancelled.

        Of what such a meeting is now nothing is kept.
        """
        if self.source.kind is not ActivityKind.MEETING:
            return []
        left = [one for one in decisions if one.reason == SkipReason.INTERNAL_ONLY]
        copies = self.journal.stored([one.ref for one in left]) if left else ()
        written = self.journal.matches(copy.key for copy in copies)
        found: list[Activity] = []
        for copy in copies:
            changed = page.changed_at.get(copy.refs[0].provider_id) or self.now
            if copy.key in written and not copy.cancelled and changed < (copy.end or copy.start):
                found.append(withdrawn(copy))
        return found

    def _judge(self, item: Mapping[str, Any], principal: Principal, cursor: Cursor) -> Activity | Decision:
        """Return what of an item may be stored, or the decision not to. Nothing excluded gets past this line."""
        try:
            found = self.source.to_activity(item, principal)
        except Exception as error:  # noqa: BLE001  one odd mail never stops a mailbox
            ref = self._ref(principal, str(item.get("id") or ""))
            return Decision(ref, Outcome.QUARANTINED, "unreadable", self.now, detail=type(error).__name__)
        if isinstance(found, Decision):
            return replace(found, at=self.now)
        activity = self.insiders.mark(found)
        reason = screen(activity, self.privacy)
        if cursor.window_start is not None and activity.start < cursor.window_start:
            reason = SkipReason.TOO_OLD
        if reason is not None:
            return exclude(activity, reason, at=self.now)
        if activity.private and not self.journal.stored(activity.refs):
            # Only where it lay open before is there anything to take back.
            return exclude(activity, SkipReason.PRIVATE, at=self.now)
        return reduce(activity, self.privacy)

    def _ref(self, principal: Principal, provider_id: str) -> SourceRef:
        return SourceRef(self.source.name, principal.address, provider_id)


def _says_nothing(page: Page, cursor: Cursor) -> bool:
    """Return whether a page brought nothing and leaves the stored `cursor` where it is."""
    if page.upserts or page.removed or page.gone:
        return False
    return cursor.revision > 0 and replace(page.next_cursor, revision=cursor.revision) == cursor


def without_notice(principals: Sequence[Principal], now: datetime) -> tuple[list[Principal], list[Principal]]:
    """Return (may be read, may not): nothing is read of people who were not told, or not yet."""
    told: list[Principal] = []
    untold: list[Principal] = []
    for one in principals:
        (told if one.notice_date is not None and one.notice_date <= now.date() else untold).append(one)
    return told, untold
