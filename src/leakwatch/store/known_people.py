"""Whose mail may concern Salesforce at all: the addresses and domains of the newest snapshot."""

from __future__ import annotations

from pathlib import Path

import duckdb

from leakwatch.store.snapshots import latest_snapshot, open_snapshot


def known_addresses(mirror_folder: Path) -> tuple[list[str], list[str]]:
    """Return (addresses of contacts, leads and person accounts, domains of accounts); empty without a fit snapshot."""
    snapshot = latest_snapshot(mirror_folder)
    if snapshot is None:
        return [], []
    with open_snapshot(Path(snapshot.path)) as connection:
        try:
            people = connection.execute("SELECT DISTINCT address FROM lw_address WHERE sobject <> 'User'").fetchall()
            domains = connection.execute("SELECT DISTINCT domain FROM lw_domain").fetchall()
        except (duckdb.CatalogException, duckdb.BinderException):  # an earlier leakwatch's
            return [], []
    return [str(row[0]) for row in people if row[0]], [str(row[0]) for row in domains if row[0]]
