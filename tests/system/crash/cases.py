"""What may go wrong in one case, drawn by dice; how a case is played; how it has to end.

A case is: a scene of the story (a command and the state before it), the fault points at which it is killed one after
the other, and faults of Google and Salesforce that end after a while. However it went, run again until it is through,
it must leave the org that the undisturbed command left, row by row; killed only, the state file too.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from leakwatch.sandbox.faults import Rule
from system.crash.company import Company
from system.crash.theatre import Facts, difference

TRIES = 6  # runs while things go wrong: a rule ends after at most five hits
CLEAN_RUNS = 3  # afterwards
CRASHED = 70  # exit code of a command that met something nobody foresaw
MOST_KILLS = 5

Json = dict[str, Any]
Draw = Callable[[random.Random], Json]


def _times(dice: random.Random) -> Json:
    return {"probability": dice.choice((0.2, 0.5, 1.0)), "times": dice.randint(1, 5), "after": dice.randint(0, 2)}


def _rule(service: str, **rule: Any) -> Draw:
    return lambda dice: {"service": service, **rule, **_times(dice)}


def _once(service: str, **rule: Any) -> Draw:
    """Once or twice, at the first chance: a cursor is asked for but once a stream and run."""
    return lambda dice: {"service": service, **rule, "times": dice.randint(1, 2), "after": dice.randint(0, 2)}


#: What goes wrong, by name: a rule of the sandbox's fault book (see `sandbox/faults.py`).
FAULTS: dict[str, Draw] = {
    "parts of a batch throttled": _rule("google", match=r"(messages|threads)/\w", status=429, retry_after=1),
    "parts of a batch fail": _rule("google", match=r"(messages|threads)/\w", status=500),
    "Google's answers lost": _rule("google", do="reset", effect="after"),
    "Google unavailable": _rule("google", match="gmail|calendar|batch", status=503),
    "Google throttles": _rule("google", match="gmail|calendar|batch", status=429, retry_after=2),
    "Google's token refused": _once("google", match="gmail|calendar", status=401),
    "a page of a proxy": _rule("google", match="gmail|calendar", do="html"),
    "Google's answers cut off": _rule("google", match="gmail|calendar|batch", do="truncate"),
    "empty pages": _rule("google", match=r"/(messages|history|events)\?", do="empty_page"),
    "history expired": _once("google", match="/history", status=404),
    "sync token expired": _once("google", match="/events.*syncToken", status=410),
    "page token expired": _once("google", match=r"/(messages|history|events).*pageToken", status=400),
    "rows locked": _rule("salesforce", do="lock_row"),
    "Salesforce's answers lost": _rule("salesforce", match="^(POST|PATCH|DELETE)", do="reset", effect="after"),
    "writes answered with 500 after all": _rule("salesforce", match="^(POST|PATCH)", status=500, effect="after"),
    "Salesforce's connections torn": _rule("salesforce", do="reset"),
    "Salesforce unavailable": _rule("salesforce", status=503),
    "a short list of results": _once("salesforce", match="^POST .*composite", do="short_list"),
    "Salesforce's answers cut off": _rule("salesforce", do="truncate"),
    "session ended": _once("salesforce", do="expire_session"),
    "API calls used up": _once("salesforce", code="REQUEST_LIMIT_EXCEEDED"),
}
#: What Google does to pages (see `emulated.Pages`), and the state of all of Salesforce.
ODDITIES = ("pages twice", "pages backwards", "change token lost", "Salesforce out")


@dataclass(frozen=True, slots=True)
class Case:
    """What is to go wrong: fault points by place, rules by name, oddities."""

    kills: tuple[int, ...] = ()
    faults: dict[str, Json] = field(default_factory=dict[str, Json])
    oddities: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The case in words."""
        killed = f"killed at {', then '.join(map(str, self.kills))}" if self.kills else "not killed"
        return "; ".join([killed, *self.faults, *self.oddities])

    def as_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """How a scene ends when nothing goes wrong."""

    points: list[str]
    org: Facts
    facts: Facts
    result: dict[str, int]


