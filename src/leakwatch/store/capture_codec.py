"""Nouns of capture ↔ JSON bytes. Written by hand: the stored form must not change when a class is rearranged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from leakwatch.core.normalise import holder
from leakwatch.errors import CursorError
from leakwatch.model import (
    Activity,
    ActivityKind,
    Cursor,
    CursorPhase,
    Direction,
    Match,
    MatchBasis,
    Participant,
    Role,
    SourceRef,
    participant,
)

CURSOR_VERSION = 1
# A word's meaning from here costs a tenth of what the enum itself takes to tell.
_KINDS = {kind.value: kind for kind in ActivityKind}
_ROLES = {role.value: role for role in Role}
_DIRECTIONS = {direction.value: direction for direction in Direction}


def dump(value: Any) -> bytes:
    """Return JSON bytes; datetimes as ISO 8601, keys in order."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def load(value: bytes) -> Any:
    """Return what `dump` was given, in JSON's own types."""
    return orjson.loads(value)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value is not None else None


def _activity_dict(activity: Activity, people: Iterable[Participant]) -> dict[str, Any]:
    """Return what is stored of `activity`, its participants being `people`; its refs are left to the caller."""
    # What few mails have is left out where it is not there: a digest must not change when a class gets a field.
    rare: dict[str, Any] = {"sensitivity": activity.sensitivity} if activity.sensitivity else {}
    if activity.answers:
        rare["answers"] = activity.answers
    if activity.kind is ActivityKind.MEETING:
        rare |= {"all_day": activity.all_day, "private": activity.private, "organizers": activity.organizers}
    if activity.origin:
        rare["origin"] = activity.origin
    # orjson writes tuples as lists, words of an enum by their value, and datetimes as `isoformat` does, five times as
    # fast as that.
    return rare | {
        "key": activity.key,
        "weak": activity.weak_key,
        "kind": activity.kind,
        "start": activity.start,
        "end": activity.end,
        "subject": activity.subject,
        "people": [(one.address, one.role, one.name, one.internal, one.response) for one in people],
        "direction": activity.direction,
        "message_id": activity.message_id,
        "thread": activity.thread_key,
        "bulk": activity.bulk,
        "cancelled": activity.cancelled,
        "body": activity.body,
        "sent_at": activity.sent_at,
        "fingerprint": activity.fingerprint,
        "omitted": activity.omitted_participants,
        "reused_id": activity.reused_id,
    }


def dump_activity(activity: Activity) -> bytes:
    """Return `activity` as JSON bytes."""
    raw = _activity_dict(activity, activity.participants)
    raw["refs"] = [(ref.source, ref.principal, ref.provider_id) for ref in activity.refs]
    if activity.made is not None:
        raw["made"] = activity.made
    return orjson.dumps(raw)


def load_activity(body: bytes) -> Activity:
    """Return the activity that `dump_activity` wrote."""
    raw: dict[str, Any] = orjson.loads(body)
    rare = raw.get
    return Activity(
        key=raw["key"],
        weak_key=raw["weak"],
        kind=_KINDS[raw["kind"]],
        start=datetime.fromisoformat(raw["start"]),
        end=_moment(raw["end"]),
        subject=raw["subject"],
        participants=tuple(
            [
                participant(address, _ROLES[role], name, internal, response)
                for address, role, name, internal, response in raw["people"]
            ]
        ),
        direction=_DIRECTIONS[raw["direction"]],
        refs=tuple([SourceRef(*ref) for ref in raw["refs"]]),
        message_id=raw["message_id"],
        thread_key=raw["thread"],
        bulk=raw["bulk"],
        cancelled=raw["cancelled"],
        body=raw["body"],
        sent_at=_moment(raw["sent_at"]),
        fingerprint=raw["fingerprint"],
        omitted_participants=raw["omitted"],
        reused_id=raw["reused_id"],
        all_day=rare("all_day", False),
        private=rare("private", False),
        organizers=rare("organizers", False),
        made=_moment(rare("made")),
        origin=rare("origin", ""),
        sensitivity=rare("sensitivity", ""),
        answers=tuple(rare("answers", ())),
    )


