"""Reading metadata: many describes in one API call, and one by one where an org does not answer them so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from leakwatch.clients.salesforce import Answer
from leakwatch.errors import NotFoundError, RecordError, TransientError
from leakwatch.salesforce.reader import SalesforceReader

BASE = "/services/data/v66.0/"
KNOWN = ("Lead", "Task", "User")


class Org:
    """Answers describes, alone or inside Composite, and remembers what it was asked."""

    base_path = BASE

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.known = KNOWN
        self.takes_composite = True
        self.broken_parts: set[str] = set()
        self.urls: list[str] = []

    def request(self, method: str, path: str, *, body: Any = None, **_: Any) -> Answer:
        self.calls.append(f"{method} {path}")
        if path != "composite":
            name = path.split("/")[1]
            if "/deleted/" in path:
                return Answer(self._log(name), 200, {})
            if name not in self.known:
                raise NotFoundError("The requested resource does not exist")
            return Answer(described(name), 200, {})
        if not self.takes_composite:
            raise RecordError("not here", code="FUNCTIONALITY_NOT_ENABLED")
        parts = [self._part(part) for part in body["compositeRequest"]]
        return Answer({"compositeResponse": parts[::-1]}, 200, {})  # matched by reference, never by place

    def _part(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        assert part["method"] == "GET"
        assert part["url"].startswith(BASE)
        self.urls.append(part["url"])
        name = part["url"].removeprefix(BASE).split("/")[1]
        if "/deleted/" in part["url"] and name in self.known and name not in self.broken_parts:
            return {"referenceId": part["referenceId"], "httpStatusCode": 200, "body": self._log(name)}
        status, body = 200, described(name)
        if name in self.broken_parts:
            status, body = 500, [{"errorCode": "UNKNOWN_EXCEPTION", "message": "An unexpected error occurred."}]
        elif name not in self.known:
            status, body = 404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
        return {"referenceId": part["referenceId"], "httpStatusCode": status, "body": body}

    def _log(self, name: str) -> Mapping[str, Any]:
        if name in self.broken_parts:
            raise RecordError("startDate before org replication enabled date", code="INVALID_REPLICATION_DATE")
        return LOG


# As the REST guide shows it ("sObject Get Deleted").
LOG = {
    "deletedRecords": [{"id": "00Q000000000001AAA", "deletedDate": "2026-03-02T09:05:30.000+0000"}],
    "earliestDateAvailable": "2026-02-15T15:57:00.000+0000",
    "latestDateCovered": "2026-03-02T09:20:00.000+0000",
}
SINCE, UNTIL = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 9, 31, tzinfo=UTC)


def described(name: str) -> dict[str, Any]:
    return {"name": name, "fields": [{"name": "Id"}]}


@pytest.fixture
def org() -> Org:
    return Org()


@pytest.fixture
def reader(org: Org) -> SalesforceReader:
    return SalesforceReader(org)  # type: ignore[arg-type]


def test_many_describes_are_asked_in_one_call(org, reader):
    reader.prepare_describes(KNOWN)
    assert [reader.describe(name)["name"] for name in KNOWN] == list(KNOWN)
    assert org.calls == ["POST composite"]


def test_what_is_known_is_not_asked_again_unless_told(org, reader):
    reader.prepare_describes(KNOWN)
    reader.prepare_describes(KNOWN)
    assert org.calls == ["POST composite"]
    reader.prepare_describes(KNOWN, anew=True)
    assert org.calls == ["POST composite"] * 2


def test_more_than_a_composite_call_holds_are_split(org, reader):
    reader.prepare_describes([f"Object{number}__c" for number in range(26)])
    assert org.calls == ["POST composite"] * 2


def test_an_object_the_org_lacks_is_refused_when_it_is_needed(org, reader):
    reader.prepare_describes(("Lead", "EmailMessage"))
    assert reader.describe("Lead")["name"] == "Lead"
    with pytest.raises(NotFoundError):
        reader.describe("EmailMessage")
    assert org.calls == ["POST composite"], "what was not found among others is not asked for again"


def test_an_object_that_comes_to_the_org_later_is_seen_when_all_is_asked_anew(org, reader):
    reader.prepare_describes(("EmailMessage",))
    org.known = (*KNOWN, "EmailMessage")
    reader.prepare_describes(("EmailMessage",), anew=True)
    assert reader.describe("EmailMessage")["name"] == "EmailMessage"


def test_an_org_that_refuses_composite_is_asked_one_by_one(org, reader):
    org.takes_composite = False
    reader.prepare_describes(KNOWN)
    assert reader.describe("Task")["name"] == "Task"
    assert org.calls == ["POST composite", "GET sobjects/Task/describe"]


def test_a_part_that_failed_is_asked_for_alone(org, reader):
    org.broken_parts = {"Task"}
    reader.prepare_describes(KNOWN)
    assert reader.describe("Task")["name"] == "Task"
    assert org.calls == ["POST composite", "GET sobjects/Task/describe"]


def test_an_answer_with_another_number_of_rows_than_ids_is_not_paired_up(monkeypatch):
    org = Org()
    monkeypatch.setattr(org, "request", lambda *_, **__: Answer([{"Id": "00T1"}], 200, {}))
    with pytest.raises(TransientError, match="another number of Task rows"):
        SalesforceReader(org).fetch("Task", ["00T1", "00T2"], ["Id"])


# --- what was deleted ---


def test_the_delete_logs_of_many_objects_are_asked_in_one_call(org, reader):
    found = reader.delete_logs({"Lead": SINCE, "Task": SINCE}, UNTIL)
    assert org.calls == ["POST composite"]
    assert org.urls[0] == (
        f"{BASE}sobjects/Lead/deleted/?start=2026-03-02T09%3A00%3A00%2B00%3A00&end=2026-03-02T09%3A31%3A00%2B00%3A00"
    )
    assert found.keys() == {"Lead", "Task"}
    assert found["Lead"].deleted == {"00Q000000000001AAA": datetime(2026, 3, 2, 9, 5, 30, tzinfo=UTC)}
    assert found["Lead"].covered_until == datetime(2026, 3, 2, 9, 20, tzinfo=UTC)
    assert found["Lead"].complete_from == datetime(2026, 2, 15, 15, 57, tzinfo=UTC)


def test_an_org_that_refuses_composite_gives_its_delete_logs_one_by_one(org, reader):
    org.takes_composite = False
    assert reader.delete_logs({"Lead": SINCE}, UNTIL)["Lead"].deleted
    assert [call.split("?")[0] for call in org.calls] == ["POST composite", "GET sobjects/Lead/deleted/"]


def test_a_delete_log_that_is_refused_is_left_out_and_the_others_are_read(org, reader):
    org.broken_parts = {"Task"}
    assert reader.delete_logs({"Lead": SINCE, "Task": SINCE}, UNTIL).keys() == {"Lead"}


def test_a_delete_log_without_its_moments_covers_nothing(monkeypatch):
    org = Org()
    monkeypatch.setattr(org, "_log", lambda _: {"deletedRecords": None})
    log = SalesforceReader(org).delete_logs({"Lead": SINCE}, UNTIL)["Lead"]
    assert (log.deleted, log.covered_until, log.complete_from) == ({}, SINCE, None)


@pytest.mark.parametrize("body", [{}, [], None, "x", {"records": None, "totalSize": 1}, {"records": []}])
def test_what_is_no_page_of_rows_is_no_answer(body: Any) -> None:
    class Odd(Org):
        def request(self, method: str, path: str, **_: Any) -> Answer:
            return Answer(body, 200, {})

    reader = SalesforceReader(Odd())  # type: ignore[arg-type]
    with pytest.raises(TransientError, match="no page of rows"):
        list(reader.query("SELECT Id FROM Lead"))
    with pytest.raises(TransientError, match="no page of rows"):
        reader.count("SELECT COUNT() FROM Lead")
