"""Reading the journal for `status`, `explain` and the proof of "no activity": reasons, ids and times, no content."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, case, func, or_, select

from leakwatch.core import identity
from leakwatch.model import CursorPhase, Outcome, SkipReason, SourceRef
from leakwatch.store import capture_codec as codec
from leakwatch.store import capture_tables as tables
from leakwatch.store.capture_tables import when
from leakwatch.store.database import transaction
from leakwatch.store.journal import SqlJournal


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of one item, for `leakwatch explain`: reasons and ids, no content."""

    ref: SourceRef
    key: str | None
    outcome: str
    reason: str
    at: datetime
    record_ids: tuple[str, ...] = ()
    who_ids: tuple[str, ...] = ()
    what_id: str | None = None
    runners_up: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a mailbox owner's mail is known without a gap: what "no activity" findings rest on.

    `not_given` is how many mails the provider named but failed to give. Each arrived before it was first asked for, so
    the mailbox is known without a gap only from the last such moment on: `covered_from` is never earlier. `left_at`
    says since when it is not on the roster any more; without a `notice_date`, or before it, it is not read.
    """

    principal: str
    salesforce_user_id: str | None
    covered_from: datetime | None
    read_at: datetime | None
    parked_reason: str | None
    not_given: int = 0
    notice_date: date | None = None
    left_at: datetime | None = None


class CaptureStatus:
    """What capture knows and did, read only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def coverage(self, sources: Collection[str]) -> tuple[Coverage, ...]:
        """Return how far each mailbox that is or was on the roster is known without a gap, in order of address.

        `sources` are the streams that are switched on: somebody is known as far as the worst of those that were ever
        read of them. A stream that was never read yet says nothing: its owner may have no calendar.
        """
        reads, cursors = tables.mailbox_reads, tables.cursors
        with transaction(self._engine) as connection:
            read_at: dict[str, datetime] = {}
            for row in connection.execute(select(reads).where(reads.c.source.in_(sources))):
                at = when(row.read_at)
                read_at[row.principal] = min(read_at.get(row.principal, at), at)
            bodies: dict[str, dict[str, Any]] = {}
            for row in connection.execute(select(cursors).where(cursors.c.source.in_(sources))):
                body = codec.load(row.body)
                body["window_start"] = codec.known_from(body)
                known = bodies.setdefault(row.principal, body)
                if body.get("phase") != CursorPhase.DELTA or known.get("phase") != CursorPhase.DELTA:
                    bodies[row.principal] = known | {"phase": CursorPhase.SNAPSHOT}
                elif str(body.get("window_start")) > str(known.get("window_start")):
                    bodies[row.principal] = body
            holes = _holes(connection)
            people = tables.principals
            gone = select(people.c.address, people.c.left_at).where(people.c.left_at.is_not(None))
            left_at = {row.address: when(row.left_at) for row in connection.execute(gone)}
        # While a window is being read (again), nothing is claimed about it.
        bodies = {name: body for name, body in bodies.items() if body.get("phase") == CursorPhase.DELTA}
        found: list[Coverage] = []
        for principal in SqlJournal(self._engine).principals():
            start = bodies.get(principal.address, {}).get("window_start")
            number, since = holes.get(principal.address, (0, ""))
            starts = [datetime.fromisoformat(one) for one in (start, since) if one]
            found.append(
                Coverage(
                    principal=principal.address,
                    salesforce_user_id=principal.salesforce_user_id,
                    covered_from=max(starts) if start else None,
                    read_at=read_at.get(principal.address),
                    parked_reason=principal.parked_reason,
                    not_given=number,
                    notice_date=principal.notice_date,
                    left_at=left_at.get(principal.address),
                )
            )
        return tuple(found)

    def counts(self) -> Mapping[str, int]:
        """Return how many activities have each outcome (`waiting`: none yet), and items not captured by reason."""
        table, skipped = tables.activities, tables.decisions
        with transaction(self._engine) as connection:
            outcomes = connection.execute(select(table.c.outcome, func.count()).group_by(table.c.outcome)).all()
            query = select(skipped.c.outcome, skipped.c.reason, func.count())
            reasons = connection.execute(query.group_by(skipped.c.outcome, skipped.c.reason)).all()
        found = {str(outcome or "waiting"): int(number) for outcome, number in outcomes}
        return found | {f"{outcome}.{reason}": int(number) for outcome, reason, number in reasons}

    def quarantined(self, outcome: Outcome = Outcome.QUARANTINED) -> tuple[Explanation, ...]:
        """Return the mails that could not be had or read, the latest first: they are in no mailbox's record.

        With `outcome` DROPPED, those of them that a person set aside for good.
        """
        table = tables.decisions
        query = select(table).where(table.c.outcome == outcome.value)
        with transaction(self._engine) as connection:
            rows = connection.execute(query.order_by(table.c.at.desc(), table.c.principal, table.c.provider_id))
            return tuple(_decided(row) for row in rows)

    def explain(self, term: str) -> tuple[Explanation, ...]:
        """Return what became of the items that `term` names.

        `term` is a provider id, a Message-ID, an activity key (or its beginning) or a Salesforce record id.
        """
        message_id = identity.normalise_message_id(term)
        keys = {term} | ({identity.mail_key(message_id)} if message_id is not None else set())
        with transaction(self._engine) as connection:
            keys |= _keys_of_record(connection, term)
            return (*_explain_copies(connection, term, keys), *_explain_decisions(connection, term, keys))

    def explain_address(self, address: str) -> tuple[Explanation, ...]:
        """Return what became of the mails with `address` among their people, newest first.

        Mails that were skipped are not among them: of those, no address is kept.
        """
        wanted = address.strip().lower()
        copies, activities = tables.copies, tables.activities
        named = func.instr(copies.c.body, wanted.encode())  # sorts out most; whose address it is, is looked at below
        query = select(copies.c.key, copies.c.body).where(named > 0)
        with transaction(self._engine) as connection:
            keys = {
                row.key
                for row in connection.execute(query)
                if any(person.address == wanted for person in codec.load_activity(row.body).participants)
            }
            newest = select(activities.c.key).order_by(activities.c.start.desc(), activities.c.key)
            order = [key for key in connection.execute(newest).scalars() if key in keys]
            return tuple(found for key in order for found in _explain_copies(connection, key, {key}))


