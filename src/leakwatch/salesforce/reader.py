"""Salesforce, read: describe, queries, rows by id, deletions. Nothing is decided here.

Sources: REST API Developer Guide ("Query", "sObject Collections", "sObject Get Deleted").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http.client import NOT_FOUND, OK
from typing import Any, TypeGuard, cast
from urllib.parse import quote, urlencode

from leakwatch.clients.salesforce import SalesforceClient, soql
from leakwatch.core.deletions import DeleteLog
from leakwatch.errors import CursorError, NotFoundError, RecordError, TransientError, UnknownOutcomeError
from leakwatch.salesforce.results import composite_answer

COMPOSITE_PARTS = 25  # subrequests of one Composite call, which counts as one API call ("Composite")
FETCH_IDS = 2_000  # ids per POST composite/sobjects/{Type} (sObject Collections limits)
MAX_QUERY_CHARS = 12_000  # URI and headers must stay under 16,384 bytes together
PARENTS_A_QUERY = 400  # record ids of 18 letters with quotes and commas, each of these three bytes in a URI
QUERIES_A_COMPOSITE = 5  # queries among the subrequests of one Composite call ("Composite")

ORGANIZATION_FIELDS = (
    "Id", "Name", "DefaultCurrencyIsoCode", "TimeZoneSidKey", "LanguageLocaleKey", "FiscalYearStartMonth",
    "IsSandbox", "OrganizationType",
)  # fmt: skip


class SalesforceReader:
    """Reads one org through its client."""

    def __init__(self, client: SalesforceClient) -> None:
        self._client = client
        self._described: dict[str, Mapping[str, Any]] = {}
        self._absent: set[str] = set()  # objects that the org does not have, or does not show us

    def org(self) -> Mapping[str, Any]:
        """Return the Organization row; fields this org does not have are left out."""
        described = {field["name"] for field in self.describe("Organization")["fields"]}
        fields = [name for name in ORGANIZATION_FIELDS if name in described]
        for page in self.query(f"SELECT {', '.join(fields)} FROM Organization LIMIT 1"):
            for row in page:
                return row
        raise TransientError("Salesforce gave no Organization row")

    def describe(self, sobject: str) -> Mapping[str, Any]:
        """Return the describe body of `sobject`, asked once per reader.

        Raises:
            NotFoundError: the org has no such object, or the integration user may not see it.
        """
        if sobject in self._absent:
            raise NotFoundError(f"this org shows us no object {sobject}")
        if sobject not in self._described:
            answer = self._client.request("GET", f"sobjects/{quote(sobject)}/describe").body
            if not _is_describe(answer):
                raise TransientError(f"Salesforce described {sobject} with something that is no describe; try again")
            self._described[sobject] = answer
        return self._described[sobject]

    def prepare_describes(self, sobjects: Sequence[str], *, anew: bool = False) -> None:
        """Ask for many describes in one API call, so that `describe` knows them; `anew` forgets all it knew.

        A long-lived daemon must see new fields, and twenty calls each time would add up to thousands a day. What is
        not found here is known not to be there; what fails otherwise is asked for alone when it is needed, and refused
        then in Salesforce's own words.
        """
        if anew:
            self._described.clear()
            self._absent.clear()
        wanted = [name for name in dict.fromkeys(sobjects) if name not in self._described and name not in self._absent]
        asked = self._together({name: f"sobjects/{quote(name)}/describe" for name in wanted})
        for name, (status, part) in asked.items():
            if status == NOT_FOUND:
                self._absent.add(name)
            elif status == OK and _is_describe(part):
                self._described[name] = part

    def _together(self, paths: Mapping[str, str]) -> dict[str, tuple[int, Any]]:
        """Return name → (HTTP status, body) of what is answered inside Composite, which is one API call for 25.

        Empty where the org does not take Composite.
        """
        found: dict[str, Any] = {}
        names = list(paths)
        for start in range(0, len(names), COMPOSITE_PARTS):
            chunk = names[start : start + COMPOSITE_PARTS]
            parts = [
                {"method": "GET", "url": f"{self._client.base_path}{paths[name]}", "referenceId": f"part{number}"}
                for number, name in enumerate(chunk)
            ]
            request = {"allOrNone": False, "compositeRequest": parts}
            try:
                answer = self._client.request("POST", "composite", body=request).body
                answers = composite_answer(answer, len(chunk))
            except (RecordError, UnknownOutcomeError):
                return found  # this org answers them one by one only
            found |= dict(zip(chunk, answers, strict=True))
        return found

    def has_field(self, sobject: str, field: str) -> bool:
        """Return whether the org has `field` on `sobject` and the integration user sees it."""
        try:
            return any(entry["name"] == field for entry in self.describe(sobject)["fields"])
        except NotFoundError:
            return False

    def server_now(self) -> datetime:
        """Return the org's own time (Date header of its latest answer), aware UTC; asks once if nothing came yet."""
        if self._client.server_time is None:
            self._client.request("GET", "limits")
        moment = self._client.server_time
        if moment is None:
            raise TransientError("Salesforce's answers carry no usable Date header")
        return moment

    def query(self, query: str, *, all_rows: bool = False) -> Iterator[list[Mapping[str, Any]]]:
        """Yield pages of rows without `attributes`. `all_rows` includes deleted and archived ones (queryAll).

        Raises:
            CursorError: the locator expired while paging; start the query again.
        """
        path = "queryAll" if all_rows else "query"
        yield from self._pages(_page(self._client.request("GET", path, params={"q": query}).body))

    def _pages(self, answer: Mapping[str, Any]) -> Iterator[list[Mapping[str, Any]]]:
        """Yield the rows of a query's first page and of those that follow."""
        while True:
            yield [_plain(row) for row in answer["records"]]
            if answer.get("done", True):
                return
            following = answer.get("nextRecordsUrl")
            if not following:
                raise CursorError("Salesforce said there is more but not where")
            answer = _page(self._client.request("GET", str(following)).body)

    def count(self, query: str, *, all_rows: bool = False) -> int:
        """Return how many rows a `SELECT COUNT() ...` counts; `all_rows` counts deleted and archived ones too."""
        answer = self._client.request("GET", "queryAll" if all_rows else "query", params={"q": query})
        return int(_page(answer.body)["totalSize"])

    def fetch(self, sobject: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Return id → row for those of `ids` that exist and are visible; one call per 2,000."""
        found: dict[str, Mapping[str, Any]] = {}
        for start in range(0, len(ids), FETCH_IDS):
            chunk = list(ids[start : start + FETCH_IDS])
            body = {"ids": chunk, "fields": list(fields)}
            rows = self._client.request("POST", f"composite/sobjects/{quote(sobject)}", body=body).body
            if not isinstance(rows, list) or len(cast(list[Any], rows)) != len(chunk):
                raise TransientError(f"Salesforce answered with another number of {sobject} rows than ids; try again")
            if not all(row is None or isinstance(row, Mapping) for row in cast(list[Any], rows)):
                raise TransientError(f"Salesforce answered with {sobject} rows that are none; try again")
            for record_id, row in zip(chunk, cast(list[Any], rows), strict=True):
                if row is not None:
                    found[record_id] = _plain(row)
        return found

    def find_by(
        self, sobject: str, field: str, values: Sequence[str], fields: Sequence[str] = ("Id",)
    ) -> dict[str, Mapping[str, Any]]:
        """Return value → row where `field` equals one of `values` exactly; split so that no URI grows too long."""
        found: dict[str, Mapping[str, Any]] = {}
        wanted = sorted(set(values))
        columns = list(dict.fromkeys([*fields, field]))
        step = max(1, MAX_QUERY_CHARS // (max((len(value) for value in wanted), default=1) * 2 + 6))
        for start in range(0, len(wanted), step):
            chunk = wanted[start : start + step]
            text = soql(f"SELECT {', '.join(columns)} FROM {sobject} WHERE {field} IN {{values}}", values=chunk)
            for page in self.query(text):
                for row in page:
                    if row.get(field) in chunk:
                        found[str(row[field])] = row
        return found

    def related(
        self, sobject: str, field: str, parents: Sequence[str], fields: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        """Return the rows of `sobject` whose `field` is one of the record ids `parents`.

        Five queries travel in one Composite call, each with as many ids as a URI takes; one by one where an org takes
        no Composite.
        """
        columns = ", ".join(dict.fromkeys(["Id", *fields]))
        queries: dict[str, str] = {}
        for start in range(0, len(parents), PARENTS_A_QUERY):
            chunk = list(parents[start : start + PARENTS_A_QUERY])
            text = soql(f"SELECT {columns} FROM {sobject} WHERE {field} IN {{parents}}", parents=chunk)
            queries[f"query?{urlencode({'q': text})}"] = text
        paths = list(queries)
        rows: list[Mapping[str, Any]] = []
        for start in range(0, len(paths), QUERIES_A_COMPOSITE):
            some = paths[start : start + QUERIES_A_COMPOSITE]
            pages = self._together({path: path for path in some}) if len(some) > 1 else {}
            for path in some:
                status, body = pages.get(path, (0, None))
                for page in self._pages(_page(body)) if status == OK else self.query(queries[path]):
                    rows += page
        return rows

    def delete_logs(self, since: Mapping[str, datetime], until: datetime) -> dict[str, DeleteLog]:
        """Return object → its delete log from its moment in `since` on to `until` (aware; the service ignores seconds).

        What is refused is left out: a window that is too old (more than 15 days: "sObject Get Deleted"), more than
        600,000 ids, an object that keeps no log.
        """
        ends = {
            name: urlencode({"start": _log_stamp(start), "end": _log_stamp(until)}) for name, start in since.items()
        }
        paths = {name: f"sobjects/{quote(name)}/deleted/?{ends[name]}" for name in since}
        bodies = {name: body for name, (status, body) in self._together(paths).items() if status == OK}
        for name in paths.keys() - bodies.keys():
            with suppress(RecordError):
                bodies[name] = self._client.request("GET", paths[name]).body
        return {name: _delete_log(bodies[name], since[name]) for name in since if name in bodies}

    @property
    def instance_url(self) -> str:
        """The org's own address, for links."""
        return self._client.instance_url


def _is_describe(body: Any) -> TypeGuard[Mapping[str, Any]]:
    """Return whether `body` says which fields an object has, each with its name."""
    fields = cast(Mapping[str, Any], body).get("fields") if isinstance(body, Mapping) else None
    return isinstance(fields, list) and all(
        isinstance(entry, Mapping) and "name" in entry for entry in cast(list[Any], fields)
    )


def _page(body: Any) -> Mapping[str, Any]:
    """Return a page of a query; anything else that came instead is as good as no answer."""
    page = cast(Mapping[str, Any], body) if isinstance(body, Mapping) else {}
    rows = page.get("records")
    if (
        not isinstance(rows, list)
        or not isinstance(page.get("totalSize"), int)
        or not all(isinstance(row, Mapping) for row in cast(list[Any], rows))
    ):
        raise TransientError("Salesforce answered a query with something that is no page of rows; try again")
    return page


def _log_stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _delete_log(body: Any, since: datetime) -> DeleteLog:
    """Read an answer of "sObject Get Deleted"; without the moments it should have, nothing counts as covered."""
    try:
        entries = cast(Sequence[Mapping[str, Any]], body.get("deletedRecords") or ())
        covered, earliest = body.get("latestDateCovered"), body.get("earliestDateAvailable")
        return DeleteLog(
            deleted={str(entry["id"]): datetime.fromisoformat(str(entry["deletedDate"])) for entry in entries},
            covered_until=datetime.fromisoformat(str(covered)) if covered else since,
            complete_from=datetime.fromisoformat(str(earliest)) if earliest else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TransientError("Salesforce answered with something that is no delete log; try again") from error


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return `row` without `attributes`, nested parents too."""
    return {
        name: _plain(cast(Mapping[str, Any], value)) if isinstance(value, Mapping) else value
        for name, value in row.items()
        if name != "attributes"
    }


def missing(error: RecordError) -> bool:
    """Return whether `error` says that the org lacks an object or field (or that we may not see it)."""
    return error.code in ("INVALID_FIELD", "INVALID_TYPE", "NOT_FOUND")
