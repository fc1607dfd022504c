"""What people and mail servers do with mail: deliver, draft, send, bin, spam, read, delete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

from leakwatch.sandbox.google.directory import Directory
from leakwatch.sandbox.google.store import MailStore


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail on its way. `raw` is what recipients get, `raw_own` what stays with the sender (with Bcc)."""

    raw: bytes
    raw_own: bytes
    sender: str
    recipients: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Labels by mailbox, instead of the usual ones (INBOX and UNREAD, or SENT)."""

    only: frozenset[str] | None = None
    """The mailboxes that get a copy; None: everyone addressed."""


class PostOffice:
    """Moves mail between mailboxes and writes what happened into their histories."""

    def __init__(self, store: MailStore, directory: Directory) -> None:
        self.store = store
        self.directory = directory

    def deliver(self, letter: Letter, at: datetime) -> dict[str, str]:
        """Put copies where they belong; returns the new message id by mailbox."""
        placed: dict[str, str] = {}
        with self.store.writing():
            own = self.directory.mailbox_of(letter.sender)
            if own is not None and self._wanted(letter, own):
                labels = self._labels(letter, own, ("SENT",))
                placed[own] = self.store.insert(own, letter.raw_own, labels, at)
            for address in letter.recipients:
                mailbox = self.directory.mailbox_of(address)
                if mailbox is None or not self._wanted(letter, mailbox):
                    continue
                if mailbox in placed:
                    if mailbox == own and mailbox not in letter.labels:
                        self.store.change_labels(mailbox, placed[mailbox], add=["INBOX"])
                    continue
                labels = self._labels(letter, mailbox, ("INBOX", "UNREAD"))
                placed[mailbox] = self.store.insert(mailbox, letter.raw, labels, at, prefix=_trace(address, at))
        return placed

    def _wanted(self, letter: Letter, mailbox: str) -> bool:
        return letter.only is None or mailbox in letter.only

    def _labels(self, letter: Letter, mailbox: str, usual: tuple[str, ...]) -> list[str]:
        return [self.store.create_label(mailbox, name) for name in letter.labels.get(mailbox, usual)]

    def save_draft(self, mailbox: str, raw: bytes, at: datetime, previous: str | None = None) -> str:
        """Save a draft: every save is a new message id, and the former one is gone for ever."""
        with self.store.writing():
            if previous is not None:
                self.store.delete(mailbox, previous)
            return self.store.insert(mailbox, raw, ["DRAFT"], at)

    def send_draft(self, mailbox: str, draft: str, letter: Letter, at: datetime) -> dict[str, str]:
        """Send a draft: the draft's message is gone, a new one carries SENT."""
        with self.store.writing():
            self.store.delete(mailbox, draft)
            return self.deliver(letter, at)

    def find(self, mailbox: str, message_id: str) -> list[str]:
        """Ids of the messages with this Message-ID, oldest first."""
        return self.store.find(mailbox, message_id)

    def relabel(self, mailbox: str, message: str, add: Iterable[str], remove: Iterable[str]) -> None:
        """Add and remove labels by name."""
        named = [[self.store.create_label(mailbox, name) for name in names] for names in (add, remove)]
        self.store.change_labels(mailbox, message, add=named[0], remove=named[1])

    def suspend(self, address: str, *, suspended: bool) -> None:
        """Suspend an account or let it back in."""
        self.directory.suspend(address, suspended=suspended)

    def move(self, mailbox: str, message: str, verb: str) -> None:
        """Do with a message what its owner does: see `MOVES` for the verbs."""
        if verb == "delete":
            self.store.delete(mailbox, message)
            return
        add, remove = MOVES[verb]
        self.store.change_labels(mailbox, message, add=add, remove=remove)


#: verb -> labels added, labels removed. Trash and spam are label changes, not deletions.
MOVES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "trash": (("TRASH",), ("INBOX",)),
    "untrash": (("INBOX",), ("TRASH",)),
    "spam": (("SPAM",), ("INBOX",)),
    "not_spam": (("INBOX",), ("SPAM",)),
    "read": ((), ("UNREAD",)),
    "unread": (("UNREAD",), ()),
    "archive": ((), ("INBOX",)),
    "star": (("STARRED",), ()),
}


def _trace(address: str, at: datetime) -> bytes:
    """The lines that delivery writes on top of a message."""
    stamp = format_datetime(at)
    return (
        f"Delivered-To: {address}\r\n"
        f"Received: from mx.sandbox.invalid (mx.sandbox.invalid [192.0.2.25])\r\n"
        f"        by mx.google.sandbox.invalid with ESMTPS for <{address}>; {stamp}\r\n"
    ).encode("ascii", "replace")
