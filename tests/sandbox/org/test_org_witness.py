"""Somebody else's client, simple-salesforce, over TLS: it must find nothing odd."""

from __future__ import annotations

import csv
import io
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme
import uvicorn
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceOperationError,
    SalesforceResourceNotFound,
)

from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.rest import build_app
from sandbox.org.org_kit import Company


class Announced(uvicorn.Server):
    """A server that says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@pytest.fixture
def base_url(org: Org, tmp_path: Path) -> Iterator[str]:
    """The org on a loopback port with a certificate of its own."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    url = f"https://localhost:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        build_app(org, instance_url=url),
        log_level="error",
        date_header=False,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=65_536,  # the app itself draws the line at 16,384 bytes
    )
    config.load()
    config.ssl = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(config.ssl)
    server = Announced(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert server.up.wait(timeout=30)
    yield url
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def sf(org: Org, company: Company, base_url: str, tmp_path: Path) -> Iterator[Salesforce]:
    session = requests.Session()
    session.verify, session.trust_env = str(tmp_path / "ca.pem"), False
    token = org.sessions.open(company.rep).token
    yield Salesforce(session_id=token, instance_url=base_url, session=session, version="66.0")
    session.close()


def test_simple_salesforce_queries_page_by_page(sf: Salesforce, org: Org) -> None:
    org.settings.page_size = 500
    org.seed("Lead", ({"LastName": f"Ş{i}", "Company": "c"} for i in range(1200)))
    found = sf.query_all("SELECT Id, LastName, Owner.Name FROM Lead WHERE Company = 'c'")
    assert (found["totalSize"], found["done"], len(found["records"])) == (1200, True, 1200)
    assert {one["LastName"] for one in found["records"]} == {f"Ş{i}" for i in range(1200)}
    assert len(list(sf.query_all_iter("SELECT Id FROM Lead WHERE Company = 'c'"))) == 1200
    assert sf.api_usage["api-usage"].used == org.calls_used()


def test_simple_salesforce_writes_rows_and_reads_refusals(
    sf: Salesforce, org: Org, company: Company, project: Path
) -> None:
    org.deploy(project)
    made = sf.Lead.create({"LastName": "Gül", "Company": "G"})
    sf.Lead.update(made["id"], {"Title": "CEO"})
    assert sf.Lead.get(made["id"])["Title"] == "CEO"
    assert (sf.Task.upsert("Leakwatch_Key__c/k1", {"Subject": "a"}), sf.Task.upsert("Leakwatch_Key__c/k1", {})) == (
        201,
        200,
    )
    assert sf.Task.get_by_custom_id("Leakwatch_Key__c", "k1")["Subject"] == "a"
    with pytest.raises(SalesforceMalformedRequest, match="REQUIRED_FIELD_MISSING"):
        sf.Lead.create({"LastName": "x"})
    with pytest.raises(SalesforceResourceNotFound):
        sf.Lead.get("00Q5e00000zzzzzAAA")
    sf.Lead.delete(made["id"])


def test_simple_salesforce_sends_a_composite_of_collections(sf: Salesforce, org: Org) -> None:
    records = [{"attributes": {"type": "Task"}, "Subject": str(i)} for i in range(200)]
    body = {
        "compositeRequest": [
            {
                "method": "POST",
                "url": "/services/data/v66.0/composite/sobjects",
                "referenceId": f"c{i}",
                "body": {"records": records},
            }
            for i in range(2)
        ]
    }
    answer = sf.restful("composite", method="POST", json=body)
    assert [len(one["body"]) for one in answer["compositeResponse"]] == [200, 200]
    assert org.query_page("SELECT COUNT() FROM Task", all_rows=False, page_size=1).total == 400


def test_simple_salesforce_may_send_addresses_up_to_the_limit(sf: Salesforce) -> None:
    soql = "SELECT Id FROM Lead WHERE LastName IN ({})"
    assert sf.query(soql.format(",".join(["'x'"] * 1400)))["totalSize"] == 0
    with pytest.raises(SalesforceGeneralError, match="URI Too Long"):
        sf.query(soql.format(",".join(["'x'"] * 2400)))


def test_simple_salesforce_describes(sf: Salesforce) -> None:
    listed = sf.describe()
    assert listed is not None
    assert "Opportunity" in {one["name"] for one in listed["sobjects"]}
    fields = {one["name"] for one in sf.Opportunity.describe()["fields"]}
    assert {"StageName", "Amount", "LastActivityDate"} <= fields
    assert sf.limits()["DailyApiRequests"]["Max"] == 100_000


def test_simple_salesforce_sees_an_ended_session(sf: Salesforce, org: Org) -> None:
    org.expire_sessions()
    with pytest.raises(SalesforceExpiredSession):
        sf.query("SELECT Id FROM Lead")


BULK = pytest.mark.documented("Bulk API 2.0 and Bulk API Developer Guide, Walkthroughs")


@BULK
def test_simple_salesforce_reads_in_bulk(sf: Salesforce, org: Org, tmp_path: Path) -> None:
    org.settings.bulk_wait_ms = 1
    org.seed("Lead", ({"LastName": f"Ş{i:04}", "Company": "c", "Title": 'a\n"b"'} for i in range(1200)))
    soql = "SELECT LastName, Title FROM Lead WHERE Company = 'c' ORDER BY LastName"
    sets = list(sf.bulk2.Lead.query(soql, max_records=500, wait=0.01))
    read = [row for one in sets for row in csv.DictReader(io.StringIO(one, newline=""))]
    assert (len(sets), [row["LastName"] for row in read]) == (3, [f"Ş{i:04}" for i in range(1200)])
    assert {row["Title"] for row in read} == {'a\n"b"'}
    files = sf.bulk2.Lead.download(soql, str(tmp_path), max_records=700, wait=0.01)
    assert [one["number_of_records"] for one in files] == [700, 500]
    assert Path(files[1]["file"]).read_text(encoding="utf-8").startswith('"LastName","Title"\n"Ş0700",')
    with pytest.raises(SalesforceMalformedRequest, match="Aggregate Relationships not supported"):
        next(sf.bulk2.Lead.query("SELECT COUNT(Id) FROM Lead", wait=0.01))


@BULK
def test_simple_salesforce_writes_in_bulk(sf: Salesforce, org: Org, project: Path) -> None:
    org.settings.bulk_wait_ms = 1
    org.deploy(project)
    tasks = sf.bulk2.Task
    (made,) = tasks.insert(
        records=[{"Subject": "good", "Leakwatch_Key__c": "k1"}, {"Subject": "bad", "Leakwatch_Key__c": "k" * 65}],
        wait=0.01,
    )
    assert (made["numberRecordsProcessed"], made["numberRecordsFailed"], made["numberRecordsTotal"]) == (2, 1, 2)
    answers = tasks.get_all_ingest_records(made["job_id"])
    assert [row["sf__Error"].split(":")[0] for row in answers["failedRecords"]] == ["STRING_TOO_LONG"]
    task_id = answers["successfulRecords"][0]["sf__Id"]
    changed = [{"Leakwatch_Key__c": "k1", "Subject": "better"}, {"Leakwatch_Key__c": "k2", "Subject": "new"}]
    tasks.upsert(records=changed, external_id_field="Leakwatch_Key__c", wait=0.01)
    assert [row["Subject"] for row in org.query("SELECT Subject FROM Task ORDER BY Subject")] == ["better", "new"]
    tasks.update(records=[{"Id": task_id, "Subject": "best"}], wait=0.01)
    path = project / "ids.csv"
    path.write_text(f"Id\n{task_id}\n", encoding="utf-8")
    tasks.delete(csv_file=str(path), wait=0.01)
    assert [row["Subject"] for row in org.query("SELECT Subject FROM Task")] == ["new"]
    (lost,) = [one for one in org.query("SELECT Subject FROM Task", all_rows=True) if one["Subject"] != "new"]
    assert lost["Subject"] == "best"
    with pytest.raises(SalesforceOperationError, match="Field name not found : Nope"):
        tasks.insert(records=[{"Nope": "x"}], wait=0.01)
