"""Query jobs of the Bulk API 2.0: states, results in sets of rows, and what they refuse"""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.faults import FaultBook, Rule
from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Api, Clock, Company

pytestmark = pytest.mark.documented("Bulk API 2.0 and Bulk API Developer Guide, Bulk API 2.0 Query")
ODD = ['"', ",", "\n", "\r\n", "\r", "\t", "|", "ı", "İ", "Ş", "😀", "\u2028", "=1+1", " ", "#N/A", "'", "\\"]


@pytest.fixture
def polled(org: Org) -> None:
    """Jobs move by being asked for, so that each run is the same."""
    org.settings.bulk_polls = 1


def ask(api: Api, soql: str, **more: Any) -> Any:
    return api.call("POST", "jobs/query", {"operation": "query", "query": soql, **more})


def finished(api: Api, soql: str, **more: Any) -> str:
    """The id of a job that is complete."""
    job = ask(api, soql, **more).json()
    return wait(api, f"jobs/query/{job['id']}")


def wait(api: Api, path: str) -> str:
    for _ in range(10_000):
        told = api.get(path).json()
        if told["state"] in ("JobComplete", "Failed", "Aborted"):
            assert told["state"] == "JobComplete", told
            return str(told["id"])
    raise AssertionError("the job does not end")


def accounts(org: Org, n: int) -> None:
    org.seed("Account", ({"Name": f"A{i:05}"} for i in range(n)))


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_a_query_job_goes_from_state_to_state_as_it_is_asked_for(
    api: Api, company: Company, polled: None, clock: Clock
) -> None:
    made = ask(api, "SELECT Id FROM Account")
    assert made.status_code == 200
    job = made.json()
    assert job == {
        "id": job["id"],
        "operation": "query",
        "object": "Account",
        "createdById": company.rep,
        "createdDate": "2026-03-02T09:00:30.000+0000",
        "systemModstamp": "2026-03-02T09:00:30.000+0000",
        "state": "UploadComplete",
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": 66.0,
        "lineEnding": "LF",
        "columnDelimiter": "COMMA",
    }
    assert job["id"].startswith("750")
    states = [api.get(f"jobs/query/{job['id']}").json()["state"] for _ in range(5)]
    assert states == ["UploadComplete", "InProgress", "JobComplete", "JobComplete", "JobComplete"]
    told = api.get(f"jobs/query/{job['id'][:15]}").json()
    assert (told["jobType"], told["numberRecordsProcessed"], told["retries"]) == ("V2Query", 2, 0)


def test_a_query_job_ends_by_wall_time_while_nobody_moves_the_business_clock(api: Api, org: Org) -> None:
    wall = org.sessions.wall_clock()
    org.sessions.wall_clock = lambda: wall
    path = f"jobs/query/{ask(api, 'SELECT Id FROM Account').json()['id']}"
    assert api.get(path).json()["state"] == "UploadComplete"
    wall += 0.2
    assert api.get(path).json()["state"] == "InProgress"
    assert api.get(path).json()["state"] == "InProgress"
    wall += 0.2
    wait(api, path)


def test_a_query_job_ends_at_once_when_the_business_clock_is_moved(api: Api, org: Org, clock: Clock) -> None:
    path = f"jobs/query/{ask(api, 'SELECT Id FROM Account').json()['id']}"
    wall = org.sessions.wall_clock()
    org.sessions.wall_clock = lambda: wall
    clock.advance(minutes=1)
    assert api.get(path).json()["state"] == "InProgress"
    org.bulk.wait()
    clock.advance(minutes=1)
    assert api.get(path).json()["state"] == "JobComplete"


def test_results_come_as_csv_without_a_charset_every_value_quoted(api: Api, company: Company, polled: None) -> None:
    soql = "SELECT Name, Amount, IsClosed, CloseDate, CreatedDate, Owner.Name, Description, AccountId FROM Opportunity"
    answer = api.get(f"jobs/query/{finished(api, soql)}/results")
    assert answer.headers["content-type"] == "text/csv"
    assert (answer.headers["Sforce-NumberOfRecords"], answer.headers["Sforce-Locator"]) == ("1", "null")
    assert answer.content.decode() == (
        '"Name","Amount","IsClosed","CloseDate","CreatedDate","Owner.Name","Description","AccountId"\n'
        f'"Çelik 2026","12500.5","false","2026-04-15","2025-01-01T00:00:00.000Z","Jane Doe","","{company.account}"\n'
    )


def test_results_can_be_had_with_another_delimiter_and_line_ending(api: Api, company: Company, polled: None) -> None:
    job = finished(api, "SELECT LastName, Email FROM Lead ORDER BY LastName", columnDelimiter="PIPE", lineEnding="CRLF")
    text = api.get(f"jobs/query/{job}/results").content.decode()
    assert text == '"LastName"|"Email"\r\n"Old"|""\r\n"Öz"|"oz@oz.example"\r\n'


