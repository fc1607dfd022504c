"""aiosalesforce (PyPI) against the sandbox: both logins, rows, Composite, Batch and Bulk 2.0 ingest.

It takes no address but a My Domain host, so all of it goes through the sandbox's proxy. Its composite references
stand in bodies alone and are written `str(reference)`: version 0.6.2 sends others without their `@{}`, and those in
URLs with percent-encoded braces, of which nobody says whether Salesforce resolves them.
"""

from __future__ import annotations

import asyncio

import httpx
from aiosalesforce import ClientCredentialsFlow, JwtBearerFlow, Salesforce
from checks import info, not_emulated, refused, works

INFO = info()
ORG, HOST = INFO["salesforce"], INFO["proxy"]["instance_url"]
VERSION = "66.0"
KEY = "Leakwatch_Key__c"
HARD_TEXT = "Şirket <b>&amp;\"'</b> 💥\n\tikinci satır"


async def logins(http: httpx.AsyncClient, sf: Salesforce) -> None:
    """JWT and client credentials; a session that ends."""
    with works("login by JWT"):
        assert (await sf.get_limits())["DailyApiRequests"]["Max"] > 0
    with works("login by client credentials"):
        other = Salesforce(http, HOST, ClientCredentialsFlow(ORG["client_id"], ORG["client_secret"]), version=VERSION)
        assert [row async for row in other.query("SELECT Id FROM User LIMIT 1")]
    with refused("a wrong secret is refused", "AuthenticationError", "invalid_client"):
        wrong = Salesforce(http, HOST, ClientCredentialsFlow(ORG["client_id"], "wrong"), version=VERSION)
        await wrong.get_limits()
    with works("a session that was ended is renewed by the client itself"):
        token = await sf.auth.get_access_token(sf)
        await http.post(f"{HOST}/services/oauth2/revoke", data={"token": token})
        assert await sf.get_limits()
        assert await sf.auth.get_access_token(sf) != token


async def rows(sf: Salesforce) -> str:
    """sobject.* and query; the id of an account that stays."""
    kept = ""
    with works("create, get, update, delete"):
        kept = await sf.sobject.create("Account", {"Name": "Kalıcı", "Description": HARD_TEXT})
        row = await sf.sobject.get("Account", kept, fields=["Name", "Description"])
        assert (row["Name"], row["Description"]) == ("Kalıcı", HARD_TEXT)
        await sf.sobject.update("Account", kept, {"Name": "Kalan"})
        assert (await sf.sobject.get("Account", kept))["Name"] == "Kalan"
        gone = await sf.sobject.create("Account", {"Name": "Giden"})
        await sf.sobject.delete("Account", gone)
    with refused("a deleted row is not found", "NotFoundError"):
        await sf.sobject.get("Account", gone)
    with works("upsert by external id, read and delete by it"):
        first = await sf.sobject.upsert("Task", "aio:1", KEY, {"Subject": "Bir", KEY: "aio:1"})
        second = await sf.sobject.upsert("Task", "aio:1", KEY, {"Subject": "İki"})
        assert (first.created, second.created, first.id) == (True, False, second.id)
        assert (await sf.sobject.get("Task", "aio:1", external_id_field=KEY))["Subject"] == "İki"
        await sf.sobject.delete("Task", "aio:1", external_id_field=KEY)
    with works("query pages through; include_all_records sees the recycle bin"):
        total = len([row async for row in sf.query("SELECT Id FROM Account")])
        every = len([row async for row in sf.query("SELECT Id FROM Account", include_all_records=True)])
        assert every > total > 0
    with works("thirty calls at once"):
        told = await asyncio.gather(*(sf.sobject.get("Account", kept, fields=["Name"]) for _ in range(30)))
        assert {row["Name"] for row in told} == {"Kalan"}
    with refused("a required field that is missing", "REQUIRED_FIELD_MISSING"):
        await sf.sobject.create("Account", {})
    with not_emulated("search", "SOSL"):
        await sf.request("GET", f"{HOST}/services/data/v{VERSION}/search", params={"q": "FIND {x}"})
    return kept


