"""The world in memory, and the words its file may use (docs/world-format.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from leakwatch.sandbox.clock import parse_instant

FORMAT = "leakwatch-world/1"
Json = dict[str, Any]

#: Who has the mailboxes of a generated world; `both`: every second user is at Microsoft.
PROVIDERS = ("google", "microsoft", "both")

ROLES = ("rep", "manager", "revops", "admin", "integration")
USER_TYPES = ("Standard", "PowerPartner", "PowerCustomerSuccess", "CustomerSuccess", "CSPLitePortal", "CsnOnly")
STAGE_MEANINGS = ("open", "won", "lost", "suspended", "abandoned")
LEAD_MEANINGS = ("open", "closed")
MOVES = ("trash", "untrash", "spam", "not_spam", "read", "unread", "archive", "star", "delete")
RULES = (
    "lead_stale", "meeting_without_follow_up", "opp_close_overdue", "opp_lost_without_reason", "opp_price_deviation",
)  # fmt: skip

#: Rules that an admin declared -> (required keys, optional keys).
RULE_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "validation_rules": (("name", "object", "when", "message"), ("field", "active")),
    "duplicate_rules": (("name", "object", "match"), ("against", "action", "message", "active")),
}

#: Why a mail is not written. `unmatched` is an expectation of its own and has no reason.
SKIP_REASONS = (
    "internal_only", "draft", "scheduled", "spam", "trash", "chat", "bounce", "auto_reply",
    "calendar_invitation", "confidential_subject", "blocked", "opt_out_label", "no_notice", "bulk",
)  # fmt: skip

#: Why an occurrence of a meeting is not written.
MEETING_SKIPS = (
    "internal_only", "event_type", "private", "confidential_subject", "blocked", "no_notice",
)  # fmt: skip

MEETING_STATES = ("planned", "held", "cancelled")

#: What people do with a meeting -> the keys that this needs.
ACTS: dict[str, tuple[str, ...]] = {
    "update": ("fields",),
    "cancel": (),
    "respond": ("guest", "response"),
    "remove_copy": ("calendar",),
    "set_own": ("calendar", "fields"),
    "split": ("occurrence", "fields"),
    "transfer": ("organizer",),
}

#: Timeline verb -> (required keys, optional keys), besides `at` and `do`.
VERBS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "create": (("ref", "object", "by", "fields"), ()),
    "update": (("record", "by", "fields"), ()),
    "delete": (("record", "by"), ()),
    "convert_lead": (("record", "by"), ("account", "contact", "opportunity", "name", "status", "owner")),
    "complete_tasks": (("record", "by"), ()),
    "complete_alert_task": (("record", "by"), ("rule",)),
    "draft": (("draft", "mailbox", "mail"), ()),
    "send_draft": (("draft", "mailbox", "mail"), ()),
    "move": (("mail", "mailbox", "to"), ()),
    "label": (("mail", "mailbox"), ("add", "remove")),
    "meeting": (("meeting", "act"), ("occurrence", "fields", "guest", "response", "calendar", "organizer")),
    "suspend": (("user",), ()),
    "unsuspend": (("user",), ()),
}

MAIL_KEYS = (
    "cc", "bcc", "text", "html", "headers", "message_id", "reply_to", "references", "labels", "only", "mime",
    "parts", "held",
)  # fmt: skip


@dataclass(slots=True)
class World:
    """One world. The lists hold the file's own objects, checked."""

    name: str
    seed: int
    start: datetime
    days: int
    audit_time: str
    company: Json
    users: list[Json]
    queues: list[Json]
    custom_fields: dict[str, list[Json]]
    stages: list[Json]
    lead_statuses: list[Json]
    meanings: Json
    capture: Json
    records: list[Json]
    mails: list[Json]
    timeline: list[Json]
    truth: Json
    validation_rules: list[Json] = field(default_factory=list[Json])
    duplicate_rules: list[Json] = field(default_factory=list[Json])
    meetings: list[Json] = field(default_factory=list[Json])
    delegation: list[str] = field(default_factory=list[str])
    _mails: dict[str, Json] = field(default_factory=dict[str, Json], repr=False)

    @property
    def zone(self) -> ZoneInfo:
        """The org's time zone."""
        return ZoneInfo(self.company["time_zone"])

    def mail(self, key: str) -> Json:
        """A mail by its id."""
        if len(self._mails) != len(self.mails):
            self._mails = {mail["id"]: mail for mail in self.mails}
        return self._mails[key]

    def meeting(self, key: str) -> Json:
        """A meeting by its id."""
        return next(meeting for meeting in self.meetings if meeting["id"] == key)

    def user(self, ref: str) -> Json:
        """A user by reference."""
        return next(user for user in self.users if user["ref"] == ref)

    def as_json(self) -> Json:
        """The world as it stands in its file."""
        body: Json = {"format": FORMAT, "name": self.name, "seed": self.seed}
        body["start"] = self.start.isoformat().replace("+00:00", "Z")
        body |= {"days": self.days, "audit_time": self.audit_time, "company": self.company}
        body |= {"delegation": self.delegation, "users": self.users, "queues": self.queues}
        body |= {"custom_fields": self.custom_fields, "stages": self.stages}
        body |= {"lead_statuses": self.lead_statuses, "meanings": self.meanings, "capture": self.capture}
        body |= {kind: rules for kind in RULE_KEYS if (rules := getattr(self, kind))}
        body |= {"records": self.records, "mails": self.mails}
        body |= {"meetings": self.meetings} if self.meetings else {}
        body |= {"timeline": self.timeline}
        return body | {"truth": self.truth}


def account_of(user: Json) -> Json | None:
    """What the file says of a user's account at Google or Microsoft; None for a user with neither."""
    google = user.get("google")
    return google if google is not None else user.get("microsoft")


def at_microsoft(user: Json) -> Json:
    """The same user with the account at Microsoft instead of Google; without one, the user as it is."""
    google = user.get("google")
    if google is None:
        return user
    aliases = [*google.get("aliases", []), *google.get("non_editable_aliases", [])]
    body: Json = {"aliases": aliases} | {key: google[key] for key in ("suspended", "created") if key in google}
    if not google.get("gmail", True):
        body["mailbox"] = "none"
    return {key: value for key, value in user.items() if key != "google"} | {"microsoft": body}


DEFAULT_DELEGATION = (
    "https://www.googleapis.com/auth/gmail.readonly",
    "https://www.googleapis.com/auth/gmail.metadata",
    "https://www.googleapis.com/auth/admin.directory.user.readonly",
    "https://www.googleapis.com/auth/admin.directory.user.alias.readonly",
    "https://www.googleapis.com/auth/calendar.readonly",
    "https://www.googleapis.com/auth/calendar.events.readonly",
)


def instant(text: str) -> datetime:
    """An instant of a checked world."""
    return parse_instant(text)
