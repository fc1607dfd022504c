"""The mirror: a DuckDB file that copies what the rules need from Salesforce, with one writer, always rebuildable.

Nobody audits the live file. `derive` builds a copy with the derived columns beside it, `publish` makes that copy the
newest read-only snapshot in one atomic step, and everything else reads snapshots (`store.snapshots`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb

from leakwatch import faultpoints
from leakwatch.core.report_inputs import Note
from leakwatch.core.tables import MirrorConfig
from leakwatch.errors import LeakwatchError
from leakwatch.model import AddressBook, Snapshot
from leakwatch.store.address_book import address_book
from leakwatch.store.mirror_derive import DeriveSettings, build_derived, org_time_zone
from leakwatch.store.mirror_ingest import failure, literal, prepare_connection
from leakwatch.store.mirror_marks import LIVE_FILE, open_live
from leakwatch.store.mirror_reuse import Reuse
from leakwatch.store.mirror_tables import LiveTables
from leakwatch.store.snapshots import described, latest_snapshot, newest_snapshot, prune, snapshot_folder

MEMORY_LIMIT = "512MB"  # of DuckDB's buffers; beyond it spills to disk (a million deals took no longer than with 1 GB)
# Of a smaller mirror most time goes into planning, and threads cost a sixth more CPU than they save (measured).
SMALL_BYTES = 64_000_000


class Mirror(LiveTables):
    """The live mirror in `folder`, opened for writing. Use as a context manager or call `close`.

    Raises:
        BusyError: another process writes to it. LeakwatchError: the file can't be read; it can be deleted and rebuilt.
    """

    def __init__(self, folder: Path, config: MirrorConfig, *, memory_limit: str = MEMORY_LIMIT) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = open_live(folder / LIVE_FILE)
        if (folder / LIVE_FILE).stat().st_size < SMALL_BYTES:
            connection.execute("SET threads=1")
        prepare_connection(connection, memory_limit=memory_limit, temp_folder=folder / "spill")
        super().__init__(connection, config, folder / "staging")
        self._folder = folder
        self._attached = self._derived = False  # the next snapshot: its file is open, it is whole
        shutil.rmtree(self._staging, ignore_errors=True)  # leftovers of a run that was killed; we hold the lock now
        self._staging.mkdir(mode=0o700)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and remove temporary ones."""
        self._connection.close()
        shutil.rmtree(self._staging, ignore_errors=True)
        shutil.rmtree(self._folder / "spill", ignore_errors=True)

    # --- publishing ---

    @property
    def _next(self) -> Path:
        return self._folder / "next.duckdb"

    def derive(self, settings: DeriveSettings, *, now: datetime) -> tuple[Note, ...]:
        """Build the next snapshot with every derived column and table; return what had to be assumed.

        `now` (aware) is the moment up to which touches count. Nothing is visible to readers before `publish`.
        """
        self._let_go_of_next()
        for stale in (self._next, self._next.with_suffix(".duckdb.wal")):
            stale.unlink(missing_ok=True)
        self._connection.execute(f"ATTACH {literal(str(self._next))} AS next")
        self._attached = True
        try:
            with Reuse(self._connection, newest_snapshot(self._folder), self.versions()) as reuse:
                notes = build_derived(
                    self._connection, self._config, settings, now=now, folder=self._staging, reuse=reuse
                )
        except BaseException as error:
            self._let_go_of_next()
            if isinstance(error, duckdb.Error):
                raise failure(error) from error
            raise
        self._derived = True
        return notes

    def _let_go_of_next(self) -> None:
        """Close what `derive` built or began to build; it can't be published from here any more."""
        self._derived = False
        if self._attached:
            self._connection.execute("DETACH next")
            self._attached = False

    def publish(self, now: datetime, org_id: str) -> Snapshot:
        """Make what `derive` built the newest snapshot, atomically; keep the last few; return it.

        Raises:
            LeakwatchError: nothing was derived since the last publication.
        """
        if not self._derived:  # a half-built one may lie there from a run that was killed
            raise LeakwatchError("nothing to publish: derive the mirror first")
        folder = snapshot_folder(self._folder)
        folder.mkdir(exist_ok=True, mode=0o700)
        stem = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        serial = max((int(path.stem[-2:]) + 1 for path in folder.glob(f"{stem}-*.duckdb")), default=0)
        snapshot_id = f"{stem}-{serial:02d}"
        path = folder / f"{snapshot_id}.duckdb"
        # In the connection that built it: to open the file anew for one row would cost a tenth of a small refresh.
        self._connection.execute(
            "INSERT INTO next.main.lw_snapshot VALUES (?, ?, ?)",
            [snapshot_id, now.astimezone(UTC).replace(tzinfo=None), org_id],
        )
        self._connection.execute("CHECKPOINT next")
        snapshot = described(self._connection, path, "next.main")
        self._let_go_of_next()
        _flush(self._next)
        faultpoints.reach("mirror.publish.before_rename")
        self._next.rename(path)
        _flush(folder)
        faultpoints.reach("mirror.publish.after_rename")
        prune(folder, keep=self._config.keep_snapshots)
        return snapshot

    def latest(self) -> Snapshot | None:
        """Return the newest published snapshot, or None."""
        return latest_snapshot(self._folder)

    def address_book(self, addresses: Iterable[str], deals: Iterable[str] = ()) -> AddressBook:
        """Return who `addresses` belong to, from the newest snapshot (empty before the first)."""
        return address_book(self._folder, addresses, deals)

    def time_zone(self, settings: DeriveSettings) -> str:
        """Return the IANA name of the time zone that `derive` would use."""
        return org_time_zone(self._connection, self._config, settings)

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The open connection."""
        return self._connection

    @property
    def staging(self) -> Path:
        """A folder for temporary files, emptied on close."""
        return self._staging


class MirrorReader:
    """The published side of the mirror in `folder`: fits the `MirrorStore` port, opens nothing for writing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def latest(self) -> Snapshot | None:
        """Return the newest published snapshot, or None."""
        return latest_snapshot(self._folder)

    def address_book(self, addresses: Iterable[str], deals: Iterable[str] = ()) -> AddressBook:
        """Return who `addresses` belong to, from the newest snapshot (empty before the first)."""
        return address_book(self._folder, addresses, deals)


def _flush(path: Path) -> None:
    """Have the file system store `path` (a file or a folder's entries) before anything relies on it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
