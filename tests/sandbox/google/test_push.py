"""Gmail's watch and Cloud Pub/Sub's pull as the official clients meet them, in this process and in held time.

Sources: Gmail API, "Configure push notifications" and users.watch; Pub/Sub, discovery document v1, "Error codes",
"Subscription overview"; texts of refusals as public issues quote them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from leakwatch.sandbox.google.errors import GoogleError
from leakwatch.sandbox.google.post import Letter
from leakwatch.sandbox.google.pubsub import GMAIL_PUSH
from leakwatch.sandbox.google.quota import PRICES
from sandbox.google.calendar_desk import ANN, BOB, CUSTOMER, PROJECT, ROBOT, Desk

TOPIC, SUBSCRIPTION = f"projects/{PROJECT}/topics/gmail", f"projects/{PROJECT}/subscriptions/leakwatch"
NONE = f"projects/{PROJECT}/topics/none"
ACCOUNT = f"serviceAccount:{ROBOT}"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Three mailboxes, a topic that Gmail may publish to, and a subscription that the service account may pull."""
    one = Desk(tmp_path)
    one.pubsub.settings.events_per_second = 0
    one.pubsub.create_topic(TOPIC)
    one.pubsub.create_subscription(SUBSCRIPTION, TOPIC)
    one.pubsub.grant(TOPIC, GMAIL_PUSH, "roles/pubsub.publisher")
    one.pubsub.grant(SUBSCRIPTION, ACCOUNT, "roles/pubsub.subscriber")
    yield one
    one.mail.close()


def watch(desk: Desk, user: str = ANN, **body: Any) -> dict[str, Any]:
    return desk.gmail(user).users().watch(userId="me", body={"topicName": TOPIC} | body).execute()


def mail(desk: Desk, *to: str, number: int = 1) -> None:
    raw = f"From: {CUSTOMER}\r\nTo: {', '.join(to)}\r\nMessage-ID: <m{number}@x>\r\nSubject: s\r\n\r\nb\r\n".encode()
    desk.post.deliver(Letter(raw, raw, CUSTOMER, to), desk.clock.now())


def pull(desk: Desk, most: int = 100) -> list[dict[str, Any]]:
    answer = desk.pubsub_api().subscriptions().pull(subscription=SUBSCRIPTION, body={"maxMessages": most}).execute()
    return list(answer.get("receivedMessages", []))


def acknowledge(desk: Desk, messages: list[dict[str, Any]]) -> None:
    body = {"ackIds": [one["ackId"] for one in messages]}
    assert desk.pubsub_api().subscriptions().acknowledge(subscription=SUBSCRIPTION, body=body).execute() == {}


def told(messages: list[dict[str, Any]]) -> list[tuple[str, int]]:
    found = [json.loads(base64.urlsafe_b64decode(one["message"]["data"])) for one in messages]
    return sorted((one["emailAddress"], int(one["historyId"])) for one in found)


def refused(call: Any) -> tuple[int, str]:
    with pytest.raises(HttpError) as caught:
        call.execute()
    return caught.value.resp.status, str(json.loads(caught.value.content)["error"]["message"])


def test_a_watch_lasts_seven_days_and_sends_one_notification_at_once(desk: Desk) -> None:
    answer = watch(desk)
    assert int(answer["expiration"]) == (int(desk.clock.now().timestamp()) + 7 * 86_400) * 1000
    assert told(pull(desk)) == [(ANN, int(answer["historyId"]))]
    assert answer["historyId"] == desk.gmail().users().getProfile(userId="me").execute()["historyId"]


def test_each_change_of_a_watched_mailbox_is_told_with_its_new_history_id_and_of_others_nothing(desk: Desk) -> None:
    watch(desk)
    acknowledge(desk, pull(desk))
    mail(desk, ANN, BOB)
    found = pull(desk)
    assert told(found) == [(ANN, desk.mail.history_id(ANN))]
    assert set(found[0]["message"]) == {"data", "messageId", "publishTime"}


def test_nothing_is_told_after_stop_nor_after_the_seven_days(desk: Desk) -> None:
    watch(desk)
    watch(desk, BOB)
    acknowledge(desk, pull(desk))
    assert desk.gmail().users().stop(userId="me").execute() == ""
    mail(desk, ANN)
    desk.pass_time(days=7)
    mail(desk, BOB, number=2)
    assert pull(desk) == []
    watch(desk, BOB)
    mail(desk, BOB, number=3)
    assert len(pull(desk)) == 2


@pytest.mark.parametrize(("behavior", "heard"), [("INCLUDE", ["INBOX"]), ("exclude", ["DRAFT"])])
def test_labels_narrow_what_is_told_of(desk: Desk, behavior: str, heard: list[str]) -> None:
    watch(desk, labelIds=["INBOX"], labelFilterBehavior=behavior)
    acknowledge(desk, pull(desk))
    mail(desk, ANN)
    after_mail = desk.mail.history_id(ANN)
    desk.post.save_draft(ANN, b"Subject: d\r\n\r\n", desk.clock.now())
    expected = {"INBOX": after_mail, "DRAFT": desk.mail.history_id(ANN)}
    assert told(pull(desk)) == [(ANN, expected[label]) for label in heard]


