"""Refusals of Cloud Pub/Sub, and of Gmail where it can't reach a topic.

Pub/Sub's REST bodies have `code`, `message` and the canonical `status`, without the list `errors` that Gmail's have
(Pub/Sub, "Error codes"; texts as public reports of 2018 to 2026 quote them).
"""

from __future__ import annotations

from typing import Any

from leakwatch.sandbox.google.errors import CANONICAL, ERROR_INFO, GoogleError

DENIED = "User not authorized to perform this action."


class PubSubError(GoogleError):
    """A refusal in Pub/Sub's own shape."""

    def __init__(
        self, status: int, message: str, *, canonical: str | None = None, details: list[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(status, message, "", canonical=canonical, details=details)
        del self.body["error"]["errors"]


def resource_not_found(resource: str) -> PubSubError:
    """404: no such topic or subscription."""
    return PubSubError(404, missing(resource))


def missing(resource: str) -> str:
    """The words for a topic or subscription that is not there; only the last part of its name is in them."""
    return f"Resource not found (resource={resource.rpartition('/')[2]})."


def denied() -> PubSubError:
    """403: the caller has no role that allows it on this resource."""
    return PubSubError(403, DENIED)


def disabled(project: str) -> PubSubError:
    """403: the Pub/Sub API is not switched on in the project."""
    return PubSubError(
        403,
        f"Cloud Pub/Sub API has not been used in project {project} before or it is disabled. Enable it by visiting "
        f"https://console.developers.google.com/apis/api/pubsub.googleapis.com/overview?project={project} then retry.",
        details=[
            {
                "@type": ERROR_INFO,
                "reason": "SERVICE_DISABLED",
                "domain": "googleapis.com",
                "metadata": {"service": "pubsub.googleapis.com", "consumer": f"projects/{project}"},
            }
        ],
    )


def insufficient_scope(method: str) -> PubSubError:
    """403: the token has neither the scope pubsub nor cloud-platform."""
    detail = {
        "@type": ERROR_INFO,
        "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "domain": "googleapis.com",
        "metadata": {"service": "pubsub.googleapis.com", "method": method},
    }
    return PubSubError(403, "Request had insufficient authentication scopes.", details=[detail])


def invalid(message: str) -> PubSubError:
    """400: a request that makes no sense."""
    return PubSubError(400, message)


def invalid_ack_id(ack_id: str) -> PubSubError:
    """400: an ack id that Pub/Sub never gave."""
    return PubSubError(400, f"You have passed an invalid ack ID to the service (ack_id={ack_id}).")


def detached() -> PubSubError:
    """400: the subscription hangs on no topic any more (discovery document: Subscription.detached)."""
    return PubSubError(400, "The subscription is detached from its topic.", canonical="FAILED_PRECONDITION")


def exhausted() -> PubSubError:
    """429: a quota of Pub/Sub is used up."""
    return PubSubError(
        429,
        "Quota exceeded for quota metric 'Regional pull subscriber throughput, kB' and limit 'Regional pull subscriber "
        "throughput, kB per minute per region' of service 'pubsub.googleapis.com'.",
    )


def not_emulated(what: str) -> PubSubError:
    """501: what Pub/Sub has and the sandbox does not play."""
    return PubSubError(501, f"The sandbox does not emulate Pub/Sub {what}.", canonical="UNIMPLEMENTED")


def of_status(status: int) -> GoogleError:
    """The usual body of a status, for faults on demand."""
    known: dict[int, GoogleError] = {403: denied(), 404: resource_not_found("leakwatch"), 429: exhausted()}
    words = {
        503: "The service was unable to fulfill your request. Please try again.",
        504: "The operation could not be completed within the time allotted. Please try again.",
    }
    canonical = "DEADLINE_EXCEEDED" if status == 504 else CANONICAL.get(status, "INTERNAL")
    return known.get(status) or PubSubError(
        status, words.get(status, "Internal error encountered."), canonical=canonical
    )


def test_message_failed(topic: str, why: str, status: int) -> GoogleError:
    """403 or 404 of users.watch: Gmail sends a message to the topic, and may not, or there is none."""
    reason = "notFound" if status == 404 else "forbidden"
    return GoogleError(status, f"Error sending test message to Cloud PubSub {topic} : {why}", reason)
