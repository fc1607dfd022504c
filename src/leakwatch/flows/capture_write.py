"""journal ─▶ match ─▶ plan ─▶ Salesforce: in rounds, each recorded before the next begins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from leakwatch import faultpoints, log
from leakwatch.core.addresses import variants
from leakwatch.core.deletion_limits import DeletionLimits
from leakwatch.core.exclusion import Screening
from leakwatch.core.identity import MEETING_PREFIX
from leakwatch.core.match import MatchRules, Resolver, lookup_addresses
from leakwatch.core.match_deals import with_past_deal
from leakwatch.core.normalise import merge, sender_of
from leakwatch.core.plan import PlanRules, plan_mail
from leakwatch.core.record_ids import TASK_PREFIX
from leakwatch.core.rematch import remembered
from leakwatch.flows.capture_adopt import Adopting
from leakwatch.flows.capture_deletions import Deletions
from leakwatch.flows.capture_meetings import Meetings
from leakwatch.flows.capture_owners import Owning
from leakwatch.flows.capture_relations import MAIL_PREFIX, Relating
from leakwatch.flows.capture_report import Tally
from leakwatch.flows.capture_threads import Threads, deals_of
from leakwatch.model import (
    Activity,
    ActivityKind,
    AddressBook,
    Decision,
    Direction,
    Match,
    MatchBasis,
    Outcome,
    Principal,
    SkipReason,
    Verb,
    WaitingMail,
    WriteOp,
    WriteResult,
    WriteStatus,
    Written,
)
from leakwatch.ports import Journal, RecordFetcher, Writer

CLOCK_SKEW = timedelta(minutes=2)  # between the mail servers and us
WRITTEN_BEFORE = "It was written before it was excluded: the record stays, nothing more is done about it."
# A record that the match names was deleted, merged or converted since the mirror saw it, or a user was deactivated
# (SOAP API Developer Guide, "StatusCode").
RECORD_GONE = frozenset(
    {
        "ENTITY_IS_DELETED",
        "INVALID_CROSS_REFERENCE_KEY",
        "CANNOT_UPDATE_CONVERTED_LEAD",
        "INACTIVE_OWNER_OR_USER",
    }
)
MOST_REFUSALS = 3  # by as many snapshots: then it is no matter of a late mirror, but of a record we may not see
GONE_REASON = "A record it belongs to is gone or inactive in Salesforce; it is matched anew when the mirror is newer."
HELD_DELETION = "It is off, but its record stays: so many deletions at once are held back. See leakwatch doctor."
HELD_REASON = "The sender's own mailbox is not read up to this mail yet; it decides the direction and the owner."

_log = log.get(__name__)


@dataclass(slots=True)
class _Round:
    """Activities that are written together.

    `snapshots` says by key by which snapshot each was matched; `refusals` how often a record of it was gone before;
    `ends` what a meeting is once its write has landed, and why.
    """

    matches: dict[str, Match] = field(default_factory=dict[str, Match])
    ops: list[WriteOp] = field(default_factory=list[WriteOp])
    snapshots: dict[str, str] = field(default_factory=dict[str, str])
    refusals: dict[str, int] = field(default_factory=dict[str, int])
    ends: dict[str, tuple[Outcome, str]] = field(default_factory=dict[str, tuple[Outcome, str]])

    def take(self, number: int) -> _Round:
        """Take the first `number` writes out, with their matches: full calls cost the org the fewest."""
        ops, self.ops = self.ops[:number], self.ops[number:]
        matches = {op.key or "": self.matches.pop(op.key or "") for op in ops}
        return _Round(matches, ops, self.snapshots, self.refusals, self.ends)


@dataclass(slots=True)
class _There:
    """Mails that an earlier run wrote: how they match now, the writes that made them, the ids of their records."""

    matches: dict[str, Match] = field(default_factory=dict[str, Match])
    ops: list[WriteOp] = field(default_factory=list[WriteOp])
    mails: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class _Matched:
    """Matches by key, and outcomes with reasons for those that are not to be written now.

    `noted` are the records that stand for some of these.
    """

    snapshot_id: str
    matches: dict[str, Match] = field(default_factory=dict[str, Match])
    outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    reasons: dict[str, str] = field(default_factory=dict[str, str])
    noted: list[WriteOp] = field(default_factory=list[WriteOp])


@dataclass(frozen=True)  # no slots: it keeps what its roster comes to
class Writing:
    """Matches what the journal holds and writes it.

    Attributes:
        address_book: finds people, companies and deals by address; deals by id besides.
        landed: returns op id -> record id of those writes that were carried out before.
        history: returns key -> what was written of those records of ours that were made.
        with_meetings: off leaves meetings in the journal.
        deletions: how much may be deleted unasked.
        adopting: looks for what other tools wrote; None writes as if there were none.
        awaited: people whose mailboxes can be read. unread: addresses of those that a later run reads.
        size: activities matched and writes sent at a time (2,000 ids is what one read-back call takes).
    """

    journal: Journal
    address_book: Callable[[Iterable[str], Iterable[str]], AddressBook]
    writer: Writer
    records: RecordFetcher
    landed: Callable[[Iterable[str]], Mapping[str, str]]
    history: Callable[[Iterable[str]], Mapping[str, Written]]
    screening: Screening
    matching: MatchRules
    planning: PlanRules
    awaited: tuple[Principal, ...]
    unread: frozenset[str]
    run_id: str
    now: datetime
    size: int = 2_000
    with_meetings: bool = True
    deletions: DeletionLimits = field(default_factory=DeletionLimits)
    adopting: Adopting | None = None

    def plan_only(self, waiting: Iterable[WaitingMail], tally: Tally) -> tuple[WriteOp, ...]:
        """Return the writes that `waiting` wants; nothing is stored or sent.

        The Task of a mail that is not written yet is not among them: Salesforce makes it with the mail.

        Raises:
            AuthError, TransientError, BudgetError: the org can't be asked whose the Tasks of written mails are.
        """
        ops: list[WriteOp] = []
        threads, deletions = Threads(self.journal), Deletions(self.journal, self.deletions, self.now)
        for some in _chunked(waiting, self.size):
            activities, _ = self._screen(some, tally)
            found = self._match(activities, _refused(some), threads, tally)
            new, there = self._parted(activities, found, tally)
            ops += deletions.take(new.ops, activities)
            ops += (
                self._owning().plan(there.mails, there.ops, there.matches, self.journal.matches(there.mails)).values()
            )
            for more in self._relating().plan(there.mails, there.ops, there.matches).values():
                ops += more
        allowed, tally.held_back = deletions.judge()
        ops += allowed
        tally.planned.update(_kind(op) for op in ops)
        return tuple(ops)

    def write(self, waiting: Iterable[WaitingMail], tally: Tally) -> None:
        """Screen, match and write the mails that wait, recording what became of each.

        Raises:
            AuthError, TransientError, BudgetError, SafetyError: writing stopped. What was recorded stays, the rest is
                taken up by the next run.
        """
        pending, threads = _Round(), Threads(self.journal)
        deletions = Deletions(self.journal, self.deletions, self.now)
        due = (one for one in waiting if self.with_meetings or not one.key.startswith(MEETING_PREFIX))
        for some in _chunked(due, self.size):
            activities, decisions = self._screen(some, tally)
            if decisions:
                self.journal.withdraw(decisions, now=self.now)
            self._let_rest({one.key for one in some if one.written} - {one.key for one in activities})
            found = self._match(activities, _refused(some), threads, tally)
            new, there = self._parted(activities, found, tally)
            pending.ops += deletions.take(new.ops, activities)
            pending.matches |= new.matches
            pending.ends |= new.ends
            pending.snapshots |= dict.fromkeys(new.matches, found.snapshot_id)
            pending.refusals |= {one.key: one.refusals for one in some if one.refusals}
            if self.adopting is not None:
                self.adopting.note(found.noted, run_id=self.run_id, now=self.now)
            apart = {key: match for key, match in found.matches.items() if key in found.outcomes}
            self.journal.record_matches(self._remembered(apart), found.outcomes, now=self.now, reasons=found.reasons)
            self._look_after(there, tally)
            while len(pending.ops) >= self.size:
                self._apply(pending.take(self.size), tally)
        allowed, tally.held_back = deletions.judge()
        self.journal.remark({op.key: HELD_DELETION for op in tally.held_back.ops if op.key})
        pending.ops += allowed
        while pending.ops:
            self._apply(pending.take(self.size), tally)

    # --- screening ---

    def drop_closed(self, sources: Iterable[str], tally: Tally) -> None:
        """Drop what was read and is not written of mailboxes that may be read no more, whether or not it would match.

        This does not wait for the writing, which may be switched off.
        """
        for source in sources:
            for copies in self.journal.unwritten(source, outside=self.screening.told):
                some = [WaitingMail(copy.key, (copy,)) for copy in copies]
                _, decisions = self._screen(some, tally)
                self.journal.withdraw(decisions, now=self.now)

    def _screen(self, waiting: Sequence[WaitingMail], tally: Tally) -> tuple[list[Activity], list[Decision]]:
        """Return the mails that may still be written, and decisions on copies to be dropped. Nothing else gets past."""
        activities: list[Activity] = []
        dropped: list[Decision] = []
        for one in waiting:
            kept, decisions = self.screening.judge(one, now=self.now)
            if kept:
                activities.append(merge(kept))
            if not one.written:
                dropped += decisions
        tally.skipped.update(decision.reason for decision in dropped)
        return activities, dropped

    def _let_rest(self, keys: Collection[str]) -> None:
        """Settle mails that are in Salesforce and excluded now: they stay, and nothing more is done about them."""
        if keys:
            outcomes, reasons = dict.fromkeys(keys, Outcome.WRITTEN), dict.fromkeys(keys, WRITTEN_BEFORE)
            self.journal.record_matches({}, outcomes, now=self.now, reasons=reasons)

    # --- matching ---

    def _match(
        self, activities: Sequence[Activity], refused: Mapping[str, str], threads: Threads, tally: Tally
    ) -> _Matched:
        """Match `activities`; `refused` names the snapshots by which some were matched whose records are gone."""
        addresses = {address for activity in activities for address in lookup_addresses(activity)}
        before = threads.before(activities)
        past = self.journal.matches(one.key for one in activities if one.kind is ActivityKind.MEETING)
        book = self.address_book(addresses, deals_of({**before, **past}))
        resolver = Resolver(book, self.matching)
        found = _Matched(book.snapshot_id)
        # What a mail answers comes first, also where both arrived in one second: it inherits from it.
        for activity in sorted(activities, key=lambda one: (one.start, len(one.answers), one.key)):
            key = activity.key
            held = self._must_hold(activity, refused.get(key), book.snapshot_id)
            if held is not None:
                tally.held += 1
                found.outcomes[key], found.reasons[key] = Outcome.HELD, held
                continue
            match = resolver.resolve(activity, threads.nearest(activity, before))
            found.matches[key] = match = with_past_deal(match, past.get(key), book)
            threads.note(match)
            if activity.kind is ActivityKind.MEETING:
                tally.matched[match.basis] += match.basis is not MatchBasis.NONE
            elif activity.bulk and not self.matching.match_bulk:
                tally.skipped[SkipReason.BULK] += 1
                found.outcomes[key] = Outcome.SKIPPED
            elif match.basis is MatchBasis.NONE:
                tally.unmatched += 1
                found.outcomes[key] = Outcome.UNMATCHED
            else:
                tally.matched[match.basis] += 1
        return found

    def _must_hold(self, activity: Activity, refused_snapshot: str | None, snapshot_id: str) -> str | None:
        """Return why `activity` must wait for a later run, or None if it need not."""
        if self._must_wait(activity):
            return HELD_REASON
        return GONE_REASON if refused_snapshot is not None and refused_snapshot == snapshot_id else None

    def _must_wait(self, activity: Activity) -> bool:
        """Return whether the sender is one of ours whose own copy may still come: only it proves that they sent it."""
        if activity.direction is Direction.OUTBOUND:
            return False
        owners = self._awaited_by_address
        # A plus tag is the same person; should two people have the address, the first on the roster is asked.
        found = [owners[form] for form in variants(sender_of(activity)) if form in owners]
        if not found:
            return False
        _, owner = min(found)
        return owner in self.unread or activity.start > self.now - CLOCK_SKEW

    @cached_property
    def _awaited_by_address(self) -> Mapping[str, tuple[int, str]]:
        """Address -> place on the roster and mailbox of who has it: a roster may be long, and each mail asks."""
        found: dict[str, tuple[int, str]] = {}
        for place, one in enumerate(self.awaited):
            for address in one.addresses:
                found.setdefault(address, (place, one.address))
        return found

    # --- writing ---

    def _parted(self, activities: Sequence[Activity], found: _Matched, tally: Tally) -> tuple[_Round, _There]:
        """Return what is to be made of those of `activities` that belong to somebody, and those that were made."""
        new, there = _Round(), _There()
        due = [activity for activity in activities if activity.key not in found.outcomes]
        if self.adopting is not None:
            known = self.adopting.look(due, found.matches, tally)
            found.outcomes |= {key: one.outcome for key, one in known.items() if one.outcome is not None}
            found.reasons |= {key: one.reason for key, one in known.items()}
            found.noted += [one.op for one in known.values() if one.op is not None]
            due = [activity for activity in due if activity.key not in known]
        planner = Meetings(self.records, self.history, self.journal.matches, self.planning, self.now)
        meetings = planner.plan(due, found.matches)
        for key, plan in meetings.items():
            if plan.op is None:
                found.outcomes[key], found.reasons[key] = plan.outcome, plan.reason
                tally.unmatched += plan.outcome is Outcome.UNMATCHED
                tally.held += plan.outcome is Outcome.HELD
                if plan.outcome is Outcome.SKIPPED:
                    tally.skipped[plan.reason] += 1
            else:
                new.matches[key], new.ends[key] = found.matches[key], (plan.outcome, plan.reason)
                new.ops.append(plan.op)
        wanted = {
            activity.key: plan_mail(activity, found.matches[activity.key], self.planning)
            for activity in due
            if activity.key not in meetings
        }
        records = self.landed(op.op_id for ops in wanted.values() for op in ops)
        for key, ops in wanted.items():
            record = next((records[op.op_id] for op in ops if records.get(op.op_id)), None)
            if record is None:
                new.matches[key] = found.matches[key]
                new.ops += ops
            else:
                there.matches[key] = found.matches[key]
                there.ops += ops
                if record.startswith((MAIL_PREFIX, TASK_PREFIX)):
                    there.mails[key] = record
        return new, there

    def _look_after(self, there: _There, tally: Tally) -> None:
        """See to it that the Tasks of mails written in an earlier run are their reps', and name all; settle them."""
        if not there.matches:
            return
        tally.already_there += len(there.matches)
        late = self._give(there.mails, there.ops, there.matches, tally)
        unrelated = self._relating().add(there.mails, there.ops, there.matches, tally) - late
        tally.waiting += len(unrelated)
        late |= unrelated
        outcomes = {key: Outcome.WRITTEN for key in there.matches if key not in late}
        self.journal.record_matches(self._remembered(there.matches), outcomes, now=self.now)

    def _give(
        self, mails: Mapping[str, str], ops: Sequence[WriteOp], matches: Mapping[str, Match], tally: Tally
    ) -> frozenset[str]:
        """Give the Tasks of `mails` to their reps; return the keys of those that wait for a later run."""
        late = self._owning().give(mails, ops, matches, self.journal.matches(matches), tally)
        tally.waiting += len(late)
        return late

    def _relating(self) -> Relating:
        return Relating(self.records, self.landed, self.history, self.writer, self.run_id)

    def _owning(self) -> Owning:
        return Owning(self.records, self.writer, self.run_id)

    def _apply(self, pending: _Round, tally: Tally) -> None:
        tally.planned.update(_kind(op) for op in pending.ops)
        results = {result.op_id: result for result in self.writer.apply(pending.ops, run_id=self.run_id)}
        faultpoints.reach("capture.after_apply")
        outcomes: dict[str, Outcome] = {}
        reasons: dict[str, str] = {}
        refused: dict[str, str] = {}
        landed: dict[str, str] = {}
        for op in pending.ops:
            key, result = op.key or "", results.get(op.op_id)
            if result is not None and result.status.landed and result.record_id:
                landed[key] = result.record_id
                if result.status is WriteStatus.DONE:
                    tally.written[_kind(op)] += 1
                else:
                    tally.already_there += 1
            elif (
                result is not None
                and result.status is WriteStatus.REFUSED
                and self._may_match_anew(result, key, pending)
            ):
                refused[key] = pending.snapshots[key]
                outcomes[key], reasons[key] = Outcome.HELD, GONE_REASON
                tally.held += 1
            elif result is not None and result.status is WriteStatus.REFUSED:
                outcomes[key], reasons[key] = Outcome.QUARANTINED, f"{result.code}: {result.message}"
                tally.quarantined[result.code or "refused"] += 1
                _log.warning(log.Event.ACTIVITY_QUARANTINED, key=key, code=result.code)
            else:
                tally.waiting += 1
        mails = {op.key: landed[op.key] for op in pending.ops if op.sobject == "EmailMessage" and op.key in landed}
        late = self._give(mails, pending.ops, pending.matches, tally)
        refusals = len(reasons)
        for key in landed.keys() - late:
            outcomes[key], reasons[key] = pending.ends.get(key, (Outcome.WRITTEN, ""))
        matches = self._remembered(pending.matches)
        self.journal.record_matches(matches, outcomes, now=self.now, reasons=reasons, refused=refused)
        _log.info(log.Event.PLAN_APPLIED, landed=len(landed), refused=refusals, late=len(late))

    def _remembered(self, matches: Mapping[str, Match]) -> Mapping[str, Match]:
        """Return `matches` as they are to be stored: of what is in Salesforce already, as it stands there."""
        before = self.journal.matches(matches)
        return {key: remembered(before.get(key), match) for key, match in matches.items()}

    def _may_match_anew(self, result: WriteResult, key: str, pending: _Round) -> bool:
        """Return whether a newer snapshot may know better than the one by which a refused mail was matched."""
        again = pending.refusals.get(key, 0) + 1 < MOST_REFUSALS
        return result.code in RECORD_GONE and again and bool(pending.snapshots.get(key))


def _kind(op: WriteOp) -> str:
    """Return what a write is counted as: its object, with what is done to it unless it is made."""
    return op.sobject + {Verb.UPDATE: ".changed", Verb.DELETE: ".deleted"}.get(op.verb, "")


def _refused(waiting: Iterable[WaitingMail]) -> dict[str, str]:
    return {one.key: one.refused_snapshot for one in waiting if one.refused_snapshot is not None}


def _chunked(waiting: Iterable[WaitingMail], size: int) -> Iterator[list[WaitingMail]]:
    some: list[WaitingMail] = []
    for one in waiting:
        some.append(one)
        if len(some) >= size:
            yield some
            some = []
    if some:
        yield some
