"""One SQLite file for many threads: one writer at a time, readers beside it, snapshots for long reads.

The file is in WAL mode, so a reader neither waits for the writer nor holds it up, and sees what was committed
when it began. Which connection a statement runs on follows from where its thread is:

- inside `writing` or `transaction`: the one writing connection (and so its own uncommitted rows);
- inside `reading`: the thread's own reading connection, in one snapshot from beginning to end;
- elsewhere a SELECT reads what is committed.

Outside of `writing` a statement that writes is a transaction of its own.

`snapshot` is for what outlives its thread: a streamed answer, the filling of a cursor.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

_READS = ("SELECT", "WITH", "EXPLAIN")
Parameters = Sequence[Any] | Mapping[str, Any]


class _Connection(sqlite3.Connection):
    """A connection that the list of open ones does not keep alive."""


class _Thread(threading.local):
    reader: _Connection | None = None
    reading = 0
    writing = 0


class Snapshot:
    """The state at one moment, to be read for as long as it takes, from any one thread at a time; close it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Over a connection that reads in a transaction; it is the snapshot's own from now on."""
        self._db = db

    def execute(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        """Read with one statement."""
        return self._db.execute(sql, parameters)

    def close(self) -> None:
        """Let go of the state."""
        self._db.close()

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Database:
    """The connections to one file."""

    def __init__(self, path: Path, register: Callable[[sqlite3.Connection], None] | None = None) -> None:
        """Open or create the file; `register` gives each connection its SQL functions."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._register = register
        self._lock = threading.RLock()
        self._depth = 0
        self._here = _Thread()
        self._readers = weakref.WeakSet[_Connection]()
        self._writer = self._connect()
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.execute("PRAGMA journal_size_limit=67108864")  # bytes a log may keep between checkpoints

    def _connect(self) -> _Connection:
        db = sqlite3.connect(
            self.path,
            timeout=60,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
            factory=_Connection,
        )
        db.execute("PRAGMA synchronous=OFF")  # safe when the process dies; a power cut may cost the sandbox
        db.execute("PRAGMA temp_store=MEMORY")
        if self._register is not None:
            self._register(db)
        db.row_factory = sqlite3.Row
        return db

    def _reader(self) -> _Connection:
        """This thread's own reading connection."""
        if self._here.reader is None:
            self._here.reader = self._open_reader()
        return self._here.reader

    def _open_reader(self) -> _Connection:
        db = self._connect()
        db.execute("PRAGMA query_only=ON")
        self._readers.add(db)
        return db

    # -- where a thread is ------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Generator[None]:
        """Be the one who writes: whatever must not be interleaved with other writers. Nests."""
        with self._lock:
            self._here.writing += 1
            try:
                yield
            finally:
                self._here.writing -= 1

    @contextmanager
    def writing_if_free(self) -> Generator[bool]:
        """As `writing`, unless somebody else writes just now: then it gives False at once."""
        if not self._lock.acquire(blocking=False):
            yield False
            return
        try:
            with self.writing():
                yield True
        finally:
            self._lock.release()

    @contextmanager
    def reading(self) -> Generator[None]:
        """See one state from here on, whatever others write. Nests; inside `writing` it changes nothing."""
        here = self._here
        if here.writing or here.reading:
            yield
            return
        _begin(self._reader())
        here.reading += 1
        try:
            yield
        finally:
            here.reading -= 1
            self._reader().execute("COMMIT")

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing; nests (an inner one that fails undoes only itself)."""
        with self.writing():
            db, name = self._writer, f"s{self._depth}"
            db.execute("BEGIN IMMEDIATE" if self._depth == 0 else f"SAVEPOINT {name}")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    db.execute("ROLLBACK")
                else:
                    db.execute(f"ROLLBACK TO {name}")
                    db.execute(f"RELEASE {name}")
                raise
            self._depth -= 1
            db.execute("COMMIT" if self._depth == 0 else f"RELEASE {name}")

    def snapshot(self) -> Snapshot:
        """What is committed now, for as long as it takes."""
        db = self._open_reader()
        _begin(db)
        return Snapshot(db)

    def detached(self) -> Snapshot | None:
        """The state that this thread reads, for as long as it takes; None inside `writing`.

        The thread itself goes on with what is committed now.
        """
        here = self._here
        if here.writing:
            return None
        if not here.reading:
            return self.snapshot()
        snapshot = Snapshot(self._reader())
        here.reader = self._open_reader()
        _begin(here.reader)
        return snapshot

    # -- statements ---------------------------------------------------------------------------------------

    def execute(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        """Run one statement with bound values."""
        if self._here.writing:
            return self._writer.execute(sql, parameters)
        if sql.split(None, 1)[0].upper() in _READS:
            return self._reader().execute(sql, parameters)
        with self.writing():
            return self._writer.execute(sql, parameters)

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run one statement for many rows, in one transaction; how many rows it changed."""
        with self.transaction():
            return self._writer.executemany(sql, rows).rowcount

    # -- the file -----------------------------------------------------------------------------------------

    def copy_to(self, path: Path) -> None:
        """Copy what is committed into a file of its own."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with self.writing(), _closing(sqlite3.connect(path)) as target:
            target.execute("PRAGMA synchronous=OFF")
            self._writer.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it

    def copy_from(self, path: Path) -> None:
        """Take up the state of a copied file; readers go on with what they began with."""
        with self.writing(), _closing(sqlite3.connect(path)) as source:
            source.backup(self._writer)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            for reader in list(self._readers):
                reader.close()
            self._writer.close()


def _begin(db: sqlite3.Connection) -> None:
    db.execute("BEGIN")
    db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()  # the state is that of the first read


@contextmanager
def _closing(db: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    try:
        yield db
    finally:
        db.close()
