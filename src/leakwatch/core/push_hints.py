"""What a push notification says, and which mailboxes need not be read now. Pure; never raises on odd content.

A notification is a hint and no more: it never moves a cursor, and what it says is never stored as fact. Lost, late,
doubled or forged, it changes when a mailbox is read, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

MAX_DATA = 10_000  # bytes; a notification has about 70
RENEW_AFTER = timedelta(days=1)  # "We recommend calling watch once per day" (Gmail API, push guide)
TRY_AGAIN_AFTER = timedelta(hours=1)  # a watch that was refused
PULL_STALE = timedelta(minutes=5)  # a pull answers within two minutes, message or not


@dataclass(frozen=True, slots=True)
class Hint:
    """A mailbox (lower case) that is said to have changed up to a history id."""

    mailbox: str
    history_id: int


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known of one mailbox's watch. Times are aware UTC.

    Attributes:
        topic: which is told. expires_at: when Gmail stops telling.
        since: from when on without a gap every change was told. renewed_at: when it was last asked for.
        error: why the last try failed; empty if it did not. failed_at: when.
        hinted_at: when a hint came last. hinted_id: the highest history id a hint named since.
    """

    mailbox: str
    topic: str = ""
    expires_at: datetime | None = None
    since: datetime | None = None
    renewed_at: datetime | None = None
    error: str = ""
    failed_at: datetime | None = None
    hinted_at: datetime | None = None
    hinted_id: int = 0

    def lives(self, topic: str, now: datetime) -> bool:
        """Return whether Gmail tells `topic` of this mailbox at `now`."""
        return self.topic == topic and self.expires_at is not None and self.expires_at > now

    def is_due(self, topic: str, now: datetime) -> bool:
        """Return whether the watch is to be asked for, again or for the first time."""
        if self.failed_at is not None and now - self.failed_at < TRY_AGAIN_AFTER:
            return False
        fresh = self.renewed_at is not None and timedelta(0) <= now - self.renewed_at < RENEW_AFTER
        return not (fresh and self.lives(topic, now))


@dataclass(frozen=True, slots=True)
class Reading:
    """How far one mailbox was read: when last, and up to which history id (0: not known)."""

    read_at: datetime | None
    history_id: int = 0


def read_hint(data: bytes) -> Hint | None:
    """Return the hint in a message's data, `{"emailAddress": ..., "historyId": ...}`; None if it is none."""
    if len(data) > MAX_DATA:
        return None
    try:
        found: Any = json.loads(data)
        mailbox, number = found["emailAddress"], found["historyId"]
        if not isinstance(mailbox, str) or isinstance(number, bool | float):
            return None
        history_id = int(number)  # a string in the guide, a number on the wire
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not 0 < history_id < 2**64 or "@" not in mailbox:
        return None
    return Hint(mailbox.strip().casefold(), history_id)


def is_hinted(watch: Watch, reading: Reading) -> bool:
    """Return whether a hint tells of news that the last reading can't have brought."""
    if watch.hinted_at is None:
        return False
    if reading.history_id and watch.hinted_id <= reading.history_id:
        return False  # it was late, or came twice
    return reading.read_at is None or watch.hinted_at >= reading.read_at


def quiet_mailboxes(
    readings: Mapping[str, Reading],
    watches: Mapping[str, Watch],
    *,
    topic: str,
    pulled_at: datetime | None,
    fallback: timedelta,
    now: datetime,
) -> frozenset[str]:
    """Return which mailboxes need not be read at `now`: everything that happens in them would have been told.

    In doubt a mailbox is read: while Pub/Sub does not answer, without a living watch, where it was not read since the
    watch began, and after `fallback` in any case.

    Args:
        readings: by address, of mailboxes that are read as usual; others are not to be left out.
        watches: by address in lower case.
        topic: the one that is told now.
        pulled_at: when the subscription last answered.
        fallback: after so long a mailbox is read whatever was told.
        now: aware UTC.
    """
    if pulled_at is None or not timedelta(0) <= now - pulled_at < PULL_STALE:
        return frozenset()

    def is_quiet(address: str, reading: Reading) -> bool:
        watch = watches.get(address.casefold())
        if watch is None or reading.read_at is None or watch.since is None or not watch.lives(topic, now):
            return False
        if not timedelta(0) <= now - reading.read_at < fallback or reading.read_at < watch.since:
            return False
        return not is_hinted(watch, reading)

    return frozenset(address for address, reading in readings.items() if is_quiet(address, reading))
