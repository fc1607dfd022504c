"""Somebody else's client, simple-salesforce, over TLS: it must find nothing odd."""

from __future__ import annotations

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
