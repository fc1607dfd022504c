"""Gmail's push through Pub/Sub: what an administrator sets up, what wears out, and what goes wrong.

GET  /push                  watches that live, topics, subscriptions with what waits in them, settings
POST /push/setup            {"topic"?: "gmail", "subscription"?: "leakwatch", "deadline"?: seconds}: make both, let
                            Gmail publish and the service account pull and see the subscription; says their full names
POST /push/delete           {"name"}: delete a topic or subscription, by its full name
POST /push/detach           {"subscription"}: detach it from its topic
POST /push/role             {"resource", "role", "member"?, "take"?}: grant a role or take it; without a member, of the
                            service account; "gmail": of Gmail's
POST /push/publish          {"topic", "data"}: publish somebody else's message: JSON of any kind, or a string as it is
POST /push/settings         see google/pubsub.py, PubSubSettings
POST /push/expire           {"watches": true | address}: let watches end; {"deadlines": true}: what was given and not
                            acknowledged comes at once
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from leakwatch.sandbox.control.desk import Call, Desk, Route
from leakwatch.sandbox.google.errors import GoogleError
from leakwatch.sandbox.google.pubsub import ACK_DEADLINE, GMAIL_PUSH, PubSubSettings
from leakwatch.sandbox.keys import PROJECT, SERVICE_ACCOUNT_EMAIL
from leakwatch.sandbox.stage import StageError

ACCOUNT = f"serviceAccount:{SERVICE_ACCOUNT_EMAIL}"


def look(desk: Desk, _call: Call) -> Any:
    """Everything of push."""
    pubsub = desk.google.pubsub.pubsub
    names = pubsub.store.db.execute("SELECT name FROM pubsub_subscription ORDER BY name").fetchall()
    return {
        "watches": desk.google.watches.listing(),
        "topics": [row[0] for row in pubsub.store.db.execute("SELECT name FROM pubsub_topic ORDER BY name")],
        "subscriptions": {row[0]: pubsub.waiting(row[0]) for row in names},
        "settings": pubsub.settings.as_json(),
    }


def setup(desk: Desk, call: Call) -> Any:
    """Make a topic and a subscription as docs/google.md has it."""
    pubsub = desk.google.pubsub.pubsub
    topic = f"projects/{PROJECT}/topics/{call.body.get('topic', 'gmail')}"
    subscription = f"projects/{PROJECT}/subscriptions/{call.body.get('subscription', 'leakwatch')}"
    with _refusals():
        pubsub.create_topic(topic)
        pubsub.create_subscription(subscription, topic, int(call.body.get("deadline", ACK_DEADLINE)))
        pubsub.grant(topic, GMAIL_PUSH, "roles/pubsub.publisher")
        for role in ("roles/pubsub.subscriber", "roles/pubsub.viewer"):
            pubsub.grant(subscription, ACCOUNT, role)
    return {"topic": topic, "subscription": subscription}


def delete(desk: Desk, call: Call) -> Any:
    """Delete a topic or subscription."""
    desk.google.pubsub.pubsub.delete(str(call.body["name"]))
    return {}


def detach(desk: Desk, call: Call) -> Any:
    """Detach a subscription."""
    with _refusals():
        desk.google.pubsub.pubsub.detach(str(call.body["subscription"]))
    return {}


def role(desk: Desk, call: Call) -> Any:
    """Grant or take a role."""
    body = call.body
    member = {None: ACCOUNT, "gmail": GMAIL_PUSH}.get(body.get("member"), str(body.get("member")))
    with _refusals():
        take = bool(body.get("take"))
        desk.google.pubsub.pubsub.grant(str(body["resource"]), member, str(body["role"]), take=take)
    return desk.google.pubsub.pubsub.policy(str(body["resource"]))


def publish(desk: Desk, call: Call) -> Any:
    """Publish what Gmail did not."""
    data = call.body["data"]
    content = data.encode() if isinstance(data, str) else json.dumps(data).encode()
    with _refusals():
        return {"messageId": desk.google.pubsub.pubsub.publish(str(call.body["topic"]), content)}


def settings(desk: Desk, call: Call) -> Any:
    """Change how badly it behaves."""
    found = desk.google.pubsub.pubsub.settings
    known = {item.name for item in fields(PubSubSettings)}
    for name, value in call.body.items():
        if name not in known:
            raise StageError(f"unknown setting {name!r}; known: {', '.join(sorted(known))}")
        setattr(found, name, value)
    return found.as_json()


def expire(desk: Desk, call: Call) -> Any:
    """Let watches or deadlines end."""
    watches = call.body.get("watches")
    if watches:
        desk.google.watches.forget(None if watches is True else str(watches))
    if call.body.get("deadlines"):
        desk.google.pubsub.pubsub.expire_deadlines()
    return {}


class _refusals:  # noqa: N801  used like a function
    """Tell what Pub/Sub refuses as the control API tells its own refusals."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, GoogleError):
            raise StageError(str(error)) from error


ROUTES: list[Route] = [
    ("GET", "/push", look),
    ("POST", "/push/setup", setup),
    ("POST", "/push/delete", delete),
    ("POST", "/push/detach", detach),
    ("POST", "/push/role", role),
    ("POST", "/push/publish", publish),
    ("POST", "/push/settings", settings),
    ("POST", "/push/expire", expire),
]