def test_above_one_a_second_notifications_of_a_mailbox_are_dropped(desk: Desk) -> None:
    desk.pubsub.settings.events_per_second = 1
    watch(desk)
    mail(desk, ANN)
    desk.now += 1
    mail(desk, ANN, number=2)
    mail(desk, ANN, number=3)
    assert len(pull(desk)) == 2


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"topicName": ""}, 400, "topicName required"),
        ({"topicName": "gmail"}, 400, f"Invalid topicName does not match projects/{PROJECT}/topics/*"),
        ({"topicName": "projects/other/topics/gmail"}, 400, f"Invalid topicName does not match projects/{PROJECT}/"),
        ({"labelIds": ["Label_99"]}, 400, "Invalid label: Label_99"),
        (
            {"topicName": NONE},
            404,
            f"Error sending test message to Cloud PubSub {NONE} : Resource not found (resource=none",
        ),
    ],
)
def test_a_watch_that_can_not_be_is_refused_with_gmails_words(
    desk: Desk, body: dict[str, Any], status: int, words: str
) -> None:
    code, text = refused(desk.gmail().users().watch(userId="me", body={"topicName": TOPIC} | body))
    assert (code, text[: len(words)]) == (status, words)


def test_without_gmail_as_publisher_a_watch_is_403_and_what_is_set_up_falls_silent(desk: Desk) -> None:
    watch(desk)
    acknowledge(desk, pull(desk))
    desk.pubsub.grant(TOPIC, GMAIL_PUSH, "roles/pubsub.publisher", take=True)
    code, text = refused(desk.gmail().users().watch(userId="me", body={"topicName": TOPIC}))
    assert code == 403
    assert text == f"Error sending test message to Cloud PubSub {TOPIC} : User not authorized to perform this action."
    mail(desk, ANN)
    assert pull(desk) == []


def test_a_second_topic_is_refused_until_stop(desk: Desk) -> None:
    other = f"projects/{PROJECT}/topics/other"
    desk.pubsub.create_topic(other)
    desk.pubsub.grant(other, GMAIL_PUSH, "roles/pubsub.publisher")
    watch(desk)
    watch(desk)
    code, text = refused(desk.gmail().users().watch(userId="me", body={"topicName": other}))
    assert (code, text[:54]) == (400, "Only one user push notification client allowed per dev")
    desk.gmail().users().stop(userId="me").execute()
    assert watch(desk, topicName=other)


def test_a_watch_costs_100_units_and_a_stop_50(desk: Desk) -> None:
    watch(desk)
    desk.gmail().users().stop(userId="me").execute()
    assert desk.quota.units == {ANN: 150}
    assert (PRICES["2026"]["watch"], PRICES["legacy"]["stop"]) == (100, 50)


# --- Pub/Sub ---


def test_what_is_not_acknowledged_comes_again_after_the_deadline_and_not_before(desk: Desk) -> None:
    watch(desk)
    first = pull(desk)
    desk.now += 9.9
    assert pull(desk) == []
    desk.now += 0.1
    again = pull(desk)
    assert [one["message"] for one in again] == [one["message"] for one in first]
    assert again[0]["ackId"] != first[0]["ackId"]


def test_an_acknowledgement_that_comes_too_late_is_taken_and_changes_nothing(desk: Desk) -> None:
    watch(desk)
    first = pull(desk)
    desk.now += 11
    acknowledge(desk, first)
    again = pull(desk)
    assert told(again) == told(first)
    acknowledge(desk, again)
    acknowledge(desk, again)
    desk.now += 99
    assert pull(desk) == []


def test_more_than_asked_for_never_comes_and_the_rest_comes_next(desk: Desk) -> None:
    watch(desk)
    for number in range(4):
        mail(desk, ANN, number=number)
    some, rest = pull(desk, 3), pull(desk, 3)
    assert (len(some), len(rest)) == (3, 2)
    assert len({one["message"]["messageId"] for one in (*some, *rest)}) == 5


def test_order_is_not_promised(desk: Desk) -> None:
    watch(desk)
    for number in range(12):
        mail(desk, ANN, number=number)
    numbers = [int(one["message"]["messageId"]) for one in pull(desk)]
    assert numbers != sorted(numbers)


def test_settings_lose_double_and_delay_notifications(desk: Desk) -> None:
    plan = desk.pubsub.settings
    plan.lose_every, plan.twice_every, plan.late_every, plan.late_s = 2, 3, 5, 60
    watch(desk)  # the first of six
    for number in range(5):
        mail(desk, ANN, number=number)
    found = pull(desk)
    assert len(found) == 2  # 1 and 3; 2, 4 and 6 are lost, 5 is late
    acknowledge(desk, found)
    assert len(pull(desk)) == 1  # 3 comes twice
    desk.now += 60
    assert len(pull(desk)) == 2  # 5, and 3 which was not acknowledged again


