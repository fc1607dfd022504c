"""Collecting a generated world piece by piece, with the few helpers every part of it needs."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from leakwatch.sandbox.clock import format_instant
from leakwatch.sandbox.world.check import WorldError
from leakwatch.sandbox.world.model import Json

#: Monday of the first audit. A Monday, so that the two weeks hold two whole working weeks.
FIRST_DAY = date(2026, 3, 2)

#: The clock starts an hour before the first audit (06:00 local).
START_TIME = time(5, 0)

#: Days from the first audit to the last one.
DAYS = 14


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of everything. `repeat` is how often each planted case occurs."""

    name: str
    reps: int
    managers: int
    accounts: int
    contacts: int
    leads: int
    opportunities: int
    mails_before: int
    mails_during: int
    repeat: int
    multicurrency: bool

    def scaled(self, share: float) -> Size:
        """The same with a share of everything but users; each planted case occurs at least once.

        Raises WorldError for a share that is none (`checked_share`).
        """
        checked_share(share)
        counts = ("accounts", "contacts", "leads", "opportunities", "mails_before", "mails_during", "repeat")
        return replace(self, **{name: max(1, round(getattr(self, name) * share)) for name in counts})


def checked_share(share: float) -> float:
    """The share, if it is above 0 and at most 1. Raises WorldError."""
    if not 0 < share <= 1:
        raise WorldError([f"--scale must be above 0 and at most 1, not {share:g}"])
    return share


SIZES = {
    "small": Size("small", 4, 2, 25, 60, 60, 110, 120, 60, 1, multicurrency=False),
    "medium": Size("medium", 20, 4, 420, 1_000, 800, 1_500, 2_400, 600, 6, multicurrency=True),
    "large": Size("large", 93, 6, 12_000, 30_000, 20_000, 50_000, 80_000, 20_000, 60, multicurrency=True),
}


@dataclass(slots=True)
class Person:
    """Somebody outside: a contact, a lead or a stranger."""

    ref: str
    name: str
    email: str
    account: str = ""
    turkish: bool = False

    @property
    def mailbox(self) -> str:
        """`Name <address>`."""
        return f"{self.name} <{self.email}>"


@dataclass(slots=True)
class Account:
    """A customer. `talking` ones write mails and keep their open deals; `quiet` ones hold the play's deals."""

    ref: str
    name: str
    domain: str
    owner: str
    turkish: bool
    contacts: list[Person] = field(default_factory=list[Person])
    open_deals: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Builder:
    """The world so far."""

    size: Size
    seed: int
    dice: random.Random
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Istanbul"))
    users: list[Json] = field(default_factory=list[Json])
    queues: list[Json] = field(default_factory=list[Json])
    records: list[Json] = field(default_factory=list[Json])
    mails: list[Json] = field(default_factory=list[Json])
    timeline: list[Json] = field(default_factory=list[Json])
    findings: list[Json] = field(default_factory=list[Json])
    decoys: list[Json] = field(default_factory=list[Json])
    captures: list[Json] = field(default_factory=list[Json])
    talking: list[Account] = field(default_factory=list[Account])
    quiet: list[Account] = field(default_factory=list[Account])
    mail_leads: list[Person] = field(default_factory=list[Person])
    _numbers: dict[str, int] = field(default_factory=dict[str, int])
    _by_ref: dict[str, Json] = field(default_factory=dict[str, Json])
    _counts: Counter[str] = field(default_factory=Counter[str])

    def number(self, kind: str) -> int:
        """The next number of a kind, from 1."""
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return self._numbers[kind]

    # -- time --------------------------------------------------------------------------------------

    def day(self, offset: int) -> date:
        """The local date so many days after the first audit."""
        return FIRST_DAY + timedelta(days=offset)

    def iso(self, offset: int) -> str:
        """The same as ISO text."""
        return self.day(offset).isoformat()

    def at(self, offset: int, hour: int = 12, minute: int = 0) -> str:
        """An instant at local wall time on a day."""
        local = datetime.combine(self.day(offset), time(hour, minute), self.zone)
        return format_instant(local.astimezone(UTC))

    def office_hours(self, offset: int) -> str:
        """Some instant between 09:00 and 18:00 local."""
        return self.at(offset, self.dice.randint(9, 17), self.dice.randint(0, 59))

    @property
    def start(self) -> datetime:
        """Where the clock starts."""
        return datetime.combine(FIRST_DAY, START_TIME, self.zone).astimezone(UTC)

    # -- people ------------------------------------------------------------------------------------

    def sellers(self) -> list[Json]:
        """Reps who work here and were told that their mail is read."""
        return [u for u in self.users if u["role"] == "rep" and u["active"] and u["notice_date"]]

    def seller(self, index: int) -> Json:
        """One of them, round and round."""
        sellers = self.sellers()
        return sellers[index % len(sellers)]

    # -- pieces ------------------------------------------------------------------------------------

    def record(self, ref: str, sobject: str, fields: Json, **rest: Any) -> str:
        """Add a record; returns its reference."""
        self.records.append({"ref": ref, "object": sobject, "fields": fields} | rest)
        self._by_ref[ref] = self.records[-1]
        self._counts[sobject] += 1
        return ref

    def count(self, sobject: str) -> int:
        """How many records of an object there are."""
        return self._counts[sobject]

    def find(self, ref: str) -> Json:
        """The record of a reference."""
        return self._by_ref[ref]

    def play(self, at: str, do: str, **rest: Any) -> None:
        """Add an event to the timeline."""
        self.timeline.append({"at": at, "do": do} | rest)

    def finding(self, rule: str, record: str, since: str, until: str | None, why: str) -> None:
        """Plant a leak in the truth; what began before the first audit is baseline."""
        baseline = since <= self.at(0, 6)
        body: Json = {"rule": rule, "record": record, "from": since, "until": until, "baseline": baseline}
        self.findings.append(body | {"why": why})

    def decoy(self, rule: str, record: str, why: str) -> None:
        """Plant something that must never be found."""
        self.decoys.append({"rule": rule, "record": record, "why": why})

    def money(self, low: int, high: int) -> int:
        """A round amount."""
        return self.dice.randrange(low, high, 1_000)
