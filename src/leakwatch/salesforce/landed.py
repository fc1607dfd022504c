"""What became of a write whose answer was lost: looked up by key, marker or value before anything is sent again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

from leakwatch.clients.salesforce import soql
from leakwatch.core.field_values import same_value
from leakwatch.core.newcomers import PEOPLE
from leakwatch.core.plan_relations import PARENT, RELATION, RELATION_FIELDS
from leakwatch.errors import RecordError
from leakwatch.model import KEY_FIELD, Verb, WriteOp, WriteResult, WriteStatus
from leakwatch.salesforce.reader import SalesforceReader
from leakwatch.salesforce.results import find_marker

PARENTS_A_QUERY = 200


def landed(reader: SalesforceReader, ops: Sequence[WriteOp]) -> list[WriteResult]:
    """Return a result for each of `ops` that is seen to have landed; the others did not, or it can't be seen.

    An insert is found by our key, a person by their address, a mail's relation by whom it names, a post by the marker
    in its text, an update by the values that its row has now, a deletion by there being no row. An upsert is never: it
    is sent again, which changes nothing.

    Raises:
        AuthError, TransientError: the org can't be asked now.
    """
    return [
        *_inserts(reader, ops),
        *_people(reader, ops),
        *_relations(reader, ops),
        *_updates(reader, ops),
        *_deletions(reader, ops),
        *_posts(reader, ops),
    ]


def _inserts(reader: SalesforceReader, ops: Sequence[WriteOp]) -> Iterable[WriteResult]:
    for sobject, group in _by_object(op for op in ops if op.verb is Verb.INSERT and op.key):
        rows = reader.find_by(sobject, KEY_FIELD, [str(op.key) for op in group])
        for op in group:
            if op.key in rows:
                yield WriteResult(op.op_id, WriteStatus.ALREADY_THERE, str(rows[op.key]["Id"]), created=True)


def _people(reader: SalesforceReader, ops: Sequence[WriteOp]) -> Iterable[WriteResult]:
    """Find contacts and leads, which have no key of ours; nobody is entered whose address was there before."""
    for sobject, group in _by_object(op for op in ops if op.verb is Verb.INSERT and op.sobject in PEOPLE):
        rows = reader.related(sobject, "Email", sorted({str(op.fields["Email"]) for op in group}), ("Email",))
        by_address = {str(row["Email"]).lower(): row for row in rows}
        for op in group:
            row = by_address.get(str(op.fields["Email"]))
            if row is not None:
                yield WriteResult(op.op_id, WriteStatus.ALREADY_THERE, str(row["Id"]), created=True)


def _relations(reader: SalesforceReader, ops: Sequence[WriteOp]) -> Iterable[WriteResult]:
    """Find relations of mails, which have no key of ours: each names its mail and a record."""
    new = [op for op in ops if op.verb is Verb.INSERT and op.sobject == RELATION]
    if not new:
        return
    mails = sorted({str(op.fields[PARENT]) for op in new})
    rows = {(row[PARENT], row["RelationId"]): row for row in reader.related(RELATION, PARENT, mails, RELATION_FIELDS)}
    for op in new:
        row = rows.get((op.fields[PARENT], op.fields["RelationId"]))
        if row is not None:
            yield WriteResult(op.op_id, WriteStatus.ALREADY_THERE, str(row["Id"]), created=True)


def _updates(reader: SalesforceReader, ops: Sequence[WriteOp]) -> Iterable[WriteResult]:
    for sobject, group in _by_object(op for op in ops if op.verb is Verb.UPDATE and op.record_id):
        names = sorted({name for op in group for name in op.fields})
        try:
            rows = reader.fetch(sobject, sorted({str(op.record_id) for op in group}), ["Id", *names])
        except RecordError:
            continue  # a field that went meanwhile: it can't be seen, and sending again says why
        for op in group:
            row = rows.get(str(op.record_id))
            if row is not None and all(_same(row.get(name), value) for name, value in op.fields.items()):
                yield WriteResult(op.op_id, WriteStatus.ALREADY_THERE, op.record_id)


def _deletions(reader: SalesforceReader, ops: Sequence[WriteOp]) -> Iterable[WriteResult]:
    for sobject, group in _by_object(op for op in ops if op.verb is Verb.DELETE and op.record_id):
        rows = reader.fetch(sobject, sorted({str(op.record_id) for op in group}), ["Id"])
        for op in group:
            if op.record_id not in rows:
                yield WriteResult(op.op_id, WriteStatus.DONE, op.record_id)


def _by_object(ops: Iterable[WriteOp]) -> Iterable[tuple[str, list[WriteOp]]]:
    groups: dict[str, list[WriteOp]] = defaultdict(list)
    for op in ops:
        groups[op.sobject].append(op)
    return groups.items()


def _same(stored: Any, sent: Any) -> bool:
    """Return whether a field holds what was sent: Salesforce keeps line ends as CR LF, and an empty text as null.

    A moment that was sent as text (`...T12:00:00.000Z`) comes back spelled otherwise (`...T12:00:00.000+0000`).
    """
    if isinstance(stored, str) and isinstance(sent, str):
        return same_value(stored, sent)
    return stored == wire_value(sent) or (stored is None and sent == "")


def _posts(reader: SalesforceReader, ops: Sequence[WriteOp]) -> Iterable[WriteResult]:
    posts = [op for op in ops if op.verb is Verb.POST]
    parents = sorted({str(op.fields["subjectNameOrId"]) for op in posts})
    rows: list[Mapping[str, Any]] = []
    for start in range(0, len(parents), PARENTS_A_QUERY):
        chunk = parents[start : start + PARENTS_A_QUERY]
        query = soql("SELECT Id, ParentId, Body FROM FeedItem WHERE ParentId IN {parents}", parents=chunk)
        for page in reader.query(query):
            rows += page
    for op in posts:
        row = find_marker(op, rows)
        if row is not None:
            yield WriteResult(op.op_id, WriteStatus.ALREADY_THERE, str(row["Id"]))


def wire_value(value: Any) -> Any:
    """Return a field value as Salesforce takes it: datetimes in UTC with milliseconds, dates plain, sets as lists."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (tuple, set, frozenset)):
        return list(cast(Iterable[Any], value))
    if isinstance(value, Decimal):
        return value
    return value
