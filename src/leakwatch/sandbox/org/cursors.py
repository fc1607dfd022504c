"""Query cursors: which rows an answer of many pages has, kept beside the org in a file of their own.

A cursor fixes *which* rows belong to the answer when the query is made; a page shows their values at the time
it is fetched. The ids lie in the file in chunks of 2,000, so a page reads its chunk and nothing else. One pass
over one query writes them, so the memory this takes does not depend on how many there are: beside the first
pages, from a snapshot, where there are many; before the first page is answered, where they are few or the call
itself is writing. A page waits for its ids. A cursor whose filling failed, or was cut off by the end of the
process, is no longer good, as if it had expired.
"""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.database import Database, Parameters, Snapshot
from leakwatch.sandbox.org.values import instant_of, instant_text

_log = logging.getLogger(__name__)

FILE_NAME = "cursors.sqlite"
CHUNK = 2000
PATIENCE = 0.02  # seconds that filling waits at a chunk for pages that are being made; they share one interpreter
LIFE = timedelta(days=2)  # of business time (REST guide, "Query")
MOST_PER_USER = 10  # the oldest is released for the next one (SOQL and SOSL reference, "Query Cursors")
_TABLES = """
CREATE TABLE IF NOT EXISTS cursor (
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, user TEXT NOT NULL, soql TEXT NOT NULL,
    all_rows INTEGER NOT NULL, total INTEGER NOT NULL, at TEXT NOT NULL, filled INTEGER NOT NULL DEFAULT 0,
    child TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS chunk (cursor INTEGER, i INTEGER, ids TEXT NOT NULL, PRIMARY KEY (cursor, i)) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Cursor:
    """An open cursor."""

    number: int
    id: str
    """What stands in `nextRecordsUrl`, before the dash."""
    soql: str
    all_rows: bool
    total: int
    child: str = ""
    """Which subquery the rows are of: its number in the query, behind those of the ones around it; `0.1`."""


class _Filling:
    """A cursor whose ids are being written."""

    def __init__(self, ready: int) -> None:
        self.ready = ready
        """Chunks that were written when it began."""
        self.progress = threading.Condition()
        self.cancelled = False
        self.thread: threading.Thread | None = None


class Cursors:
    """The open cursors of one org, whichever process opened them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._db = Database(self.path)
        self._filling: dict[int, _Filling] = {}
        self._calm = threading.Condition()
        self._served = 0
        self.most_rows_held = 0
        """The most ids that filling had in memory at once, ever."""
        with self._db.transaction():
            for statement in _TABLES.split(";"):
                self._db.execute(statement)
            known = self._db.execute("SELECT 1 FROM pragma_table_info('cursor') WHERE name = 'child'").fetchone()
            if known is None:  # a file of an earlier version
                self._db.execute("ALTER TABLE cursor ADD COLUMN child TEXT NOT NULL DEFAULT ''")
            self._drop("filled = 0")

    # -- opening ----------------------------------------------------------------------------------------

    def open(
        self,
        source: Snapshot | Database,
        sql: str,
        values: Parameters,
        *,
        soql: str,
        all_rows: bool,
        total: int,
        user_id: str,
        now: datetime,
        known: Sequence[str] = (),
    ) -> Cursor:
        """Open a cursor over the ids that `sql` gives on `source`.

        A snapshot is read beside other calls, and closed at the end; from a database, the ids are written
        before this returns. `total` says how many there are, `known` are the first of them: their pages need not
        wait. Cursors past their life go, and so does the user's oldest where there are too many.
        """
        ready = len(known) // CHUNK
        with self._db.transaction():
            number, name = self._new(soql, "", all_rows, total, user_id, now)
            self._write(number, known[: ready * CHUNK])
        filling = self._filling[number] = _Filling(ready)
        if isinstance(source, Snapshot):
            args = (filling, number, source, sql, values)
            filling.thread = threading.Thread(target=self._fill_beside, args=args, name=name, daemon=True)
            filling.thread.start()
        else:
            self._fill(filling, number, source, sql, values)
        return Cursor(number, name, soql, all_rows, total)

    def keep(
        self, found: Sequence[str], *, soql: str, all_rows: bool, user_id: str, now: datetime, child: str = ""
    ) -> Cursor:
        """Open a cursor over ids that are known already; `child` says of which subquery."""
        with self._db.transaction():
            number, name = self._new(soql, child, all_rows, len(found), user_id, now)
            self._write(number, found)
            self._db.execute("UPDATE cursor SET filled = 1 WHERE n = ?", (number,))
        return Cursor(number, name, soql, all_rows, len(found), child)

    def _write(self, number: int, found: Sequence[str]) -> None:
        for i, start in enumerate(range(0, len(found), CHUNK)):
            chunk = json.dumps(found[start : start + CHUNK])
            self._db.execute("INSERT INTO chunk VALUES (?, ?, ?)", (number, i, chunk))

    def _new(self, soql: str, child: str, all_rows: bool, total: int, user_id: str, now: datetime) -> tuple[int, str]:
        """Note a cursor without ids; its number and id."""
        self._prune(user_id, now)
        name = ids.make("01g", secrets.randbelow(62**6), "RO")
        sql = "INSERT INTO cursor (id, user, soql, all_rows, total, at, child) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING n"
        made = self._db.execute(sql, (name, user_id, soql, int(all_rows), total, instant_text(now), child))
        return made.fetchone()["n"], name

    def _prune(self, user_id: str, now: datetime) -> None:
        self._drop("at < ?", instant_text(now - LIFE))
        # this one will be the tenth
        newest = "SELECT n FROM cursor WHERE user = ? ORDER BY n DESC LIMIT ?"
        self._drop(f"user = ? AND n NOT IN ({newest})", user_id, user_id, MOST_PER_USER - 1)

    def _drop(self, which: str, *values: object) -> None:
        gone = [row["n"] for row in self._db.execute(f"SELECT n FROM cursor WHERE {which}", values).fetchall()]
        for number in gone:
            if filling := self._filling.get(number):
                filling.cancelled = True
            self._db.execute("DELETE FROM chunk WHERE cursor = ?", (number,))
            self._db.execute("DELETE FROM cursor WHERE n = ?", (number,))

    def _fill_beside(self, filling: _Filling, number: int, snapshot: Snapshot, sql: str, values: Parameters) -> None:
        try:
            with snapshot:
                self._fill(filling, number, snapshot, sql, values)
        except sqlite3.Error:  # there is no call to answer: the next page finds no ids
            _log.exception("cursor %s was not filled", threading.current_thread().name)
            # Of an org that was closed meanwhile, the next start drops what was not filled.
            with suppress(sqlite3.ProgrammingError), self._db.transaction():
                self._drop("n = ?", number)

    def _fill(self, filling: _Filling, number: int, source: Snapshot | Database, sql: str, values: Parameters) -> None:
        """Write the ids."""
        try:
            found = source.execute(sql, values)
            for i, rows in enumerate(iter(lambda: found.fetchmany(CHUNK), [])):
                chunk = [row[0] for row in rows]
                if i < filling.ready:
                    continue
                self.most_rows_held = max(self.most_rows_held, len(chunk))
                with self._db.transaction():
                    if filling.cancelled:
                        return
                    self._db.execute("INSERT INTO chunk VALUES (?, ?, ?)", (number, i, json.dumps(chunk)))
                with filling.progress:
                    filling.progress.notify_all()
                if filling.thread is not None:
                    self._give_way()
            self._db.execute("UPDATE cursor SET filled = 1 WHERE n = ?", (number,))
        finally:
            with filling.progress:
                self._filling.pop(number, None)
                filling.progress.notify_all()

    @contextmanager
    def serving(self) -> Generator[None]:
        """While a page is made: whoever fills a cursor gives way, for a moment, at every chunk."""
        with self._calm:
            self._served += 1
        try:
            yield
        finally:
            with self._calm:
                self._served -= 1
                self._calm.notify_all()

    def _give_way(self) -> None:
        with self._calm:
            self._calm.wait_for(lambda: not self._served, timeout=PATIENCE)

    # -- reading ----------------------------------------------------------------------------------------

    def find(self, cursor_id: str, now: datetime) -> Cursor | None:
        """The cursor of that id, if it is still good."""
        row = self._db.execute("SELECT * FROM cursor WHERE id = ?", (cursor_id,)).fetchone()
        if row is None or now - instant_of(row["at"]) > LIFE:
            return None
        return Cursor(row["n"], row["id"], row["soql"], bool(row["all_rows"]), row["total"], row["child"])

    def ids(self, cursor: Cursor, start: int, count: int) -> list[str]:
        """`count` ids from the one at `start` (0 is the first), fewer at the end; waits for those not written yet.

        None at all where the cursor was released, or its filling failed.
        """
        found: list[str] = []
        count = min(count, cursor.total - start)
        for i in range(start // CHUNK, (start + count - 1) // CHUNK + 1):
            found += self._chunk(cursor.number, i) or []
        skip = start % CHUNK
        found = found[skip : skip + count]
        return found if len(found) == count else []

    def _chunk(self, number: int, i: int) -> list[str] | None:
        while True:
            filling = self._filling.get(number)
            if filling is None:
                return self._written(number, i)
            with filling.progress:
                chunk = self._written(number, i)
                if chunk is not None or number not in self._filling:
                    return chunk if chunk is not None else self._written(number, i)
                filling.progress.wait()

    def _written(self, number: int, i: int) -> list[str] | None:
        sql = "SELECT ids FROM chunk WHERE cursor = ? AND i = ?"
        row = self._db.execute(sql, (number, i)).fetchone()
        return None if row is None else json.loads(row["ids"])

    # -- the file ---------------------------------------------------------------------------------------

    def release(self, cursor_id: str | None = None) -> int:
        """Make one cursor (or all of them) useless, as if expired; how many there were."""
        with self._db.transaction():
            count = self._db.execute("SELECT COUNT(*) FROM cursor WHERE id = ?1 OR ?1 IS NULL", (cursor_id,))
            released = int(count.fetchone()[0])
            self._drop("id = ?1 OR ?1 IS NULL", cursor_id)
        return released

    def settle(self) -> None:
        """Wait until every cursor has all its ids."""
        for filling in list(self._filling.values()):
            if filling.thread is not None:
                filling.thread.join()

    def save(self, folder: Path) -> None:
        """Copy the cursors into a folder."""
        self.settle()
        self._db.copy_to(folder / FILE_NAME)

    def restore(self, folder: Path) -> None:
        """Go back to saved cursors."""
        self.settle()
        if (folder / FILE_NAME).exists():
            self._db.copy_from(folder / FILE_NAME)
        else:
            self.release()

    def close(self) -> None:
        """Let go of the file; cursors that are being filled get all their ids first."""
        self.settle()
        self._db.close()