def test_roles_are_asked_for_each_method(desk: Desk) -> None:
    api = desk.pubsub_api()
    assert refused(api.subscriptions().get(subscription=SUBSCRIPTION)) == (
        403, "User not authorized to perform this action.",
    )  # fmt: skip
    asked = {"permissions": ["pubsub.subscriptions.consume", "pubsub.subscriptions.get"]}
    tested = api.subscriptions().testIamPermissions(resource=SUBSCRIPTION, body=asked).execute()
    assert tested == {"permissions": ["pubsub.subscriptions.consume"]}
    desk.pubsub.grant(SUBSCRIPTION, ACCOUNT, "roles/pubsub.viewer")
    found = api.subscriptions().get(subscription=SUBSCRIPTION).execute()
    assert (found["topic"], found["ackDeadlineSeconds"], found["pushConfig"]) == (TOPIC, 10, {})
    desk.pubsub.grant(SUBSCRIPTION, ACCOUNT, "roles/pubsub.subscriber", take=True)
    pulled = api.subscriptions().pull(subscription=SUBSCRIPTION, body={"maxMessages": 1})
    assert refused(pulled)[0] == 403
    assert refused(api.topics().publish(topic=TOPIC, body={"messages": [{"data": ""}]}))[0] == 403


def test_refusals_have_pubsubs_shape(desk: Desk) -> None:
    api = desk.pubsub_api().subscriptions()
    gone = api.pull(subscription=f"projects/{PROJECT}/subscriptions/none", body={"maxMessages": 1})
    with pytest.raises(HttpError) as caught:
        gone.execute()
    assert json.loads(caught.value.content) == {
        "error": {"code": 404, "message": "Resource not found (resource=none).", "status": "NOT_FOUND"}
    }
    assert refused(api.pull(subscription=SUBSCRIPTION, body={"maxMessages": 0}))[0] == 400
    assert refused(api.acknowledge(subscription=SUBSCRIPTION, body={"ackIds": []}))[0] == 400
    code, text = refused(api.acknowledge(subscription=SUBSCRIPTION, body={"ackIds": ["nonsense"]}))
    assert (code, text) == (400, "You have passed an invalid ack ID to the service (ack_id=nonsense).")


def test_deleting_the_topic_detaches_the_subscription_from_it(desk: Desk) -> None:
    desk.pubsub.grant(SUBSCRIPTION, ACCOUNT, "roles/pubsub.viewer")
    desk.pubsub.delete(TOPIC)
    api = desk.pubsub_api().subscriptions()
    assert api.get(subscription=SUBSCRIPTION).execute()["topic"] == "_deleted-topic_"
    assert refused(api.pull(subscription=SUBSCRIPTION, body={"maxMessages": 1}))[0] == 400


@pytest.mark.parametrize(
    ("user", "scope"),
    [(None, "https://www.googleapis.com/auth/gmail.metadata"), (ANN, "https://www.googleapis.com/auth/pubsub")],
    ids=["without the scope", "as a person without a role"],
)
def test_a_token_of_another_scope_or_person_is_refused(desk: Desk, user: str | None, scope: str) -> None:
    api = desk.pubsub_api(user, scope).subscriptions()
    assert refused(api.pull(subscription=SUBSCRIPTION, body={"maxMessages": 1}))[0] == 403


def test_where_the_api_is_not_switched_on_it_says_so(desk: Desk) -> None:
    desk.pubsub.settings.enabled = False
    api = desk.pubsub_api().subscriptions()
    code, text = refused(api.pull(subscription=SUBSCRIPTION, body={"maxMessages": 1}))
    assert code == 403
    assert text.startswith(f"Cloud Pub/Sub API has not been used in project {PROJECT} before or it is disabled")


def test_what_is_not_played_is_named(desk: Desk) -> None:
    code, text = refused(desk.pubsub_api().subscriptions().list(project=f"projects/{PROJECT}"))
    assert (code, text[:35]) == (501, "The sandbox does not emulate Pub/Su")


def test_watches_and_messages_survive_a_restart_of_the_state(desk: Desk, tmp_path: Path) -> None:
    watch(desk)
    desk.mail.save(tmp_path / "kept.sqlite")
    acknowledge(desk, pull(desk))
    desk.watches.forget()
    desk.mail.restore(tmp_path / "kept.sqlite")
    assert list(desk.watches.listing()) == [ANN]
    assert len(pull(desk)) == 1


def test_names_follow_pubsubs_rule(desk: Desk) -> None:
    for name in ("projects/p/topics/x", "projects/p/topics/goog-x", "projects/p/subscriptions/abc", "topics/abc"):
        with pytest.raises(GoogleError):
            desk.pubsub.create_topic(name)