async def composites(sf: Salesforce, account: str) -> None:
    """Composite and composite.batch."""
    with works("composite: references, queries, upserts"):
        async with sf.composite(all_or_none=True, autoraise=True) as call:
            made = call.sobject.create("Account", {"Name": "Bileşik & <Ortak>"})
            person = call.sobject.create("Contact", {"LastName": "Bir", "AccountId": str(made.reference.id)})
            read = call.sobject.get("Account", account)
            upserted = call.sobject.upsert("Task", "aio:3", KEY, {"Subject": "Ü", "WhoId": str(person.reference.id)})
            found = call.query("SELECT Id FROM User LIMIT 2")
        assert read.record["Id"] == account and upserted.created and len(found.records) == 2
        row = await sf.sobject.get("Contact", person.id)
        assert row["AccountId"] == made.id
        assert (await sf.sobject.get("Account", made.id))["Name"] == "Bileşik & <Ortak>"
    with refused("composite: one failure undoes all, and each says so", "REQUIRED_FIELD_MISSING", "PROCESSING_HALTED"):
        async with sf.composite(all_or_none=True, autoraise=True) as call:
            call.sobject.create("Account", {"Name": "Geri alınan"})
            call.sobject.create("Contact", {"FirstName": "soyadsız"})
    with works("composite: what was undone is not there"):
        assert not [row async for row in sf.query("SELECT Id FROM Account WHERE Name = 'Geri alınan'")]
    with works("composite.batch: five kinds of calls"):
        async with sf.composite.batch(autoraise=True) as batch:
            made = batch.sobject.create("Account", {"Name": "Küme"})
            read = batch.sobject.get("Account", account)
            batch.sobject.update("Account", account, {"Site": "Ankara"})
            upserted = batch.sobject.upsert("Task", "aio:2", KEY, {"Subject": "Küme"})
            found = batch.query("SELECT Id FROM User LIMIT 2")
        assert read.record["Id"] == account and upserted.created and len(found.records) == 2
        assert (await sf.sobject.get("Account", made.id))["Name"] == "Küme"
    with works("composite.batch: halt_on_error halts what follows"):
        batch = sf.composite.batch(halt_on_error=True)
        failing = batch.sobject.create("Contact", {"FirstName": "soyadsız"})
        halted = batch.sobject.create("Account", {"Name": "Hiç"})
        await batch.execute()
        assert (failing.status_code, halted.status_code) == (400, 412)


async def bulk(sf: Salesforce) -> None:
    """bulk_v2: insert, update, upsert, delete, and the jobs behind them."""
    ids: list[str] = []
    with works("bulk insert, with the row that fails and its reason"):
        given = [{"LastName": f"Toplu {i}", "Description": HARD_TEXT} for i in range(3)]
        done = await sf.bulk_v2.insert("Contact", [*given, {"LastName": "", "Description": "soyadsız"}])
        ids = [row["sf__Id"] for row in done.successful_results]
        assert len(ids) == 3  # the client drops the line breaks of results, so the text is read by REST below
        assert done.failed_results[0]["sf__Error"].startswith("REQUIRED_FIELD_MISSING:"), done.failed_results
        assert done.jobs[0].state == "JobComplete" and done.unprocessed_records == []
        assert (await sf.sobject.get("Contact", ids[0]))["Description"] == HARD_TEXT
    with works("bulk update, upsert, delete"):
        done = await sf.bulk_v2.update("Contact", [{"Id": one, "Title": "Şef"} for one in ids])
        assert len(done.successful_results) == 3
        done = await sf.bulk_v2.upsert("Task", [{KEY: "aio:bulk", "Subject": "Ö"}], KEY)
        assert done.successful_results[0]["sf__Created"] == "true"
        done = await sf.bulk_v2.delete("Contact", [{"Id": one} for one in ids])
        assert len(done.successful_results) == 3
    with works("jobs: create, list, abort, delete"):
        ingest = sf.bulk_v2.ingest
        job = await ingest.create_job("insert", "Contact")
        assert (job.state, job.object, job.column_delimiter, job.line_ending) == ("Open", "Contact", "COMMA", "LF")
        assert job.id in [one.id async for one in ingest.list_jobs()]
        assert (await ingest.abort_job(job.id)).state == "Aborted"
        await ingest.delete_job(job.id)
    with refused("a deleted job is not found", "NotFoundError"):
        await ingest.get_job(job.id)


async def main() -> None:
    """All of it, in order."""
    async with httpx.AsyncClient(timeout=60) as http:
        flow = JwtBearerFlow(ORG["client_id"], ORG["username"], ORG["private_key_file"])
        sf = Salesforce(http, HOST, flow, version=VERSION)
        await logins(http, sf)
        account = await rows(sf)
        await composites(sf, account)
        await bulk(sf)


if __name__ == "__main__":
    asyncio.run(main())
