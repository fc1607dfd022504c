"""capture  sources ─▶ journal ─▶ normalise ─▶ match ─▶ plan ─▶ writer: one cycle over all mailboxes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from leakwatch import log
from leakwatch.core.addresses import AddressPatterns
from leakwatch.core.deletion_limits import DeletionLimits
from leakwatch.core.exclusion import Screening
from leakwatch.core.match import MatchRules, Span
from leakwatch.core.newcomers import CreateRules, Entry
from leakwatch.core.plan import PlanRules
from leakwatch.core.privacy import Insiders, PrivacyRules
from leakwatch.errors import BusyError, ConfigError, LeakwatchError
from leakwatch.flows.capture_adopt import Adopting, LoopPolicy
from leakwatch.flows.capture_people import Additions, Creating
from leakwatch.flows.capture_preview import would_be
from leakwatch.flows.capture_read import Memory, Reading, without_notice
from leakwatch.flows.capture_rematch import Rematching
from leakwatch.flows.capture_report import CaptureReport, Tally
from leakwatch.flows.capture_steps import Steps
from leakwatch.flows.capture_write import Writing
from leakwatch.model import (
    ActivityKind,
    AddressBook,
    Decision,
    Outcome,
    Principal,
    SkipReason,
    SourceRef,
    WriteOp,
    Written,
)
from leakwatch.ports import AdoptionLog, Journal, Neighbours, RecordFetcher, Source, Writer

_log = log.get(__name__)

NOBODY: Mapping[str, Collection[str]] = MappingProxyType({})
NAMED_FOR = timedelta(days=30)  # so long each run names a mailbox that left the roster; `status` does for good


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """How to capture.

    Attributes:
        company_domains: our mail domains; subdomains count.
        internal_addresses: single addresses of ours: employees' private ones, Salesforce users' and their aliases.
        privacy, planning: see there. never_match, match_bulk, shared_domains: see `MatchRules`.
        backfill: how far back the first sync of a mailbox reads.
        narrowed: that first sync brings only mail of people whom Salesforce knows by then: it proves no silence.
        parked_retry: a mailbox that refused us is tried again after so long.
        rematch: what is in Salesforce and not older is matched anew with each snapshot; None: never.
        create: who of the people not in Salesforce is entered there; None: nobody.
        meetings: write Events; off leaves what the calendars brought in the journal.
        deletions: how much a run may delete unasked.
        calendar_loop: what becomes of Events where another tool syncs calendars (see `LoopPolicy`).
        workers: mailboxes read at once.
        round_size: activities matched and written at a time.
    """

    company_domains: tuple[str, ...] = ()
    internal_addresses: tuple[str, ...] = ()
    privacy: PrivacyRules = field(default_factory=PrivacyRules)
    planning: PlanRules = field(default_factory=PlanRules)
    never_match: tuple[str, ...] = ()
    shared_domains: tuple[str, ...] = ()
    match_bulk: bool = False
    backfill: timedelta = timedelta(days=90)
    narrowed: bool = False
    parked_retry: timedelta = timedelta(hours=6)
    rematch: timedelta | None = timedelta(days=90)
    create: CreateRules | None = None
    meetings: bool = False
    deletions: DeletionLimits = field(default_factory=DeletionLimits)
    calendar_loop: LoopPolicy = "refuse"
    workers: int = 1
    round_size: int = 2_000


def _none_refused(op_ids: Iterable[str]) -> Mapping[str, str]:
    del op_ids
    return {}


@dataclass(frozen=True, slots=True)
class CaptureDoors:
    """What capture works through.

    Attributes:
        sources: mailbox streams, read one after the other.
        journal: where everything is kept between reading and writing.
        address_book: finds people, companies and deals in the mirror by address; deals by id besides.
        writer: the one way to Salesforce. records: reads records back by id.
        landed: returns op id -> record id of those writes that the write log knows as carried out.
        history: returns key -> what the write log knows to be written of a record of ours.
        neighbours: finds what other tools wrote, `adoptions` remembers it; without both nothing is adopted.
        refusals: returns op id -> error code of those writes that Salesforce refused.
        people_state: returns a digest of all that the address book goes by; "" where that is not known.
        units: returns API quota units spent so far, by provider.
        whose: source name -> addresses of those whose mailboxes it has; a source that is not named has everybody's.
    """

    sources: Sequence[Source]
    journal: Journal
    address_book: Callable[[Iterable[str], Iterable[str]], AddressBook]
    writer: Writer
    records: RecordFetcher
    landed: Callable[[Iterable[str]], Mapping[str, str]]
    history: Callable[[Iterable[str]], Mapping[str, Written]]
    neighbours: Neighbours | None = None
    adoptions: AdoptionLog | None = None
    refusals: Callable[[Iterable[str]], Mapping[str, str]] = _none_refused
    people_state: Callable[[], str] = str
    units: Callable[[], Mapping[str, int]] = dict[str, int]
    whose: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])

    def of(self, source: Source, people: Sequence[Principal]) -> list[Principal]:
        """Return those of `people` whose mailboxes `source` has."""
        return [one for one in people if one.address in self.whose.get(source.name, (one.address,))]

    def adopting(self, policy: LoopPolicy, *, mails_are_tasks: bool) -> Adopting | None:
        """Return what looks for other tools' records, as far as there are doors for it."""
        if self.neighbours is None or self.adoptions is None:
            return None
        return Adopting(self.neighbours, self.adoptions, self.history, policy, mails_are_tasks)


