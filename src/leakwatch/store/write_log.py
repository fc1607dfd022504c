"""The record of every write to Salesforce: what is in doubt, what was done, by which run, and what was there before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Engine, RowMapping, bindparam, func, or_, select, update

from leakwatch import faultpoints
from leakwatch.model import Verb, WriteOp, WriteResult, WriteStatus, Written
from leakwatch.store import capture_codec as codec
from leakwatch.store.capture_tables import chunks, text, upsert, when, writes
from leakwatch.store.database import transaction

IN_FLIGHT = "in_flight"
DOUBTFUL = (IN_FLIGHT, WriteStatus.UNKNOWN.value)
ADOPTED = "adopted"  # another tool's record: nothing was sent, and nothing of it is ours
COPIED = "copied"  # the activity is a copy of our own record, which another tool made: nothing was sent
LANDED = (WriteStatus.DONE.value, WriteStatus.ALREADY_THERE.value)
HAPPENED = (*LANDED, WriteStatus.UNDONE.value)  # what took a write back is in the log too, after it
MAX_MESSAGE = 2_000  # of what Salesforce says

# One statement for all results: SQLAlchemy compiles it once, and SQLite runs it with `executemany`.
_FINISH = (
    update(writes)
    .where(writes.c.op_id == bindparam("op"))
    .values(
        status=bindparam("ended"),
        code=bindparam("why"),
        message=bindparam("words"),
        created=bindparam("made"),
        finished_at=bindparam("at"),
        record_id=func.coalesce(bindparam("record"), writes.c.record_id),  # a refusal names no record
    )
)


@dataclass(frozen=True, slots=True)
class LoggedWrite:
    """One write with its end, for `status`, `undo` and reports. `op.record_id` is known once it landed."""

    op: WriteOp
    run_id: str
    status: str
    code: str
    message: str
    created: bool
    begun_at: datetime
    finished_at: datetime | None
    attempts: int = 0


class SqlWriteLog:
    """The `WriteLog` port over SQLAlchemy Core."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, run_id: str, ops: Sequence[WriteOp], *, now: datetime) -> None:
        """Durably mark `ops` as in flight before the request leaves."""
        rows = {op.op_id: _row(run_id, op, now) for op in ops}
        faultpoints.reach("write_log.begin.before")
        with transaction(self._engine) as connection:
            upsert(connection, writes, list(rows.values()))
            if rows:
                statement = (
                    update(writes).where(writes.c.op_id == bindparam("op")).values(attempts=writes.c.attempts + 1)
                )
                connection.execute(statement, [{"op": op_id} for op_id in rows])
        faultpoints.reach("write_log.begin.after")

    def finish(self, results: Sequence[WriteResult], *, now: datetime) -> None:
        """Store how writes ended. An UNKNOWN one stays in doubt; a RETRY one may be sent again.

        Whichever run finds out, a write stays with the run that sent it.
        """
        if not results:
            return
        faultpoints.reach("write_log.finish.before")
        rows = [
            {
                "op": result.op_id,
                "ended": result.status.value,
                "why": result.code,
                "words": result.message[:MAX_MESSAGE],
                "made": result.created,
                "at": text(now),
                "record": result.record_id,
            }
            for result in results
        ]
        with transaction(self._engine) as connection:
            connection.execute(_FINISH, rows)
        faultpoints.reach("write_log.finish.after")

    def in_doubt(self) -> Sequence[WriteOp]:
        """Return ops whose end is not known: to be looked up before any retry. In the order they were begun."""
        query = select(writes).where(writes.c.status.in_(DOUBTFUL)).order_by(writes.c.begun_at, writes.c.op_id)
        with transaction(self._engine) as connection:
            return [_op(row) for row in connection.execute(query).mappings()]

    def done(self, op_ids: Iterable[str]) -> Mapping[str, str]:
        """Return op_id -> Salesforce id for those of `op_ids` that landed."""
        query = select(writes.c.op_id, writes.c.record_id).where(writes.c.status.in_(LANDED))
        return {row["op_id"]: row["record_id"] or "" for row in self._each(query, writes.c.op_id, op_ids)}

    def refusals(self, op_ids: Iterable[str]) -> Mapping[str, str]:
        """Return op_id -> Salesforce's error code for those of `op_ids` that it refused."""
        query = select(writes.c.op_id, writes.c.code).where(writes.c.status == WriteStatus.REFUSED.value)
        return {row["op_id"]: row["code"] for row in self._each(query, writes.c.op_id, op_ids)}

    def history(self, keys: Iterable[str]) -> Mapping[str, Written]:
        """Return key -> what was written of those records of ours that were made."""
        found: dict[str, Written] = {}
        with transaction(self._engine) as connection:
            for some in chunks(sorted(set(keys))):
                query = select(writes).where(writes.c.key.in_(some), writes.c.status.in_(HAPPENED))
                query = query.order_by(writes.c.begun_at, writes.c.op_id)  # a mail's writes have no numbers
                ops = [_op(row) for row in connection.execute(query).mappings()]
                for op in sorted(ops, key=lambda op: _step(op.op_id)):
                    found[op.key or ""] = found.get(op.key or "", Written()).after(op)
        return found

    def adopt(self, run_id: str, ops: Sequence[WriteOp], *, now: datetime) -> None:
        """Note that each of `ops` (verb ADOPT) is there already; nothing is sent."""
        self._note(run_id, ops, ADOPTED, now)

    def copied(self, run_id: str, ops: Sequence[WriteOp], *, now: datetime) -> None:
        """Note that the activity of each of `ops` (verb ADOPT) is a copy of our own record; its reason says by what."""
        self._note(run_id, ops, COPIED, now)

    def _note(self, run_id: str, ops: Sequence[WriteOp], status: str, now: datetime) -> None:
        rows = [_row(run_id, op, now) | {"status": status, "finished_at": text(now)} for op in ops]
        with transaction(self._engine) as connection:
            upsert(connection, writes, rows)

    def adopted(self, keys: Iterable[str]) -> Mapping[str, str]:
        """Return key -> id of the record that was adopted for it."""
        query = select(writes.c.key, writes.c.record_id).where(writes.c.status == ADOPTED)
        return {row["key"]: row["record_id"] for row in self._each(query, writes.c.key, keys)}

    def copies(self) -> Mapping[str, str]:
        """Return key -> reason of the activities that are copies of our own records and were never written."""
        query = select(writes.c.key, writes.c.reason).where(writes.c.status == COPIED).order_by(writes.c.key)
        with transaction(self._engine) as connection:
            found = {row.key: row.reason for row in connection.execute(query)}
            for some in chunks(list(found)):
                written = select(writes.c.key).where(writes.c.key.in_(some), writes.c.status.in_(LANDED))
                for key in connection.execute(written).scalars():
                    found.pop(key, None)
        return found

    def keys_of(self, record_ids: Iterable[str]) -> Mapping[str, str]:
        """Return record id -> key of the activity that it was written or adopted for; ids of 18 characters."""
        query = select(writes.c.record_id, writes.c.key)
        query = query.where(writes.c.status.in_((*LANDED, ADOPTED)), writes.c.key.is_not(None))
        return {row["record_id"]: row["key"] for row in self._each(query, writes.c.record_id, record_ids)}

    def by_run(self, run_id: str) -> Sequence[LoggedWrite]:
        """Return what a run wrote or tried to, in the order it was begun."""
        query = select(writes).where(writes.c.run_id == run_id).order_by(writes.c.begun_at, writes.c.op_id)
        with transaction(self._engine) as connection:
            return [_logged(row) for row in connection.execute(query).mappings()]

    def ops(self, op_ids: Iterable[str]) -> Mapping[str, WriteOp]:
        """Return op_id -> the write, for those of `op_ids` that landed."""
        query = select(writes).where(writes.c.status.in_(LANDED))
        return {row["op_id"]: _op(row) for row in self._each(query, writes.c.op_id, op_ids)}

    def logged(self, op_ids: Iterable[str]) -> Sequence[LoggedWrite]:
        """Return those of `op_ids` that were ever begun, however they ended."""
        return [_logged(row) for row in self._each(select(writes), writes.c.op_id, op_ids)]

    def mark_undone(self, op_ids: Iterable[str]) -> None:
        """Note that these writes, and those that followed from them, were taken back."""
        with transaction(self._engine) as connection:
            for some in chunks(sorted(set(op_ids))):
                theirs = or_(writes.c.op_id.in_(some), writes.c.after.in_(some))
                statement = update(writes).where(theirs, writes.c.status.in_(LANDED))
                connection.execute(statement.values(status=WriteStatus.UNDONE.value))
        faultpoints.reach("write_log.undone.stored")

    def note_refusal(self, op_id: str, message: str) -> None:
        """Replace what is said about a refused write."""
        statement = update(writes).where(writes.c.op_id == op_id, writes.c.status == WriteStatus.REFUSED.value)
        with transaction(self._engine) as connection:
            connection.execute(statement.values(message=message))

    def forget_refusals(self, op_ids: Iterable[str]) -> int:
        """Let the refused ones of `op_ids` be sent again by whichever run wants them; return how many there were."""
        count = 0
        with transaction(self._engine) as connection:
            for some in chunks(sorted(set(op_ids))):
                refused = update(writes).where(writes.c.op_id.in_(some), writes.c.status == WriteStatus.REFUSED.value)
                count += connection.execute(refused.values(status=WriteStatus.RETRY.value)).rowcount
        return count

    def latest(self, sobject: str, *, limit: int) -> Sequence[WriteOp]:
        """Return the last inserts of `sobject` that landed, newest first."""
        query = (
            select(writes)
            .where(writes.c.sobject == sobject, writes.c.verb == Verb.INSERT.value, writes.c.status.in_(LANDED))
            .order_by(writes.c.begun_at.desc(), writes.c.op_id)
            .limit(limit)
        )
        with transaction(self._engine) as connection:
            return [_op(row) for row in connection.execute(query).mappings()]

    def refused(self) -> Sequence[LoggedWrite]:
        """Return writes that Salesforce will not take as they are, newest first."""
        query = (
            select(writes)
            .where(writes.c.status == WriteStatus.REFUSED.value)
            .order_by(writes.c.finished_at.desc(), writes.c.op_id)
        )
        with transaction(self._engine) as connection:
            return [_logged(row) for row in connection.execute(query).mappings()]

    def _each(self, query: Any, column: ColumnElement[Any], values: Iterable[str]) -> list[RowMapping]:
        """Return the rows of `query`, a SELECT, in which `column` has one of `values`."""
        found: list[RowMapping] = []
        with transaction(self._engine) as connection:
            for some in chunks(sorted(set(values))):
                found += connection.execute(query.where(column.in_(some))).mappings()
        return found


