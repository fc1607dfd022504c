"""Query jobs of the Bulk API 2.0: `jobs/query` (Bulk API 2.0 guide, "Bulk API 2.0 Query")."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from leakwatch.sandbox.org.bulk import query
from leakwatch.sandbox.org.bulk.jobs import ABORTED, COMPLETE, INGEST, QUERY, Job
from leakwatch.sandbox.org.bulk.results import Result
from leakwatch.sandbox.org.errors import OrgError, bad, not_found
from leakwatch.sandbox.org.rest.http import Call, Reply, router

CSV = "text/csv"
PAGES = 5  # result pages that one answer names
LISTED = 1000  # jobs that one answer lists
_JOB = r"(?P<job_id>[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?)"


@router.on("POST", r"jobs/query")
def create(call: Call) -> Reply:
    """Ask for a query to be run."""
    with call.org.store.transaction():
        job = query.new_job(call.org, call.json_object(), call.caller)
        call.org.bulk.queued(job)
    return Reply(body=job.body(whole=False))


@router.on("GET", r"jobs/query")
def listed(call: Call) -> Reply:
    """All jobs."""
    return jobs_of(call, "query")


@router.on("GET", rf"jobs/query/{_JOB}")
def read(call: Call, job_id: str) -> Reply:
    """One job."""
    return Reply(body=call.org.bulk.seen(job_id, QUERY).body(whole=True))


@router.on("PATCH", rf"jobs/query/{_JOB}")
def abort(call: Call, job_id: str) -> Reply:
    """End a job that is not over."""
    state = call.json_object().get("state")
    if state != ABORTED:
        raise bad("INVALIDJOBSTATE", f"Invalid job state: {state}")  # words unverified
    with call.org.store.transaction():
        job = call.org.bulk.jobs.get(job_id, QUERY)
        call.org.bulk.abort(job)
    return Reply(body=job.body(whole=False))


@router.on("DELETE", rf"jobs/query/{_JOB}")
def delete(call: Call, job_id: str) -> Reply:
    """Forget a job that is over, and its result."""
    with call.org.store.transaction():
        call.org.bulk.delete(call.org.bulk.jobs.get(job_id, QUERY))
    return Reply(204)


@router.on("GET", rf"jobs/query/{_JOB}/results")
def results(call: Call, job_id: str) -> Reply:
    """A set of the result's rows, and where the next set is."""
    job = _of_same_version(call, job_id)
    if job.state != COMPLETE:
        return Reply(204)  # guide up to version 51, "Get Results for a Query Job"; unverified for later ones
    result = _result(call, job)
    start = _start(call, result)
    count = _count(call)
    end = min(start + count, result.count)
    headers = {
        # without a charset, which clients take for Latin-1
        "Content-Type": CSV,
        "Sforce-NumberOfRecords": str(end - start),
        "Sforce-Locator": locator(end) if end < result.count else "null",
    }
    return Reply(200, headers=headers, content=result.page(start, count))


@router.on("GET", rf"jobs/query/{_JOB}/result[Pp]ages")
def pages(call: Call, job_id: str) -> Reply:
    """The addresses of up to five sets of rows, to be fetched side by side."""
    if float(call.version) < query.PARALLEL_VERSION:
        raise not_found()
    job = _of_same_version(call, job_id)
    if job.state != COMPLETE:
        return Reply(204)
    result = _result(call, job)
    size = call.org.settings.bulk_page_size
    start = _start(call, result)
    after = start + PAGES * size
    root = f"{call.root}/jobs/query/{job.id}"
    starts = range(start, max(min(after, result.count), start + 1), size)
    more = after < result.count
    body: dict[str, Any] = {"resultPages": [{"resultUrl": f"{root}/results?locator={locator(one)}"} for one in starts]}
    body["nextRecordsUrl"] = f"{root}/resultPages?locator={locator(after)}" if more else None
    return Reply(body={**body, "done": not more})


def locator(start: int) -> str:
    """What leads to the row at `start`: its number in base64, as the guide's `MTAwMDA` is that of 10000."""
    return base64.urlsafe_b64encode(str(start).encode()).decode().rstrip("=")


def _start(call: Call, result: Result) -> int:
    text = call.query.get("locator")
    if text is None:
        return 0
    try:
        number = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError):
        raise _bad_locator(text) from None
    if not number.isdecimal() or len(number) > 12 or (int(number) >= result.count and int(number)):
        raise _bad_locator(text)
    return int(number)


def _bad_locator(text: str) -> OrgError:
    return bad("INVALIDLOCATOR", f"Invalid locator: {text}")  # code and words are unverified


def _count(call: Call) -> int:
    text = call.query.get("maxRecords")
    if text is None:
        return call.org.settings.bulk_page_size
    if not text.isdecimal() or len(text) > 12 or not int(text):
        raise bad("API_ERROR", f"Invalid maxRecords: {text}")  # code and words are unverified
    return int(text)


def _of_same_version(call: Call, job_id: str) -> Job:
    """The job, which must have been made with the version it is read with: 409 is documented, the words are not."""
    job = call.org.bulk.jobs.get(job_id, QUERY)
    if job.version != call.version:
        said = f"The job was created with API version {job.version}. Use the same version to get its results."
        raise OrgError(409, "INVALIDVERSION", said)
    return job


def _result(call: Call, job: Job) -> Result:
    return Result(call.org.bulk.jobs.file(job, "rows"))


def jobs_of(call: Call, resource: str) -> Reply:
    """The jobs that a listing shows: of every kind, unless it asks for one ("Get Information About All Query Jobs")."""
    kind = call.query.get("jobType")
    if kind not in (None, "All", "BigObjectIngest", "Classic", INGEST, QUERY):
        raise bad("INVALIDJOB", f"Invalid jobType: {kind}")  # words unverified
    chunked = call.query.get("isPkChunkingEnabled", "false").lower() == "true"  # a header of version 1
    mode = call.query.get("concurrencyMode", "parallel").lower()
    found = [
        job
        for job in call.org.bulk.jobs.all()
        if kind in (None, "All", job.kind) and not chunked and mode == "parallel"
    ]
    _, _, at = call.query.get("queryLocator", "").rpartition("-")
    start = int(at) if at.isdecimal() and len(at) < 10 else 0
    after = start + LISTED
    more = f"{call.root}/jobs/{resource}?queryLocator={INGEST}-{after}" if after < len(found) else None
    records = [job.body(whole=False) | {"jobType": job.kind} for job in found[start:after]]
    return Reply(body={"done": more is None, "records": records, "nextRecordsUrl": more})
