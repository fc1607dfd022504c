"""The mailboxes on disk: one SQLite file, every mutation writes history as Gmail does."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from leakwatch.sandbox.clock import VirtualClock
from leakwatch.sandbox.google import mime

SYSTEM_LABELS = (
    "INBOX", "SENT", "DRAFT", "TRASH", "SPAM", "STARRED", "UNREAD", "IMPORTANT", "CHAT", "SCHEDULED",
    "CATEGORY_PERSONAL", "CATEGORY_SOCIAL", "CATEGORY_PROMOTIONS", "CATEGORY_UPDATES", "CATEGORY_FORUMS",
)  # fmt: skip

#: First history id of a new mailbox: real ones never start at zero.
FIRST_HISTORY = 100_000

#: History ids are monotone but not dense; a step other than one shows clients that count.
HISTORY_STEP = 3

SCHEMA = """
CREATE TABLE IF NOT EXISTS mailbox(address TEXT PRIMARY KEY, history INTEGER, floor INTEGER);
CREATE TABLE IF NOT EXISTS account(address TEXT PRIMARY KEY, body TEXT);
CREATE TABLE IF NOT EXISTS blob(
  id INTEGER PRIMARY KEY, digest BLOB UNIQUE, raw BLOB, snippet TEXT, mime_type TEXT);
