"""The job engine: runs each slot once, one flow at a time, durably. The daemon knows only `JobEngine`.

Behind it stands DBOS Transact on SQLite, with the guards of docs/decisions/0002-job-engine-dbos.md. `dbos` is imported
when the engine starts, not before: it takes more than a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import structlog

from leakwatch import faultpoints, log
from leakwatch.errors import StoppedError
from leakwatch.jobs.aftermath import FIRST_BACKOFF, after_end, after_error, after_stop
from leakwatch.jobs.dbos_guards import json_serializer, quiet_logger
from leakwatch.jobs.definition import Job
from leakwatch.jobs.ledger import JOBS_FILE, JobStatus, Ledger, Outcome, Phase, open_database
from leakwatch.jobs.timetable import Slot, next_due
from leakwatch.model import Run
from leakwatch.ports import Clock

JOB_SCHEMA = "1"  # raise by hand when the arguments of `run_slot` change: workers take only runs of their own number
EXECUTOR = "embedded"  # fixed: what a killed process left behind is taken up by the next one on the same store
QUEUE = "leakwatch"
KEEP_FINISHED = timedelta(days=30)
DELETE_AT_ONCE = 500  # finished runs forgotten per call, so that the file is never locked for long

RunFlow = Callable[[str, Mapping[str, Any], Callable[[], bool]], Run]
"""`run_flow(flow, options, should_stop) -> Run`. A flow asks `should_stop()` between its pages or batches and, if it
says True, ends where it can go on later, returning a Run with `complete=False`."""

_logger = log.get("leakwatch.jobs")


@dataclass(frozen=True, slots=True)
class Running:
    """The job that runs now. `deadline` is in the clock's monotonic seconds."""

    slot: Slot
    deadline: float


class JobEngine(Protocol):
    """All that the daemon asks of a job engine."""

    def schedule(self, jobs: Sequence[Job], *, now: datetime) -> None:
        """Take `jobs` as the jobs there are. What an earlier process left unfinished is marked interrupted."""
        ...

    def enqueue(self, slot: Slot) -> None:
        """Have `slot` run, once, however often it is asked for."""
        ...

    def status(self) -> Sequence[JobStatus]:
        """Return the status of every job known, by name."""
        ...

    def running(self) -> Running | None:
        """Return what runs now, if anything does."""
        ...

    def pause(self, job: str, reason: str | None) -> None:
        """Ask for no more runs of `job`, for `reason`; None lets it go on."""
        ...

    def retry_failed(self, job: str, *, now: datetime) -> None:
        """Let the last slot of `job` be tried again at once, if it did not succeed."""
        ...

    def tidy(self, *, now: datetime) -> int:
        """Forget runs that finished long ago; return how many."""
        ...

    def drain(self, limit: timedelta) -> bool:
        """Start nothing new, ask what runs to stop, wait up to `limit`; return whether nothing runs any more."""
        ...


def open_engine(
    store_folder: Path, run_flow: RunFlow, *, clock: Clock, poll: timedelta = timedelta(seconds=1)
) -> JobEngine:
    """Return the embedded engine on `store_folder`. The caller holds the daemon's lock.

    `poll` is how often the queue is looked at: the longest a due job waits.
    """
    return DbosEngine(store_folder / JOBS_FILE, run_flow, clock=clock, poll=poll)


