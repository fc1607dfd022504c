"""Whose mailboxes there are and what reads them: Google, Microsoft 365, or both."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from leakwatch.app.building import Parts
from leakwatch.app.google_parts import GoogleParts
from leakwatch.app.microsoft_parts import MicrosoftParts
from leakwatch.core.addresses import normalise

if TYPE_CHECKING:
    from leakwatch.app.pushing import Push
    from leakwatch.clients.limiter import Limiter
    from leakwatch.model import Principal


class Providers:
    """The providers that are switched on. `google` is made anew unless it is given."""

    def __init__(self, parts: Parts, google: GoogleParts | None = None) -> None:
        self._parts = parts
        settings = parts.settings
        made = google or GoogleParts(parts)
        self._google = made if settings.google.enabled else None
        self._pacing = made
        self._microsoft = MicrosoftParts(parts, made.limiter) if settings.reads_outlook else None

    @property
    def limiter(self) -> Limiter:
        """Pacing for all of them."""
        return self._pacing.limiter

    @property
    def push(self) -> Push | None:
        """What Gmail tells us of its mailboxes; None where that is off."""
        return self._google.push if self._google is not None else None

    def quiet(self, push: Push, told: Sequence[Principal]) -> Mapping[str, Collection[str]]:
        """Keep Gmail's watches alive; return source name -> mailboxes of which nothing was told, of `told`."""
        assert self._google is not None  # noqa: S101  push is Google's
        at_google = self._at_google if self._microsoft is not None else None
        mine = [one for one in told if at_google is None or one.address in at_google]
        return push.prepare(self._parts, self._google, mine)

    @cached_property
    def _at_google(self) -> frozenset[str]:
        return frozenset(normalise(str(row.get("primaryEmail") or "")) or "" for row in self._google_users)

    @cached_property
    def _google_users(self) -> Sequence[Mapping[str, Any]]:
        return self._google.directory() if self._google is not None else ()

    def directory(self) -> list[Mapping[str, Any]]:
        """Return every user of the directories, in the words of Google's.

        Raises:
            AuthError: one refuses us: without a roster no mailbox is read.
        """
        return [*self._google_users, *(self._microsoft.users if self._microsoft is not None else ())]

    def allow(self, addresses: Sequence[str]) -> None:
        """Let the mailboxes of these addresses be opened, and nobody else's."""
        if self._google is not None:
            self._google.client.allow(addresses)
        if self._microsoft is not None:
            self._microsoft.allow(addresses)

    def sources(self, *, full: bool = False) -> list[Any]:
        """Return everything that is read."""
        found = self._google.sources(full=full) if self._google is not None else []
        return [*found, *([self._microsoft.source()] if self._microsoft is not None else [])]

    def whose(self) -> Mapping[str, Collection[str]]:
        """Return source name -> whose mailboxes it has; empty where one provider has all."""
        if self._microsoft is None:
            return {}
        found: dict[str, Collection[str]] = {self._microsoft.source().name: self._microsoft.addresses()}
        if self._google is not None:
            found |= {source.name: self._at_google for source in self._google.sources()}
        return found
