"""Where apps, sessions and refresh tokens are kept: a small SQLite file of their own, beside the org's rows.

It is no part of a saved state: going back to an earlier state of the org leaves people logged in.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FILE_NAME = "identity.sqlite"
_TABLES = """
BEGIN;
CREATE TABLE IF NOT EXISTS app (client_id TEXT PRIMARY KEY, spec TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS session (token TEXT PRIMARY KEY, user_id TEXT, app TEXT, scope TEXT, issued REAL,
    expires REAL, family TEXT, calls_left INTEGER);
CREATE TABLE IF NOT EXISTS refresh (token TEXT PRIMARY KEY, family TEXT, user_id TEXT, app TEXT, scope TEXT,
    issued REAL, state TEXT);
CREATE TABLE IF NOT EXISTS assertion (app TEXT, jti TEXT, until REAL, PRIMARY KEY (app, jti));
CREATE TABLE IF NOT EXISTS barred (what TEXT, user_id TEXT, PRIMARY KEY (what, user_id));
COMMIT;
"""


class Book:
    """The file. Every statement is a transaction of its own, safe when the process dies."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE_NAME
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self.lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=TRUNCATE")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.row_factory = sqlite3.Row
        self._db.executescript(_TABLES)

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Run one statement; the rows it gives."""
        with self.lock:
            return self._db.execute(sql, values).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        with self.lock:
            self._db.close()
