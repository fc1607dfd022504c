"""State files of tests cost a fifth of the suite's time unless two things are done once a process instead of each time.

Every test has a state file of its own. Its tables are migrated once and copied from then on, and what SQLAlchemy
compiled for one engine serves the next: both are the same for every file of this version. A file that holds anything
is migrated as ever, and programs that tests start as processes know nothing of this.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from leakwatch.store import database, schema

_open, _migrate = database.open_engine, schema._run
_first: Engine | None = None
_blank: sqlite3.Connection | None = None


def _open_engine(path: Path, *, durable: bool = True) -> Engine:
    global _first  # noqa: PLW0603  one for the process is the point
    engine: Any = _open(path, durable=durable)
    if _first is None:
        _first = engine
    else:
        engine.dialect = engine.pool._dialect = _first.dialect  # statements are remembered by dialect
        engine._compiled_cache = _first._compiled_cache
    return engine


def _run(engine: Engine) -> None:
    global _blank  # noqa: PLW0603  as above
    raw: Any = engine.raw_connection()
    try:
        connection: sqlite3.Connection = raw.dbapi_connection
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables or _blank is None:
            _migrate(engine)
            if not tables:
                _blank = sqlite3.connect(":memory:", check_same_thread=False)
                connection.backup(_blank)
        else:
            _blank.backup(connection)
    finally:
        raw.close()


def install() -> None:
    """Have engines and state files of this process made so."""
    database.open_engine = _open_engine
    schema._run = _run