@pytest.mark.documented("Bulk API 2.0 and Bulk API Developer Guide, Valid CSV Record Rows", settled=False)
def test_numbers_of_ten_millions_and_more_come_in_scientific_notation(api: Api, org: Org, polled: None) -> None:
    amounts = (0.0, -1250.5, 9_999_999.0, 10_000_000.0, -123_456_789.25, 4e15)
    org.seed("Account", ({"Name": f"N{i}", "AnnualRevenue": one} for i, one in enumerate(amounts)))
    job = finished(api, "SELECT AnnualRevenue FROM Account WHERE Name LIKE 'N_' ORDER BY Name")
    read = [row[0] for row in rows(api.get(f"jobs/query/{job}/results").text)[1:]]
    assert read == ["0.0", "-1250.5", "9999999.0", "1.0E7", "-1.2345678925E8", "4.0E15"]
    assert [float(one) for one in read] == list(amounts)


def test_a_query_without_rows_gives_its_header_only(api: Api, polled: None) -> None:
    answer = api.get(f"jobs/query/{finished(api, 'SELECT Id, Name FROM Campaign')}/results")
    assert answer.text == '"Id","Name"\n'
    assert (answer.headers["Sforce-NumberOfRecords"], answer.headers["Sforce-Locator"]) == ("0", "null")


def test_hostile_text_comes_back_byte_for_byte_in_every_dialect(api: Api, org: Org, polled: None) -> None:
    dice = random.Random(20261126)
    texts = ["".join(dice.choices([*ODD, "a", "b"], k=dice.randint(1, 30))) for _ in range(40)]
    org.seed("Account", ({"Name": f"h{i:03}", "Description": text} for i, text in enumerate(texts)))
    soql = "SELECT Description FROM Account WHERE Name LIKE 'h%' ORDER BY Name"
    for delimiter, mark in (("COMMA", ","), ("TAB", "\t"), ("PIPE", "|")):
        job = finished(api, soql, columnDelimiter=delimiter, lineEnding=dice.choice(["LF", "CRLF"]))
        read: list[str] = []
        locator: str | None = None
        while locator != "null":
            params = {"maxRecords": 7} | ({"locator": locator} if locator else {})
            answer = api.get(f"jobs/query/{job}/results", **params)
            locator = answer.headers["Sforce-Locator"]
            text = answer.content.decode()
            read += [one[0] for one in csv.reader(io.StringIO(text, newline=""), delimiter=mark)][1:]
        assert read == texts


def test_locators_lead_through_the_rows_again_and_again_and_across_a_restart(
    api: Api, org: Org, company: Company, clock: Clock, polled: None, tmp_path: Path
) -> None:
    accounts(org, 25)
    job = finished(api, "SELECT Name FROM Account WHERE Name LIKE 'A0%' ORDER BY Name")
    first = api.get(f"jobs/query/{job}/results", maxRecords=10)
    assert (first.headers["Sforce-NumberOfRecords"], first.headers["Sforce-Locator"]) == ("10", "MTA")
    second = api.get(f"jobs/query/{job}/results", maxRecords=10, locator="MTA")
    assert rows(second.text)[1] == ["A00010"]
    org.seed("Account", [{"Name": "A00000x"}])  # the result is of the moment it was made
    org.close()
    again = Org(tmp_path / "org", clock, settings=org.settings)
    other = Api(again, company.rep)
    assert other.get(f"jobs/query/{job}/results", maxRecords=10, locator="MTA").content == second.content
    third = other.get(f"jobs/query/{job}/results", maxRecords=10, locator="MjA")
    assert (third.headers["Sforce-NumberOfRecords"], third.headers["Sforce-Locator"]) == ("5", "null")
    for wrong in ("MzA", "?", "eA"):
        assert other.get(f"jobs/query/{job}/results", locator=wrong).status_code == 400
    again.close()


def test_result_pages_name_five_sets_at_a_time_that_make_up_the_whole(api: Api, org: Org, polled: None) -> None:
    accounts(org, 12)
    org.settings.bulk_page_size = 2
    job = finished(api, "SELECT Name FROM Account WHERE Name LIKE 'A0%' ORDER BY Name")
    first = api.get(f"jobs/query/{job}/resultPages").json()
    assert (len(first["resultPages"]), first["done"]) == (5, False)
    second = api.http.get(first["nextRecordsUrl"]).json()
    assert (len(second["resultPages"]), second["done"], second["nextRecordsUrl"]) == (1, True, None)
    links = [one["resultUrl"] for one in first["resultPages"] + second["resultPages"]]
    assert links[1] == f"{api.root}/jobs/query/{job}/results?locator=Mg"
    read = [row[0] for link in reversed(links) for row in rows(api.http.get(link).text)[:0:-1]]
    assert read == [f"A{i:05}" for i in reversed(range(12))]
    api.root = "/services/data/v57.0"
    assert api.get(f"jobs/query/{job}/resultPages").status_code == 404


