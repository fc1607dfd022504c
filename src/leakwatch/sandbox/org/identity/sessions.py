"""Open sessions: what an access token stands for, and how it ends."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from leakwatch.sandbox.org.identity.book import Book
from leakwatch.sandbox.org.settings import OrgSettings


@dataclass(frozen=True, slots=True)
class Session:
    """Who a token speaks for. Times are wall time, in seconds since 1970."""

    token: str
    user_id: str
    app: str
    """The consumer key of the connected app that it was opened for."""
    issued: float
    expires: float
    scope: str = "api"
    """Scopes, separated by spaces."""
    family: str = ""
    """The family of refresh tokens that it came from; empty where it came from none."""
    calls_left: int | None = None
    """API calls until it ends; None: it ends by time."""

    @property
    def name(self) -> str:
        """What to call it without giving the token away."""
        return hashlib.sha256(self.token.encode()).hexdigest()[:12]

    @property
    def may_call_api(self) -> bool:
        """Whether its scopes include the data API."""
        return not {"api", "full"}.isdisjoint(self.scope.split())


class Sessions:
    """The open sessions of one org: in memory for speed, on disk to survive a restart."""

    def __init__(
        self, settings: Callable[[], OrgSettings], book: Book, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._book = book
        self._open: dict[str, Session] = {}
        self.wall_clock = wall_clock
        for row in book.run("SELECT * FROM session"):
            session = Session(**dict(row))
            self._open[session.token] = session

    def open(self, user_id: str, app: str = "", *, scope: str = "api", family: str = "") -> Session:
        """A new session for a user of a connected app."""
        settings, now = self._settings(), self.wall_clock()
        token = f"{settings.org_id[:15]}!{secrets.token_urlsafe(60)}"
        session = Session(token, user_id, app, now, now + settings.session_seconds, scope, family)
        with self._book.lock:
            self._drop(lambda one: one.expires <= now)
            self._open[token] = session
            self._write(session)
        return session

    def _write(self, session: Session) -> None:
        sql = "INSERT OR REPLACE INTO session (token, user_id, app, scope, issued, expires, family, calls_left)"
        values = (session.token, session.user_id, session.app, session.scope, session.issued, session.expires)
        self._book.run(f"{sql} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, session.family, session.calls_left))

    def find(self, token: str) -> Session | None:
        """The living session of a token."""
        session = self._open.get(token)
        return session if session is not None and session.expires > self.wall_clock() else None

    def use(self, token: str) -> Session | None:
        """The living session of a token, which now makes one API call."""
        session = self.find(token)
        if session is None or session.calls_left is None:
            return session
        with self._book.lock:
            if session.calls_left <= 0:
                self.close(lambda one: one.token == token)
                return None
            self._open[token] = left = replace(session, calls_left=session.calls_left - 1)
            self._write(left)
        return left

    def living(self) -> list[Session]:
        """Every living session, oldest first."""
        now = self.wall_clock()
        with self._book.lock:
            return sorted((one for one in self._open.values() if one.expires > now), key=lambda one: one.issued)

    def close(self, which: Callable[[Session], bool]) -> int:
        """Close these sessions; how many."""
        with self._book.lock:
            return self._drop(which)

    def _drop(self, which: Callable[[Session], bool]) -> int:
        ended = [session for session in self._open.values() if which(session)]
        for session in ended:
            del self._open[session.token]
            self._book.run("DELETE FROM session WHERE token = ?", (session.token,))
        return len(ended)

    def close_after(self, calls: int, which: Callable[[Session], bool]) -> int:
        """Let these sessions end after that many more API calls; how many sessions that meets."""
        with self._book.lock:
            met = [session for session in self._open.values() if which(session)]
            for session in met:
                self._open[session.token] = limited = replace(session, calls_left=calls)
                self._write(limited)
        return len(met)

    def expire(self, token: str) -> None:
        """Close one session."""
        self.close(lambda one: one.token == token)

    def expire_all(self) -> None:
        """Close every session."""
        self.close(lambda _: True)

    def as_json(self) -> list[dict[str, Any]]:
        """The living sessions, without their tokens."""
        return [
            {
                "session": one.name, "user_id": one.user_id, "app": one.app, "scope": one.scope, "issued": one.issued,
                "expires": one.expires, "family": one.family or None, "calls_left": one.calls_left,
            }
            for one in self.living()
        ]  # fmt: skip
