"""The resources `limits` and `limits/recordCount`."""

from __future__ import annotations

from leakwatch.sandbox.org import limits as allocations
from leakwatch.sandbox.org.errors import not_found
from leakwatch.sandbox.org.indexes import quote
from leakwatch.sandbox.org.rest.http import Call, Reply, router
from leakwatch.sandbox.org.schema import SObject

_NOT_COUNTED = ("ChangeEvent", "Feed", "History", "OwnerSharingRule", "Share")
"""Ends of the names of associated objects, which the resource leaves out ("Record Count")."""
_HISTORY = "OpportunityHistory"
"""An object of its own for all its name."""


@router.on("GET", r"limits")
def limits(call: Call) -> Reply:
    """What is left of each allocation."""
    return Reply(body=allocations.listed(call.org, int(float(call.version))))


@router.on("GET", r"limits/recordCount")
def record_count(call: Call) -> Reply:
    """How many records objects have, without deleted and archived ones; unknown names are ignored (v40 and later)."""
    if float(call.version) < 40:
        raise not_found()
    names = call.query.get("sObjects")
    schema = call.org.schema
    wanted = names.split(",") if names is not None else sorted(schema.objects)
    found = dict.fromkeys(one.name for name in wanted if (one := schema.find(name.strip())))
    counted = [schema.objects[name] for name in found if name == _HISTORY or not name.endswith(_NOT_COUNTED)]
    return Reply(body={"sObjects": [{"count": _count(call, one), "name": one.name} for one in counted]})


def _count(call: Call, sobject: SObject) -> int:
    tests = [f"{name} = 0" for name in ("IsDeleted", "IsArchived") if name in sobject.fields]
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    return int(call.org.store.execute(f"SELECT COUNT(*) FROM {quote(sobject.name)}{where}").fetchone()[0])
