"""Importing somebody's real mail: an mbox file becomes one more mailbox of the company.

Choices, written down because results depend on them:

- The mailbox belongs to one more rep, `mbox-import@` the company's first domain. Its aliases are the address
  that stands most often in `Delivered-To`, and those of at least three messages that share a local part or
  a domain with it (or with one that does); lists deliver under addresses of their own and stay out. Google
  would want the aliases' domains verified; the sandbox does not.
- A message goes to INBOX, or to SENT where From is one of the owner's addresses. Its date is its own `Date`,
  else that of the topmost `Received`, else that of the mbox line, else the one of the message before.
- A message without a single character is none and is passed over; `number` of an item is its place in the file,
  from 0, with those counted.
- Conversations are the connected sets under Message-ID, In-Reply-To and References, numbered by first
  appearance. The senders in every second one (0, 2, 4, ...) become Contacts, one Account per mail domain.
"""

from __future__ import annotations

import mailbox
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.clock import format_instant
from leakwatch.sandbox.google import mime
from leakwatch.sandbox.world import seed
from leakwatch.sandbox.world.check import WorldError

if TYPE_CHECKING:
    from leakwatch.sandbox.stage import Stage

#: An address must be delivered to this often to be taken for the owner's.
ALIAS_SEEN = 3

#: Dates outside are typing errors of old mail programs, not dates.
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

OWNER_REF = "@user:mbox-import"


@dataclass(slots=True)
class _Mail:
    number: int  # place in the file, from 0
    raw: bytes
    envelope: mime.Envelope
    at: datetime
    senders: list[str]
    conversation: int = -1


def import_mbox(path: Path, stage: Stage) -> dict[str, Any]:
    """Read the file into the stage; returns what it made of it. Raises WorldError if there is no mail in it."""
    mails, empty = _read(path)
    if not mails:
        raise WorldError([f"{path}: no mail in it; an mbox has a line `From somebody date` before each message"])
    aliases = _owner_addresses(mails)
    owner = _make_owner(stage, aliases)
    own = {owner, *aliases}
    conversations = _number_conversations(mails)
    with stage.store.writing():
        ids = [
            stage.store.insert(owner, mail.raw, ["SENT"] if own & set(mail.senders) else ["INBOX"], mail.at)
            for mail in mails
        ]
    known = sorted(
        {
            sender
            for mail in mails
            if mail.conversation % 2 == 0
            for sender in mail.senders
            if sender not in own and not stage.directory.find(sender)
        }
    )
    names = {sender: _display_name(mail) for mail in mails for sender in mail.senders}
    accounts = _make_contacts(stage, known, names)
    return {
        "mailbox": owner,
        "aliases": aliases,
        "notice_date": stage.world.start.date().isoformat(),
        "messages": len(mails),
        "empty": empty,
        "oldest": format_instant(min(mail.at for mail in mails)),
        "newest": format_instant(max(mail.at for mail in mails)),
        "conversations": conversations,
        "known_conversations": (conversations + 1) // 2,
        "accounts": accounts,
        "contacts": known,
        "items": [
            {
                "id": message,
                "number": mail.number,
                "message_id": mail.envelope.message_id,
                "from": mail.senders,
                "sender_known": bool(set(mail.senders) & set(known)),
                "conversation": mail.conversation,
            }
            for message, mail in zip(ids, mails, strict=True)
        ],
    }


def _read(path: Path) -> tuple[list[_Mail], int]:
    """Return the messages, and how many were empty."""
    mails: list[_Mail] = []
    empty = 0
    box = mailbox.mbox(path, create=False)
    previous = datetime(2002, 1, 1, tzinfo=UTC)
    for number, key in enumerate(box.keys()):  # keys are asked for, because iterating gives messages
        raw = re.sub(rb"(?m)^>(>*From )", rb"\1", box.get_bytes(key))
        if not raw.strip():
            empty += 1
            continue
        envelope = mime.read_envelope(raw)
        line = box.get_bytes(key, from_=True).split(b"\n", 1)[0].decode("ascii", "replace")
        previous = _date(envelope, line) or previous
        mails.append(_Mail(number, raw, envelope, previous, mime.addresses(envelope.from_text)[:1]))
    box.close()
    return mails, empty