def test_results_are_read_with_the_version_the_job_was_made_with(api: Api, polled: None) -> None:
    job = finished(api, "SELECT Id FROM Lead")
    api.root = "/services/data/v65.0"
    assert api.get(f"jobs/query/{job}").status_code == 200
    assert api.get(f"jobs/query/{job}/results").status_code == 409
    assert api.get(f"jobs/query/{job}/resultPages").status_code == 409


def test_columns_are_in_the_order_of_the_query_from_version_50_on_and_sorted_before(api: Api, polled: None) -> None:
    soql = "SELECT Name, Id, CreatedDate FROM Lead"
    assert api.get(f"jobs/query/{finished(api, soql)}/results").text.startswith('"Name","Id","CreatedDate"\n')
    api.root = "/services/data/v49.0"
    assert api.get(f"jobs/query/{finished(api, soql)}/results").text.startswith('"CreatedDate","Id","Name"\n')
    api.root = "/services/data/v46.0"
    assert ask(api, soql).status_code == 404


def test_a_query_job_shows_deleted_rows_when_it_asks_for_all(
    api: Api, org: Org, company: Company, polled: None
) -> None:
    org.delete("Lead", company.lead, user_id=company.rep)
    counted = [
        api.get(f"jobs/query/{finished(api, 'SELECT Id FROM Lead', operation=operation)}").json()
        for operation in ("query", "queryAll")
    ]
    assert [one["numberRecordsProcessed"] for one in counted] == [1, 2]


REFUSED = [
    ("SELECT COUNT(Id) FROM Lead", "API_ERROR", "Aggregate Relationships not supported in Bulk Query"),
    ("SELECT COUNT() FROM Lead", "API_ERROR", "Aggregate Relationships not supported in Bulk Query"),
    ("SELECT Status FROM Lead GROUP BY Status", "API_ERROR", "Aggregate Relationships not supported"),
    ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "API_ERROR", "Aggregate Relationships not supported"),
    ("SELECT Id, BillingAddress FROM Account", "API_ERROR", "Selecting compound data not supported in Bulk Query"),
    ("SELECT Id FROM Lead LIMIT 5 OFFSET 2", "API_ERROR", "OFFSET not supported in Bulk Query"),
    ("SELECT TYPEOF What WHEN Account THEN Name END FROM Task", "API_ERROR", "TYPEOF not supported in Bulk Query"),
    ("SELECT Id FROM TaskStatus", "INVALIDENTITY", "Entity 'TaskStatus' is not supported by the Bulk API."),
    ("SELECT Nope FROM Lead", "INVALID_FIELD", "No such column 'Nope' on entity 'Lead'"),
    ("SELECT Id FROM Nope", "INVALID_TYPE", "sObject type 'Nope' is not supported."),
    ("SELECT FROM Lead", "MALFORMED_QUERY", "unexpected token"),
    ("", "API_ERROR", "query"),
]


@pytest.mark.documented(guess="the code of an empty query, and some words")
def test_queries_that_a_job_does_not_take_are_refused_when_it_is_made(api: Api) -> None:
    for soql, code, said in REFUSED:
        answer = ask(api, soql)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code), soql
        assert said in answer.json()[0]["message"]
    assert api.get("jobs/query").json() == {"done": True, "records": [], "nextRecordsUrl": None}


def test_lists_of_related_ids_are_left_out_of_results(api: Api, polled: None) -> None:
    job = finished(api, "SELECT Id, ToIds, Subject FROM EmailMessage")
    assert api.get(f"jobs/query/{job}/results").text == '"Id","Subject"\n'


