"""Scheduled jobs: what they are (`definition`), when they are due (`timetable`), what became of them (`ledger`), and
the engine that runs each slot once (`engine`). The daemon joins the four.
"""

from leakwatch.jobs.definition import FLOWS, Job, load_jobs
from leakwatch.jobs.engine import JobEngine, RunFlow, open_engine
from leakwatch.jobs.ledger import JobStatus, Outcome, Phase, read_status
from leakwatch.jobs.timetable import Early, Slot, early_slots, last_due, next_due, wanted, wanted_now

__all__ = [
    "FLOWS",
    "Early",
    "Job",
    "JobEngine",
    "JobStatus",
    "Outcome",
    "Phase",
    "RunFlow",
    "Slot",
    "early_slots",
    "last_due",
    "load_jobs",
    "next_due",
    "open_engine",
    "read_status",
    "wanted",
    "wanted_now",
]
