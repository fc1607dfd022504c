"""A world's meetings: checking them, naming them, and putting them into the calendars."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from leakwatch.sandbox.google.meeting_fields import FIELDS, NoCalendarError
from leakwatch.sandbox.google.meetings import Meetings, foreign_id, split_mark
from leakwatch.sandbox.world.check import Node
from leakwatch.sandbox.world.model import ACTS, MEETING_SKIPS, MEETING_STATES, Json, World, instant

#: Keys of a meeting besides the fields that an event has.
KEYS = ("id", "at", "organizer", "start", "end")
OPTIONAL = ("iCalUID", "cancelled", "exceptions")

#: What a deed may need besides the occurrence it is about.
ACT_KEYS = ("fields", "guest", "response", "calendar", "organizer")


def event_id(meeting: Json, world_seed: int) -> str:
    """The id that the meeting's event has in every calendar."""
    if meeting.get("iCalUID"):
        return foreign_id(str(meeting["iCalUID"]))
    digest = hashlib.blake2b(f"{world_seed}:{meeting['id']}".encode(), digest_size=20).digest()
    return base64.b32hexencode(digest).decode().lower()[:26]


def uid(meeting: Json, world_seed: int) -> str:
    """The meeting's iCalUID."""
    return str(meeting.get("iCalUID") or f"{event_id(meeting, world_seed)}@google.com")


def split_uid(meeting: Json, world_seed: int, occurrence: str) -> str:
    """The iCalUID of the series that begins where this one is split."""
    head, _, domain = uid(meeting, world_seed).partition("@")
    return f"{head}{split_mark(occurrence)}@{domain}"


def invite(meeting: Json, world: World, meetings: Meetings) -> Json:
    """Put a meeting into the calendars, with the exceptions it has from the start."""
    given = {name: value for name, value in meeting.items() if name in FIELDS or name in {"organizer", "iCalUID"}}
    event = event_id(meeting, world.seed)
    made = meetings.create(given | {"id": event}, created=_stamp(meeting["at"]))
    for exception in meeting.get("exceptions", []):
        act(meetings, event, exception)
    if meeting.get("cancelled"):
        meetings.cancel(event)
    return made


def _stamp(at: str) -> str:
    """An instant as Google writes it."""
    return instant(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def act(meetings: Meetings, event: str, given: Json) -> Json:
    """Do something with a meeting: the deeds and keys of the control API's `/calendar/events`."""
    keys = {name: value for name, value in given.items() if name in {*ACT_KEYS, "occurrence"}}
    return getattr(meetings, str(given["act"]))(event, **keys)


def seed_meetings(world: World, meetings: Meetings) -> None:
    """All meetings that people were invited to before the start, of those that concern a calendar here.

    A mailbox of Microsoft's that is not in the cloud has no calendar either.
    """
    elsewhere = any((user.get("microsoft") or {}).get("mailbox", "cloud") != "cloud" for user in world.users)
    with meetings.store.mail.writing():
        for meeting in sorted(world.meetings, key=lambda meeting: instant(meeting["at"])):
            if instant(meeting["at"]) <= world.start:
                try:
                    invite(meeting, world, meetings)
                except NoCalendarError:
                    if not elsewhere:
                        raise


# -- checking -------------------------------------------------------------------------------------------


def check_meetings(root: Node) -> set[str]:
    """Check `meetings`; returns their names."""
    known: set[str] = set()
    for node in root.items("meetings"):
        node.keys(KEYS, (*OPTIONAL, *(name for name in FIELDS if name not in KEYS)))
        name = node.child("id").text()
        if name in known:
            node.child("id").problem(f"{name!r} is already taken")
        known.add(name)
        node.child("at").instant()
        node.child("cancelled").boolean(default=False)
        for exception in node.items("exceptions"):
            exception.keys(("act", "occurrence"), ACT_KEYS)
            check_act(exception)
    return known


def check_act(node: Node) -> None:
    """Check one deed with its keys."""
    deed = node.child("act").text(choices=ACTS)
    for name in ACTS.get(deed, ()):
        if node.child(name).value is None:
            node.problem(f"{deed} needs the key {name!r}")


def check_truth(truth: Node, references: Iterable[str], uids: set[str]) -> None:
    """Check `truth.meetings`."""
    known = set(references)
    for node in truth.items("meetings"):
        node.keys(
            ("uid", "expect", "from"),
            ("original_start", "state", "start", "end", "who", "what", "owner", "reason", "until"),
        )
        if node.child("uid").text() not in uids:
            node.child("uid").problem(f"no meeting has the iCalUID {node.child('uid').value!r}")
        expect = node.child("expect").text(choices=("written", "skipped", "unmatched"))
        if expect == "written":
            node.child("state").text(choices=MEETING_STATES)
            node.child("owner").reference(known)
        if expect == "skipped":
            node.child("reason").text(choices=MEETING_SKIPS)
        for name in ("from", "until"):
            if node.child(name).value is not None:
                node.child(name).instant()
