"""Ingest jobs of the Bulk API 2.0: uploads, records that succeed and fail one by one, and their results"""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.faults import FaultBook, Rule
from leakwatch.sandbox.org.bulk import ingest
from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Api, Clock, Company

pytestmark = pytest.mark.documented("Bulk API 2.0 and Bulk API Developer Guide, Bulk API 2.0 Ingest")


@pytest.fixture(autouse=True)
def polled(org: Org) -> None:
    """Jobs move by being asked for, so that each run is the same."""
    org.settings.bulk_polls = 1


@pytest.fixture
def keyed(org: Org, project: Path) -> None:
    """Tasks and mails with an external id; accounts with one of their own."""
    org.deploy(project)
    org.add_custom_field(
        "Account", {"fullName": "Ext__c", "label": "Ext", "type": "Text", "length": 20, "externalId": True}
    )


def opened(api: Api, operation: str, sobject: str, **more: Any) -> str:
    answer = api.call("POST", "jobs/ingest", {"operation": operation, "object": sobject, **more})
    assert answer.status_code == 200, answer.text
    return f"jobs/ingest/{answer.json()['id']}"


def put(api: Api, path: str, content: str | bytes) -> Any:
    raw = content.encode() if isinstance(content, str) else content
    headers = {"Content-Type": "text/csv; charset=UTF-8"}
    return api.http.put(f"{api.root}/{path}/batches", content=raw, headers=headers)


def loaded(api: Api, operation: str, sobject: str, content: str | bytes, **more: Any) -> tuple[str, dict[str, Any]]:
    """The job's path, and the job when it is over."""
    path = opened(api, operation, sobject, **more)
    assert put(api, path, content).status_code == 201
    assert api.call("PATCH", path, {"state": "UploadComplete"}).json()["state"] == "UploadComplete"
    return path, over(api, path)


def over(api: Api, path: str) -> dict[str, Any]:
    for _ in range(10):
        told = api.get(path).json()
        if told["state"] in ("JobComplete", "Failed", "Aborted"):
            return told
    raise AssertionError("the job does not end")


def rows(api: Api, path: str, kind: str, delimiter: str = ",") -> list[list[str]]:
    answer = api.get(f"{path}/{kind}")
    assert answer.headers["content-type"] == "text/csv"
    return list(csv.reader(io.StringIO(answer.content.decode(), newline=""), delimiter=delimiter))


def test_an_ingest_job_is_opened_filled_closed_and_worked_on(api: Api, org: Org, company: Company) -> None:
    path = opened(api, "insert", "Contact")
    job = api.get(path).json()
    assert job == {
        "id": path.rpartition("/")[2],
        "operation": "insert",
        "object": "Contact",
        "createdById": company.rep,
        "createdDate": "2026-03-02T09:00:30.000+0000",
        "systemModstamp": "2026-03-02T09:00:30.000+0000",
        "state": "Open",
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": 66.0,
        "jobType": "V2Ingest",
        "contentUrl": f"services/data/v66.0/{path}/batches",
        "lineEnding": "LF",
        "columnDelimiter": "COMMA",
        "retries": 0,
        "totalProcessingTime": 0,
        "apiActiveProcessingTime": 0,
        "apexProcessingTime": 0,
        "isPkChunkingSupported": False,
    }
    assert put(api, path, "LastName,Email\nÖz,oz@oz.example\n").content == b""
    api.call("PATCH", path, {"state": "UploadComplete"})
    told = [api.get(path).json() for _ in range(3)]
    assert [one["state"] for one in told] == ["UploadComplete", "InProgress", "JobComplete"]
    assert (told[2]["numberRecordsProcessed"], told[2]["numberRecordsFailed"]) == (1, 0)
    header, row = rows(api, path, "successfulResults")
    assert header == ["sf__Id", "sf__Created", "LastName", "Email"]
    assert row[1:] == ["true", "Öz", "oz@oz.example"]
    made = org.get("Contact", row[0])
    assert made is not None
    assert (made["LastName"], made["CreatedById"]) == ("Öz", company.rep)


