"""People who talk with us ─▶ contacts or leads, where the admin wants that; the mails that wait are matched to them.

They are looked for in the mirror, and once more in Salesforce itself right before they are entered: somebody may have
entered them meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from leakwatch import faultpoints, log
from leakwatch.core.addresses import variants
from leakwatch.core.newcomers import PEOPLE, Entry, Stranger, as_person, present
from leakwatch.flows.capture_report import Tally
from leakwatch.model import AddressBook, Person, WriteOp, WriteStatus
from leakwatch.ports import Journal, RecordFetcher, Writer

ADDRESSES_A_QUERY = 100  # of up to 100 characters or so: a URI takes 16,384 bytes
_AT_ONCE = 5_000  # strangers looked up at a time

_log = log.get(__name__)


@dataclass
class Additions:
    """An address book that knows besides whom this run, or one since the mirror was read, entered."""

    book: Callable[[Iterable[str], Iterable[str]], AddressBook]
    people: dict[str, Person] = field(default_factory=dict[str, Person])

    def __call__(self, addresses: Iterable[str], deals: Iterable[str]) -> AddressBook:
        """Return the address book of `addresses`."""
        wanted = list(addresses)
        found = self.book(wanted, deals)
        known = self.people.keys() & set(wanted) - found.people.keys()
        added = {address: (self.people[address],) for address in known}
        return replace(found, people={**found.people, **added}) if added else found


@dataclass(frozen=True, slots=True)
class Creating:
    """Enters people.

    Attributes:
        journal: what passed between them and us.
        book: the mirror's people; whom this enters is added.
        landed, refusals: return what became of earlier writes, by op id.
        entry: who may be entered.
        since: what is older says nothing.
    """

    journal: Journal
    book: Additions
    writer: Writer
    records: RecordFetcher
    landed: Callable[[Iterable[str]], Mapping[str, str]]
    refusals: Callable[[Iterable[str]], Mapping[str, str]]
    entry: Entry
    run_id: str
    now: datetime
    since: timedelta

    def plan_only(self, tally: Tally) -> tuple[WriteOp, ...]:
        """Return the writes that enter people; nothing is stored or sent. Errors: see `write`."""
        ops = tuple(self._wanted())
        tally.planned.update(op.sobject for op in ops)
        return ops

    def write(self, tally: Tally) -> None:
        """Enter people, and let the address book know them.

        Raises:
            AuthError, TransientError, BudgetError, SafetyError: stopped; the next run goes on.
        """
        ops = self._wanted()
        results = self.writer.apply(ops, run_id=self.run_id) if ops and self.entry.rules.write else ()
        faultpoints.reach("capture.after_people")
        ends = {result.op_id: result for result in results}
        for op in ops:
            result = ends.get(op.op_id)
            if result is None:
                continue
            tally.planned[op.sobject] += 1
            if result.status.landed and result.record_id:
                tally.written[op.sobject] += result.status is WriteStatus.DONE
                self._know(op, result.record_id)
            elif result.status is WriteStatus.REFUSED:
                tally.quarantined[f"create.{result.code}"] += 1
                _log.warning(log.Event.ACTIVITY_QUARANTINED, key=op.op_id, code=result.code, what="create")
            else:
                tally.waiting += 1

    def _wanted(self) -> list[WriteOp]:
        """Return the writes of one run: neither carried out before nor refused, and of nobody who is there by now."""
        ops = self._able()
        done = self.landed(op.op_id for op in ops)
        self._know_earlier([(op, done[op.op_id]) for op in ops if done.get(op.op_id)])
        refused = self.refusals(op.op_id for op in ops)
        left = [op for op in ops if op.op_id not in done and op.op_id not in refused]
        left = left[: self.entry.rules.limit]
        there = self._there(left)
        return [op for op in left if op.op_id not in there]

    def _able(self) -> list[WriteOp]:
        strangers: dict[str, Stranger] = {}
        for dealings in self.journal.dealings(self.now - self.since, self.now):
            for one in dealings:
                if one.address in strangers or self.entry.may_be(one.address):
                    strangers.setdefault(one.address, Stranger(one.address)).add(one)
        met = [one for one in strangers.values() if one.is_met]
        ops: list[WriteOp] = []
        for start in range(0, len(met), _AT_ONCE):
            some = met[start : start + _AT_ONCE]
            book = self.book.book([form for one in some for form in variants(one.address)], ())
            ops += self.entry.choose(some, book)
        return ops

    def _there(self, ops: Sequence[WriteOp]) -> frozenset[str]:
        """Return the op ids of those whose address a contact or lead has in Salesforce now."""
        addresses = sorted(str(op.fields["Email"]) for op in ops)
        found: frozenset[str] = frozenset()
        for start in range(0, len(addresses), ADDRESSES_A_QUERY):
            some = addresses[start : start + ADDRESSES_A_QUERY]
            for sobject in PEOPLE:
                found |= present(ops, self.records.related(sobject, "Email", some, ("Email",)))
        return found

    def _know_earlier(self, entered: Sequence[tuple[WriteOp, str]]) -> None:
        """Know whom an earlier run entered and the mirror does not show: it may be older, or somebody deleted them."""
        for sobject in PEOPLE:
            ids = [record for op, record in entered if op.sobject == sobject]
            there = self.records.fetch(sobject, ids, ("Id",)) if ids else {}
            for op, record in entered:
                if record in there:
                    self._know(op, record)

    def _know(self, op: WriteOp, record_id: str) -> None:
        self.book.people[str(op.fields["Email"])] = as_person(op, record_id, self.now)
