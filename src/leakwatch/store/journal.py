"""The journal: durable memory of capture, so that reading mailboxes and writing to Salesforce need not keep step.

A page's items and its new cursor are stored in one transaction, by compare-and-swap on the cursor's revision.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, and_, select, update
from sqlalchemy.exc import IntegrityError

from leakwatch import faultpoints
from leakwatch.core.normalise import assign_key, merge
from leakwatch.errors import BusyError
from leakwatch.model import (
    Activity,
    Cursor,
    Decision,
    SkipReason,
    SourceRef,
)
from leakwatch.store import capture_codec as codec
from leakwatch.store import capture_tables as tables
from leakwatch.store import journal_exclusions as exclusions
from leakwatch.store.capture_tables import chunks, text, upsert
from leakwatch.store.database import transaction
from leakwatch.store.journal_mailboxes import SqlMailboxes
from leakwatch.store.journal_outcomes import SqlOutcomes, copies_of
from leakwatch.store.journal_withheld import SqlWithheld
from leakwatch.store.journal_written import SqlWritten

# These may change without the item's id changing: such an item is looked at again when it is listed again. NOT_GIVEN
# needs no place here: each reading begins by asking for those (see `not_given`), and once is enough.
PASSING_REASONS = frozenset(
    {
        SkipReason.SPAM,
        SkipReason.TRASH,
        SkipReason.DRAFT,
        SkipReason.SCHEDULED,
        SkipReason.OPT_OUT_LABEL,
        SkipReason.NOT_LABELLED,
        SkipReason.TOO_OLD,  # until the admin asks for a longer backfill
        SkipReason.NO_NOTICE,  # until the employee is told again
        SkipReason.OFF_ROSTER,  # until the mailbox is on the roster again
    }
)
# These follow from the settings: loosened, they may let in what they kept out.
SETTING_REASONS = frozenset(
    {
        SkipReason.INTERNAL_ONLY,
        SkipReason.BLOCKED,
        SkipReason.CONFIDENTIAL_SUBJECT,
        SkipReason.SENSITIVE,
        SkipReason.NOT_ON_LIST,
        SkipReason.BULK,
    }
)


class SqlJournal(SqlOutcomes, SqlMailboxes, SqlWithheld, SqlWritten):
    """The `Journal` port over SQLAlchemy Core: cursors and pages here, the rest in the base classes."""

    def cursor(self, source: str, principal: str, stream: str) -> Cursor | None:
        """Return the stored cursor, or None for a mailbox never read.

        Raises:
            CursorError: one is stored but can't be read.
        """
        table = tables.cursors
        query = select(table.c.body, table.c.revision).where(
            table.c.source == source, table.c.principal == principal, table.c.stream == stream
        )
        with transaction(self._engine) as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return codec.load_cursor(row.body, source=source, principal=principal, stream=stream, revision=row.revision)

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
            BusyError: somebody else moved this cursor since it was read. Nothing was stored.
        """
        faultpoints.reach("journal.commit_page.before")
        with transaction(self._engine) as connection:
            stored = self._move_cursor(connection, cursor, now)
            self._store_copies(connection, activities, now)
            self._keep_out(connection, decisions, now)
            exclusions.mark_removed(connection, removed, now)
            faultpoints.reach("journal.commit_page.inside")
        faultpoints.reach("journal.commit_page.after")
        return stored

    def _move_cursor(self, connection: Connection, cursor: Cursor, now: datetime) -> Cursor:
        table = tables.cursors
        values = {"revision": cursor.revision + 1, "body": codec.dump_cursor(cursor), "updated_at": text(now)}
        place = {"source": cursor.source, "principal": cursor.principal, "stream": cursor.stream}
        busy = BusyError(
            f"the reading position of {cursor.source} for {cursor.principal} was moved by another leakwatch process. "
            "This page was not stored; nothing is lost. Let only one leakwatch work on a store."
        )
        if cursor.revision == 0:
            try:
                connection.execute(table.insert().values(**place, **values))
            except IntegrityError:
                raise busy from None
        else:
            same = and_(*(table.c[name] == value for name, value in place.items()), table.c.revision == cursor.revision)
            if connection.execute(update(table).where(same).values(**values)).rowcount != 1:
                raise busy
        return replace(cursor, revision=cursor.revision + 1)

    def _store_copies(self, connection: Connection, activities: Sequence[Activity], now: datetime) -> None:
        if not activities:
            return
        known = _Known(connection)
        alike = known.alike(activities)
        rows: dict[exclusions.Place, tuple[str, str, Activity]] = {}  # key and base key as they are to be stored
        for activity in activities:
            place = exclusions.place_of(activity.refs[0])
            keyed = activity
            if activity.key in alike or activity.fingerprint in alike:
                near = {**alike.get(activity.key, {}), **alike.get(activity.fingerprint, {})}
                near.pop(place, None)
                keyed = assign_key(activity, near.values())
            for index in {activity.key, activity.fingerprint} - {""}:
                alike.setdefault(index, {})[place] = keyed
            rows[place] = (keyed.key, activity.key, keyed)
        # The merged mails: what comes with the page, and what is stored of them elsewhere, each copy decoded once.
        mails: dict[str, list[Activity]] = {}
        for key, copies in known.under({key for key, _, _ in rows.values()}).items():
            mails[key] = [copy for place, copy in copies.items() if place not in rows]
        for key, _, keyed in rows.values():
            mails.setdefault(key, []).append(keyed)
        stored_at = text(now)
        values = [
            {
                "source": place[0],
                "principal": place[1],
                "provider_id": place[2],
                "key": key,
                "base_key": base_key,
                "fingerprint": keyed.fingerprint,
                "body": codec.dump_activity(keyed),
                "stored_at": stored_at,
            }
            for place, (key, base_key, keyed) in rows.items()
        ]
        upsert(connection, tables.copies, values, keep=("stored_at",))
        exclusions.forget_decisions(connection, list(rows))
        _store_merged(connection, mails, now)

    def stored(self, refs: Sequence[SourceRef]) -> Sequence[Activity]:
        """Return the stored copies that lie at `refs`."""
        found: list[Activity] = []
        with transaction(self._engine) as connection:
            for conditions in exclusions.chosen(tables.copies, map(exclusions.place_of, refs)):
                rows = connection.execute(select(tables.copies.c.body).where(*conditions)).scalars()
                found += [codec.load_activity(body) for body in rows]
        return found

    def ids_under(self, source: str, principal: str, prefix: str) -> Sequence[str]:
        """Return the provider ids of stored copies that begin with `prefix`."""
        table = tables.copies
        query = select(table.c.provider_id).where(
            table.c.source == source,
            table.c.principal == principal,
            table.c.provider_id >= prefix,
            table.c.provider_id < prefix + chr(0x10FFFF),
        )
        with transaction(self._engine) as connection:
            return list(connection.execute(query.order_by(table.c.provider_id)).scalars())

    def ahead(self, source: str, principal: str, *, after: datetime) -> Sequence[Activity]:
        """Return the stored copies in one mailbox of what begins after this moment."""
        copies, activities = tables.copies, tables.activities
        query = select(copies.c.body).join(activities, activities.c.key == copies.c.key)
        query = query.where(
            copies.c.source == source, copies.c.principal == principal, activities.c.start > text(after)
        )
        with transaction(self._engine) as connection:
            return [codec.load_activity(body) for body in connection.execute(query).scalars()]

    def alike(self, copies: Sequence[Activity]) -> Sequence[Activity]:
        """Return the stored copies with the Message-ID or the fingerprint of one of `copies`."""
        with transaction(self._engine) as connection:
            found = _Known(connection).alike(copies)
        places = {place: copy for some in found.values() for place, copy in some.items()}
        return [places[place] for place in sorted(places)]

    def record_decisions(self, decisions: Sequence[Decision]) -> None:
        """Store why items were not captured; the newest decision about an item stays."""
        with transaction(self._engine) as connection:
            exclusions.store_decisions(connection, decisions)
        faultpoints.reach("journal.decisions.stored")

    def withdraw(self, decisions: Sequence[Decision], *, now: datetime) -> None:
        """Store `decisions` and delete the copies they are about, in one transaction.

        Mails that are in Salesforce stay as they are, and so do the other copies of a mail.
        """
        with transaction(self._engine) as connection:
            self._keep_out(connection, decisions, now)
        faultpoints.reach("journal.withdraw.stored")

    def _keep_out(self, connection: Connection, decisions: Sequence[Decision], now: datetime) -> None:
        if not decisions:
            return
        decisions = exclusions.without_written(connection, exclusions.without_vetoed(connection, decisions))
        exclusions.store_decisions(connection, decisions)
        keys = exclusions.drop_copies(connection, decisions)
        _store_merged(connection, copies_of(connection, sorted(keys)), now)
        exclusions.forget(connection, keys)

    def known_ids(self, source: str, principal: str, provider_ids: Sequence[str]) -> frozenset[str]:
        """Return those ids that need no fetching again: stored, or skipped for a reason that lasts."""
        return self._known(source, principal, provider_ids, PASSING_REASONS)

    def settled_ids(self, source: str, principal: str, provider_ids: Sequence[str]) -> frozenset[str]:
        """Return those ids that no change of the settings can let in: stored, or skipped whatever these say."""
        return self._known(source, principal, provider_ids, PASSING_REASONS | SETTING_REASONS)

    def _known(
        self, source: str, principal: str, provider_ids: Sequence[str], passing: frozenset[SkipReason]
    ) -> frozenset[str]:
        found: set[str] = set()
        with transaction(self._engine) as connection:
            for some in chunks(list(provider_ids)):
                for table in (tables.copies, tables.decisions):
                    query = select(table.c.provider_id).where(
                        table.c.source == source, table.c.principal == principal, table.c.provider_id.in_(some)
                    )
                    if table is tables.decisions:
                        query = query.where(table.c.reason.not_in(sorted(passing)))
                    found.update(connection.execute(query).scalars())
        return frozenset(found)


