"""Push only changes when a mailbox is read: whatever becomes of the notifications, the org ends the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture_samples import ANN, BOB
from flows.capture_world import NOW, World
from leakwatch.app.push_listening import PushListener
from leakwatch.app.pushing import FAILURES_IN_A_ROW, Push
from leakwatch.clients.google_pubsub import Received
from leakwatch.clients.google_watch import Granted
from leakwatch.clock import SettableClock
from leakwatch.config import Settings
from leakwatch.core.push_hints import PULL_STALE
from leakwatch.errors import AuthError, LeakwatchError, TransientError
from leakwatch.model import Principal

TOPIC, SUBSCRIPTION = "projects/p/topics/gmail", "projects/p/subscriptions/leakwatch"
FALLBACK = timedelta(hours=1)
SENT = {"From": "ann@ourco.com", "To": "eve@acme.com", "Cc": "bob@ourco.com"}


class Watches:
    """Gmail's watch: grants seven days, or refuses."""

    def __init__(self, clock: SettableClock) -> None:
        self.clock = clock
        self.asked: list[str] = []
        self.refusal: LeakwatchError | None = None

    def watch(self, subject: str) -> Granted:
        self.asked.append(subject)
        if self.refusal is not None:
            raise self.refusal
        return Granted("1", self.clock.now() + timedelta(days=7))


class Subscription:
    """Pub/Sub: gives what lies there, until it is acknowledged."""

    def __init__(self) -> None:
        self.backlog: list[Received] = []
        self.acknowledged = 0
        self.down: LeakwatchError | None = None

    def pull(self) -> Sequence[Received]:
        if self.down is not None:
            raise self.down
        return list(self.backlog)

    def acknowledge(self, ack_ids: Sequence[str]) -> None:
        self.acknowledged += len(ack_ids)
        self.backlog = [one for one in self.backlog if one.ack_id not in ack_ids]


