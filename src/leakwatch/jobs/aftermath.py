"""What a run that ended, well or not, makes of its job: wait for the next slot, for another try, or for a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from leakwatch import log
from leakwatch.errors import LeakwatchError, TransientError
from leakwatch.jobs.definition import Job
from leakwatch.jobs.ledger import JobStatus, Outcome
from leakwatch.model import Run

FIRST_BACKOFF = timedelta(minutes=1)
LONGEST_BACKOFF = timedelta(minutes=15)
BLOCKED_RETRY = timedelta(hours=1)  # how soon mended credentials are noticed without a restart
FAILED_TRIES = 3  # of one slot, for errors nobody foresaw
FAILED_RETRY = timedelta(minutes=15)

EXIT_CREDENTIALS, EXIT_TEMPORARY = 3, 75  # what `errors.py` says happens next

_logger = log.get("leakwatch.jobs")


def after_end(run: Run, *, now: datetime) -> dict[str, Any]:
    """Return what a run that came to its end makes of its job, as changes to its status."""
    return {
        "run_id": run.run_id,
        "error": run.error,
        "outcome": Outcome.SUCCEEDED if run.complete else Outcome.INCOMPLETE,
        "failures": 0,
        "retry_at": None,
        "last_success_at": now,
    }


def after_stop(job: Job, run_id: str | None, error: str | None, *, stopping: bool) -> dict[str, Any]:
    """Return what a run that was asked to stop makes of its job: the daemon is `stopping`, or else its time was up."""
    changes: dict[str, Any] = {"run_id": run_id, "error": error}
    if stopping:
        return changes | {"outcome": Outcome.INTERRUPTED}
    minutes = job.timeout.total_seconds() / 60
    text = f"stopped after its time limit of {minutes:g} min; what it did is kept and the next run goes on"
    _logger.error(log.Event.JOB_FAILED, flow=job.flow, run_id=run_id, error=text)
    return changes | {"outcome": Outcome.FAILED, "error": text, "retry_at": None}


def after_error(error: Exception, status: JobStatus, *, now: datetime, said: str | None) -> dict[str, Any]:
    """Return what a raised error makes of a job, as changes to its status, and log it.

    `said` is the text with which this job was last reported blocked: the same is not said again.
    """
    failures = status.failures + 1
    text = str(error) or type(error).__name__
    known = isinstance(error, LeakwatchError)
    if known and error.exit_code == EXIT_TEMPORARY:
        asked = error.retry_after if isinstance(error, TransientError) else None
        wait = max(asked or timedelta(0), min(FIRST_BACKOFF * 2 ** min(failures - 1, 10), LONGEST_BACKOFF))
        _logger.warning(log.Event.JOB_POSTPONED, flow=status.flow, error=text, again_in_s=int(wait.total_seconds()))
        outcome, retry_at = Outcome.POSTPONED, now + wait
    elif known and error.exit_code == EXIT_CREDENTIALS:
        if said != text:
            _logger.error(log.Event.JOB_BLOCKED, flow=status.flow, error=text)
        outcome, retry_at = Outcome.BLOCKED, now + BLOCKED_RETRY
    else:
        # A foreseen refusal (SafetyError and the like) would only be refused again: it waits for its next slot.
        again = not known and status.attempt < FAILED_TRIES
        _logger.error(log.Event.JOB_FAILED, flow=status.flow, error=text, exc_info=None if known else error)
        outcome, retry_at = Outcome.FAILED, (now + FAILED_RETRY if again else None)
    return {"outcome": outcome, "error": text, "run_id": None, "failures": failures, "retry_at": retry_at}
