"""The rows of a mailbox of Exchange: its tables, its folders, and what a message is in them."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from leakwatch.sandbox.microsoft.letter import Letter, kept_letter

SCHEMA = """
CREATE TABLE IF NOT EXISTS ms_mailbox(
  address TEXT PRIMARY KEY, guid TEXT, sequence INTEGER, floor INTEGER, items INTEGER, folders INTEGER);
CREATE TABLE IF NOT EXISTS ms_folder(
  mailbox TEXT, id INTEGER, parent INTEGER, name TEXT, well_known TEXT, hidden INTEGER, sequence INTEGER,
  PRIMARY KEY(mailbox, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ms_item(
  mailbox TEXT, id INTEGER, place INTEGER, folder INTEGER, kind TEXT, received INTEGER, sent INTEGER,
  created INTEGER, modified INTEGER, sequence INTEGER, blob INTEGER, prefix BLOB, letter TEXT, message_id TEXT,
  subject TEXT, sender TEXT, thread TEXT, attachments INTEGER, importance TEXT, is_read INTEGER, is_draft INTEGER,
  flagged INTEGER, inference TEXT, categories TEXT, PRIMARY KEY(mailbox, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ms_item_received ON ms_item(mailbox, received DESC, id DESC);
CREATE INDEX IF NOT EXISTS ms_item_folder ON ms_item(mailbox, folder, received DESC, id DESC);
CREATE INDEX IF NOT EXISTS ms_item_place ON ms_item(mailbox, place);
CREATE INDEX IF NOT EXISTS ms_item_message_id ON ms_item(mailbox, message_id);
CREATE INDEX IF NOT EXISTS ms_item_thread ON ms_item(mailbox, thread);
CREATE TABLE IF NOT EXISTS ms_change(
  mailbox TEXT, sequence INTEGER, folder INTEGER, item INTEGER, place INTEGER, what TEXT, fields TEXT, at INTEGER,
  PRIMARY KEY(mailbox, sequence, folder)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ms_change_folder ON ms_change(mailbox, folder, sequence);
"""

#: The folders of a new mailbox: well-known name, what it is called, its parent, hidden. The last is no child of what
#: users see as their mailbox (`msgfolderroot`), so no list of folders shows it: that is where Teams' chats are kept.
FOLDERS: tuple[tuple[str, str, str, bool], ...] = (
    ("root", "Root", "", True),
    ("msgfolderroot", "Top of Information Store", "root", False),
    ("archive", "Archive", "msgfolderroot", False),
    ("conversationhistory", "Conversation History", "msgfolderroot", False),
    ("deleteditems", "Deleted Items", "msgfolderroot", False),
    ("drafts", "Drafts", "msgfolderroot", False),
    ("inbox", "Inbox", "msgfolderroot", False),
    ("junkemail", "Junk Email", "msgfolderroot", False),
    ("outbox", "Outbox", "msgfolderroot", False),
    ("sentitems", "Sent Items", "msgfolderroot", False),
    ("clutter", "Clutter", "msgfolderroot", True),
    ("recoverableitemsdeletions", "Deletions", "root", True),
    ("teamsmessagesdata", "TeamsMessagesData", "root", True),
)

#: Folders that have no well-known name at Graph.
NAMELESS = frozenset({"root", "teamsmessagesdata"})


@dataclass(frozen=True, slots=True)
class Item:
    """One message of one mailbox. Instants are milliseconds since the epoch."""

    mailbox: str
    id: int
    place: int
    folder: int
    kind: str
    """The type at Graph without its namespace, such as `message` or `eventMessageRequest`; `chat` of Teams."""
    received: int
    sent: int
    created: int
    modified: int
    sequence: int
    blob: int
    prefix: bytes
    letter: Letter
    message_id: str
    subject: str
    sender: str
    thread: str
    attachments: bool
    importance: str
    is_read: bool
    is_draft: bool
    flagged: bool
    inference: str
    categories: list[str]


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder."""

    mailbox: str
    id: int
    parent: int
    name: str
    well_known: str
    hidden: bool


#: The columns of `ms_item` in the order of `Item`.
ITEM = ", ".join(one.name for one in fields(Item))


def item_of(row: tuple[Any, ...]) -> Item:
    """A message from the columns `ITEM`."""
    values = dict(zip((one.name for one in fields(Item)), row, strict=True))
    truths = ("attachments", "is_read", "is_draft", "flagged")
    values |= {name: bool(values[name]) for name in truths}
    values |= {"prefix": bytes(values["prefix"]), "letter": kept_letter(values["letter"])}
    return Item(**values | {"categories": json.loads(values["categories"])})
