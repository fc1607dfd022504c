"""The journal's side of mailboxes: who is on the roster, who is parked, and how far each is known without a gap."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import Engine, func, or_, select, update

from leakwatch import faultpoints
from leakwatch.model import Outcome, Principal, SkipReason
from leakwatch.store import capture_codec as codec
from leakwatch.store import capture_tables as tables
from leakwatch.store.capture_tables import chunks, text, upsert, when
from leakwatch.store.database import transaction


class SqlMailboxes:
    """That part of the `Journal` port over SQLAlchemy Core."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def sync_principals(self, principals: Sequence[Principal], *, now: datetime) -> None:
        """Store who is on the roster, and since when those who were on it are not; an empty one changes nothing.

        Whether a mailbox is parked stays as it is.
        """
        if not principals:
            return
        table = tables.principals
        rows = [
            {
                "address": principal.address,
                "provider": principal.provider,
                "provider_id": principal.provider_id,
                "salesforce_user_id": principal.salesforce_user_id,
                "name": principal.name,
                "aliases": codec.dump(sorted(principal.aliases)),
                "notice_date": principal.notice_date.isoformat() if principal.notice_date is not None else None,
                "left_at": None,
                "updated_at": text(now),
            }
            for principal in principals
        ]
        with transaction(self._engine) as connection:
            stored = set(connection.execute(select(table.c.address).where(table.c.left_at.is_(None))).scalars())
            for some in chunks(sorted(stored - {principal.address for principal in principals})):
                connection.execute(update(table).where(table.c.address.in_(some)).values(left_at=text(now)))
            upsert(connection, table, rows)
        faultpoints.reach("journal.principals.stored")

    def left(self, present: Collection[str], *, since: datetime) -> tuple[str, ...]:
        """Return the mailboxes that were read before, are not among `present`, and left the roster after `since`.

        Also those whose leaving is not stored yet.
        """
        table = tables.principals
        was_read = select(tables.mailbox_reads.c.principal).where(tables.mailbox_reads.c.principal == table.c.address)
        query = select(table.c.address).where(
            was_read.exists(), or_(table.c.left_at.is_(None), table.c.left_at > text(since))
        )
        with transaction(self._engine) as connection:
            return tuple(sorted(set(connection.execute(query).scalars()) - set(present)))

    def principals(self) -> tuple[Principal, ...]:
        """Return the stored roster, in order of address."""
        table = tables.principals
        with transaction(self._engine) as connection:
            rows = connection.execute(select(table).order_by(table.c.address)).all()
        return tuple(
            Principal(
                address=row.address,
                provider=row.provider,
                provider_id=row.provider_id,
                salesforce_user_id=row.salesforce_user_id,
                name=row.name,
                aliases=frozenset(codec.load(row.aliases)),
                notice_date=date.fromisoformat(row.notice_date) if row.notice_date else None,
                parked_reason=row.parked_reason,
            )
            for row in rows
        )

    def park(self, principal: str, reason: str, *, now: datetime) -> None:
        """Note that a mailbox refused us, and since when (the first time stays)."""
        table = tables.principals
        with transaction(self._engine) as connection:
            connection.execute(
                update(table)
                .where(table.c.address == principal)
                .values(parked_reason=reason, parked_at=func.coalesce(table.c.parked_at, text(now)))
            )
        faultpoints.reach("journal.mailbox_parked.stored")

    def unpark(self, principal: str, *, now: datetime) -> None:
        """Note that a mailbox can be read again."""
        table = tables.principals
        with transaction(self._engine) as connection:
            connection.execute(
                update(table)
                .where(table.c.address == principal)
                .values(parked_reason=None, parked_at=None, updated_at=text(now))
            )

    def parked(self) -> Mapping[str, tuple[str, datetime]]:
        """Return principal address -> (reason, since) of mailboxes that refused us."""
        table = tables.principals
        query = select(table.c.address, table.c.parked_reason, table.c.parked_at).where(
            table.c.parked_reason.is_not(None)
        )
        with transaction(self._engine) as connection:
            return {row.address: (row.parked_reason, when(row.parked_at)) for row in connection.execute(query)}

    def spans(self, source: str) -> Mapping[str, tuple[datetime, datetime]]:
        """Return principal address -> (from, to) of the time whose mail is known without a gap.

        While a window is being read (again), nothing is claimed about it.
        """
        reads, cursors = tables.mailbox_reads, tables.cursors
        query = select(reads.c.principal, reads.c.read_at, cursors.c.body).where(
            reads.c.source == source, cursors.c.source == source, cursors.c.principal == reads.c.principal
        )
        found: dict[str, tuple[datetime, datetime]] = {}
        with transaction(self._engine) as connection:
            for row in connection.execute(query):
                start = codec.window_known(row.body)
                if start is not None:
                    found[row.principal] = (start, when(row.read_at))
        return found

    def holes(self, source: str) -> Mapping[str, datetime]:
        """Return principal address -> when the last mail that was not given to this day was first asked for.

        Such a mail arrived before that moment: from then on the mailbox is known without a gap.
        """
        table = tables.decisions
        query = select(table.c.principal, func.max(table.c.at).label("since")).where(
            table.c.source == source, table.c.reason == SkipReason.NOT_GIVEN.value
        )
        with transaction(self._engine) as connection:
            return {row.principal: when(row.since) for row in connection.execute(query.group_by(table.c.principal))}

    def not_given(self, source: str, principal: str) -> Sequence[str]:
        """Return the ids of mails that the provider named but failed to give, longest known first."""
        table = tables.decisions
        query = (
            select(table.c.provider_id)
            .where(
                table.c.source == source,
                table.c.principal == principal,
                table.c.reason == SkipReason.NOT_GIVEN.value,
                table.c.outcome == Outcome.QUARANTINED.value,  # a person may have dropped it
            )
            .order_by(table.c.at, table.c.provider_id)
        )
        with transaction(self._engine) as connection:
            return list(connection.execute(query).scalars())

    def mailbox_read(self, source: str, principal: str, *, now: datetime) -> None:
        """Note that a mailbox was read up to `now` without a gap."""
        with transaction(self._engine) as connection:
            upsert(
                connection,
                tables.mailbox_reads,
                [{"source": source, "principal": principal, "read_at": text(now)}],
            )
        faultpoints.reach("journal.mailbox_read.stored")
