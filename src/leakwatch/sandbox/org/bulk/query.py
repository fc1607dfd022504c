"""Query jobs: which queries they take, and how their result is written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.org.bulk import results
from leakwatch.sandbox.org.bulk.csv_io import DELIMITERS, LINE_ENDINGS, text_of
from leakwatch.sandbox.org.bulk.jobs import QUERY, UPLOADED, Job, choice
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.errors import OrgError, bad, not_found
from leakwatch.sandbox.org.limits import ALLOCATIONS, DAY
from leakwatch.sandbox.org.soql import ast
from leakwatch.sandbox.org.soql.parse import parse, too_complicated
from leakwatch.sandbox.org.soql.plan import Column
from leakwatch.sandbox.org.soql.tables import find_object, is_aggregate

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org

OPERATIONS = ("query", "queryAll")
FIRST_VERSION, PARALLEL_VERSION, ORDERED_VERSION = 47.0, 58.0, 50.0
"""Since when there are query jobs, parallel results, and columns in the order of the query (guide, by resource)."""
JOBS, STORED_MB = "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB"
_NOT_SUPPORTED = frozenset(
    (
        *("AcceptedEventRelation", "AggregateResult", "Attachment", "CaseStatus", "ContractStatus"),
        *("DeclinedEventRelation", "EventWhoRelation", "OpenActivity", "OrderStatus", "PartnerRole"),
        *("SolutionStatus", "TaskPriority", "TaskStatus", "TaskWhoRelation", "UndecidedEventRelation"),
        "UserRecordAccess",
    )
)
"""As far as clients list them; objects of feeds (AccountFeed) are missing too."""


def new_job(org: Org, body: dict[str, Any], caller: Caller) -> Job:
    """A job that a client asks for, not kept yet.

    Raises OrgError for what a query job does not take, and when the day's jobs are used up.
    """
    if float(caller.version) < FIRST_VERSION:
        raise not_found()
    operation = choice(body, "operation", OPERATIONS)
    delimiter = choice(body, "columnDelimiter", tuple(DELIMITERS), "COMMA")
    ending = choice(body, "lineEnding", tuple(LINE_ENDINGS), "LF")
    choice(body, "contentType", ("CSV",), "CSV")
    soql = body.get("query")
    if not isinstance(soql, str) or not soql.strip():
        raise bad("API_ERROR", "The query property is missing")  # code and words are unverified
    sobject = check(org, soql, caller, all_rows=operation == "queryAll")
    if org.meters.used(STORED_MB, DAY) >= ALLOCATIONS[STORED_MB].most:
        raise bad("LIMIT_EXCEEDED", "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded")
    most = ALLOCATIONS[JOBS].most
    if not org.meters.take(JOBS, most, DAY):
        said = f"Max bulk v2 query jobs ({most}) per 24 hrs has been reached ({most})"
        raise bad("LIMIT_EXCEEDED", said)
    now = org.now_text()
    return Job(
        id=org.bulk.jobs.new_id(),
        kind=QUERY,
        operation=operation,
        sobject=sobject,
        created_by=caller.user_id,
        created=now,
        stamp=now,
        version=caller.version,
        state=UPLOADED,
        delimiter=delimiter,
        line_ending=ending,
        soql=soql,
        app=caller.app,
    )


def check(org: Org, soql: str, caller: Caller, *, all_rows: bool) -> str:
    """The object of a query that a job takes.

    Raises OrgError for one that it refuses. The texts for aggregates, compound fields and objects are those that
    clients report; the others are unverified.
    """
    try:
        query = parse(soql)
        sobject = find_object(org.schema, query).name
        _check_shape(query)
        if sobject in _NOT_SUPPORTED or (sobject.endswith("Feed") and sobject != "Feed"):
            raise bad("INVALIDENTITY", f"Entity '{sobject}' is not supported by the Bulk API.")
        columns = org.queries.columns(soql, caller, all_rows=all_rows)
    except RecursionError:
        raise too_complicated() from None
    if any(one.field.type == "address" for one in columns):
        raise _refused("Selecting compound data not supported in Bulk Query")
    return sobject


def _check_shape(query: ast.Query) -> None:
    grouped = query.group_by or any(is_aggregate(one.what) for one in query.items if isinstance(one, ast.Item))
    if query.subqueries or grouped:
        raise _refused("Aggregate Relationships not supported in Bulk Query")
    if query.offset is not None:
        raise _refused("OFFSET not supported in Bulk Query")
    if any(isinstance(one, ast.TypeOf) for one in query.items):
        raise _refused("TYPEOF not supported in Bulk Query")


def _refused(said: str) -> OrgError:
    return bad("API_ERROR", said)


def run(org: Org, job: Job, stop: threading.Event) -> int:
    """Write a job's result, of the moment this is called; how many rows it has."""
    caller = org.caller(job.created_by, app=job.app, version=job.version)
    stream = org.stream(job.soql, all_rows=job.operation == "queryAll", caller=caller)
    kept = _kept(stream.columns, job)
    dialect = job.dialect
    header = dialect.line([".".join(stream.columns[i].names) for i in kept])
    texts = [(i, text_of(stream.columns[i].field)) for i in kept]

    def lines() -> Iterator[bytes]:
        for row in stream.rows:
            yield dialect.line([text(row[i]) for i, text in texts])

    return results.write(org.bulk.jobs.file(job, "rows"), header, lines(), stop)


def _kept(columns: list[Column], job: Job) -> list[int]:
    """Which columns are written, in which order: lists of related ids are left out (Object Reference, EmailMessage)."""
    kept = [i for i, one in enumerate(columns) if one.field.type != "junction"]
    if float(job.version) < ORDERED_VERSION:
        kept.sort(key=lambda i: columns[i].names)
    return kept
