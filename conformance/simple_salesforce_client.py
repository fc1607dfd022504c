"""simple-salesforce (PyPI) against the sandbox: its REST surface, then its Bulk 2.0 surface.

It logs in at login.salesforce.com and works at the org's My Domain, both by way of the sandbox's proxy.
"""

from __future__ import annotations

import csv
import io
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from checks import info, not_emulated, refused, works
from simple_salesforce import Salesforce, SalesforceLogin, SFType, format_soql

INFO = info()
ORG, PROXY, WORLD = INFO["salesforce"], INFO["proxy"], INFO["world"]
VERSION = "66.0"
NOW = datetime.fromisoformat(WORLD["now"].replace("Z", "+00:00"))
#: seconds between a Bulk client's looks at its job
WAIT = 1
TURKISH = "Çağrı Işık\nikinci satır, \"tırnak\" ve 'kesme' 💥"


def login() -> Salesforce:
    """A client that logged in by JWT, as a server does."""
    return Salesforce(
        username=ORG["username"],
        consumer_key=ORG["client_id"],
        privatekey_file=ORG["private_key_file"],
        domain="login",
        version=VERSION,
    )


def logins(sf: Salesforce) -> None:
    """Every way in that the client has."""
    with works("login by JWT at login.salesforce.com gives the org's own host"):
        assert sf.sf_instance == urlsplit(PROXY["instance_url"]).hostname, sf.sf_instance
    with works("login by client credentials at the My Domain host"):
        domain = urlsplit(PROXY["instance_url"]).hostname.removesuffix(".salesforce.com")
        other = Salesforce(
            consumer_key=ORG["client_id"], consumer_secret=ORG["client_secret"], domain=domain, version=VERSION
        )
        assert other.query("SELECT COUNT() FROM User")["totalSize"] > 0
    with works("a session by instance_url and session_id, without the proxy"):
        plain = Salesforce(instance_url=ORG["instance_url"], session_id=ORG["access_token"], version=VERSION)
        assert plain.is_sandbox() in (True, False)
    with refused("a wrong session id is an expired session", "INVALID_SESSION_ID", "SalesforceExpiredSession"):
        Salesforce(instance_url=ORG["instance_url"], session_id="00D!wrong", version=VERSION).limits()
    with not_emulated("login by password, which goes to SOAP", "SOAP"):
        SalesforceLogin(username=ORG["username"], password="secret", security_token="x")
    with works("a session that was ended is refreshed by the client itself"):
        token = sf.session_id
        sf.oauth2("revoke", params={"token": token}, method="POST")
        assert sf.query("SELECT COUNT() FROM User")["totalSize"] > 0
        assert sf.session_id != token
    with works("oauth2('userinfo') names user and org"):
        told = sf.oauth2("userinfo")
        assert (told["preferred_username"], told["organization_id"]) == (ORG["username"], ORG["org_id"])


