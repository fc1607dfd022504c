"""10,000 mailboxes and calendars polled by one process, in a virtual clock: who is polled when, and what it costs.

The whole of capture's reading but the network: the capture job is due every five minutes, its mailboxes are read one
after the other, each call waits for its quota (Google's limits of 2026) and takes as long as an answer over the network
would, divided among the readers. Time is the clock's; CPU and memory are real. The first cycle reads every mailbox for
the first time, later ones find new mail in one of twenty. Shown: cycles that end before the next is due, the longest
and shortest time between two polls of a mailbox, calls in the busiest minute against an even spread.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import mail_plan
import measure

MAILBOXES, CYCLES = 10_000, 4
EVERY = timedelta(minutes=5)  # jobs/capture.yaml
ANSWER_S = 0.1  # of one call, over the network
NEW_IN = 20  # one mailbox of so many has a new mail in a cycle
TARGET_MB = 0.5  # per mailbox


class VirtualClock:
    """Time that goes by only when somebody waits for an answer or for quota."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        """Aware UTC."""
        return mail_plan.NOW + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        """Seconds."""
        return self.passed

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.passed += seconds


class ManyMailboxes:
    """Google's answers for every mailbox; each call passes the limiter and takes its time."""

    can_search = True

    def __init__(self, limiter: Any, clock: VirtualClock, readers: int) -> None:
        self._limiter, self._clock, self._each = limiter, clock, ANSWER_S / readers
        self.polls: dict[str, list[float]] = {}
        self.minutes: Counter[tuple[str, int]] = Counter()
        self.new: dict[str, list[dict[str, Any]]] = {}
        self._history: dict[str, int] = {}

    def _ask(self, provider: str, subject: str, operation: str, count: int = 1) -> None:
        self._limiter.acquire(provider, subject, operation, count)
        self._clock.sleep(self._each)
        self.minutes[provider, int(self._clock.passed // 60)] += count

    def arrive(self, subject: str, one: dict[str, Any]) -> None:
        """Put a new mail into a mailbox."""
        self.new.setdefault(subject, []).append(one)

    # --- Gmail ---

    def profile(self, subject: str) -> Mapping[str, Any]:
        self._ask("google", subject, "getProfile")
        return {"emailAddress": subject, "historyId": "1000"}

    def labels(self, _subject: str) -> Mapping[str, str]:
        return {}

    def list_messages(self, subject: str, **_: Any) -> Mapping[str, Any]:
        self._ask("google", subject, "messages.list")
        return {"messages": []}

    def history(self, subject: str, start: str, **_: Any) -> Mapping[str, Any]:
        self._ask("google", subject, "history.list")
        self.polls.setdefault(subject, []).append(self._clock.passed)
        some = self.new.get(subject, ())
        records = [{"messagesAdded": [{"message": {"id": one["id"], "labelIds": ["INBOX"]}}]} for one in some]
        return {"history": records, "historyId": str(int(start) + len(some))}

    def get_messages(self, subject: str, ids: Sequence[str]) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        if not ids:
            return [], []
        self._ask("google", subject, "messages.get", len(ids))
        some = {one["id"]: one for one in self.new.pop(subject, ())}
        return [some[one] for one in ids], []

    # --- Calendar ---

    def changes(self, subject: str, **_: Any) -> Mapping[str, Any]:
        self._ask("google_calendar", subject, "events.list")
        return {"items": [], "nextSyncToken": "token"}


def leakwatch(options: dict[str, Any]) -> None:
    """Run some cycles and say who was polled when, and what it cost."""
    from leakwatch import log
    from leakwatch.clients.limiter import CALENDAR, GMAIL_2026, Limiter
    from leakwatch.core.privacy import PrivacyRules
    from leakwatch.flows.capture import CaptureDoors, CaptureOptions, capture
    from leakwatch.model import Principal
    from leakwatch.sources.gmail import GmailSource
    from leakwatch.sources.google_calendar import GoogleCalendarSource
    from leakwatch.store.address_book import address_book
    from leakwatch.store.database import open_engine
    from leakwatch.store.journal import SqlJournal
    from leakwatch.store.schema import upgrade

    log.configure(level="WARNING")
    folder, number = Path(options["folder"]), options["mailboxes"]
    people = [f"rep{n}@{mail_plan.DOMAIN}" for n in range(number)]
    principals = [
        Principal(one, "google", one, mail_plan.user(n), "", frozenset({one}), date(2026, 1, 1))
        for n, one in enumerate(people)
    ]
    clock = VirtualClock()
    limiter = Limiter(clock, {"google": GMAIL_2026, "google_calendar": CALENDAR})
    google = ManyMailboxes(limiter, clock, options["readers"])
    before_mb, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, time.process_time()
    with tempfile.TemporaryDirectory() as state:
        engine = open_engine(Path(state) / "state.db", durable=False)
        upgrade(engine)
        journal = SqlJournal(engine)

        class Sink:
            def apply(self, _ops: Sequence[Any], **_: Any) -> list[Any]:
                return []

        doors = CaptureDoors(
            sources=[
                GmailSource(google, known=journal.known_ids),
                GoogleCalendarSource(google, now=clock.now, known=journal.ids_under),  # type: ignore[arg-type]
            ],
            journal=journal,
            address_book=lambda addresses, deals: address_book(folder, addresses, deals),
            writer=Sink(),  # type: ignore[arg-type]
            records=None,  # type: ignore[arg-type]
            landed=lambda _ids: {},
            history=lambda _keys: {},
        )
        settings = CaptureOptions(company_domains=(mail_plan.DOMAIN,), privacy=PrivacyRules())
        cycles: list[dict[str, float]] = []
        due = 0.0
        for cycle in range(options["cycles"]):
            clock.passed = max(clock.passed, due)
            if cycle:
                for n in range(cycle % NEW_IN, number, NEW_IN):
                    google.arrive(people[n], mail_plan.mail(cycle * number + n, people[n]))
            started, spent = clock.passed, time.process_time()
            report = capture(principals, doors, settings, run_id=f"r{cycle}", now=clock.now())
            assert report.mailboxes_read == number, report.counts()
            took = clock.passed - started
            cycles.append(
                {"virtual_s": took, "cpu_s": time.process_time() - spent, "late": took > EVERY.total_seconds()}
            )
            due = started + EVERY.total_seconds()
            while due < clock.passed:  # slots missed meanwhile are not made up for
                due += EVERY.total_seconds()
    measure.say(
        cycles=cycles,
        gaps=[b - a for polls in google.polls.values() for a, b in itertools.pairwise(polls)],
        minutes=[[provider, minute, count] for (provider, minute), count in google.minutes.items()],
        units=dict(limiter.spent()),
        cpu_s=time.process_time() - began,
        grown_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000 - before_mb,
    )


def run(*, pairs: int | None = None, scale: float = 1.0, cycles: int = CYCLES) -> measure.Outcome:
    """Return how evenly and at what cost so many mailboxes are polled, with four readers and with sixteen."""
    del pairs
    number = max(10, int(MAILBOXES * scale))
    rows: list[tuple[str, str, str]] = []
    targets: list[measure.Target] = []
    samples: dict[str, list[measure.Sample]] = {}
    with tempfile.TemporaryDirectory() as folder:
        mail_plan.stage(Path(folder))
        for readers in (4, 16):
            options = {"folder": folder, "mailboxes": number, "cycles": cycles, "readers": readers}
            sample = measure.run_side(Path(__file__), "leakwatch", options)
            samples[f"{readers} readers"] = [sample]
            some, interval = _told(sample.said, number, readers)
            rows += some
            targets.append(
                measure.Target(
                    f"{readers} readers: longest time between two polls", interval, 300.0, "s", binding=False
                )
            )
            targets.append(
                measure.Target(
                    f"{readers} readers: memory per mailbox", sample.said["grown_mb"] / number, TARGET_MB, "MB"
                )
            )
    return measure.Outcome(
        "many_mailboxes", f"{number:,} mailboxes and calendars polled", rows, targets, samples=samples
    )


def _told(said: Mapping[str, Any], number: int, readers: int) -> tuple[list[tuple[str, str, str]], float]:
    first, *later = said["cycles"]
    gaps = sorted(said["gaps"])
    begun = int(first["virtual_s"] // 60) + 1
    busiest: dict[str, int] = {}
    totals: Counter[str] = Counter()
    for provider, minute, count in said["minutes"]:
        busiest[provider] = max(busiest.get(provider, 0), count)
        totals[provider] += count if minute > begun else 0
    cpu = sum(one["cpu_s"] for one in later) / len(later)
    title = f"{readers} readers"
    rows = [
        (f"{title}: first reading of all", f"{first['virtual_s']:.0f} s by its clock, {first['cpu_s']:.0f} CPU-s", ""),
        ("  a later cycle", f"{sum(one['virtual_s'] for one in later) / len(later):.0f} s, {cpu:.1f} CPU-s", ""),
        ("  cycles that ended late", f"{sum(bool(one['late']) for one in later)} of {len(later)}", ""),
        ("  time between two polls of a mailbox: least, median, most",
         f"{gaps[0]:.0f}, {gaps[len(gaps) // 2]:.0f}, {gaps[-1]:.0f} s", ""),
        ("  Gmail calls in the busiest minute, Calendar calls",
         f"{busiest['google']:,}, {busiest['google_calendar']:,} (limit 10,000)", ""),
        ("  Gmail units a minute, at most one minute's calls", f"{busiest['google'] * 2:,} of 1,200,000", ""),
        ("  memory per mailbox", f"{said['grown_mb'] / number:.4f} MB", ""),
    ]  # fmt: skip
    return rows, gaps[-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", required=True)
    parser.add_argument("--options", type=json.loads, required=True)
    leakwatch(parser.parse_args().options)
    sys.exit(0)
