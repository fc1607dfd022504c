"""What Teams keeps: records of calls, who attended meetings, chats. Put there by the control API."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from leakwatch.sandbox.google.store import MailStore, milliseconds
from leakwatch.sandbox.microsoft.consent import TENANT_ID, guid
from leakwatch.sandbox.microsoft.tenant import Tenant

Json = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS ms_call(
  id TEXT PRIMARY KEY, began INTEGER, available INTEGER, version INTEGER, modified INTEGER, body TEXT);
CREATE TABLE IF NOT EXISTS ms_attendance(
  id TEXT PRIMARY KEY, url TEXT, began INTEGER, body TEXT);
CREATE TABLE IF NOT EXISTS ms_chat(id TEXT PRIMARY KEY, created INTEGER, body TEXT);
CREATE TABLE IF NOT EXISTS ms_chat_member(chat TEXT, person TEXT, PRIMARY KEY(person, chat)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ms_chat_message(
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, chat TEXT, id TEXT, created INTEGER, modified INTEGER, body TEXT,
  UNIQUE(chat, id));
"""

MODALITIES = ("audio", "video", "videoBasedScreenSharing", "data", "screenSharing")
ROLES = ("Organizer", "Presenter", "Attendee", "None")


class TeamsError(ValueError):
    """Something was asked of Teams that makes no sense."""