def queries(sf: Salesforce) -> None:
    """query, query_all, query_all_iter, query_more, format_soql."""
    total = sf.query("SELECT COUNT() FROM Contact")["totalSize"]
    with works("query gives records with attributes and a total"):
        page = sf.query("SELECT Id, Name, Account.Name FROM Contact WHERE AccountId != null LIMIT 3")
        assert page["done"] and page["totalSize"] == len(page["records"]) == 3
        assert page["records"][0]["attributes"]["type"] == "Contact"
        assert page["records"][0]["Account"]["attributes"]["type"] == "Account"
    with works("query_more goes on by url and by locator"):
        first = sf.query("SELECT Id FROM Contact", headers={"Sforce-Query-Options": "batchSize=200"})
        made = [{"attributes": {"type": "Contact"}, "LastName": f"Sayfa {i}"} for i in range(200)]
        if first["done"]:
            for _ in range(2):
                sf.restful("composite/sobjects", method="POST", json={"allOrNone": True, "records": made})
            first = sf.query("SELECT Id FROM Contact", headers={"Sforce-Query-Options": "batchSize=200"})
        assert not first["done"], first["totalSize"]
        by_url = sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
        by_locator = sf.query_more(first["nextRecordsUrl"].rsplit("/", 1)[1])
        assert by_url["records"] == by_locator["records"]
    total = sf.query("SELECT COUNT() FROM Contact")["totalSize"]
    with works("query_all and query_all_iter give every row"):
        assert len(sf.query_all("SELECT Id FROM Contact")["records"]) == total
        assert sum(1 for _ in sf.query_all_iter("SELECT Id FROM Contact")) == total
    with works("include_deleted sees the recycle bin"):
        gone = sf.Contact.create({"LastName": "Silinen"})["id"]
        sf.Contact.delete(gone)
        asked = format_soql("SELECT Id, IsDeleted FROM Contact WHERE Id = {}", gone)
        assert sf.query(asked)["totalSize"] == 0
        assert sf.query_all(asked, include_deleted=True)["records"][0]["IsDeleted"] is True
    with works("format_soql quotes what a text may hold"):
        odd = 'O\'Brien \\ "x" %_'
        made = sf.Contact.create({"LastName": odd})["id"]
        assert sf.query(format_soql("SELECT Id FROM Contact WHERE LastName = {}", odd))["records"][0]["Id"] == made
        found = sf.query(format_soql("SELECT Id FROM Contact WHERE LastName LIKE '{:like}%'", odd[:5]))
        assert made in [row["Id"] for row in found["records"]]
    with works("a child subquery, an aggregate and a semi-join"):
        sf.query("SELECT Name, (SELECT LastName FROM Contacts LIMIT 2) FROM Account LIMIT 2")
        assert sf.query("SELECT StageName, COUNT(Id) n FROM Opportunity GROUP BY StageName")["records"][0]["n"] > 0
        sf.query("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Opportunity) LIMIT 1")
    with works("TYPEOF"):
        sf.query("SELECT TYPEOF What WHEN Opportunity THEN StageName ELSE Name END FROM Task LIMIT 1")
    with refused("a query that is none is malformed", "MALFORMED_QUERY", "SalesforceMalformedRequest"):
        sf.query("SELECT FROM Contact")
    with refused("an unknown column is named", "INVALID_FIELD", "No such column"):
        sf.query("SELECT Nothing__c FROM Contact")


def records(sf: Salesforce) -> None:
    """SFType, verb by verb."""
    contact = SFType("Contact", sf.session_id, sf.sf_instance, sf_version=VERSION, session=sf.session)
    with works("create, get and update of a record, with text that is hard to carry"):
        made = contact.create({"LastName": "Işık", "Description": TURKISH})
        assert made["success"] is True and made["errors"] == []
        row = contact.get(made["id"])
        assert row["Description"] == TURKISH and row["attributes"]["url"].endswith(made["id"])
        assert contact.update(made["id"], {"Description": None}) == 204
        assert contact.get(made["id"], params={"fields": "Description"})["Description"] is None
        assert contact.update(made["id"], {"Title": "Müdür"}, raw_response=True).status_code == 204
    task = sf.Task
    with works("upsert by external id answers 201, then 200; get_by_custom_id reads it"):
        key = "conformance:1"
        assert task.upsert(f"Leakwatch_Key__c/{key}", {"Subject": "Bir"}) == 201
        assert task.upsert(f"Leakwatch_Key__c/{key}", {"Subject": "İki"}) == 200
        row = task.get_by_custom_id("Leakwatch_Key__c", key)
        assert row["Subject"] == "İki"
    with works("upsert by Id updates"):
        assert contact.upsert(f"Id/{made['id']}", {"Title": "Şef"}) == 200
        assert contact.get(made["id"])["Title"] == "Şef"
    with works("updated and deleted list what happened"):
        assert contact.delete(made["id"]) == 204
        start, end = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
        told = contact.deleted(start, end)
        assert made["id"] in [one["id"] for one in told["deletedRecords"]], told
        assert sf.Task.updated(start, end)["ids"]
    with works("describe, metadata and the org's describe agree"):
        described = contact.describe()
        assert {field["name"] for field in described["fields"]} >= {"Id", "LastName", "AccountId"}
        assert contact.metadata()["objectDescribe"]["keyPrefix"] == described["keyPrefix"] == "003"
        assert "Contact" in [one["name"] for one in sf.describe()["sobjects"]]
    with refused("a row that is not there", "NOT_FOUND", "SalesforceResourceNotFound"):
        contact.get("003000000000000AAA")
    with refused("a deleted row", "ENTITY_IS_DELETED"):
        contact.delete(made["id"])
    with refused("a required field that is missing", "REQUIRED_FIELD_MISSING", "LastName"):
        contact.create({"FirstName": "x"})
    with refused("an object that does not exist", "NOT_FOUND"):
        sf.Nothing__c.create({"Name": "x"})
    with works("headers of a call are taken"):
        odd = {"Sforce-Auto-Assign": "FALSE", "Sforce-Duplicate-Rule-Header": "allowSave=true"}
        assert sf.Lead.create({"LastName": "Baş", "Company": "Ş"}, headers=odd)["success"] is True
    with works("numbers and dates come back as they went in"):
        given = {"Name": "Satış", "StageName": "Prospecting", "CloseDate": "2026-05-01", "Amount": 1234.56}
        row = sf.Opportunity.get(sf.Opportunity.create(given)["id"])
        assert {key: row[key] for key in given} == given
    with works("api_usage is read off the header"):
        sf.limits()
        assert sf.api_usage["api-usage"].used > 0


