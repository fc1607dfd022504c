"""What changed and what was deleted in a window of time: the rules of getUpdated and getDeleted.

Sources: REST guide, "sObject Get Updated" and "sObject Get Deleted"; SOAP guide, "getUpdated()", "getDeleted()"
and "Data Replication"; knowledge article 000199029 for `latestDateCovered`. The codes are documented. Of the
texts only "startDate before org replication enabled date" was seen (jsforce issue 406); the others are unverified.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from leakwatch.sandbox.org import late, values
from leakwatch.sandbox.org.errors import OrgError, bad
from leakwatch.sandbox.org.indexes import quote
from leakwatch.sandbox.org.schema import SObject

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org

UPDATED_DAYS = 30
LOGGED_DAYS = 15
"""Days of deletions that getDeleted answers with, however far back it is asked."""
MAX_IDS = 600_000
PURGE_HOURS = 2
"""The delete log is looked at every two hours, and what is younger than two hours stays in it."""
LOG_PER_LICENCE = 15_000
_STAMPS = ("SystemModstamp", "LastModifiedDate", "CreatedDate")
Window = tuple[datetime, datetime]


class InFlight:
    """When the transactions that are still open began; what they write is not to be seen before they end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began: dict[int, datetime] = {}
        self._next = 0

    def begin(self, at: datetime) -> int:
        """Open one that began `at` (aware); what `end` wants."""
        with self._lock:
            self._next += 1
            self._began[self._next] = at
            return self._next

    def end(self, number: int) -> None:
        """Close one; closing twice does no harm."""
        with self._lock:
            self._began.pop(number, None)

    def oldest(self) -> datetime | None:
        """When the oldest open one began."""
        with self._lock:
            return min(self._began.values(), default=None)


def updated(org: Org, sobject: SObject, query: Mapping[str, str]) -> tuple[list[str], datetime]:
    """Ids of living rows created or changed from the window's start on and before its end; what is covered.

    Raises OrgError INVALID_REPLICATION_DATE, EXCEEDED_ID_LIMIT, INVALID_TYPE_FOR_OPERATION.
    """
    _replicateable(sobject)
    start, end = _window(query)
    _not_before(start, _midnight(org.clock.now()) - timedelta(days=UPDATED_DAYS), UPDATED_DAYS)
    stamp = next(name for name in _STAMPS if name in sobject.fields)
    alive = " AND IsDeleted = 0" if sobject.has_bin else ""
    sql = f"SELECT Id FROM {quote(sobject.name)} WHERE {stamp} >= ? AND {stamp} < ?{alive} ORDER BY Id LIMIT ?"
    found = [row["Id"] for row in org.store.execute(sql, (*map(values.instant_text, (start, end)), MAX_IDS + 1))]
    _not_too_many(found)
    return found, covered(org, end)


def deleted(org: Org, sobject: SObject, query: Mapping[str, str]) -> tuple[list[dict[str, str]], datetime, datetime]:
    """Entries of the delete log in the window, the oldest moment it still knows of, and what is covered.

    Hard deletions are in the log too. Raises as `updated` does.
    """
    _replicateable(sobject)
    if sobject.name in org.settings.deleted_not_offered:
        raise _no_replication(sobject)
    start, end = _window(query)
    today = _midnight(org.clock.now())
    days = org.settings.deleted_window_days
    _not_before(start, today - timedelta(days=days), days)
    purged = _purged_until(org)
    if purged is not None and start <= purged and org.settings.purged_log_refused:
        # that this is refused, so that the client reads the whole object again, is documented
        said = f"startDate before org replication enabled date or deletions were purged until {_text(purged)}"
        raise bad("INVALID_REPLICATION_DATE", said)
    until = covered(org, end)
    if until < end and org.settings.deleted_needs_covered_end:
        raise bad("INVALID_REPLICATION_DATE", f"endDate is after the latest date covered: {_text(until)}")
    earliest = max(today - timedelta(days=LOGGED_DAYS), purged or start.min.replace(tzinfo=start.tzinfo))
    sql = "SELECT id, at FROM _deleted WHERE sobject = ? AND at >= ? AND at < ? ORDER BY at, id LIMIT ?"
    bounds = map(values.instant_text, (max(start, earliest), end))
    rows = org.store.execute(sql, (sobject.name, *bounds, MAX_IDS + 1))
    found = [{"id": row["id"], "deletedDate": row["at"]} for row in rows]
    _not_too_many(found)
    return found, earliest, until


