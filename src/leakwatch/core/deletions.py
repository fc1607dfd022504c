"""Records that the org no longer has: how they are known, and what leaves the mirror because of them.

Most deletions come with the changes, as rows marked deleted, which stay for RECYCLE_BIN: findings close as "gone" by
them. What was deleted for good stands in the org's delete log only, and not for ever; beyond it, ids are compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

RECYCLE_BIN = timedelta(days=15)  # how long Salesforce keeps deleted rows ("Recycle Bin"), and the log of them
LOG_REACH = timedelta(days=14)  # the log keeps 15 days (REST guide, "sObject Get Deleted"); one in reserve
COMPARE_EVERY = timedelta(hours=6)  # where no log can be had: a full list of ids is one API call per 2,000 rows


@dataclass(frozen=True, slots=True)
class DeleteLog:
    """What the org's delete log says of one object in one window. Moments are aware UTC.

    Attributes:
        deleted: id -> when; rows that lie in the recycle bin, or were taken out of it again, are among them.
        covered_until: every deletion before this moment is in it. It may lie hours back: a deletion counts from the
            moment its transaction began, and is seen when that ends.
        complete_from: older deletions may be missing from it; None if none are.
    """

    deleted: Mapping[str, datetime]
    covered_until: datetime
    complete_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Removals:
    """What leaves one mirrored table, and up to when the org's deletions are known then.

    Attributes:
        logged: id -> when it was deleted. A row that changed after that was taken out of the recycle bin, and stays;
            so does one that is marked deleted.
        absent: ids that the org does not have any more.
        until: every deletion before this moment is known.
        marked_before: rows marked deleted before this moment are in no recycle bin any more.
    """

    until: datetime
    marked_before: datetime
    logged: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    absent: Collection[str] = ()


def log_since(known_until: datetime, now: datetime, overlap: timedelta) -> datetime | None:
    """Return from when on to ask the delete log, or None if it does not reach back so far."""
    since = known_until - overlap
    return since if now - since < LOG_REACH else None


def by_log(known_until: datetime | None, log: DeleteLog | None, now: datetime) -> Removals | None:
    """Return what leaves by the log alone, or None if ids must be compared now.

    Where the log is refused or has gaps, the comparison waits until the last is COMPARE_EVERY old.
    """
    if known_until is None:
        return None
    marked_before = now - RECYCLE_BIN
    if log is not None and (log.complete_from is None or log.complete_from <= known_until):
        until = max(known_until, min(log.covered_until, now))
        return Removals(until, marked_before, log.deleted)
    if now - known_until < COMPARE_EVERY:
        return Removals(known_until, marked_before, log.deleted if log is not None else {})
    return None


def by_comparison(mirrored: Collection[str], living: Collection[str], now: datetime) -> Removals:
    """Return what leaves because the org's full list of ids, deleted ones in the bin included, does not hold it."""
    return Removals(now, now - RECYCLE_BIN, absent=sorted(set(mirrored) - set(living)))
