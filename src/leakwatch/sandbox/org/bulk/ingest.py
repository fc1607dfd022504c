"""Ingest jobs: what they take, and how their records are written, 200 at a time.

A chunk is one transaction: what it did, how far the upload is read and how long the results are go into the org's
file together, so a job whose process died goes on where it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.bulk.columns import Column, fields_of, read_header
from leakwatch.sandbox.org.bulk.csv_io import DELIMITERS, LINE_ENDINGS, CsvError, Reader
from leakwatch.sandbox.org.bulk.jobs import INGEST, OPEN, Job, choice
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.errors import OrgError, bad, not_emulated, not_found
from leakwatch.sandbox.org.foreign import is_key, several
from leakwatch.sandbox.org.limits import ALLOCATIONS, DAY
from leakwatch.sandbox.org.schema import Field, SObject

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org

OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
FIRST_VERSION = 41.0
CHUNK = 200  # records of one transaction (guide, "How Requests Are Processed")
BATCH = 10_000  # records that count as one of the day's batches
BATCHES = "DailyBulkApiBatches"
TRIES = 10  # of a chunk whose rows are locked
LOCKED = "UNABLE_TO_LOCK_ROW"


def new_job(org: Org, body: dict[str, Any], caller: Caller) -> Job:
    """A job that a client asks for, not kept yet; raises OrgError for what an ingest job does not take."""
    if float(caller.version) < FIRST_VERSION:
        raise not_found()
    operation = choice(body, "operation", OPERATIONS)
    delimiter = choice(body, "columnDelimiter", tuple(DELIMITERS), "COMMA")
    ending = choice(body, "lineEnding", tuple(LINE_ENDINGS), "LF")
    choice(body, "contentType", ("CSV",), "CSV")
    sobject = org.schema.find(str(body.get("object")))
    if sobject is None:
        raise bad("INVALIDJOB", f"Unable to find object: {body.get('object')}")  # the words of version 1
    if operation == "hardDelete" and "BulkApiHardDelete" in org.settings.missing_permissions:
        said = "hardDelete operation requires special user profile permission, please contact your system administrator"
        raise bad("FEATURENOTENABLED", said)
    if body.get("assignmentRuleId"):
        raise not_emulated("assignment rules")
    now = org.now_text()
    return Job(
        id=org.bulk.jobs.new_id(),
        kind=INGEST,
        operation=operation,
        sobject=sobject.name,
        created_by=caller.user_id,
        created=now,
        stamp=now,
        version=caller.version,
        state=OPEN,
        delimiter=delimiter,
        line_ending=ending,
        key=_key(sobject, operation, body.get("externalIdFieldName")),
        app=caller.app,
    )


def _key(sobject: SObject, operation: str, name: object) -> str:
    """The name of the key field of an upsert; the refusals' words are unverified."""
    if operation != "upsert":
        return ""
    if not isinstance(name, str) or not name:
        raise bad("INVALIDJOB", "External ID field is required for upsert: externalIdFieldName")
    field = sobject.find(name)
    if field is None or not (field.name == "Id" or is_key(field)):
        raise bad("INVALIDJOB", f"Field name not found or not an external id : {name}")
    return field.name


def upload(org: Org, job: Job, content: IO[bytes]) -> None:
    """Keep the CSV of an open job, once; raises OrgError a second time, and when the job takes none any more."""
    if job.state != OPEN:  # the words are unverified
        raise bad("INVALIDJOBSTATE", f"Job is in {job.state} state, data can be uploaded in Open state only")
    if job.uploaded:
        said = (
            f"Found multiple contents for job: <{job.id}>, please 'Close' / 'Abort' / 'Delete' the current Job "
            "then create a new Job and make sure you only do 'PUT' once on a given Job."
        )
        raise bad("CLIENTINPUTERROR", said)
    content.seek(0)
    with org.bulk.jobs.file(job, "upload").open("wb") as target:
        shutil.copyfileobj(content, target, 1 << 20)
    job.uploaded = True
    org.bulk.jobs.put(job)