CREATE TABLE IF NOT EXISTS message(
  mailbox TEXT, id TEXT, thread TEXT, at INTEGER, blob INTEGER, prefix BLOB, headers TEXT, size INTEGER,
  message_id TEXT, subject_key TEXT, from_text TEXT, to_text TEXT, cc_text TEXT, bcc_text TEXT, subject TEXT,
  history INTEGER, PRIMARY KEY(mailbox, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS message_at ON message(mailbox, at DESC, id DESC);
CREATE INDEX IF NOT EXISTS message_identifier ON message(mailbox, message_id);
CREATE INDEX IF NOT EXISTS message_thread ON message(mailbox, thread);
CREATE TABLE IF NOT EXISTS label(
  mailbox TEXT, message TEXT, label TEXT, PRIMARY KEY(mailbox, message, label)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS label_label ON label(mailbox, label);
CREATE TABLE IF NOT EXISTS label_name(mailbox TEXT, id TEXT, name TEXT, PRIMARY KEY(mailbox, id));
CREATE TABLE IF NOT EXISTS history(
  mailbox TEXT, id INTEGER, kind TEXT, message TEXT, thread TEXT, labels TEXT, changed TEXT, at INTEGER,
  PRIMARY KEY(mailbox, id, kind, message)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """One message of one mailbox."""

    mailbox: str
    id: str
    thread: str
    at: int
    headers: list[list[str]]
    snippet: str
    size: int
    message_id: str
    mime_type: str
    history: int
    labels: list[str]


class MailStore:
    """All mailboxes of the company."""

    def __init__(self, path: Path, clock: VirtualClock) -> None:
        self.clock = clock
        self.changed: Callable[[str, int, list[str], list[str]], None] | None = None
        """Told of every change, in its transaction: mailbox, history id, the message's labels, the labels changed."""
        self.lock = threading.RLock()
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self._schemas: list[str] = []
        self.define(SCHEMA)

    def define(self, schema: str) -> None:
        """Have the tables of a schema, after a restore too: a state that was saved before may lack them."""
        self._schemas.append(schema)
        self.db.executescript(schema)

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    @contextmanager
    def writing(self) -> Generator[None]:
        """One transaction; nested uses join the outer one."""
        with self.lock:
            if self.db.in_transaction:
                yield
                return
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")

    def save(self, path: Path) -> None:
        """Write the whole state to a new file."""
        path.unlink(missing_ok=True)
        with self.lock:
            self.db.execute("VACUUM INTO ?", (str(path),))

    def restore(self, path: Path) -> None:
        """Take the whole state from a saved file."""
        with self.lock, sqlite3.connect(path) as source:
            source.backup(self.db)
            for schema in self._schemas:
                self.db.executescript(schema)
        source.close()

    # -- mailboxes ---------------------------------------------------------------------------------

    def open_mailbox(self, address: str) -> None:
        """Create an empty mailbox, unless it is there."""
        row = (address, FIRST_HISTORY, FIRST_HISTORY)
        with self.writing():
            self.db.execute("INSERT OR IGNORE INTO mailbox VALUES (?, ?, ?)", row)

    def has_mailbox(self, address: str) -> bool:
        """Whether the address has a mailbox."""
        return self.db.execute("SELECT 1 FROM mailbox WHERE address = ?", (address,)).fetchone() is not None

    def mailboxes(self) -> list[str]:
        """All mailbox addresses in order."""
        return [row[0] for row in self.db.execute("SELECT address FROM mailbox ORDER BY address")]

    def history_id(self, mailbox: str) -> int:
        """The mailbox's current history id."""
        row = self.db.execute("SELECT history FROM mailbox WHERE address = ?", (mailbox,)).fetchone()
        return int(row[0])

    def history_floor(self, mailbox: str) -> int:
        """The oldest history id that may still be asked for."""
        row = self.db.execute("SELECT floor FROM mailbox WHERE address = ?", (mailbox,)).fetchone()
        return int(row[0])

    def expire_history(self, mailbox: str | None = None, before: datetime | None = None) -> None:
        """Forget history: all of it, or what is older than an instant."""
        limit = 2**62 if before is None else milliseconds(before)
        with self.writing():
            for address in [mailbox] if mailbox else self.mailboxes():
                newest = self.db.execute(
                    "SELECT max(id) FROM history WHERE mailbox = ? AND at < ?", (address, limit)
                ).fetchone()[0]
                floor = self._step(address) if before is None else newest
                if floor is not None:
                    self.db.execute("UPDATE mailbox SET floor = max(floor, ?) WHERE address = ?", (floor, address))

    def _step(self, mailbox: str) -> int:
        self.db.execute("UPDATE mailbox SET history = history + ? WHERE address = ?", (HISTORY_STEP, mailbox))
        return self.history_id(mailbox)

    def _log(self, mailbox: str, kind: str, message: str, changed: Iterable[str] = ()) -> int:
        history = self._step(mailbox)
        thread = self.db.execute(
            "SELECT thread FROM message WHERE mailbox = ? AND id = ?", (mailbox, message)
        ).fetchone()[0]
        labels, of_these = self.labels_of(mailbox, message), list(changed)
        self.db.execute(
            "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                mailbox, history, kind, message, thread, json.dumps(labels), json.dumps(of_these),
                milliseconds(self.clock.now()),
            ),
        )  # fmt: skip
        self.db.execute("UPDATE message SET history = ? WHERE mailbox = ? AND id = ?", (history, mailbox, message))
        if self.changed is not None:
            self.changed(mailbox, history, labels, of_these)
        return history

    # -- messages ----------------------------------------------------------------------------------

    def insert(self, mailbox: str, raw: bytes, labels: Iterable[str], at: datetime, *, prefix: bytes = b"") -> str:
        """Put a message into a mailbox; returns its id. `prefix` is what delivery adds on top."""
        envelope = mime.read_envelope(prefix + raw)
        moment = milliseconds(at)
        with self.writing():
            message = self._new_id(mailbox, moment, raw)
            thread = self._thread_for(mailbox, envelope) or message
            self.db.execute(
                "INSERT INTO message VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    mailbox, message, thread, moment, self.keep_raw(raw), prefix,
                    json.dumps(envelope.headers, ensure_ascii=False), len(prefix) + len(raw),
                    envelope.message_id, envelope.subject_key, envelope.from_text.lower(),
                    envelope.to_text.lower(), envelope.cc_text.lower(), envelope.bcc_text.lower(),
                    envelope.subject.lower(), 0,
                ),
            )  # fmt: skip
            self.db.executemany("INSERT OR IGNORE INTO label VALUES (?, ?, ?)", [(mailbox, message, x) for x in labels])
            self._log(mailbox, "messageAdded", message)
        return message

    def keep_raw(self, raw: bytes) -> int:
        """Keep a message's bytes, once however many mailboxes have it; returns their number."""
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        found = self.db.execute("SELECT id FROM blob WHERE digest = ?", (digest,)).fetchone()
        if found:
            return int(found[0])
        text, mime_type = mime.summary(raw)
        return int(
            self.db.execute(
                "INSERT INTO blob(digest, raw, snippet, mime_type) VALUES (?, ?, ?, ?)",
                (digest, raw, text, mime_type),
            ).lastrowid
            or 0
        )

    def _new_id(self, mailbox: str, moment: int, raw: bytes) -> str:
        """16 hex digits, time first, as Gmail's look; the same world gives the same ids."""
        for attempt in range(1_000):
            seed = f"{mailbox}:{moment}:{attempt}".encode() + raw[:2_000]
            low = int.from_bytes(hashlib.blake2b(seed, digest_size=3).digest()[:3]) >> 4
            message = f"{(moment << 20 | low) & 0x7FFFFFFFFFFFFFFF:016x}"
            if not self.exists(mailbox, message) and not self._was_deleted(mailbox, message):
                return message
        raise RuntimeError(f"no free message id in {mailbox}")

    def _was_deleted(self, mailbox: str, message: str) -> bool:
        query = "SELECT 1 FROM history WHERE mailbox = ? AND message = ? LIMIT 1"
        return self.db.execute(query, (mailbox, message)).fetchone() is not None

    def _thread_for(self, mailbox: str, envelope: mime.Envelope) -> str | None:
        for parent in envelope.parents:
            found = self.db.execute(
                "SELECT thread FROM message WHERE mailbox = ? AND message_id = ? AND subject_key = ?",
                (mailbox, parent, envelope.subject_key),
            ).fetchone()
            if found:
                return str(found[0])
        return None

    def exists(self, mailbox: str, message: str) -> bool:
        """Whether the mailbox holds this message."""
        query = "SELECT 1 FROM message WHERE mailbox = ? AND id = ?"
        return self.db.execute(query, (mailbox, message)).fetchone() is not None

    def labels_of(self, mailbox: str, message: str) -> list[str]:
        """The label ids of a message, in a fixed order."""
        query = "SELECT label FROM label WHERE mailbox = ? AND message = ? ORDER BY label"
        return [row[0] for row in self.db.execute(query, (mailbox, message))]

    def get(self, mailbox: str, message: str) -> Stored | None:
        """One message, or None."""
        row = self.db.execute(
            "SELECT m.thread, m.at, m.headers, b.snippet, m.size, m.message_id, b.mime_type, m.history "
            "FROM message m JOIN blob b ON b.id = m.blob WHERE m.mailbox = ? AND m.id = ?",
            (mailbox, message),
        ).fetchone()
        if row is None:
            return None
        headers: list[list[str]] = json.loads(row[2])
        return Stored(
            mailbox, message, row[0], row[1], headers, row[3], row[4], row[5], row[6], row[7],
            self.labels_of(mailbox, message),
        )  # fmt: skip

    def raw(self, mailbox: str, message: str) -> bytes:
        """The bytes of a message as its owner sees them."""
        row = self.db.execute(
            "SELECT m.prefix, b.raw FROM message m JOIN blob b ON b.id = m.blob WHERE m.mailbox = ? AND m.id = ?",
            (mailbox, message),
        ).fetchone()
        return bytes(row[0]) + bytes(row[1])

    def thread(self, mailbox: str, thread: str) -> list[str]:
        """The ids of a thread's messages, oldest first."""
        query = "SELECT id FROM message WHERE mailbox = ? AND thread = ? ORDER BY at, id"
        return [row[0] for row in self.db.execute(query, (mailbox, thread))]

    def find(self, mailbox: str, message_id: str) -> list[str]:
        """Ids of the messages with this Message-ID, oldest first."""
        query = "SELECT id FROM message WHERE mailbox = ? AND message_id = ? ORDER BY at, id"
        return [row[0] for row in self.db.execute(query, (mailbox, message_id.strip("<>")))]

    def count(self, mailbox: str) -> tuple[int, int]:
        """Messages and threads of a mailbox."""
        query = "SELECT count(*), count(DISTINCT thread) FROM message WHERE mailbox = ?"
        row = self.db.execute(query, (mailbox,)).fetchone()
        return int(row[0]), int(row[1])

    # -- what people do with their mail ------------------------------------------------------------

    def change_labels(self, mailbox: str, message: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Add and remove labels; only what really changes is written to the history."""
        with self.writing():
            before = set(self.labels_of(mailbox, message))
            gone = sorted(before & set(remove))
            new = sorted(set(add) - before)
            for label in gone:
                self.db.execute(
                    "DELETE FROM label WHERE mailbox = ? AND message = ? AND label = ?",
                    (mailbox, message, label),
                )
            for label in new:
                self.db.execute("INSERT INTO label VALUES (?, ?, ?)", (mailbox, message, label))
            if gone:
                self._log(mailbox, "labelRemoved", message, gone)
            if new:
                self._log(mailbox, "labelAdded", message, new)

    def delete(self, mailbox: str, message: str) -> None:
        """Delete for ever (not: move to the bin)."""
        with self.writing():
            self._log(mailbox, "messageDeleted", message)
            self.db.execute("DELETE FROM label WHERE mailbox = ? AND message = ?", (mailbox, message))
            self.db.execute("DELETE FROM message WHERE mailbox = ? AND id = ?", (mailbox, message))

    def create_label(self, mailbox: str, name: str) -> str:
        """The id of a label the user made, creating it if needed."""
        if name in SYSTEM_LABELS:
            return name
        with self.writing():
            found = self.db.execute(
                "SELECT id FROM label_name WHERE mailbox = ? AND name = ?", (mailbox, name)
            ).fetchone()
            if found:
                return str(found[0])
            count = self.db.execute("SELECT count(*) FROM label_name WHERE mailbox = ?", (mailbox,)).fetchone()[0]
            label = f"Label_{count + 1}"
            self.db.execute("INSERT INTO label_name VALUES (?, ?, ?)", (mailbox, label, name))
        return label

    def user_labels(self, mailbox: str) -> list[tuple[str, str]]:
        """(id, name) of the labels the user made."""
        query = "SELECT id, name FROM label_name WHERE mailbox = ? ORDER BY rowid"
        return [(row[0], row[1]) for row in self.db.execute(query, (mailbox,))]


def milliseconds(moment: datetime) -> int:
    """An instant as Gmail counts: milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)