class Pushed:
    """A capture world with push: a clock, watches, a subscription, and what the daemon does of both."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.clock = SettableClock(NOW)
        key = folder / "key.json"
        push = {"topic": TOPIC, "subscription": SUBSCRIPTION}
        google = {"enabled": True, "service_account_file": key, "admin_email": "it@ourco.com", "push": push}
        self.settings = Settings.model_validate({"store": {"folder": folder}, "google": google})
        self.push = Push(self.settings, self.clock, self.clock)
        self.watches = Watches(self.clock)
        self.subscription = Subscription()
        self.listener = PushListener(lambda: self.subscription, self.push.state, self.clock, self.push._news.set)
        from leakwatch.store.capture_status import CaptureStatus

        self.parts: Any = SimpleNamespace(
            settings=self.settings,
            clock=self.clock,
            journal=self.world.journal,
            capture_status=CaptureStatus(self.world.engine),
        )

    def notify(self, owner: Principal, times: int = 1, history_id: int | None = None) -> None:
        number = len(self.world.gmail.boxes[owner.address]) if history_id is None else history_id
        data = json.dumps({"emailAddress": owner.address, "historyId": number}).encode()
        start = len(self.subscription.backlog)
        self.subscription.backlog += [Received(f"{start + one}", data) for one in range(times)]

    def listen(self) -> None:
        try:
            self.listener.once(self.subscription)
        except LeakwatchError as error:
            self.listener._note(error)

    def pass_time(self, step: timedelta) -> None:
        self.clock.move_to(self.clock.now() + step)

    def capture(self) -> list[str]:
        """Capture as the daemon does; return whose mailboxes were opened."""
        google: Any = SimpleNamespace(watches=self.watches)
        quiet = self.push.prepare(self.parts, google, self.world.roster)
        self.world.gmail.opened.clear()
        self.world.capture(now=self.clock.now(), quiet=quiet)
        self.push.read()
        return sorted(set(self.world.gmail.opened))

    def settle(self) -> None:
        """Watch and read everybody, so that from now on hints decide."""
        self.capture()
        self.pass_time(timedelta(minutes=1))
        self.listen()
        self.capture()
        self.pass_time(timedelta(minutes=1))


@pytest.fixture
def pushed(tmp_path: Path) -> Pushed:
    found = Pushed(tmp_path)
    found.world.gmail.deliver(ANN, "old@acme.com")
    found.settle()
    return found


def test_only_the_mailbox_that_was_hinted_at_is_read_and_its_mail_is_there(pushed: Pushed) -> None:
    pushed.world.gmail.deliver(BOB, "new@acme.com", To="bob@ourco.com")
    pushed.notify(BOB)
    assert not pushed.push.has_news()
    pushed.listen()
    assert pushed.push.has_news()
    assert pushed.capture() == [BOB.address]
    assert not pushed.push.has_news()
    assert len(pushed.world.org.mails) == 2


def test_without_a_hint_everybody_is_read_when_the_fallback_interval_is_over_and_not_before(pushed: Pushed) -> None:
    pushed.world.gmail.deliver(ANN, "lost@acme.com")
    for _ in range(11):
        pushed.pass_time(timedelta(minutes=5))
        pushed.listen()
        assert pushed.capture() == []
    pushed.pass_time(timedelta(minutes=5))
    pushed.listen()
    assert pushed.capture() == [ANN.address, BOB.address]
    assert len(pushed.world.org.mails) == 2


def test_while_pubsub_is_down_everybody_is_read_as_without_push(
    pushed: Pushed, capsys: pytest.CaptureFixture[str]
) -> None:
    pushed.subscription.down = TransientError("Pub/Sub answered 503")
    pushed.pass_time(PULL_STALE)
    for _ in range(3):
        pushed.listen()
    assert pushed.capture() == [ANN.address, BOB.address]
    assert capsys.readouterr().err.count("push.pull.failed") == 1
    _, error, _ = pushed.push.state.last_pull()
    assert error == "Pub/Sub answered 503"
    pushed.subscription.down = None
    pushed.listen()
    assert pushed.push.state.last_pull()[1] == ""


def test_a_hint_is_acknowledged_only_when_it_is_kept_and_then_it_outlives_the_process(
    pushed: Pushed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pushed.notify(ANN)

    def full(*_: Any, **__: Any) -> int:
        raise OSError("no space left on device")

    monkeypatch.setattr(pushed.push.state, "hinted", full)
    with pytest.raises(OSError, match="no space"):
        pushed.listener.once(pushed.subscription)
    assert pushed.subscription.acknowledged == 0
    monkeypatch.undo()
    pushed.world.gmail.deliver(ANN, "kept@acme.com")
    pushed.notify(ANN)
    pushed.listen()
    assert pushed.subscription.backlog == []
    again = Push(pushed.settings, pushed.clock, pushed.clock)
    assert again.state.watches()[ANN.address].hinted_id == 2


def test_what_is_no_hint_or_of_a_stranger_is_acknowledged_and_leaves_no_trace(pushed: Pushed, tmp_path: Path) -> None:
    stranger = b'{"emailAddress": "stranger@elsewhere.com", "historyId": 7}'
    pushed.subscription.backlog = [Received("1", b"nonsense"), Received("2", stranger), Received("3", b"")]
    pushed.listen()
    assert pushed.subscription.backlog == []
    assert not pushed.push.has_news()
    assert b"stranger" not in (tmp_path / "push.db").read_bytes()
    assert pushed.capture() == []


def test_the_first_capture_of_a_process_reads_everybody(pushed: Pushed) -> None:
    assert pushed.capture() == []
    pushed.push = Push(pushed.settings, pushed.clock, pushed.clock)
    assert pushed.capture() == [ANN.address, BOB.address]


def test_watches_are_renewed_once_a_day(pushed: Pushed) -> None:
    assert pushed.watches.asked == [ANN.address, BOB.address]
    pushed.pass_time(timedelta(hours=23))
    pushed.capture()
    assert len(pushed.watches.asked) == 2
    pushed.pass_time(timedelta(hours=1))
    pushed.capture()
    assert len(pushed.watches.asked) == 4


def test_a_mailbox_whose_watch_is_refused_is_polled_as_before_and_asked_for_again_after_an_hour(tmp_path: Path) -> None:
    pushed = Pushed(tmp_path)
    pushed.watches.refusal = TransientError("Gmail answered 500 to watch")
    pushed.settle()
    pushed.listen()
    assert pushed.capture() == [ANN.address, BOB.address]
    assert len(pushed.watches.asked) == 2
    assert pushed.push.state.watches()[ANN.address].error == "Gmail answered 500 to watch"
    pushed.watches.refusal = None
    pushed.pass_time(timedelta(hours=1))
    pushed.settle()
    pushed.listen()
    assert pushed.capture() == []


def test_where_gmail_may_not_publish_one_mailbox_is_asked_for_and_no_other(tmp_path: Path) -> None:
    pushed = Pushed(tmp_path)
    words = f"Error sending test message to Cloud PubSub {TOPIC} : User not authorized to perform this action."
    pushed.watches.refusal = AuthError(words, reason="forbidden")
    for _ in range(3):
        pushed.capture()
        pushed.pass_time(timedelta(minutes=5))
    assert pushed.watches.asked == [ANN.address]
    assert FAILURES_IN_A_ROW > 1


def test_who_leaves_the_roster_is_forgotten(pushed: Pushed) -> None:
    pushed.world.roster = [ANN]
    pushed.capture()
    assert list(pushed.push.state.watches()) == [ANN.address]


def test_a_colleagues_copy_waits_while_the_senders_mailbox_is_left(pushed: Pushed) -> None:
    world = pushed.world
    world.gmail.deliver(ANN, "sent@ourco.com", labels=("SENT",), **SENT)
    world.gmail.deliver(BOB, "sent@ourco.com", **SENT)
    pushed.notify(BOB)  # of Ann's nothing was told
    pushed.listen()
    assert pushed.capture() == [BOB.address]
    assert len(world.org.mails) == 1
    pushed.pass_time(FALLBACK)
    pushed.listen()
    pushed.capture()
    assert len(world.org.mails) == 2


# --- whatever becomes of the notifications ---

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("mail"), st.integers(0, 3), st.sampled_from([0, 1, 1, 2])),
        st.tuples(st.just("capture"), st.just(0), st.just(0)),
        st.tuples(st.just("listen"), st.just(0), st.just(0)),
        st.tuples(st.just("down"), st.booleans().map(int), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 12), st.just(0)),
        st.tuples(st.just("forge"), st.integers(0, 1), st.integers(1, 2**40)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    min_size=3,
    max_size=15,
)


def deliver(world: World, kind: int, number: int) -> list[Principal]:
    """Deliver a mail of one of four kinds; return whose mailboxes changed."""
    name = f"m{number}@acme.com"
    about = {"Subject": f"Offer {number}"}  # else two mails would be one, whose Message-ID a list has changed
    match kind:
        case 0:
            world.gmail.deliver(ANN, name, **about)
            return [ANN]
        case 1:
            world.gmail.deliver(BOB, name, To="bob@ourco.com", **about)
            return [BOB]
        case 2:
            for owner in (BOB, ANN):
                world.gmail.deliver(owner, name, To="ann@ourco.com, bob@ourco.com", **about)
        case _:
            world.gmail.deliver(ANN, name, labels=("SENT",), **about, **SENT)
            world.gmail.deliver(BOB, name, **about, **SENT)
    return [ANN, BOB]


@given(STEPS)
@settings(max_examples=12)
def test_lost_doubled_late_and_forged_hints_end_in_the_same_org_as_plain_polling(
    steps: list[tuple[str, int, int]],
) -> None:
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        pushed, plain = Pushed(Path(first)), World(Path(second))
        pushed.settle()
        for number, (verb, one, other) in enumerate(steps):
            if verb == "mail":
                deliver(plain, one, number)
                for owner in deliver(pushed.world, one, number):
                    pushed.notify(owner, times=other)  # never, once or twice; heard when somebody listens
            elif verb == "forge":
                pushed.notify((ANN, BOB)[one], history_id=other)
            elif verb == "down":
                pushed.subscription.down = TransientError("503") if one else None
            elif verb == "wait":
                pushed.pass_time(timedelta(minutes=one))
            elif verb == "restart":
                pushed.push = Push(pushed.settings, pushed.clock, pushed.clock)
            else:
                getattr(pushed, verb)()
        pushed.subscription.backlog.clear()  # what was not heard by now is lost
        pushed.subscription.down = None
        pushed.pass_time(FALLBACK)
        pushed.listen()
        pushed.capture()
        plain.capture(now=pushed.clock.now())
        assert pushed.world.org.state() == plain.org.state()
        pushed.world.engine.dispose()
        plain.engine.dispose()
        pushed.push.state.close()
