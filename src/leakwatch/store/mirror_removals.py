"""Rows that leave a mirrored table because the org no longer has them (`core.deletions` says which and why)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

import duckdb

from leakwatch.core.deletions import Removals
from leakwatch.store.mirror_ingest import quoted


def remove(
    connection: duckdb.DuckDBPyConnection, table: str, removals: Removals, *, stamp: str | None, marked: str
) -> int:
    """Carry out `removals` in the open transaction; return how many rows went, those of emptied bins left out.

    `stamp` is the column that moves with every change; without it only `removals.absent` can be carried out. `marked`
    is SQL for "this row is marked as deleted".
    """
    gone = delete_ids(connection, table, removals.absent) if removals.absent else 0
    if stamp is None:
        return gone
    if removals.logged:
        found = connection.execute(
            f"DELETE FROM {quoted(table)} AS t USING (SELECT unnest(?::VARCHAR[]) AS id, unnest(?::TIMESTAMP[]) AS at)"
            f" AS d WHERE t.id = d.id AND NOT {marked} AND t.{quoted(stamp)} <= d.at",
            [list(removals.logged), [naive(moment) for moment in removals.logged.values()]],
        ).fetchone()
        gone += int(found[0]) if found else 0
    connection.execute(
        f"DELETE FROM {quoted(table)} WHERE {marked} AND {quoted(stamp)} < ?", [naive(removals.marked_before)]
    )
    return gone


def delete_ids(connection: duckdb.DuckDBPyConnection, table: str, ids: Collection[str]) -> int:
    """Delete the rows with these ids; return how many there were."""
    gone = connection.execute(
        f"DELETE FROM {quoted(table)} WHERE id IN (SELECT unnest(?::VARCHAR[]))", [list(ids)]
    ).fetchone()
    return int(gone[0]) if gone else 0


def naive(moment: datetime) -> datetime:
    """Return an aware moment as the tables keep it: UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)
