"""users.watch and users.stop of Gmail, and what they bring about: a notification for each change of the mailbox.

Times are the world's; the limit of notifications per second is one of wall time, as the quota is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from leakwatch.sandbox.clock import monotonic_seconds
from leakwatch.sandbox.google.errors import GoogleError, invalid
from leakwatch.sandbox.google.pubsub import GMAIL_PUSH, PubSub
from leakwatch.sandbox.google.pubsub_errors import DENIED, missing, test_message_failed
from leakwatch.sandbox.google.store import SYSTEM_LABELS, MailStore, milliseconds

#: "You must call the watch at least once every 7 days" (Gmail API, "Configure push notifications").
WATCH_LIFE = timedelta(days=7)

SCHEMA = """
CREATE TABLE IF NOT EXISTS watch(mailbox TEXT PRIMARY KEY, topic TEXT, labels TEXT, excludes INTEGER, expires INTEGER);
"""


@dataclass
class Watches:
    """Who is watched, and for which labels."""

    store: MailStore
    pubsub: PubSub
    project: str
    now: Callable[[], float] = monotonic_seconds
    _sent: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Mailbox -> (second, notifications in it)."""

    def __post_init__(self) -> None:
        self.store.define(SCHEMA)
        self.store.changed = self.mailbox_changed

    def watch(self, mailbox: str, body: dict[str, Any]) -> dict[str, Any]:
        """users.watch: set up or renew; sends one notification at once, as a test."""
        topic = str(body.get("topicName") or "")
        if not topic:
            raise invalid("topicName required")
        if not re.fullmatch(rf"projects/{re.escape(self.project)}/topics/[^/]+", topic):
            raise invalid(f"Invalid topicName does not match projects/{self.project}/topics/*")
        labels = [str(one) for one in body.get("labelIds") or ()]
        known = {key for key, _ in self.store.user_labels(mailbox)} | set(SYSTEM_LABELS)
        unknown = [one for one in labels if one not in known]
        if unknown:
            raise invalid(f"Invalid label: {unknown[0]}")
        behavior = str(body.get("labelFilterBehavior") or body.get("labelFilterAction") or "include").lower()
        if behavior not in {"include", "exclude"}:
            raise invalid(f"Invalid value at 'label_filter_behavior', \"{behavior}\"")
        before = self._live(mailbox)
        if before is not None and before[0] != topic:
            raise invalid("Only one user push notification client allowed per developer (call /stop then try again)")
        self._test(topic)
        expires = milliseconds(self.store.clock.now() + WATCH_LIFE)
        row = (mailbox, topic, json.dumps(labels), int(behavior == "exclude"), expires)
        with self.store.writing():
            self.store.db.execute("INSERT OR REPLACE INTO watch VALUES (?, ?, ?, ?, ?)", row)
            history = self.store.history_id(mailbox)
            self._notify(mailbox, topic, history)
        return {"historyId": str(history), "expiration": str(expires)}

    def stop(self, mailbox: str) -> None:
        """users.stop: nothing is sent any more; not being watched is no error."""
        with self.store.writing():
            self.store.db.execute("DELETE FROM watch WHERE mailbox = ?", (mailbox,))

    def forget(self, mailbox: str | None = None) -> None:
        """Let a watch (or all) end before its time."""
        with self.store.writing():
            self.store.db.execute("DELETE FROM watch WHERE ? IS NULL OR mailbox = ?", (mailbox, mailbox))

    def listing(self) -> dict[str, dict[str, Any]]:
        """Mailbox -> topic and expiry (milliseconds), of watches that live."""
        now = milliseconds(self.store.clock.now())
        query = "SELECT mailbox, topic, expires FROM watch WHERE expires > ? ORDER BY mailbox"
        return {row[0]: {"topic": row[1], "expires": row[2]} for row in self.store.db.execute(query, (now,))}

    def mailbox_changed(self, mailbox: str, history: int, labels: Iterable[str], changed: Iterable[str]) -> None:
        """Send a notification of a change of a message with these labels, if somebody watches for it."""
        live = self._live(mailbox)
        if live is None:
            return
        topic, wanted, excludes = live
        touched = {*labels, *changed}
        if wanted and excludes == bool(touched & wanted):
            return
        self._notify(mailbox, topic, history)

    def _live(self, mailbox: str) -> tuple[str, frozenset[str], bool] | None:
        query = "SELECT topic, labels, excludes FROM watch WHERE mailbox = ? AND expires > ?"
        row = self.store.db.execute(query, (mailbox, milliseconds(self.store.clock.now()))).fetchone()
        return None if row is None else (str(row[0]), frozenset(json.loads(row[1])), bool(row[2]))

    def _test(self, topic: str) -> None:
        if not self.pubsub.exists(topic):
            raise test_message_failed(topic, missing(topic), 404)
        if "pubsub.topics.publish" not in self.pubsub.permissions(topic, GMAIL_PUSH):
            raise test_message_failed(topic, DENIED, 403)

    def _notify(self, mailbox: str, topic: str, history: int) -> None:
        most = self.pubsub.settings.events_per_second
        second, count = int(self.now()), 0
        if mailbox in self._sent and self._sent[mailbox][0] == second:
            count = self._sent[mailbox][1]
        if most and count >= most:
            return
        self._sent[mailbox] = (second, count + 1)
        data = json.dumps({"emailAddress": mailbox, "historyId": history}).encode()
        try:
            self._test(topic)
            self.pubsub.publish(topic, data, notification=True)
        except GoogleError:
            return  # the topic or the right to it has gone: Gmail tells nobody
