"""Reading metadata: many describes in one API call, and one by one where an org does not answer them so."""

from __future__ import annotations

from collections.abc import Mapping
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
        self.takes_composite = True
        self.broken_parts: set[str] = set()

    def request(self, method: str, path: str, *, body: Any = None, **_: Any) -> Answer:
        self.calls.append(f"{method} {path}")
        if path != "composite":
            name = path.split("/")[1]
            if name not in KNOWN:
                raise NotFoundError("The requested resource does not exist")
            return Answer(described(name), 200, {})
        if not self.takes_composite:
            raise RecordError("not here", code="FUNCTIONALITY_NOT_ENABLED")
        parts = [self._part(part) for part in body["compositeRequest"]]
        return Answer({"compositeResponse": parts[::-1]}, 200, {})  # matched by reference, never by place

    def _part(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        assert part["method"] == "GET"
        assert part["url"].startswith(BASE)
        name = part["url"].removeprefix(BASE).split("/")[1]
        found = name in KNOWN and name not in self.broken_parts
        error = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
        return {
            "referenceId": part["referenceId"],
            "httpStatusCode": 200 if found else 404,
            "body": described(name) if found else error,
        }


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