@pytest.mark.documented("Snowfakery issue 793")
def test_records_fail_one_by_one_and_say_why(api: Api, company: Company) -> None:
    content = (
        "Company,LastName,OwnerId,NumberOfEmployees,Email\n"
        f"A,Fine,{company.rep},3,a@b.example\n"
        f",Bad,{company.rep},3,\n"
        f"A,Bad,{company.leaver},3,\n"
        f"A,Bad,{company.rep},three,\n"
        f"A,Bad,{company.rep},3,a@b@c\n"
    )
    path, job = loaded(api, "insert", "Lead", content)
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", 5, 4)
    no_number = "'three' is not a valid value for the type xsd:int"
    failed = rows(api, path, "failedResults")
    assert failed[0][:2] == ["sf__Id", "sf__Error"]
    assert [row[1] for row in failed[1:]] == [
        "REQUIRED_FIELD_MISSING:Required fields are missing: [Company]:Company --",
        f"INACTIVE_OWNER_OR_USER:operation performed with inactive user [{company.leaver}] as owner of lead:OwnerId --",
        f"INVALID_FIELD:Failed to deserialize field at col 3. Due to, {no_number}:NumberOfEmployees --",
        "INVALID_EMAIL_ADDRESS:Email: invalid email address: a@b@c:Email --",
    ]
    assert [row[3] for row in rows(api, path, "successfulResults")[1:]] == ["Fine"]
    assert rows(api, path, "unprocessedrecords") == [["Company", "LastName", "OwnerId", "NumberOfEmployees", "Email"]]


def test_an_empty_value_is_left_alone_and_n_a_is_null(api: Api, org: Org, company: Company) -> None:
    content = f"Id,Email,FirstName,Phone\n{company.contact},,#N/A,123\n"
    _, job = loaded(api, "update", "Contact", content)
    assert job["numberRecordsFailed"] == 0
    contact = org.get("Contact", company.contact)
    assert contact is not None
    assert (contact["Email"], contact["FirstName"], contact["Phone"]) == ("isil@celik.example", None, "123")


def test_an_upsert_makes_and_changes_and_finds_parents_by_external_id(
    api: Api, org: Org, company: Company, keyed: None
) -> None:
    org.update("Account", company.account, {"Ext__c": "A-1"}, user_id=company.rep)
    org.create("Task", {"Subject": "old", "Leakwatch_Key__c": "k1"}, user_id=company.rep)
    content = (
        "Leakwatch_Key__c,Subject,Account:What.Ext__c\nk1,changed,A-1\nk2,made,a-1\nk3,lost,A-9\n,keyless,\nk2,twice,\n"
    )
    path, job = loaded(api, "upsert", "Task", content, externalIdFieldName="Leakwatch_Key__c")
    assert (job["externalIdFieldName"], job["numberRecordsFailed"]) == ("Leakwatch_Key__c", 3)
    assert [row[1:4] for row in rows(api, path, "successfulResults")[1:]] == [
        ["false", "k1", "changed"],
        ["true", "k2", "made"],
    ]
    assert [row[1] for row in rows(api, path, "failedResults")[1:]] == [
        "INVALID_FIELD:Foreign key external ID: A-9 not found for field Ext__c in entity Account:--",
        "MISSING_ARGUMENT:Leakwatch_Key__c not specified:--",
        "DUPLICATE_VALUE:Duplicate external id specified: k2:Leakwatch_Key__c --",
    ]
    assert {row["WhatId"] for row in org.query("SELECT WhatId FROM Task")} == {company.account}