def capture(
    principals: Sequence[Principal],
    doors: CaptureDoors,
    options: CaptureOptions,
    *,
    run_id: str,
    now: datetime,
    dry_run: bool = False,
    write: bool = True,
    retry_parked: bool = False,
    only: Collection[str] = (),
    full: bool = False,
    quiet: Mapping[str, Collection[str]] = NOBODY,
    on_page: Callable[[str, int], None] | None = None,
) -> CaptureReport:
    """Read what is new in every mailbox and log it in Salesforce; return what was done.

    Running it again at once writes nothing; killed anywhere and run again, it ends in the same state.

    Args:
        principals: the whole roster; people without a recorded notice are not read. What was read of others and not
            written yet is dropped, unless the roster is empty.
        doors: what it works through.
        options: how.
        run_id: names this run in the write log.
        now: aware UTC; mail up to it counts as read.
        dry_run: page through the mailboxes in memory; store nothing, write nothing, return the writes wanted.
        write: off reads and stores only.
        retry_parked: try parked mailboxes now.
        only: read just the mailboxes with these addresses this time; what the others hold is written all the same.
        full: read the whole window of each mailbox anew; a source that skips what the journal's `settled_ids` holds
            then brings what was skipped under other settings. Interrupted, it is to be begun again.
        quiet: source -> addresses whose stream is left for a later run, because nothing seems to be new there. What is
            written of the others never depends on it: a mail whose sender's mailbox was left waits as it does where
            that mailbox can't be read just now.
        on_page: told (mailbox, items) after each page.

    Raises:
        ConfigError, BusyError: nothing can be done at all. What stops only the writing is in `report.failure`.
    """
    journal, before = doors.journal, dict(doors.units())
    told, untold = without_notice(principals, now)
    due, left_out = _parted(told, only)
    untold, _ = _parted(untold, only)
    if not dry_run:
        journal.sync_principals(principals, now=now)
        journal.record_decisions(
            [_no_notice(source, one, now) for source in doors.sources for one in doors.of(source, untold)]
        )
    memory = Memory() if dry_run else None
    insiders = Insiders(
        domains=options.company_domains,
        addresses=(*options.internal_addresses, *(address for one in principals for address in one.addresses)),
    )
    tally = Tally()
    left: set[str] = set()
    for source in doors.sources:
        window = (options.backfill, options.parked_retry, now)
        reading = Reading(source, journal, insiders, options.privacy, *window, memory, on_page, full)
        left_here = frozenset(quiet.get(source.name, ()))
        if source.kind is ActivityKind.MAIL:
            left |= left_here & {one.address for one in due}
        read_here = [one for one in doors.of(source, due) if one.address not in left_here]
        part = reading.read_all(read_here, workers=options.workers, retry_parked=retry_parked)
        tally.add(part if source.kind is ActivityKind.MAIL else part.of_calendars())
    mail = [source for source in doors.sources if source.kind is ActivityKind.MAIL]
    unread = left | tally.failed.keys() | tally.parked.keys()
    read = [one.address for one in due if one.address not in unread]
    spans = _spans(journal, mail, read, window_start=now if options.narrowed else now - options.backfill, now=now)
    # No calendar sync carries Tasks, so there is no loop to be kept out of.
    adopting = doors.adopting(
        "write" if options.planning.meetings_as == "task" else options.calendar_loop,
        mails_are_tasks=options.planning.mail_as == "task",
    )
    book = Additions(doors.address_book)
    writing = Writing(
        journal=journal,
        address_book=book,
        writer=doors.writer,
        records=doors.records,
        landed=doors.landed,
        history=doors.history,
        screening=Screening(
            insiders,
            options.privacy,
            told=frozenset(one.address for one in told),
            roster=frozenset(one.address for one in principals),
        ),
        matching=MatchRules(
            tuple(principals),
            spans,
            options.never_match,
            options.match_bulk,
            frozenset(options.shared_domains),
            as_of=now,
        ),
        planning=options.planning,
        awaited=tuple(one for one in told if one.address not in tally.parked),
        unread=frozenset(tally.failed) | {one.address for one in left_out} | left,
        run_id=run_id,
        now=now,
        size=options.round_size,
        with_meetings=options.meetings,
        deletions=options.deletions,
        adopting=adopting,
    )
    steps = Steps(
        _creating(principals, doors, options, insiders, book, run_id=run_id, now=now),
        writing,
        _rematching(writing, doors, options, now),
    )
    if principals and not dry_run:
        writing.drop_closed([source.name for source in doors.sources], tally)
    operations: tuple[WriteOp, ...] = ()
    failure: LeakwatchError | None = None
    try:
        if not principals:
            pass  # nobody on the roster: more likely it could not be had than that all mail read so far is to go
        elif memory is not None:
            operations = steps.plan_only(would_be(journal, memory), tally)
        elif write:
            steps.write(journal.unsettled(), tally)
    except (ConfigError, BusyError):
        raise
    except LeakwatchError as error:
        failure = error
    if adopting is not None and options.meetings:
        tally.loop = tally.loop or adopting.loop()
    if tally.loop:
        _log.warning(log.Event.CALENDAR_LOOP)
    report = _report(run_id, tally, untold, operations, failure, dry_run=dry_run)
    return replace(
        report,
        mailboxes_left=journal.left({one.address for one in principals}, since=now - NAMED_FOR) if principals else (),
        roster_empty=not principals,
        mailboxes_quiet=len(left),
        units={name: spent - before.get(name, 0) for name, spent in doors.units().items()},
    )


