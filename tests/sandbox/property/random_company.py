"""A little company whose values collide: nulls, equal and nearly equal texts, days on both sides of midnight."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.schema import read_field

_NAMES = ("Acme", "acme", "İstanbul Çay", "ISPARTA Gül", "ısırgan", "50% off", "a_b", "axb", "O'Neil", "c\\d", "Straße")
_TAGS = ("a", "b", "c", "a;b", "a;c", "a;b;c", "aa")
TAGS_FIELD = {"n": "Tags__c", "t": "multipicklist", "f": "nCUFS", "len": 255, "pick": ["a", "b", "c", "aa"]}


def company(org: Org, seed: int, now: datetime) -> None:
    """Fill an org: 4 users, 25 accounts, 40 contacts, 60 deals, 50 tasks."""
    dice = random.Random(seed)
    org.store.add_field("Account", read_field(TAGS_FIELD), TAGS_FIELD)

    def some(values: Any, none: float = 0.25) -> Any:
        return None if dice.random() < none else dice.choice(values)

    def moment() -> datetime:
        return (now + timedelta(minutes=dice.randint(-700 * 1440, 60 * 1440))).astimezone(UTC)

    def day() -> str:
        return (now + timedelta(days=dice.choice((0, 1, -1, dice.randint(-500, 500))))).date().isoformat()

    def make(sobject: str, count: int, row: Any) -> list[str]:
        made = [org.new_id(sobject) for _ in range(count)]
        org.seed(sobject, [{"Id": one, "CreatedDate": moment(), **row(i)} for i, one in enumerate(made)])
        return made

    people = ("Jane", "jane", "Öz", "Lee")
    users = make("User", 4, lambda i: {"LastName": people[i], "Username": f"u{i}@acme.example", "IsActive": i != 3})
    accounts: list[str] = []
    for _ in range(25):
        accounts += make(
            "Account",
            1,
            lambda _i, known=tuple(accounts): {
                "Name": dice.choice(_NAMES),
                "Industry": some(("Banking", "Energy", "Media", "not listed")),
                "AnnualRevenue": some((0, 0.25, 100, 100.5, -3)),
                "NumberOfEmployees": some((0, 1, 7)),
                "Tags__c": some(_TAGS),
                "Site": some(_NAMES),
                "OwnerId": dice.choice(users),
                "ParentId": some(known or (None,), 0.5),
            },
        )
    make(
        "Contact",
        40,
        lambda i: {
            "LastName": dice.choice(_NAMES),
            "Email": some((f"c{i % 7}@acme.example",)),
            "Birthdate": some((day(),)),
            "AccountId": some(accounts),
            "LeadSource": some(("Web", "Other", "not listed")),
            "OwnerId": dice.choice(users),
        },
    )
    deals = make(
        "Opportunity",
        60,
        lambda _i: {
            "Name": dice.choice(_NAMES),
            "StageName": dice.choice(("Prospecting", "Qualification", "Closed Won", "Closed Lost", "not listed")),
            "Amount": some((0, 100, 200.25, 400, -1)),
            "CloseDate": day(),
            "AccountId": some(accounts),
            "NextStep": some(_NAMES, 0.5),
            "LeadSource": some(("Web", "Other")),
            "OwnerId": dice.choice(users),
        },
    )
    make(
        "Task",
        50,
        lambda _i: {
            "Subject": "x",
            "Status": dice.choice(("Not Started", "Completed", "Deferred", "not listed")),
            "ActivityDate": some((day(),)),
            "WhatId": some([*deals, *accounts]),
            "AccountId": some(accounts),
            "OwnerId": dice.choice(users),
        },
    )
