"""Records of a snapshot that may be meant by an address none of them has: for `explain`, never for matching."""

from __future__ import annotations

from pathlib import Path

import duckdb

from leakwatch.core.addresses import domain_of
from leakwatch.core.letters import company_key, mended, plain_address
from leakwatch.store.snapshots import open_snapshot

MOST = 5  # proposals of a kind: more of them tell nobody anything
SHORTEST_COMPANY = 4  # letters of a company's name that a domain may be recognised by


def proposals(snapshot_path: Path, address: str) -> tuple[str, ...]:
    """Return what in Salesforce may belong to `address`, or is misspelt there, each in words with its id.

    Raises:
        LeakwatchError: see `open_snapshot`.
    """
    with open_snapshot(snapshot_path) as connection:
        return (*_addresses(connection, address), *_names(connection, address), *_companies(connection, address))


def _addresses(connection: duckdb.DuckDBPyConnection, address: str) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT sobject, name, record_id, address FROM lw_address"
        " WHERE regexp_matches(address, '[^\\x00-\\x7f]') ORDER BY record_id, address"
    ).fetchall()
    return [
        f"{sobject} {name} ({record_id}) has the address {odd}, whose letters no mail comes with: if {address} is "
        "meant, correct it in Salesforce"
        for sobject, name, record_id, odd in rows
        if plain_address(odd) == address
    ][:MOST]


def _names(connection: duckdb.DuckDBPyConnection, address: str) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT sobject, name, record_id FROM lw_address WHERE address = ? ORDER BY record_id", [address]
    ).fetchall()
    return [
        f"{sobject} {record_id} is called {name!r}; {meant!r} may be meant: the letters look mangled"
        for sobject, name, record_id in rows
        if (meant := mended(name or ""))
    ][:MOST]


def _companies(connection: duckdb.DuckDBPyConnection, address: str) -> list[str]:
    """Return accounts called like a part of the address's domain, where nobody has the address."""
    known = connection.execute("SELECT 1 FROM lw_address WHERE address = ? LIMIT 1", [address]).fetchone()
    labels = {label.replace("-", "") for label in domain_of(address).split(".")[:-1] if len(label) >= SHORTEST_COMPANY}
    if known is not None or not labels or not _has_accounts(connection):
        return []
    rows = connection.execute("SELECT id, name FROM sf_account WHERE name IS NOT NULL ORDER BY id").fetchall()
    found = [(record_id, name) for record_id, name in rows if company_key(name) in labels]
    return [
        f"Account {name} ({record_id}) is called like the address's domain: a contact of it with this address would "
        "bring its mails there"
        for record_id, name in found[:MOST]
    ]


def _has_accounts(connection: duckdb.DuckDBPyConnection) -> bool:
    query = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'sf_account' AND column_name = 'name'"
    row = connection.execute(query).fetchone()
    return row is not None and row[0] > 0
