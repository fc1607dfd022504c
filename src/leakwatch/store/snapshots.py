"""Published snapshots of the mirror: listing, opening read-only, asking who an address belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path

import duckdb

from leakwatch.core.tables import SNAPSHOT_SETTINGS
from leakwatch.errors import LeakwatchError
from leakwatch.model import AddressBook, OpenOpportunity, Person, Snapshot

_BATCH = 20_000  # addresses a query: 2.8 µs an address when measured, against 491 µs one by one


def snapshot_folder(mirror_folder: Path) -> Path:
    """Return where the snapshots of the mirror in `mirror_folder` are."""
    return mirror_folder / "snapshots"


def latest_snapshot(mirror_folder: Path) -> Snapshot | None:
    """Return the newest snapshot, or None."""
    path = _newest(mirror_folder)
    return read_snapshot(path) if path else None


def _newest(mirror_folder: Path) -> Path | None:
    """Return the newest snapshot's file. Snapshots are named by their moment, so the last name is the newest."""
    return max(snapshot_folder(mirror_folder).glob("*.duckdb"), default=None)


class HeldSnapshot:
    """The newest snapshot of the mirror in `mirror_folder`, held open as long as it is the newest.

    DuckDB opens a file that this process has open in 0.3 ms instead of 15 ms, and a run asks a snapshot twenty times.
    """

    def __init__(self, mirror_folder: Path) -> None:
        self._mirror_folder = mirror_folder
        self._held: tuple[Snapshot, duckdb.DuckDBPyConnection] | None = None

    def latest(self) -> Snapshot | None:
        """Return the newest snapshot, or None. Raises LeakwatchError as `open_snapshot` does."""
        path = _newest(self._mirror_folder)
        if self._held is not None and self._held[0].path == str(path):
            return self._held[0]
        self.close()
        if path is None:
            return None
        connection = open_snapshot(path)
        try:
            self._held = read_snapshot(path), connection
        except BaseException:
            connection.close()
            raise
        return self._held[0]

    def close(self) -> None:
        """Let go of it."""
        if self._held is not None:
            self._held[1].close()
            self._held = None


def prune(folder: Path, *, keep: int) -> None:
    """Delete all but the newest `keep` snapshots. Who still reads one keeps it open until done."""
    for path in sorted(folder.glob("*.duckdb"))[:-keep]:
        path.unlink(missing_ok=True)


def open_snapshot(path: Path) -> duckdb.DuckDBPyConnection:
    """Return a read-only connection to the snapshot at `path`.

    Raises:
        LeakwatchError: it is gone, or not a snapshot.
    """
    try:
        connection = duckdb.connect(str(path), read_only=True, config=dict(SNAPSHOT_SETTINGS))
        connection.execute("SET enable_progress_bar=false")
    except duckdb.Error as error:
        raise LeakwatchError(
            f"the snapshot {path} can't be opened ({type(error).__name__}); run `leakwatch mirror` to make a new one"
        ) from error
    return connection


def read_snapshot(path: Path) -> Snapshot:
    """Return what the snapshot at `path` says about itself. Raises LeakwatchError as `open_snapshot` does."""
    with open_snapshot(path) as connection:
        row = connection.execute("SELECT snapshot_id, published_at, org_id FROM lw_snapshot").fetchone()
        tables = connection.execute("SELECT table_name, fresh_until, row_count FROM lw_freshness").fetchall()
    if row is None:
        raise LeakwatchError(f"the snapshot {path} was never published; run `leakwatch mirror` to make a new one")
    return Snapshot(
        snapshot_id=row[0],
        path=str(path),
        published_at=row[1].replace(tzinfo=UTC),
        org_id=row[2],
        freshness={name: fresh.replace(tzinfo=UTC) for name, fresh, _ in tables if fresh is not None},
        row_counts={name: int(count) for name, _, count in tables},
    )


def address_book(mirror_folder: Path, addresses: Iterable[str]) -> AddressBook:
    """Return the people behind `addresses` (any case) and the open deals of their accounts, from the newest snapshot.

    People are contacts, unconverted leads, our own users (inactive ones too) and person accounts, none of them deleted;
    oldest first. A person account comes as its contact where that is mirrored, because mails relate to contacts.
    """
    snapshot = latest_snapshot(mirror_folder)
    wanted = sorted({address.strip().lower() for address in addresses} - {""})
    if snapshot is None or not wanted:
        return AddressBook({}, {}, snapshot.snapshot_id if snapshot else "")
    people: defaultdict[str, list[Person]] = defaultdict(list)
    deals: defaultdict[str, list[OpenOpportunity]] = defaultdict(list)
    with open_snapshot(Path(snapshot.path)) as connection:
        for start in range(0, len(wanted), _BATCH):
            rows = connection.execute(
                "SELECT address, record_id, sobject, name, account_id, owner_id, created_at, is_active FROM lw_address"
                " WHERE address IN (SELECT unnest(?::VARCHAR[])) ORDER BY address, created_at, record_id",
                [wanted[start : start + _BATCH]],
            ).fetchall()
            for address, record_id, sobject, name, account_id, owner_id, created_at, is_active in rows:
                created = created_at.replace(tzinfo=UTC) if created_at else None
                people[address].append(
                    Person(record_id, sobject, name or "", account_id, owner_id, created, bool(is_active))
                )
        accounts = sorted({person.account_id for found in people.values() for person in found if person.account_id})
        for start in range(0, len(accounts), _BATCH):
            rows = connection.execute(
                "SELECT record_id, account_id, name, owner_id FROM lw_open_opportunity"
                " WHERE account_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY account_id, record_id",
                [accounts[start : start + _BATCH]],
            ).fetchall()
            for record_id, account_id, name, owner_id in rows:
                deals[account_id].append(OpenOpportunity(record_id, account_id, name or "", owner_id))
    return AddressBook(
        {address: tuple(found) for address, found in people.items()},
        {account: tuple(found) for account, found in deals.items()},
        snapshot.snapshot_id,
    )
