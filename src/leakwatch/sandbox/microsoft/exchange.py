"""What people and mail servers do with mail in Exchange: deliver, draft, send, bin, file, read, delete.

It takes the same letters and the same verbs as Gmail's post office (`google.post`), so that one world drives both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from leakwatch.sandbox.google.post import Letter as Post
from leakwatch.sandbox.microsoft.letter import read_letter
from leakwatch.sandbox.microsoft.store import Mailboxes
from leakwatch.sandbox.microsoft.tenant import Tenant

#: A world's labels that are folders here; `SCHEDULED` waits among the drafts, as a delayed mail of Outlook does.
FOLDER_OF = {
    "INBOX": "inbox", "SENT": "sentitems", "DRAFT": "drafts", "SCHEDULED": "drafts", "SPAM": "junkemail",
    "TRASH": "deleteditems", "CHAT": "teamsmessagesdata",
}  # fmt: skip

#: verb -> the folder that a message goes to
MOVES = {
    "trash": "deleteditems", "untrash": "inbox", "spam": "junkemail", "not_spam": "inbox", "archive": "archive",
}  # fmt: skip


class Exchange:
    """Moves mail between mailboxes and writes what happened into their logs."""

    def __init__(self, mailboxes: Mailboxes, tenant: Tenant) -> None:
        self.mailboxes = mailboxes
        self.tenant = tenant

    def has(self, mailbox: str) -> bool:
        """Whether this address is a user's of the tenant."""
        return self.tenant.by_address(mailbox) is not None

    def deliver(self, letter: Post, at: datetime) -> dict[str, str]:
        """Put copies where they belong; returns the number of the message by mailbox, as text."""
        placed: dict[str, str] = {}
        with self.mailboxes.store.writing():
            own = self.tenant.mailbox_of(letter.sender)
            if own is not None and _wanted(letter, own):
                usual = ("SENT",)
                placed[own] = self._put(own, letter.raw_own, letter.labels.get(own, usual), at, read=True)
            for address in letter.recipients:
                mailbox = self.tenant.mailbox_of(address)
                if mailbox is None or not _wanted(letter, mailbox) or (mailbox in placed and mailbox != own):
                    continue
                if mailbox == own and (mailbox in letter.labels or placed.get(mailbox, "").endswith("+")):
                    continue  # what is said of the mailbox's copy was said of the one that was sent
                labels = letter.labels.get(mailbox, ("INBOX", "UNREAD"))
                number = self._put(mailbox, letter.raw, labels, at, prefix=_trace(address, at))
                placed[mailbox] = number + ("+" if mailbox == own else "")
        return {mailbox: number.rstrip("+") for mailbox, number in placed.items()}

    def _put(
        self, mailbox: str, raw: bytes, labels: Iterable[str], at: datetime, *, read: bool = False, prefix: bytes = b""
    ) -> str:
        named = list(labels)
        folder = self._folder(mailbox, named)
        letter = read_letter(prefix + raw)
        kind = letter.invitation["kind"] if letter.invitation else "message"
        columns: dict[str, Any] = {
            "prefix": prefix, "kind": kind, "is_read": read or "UNREAD" not in named,
            "is_draft": bool({"DRAFT", "SCHEDULED"} & set(named)), "flagged": "STARRED" in named,
            "inference": "other" if any(name.startswith("CATEGORY_") for name in named) else "focused",
            "categories": json.dumps([name for name in named if self._is_category(mailbox, name)], ensure_ascii=False),
        }  # fmt: skip
        if "CHAT" in named:  # a chat of Teams is kept in the mailbox, but was never a mail
            letter.message_id, letter.subject, letter.headers, letter.parents = "", "", [], []
            columns["kind"] = "chat"
        return str(self.mailboxes.insert(mailbox, raw, letter, folder, at, **columns))

    def _folder(self, mailbox: str, labels: list[str]) -> int:
        for label in labels:
            if label in FOLDER_OF and label != "INBOX":
                return self.mailboxes.folder(mailbox, FOLDER_OF[label])
        for label in labels:
            found = None if _is_system(label) else self.mailboxes.folder_by_path(mailbox, label)
            if found is not None and "INBOX" not in labels:
                return found
        return self.mailboxes.folder(mailbox, "inbox" if "INBOX" in labels else "archive")

    def _is_category(self, mailbox: str, label: str) -> bool:
        return not _is_system(label) and self.mailboxes.folder_by_path(mailbox, label) is None

    def save_draft(self, mailbox: str, raw: bytes, at: datetime, previous: str | None = None) -> str:
        """Save a draft; unlike Gmail's, an older one is changed in place and keeps its id."""
        if previous is None:
            return self._put(mailbox, raw, ["DRAFT"], at, read=True)
        letter = read_letter(raw)
        columns = {"blob": self.mailboxes.store.keep_raw(raw), "letter": letter.as_text(), "subject": letter.subject}
        fields = ("subject", "body", "bodyPreview", "toRecipients", "ccRecipients", "lastModifiedDateTime")
        self.mailboxes.change(mailbox, int(previous), fields, **columns)
        return previous

    def send_draft(self, mailbox: str, draft: str, letter: Post, at: datetime) -> dict[str, str]:
        """Send a draft: it moves to Sent Items, and its immutable id stays (outlook-immutable-id)."""
        with self.mailboxes.store.writing():
            moment = round(at.timestamp() * 1000)
            sent = read_letter(letter.raw_own)
            self.mailboxes.move(
                mailbox, int(draft), self.mailboxes.folder(mailbox, "sentitems"), is_draft=False, received=moment,
                sent=moment, blob=self.mailboxes.store.keep_raw(letter.raw_own), letter=sent.as_text(),
                subject=sent.subject,
            )  # fmt: skip
            others = tuple(a for a in letter.recipients if self.tenant.mailbox_of(a) != mailbox)
            rest = Post(letter.raw, letter.raw_own, "", others, letter.labels, letter.only)
            return {mailbox: draft} | self.deliver(rest, at)

    def find(self, mailbox: str, message_id: str) -> list[str]:
        """Numbers of the messages with this Message-ID, oldest first."""
        return [str(number) for number in self.mailboxes.find(mailbox, message_id)]

    def move(self, mailbox: str, message: str, verb: str) -> None:
        """Do with a message what its owner does: a verb of the world's `move`, or a folder's path."""
        number = int(message)
        if verb == "delete":
            self.mailboxes.delete(mailbox, number)
        elif verb in ("read", "unread"):
            self.mailboxes.change(mailbox, number, ["isRead"], is_read=verb == "read")
        elif verb == "star":
            self.mailboxes.change(mailbox, number, ["flag"], flagged=True)
        elif verb in MOVES:
            self.mailboxes.move(mailbox, number, self.mailboxes.folder(mailbox, MOVES[verb]))
        else:
            self.mailboxes.move(mailbox, number, self.mailboxes.make_folder(mailbox, verb))

    def relabel(self, mailbox: str, message: str, add: Iterable[str], remove: Iterable[str]) -> None:
        """Add and remove categories."""
        item = self.mailboxes.get(mailbox, int(message))
        if item is None:
            raise KeyError(message)
        gone = set(remove)
        kept = [name for name in item.categories if name not in gone]
        after = list(dict.fromkeys([*kept, *add]))
        text = json.dumps(after, ensure_ascii=False)
        self.mailboxes.change(mailbox, int(message), ["categories"], categories=text)

    def suspend(self, address: str, *, suspended: bool) -> None:
        """Block a user's sign-in and take the licence, or give both back: without it the mailbox can't be read.

        A blocked sign-in alone keeps no application out of a mailbox; the control API can do that too.
        """
        self.tenant.change(address, {"accountEnabled": not suspended, "mailbox": "none" if suspended else "cloud"})


def _wanted(letter: Post, mailbox: str) -> bool:
    return letter.only is None or mailbox in letter.only


def _is_system(label: str) -> bool:
    return label in FOLDER_OF or label in ("UNREAD", "STARRED", "IMPORTANT") or label.startswith("CATEGORY_")


def _trace(address: str, at: datetime) -> bytes:
    """The lines that delivery writes on top of a message."""
    return (
        "Received: from mx.sandbox.invalid (192.0.2.25) by mail.protection.sandbox.invalid (192.0.2.26) with\r\n"
        f" Microsoft SMTP Server (version=TLS1_3) id 15.20.0.0 for <{address}>; {format_datetime(at)}\r\n"
        "X-MS-Exchange-Organization-SCL: 1\r\n"
    ).encode("ascii", "replace")
