"""Push as capture uses it: watches kept alive, and which mailboxes need not be read this time."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from leakwatch import log
from leakwatch.app.building import Parts
from leakwatch.app.google_parts import GoogleParts
from leakwatch.app.push_listening import PushListener, subscription_of
from leakwatch.app.streams import GMAIL, GOOGLE_CALENDAR
from leakwatch.core.push_hints import Reading, Watch, quiet_mailboxes
from leakwatch.errors import AuthError, ConfigError, LeakwatchError, RecordError
from leakwatch.model import Principal
from leakwatch.ports import WHOLE_MAILBOX, Clock

if TYPE_CHECKING:
    from leakwatch.clients.google_watch import WatchClient
    from leakwatch.config import Settings
    from leakwatch.store.push_state import PushState

MOST_RENEWED = 200  # watches asked for in one run: 57,000 a day at a run every five minutes, a few seconds each time
FAILURES_IN_A_ROW = 3  # after so many the rest waits for the next run: it would fail alike
# Syncs that hints bring about come more often than the timetable's, but Gmail's push says nothing of calendars.
CALENDAR_EVERY = timedelta(minutes=4)
TOPIC_TROUBLE = "cloud pubsub"  # in Gmail's refusal of every watch: the topic is missing, or Gmail may not publish

_log = log.get(__name__)


class Push:
    """Push for one daemon: what it listens to, and what its captures make of it."""

    def __init__(self, settings: Settings, clock: Clock, wall: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._wall = wall
        self._news = threading.Event()
        self._listener: PushListener | None = None
        self._everybody_read = False

    @cached_property
    def state(self) -> PushState:
        """Watches and hints."""
        from leakwatch.store.push_state import PushState

        return PushState(self._settings.store.folder)

    def listen(self) -> None:
        """Begin to listen, in a thread."""
        self._listener = PushListener(
            lambda: subscription_of(self._settings, self._wall), self.state, self._clock, self._news.set
        )
        self._listener.start()

    def stop(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.stop()

    def has_news(self) -> bool:
        """Return whether a hint came since the last capture began."""
        return self._news.is_set()

    def prepare(self, parts: Parts, google: GoogleParts, told: Sequence[Principal]) -> Mapping[str, Collection[str]]:
        """Ask for the watches that are due and return source -> mailboxes that need not be read now. Never fails.

        `told` are those of the roster whose mailboxes may be opened. The first capture of a process reads everybody:
        the settings may have changed.
        """
        self._news.clear()
        try:
            self.state.keep_only(one.address for one in told)
            renew(parts, self.state, google.watches, told)
            if not self._everybody_read:
                return {}
            return self._quiet(parts)
        except Exception as error:  # noqa: BLE001  push spares work; without it everybody is read
            words = str(error) if isinstance(error, LeakwatchError) else f"unexpected {type(error).__name__}"
            _log.warning(log.Event.PUSH_FAILED, what=words, so="every mailbox is polled as without push")
            return {}

    def read(self) -> None:
        """Note that a capture over all mailboxes came to its end."""
        self._everybody_read = True

    def _quiet(self, parts: Parts) -> Mapping[str, Collection[str]]:
        now, section = parts.clock.now(), self._settings.google.push
        watches = self.state.watches()
        readings: dict[str, Reading] = {}
        for one in parts.capture_status.coverage((GMAIL,)):
            usual = one.left_at is None and one.parked_reason is None and not one.not_given
            if usual and one.covered_from is not None and one.read_at is not None:
                watch = watches.get(one.principal.casefold())
                hinted = watch is not None and watch.hinted_at is not None
                readings[one.principal] = Reading(one.read_at, _history_id(parts, one.principal) if hinted else 0)
        pulled_at, _, _ = self.state.last_pull()
        mail = quiet_mailboxes(
            readings,
            watches,
            topic=section.topic or "",
            pulled_at=pulled_at,
            fallback=timedelta(minutes=section.fallback_minutes),
            now=now,
        )
        calendars = {
            one.principal
            for one in parts.capture_status.coverage((GOOGLE_CALENDAR,))
            if one.read_at is not None
            and one.covered_from is not None
            and timedelta(0) <= now - one.read_at < CALENDAR_EVERY
        }
        return {GMAIL: mail, GOOGLE_CALENDAR: calendars}


def push_of(settings: Settings, clock: Clock, wall: Clock) -> Push | None:
    """Return push as the settings have it; None where it is off."""
    section = settings.google
    return Push(settings, clock, wall) if section.enabled and section.push.enabled else None


def _history_id(parts: Parts, address: str) -> int:
    cursor = parts.journal.cursor(GMAIL, address, WHOLE_MAILBOX)
    return int(cursor.token) if cursor is not None and cursor.token.isdigit() else 0


def renew(parts: Parts, state: PushState, client: WatchClient, told: Sequence[Principal]) -> None:
    """Ask Gmail to tell of the mailboxes whose watch is new, a day old or lost; the longest due first.

    What is refused is noted with its reason and polled as before. Where the topic is at fault, nobody else is asked for
    until the next try of that mailbox is due.

    Raises:
        ConfigError: the settings or the certificate are at fault.
    """
    topic = parts.settings.google.push.topic or ""
    now, known, parked = parts.clock.now(), state.watches(), parts.journal.parked()
    due = [
        one
        for one in told
        if one.address not in parked and known.get(one.address.casefold(), Watch("")).is_due(topic, now)
    ]
    due.sort(key=lambda one: str(known.get(one.address.casefold(), Watch("")).renewed_at or ""))  # UTC, so it sorts
    if any(_is_topics(watch.error) and not watch.is_due(topic, now) for watch in known.values()):
        return
    renewed, failures = 0, 0
    for one in due[:MOST_RENEWED]:
        try:
            granted = client.watch(one.address)
        except ConfigError:
            raise
        except LeakwatchError as error:
            state.refused(one.address, str(error), now=now)
            failures += 1
            _log.warning(log.Event.WATCH_REFUSED, mailbox=log.address_tag(one.address), what=str(error))
            if failures >= FAILURES_IN_A_ROW or (isinstance(error, AuthError | RecordError) and _is_topics(str(error))):
                break
            continue
        failures = 0
        renewed += 1
        state.granted(one.address, topic, expires_at=granted.expires_at, now=now)
    if renewed:
        _log.info(log.Event.WATCHES_RENEWED, renewed=renewed, of=len(told), still_due=len(due) - renewed)


def _is_topics(error: str) -> bool:
    words = error.lower()
    return TOPIC_TROUBLE in words or "invalid topicname" in words
