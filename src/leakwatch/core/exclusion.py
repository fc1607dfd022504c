"""What keeps a mail out that was read already: an exclusion made since, or a veto by another copy of it. Pure.

A copy is judged when it is read and once more right before it is matched, because the admin, the employee or the
mailbox's owner may have decided otherwise meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from leakwatch.core.addresses import domain_of
from leakwatch.core.identity import MAX_MESSAGE_ID, mail_key, sender_digest, weak_key
from leakwatch.core.normalise import REWRITTEN_WITHIN, SAME_MAIL_WITHIN, sender_of
from leakwatch.core.privacy import Insiders, PrivacyRules, screen
from leakwatch.model import Activity, ActivityKind, Decision, Direction, MailTrace, Outcome, SkipReason, WaitingMail

# Said about one copy, this holds for the mail: somebody on the "never log" list may show only in the sender's BCC. All
# other reasons keep out a copy, not the mail: what a rep labels as private may still lie open in a colleague's mailbox.
# One more is a veto where it bears a trace: a mail among ourselves that one of us sent as an address elsewhere. Only
# the sender's copy shows that; the colleagues' copies look like mail from outside.
VETOES = frozenset({SkipReason.BLOCKED})
# The mailbox as a whole is read no more: should it be read again, its window is read from the beginning.
MAILBOX_REASONS = frozenset({SkipReason.NO_NOTICE, SkipReason.OFF_ROSTER})
DROPPED = "decided after it was read, before it was written: nothing was written, and its copy was deleted here"


def exclude(copy: Activity, reason: SkipReason, *, at: datetime, detail: str = "") -> Decision:
    """Return the decision that keeps `copy` out; one that forbids the whole mail bears what tells its other copies."""
    key = base_key(copy)
    trace = None
    if reason in VETOES or (reason is SkipReason.INTERNAL_ONLY and _is_sent_as_another(copy)):
        trace = MailTrace(copy.fingerprint, sender_digest(key, sender_of(copy)), copy.sent_at, copy.start)
    return Decision(copy.refs[0], Outcome.SKIPPED, reason, at, key=key, detail=detail, trace=trace)


def _is_sent_as_another(copy: Activity) -> bool:
    mailbox = copy.refs[0].principal
    return copy.direction is Direction.OUTBOUND and domain_of(sender_of(copy)) != domain_of(mailbox)


def is_veto(decision: Decision) -> bool:
    """Return whether `decision`, made about one copy, may keep out the mail's other copies."""
    return decision.reason in VETOES or (decision.reason == SkipReason.INTERNAL_ONLY and decision.trace is not None)


def drops(decision: Decision) -> bool:
    """Return whether `decision`, made about a copy that is stored, deletes it. That a mail has vanished does not."""
    return decision.outcome is Outcome.SKIPPED and decision.reason != SkipReason.GONE


def base_key(copy: Activity) -> str:
    """Return the key that the Message-ID (or a meeting's UID) alone gives, whichever the copy is stored under."""
    if copy.kind is ActivityKind.MEETING:
        return copy.key
    if copy.message_id is None:
        return weak_key(copy.fingerprint)
    return mail_key(copy.message_id) if len(copy.message_id) < MAX_MESSAGE_ID else copy.key


def forbids(veto: Decision, copy: Activity) -> bool:
    """Return whether `veto`, said of one copy, is about the same mail as `copy`.

    The same tests as for two copies (see `normalise.same_mail` and `assign_key`): one Message-ID with the same From and
    Date, or a Message-ID that a relay rewrote (same fingerprint, another mailbox, within two minutes). A veto that
    bears no trace, from an older leakwatch, holds for the Message-ID.
    """
    trace, key = veto.trace, base_key(copy)
    if trace is None:
        return veto.key == key
    if veto.key == key:
        if trace.sender != sender_digest(key, sender_of(copy)):
            return False
        if trace.sent_at is None or copy.sent_at is None:
            return True
        return abs(trace.sent_at - copy.sent_at) <= SAME_MAIL_WITHIN
    if not trace.fingerprint or trace.fingerprint != copy.fingerprint:
        return False
    elsewhere = all(ref.principal != veto.ref.principal for ref in copy.refs)
    return elsewhere and abs(trace.start - copy.start) <= REWRITTEN_WITHIN


class Vetoes:
    """Vetoes, found by the Message-ID or the fingerprint of a copy they may be about."""

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self._by: defaultdict[str, list[Decision]] = defaultdict(list)
        for veto in decisions:
            if is_veto(veto):
                for mark in {veto.key, veto.trace.fingerprint if veto.trace is not None else None} - {None, ""}:
                    self._by[str(mark)].append(veto)

    def about(self, copies: Iterable[Activity]) -> tuple[Decision, ...]:
        """Return those that may be about one of `copies`; `forbids` says whether they are."""
        if not self._by:
            return ()
        marks = {mark for copy in copies for mark in (base_key(copy), copy.fingerprint)}
        return tuple(dict.fromkeys(veto for mark in sorted(marks) for veto in self._by.get(mark, ())))


@dataclass(frozen=True, slots=True)
class Screening:
    """What may be captured at present.

    Attributes:
        insiders: who is one of us. rules: the admin's exclusions.
        told: addresses of the mailboxes that may be read. roster: those of everybody on the roster, told or not.
    """

    insiders: Insiders
    rules: PrivacyRules
    told: frozenset[str]
    roster: frozenset[str]

    def judge(self, waiting: WaitingMail, *, now: datetime) -> tuple[list[Activity], list[Decision]]:
        """Return the copies that may still be written, marked anew, and a decision on each of the others."""
        kept: list[Activity] = []
        decisions: list[Decision] = []
        for copy in waiting.copies:
            marked = self.insiders.mark(copy)
            reason = self._reason(marked)
            if reason is None:
                kept.append(marked)
            else:
                decisions.append(exclude(copy, reason, at=now, detail=DROPPED))
        if not decisions and not waiting.vetoes:
            return kept, decisions
        vetoes = [*waiting.vetoes, *(one for one in decisions if is_veto(one))]
        veto = next((veto for veto in vetoes if any(forbids(veto, copy) for copy in kept)), None)
        if veto is not None:
            decisions += [exclude(copy, SkipReason(veto.reason), at=now, detail=DROPPED) for copy in kept]
            kept = []
        return kept, decisions

    def _reason(self, copy: Activity) -> SkipReason | None:
        mailbox, reason = copy.refs[0].principal, screen(copy, self.rules)
        if mailbox not in self.told and reason not in VETOES:  # a veto outlives the mailbox it was found in
            return SkipReason.NO_NOTICE if mailbox in self.roster else SkipReason.OFF_ROSTER
        return reason
