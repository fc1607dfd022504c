"""The Pub/Sub and watch clients against recorded answers: what is sent, as whom, and what each refusal means."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.google_fakes import Answer, FakeHttp, error, make_client, ok
from leakwatch.clients.google_pubsub import PubSubClient, Received
from leakwatch.clients.google_watch import Granted, WatchClient
from leakwatch.errors import AuthError, LeakwatchError, NotFoundError, RecordError, TransientError

TOPIC, SUBSCRIPTION = "projects/p/topics/gmail", "projects/p/subscriptions/leakwatch"
EXPIRES = {"historyId": "77", "expiration": "1782993600000"}  # 2026-07-02T12:00:00Z
ANOTHER = "Only one user push notification client allowed per developer (call /stop then try again)"


def refusal(status: int, words: str, canonical: str) -> Answer:
    """As Pub/Sub refuses: without the list `errors`."""
    body = {"error": {"code": status, "message": words, "status": canonical}}
    return status, {"content-type": "application/json; charset=UTF-8"}, json.dumps(body).encode()


@pytest.fixture
def http() -> FakeHttp:
    return FakeHttp()


@pytest.fixture
def subscription(tmp_path: Path, http: FakeHttp) -> PubSubClient:
    return PubSubClient(make_client(tmp_path, http)[0], SUBSCRIPTION)


@pytest.fixture
def watches(tmp_path: Path, http: FakeHttp) -> WatchClient:
    return WatchClient(make_client(tmp_path, http)[0], TOPIC)


def test_a_pull_asks_as_the_service_account_itself_with_the_scope_pubsub(
    subscription: PubSubClient, http: FakeHttp
) -> None:
    http.answers.append(ok({}))
    assert subscription.pull(5) == []
    uri, _, body = http.requests[0]
    assert uri.startswith(f"https://pubsub.googleapis.com/v1/{SUBSCRIPTION}:pull")
    assert json.loads(body or b"") == {"maxMessages": 5}  # returnImmediately is deprecated
    assert "sub" not in http.claims[0]
    assert http.claims[0]["scope"] == "https://www.googleapis.com/auth/pubsub"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode], ids=["standard", "url"])
def test_data_is_read_in_either_alphabet(
    subscription: PubSubClient, http: FakeHttp, encode: Callable[[bytes], bytes]
) -> None:
    data = b"\xfb\xff\xfe?>"
    message = {"data": encode(data).decode().rstrip("="), "messageId": "1"}
    http.answers.append(ok({"receivedMessages": [{"ackId": "a", "message": message}]}))
    assert subscription.pull() == [Received("a", data)]


@pytest.mark.parametrize("message", [None, {}, {"data": 7}, {"data": "%%%"}, "text"])
def test_a_message_without_readable_data_is_still_to_be_acknowledged(
    subscription: PubSubClient, http: FakeHttp, message: Any
) -> None:
    http.answers.append(ok({"receivedMessages": [{"ackId": "a", "message": message}]}))
    assert subscription.pull() == [Received("a", b"")]


def test_nothing_to_acknowledge_is_no_call(subscription: PubSubClient, http: FakeHttp) -> None:
    subscription.acknowledge([])
    http.answers.append(ok({}))
    subscription.acknowledge(["a", "b"])
    assert json.loads(http.requests[0][2] or b"") == {"ackIds": ["a", "b"]}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(403, "User not authorized to perform this action.", "PERMISSION_DENIED"), AuthError),
        (refusal(404, "Resource not found (resource=leakwatch).", "NOT_FOUND"), NotFoundError),
        (refusal(400, "The subscription is detached from its topic.", "FAILED_PRECONDITION"), LeakwatchError),
        (refusal(429, "Quota exceeded for quota metric", "RESOURCE_EXHAUSTED"), TransientError),
        (refusal(504, "The operation could not be completed", "DEADLINE_EXCEEDED"), TransientError),
        (OSError("timed out"), TransientError),
        (ok([]), TransientError),
    ],
)
def test_each_refusal_of_a_pull_has_its_meaning_and_is_asked_once(
    subscription: PubSubClient, http: FakeHttp, answer: Any, kind: type[Exception]
) -> None:
    http.answers.append(answer)
    with pytest.raises(kind):
        subscription.pull()
    assert len(http.requests) == 1


def test_a_watch_names_the_topic_and_leaves_drafts_out(watches: WatchClient, http: FakeHttp) -> None:
    http.answers.append(ok(EXPIRES))
    assert watches.watch("ann@ourco.com") == Granted("77", datetime(2026, 7, 2, 12, tzinfo=UTC))
    uri, _, body = http.requests[0]
    assert uri.startswith("https://gmail.googleapis.com/gmail/v1/users/me/watch")
    wanted = {"topicName": TOPIC, "labelIds": ["DRAFT"], "labelFilterBehavior": "exclude"}
    assert json.loads(body or b"") == wanted
    assert http.claims[0]["sub"] == "ann@ourco.com"
    assert http.claims[0]["scope"] == "https://www.googleapis.com/auth/gmail.metadata"


def test_where_another_topic_was_watched_that_watch_is_ended_first(watches: WatchClient, http: FakeHttp) -> None:
    http.answers += [error(400, "invalidArgument", ANOTHER), (204, {}, b""), ok(EXPIRES)]
    assert watches.watch("ann@ourco.com").history_id == "77"
    assert [uri.partition("?")[0].rpartition("/")[2] for uri, _, _ in http.requests] == ["watch", "stop", "watch"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            error(403, "forbidden", f"Error sending test message to Cloud PubSub {TOPIC} : User not authorized"),
            AuthError,
        ),
        (error(404, "notFound", f"Error sending test message to Cloud PubSub {TOPIC} : Resource not"), NotFoundError),
        (error(400, "invalidArgument", "Invalid topicName does not match projects/p/topics/*"), RecordError),
        (ok({"historyId": "1"}), TransientError),
    ],
)
def test_each_refusal_of_a_watch_has_its_meaning(
    watches: WatchClient, http: FakeHttp, answer: Answer, kind: type[Exception]
) -> None:
    http.handler = lambda *_: answer
    with pytest.raises(kind):
        watches.watch("ann@ourco.com")


def test_nobody_off_the_roster_is_watched(watches: WatchClient, http: FakeHttp) -> None:
    with pytest.raises(AuthError, match="not on the roster"):
        watches.watch("eve@elsewhere.com")
    assert http.requests == []
