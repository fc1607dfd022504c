"""What other tools wrote of the same mails and meetings: adopted instead of doubled, and never carried in a circle.

A mail is known by its Message-ID, a meeting by what its Event holds (`core.adoption`). Two-way calendar syncs copy our
Events into the calendars that we read: what is such a copy is never written, and where one was seen no Event is written
at all until the admin has decided (decision 0011).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from leakwatch.core.adoption import Kind, people_of, recognise, span
from leakwatch.core.adoption_mails import days_of, logged_mails, owners_of
from leakwatch.core.meetings import skip_reason
from leakwatch.core.origin import EVENT_ID_PREFIX
from leakwatch.errors import RecordError
from leakwatch.flows.capture_report import Tally
from leakwatch.model import (
    KEY_FIELD,
    Activity,
    ActivityKind,
    Match,
    MatchBasis,
    Outcome,
    SkipReason,
    Verb,
    WriteOp,
    Written,
)
from leakwatch.ports import AdoptionLog, Neighbours

# refuse: no Event is written once a loop was seen; adopt: Events are left to the other tool, and its own are adopted;
# write: Events are written all the same. What is a copy of our own Event is written by none of them.
LoopPolicy = Literal["refuse", "adopt", "write"]

# What is only like our Event is held: should ours go, because its meeting was called off and made anew, it is written.
COPIES = {
    Kind.COPY: (Outcome.SKIPPED, SkipReason.COPY_OF_OURS),
    Kind.LIKE: (Outcome.HELD, SkipReason.LIKE_OURS),
}
# One item that names our Event proves a loop. One that is merely like it may be a person's own double: not two.
ENOUGH: Mapping[str, int] = {SkipReason.COPY_OF_OURS: 1, SkipReason.LIKE_OURS: 2}

LOOP = (
    "Another tool copies Events from Salesforce into calendars, so each of ours would come back as one more. No Event "
    "is written until capture.calendar_loop says what is to be done; see leakwatch doctor."
)
TASKS = (
    "Already there: the Task {record}, not ours, has its subject and day, one of its people and one of ours as owner. "
    "Adopted: nothing of it is ours to change."
)
MAIL = "Already there: the EmailMessage {record}, not ours, has its Message-ID. Adopted: it is not ours to change."
NOT_SHOWN = "The org does not show which Events are there already ({error}); the next run asks again."
STAYS = "The calendar's item was made after our own Event like it, as others were: a copy of it, however it was moved."
LEFT = "capture.calendar_loop: adopt leaves Events to the other tool; this one is adopted once that tool wrote it."


@dataclass(frozen=True, slots=True)
class Known:
    """What is to be recorded of an activity that is not planned any further; `outcome` None: it stays as it is."""

    outcome: Outcome | None
    reason: str
    op: WriteOp | None = None  # what is adopted, or ours that this is a copy of, where that is new


@dataclass(frozen=True, slots=True)
class Adopting:
    """Looks for the records of other tools.

    Attributes:
        neighbours: finds them. log: remembers which were adopted, and which items are copies of our Events.
        history: returns key -> what leakwatch itself wrote.
        policy: what becomes of Events where another tool syncs calendars.
        mails_are_tasks: mails are written as Tasks, and others' are looked for among these, too.
    """

    neighbours: Neighbours
    log: AdoptionLog
    history: Callable[[Iterable[str]], Mapping[str, Written]]
    policy: LoopPolicy
    mails_are_tasks: bool = False

    def look(self, activities: Sequence[Activity], matches: Mapping[str, Match], tally: Tally) -> Mapping[str, Known]:
        """Return key -> what becomes of those of `activities` that are not to be written. Stores and sends nothing.

        Raises:
            AuthError, TransientError, BudgetError: the org can't be asked what is there.
        """
        history = self.history(one.key for one in activities)
        ours = {key for key, written in history.items() if written.record_id is not None}
        due = [one for one in activities if one.key not in ours and _may_be_made(one, matches[one.key])]
        adopted = self.log.adopted(one.key for one in due)
        found = {key: Known(Outcome.ADOPTED, _still(record)) for key, record in adopted.items()}
        due = [one for one in due if one.key not in found]
        mails = [one for one in due if one.kind is not ActivityKind.MEETING]
        found |= self._mails(mails, matches)
        if self.mails_are_tasks:
            found |= self._mail_tasks([one for one in mails if one.key not in found], matches)
        called_off = {one.key for one in activities if one.kind is ActivityKind.MEETING and one.cancelled}
        found |= self._meetings([one for one in due if one.kind is ActivityKind.MEETING], matches, called_off)
        found |= self._refused([one for one in activities if one.key not in found], ours, due, found, tally)
        adopted_now = [one.op for one in found.values() if one.outcome is Outcome.ADOPTED]
        tally.adopted += [op for op in adopted_now if op is not None]
        tally.already_there += len(adopted)
        tally.held += sum(one.outcome in (None, Outcome.HELD) for one in found.values())
        tally.skipped.update(one.reason for one in found.values() if one.outcome is Outcome.SKIPPED)
        return found

    def note(self, ops: Sequence[WriteOp], *, run_id: str, now: datetime) -> None:
        """Remember what was adopted, and what is a copy of our own."""
        for wanted, store in ((False, self.log.adopt), (True, self.log.copied)):
            some = [op for op in ops if (op.reason in ENOUGH) is wanted]
            if some:
                store(run_id, some, now=now)

    def _mails(self, mails: Sequence[Activity], matches: Mapping[str, Match]) -> dict[str, Known]:
        wanted = {one.message_id: one for one in mails if one.message_id is not None and not one.reused_id}
        there = self.neighbours.mails(wanted.keys()) if wanted else {}
        return {
            wanted[name].key: _known(wanted[name], Outcome.ADOPTED, record, MAIL.format(record=record), matches)
            for name, record in there.items()
        }

    def _mail_tasks(self, mails: Sequence[Activity], matches: Mapping[str, Match]) -> dict[str, Known]:
        owners = {owner for one in mails for owner in owners_of(matches[one.key])}
        if not owners:
            return {}
        days = [day for one in mails for day in days_of(one.start)]
        rows = self.neighbours.mail_tasks(owners, min(days), max(days))
        logged = logged_mails(mails, matches, rows) if rows else {}
        taken = self.log.keys_of(record for one in logged.values() for record in one.record_ids)
        found: dict[str, Known] = {}
        for one in mails:
            records = logged[one.key].record_ids if one.key in logged else ()
            if records and not taken.keys() & set(records):
                reason = TASKS.format(record=" and ".join(records))
                found[one.key] = _known(one, Outcome.ADOPTED, records[0], reason, matches, sobject="Task")
        return found

    def _meetings(
        self, meetings: Sequence[Activity], matches: Mapping[str, Match], called_off: Collection[str]
    ) -> dict[str, Known]:
        """Return what is known of new `meetings`; the Events of those that were `called_off` are about to go."""
        found = self._known_copies(meetings) if meetings else {}
        meetings = [one for one in meetings if one.key not in found]
        if not meetings:
            return found
        owners = {owner for one in meetings for owner in people_of(one, matches[one.key])}
        begins = [span(one)[0] for one in meetings]
        try:
            rows = self.neighbours.events(owners, min(begins), max(begins)) if owners else ()
        except RecordError as error:  # not being able to look is no proof that nothing is there; mail goes on
            return found | {one.key: Known(Outcome.HELD, NOT_SHOWN.format(error=error)) for one in meetings}
        rows = [row for row in rows if row.get(KEY_FIELD) not in called_off]
        keys = self.log.keys_of(one.origin for one in meetings if one.origin.startswith(EVENT_ID_PREFIX))
        recognised = {one.key: recognise(one, matches[one.key], rows, keys) for one in meetings}
        seen = {key: one for key, one in recognised.items() if one is not None}
        claims = Counter(one.record_id for one in seen.values() if one.kind is Kind.ADOPTED)
        taken = self.log.keys_of(claims)
        by_key = {one.key: one for one in meetings}
        for key, one in seen.items():
            if one.kind in COPIES:
                outcome, code = COPIES[one.kind]
                noted = _known(by_key[key], outcome, one.record_id, code, matches)
                found[key] = noted if outcome is Outcome.SKIPPED else replace(noted, reason=one.reason)
            elif claims[one.record_id] == 1 and one.record_id not in taken:  # it can stand for one meeting only
                found[key] = _known(by_key[key], Outcome.ADOPTED, one.record_id, one.reason, matches)
        return found

    def _known_copies(self, meetings: Sequence[Activity]) -> dict[str, Known]:
        """Return those of `meetings` that stay copies however they were moved or renamed since."""
        before = self.log.copies()
        loop = is_loop(before)
        found: dict[str, Known] = {}
        for one in meetings:
            code = before.get(one.key)
            if code == SkipReason.COPY_OF_OURS:
                found[one.key] = Known(Outcome.SKIPPED, code)
            elif code is not None and loop:
                found[one.key] = Known(Outcome.HELD, STAYS)
        return found

    def _refused(
        self,
        rest: Sequence[Activity],
        ours: set[str],
        due: Sequence[Activity],
        found: Mapping[str, Known],
        tally: Tally,
    ) -> dict[str, Known]:
        """Return those meetings of `rest` for which no Event may be written now."""
        meetings = [one for one in rest if one.kind is ActivityKind.MEETING]
        new = {one.key for one in due}
        if self.policy == "adopt":
            return {one.key: Known(Outcome.HELD, LEFT) for one in meetings if one.key in new}
        copies = {key: one.op.reason for key, one in found.items() if one.op is not None and one.op.reason in ENOUGH}
        if meetings or copies:
            tally.loop = self.loop(copies)
        if not tally.loop:
            return {}
        held = {one.key: Known(Outcome.HELD, LOOP) for one in meetings if one.key in new}
        return held | {one.key: Known(None, LOOP) for one in meetings if one.key in ours}

    def loop(self, copies: Mapping[str, str] | None = None) -> str:
        """Return why no Event is written, by what the journal knows and by `copies` besides; empty if nothing is so."""
        if self.policy != "refuse":
            return ""
        seen = {**self.log.copies(), **(copies or {})}
        return LOOP if is_loop(seen) else ""


def _still(record: str) -> str:
    return f"Already there: the record {record}, not ours, was adopted; nothing of it is ours to change."


def is_loop(copies: Mapping[str, str]) -> bool:
    """Return whether `copies` of our Events (key -> reason) show that another tool carries them into calendars."""
    counts = Counter(copies.values())
    return any(counts[reason] >= enough for reason, enough in ENOUGH.items())


def _may_be_made(activity: Activity, match: Match) -> bool:
    if match.basis is MatchBasis.NONE:
        return False
    return activity.kind is not ActivityKind.MEETING or skip_reason(activity) is None


def _known(
    activity: Activity,
    outcome: Outcome,
    record: str,
    reason: str,
    matches: Mapping[str, Match],
    *,
    sobject: str | None = None,
) -> Known:
    op = WriteOp(
        op_id=f"{activity.key}|{'adopt' if outcome is Outcome.ADOPTED else 'copy'}",
        sobject=sobject or ("Event" if activity.kind is ActivityKind.MEETING else "EmailMessage"),
        verb=Verb.ADOPT,
        key=activity.key,
        fields={},
        reason=reason,
        record_id=record,
        account_id=matches[activity.key].account_id,
    )
    return Known(outcome, reason, op)
