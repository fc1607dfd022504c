"""The one way anything is written to Salesforce: grouped, packed, logged before it leaves, read row by row after.

Five Collections of 200 rows travel in one Composite call (one API call per 1,000 rows); where an org refuses that,
plain Collections. A write whose answer was lost is looked up by its key before it is sent again.
Sources: REST API Developer Guide, "Composite" (25 subrequests, 5 of them Collections) and "sObject Collections"
(200 records, 10 type chunks); Actions Developer Guide, "Post to Chatter Actions".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from leakwatch import faultpoints, log
from leakwatch.clients.salesforce import SalesforceClient
from leakwatch.errors import RecordError, SafetyError, UnknownOutcomeError
from leakwatch.model import KEY_FIELD, Verb, WriteOp, WriteResult, WriteStatus
from leakwatch.ports import Clock, WriteLog
from leakwatch.salesforce.landed import landed, wire_value
from leakwatch.salesforce.reader import SalesforceReader
from leakwatch.salesforce.results import classify_row, composite_answer

ROWS_PER_COLLECTION = 200
COLLECTIONS_PER_COMPOSITE = 5
POSTS_PER_CALL = 50  # the inputs array has no documented limit; kept well under the Composite row limit
LOCK_TRIES = 6
ALL_REFUSED = 20  # so many rows refused alone, none taken: the request is at fault, not the rows
STOP_CODES = frozenset({"STORAGE_LIMIT_EXCEEDED"})

_log = log.get(__name__)

type_order = (Verb.INSERT, Verb.UPSERT, Verb.UPDATE, Verb.DELETE, Verb.POST)


class SalesforceWriter:
    """Applies WriteOps. Safe to call again with the same ops after any failure or crash."""

    def __init__(
        self,
        client: SalesforceClient,
        reader: SalesforceReader,
        write_log: WriteLog,
        *,
        clock: Clock,
        composite: bool = True,
        max_ops: int = 20_000,
    ) -> None:
        self._client = client
        self._reader = reader
        self._write_log = write_log
        self._clock = clock
        self._composite = composite
        self._max_ops = max_ops
        self._wanted: dict[str, int] = {}

    def apply(self, ops: Sequence[WriteOp], *, run_id: str) -> Sequence[WriteResult]:
        """Write `ops` and return one result each, in order. What landed before is not sent again.

        Raises:
            SafetyError: more writes than `max_ops`, or the org's storage is full: nothing (more) was written.
            BudgetError, AuthError, TransientError: the rest waits; calling again is safe.
        """
        self._check_limit(len(ops), run_id)
        known = self._write_log.done([op.op_id for op in ops])
        results = {
            op_id: WriteResult(op_id, WriteStatus.ALREADY_THERE, record_id) for op_id, record_id in known.items()
        }
        doubtful = {op.op_id for op in self._write_log.in_doubt()}
        pending = [op for op in _unique(ops) if op.op_id not in results]
        again = [op for op in pending if op.op_id in doubtful]
        posts = [op for op in pending if op.verb is Verb.POST and op.op_id not in doubtful]
        if again or posts:
            found = [*landed(self._reader, again), *self._posted(posts)]
            self._write_log.finish(found, now=self._clock.now())
            results.update({result.op_id: result for result in found})
            pending = [op for op in pending if op.op_id not in results]
        for batch in self._batches(pending):
            for result in self._send_until_settled(batch, run_id):
                results[result.op_id] = result
        return [results[op.op_id] for op in ops if op.op_id in results]

    def _posted(self, ops: Sequence[WriteOp]) -> list[WriteResult]:
        """Return those of `ops` that are there although our log does not know: it may be an old one, restored.

        A Task's key refuses a second one; nothing in Salesforce keeps a post from being made twice.
        """
        try:
            return landed(self._reader, ops)
        except RecordError:
            return []  # the integration user may post but not read posts: our own log is all there is

    def _check_limit(self, wanted: int, run_id: str) -> None:
        """Count what one run wants, over all its calls."""
        before = self._wanted.get(run_id, 0)
        if before + wanted > self._max_ops:
            sent = f"{before:,} were sent before, and the next {wanted:,}" if before else f"{wanted:,}"
            raise SafetyError(
                f"writes.max_per_run ({self._max_ops:,}) would be passed: {sent} are wanted. What is over waits, and "
                "nothing of it was written; the next run takes it up, with the same limit. Look at what waits "
                "(leakwatch plan), and raise the limit if it is right."
            )
        self._wanted = {run_id: before + wanted}

    def settle(self) -> int:
        """Find out what became of every write that was in flight when a process ended; return how many had landed."""
        doubtful = list(self._write_log.in_doubt())
        if not doubtful:
            return 0
        found = {result.op_id: result for result in landed(self._reader, doubtful)}
        lost = [
            WriteResult(op.op_id, WriteStatus.RETRY, code="NOT_SENT", message="was not carried out before the end")
            for op in doubtful
            if op.op_id not in found
        ]
        self._write_log.finish([*found.values(), *lost], now=self._clock.now())
        _log.info(log.Event.WRITE_RECONCILED, landed=len(found), repeat=len(lost))
        return len(found)

    # --- batching ---

    def _batches(self, ops: Sequence[WriteOp]) -> Iterator[list[WriteOp]]:
        """Yield ops of one verb at most a Composite call's worth at a time, account by account."""
        groups: dict[tuple[int, str], list[WriteOp]] = defaultdict(list)
        for op in ops:
            groups[type_order.index(op.verb), op.sobject].append(op)
        for (order, _), group in sorted(groups.items()):
            group.sort(key=lambda op: (op.account_id or "", str(op.fields.get("RelatedToId") or ""), op.op_id))
            size = POSTS_PER_CALL if type_order[order] is Verb.POST else ROWS_PER_COLLECTION * COLLECTIONS_PER_COMPOSITE
            for start in range(0, len(group), size):
                yield group[start : start + size]

    def _send_until_settled(self, batch: list[WriteOp], run_id: str) -> list[WriteResult]:
        """Send `batch`; send again only the rows that were locked, in ever smaller parts."""
        settled: list[WriteResult] = []
        waiting, rows = batch, ROWS_PER_COLLECTION
        for attempt in range(LOCK_TRIES):
            results = self._send_logged(waiting, run_id, rows)
            settled += [result for result in results if result.status is not WriteStatus.RETRY]
            locked = {result.op_id: result for result in results if result.status is WriteStatus.RETRY}
            waiting = [op for op in waiting if op.op_id in locked]
            if not waiting:
                return settled
            if attempt == LOCK_TRIES - 1:
                return settled + list(locked.values())
            rows = max(1, rows // 2)
            self._clock.sleep(min(8.0, 0.5 * 2**attempt))  # a lock is waited for 10 s by the org itself
        return settled

    def _send_logged(self, ops: list[WriteOp], run_id: str, rows: int) -> list[WriteResult]:
        """Log, send and log again; on a lost answer look first, then send what did not land."""
        self._client.check_budget(1 + len(ops) // (ROWS_PER_COLLECTION * COLLECTIONS_PER_COMPOSITE))
        self._write_log.begin(run_id, ops, now=self._clock.now())
        try:
            results = self._send(ops, rows)
        except UnknownOutcomeError:
            results = self._after_lost_answer(ops, rows)
        except RecordError as error:
            results = self._isolate(ops, error)
        faultpoints.reach("writer.after_send")
        results = self._with_ids(ops, results)
        self._write_log.finish(results, now=self._clock.now())
        stop = next((result for result in results if result.code in STOP_CODES), None)
        if stop is not None:
            raise SafetyError(
                f"the org's storage is full ({stop.code}): writing stopped, reading goes on. {stop.message}"
            )
        return results

    def _after_lost_answer(self, ops: list[WriteOp], rows: int) -> list[WriteResult]:
        found = landed(self._reader, ops)
        there = {result.op_id for result in found}
        rest = [op for op in ops if op.op_id not in there]
        _log.warning(log.Event.WRITE_RECONCILED, landed=len(found), repeat=len(rest))
        return found + (self._send(rest, rows) if rest else [])

    def _isolate(self, ops: list[WriteOp], error: RecordError) -> list[WriteResult]:
        """Find the rows that make Salesforce refuse a whole request, by halves, so that the others still land.

        Raises:
            SafetyError: every one of the first rows is refused alone: the fault is not in the rows.
        """
        if len(ops) == 1:
            return [WriteResult(ops[0].op_id, WriteStatus.REFUSED, None, error.code, str(error))]
        results: list[WriteResult] = []
        parts = [ops[: len(ops) // 2], ops[len(ops) // 2 :]]
        while parts:
            part = parts.pop(0)
            try:
                results += self._send(part, ROWS_PER_COLLECTION)
            except UnknownOutcomeError:
                results += self._after_lost_answer(part, ROWS_PER_COLLECTION)
            except RecordError as refused:
                if len(part) > 1:
                    parts = [part[: len(part) // 2], part[len(part) // 2 :], *parts]
                    continue
                results.append(WriteResult(part[0].op_id, WriteStatus.REFUSED, None, refused.code, str(refused)))
            if len(results) >= ALL_REFUSED and all(result.status is WriteStatus.REFUSED for result in results):
                raise SafetyError(f"Salesforce refuses every row of this run ({error.code}: {error}); writing stopped.")
        return results

    # --- sending ---

    def _send(self, ops: list[WriteOp], rows: int) -> list[WriteResult]:
        if ops[0].verb is Verb.POST:
            return self._send_posts(ops)
        chunks = [ops[start : start + rows] for start in range(0, len(ops), rows)]
        if not self._composite or len(chunks) == 1:
            return [result for chunk in chunks for result in self._send_collection(chunk)]
        results: list[WriteResult] = []
        for start in range(0, len(chunks), COLLECTIONS_PER_COMPOSITE):
            results += self._send_composite(chunks[start : start + COLLECTIONS_PER_COMPOSITE])
        return results

    def _send_collection(self, ops: list[WriteOp]) -> list[WriteResult]:
        method, path, body = collection(ops)
        answer = self._client.request(method, path, body=body, idempotent=_repeatable(ops)).body
        faultpoints.reach("writer.collection.answered")
        return _by_position(ops, answer)

    def _send_composite(self, chunks: list[list[WriteOp]]) -> list[WriteResult]:
        parts: list[dict[str, Any]] = []
        for number, chunk in enumerate(chunks):
            method, path, body = collection(chunk)
            url = self._client.base_path + path
            parts.append({"method": method, "url": url, "referenceId": f"part{number}", "body": body})
        request = {"allOrNone": False, "compositeRequest": parts}
        repeatable = all(_repeatable(chunk) for chunk in chunks)
        answer = self._client.request("POST", "composite", body=request, idempotent=repeatable).body
        faultpoints.reach("writer.composite.answered")
        results: list[WriteResult] = []
        for chunk, (status, body) in zip(chunks, composite_answer(answer, len(chunks)), strict=True):
            if status >= 500:
                raise UnknownOutcomeError(f"a part of a Composite call answered {status}")
            if status >= 400:
                self._composite = False  # this org does not take these Collections inside Composite
                results += self._send_collection(chunk)
            else:
                results += _by_position(chunk, body)
        return results

    def _send_posts(self, ops: list[WriteOp]) -> list[WriteResult]:
        inputs = [dict(op.fields) for op in ops]
        path = "actions/standard/chatterPost"
        try:
            answer = self._client.request("POST", path, body={"inputs": inputs}, idempotent=False).body
        except RecordError as error:
            if len(ops) == 1:
                return [WriteResult(ops[0].op_id, WriteStatus.REFUSED, None, error.code, str(error))]
            # One bad input refuses the whole call, but an org with partial save keeps the good ones: look, then send.
            there = landed(self._reader, ops)
            rest = [op for op in ops if op.op_id not in {result.op_id for result in there}]
            return [*there, *(result for op in rest for result in self._send_posts([op]))]
        faultpoints.reach("writer.posts.answered")
        return [_post_result(op, row) for op, row in zip(ops, _results(answer, len(ops)), strict=True)]

    def _with_ids(self, ops: Sequence[WriteOp], results: list[WriteResult]) -> list[WriteResult]:
        """Fill in the ids of rows that were there before, where the refusal did not name them."""
        by_id = {op.op_id: op for op in ops}
        nameless = [r for r in results if r.status is WriteStatus.ALREADY_THERE and r.record_id is None]
        if not nameless:
            return results
        found = {result.op_id: result for result in landed(self._reader, [by_id[r.op_id] for r in nameless])}
        filled: list[WriteResult] = []
        for result in results:
            if result.status is WriteStatus.ALREADY_THERE and result.record_id is None:
                seen = found.get(result.op_id)
                # Who made it is not known: an undo of this run must not take it for this run's.
                result = replace(seen, created=False) if seen else replace(result, status=WriteStatus.REFUSED)  # noqa: PLW2901
            filled.append(result)
        return filled


def collection(ops: Sequence[WriteOp]) -> tuple[str, str, dict[str, Any]]:
    """Return method, path and body of the sObject Collections call for `ops` (one verb, one object, ≤ 200)."""
    first = ops[0]
    if first.verb is Verb.DELETE:
        ids = ",".join(str(op.record_id) for op in ops)
        return "DELETE", f"composite/sobjects?ids={ids}&allOrNone=false", {}
    records = [_record(op) for op in ops]
    body = {"allOrNone": False, "records": records}
    if first.verb is Verb.UPSERT:
        return "PATCH", f"composite/sobjects/{first.sobject}/{KEY_FIELD}", body
    return ("PATCH" if first.verb is Verb.UPDATE else "POST"), "composite/sobjects", body


def _record(op: WriteOp) -> dict[str, Any]:
    record: dict[str, Any] = {"attributes": {"type": op.sobject}}
    if op.verb is Verb.UPDATE:
        record["id"] = op.record_id
    elif op.key is not None:
        record[KEY_FIELD] = op.key
    record.update({name: wire_value(value) for name, value in op.fields.items()})
    return record


def _repeatable(ops: Sequence[WriteOp]) -> bool:
    """Return whether sending twice is the same as once: everything but inserts and posts."""
    return ops[0].verb in (Verb.UPSERT, Verb.UPDATE, Verb.DELETE)


def _by_position(ops: Sequence[WriteOp], answer: Any) -> list[WriteResult]:
    return [classify_row(op, row) for op, row in zip(ops, _results(answer, len(ops)), strict=True)]


def _results(answer: Any, wanted: int) -> list[Mapping[str, Any]]:
    if not isinstance(answer, list) or len(cast(list[Any], answer)) != wanted:
        raise UnknownOutcomeError("Salesforce answered with another number of results than rows")
    if not all(isinstance(row, Mapping) for row in cast(list[Any], answer)):
        raise UnknownOutcomeError("Salesforce answered with results that are none")
    return cast(list[Mapping[str, Any]], answer)


def _post_result(op: WriteOp, row: Mapping[str, Any]) -> WriteResult:
    if row.get("isSuccess"):
        outputs = cast(Mapping[str, Any], row.get("outputValues") or {})
        return WriteResult(op.op_id, WriteStatus.DONE, str(outputs.get("feedItemId") or ""), created=True)
    errors = cast(Sequence[Mapping[str, Any]], row.get("errors") or [{}])
    code = str(errors[0].get("statusCode") or errors[0].get("errorCode") or "UNKNOWN")
    return WriteResult(op.op_id, WriteStatus.REFUSED, None, code, str(errors[0].get("message", "")))


def _unique(ops: Sequence[WriteOp]) -> list[WriteOp]:
    """Return `ops` without repeats: the same external id twice in one request is refused."""
    seen: dict[str, WriteOp] = {}
    for op in ops:
        seen.setdefault(op.op_id, op)
    return list(seen.values())
