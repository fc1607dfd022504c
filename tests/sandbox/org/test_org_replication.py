"""getUpdated and getDeleted: windows, what is covered, the delete log's purge, refusals."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leakwatch.sandbox.org import replication
from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import NOW, Api, Clock, Company

pytestmark = pytest.mark.documented("REST API Developer Guide, sObject Get Updated, sObject Get Deleted")

WINDOW = {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T09:05:00Z"}


def code(api: Api, kind: str = "deleted", sobject: str = "Lead", **window: str) -> str:
    answer = api.get(f"sobjects/{sobject}/{kind}/", **window)
    return "" if answer.status_code == 200 else answer.json()[0]["errorCode"]


def test_the_window_is_read_to_the_minute_in_any_offset(api: Api, org: Org, company: Company, clock: Clock) -> None:
    org.update("Lead", company.lead, {"Title": "x"}, user_id=company.rep)  # stamped 09:00:30
    clock.advance(minutes=10)
    for start, end, seen in (
        ("2026-03-02T09:00:59Z", "2026-03-02T09:01:59Z", True),  # 09:00 to 09:01
        ("2026-03-02T12:00:00+03:00", "2026-03-02T12:01:00+03:00", True),
        ("2026-03-02T09:01:00Z", "2026-03-02T09:02:00Z", False),
    ):
        answer = api.get("sobjects/Lead/updated/", start=start, end=end).json()
        assert (company.lead in answer["ids"]) is seen


@pytest.mark.documented(guess="the code where a date is missing")
@pytest.mark.parametrize(
    ("start", "end", "refusal"),
    [
        ("2026-03-02T09:00:00Z", "2026-03-02T08:00:00Z", "INVALID_REPLICATION_DATE"),
        ("2026-03-02T09:00:00Z", "2026-03-02T09:00:59Z", "INVALID_REPLICATION_DATE"),  # seconds are ignored
        ("2026-03-02T08:00:00Z", "tomorrow", "INVALID_REPLICATION_DATE"),
        ("2026-03-02T08:00:00", "2026-03-02T09:00:00Z", "INVALID_REPLICATION_DATE"),  # no offset
        ("", "2026-03-02T09:00:00Z", "MISSING_ARGUMENT"),
    ],
)
def test_a_window_that_is_none_is_refused(api: Api, start: str, end: str, refusal: str) -> None:
    assert [code(api, kind, start=start, end=end) for kind in ("updated", "deleted")] == [refusal] * 2


def test_the_past_is_closed_thirty_days_back_for_changes_and_fifteen_for_deletions(api: Api, org: Org) -> None:
    def back(days: int) -> dict[str, str]:
        return {"start": f"{NOW.date() - timedelta(days=days)}T00:00:00Z", "end": "2026-03-02T09:00:00Z"}

    assert [code(api, "updated", **back(days)) for days in (30, 31)] == ["", "INVALID_REPLICATION_DATE"]
    assert [code(api, "deleted", **back(days)) for days in (15, 16)] == ["", "INVALID_REPLICATION_DATE"]
    org.change_settings({"deleted_window_days": 30})
    answer = api.get("sobjects/Lead/deleted/", **back(30))
    assert (answer.status_code, answer.json()["earliestDateAvailable"]) == (200, "2026-02-15T00:00:00.000+0000")


def test_an_end_in_the_future_is_covered_up_to_now(api: Api) -> None:
    answer = api.get("sobjects/Lead/updated/", start=WINDOW["start"], end="2026-03-09T09:00:00Z").json()
    assert answer["latestDateCovered"] == "2026-03-02T09:00:00.000+0000"


def test_nothing_after_the_oldest_open_transaction_counts_as_covered(api: Api, org: Org, clock: Clock) -> None:
    first = org.in_flight.begin(clock.now() - timedelta(minutes=20))
    org.in_flight.begin(clock.now())
    clock.advance(minutes=10)

    def covered() -> list[str]:
        answers = [api.get(f"sobjects/Lead/{kind}/", **WINDOW).json() for kind in ("updated", "deleted")]
        return [answer["latestDateCovered"] for answer in answers]

    assert covered() == ["2026-03-02T08:40:30.000+0000"] * 2
    org.in_flight.end(first)
    assert covered() == ["2026-03-02T09:00:30.000+0000"] * 2


@pytest.mark.documented(guess="that any org does, and the code")
def test_an_org_may_refuse_deletions_up_to_an_end_it_does_not_cover(api: Api, org: Org) -> None:
    org.change_settings({"open_transaction_minutes": 45, "deleted_needs_covered_end": True})
    assert code(api, "deleted", **WINDOW) == "INVALID_REPLICATION_DATE"
    assert code(api, "updated", **WINDOW) == ""
    assert code(api, "deleted", start="2026-03-02T07:00:00Z", end="2026-03-02T08:00:00Z") == ""


@pytest.mark.documented(guess="the code of the refusal")
def test_objects_that_cannot_be_replicated_are_refused(api: Api) -> None:
    assert code(api, "updated", "CustomNotificationType", **WINDOW) == "INVALID_TYPE_FOR_OPERATION"
    assert code(api, "deleted", "CustomNotificationType", **WINDOW) == "INVALID_TYPE_FOR_OPERATION"


def test_too_many_ids_are_refused(
    api: Api, org: Org, company: Company, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for contact in (company.contact, company.colleague):
        org.update("Contact", contact, {"Title": "x"}, user_id=company.rep)
        org.delete("Contact", contact, user_id=company.rep)
    lead = {"LastName": "A", "Company": "B"}
    for _ in range(2):
        org.create("Lead", lead, user_id=company.rep)
    clock.advance(minutes=10)
    assert [code(api, "deleted", "Contact", **WINDOW), code(api, "updated", "Lead", **WINDOW)] == ["", ""]
    monkeypatch.setattr(replication, "MAX_IDS", 1)
    assert code(api, "deleted", "Contact", **WINDOW) == "EXCEEDED_ID_LIMIT"
    assert code(api, "updated", "Lead", **WINDOW) == "EXCEEDED_ID_LIMIT"


def test_a_delete_log_that_grew_too_long_loses_its_oldest_entries(
    api: Api, org: Org, company: Company, clock: Clock
) -> None:
    org.change_settings({"delete_log_limit": 1})
    org.delete("Contact", company.contact, user_id=company.rep)  # 09:00:30
    clock.advance(minutes=1)
    org.delete("Contact", company.colleague, user_id=company.rep)  # 09:01:30
    window = {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T10:00:00Z"}
    clock.advance(hours=2)  # purged at ten o'clock at the earliest, and then nothing younger than two hours
    assert len(api.get("sobjects/Contact/deleted/", **window).json()["deletedRecords"]) == 2
    clock.advance(hours=1)  # the run of twelve o'clock
    assert code(api, "deleted", "Contact", **window) == "INVALID_REPLICATION_DATE"
    answer = api.get("sobjects/Contact/deleted/", start="2026-03-02T09:01:00Z", end="2026-03-02T10:00:00Z").json()
    assert [entry["id"] for entry in answer["deletedRecords"]] == [company.colleague]
    assert answer["earliestDateAvailable"] == "2026-03-02T09:00:30.000+0000"
