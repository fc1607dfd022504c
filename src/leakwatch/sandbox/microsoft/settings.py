"""How the tenant is set up, with the switches for what only a real tenant can settle (docs/probes.md, Microsoft)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from leakwatch.sandbox.google.store import MailStore

SCHEMA = "CREATE TABLE IF NOT EXISTS ms_setting(name TEXT PRIMARY KEY, value TEXT);"

#: The answers that a switch may have.
CHOICES: dict[str, tuple[str, ...]] = {
    "concurrency_scope": ("mailbox", "app"),
    "expired_delta": ("410_location", "410", "410_resync_required", "400"),
    "removed_reason": ("deleted", "by_kind"),
    "delta_updates": ("whole", "changed"),
    "delta_cap_scope": ("round", "token"),
    "basic_select": ("omitted", "denied"),
    "chat_items": ("listed", "absent"),
    "whole_mailbox_delta": ("works", "refused"),
    "headers_in_delta": ("given", "omitted"),
    "declined_copies": ("removed", "kept"),
    "cancelled_copies": ("kept", "removed"),
    "occurrences_in_delta": ("sparse", "whole"),
    "occurrence_uids": ("dated", "series"),
    "all_day_times": ("shifted", "as_they_are"),
    "chat_export": ("open", "protected", "metered"),
}


@dataclass(slots=True)
class Settings:
    """Each with what is assumed; the other answers can be played."""

    concurrency_scope: str = "mailbox"
    """Whether the four requests at once count for each mailbox, or for the application as a whole."""
    batch_parallel: int = 4
    """How many parts of a `$batch` are with Exchange at once."""
    expired_delta: str = "410_location"
    """How an old delta token is refused; `410_location`: with a Location that begins anew."""
    delta_days: float | None = None
    """After so many days of the world's time a delta token is too old; null: when the control API says so."""
    removed_reason: str = "deleted"
    """`by_kind`: `changed` where the message was moved or binned, `deleted` where it is gone for good."""
    delta_updates: str = "whole"
    """Whether a changed message comes with all selected properties, or with the changed ones alone."""
    delta_cap: int = 5_000
    """So many messages at most come by a filtered delta."""
    delta_cap_scope: str = "round"
    """Whether that counts for one round, or for as long as the token is carried on."""
    delta_filters_later: bool = False
    """Whether the filter holds for what changes after the first round too."""
    whole_mailbox_delta: str = "works"
    """`/users/{id}/messages/delta`: in the SDKs, but documented for folders alone."""
    headers_in_delta: str = "given"
    """Whether `internetMessageHeaders` comes in a delta that selects it."""
    basic_select: str = "omitted"
    """What selecting `body` does under Mail.ReadBasic.All."""
    chat_items: str = "listed"
    """Whether lists of the whole mailbox have Teams' chat messages (a known issue of Graph)."""
    declined_copies: str = "removed"
    """Whether a meeting is still in the calendar of a guest who declined it."""
    cancelled_copies: str = "kept"
    """Whether guests keep what the organiser cancelled, with `isCancelled`, until they remove it."""
    occurrences_in_delta: str = "sparse"
    """Whether an occurrence in calendarView/delta has its times and its series' id alone."""
    occurrence_uids: str = "dated"
    """`dated`: each occurrence has an iCalUId of its own with its date; `series`: that of the series."""
    all_day_times: str = "shifted"
    """Whether midnight of an all-day event is told in the zone that was asked for, or stays midnight in any."""
    chat_export: str = "open"
    """`protected`: chats want the form of Teams' protected APIs; `metered`: a licence or a subscription, until 2025."""
    page_weight: int = 500
    """A list answers 504 from this many whole messages on; messages without bodies count a tenth."""
    latency_ms: int = 0
    """How long each request is with its service: what makes limits of requests at once felt."""


class Kept:
    """The settings, kept with the mailboxes."""

    def __init__(self, store: MailStore) -> None:
        self.store = store
        store.define(SCHEMA)

    @property
    def now(self) -> Settings:
        """The settings as they stand."""
        rows = self.store.db.execute("SELECT name, value FROM ms_setting")
        return Settings(**{name: json.loads(value) for name, value in rows})

    def change(self, changes: dict[str, Any]) -> Settings:
        """Set some anew; raises ValueError for unknown names and answers."""
        known = {one.name: one for one in fields(Settings)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"{name}: no such setting; known: {', '.join(known)}")
            if name in CHOICES and value not in CHOICES[name]:
                raise ValueError(f"{name} must be one of {', '.join(CHOICES[name])}")
        after = Settings(**(asdict(self.now) | changes))
        with self.store.writing():
            rows = [(name, json.dumps(value)) for name, value in changes.items()]
            self.store.db.executemany("INSERT OR REPLACE INTO ms_setting VALUES (?, ?)", rows)
        return after
