"""An org with a company in it, and a client that is logged in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org.facade import Org, OrgSettings
from sandbox.org.org_kit import PROJECT_FIELD, Api, Clock, Company


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def org(tmp_path: Path, clock: Clock) -> Iterator[Org]:
    settings = OrgSettings(name="Örnek Şirket", time_zone="Europe/Istanbul")
    made = Org(tmp_path / "org", clock, settings=settings)
    yield made
    made.close()


@pytest.fixture
def company(org: Org) -> Company:
    def user(first: str, last: str, *, active: bool = True, manager: str | None = None) -> str:
        record_id = org.new_id("User")
        name = f"{first}.{last}".lower()
        org.seed(
            "User",
            [
                {
                    "Id": record_id,
                    "FirstName": first,
                    "LastName": last,
                    "Username": f"{name}@acme.example",
                    "Email": f"{name}@acme.example",
                    "Alias": first[:8],
                    "IsActive": active,
                    "ManagerId": manager,
                    "CreatedDate": datetime(2024, 1, 1, tzinfo=UTC),
                }
            ],
        )
        return record_id

    def seeded(sobject: str, **fields: Any) -> str:
        record_id = org.new_id(sobject)
        org.seed(sobject, [{"Id": record_id, "CreatedDate": datetime(2025, 1, 1, tzinfo=UTC), **fields}])
        return record_id

    manager = user("Maya", "Stone")
    rep = user("Jane", "Doe", manager=manager)
    leaver = user("Lee", "Gone", active=False)
    queue = seeded("Group", Name="Inbound", Type="Queue")
    org.seed("QueueSobject", [{"QueueId": queue, "SobjectType": "Lead"}])
    account = seeded("Account", Name="Çelik Yapı A.Ş.", OwnerId=rep)
    other = seeded("Account", Name="Northwind", OwnerId=rep)
    contact = seeded(
        "Contact", FirstName="Işıl", LastName="Çelik", Email="isil@celik.example", AccountId=account, OwnerId=rep
    )
    colleague = seeded("Contact", LastName="Kaya", Email="kaya@celik.example", AccountId=account, OwnerId=rep)
    lead = seeded(
        "Lead", LastName="Öz", Company="Öz Ltd", Email="oz@oz.example", OwnerId=rep, Status="Open - Not Contacted"
    )
    converted = seeded(
        "Lead", LastName="Old", Company="Old Ltd", IsConverted=True, OwnerId=rep, Status="Closed - Converted"
    )
    deal = seeded(
        "Opportunity",
        Name="Çelik 2026",
        AccountId=account,
        StageName="Prospecting",
        CloseDate="2026-04-15",
        Amount=12_500.5,
        OwnerId=rep,
    )
    return Company(rep, manager, leaver, queue, account, other, contact, colleague, lead, converted, deal)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An SFDX project with the key field on Activity and on EmailMessage."""
    folder = tmp_path / "project"
    for sobject in ("Activity", "EmailMessage"):
        fields = folder / "force-app/main/default/objects" / sobject / "fields"
        fields.mkdir(parents=True)
        (fields / "Leakwatch_Key__c.field-meta.xml").write_text(PROJECT_FIELD, encoding="utf-8")
    return folder


@pytest.fixture
def api(org: Org, company: Company) -> Api:
    return Api(org, company.rep)
