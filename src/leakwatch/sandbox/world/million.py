"""The world `million`: a million deals and five million activities, each row following from its number.

It is never whole in memory: rows come account by account, ten deals with five activities each, and what hangs
together (names of records, last days of activity, the truth) is computed from numbers. It has the company and the
people of the others; there are no leads, no mails, no history of deals, and nobody edits anything during the play.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from random import Random
from typing import Any

from leakwatch.sandbox.world import names, people
from leakwatch.sandbox.world.builder import DAYS, FIRST_DAY, Builder, Size, checked_share
from leakwatch.sandbox.world.check import WorldError
from leakwatch.sandbox.world.deals import DEAL_WORDS
from leakwatch.sandbox.world.million_deals import OFFICE_SECONDS, Planted, Terms, second_of, terms_of, turn_of
from leakwatch.sandbox.world.model import DEFAULT_DELEGATION, Json, World

NAME = "million"
DEALS = 1_000_000
ACCOUNT_DEALS = 10
TASKS = 4
"""Tasks of each deal; it has one event as well."""
MOST_IN_MEMORY = 20_000
"""Deals that may be made as a world in memory or in a file; 20,000 are 130,000 records."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "Account": ("Id", "Name", "Website", "Type", "OwnerId", "CreatedDate", "LastActivityDate"),
    "Contact": (
        "Id", "FirstName", "LastName", "Email", "AccountId", "Title", "OwnerId", "CreatedDate", "LastActivityDate",
    ),
    "Opportunity": (
        "Id", "Name", "AccountId", "StageName", "CloseDate", "Amount", "LastStageChangeDate", "Loss_Reason__c",
        "Budget__c", "IsDeleted", "OwnerId", "CreatedDate", "LastModifiedDate", "LastActivityDate",
    ),
    "Task": (
        "Id", "Subject", "Status", "Priority", "ActivityDate", "CompletedDateTime", "WhoId", "WhatId", "AccountId",
        "OwnerId", "CreatedDate", "LastModifiedDate",
    ),
    "Event": (
        "Id", "Subject", "StartDateTime", "EndDateTime", "DurationInMinutes", "ActivityDate", "ActivityDateTime",
        "EndDate", "WhoId", "WhatId", "AccountId", "OwnerId", "CreatedDate",
    ),
}  # fmt: skip
"""The columns of the rows that `Million.account` makes."""

KINDS = {"acc": "Account", "con": "Contact", "opp": "Opportunity", "task": "Task", "event": "Event"}
_OF_OBJECT = {sobject: kind for kind, sobject in KINDS.items()}

Rows = dict[str, list[tuple[Any, ...]]]
Named = Callable[[str, int], str]
"""The id or reference of the n-th row (from 1) of an object."""

_TASKS = ("Telefon görüşmesi", "Call", "Teklif gönderildi", "Follow-up e-mail", "Numune isteği", "Price list sent")
_EVENTS = ("Tanışma toplantısı", "Site visit", "Teklif sunumu", "Demo")
_OLDEST = -340
"""No activity is older than this many days: the org would archive it as soon as the clock moves."""

_DAY = {offset: (FIRST_DAY + timedelta(days=offset)).isoformat() for offset in range(-900, 400)}
_CLOCK = [f"T{6 + s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}.000+0000" for s in range(OFFICE_SECONDS)]
"""Office hours second by second: from 9:00 in Istanbul, 6:00 UTC all year."""


