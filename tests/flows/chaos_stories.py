"""Ten days of two reps' mail with something going badly wrong, by seed; the org is reckoned from the mailboxes alone.

    cd tests && ../.venv/bin/python -m flows.chaos_stories --stories 2000 --seed 1

What each mail must become is laid down where it is delivered, and asks no code of leakwatch's. A story draws one to
three troubles; at its end all of them are over and two more runs follow. Then each mail that belongs in Salesforce
stands there once, its Task with the right rep, and nothing else does.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from capture_samples import ANN, BOB, NINE
from flows.capture_world import Mailboxes, World
from leakwatch import faultpoints
from leakwatch.errors import AuthError, BudgetError, BusyError, CursorError, LeakwatchError, TransientError
from leakwatch.model import Principal

DAYS = 10
CUSTOMER, STRANGER, LAWYER = "eve@acme.com", "zoe@nowhere.com", "x@lawyer.com"
OUTAGES = (TransientError("503"), BudgetError("the reserve is reached"), AuthError("refused", reason="refused"))


class Killed(BaseException):
    """The process ends here; nothing after it is run but what Python runs in passing."""


class TroubledMailboxes(Mailboxes):
    """Mailboxes that fail at the n-th call of a kind, and whose pages come as no document forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.planned: dict[str, dict[int, Exception]] = {}  # call -> how manieth -> what is raised
        self.called: Counter[str] = Counter()
        self.backwards = False

    def _meet(self, call: str) -> None:
        self.called[call] += 1
        failure = self.planned.get(call, {}).pop(self.called[call], None)
        if failure is not None:
            raise failure

    def profile(self, subject: str) -> Mapping[str, Any]:
        self._meet("profile")
        return super().profile(subject)

    def list_messages(self, subject: str, **options: Any) -> Mapping[str, Any]:
        self._meet("list")
        answer = super().list_messages(subject, **options)
        return {**answer, "messages": answer["messages"][::-1]} if self.backwards else answer

    def history(self, subject: str, start: str, *, page_token: str | None = None) -> Mapping[str, Any]:
        self._meet("history page" if page_token else "history")
        return super().history(subject, start, page_token=page_token)

    def get_messages(self, subject: str, ids: Sequence[str]) -> tuple[list[Mapping[str, Any]], list[str]]:
        self._meet("get")
        items, gone = super().get_messages(subject, ids)
        return (items[::-1] if self.backwards else items), gone


@dataclass
class Story:
    """One company over ten days."""

    folder: Path
    dice: random.Random
    days: int = DAYS
    expected: dict[str, str] = field(default_factory=dict[str, str])  # subject -> Salesforce user
    troubles: list[str] = field(default_factory=list[str])
    said: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.gmail = TroubledMailboxes()
        self.world = self._world("a")
        self.worlds = [self.world]
        self.day = 0
        self.copies: dict[int, Path] = {}

    def _world(self, name: str) -> World:
        (self.folder / name).mkdir(exist_ok=True)
        world = World(self.folder / name)
        world.gmail = self.gmail
        return world

    # --- what happens ---

    def mails(self) -> None:
        """Deliver a day's mail, and lay down what must become of it."""
        for number in range(self.dice.randint(3, 5)):
            subject = f"day {self.day}, {number}"
            at = (NINE + timedelta(days=self.day, minutes=number)).isoformat()
            kind = self.dice.choice(
                ("to ann", "to bob", "to both", "from ann", "from bob", "internal", "stranger", "blocked")
            )
            common = {"Subject": subject, "at": at, "Date": f"{datetime.fromisoformat(at):%a, %d %b %Y %H:%M:%S +0000}"}
            self._deliver(kind, f"{self.day}.{number}@acme.com", common)

    def _deliver(self, kind: str, message_id: str, common: dict[str, str]) -> None:
        put = self.gmail.deliver
        reps: dict[str, Principal] = {"ann": ANN, "bob": BOB}
        subject = common["Subject"]
        match kind.split():
            case ["to", "both"]:
                for owner in (ANN, BOB):
                    put(owner, message_id, **common, To=f"{ANN.address}, {BOB.address}")
                self.expected[subject] = "005ANN"  # the first of ours it was sent to
            case ["to", name]:
                put(reps[name], message_id, **common)
                self.expected[subject] = str(reps[name].salesforce_user_id)
            case ["from", name]:
                owner, other = reps[name], reps["bob" if name == "ann" else "ann"]
                given = {"From": owner.address, "To": CUSTOMER, "Cc": other.address}
                put(owner, message_id, labels=("SENT",), **common, **given)
                put(other, message_id, **common, **given)
                self.expected[subject] = str(owner.salesforce_user_id)
            case ["internal"]:
                put(ANN, message_id, **common, From=BOB.address)
            case ["stranger"]:
                put(BOB, message_id, **common, From=STRANGER)
            case _:
                put(BOB, message_id, **common, From=LAWYER, Cc=CUSTOMER)

    def cycle(self, *, kill_at: int | None = None, now: datetime | None = None, world: World | None = None) -> None:
        """Run capture once, whatever comes of it."""
        moment = now or NINE + timedelta(days=self.day, hours=3)
        reached = Counter[str]()

        def hook(point: str) -> None:
            reached["all"] += 1
            if reached["all"] == kill_at:
                self.said.append(f"killed at {point}")
                raise Killed

        faultpoints.install(hook if kill_at is not None else None)
        try:
            (world or self.world).capture(now=moment, run_id=f"run {self.day}", retry_parked=self.day > self.days)
        except Killed:
            self._reopen()
        except LeakwatchError as error:
            self.said.append(f"{type(error).__name__}: {error}")
        finally:
            faultpoints.install(None)

    def _reopen(self) -> None:
        self._replace(self.world.engine.url.database)

    def _replace(self, path: Any) -> None:
        before = self.world
        before.engine.dispose()
        self.world = World(Path(str(path)).parent)
        self.world.gmail, self.world.org = self.gmail, before.org
        self.worlds = [self.world, *self.worlds[1:]]

    # --- the end ---

    def wrong(self) -> list[str]:
        """Return in words where the org is not as the mailboxes say."""
        org = self.world.org
        stands = [(row["Subject"], org.tasks[row["ActivityId"]]["OwnerId"]) for row in org.mails.values()]
        found = dict(stands)
        words = [
            f"{subject} stands there more than once" for subject, n in Counter(s for s, _ in stands).items() if n > 1
        ]
        words += [f"{subject} is missing" for subject in self.expected.keys() - found.keys()]
        words += [f"{subject} should not be there" for subject in found.keys() - self.expected.keys()]
        both = self.expected.keys() & found.keys()
        return words + [
            f"{one}: {found[one]}, not {self.expected[one]}" for one in both if found[one] != self.expected[one]
        ]


