"""When a job is due. Pure: the moment is given, nothing is stored.

A *slot* is one due time of one job. Each slot is served once. Of slots missed while nothing ran, only the latest is
served: no double weekly report, and no missed one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter

from leakwatch.jobs.definition import Job
from leakwatch.jobs.ledger import JobStatus, Outcome, Phase

FLOW_ORDER = ("mirror", "capture", "audit", "act", "report")  # each goes by what those before it brought in
INTERRUPTED_TRIES = 5  # of one slot: a job that kills its process must not do so for ever
_TICK = timedelta(microseconds=1)  # croniter looks strictly before a moment; a slot is due at its very moment


@dataclass(frozen=True, slots=True)
class Slot:
    """One due time of one job, and the how-manieth try at it this is."""

    job: str
    due: datetime  # aware UTC
    attempt: int = 1

    @property
    def id(self) -> str:
        """The name under which the engine runs it: the same slot and attempt is never run twice."""
        seconds = f"{self.due:%S}" if self.due.second else ""  # a timetable has none; what is asked for early may
        return f"{self.job}@{self.due:%Y%m%dT%H%M}{seconds}Z#{self.attempt}"


def last_due(job: Job, now: datetime) -> datetime:
    """Return the latest due time at or before `now` (aware), in UTC."""
    local = (now + _TICK).astimezone(ZoneInfo(job.time_zone))
    found: datetime = croniter(job.schedule, local).get_prev(datetime)
    return _once(job, found).astimezone(UTC)


def next_due(job: Job, now: datetime) -> datetime:
    """Return the first due time after `now` (aware), in UTC."""
    local = now.astimezone(ZoneInfo(job.time_zone))
    times = croniter(job.schedule, local)
    found: datetime = times.get_next(datetime)
    while _once(job, found).astimezone(UTC) <= now:
        found = times.get_next(datetime)
    return _once(job, found).astimezone(UTC)


def _once(job: Job, moment: datetime) -> datetime:
    """Return `moment`, or its first occurrence where clocks went back and the schedule names the hour.

    A job "at 02:30" is due once in the night that has two of them; a job "every 15 minutes" is due in both.
    """
    names_the_hour = not job.schedule.split()[1].startswith("*")
    return moment.replace(fold=0) if moment.fold and names_the_hour else moment


def wanted(job: Job, status: JobStatus, now: datetime) -> Slot | None:
    """Return the slot of `job` to run now, or None.

    None while it is switched off, paused, already asked for or running; before its first due time since it became
    known; when its latest slot was served; and while a failed one waits for its next try.
    """
    if not job.enabled or status.paused_reason is not None or status.phase is not Phase.IDLE:
        return None
    due = last_due(job, now)
    if due <= status.known_since:
        return None
    if status.outcome in (Outcome.POSTPONED, Outcome.BLOCKED) and status.retry_at and now < status.retry_at:
        return None
    if status.due is None or due > status.due:
        return Slot(job.name, due)
    if status.outcome in (Outcome.SUCCEEDED, Outcome.INCOMPLETE):
        return None
    if status.outcome is Outcome.INTERRUPTED:
        again = status.attempt < INTERRUPTED_TRIES
    else:
        again = status.retry_at is not None and now >= status.retry_at
    return Slot(job.name, status.due, status.attempt + 1) if again else None


@dataclass(frozen=True, slots=True)
class Early:
    """Why a flow may be wanted before its job is due.

    Attributes:
        flow: which.
        wanted: returns whether there is something for it to do.
        spacing: it begins so long after its last run ended, at the earliest.
    """

    flow: str
    wanted: Callable[[], bool]
    spacing: timedelta


def early_slots(jobs: Sequence[Job], statuses: Mapping[str, JobStatus], now: datetime, early: Early) -> list[Slot]:
    """Return the slots to run now although they are not due; none for a job that waits after a failure or is paused."""
    return [
        Slot(job.name, now.replace(microsecond=0))
        for job in jobs
        if job.flow == early.flow and job.enabled and _may_run_early(statuses[job.name], now, early.spacing)
    ]


def _may_run_early(status: JobStatus, now: datetime, spacing: timedelta) -> bool:
    if status.paused_reason is not None or status.phase is not Phase.IDLE:
        return False
    if status.outcome not in (Outcome.SUCCEEDED, Outcome.INCOMPLETE):
        return False  # never ran, or is tried again by its own rules
    since = now - status.finished_at if status.finished_at is not None else spacing
    after_last = status.due is None or now.replace(microsecond=0) > status.due
    return after_last and since >= spacing


def wanted_now(jobs: Sequence[Job], statuses: Mapping[str, JobStatus], now: datetime) -> list[Slot]:
    """Return the slots to run now, in the order of their flows; `statuses` by job name.

    What was missed while nothing ran is thus made up for as it would have happened. An `act` moreover waits for the
    audits that were due before it: nobody is told of findings that were not looked at again. While it waits for one
    that runs or is asked for, a `report` waits for it: else the report would say that nobody was told.
    """
    found: list[Slot] = []
    act_follows = False
    for job in sorted(jobs, key=lambda job: (FLOW_ORDER.index(job.flow), job.name)):
        slot = wanted(job, statuses[job.name], now)
        if slot is None or (job.flow == "report" and act_follows):
            continue
        if job.flow == "act" and _lacks_audit(slot, jobs, statuses):
            asked_for = {one.job for one in found}
            act_follows = act_follows or any(
                one.flow == "audit" and (one.name in asked_for or statuses[one.name].phase is not Phase.IDLE)
                for one in jobs
            )
            continue
        found.append(slot)
    return found


def _lacks_audit(slot: Slot, jobs: Sequence[Job], statuses: Mapping[str, JobStatus]) -> bool:
    """Return whether an audit that was due by then has not ended well since."""
    for job in jobs:
        status = statuses[job.name]
        if job.flow != "audit" or not job.enabled or status.paused_reason is not None:
            continue
        due = last_due(job, slot.due)
        if due > status.known_since and (status.last_success_at is None or status.last_success_at < due):
            return True
    return False
