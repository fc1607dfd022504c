"""Push from end to end against the emulated Gmail and Pub/Sub, in this process: hints are heard, doctor sees faults."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from adapters.google_fakes import Response, write_key
from leakwatch.app.building import Parts
from leakwatch.app.doctoring_push import push_checks
from leakwatch.app.google_parts import GoogleParts
from leakwatch.app.push_listening import PushListener, subscription_of
from leakwatch.app.pushing import Push, renew
from leakwatch.clients.google import GoogleClient
from leakwatch.clock import SettableClock
from leakwatch.config import Settings
from leakwatch.model import Principal
from leakwatch.sandbox.google.post import Letter
from leakwatch.sandbox.google.pubsub import GMAIL_PUSH
from leakwatch.sandbox.google.tokens import Grant
from sandbox.google.calendar_desk import ANN, BOB, CUSTOMER, PROJECT, ROBOT, START, Desk

TOPIC, SUBSCRIPTION = f"projects/{PROJECT}/topics/gmail", f"projects/{PROJECT}/subscriptions/leakwatch"
ACCOUNT = f"serviceAccount:{ROBOT}"
TOLD = [Principal(one, "google", one, None, notice_date=START.date()) for one in (ANN, BOB)]


class Wire:
    """Google's hosts without a socket; its token endpoint believes every assertion."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def request(self, uri: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any) -> Any:
        parts = urlsplit(uri)
        if parts.path == "/token":
            claims = json.loads(base64.urlsafe_b64decode(parse_qs(body.decode())["assertion"][0].split(".")[1] + "=="))
            grant = Grant(claims.get("sub"), frozenset(claims["scope"].split()))
            status, found = 200, {"access_token": self.desk.tokens.seal(grant), "expires_in": 3600}
        else:
            target = f"{parts.path}?{parts.query}"
            reply = self.desk.google.answer(method, target, headers["authorization"], sent=body or b"")
            status, found = reply.status, reply.body
        answer = Response(status, {"content-type": "application/json; charset=UTF-8"})
        return answer, orjson.dumps(found) if status != 204 else b""

    def close(self) -> None: ...