def activity_digest(merged: Activity) -> str:
    """Return a digest of what decides the writes of a merged activity: not where its copies lie (see `holder`)."""
    raw = _activity_dict(merged, merged.participants)
    mailbox = holder(merged)
    if mailbox is not None:
        raw["holder"] = mailbox
    return hashlib.sha256(dump(raw)).hexdigest()[:32]


def dump_match(match: Match) -> bytes:
    """Return `match` as JSON bytes."""
    return dump(
        {
            "key": match.activity_key,
            "who": list(match.who_ids),
            "what": match.what_id,
            "account": match.account_id,
            "owner": match.owner_id,
            "basis": match.basis.value,
            "reason": match.reason,
            "runners_up": list(match.runners_up),
            "addresses": dict(match.addresses),
            **({"left_out": list(match.left_out)} if match.left_out else {}),
        }
    )


def load_match(body: bytes) -> Match:
    """Return the match that `dump_match` wrote."""
    raw: Mapping[str, Any] = orjson.loads(body)
    return Match(
        activity_key=raw["key"],
        who_ids=tuple(raw["who"]),
        what_id=raw["what"],
        account_id=raw["account"],
        owner_id=raw["owner"],
        basis=MatchBasis(raw["basis"]),
        reason=raw["reason"],
        runners_up=tuple(raw["runners_up"]),
        addresses=raw["addresses"],
        left_out=tuple(raw.get("left_out", ())),
    )


def dump_cursor(cursor: Cursor) -> bytes:
    """Return `cursor` as JSON bytes, without its revision."""
    return dump(
        {
            "v": CURSOR_VERSION,
            "source": cursor.source,
            "principal": cursor.principal,
            "stream": cursor.stream,
            "phase": cursor.phase.value,
            "token": cursor.token,
            "page_token": cursor.page_token,
            "window_start": _iso(cursor.window_start),
            "window_end": _iso(cursor.window_end),
            "anchored_at": _iso(cursor.anchored_at),
            "generation": cursor.generation,
            **({"narrowed": True} if cursor.narrowed else {}),
        }
    )


def window_known(body: bytes) -> datetime | None:
    """Return from when on a stored cursor's stream is known, or None while it is being read, or can't be read."""
    try:
        raw: Mapping[str, Any] = orjson.loads(body)
        return _moment(known_from(raw)) if raw["phase"] == CursorPhase.DELTA else None
    except (KeyError, TypeError, ValueError):
        return None


def known_from(raw: Mapping[str, Any]) -> str | None:
    """Return the moment from which on all is known, once a stored cursor's window is read."""
    return raw["anchored_at"] if raw.get("narrowed") else raw["window_start"]


def load_cursor(body: bytes, *, source: str, principal: str, stream: str, revision: int) -> Cursor:
    """Return the cursor that `dump_cursor` wrote.

    Raises:
        CursorError: it can't be read, or is another stream's. It is never taken for a fresh mailbox, because that
            would overwrite the place up to which mail was read.
    """
    try:
        raw: Mapping[str, Any] = orjson.loads(body)
        if raw["v"] != CURSOR_VERSION:
            raise CursorError(f"it has layout {raw['v']}, this leakwatch knows {CURSOR_VERSION}")
        if (raw["source"], raw["principal"], raw["stream"]) != (source, principal, stream):
            raise CursorError("it belongs to another mailbox")
        return Cursor(
            source=source,
            principal=principal,
            stream=stream,
            phase=CursorPhase(raw["phase"]),
            token=str(raw["token"]),
            page_token=raw["page_token"],
            window_start=_moment(raw["window_start"]),
            window_end=_moment(raw["window_end"]),
            anchored_at=_moment(raw["anchored_at"]),
            generation=int(raw["generation"]),
            narrowed=bool(raw.get("narrowed")),
            revision=revision,
            version=CURSOR_VERSION,
        )
    except (CursorError, KeyError, TypeError, ValueError) as error:
        raise CursorError(
            f"the stored reading position of {source} for {principal} can't be used ({error}). This mailbox was not "
            "read and nothing was lost. Restore the journal from a backup, or upgrade if a newer leakwatch wrote it."
        ) from error
