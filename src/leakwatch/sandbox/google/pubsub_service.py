"""Which Pub/Sub method a path means, who may call it, and what the sandbox does not play."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from leakwatch.sandbox.google import pubsub_errors as errors
from leakwatch.sandbox.google.pubsub import PubSub
from leakwatch.sandbox.google.tokens import Grant

ROOT = "/v1/projects/"

SCOPES = frozenset(
    {"https://www.googleapis.com/auth/pubsub", "https://www.googleapis.com/auth/cloud-platform"}
)  # discovery document pubsub v1, every method

_TARGET = re.compile(
    r"/v1/(?P<name>projects/[^/]+/(?P<kind>topics|subscriptions|snapshots|schemas)(?:/[^/:]+)?)(?::(?P<verb>\w+))?"
)

Body = dict[str, Any]

#: (kind, HTTP method, verb) -> the permission it wants; None: none.
METHODS: dict[tuple[str, str, str], str | None] = {
    ("subscriptions", "GET", ""): "pubsub.subscriptions.get",
    ("subscriptions", "POST", "pull"): "pubsub.subscriptions.consume",
    ("subscriptions", "POST", "acknowledge"): "pubsub.subscriptions.consume",
    ("subscriptions", "POST", "modifyAckDeadline"): "pubsub.subscriptions.consume",
    ("subscriptions", "POST", "testIamPermissions"): None,
    ("subscriptions", "GET", "getIamPolicy"): "pubsub.subscriptions.getIamPolicy",
    ("topics", "GET", ""): "pubsub.topics.get",
    ("topics", "POST", "publish"): "pubsub.topics.publish",
    ("topics", "POST", "testIamPermissions"): None,
    ("topics", "GET", "getIamPolicy"): "pubsub.topics.getIamPolicy",
}


@dataclass(slots=True)
class PubSubService:
    """Pub/Sub v1 of one project, for its service account."""

    pubsub: PubSub
    project: str
    account: str
    """The address of the service account."""
    counted: Callable[[str], None]

    def answer(self, method: str, path: str, body: Body, grant: Grant) -> Body:
        """Answer one call of somebody with a token."""
        found = _TARGET.fullmatch(path)
        if found is None:
            raise errors.not_emulated(f"{method} {path}")
        name, kind, verb = found["name"], found["kind"], found["verb"] or ""
        if (kind, method, verb) not in METHODS or name.endswith(f"/{kind}"):
            raise errors.not_emulated(f"projects.{kind} {method} {verb}".rstrip())
        self.counted(f"pubsub.{kind}.{verb or 'get'}")
        if not grant.scopes & SCOPES:
            raise errors.insufficient_scope(f"google.pubsub.v1.{kind}.{verb or 'get'}")
        if not self.pubsub.settings.enabled:
            raise errors.disabled(self.project)
        member = f"user:{grant.subject}" if grant.subject is not None else f"serviceAccount:{self.account}"
        allowed = self.pubsub.permissions(name, member)
        if verb == "testIamPermissions":  # "not an error" for what is not there (discovery document)
            asked = [str(one) for one in body.get("permissions") or ()]
            some = [one for one in asked if one in allowed]
            return {"permissions": some} if some else {}
        if not self.pubsub.exists(name):
            raise errors.resource_not_found(name)
        if METHODS[kind, method, verb] not in allowed:
            raise errors.denied()
        handlers: dict[str, Callable[[str, Body], Body]] = {
            "pull": self._pull,
            "acknowledge": self._acknowledge,
            "modifyAckDeadline": self._modify,
            "publish": self._publish,
            "getIamPolicy": lambda resource, _: self.pubsub.policy(resource),
            "": self._get,
        }
        return handlers[verb](name, body)

    def _get(self, name: str, _body: Body) -> Body:
        return {"name": name, "state": "ACTIVE"} if "/topics/" in name else self.pubsub.subscription_body(name)

    def _pull(self, name: str, body: Body) -> Body:
        most = body.get("maxMessages")
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise errors.invalid("Invalid maxMessages given: must be a positive integer.")
        found = self.pubsub.pull(name, most)
        return {"receivedMessages": found} if found else {}

    def _acknowledge(self, name: str, body: Body) -> Body:
        self.pubsub.acknowledge(name, _ack_ids(body))
        return {}

    def _modify(self, name: str, body: Body) -> Body:
        self.pubsub.modify_deadline(name, _ack_ids(body), int(body.get("ackDeadlineSeconds") or 0))
        return {}

    def _publish(self, name: str, body: Body) -> Body:
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise errors.invalid("The value for message_count is too small. You passed 0 in the request.")
        try:
            contents = [base64.b64decode(str(one.get("data") or ""), validate=True) for one in messages]
        except (binascii.Error, AttributeError) as error:
            raise errors.invalid("Invalid value at 'messages[0].data' (TYPE_BYTES), Base64 decoding failed") from error
        return {"messageIds": [self.pubsub.publish(name, data) for data in contents]}


def _ack_ids(body: Body) -> list[str]:
    found = body.get("ackIds")
    if not isinstance(found, list) or not found:
        raise errors.invalid("No ack ids specified.")
    return [str(one) for one in found]