@dataclass(frozen=True, slots=True)
class Million:
    """So many deals with all that hangs on them, by seed."""

    deals: int
    seed: int

    @property
    def accounts(self) -> int:
        """How many accounts there are."""
        return -(-self.deals // ACCOUNT_DEALS)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows of each object there are."""
        counts = {"Account": self.accounts, "Contact": self.accounts * 5 // 2, "Opportunity": self.deals}
        return counts | {"Task": self.deals * TASKS, "Event": self.deals}

    def as_json(self) -> Json:
        """What makes it."""
        return {"world": NAME, "deals": self.deals, "seed": self.seed}

    def has(self, reference: str) -> tuple[str, int] | None:
        """(object, number) of the row a reference such as `@opp:12` means; None where there is none."""
        kind, _, number = reference.removeprefix("@").partition(":")
        sobject = KINDS.get(kind)
        if sobject is None or not number.isdecimal() or not 1 <= int(number) <= self.counts[sobject]:
            return None
        return sobject, int(number)

    def truth(self) -> Json:
        """The truth as a world has it; its lists are made while they are read."""
        findings = Planted(self.deals, self.seed, leaks=True)
        return {"findings": findings, "decoys": Planted(self.deals, self.seed, leaks=False), "captures": []}

    # -- rows ------------------------------------------------------------------------------------------

    def account(self, number: int, named: Named, sellers: Sequence[str], left: str, rows: Rows) -> None:
        """Add one account with its contacts, deals and activities to the rows; values as the org keeps them.

        `sellers` own the accounts and all on them in turn, except for the deals of who `left`.
        """
        account, owner = named("Account", number), sellers[number % len(sellers)]
        name, domain, turkish = names.firm(number - 1)
        contacts = range((number - 1) * 5 // 2 + 1, number * 5 // 2 + 1)
        who = [named("Contact", contact) for contact in contacts]
        last = [_OLDEST] * len(who)
        latest = _OLDEST
        for deal in range((number - 1) * ACCOUNT_DEALS + 1, min(number * ACCOUNT_DEALS, self.deals) + 1):
            terms = terms_of(deal, self.seed)
            mine = left if terms.left else owner
            link = (named("Opportunity", deal), account, mine)
            days = self._activities(deal, terms, named, who, link, rows)
            for place, day in enumerate(days):
                at = (deal + place) % len(who)
                last[at] = max(last[at], day)
            latest = max(latest, *days)
            rows["Opportunity"].append(self._deal(deal, terms, name, link, max(days)))
        created = _DAY[-400 - number % 300] + _CLOCK[turn_of(number, self.seed) % OFFICE_SECONDS]
        site = f"https://www.{domain}"
        rows["Account"].append((account, name, site, "Customer", owner, created, _DAY[latest]))
        for place, contact in enumerate(contacts):
            first, family, address = _person((300 + contact) % 576, turkish)
            made = _DAY[-380 + contact % 200] + _CLOCK[turn_of(contact, self.seed) % OFFICE_SECONDS]
            title = names.TITLES[contact % len(names.TITLES)]
            touched = _DAY[last[place]] if last[place] > _OLDEST else None
            rows["Contact"].append(
                (who[place], first, family, f"{address}@{domain}", account, title, owner, made, touched)
            )

    def _deal(self, number: int, terms: Terms, firm: str, link: tuple[str, str, str], touched: int) -> tuple[Any, ...]:
        deal, account, owner = link
        at = _CLOCK[second_of(number, self.seed)]
        created = _DAY[terms.created] + at
        moved = None if terms.changed is None else _DAY[terms.changed] + at
        modified = max(created, _DAY[terms.close] + at if moved is None else moved)
        name = f"{firm} – {DEAL_WORDS[number % len(DEAL_WORDS)]} {number}"
        return (
            deal, name, account, terms.stage, _DAY[terms.close], float(terms.amount), moved, terms.reason,
            terms.budget, int(terms.deleted), owner, created, modified, _DAY[touched],
        )  # fmt: skip

    def _activities(
        self, deal: int, terms: Terms, named: Named, who: Sequence[str], link: tuple[str, str, str], rows: Rows
    ) -> tuple[int, ...]:
        """Add a deal's tasks and its event; the days on which something was done, from oldest to latest."""
        what, account, owner = link
        turn = turn_of(deal + self.deals, self.seed)
        begin = max(terms.created, _OLDEST + 1)
        span = max(min(terms.close, -1) - begin, 4)
        days = (begin, begin + span // 4, begin + span // 2, begin + span * 3 // 4, begin + span)
        tasks = rows["Task"]
        first = (deal - 1) * TASKS + 1
        waiting = terms.close > 0
        for place in range(TASKS):
            second = (turn >> place) % (OFFICE_SECONDS - 1800)
            created = _DAY[days[place + 1]] + _CLOCK[second]
            if place == TASKS - 1 and waiting:
                status, due, done = "Not Started", 1 + turn % 28, None
            else:
                status, due, done = "Completed", days[place + 1], _DAY[days[place + 1]] + _CLOCK[second + 1800]
            tasks.append((
                named("Task", first + place), _TASKS[(turn >> place) % len(_TASKS)], status,
                "High" if (turn >> place) % 8 == 0 else "Normal", _DAY[due], done,
                who[(deal + place + 1) % len(who)], what, account, owner, created, done or created,
            ))  # fmt: skip
        day, begins = _DAY[begin], turn % 16 * 1800
        start = day + _CLOCK[begins]
        rows["Event"].append((
            named("Event", deal), _EVENTS[turn % len(_EVENTS)], start, day + _CLOCK[begins + 3600], 60, day, start,
            day, who[deal % len(who)], what, account, owner, start,
        ))  # fmt: skip
        return days[:-1] if waiting else days

    # -- as a world ------------------------------------------------------------------------------------

    def frame(self) -> World:
        """The world without its rows and its truth."""
        size = Size(NAME, 93, 6, self.accounts, self.accounts * 5 // 2, 0, self.deals, 0, 0, 1, multicurrency=False)
        build = Builder(size, self.seed, Random(f"{NAME}:{self.seed}"))
        company = people.company(build)
        people.add_users(build)
        return World(
            name=NAME, seed=self.seed, start=build.start, days=DAYS, audit_time="06:00", company=company,
            users=build.users, queues=build.queues, custom_fields=people.CUSTOM_FIELDS, stages=people.stages(),
            lead_statuses=people.LEAD_STATUSES, meanings=people.meanings(), capture=people.capture(company),
            records=[], mails=[], timeline=[], truth={}, delegation=list(DEFAULT_DELEGATION),
        )  # fmt: skip

    def whole(self) -> World:
        """All of it as a world in memory. Raises WorldError for more than `MOST_IN_MEMORY` deals."""
        if self.deals > MOST_IN_MEMORY:
            share = MOST_IN_MEMORY / DEALS
            raise WorldError(
                [f"{self.deals:,} deals are too many for a file: --scale {share:g} at most, or serve them from disk"]
            )
        world = self.frame()
        world.records = list(self._records(world))
        world.truth = {name: list(items) for name, items in self.truth().items()}
        return world

    def _records(self, world: World) -> Iterator[Json]:
        rows: Rows = {sobject: [] for sobject in COLUMNS}
        sellers, left = owners(world)
        for number in range(1, self.accounts + 1):
            self.account(number, _reference, sellers, left, rows)
        for sobject, some in rows.items():
            for row in some:
                yield _record(sobject, dict(zip(COLUMNS[sobject], row, strict=True)))


def of_scale(scale: float, seed: int) -> Million:
    """The million, or that share of it. Raises WorldError for no sensible share."""
    return Million(max(1, round(DEALS * checked_share(scale))), seed)


def owners(world: World) -> tuple[list[str], str]:
    """References of who owns the rows in turn, and of who left and owns some still."""
    sellers = [user["ref"] for user in world.users if user["role"] == "rep" and user["active"] and user["notice_date"]]
    return sellers, next(user["ref"] for user in world.users if not user["active"])


def _reference(sobject: str, number: int) -> str:
    return f"@{_OF_OBJECT[sobject]}:{number}"


def _record(sobject: str, row: Json) -> Json:
    """A row as a world file has it; its last activity is left to whoever loads it."""
    row.pop("LastActivityDate", None)
    body: Json = {"ref": row.pop("Id"), "object": sobject, "created": row.pop("CreatedDate")}
    body |= {"owner": row.pop("OwnerId")}
    if "LastModifiedDate" in row:
        body["modified"] = row.pop("LastModifiedDate")
    if row.pop("IsDeleted", 0):
        body["deleted"] = True
    return body | {"fields": row}


@lru_cache(maxsize=4096)
def _person(index: int, turkish: bool) -> tuple[str, str, str]:
    """First and last name, and what stands before the @; there are 576 of each language (`names.person`)."""
    first, last = names.person(index, turkish=turkish)
    return first, last, f"{names.ascii_word(first)}.{names.ascii_word(last)}"
