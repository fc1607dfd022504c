"""Written activities ─▶ a newer snapshot ─▶ their records: what was nobody's is given to who appeared since.

The journal has all of it: no mailbox is asked. Found by comparing addresses with the snapshot, some thousands at a
time; only where that tells something new an activity is resolved again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from leakwatch import faultpoints, log
from leakwatch.core.addresses import AddressPatterns, variants
from leakwatch.core.identity import MEETING_PREFIX
from leakwatch.core.match import Resolver, lookup_addresses
from leakwatch.core.normalise import merge
from leakwatch.core.plan import plan_mail
from leakwatch.core.plan_relations import PARENT, RELATION, RELATION_FIELDS, missing_people, plan_relations
from leakwatch.core.plan_rematch import READ_BACK, plan_rematch
from leakwatch.core.record_ids import TASK_PREFIX
from leakwatch.core.rematch import DEAL_PREFIX, News, better
from leakwatch.flows.capture_meetings import Meetings
from leakwatch.flows.capture_relations import MAIL_PREFIX
from leakwatch.flows.capture_report import Tally
from leakwatch.flows.capture_threads import Threads, deals_of
from leakwatch.flows.capture_write import Writing
from leakwatch.model import (
    Activity,
    ActivityKind,
    Cursor,
    CursorPhase,
    Match,
    Outcome,
    Verb,
    WriteOp,
    WriteResult,
    WriteStatus,
    Written,
    WrittenMatch,
)
from leakwatch.ports import WHOLE_MAILBOX

_SOURCE, _ORG = "rematch", "salesforce"
_THEIRS = "a person changed or deleted the record since, so it stays"

_log = log.get(__name__)


@dataclass(slots=True)
class _Case:
    """One activity that a newer snapshot knows better: how it matched and matches now, and what is to be written."""

    activity: Activity
    stored: Match
    match: Match
    words: str
    ops: list[WriteOp] = field(default_factory=list[WriteOp])
    theirs: bool = False

    @property
    def reason(self) -> str:
        """Why it is matched anew, and what came of it if nothing could be written."""
        said = f"Matched anew: {self.words}."
        return said if self.ops or not self.theirs else f"{said[:-1]}; {_THEIRS}."


@dataclass(frozen=True, slots=True)
class Rematching:
    """Matches anew what is in Salesforce, from `since` on, with the doors and rules of `writing`.

    `state` tells one snapshot's people from another's: where it is the one that was gone through last, there is nothing
    to do. It begins with a blank where that is not known. `refusals` returns op id -> code of writes that were refused.
    """

    writing: Writing
    since: datetime
    state: str
    refusals: Callable[[Iterable[str]], Mapping[str, str]]

    def plan_only(self, tally: Tally) -> tuple[WriteOp, ...]:
        """Return the writes that are wanted; nothing is stored or sent. Errors: see `write`."""
        if self._is_known(self._place()):
            return ()
        ops = tuple(op for cases in self._rounds() for case in cases for op in case.ops)
        tally.planned.update(f"{op.sobject}.{op.verb.value}d" if op.record_id else op.sobject for op in ops)
        return ops

    def write(self, tally: Tally) -> None:
        """Write what a newer snapshot knows better, in rounds, and record each.

        Raises:
            AuthError, TransientError, BudgetError, SafetyError: stopped; the next run finds what is left.
        """
        place, waiting, loop = self._place(), tally.waiting, self._loop()
        if self._is_known(place):
            return
        for cases in self._rounds():
            ops = [op for case in cases for op in case.ops]
            done = self.writing.writer.apply(ops, run_id=self.writing.run_id) if ops else ()
            results = {result.op_id: result for result in done}
            faultpoints.reach("capture.after_rematch")
            self._record(cases, results, tally)
        if tally.waiting == waiting and not loop and not self.state.startswith(" "):
            self._keep(place)

    # --- how far ---

    def _place(self) -> Cursor:
        """Return which people were gone through last, as a stream that is read like a mailbox."""
        stored = self.writing.journal.cursor(_SOURCE, _ORG, WHOLE_MAILBOX)
        return stored or Cursor(_SOURCE, _ORG, WHOLE_MAILBOX, CursorPhase.DELTA, "")

    def _is_known(self, place: Cursor) -> bool:
        return not self.state.startswith(" ") and place.token == self.state

    def _keep(self, place: Cursor) -> None:
        now = self.writing.now
        cursor = replace(place, token=self.state)
        self.writing.journal.commit_page(cursor, activities=(), decisions=(), removed=(), now=now)

    def _loop(self) -> bool:
        """Return whether Events are left alone, because another tool carries ours into calendars."""
        adopting = self.writing.adopting
        return adopting is not None and bool(adopting.loop())

    # --- finding ---

    def _rounds(self) -> Iterator[list[_Case]]:
        writing = self.writing
        meetings = writing.with_meetings and not self._loop()
        some: list[WrittenMatch] = []
        for part in writing.journal.written_since(self.since):
            some += [one for one in part if meetings or not one.key.startswith(MEETING_PREFIX)]
            if len(some) >= writing.size:
                yield self._cases(some)
                some = []
        if some:
            yield self._cases(some)

    def _cases(self, some: Sequence[WrittenMatch]) -> list[_Case]:
        """Return those of `some` that the newest snapshot knows better, with their writes."""
        writing = self.writing
        addresses = {form for one in some for address in one.outsiders for form in variants(address)}
        news = News(writing.address_book(addresses, ()), AddressPatterns(writing.matching.never_match))
        told = {one.key: (one.match, said) for one in some if (said := news.about(one))}
        if not told:
            return []
        cases = self._resolved(told)
        return self._planned(cases) if cases else []

    def _resolved(self, told: Mapping[str, tuple[Match, tuple[str, ...]]]) -> list[_Case]:
        writing = self.writing
        activities: list[Activity] = []
        for waiting in writing.journal.copies(told):
            kept, _ = writing.screening.judge(waiting, now=writing.now)
            if kept and not (merged := merge(kept)).cancelled and not merged.private:
                activities.append(merged)
        threads = Threads(writing.journal)
        before = threads.before(activities)
        addresses = {address for activity in activities for address in lookup_addresses(activity)}
        rivals = {one for match, _ in told.values() for one in match.runners_up if one.startswith(DEAL_PREFIX)}
        book = writing.address_book(addresses, deals_of(before) | rivals)
        resolver = Resolver(book, writing.matching)
        open_deals = {deal.record_id: deal for deals in book.open_opportunities.values() for deal in deals}
        cases: list[_Case] = []
        for activity in sorted(activities, key=lambda one: (one.start, len(one.answers), one.key)):
            stored, said = told[activity.key]
            match = better(stored, resolver.resolve(activity, threads.nearest(activity, before)), open_deals)
            threads.note(match)
            if (match.who_ids, match.what_id, match.account_id) != (
                stored.who_ids,
                stored.what_id,
                stored.account_id,
            ):
                cases.append(_Case(activity, stored, match, "; ".join(said)))
        return cases

    # --- planning ---

    def _planned(self, cases: list[_Case]) -> list[_Case]:
        self._plan_meetings([case for case in cases if case.activity.kind is ActivityKind.MEETING])
        self._plan_mails([case for case in cases if case.activity.kind is ActivityKind.MAIL])
        return cases

    def _plan_meetings(self, cases: Sequence[_Case]) -> None:
        """Plan the records of meetings as any change of theirs is."""
        writing = self.writing
        planner = Meetings(writing.records, writing.history, writing.journal.matches, writing.planning, writing.now)
        matches = {case.activity.key: case.match for case in cases}
        plans = planner.plan([case.activity for case in cases], matches)
        for case in cases:
            op = plans[case.activity.key].op
            if op is not None and op.verb is Verb.UPDATE:
                case.ops.append(replace(op, reason=f"{case.match.reason} {case.reason}"))
            case.theirs = not case.ops

    def _plan_mails(self, cases: Sequence[_Case]) -> None:
        writing = self.writing
        history = writing.history(case.activity.key for case in cases)
        records = {key: written.record_id for key, written in history.items() if written.record_id}
        mails = self._mails([one for one in records.values() if one.startswith(MAIL_PREFIX)])
        tasks = self._tasks(records, mails)
        relations = self._relations(list(mails))
        for case in cases:
            key = case.activity.key
            written, record = history.get(key), records.get(key)
            if written is None or record is None:
                case.theirs = True  # the write log is an older one, restored
                continue
            reason = f"{case.match.reason} {case.reason}"
            changed = plan_rematch(case.stored, case.match, written, tasks.get(key), reason)
            case.theirs = changed.theirs
            if record in mails:
                case.ops += self._related(case, written, record, relations.get(record, ()), reason)
            case.ops += [changed.op] if changed.op is not None else []

    def _mails(self, ids: list[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return id -> row of those EmailMessages that are still there, with the Task that Salesforce made."""
        return self.writing.records.fetch("EmailMessage", ids, ("Id", "ActivityId")) if ids else {}

    def _tasks(
        self, records: Mapping[str, str], mails: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Mapping[str, Any]]:
        """Return key -> Task of each mail, where it is still there."""
        ids = {key: one for key, one in records.items() if one.startswith(TASK_PREFIX)}
        ids |= {
            key: str(row["ActivityId"]) for key, one in records.items() if (row := mails.get(one, {})).get("ActivityId")
        }
        rows = self.writing.records.fetch("Task", list(ids.values()), READ_BACK) if ids else {}
        return {key: rows[one] for key, one in ids.items() if one in rows}

    def _relations(self, mails: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
        found: dict[str, list[Mapping[str, Any]]] = {}
        rows = self.writing.records.related(RELATION, PARENT, mails, RELATION_FIELDS) if mails else ()
        for row in rows:
            found.setdefault(str(row[PARENT]), []).append(row)
        return found

    def _related(
        self, case: _Case, written: Written, mail: str, rows: Sequence[Mapping[str, Any]], reason: str
    ) -> list[WriteOp]:
        """Return the writes that relate a mail to who appeared, but none that landed or was refused before."""
        (op,) = plan_mail(case.activity, case.match, replace(self.writing.planning, mail_as="email_message"))
        ops = plan_relations(op, case.match, missing_people(op, written), mail, rows)
        ids = [one.op_id for one in ops]
        done = self.writing.landed(ids).keys() | self.refusals(ids).keys()
        return [replace(one, reason=reason) for one in ops if one.op_id not in done]

    # --- recording ---

    def _record(self, cases: Sequence[_Case], results: Mapping[str, WriteResult], tally: Tally) -> None:
        matches: dict[str, Match] = {}
        reasons: dict[str, str] = {}
        for case in cases:
            key = case.activity.key
            ends = [results.get(op.op_id) for op in case.ops]
            refused = next((one for one in ends if one is not None and one.status is WriteStatus.REFUSED), None)
            if refused is None and not all(one is not None and one.status.landed for one in ends):
                tally.waiting += 1  # found again by the next run
                continue
            matches[key] = case.match
            reasons[key] = f"{case.match.reason} {case.reason}"
            if refused is not None:
                # The activity is in Salesforce as it was; trying the same again would not help.
                reasons[key] += f" Salesforce refused it: {refused.code}: {refused.message}"
                tally.quarantined[f"rematch.{refused.code}"] += 1
                _log.warning(log.Event.ACTIVITY_QUARANTINED, key=key, code=refused.code, what="rematch")
            elif case.ops:
                tally.rematched += 1
        if matches:
            outcomes = dict.fromkeys(matches, Outcome.WRITTEN)
            self.writing.journal.record_matches(matches, outcomes, now=self.writing.now, reasons=reasons)