class DbosEngine:
    """DBOS Transact in this process, over a SQLite file of its own."""

    def __init__(self, path: Path, run_flow: RunFlow, *, clock: Clock, poll: timedelta) -> None:
        self._path = path
        self._run_flow = run_flow
        self._clock = clock
        self._poll = poll
        self._database = open_database(path)
        self._ledger = Ledger(self._database)
        self._jobs: dict[str, Job] = {}
        self._stopping = threading.Event()
        self._idle = threading.Condition()
        self._running: Running | None = None
        self._blocked: dict[str, str | None] = {}  # what was said about each blocked job, once
        self._dbos: Any = None
        self._workflow: Any = None

    def schedule(self, jobs: Sequence[Job], *, now: datetime) -> None:
        """Take `jobs` as the jobs there are, and start the engine on the first call."""
        self._jobs = {job.name: job for job in jobs}
        for left in self._ledger.all():
            if left.job not in self._jobs:
                self._ledger.change(left.job, phase=Phase.IDLE, slot_id=None, next_due=None)
        for job in jobs:
            known = self._ledger.get(job.name)
            changes: dict[str, Any] = {
                "flow": job.flow,
                "schedule": job.schedule,
                "time_zone": job.time_zone,
                "next_due": next_due(job, now) if job.enabled else None,
            }
            if known is None:
                self._ledger.add(JobStatus(job=job.name, known_since=now, **changes))
                continue
            if known.phase is not Phase.IDLE:
                # The process that ran it is gone (we hold its lock). No slot id may run now until one is asked for
                # anew: what the engine recovers by itself then sees that it is not wanted any more.
                changes |= {"phase": Phase.IDLE, "outcome": Outcome.INTERRUPTED, "slot_id": None}
            elif known.outcome in (Outcome.POSTPONED, Outcome.BLOCKED, Outcome.FAILED):
                changes["retry_at"] = now  # a restart is how a person says "try again"
            self._ledger.change(job.name, **changes)
        if self._dbos is None:
            self._launch()

    def enqueue(self, slot: Slot) -> None:
        """Write down that `slot` is wanted, then hand it to the queue."""
        known = self._ledger.get(slot.job)
        if known is not None and (known.due, known.attempt) == (slot.due, slot.attempt):
            return
        following = next_due(self._jobs[slot.job], self._clock.now())
        self._ledger.change(
            slot.job, phase=Phase.QUEUED, due=slot.due, attempt=slot.attempt, slot_id=slot.id, next_due=following
        )
        faultpoints.reach("jobs.slot.asked")
        from dbos import SetWorkflowID

        try:
            with SetWorkflowID(slot.id):
                self._dbos.enqueue_workflow(QUEUE, self._workflow, slot.job, slot.id)
        except Exception as error:  # e.g. the disk is full: the job waits, the daemon goes on
            now = self._clock.now()
            text = f"the job queue could not be written: {error}"
            _logger.exception(log.Event.JOB_POSTPONED, job=slot.job, error=text)
            self._ledger.change(
                slot.job,
                phase=Phase.IDLE,
                slot_id=None,
                outcome=Outcome.POSTPONED,
                error=text,
                retry_at=now + FIRST_BACKOFF,
            )

    def status(self) -> Sequence[JobStatus]:
        """Return the ledger's rows."""
        return self._ledger.all()

    def running(self) -> Running | None:
        """Return what runs now."""
        return self._running

    def pause(self, job: str, reason: str | None) -> None:
        """Note why `job` is not to run; None takes the note away."""
        self._ledger.change(job, paused_reason=reason)

    def retry_failed(self, job: str, *, now: datetime) -> None:
        """Move the next try of `job` to `now`."""
        self._ledger.change(job, retry_at=now)

    def tidy(self, *, now: datetime) -> int:
        """Delete finished runs older than KEEP_FINISHED: the open package never does."""
        before = (now - KEEP_FINISHED).isoformat()
        finished = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
        forgotten = 0
        while not self._stopping.is_set():
            old = self._dbos.list_workflows(
                status=finished, end_time=before, limit=DELETE_AT_ONCE, load_input=False, load_output=False
            )
            if not old:
                break
            self._dbos.delete_workflows([run.workflow_id for run in old])
            forgotten += len(old)
        return forgotten

    def drain(self, limit: timedelta) -> bool:
        """Stop the engine if what runs ends within `limit`; else leave it to the caller to end the process."""
        with self._idle:
            self._stopping.set()
            idle = self._idle.wait_for(lambda: self._running is None, timeout=limit.total_seconds())
        if idle and self._dbos is not None:
            self._dbos.destroy(destroy_registry=True)
            self._dbos = None
            self._database.dispose()
        return idle

    # --- inside ---

    def _launch(self) -> None:
        quiet_logger()
        from dbos import DBOS, DBOSConfig

        config: DBOSConfig = {
            "name": "leakwatch",
            "system_database_url": f"sqlite:///{self._path}",
            "system_database_engine": self._database,
            "serializer": json_serializer(),
            "application_version": JOB_SCHEMA,
            "executor_id": EXECUTOR,
            "log_level": "WARNING",
            "enable_otlp": False,
            "max_executor_threads": 4,
            "scheduler_polling_interval_sec": 3600.0,  # we keep the timetable ourselves: it has nothing to find
            "notification_listener_polling_interval_sec": 0.5,  # stopping waits for this one
        }
        self._dbos = DBOS(config=config)
        self._workflow = DBOS.workflow(name="leakwatch.run_slot")(self._make_workflow(DBOS))
        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            global_concurrency=1,
            polling_interval_sec=self._poll.total_seconds(),
            on_conflict="always_update",
        )

    def _make_workflow(self, dbos: Any) -> Callable[[str, str], str]:
        def run_slot(job: str, slot_id: str) -> str:
            # All I/O is in the step; a workflow body must be repeatable.
            return str(dbos.run_step({"name": "run_flow"}, self._run_slot, job, slot_id))

        return run_slot

    def _run_slot(self, name: str, slot_id: str) -> str:
        """Run the slot if it is the one wanted now; return its outcome in one word. Never raises."""
        status, job = self._ledger.get(name), self._jobs.get(name)
        if status is None or job is None or status.slot_id != slot_id or status.due is None:
            return "superseded"
        deadline = self._clock.monotonic() + job.timeout.total_seconds()
        with self._idle:
            if self._stopping.is_set():
                return "not started"  # the ledger still says queued: the next start asks for it again
            self._running = Running(Slot(name, status.due, status.attempt), deadline)
        try:
            with structlog.contextvars.bound_contextvars(job=name, slot=slot_id):
                return self._run_and_note(job, status, deadline)
        finally:
            with self._idle:
                self._running = None
                self._idle.notify_all()

    def _run_and_note(self, job: Job, status: JobStatus, deadline: float) -> str:
        started = self._clock.now()
        self._ledger.change(job.name, phase=Phase.RUNNING, started_at=started, finished_at=None)
        _logger.info(log.Event.JOB_STARTED, flow=job.flow, attempt=status.attempt)
        faultpoints.reach("jobs.run.started")

        def should_stop() -> bool:
            return self._stopping.is_set() or self._clock.monotonic() > deadline

        try:
            run = self._run_flow(job.flow, job.options, should_stop)
        except StoppedError as error:
            changes = after_stop(job, None, str(error), stopping=self._stopping.is_set())
        except Exception as error:  # noqa: BLE001  a failing job never stops the daemon
            changes = after_error(error, status, now=self._clock.now(), said=self._blocked.get(job.name))
        else:
            if not run.complete and should_stop():
                changes = after_stop(job, run.run_id, run.error, stopping=self._stopping.is_set())
            else:
                changes = after_end(run, now=self._clock.now())
        self._blocked[job.name] = changes["error"] if changes["outcome"] is Outcome.BLOCKED else None
        faultpoints.reach("jobs.run.finished")
        finished = self._clock.now()
        self._ledger.change(job.name, phase=Phase.IDLE, finished_at=finished, slot_id=None, **changes)
        if changes["outcome"] in (Outcome.SUCCEEDED, Outcome.INCOMPLETE):
            seconds = round((finished - started).total_seconds(), 3)
            _logger.info(
                log.Event.JOB_FINISHED,
                flow=job.flow,
                run_id=changes["run_id"],
                outcome=changes["outcome"],
                seconds=seconds,
            )
        return str(changes["outcome"])