# --- troubles: each is told of every morning (day, story) and may do what it likes; day 11 on, all is well ---


def outage(story: Story) -> Callable[[], None]:
    """Salesforce takes nothing from the first day to the tenth."""
    failure = story.dice.choice(OUTAGES)

    def morning() -> None:
        for world in story.worlds:
            world.org.failure = failure if 1 <= story.day <= story.days else None

    return morning


def expired(story: Story) -> Callable[[], None]:
    """A cursor is forgotten: at a page of the first list, at the first page of changes, at a later one."""

    def morning() -> None:
        call = story.dice.choice(("list", "history", "history page", "get"))
        place = story.gmail.called[call] + story.dice.randint(1, 3)
        story.gmail.planned.setdefault(call, {})[place] = CursorError("it is too old")

    return morning


def throttled(story: Story) -> Callable[[], None]:
    """Some mails are not given for a while, as a batch is throttled part by part; whole calls fail, too."""

    def morning() -> None:
        story.gmail.broken = {
            one["id"] for box in story.gmail.boxes.values() for one in box if story.dice.random() < 0.3
        }
        for call in ("profile", "list", "history", "get"):
            place = story.gmail.called[call] + story.dice.randint(1, 4)
            story.gmail.planned.setdefault(call, {})[place] = TransientError("429")

    return morning


def odd_pages(story: Story) -> Callable[[], None]:
    """Pages name everything twice, the wrong way round, or lead in circles."""

    def morning() -> None:
        story.gmail.stutters = story.dice.random() < 0.5
        story.gmail.backwards = story.dice.random() < 0.5
        story.gmail.circles = story.dice.random() < 0.3

    return morning


def kills(story: Story) -> Callable[[], None]:
    """The process ends at some fault point, once or twice a day."""

    def morning() -> None:
        for _ in range(story.dice.randint(1, 2)):
            story.cycle(kill_at=story.dice.randint(1, 20))

    return morning


def clock_jumps(story: Story) -> Callable[[], None]:
    """The machine's clock is days off, either way; from one run to the next it jumps back."""

    def morning() -> None:
        for _ in range(2):
            hours = story.dice.choice((-200, -36, -1, 1, 30, 240, 900))
            story.cycle(now=NINE + timedelta(days=story.day, hours=3 + hours))

    return morning


