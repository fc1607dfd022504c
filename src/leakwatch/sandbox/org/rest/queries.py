"""query, queryAll and their next pages."""

from __future__ import annotations

import re
from typing import Any

from leakwatch.sandbox.org.errors import bad, not_emulated
from leakwatch.sandbox.org.rest.http import Call, Reply, router
from leakwatch.sandbox.org.soql.results import MAX_PAGE, Page

_BATCH = re.compile(r"\s*batchSize\s*=\s*(\d+)\s*\Z", re.IGNORECASE)
_MIN_PAGE = 200


@router.on("GET", r"query")
def query(call: Call) -> Reply:
    """Living rows."""
    return _first(call, all_rows=False)


@router.on("GET", r"queryAll")
def query_all(call: Call) -> Reply:
    """Deleted and archived rows too; its next pages are under `query/` and go on showing them."""
    return _first(call, all_rows=True)


@router.on("GET", r"query(?:All)?/(?P<locator>[\w-]+)")
def more(call: Call, locator: str) -> Reply:
    """The next page."""
    page = call.org.query_more(locator, page_size=page_size(call), caller=call.caller)
    return Reply(body=_body(call, page))


def _first(call: Call, *, all_rows: bool) -> Reply:
    if "explain" in call.query:
        raise not_emulated("query plans (explain)")
    soql = call.query.get("q")
    if not soql:
        raise bad("MALFORMED_QUERY", "unexpected token: '<EOF>'")
    return answer(call, soql, all_rows=all_rows)


def answer(call: Call, soql: str, *, all_rows: bool = False) -> Reply:
    """The first page of a query."""
    page = call.org.query_page(soql, all_rows=all_rows, page_size=page_size(call), caller=call.caller)
    return Reply(body=_body(call, page))


def page_size(call: Call) -> int:
    """Rows per page: what the header asks for, between 200 and 2,000, never more than the org gives."""
    match = _BATCH.match(call.headers.get("sforce-query-options", ""))
    asked = min(max(int(match[1]), _MIN_PAGE), MAX_PAGE) if match else MAX_PAGE
    return min(asked, call.org.settings.page_size)


def _body(call: Call, page: Page) -> dict[str, Any]:
    body: dict[str, Any] = {"totalSize": page.total, "done": page.locator is None}
    if page.locator is not None:
        body["nextRecordsUrl"] = f"{call.root}/query/{page.locator}"
    body["records"] = page.records
    return body
