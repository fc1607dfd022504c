"""Tables of findings, their history, what was said about them, and how rules ran; exact types for time and money.

Columns are named as the fields of the nouns they hold. Types are portable: text and integers only.
"""

# ruff: noqa: ARG002  (SQLAlchemy hands every type a dialect; none of ours depends on it)

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, cast

import orjson
from sqlalchemy import Boolean, Column, Date, Dialect, Index, Integer, String, Table, Text, TypeDecorator

from leakwatch.model import FindingStatus, Proof, Severity
from leakwatch.store.database import metadata


class Moment(TypeDecorator[datetime]):
    """An aware datetime as UTC text of fixed width, so that text order is time order."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return the stored text of an aware datetime."""
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Return the aware UTC datetime."""
        return None if value is None else datetime.fromisoformat(value)


class Exact(TypeDecorator[Decimal]):
    """A Decimal as text: SQLite would make a float of it."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Return the stored text."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:
        """Return the Decimal, digit for digit as it was."""
        return None if value is None else Decimal(value)


class Word(TypeDecorator[StrEnum]):
    """One of the words of a StrEnum."""

    impl = String(20)
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        """Return the word."""
        return None if value is None else str(value.value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> StrEnum | None:
        """Return the member."""
        return None if value is None else self.words(value)


class Strings(TypeDecorator[tuple[str, ...]]):
    """A tuple of strings as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str:
        """Return the JSON list."""
        return orjson.dumps(list(value or ())).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> tuple[str, ...]:
        """Return the tuple."""
        return tuple(orjson.loads(value or "[]"))


class Values(TypeDecorator[Mapping[str, Any]]):
    """Name -> str, int, bool, None, Decimal, date or datetime as JSON that gives back exactly these types."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, Any] | None, dialect: Dialect) -> str:
        """Return the JSON object."""
        return orjson.dumps({name: _tagged(item) for name, item in (value or {}).items()}).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> dict[str, Any]:
        """Return the dict."""
        loaded = cast(dict[str, Any], orjson.loads(value or "{}"))
        return {name: _untagged(item) for name, item in loaded.items()}


def _tagged(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, datetime):
        return {"moment": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def _untagged(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((tag, text),) = cast(dict[str, str], value).items()
    return {"decimal": Decimal, "moment": datetime.fromisoformat, "date": date.fromisoformat}[tag](text)


findings = Table(
    "findings",
    metadata,
    Column("fingerprint", String(32), primary_key=True),
    Column("rule_id", String(100), nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("sobject", String(100), nullable=False),
    Column("record_id", String(64), nullable=False),
    Column("record_name", Text, nullable=False),
    Column("owner_id", String(18)),
    Column("owner_name", Text, nullable=False),
    Column("manager_id", String(18)),
    Column("status", Word(FindingStatus), nullable=False),
    Column("severity", Word(Severity), nullable=False),
    Column("since", Moment, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("status_since", Moment, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("baseline", Boolean, nullable=False),
    Column("absent_runs", Integer, nullable=False),
    Column("seen_runs", Integer, nullable=False),
    Column("reopened", Integer, nullable=False),
    Column("impact", Exact),
    Column("currency", String(3)),
    Column("impact_kind", String(20), nullable=False),
    Column("message_en", Text, nullable=False),
    Column("message_tr", Text, nullable=False),
    Column("evidence", Values, nullable=False),
    Column("proof", Word(Proof), nullable=False),
    Column("snapshot_id", String(100), nullable=False),
    Column("params_digest", String(64), nullable=False),
    Column("account_id", String(18)),
    Column("is_process", Boolean, nullable=False),
    Column("count", Integer, nullable=False),
    Column("escalation_step", Integer, nullable=False),
    Column("notified_owner_id", String(18)),
    Column("resolved_reason", String(20)),
    Column("notified_at", Moment),
    Column("notices", Integer, nullable=False),
    Column("pending_notice", String(20)),
    Column("escalation_told", Integer, nullable=False),
    Column("checked_in", String(100), nullable=False),
    Column("impact_reference", Exact),
    Column("about_id", String(18)),
    Index("findings_by_rule", "rule_id", "status"),
)

transitions = Table(
    "transitions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("fingerprint", String(32), nullable=False, index=True),
    Column("old", Word(FindingStatus)),
    Column("new", Word(FindingStatus), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("run_id", String(64), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("notify", String(20)),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("key", String(120), primary_key=True),
    Column("channel", String(40), nullable=False),
    Column("recipient_id", String(18), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("fingerprints", Strings, nullable=False),
    Column("record_id", String(64)),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("due_on", Date),
    Column("severity", Word(Severity), nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
    Column("language", String(5), nullable=False),
    Column("mentions", Strings, nullable=False),
    Column("remote_id", String(18)),
    Column("sent_at", Moment),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("quarantined", Boolean, nullable=False),
)

delivery_findings = Table(
    "delivery_findings",
    metadata,
    Column("fingerprint", String(32), primary_key=True),
    Column("key", String(120), primary_key=True),
)

rule_state = Table(
    "rule_state",
    metadata,
    Column("rule_id", String(100), primary_key=True),
    Column("rule_version", Integer, nullable=False),
    Column("params_digest", String(64), nullable=False),
    Column("at", Moment, nullable=False),  # last complete evaluation
    Column("population", Integer),  # of the last complete evaluation that counted it
    Column("population_at", Moment),
)

rule_runs = Table(
    "rule_runs",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("rule_id", String(100), primary_key=True),
    Column("rule_version", Integer, nullable=False),
    Column("params_digest", String(64), nullable=False),
    Column("snapshot_id", String(100), nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("complete", Boolean, nullable=False),
    Column("population", Integer),
    Column("open_count", Integer, nullable=False),
    Column("open_impact", Values, nullable=False),  # currency -> sum of what stood open after the run
    Column("new", Integer, nullable=False),  # baseline excluded
    Column("resolved", Integer, nullable=False),  # fixed only
    Column("reopened", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("error", Text),
)
