"""Structured logging: event names, set-up, redaction.

Events are `<flow>.<noun>.<past participle>`. No subject, body or outside address is logged at INFO or above;
an address appears as a keyed hash (`address_tag`).
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import MutableMapping
from enum import StrEnum
from typing import Any

import structlog


class Event(StrEnum):
    """Every event leakwatch logs."""

    PAGE_FETCHED = "capture.page.fetched"
    ITEM_SKIPPED = "capture.item.skipped"
    ACTIVITY_QUARANTINED = "capture.activity.quarantined"
    NEIGHBOURS_UNSEEN = "capture.neighbours.unseen"
    CALENDAR_LOOP = "capture.calendar.loop"
    STREAM_RECONCILED = "capture.stream.reconciled"
    STREAM_EMPTY = "capture.stream.emptied"
    PRINCIPAL_PARKED = "capture.principal.parked"
    PRINCIPAL_RESTORED = "capture.principal.restored"
    PUSH_FAILED = "push.pull.failed"
    PUSH_RESTORED = "push.pull.restored"
    WATCHES_RENEWED = "push.watches.renewed"
    WATCH_REFUSED = "push.watch.refused"
    PLAN_APPLIED = "capture.plan.applied"
    TABLE_REFRESHED = "mirror.table.refreshed"
    SNAPSHOT_PUBLISHED = "mirror.snapshot.published"
    RULE_EVALUATED = "audit.rule.evaluated"
    RULE_FAILED = "audit.rule.failed"
    RULE_HELD = "audit.rule.held"
    RULE_SWITCHED_OFF = "audit.rule.switched_off"
    BREAKER_TRIPPED = "audit.breaker.tripped"
    STATUS_CHANGED = "audit.finding.changed"
    DELIVERY_SENT = "act.delivery.sent"
    DELIVERY_FAILED = "act.delivery.failed"
    REPORT_WRITTEN = "report.file.written"
    REQUEST_RETRIED = "client.request.retried"
    SESSION_REFRESHED = "client.session.refreshed"
    WRITE_RECONCILED = "writer.write.reconciled"
    JOB_STARTED = "job.run.started"
    JOB_FINISHED = "job.run.finished"
    JOB_FAILED = "job.run.failed"
    JOB_POSTPONED = "job.run.postponed"
    JOB_BLOCKED = "job.run.blocked"
    JOB_OVERDUE = "job.run.overdue"
    DAEMON_STARTED = "daemon.process.started"
    DAEMON_DRAINING = "daemon.process.draining"
    DAEMON_STOPPED = "daemon.process.stopped"
    ENGINE_WARNED = "job.engine.warned"


_SECRET_KEYS = frozenset(
    {"token", "access_token", "assertion", "authorization", "password", "client_secret", "private_key"}
)


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        if key.lower() in _SECRET_KEYS:
            event[key] = "***"
    return event


class _StandardError:
    """Whatever standard error is when a line is written: it may be replaced or redirected meanwhile."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_stderr: Any = _StandardError()


def configure(*, level: str = "INFO", json: bool | None = None) -> None:
    """Send logs to standard error: JSON lines unless it is a terminal (`json` overrides). Returns nothing."""
    _configure(level, json=json)
    logging.basicConfig(level=logging.WARNING, stream=_stderr, force=True)


def _configure(level: str, *, json: bool | None = None) -> None:
    as_json = (not sys.stderr.isatty()) if json is None else json
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _redact,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(_stderr),
        cache_logger_on_first_use=False,
    )


_configure("WARNING")  # structlog's own default prints to standard output, where only data belongs


def get(name: str) -> Any:
    """Return a logger bound to `name`."""
    return structlog.get_logger(name)


def address_tag(address: str, *, key: bytes = b"leakwatch") -> str:
    """Return a 10-hex-digit keyed hash of an e-mail address, safe to log."""
    return hashlib.blake2b(address.casefold().encode(), key=key, digest_size=5).hexdigest()
