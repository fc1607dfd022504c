"""Who is watched, and of whose mailbox a notification told: a file of its own beside the journal.

Nothing here is needed: deleted, the watches are asked for again and every mailbox is read as without push. So it is not
made safe against a power cut, and the thread that listens never waits for a flow that writes the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, delete, select

from leakwatch.core.push_hints import Hint, Watch
from leakwatch.store.capture_tables import text, upsert, when
from leakwatch.store.database import open_engine, transaction

PUSH_FILE = "push.db"

_metadata = MetaData()
_watches = Table(
    "push_watches",
    _metadata,
    Column("mailbox", String, primary_key=True),
    Column("topic", String, nullable=False),
    Column("expires_at", String),
    Column("since", String),
    Column("renewed_at", String),
    Column("error", String, nullable=False),
    Column("failed_at", String),
    Column("hinted_at", String),
    Column("hinted_id", String, nullable=False),  # a history id has up to 64 bits without sign
)
_pulls = Table(
    "push_pulls",
    _metadata,
    Column("one", Integer, primary_key=True),
    Column("pulled_at", String),
    Column("error", String, nullable=False),
    Column("failed_at", String),
    Column("told", Integer, nullable=False),
)
_TIMES = ("expires_at", "since", "renewed_at", "failed_at", "hinted_at")


class PushState:
    """The watches and the last pull. Safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._engine: Engine = open_engine(folder / PUSH_FILE, durable=False)
        _metadata.create_all(self._engine)

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def watches(self) -> Mapping[str, Watch]:
        """Return every watch that was ever asked for, by address in lower case."""
        with transaction(self._engine) as connection:
            return {row.mailbox: _watch(row) for row in connection.execute(select(_watches))}

    def granted(self, mailbox: str, topic: str, *, expires_at: datetime, now: datetime) -> None:
        """Note that Gmail tells `topic` of `mailbox` until `expires_at`."""
        before = self.watches().get(mailbox.casefold(), Watch(mailbox.casefold()))
        unbroken = before.lives(topic, now) and before.since is not None
        since = before.since if unbroken else now
        fresh = replace(before, topic=topic, expires_at=expires_at, since=since, renewed_at=now, error="")
        self._store(replace(fresh, failed_at=None))

    def refused(self, mailbox: str, error: str, *, now: datetime) -> None:
        """Note why a watch could not be had; one that lives goes on."""
        before = self.watches().get(mailbox.casefold(), Watch(mailbox.casefold()))
        self._store(replace(before, error=error, failed_at=now))

    def hinted(self, hints: Iterable[Hint], *, now: datetime) -> int:
        """Keep the hints of mailboxes that we watch; return how many mailboxes they concern. Others are dropped."""
        highest: dict[str, int] = {}
        for hint in hints:
            highest[hint.mailbox] = max(hint.history_id, highest.get(hint.mailbox, 0))
        with transaction(self._engine) as connection:
            found = {row.mailbox: _watch(row) for row in connection.execute(select(_watches))}
            ours = {mailbox: number for mailbox, number in highest.items() if mailbox in found}
            rows = [_row(replace(found[one], hinted_at=now, hinted_id=number)) for one, number in ours.items()]
            upsert(connection, _watches, rows)
        return len(ours)

    def pulled(self, *, now: datetime, told: int = 0) -> None:
        """Note that the subscription answered, with `told` messages."""
        with transaction(self._engine) as connection:
            before = connection.execute(select(_pulls)).first()
            number = told + (int(before.told) if before is not None else 0)
            row = {"one": 1, "pulled_at": text(now), "error": "", "failed_at": None, "told": number}
            upsert(connection, _pulls, [row])

    def not_pulled(self, error: str, *, now: datetime) -> None:
        """Note why the subscription did not answer."""
        with transaction(self._engine) as connection:
            before = connection.execute(select(_pulls)).first()
            row = {"one": 1, "pulled_at": before.pulled_at if before is not None else None, "error": error}
            told = int(before.told) if before is not None else 0
            upsert(connection, _pulls, [row | {"failed_at": text(now), "told": told}])

    def last_pull(self) -> tuple[datetime | None, str, int]:
        """Return (when the subscription last answered, why not since, messages in all)."""
        with transaction(self._engine) as connection:
            row = connection.execute(select(_pulls)).first()
        return (None, "", 0) if row is None else (_moment(row.pulled_at), str(row.error), int(row.told))

    def keep_only(self, mailboxes: Iterable[str]) -> None:
        """Forget everybody else: what left the roster is nobody's to hint at."""
        wanted = {one.casefold() for one in mailboxes}
        gone = [one for one in self.watches() if one not in wanted]
        with transaction(self._engine) as connection:
            for mailbox in gone:
                connection.execute(delete(_watches).where(_watches.c.mailbox == mailbox))

    def _store(self, watch: Watch) -> None:
        with transaction(self._engine) as connection:
            # A hint may have come since it was read: the listener's columns are left as they are.
            upsert(connection, _watches, [_row(watch)], keep=("hinted_at", "hinted_id"))


def _row(watch: Watch) -> dict[str, Any]:
    row: dict[str, Any] = {"mailbox": watch.mailbox, "topic": watch.topic, "error": watch.error}
    row |= {name: text(moment) if (moment := getattr(watch, name)) is not None else None for name in _TIMES}
    return row | {"hinted_id": str(watch.hinted_id)}


def _watch(row: Any) -> Watch:
    times = {name: _moment(getattr(row, name)) for name in _TIMES}
    return Watch(row.mailbox, row.topic, error=row.error, hinted_id=int(row.hinted_id), **times)


def _moment(value: str | None) -> datetime | None:
    return None if value is None else when(value)
