"""describeGlobal, describe and basic information, and the conditional requests that they understand.

REST guide, "Describe Global", "sObject Describe" and "Conditional Request Headers". Layouts, list views and
quick actions are named as not emulated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from leakwatch.sandbox.org import values
from leakwatch.sandbox.org.describe import changed_at, describe, global_describe, summary
from leakwatch.sandbox.org.rest.http import Call, Reply, router

NOT_MODIFIED, PRECONDITION_FAILED = 304, 412


@router.on("GET", r"sobjects")
def global_list(call: Call) -> Reply:
    """DescribeGlobal."""
    return _conditional(call, lambda: global_describe(call.org.schema, call.version))


@router.on("GET", r"sobjects/(?P<sobject>\w+)/describe")
def describe_object(call: Call, sobject: str) -> Reply:
    """Describe one object."""
    org = call.org
    one = org.engine.object(sobject)
    host = f"https://{call.headers.get('host', 'localhost')}"
    return _conditional(call, lambda: describe(org.schema, org.store, one, call.version, host))


@router.on("GET", r"sobjects/(?P<sobject>\w+)")
def basic_info(call: Call, sobject: str) -> Reply:
    """Basic information; the sandbox keeps no recent items."""
    described = summary(call.org.engine.object(sobject), call.version)
    return Reply(body={"objectDescribe": described, "recentItems": []})


def _conditional(call: Call, body: Callable[[], Any]) -> Reply:
    """The body, or none where the caller's date says that it is not wanted.

    One date serves for all objects, since changes of the org as a whole count too (REST guide, note at
    "Describe Global").
    """
    changed = values.instant_of(changed_at(call.org.store))
    stamp = {"Last-Modified": format_datetime(changed, usegmt=True)}
    since, until = (_date(call.headers, name) for name in ("if-modified-since", "if-unmodified-since"))
    if since is not None and changed <= since:
        return Reply(NOT_MODIFIED, headers=stamp)
    if until is not None and changed > until:
        return Reply(PRECONDITION_FAILED, headers=stamp)
    return Reply(body=body(), headers=stamp)


def _date(headers: Mapping[str, str], name: str) -> datetime | None:
    """The instant that a header gives, aware; None where there is none or it is no date (it is then ignored)."""
    try:
        found = parsedate_to_datetime(headers.get(name, ""))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
