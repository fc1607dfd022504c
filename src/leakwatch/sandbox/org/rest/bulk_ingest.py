"""Ingest jobs of the Bulk API 2.0: `jobs/ingest` (Bulk API 2.0 guide, "Bulk API 2.0 Ingest")."""

from __future__ import annotations

import io
import re
from typing import Any

import orjson

from leakwatch.sandbox.org.bulk import ingest
from leakwatch.sandbox.org.bulk.jobs import ABORTED, INGEST, OVER, UPLOADED, Job
from leakwatch.sandbox.org.bulk.results import spans
from leakwatch.sandbox.org.errors import bad
from leakwatch.sandbox.org.rest.body import MAX_UPLOAD
from leakwatch.sandbox.org.rest.bulk_query import CSV, jobs_of
from leakwatch.sandbox.org.rest.http import JSON, Call, Reply, router

MULTIPART = "multipart/form-data"
MAX_INLINE = 100_000  # characters of data in a multipart request ("Create a Job")
_JOB = r"jobs/ingest/(?P<job_id>[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?)"
_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)
_PART_NAME = re.compile(rb'\bname="?([^";\r\n]+)"?', re.IGNORECASE)


@router.on("POST", r"jobs/ingest", types=(JSON, MULTIPART))
def create(call: Call) -> Reply:
    """Open a job; a multipart request brings the data along, and nothing else is needed then."""
    parts = _parts(call) if call.content_type == MULTIPART else None
    body = call.json_object() if parts is None else _inline_job(parts)
    bulk = call.org.bulk
    with call.org.store.transaction():
        job = ingest.new_job(call.org, body, call.caller)
        bulk.opened(job)
        if parts is not None:
            ingest.upload(call.org, job, io.BytesIO(parts[b"content"]))
            bulk.close_upload(job)
    return Reply(body=job.body(whole=False))


@router.on("GET", r"jobs/ingest")
def listed(call: Call) -> Reply:
    """All jobs."""
    return jobs_of(call, "ingest")


@router.on("GET", _JOB)
def read(call: Call, job_id: str) -> Reply:
    """One job."""
    return Reply(body=call.org.bulk.seen(job_id, INGEST).body(whole=True))


@router.on("PUT", rf"{_JOB}/batches", types=(CSV,), max_body=MAX_UPLOAD)
def upload(call: Call, job_id: str) -> Reply:
    """Bring the data, once."""
    with call.org.store.transaction():
        ingest.upload(call.org, call.org.bulk.jobs.get(job_id, INGEST), call.body.file)
    return Reply(201)


@router.on("PATCH", _JOB)
def change(call: Call, job_id: str) -> Reply:
    """Say that the data is complete, or give up."""
    state = call.json_object().get("state")
    with call.org.store.transaction():
        job = call.org.bulk.jobs.get(job_id, INGEST)
        if state == UPLOADED:
            call.org.bulk.close_upload(job)
        elif state == ABORTED:
            call.org.bulk.abort(job)
        else:
            raise bad("INVALIDJOBSTATE", f"Invalid job state: {state}")  # words unverified
    return Reply(body=job.body(whole=False))


@router.on("DELETE", _JOB)
def delete(call: Call, job_id: str) -> Reply:
    """Forget a job that is closed or over, with its data and results."""
    with call.org.store.transaction():
        call.org.bulk.delete(call.org.bulk.jobs.get(job_id, INGEST))
    return Reply(204)


@router.on("GET", rf"{_JOB}/successfulResults")
def successful(call: Call, job_id: str) -> Reply:
    """The records that were written, with their ids."""
    return _file(call, job_id, "ok")


@router.on("GET", rf"{_JOB}/failedResults")
def failed(call: Call, job_id: str) -> Reply:
    """The records that were refused, with the reason."""
    return _file(call, job_id, "failed")


@router.on("GET", rf"{_JOB}/unprocessed[Rr]ecords")
def unprocessed(call: Call, job_id: str) -> Reply:
    """The records that were not looked at, as they came."""
    job = _over(call, job_id)
    path = call.org.bulk.jobs.file(job, "upload")
    if not job.uploaded:
        return _csv(b"")
    size = path.stat().st_size
    return _csv(spans(path.open("rb"), [(0, job.header), (job.offset, size)]))


def _file(call: Call, job_id: str, name: str) -> Reply:
    job = _over(call, job_id)
    path = call.org.bulk.jobs.file(job, name)
    if not path.exists():  # the job never got to its first record
        return _csv(b"")
    return _csv(spans(path.open("rb"), [(0, path.stat().st_size)]))


def _over(call: Call, job_id: str) -> Job:
    """A job that is over; refuses others (code and words are unverified)."""
    job = call.org.bulk.jobs.get(job_id, INGEST)
    if job.state not in OVER:
        raise bad("INVALIDJOBSTATE", f"Job is in {job.state} state, results are available when it is over")
    return job


def _csv(content: Any) -> Reply:
    return Reply(200, headers={"Content-Type": CSV}, content=content)  # without a charset, as results of queries


def _parts(call: Call) -> dict[bytes, bytes]:
    """The bodies of a multipart request's parts by name, byte for byte (RFC 2046, 5.1)."""
    match = _BOUNDARY.search(call.headers.get("content-type", ""))
    if match is None:
        raise bad("CLIENTINPUTERROR", "Multipart boundary missing")  # words unverified
    parts: dict[bytes, bytes] = {}
    for part in re.split(rb"(?:\A|\r?\n)--" + re.escape(match[1].encode()), call.body.read())[1:]:
        head, gap, content = part.lstrip(b" \t").removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not gap:
            head, gap, content = part.lstrip(b" \t\r\n").partition(b"\n\n")
        if (name := _PART_NAME.search(head)) and gap:
            parts[name[1]] = content
    if b"job" not in parts or b"content" not in parts:
        raise bad("CLIENTINPUTERROR", "The request needs the parts job and content")  # words unverified
    if len(parts[b"content"].decode("utf-8", "replace")) > MAX_INLINE:
        raise bad("CLIENTINPUTERROR", f"The content part has more than {MAX_INLINE} characters")  # words unverified
    return parts


def _inline_job(parts: dict[bytes, bytes]) -> dict[str, Any]:
    try:
        body = orjson.loads(parts[b"job"])
    except orjson.JSONDecodeError as error:
        raise bad("JSON_PARSER_ERROR", f"{error.msg} at [line:{error.lineno}, column:{error.colno}]") from None
    if not isinstance(body, dict):
        raise bad("JSON_PARSER_ERROR", "The job part must be a JSON object")
    return body
