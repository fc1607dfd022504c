"""What can be made to go wrong with a whole job; its single rows go wrong at the points of all writing."""

from __future__ import annotations

from leakwatch.sandbox.org.trouble import Happening, deed


class JobFailedError(Exception):
    """The job fails: its `errorMessage`."""


@deed("fail_job", at="bulk.job")
def fail_job(happening: Happening) -> None:
    """The job ends as Failed with the rule's `body` (text) as its `errorMessage`."""
    said = happening.rule.body
    # where the rule says nothing, what failed batches of a query are reported with
    raise JobFailedError(said if isinstance(said, str) else "InternalServerError : Retried more than 15 times")


@deed("slow_job", at="bulk.job")
def slow_job(happening: Happening) -> float:
    """The job waits the rule's `seconds` longer in UploadComplete, or as many polls where polls move jobs."""
    return happening.rule.seconds
