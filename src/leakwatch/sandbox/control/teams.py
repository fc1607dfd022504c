"""Teams: calls that took place, who attended meetings, chats.

POST /teams/calls        {"start", "end", "participants": [address or "+90..."], "organizer"?, "join_url"?,
                         "modalities"?, "late_minutes"?}: a call, whose record is there so long after its end;
                         with "revises": id of a record that this one takes the place of
POST /teams/attendance   {"join_url", "attendees": [{"email", "name"?, "role"?, "joined": [[from, to], ...]}]}:
                         the meeting that an event with this join URL announces was held; one report more
POST /teams/chats        {"members": [address, ...], "topic"?}: a chat
POST /teams/messages     {"chat", "sender", "text"}: somebody writes now; with "message": changes what he wrote;
                         without "sender": the system says it

Whose online meetings the application may see: "meeting_organisers" of POST /microsoft/application.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leakwatch.sandbox.control.desk import Call, Desk, Handler, Route


def _done(deed: Callable[[Desk], Callable[..., Any]]) -> Handler:
    """A handler that gives the body's keys to a deed; what it does not know of them is refused."""

    def handler(desk: Desk, call: Call) -> Any:
        return deed(desk)(**call.body)

    return handler


ROUTES: list[Route] = [
    ("POST", "/teams/calls", _done(lambda desk: desk.graph.teams.record_call)),
    ("POST", "/teams/attendance", _done(lambda desk: desk.graph.teams.record_attendance)),
    ("POST", "/teams/chats", _done(lambda desk: desk.graph.teams.open_chat)),
    ("POST", "/teams/messages", _done(lambda desk: desk.graph.teams.say)),
]