@pytest.mark.documented("SFDX-Data-Move-Utility issue 325", guess="hardDelete's words for other columns")
def test_delete_fills_the_recycle_bin_and_hard_delete_goes_past_it(api: Api, org: Org, company: Company) -> None:
    path, _ = loaded(api, "delete", "Lead", f"Id\n{company.lead}\n{company.lead[:15]}\nnonsense\n")
    assert [row[0] for row in rows(api, path, "successfulResults")[1:]] == [company.lead]
    assert [row[1].split(":")[0] for row in rows(api, path, "failedResults")[1:]] == ["DUPLICATE_VALUE", "MALFORMED_ID"]
    assert org.query(f"SELECT IsDeleted FROM Lead WHERE Id = '{company.lead}'", all_rows=True) == [{"IsDeleted": True}]
    loaded(api, "hardDelete", "Contact", f"Id\n{company.colleague}\n")
    assert org.get("Contact", company.colleague) is None
    org.settings.missing_permissions = ["BulkApiHardDelete"]
    refused = api.call("POST", "jobs/ingest", {"operation": "hardDelete", "object": "Contact"})
    assert refused.json()[0]["errorCode"] == "FEATURENOTENABLED"
    _, job = loaded(api, "delete", "Contact", f"Id,LastName\n{company.contact},x\n")
    assert (job["state"], job["errorMessage"]) == ("Failed", "InvalidBatch : The 'delete' batch must contain only ids")


UNREADABLE = [
    (b"Name,Nope\nx,y\n", "InvalidBatch : Field name not found : Nope"),
    (b"Name,Owner.Nope\nx,y\n", "InvalidBatch : Field name not found : Owner.Nope"),
    (b"Name\r\nx\r\n", "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"),
    (b"", "InvalidBatch : Records not found"),
    (b'\xef\xbb\xbf"Name"\nx\n', "InvalidBatch : Failed to parse CSV. Found unescaped quote."),
    (b'Name\n"x" \n', "InvalidBatch : Failed to parse CSV. Found unescaped quote."),
    (b"Name\n\xff\n", "InvalidBatch : Failed to parse CSV. The data is not UTF-8"),
    (b"Name\n" + b"x" * 131_073 + b"\n", "InvalidBatch : A record has at most"),
]


@pytest.mark.documented(guess="the words for what is not UTF-8 or too long")
@pytest.mark.parametrize("limit", [131_072, 10_000_000], ids=["as Python starts", "raised by somebody"])
def test_a_file_that_cannot_be_read_fails_the_job(api: Api, limit: int) -> None:
    before = csv.field_size_limit(limit)
    try:
        refuse_unreadable(api)
    finally:
        csv.field_size_limit(before)


def refuse_unreadable(api: Api) -> None:
    for content, said in UNREADABLE:
        path, job = loaded(api, "insert", "Account", content)
        assert job["state"] == "Failed"
        assert job["errorMessage"].startswith(said)
        assert api.get(f"{path}/unprocessedrecords").content == content


def test_a_record_that_cannot_be_read_leaves_those_before_it_written(api: Api, org: Org) -> None:
    good = "".join(f"B{i}\n" for i in range(250))
    path, job = loaded(api, "insert", "Account", f'Name\n{good}"x"y\nlast\n')
    assert (job["state"], job["numberRecordsProcessed"]) == ("Failed", 250)
    assert len(org.query("SELECT Id FROM Account WHERE Name LIKE 'B%'")) == 250
    assert api.get(f"{path}/unprocessedrecords").text == 'Name\n"x"y\nlast\n'


def test_hostile_text_is_taken_and_given_back_in_every_dialect(api: Api, org: Org) -> None:
    dice = random.Random(7)
    odd = ['"', ",", "\n", "\r\n", "\t", "|", ";", "^", "`", "ı", "😀", " ", "#N/A", "''", "a"]
    marks = {"COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`"}
    for n, (name, mark) in enumerate(marks.items()):
        ending = dice.choice(["LF", "CRLF"])
        texts = [f".{''.join(dice.choices(odd, k=dice.randint(1, 20)))}." for _ in range(30)]
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=mark, lineterminator="\n" if ending == "LF" else "\r\n")
        writer.writerows([["Name", "Description"], *((f"H{n}-{i:02}", one) for i, one in enumerate(texts))])
        bom = "\ufeff" if n % 2 else ""
        path, job = loaded(api, "insert", "Account", bom + text.getvalue(), columnDelimiter=name, lineEnding=ending)
        assert (job["state"], job["numberRecordsFailed"]) == ("JobComplete", 0)
        kept = org.query(f"SELECT Description FROM Account WHERE Name LIKE 'H{n}-%' ORDER BY Name")
        assert [row["Description"] for row in kept] == texts
        assert [row[3] for row in rows(api, path, "successfulResults", mark)[1:]] == texts


