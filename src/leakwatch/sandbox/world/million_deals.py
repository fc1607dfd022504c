"""What each deal of the world `million` is, by its number alone: its terms, and whether it leaks.

The cases are those of `deals`, in every period of 200 deals once each; all others are deals of every day. So the truth
needs no list: deal 411 is overdue because 411 = 2 x 200 + 11. Nothing is mended during the play; as days pass, more
deals become overdue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from leakwatch.sandbox.clock import format_instant
from leakwatch.sandbox.world.builder import DAYS, FIRST_DAY
from leakwatch.sandbox.world.deals import LOST, LOST_WINDOW_DAYS, OVERDUE, OVERDUE_DAYS, PRICE, REASONS
from leakwatch.sandbox.world.model import Json

PERIOD = 200
#: Each case stands at its place in the period. The first hundred deals have them all, so that a small share has too.
_FIRST_CASE = 11
#: Second of the local day at which the office opens, and how many seconds it is open.
OFFICE_OPENS, OFFICE_SECONDS = 9 * 3600, 9 * 3600
_MIDNIGHT = datetime.combine(FIRST_DAY, time(0), ZoneInfo("Europe/Istanbul")).astimezone(UTC)
_BASELINE = timedelta(hours=6)


class Terms(NamedTuple):
    """A deal. Days count from the first audit; `changed` is that of the last stage change, None for no date."""

    stage: str
    close: int
    created: int
    changed: int | None
    amount: int
    reason: str | None = None
    budget: float | None = None
    deleted: bool = False
    left: bool = False
    """Whether its owner has left the company."""


@dataclass(frozen=True, slots=True)
class Case:
    """A leak, or what only looks like one (`leak` is False)."""

    rule: str
    leak: bool
    why: str
    terms: Callable[[int, int], Terms]
    """From a number that varies and the amount."""


def moment(day: int, second: int) -> datetime:
    """The instant at a second of a local day. Istanbul keeps the same offset all year, so days have 24 hours."""
    return _MIDNIGHT + timedelta(days=day, seconds=second)


def _open(close: int, *, deleted: bool = False, left: bool = False) -> Callable[[int, int], Terms]:
    created = min(-120, close - 60)
    return lambda turn, amount: Terms(
        "Negotiation", close, created, -30 - turn % 60, amount, deleted=deleted, left=left
    )


def _lost(
    stage: str, day: int, reason: str | None = None, *, close: int | None = None, dated: bool = True
) -> Callable[[int, int], Terms]:
    ends = day if close is None else close
    return lambda _, amount: Terms(stage, ends, day - 140, day if dated else None, amount, reason)


def _won(share: float, aside: float = 0) -> Callable[[int, int], Terms]:
    """Won at a share of the budget, and so much aside of it."""
    return lambda turn, amount: Terms(
        "Closed Won", -5, -200, -5 - turn % 75, amount, budget=round(amount / share + aside, 2)
    )


_WINDOW = DAYS - LOST_WINDOW_DAYS

CASES: dict[int, Case] = dict(
    enumerate(
        (
            Case(OVERDUE, True, "one day over, on the first day", _open(-15)),
            Case(
                OVERDUE,
                True,
                "overdue for a month to ten",
                lambda turn, amount: Terms("Teklif", -30 - turn % 270, -340, -320, amount),
            ),
            Case(OVERDUE, True, "its owner has left the company", _open(-45, left=True)),
            Case(
                OVERDUE,
                True,
                "becomes overdue during the play, nobody touches it",
                lambda turn, amount: Terms("Negotiation", -14 + turn % 10, -120, -30, amount),
            ),
            Case(OVERDUE, False, "exactly 14 days late on the last day, never more", _open(DAYS - OVERDUE_DAYS)),
            Case(
                OVERDUE,
                False,
                "won long ago",
                lambda turn, amount: Terms("Closed Won", -200 - turn % 100, -320, -200 - turn % 100, amount),
            ),
            Case(OVERDUE, False, "in the recycle bin", _open(-100, deleted=True)),
            Case(LOST, True, "lost three weeks ago", _lost("Kaybedildi", -21)),
            Case(
                LOST,
                True,
                "abandoned, reason empty",
                lambda turn, amount: Terms("Vazgeçildi", -3 - turn % 300, -340, -3 - turn % 300, amount),
            ),
            Case(LOST, True, "suspended, reason of blanks only", _lost("Askıya Alındı", -5, "   ", close=90)),
            Case(LOST, True, "in the window on the last day still", _lost("Closed Lost", _WINDOW)),
            Case(LOST, True, "no stage date: its close date counts", _lost("Closed Lost", -60, dated=False)),
            Case(LOST, False, "lost, with its reason", _lost("Kaybedildi", -10, REASONS[1])),
            Case(LOST, False, "one day outside the window", _lost("Closed Lost", -LOST_WINDOW_DAYS - 1)),
            Case(LOST, False, "still open", _open(50)),
            Case(PRICE, True, "below half of its budget", _won(0.5, 0.02)),
            Case(PRICE, True, "above 125 % of its budget", _won(1.25, -0.02)),
            Case(PRICE, False, "exactly half of its budget", _won(0.5)),
            Case(PRICE, False, "exactly 125 % of its budget", _won(1.25)),
        ),
        _FIRST_CASE,
    )
)


def turn_of(number: int, seed: int) -> int:
    """A number of 32 bits that varies from row to row: the same for the same number and seed (Knuth's factor)."""
    mixed = (number * 2_654_435_761 + seed * 2_246_822_519) & 0xFFFFFFFF
    return mixed ^ mixed >> 15


def terms_of(number: int, seed: int) -> Terms:
    """A deal by its number, from 1."""
    turn = turn_of(number, seed)
    amount = 20_000 + turn % 380 * 1_000
    case = CASES.get(number % PERIOD)
    return case.terms(turn >> 8, amount) if case is not None else _everyday(turn >> 8, amount)


def _everyday(turn: int, amount: int) -> Terms:
    """Open ones, wins at a sound price, and losses that say why, in the shares that `deals.everyday` has."""
    share, turn = turn % 20, turn // 20
    if share < 7:
        stage = ("Prospecting", "Teklif", "Negotiation")[turn % 3]
        created = -5 - turn // 3 % 105
        return Terms(stage, DAYS + 1 + turn % 136, created, max(created, -30), amount)
    day = -3 - turn % 297
    if share < 13:
        budget = amount * (80 + turn % 40) / 100 if share < 9 else None
        return Terms("Closed Won", day, day - 90, day, amount, budget=budget)
    stage = ("Closed Lost", "Kaybedildi", "Vazgeçildi")[turn % 3]
    return Terms(stage, day, day - 90, day, amount, REASONS[turn % len(REASONS)])


def second_of(number: int, seed: int) -> int:
    """When in office hours a deal's stage changed: seconds after opening."""
    return turn_of(number, seed) % OFFICE_SECONDS


class Planted:
    """What is planted in so many deals, as the truth of a world file lists it; made anew at each look."""

    def __init__(self, deals: int, seed: int, *, leaks: bool) -> None:
        """The findings, or (`leaks` False) the decoys."""
        self._deals, self._seed, self._leaks = deals, seed, leaks

    def __iter__(self) -> Iterator[Json]:
        """By the deals' numbers."""
        for start in range(0, self._deals + 1, PERIOD):
            for place, case in CASES.items():
                if case.leak == self._leaks and start + place <= self._deals:
                    yield self._item(case, start + place)

    def _item(self, case: Case, number: int) -> Json:
        body: Json = {"rule": case.rule, "record": f"@opp:{number}"}
        if not case.leak:
            return body | {"why": case.why}
        since = _since(case, terms_of(number, self._seed), second_of(number, self._seed))
        baseline = since <= _MIDNIGHT + _BASELINE
        return body | {"from": format_instant(since), "until": None, "baseline": baseline, "why": case.why}


def _since(case: Case, terms: Terms, second: int) -> datetime:
    if case.rule == OVERDUE:
        return moment(terms.close + OVERDUE_DAYS + 1, 0)
    if terms.changed is None:
        return moment(terms.close, 0)
    return moment(terms.changed, OFFICE_OPENS + second)