def _same_record(term: str) -> ColumnElement[bool]:
    """Return whether a write made the record `term`; 15 and 18 characters name the same one."""
    column = tables.writes.c.record_id
    return func.substr(column, 1, 15) == term[:15] if len(term) in (15, 18) else column == term


def _keys_of_record(connection: Connection, record_id: str) -> set[str]:
    """Return the keys of the activities that a record was written for: itself, or the Task that came with it."""
    writes = tables.writes
    of_record = select(writes.c.key, writes.c.after).where(_same_record(record_id))
    rows = connection.execute(of_record).all()
    before = select(writes.c.key).where(writes.c.op_id.in_([row.after for row in rows if row.after]))
    return {row.key for row in rows if row.key} | set(connection.execute(before).scalars())


def _explain_copies(connection: Connection, term: str, keys: set[str]) -> Iterator[Explanation]:
    copies, activities, writes = tables.copies, tables.activities, tables.writes
    named = or_(copies.c.provider_id == term, copies.c.key.in_(sorted(keys)))
    if term.startswith(identity.MAIL_PREFIX):
        named = or_(named, copies.c.key.startswith(term, autoescape=True))
    place = (copies.c.source, copies.c.principal, copies.c.provider_id)
    fate = (activities.c.key, activities.c.outcome, activities.c.reason, activities.c.match, activities.c.updated_at)
    query = select(*place, *fate).join(activities, activities.c.key == copies.c.key).where(named)
    for row in connection.execute(query.order_by(copies.c.principal, copies.c.provider_id)):
        match = codec.load_match(row.match) if row.match is not None else None
        inserts = select(writes.c.op_id).where(writes.c.key == row.key)
        its = or_(writes.c.key == row.key, writes.c.after.in_(inserts))  # itself, and the Task that came with it
        records = select(writes.c.record_id).where(its, writes.c.record_id.is_not(None))
        yield Explanation(
            ref=SourceRef(row.source, row.principal, row.provider_id),
            key=row.key,
            outcome=row.outcome or "waiting",
            reason=row.reason,
            at=when(row.updated_at),
            record_ids=tuple(sorted(set(connection.execute(records).scalars()))),
            who_ids=match.who_ids if match is not None else (),
            what_id=match.what_id if match is not None else None,
            runners_up=match.runners_up if match is not None else (),
        )


def _explain_decisions(connection: Connection, term: str, keys: set[str]) -> Iterator[Explanation]:
    table = tables.decisions
    query = select(table).where(or_(table.c.provider_id == term, table.c.key.in_(sorted(keys))))
    for row in connection.execute(query.order_by(table.c.principal, table.c.provider_id)):
        yield _decided(row)


def _decided(row: Any) -> Explanation:
    return Explanation(
        ref=SourceRef(row.source, row.principal, row.provider_id),
        key=row.key,
        outcome=row.outcome,
        reason=row.reason + (f": {row.detail}" if row.detail else ""),
        at=when(row.at),
    )


def _holes(connection: Connection) -> dict[str, tuple[int, str]]:
    """Return principal -> (mails still asked for that were not given, when the last of all such was first asked for).

    One that a person dropped is not asked for any more, but not known either.
    """
    table = tables.decisions
    asked = func.sum(case((table.c.outcome == Outcome.QUARANTINED.value, 1), else_=0)).label("number")
    query = select(table.c.principal, asked, func.max(table.c.at).label("since"))
    query = query.where(table.c.reason == SkipReason.NOT_GIVEN.value).group_by(table.c.principal)
    return {row.principal: (int(row.number), str(row.since)) for row in connection.execute(query)}
