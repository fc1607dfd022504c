"""The jobs of one org: what a client asked for, how far it is, and where its files are.

A job is a row of the org's own file, so that it survives a restart and goes with a saved state; its CSV is in
files beside it, because a hundred megabytes have no place in a database row.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leakwatch.sandbox.org.bulk.csv_io import DELIMITERS, LINE_ENDINGS, Dialect
from leakwatch.sandbox.org.errors import bad, not_found
from leakwatch.sandbox.org.ids import CREATED_POD, normalise
from leakwatch.sandbox.org.store import Store

PREFIX = "750"
QUERY, INGEST = "V2Query", "V2Ingest"
OPEN, UPLOADED, RUNNING = "Open", "UploadComplete", "InProgress"
COMPLETE, FAILED, ABORTED = "JobComplete", "Failed", "Aborted"
OVER = (COMPLETE, FAILED, ABORTED)
FOLDER = "bulk"
_TABLE = "CREATE TABLE IF NOT EXISTS _job (id TEXT PRIMARY KEY, spec TEXT NOT NULL) WITHOUT ROWID"


@dataclass(slots=True)
class Job:
    """One job."""

    id: str
    kind: str
    """`V2Query` or `V2Ingest`: the `jobType`."""
    operation: str
    sobject: str
    created_by: str
    created: str
    """Business time, as rows keep it."""
    stamp: str
    version: str
    """The API version it was made with, such as `66.0`."""
    state: str
    delimiter: str = "COMMA"
    line_ending: str = "LF"
    soql: str = ""
    key: str = ""
    """`externalIdFieldName` of an upsert."""
    app: str = ""
    """The connected app of whoever made it."""
    error: str = ""
    """`errorMessage` of a job that failed."""
    uploaded: bool = False
    processed: int = 0
    failed: int = 0
    retries: int = 0
    total_ms: int = 0
    active_ms: int = 0
    offset: int = 0
    """Bytes of the upload that are done with."""
    header: int = 0
    """Bytes of the upload's header."""
    sizes: tuple[int, int] = (0, 0)
    """Bytes of the successful and of the failed results that belong to what is done with."""
    started: float = 0.0
    """Wall time at which work began."""
    polls: int = 0
    """How often the present state was asked for, where that is what moves jobs."""
    patience: float = 0.0
    """What a fault adds to the time that a state takes: wall seconds, or polls."""
    asked: bool = False
    """Whether faults had their say."""
    done: bool = False
    """Whether the work is done, though the job may show it later."""

    @property
    def dialect(self) -> Dialect:
        """How its CSV is written."""
        return Dialect(DELIMITERS[self.delimiter], LINE_ENDINGS[self.line_ending])

    def body(self, *, whole: bool) -> dict[str, Any]:
        """The job as a call answers it; `whole` with what only a question about the one job shows."""
        told: dict[str, Any] = {
            "id": self.id,
            "operation": self.operation,
            "object": self.sobject,
            "createdById": self.created_by,
            "createdDate": self.created,
            "systemModstamp": self.stamp,
            "state": self.state,
        }
        if self.key:
            told["externalIdFieldName"] = self.key
        told |= {"concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": float(self.version)}
        if self.kind == INGEST or whole:
            told["jobType"] = self.kind
        if self.kind == INGEST and self.state == OPEN:
            told["contentUrl"] = f"services/data/v{self.version}/jobs/ingest/{self.id}/batches"
        told |= {"lineEnding": self.line_ending, "columnDelimiter": self.delimiter}
        return told | (self._figures() if whole else {})

    def _figures(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if self.error:
            told["errorMessage"] = self.error
        if self.kind == QUERY or self.state != OPEN:
            told["numberRecordsProcessed"] = self.processed
        if self.kind == INGEST and self.state != OPEN:
            told["numberRecordsFailed"] = self.failed
        told |= {"retries": self.retries, "totalProcessingTime": self.total_ms}
        if self.kind == INGEST:
            told |= {"apiActiveProcessingTime": self.active_ms, "apexProcessingTime": 0}
        return told | {"isPkChunkingSupported": self.kind == QUERY}


class Jobs:
    """The jobs, and the folder of their files."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self.folder = folder / FOLDER
        self.load()

    def load(self) -> None:
        """Make what is not there yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._store.transaction():
            self._store.execute(_TABLE)

    def new_id(self) -> str:
        """The id of a job to be."""
        return self._store.next_id(PREFIX, CREATED_POD)

    def put(self, job: Job) -> None:
        """Keep a job as it is now."""
        spec = json.dumps(asdict(job), sort_keys=True)
        self._store.execute("INSERT OR REPLACE INTO _job VALUES (?, ?)", (job.id, spec))

    def find(self, job_id: str, kind: str | None = None) -> Job | None:
        """The job of that id (15 or 18 characters), of any kind or of one."""
        row = self._store.execute("SELECT spec FROM _job WHERE id = ?", (normalise(job_id) or "",)).fetchone()
        job = None if row is None else _job(row["spec"])
        return job if job is not None and kind in (None, job.kind) else None

    def get(self, job_id: str, kind: str) -> Job:
        """The job of that id and kind, or 404 in the words of the guide ("Get Information About a Query Job")."""
        job = self.find(job_id, kind)
        if job is None:
            raise not_found()
        return job

    def all(self) -> Iterator[Job]:
        """Every job, in the order of their ids, which is that of their making."""
        for row in self._store.execute("SELECT spec FROM _job ORDER BY id").fetchall():
            yield _job(row["spec"])

    def remove(self, job: Job) -> None:
        """Forget a job with its files."""
        self._store.execute("DELETE FROM _job WHERE id = ?", (job.id,))
        for path in self.folder.glob(f"{job.id}.*"):
            path.unlink(missing_ok=True)

    def file(self, job: Job, name: str) -> Path:
        """Where one of a job's files is: `rows`, `upload`, `ok` or `failed`."""
        return self.folder / f"{job.id}.{name}"

    def save(self, folder: Path) -> None:
        """Copy the files into a folder; the rows go with the org's own."""
        shutil.rmtree(folder / FOLDER, ignore_errors=True)
        shutil.copytree(self.folder, folder / FOLDER)

    def restore(self, folder: Path) -> None:
        """Go back to the files of a saved state; a folder of before there were jobs has none."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if (folder / FOLDER).exists():
            shutil.copytree(folder / FOLDER, self.folder)
        self.load()


def choice(body: dict[str, Any], name: str, known: tuple[str, ...], default: str | None = None) -> str:
    """One of the values that a property of a new job may have; raises OrgError for another (words unverified)."""
    value = body.get(name) or default
    if not isinstance(value, str) or value not in known:
        raise bad("INVALIDJOB", f"Unsupported value for {name}: {value}. Supported values: {', '.join(known)}")
    return value


def _job(spec: str) -> Job:
    known = json.loads(spec)
    known["sizes"] = tuple(known["sizes"])
    return Job(**known)