def _date(envelope: mime.Envelope, line: str) -> datetime | None:
    candidates = [value for name, value in envelope.headers if name.lower() == "date"]
    candidates += [value.rpartition(";")[2] for name, value in envelope.headers if name.lower() == "received"]
    candidates.append(line.partition("  ")[2] or line)
    for text in candidates:
        try:
            moment = parsedate_to_datetime(text.strip())
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        if EARLIEST < moment < LATEST:
            return moment
    return None


def _owner_addresses(mails: list[_Mail]) -> list[str]:
    counts: Counter[str] = Counter()
    for mail in mails:
        delivered = ", ".join(v for name, v in mail.envelope.headers if name.lower() == "delivered-to")
        counts.update(set(mime.addresses(delivered)))
    often = [address for address, count in counts.most_common() if count >= ALIAS_SEEN]
    owner = set(often[:1])
    for _ in often:
        locals_ = {address.partition("@")[0] for address in owner}
        domains = {address.partition("@")[2] for address in owner}
        owner |= {x for x in often if x.partition("@")[0] in locals_ or x.partition("@")[2] in domains}
    return sorted(owner)


def _make_owner(stage: Stage, aliases: list[str]) -> str:
    domain = stage.world.company["domains"][0]
    address = f"mbox-import@{domain}"
    user = {
        "ref": OWNER_REF,
        "first_name": "Mailbox",
        "last_name": "Import",
        "email": address,
        "role": "rep",
        "notice_date": stage.world.start.date().isoformat(),
        "google": {"aliases": aliases},
    }
    stage.player.refs[OWNER_REF] = stage.org.new_id("User")
    stage.player.objects[OWNER_REF] = "User"
    seed.seed_user(stage.world, stage.org, user, stage.player.refs)
    seed.put_account(stage.world, stage.directory, user)
    return address


def _number_conversations(mails: list[_Mail]) -> int:
    """Give every mail the number of its conversation; returns how many there are."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    names: list[str] = []
    for index, mail in enumerate(mails):
        name = mail.envelope.message_id or f"#{index}"
        names.append(name)
        for other in mail.envelope.parents:
            parent[root(other)] = root(name)
    numbers: dict[str, int] = {}
    for name, mail in zip(names, mails, strict=True):
        mail.conversation = numbers.setdefault(root(name), len(numbers))
    return len(numbers)


def _display_name(mail: _Mail) -> str:
    return re.sub(r"[\"<].*|\s*\(.*", "", mail.envelope.from_text.strip().lstrip('"')).strip()


def _make_contacts(stage: Stage, known: list[str], names: dict[str, str]) -> int:
    """Contacts and their Accounts, owned by the importing rep; returns the number of accounts."""
    owner = stage.player.refs[OWNER_REF]
    stamp = format_instant(stage.world.start)
    base = {"OwnerId": owner, "CreatedDate": stamp, "LastModifiedDate": stamp, "SystemModstamp": stamp}
    accounts = {domain: stage.org.new_id("Account") for domain in sorted({x.rpartition("@")[2] for x in known})}
    if not known:
        return 0
    stage.org.seed("Account", [base | {"Id": key, "Name": f"{domain} (imported)"} for domain, key in accounts.items()])
    rows: list[dict[str, Any]] = []
    for address in known:
        first, _, last = (names.get(address) or "").rpartition(" ")
        rows.append(
            base
            | {
                "Id": stage.org.new_id("Contact"),
                "AccountId": accounts[address.rpartition("@")[2]],
                "FirstName": first[:40] or None,
                "LastName": (last or address.partition("@")[0])[:80],
                "Email": address,
            }
        )
    stage.org.seed("Contact", rows)
    return len(accounts)