def rest(sf: Salesforce) -> None:
    """restful, limits, and the parts that are named instead of emulated."""
    with works("limits and restful('limits')"):
        assert sf.limits()["DailyApiRequests"]["Max"] > 0
        assert "DailyApiRequests" in sf.restful("limits")
    with works("restful('sobjects/…') with params, and the root"):
        user = sf.restful(f"sobjects/User/{ORG['user_id']}", params={"fields": "Username"})
        assert user["Username"] == ORG["username"]
        assert sf.restful("")["identity"].endswith(ORG["user_id"])
    with works("restful('composite') with a reference"):
        answers = sf.restful("composite", method="POST", json=composite())["compositeResponse"]
        assert [one["httpStatusCode"] for one in answers] == [201, 201, 200], answers
        assert answers[2]["body"]["records"][0]["Account"]["Name"] == "Bileşik A.Ş."
    with works("restful('composite/sobjects') creates, reads and deletes many"):
        rows = [{"attributes": {"type": "Account"}, "Name": f"Çok {i}"} for i in range(3)]
        made = sf.restful("composite/sobjects", method="POST", json={"records": rows})
        ids = ",".join(one["id"] for one in made)
        read = sf.restful("composite/sobjects/Account", params={"ids": ids, "fields": "Name"})
        assert [one["Name"] for one in read] == ["Çok 0", "Çok 1", "Çok 2"]
        gone = sf.restful("composite/sobjects", params={"ids": ids, "allOrNone": "true"}, method="DELETE")
        assert all(one["success"] for one in gone)
    with works("a chatterPost by restful('actions/standard/chatterPost')"):
        to = sf.query("SELECT Id FROM Opportunity LIMIT 1")["records"][0]["Id"]
        posted = sf.restful(
            "actions/standard/chatterPost", method="POST", json={"inputs": [{"text": "Merhaba", "subjectNameOrId": to}]}
        )
        assert posted[0]["isSuccess"] is True
    with not_emulated("describe_layout", "layouts"):
        sf.Contact.describe_layout("012000000000000AAA")
    with not_emulated("search", "SOSL"):
        sf.search("FIND {Acme}")
    with not_emulated("quick_search", "SOSL"):
        sf.quick_search("Acme")
    with not_emulated("set_password", "passwords"):
        sf.set_password(ORG["user_id"], "Geheim-2026")
    with not_emulated("apexecute", "Apex"):
        sf.apexecute("Nothing/v1", method="POST", data={"a": 1})
    with not_emulated("toolingexecute", "Tooling"):
        sf.toolingexecute("query?q=SELECT+Id+FROM+ApexClass")
    with not_emulated("restful('ui-api/…')", "User Interface"):
        sf.restful("ui-api/object-info/Account")
    with not_emulated("restful('analytics/reports')", "Reports"):
        sf.restful("analytics/reports")
    with not_emulated("restful('composite/tree/…')", "Tree"):
        sf.restful("composite/tree/Account", method="POST", json={"records": []})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.txt")
        file.write_text("merhaba", encoding="utf-8")
        with not_emulated("upload_base64 to an Attachment", "files"):
            sf.Attachment.upload_base64(str(file))
        with not_emulated("get_base64 of a ContentVersion", "files"):
            sf.ContentVersion.get_base64("068000000000000AAA", base64_field="VersionData")
        with not_emulated("deploy through the Metadata API", "Metadata"):
            sf.deploy(io.BytesIO(b"PK"), sandbox=True)
    with not_emulated("mdapi.describe_metadata", "Metadata"):
        sf.mdapi.describe_metadata()
    with not_emulated("bulk (version 1)", "Bulk"):
        sf.bulk.Contact.query("SELECT Id FROM Contact")


