"""Listening to Pub/Sub: one thread of the daemon that pulls notifications, keeps them as hints and acknowledges them.

A hint is stored before it is acknowledged: a process that dies in between is told again. Whatever goes wrong here ends
in plain polling (`core.push_hints.quiet_mailboxes`), never in anything lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from leakwatch import log
from leakwatch.core.push_hints import read_hint
from leakwatch.errors import ConfigError, LeakwatchError
from leakwatch.ports import Clock
from leakwatch.store.push_state import PushState

if TYPE_CHECKING:
    from leakwatch.clients.google_pubsub import PubSubClient, Received
    from leakwatch.config import Settings

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0  # after a pull that failed; doubled each time

_log = log.get(__name__)


class _Subscription(Protocol):
    def pull(self) -> Sequence[Received]: ...
    def acknowledge(self, ack_ids: Sequence[str]) -> None: ...


class PushListener:
    """Pulls until it is stopped.

    Args:
        connect: returns the subscription; called in the thread, again after each failure to set it up.
        state: where hints are kept.
        clock: business time, as the flows have it.
        told: called when a hint was kept.
    """

    def __init__(
        self, connect: Callable[[], _Subscription], state: PushState, clock: Clock, told: Callable[[], None]
    ) -> None:
        self._connect = connect
        self._state = state
        self._clock = clock
        self._told = told
        self._stop = threading.Event()
        self._failing = ""
        # A pull lasts a minute or two and can't be broken off: the process does not wait for it.
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self, patience_s: float = 0.0) -> None:
        """Pull no more; wait up to `patience_s` for a pull that runs."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(patience_s)

    def _run(self) -> None:
        subscription: _Subscription | None = None
        pause = FIRST_PAUSE_S
        while not self._stop.is_set():
            try:
                subscription = subscription or self._connect()
                self.once(subscription)
                pause = FIRST_PAUSE_S
            except Exception as error:  # noqa: BLE001  nothing that happens here may end the daemon
                self._note(error)
                self._stop.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    def once(self, subscription: _Subscription) -> int:
        """Pull once, keep the hints and acknowledge all that came; return how many mailboxes were hinted at.

        Raises:
            LeakwatchError: as the client. Nothing was acknowledged then.
        """
        received = subscription.pull()
        now = self._clock.now()
        hints = [hint for one in received if (hint := read_hint(one.data)) is not None]
        kept = self._state.hinted(hints, now=now)
        self._state.pulled(now=now, told=len(received))
        if self._failing:
            self._failing = ""
            _log.info(log.Event.PUSH_RESTORED)
        if kept:
            self._told()
        # What is no hint, or nobody's, is acknowledged too: it would come again for a week.
        subscription.acknowledge([one.ack_id for one in received])
        return kept

    def _note(self, error: Exception) -> None:
        words = str(error) if isinstance(error, LeakwatchError) else f"unexpected {type(error).__name__}"
        try:
            self._state.not_pulled(words, now=self._clock.now())
        except Exception:  # noqa: BLE001  e.g. the disk is full; the log says the rest
            words = f"{words}; it could not be noted"
        if words != self._failing:  # said once, not every minute
            _log.warning(log.Event.PUSH_FAILED, what=words, so="every mailbox is polled as without push")
        self._failing = words


def subscription_of(settings: Settings, wall: Clock) -> PubSubClient:
    """Return the subscription that the settings name, over a connection of its own.

    Raises:
        ConfigError: the settings name none, or the key can't be read.
    """
    from leakwatch.app.google_parts import google_connection
    from leakwatch.app.pacing import pacing_of
    from leakwatch.clients.google import GoogleClient
    from leakwatch.clients.google_pubsub import PULL_PATIENCE_S, PubSubClient
    from leakwatch.clients.retry import RetryPolicy

    section = settings.google
    if section.push.subscription is None or section.service_account_file is None:
        raise ConfigError("google.push.subscription and google.service_account_file must both be set")
    connection = google_connection(settings, section.service_account_file, timeout_s=PULL_PATIENCE_S)
    client = GoogleClient(connection, limiter=pacing_of(settings, wall), retry=RetryPolicy(wall.sleep), wall=wall)
    return PubSubClient(client, section.push.subscription)