def _store_merged(connection: Connection, mails: Mapping[str, Sequence[Activity]], now: datetime) -> None:
    """Bring the merged digests of `mails` (key -> all stored copies) up to date."""
    updated_at = text(now)
    rows: list[dict[str, Any]] = [
        {
            "key": merged.key,
            "start": text(merged.start),
            "digest": codec.activity_digest(merged),
            "updated_at": updated_at,
        }
        for merged in map(merge, mails.values())
    ]
    upsert(connection, tables.activities, rows)


class _Known:
    """Stored copies as they were when they were first asked for in one transaction, each decoded once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._copies: dict[exclusions.Place, Activity] = {}

    def alike(self, activities: Sequence[Activity]) -> dict[str, dict[exclusions.Place, Activity]]:
        """Return base key or fingerprint -> place -> copies that may be the same mail as one of `activities`."""
        table = tables.copies
        found: dict[str, dict[exclusions.Place, Activity]] = {}
        self._find(table.c.base_key, {activity.key for activity in activities}, found)
        self._find(table.c.fingerprint, {activity.fingerprint for activity in activities} - {""}, found)
        return found

    def under(self, keys: Collection[str]) -> dict[str, dict[exclusions.Place, Activity]]:
        """Return key -> place -> copies of the mails `keys`."""
        found: dict[str, dict[exclusions.Place, Activity]] = {}
        self._find(tables.copies.c.key, keys, found)
        return found

    def _find(
        self, column: Column[str], wanted: Collection[str], found: dict[str, dict[exclusions.Place, Activity]]
    ) -> None:
        table = tables.copies
        query = select(column.label("mark"), table.c.source, table.c.principal, table.c.provider_id, table.c.body)
        for some in chunks(sorted(wanted)):
            for mark, source, principal, provider_id, body in self._connection.execute(query.where(column.in_(some))):
                place = (source, principal, provider_id)
                copy = self._copies.get(place)
                if copy is None:
                    copy = self._copies[place] = codec.load_activity(body)
                found.setdefault(mark, {})[place] = copy
