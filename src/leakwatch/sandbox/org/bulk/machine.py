"""What moves jobs from state to state, and who does their work.

`UploadComplete → InProgress → JobComplete`: each of the two waits lasts `bulk_wait_ms` of wall time, so that a client
that sleeps between its questions sees the job end although nobody moves the business clock; a clock that is moved
ends it sooner. With `bulk_polls` set, the job's own client moves it instead, by asking so many times: then
everything happens in the same order in every run.

The work itself is done by a thread, beside all calls: a query job reads one snapshot, an ingest job takes the
writer's place for each chunk. After a restart it begins again (query) or goes on (ingest). Counted by polls, it is
done within the poll.
"""

from __future__ import annotations

import sys
import threading
import traceback
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from leakwatch.sandbox.org import agenda
from leakwatch.sandbox.org.bulk import ingest, query
from leakwatch.sandbox.org.bulk.csv_io import CsvError
from leakwatch.sandbox.org.bulk.faults import JobFailedError
from leakwatch.sandbox.org.bulk.jobs import (
    ABORTED,
    COMPLETE,
    FAILED,
    INGEST,
    OPEN,
    OVER,
    QUERY,
    RUNNING,
    UPLOADED,
    Job,
    Jobs,
)
from leakwatch.sandbox.org.bulk.results import Result
from leakwatch.sandbox.org.errors import OrgError, bad

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org

OPEN_FOR = timedelta(hours=24)  # how long a job may wait for its data; that it is aborted then is unverified
KEPT_FOR = timedelta(days=7)  # jobs and results ("Bulk API and Bulk API 2.0 Limits and Allocations")
_BREATH = 0.001  # seconds between two chunks, in which others may write