def _rematching(writing: Writing, doors: CaptureDoors, options: CaptureOptions, now: datetime) -> Rematching | None:
    if options.rematch is None:
        return None
    state = f"{doors.people_state()} {options.rematch.days} {options.meetings}"
    return Rematching(writing, now - options.rematch, state, doors.refusals)


def _creating(
    principals: Sequence[Principal],
    doors: CaptureDoors,
    options: CaptureOptions,
    insiders: Insiders,
    book: Additions,
    *,
    run_id: str,
    now: datetime,
) -> Creating | None:
    if options.create is None:
        return None
    users = {one.address: one.salesforce_user_id for one in principals}
    return Creating(
        journal=doors.journal,
        book=book,
        writer=doors.writer,
        records=doors.records,
        landed=doors.landed,
        refusals=doors.refusals,
        entry=Entry(
            options.create,
            insiders,
            options.privacy,
            AddressPatterns(options.never_match),
            frozenset(options.shared_domains),
            users.get,
        ),
        run_id=run_id,
        now=now,
        since=options.rematch or options.backfill,
    )


def _no_notice(source: Source, principal: Principal, now: datetime) -> Decision:
    ref = SourceRef(source.name, principal.address, "")
    detail = "no notice to the employee is recorded: set capture.notices or capture.notice_for_all"
    return Decision(ref, Outcome.SKIPPED, SkipReason.NO_NOTICE, now, detail=detail)


def _parted(people: Sequence[Principal], only: Collection[str]) -> tuple[list[Principal], list[Principal]]:
    """Return (meant this time, left out this time)."""
    if not only:
        return list(people), []
    wanted = frozenset(only)
    return [one for one in people if one.address in wanted], [one for one in people if one.address not in wanted]


def _spans(
    journal: Journal, sources: Sequence[Source], read: Iterable[str], *, window_start: datetime, now: datetime
) -> dict[str, Span]:
    """Return from when to when each mailbox is known without a gap: the ones just `read` up to now.

    Where the provider failed to give a mail, what came before it was asked for is not known.
    """
    spans: dict[str, Span] = {}
    for source in sources:
        for address, (start, end) in journal.spans(source.name).items():
            known = spans.get(address, (start, end))  # of whoever has two mailboxes, the time known of both
            spans[address] = (max(start, known[0]), min(end, known[1]))
    for address in read:
        start, _ = spans.get(address, (window_start, now))
        spans[address] = (min(start, window_start), now)
    for source in sources:
        for address, since in journal.holes(source.name).items():
            if address in spans:
                start, end = spans[address]
                spans[address] = (max(start, since), end)
    return spans


def _report(
    run_id: str,
    tally: Tally,
    untold: Sequence[Principal],
    operations: tuple[WriteOp, ...],
    failure: LeakwatchError | None,
    *,
    dry_run: bool,
) -> CaptureReport:
    return CaptureReport(
        run_id=run_id,
        dry_run=dry_run,
        mailboxes_read=tally.read,
        mailboxes_parked=tally.parked,
        mailboxes_failed=tally.failed,
        calendars_read=tally.calendars_read,
        calendars_failed=tally.calendars_failed,
        mailboxes_without_notice=tuple(one.address for one in untold),
        reconciled=tally.reconciled,
        items_seen=tally.items,
        captured=tally.captured,
        skipped=dict(tally.skipped),
        matched=dict(tally.matched),
        planned=dict(tally.planned),
        written=dict(tally.written),
        already_there=tally.already_there,
        owners_given=tally.owners_given,
        rematched=tally.rematched,
        unmatched=tally.unmatched,
        held=tally.held,
        waiting=tally.waiting,
        quarantined=dict(tally.quarantined),
        operations=operations,
        held_deletions=tally.held_back.ops,
        held_why=tally.held_back.why,
        adopted=tuple(tally.adopted),
        loop=tally.loop,
        failure=failure,
    )
