"""Queries of one org: what a runner needs of it, and how long each kind of answer looks at the same state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.database import Snapshot
from leakwatch.sandbox.org.schema import SObject
from leakwatch.sandbox.org.soql.filters import Calendar
from leakwatch.sandbox.org.soql.plan import Column
from leakwatch.sandbox.org.soql.results import Page, Runner, Stream

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org


class Queries:
    """Asks one org's store in SOQL; each method raises OrgError for what Salesforce refuses."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def first_page(self, soql: str, caller: Caller, *, all_rows: bool, page_size: int) -> Page:
        """The first page of a query, as the REST API answers it."""
        with self._org.cursors.serving(), self._org.store.reading():
            return self._runner(caller).run(soql, all_rows=all_rows, page_size=page_size)

    def more(self, locator: str, caller: Caller, *, page_size: int) -> Page:
        """The page a locator leads to."""
        cursor, _, start = locator.partition("-")
        self._org.trouble.at("cursor.page", f"page {cursor} from {start}", cursor=cursor)
        with self._org.cursors.serving(), self._org.store.reading():
            return self._runner(caller).more(locator, page_size=page_size)

    def stream(self, soql: str, caller: Caller, *, all_rows: bool) -> Stream:
        """All rows of a query, of the moment this is called, however long reading them takes."""
        snapshot = self._org.store.snapshot()
        try:
            stream = self._runner(caller).stream(soql, snapshot, all_rows=all_rows)
        except BaseException:
            snapshot.close()
            raise
        return replace(stream, rows=_until_closed(stream.rows, snapshot))

    def columns(self, soql: str, caller: Caller, *, all_rows: bool) -> list[Column]:
        """What `stream` would give of a query, in order; refuses what it refuses."""
        return self._runner(caller).stream(soql, self._org.store, all_rows=all_rows).columns

    def known(
        self, sobject: SObject, record_ids: Sequence[str], fields: Iterable[str], caller: Caller
    ) -> list[dict[str, Any]]:
        """Known rows with these fields, as the REST API answers them."""
        with self._org.store.reading():
            soql = f"SELECT {', '.join(fields)} FROM {sobject.name}"
            return self._runner(caller).known(soql, list(record_ids))

    def _runner(self, caller: Caller) -> Runner:
        org = self._org
        calendar = Calendar(
            org.clock.now(),
            caller.zone,
            caller.first_weekday,
            caller.fiscal_month,
            caller.locale,
            caller.currency,
            caller.user_id,
        )
        return Runner(org.store, org.cursors, org.schema, calendar, caller)


def _until_closed(rows: Iterator[list[Any]], snapshot: Snapshot) -> Iterator[list[Any]]:
    with snapshot:
        yield from rows


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """A record without `attributes`; child results as plain lists."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if name == "attributes":
            continue
        if isinstance(value, dict) and "records" in value:
            value = [plain(one) for one in value["records"]]  # noqa: PLW2901
        elif isinstance(value, dict):
            value = plain(value)  # noqa: PLW2901
        found[name] = value
    return found