@pytest.mark.documented(guess="the codes of the refusals")
def test_data_is_brought_once_and_to_open_jobs_only(api: Api) -> None:
    path = opened(api, "insert", "Account")
    assert put(api, path, "Name\nx\n").status_code == 201
    again = put(api, path, "Name\ny\n")
    assert (again.status_code, again.json()[0]["errorCode"]) == (400, "CLIENTINPUTERROR")
    assert "Found multiple contents for job" in again.json()[0]["message"]
    wrong = api.http.put(f"{api.root}/{path}/batches", content=b"{}", headers={"Content-Type": "application/json"})
    assert wrong.status_code == 415
    assert api.call("PATCH", path, {"state": "Aborted"}).json()["state"] == "Aborted"
    assert put(api, path, "Name\ny\n").json()[0]["errorCode"] == "INVALIDJOBSTATE"
    closed = api.call("PATCH", path, {"state": "UploadComplete"})
    assert closed.json()[0]["errorCode"] == "INVALIDJOBSTATE"
    assert api.get(f"{path}/unprocessedrecords").text == "Name\nx\n"
    assert api.call("DELETE", path).status_code == 204
    assert api.get(path).status_code == 404
    assert api.call("DELETE", opened(api, "insert", "Account")).json()[0]["errorCode"] == "INVALIDJOBSTATE"


def test_a_multipart_request_makes_fills_and_closes_a_job(api: Api, org: Org) -> None:
    job = '{"object":"Account","operation":"insert","contentType":"CSV","lineEnding":"LF"}'
    body = (
        '--BOUNDARY\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name="job"\r\n\r\n'
        f"{job}\r\n--BOUNDARY\r\nContent-Type: text/csv\r\n"
        'Content-Disposition: form-data; name="content"; filename="content"\r\n\r\n'
        'Name,Description\nM1,"two\nlines"\n\r\n--BOUNDARY--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=BOUNDARY"}
    answer = api.http.post(f"{api.root}/jobs/ingest", content=body.encode(), headers=headers)
    assert answer.json()["state"] == "UploadComplete"
    over(api, f"jobs/ingest/{answer.json()['id']}")
    assert org.query("SELECT Description FROM Account WHERE Name = 'M1'") == [{"Description": "two\nlines"}]


IMPOSSIBLE: list[tuple[dict[str, Any], int, str]] = [
    ({"operation": "insert", "object": "Nope"}, 400, "INVALIDJOB"),
    ({"operation": "merge", "object": "Lead"}, 400, "INVALIDJOB"),
    ({"operation": "upsert", "object": "Lead"}, 400, "INVALIDJOB"),
    ({"operation": "upsert", "object": "Lead", "externalIdFieldName": "Company"}, 400, "INVALIDJOB"),
    ({"operation": "insert", "object": "Lead", "columnDelimiter": "DOT"}, 400, "INVALIDJOB"),
    ({"operation": "insert", "object": "Lead", "contentType": "JSON"}, 400, "INVALIDJOB"),
    ({"operation": "insert", "object": "Lead", "assignmentRuleId": "01Q5e000000AAAA"}, 501, "SANDBOX_NOT_EMULATED"),
]


def test_jobs_that_cannot_be_are_refused(api: Api) -> None:
    for body, status, code in IMPOSSIBLE:
        answer = api.call("POST", "jobs/ingest", body)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)


@pytest.mark.documented("Bulk API 2.0 and Bulk API Developer Guide, How Requests Are Processed")
def test_locked_rows_are_tried_again_and_then_reported(api: Api, org: Org, company: Company) -> None:
    book = FaultBook()
    org.trouble.ask = book.take_at
    lock = {"service": "salesforce", "do": "lock_row", "match": f"create Contact .*{company.account}"}
    book.add(Rule.from_json({**lock, "times": 2}))
    content = f"LastName,AccountId\nLocked,{company.account}\nFree,{company.other_account}\n"
    _, job = loaded(api, "insert", "Contact", content)
    assert (job["numberRecordsFailed"], job["retries"]) == (0, 2)
    book.add(Rule.from_json(lock))
    path, job = loaded(api, "insert", "Contact", content)
    assert (job["numberRecordsFailed"], job["retries"]) == (1, 10)
    assert rows(api, path, "failedResults")[1][1] == (
        f"UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records: {company.account}:--"
    )


