"""The world that the mail benchmarks play: ten reps, three hundred customers, and as many mails as asked for.

Every mail is between one rep and one known contact, so that both sides of a comparison have the same to do: read it,
find the contact, write an EmailMessage, give its Task to the rep. Half of them are there at the start, the other half
arrive on the next day. The same numbers give the same world.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 3, 2, 5, tzinfo=UTC)
NEXT_DAY = START + timedelta(days=1)
REPS, ACCOUNTS, CONTACTS = 10, 100, 300
OVERDUE_TOMORROW = "2026-02-16"  # more than 14 days past on the next day: 25 deals, for the benchmark that acts
OURS = "nordwind.example"
TEXT = "Hello, here is what we talked about on the phone. Could you have a look and tell me by Friday? " * 5


def write_world(path: Path, mails: int) -> Path:
    """Write a world with `mails` before its start and as many on the day after; return the file."""
    reps = [
        {
            "ref": f"@user:rep{n}",
            "first_name": f"Rep{n}",
            "last_name": "Seller",
            "email": f"rep{n}@{OURS}",
            "role": "rep",
            "manager": "@user:boss",
            "notice_date": "2025-10-01",
            "google": {},
        }
        for n in range(REPS)
    ]
    boss = {
        "ref": "@user:boss",
        "first_name": "Berta",
        "last_name": "Boss",
        "email": f"boss@{OURS}",
        "role": "manager",
        "google": {"admin": True},
    }
    robot = {
        "ref": "@user:robot",
        "first_name": "leakwatch",
        "last_name": "Integration",
        "email": f"robot@{OURS}",
        "role": "integration",
    }
    accounts = [
        _record("Account", f"@acc:a{n}", f"@user:rep{n % REPS}", {"Name": f"Customer {n}"}) for n in range(ACCOUNTS)
    ]
    contacts = [
        _record(
            "Contact",
            f"@con:c{n}",
            f"@user:rep{n % REPS}",
            {"FirstName": f"Person{n}", "LastName": "Buyer", "Email": address(n), "AccountId": f"@acc:a{n % ACCOUNTS}"},
        )
        for n in range(CONTACTS)
    ]
    deals = [
        _record(
            "Opportunity",
            f"@opp:o{n}",
            f"@user:rep{n % REPS}",
            {
                "Name": f"Deal {n}",
                "AccountId": f"@acc:a{n}",
                "StageName": "Talking",
                "CloseDate": OVERDUE_TOMORROW if n % 4 == 0 else "2026-06-30",
                "Amount": "12000",
            },
        )
        for n in range(0, ACCOUNTS, 2)
    ]
    world: dict[str, Any] = {
        "format": "leakwatch-world/1",
        "name": "mail-benchmark",
        "start": _iso(START),
        "days": 2,
        "company": {"name": "Nordwind", "domains": [OURS], "time_zone": "Europe/Berlin", "currency": "EUR"},
        "users": [boss, *reps, robot],
        "stages": [
            {"value": "Talking", "is_closed": False, "is_won": False, "probability": 20},
            {"value": "Won", "is_closed": True, "is_won": True, "probability": 100, "forecast": "Closed"},
            {"value": "Lost", "is_closed": True, "is_won": False, "forecast": "Omitted"},
        ],
        "lead_statuses": [{"value": "New", "is_default": True}, {"value": "Converted", "is_converted": True}],
        "meanings": {
            "stage": {"Talking": "open", "Won": "won", "Lost": "lost"},
            "lead_status": {"New": "open", "Converted": "closed"},
        },
        "records": [*accounts, *contacts, *deals],
        "mails": [_mail(n, START - timedelta(minutes=20 * (mails - n))) for n in range(mails)]
        + [_mail(n, START + timedelta(seconds=60 + 80_000 * (n - mails) // mails)) for n in range(mails, 2 * mails)],
    }
    path.write_text(json.dumps(world), encoding="utf-8")
    return path


def address(contact: int) -> str:
    """Return the address of a contact."""
    return f"person{contact}@customer{contact % ACCOUNTS}.example"


def _mail(number: int, at: datetime) -> dict[str, Any]:
    rep, contact = number % REPS, (number * 7) % CONTACTS
    ours, theirs = f"Rep{rep} Seller <rep{rep}@{OURS}>", f"Person{contact} Buyer <{address(contact)}>"
    sender, to = (ours, theirs) if number % 5 < 3 else (theirs, ours)
    return {"id": f"m{number}", "at": _iso(at), "from": sender, "to": [to], "subject": f"Offer {number}", "text": TEXT}


def _record(sobject: str, ref: str, owner: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"ref": ref, "object": sobject, "owner": owner, "created": "2025-06-01T08:00:00Z", "fields": fields}


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
