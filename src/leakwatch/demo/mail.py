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
    empty: int  # passed over: not a single character in them
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
    """Import `mbox` into a sandbox mailbox, capture it, and return the fate of every message.

    Raises:
        ConfigError: it is no file, can't be read, or there is no mail in it.
    """
    personal = _personal(mbox)
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
            outcome = _mail_outcome(parts, imported, personal, report.written.get("EmailMessage", 0), path)
            outcome.ends_at = clock.now()
            return outcome


def _mail_outcome(
    parts: Parts, imported: Mapping[str, Any], personal: Mapping[int, bool], records: int, path: Path
) -> MailOutcome:
    items: list[Mapping[str, Any]] = imported["items"]
    outcome = MailOutcome(
        messages=len(items),
        empty=imported["empty"],
        conversations=imported["conversations"],
        contacts_made=len(imported["contacts"]),
        records=records,
        settings=path,
    )
    for item in items:
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
        if personal[item["number"]] and item["sender_known"]:
            outcome.known_personal += 1
            if word != "written":
                outcome.known_personal_missing.append(f"{item['id']}: {word} {reason}".strip())
    return outcome


def _personal(mbox: Path) -> dict[int, bool]:
    """Return by a message's place in the file whether a person wrote it: no list, no mass mailing, no mail system.

    Empty messages are counted and left out, as the sandbox does it.
    """
    if not mbox.is_file():
        raise ConfigError(f"{mbox} is no file; give --mail an mbox file")
    try:
        box = mailbox.mbox(str(mbox), create=False)
        keys = [(number, key) for number, key in enumerate(box.keys()) if box.get_bytes(key).strip()]
        found = {number: not _is_bulk(box.get_message(key)) for number, key in keys}
        box.close()
    except OSError as error:
        raise ConfigError(f"{mbox} can't be read: {error.strerror}. Nothing was imported.") from error
    if not found:
        raise ConfigError(
            f"{mbox} is no mbox: no mail is in it. Nothing was imported. An mbox is a text file with a line "
            "`From somebody date` before each message, as Thunderbird, Apple Mail and Google Takeout export it."
        )
    return found


def _is_bulk(message: Message) -> bool:
    precedence = str(message.get("Precedence", "")).lower()
    sender = parseaddr(str(message.get("From", "")))[1].lower()
    if sender.startswith(SYSTEM_SENDERS):
        return True
    return any(name in message for name in LIST_HEADERS) or any(word in precedence for word in BULK_WORDS)
