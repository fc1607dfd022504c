"""What one mail costs from the decoded answer of Gmail to the planned write, and what a mailbox costs in memory.

The whole of capture without the network: headers, exclusions, journal (a SQLite file), merging, the mirror's address
book, resolver, planner. Ten mailboxes hold the mails; a third stands in two of them. `planned` keeps the journal,
`dry` is `sync --dry-run`, which stores nothing. Then the same with nothing new in 10, 1,000 and 10,000 mailboxes: peak
memory and CPU of a cycle. There is no peer: each tool that was read writes as it reads, one call per mail.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import measure
from gmail_decode import HEADERS

MAILS, MAILBOXES, PEOPLE = 10_000, 10, 500
IDLE = (10, 1_000, 10_000)
TARGET_US = 250.0  # CPU per mail to the planned write, fetching and decoding included
DECODE_US = 7.5  # what `gmail_decode` measures: fetching and decoding are not done here
TARGET_MB = 0.5  # per idle mailbox
NOW = datetime(2026, 3, 31, 9, tzinfo=UTC)
DOMAIN = "nordwind.example"


class CannedGmail:
    """Mailboxes in memory: `mails` of each, one after the other, then nothing new."""

    can_search = True

    def __init__(self, mails: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self._mails = {address: {mail["id"]: mail for mail in some} for address, some in mails.items()}

    def profile(self, subject: str) -> Mapping[str, Any]:
        return {"emailAddress": subject, "historyId": "1000"}

    def labels(self, _subject: str) -> Mapping[str, str]:
        return {}

    def list_messages(self, subject: str, **_: Any) -> Mapping[str, Any]:
        mails = self._mails.get(subject, {}).values()
        return {"messages": [{"id": mail["id"], "threadId": mail["threadId"]} for mail in mails]}

    def history(self, _subject: str, start: str, **_: Any) -> Mapping[str, Any]:
        return {"historyId": start}

    def get_messages(self, subject: str, ids: Sequence[str]) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        return [self._mails[subject][one] for one in ids], []


def mail(number: int, rep: str) -> dict[str, Any]:
    """Return a mail of a contact to a rep as Gmail gives it with format=metadata."""
    at = NOW - timedelta(minutes=7 * number + 60)
    values = (
        f"Ayşe Yılmaz <p{number % PEOPLE}@acme{number % (PEOPLE // 5)}.example>",
        f"Rep <{rep}>",
        "Bob <bob@elsewhere.example>",
        f"Re: Teklif {number} – fiyat ve teslimat",
        at.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        f"<m{number}.1@mail.acme.example>",
        f"<m{number - 1}.1@mail.acme.example>",
        f"<m{number - 2}.1@mail.acme.example> <m{number - 1}.1@mail.acme.example>",
        "no",
    )
    return {
        "id": f"18f{number:013x}",
        "threadId": f"18f{number // 4:013x}",
        "labelIds": ["INBOX", "IMPORTANT", "CATEGORY_PERSONAL"],
        "internalDate": str(int(at.timestamp() * 1000)),
        "payload": {"headers": [{"name": name, "value": value} for name, value in zip(HEADERS, values, strict=True)]},
    }


def stage(folder: Path) -> None:
    """Make the mirror with everybody the mails are from."""
    from leakwatch.core.tables import FieldSpec, FieldType
    from leakwatch.store.mirror import Mirror
    from leakwatch.store.mirror_config import load_mirror_config
    from leakwatch.store.mirror_derive import DeriveSettings

    accounts = PEOPLE // 5
    rows: dict[str, list[dict[str, Any]]] = {
        "Account": [{"Id": f"001{n:012d}AAA", "Name": f"Acme {n}", "OwnerId": user(0)} for n in range(accounts)],
        "Contact": [
            {"Id": f"003{n:012d}AAA", "Name": f"P {n}", "Email": f"p{n}@acme{n % accounts}.example",
             "AccountId": f"001{n % accounts:012d}AAA"}
            for n in range(PEOPLE)
        ],
        "Opportunity": [
            {"Id": f"006{n:012d}AAA", "Name": f"Deal {n}", "AccountId": f"001{n % accounts:012d}AAA",
             "StageName": "Talk", "IsClosed": False, "IsWon": False, "OwnerId": user(n % MAILBOXES)}
            for n in range(accounts * 2)
        ],
    }  # fmt: skip
    with Mirror(folder, load_mirror_config(measure.HERE.parent / "config" / "mirror.yaml")) as mirror:
        for sobject, some in rows.items():
            kinds = {"Id": FieldType.ID, "IsClosed": FieldType.BOOLEAN, "IsWon": FieldType.BOOLEAN}
            fields = {name: FieldSpec(name, kinds.get(name, FieldType.TEXT)) for name in some[0]}
            mirror.merge(sobject, some, fields=fields, watermark=NOW)
        mirror.derive(DeriveSettings("UTC"), now=NOW)
        mirror.publish(NOW, "00D000000000001AAA")


def user(number: int) -> str:
    """Return the Salesforce id of a rep."""
    return f"005{number:012d}AAA"


def leakwatch(options: dict[str, Any]) -> None:
    """Run one capture over the mailboxes and say what it cost beyond the imports."""
    from leakwatch.core.privacy import PrivacyRules
    from leakwatch.flows.capture import CaptureDoors, CaptureOptions, capture
    from leakwatch.model import Principal
    from leakwatch.sources.gmail import GmailSource
    from leakwatch.store.address_book import address_book
    from leakwatch.store.database import open_engine
    from leakwatch.store.journal import SqlJournal
    from leakwatch.store.schema import upgrade

    folder = Path(options["folder"])
    reps = [f"rep{number}@{DOMAIN}" for number in range(options["mailboxes"])]
    principals = [
        Principal(address, "google", address, user(number), "", frozenset({address}), date(2026, 1, 1))
        for number, address in enumerate(reps)
    ]
    mails: dict[str, list[dict[str, Any]]] = {}
    for number in range(options["mails"]):
        rep = reps[number % len(reps)]
        one = mail(number, rep)
        mails.setdefault(rep, []).append(one)
        if number % 3 == 0:
            mails.setdefault(reps[(number + 1) % len(reps)], []).append(one)
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    with tempfile.TemporaryDirectory() as state:
        engine = open_engine(Path(state) / "state.db")
        upgrade(engine)
        journal = SqlJournal(engine)
        planned = 0

        class Sink:
            """Takes what would be written, and does not write it."""

            def apply(self, ops: Sequence[Any], **_: Any) -> list[Any]:
                nonlocal planned
                planned += len(ops)
                return []

        doors = CaptureDoors(
            sources=[GmailSource(CannedGmail(mails), known=journal.known_ids)],
            journal=journal,
            address_book=lambda addresses, deals: address_book(folder, addresses, deals),
            writer=Sink(),  # type: ignore[arg-type]
            records=None,  # type: ignore[arg-type]
            landed=lambda _ids: {},
            history=lambda _keys: {},
        )
        settings = CaptureOptions(company_domains=(DOMAIN,), privacy=PrivacyRules())
        costs: list[float] = []
        for cycle in range(options["cycles"]):
            started = time.process_time()
            now = NOW + timedelta(minutes=5 * cycle)
            report = capture(principals, doors, settings, run_id=f"r{cycle}", now=now, dry_run=options["dry"])
            costs.append(time.process_time() - started)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    if options["mails"] and (planned or sum(report.planned.values())) < options["mails"]:
        raise RuntimeError(f"only {planned or report.planned} of {options['mails']} mails were planned: {report}")
    measure.say(work_s=costs[0], idle_s=costs[-1], peak_mb=peak_mb, grown_mb=peak_mb - before_mb)


def run(*, pairs: int | None = None, scale: float = 1.0) -> measure.Outcome:
    """Return what planning costs per mail, and what mailboxes cost."""
    script, mails = Path(__file__), max(MAILBOXES, int(MAILS * scale))
    times = pairs or measure.PAIRS
    with tempfile.TemporaryDirectory() as folder:
        stage(Path(folder))
        common = {"folder": folder, "mails": mails, "mailboxes": MAILBOXES, "cycles": 1}
        kept, dry = (
            [measure.run_side(script, "leakwatch", common | {"dry": flag}) for _ in range(times)]
            for flag in (False, True)
        )
        idle = {
            number: measure.run_side(
                script, "leakwatch",
                {"folder": folder, "mails": 0, "mailboxes": max(1, int(number * scale)), "cycles": 2, "dry": False},
            )
            for number in IDLE
        }  # fmt: skip
    per_mail, per_dry = (min(one.said["work_s"] for one in some) / mails * 1e6 for some in (kept, dry))
    # What imports and a full store take at their peak hides a few mailboxes: thousands are compared.
    each = (idle[IDLE[2]].said["grown_mb"] - idle[IDLE[1]].said["grown_mb"]) / ((IDLE[2] - IDLE[1]) * scale)
    rows = [
        ("CPU per mail to the planned write", f"{per_mail + DECODE_US:.0f} µs", ""),
        ("  the same in a dry run, which stores nothing", f"{per_dry + DECODE_US:.0f} µs", ""),
        *(
            (f"{number:,} mailboxes with nothing new: CPU of a cycle, peak memory",
             f"{one.said['idle_s']:.2f} s, {one.said['peak_mb']:.0f} MB", "")
            for number, one in idle.items()
        ),
        ("memory per idle mailbox, 1,000 to 10,000", f"{each:.3f} MB", ""),
    ]  # fmt: skip
    targets = [
        measure.Target("CPU per mail to the planned write", per_mail + DECODE_US, TARGET_US, "µs"),
        measure.Target("memory per idle mailbox", each, TARGET_MB, "MB"),
    ]
    samples = {"kept": kept, "dry": dry, **{f"idle {number}": [one] for number, one in idle.items()}}
    return measure.Outcome("mail_plan", f"{mails:,} mails to the planned write", rows, targets, samples=samples)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", required=True)
    parser.add_argument("--options", type=json.loads, required=True)
    leakwatch(parser.parse_args().options)
    sys.exit(0)