def two_daemons(story: Story) -> Callable[[], None]:
    """A second leakwatch with a store of its own runs inside the first one's run, at some fault point."""
    second = story._world("b")
    second.org = story.world.org
    story.worlds.append(second)

    def morning() -> None:
        place, reached = story.dice.randint(1, 20), Counter[str]()
        second.org = story.world.org

        def hook(point: str) -> None:
            reached["all"] += 1
            if reached["all"] == place:
                faultpoints.install(None)
                story.cycle(world=second)

        faultpoints.install(hook)
        try:
            story.world.capture(now=NINE + timedelta(days=story.day, hours=2), run_id="first")
        except LeakwatchError as error:
            story.said.append(str(error))
        finally:
            faultpoints.install(None)

    return morning


def two_on_one_store(story: Story) -> Callable[[], None]:
    """The lock is circumvented: a second process reads into the same store, between two pages of the first."""

    def morning() -> None:
        place, reached = story.dice.randint(1, 6), Counter[str]()
        other = World(Path(str(story.world.engine.url.database)).parent)
        other.gmail, other.org = story.gmail, story.world.org

        def hook(point: str) -> None:
            reached[point] += 1
            if reached["journal.commit_page.before"] == place:
                faultpoints.install(None)
                story.cycle(world=other)

        faultpoints.install(hook)
        try:
            story.world.capture(now=NINE + timedelta(days=story.day, hours=2), run_id="first")
        except BusyError as error:
            story.said.append(str(error))
        except LeakwatchError:
            pass
        finally:
            faultpoints.install(None)
            other.engine.dispose()

    return morning


def restored(story: Story) -> Callable[[], None]:
    """The state file of some days ago is put back: what was written since is not known any more."""

    def morning() -> None:
        path = Path(str(story.world.engine.url.database))
        if story.day > 3 and story.dice.random() < 0.4 and story.copies:
            story.world.engine.dispose()
            for side in ("-wal", "-shm"):
                path.with_name(path.name + side).unlink(missing_ok=True)
            shutil.copyfile(story.copies[story.dice.choice(sorted(story.copies))], path)
            story._replace(path)
        story.world.engine.dispose()  # the last connection writes everything into the file itself
        story.copies[story.day] = path.with_name(f"kept {story.day}")
        shutil.copyfile(path, story.copies[story.day])

    return morning


TROUBLES: dict[str, Callable[[Story], Callable[[], None]]] = {
    "ten days of Salesforce outage": outage,
    "cursors expired at each phase": expired,
    "throttled parts": throttled,
    "pages duplicated, reversed, in circles": odd_pages,
    "killed": kills,
    "clock jumps": clock_jumps,
    "two leakwatches on one org": two_daemons,
    "two processes on one store": two_on_one_store,
    "an old journal restored": restored,
}


def play(folder: Path, seed: object, *, only: Sequence[str] = (), days: int = DAYS) -> Story:
    """Live one story; return it. `only` names its troubles, else one to three are drawn."""
    dice = random.Random(f"story {seed}")
    story = Story(folder, dice, days)
    story.troubles = [*only] if only else dice.sample(list(TROUBLES), dice.randint(1, 3))
    try:
        mornings = [TROUBLES[name](story) for name in story.troubles]
        for story.day in range(days + 1):
            story.mails()
            for morning in mornings:
                morning()
            story.cycle()
        _calm(story)
        for story.day in (days + 1, days + 2):
            story.cycle()
            for other in story.worlds[1:]:
                story.cycle(world=other)
    finally:
        faultpoints.install(None)
        for world in story.worlds:
            world.engine.dispose()
    return story


def _calm(story: Story) -> None:
    gmail = story.gmail
    gmail.planned.clear()
    gmail.broken, gmail.stutters, gmail.circles, gmail.backwards = set(), False, False, False
    for world in story.worlds:
        world.org.failure = None


def main() -> int:
    parser = argparse.ArgumentParser(description="Chaos stories, by seed.")
    parser.add_argument("--stories", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--story", type=int, help="one story by its number")
    options = parser.parse_args()
    tried, failed = Counter[str](), 0
    for number in range(options.stories) if options.story is None else [options.story]:
        folder = Path(tempfile.mkdtemp(prefix="leakwatch-story-"))
        try:
            story = play(folder, f"{options.seed}:{number}")
        finally:
            shutil.rmtree(folder)
        tried.update(story.troubles)
        if wrong := story.wrong():
            failed += 1
            sys.stdout.write(
                f"FAILED --seed {options.seed} --story {number}: {story.troubles}\n  " + "\n  ".join(wrong) + "\n"
            )
    sys.stdout.write(f"{options.stories if options.story is None else 1} stories of {DAYS + 3} days, {failed} failed\n")
    sys.stdout.writelines(f"  {count:>6}  {name}\n" for name, count in sorted(tried.items()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
