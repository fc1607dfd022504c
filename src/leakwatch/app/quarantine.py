"""What the `quarantine` verbs do: refused mails, meetings, people and alerts, mails that could not be had or read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leakwatch.app.building import Parts
from leakwatch.app.quarantine_people import is_person, refused_people, take_up
from leakwatch.core import set_aside
from leakwatch.core.fingerprint import KEY_PREFIX
from leakwatch.core.newcomers import PERSON_PREFIX
from leakwatch.core.text import clean_line
from leakwatch.errors import UsageError
from leakwatch.model import Delivery, Outcome, SkipReason

if TYPE_CHECKING:
    from leakwatch.store.capture_status import Explanation
    from leakwatch.store.write_log import LoggedWrite

REASONS = {SkipReason.NOT_GIVEN.value: "the mailbox fails to give it; every sync asks for it again"}
NOT_READ = "it is not a mail that can be read; nothing of it was written. It stays in the mailbox"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One mail, meeting, person or alert that is not in Salesforce, and why."""

    key: str  # what `quarantine show`, `retry` and `drop` take; of a mail that was never read, its id in the mailbox
    what: str  # the object that was to be written, with a person's address; or the alert's kind and subject
    code: str
    reason: str
    dropped: str = ""  # for what reason a person dropped it


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything that is known of one of them.

    Attributes:
        refusal: what it is and why it is set aside.
        next_step: what a person can do.
        mailboxes: where it lies: (mailbox, provider id). people, about: the records it belongs to. matched: on what
            grounds.
        fields: what was to be written, with no body: none is kept.
        first_at, last_at: when it was first and last tried or asked for. tries: how often. run_id: the last run that
            tried.
        recipient_id: for whom an alert is.
    """

    refusal: Refusal
    next_step: str
    mailboxes: tuple[tuple[str, str], ...] = ()
    people: tuple[str, ...] = ()
    about: str | None = None
    matched: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    first_at: datetime | None = None
    last_at: datetime | None = None
    tries: int | None = None
    run_id: str | None = None
    recipient_id: str | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """What `quarantine retry` or `drop` did."""

    mails: int
    alerts: int
    unknown: tuple[str, ...]  # keys under which there is nothing to be changed
    people: int = 0

    @property
    def total(self) -> int:
        """How many there were."""
        return self.mails + self.alerts + self.people


def quarantined(parts: Parts) -> Sequence[Refusal]:
    """Return what is set aside and waits for a person, newest first: refused mails and people, refused alerts,
    unreadable mails.

    An alert that was overtaken waits for nobody, and is not among them; nor is who is in Salesforce by now, or what was
    dropped.
    """
    return [one for one in _all(parts) if not one.dropped]


def dropped(parts: Parts) -> Sequence[Refusal]:
    """Return what a person dropped, of each kind the newest first."""
    return [one for one in _all(parts) if one.dropped]


def _all(parts: Parts) -> list[Refusal]:
    return [
        *map(_of_write, _refused_writes(parts)),
        *(_of_alert(one) for one in reversed(parts.findings.refused())),
        *(_of_item(one) for outcome in _UNREAD for one in parts.capture_status.quarantined(outcome)),
    ]


_UNREAD = (Outcome.QUARANTINED, Outcome.DROPPED)


def _refused_writes(parts: Parts) -> list[LoggedWrite]:
    """Return refused writes that count: what was matched anew, written or excluded since is no matter any more."""
    others = (KEY_PREFIX, PERSON_PREFIX)
    refused = [one for one in parts.write_log.refused() if not one.op.op_id.startswith(others)]
    keys = [one.op.key for one in refused if one.op.key is not None]
    kept_out = parts.journal.withheld(keys)
    final = parts.journal.quarantined(keys) | {key for key, how in kept_out.items() if how is Outcome.DROPPED}
    return [*(one for one in refused if one.op.key is None or one.op.key in final), *refused_people(parts)]


def _of_write(one: LoggedWrite) -> Refusal:
    before, why = set_aside.as_before(one.message), set_aside.reason_of(one.message)
    what = f"{one.op.sobject} {one.op.fields['Email']}" if is_person(one.op.op_id) else one.op.sobject
    return Refusal(_key(one), what, one.code, before, why)


def _key(one: LoggedWrite) -> str:
    return one.op.key or one.op.op_id.split("|")[0]


def _of_alert(one: Delivery) -> Refusal:
    error = one.error or ""
    what = f"alert ({one.kind}) {one.title}".rstrip()
    return Refusal(one.key, what, *_reason(set_aside.as_before(error)), set_aside.reason_of(error))


def _of_item(one: Explanation) -> Refusal:
    code, words = _reason(one.reason)
    reason = REASONS.get(code, NOT_READ)
    return Refusal(one.ref.provider_id, f"mail of {one.ref.principal}", code, reason, set_aside.reason_of(words))


def show(parts: Parts, key: str) -> Sequence[Shown]:
    """Return everything known of what is set aside under `key`: one thing, or the same id in several mailboxes."""
    key = key.strip()
    found = [_shown_write(parts, one) for one in _refused_writes(parts) if _key(one) == key]
    found += [_shown_alert(one) for one in parts.findings.refused() if one.key == key]
    for outcome in _UNREAD:
        found += [_shown_item(one) for one in parts.capture_status.quarantined(outcome) if one.ref.provider_id == key]
    return found


def _step(refusal: Refusal) -> str:
    if refusal.dropped:
        return set_aside.RETRY_DROPPED
    step = set_aside.next_step_for_person if is_person(refusal.key) else set_aside.next_step
    return step(refusal.code)


def _shown_write(parts: Parts, one: LoggedWrite) -> Shown:
    copies = parts.capture_status.explain(_key(one))
    refusal = _of_write(one)
    return Shown(
        refusal,
        _step(refusal),
        mailboxes=tuple((copy.ref.principal, copy.ref.provider_id) for copy in copies),
        people=next((copy.who_ids for copy in copies if copy.who_ids), ()),
        about=next((copy.what_id for copy in copies if copy.what_id), None),
        matched=one.op.reason,
        fields=one.op.fields,
        first_at=one.begun_at if one.attempts == 1 else None,  # the log keeps the last try only
        last_at=one.finished_at,
        tries=one.attempts,
        run_id=one.run_id,
    )


def _shown_alert(one: Delivery) -> Shown:
    refusal = _of_alert(one)
    return Shown(
        refusal,
        _step(refusal),
        about=one.record_id,
        fields={"Subject": one.title, "Channel": one.channel},
        first_at=one.created_at,
        tries=one.attempts,
        recipient_id=one.recipient_id,
    )


def _shown_item(one: Explanation) -> Shown:
    refusal = _of_item(one)
    return Shown(refusal, _step(refusal), mailboxes=((one.ref.principal, one.ref.provider_id),), first_at=one.at)


def release(parts: Parts, keys: Sequence[str]) -> Changed:
    """Let the next `sync` try these mails and people again, the next `act` these alerts; also what was dropped."""
    wanted = list(dict.fromkeys(key.strip() for key in keys))
    for one in parts.findings.refused():
        if one.key in wanted:
            parts.findings.note_refusal(one.key, set_aside.as_before(one.error or ""))
    alerts = parts.findings.release_refused(wanted)
    _say_of_writes(parts, wanted, set_aside.as_before)
    people = {key: take_up(parts, key) for key in wanted if is_person(key)}
    mails = {key: _release_mail(parts, key) for key in wanted if key not in alerts and key not in people}
    unknown = tuple(key for key, count in (mails | people).items() if not count)
    return Changed(sum(mails.values()), len(alerts), unknown, sum(people.values()))


def _release_mail(parts: Parts, key: str) -> int:
    now = parts.clock.now()
    count = parts.journal.release_quarantined([key], now=now)
    return count + parts.journal.let_go([key], Outcome.DROPPED, now=now) + parts.journal.take_up_unread(key)


def drop(parts: Parts, keys: Sequence[str], why: str) -> Changed:
    """Set these aside for good, for the reason `why`: they are never tried again, unless `retry` takes it back.

    Raises:
        UsageError: `why` is empty.
    """
    why = clean_line(why)
    if not why:
        raise UsageError("say why it is dropped: `explain` says so to whoever asks later. Nothing was dropped.")
    wanted = list(dict.fromkeys(key.strip() for key in keys))
    waiting = {one.key: one for one in quarantined(parts)}
    alerts = 0
    for one in parts.findings.refused():
        if one.key in wanted and one.key in waiting:
            parts.findings.note_refusal(one.key, set_aside.dropped(why, one.error or ""))
            alerts += 1
    mails = sum(parts.journal.drop_unread(key, why) for key in wanted)
    chosen = [key for key in wanted if key in waiting]
    people = sum(map(is_person, chosen))
    mails += _drop_written(parts, chosen, why) - people
    return Changed(mails, alerts, tuple(key for key in wanted if key not in waiting), people)


def _drop_written(parts: Parts, keys: Sequence[str], why: str) -> int:
    """Drop the refused writes of these keys, in the journal first: what is not dropped there would be tried again."""
    chosen = [one for one in _refused_writes(parts) if _key(one) in keys]
    final = parts.journal.quarantined(keys)
    words = {_key(one): f"Dropped by a person: {why} ({one.code}: {one.message})" for one in chosen}
    reasons = {key: reason for key, reason in words.items() if key in final}
    parts.journal.withhold(reasons, Outcome.DROPPED, now=parts.clock.now())
    return len(_say_of_writes(parts, keys, lambda message: set_aside.dropped(why, message)))


def _say_of_writes(parts: Parts, keys: Sequence[str], words: Callable[[str], str]) -> set[str]:
    """Replace what is said of the refused writes of `keys`; return their keys."""
    chosen = [one for one in _refused_writes(parts) if _key(one) in keys]
    for one in chosen:
        parts.write_log.note_refusal(one.op.op_id, words(one.message))
    return {_key(one) for one in chosen}


def _reason(error: str) -> tuple[str, str]:
    """Split `CODE: words`, as a delivery keeps it."""
    code, _, words = error.partition(": ")
    return (code, words) if words else ("", error)
