"""Ids of Exchange as Graph shows them: base64url of binary entry ids, as long and with the beginnings of real ones.

The mutable id of an item names its place (folder and running number), so it changes with every move; the immutable id
names the item itself. Folders have one kind of id (concepts/outlook-immutable-id). All are case-sensitive.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from dataclasses import dataclass
from typing import Literal

#: What real ids begin with: `AAMkA`, `AAkALg...`, `AAQkA`, and `CQAAABYAAAA` of change keys.
_REST, _IMMUTABLE = b"\x00\x03\x24\x00", bytes.fromhex("0009002e00000000001d840311aa6611cd9bc800aa002f845a0d00")
_CONVERSATION, _CHANGE = b"\x00\x04\x24\x00", bytes.fromhex("0900000016000000")

#: Lengths of the entry ids of a folder and of a message (MS-OXCDATA §2.2.4).
_FOLDER_ENTRY, _MESSAGE_ENTRY = 46, 70


@dataclass(frozen=True, slots=True)
class Meant:
    """What an id stands for."""

    kind: Literal["folder", "place", "item"]
    mailbox: str
    """The mailbox's GUID, or for an item its digest in 16 bytes of hex."""
    number: int


def _provider(mailbox: str) -> bytes:
    return hashlib.md5(mailbox.encode(), usedforsecurity=False).digest()


def _counter(number: int) -> bytes:
    return number.to_bytes(6) + b"\x00\x00"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii")


def folder_id(mailbox: str, number: int) -> str:
    """The id of a folder (or calendar) in the mailbox of this GUID."""
    provider = _provider(mailbox)
    entry = b"\x00" * 4 + provider + b"\x01\x00" + provider + _counter(number)
    return _text(_REST + mailbox.encode() + b"\x00\x2e\x00" + entry)


def mutable_id(mailbox: str, folder: int, place: int) -> str:
    """The id of an item while it stays where it is."""
    provider = _provider(mailbox)
    entry = b"\x00" * 4 + provider + b"\x07\x00" + provider + _counter(folder) + provider + _counter(place)
    return _text(_REST + mailbox.encode() + b"\x00\x46\x00" + entry)


def immutable_id(mailbox: str, item: int) -> str:
    """The id of an item for as long as it is in the mailbox."""
    return _text(_IMMUTABLE + _provider(mailbox) + _counter(item))


def read(text: str) -> Meant | None:
    """What an id stands for; None where it is no id."""
    try:
        data = base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        return None
    if data.startswith(_IMMUTABLE) and len(data) == len(_IMMUTABLE) + 24:
        return Meant("item", data[-24:-8].hex(), int.from_bytes(data[-8:-2]))
    if not data.startswith(_REST) or len(data) < 43:
        return None
    mailbox, rest = data[4:40].decode("ascii", "replace"), data[43:]
    if len(rest) == _FOLDER_ENTRY:
        return Meant("folder", mailbox, int.from_bytes(rest[-8:-2]))
    return Meant("place", mailbox, int.from_bytes(rest[-8:-2])) if len(rest) == _MESSAGE_ENTRY else None


def belongs(meant: Meant, mailbox: str) -> bool:
    """Whether an id is of the mailbox with this GUID."""
    return meant.mailbox == (_provider(mailbox).hex() if meant.kind == "item" else mailbox)


def change_key(mailbox: str, sequence: int) -> str:
    """The change key after the mailbox's so-many-th change."""
    return base64.b64encode(_CHANGE + _provider(mailbox) + sequence.to_bytes(6)).decode("ascii")


def conversation_id(mailbox: str, thread: str) -> str:
    """The id of a conversation in one mailbox; `thread` is its GUID in hex, which all mailboxes share."""
    return _text(_CONVERSATION + mailbox.encode() + b"\x00\x10\x00" + bytes.fromhex(thread))


def thread_guid(root: str) -> str:
    """The GUID of a conversation, in hex, from the Message-ID that began it."""
    return uuid.UUID(bytes=hashlib.md5(root.encode(), usedforsecurity=False).digest()).hex


def conversation_index(thread: str, began: int, replies: list[int]) -> bytes:
    """PidTagConversationIndex (MS-OXOMSG §2.2.1.3): a head of 22 bytes, and five for each reply.

    Args:
        thread: The conversation's GUID in hex.
        began: When it began, in milliseconds since the epoch.
        replies: When each reply was sent, in the same way.
    """
    head = b"\x01" + _filetime(began).to_bytes(8)[1:6] + bytes.fromhex(thread)
    tail = b""
    for at in replies:
        step = max(0, at - began) * 10_000  # in 100 ns
        tail += (step >> 18 & 0x7FFFFFFF).to_bytes(4) + b"\x10"
    return head + tail


def _filetime(milliseconds: int) -> int:
    """100 ns since 1601, as Windows counts."""
    return (milliseconds + 11_644_473_600_000) * 10_000


def conversation_guid(text: str) -> str:
    """The conversation's GUID in hex out of its id; empty where it is none."""
    try:
        data = base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        return ""
    return data[-16:].hex() if data.startswith(_CONVERSATION) and len(data) == 59 else ""
