"""When a sync deletes too much at once: a lost calendar looks as if every meeting had been cancelled. Pure.

The limits on harm of Cloud Custodian (`max-resources`, `max-resources-percent`) and of vdirsyncer (`StorageEmpty`): a
number, and a share of what there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from leakwatch.model import WriteOp

SMALLEST_GUARDED = 20  # deletions; up to so many, a share says nothing: who goes on leave cancels a few of a few


@dataclass(frozen=True, slots=True)
class DeletionLimits:
    """How much one sync may delete unasked.

    Attributes:
        per_run: so many records.
        share: so much of the coming meetings of one calendar, or of all, where it is more than `SMALLEST_GUARDED`.
        allowed: so many deletions a person has let go for this run; None if nobody was asked.
    """

    per_run: int = 200
    share: Decimal = Decimal("0.50")
    allowed: int | None = None


@dataclass(frozen=True, slots=True)
class Deletion:
    """One wanted deletion, and the mailboxes whose calendars held the meeting."""

    op: WriteOp
    mailboxes: frozenset[str]


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Deletions that are not done, and why in words; both empty if all may be done."""

    ops: tuple[WriteOp, ...] = ()
    why: str = ""


def is_large(deletions: Sequence[Deletion], limits: DeletionLimits) -> bool:
    """Return whether so many deletions have to be weighed at all."""
    return len(deletions) > min(limits.per_run, SMALLEST_GUARDED)


def hold_back(deletions: Sequence[Deletion], coming: Mapping[str, int], total: int, limits: DeletionLimits) -> HeldBack:
    """Return which of the deletions that one sync wants are held back.

    Those of calendars that lose too much; and all, if what is left is still too much together.

    Args:
        deletions: all of one run.
        coming: mailbox -> coming meetings that stand in Salesforce and are in its calendar.
        total: coming meetings of all together.
        limits: see there. Deletions that a person has let go are not held back.
    """
    if not is_large(deletions, limits):
        return HeldBack()
    lost = Counter(mailbox for one in deletions for mailbox in one.mailboxes)
    over = {box for box, gone in lost.items() if _too_much(gone, coming.get(box, 0), limits)}
    held = [one for one in deletions if one.mailboxes & over]
    of = ", ".join(f"{lost[box]:,} of {coming.get(box, 0):,} in the calendar of {box}" for box in sorted(over))
    left = len(deletions) - len(held)
    if left > limits.per_run or _too_much(left, total, limits):
        held, of = list(deletions), f"{total:,} coming meetings stand there"
    if not held or (limits.allowed is not None and len(held) <= limits.allowed):
        return HeldBack()
    return HeldBack(tuple(one.op for one in held), _words(len(held), of, limits))


def _too_much(gone: int, standing: int, limits: DeletionLimits) -> bool:
    return gone > SMALLEST_GUARDED and gone > limits.share * standing


def _words(count: int, of: str, limits: DeletionLimits) -> str:
    confirmed = f"; {limits.allowed:,} were allowed" if limits.allowed is not None else ""
    return (
        f"{count:,} meetings would be deleted from Salesforce at once: {of} (limits: {limits.per_run:,} and "
        f"{limits.share:.0%}{confirmed}). None of these was: a lost calendar or right is likelier than so many "
        f"cancellations. Look at them (sync --dry-run), then let them go: leakwatch sync --allow-deletes {count}"
    )
