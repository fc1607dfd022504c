"""What a raw Gmail message says, and what a page of a mailbox's history comes to. Pure; never raises on odd content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from leakwatch.core.identity import key_of
from leakwatch.core.mail import plausible
from leakwatch.model import SkipReason

MAX_PART_DEPTH = 10  # of a mail's nested parts; people's mail has three
OPT_OUT = "leakwatchOptOut"  # set on a raw item that carries one of the opt-out labels
NOT_LABELLED = "leakwatchNotLabelled"  # set on one that carries none of the labels that let a mail in, if there are any
# A message that loses one of these is news; so is one that gains SENT (a scheduled mail went out).
_HIDING = frozenset({"SPAM", "TRASH", "DRAFT", "SCHEDULED"})
_SKIPS = (
    ("CHAT", SkipReason.CHAT),
    ("TRASH", SkipReason.TRASH),
    ("SPAM", SkipReason.SPAM),
)


@dataclass(slots=True)
class Round:
    """One page of history, walked in order: what is to be fetched, what is gone, what is judged without fetching."""

    wanted: list[str]
    removed: list[str]
    unfetched: list[Mapping[str, Any]]


def reduce_history(
    records: Sequence[Mapping[str, Any]], opt_out: frozenset[str], let_in: frozenset[str] | None = None
) -> Round:
    """Return the last word on each message. A record's generic `messages` list repeats the typed ones: not read.

    Spam, chats and what else is left out by its label alone comes as such and is not fetched (every autosave of a draft
    is a new message). That goes by the labels a message was added with; should it lose one, that is news again.

    Args:
        records: as Gmail gives them.
        opt_out: ids of the labels that keep a mail out.
        let_in: ids of the labels one of which a mail must carry; None if it need not.
    """
    last: dict[str, Mapping[str, Any] | None] = {}  # id -> message to fetch, or None if it was deleted
    hidden: set[str] = set()  # ids that were added with a label that leaves them out

    def news(message: Mapping[str, Any], *, is_new: bool = False) -> None:
        message_id = str(message.get("id") or "")
        if message_id:
            last.pop(message_id, None)
            last[message_id] = message
            hidden.discard(message_id)
            if is_new and skip_reason(message) is not None:
                hidden.add(message_id)

    for record in records:
        for entry in record.get("messagesAdded") or ():
            news(_let_in(entry.get("message") or {}, let_in), is_new=True)
        for message in _relabelled(record, opt_out, let_in):
            news(message)
        for entry in record.get("messagesDeleted") or ():
            last[str((entry.get("message") or {}).get("id") or "")] = None
    last.pop("", None)
    unfetched = {
        message_id: message
        for message_id, message in last.items()
        if message
        and (message_id in hidden or message.keys() & {OPT_OUT, NOT_LABELLED} or _is_draft(labels_of(message)))
    }
    return Round(
        wanted=[message_id for message_id, message in last.items() if message and message_id not in unfetched],
        removed=[message_id for message_id, message in last.items() if message is None],
        unfetched=list(unfetched.values()),
    )


def _relabelled(
    record: Mapping[str, Any], opt_out: frozenset[str], let_in: frozenset[str] | None
) -> Iterator[Mapping[str, Any]]:
    """Yield the messages whose labels changed in a way that matters; arguments: see `reduce_history`.

    One that is kept out by the change is marked so: it may be stored by now, so that it would not be fetched again, and
    the label alone decides.
    """
    wanted = let_in or frozenset[str]()
    for entry in record.get("labelsAdded") or ():
        message, given = entry.get("message") or {}, set(entry.get("labelIds") or ())
        if given & opt_out:
            yield {**message, OPT_OUT: True}
        elif given & ({"SENT"} | wanted):
            yield message
    for entry in record.get("labelsRemoved") or ():
        message, taken = entry.get("message") or {}, set(entry.get("labelIds") or ())
        if taken & (_HIDING | opt_out):
            yield message
        elif taken & wanted:
            yield _let_in(message, let_in)


def _let_in(message: Mapping[str, Any], let_in: frozenset[str] | None) -> Mapping[str, Any]:
    """Return `message`, marked if it carries none of the labels that let a mail in."""
    if let_in is None or labels_of(message) & let_in:
        return message
    return {**message, NOT_LABELLED: True}


def changed_labels(records: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the ids of all labels that were put on or taken off, or that messages were added with."""
    entries: list[Mapping[str, Any]] = []
    for record in records:
        entries += [*record.get("labelsAdded", ()), *record.get("labelsRemoved", ())]
        entries += [entry.get("message") or {} for entry in record.get("messagesAdded", ())]
    return {str(label) for entry in entries for label in entry.get("labelIds") or ()}


def skip_reason(item: Mapping[str, Any]) -> SkipReason | None:
    """Return why an item is no mail or is left out, by its labels and the kinds of its parts alone; None if neither."""
    labels = labels_of(item)
    if _is_draft(labels):
        return SkipReason.DRAFT
    if "SCHEDULED" in labels and "SENT" not in labels:
        return SkipReason.SCHEDULED
    if item.get(OPT_OUT):
        return SkipReason.OPT_OUT_LABEL
    if item.get(NOT_LABELLED):
        return SkipReason.NOT_LABELLED
    hidden = next((reason for label, reason in _SKIPS if label in labels), None)
    if hidden is None and _is_invitation(payload_of(item)):
        return SkipReason.CALENDAR_INVITATION
    return hidden


def _is_draft(labels: frozenset[str]) -> bool:
    return "DRAFT" in labels and "SENT" not in labels


def labels_of(item: Mapping[str, Any]) -> frozenset[str]:
    """Return the ids of an item's labels."""
    found = item.get("labelIds")
    return frozenset(map(str, found)) if isinstance(found, list | tuple) else frozenset()


def payload_of(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an item's payload; empty if there is none."""
    return _mapping(item.get("payload"))


def _mapping(raw: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], raw) if isinstance(raw, dict) else {}


def _is_invitation(payload: Mapping[str, Any], depth: int = 0) -> bool:
    """Return whether a mail offers an appointment as one of its alternatives; an attached .ics file is none."""
    parts = payload.get("parts")
    if not isinstance(parts, list | tuple) or depth > MAX_PART_DEPTH:
        return False
    children = [_mapping(part) for part in cast(Sequence[Any], parts)]
    if payload.get("mimeType") == "multipart/alternative":
        return any(part.get("mimeType") == "text/calendar" and not part.get("filename") for part in children)
    return any(_is_invitation(part, depth + 1) for part in children)


def key_in(item: Mapping[str, Any]) -> str | None:
    """Return the key that an item's Message-ID gives; None if it has none."""
    return key_of(next((value for name, value in headers_of(item) if name.lower() == "message-id"), ""))


def headers_of(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return an item's headers as (name, value), in order."""
    raw = payload_of(item).get("headers")
    if not isinstance(raw, list | tuple):
        return []
    found: list[tuple[str, str]] = []
    for row in cast(Sequence[Any], raw):
        if isinstance(row, dict):
            header = cast(Mapping[str, Any], row)
            name, value = header.get("name"), header.get("value")
            if isinstance(name, str) and isinstance(value, str):
                found.append((name, value))
    return found


def received_at(item: Mapping[str, Any]) -> datetime | None:
    """Return internalDate (milliseconds since 1970): the server's time, which the sender can't choose."""
    try:
        moment = datetime.fromtimestamp(int(str(item.get("internalDate"))) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if plausible(moment) else None
