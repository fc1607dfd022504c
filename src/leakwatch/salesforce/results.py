"""What Salesforce says to each written row, read by error code and never by HTTP status alone.

Sources: REST API Developer Guide, "Status Codes and Error Responses"; SOAP API Developer Guide, "StatusCode".
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from leakwatch.core.record_ids import long_id
from leakwatch.errors import UnknownOutcomeError
from leakwatch.model import KEY_FIELD, Verb, WriteOp, WriteResult, WriteStatus

LOCKED = "UNABLE_TO_LOCK_ROW"
_RECORD_ID = re.compile(r"record with id:?\s*([a-zA-Z0-9]{15,18})")
# "duplicate value found: <unknown> duplicates value on record with id: <unknown>": Salesforce does not always say which
# field it was. The row is looked up by our key then, and refused if it is not there.
_NAMELESS = "duplicate value found: <unknown>"
_MARKER = re.compile(r"lw:[0-9a-f]{8,32}")
_REPEAT = frozenset({LOCKED, "PROCESSING_HALTED", "ALL_OR_NONE_OPERATION_ROLLED_BACK", "SERVER_UNAVAILABLE"})


def classify_row(op: WriteOp, row: Mapping[str, Any]) -> WriteResult:
    """Return the result of one row of an sObject Collections answer."""
    if row.get("success"):
        record_id = str(row.get("id") or op.record_id or "")
        created = bool(row.get("created", op.verb is Verb.INSERT))
        return WriteResult(op.op_id, WriteStatus.DONE, record_id, created=created)
    errors = cast(Sequence[Mapping[str, Any]], row.get("errors") or [row])
    first = errors[0]
    code = str(first.get("statusCode") or first.get("errorCode") or "UNKNOWN")
    message = str(first.get("message", ""))
    if code == "DUPLICATE_VALUE" and (KEY_FIELD in message + str(first.get("fields") or "") or _NAMELESS in message):
        found = _RECORD_ID.search(message)
        return WriteResult(op.op_id, WriteStatus.ALREADY_THERE, long_id(found[1]) if found else None, code, message)
    if op.verb is Verb.DELETE and code == "ENTITY_IS_DELETED":
        return WriteResult(op.op_id, WriteStatus.DONE, op.record_id)
    locked = code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" and LOCKED in message
    if code in _REPEAT or locked:
        return WriteResult(op.op_id, WriteStatus.RETRY, None, code, message)
    return WriteResult(op.op_id, WriteStatus.REFUSED, None, code, message)


def composite_answer(answer: Any, parts: int) -> list[tuple[int, Any]]:
    """Return (status, body) of each subrequest of a Composite answer.

    Raises:
        UnknownOutcomeError: the answer has another number of parts than were sent, or parts that are none.
    """
    found = cast(Mapping[str, Any], answer).get("compositeResponse") if isinstance(answer, Mapping) else None
    if not isinstance(found, list) or len(cast(list[Any], found)) != parts:
        raise UnknownOutcomeError("Salesforce's Composite answer has another number of parts than were sent")
    try:
        ordered = sorted(cast(list[Mapping[str, Any]], found), key=lambda part: int(str(part["referenceId"])[4:]))
        return [(int(part["httpStatusCode"]), part.get("body")) for part in ordered]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnknownOutcomeError("Salesforce's Composite answer has parts that are none") from error


def find_marker(op: WriteOp, rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the FeedItem among `rows` that carries the marker at the end of `op`'s text, if it was posted before."""
    markers = _MARKER.findall(str(op.fields.get("text", "")))
    if not markers:
        return None
    for row in rows:
        same_record = str(row.get("ParentId", ""))[:15] == str(op.fields.get("subjectNameOrId", ""))[:15]
        if same_record and markers[-1] in html.unescape(str(row.get("Body") or "")):
            return row
    return None
