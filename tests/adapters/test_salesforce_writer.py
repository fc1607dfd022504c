"""The one writer: packing, per-row results, locks, lost answers and what is never sent twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from leakwatch.clients.salesforce import Answer
from leakwatch.clock import SettableClock
from leakwatch.errors import BudgetError, RecordError, SafetyError, TransientError, UnknownOutcomeError
from leakwatch.model import KEY_FIELD, Verb, WriteOp, WriteResult, WriteStatus
from leakwatch.salesforce.landed import wire_value
from leakwatch.salesforce.writer import SalesforceWriter


class MemoryLog:
    """A WriteLog in memory."""

    def __init__(self) -> None:
        self.flight: dict[str, WriteOp] = {}
        self.landed: dict[str, str] = {}
        self.results: list[WriteResult] = []

    def begin(self, run_id: str, ops: Sequence[WriteOp], *, now: datetime) -> None:
        self.flight.update({op.op_id: op for op in ops})

    def finish(self, results: Sequence[WriteResult], *, now: datetime) -> None:
        self.results += results
        for result in results:
            self.flight.pop(result.op_id, None)
            if result.status in (WriteStatus.DONE, WriteStatus.ALREADY_THERE) and result.record_id:
                self.landed[result.op_id] = result.record_id

    def in_doubt(self) -> Sequence[WriteOp]:
        return list(self.flight.values())

    def done(self, op_ids) -> Mapping[str, str]:
        return {op_id: self.landed[op_id] for op_id in op_ids if op_id in self.landed}


class FakeOrg:
    """A client and reader in one: rows by key, and a script of failures."""

    base_path = "/services/data/v66.0/"

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}
        self.values: dict[str, dict[str, Any]] = {}
        self.hidden_fields: set[str] = set()
        self.posts: list[tuple[str, str]] = []
        self.requests: list[tuple[str, str, Any]] = []
        self.row_errors: dict[str, list[dict[str, Any]]] = {}
        self.fail: list[Exception | None] = []
        self.lose_answers = 0
        self.composite_allowed = True
        self.poison: set[str] = set()

    def check_budget(self, calls: int) -> None:
        return None

    def request(self, method, path, *, body=None, params=None, headers=None, idempotent=True) -> Answer:
        self.requests.append((method, path, body))
        if self.fail:
            error = self.fail.pop(0)
            if error is not None:
                raise error
        answer = self._answer(method, path, body)
        if self.lose_answers:
            self.lose_answers -= 1
            raise UnknownOutcomeError("the answer was lost")
        return Answer(answer, 200, {})

    def _answer(self, method, path, body):
        if path == "composite":
            parts = []
            for part in body["compositeRequest"]:
                if not self.composite_allowed:
                    parts.append({"referenceId": part["referenceId"], "httpStatusCode": 400,
                                  "body": [{"errorCode": "INVALID_INPUT", "message": "not here"}]})  # fmt: skip
                    continue
                rows = self._rows(part["body"]["records"])
                parts.append({"referenceId": part["referenceId"], "httpStatusCode": 200, "body": rows})
            return {"compositeResponse": parts}
        if path == "actions/standard/chatterPost":
            return [self._post(entry) for entry in body["inputs"]]
        if any(record.get("Subject") in self.poison for record in body["records"]):
            raise RecordError("Unexpected character", code="JSON_PARSER_ERROR")
        return self._rows(body["records"])

    def _post(self, entry):
        self.posts.append((entry["subjectNameOrId"], entry["text"]))
        return {"isSuccess": True, "errors": None, "outputValues": {"feedItemId": f"0D5{len(self.posts):015d}"}}

    def _rows(self, records):
        return [self._row(record) for record in records]

    def _row(self, record):
        key = record.get(KEY_FIELD) or record.get("id")
        waiting = self.row_errors.get(key)
        if waiting:
            return {"success": False, "errors": [waiting.pop(0)]}
        if KEY_FIELD in record and key in self.rows:
            message = f"duplicate value found: {KEY_FIELD} duplicates value on record with id: {self.rows[key]}"
            return {"success": False, "errors": [{"statusCode": "DUPLICATE_VALUE", "message": message, "fields": []}]}
        record_id = record.get("id") or f"02s{len(self.rows):015d}"
        self.rows[key] = record_id
        self.values.setdefault(record_id, {}).update(record)
        return {"id": record_id, "success": True, "errors": []}

    def find_by(self, sobject, field, values, fields=("Id",)):
        return {value: {"Id": self.rows[value], field: value} for value in values if value in self.rows}

    def fetch(self, sobject, ids, fields):
        if self.hidden_fields & set(fields):
            raise RecordError("No such column", code="INVALID_FIELD")
        known = {record_id: self.values[record_id] for record_id in ids if record_id in self.values}
        return {record_id: {name: row.get(name) for name in fields} for record_id, row in known.items()}

    def query(self, text, *, all_rows=False):
        yield [
            {"Id": f"0D5{n:015d}", "ParentId": parent, "Body": body} for n, (parent, body) in enumerate(self.posts, 1)
        ]


def insert(number: int, **fields: Any) -> WriteOp:
    key = f"lw1:m:{number:040d}"
    return WriteOp(f"{key}|insert", "EmailMessage", Verb.INSERT, key, {"Subject": f"mail {number}", **fields}, "test")


def change(record_id: str, **fields: Any) -> WriteOp:
    return WriteOp(f"{record_id}|change", "Task", Verb.UPDATE, None, fields, "test", record_id=record_id)


def post(number: int, record: str = "006000000000001AAA") -> WriteOp:
    text = f"Please look. lw:{number:08x}"
    return WriteOp(f"post{number}", "FeedItem", Verb.POST, None, {"subjectNameOrId": record, "text": text}, "test")


@pytest.fixture
def org() -> FakeOrg:
    return FakeOrg()


@pytest.fixture
def write_log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def writer(org, write_log, clock: SettableClock) -> SalesforceWriter:
    return SalesforceWriter(org, org, write_log, clock=clock)


def test_a_thousand_rows_travel_in_one_call(org, writer):
    results = writer.apply([insert(n) for n in range(1000)], run_id="r")
    assert [path for _, path, _ in org.requests] == ["composite"]
    assert {result.status for result in results} == {WriteStatus.DONE}


def test_an_org_that_refuses_collections_in_composite_gets_them_plain(org, writer):
    org.composite_allowed = False
    writer.apply([insert(n) for n in range(450)], run_id="r")
    assert [path for _, path, _ in org.requests] == ["composite", *["composite/sobjects"] * 3]
    assert len(org.rows) == 450


def test_results_are_read_row_by_row_and_in_the_order_of_the_ops(org, writer):
    bad = insert(2)
    org.row_errors[bad.key] = [{"statusCode": "STRING_TOO_LONG", "message": "too long", "fields": ["Subject"]}]
    results = writer.apply([insert(3), bad, insert(1)], run_id="r")
    assert [result.status for result in results] == [WriteStatus.DONE, WriteStatus.REFUSED, WriteStatus.DONE]
    assert results[1].code == "STRING_TOO_LONG"


def test_a_second_apply_sends_nothing(org, writer):
    ops = [insert(n) for n in range(3)]
    writer.apply(ops, run_id="r")
    before = len(org.requests)
    again = writer.apply(ops, run_id="r2")
    assert len(org.requests) == before
    assert [result.record_id for result in again] == [org.rows[op.key] for op in ops]


def test_our_key_already_there_is_success_with_its_id(org, writer):
    op = insert(7)
    org.rows[op.key] = "02s000000000777AAA"
    [result] = writer.apply([op], run_id="r")
    assert (result.status, result.record_id) == (WriteStatus.ALREADY_THERE, "02s000000000777AAA")


def test_a_duplicate_of_another_field_is_refused(org, writer):
    op = insert(8)
    org.row_errors[op.key] = [{"statusCode": "DUPLICATE_VALUE", "message": "Other__c duplicates value", "fields": []}]
    [result] = writer.apply([op], run_id="r")
    assert result.status is WriteStatus.REFUSED


def test_a_lost_answer_is_looked_up_and_only_the_missing_rows_are_sent_again(org, writer):
    org.lose_answers = 1
    results = writer.apply([insert(n) for n in range(5)], run_id="r")
    assert len(org.requests) == 1
    assert {result.status for result in results} == {WriteStatus.ALREADY_THERE}
    assert all(result.record_id for result in results)


def test_what_was_in_flight_when_a_process_ended_is_looked_up_before_it_is_sent(org, writer, write_log, clock):
    landed, lost = insert(1), insert(2)
    write_log.begin("dead", [landed, lost], now=clock.now())
    org.rows[landed.key] = "02s000000000001AAA"
    results = writer.apply([landed, lost], run_id="r")
    sent = [record[KEY_FIELD] for _, _, body in org.requests for record in body["records"]]
    assert sent == [lost.key]
    assert [result.status for result in results] == [WriteStatus.ALREADY_THERE, WriteStatus.DONE]


def test_settle_gives_back_what_did_not_land(org, writer, write_log, clock):
    landed, lost = insert(1), insert(2)
    write_log.begin("dead", [landed, lost], now=clock.now())
    org.rows[landed.key] = "02s000000000001AAA"
    assert writer.settle() == 1
    assert write_log.in_doubt() == []
    assert lost.op_id not in write_log.landed


def test_a_change_that_was_in_flight_is_known_by_the_values_its_row_has_now(org, writer, write_log, clock):
    sent = {"ActivityDate": date(2026, 11, 23), "StartDateTime": "2026-11-23T12:00:00.000Z"}
    landed = change("00T1", Status="Completed", Description="one\ntwo", WhatId="", **sent)
    other, gone = change("00T2", Status="Completed"), change("00T3", Status="Completed")
    org.values = {
        "00T1": {
            "Status": "Completed",
            "Description": "one\r\ntwo",
            "ActivityDate": "2026-11-23",
            "WhatId": None,
            "StartDateTime": "2026-11-23T12:00:00.000+0000",
        },
        "00T2": {"Status": "Open"},
    }
    write_log.begin("dead", [landed, other, gone], now=clock.now())
    assert writer.settle() == 1
    assert write_log.landed == {"00T1|change": "00T1"}
    assert write_log.in_doubt() == []
    writer.apply([landed, other], run_id="r")
    assert [record["id"] for _, _, body in org.requests for record in body["records"]] == ["00T2"]


def test_a_change_of_a_field_that_is_not_shown_any_more_is_sent_again_and_hinders_no_other(
    org, writer, write_log, clock
):
    org.hidden_fields = {"Secret__c"}
    org.rows[insert(1).key] = "02s1"
    write_log.begin("dead", [change("00T1", Secret__c="x"), insert(1)], now=clock.now())
    assert writer.settle() == 1
    assert write_log.in_doubt() == []


def test_locked_rows_alone_are_sent_again(org, writer):
    op = insert(1)
    lock = {"statusCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access", "fields": []}
    org.row_errors[op.key] = [dict(lock), dict(lock)]
    results = writer.apply([op, insert(2)], run_id="r")
    assert [result.status for result in results] == [WriteStatus.DONE, WriteStatus.DONE]
    assert [len(body["records"]) for _, _, body in org.requests] == [2, 1, 1]


def test_a_row_locked_for_ever_waits_for_the_next_run(org, writer):
    op = insert(1)
    org.row_errors[op.key] = [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "locked"} for _ in range(50)]
    [result] = writer.apply([op], run_id="r")
    assert result.status is WriteStatus.RETRY
    assert len(org.requests) <= 6


def test_one_row_that_breaks_the_whole_request_is_isolated(org, writer):
    org.poison = {"mail 3"}
    results = writer.apply([insert(n) for n in range(8)], run_id="r")
    assert [n for n, result in enumerate(results) if result.status is WriteStatus.REFUSED] == [3]
    assert len(org.rows) == 7


def test_a_request_refused_whatever_is_in_it_stops_the_run(org, writer):
    org.poison = {f"mail {n}" for n in range(100)}
    with pytest.raises(SafetyError, match="every row"):
        writer.apply([insert(n) for n in range(100)], run_id="r")


def test_more_writes_than_the_limit_writes_nothing(org, write_log, clock):
    writer = SalesforceWriter(org, org, write_log, clock=clock, max_ops=10)
    with pytest.raises(SafetyError, match="max_per_run"):
        writer.apply([insert(n) for n in range(11)], run_id="r")
    assert org.requests == []


def test_the_limit_counts_all_calls_of_one_run_and_each_run_anew(org, write_log, clock):
    writer = SalesforceWriter(org, org, write_log, clock=clock, max_ops=10)
    writer.apply([insert(n) for n in range(6)], run_id="r")
    with pytest.raises(
        SafetyError, match=r"max_per_run \(10\) would be passed: 6 were sent before, and the next 6 are"
    ):
        writer.apply([insert(n) for n in range(6, 12)], run_id="r")
    assert len(org.rows) == 6
    writer.apply([insert(n) for n in range(6, 12)], run_id="r2")
    assert len(org.rows) == 12


def test_full_storage_stops_the_writing(org, writer):
    op = insert(1)
    org.row_errors[op.key] = [{"statusCode": "STORAGE_LIMIT_EXCEEDED", "message": "storage limit exceeded"}]
    with pytest.raises(SafetyError, match="storage"):
        writer.apply([op], run_id="r")


def test_an_org_that_is_down_leaves_the_ops_in_doubt_and_nothing_lost(org, writer, write_log):
    org.fail = [TransientError("503")]
    with pytest.raises(TransientError):
        writer.apply([insert(1)], run_id="r")
    assert [op.key for op in write_log.in_doubt()] == [insert(1).key]
    [result] = writer.apply([insert(1)], run_id="r2")
    assert result.status is WriteStatus.DONE


def test_the_budget_stops_before_anything_is_marked_in_flight(org, writer, write_log, monkeypatch):
    def empty(_calls: int) -> None:
        raise BudgetError("reserve")

    monkeypatch.setattr(org, "check_budget", empty)
    with pytest.raises(BudgetError):
        writer.apply([insert(1)], run_id="r")
    assert (org.requests, write_log.in_doubt()) == ([], [])


def test_a_post_whose_answer_was_lost_is_found_by_its_marker_and_not_posted_twice(org, writer):
    org.lose_answers = 1
    [result] = writer.apply([post(1)], run_id="r")
    assert result.status is WriteStatus.ALREADY_THERE
    assert len(org.posts) == 1


def test_a_post_that_did_not_arrive_is_posted(org, writer):
    org.fail = [UnknownOutcomeError("reset")]
    [result] = writer.apply([post(1)], run_id="r")
    assert result.status is WriteStatus.DONE
    assert len(org.posts) == 1


def test_an_answer_with_another_number_of_rows_is_not_trusted(org, writer, monkeypatch):
    rows = org._rows
    monkeypatch.setattr(org, "_rows", lambda records: rows(records)[:-1])
    results = writer.apply([insert(1), insert(2)], run_id="r")
    assert {result.status for result in results} == {WriteStatus.ALREADY_THERE}


def test_a_duplicate_that_names_no_field_is_looked_up_by_our_key(org, writer):
    mine, other = insert(8), insert(9)
    org.rows[mine.key] = "02s000000000888AAA"
    words = "duplicate value found: <unknown> duplicates value on record with id: <unknown>"
    for op in (mine, other):
        org.row_errors[op.key] = [{"statusCode": "DUPLICATE_VALUE", "message": words, "fields": []}]
    found, refused = writer.apply([mine, other], run_id="r")
    assert (found.status, found.record_id) == (WriteStatus.ALREADY_THERE, "02s000000000888AAA")
    assert refused.status is WriteStatus.REFUSED


def test_posts_kept_by_an_org_that_refused_the_call_for_one_of_them_are_not_posted_twice(org, writer, monkeypatch):
    whole = org._answer

    def partial_save(method, path, body):
        if path.endswith("chatterPost"):
            bad = [entry for entry in body["inputs"] if entry["subjectNameOrId"].startswith("500")]
            whole(method, path, {"inputs": [entry for entry in body["inputs"] if entry not in bad]})
            if bad:
                raise RecordError("HTTP 400", code="400")
            return [{"isSuccess": True, "errors": None, "outputValues": {"feedItemId": "0D5000000000000AAA"}}]
        return whole(method, path, body)

    monkeypatch.setattr(org, "_answer", partial_save)
    ops = [post(1), post(2, "500000000000001AAA"), post(3)]
    results = writer.apply(ops, run_id="r")
    assert len(org.posts) == 2
    assert {result.op_id: result.status for result in results} == {
        "post1": WriteStatus.ALREADY_THERE,
        "post2": WriteStatus.REFUSED,
        "post3": WriteStatus.ALREADY_THERE,
    }


def test_a_moment_in_any_zone_is_sent_as_that_moment_in_utc():
    istanbul = datetime(2026, 7, 1, 12, 0, tzinfo=ZoneInfo("Europe/Istanbul"))
    assert wire_value(istanbul) == "2026-07-01T09:00:00.000+0000"


def test_a_post_that_a_lost_or_restored_log_does_not_know_is_found_and_not_made_again(org, writer, clock):
    writer.apply([post(1)], run_id="r")
    forgetful = SalesforceWriter(org, org, MemoryLog(), clock=clock)
    [known, new] = forgetful.apply([post(1), post(2)], run_id="s")
    assert (known.status, new.status) == (WriteStatus.ALREADY_THERE, WriteStatus.DONE)
    assert len(org.posts) == 2