def covered(org: Org, end: datetime) -> datetime:
    """`latestDateCovered`: the end, the present minute, or when the oldest open transaction began: what is first."""
    now = org.clock.now()
    running = now - timedelta(minutes=org.settings.open_transaction_minutes)
    open_ones = [moment for moment in (org.in_flight.oldest(), late.oldest(org)) if moment is not None]
    return min(end, running.replace(second=0, microsecond=0), *open_ones)


def _replicateable(sobject: SObject) -> None:
    if not sobject.allows("replicateable"):
        raise _no_replication(sobject)


def _no_replication(sobject: SObject) -> OrgError:
    """A refusal whose code and words are unverified."""
    return bad("INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} does not support replication")


def _window(query: Mapping[str, str]) -> Window:
    """Start and end to the minute (seconds are ignored), in UTC; an offset is required, `+` may have been lost."""
    found: list[datetime] = []
    for name in ("start", "end"):
        given = query.get(name)
        if not given:
            raise bad("MISSING_ARGUMENT", f"{name} is a required parameter")  # unverified
        text = values.parse_instant(given.replace(" ", "+"))
        if text is None:
            raise bad("INVALID_REPLICATION_DATE", f"{name}Date is not a valid dateTime: {given}")
        found.append(values.instant_of(text).replace(second=0))
    start, end = found
    if end - start < timedelta(minutes=1):
        raise bad("INVALID_REPLICATION_DATE", "startDate must precede endDate by at least one minute")
    return start, end


def _not_before(start: datetime, first: datetime, days: int) -> None:
    if start < first:
        said = f"startDate before org replication enabled date or more than {days} days ago"
        raise bad("INVALID_REPLICATION_DATE", said)


def _not_too_many(found: list[str] | list[dict[str, str]]) -> None:
    if len(found) > MAX_IDS:
        raise OrgError(400, "EXCEEDED_ID_LIMIT", f"Too many ids: the limit is {MAX_IDS}; choose a shorter timespan")


def _purged_until(org: Org) -> datetime | None:
    """Up to when the delete log was purged, None if it never had to be.

    Nothing is taken out of the table: what the process that runs at every second full hour would have taken out,
    oldest first and nothing younger than two hours, follows from the table itself.
    """
    limit = org.settings.delete_log_limit or LOG_PER_LICENCE * _licences(org)
    now = org.clock.now()
    last_run = now.replace(hour=now.hour - now.hour % PURGE_HOURS, minute=0, second=0, microsecond=0)
    logged = org.store.execute("SELECT COUNT(*) FROM _deleted WHERE at < ?", (_text(last_run),)).fetchone()[0]
    if logged <= limit:
        return None
    old = _text(last_run - timedelta(hours=PURGE_HOURS))
    sql = "SELECT MAX(at) FROM (SELECT at FROM _deleted WHERE at < ? ORDER BY at, id LIMIT ?)"
    last = org.store.execute(sql, (old, logged - limit)).fetchone()[0]
    return None if last is None else values.instant_of(last)


def _licences(org: Org) -> int:
    """Active users, each of whom has one here."""
    return max(1, int(org.store.execute("SELECT COUNT(*) FROM User WHERE IsActive = 1").fetchone()[0]))


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _text(moment: datetime) -> str:
    return values.instant_text(moment)