@dataclass(slots=True)
class Played:
    """What became of a case."""

    wrong: list[str] = field(default_factory=list[str])
    kills: int = 0
    runs: int = 0
    hits: dict[str, int] = field(default_factory=dict[str, int])


def single(place: int) -> Case:
    """Return the case that is killed once, at `place`."""
    return Case((place,))


def chain(points: int, dice: random.Random) -> Case:
    """Return a case that is killed again while it recovers, and again."""
    return Case(tuple(dice.randint(1, points) for _ in range(dice.randint(2, MOST_KILLS))))


def trouble(points: int, dice: random.Random) -> Case:
    """Return a case of one to three faults, killed up to twice among them."""
    names = dice.sample([*FAULTS, *ODDITIES], dice.randint(1, 3))
    faults = {name: FAULTS[name](dice) for name in names if name in FAULTS}
    kills = tuple(dice.randint(1, points) for _ in range(dice.choice((0, 1, 1, 2))))
    return Case(kills, faults, tuple(name for name in names if name in ODDITIES))


# --- playing; all of this runs in a fork of the company ---


def undisturbed(company: Company, command: str) -> Json:
    """Play the scene with nothing going wrong; return how it ended, and what is not as the world says."""
    ended = company.well(command)
    org, labels = company.org()
    wrong = company.wrong() if command == "capture" and not company.setting.create else []
    return {"points": ended.points, "org": org, "facts": company.facts(labels), "result": ended.result, "wrong": wrong}


def play(company: Company, command: str, given: Json, wanted: Undisturbed) -> Json:
    """Play a case; return a `Played` as JSON."""
    case, played = Case(tuple(given["kills"]), given["faults"], tuple(given["oddities"])), Played()
    for rule in case.faults.values():
        company.emulated.book.add(Rule.from_json(rule))
    _oddly(company, case.oddities)
    disturbed = bool(case.faults or case.oddities)
    for place in case.kills:
        ended = company.run(command, kill_at=place)
        played.runs += 1
        played.kills += ended.signal == signal.SIGKILL
        _note(ended, played)
    for _ in range(TRIES if disturbed else 0):
        before = [rule.taken for rule in company.emulated.book.rules]
        ended = company.run(command)
        played.runs += 1
        _note(ended, played)
        over = not any(_still(rule) for rule in company.emulated.book.rules)
        if over or before == [rule.taken for rule in company.emulated.book.rules]:
            break
    played.hits = {rule.do: rule.taken for rule in company.emulated.book.rules}
    company.emulated.book.clear()
    _oddly(company, ())
    _end_well(company, command, wanted, played, disturbed=disturbed)
    return asdict(played)


def _end_well(company: Company, command: str, wanted: Undisturbed, played: Played, *, disturbed: bool) -> None:
    """Run on with nothing going wrong, and hold the end against the undisturbed one."""
    again = "capture again" if disturbed and command == "capture" else command
    wrong = ["it was never run to its end"]
    for _ in range(CLEAN_RUNS if disturbed else 1):
        ended = company.run(again)
        played.runs += 1
        _note(ended, played)
        if ended.exit != 0:
            wrong = [f"can't be run again: {ended.exit or ended.signal} {ended.error} {ended.words}"]
            continue
        org, labels = company.org()
        wrong = difference(wanted.org, org)
        if not disturbed:
            wrong += difference(wanted.facts, company.facts(labels))
        if not wrong:
            break
    played.wrong += wrong


def _note(ended: Any, played: Played) -> None:
    if ended.exit == CRASHED or (ended.signal is not None and ended.signal != signal.SIGKILL):
        played.wrong.append(f"it crashed: {ended.signal or ''} {ended.words}")


def _still(rule: Rule) -> bool:
    return rule.times is None or rule.taken < rule.times


def _oddly(company: Company, oddities: tuple[str, ...]) -> None:
    pages = company.emulated.pages
    pages.twice, pages.backwards = "pages twice" in oddities, "pages backwards" in oddities
    pages.tokenless = 2 if "change token lost" in oddities else 0
    company.emulated.outage = "Salesforce out" in oddities
