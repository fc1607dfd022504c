"""One counter for the mail of both providers: each mailbox is Google's or Microsoft's, and letters go to either."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from leakwatch.sandbox.google.post import Letter, PostOffice
from leakwatch.sandbox.microsoft.exchange import Exchange


class Provider(Protocol):
    """What people do with mail, wherever it is kept. Messages are named by the provider's own ids, as text."""

    def deliver(self, letter: Letter, at: datetime) -> dict[str, str]:
        """Put copies into this provider's mailboxes; the new message by mailbox."""
        ...

    def save_draft(self, mailbox: str, raw: bytes, at: datetime, previous: str | None = None) -> str:
        """Save a draft, anew or over an older one; its id."""
        ...

    def send_draft(self, mailbox: str, draft: str, letter: Letter, at: datetime) -> dict[str, str]:
        """Send a draft; the messages by mailbox."""
        ...

    def find(self, mailbox: str, message_id: str) -> list[str]:
        """The messages with this Message-ID, oldest first."""
        ...

    def move(self, mailbox: str, message: str, verb: str) -> None:
        """Do what `MOVES` of the world's format has."""
        ...

    def relabel(self, mailbox: str, message: str, add: Iterable[str], remove: Iterable[str]) -> None:
        """Add and remove labels or categories by name."""
        ...

    def suspend(self, address: str, *, suspended: bool) -> None:
        """Suspend an account or let it back in."""
        ...


@dataclass(slots=True)
class MailRoom:
    """Both providers."""

    google: PostOffice
    microsoft: Exchange

    def of(self, mailbox: str) -> Provider:
        """The provider that has this mailbox."""
        return self.microsoft if self.microsoft.has(mailbox) else self.google

    def deliver(self, letter: Letter, at: datetime) -> dict[str, str]:
        """Put copies where they belong; the new message by mailbox."""
        return self.google.deliver(letter, at) | self.microsoft.deliver(letter, at)

    def send_draft(self, mailbox: str, draft: str, letter: Letter, at: datetime) -> dict[str, str]:
        """Send a draft: its own provider takes it out of the drafts, the other delivers to its mailboxes."""
        home = self.of(mailbox)
        other: Provider = self.google if home is self.microsoft else self.microsoft
        return home.send_draft(mailbox, draft, letter, at) | other.deliver(letter, at)
