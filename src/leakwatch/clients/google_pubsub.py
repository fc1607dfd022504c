"""A pull subscription of Cloud Pub/Sub, as the service account itself (not delegated): no port is opened for it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leakwatch.clients import google_pages
from leakwatch.clients.google import ITSELF, PUBSUB_SCOPE, GoogleClient, parse_object
from leakwatch.clients.google_services import service

PROVIDER = "google_pubsub"
MOST = 1_000  # messages of a pull (Pub/Sub, "Quotas and limits")
PULL_PATIENCE_S = 120.0  # a pull waits for a message "for a bounded amount of time"; about 90 s are seen
CONSUME = "pubsub.subscriptions.consume"  # the permission to pull (Pub/Sub, "Access control with IAM")


@dataclass(frozen=True, slots=True)
class Received:
    """One message: what to acknowledge it by, and its data as it was published."""

    ack_id: str
    data: bytes


class PubSubClient:
    """One subscription.

    Args:
        client: the transport; its timeout must be longer than a pull may wait (PULL_PATIENCE_S).
        subscription: `projects/PROJECT/subscriptions/NAME`.
    """

    def __init__(self, client: GoogleClient, subscription: str) -> None:
        self._client = client
        self._name = subscription
        self._calls = service("pubsub", "v1", client.connection.pubsub_url).projects().subscriptions()

    def pull(self, most: int = MOST) -> list[Received]:
        """Return messages, at least once each and in no order; waits for one, as long as Google sees fit.

        What has no readable data comes with empty data: it is to be acknowledged all the same.

        Raises:
            AuthError: no right to pull, or the API is off. NotFoundError: no such subscription.
            RecordError: it is detached. TransientError: Pub/Sub can't answer now; it is asked once only.
        """
        answer = self._post(self._calls.pull(subscription=self._name, body={"maxMessages": most}), "pull")
        rows = google_pages.rows(answer, "receivedMessages", "pull")
        return [Received(str(row["ackId"]), _data(row.get("message"))) for row in rows if row.get("ackId")]

    def acknowledge(self, ack_ids: Sequence[str]) -> None:
        """Take messages off the subscription. One that is not taken off comes again. Errors: as `pull`."""
        if ack_ids:
            body = {"ackIds": list(ack_ids)}
            self._post(self._calls.acknowledge(subscription=self._name, body=body), "acknowledge")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def look(self) -> dict[str, Any]:
        """Return the subscription: topic, pushConfig, detached. Needs `pubsub.subscriptions.get`. Errors: as `pull`."""
        request = self._calls.get(subscription=self._name)
        return self._client.json(ITSELF, (PUBSUB_SCOPE,), request.uri, provider=PROVIDER, operation="subscriptions.get")

    def may_pull(self) -> bool:
        """Return whether we have the right to pull. Needs no right itself. Errors: as `pull`."""
        request = self._calls.testIamPermissions(resource=self._name, body={"permissions": [CONSUME]})
        found: Any = self._client.retry.call(
            lambda: self._post(request, "testIamPermissions"), what="testIamPermissions"
        )
        return CONSUME in (found.get("permissions") or ())

    def _post(self, request: Any, operation: str) -> dict[str, Any]:
        headers, content = self._client.request(
            ITSELF,
            (PUBSUB_SCOPE,),
            request.uri,
            provider=PROVIDER,
            operation=operation,
            body=request.body.encode(),
            content_type="application/json",
        )
        return parse_object(headers, content, operation)


def _data(message: object) -> bytes:
    """Return a message's data: base64 of either alphabet, padded or not (ProtoJSON, "bytes")."""
    text = message.get("data") if isinstance(message, Mapping) else None
    if not isinstance(text, str):
        return b""
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
