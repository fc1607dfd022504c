"""Mailboxes of Exchange: folders, items, and the log of changes that delta reads. In the one file of all mailboxes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from leakwatch.sandbox.google.store import MailStore, milliseconds
from leakwatch.sandbox.microsoft import ids
from leakwatch.sandbox.microsoft.consent import TENANT_ID, guid
from leakwatch.sandbox.microsoft.letter import Letter
from leakwatch.sandbox.microsoft.rows import FOLDERS, ITEM, SCHEMA, Folder, Item, item_of


class Mailboxes:
    """All mailboxes of the tenant."""

    def __init__(self, store: MailStore) -> None:
        self.store = store
        self.db = store.db
        store.define(SCHEMA)

    # -- mailboxes and folders ---------------------------------------------------------------------

    def open(self, address: str) -> None:
        """Create an empty mailbox with its folders, unless it is there."""
        with self.store.writing():
            if self.has(address):
                return
            row = (address, guid("mailbox", TENANT_ID, address), 1, 0, 0, 0)
            self.db.execute("INSERT INTO ms_mailbox VALUES (?, ?, ?, ?, ?, ?)", row)
            made = {"": 0}
            for well_known, name, parent, hidden in FOLDERS:
                made[well_known] = self._add_folder(address, made[parent], name, well_known, hidden=hidden)

    def has(self, address: str) -> bool:
        """Whether the address has a mailbox."""
        return self.db.execute("SELECT 1 FROM ms_mailbox WHERE address = ?", (address,)).fetchone() is not None

    def addresses(self) -> list[str]:
        """All mailboxes in order."""
        return [row[0] for row in self.db.execute("SELECT address FROM ms_mailbox ORDER BY address")]

    def guid(self, mailbox: str) -> str:
        """The GUID that the mailbox's ids carry."""
        return str(self.db.execute("SELECT guid FROM ms_mailbox WHERE address = ?", (mailbox,)).fetchone()[0])

    def sequence(self, mailbox: str) -> int:
        """How many changes the mailbox has seen."""
        row = self.db.execute("SELECT sequence FROM ms_mailbox WHERE address = ?", (mailbox,)).fetchone()
        return int(row[0])

    def floor(self, mailbox: str) -> int:
        """Delta tokens of a state before this change are forgotten."""
        return int(self.db.execute("SELECT floor FROM ms_mailbox WHERE address = ?", (mailbox,)).fetchone()[0])

    def expire_deltas(self, mailbox: str | None = None) -> None:
        """Forget the states of all delta tokens that were given so far."""
        with self.store.writing():
            for address in [mailbox] if mailbox else self.addresses():
                step = self._step(address)
                self.db.execute("UPDATE ms_mailbox SET floor = ? WHERE address = ?", (step, address))

    def _step(self, mailbox: str, column: str = "sequence") -> int:
        self.db.execute(f"UPDATE ms_mailbox SET {column} = {column} + 1 WHERE address = ?", (mailbox,))
        return int(self.db.execute(f"SELECT {column} FROM ms_mailbox WHERE address = ?", (mailbox,)).fetchone()[0])

    def _add_folder(self, mailbox: str, parent: int, name: str, well_known: str, *, hidden: bool = False) -> int:
        number = self._step(mailbox, "folders")
        row = (mailbox, number, parent, name, well_known, hidden, self._step(mailbox))
        self.db.execute("INSERT INTO ms_folder VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return number

    def folders(self, mailbox: str) -> list[Folder]:
        """All folders, by their name."""
        query = "SELECT id, parent, name, well_known, hidden FROM ms_folder WHERE mailbox = ? ORDER BY name, id"
        rows = self.db.execute(query, (mailbox,)).fetchall()
        return [Folder(mailbox, number, up, name, known, bool(hidden)) for number, up, name, known, hidden in rows]

    def folder(self, mailbox: str, well_known: str) -> int:
        """The number of a folder by its well-known name; raises KeyError."""
        query = "SELECT id FROM ms_folder WHERE mailbox = ? AND well_known = ?"
        row = self.db.execute(query, (mailbox, well_known)).fetchone()
        if row is None:
            raise KeyError(well_known)
        return int(row[0])

    def make_folder(self, mailbox: str, path: str) -> int:
        """The folder of a path below the visible root, such as `Inbox/Customers`, made where it is missing."""
        with self.store.writing():
            at = self.folder(mailbox, "msgfolderroot")
            for name in path.split("/"):
                query = "SELECT id FROM ms_folder WHERE mailbox = ? AND parent = ? AND name = ? COLLATE NOCASE"
                row = self.db.execute(query, (mailbox, at, name)).fetchone()
                at = int(row[0]) if row else self._add_folder(mailbox, at, name, "")
            return at

    def folder_by_path(self, mailbox: str, path: str) -> int | None:
        """The number of a folder by its path below the visible root; None where there is none."""
        at: int | None = self.folder(mailbox, "msgfolderroot")
        for name in path.split("/"):
            query = "SELECT id FROM ms_folder WHERE mailbox = ? AND parent = ? AND name = ? COLLATE NOCASE"
            row = self.db.execute(query, (mailbox, at, name)).fetchone()
            if row is None:
                return None
            at = int(row[0])
        return at

    # -- items -------------------------------------------------------------------------------------

    def insert(self, mailbox: str, raw: bytes, letter: Letter, folder: int, at: datetime, **rest: Any) -> int:
        """Put a message into a folder; returns its number. `rest`: further columns of `Item`."""
        moment = milliseconds(at)
        thread = self._thread(mailbox, letter)
        row: dict[str, Any] = {
            "mailbox": mailbox, "folder": folder, "kind": "message", "received": moment,
            "sent": letter.sent if letter.sent is not None else moment, "created": moment, "modified": moment,
            "prefix": b"", "letter": letter.as_text(), "message_id": letter.message_id, "subject": letter.subject,
            "sender": letter.sender[0]["address"].lower() if letter.sender else "", "thread": thread,
            "attachments": letter.attachments, "importance": letter.importance, "is_read": False, "is_draft": False,
            "flagged": False, "inference": "focused", "categories": "[]",
        } | rest  # fmt: skip
        with self.store.writing():
            row |= {"id": self._step(mailbox, "items"), "place": self._step(mailbox, "items")}
            row |= {"sequence": self._step(mailbox), "blob": self.store.keep_raw(raw)}
            columns = ", ".join(row)
            marks = ", ".join("?" * len(row))
            self.db.execute(f"INSERT INTO ms_item({columns}) VALUES ({marks})", list(row.values()))
            self._log(mailbox, row["sequence"], folder, row["id"], row["place"], "created", [])
        return int(row["id"])

    def _thread(self, mailbox: str, letter: Letter) -> str:
        """The conversation's GUID: that of a message it answers, else one that begins with it."""
        for parent in letter.parents:
            query = "SELECT thread FROM ms_item WHERE mailbox = ? AND message_id = ?"
            row = self.db.execute(query, (mailbox, f"<{parent}>")).fetchone()
            if row:
                return str(row[0])
        root = letter.parents[-1] if letter.parents else letter.message_id.strip("<>")
        return ids.thread_guid(root or f"{letter.subject} {letter.sent} {letter.sender}")

    def _log(
        self, mailbox: str, sequence: int, folder: int, item: int, place: int, what: str, fields: Iterable[str]
    ) -> None:
        at = milliseconds(self.store.clock.now())
        row = (mailbox, sequence, folder, item, place, what, json.dumps(list(fields)), at)
        self.db.execute("INSERT INTO ms_change VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def get(self, mailbox: str, item: int) -> Item | None:
        """One message by its number."""
        found = self.where(mailbox, "id = ?", [item])
        return found[0] if found else None

    def at_place(self, mailbox: str, place: int) -> Item | None:
        """The message that is at a place now."""
        found = self.where(mailbox, "place = ?", [place])
        return found[0] if found else None

    def find(self, mailbox: str, message_id: str) -> list[int]:
        """Numbers of the messages with this Message-ID, oldest first."""
        query = "SELECT id FROM ms_item WHERE mailbox = ? AND message_id = ? ORDER BY id"
        return [row[0] for row in self.db.execute(query, (mailbox, f"<{message_id.strip('<>')}>"))]

    def sent_of(self, mailbox: str, message_ids: list[str]) -> list[int]:
        """When these messages were sent, in milliseconds since the epoch; those that the mailbox has."""
        query = "SELECT min(sent) FROM ms_item WHERE mailbox = ? AND message_id = ?"
        rows = [self.db.execute(query, (mailbox, f"<{one}>")).fetchone() for one in message_ids]
        return [int(row[0]) for row in rows if row[0] is not None]

    def where(self, mailbox: str, condition: str, values: list[Any], tail: str = "") -> list[Item]:
        """The messages that a condition in SQL is true of; `tail`: order and limit."""
        query = f"SELECT {ITEM} FROM ms_item WHERE mailbox = ? AND ({condition}) {tail}"
        return [item_of(row) for row in self.db.execute(query, [mailbox, *values])]

    def count(self, mailbox: str, condition: str = "1", values: Iterable[Any] = ()) -> int:
        """How many messages a condition in SQL is true of."""
        query = f"SELECT count(*) FROM ms_item WHERE mailbox = ? AND ({condition})"
        return int(self.db.execute(query, [mailbox, *values]).fetchone()[0])

    def raw(self, item: Item) -> bytes:
        """The bytes of a message as its owner has them."""
        row = self.db.execute("SELECT raw FROM blob WHERE id = ?", (item.blob,)).fetchone()
        return item.prefix + bytes(row[0])

    # -- what is done with items -------------------------------------------------------------------

    def change(self, mailbox: str, item: int, fields: Iterable[str], **columns: Any) -> None:
        """Set columns of a message; `fields` are the properties of Graph's message that change by it."""
        with self.store.writing():
            found = self.get(mailbox, item)
            if found is None:
                raise KeyError(item)
            changed = {name: value for name, value in columns.items() if _differs(getattr(found, name, None), value)}
            if not changed:
                return
            sequence = self._step(mailbox)
            self._set(found, changed | {"sequence": sequence})
            self._log(mailbox, sequence, found.folder, item, found.place, "updated", fields)

    def move(self, mailbox: str, item: int, folder: int, **columns: Any) -> None:
        """Move a message: it is gone from one folder and new in the other, under another mutable id."""
        with self.store.writing():
            found = self.get(mailbox, item)
            if found is None:
                raise KeyError(item)
            if found.folder == folder:
                return
            place = self._step(mailbox, "items")
            self._log(mailbox, self._step(mailbox), found.folder, item, found.place, "moved", [])
            sequence = self._step(mailbox)
            self._set(found, columns | {"sequence": sequence, "folder": folder, "place": place})
            self._log(mailbox, sequence, folder, item, place, "created", ["parentFolderId"])

    def delete(self, mailbox: str, item: int) -> None:
        """Delete for good."""
        with self.store.writing():
            found = self.get(mailbox, item)
            if found is None:
                raise KeyError(item)
            self._log(mailbox, self._step(mailbox), found.folder, item, found.place, "deleted", [])
            self.db.execute("DELETE FROM ms_item WHERE mailbox = ? AND id = ?", (mailbox, item))

    def _set(self, item: Item, columns: dict[str, Any]) -> None:
        columns = columns | {"modified": max(item.modified, milliseconds(self.store.clock.now()))}
        names = ", ".join(f"{name} = ?" for name in columns)
        values = [*columns.values(), item.mailbox, item.id]
        self.db.execute(f"UPDATE ms_item SET {names} WHERE mailbox = ? AND id = ?", values)


def _differs(before: Any, after: Any) -> bool:
    return (json.dumps(before) if isinstance(before, list) else before) != after