@pytest.mark.documented(guess="the code of an early deletion, and 204 for early results")
def test_a_query_job_can_be_aborted_and_deleted_in_its_time_only(api: Api, org: Org, polled: None) -> None:
    path = f"jobs/query/{ask(api, 'SELECT Id FROM Lead').json()['id']}"
    early = api.call("DELETE", path)
    assert (early.status_code, early.json()[0]["errorCode"]) == (400, "API_ERROR")
    assert api.get(f"{path}/results").status_code == 204
    assert api.call("PATCH", path, {"state": "Aborted"}).json()["state"] == "Aborted"
    assert api.call("DELETE", path).status_code == 204
    assert api.get(path).json() == [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
    done = finished(api, "SELECT Id FROM Lead")
    late = api.call("PATCH", f"jobs/query/{done}", {"state": "Aborted"})
    assert late.json() == [{"errorCode": "INVALIDJOBSTATE", "message": "Aborting already Completed Job not allowed"}]
    assert api.call("DELETE", f"jobs/query/{done}").status_code == 204
    assert list(org.bulk.jobs.folder.iterdir()) == []


def test_jobs_are_listed_by_type(api: Api, polled: None) -> None:
    job = finished(api, "SELECT Id FROM Lead")
    api.call("POST", "jobs/ingest", {"operation": "insert", "object": "Lead"})
    assert [one["jobType"] for one in api.get("jobs/query").json()["records"]] == ["V2Query", "V2Ingest"]
    assert [one["id"] for one in api.get("jobs/ingest", jobType="V2Query").json()["records"]] == [job]
    assert api.get("jobs/query", jobType="Classic").json()["records"] == []


def test_a_days_query_jobs_are_limited_and_jobs_are_kept_seven_days(
    api: Api, org: Org, clock: Clock, polled: None
) -> None:
    job = finished(api, "SELECT Id FROM Lead")
    assert api.get("limits").json()["DailyBulkV2QueryJobs"] == {"Max": 10_000, "Remaining": 9_999}
    org.meters.add("DailyBulkV2QueryJobs", 9_999)
    refused = ask(api, "SELECT Id FROM Lead").json()[0]
    assert refused["message"] == "Max bulk v2 query jobs (10000) per 24 hrs has been reached (10000)"
    org.meters.add("DailyBulkV2QueryFileStorageMB", 976_562)
    refused = ask(api, "SELECT Id FROM Lead").json()[0]
    assert (refused["errorCode"], refused["message"][:37]) == (
        "LIMIT_EXCEEDED",
        "Max bulk v2 query result size stored ",
    )
    clock.advance(days=6, hours=23)
    assert api.get(f"jobs/query/{job}").status_code == 200
    clock.advance(hours=2)
    assert api.get(f"jobs/query/{job}").status_code == 404
    assert ask(api, "SELECT Id FROM Lead").status_code == 200


def test_jobs_and_results_go_with_a_saved_state(api: Api, org: Org, polled: None, tmp_path: Path) -> None:
    job = finished(api, "SELECT Id FROM Lead")
    before = api.get(f"jobs/query/{job}/results").content
    org.save(tmp_path / "saved")
    api.call("DELETE", f"jobs/query/{job}")
    org.restore(tmp_path / "saved")
    assert api.get(f"jobs/query/{job}/results").content == before


def test_a_job_fails_or_is_held_up_as_a_rule_says(api: Api, org: Org, polled: None) -> None:
    book = FaultBook()
    org.trouble.ask = book.take_at
    rule = {"service": "salesforce", "do": "fail_job", "match": "query Lead", "body": "Too bad", "times": 1}
    book.add(Rule.from_json(rule))
    path = f"jobs/query/{ask(api, 'SELECT Id FROM Lead').json()['id']}"
    told = [api.get(path).json() for _ in range(2)]
    assert [one["state"] for one in told] == ["UploadComplete", "Failed"]
    assert told[1]["errorMessage"] == "Too bad"
    book.add(Rule.from_json({"service": "salesforce", "do": "slow_job", "match": "query Lead", "seconds": 3}))
    path = f"jobs/query/{ask(api, 'SELECT Id FROM Lead').json()['id']}"
    states = [api.get(path).json()["state"] for _ in range(7)]
    assert states == ["UploadComplete"] * 4 + ["InProgress"] + ["JobComplete"] * 2


def test_jobs_go_on_by_time_when_polls_no_longer_move_them(api: Api, org: Org, polled: None) -> None:
    path = f"jobs/query/{ask(api, 'SELECT Id FROM Lead').json()['id']}"
    org.change_settings({"bulk_polls": 0, "bulk_wait_ms": 0})
    wait(api, path)


def test_jobs_that_were_in_progress_when_the_process_died_are_taken_up_again(
    api: Api, org: Org, company: Company, clock: Clock, tmp_path: Path
) -> None:
    org.settings.bulk_polls = 1
    path = f"jobs/query/{ask(api, 'SELECT Id FROM Lead').json()['id']}"
    assert [api.get(path).json()["state"] for _ in range(2)] == ["UploadComplete", "InProgress"]
    org.close()
    org.settings.bulk_polls = org.settings.bulk_wait_ms = 0
    again = Org(tmp_path / "org", clock, settings=org.settings)
    wait(Api(again, company.rep), path)
    again.close()
