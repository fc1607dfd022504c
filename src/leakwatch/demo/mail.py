"""`leakwatch demo --mail FILE`: real mail of your own, through the whole of capture, with the fate of every message."""

from __future__ import annotations

import mailbox
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from leakwatch import config
from leakwatch.app.building import Parts
from leakwatch.app.capturing import run_capture
from leakwatch.clock import SettableClock, SystemClock
from leakwatch.demo.stage import DemoOptions, Progress, Sandbox, prepare, write_settings
from leakwatch.errors import ConfigError

MAIL_BACKFILL_DAYS = 12_000  # deep enough for an mbox of 1995
# What makes a mail a list's or a machine's, judged here on its own and not by the code under demonstration.
LIST_HEADERS = ("List-Id", "List-Post", "List-Unsubscribe", "List-Help", "Mailing-List")
BULK_WORDS = ("bulk", "list", "junk")
SYSTEM_SENDERS = ("mailer-daemon@", "postmaster@")  # a mail system reporting, not a person (RFC 5321 §4.5.1, §6.1)


@dataclass(slots=True)
class MailOutcome:
    """What became of every message of an imported mbox."""

    messages: int
    conversations: int
    contacts_made: int
    written: int = 0
    unmatched: int = 0
    skipped: Counter[str] = field(default_factory=Counter[str])
    quarantined: Counter[str] = field(default_factory=Counter[str])
    records: int = 0
    known_personal: int = 0
    known_personal_missing: list[str] = field(default_factory=list[str])
    settings: Path | None = None
    ends_at: datetime | None = None  # the sandbox's time at the end

    @property
    def accounted_for(self) -> int:
        """Messages whose fate is known: must be all of them."""
        return self.written + self.unmatched + sum(self.skipped.values()) + sum(self.quarantined.values())

    @property
    def as_expected(self) -> bool:
        """Whether every message is accounted for and every personal mail of a known contact is written."""
        return self.accounted_for == self.messages and not self.known_personal_missing


def run_mail(options: DemoOptions, mbox: Path, *, progress: Progress) -> MailOutcome:
    """Import `mbox` into a sandbox mailbox, capture it, and return the fate of every message."""
    if not mbox.is_file():
        raise ConfigError(f"{mbox} is no file; give --mail an mbox file")
    prepare(options.folder)
    progress("importing the mails into the sandbox")
    with Sandbox(options.folder / "sandbox", world=options.world, seed=options.seed, mail=mbox.resolve()) as sandbox:
        imported = sandbox.world["mail_import"]
        path = write_settings(
            options.folder,
            sandbox,
            language=options.language,
            capture={"backfill_days": MAIL_BACKFILL_DAYS, "mailboxes": [imported["mailbox"]]},
        )
        clock = SettableClock(datetime.fromisoformat(sandbox.info["world"]["now"]))
        with Parts(config.load(path), clock=clock, wall=SystemClock()) as parts:
            report = run_capture(parts, progress=progress)
            progress("")
            outcome = _mail_outcome(parts, imported, mbox, report.written.get("EmailMessage", 0), path)
            outcome.ends_at = clock.now()
            return outcome


def _mail_outcome(parts: Parts, imported: Mapping[str, Any], mbox: Path, records: int, path: Path) -> MailOutcome:
    items: list[Mapping[str, Any]] = imported["items"]
    outcome = MailOutcome(
        messages=len(items),
        conversations=imported["conversations"],
        contacts_made=len(imported["contacts"]),
        records=records,
        settings=path,
    )
    personal = _personal(mbox)
    for item, is_personal in zip(items, personal, strict=True):
        fates = parts.capture_status.explain(item["id"])
        fate = next((one for one in fates if one.ref.provider_id == item["id"]), None)
        word, reason = (fate.outcome, fate.reason) if fate is not None else ("missing", "")
        if word == "written":
            outcome.written += 1
        elif word == "unmatched":
            outcome.unmatched += 1
        elif word == "skipped":
            outcome.skipped[reason.split(":")[0] or "bulk"] += 1
        elif word == "quarantined":
            outcome.quarantined[reason.split(":")[0]] += 1
        if is_personal and item["sender_known"]:
            outcome.known_personal += 1
            if word != "written":
                outcome.known_personal_missing.append(f"{item['id']}: {word} {reason}".strip())
    return outcome


def _personal(mbox: Path) -> list[bool]:
    """Return, message by message, whether a person wrote it: no list, no mass mailing, no mail system."""
    return [not _is_bulk(message) for message in mailbox.mbox(str(mbox), create=False)]


def _is_bulk(message: Message) -> bool:
    precedence = str(message.get("Precedence", "")).lower()
    sender = parseaddr(str(message.get("From", "")))[1].lower()
    if sender.startswith(SYSTEM_SENDERS):
        return True
    return any(name in message for name in LIST_HEADERS) or any(word in precedence for word in BULK_WORDS)