def test_a_locked_row_is_not_deleted_for_good(api: Api, org: Org, company: Company) -> None:
    book = FaultBook()
    org.trouble.ask = book.take_at
    book.add(Rule.from_json({"service": "salesforce", "do": "lock_row", "match": "delete Contact"}))
    path, job = loaded(api, "hardDelete", "Contact", f"Id\n{company.colleague}\n")
    assert job["numberRecordsFailed"] == 1
    assert rows(api, path, "failedResults")[1][1].startswith("UNABLE_TO_LOCK_ROW:")
    assert org.get("Contact", company.colleague) is not None


def test_batches_are_counted_and_a_job_without_any_left_is_not_processed(api: Api, org: Org) -> None:
    loaded(api, "insert", "Account", "Name\nx\n")
    assert api.get("limits").json()["DailyBulkApiBatches"]["Remaining"] == 14_999
    org.meters.add("DailyBulkApiBatches", 14_999)
    path, job = loaded(api, "insert", "Account", "Name\ny\n")
    assert (job["state"], job["errorMessage"]) == ("Failed", "ExceededQuota : ApiBatchItems Limit exceeded.")
    assert api.get(f"{path}/unprocessedrecords").text == "Name\ny\n"


def test_a_job_whose_process_died_goes_on_where_it_was(
    api: Api, org: Org, company: Company, clock: Clock, tmp_path: Path
) -> None:
    path = opened(api, "insert", "Account")
    put(api, path, "Name\n" + "".join(f"R{i:04}\n" for i in range(450)))
    api.call("PATCH", path, {"state": "UploadComplete"})
    assert [api.get(path).json()["state"] for _ in range(2)] == ["UploadComplete", "InProgress"]
    job = org.bulk.jobs.get(path.rpartition("/")[2], "V2Ingest")
    work = ingest.Work(org, job)
    with org.store.transaction():
        assert work.chunk(job)
        org.bulk.jobs.put(job)

    def die() -> None:
        with org.store.transaction():
            assert work.chunk(job)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    work.close()
    org.close()
    again = Org(tmp_path / "org", clock, settings=org.settings)
    other = Api(again, company.rep)
    assert over(other, path)["numberRecordsProcessed"] == 450
    names = [row[2] for row in rows(other, path, "successfulResults")[1:]]
    assert names == [f"R{i:04}" for i in range(450)]
    assert len(again.query("SELECT Id FROM Account WHERE Name LIKE 'R%'")) == 450
    again.close()


@pytest.mark.documented(guess="that it is, and after a day")
def test_a_job_that_gets_no_data_is_given_up_after_a_day(api: Api, clock: Clock) -> None:
    path = opened(api, "insert", "Account")
    clock.advance(hours=25)
    assert api.get(path).json()["state"] == "Aborted"
    clock.advance(days=7)
    assert api.get(path).status_code == 404


def test_other_calls_write_while_a_job_is_worked_on_beside_them(api: Api, org: Org) -> None:
    org.settings.bulk_polls = org.settings.bulk_wait_ms = 0
    path = opened(api, "insert", "Account")
    put(api, path, "Name\n" + "".join(f"W{i}\n" for i in range(600)))
    api.call("PATCH", path, {"state": "UploadComplete"})
    written = 0
    while (told := api.get(path).json())["state"] != "JobComplete":
        assert told["state"] in ("UploadComplete", "InProgress")
        assert api.call("POST", "sobjects/Account", {"Name": "beside"}).status_code == 201
        written += 1
    assert len(org.query("SELECT Id FROM Account WHERE Name LIKE 'W%'")) == 600
    assert len(org.query("SELECT Id FROM Account WHERE Name = 'beside'")) == written
