"""Cloud Pub/Sub as far as a pull subscriber meets it: topics, subscriptions, roles, messages; all in memory of a file.

Delivery is at least once and in no order that is promised (Pub/Sub, "Subscription overview"): a message that was not
acknowledged within the subscription's deadline comes again, an acknowledgement that comes later changes nothing, and
settings let messages come twice, late or not at all. Deadlines are in wall time, as for everything that a client waits
for; the times in a message are the world's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from leakwatch.sandbox.clock import format_instant, wall_seconds
from leakwatch.sandbox.google import pubsub_errors as errors
from leakwatch.sandbox.google.store import MailStore

GMAIL_PUSH = "serviceAccount:gmail-api-push@system.gserviceaccount.com"

#: Role -> the permissions in it that matter here (Pub/Sub, "Access control with IAM").
ROLES: dict[str, frozenset[str]] = {
    "roles/pubsub.publisher": frozenset({"pubsub.topics.publish"}),
    "roles/pubsub.subscriber": frozenset({"pubsub.subscriptions.consume", "pubsub.topics.attachSubscription"}),
    "roles/pubsub.viewer": frozenset({"pubsub.topics.get", "pubsub.subscriptions.get"}),
    "roles/pubsub.editor": frozenset(
        {"pubsub.topics.publish", "pubsub.topics.get", "pubsub.subscriptions.consume", "pubsub.subscriptions.get"}
    ),
    "roles/pubsub.admin": frozenset(
        {
            "pubsub.topics.publish", "pubsub.topics.get", "pubsub.topics.getIamPolicy", "pubsub.subscriptions.consume",
            "pubsub.subscriptions.get", "pubsub.subscriptions.getIamPolicy",
        }
    ),
}  # fmt: skip

#: Subscription.ackDeadlineSeconds and messageRetentionDuration by default, seconds (discovery document pubsub v1).
ACK_DEADLINE, RETENTION = 10, 7 * 86_400
LONGEST_ACK_DEADLINE = 600

#: The most messages that a pull gives (Pub/Sub, "Quotas and limits": 1,000 messages of a pull).
MOST = 1_000

NAME = re.compile(r"projects/[^/]+/(topics|subscriptions)/(?!goog)[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}")

SCHEMA = """
CREATE TABLE IF NOT EXISTS pubsub_topic(name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS pubsub_subscription(name TEXT PRIMARY KEY, topic TEXT, deadline INTEGER, detached INTEGER);
CREATE TABLE IF NOT EXISTS pubsub_role(resource TEXT, member TEXT, role TEXT, PRIMARY KEY(resource, member, role));
CREATE TABLE IF NOT EXISTS pubsub_message(
  subscription TEXT, id INTEGER, data TEXT, published TEXT, born REAL, due REAL, attempts INTEGER, again INTEGER,
  PRIMARY KEY(subscription, id));
CREATE TABLE IF NOT EXISTS pubsub_counter(name TEXT PRIMARY KEY, value INTEGER);
"""


@dataclass(slots=True)
class PubSubSettings:
    """How badly it behaves, within what Google allows. Every n-th message, counted from the first; 0: none."""

    enabled: bool = True
    """Whether the API is switched on in the project."""
    lose_every: int = 0
    """Gmail's notification never comes ("might be delayed or dropped")."""
    twice_every: int = 0
    """It comes again although it was acknowledged."""
    late_every: int = 0
    late_s: float = 30.0
    """It comes so much later."""
    pull_wait_s: float = 2.0
    """How long a pull waits for a message; Google says only that the time is bounded."""
    events_per_second: int = 1
    """Notifications of one mailbox and second; what is above is dropped. 0: no limit."""

    def as_json(self) -> dict[str, Any]:
        """The settings as the control API shows them."""
        return asdict(self)


@dataclass
class PubSub:
    """Topics and subscriptions of the sandbox's project, in the file of the mailboxes."""

    store: MailStore
    settings: PubSubSettings = field(default_factory=PubSubSettings)
    wall: Callable[[], float] = wall_seconds
    listeners: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    """Told when a message was put into a subscription."""

    def __post_init__(self) -> None:
        self.store.define(SCHEMA)

    # -- what an administrator does ----------------------------------------------------------------

    def create_topic(self, name: str) -> None:
        """Make a topic, unless it is there."""
        self._check(name, "topics")
        with self.store.writing():
            self.store.db.execute("INSERT OR IGNORE INTO pubsub_topic VALUES (?)", (name,))

    def create_subscription(self, name: str, topic: str, deadline: int = ACK_DEADLINE) -> None:
        """Hang a pull subscription on a topic; one of that name is replaced, and its backlog is gone."""
        self._check(name, "subscriptions")
        if not 10 <= deadline <= LONGEST_ACK_DEADLINE:
            raise errors.invalid("Invalid ack deadline given (seconds): must be between 10 and 600.")
        self._topic(topic)
        with self.store.writing():
            self.store.db.execute("DELETE FROM pubsub_message WHERE subscription = ?", (name,))
            row = (name, topic, deadline, 0)
            self.store.db.execute("INSERT OR REPLACE INTO pubsub_subscription VALUES (?, ?, ?, ?)", row)

    def delete(self, name: str) -> None:
        """Delete a topic or a subscription; what hung on the topic is detached from it."""
        with self.store.writing():
            for table in ("pubsub_topic", "pubsub_subscription"):
                self.store.db.execute(f"DELETE FROM {table} WHERE name = ?", (name,))
            self.store.db.execute("DELETE FROM pubsub_message WHERE subscription = ?", (name,))
            self.store.db.execute("DELETE FROM pubsub_role WHERE resource = ?", (name,))
            self.store.db.execute(
                "UPDATE pubsub_subscription SET topic = '_deleted-topic_', detached = 1 WHERE topic = ?", (name,)
            )

    def detach(self, subscription: str) -> None:
        """Detach a subscription; its backlog is gone."""
        self._subscription(subscription)
        with self.store.writing():
            self.store.db.execute("UPDATE pubsub_subscription SET detached = 1 WHERE name = ?", (subscription,))
            self.store.db.execute("DELETE FROM pubsub_message WHERE subscription = ?", (subscription,))

    def grant(self, resource: str, member: str, role: str, *, take: bool = False) -> None:
        """Give somebody a role on a topic or subscription, or take it."""
        if role not in ROLES:
            raise errors.invalid(f"Role {role} is not supported for this resource.")
        statement = (
            "DELETE FROM pubsub_role WHERE resource = ? AND member = ? AND role = ?"
            if take
            else "INSERT OR IGNORE INTO pubsub_role VALUES (?, ?, ?)"
        )
        with self.store.writing():
            self.store.db.execute(statement, (resource, member, role))

    def permissions(self, resource: str, member: str) -> frozenset[str]:
        """What somebody may do with a topic or subscription."""
        query = "SELECT role FROM pubsub_role WHERE resource = ? AND member = ?"
        roles = [row[0] for row in self.store.db.execute(query, (resource, member))]
        return frozenset().union(*(ROLES[role] for role in roles))

    def policy(self, resource: str) -> dict[str, Any]:
        """The policy of a resource, as getIamPolicy gives it."""
        found: dict[str, list[str]] = {}
        query = "SELECT role, member FROM pubsub_role WHERE resource = ? ORDER BY role, member"
        for role, member in self.store.db.execute(query, (resource,)):
            found.setdefault(role, []).append(member)
        etag = base64.b64encode(hashlib.blake2b(json.dumps(found).encode(), digest_size=8).digest()).decode()
        bindings = [{"role": role, "members": members} for role, members in found.items()]
        return {"version": 1, "etag": etag} | ({"bindings": bindings} if bindings else {})

    def exists(self, name: str) -> bool:
        """Whether there is such a topic or subscription."""
        kind = "pubsub_topic" if "/topics/" in name else "pubsub_subscription"
        return self.store.db.execute(f"SELECT 1 FROM {kind} WHERE name = ?", (name,)).fetchone() is not None

    # -- messages ----------------------------------------------------------------------------------

    def publish(self, topic: str, data: bytes, *, notification: bool = False) -> str:
        """Put a message into every subscription of a topic; returns its id.

        The settings spoil a `notification` of Gmail's, not what others publish.
        """
        self._topic(topic)
        number, plan = self._next("message"), self.settings
        count = self._next("notification") if notification else 0
        if _every(count, plan.lose_every):
            return str(number)
        now = self.wall()
        due = now + (plan.late_s if _every(count, plan.late_every) else 0.0)
        again = int(_every(count, plan.twice_every))
        text, at = base64.b64encode(data).decode("ascii"), format_instant(self.store.clock.now())
        query = "SELECT name FROM pubsub_subscription WHERE topic = ? AND NOT detached"
        with self.store.writing():
            for row in self.store.db.execute(query, (topic,)).fetchall():
                values = (row[0], number, text, at, now, due, 0, again)
                self.store.db.execute("INSERT INTO pubsub_message VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        self._tell()
        return str(number)

    def pull(self, subscription: str, most: int) -> list[dict[str, Any]]:
        """What may be given now, in no particular order; it is not given again before the deadline."""
        _, deadline, detached = self._subscription(subscription)
        if detached:
            raise errors.detached()
        now = self.wall()
        with self.store.writing():
            query = "DELETE FROM pubsub_message WHERE subscription = ? AND born < ?"
            self.store.db.execute(query, (subscription, now - RETENTION))
            query = "SELECT id, data, published, attempts FROM pubsub_message WHERE subscription = ? AND due <= ?"
            rows = self.store.db.execute(query, (subscription, now)).fetchall()
            rows.sort(key=lambda row: hashlib.blake2b(str(row[0]).encode(), digest_size=4).digest())
            rows = rows[: min(most, MOST)]
            for row in rows:
                change = "UPDATE pubsub_message SET due = ?, attempts = ? WHERE subscription = ? AND id = ?"
                self.store.db.execute(change, (now + deadline, row[3] + 1, subscription, row[0]))
        return [
            {
                "ackId": _ack_id(subscription, row[0], row[3] + 1),
                "message": {"data": row[1], "messageId": str(row[0]), "publishTime": row[2]},
            }
            for row in rows
        ]

    def acknowledge(self, subscription: str, ack_ids: list[str]) -> None:
        """Take messages off the backlog, as far as their deadline has not passed."""
        self._subscription(subscription)
        now = self.wall()
        with self.store.writing():
            for ack_id in ack_ids:
                number, attempt = _read_ack_id(subscription, ack_id)
                own = (subscription, number)
                query = "SELECT attempts, due, again FROM pubsub_message WHERE subscription = ? AND id = ?"
                row = self.store.db.execute(query, own).fetchone()
                if row is None or attempt != row[0] or row[1] <= now:
                    continue
                if row[2]:
                    change = "UPDATE pubsub_message SET again = 0, due = ? WHERE subscription = ? AND id = ?"
                    self.store.db.execute(change, (now, *own))
                else:
                    self.store.db.execute("DELETE FROM pubsub_message WHERE subscription = ? AND id = ?", own)

    def modify_deadline(self, subscription: str, ack_ids: list[str], seconds: int) -> None:
        """Let a message come again so much later; 0: at once."""
        self._subscription(subscription)
        if not 0 <= seconds <= LONGEST_ACK_DEADLINE:
            raise errors.invalid("Invalid ack deadline given (seconds): must be between 0 and 600.")
        with self.store.writing():
            for ack_id in ack_ids:
                number, attempt = _read_ack_id(subscription, ack_id)
                change = "UPDATE pubsub_message SET due = ? WHERE subscription = ? AND id = ? AND attempts = ?"
                self.store.db.execute(change, (self.wall() + seconds, subscription, number, attempt))

    def expire_deadlines(self) -> None:
        """Let everything that was given and not acknowledged, or is late, come at the next pull."""
        with self.store.writing():
            self.store.db.execute("UPDATE pubsub_message SET due = ?", (self.wall(),))
        self._tell()

    def waiting(self, subscription: str) -> int:
        """How many messages are not acknowledged."""
        query = "SELECT count(*) FROM pubsub_message WHERE subscription = ?"
        return int(self.store.db.execute(query, (subscription,)).fetchone()[0])

    def seconds_to_next(self, subscription: str) -> float:
        """In how many seconds a message that is there may be given; infinite if there is none."""
        query = "SELECT min(due) FROM pubsub_message WHERE subscription = ?"
        found = self.store.db.execute(query, (subscription,)).fetchone()[0]
        return float("inf") if found is None else max(0.0, float(found) - self.wall())

    def subscription_body(self, name: str) -> dict[str, Any]:
        """A subscription as its resource is."""
        topic, deadline, detached = self._subscription(name)
        body: dict[str, Any] = {"name": name, "topic": topic, "pushConfig": {}, "ackDeadlineSeconds": deadline}
        body |= {"messageRetentionDuration": f"{RETENTION}s", "expirationPolicy": {"ttl": "2678400s"}}
        return body | ({"detached": True} if detached else {}) | {"state": "ACTIVE"}

    def _tell(self) -> None:
        for listener in list(self.listeners):
            listener()

    # -- within ------------------------------------------------------------------------------------

    def _check(self, name: str, kind: str) -> None:
        found = NAME.fullmatch(name)
        if found is None or found.group(1) != kind:
            raise errors.invalid(f'Invalid [{kind}] name: (name="{name}").')

    def _topic(self, name: str) -> None:
        if not self.exists(name):
            raise errors.resource_not_found(name)

    def _subscription(self, name: str) -> tuple[str, int, bool]:
        query = "SELECT topic, deadline, detached FROM pubsub_subscription WHERE name = ?"
        row = self.store.db.execute(query, (name,)).fetchone()
        if row is None:
            raise errors.resource_not_found(name)
        return str(row[0]), int(row[1]), bool(row[2])

    def _next(self, name: str) -> int:
        with self.store.writing():
            change = "INSERT INTO pubsub_counter VALUES (?, 1) ON CONFLICT(name) DO UPDATE SET value = value + 1"
            self.store.db.execute(change, (name,))
            query = "SELECT value FROM pubsub_counter WHERE name = ?"
            return int(self.store.db.execute(query, (name,)).fetchone()[0])


def _every(count: int, nth: int) -> bool:
    return nth > 0 and count > 0 and count % nth == 0


def _ack_id(subscription: str, number: int, attempt: int) -> str:
    seal = hashlib.blake2b(f"{subscription} {number} {attempt}".encode(), digest_size=6).hexdigest()
    return base64.urlsafe_b64encode(f"{number}.{attempt}.{seal}".encode()).decode("ascii")


def _read_ack_id(subscription: str, ack_id: str) -> tuple[int, int]:
    try:
        number, attempt, _ = base64.urlsafe_b64decode(ack_id.encode()).decode("ascii").split(".")
        if _ack_id(subscription, int(number), int(attempt)) == ack_id:
            return int(number), int(attempt)
    except (ValueError, binascii.Error):
        pass
    raise errors.invalid_ack_id(ack_id)
