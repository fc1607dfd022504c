"""What names a real-world mail or meeting, whoever's mailbox or calendar it was seen in. Pure.

Key of a mail: `lw1:m:` and 40 hex digits of the SHA-256 of the normalised Message-ID. Raw Message-IDs are never keys.
Key of a meeting: `lw1:e:` and as many of its iCalendar UID and, in a series, the occurrence's original start.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from leakwatch.core.addresses import normalise
from leakwatch.core.text import clean_line, fold
from leakwatch.model import Principal

MAIL_PREFIX = "lw1:m:"
MEETING_PREFIX = "lw1:e:"
MAX_MESSAGE_ID = 5_000  # a longer one is still hashed whole, but not kept as text
_MESSAGE_ID = re.compile(r"<([^<>]*)>")
_COMMENT = re.compile(r"\([^()]*\)")


def normalise_message_id(value: str | None) -> str | None:
    """Return a Message-ID without brackets and blanks, its domain lower case; None if there is none worth the name."""
    if value is None:
        return None
    text = clean_line(value)
    bracketed = _MESSAGE_ID.search(text)
    return _bare(bracketed.group(1) if bracketed is not None else text.strip("<> "))


def _bare(text: str) -> str | None:
    """Return what stands between the brackets of a Message-ID, of a clean line, in its one form; None if nothing."""
    if " " in text:
        text = text.replace(" ", "")
    local, at, domain = text.rpartition("@")
    if not at:
        return text or None
    return f"{local}@{domain.lower()}" if local or domain else None


def references(in_reply_to: str | None, references_header: str | None) -> tuple[str, ...]:
    """Return the normalised Message-IDs of References, or else of In-Reply-To, oldest first."""
    for header in (references_header, in_reply_to):
        if not header:
            continue
        found = [_bare(part) for part in _MESSAGE_ID.findall(clean_line(header))]
        usable = [part for part in found if part is not None and "@" in part]
        if usable:
            return tuple(dict.fromkeys(usable))
    return ()


def thread_root(message_id: str | None, chain: Sequence[str]) -> str | None:
    """Return the Message-ID that began the conversation: the oldest of its `references`, else its own."""
    return chain[0] if chain else message_id


def _digest(*parts: str) -> str:
    joined = "\n".join(parts).encode("utf-8", "replace")
    return hashlib.sha256(joined).hexdigest()[:40]


@lru_cache(maxsize=8_192)  # each mail's is asked six times, and those before it in its conversation are few
def mail_key(message_id: str) -> str:
    """Return the key of the mail with this normalised Message-ID."""
    return MAIL_PREFIX + _digest(message_id)


def key_of(message_id_header: str) -> str | None:
    """Return the key that a Message-ID header gives, or None if it names nothing."""
    message_id = normalise_message_id(message_id_header)
    return mail_key(message_id) if message_id is not None else None


def fingerprint(sender: str, date_header: str, subject: str, recipients: Iterable[str]) -> str:
    """Return a digest of what all copies of one mail share besides the Message-ID.

    The size, which differs by each mailbox's trace headers, and BCC, which only the sender's copy has, stay out: either
    would part copies of one mail.
    """
    return _digest(sender, clean_line(date_header), fold(clean_line(subject)), ",".join(sorted(set(recipients))))


def weak_key(mail_fingerprint: str) -> str:
    """Return the key of a mail without a Message-ID. Activities under it are flagged `weak_key`."""
    return MAIL_PREFIX + _digest("weak", mail_fingerprint)


def conflict_key(message_id: str, sender: str, sent_at: datetime | None) -> str:
    """Return the key of a mail that reuses another mail's Message-ID with a different From or Date."""
    return MAIL_PREFIX + _digest("reused", message_id, sender, sent_at.isoformat() if sent_at is not None else "")


def meeting_key(uid: str, original_start: datetime | date | None = None) -> str:
    """Return the key of the meeting with this iCalendar UID (RFC 5545, 3.8.4.7).

    Args:
        uid: of the meeting or of its whole series, which Google gives to every occurrence.
        original_start: when an occurrence of a series was to begin before anybody moved it (RECURRENCE-ID); a date for
            all-day ones. None for a meeting of its own, which keeps its key wherever it is moved.
    """
    if isinstance(original_start, datetime):
        return MEETING_PREFIX + _digest(uid, original_start.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"))
    return MEETING_PREFIX + _digest(uid, original_start.strftime("%Y%m%d") if original_start is not None else "")


def sender_digest(key: str, sender: str) -> str:
    """Return what stands for the address in From of a mail that must not be kept: comparable under one key only."""
    return _digest("sender", key, sender)


def build_roster(
    directory_users: Sequence[Mapping[str, Any]],
    salesforce_users: Sequence[Mapping[str, Any]],
    *,
    notices: Mapping[str, date],
    notice_for_all: date | None = None,
    only: Iterable[str] = (),
    exclude: Iterable[str] = (),
) -> list[Principal]:
    """Return whose mailboxes may be read: people whom both the directory and Salesforce know, by address.

    Whoever has the same address at two providers is one principal, with the aliases of both.

    Args:
        directory_users: Directory API `users` rows (primaryEmail, aliases, nonEditableAliases, suspended, id, name),
            with `provider` where that is not Google.
        salesforce_users: User rows (Id, Email, FederationIdentifier, Username, IsActive, Name).
        notices: address -> the day that employee was told.
        notice_for_all: stands for everybody whom `notices` does not name.
        only: if given, no other mailbox is read.
        exclude: these are never read.
    """
    wanted = {address for raw in only if (address := normalise(raw))}
    unwanted = {address for raw in exclude if (address := normalise(raw))}
    told = {address: day for raw, day in notices.items() if (address := normalise(raw))}
    by_address = _users_by_address(salesforce_users)
    roster: dict[str, Principal] = {}
    for row in directory_users:
        primary = normalise(str(row.get("primaryEmail") or ""))
        if primary is None or row.get("suspended") or row.get("archived"):
            continue
        aliases = frozenset(_aliases(row)) - {primary}
        addresses = aliases | {primary}
        user = next((by_address[address] for address in (primary, *sorted(aliases)) if address in by_address), None)
        if user is None or addresses & unwanted or (wanted and not addresses & wanted):
            continue
        notice = next((told[address] for address in sorted(addresses) if address in told), notice_for_all)
        if primary in roster:
            other = roster[primary]
            roster[primary] = replace(other, aliases=other.aliases | aliases, notice_date=other.notice_date or notice)
            continue
        roster[primary] = Principal(
            address=primary,
            provider=str(row.get("provider") or "google"),
            provider_id=str(row.get("id") or primary),
            salesforce_user_id=str(user["Id"]),
            name=str(user.get("Name") or ""),
            aliases=aliases,
            notice_date=notice,
        )
    return sorted(roster.values(), key=lambda principal: principal.address)


def _aliases(row: Mapping[str, Any]) -> Iterable[str]:
    for name in ("aliases", "nonEditableAliases"):
        for raw in row.get(name) or ():
            address = normalise(str(raw))
            if address is not None:
                yield address


def _users_by_address(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return address -> active user; the Email field beats the others, the oldest id beats a later one."""
    found: dict[str, Mapping[str, Any]] = {}
    for name in ("Email", "FederationIdentifier", "Username"):
        for row in sorted(rows, key=lambda user: str(user.get("Id"))):
            address = normalise(str(row.get(name) or ""))
            if address is not None and row.get("IsActive", True):
                found.setdefault(address, row)
    return found