class Bulk:
    """The jobs of one org, running."""

    def __init__(self, org: Org, folder: Path) -> None:
        self._org = org
        self.jobs = Jobs(org.store, folder)
        self._stops: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}

    def resume(self) -> None:
        """Take up jobs that nothing moves: after a restart, and where polls no longer do."""
        if self._org.settings.bulk_polls:
            return
        for job in self.jobs.all():
            if job.state == UPLOADED:
                self._later("bulk.start", job, self._wait)  # what is on the agenda twice happens once
            elif job.state == RUNNING and job.done:
                self._later("bulk.finish", job, 0)
            elif job.state == RUNNING and job.id not in self._threads:
                self._begin(job)

    # -- what clients do ------------------------------------------------------------------------------------

    def opened(self, job: Job) -> None:
        """Keep a new job that waits for its data; in a transaction."""
        self.jobs.put(job)
        self._at("bulk.overdue", job, self._org.clock.now() + OPEN_FOR)
        self._at("bulk.expire", job, self._org.clock.now() + OPEN_FOR + KEPT_FOR)

    def queued(self, job: Job) -> None:
        """Keep a job that is ready for work; in a transaction."""
        self._to(job, UPLOADED)
        if job.kind == QUERY:
            self._at("bulk.expire", job, self._org.clock.now() + KEPT_FOR)
        self._later("bulk.start", job, self._wait)

    def close_upload(self, job: Job) -> None:
        """Take `UploadComplete` for an ingest job; in a transaction."""
        if job.state != OPEN:  # built like the words for Aborted; unverified
            raise bad("INVALIDJOBSTATE", f"Closing already {_said(job)} Job not allowed")
        self.queued(job)

    def abort(self, job: Job) -> None:
        """Take `Aborted`; in a transaction."""
        if job.state in OVER:
            raise bad("INVALIDJOBSTATE", f"Aborting already {_said(job)} Job not allowed")
        self._leave_off(job)
        self._to(job, ABORTED)

    def delete(self, job: Job) -> None:
        """Forget a job; in a transaction. Raises OrgError while it is worked on."""
        if job.kind == QUERY and job.state not in OVER:
            # guide, "Delete a Query Job"
            raise bad("API_ERROR", "Error encountered when deleting the job because the job is not terminated")
        if job.state in (OPEN, RUNNING):  # the words are unverified
            raise bad("INVALIDJOBSTATE", f"Deleting {_said(job)} Job not allowed")
        self.jobs.remove(job)

    def seen(self, job_id: str, kind: str) -> Job:
        """A job as its client sees it who asks now: where polls move jobs, this one counts. Raises OrgError 404."""
        job = self.jobs.get(job_id, kind)
        polls = self._org.settings.bulk_polls
        if not polls or job.state not in (UPLOADED, RUNNING):
            return job
        with self._org.store.writing():
            with self._org.store.transaction():
                job = self.jobs.get(job_id, kind)
                job.polls += 1
                self.jobs.put(job)
            if job.polls > polls + job.patience:
                self._move(job)
            return self.jobs.get(job_id, kind)

    def _move(self, job: Job) -> None:
        if job.state == UPLOADED:
            with self._org.store.transaction():
                self.start(job.id)
                job = self.jobs.get(job.id, job.kind)
                if job.state == RUNNING:  # which this poll sees
                    job.polls = 1
                    self.jobs.put(job)
        else:
            self._work(job, threading.Event())
            with self._org.store.transaction():
                self.finish(job.id)

    # -- states ---------------------------------------------------------------------------------------------

    @property
    def _wait(self) -> float:
        return self._org.settings.bulk_wait_ms / 1000

    def _to(self, job: Job, state: str, error: str = "") -> None:
        job.state, job.error, job.polls = state, error, 0
        job.stamp = self._org.now_text()
        self.jobs.put(job)

    def _later(self, kind: str, job: Job, seconds: float) -> None:
        if not self._org.settings.bulk_polls:
            at = self._org.clock.now() + timedelta(seconds=seconds + 1)  # whole seconds: not before its time
            self._org.agenda.add(kind, {"job": job.id}, at=at, seconds=seconds)

    def _at(self, kind: str, job: Job, at: datetime) -> None:
        self._org.agenda.add(kind, {"job": job.id}, at=at)

    def start(self, job_id: str) -> None:
        """Set a job to work; in a transaction."""
        job = self.jobs.find(job_id)
        if job is None or job.state != UPLOADED:
            return
        if not job.asked:
            job.asked = True
            try:
                held = self._org.trouble.at("bulk.job", f"{job.operation} {job.sobject} {job.id}")
            except JobFailedError as fault:
                self._to(job, FAILED, str(fault))
                return
            job.patience = float(held or 0)
            if job.patience:
                self.jobs.put(job)
                self._later("bulk.start", job, job.patience)
                return
        job.patience, job.started = 0.0, self._org.sessions.wall_clock()
        self._to(job, RUNNING)
        if not self._org.settings.bulk_polls:
            self._begin(job)

    def finish(self, job_id: str) -> None:
        """End a job whose work is done; in a transaction."""
        job = self.jobs.find(job_id)
        if job is None or job.state != RUNNING or not job.done:
            return
        job.total_ms = round((self._org.sessions.wall_clock() - job.started) * 1000)
        self._to(job, FAILED if job.error else COMPLETE, job.error)
        if job.kind == QUERY and not job.error:
            size = Result(self.jobs.file(job, "rows")).size()
            self._org.meters.add(query.STORED_MB, -(-size // 1_000_000))

    def overdue(self, job_id: str) -> None:
        """Abort a job whose data never came; in a transaction."""
        job = self.jobs.find(job_id)
        if job is not None and job.state == OPEN:
            self._to(job, ABORTED)

    def expire(self, job_id: str) -> None:
        """Forget a job whose time is over; in a transaction."""
        job = self.jobs.find(job_id)
        if job is not None:
            self._leave_off(job)
            self.jobs.remove(job)

    # -- work -----------------------------------------------------------------------------------------------

    def _begin(self, job: Job) -> None:
        stop = self._stops[job.id] = threading.Event()
        thread = threading.Thread(target=self._work_beside, args=(job, stop), name=job.id, daemon=True)
        self._threads[job.id] = thread
        thread.start()

    def _leave_off(self, job: Job) -> None:
        if stop := self._stops.get(job.id):
            stop.set()

    def _work_beside(self, job: Job, stop: threading.Event) -> None:
        try:
            self._work(job, stop)
            if not stop.is_set():
                with self._org.store.transaction():
                    spent = self._org.sessions.wall_clock() - job.started
                    self._later("bulk.finish", job, max(0.0, self._wait - spent))
        finally:
            self._threads.pop(job.id, None)
            self._stops.pop(job.id, None)

    def _work(self, job: Job, stop: threading.Event) -> None:
        """Do all of a job's work; what it fails with is in its `error` afterwards."""
        before = self._org.sessions.wall_clock()
        error, rows = "", job.processed
        try:
            if job.kind == INGEST:
                self._ingest(job.id, stop)
            else:
                rows = query.run(self._org, job, stop)
        except CsvError as fault:
            error = str(fault)
        except OrgError as fault:  # what was there when the job was made is gone: a field, an object
            error = f"{fault.error_code} : {fault.message}"
        except Exception as fault:  # noqa: BLE001  a fault of ours ends this job, and nothing else
            traceback.print_exc()
            sys.stderr.write(f"leakwatch sandbox: bulk job {job.id} failed as told above\n")
            error = f"UnknownException : {type(fault).__name__}"
        with self._org.store.transaction():
            now = self.jobs.find(job.id)
            if now is None or now.state != RUNNING or stop.is_set():
                return
            now.error, now.done = error, True
            now.active_ms = round((self._org.sessions.wall_clock() - before) * 1000)
            if job.kind == QUERY:
                now.processed = rows
            self.jobs.put(now)

    def _ingest(self, job_id: str, stop: threading.Event) -> None:
        store = self._org.store
        job = self.jobs.get(job_id, INGEST)
        if not job.uploaded:
            raise CsvError("InvalidBatch : Records not found")
        work = ingest.Work(self._org, job)
        try:
            more, fault = True, None
            while more and fault is None and not stop.is_set():
                with store.transaction():
                    job = self.jobs.get(job_id, INGEST)
                    if job.state != RUNNING:
                        return
                    try:
                        more = work.chunk(job)
                    except CsvError as error:
                        fault = error
                    self.jobs.put(job)
                stop.wait(_BREATH if more and not self._org.settings.bulk_polls else 0)
            if fault is not None:
                raise fault
        finally:
            work.close()

    # -- whole states ---------------------------------------------------------------------------------------

    def wait(self) -> None:
        """Wait until no job is worked on; not to be called by who holds the writer's place."""
        for thread in list(self._threads.values()):
            thread.join()

    def settle(self) -> None:
        """Let go of all work, which `resume` takes up again; not to be called by who holds the writer's place."""
        for stop in list(self._stops.values()):
            stop.set()
        self.wait()


def _said(job: Job) -> str:
    return "Completed" if job.state == COMPLETE else job.state


for _kind, _done in (
    ("start", Bulk.start),
    ("finish", Bulk.finish),
    ("overdue", Bulk.overdue),
    ("expire", Bulk.expire),
):
    agenda.deed(f"bulk.{_kind}")(lambda org, facts, done=_done: done(org.bulk, facts["job"]))
