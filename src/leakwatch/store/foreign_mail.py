"""Mails that other tools logged in Salesforce, as last mirrored: by Message-ID, without a call to the org."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb

from leakwatch.store.snapshots import open_snapshot

EMAILS = "sf_email_message"
_NEEDED = frozenset({"id", "message_identifier"})


def foreign_mails(snapshot_path: Path, message_ids: Collection[str]) -> dict[str, str]:
    """Return normalised Message-ID -> id of the EmailMessage that bears it and is not ours: the one with the least id.

    Some tools write the angle brackets that belong to a Message-ID (RFC 5322, 3.6.4), some do not. Nothing is found
    where the mirror does not hold the field.

    Raises:
        LeakwatchError: see `open_snapshot`.
    """
    forms = {form: one for one in message_ids for form in (one, f"<{one}>")}
    with open_snapshot(snapshot_path) as connection:
        columns = _columns(connection)
        if not columns >= _NEEDED or not forms:
            return {}
        ours = "AND leakwatch_key__c IS NULL" if "leakwatch_key__c" in columns else ""
        there = "AND NOT COALESCE(is_deleted, FALSE)" if "is_deleted" in columns else ""
        sql = (
            f"SELECT message_identifier, min(id) FROM {EMAILS}"  # noqa: S608  our own names
            f" WHERE message_identifier IN (SELECT unnest(?::VARCHAR[])) {ours} {there} GROUP BY 1 ORDER BY 2 DESC"
        )
        return {forms[name]: record for name, record in connection.execute(sql, [sorted(forms)]).fetchall()}


def _columns(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    try:
        return frozenset(str(row[0]) for row in connection.execute(f"DESCRIBE {EMAILS}").fetchall())
    except duckdb.CatalogException:
        return frozenset()  # not in this org: Enhanced Email is off
