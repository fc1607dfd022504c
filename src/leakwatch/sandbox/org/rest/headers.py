"""Request headers of writing and of single rows: what they ask for, or the named refusal of what is not emulated.

`Sforce-Mru` and `Sforce-Call-Options` are taken and change nothing: what they steer (recently viewed lists, the
event log) is not emulated. So is `Sforce-Auto-Assign: TRUE` or `FALSE`: the org has no assignment rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.errors import OrgError, not_emulated
from leakwatch.sandbox.org.rest.http import Call
from leakwatch.sandbox.org.values import instant_of


def writer(call: Call) -> Caller:
    """The caller with what the headers say about this write; raises OrgError for a chosen assignment rule."""
    if call.headers.get("sforce-auto-assign", "true").strip().lower() not in ("true", "false"):
        raise not_emulated("assignment rules (Sforce-Auto-Assign with the id of a rule)")
    options = _options(call.headers.get("sforce-duplicate-rule-header", ""))
    return replace(
        call.caller,
        save_duplicates=options.get("allowsave") == "true",
        show_duplicates=options.get("includerecorddetails") == "true",
    )


def _options(text: str) -> dict[str, str]:
    """`allowSave=true; includeRecordDetails=false` by name, all in lower case."""
    pairs = (part.partition("=") for part in text.replace(",", ";").split(";"))
    return {name.strip().lower(): value.strip().lower() for name, _, value in pairs}


def last_modified(row: Mapping[str, Any]) -> dict[str, str]:
    """The header that says when a row was changed."""
    stamp = row.get("LastModifiedDate")
    return {"Last-Modified": format_datetime(instant_of(stamp), usegmt=True)} if stamp else {}


def modified(call: Call, row: Mapping[str, Any]) -> bool:
    """Whether the row is newer than `If-Modified-Since` (REST guide, "Conditional Requests").

    Raises OrgError 412 where it is newer than `If-Unmodified-Since`; the words are unverified.
    """
    if "if-match" in call.headers or "if-none-match" in call.headers:
        raise not_emulated("entity tags (If-Match, If-None-Match)")
    stamp = row.get("LastModifiedDate")
    if not stamp:
        return True
    changed = instant_of(stamp)
    limit = _instant(call.headers.get("if-unmodified-since"))
    if limit is not None and changed > limit:
        raise OrgError(412, "PRECONDITION_FAILED", "The record was changed after the time of If-Unmodified-Since")
    since = _instant(call.headers.get("if-modified-since")) if call.method in ("GET", "HEAD") else None
    return since is None or changed > since


def _instant(text: str | None) -> datetime | None:
    """An HTTP date; one that can't be read counts as none (RFC 9110, 13.1.3)."""
    try:
        found = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
