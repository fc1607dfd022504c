"""Ids of events and of the occurrences of a series, and the UIDs that Exchange gives them (MS-OXOCAL §2.2.1.27)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from leakwatch.sandbox.microsoft import ids

#: Where events are; no list of mail folders shows it.
CALENDAR = 0xCA1

#: "Byte Array ID": 16 bytes that all global object ids begin with.
_GLOBAL = bytes.fromhex("040000008200e00074c5b7101a82e008")
#: What goes before a UID that Exchange did not make, within the data of a global object id (MS-OXCICAL).
_FOREIGN = b"vCal-Uid\x01\x00\x00\x00"

_MARK = 8
_OCCURRENCE = b"\x01\x51\x00\x08"


@dataclass(frozen=True, slots=True)
class MeantEvent:
    """What the id of an event stands for."""

    number: int
    key: str
    """Of an occurrence: its original start, such as `20260310T070000Z` or `20260310`; else empty."""


def number_of(event: str) -> int:
    """The number that an event's ids carry: it follows from the event, so each calendar has the same."""
    return int.from_bytes(hashlib.blake2b(event.encode(), digest_size=6).digest())


def event_id(mailbox: str, number: int, key: str = "", *, immutable: bool = False) -> str:
    """The id of an event, or of an occurrence of it, in the mailbox of this GUID."""
    plain = ids.immutable_id(mailbox, number) if immutable else ids.mutable_id(mailbox, CALENDAR, number)
    if not key:
        return plain
    data, mark = base64.urlsafe_b64decode(plain), int("".join(filter(str.isdigit, key))).to_bytes(_MARK)
    if immutable:
        return _text(data + mark)
    return _text(data[:40] + _OCCURRENCE + mark + data[43:] + b"\x10")


def read(text: str, mailbox: str) -> MeantEvent | None:
    """What an id of this mailbox stands for; None where it is none. Both forms are read, whichever was asked for."""
    try:
        data = base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        return None
    key = ""
    if data[40:44] == _OCCURRENCE:
        key = _key(data[44 : 44 + _MARK])
        data = data[:40] + b"\x00\x46\x00" + data[44 + _MARK : -1]
    meant = ids.read(_text(data))
    if meant is None and len(data) > _MARK:
        key, meant = _key(data[-_MARK:]), ids.read(_text(data[:-_MARK]))
    if meant is None or meant.kind == "folder" or not ids.belongs(meant, mailbox):
        return None
    return MeantEvent(meant.number, key)


def _key(mark: bytes) -> str:
    digits = str(int.from_bytes(mark))
    return digits if len(digits) <= 8 else f"{digits[:8]}T{digits[8:]}Z"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii")


def new_uid(seed: str) -> str:
    """The UID of a meeting that Exchange makes: a global object id in hex, of no date."""
    digest = hashlib.blake2b(seed.encode(), digest_size=16).digest()
    return (_GLOBAL + b"\x00" * 20 + len(digest).to_bytes(4, "little") + digest).hex().upper()


def occurrence_uid(uid: str, key: str) -> str:
    """The UID of one occurrence: the global object id of its series with the original date in bytes 17 to 20.

    A UID from elsewhere is wrapped first (`vCal-Uid`), as Exchange keeps it.
    """
    try:
        data = bytes.fromhex(uid)
    except ValueError:
        data = b""
    if not data.startswith(_GLOBAL) or len(data) < 40:
        foreign = _FOREIGN + uid.encode() + b"\x00"
        data = _GLOBAL + b"\x00" * 20 + len(foreign).to_bytes(4, "little") + foreign
    year, month, day = int(key[:4]), int(key[4:6]), int(key[6:8])
    return (data[:16] + year.to_bytes(2) + bytes((month, day)) + data[20:]).hex().upper()
