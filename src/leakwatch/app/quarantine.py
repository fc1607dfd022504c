"""What `quarantine list` and `retry` do: refused mails and alerts, and mails that could not be had or read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leakwatch.app.building import Parts
from leakwatch.core.fingerprint import KEY_PREFIX
from leakwatch.model import SkipReason

REASONS = {SkipReason.NOT_GIVEN.value: "the mailbox fails to give it; every sync asks for it again"}
NOT_READ = "it is not a mail that can be read; nothing of it was written. It stays in the mailbox"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One mail or alert that is not in Salesforce, and why."""

    key: str  # what `quarantine retry` takes; of a mail that was never read, its id in the mailbox
    what: str  # the object that was to be written, or the alert's kind and subject
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Released:
    """What `quarantine retry` let go."""

    mails: int
    alerts: int
    unknown: tuple[str, ...]  # keys under which nothing is quarantined

    @property
    def total(self) -> int:
        """How many there were."""
        return self.mails + self.alerts


def quarantined(parts: Parts) -> Sequence[Refusal]:
    """Return what is set aside, newest first: refused mails, refused alerts, mails that could not be had or read.

    An alert that was overtaken waits for nobody, and is not among them.
    """
    refused = [logged for logged in parts.write_log.refused() if not logged.op.op_id.startswith(KEY_PREFIX)]
    final = parts.journal.quarantined([logged.op.key for logged in refused if logged.op.key is not None])
    mails = [
        Refusal(logged.op.key or logged.op.op_id.split("|")[0], logged.op.sobject, logged.code, logged.message)
        for logged in refused
        if logged.op.key is None or logged.op.key in final  # the others are matched anew, or excluded by now
    ]
    alerts = [
        Refusal(one.key, f"alert ({one.kind}) {one.title}".rstrip(), *_reason(one.error or ""))
        for one in reversed(parts.findings.refused())
    ]
    unread = [
        Refusal(one.ref.provider_id, f"mail of {one.ref.principal}", code, REASONS.get(code, NOT_READ))
        for one in parts.capture_status.quarantined()
        for code, _ in [_reason(one.reason)]
    ]
    return [*mails, *alerts, *unread]


def release(parts: Parts, keys: Sequence[str]) -> Released:
    """Let the next `sync` try these mails again, and the next `act` these alerts."""
    wanted = dict.fromkeys(key.strip() for key in keys)
    alerts = parts.findings.release_refused(wanted)
    mails = 0
    unknown: list[str] = []
    for key in wanted:
        count = 0 if key in alerts else parts.journal.release_quarantined([key], now=parts.clock.now())
        mails += count
        if not count and key not in alerts:
            unknown.append(key)
    return Released(mails, len(alerts), tuple(unknown))


def _reason(error: str) -> tuple[str, str]:
    """Split `CODE: words`, as a delivery keeps it."""
    code, _, words = error.partition(": ")
    return (code, words) if words else ("", error)
