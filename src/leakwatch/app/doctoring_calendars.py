"""What `doctor` says of other tools that sync Events with calendars: the signs, and what to do. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leakwatch.app.building import Parts
from leakwatch.app.doctoring_check import Check
from leakwatch.app.neighbouring import neighbours_of
from leakwatch.core.adoption import moment_of
from leakwatch.core.calendar_loop import changed_by_others, doubled
from leakwatch.errors import NotFoundError, RecordError
from leakwatch.flows.capture_adopt import is_loop
from leakwatch.model import SkipReason

NAME = "calendar loop"
RECENT = 200  # Events that we wrote last: enough to see a tool at work, in about one call
MOST_NAMED = 3
# Its label and that of its successor (permission set licences StandardEinsteinActivityCapturePsl, ...Capture2Psl).
EINSTEIN = "Activity Capture"
DECIDE = (
    "Switch off that tool's way from Salesforce to the calendars, then set capture.calendar_loop: write; or leave "
    "Events to it: capture.calendar_loop: adopt. Copies of our own Events are written by neither."
)
LEAVE = "Set capture.calendar_loop: adopt, so that Events are left to that tool, or switch its event sync off."


def calendar_checks(parts: Parts) -> Iterator[Check]:
    """Yield what shows that another tool syncs Events with the calendars that leakwatch reads.

    Raises:
        AuthError, TransientError, BudgetError: the org can't be asked.
    """
    signs = [*_copies(parts), *_in_the_org(parts), *_licences(parts)]
    if signs:
        yield from signs
    else:
        yield Check(NAME, "ok", "nothing shows that another tool syncs Events with the calendars")


def _copies(parts: Parts) -> Iterator[Check]:
    copies = parts.write_log.copies()
    if not copies:
        return
    counts, policy = Counter(copies.values()), parts.settings.capture.calendar_loop
    words = (
        f"{counts[SkipReason.COPY_OF_OURS]} calendar items name an Event of ours as what they are a copy of, "
        f"{counts[SkipReason.LIKE_OURS]} were made after one and are like it in all (leakwatch explain KEY: "
        f"{', '.join(sorted(copies)[:MOST_NAMED])})"
    )
    if not is_loop(copies):
        yield Check(NAME, "note", f"{words}; that may be a person's doing, and none of them is written", DECIDE)
    elif policy == "refuse" and parts.settings.writes.meetings:
        packages = _packages(parts)
        named = f" Installed packages, one of which may be that tool: {', '.join(packages)}." if packages else ""
        yield Check(NAME, "bad", f"another tool copies our Events into calendars: {words}. No Event is written.{named}",
                    DECIDE)  # fmt: skip
    else:
        yield Check(NAME, "note", f"{words}; capture.calendar_loop is {policy}", "" if policy != "refuse" else DECIDE)


def _in_the_org(parts: Parts) -> Iterator[Check]:
    ours = parts.write_log.latest("Event", limit=RECENT)
    owners = {str(op.fields["OwnerId"]) for op in ours if op.fields.get("OwnerId")}
    begins = [start for op in ours if (start := moment_of(op.fields.get("StartDateTime"))) is not None]
    if not owners or not begins:
        return
    try:
        rows = neighbours_of(parts).events(owners, min(begins), max(begins))
    except RecordError as error:
        yield Check("Events", "note", f"whether others handle ours can't be seen: {error}. New meetings wait for it",
                    "Give the integration user View All on Event (or View All Data).")  # fmt: skip
        return
    pairs = doubled(rows)
    if pairs:
        some = ", ".join(f"{one} and {other}" for one, other in pairs[:MOST_NAMED])
        left = parts.settings.capture.calendar_loop == "adopt"
        words = f"{len(pairs)} Events of ours stand beside another tool's of the same owner, time and subject ({some})"
        yield Check("doubled Events", "note", words, "" if left else LEAVE)
    for user, number in changed_by_others(rows).items():
        words = f"the user {user} changed {number} of our Events last, of several owners: it may be a sync's user"
        yield Check("changed Events", "note", words, LEAVE)


def _licences(parts: Parts) -> Iterator[Check]:
    rows = _rows(parts, "SELECT MasterLabel, UsedLicenses FROM PermissionSetLicense WHERE UsedLicenses > 0")
    used = [row for row in rows if EINSTEIN in str(row["MasterLabel"])]
    if used:
        named = ", ".join(f"{row['MasterLabel']} ({row['UsedLicenses']} users)" for row in used)
        yield Check("Einstein Activity Capture", "note", f"its licences are in use: {named}. What it wrote is adopted",
                    "See in Setup whether it syncs events, and which way. If it does, set capture.calendar_loop: adopt "
                    "or switch its event sync off.")  # fmt: skip


def _packages(parts: Parts) -> list[str]:
    rows = _rows(parts, "SELECT NamespacePrefix FROM PackageLicense WHERE Status != 'Expired'")
    return sorted({str(row["NamespacePrefix"]) for row in rows})


def _rows(parts: Parts, query: str) -> Sequence[Mapping[str, Any]]:
    """Return the rows of setup objects; none where the org does not show them to the integration user."""
    try:
        return [row for page in parts.reader.query(query) for row in page]
    except (NotFoundError, RecordError):
        return []
