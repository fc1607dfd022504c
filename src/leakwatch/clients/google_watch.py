"""users.watch and users.stop: Gmail tells a Pub/Sub topic when a mailbox changes. Nothing in the mailbox does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from leakwatch.clients.google import GMAIL_SCOPES, GoogleClient, parse_object
from leakwatch.clients.google_services import GMAIL, service
from leakwatch.errors import RecordError, TransientError

# Every autosave of a draft is a change; nothing of a draft is read before it is sent, as a new message with SENT.
UNHEARD = ("DRAFT",)
# What Gmail says (400) while another topic of the same project is watched; public reports of 2018 to 2026.
_ANOTHER_TOPIC = "only one user push notification client"


@dataclass(frozen=True, slots=True)
class Granted:
    """A watch: from which history id on changes are told, and until when (aware UTC)."""

    history_id: str
    expires_at: datetime


class WatchClient:
    """Watches mailboxes for one topic, `projects/PROJECT/topics/NAME`, of the service account's own project."""

    def __init__(self, client: GoogleClient, topic: str) -> None:
        self._client = client
        self._topic = topic
        self._scopes = (GMAIL_SCOPES[client.connection.scope],)
        self._users = service("gmail", "v1", client.connection.gmail_url).users()

    def watch(self, subject: str) -> Granted:
        """Watch a mailbox from now on, or go on watching it; an older watch for another topic is ended.

        Raises:
            AuthError: the mailbox refuses us, or Gmail may not publish to the topic. NotFoundError: there is no such
                topic. RecordError: another refusal (the topic is another project's). TransientError: not now.
        """
        body = {"topicName": self._topic, "labelIds": list(UNHEARD), "labelFilterBehavior": "exclude"}
        try:
            answer = self._post(subject, self._users.watch(userId="me", body=body), "watch", orjson.dumps(body))
        except RecordError as error:
            if _ANOTHER_TOPIC not in str(error).lower():
                raise
            self.stop(subject)
            answer = self._post(subject, self._users.watch(userId="me", body=body), "watch", orjson.dumps(body))
        try:
            expires = datetime.fromtimestamp(int(str(answer.get("expiration"))) / 1000, UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise TransientError("Gmail answered watch without saying until when") from error
        return Granted(str(answer.get("historyId") or ""), expires)

    def stop(self, subject: str) -> None:
        """End the watch of a mailbox, whatever its topic. Errors: as `watch`."""
        self._post(subject, self._users.stop(userId="me"), "stop", b"")

    def _post(self, subject: str, request: Any, operation: str, body: bytes) -> dict[str, Any]:
        def once() -> dict[str, Any]:
            headers, content = self._client.request(
                subject,
                self._scopes,
                f"{request.uri}&prettyPrint=false",
                provider=GMAIL,
                operation=operation,
                body=body,
                content_type="application/json",
            )
            return parse_object(headers, content, operation) if content.strip() else {}

        return self._client.retry.call(once, what=operation)
