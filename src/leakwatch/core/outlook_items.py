"""What a raw message of Graph says, in the words that every mail is read by. Pure; never raises on odd content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, cast

from leakwatch.core.addresses import canonical, normalise
from leakwatch.core.identity import key_of
from leakwatch.core.mail import plausible
from leakwatch.model import Principal, SkipReason

ROLE = "leakwatchFolder"  # set on a raw item: well-known name of the folder it lies in or under, HIDDEN, or empty
HIDDEN = "hidden"  # a folder that no list of folders shows: Teams keeps its chats in one
HEADERS = "internetMessageHeaders"
SENT = "sentitems"
#: well-known folder -> why what lies there is no mail that went or came
_BY_FOLDER = {
    "drafts": SkipReason.DRAFT,
    "outbox": SkipReason.SCHEDULED,
    "deleteditems": SkipReason.TRASH,
    "junkemail": SkipReason.SPAM,
    "conversationhistory": SkipReason.CHAT,
    HIDDEN: SkipReason.TRASH,
}
UNFOLLOWED = frozenset(_BY_FOLDER)
_PEOPLE = (("From", "from"), ("Sender", "sender"), ("To", "toRecipients"), ("Cc", "ccRecipients"),
           ("Bcc", "bccRecipients"), ("Reply-To", "replyTo"))  # fmt: skip


def skip_reason(item: Mapping[str, Any], *, opt_out: frozenset[str], only: frozenset[str]) -> SkipReason | None:
    """Return why an item is no mail or is left out, by its folder, type and categories; None if none of these says so.

    Args:
        item: as Graph gives it, with ROLE set.
        opt_out: names of categories (lower case) that keep a mail out.
        only: names of categories one of which a mail must have; none need it if this is empty.
    """
    if item.get("isDraft") is True:
        return SkipReason.DRAFT
    if not text(item.get("internetMessageId")) and not item.get(HEADERS):
        return SkipReason.CHAT  # in the mailbox's list, but never a mail (a known issue of Graph)
    named = categories(item)
    if named & opt_out:
        return SkipReason.OPT_OUT_LABEL
    if only and not named & only:
        return SkipReason.NOT_LABELLED
    hidden = _BY_FOLDER.get(text(item.get(ROLE)))
    if hidden is None and "eventmessage" in text(item.get("@odata.type")).lower():
        return SkipReason.CALENDAR_INVITATION
    return hidden


def is_sent(item: Mapping[str, Any], owner: Principal) -> bool:
    """Return whether the owner sent it: it lies in Sent Items, or is theirs and was never delivered here.

    What was delivered has the headers of its way; a copy that was filed elsewhere when it was sent has none.
    """
    if item.get(ROLE) == SENT:
        return True
    if item.get(HEADERS):
        return False
    sender = normalise(_address(item.get("from"))[1])
    return sender is not None and canonical(sender) in {canonical(address) for address in owner.addresses}


def headers_of(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the headers as (name, value): those that Graph has, and for what these lack, what its properties say.

    A copy in Sent Items has no headers at Exchange: it never went over SMTP.
    """
    found: list[tuple[str, str]] = []
    for row in _list(item.get(HEADERS)):
        name, value = row.get("name"), row.get("value")
        if isinstance(name, str) and isinstance(value, str):
            found.append((name, value))
    known = {name.strip().lower() for name, _ in found}
    for name, value in _stated(item):
        if name.lower() not in known:
            found.append((name, value))
    return found


def _stated(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for header, key in _PEOPLE:
        raw = item.get(key)
        people = [_address(one) for one in (_list(raw) if isinstance(raw, list | tuple) else [raw])]
        written = ", ".join(_written(name, address) for name, address in people if address)
        if written and not (header == "Sender" and raw == item.get("from")):
            found.append((header, written))
    for header, key in (("Subject", "subject"), ("Message-ID", "internetMessageId")):
        if value := text(item.get(key)):
            found.append((header, value))
    sent = moment(item.get("sentDateTime"))
    if sent is not None and found:
        found.append(("Date", format_datetime(sent)))
    return found


def key_in(item: Mapping[str, Any]) -> str | None:
    """Return the key that an item's Message-ID gives; None if it has none."""
    return key_of(text(item.get("internetMessageId")))


def received_at(item: Mapping[str, Any]) -> datetime | None:
    """Return receivedDateTime: the server's time, which the sender can't choose."""
    return moment(item.get("receivedDateTime"))


def moment(raw: Any) -> datetime | None:
    """Return an instant of Graph's as aware UTC; None if it is none."""
    try:
        found = datetime.fromisoformat(text(raw))
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if plausible(found) else None


def categories(item: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of an item's categories, lower case."""
    raw = item.get("categories")
    return frozenset(str(one).strip().lower() for one in raw) if isinstance(raw, list | tuple) else frozenset()


def role_of(folder: str, parents: Mapping[str, str], roles: Mapping[str, str]) -> str:
    """Return the well-known name of the folder or of the nearest one above it that has one; HIDDEN if unlisted.

    Args:
        folder: its id.
        parents: id of each listed folder -> id of the one above it.
        roles: id -> well-known name.
    """
    if folder not in parents:
        return HIDDEN
    seen: set[str] = set()
    while folder in parents and folder not in seen:
        if folder in roles:
            return roles[folder]
        seen.add(folder)
        folder = parents[folder]
    return ""


def text(raw: Any) -> str:
    """Return a text as it is, and an empty one for anything else."""
    return raw if isinstance(raw, str) else ""


def _address(raw: Any) -> tuple[str, str]:
    inner = cast(Mapping[str, Any], raw).get("emailAddress") if isinstance(raw, Mapping) else None
    if not isinstance(inner, Mapping):
        return "", ""
    found = cast(Mapping[str, Any], inner)
    return text(found.get("name")), text(found.get("address"))


def _written(name: str, address: str) -> str:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address}>' if quoted else f"<{address}>"


def _list(raw: Any) -> list[Mapping[str, Any]]:
    if not isinstance(raw, list | tuple):
        return []
    return [cast(Mapping[str, Any], row) for row in cast(Sequence[Any], raw) if isinstance(row, Mapping)]
