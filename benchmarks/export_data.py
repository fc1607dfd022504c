"""A Salesforce Data Export of any size, always the same for the same size: what the export benchmark audits.

Deals, a line item for each, leads, accounts and users, as Salesforce writes them (every value quoted, ISO datetimes).
About one deal in twenty breaks a rule, and one lead in ten.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

AS_OF = date(2026, 3, 31)
STAGES = (
    ("Prospecting", 0, 0),
    ("Negotiation/Review", 0, 0),
    ("Closed Won", 1, 1),
    ("Closed Lost", 1, 0),
    ("On Hold", 0, 0),
)
REASONS = ("Price", "Lost to Competitor", "No Decision / Non-Responsive", "Bütçe yok", "Zamanlama")
WORDS = ("Yıllık", "Bakım", "Renewal", "Expansion", "Şebeke", "Upgrade", "Pilot", "İstanbul", "Factory", "Platform")
COLUMNS = {
    "User": (
        "Id",
        "Username",
        "Name",
        "Email",
        "IsActive",
        "UserType",
        "ManagerId",
        "Department",
        "TimeZoneSidKey",
        "SystemModstamp",
    ),
    "Account": (
        "Id",
        "IsDeleted",
        "Name",
        "OwnerId",
        "ParentId",
        "Website",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "LastActivityDate",
    ),
    "Lead": (
        "Id",
        "IsDeleted",
        "Name",
        "Company",
        "Email",
        "Status",
        "LeadSource",
        "OwnerId",
        "IsConverted",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "LastActivityDate",
    ),
    "Opportunity": (
        "Id",
        "IsDeleted",
        "AccountId",
        "Name",
        "Description",
        "StageName",
        "Amount",
        "Probability",
        "CloseDate",
        "Type",
        "NextStep",
        "LeadSource",
        "IsClosed",
        "IsWon",
        "OwnerId",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "LastActivityDate",
        "LastStageChangeDate",
        "Loss_Reason__c",
    ),
    "OpportunityLineItem": (
        "Id",
        "IsDeleted",
        "OpportunityId",
        "PricebookEntryId",
        "Product2Id",
        "Quantity",
        "UnitPrice",
        "ListPrice",
        "TotalPrice",
        "SystemModstamp",
    ),
}


def write_export(folder: Path, deals: int) -> Path:
    """Write the export of `deals` deals into `folder`; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(20260331)
    users = 500
    accounts = max(1, deals // 20)
    _write(folder, "User", (_user(number) for number in range(users)))
    _write(folder, "Account", (_account(dice, number, users) for number in range(accounts)))
    _write(folder, "Lead", (_lead(dice, number, users) for number in range(max(1, deals // 10))))
    path = folder / "OpportunityLineItem.csv"
    with path.open("w", encoding="utf-8", newline="") as lines:
        lines.write(_line(COLUMNS["OpportunityLineItem"]))
        _write(folder, "Opportunity", (_deal(dice, number, accounts, users, lines) for number in range(deals)))
    return folder


def _deal(dice: random.Random, number: int, accounts: int, users: int, lines: object) -> Sequence[str]:
    stage, closed, won = STAGES[dice.randrange(5)]
    listed = dice.randrange(1_000, 200_000)
    price = listed * (dice.choice((30, 140)) if dice.random() < 0.05 else dice.randrange(60, 120)) // 100
    made = AS_OF - timedelta(days=dice.randrange(30, 1_500))
    late = dice.random() < 0.05
    close = (
        made + timedelta(days=dice.randrange(20, 200))
        if closed
        else AS_OF + timedelta(days=-dice.randrange(10, 60) if late else dice.randrange(0, 200))
    )
    changed = min(close, AS_OF)
    reason = ""
    if stage in ("Closed Lost", "On Hold"):
        reason = " " if dice.random() < 0.05 else dice.choice(REASONS)
    name = f"{dice.choice(WORDS)} {dice.choice(WORDS)} {number}"
    stamp = f"{changed.isoformat()}T{dice.randrange(24):02d}:15:00.000Z"
    lines.write(  # type: ignore[attr-defined]
        _line(
            (
                f"00k{number:012d}AAA",
                "0",
                f"006{number:012d}AAA",
                f"01u{number % 300:012d}AAA",
                f"01t{number % 300:012d}AAA",
                "1",
                str(price),
                str(listed),
                str(price),
                stamp,
            )
        )
    )
    return (
        f"006{number:012d}AAA",
        "1" if dice.random() < 0.01 else "0",
        f"001{number % accounts:012d}AAA",
        name,
        f'Görüşme notu {number}: müşteri teklifi inceliyor, "hızlı teslim" istiyor, see thread of the last week.',
        stage,
        f"{price}.00" if dice.random() < 0.97 else "",
        "50",
        close.isoformat(),
        "New Business",
        "Call back",
        "Web",
        str(closed),
        str(won),
        f"005{dice.randrange(users):012d}AAA",
        f"{made.isoformat()}T09:00:00.000Z",
        stamp,
        stamp,
        changed.isoformat(),
        stamp,
        reason,
    )


def _lead(dice: random.Random, number: int, users: int) -> Sequence[str]:
    stale = dice.random() < 0.1
    made = AS_OF - timedelta(days=dice.randrange(25, 400) if stale else dice.randrange(0, 29))
    touched = "" if dice.random() < 0.5 else (made + timedelta(days=dice.randrange(0, 6))).isoformat()
    status = dice.choice(("Open - Not Contacted", "Working - Contacted", "Closed - Not Converted"))
    stamp = f"{made.isoformat()}T{dice.randrange(24):02d}:30:00.000Z"
    return (
        f"00Q{number:012d}AAA",
        "0",
        f"{dice.choice(WORDS)} Lead {number}",
        f"Company {number}",
        f"lead{number}@x.example",
        status,
        "Web",
        f"005{dice.randrange(users):012d}AAA",
        str(int(dice.random() < 0.2)),
        stamp,
        stamp,
        stamp,
        touched,
    )


def _account(dice: random.Random, number: int, users: int) -> Sequence[str]:
    stamp = "2024-05-01T08:00:00.000Z"
    name = f"{dice.choice(WORDS)} A.Ş. {number}"
    return (
        f"001{number:012d}AAA",
        "0",
        name,
        f"005{number % users:012d}AAA",
        "",
        f"https://c{number}.example",
        stamp,
        stamp,
        stamp,
        "2026-03-01",
    )


def _user(number: int) -> Sequence[str]:
    boss = f"005{number // 10:012d}AAA" if number else ""
    return (
        f"005{number:012d}AAA",
        f"u{number}@x.example",
        f"Seller {number}",
        f"u{number}@x.example",
        "1",
        "Standard",
        boss,
        "Sales",
        "Europe/Istanbul",
        "2024-05-01T08:00:00.000Z",
    )


def _write(folder: Path, sobject: str, rows: Iterable[Sequence[str]]) -> None:
    with (folder / f"{sobject}.csv").open("w", encoding="utf-8", newline="") as out:
        out.write(_line(COLUMNS[sobject]))
        for row in rows:
            out.write(_line(row))


def _line(values: Sequence[str]) -> str:
    return ",".join('"' + value.replace('"', '""') + '"' for value in values) + "\r\n"