@dataclass(slots=True)
class Answer:
    """What became of one record."""

    record_id: str = ""
    created: bool = False
    error: OrgError | None = None


class Work:
    """The doing of one job, from wherever it is."""

    def __init__(self, org: Org, job: Job) -> None:
        """Take up a job; raises CsvError where its file cannot be read at all."""
        self._org = org
        self._sobject = org.schema.objects[job.sobject]
        self._caller = org.caller(job.created_by, app=job.app, version=job.version)
        self._file = org.bulk.jobs.file(job, "upload").open("rb")
        try:
            self._take_up(job)
        except BaseException:
            self._file.close()
            raise

    def _take_up(self, job: Job) -> None:
        self._reader = Reader(self._file, job.dialect, job.line_ending)
        if not self._reader.header:
            raise CsvError("InvalidBatch : Records not found")
        self._columns = read_header(self._org.schema, self._sobject, self._reader.header)
        if job.operation in ("delete", "hardDelete") and [one.field.name for one in self._columns] != ["Id"]:
            raise CsvError("InvalidBatch : The 'delete' batch must contain only ids")  # as clients report it
        for i, (name, first) in enumerate((("ok", ("sf__Id", "sf__Created")), ("failed", ("sf__Id", "sf__Error")))):
            path = self._org.bulk.jobs.file(job, name)
            if not job.offset:
                path.write_bytes(job.dialect.line([*first, *self._reader.header]))
            else:  # what was written after the last transaction that counted is written again
                with path.open("r+b") as file:
                    file.truncate(job.sizes[i])
        if job.offset:
            self._reader.seek(job.offset)

    def close(self) -> None:
        """Let go of the upload."""
        self._file.close()

    def chunk(self, job: Job) -> bool:
        """Write the next records, in the caller's transaction, and note it in `job`; False when there are no more.

        Raises CsvError for a record that cannot be read; those before it in the chunk are written.
        """
        records: list[list[str]] = []
        broken: CsvError | None = None
        try:
            records += islice(self._reader, CHUNK)
        except CsvError as error:
            broken = error
            records = self._readable(job)
        self._count(job, len(records))
        self._report(job, records, self._written(job, records))
        job.offset, job.header = self._reader.offset, self._reader.header_bytes
        if broken is not None:
            raise broken
        return len(records) == CHUNK

    def _readable(self, job: Job) -> list[list[str]]:
        """The records of a chunk before the one that cannot be read."""
        self._reader.seek(max(job.offset, self._reader.header_bytes))
        records: list[list[str]] = []
        try:
            for record in islice(self._reader, CHUNK):
                records.append(record)  # noqa: PERF402  what was read before the error is to stay
        except CsvError:
            pass
        return records

    def _count(self, job: Job, n: int) -> None:
        """Use one of the day's batches for each 10,000 records; raises CsvError when there are none left."""
        begun, after = -(-job.processed // BATCH), -(-(job.processed + n) // BATCH)
        for _ in range(after - begun):
            if not self._org.meters.take(BATCHES, ALLOCATIONS[BATCHES].most, DAY):
                raise CsvError("ExceededQuota : ApiBatchItems Limit exceeded.")

    # -- writing --------------------------------------------------------------------------------------------

    def _written(self, job: Job, records: Sequence[Sequence[str]]) -> list[Answer]:
        """Each record's outcome; rows that others hold are tried again, as the real service does."""
        seen: set[str] = set()
        answers = [self._one(job, record, seen) for record in records]
        for _ in range(TRIES):
            locked = [i for i, one in enumerate(answers) if one.error and one.error.error_code == LOCKED]
            if not locked:
                break
            job.retries += 1
            for i in locked:
                answers[i] = self._one(job, records[i], set())
        return answers

    def _one(self, job: Job, record: Sequence[str], seen: set[str]) -> Answer:
        answer = Answer()
        try:
            if len(record) > len(self._columns):  # the words are unverified
                raise bad("INVALID_FIELD", f"Found {len(record)} values for {len(self._columns)} columns")
            self._write(job, record, seen, answer)
        except OrgError as error:
            answer.error = error
        return answer

    def _write(self, job: Job, record: Sequence[str], seen: set[str], answer: Answer) -> None:
        org, name = self._org, self._sobject.name
        columns: Sequence[Column] = self._columns
        row = fields_of(org.store, columns, record)
        if job.operation == "insert":
            answer.record_id = org.create(name, row, user_id=self._caller)
            answer.created = True
        elif job.operation == "upsert":
            self._upsert(self._sobject.fields[job.key], row, seen, answer)
        else:
            answer.record_id = self._named(row.pop("Id", None), job.operation, seen)
            if job.operation == "update":
                org.update(name, answer.record_id, row, user_id=self._caller)
            elif job.operation == "delete":
                org.delete(name, answer.record_id, user_id=self._caller)
            else:
                org.delete_for_good(name, answer.record_id, user_id=self._caller)

    def _named(self, record_id: Any, operation: str, seen: set[str]) -> str:
        """The id of the row that a record is about."""
        if record_id is None:
            raise bad("MISSING_ARGUMENT", f"Id not specified in {'an update' if operation == 'update' else 'a'} call")
        normal = ids.normalise(record_id)
        if normal is None or self._org.schema.of_id(normal) is not self._sobject:
            raise bad("MALFORMED_ID", f"malformed id {record_id}")
        if normal in seen:
            raise bad("DUPLICATE_VALUE", f"Duplicate id in list: {record_id}")  # words unverified
        seen.add(normal)
        return normal

    def _upsert(self, key: Field, row: dict[str, Any], seen: set[str], answer: Answer) -> None:
        org, sobject = self._org, self._sobject
        value = row.pop(key.name, None)
        if key.name == "Id":
            if value is not None:
                answer.record_id = self._named(value, "update", seen)
                org.update(sobject.name, answer.record_id, row, user_id=self._caller)
                return
        elif value is None:
            raise bad("MISSING_ARGUMENT", f"{key.name} not specified")
        else:
            text = str(value)
            if text in seen:
                raise bad("DUPLICATE_VALUE", f"Duplicate external id specified: {text}", key.name)
            seen.add(text)
            found = org.store.find(sobject.name, key, value)
            if len(found) > 1:
                raise bad("DUPLICATE_EXTERNAL_ID", several(key, found), key.name)
            if found:
                answer.record_id = str(found[0]["Id"])
                org.update(sobject.name, answer.record_id, row, user_id=self._caller)
                return
            row[key.name] = value
        answer.record_id = org.create(sobject.name, row, user_id=self._caller)
        answer.created = True

    # -- results --------------------------------------------------------------------------------------------

    def _report(self, job: Job, records: Sequence[Sequence[str]], answers: Sequence[Answer]) -> None:
        width = len(self._columns)
        sizes: list[int] = []
        for name, failed in (("ok", False), ("failed", True)):
            with self._org.bulk.jobs.file(job, name).open("ab") as file:
                for record, one in zip(records, answers, strict=True):
                    if (one.error is not None) == failed:
                        told = error_text(one.error) if one.error else "true" if one.created else "false"
                        rest = [*record, *[""] * (width - len(record))]
                        file.write(job.dialect.line([one.record_id, told, *rest]))
                sizes.append(file.tell())
        job.sizes = (sizes[0], sizes[1])
        job.processed += len(records)
        job.failed += sum(1 for one in answers if one.error is not None)


def error_text(error: OrgError) -> str:
    """A refusal as `sf__Error` has it: code, words and the fields it names."""
    fields = f"{', '.join(error.fields)} " if error.fields else ""
    return f"{error.error_code}:{error.message}:{fields}--"
