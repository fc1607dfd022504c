"""The resources `updated` and `deleted` of an object (rules: `org/replication.py`)."""

from __future__ import annotations

from leakwatch.sandbox.org import replication, values
from leakwatch.sandbox.org.rest.http import Call, Reply, router


@router.on("GET", r"sobjects/(?P<sobject>\w+)/updated")
def updated(call: Call, sobject: str) -> Reply:
    """Ids created or changed in a window."""
    found, until = replication.updated(call.org, call.org.engine.object(sobject), call.query)
    return Reply(body={"ids": found, "latestDateCovered": values.instant_text(until)})


@router.on("GET", r"sobjects/(?P<sobject>\w+)/deleted")
def deleted(call: Call, sobject: str) -> Reply:
    """Ids deleted in a window, with when."""
    found, earliest, until = replication.deleted(call.org, call.org.engine.object(sobject), call.query)
    body = {
        "deletedRecords": found,
        "earliestDateAvailable": values.instant_text(earliest),
        "latestDateCovered": values.instant_text(until),
    }
    return Reply(body=body)