def _step(op_id: str) -> int:
    """Return the number of a write among those of its record, which its id ends with; the first one has none."""
    last = op_id.rpartition("|")[2]
    return int(last) if last.isdecimal() else 0


def _row(run_id: str, op: WriteOp, now: datetime) -> dict[str, Any]:
    return {
        "op_id": op.op_id,
        "run_id": run_id,
        "sobject": op.sobject,
        "verb": op.verb.value,
        "key": op.key,
        "fields": codec.dump(_plain(op.fields)),
        "reason": op.reason,
        "record_id": op.record_id,
        "account_id": op.account_id,
        "prior": codec.dump(_plain(op.prior)),
        "after": op.after,
        "status": IN_FLIGHT,
        "created": False,
        "code": "",
        "message": "",
        "begun_at": text(now),
        "finished_at": None,
    }


def _plain(value: Any) -> Any:
    """Return `value` in JSON's types; Decimal as text, so that no digit is lost."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def _op(row: RowMapping) -> WriteOp:
    return WriteOp(
        op_id=row["op_id"],
        sobject=row["sobject"],
        verb=Verb(row["verb"]),
        key=row["key"],
        fields=codec.load(row["fields"]),
        reason=row["reason"],
        record_id=row["record_id"],
        account_id=row["account_id"],
        prior=codec.load(row["prior"]),
        after=row["after"],
    )


def _logged(row: RowMapping) -> LoggedWrite:
    return LoggedWrite(
        op=_op(row),
        run_id=row["run_id"],
        status=row["status"],
        code=row["code"],
        message=row["message"],
        created=row["created"],
        begun_at=when(row["begun_at"]),
        finished_at=when(row["finished_at"]) if row["finished_at"] is not None else None,
        attempts=row["attempts"],
    )
