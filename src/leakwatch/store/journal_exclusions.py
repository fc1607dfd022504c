"""The journal's side of exclusions: decisions, what they say of other copies, and copies that are dropped again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, or_, select, update

from leakwatch.core.exclusion import MAILBOX_REASONS, VETOES, base_key, drops
from leakwatch.model import Activity, Decision, MailTrace, Outcome, SkipReason, SourceRef, WriteStatus
from leakwatch.store import capture_codec as codec
from leakwatch.store import capture_tables as tables
from leakwatch.store.capture_tables import chunks, text, upsert, when
from leakwatch.store.journal_withheld import WITHHELD_VALUES

NEVER_TAKEN = (WriteStatus.REFUSED.value, WriteStatus.RETRY.value)

Place = tuple[str, str, str]  # source, principal, provider id


def place_of(ref: SourceRef) -> Place:
    """Return where a copy lies, as the tables' primary key has it."""
    return (ref.source, ref.principal, ref.provider_id)


def store_decisions(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Store `decisions`; the newest one about an item stays."""
    rows = {place_of(decision.ref): _row(decision) for decision in decisions}
    upsert(connection, tables.decisions, list(rows.values()))


def _row(decision: Decision) -> dict[str, Any]:
    trace = decision.trace
    return {
        "source": decision.ref.source,
        "principal": decision.ref.principal,
        "provider_id": decision.ref.provider_id,
        "outcome": decision.outcome.value,
        "reason": decision.reason,
        "key": decision.key,
        "detail": decision.detail,
        "at": text(decision.at),
        "fingerprint": trace.fingerprint if trace is not None else None,
        "sender_digest": trace.sender if trace is not None else None,
        "sent_at": text(trace.sent_at) if trace is not None and trace.sent_at is not None else None,
        "start": text(trace.start) if trace is not None else None,
    }


def forget_decisions(connection: Connection, places: Iterable[Place]) -> None:
    """Drop what was decided about items that are captured now (out of spam again)."""
    _delete(connection, tables.decisions, places)


def _delete(connection: Connection, table: Table, places: Iterable[Place]) -> None:
    for conditions in chosen(table, places):
        connection.execute(delete(table).where(*conditions))


def chosen(table: Table, places: Iterable[Place]) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """Yield conditions that together choose the rows at `places`, by the primary key."""
    by_mailbox: dict[tuple[str, str], list[str]] = {}
    for source, principal, provider_id in places:
        by_mailbox.setdefault((source, principal), []).append(provider_id)
    for (source, principal), ids in sorted(by_mailbox.items()):
        for some in chunks(ids):
            yield (table.c.source == source, table.c.principal == principal, table.c.provider_id.in_(some))


def vetoes_about(connection: Connection, copies: Sequence[Activity]) -> list[Decision]:
    """Return the vetoes with the Message-ID or the fingerprint of one of `copies`, whether they concern it or not."""
    table = tables.decisions
    found: dict[Place, Decision] = {}
    for column, marks in (
        (table.c.key, {base_key(copy) for copy in copies}),
        (table.c.fingerprint, {copy.fingerprint for copy in copies} - {""}),
    ):
        for some in chunks(sorted(marks)):
            query = select(table).where(column.in_(some), _is_veto())
            for row in connection.execute(query.order_by(table.c.source, table.c.principal, table.c.provider_id)):
                veto = _decision(row)
                found[place_of(veto.ref)] = veto
    return list(found.values())


def _is_veto() -> ColumnElement[bool]:
    """Return the condition that chooses what `core.exclusion.is_veto` does."""
    table = tables.decisions
    traced = and_(table.c.reason == SkipReason.INTERNAL_ONLY.value, table.c.fingerprint.is_not(None))
    return or_(table.c.reason.in_(sorted(VETOES)), traced)


def _decision(row: Any) -> Decision:
    trace = None
    if row.fingerprint is not None:
        sent_at = when(row.sent_at) if row.sent_at is not None else None
        trace = MailTrace(row.fingerprint, row.sender_digest, sent_at, when(row.start))
    ref = SourceRef(row.source, row.principal, row.provider_id)
    return Decision(ref, Outcome(row.outcome), row.reason, when(row.at), key=row.key, detail=row.detail, trace=trace)


def without_vetoed(connection: Connection, decisions: Sequence[Decision]) -> list[Decision]:
    """Return `decisions` without those on mails under a veto that were made without a look at the mail (no key).

    That Gmail fails to give it, or that it got a label, does not tell that nobody in it is on the "never log" list.
    """
    table = tables.decisions
    blind = {place_of(one.ref) for one in decisions if one.key is None}
    vetoed: set[Place] = set()
    for conditions in chosen(table, blind):
        query = select(table.c.source, table.c.principal, table.c.provider_id)
        found = connection.execute(query.where(*conditions, _is_veto()))
        vetoed.update((row.source, row.principal, row.provider_id) for row in found)
    return [one for one in decisions if place_of(one.ref) not in blind & vetoed]


def without_written(connection: Connection, decisions: Sequence[Decision]) -> list[Decision]:
    """Return `decisions` without those about copies of mails that are in Salesforce: these stay as they are."""
    written = _keys(connection, decisions, written=True)
    return [one for one in decisions if place_of(one.ref) not in written]


def drop_copies(connection: Connection, decisions: Sequence[Decision]) -> set[str]:
    """Delete the copies that `decisions` keep out, of mails not written; return the keys of these mails.

    Where a mailbox as a whole is read no more, its reading position goes with its copies: read again, it begins anew,
    and what was dropped comes back.
    """
    decisions = [one for one in decisions if drops(one)]
    keys = _keys(connection, decisions, written=False)
    _delete(connection, tables.copies, keys)
    left = {place_of(one.ref)[:2] for one in decisions if one.reason in MAILBOX_REASONS and place_of(one.ref) in keys}
    table = tables.cursors
    for source, principal in sorted(left):
        connection.execute(delete(table).where(table.c.source == source, table.c.principal == principal))
    return set(keys.values())


def forget(connection: Connection, keys: Iterable[str]) -> None:
    """Delete those of the mails `keys` that have no copy left, and what the write log holds of their refused tries.

    Of what a person keeps out the decision alone stays, so that it holds should the mail come again.
    """
    table, copies, writes = tables.activities, tables.copies, tables.writes
    for some in chunks(sorted(keys)):
        left = set(connection.execute(select(copies.c.key).where(copies.c.key.in_(some))).scalars())
        empty = [key for key in some if key not in left]
        kept_out = table.c.outcome.in_(WITHHELD_VALUES)
        connection.execute(update(table).where(table.c.key.in_(empty), kept_out).values(match=None))
        connection.execute(delete(table).where(table.c.key.in_(empty), or_(table.c.outcome.is_(None), ~kept_out)))
        never_taken = (writes.c.key.in_(some), writes.c.status.in_(NEVER_TAKEN))
        connection.execute(update(writes).where(*never_taken).values(fields=codec.dump({}), reason=""))


def _keys(connection: Connection, decisions: Sequence[Decision], *, written: bool) -> dict[Place, str]:
    """Return place -> key of the stored copies that `decisions` are about, of mails (not) written."""
    copies, activities = tables.copies, tables.activities
    is_written = activities.c.outcome == Outcome.WRITTEN.value
    found: dict[Place, str] = {}
    for conditions in chosen(copies, {place_of(one.ref) for one in decisions}):
        query = select(copies.c.source, copies.c.principal, copies.c.provider_id, copies.c.key)
        query = query.join(activities, activities.c.key == copies.c.key).where(*conditions)
        query = query.where(is_written if written else or_(activities.c.outcome.is_(None), ~is_written))
        found.update({(row.source, row.principal, row.provider_id): row.key for row in connection.execute(query)})
    return found


def mark_removed(connection: Connection, removed: Sequence[SourceRef], now: datetime) -> None:
    """Note that copies are gone from their mailboxes; the mails stay."""
    table = tables.copies
    for ref in removed:
        place = (table.c.source == ref.source, table.c.principal == ref.principal)
        statement = update(table).where(*place, table.c.provider_id == ref.provider_id, table.c.removed_at.is_(None))
        connection.execute(statement.values(removed_at=text(now)))