def instant(value: object) -> datetime:
    """An instant with its offset; raises TeamsError."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise TeamsError(f"not an instant: {value!r}") from None
    if found.tzinfo is None:
        raise TeamsError(f"an instant needs its offset: {value!r}")
    return found


class TeamsStore:
    """All of the tenant's."""

    def __init__(self, store: MailStore, tenant: Tenant) -> None:
        self.store = store
        self.db = store.db
        self.tenant = tenant
        store.define(SCHEMA)

    def now(self) -> int:
        """The world's time in milliseconds since the epoch."""
        return milliseconds(self.store.clock.now())

    # -- calls -------------------------------------------------------------------------------------

    def record_call(
        self, *, start: str, end: str, participants: list[str], organizer: str | None = None,
        join_url: str | None = None, modalities: tuple[str, ...] | list[str] = ("audio",), late_minutes: float = 0,
        revises: str | None = None,
    ) -> Json:  # fmt: skip
        """A call took place: its record, or a revised one.

        Args:
            start: When the first one joined.
            end: When the last one left.
            participants: Addresses of colleagues and of people elsewhere, or phone numbers with a plus.
            organizer: One of them; None: the first.
            join_url: Where a meeting is joined.
            modalities: Of MODALITIES.
            late_minutes: The record is there so long after the call's end.
            revises: The id of a record that this one takes the place of, with the next version.
        """
        begins, ends = instant(start), instant(end)
        if ends < begins or not participants:
            raise TeamsError("a call needs participants, and ends after it began")
        unknown = sorted(set(modalities) - set(MODALITIES))
        if unknown:
            raise TeamsError(f"no modality of a call: {unknown[0]!r}; known: {', '.join(MODALITIES)}")
        row = self.db.execute("SELECT version FROM ms_call WHERE id = ?", (revises or "",)).fetchone()
        if revises is not None and row is None:
            raise TeamsError(f"there is no call record {revises!r}")
        count = self.db.execute("SELECT count(*) FROM ms_call").fetchone()[0]
        key = revises or guid("call", TENANT_ID, str(count), start, *participants)
        body = {
            "start": begins.isoformat(), "end": ends.isoformat(), "participants": participants,
            "organizer": organizer or participants[0], "join_url": join_url, "modalities": list(modalities),
        }  # fmt: skip
        available = milliseconds(ends + timedelta(minutes=late_minutes)) if row is None else self.now()
        version = int(row[0]) + 1 if row else 1
        values = (key, milliseconds(begins), available, version, max(available, self.now()), json.dumps(body))
        with self.store.writing():
            self.db.execute("INSERT OR REPLACE INTO ms_call VALUES (?, ?, ?, ?, ?, ?)", values)
        return {"id": key, "version": version}

    # -- attendance --------------------------------------------------------------------------------

    def record_attendance(self, *, join_url: str, attendees: list[Json]) -> Json:
        """A meeting took place, and this is who was there: one more report of it.

        Args:
            join_url: Where it is joined.
            attendees: Each with `email` (None: he did not say), `name`, `role` of ROLES, and `joined`, a list of
                [from, to] in instants.
        """
        if not attendees:
            raise TeamsError("an attendance report needs attendees")
        for one in attendees:
            if one.get("role", "Attendee") not in ROLES or not one.get("joined"):
                raise TeamsError(f"an attendee needs joined, and a role of {', '.join(ROLES)}")
        times = [(instant(since), instant(until)) for one in attendees for since, until in one["joined"]]
        begins, ends = min(since for since, _ in times), max(until for _, until in times)
        count = self.db.execute("SELECT count(*) FROM ms_attendance").fetchone()[0]
        key = guid("attendance", TENANT_ID, join_url, str(count))
        body = {"start": begins.isoformat(), "end": ends.isoformat(), "attendees": attendees}
        with self.store.writing():
            row = (key, join_url, milliseconds(begins), json.dumps(body))
            self.db.execute("INSERT INTO ms_attendance VALUES (?, ?, ?, ?)", row)
        return {"report": key}

    # -- chats -------------------------------------------------------------------------------------

    def open_chat(self, *, members: list[str], topic: str | None = None) -> Json:
        """A chat of colleagues and people elsewhere, by their addresses; one of two without a topic is there once."""
        if len(members) < 2:
            raise TeamsError("a chat needs two members at least")
        people = [self.person(one) for one in members]
        if len(people) == 2 and topic is None:
            kind, key = "oneOnOne", f"19:{'_'.join(sorted(one['id'] for one in people))}@unq.gbl.spaces"
        else:
            count = self.db.execute("SELECT count(*) FROM ms_chat").fetchone()[0]
            kind, key = "group", f"19:{guid('chat', TENANT_ID, str(count)).replace('-', '')}@thread.v2"
        with self.store.writing():
            row = (key, self.now(), json.dumps({"kind": kind, "topic": topic, "members": members}))
            self.db.execute("INSERT OR IGNORE INTO ms_chat VALUES (?, ?, ?)", row)
            pairs = [(key, one["id"]) for one in people]
            self.db.executemany("INSERT OR IGNORE INTO ms_chat_member VALUES (?, ?)", pairs)
        return {"chat": key}

    def say(self, *, chat: str, sender: str | None = None, text: str, message: str | None = None) -> Json:
        """Somebody writes in a chat now, or changes what he wrote (`message`); without a sender: the system does."""
        if self.chat(chat) is None:
            raise TeamsError(f"there is no chat {chat!r}")
        created = now = self.now()
        if message is not None:
            query = "SELECT created, body FROM ms_chat_message WHERE chat = ? AND id = ?"
            row = self.db.execute(query, (chat, message)).fetchone()
            if row is None:
                raise TeamsError(f"there is no message {message!r} in {chat}")
            created, sender = int(row[0]), json.loads(row[1])["sender"]
        else:
            last = self.db.execute("SELECT max(created) FROM ms_chat_message WHERE chat = ?", (chat,)).fetchone()[0]
            created = now = max(now, (last or 0) + 1)
        key = message or str(created)
        body = json.dumps({"sender": sender, "text": text, "edited": message is not None})
        with self.store.writing():
            self.db.execute("DELETE FROM ms_chat_message WHERE chat = ? AND id = ?", (chat, key))
            query = "INSERT INTO ms_chat_message(chat, id, created, modified, body) VALUES (?, ?, ?, ?, ?)"
            self.db.execute(query, (chat, key, created, now, body))
        return {"message": key}

    def chat(self, key: str) -> Json | None:
        """A chat: `id`, `created`, `kind`, `topic`, `members`."""
        row = self.db.execute("SELECT created, body FROM ms_chat WHERE id = ?", (key,)).fetchone()
        return {"id": key, "created": row[0]} | json.loads(row[1]) if row else None

    # -- people ------------------------------------------------------------------------------------

    def person(self, address: str) -> Json:
        """Who an address or a phone number is: `id`, `name`, `tenant`, `kind` (aadUser, federatedUser, phoneUser)."""
        user = self.tenant.by_address(address)
        if user is not None:
            return {
                "id": user["id"], "name": user["displayName"], "tenant": TENANT_ID, "kind": "aadUser",
                "upn": user["userPrincipalName"], "email": user["mail"],
            }  # fmt: skip
        if address.startswith("+"):
            return {"id": address, "name": None, "tenant": None, "kind": "phoneUser", "upn": None, "email": None}
        domain = address.partition("@")[2]
        return {
            "id": guid("user", domain, address.lower()), "name": address.partition("@")[0],
            "tenant": guid("tenant", domain), "kind": "federatedUser", "upn": None, "email": None,
        }  # fmt: skip