class Stage:
    """An emulated Google with push set up as docs/google.md says, and a leakwatch that is to use it."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder / "google")
        pubsub = self.desk.pubsub
        pubsub.settings.events_per_second = 0
        pubsub.create_topic(TOPIC)
        pubsub.grant(TOPIC, GMAIL_PUSH, "roles/pubsub.publisher")
        pubsub.create_subscription(SUBSCRIPTION, TOPIC)
        for role in ("roles/pubsub.subscriber", "roles/pubsub.viewer"):
            pubsub.grant(SUBSCRIPTION, ACCOUNT, role)
        self.clock = SettableClock(START)
        key = write_key(folder, client_email=ROBOT)
        key.chmod(0o600)
        google = {
            "enabled": True, "service_account_file": key, "admin_email": ANN,
            "push": {"topic": TOPIC, "subscription": SUBSCRIPTION},
        }  # fmt: skip
        self.settings = Settings.model_validate({"store": {"folder": folder / "store"}, "google": google})
        self.parts = Parts(self.settings, clock=self.clock)
        self.google = GoogleParts(self.parts)
        self.push = Push(self.settings, self.clock, self.parts.wall)
        self.listener = PushListener(lambda: self.subscription, self.push.state, self.clock, self.push._news.set)
        self.subscription = subscription_of(self.settings, self.parts.wall)

    def deliver(self, number: int) -> None:
        raw = f"From: {CUSTOMER}\r\nTo: {ANN}\r\nMessage-ID: <{number}@x>\r\n\r\n".encode()
        self.desk.post.deliver(Letter(raw, raw, CUSTOMER, (ANN,)), self.clock.now())

    def doctor(self) -> dict[str, tuple[str, str]]:
        return {check.name: (check.state, check.fix) for check in push_checks(self.parts, self.google, TOLD)}


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    (tmp_path / "google").mkdir()
    found = Stage(tmp_path)
    monkeypatch.setattr(GoogleClient, "_http", lambda _: Wire(found.desk))
    yield found
    found.parts.close()
    found.push.state.close()
    found.desk.mail.close()


def watch(stage: Stage) -> None:
    stage.google.client.allow([ANN, BOB])
    renew(stage.parts, stage.push.state, stage.google.watches, TOLD)


def test_a_mail_in_a_watched_mailbox_is_heard_of_and_acknowledged_and_comes_no_more(stage: Stage) -> None:
    watch(stage)
    assert stage.desk.quota.units == {ANN: 100, BOB: 100}
    assert stage.listener.once(stage.subscription) == 2  # Gmail's first word on each
    stage.deliver(1)
    assert stage.listener.once(stage.subscription) == 1
    known = stage.push.state.watches()
    assert known[ANN].hinted_id == stage.desk.mail.history_id(ANN)
    assert known[BOB].hinted_id < known[ANN].hinted_id
    stage.desk.now += 60
    assert stage.listener.once(stage.subscription) == 0
    assert stage.desk.pubsub.waiting(SUBSCRIPTION) == 0
    assert stage.push.state.last_pull()[2] == 3


def test_doctor_finds_nothing_to_mend_where_it_is_set_up_as_the_guide_says(stage: Stage) -> None:
    found = stage.doctor()
    assert (found["push subscription"], found["push topic"]) == (("ok", ""), ("ok", ""))
    assert found["push"] == ("note", "Start the daemon: leakwatch run")
    watch(stage)
    stage.listener.once(stage.subscription)
    assert stage.doctor()["push"] == ("ok", "")


@pytest.mark.parametrize(
    ("fault", "name", "state", "fix"),
    [
        (
            "delete_subscription",
            "push subscription",
            "bad",
            f"gcloud pubsub subscriptions create {SUBSCRIPTION} --topic=",
        ),
        ("take_subscriber", "push subscription", "bad", "add-iam-policy-binding"),
        ("take_viewer", "push subscription", "note", "If you want doctor to see that"),
        ("another_topic", "push subscription", "bad", "gcloud pubsub subscriptions delete"),
        ("detach", "push subscription", "bad", "gcloud pubsub subscriptions delete"),
        ("api_off", "push subscription", "bad", "gcloud services enable pubsub.googleapis.com"),
        ("delete_topic", "push topic", "bad", f"gcloud pubsub topics create {TOPIC}"),
        ("take_publisher", "push topic", "bad", f"--member={GMAIL_PUSH} --role=roles/pubsub.publisher"),
    ],
)
def test_doctor_names_each_fault_with_the_command_that_mends_it(
    stage: Stage, fault: str, name: str, state: str, fix: str
) -> None:
    pubsub = stage.desk.pubsub
    match fault.split("_"):
        case ["delete", what]:
            pubsub.delete(SUBSCRIPTION if what == "subscription" else TOPIC)
        case ["take", "publisher"]:
            pubsub.grant(TOPIC, GMAIL_PUSH, "roles/pubsub.publisher", take=True)
        case ["take", role]:
            pubsub.grant(SUBSCRIPTION, ACCOUNT, f"roles/pubsub.{role}", take=True)
        case ["another", _]:
            pubsub.create_topic(f"{TOPIC}2")
            pubsub.create_subscription(SUBSCRIPTION, f"{TOPIC}2")
        case ["detach"]:
            pubsub.detach(SUBSCRIPTION)
        case _:
            pubsub.settings.enabled = False
    found = stage.doctor()[name]
    assert found[0] == state
    assert fix in found[1]


def test_doctor_tells_that_pubsub_does_not_answer_and_that_mailboxes_are_polled(stage: Stage) -> None:
    watch(stage)
    stage.push.state.not_pulled("Google answered 503 to pull", now=stage.clock.now())
    (check,) = [one for one in push_checks(stage.parts, stage.google, TOLD) if one.name == "push"]
    assert check.state == "bad"
    assert "2 of 2 mailboxes are watched" in check.words
    assert "every mailbox is polled" in check.words


def test_push_that_is_off_is_not_examined(stage: Stage) -> None:
    stage.parts.settings = stage.settings.model_copy(update={"google": Settings().google})
    assert stage.doctor() == {}