def composite() -> dict[str, object]:
    """Three subrequests, each on the one before."""
    base = f"/services/data/v{VERSION}/sobjects"
    asked = "SELECT+Account.Name+FROM+Contact+WHERE+Id='@{c.id}'"
    return {
        "allOrNone": True,
        "compositeRequest": [
            {"method": "POST", "url": f"{base}/Account", "referenceId": "a", "body": {"Name": "Bileşik A.Ş."}},
            {
                "method": "POST",
                "url": f"{base}/Contact",
                "referenceId": "c",
                "body": {"LastName": "Bir", "AccountId": "@{a.id}"},
            },
            {"method": "GET", "url": f"/services/data/v{VERSION}/query?q={asked}", "referenceId": "r"},
        ],
    }


def bulk(sf: Salesforce) -> None:
    """sf.bulk2.<Object>."""
    contact = sf.bulk2.Contact
    total = sf.query("SELECT COUNT() FROM Contact")["totalSize"]
    good: list[dict[str, str]] = []
    with works("bulk2 insert, with rows that fail and the reasons of each"):
        rows = [{"LastName": f"Toplu {i}", "Description": TURKISH.replace("\n", " ")} for i in range(5)]
        done = contact.insert(records=[*rows, {"LastName": "", "Description": "soyadsız"}], wait=WAIT)
        assert [(one["numberRecordsProcessed"], one["numberRecordsFailed"]) for one in done] == [(6, 1)], done
        job = done[0]["job_id"]
        good = table(contact.get_successful_records(job))
        assert len(good) == 5 and all(one["sf__Created"] == "true" for one in good)
        (bad,) = table(contact.get_failed_records(job))
        assert bad["sf__Error"].startswith("REQUIRED_FIELD_MISSING:"), bad
        # Salesforce names no charset here, and requests then takes Latin-1
        assert bad["Description"].encode("latin-1").decode() == "soyadsız", bad
        assert table(contact.get_unprocessed_records(job)) == []
        assert len(contact.get_all_ingest_records(job)["successfulRecords"]) == 5
    ids = [one["sf__Id"] for one in good]
    with works("bulk2 query is every row as CSV"):
        found = rows_of(contact.query("SELECT Id, LastName, Description FROM Contact", wait=WAIT))
        assert len(found) == total + 5
    with works("bulk2 query in pages by max_records"):
        pages = list(contact.query("SELECT Id FROM Contact", max_records=100, wait=WAIT))
        assert len(pages) > 1 and len(rows_of(pages)) == total + 5
    with works("bulk2 update and upsert by Id and by external id"):
        done = contact.update(records=[{"Id": one, "Title": "Şef"} for one in ids], wait=WAIT)
        assert done[0]["numberRecordsFailed"] == 0
        keyed = [{"Leakwatch_Key__c": f"conformance:bulk:{i}", "Subject": f"Ö{i}"} for i in range(3)]
        for created in ("true", "false"):
            done = sf.bulk2.Task.upsert(records=keyed, external_id_field="Leakwatch_Key__c", wait=WAIT)
            made = table(sf.bulk2.Task.get_successful_records(done[0]["job_id"]))
            assert [one["sf__Created"] for one in made] == [created] * 3, made
    with works("bulk2 insert of CSV text and of a file, in batches"):
        text = "LastName\n" + "".join(f"Metin {i}\n" for i in range(5))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "a.csv")
            file.write_text(text, encoding="utf-8")
            assert sum(one["numberRecordsProcessed"] for one in contact.insert(str(file), wait=WAIT)) == 5
        done = contact.insert(records=[{"LastName": f"Küme {i}"} for i in range(4)], batch_size=2, wait=WAIT)
        assert len(done) == 2
    with works("bulk2 delete"):
        done = contact.delete(records=[{"Id": one} for one in ids], wait=WAIT)
        assert done[0]["numberRecordsFailed"] == 0
        assert sf.query(format_soql("SELECT COUNT() FROM Contact WHERE Id IN {}", ids))["totalSize"] == 0
    with works("bulk2 query_all sees the recycle bin"):
        asked = format_soql("SELECT Id, IsDeleted FROM Contact WHERE Id IN {}", ids)
        assert {one["IsDeleted"] for one in rows_of(contact.query_all(asked, wait=WAIT))} == {"true"}
    with works("bulk2 download streams to files"), tempfile.TemporaryDirectory() as folder:
        files = contact.download("SELECT Id, LastName FROM Contact", path=folder, max_records=200, wait=WAIT)
        total = sf.query("SELECT COUNT() FROM Contact")["totalSize"]
        read = [table(Path(one["file"]).read_text(encoding="utf-8")) for one in files]
        assert sum(len(one) for one in read) == total
    client, other = contact._client, ""  # the job calls that stand behind it
    with works("bulk2 jobs by hand: create, abort, get"):
        job = client.create_job("query", query="SELECT Id FROM Contact")["id"]
        assert client.get_job(job, True)["operation"] == "query"
        other = client.create_job("insert")["id"]
        assert client.abort_job(other, False)["state"] == "Aborted"
    with refused("bulk2 delete_job: an empty 204 as at Salesforce, which the client can't read", "JSONDecodeError"):
        client.delete_job(other, False)
    with refused("bulk2: a query that bulk does not take is refused at once", "API_ERROR"):
        list(contact.query("SELECT COUNT(Id) FROM Contact GROUP BY AccountId", wait=WAIT))
    with refused("bulk2: an unknown column is refused at once", "INVALID"):
        list(contact.query("SELECT Nothing__c FROM Contact", wait=WAIT))
    with works("bulk2 hard_delete, or the permission that it needs is named"):
        made = sf.Contact.create({"LastName": "Kalıcı"})["id"]
        try:
            done = contact.hard_delete(records=[{"Id": made}], wait=WAIT)
        except Exception as error:
            assert "FEATURENOTENABLED" in str(error) or "SANDBOX_NOT_EMULATED" in str(error), error
        else:
            assert done[0]["numberRecordsFailed"] == 0


def table(text: str) -> list[dict[str, str]]:
    """The rows of one CSV."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def rows_of(pages: object) -> list[dict[str, str]]:
    """The rows of all pages, each of which has a header of its own."""
    return [row for page in pages for row in table(page)]  # type: ignore[attr-defined]


def main() -> None:
    """All of it, in order."""
    sf = login()
    logins(sf)
    queries(sf)
    records(sf)
    rest(sf)
    bulk(sf)


if __name__ == "__main__":
    main()
