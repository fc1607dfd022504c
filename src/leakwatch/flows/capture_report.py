"""What one capture did, in numbers and reasons: no content, no outside address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from leakwatch.core.deletion_limits import HeldBack
from leakwatch.errors import LeakwatchError
from leakwatch.model import WriteOp

HELD_DELETIONS = "deletions.held"  # name of the figure that `status` and `doctor` look at


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """One run of capture.

    Attributes:
        mailboxes_read: read to the end without a gap.
        mailboxes_quiet: left for a later run, because nothing was told of them (push).
        mailboxes_parked: address -> reason code of those that refuse us (now or since an earlier run).
        mailboxes_failed: address -> words, of those left where they were for the next cycle.
        calendars_read: calendars read to the end. calendars_failed: address -> words, of those left where they were.
        mailboxes_without_notice: addresses whose owners have no recorded notice: not read at all.
        mailboxes_left: addresses that were read before and left the roster in the last month: not read any more.
        roster_empty: nobody is on the roster; nothing was read or written, and nothing read before was dropped.
        reconciled: streams that were begun anew because the provider forgot the cursor.
        items_seen: raw items fetched or named by the provider.
        captured: copies stored (dry run: that would be).
        skipped: items by SkipReason; `gone` are ids that had vanished.
        matched: activities by MatchBasis.
        planned: writes by sObject. written: records made, by sObject. already_there: landed in an earlier run.
        owners_given: Tasks whose owner was set to the rep.
        rematched: activities in Salesforce that a newer snapshot gave somebody, an account or an opportunity.
        unmatched, held, waiting: activities that stay in the journal for a later run; `waiting` were refused for now
            or their outcome is unknown.
        quarantined: activities and items by reason.
        units: API quota units by provider.
        operations: a dry run's writes.
        held_deletions: deletions that were (or would be) held back, because they are so many at once. held_why: words.
        adopted: activities for which another tool's record stands; `record_id` names it. Nothing is written of them.
        loop: why no Event is written although it could be, in words; empty if nothing forbids it.
        failure: what stopped the writing, if anything did.
    """

    run_id: str
    dry_run: bool
    mailboxes_read: int = 0
    mailboxes_quiet: int = 0
    mailboxes_parked: Mapping[str, str] = field(default_factory=dict[str, str])
    mailboxes_failed: Mapping[str, str] = field(default_factory=dict[str, str])
    calendars_read: int = 0
    calendars_failed: Mapping[str, str] = field(default_factory=dict[str, str])
    mailboxes_without_notice: tuple[str, ...] = ()
    mailboxes_left: tuple[str, ...] = ()
    roster_empty: bool = False
    reconciled: int = 0
    items_seen: int = 0
    captured: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict[str, int])
    matched: Mapping[str, int] = field(default_factory=dict[str, int])
    planned: Mapping[str, int] = field(default_factory=dict[str, int])
    written: Mapping[str, int] = field(default_factory=dict[str, int])
    already_there: int = 0
    owners_given: int = 0
    rematched: int = 0
    unmatched: int = 0
    held: int = 0
    waiting: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict[str, int])
    units: Mapping[str, int] = field(default_factory=dict[str, int])
    operations: tuple[WriteOp, ...] = ()
    held_deletions: tuple[WriteOp, ...] = ()
    held_why: str = ""
    adopted: tuple[WriteOp, ...] = ()
    loop: str = ""
    failure: LeakwatchError | None = None

    @property
    def complete(self) -> bool:
        """Whether every mailbox and calendar that may be read was, and nothing stopped the writing."""
        return not self.mailboxes_failed and not self.calendars_failed and self.failure is None

    def counts(self) -> dict[str, int]:
        """Return the figures as one flat mapping, for the run log and `--json`."""
        found = {
            "mailboxes.read": self.mailboxes_read,
            "mailboxes.quiet": self.mailboxes_quiet,
            "mailboxes.parked": len(self.mailboxes_parked),
            "mailboxes.failed": len(self.mailboxes_failed),
            "mailboxes.without_notice": len(self.mailboxes_without_notice),
            "mailboxes.left": len(self.mailboxes_left),
            "calendars.read": self.calendars_read,
            "calendars.failed": len(self.calendars_failed),
            "streams.reconciled": self.reconciled,
            "items.seen": self.items_seen,
            "items.captured": self.captured,
            "activities.unmatched": self.unmatched,
            "activities.held": self.held,
            "activities.waiting": self.waiting,
            "activities.rematched": self.rematched,
            "writes.already_there": self.already_there,
            "activities.adopted": len(self.adopted),
            "writes.owners_given": self.owners_given,
            HELD_DELETIONS: len(self.held_deletions),
        }
        for name in ("skipped", "matched", "planned", "written", "quarantined", "units"):
            values: Mapping[str, int] = getattr(self, name)
            found |= {f"{name}.{key}": value for key, value in sorted(values.items())}
        return found


@dataclass(slots=True)
class Tally:
    """The figures while they are still growing. One per mailbox, added up in the end: no lock is needed."""

    read: int = 0
    calendars_read: int = 0
    reconciled: int = 0
    items: int = 0
    captured: int = 0
    already_there: int = 0
    owners_given: int = 0
    rematched: int = 0
    unmatched: int = 0
    held: int = 0
    waiting: int = 0
    loop: str = ""
    adopted: list[WriteOp] = field(default_factory=list[WriteOp])
    skipped: Counter[str] = field(default_factory=Counter[str])
    matched: Counter[str] = field(default_factory=Counter[str])
    planned: Counter[str] = field(default_factory=Counter[str])
    written: Counter[str] = field(default_factory=Counter[str])
    quarantined: Counter[str] = field(default_factory=Counter[str])
    parked: dict[str, str] = field(default_factory=dict[str, str])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    calendars_failed: dict[str, str] = field(default_factory=dict[str, str])
    held_back: HeldBack = field(default_factory=HeldBack)

    def of_calendars(self) -> Tally:
        """Return this tally of mailboxes as one of calendars: what fails there is no word about the mail."""
        return replace(self, read=0, calendars_read=self.read, parked={}, failed={}, calendars_failed=self.failed)

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        for name in ("read", "calendars_read", "reconciled", "items", "captured", "already_there", "owners_given",
                     "rematched", "unmatched", "held", "waiting"):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("skipped", "matched", "planned", "written", "quarantined", "parked", "failed", "calendars_failed"):
            getattr(self, name).update(getattr(other, name))
