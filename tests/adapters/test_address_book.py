"""What the address book reads from a snapshot: people, companies and deals, of the addresses asked for only."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from leakwatch.core.tables import FieldSpec, fields_from_describe, wanted_fields
from leakwatch.errors import StaleError
from leakwatch.model import AddressBook, DomainAccount
from leakwatch.store.address_book import address_book, people_state
from leakwatch.store.mirror import Mirror, MirrorReader
from leakwatch.store.snapshots import latest_snapshot
from mirror_data import ISTANBUL, NOON, publish, shipped_config

ACME, SUB, TOP = "001ACME0000000AAA", "001SUB00000000AAA", "001TOP00000000AAA"
EVE, ANN = "003EVE00000000AAA", "005ANN00000000AAA"
DEAL, ELSEWHERE = "006DEAL0000000AAA", "006ELSE0000000AAA"


def book(
    folder: Path, data: dict[str, list[dict[str, Any]]], *addresses: str, deals: tuple[str, ...] = ()
) -> AddressBook:
    publish(folder, data)
    return MirrorReader(folder).address_book(addresses, deals)


def account(record_id: str, **values: Any) -> dict[str, Any]:
    return {"Id": record_id, "Name": record_id[3:7], "Website": None, "ParentId": None, **values}


def contact(record_id: str, email: str, account_id: str | None = ACME, **values: Any) -> dict[str, Any]:
    return {"Id": record_id, "Name": "C", "Email": email, "AccountId": account_id, **values}


def deal(record_id: str, account_id: str = ACME, *, stage: str = "Müzakere") -> dict[str, Any]:
    row = {"Id": record_id, "AccountId": account_id, "Name": "D", "StageName": stage, "IsClosed": stage != "Müzakere"}
    return row | {"IsWon": False, "CloseDate": "2026-05-01", "LastActivityDate": "2026-03-01"}


def test_a_person_account_comes_as_its_contact_whether_or_not_contacts_are_shown(tmp_path: Path) -> None:
    private = account(ACME, IsPersonAccount=True, PersonContactId=EVE, PersonEmail="eve@x.example")
    alone = book(tmp_path / "a", {"Account": [private]}, "eve@x.example").people["eve@x.example"]
    both = book(tmp_path / "b", {"Account": [private], "Contact": [contact(EVE, "eve@x.example")]}, "eve@x.example")
    for (found,) in (alone, both.people["eve@x.example"]):
        assert (found.sobject, found.record_id, found.account_id, found.is_person_account) == (
            "Contact",
            EVE,
            ACME,
            True,
        )


def test_a_converted_lead_brings_what_it_became_as_far_as_that_is_there(tmp_path: Path) -> None:
    def lead(number: int, **values: Any) -> dict[str, Any]:
        empty = {"ConvertedContactId": None, "ConvertedAccountId": None, "ConvertedOpportunityId": None}
        row = {"Id": f"00QL{number}", "Name": "L", "Email": f"l{number}@x.example", "IsConverted": True}
        return row | empty | values

    found = book(
        tmp_path,
        {
            "Account": [account(ACME), account(SUB)],
            "Contact": [
                contact(EVE, "other@x.example", SUB, IsDeleted=False),
                contact("003GONE", "gone@x.example", IsDeleted=True),
            ],
            "Lead": [
                lead(1, ConvertedContactId=EVE, ConvertedAccountId=ACME, ConvertedOpportunityId=DEAL),
                lead(2, ConvertedContactId="003GONE", ConvertedAccountId=ACME),
                lead(3, ConvertedContactId="003GONE"),
            ],
            "Opportunity": [deal(DEAL, SUB)],
        },
        *(f"l{number}@x.example" for number in (1, 2, 3)),
    )
    first, second = found.people["l1@x.example"][0], found.people["l2@x.example"][0]
    assert (first.contact_id, first.account_id, first.opportunity_id) == (EVE, SUB, DEAL)  # it has moved since
    assert (second.contact_id, second.account_id) == (None, ACME)
    assert "l3@x.example" not in found.people
    assert [one.record_id for one in found.open_opportunities[SUB]] == [DEAL]


def test_domains_come_from_websites_with_their_parents_and_else_from_most_contacts(tmp_path: Path) -> None:
    data = {
        "Account": [
            account(ACME, Website="https://www.Acme.com/tr", ParentId=TOP),
            account(SUB, Website="www.şişe.com, acme.de", OwnerId=ANN),
            account(TOP),
            account("001NONE", Website="none"),
            account("001PRIV", Website="acme.com", IsPersonAccount=True),
        ],
        "Contact": [
            contact("003A", "a@top.com", TOP),
            contact("003B", "b@top.com", TOP),
            contact("003C", "c@adviser.com", TOP),
            contact("003D", "d@gmail.com", TOP),
        ],
    }
    asked = ("x@eu.acme.com", "x@xn--ie-etab.com", "x@acme.de", "x@top.com", "x@adviser.com", "x@gmail.com", "x@none")
    found = book(tmp_path, data, *asked)
    assert found.domains == {
        "acme.com": (DomainAccount(ACME),),
        "xn--ie-etab.com": (DomainAccount(SUB),),
        "acme.de": (DomainAccount(SUB),),
        "top.com": (DomainAccount(TOP, is_stated=False),),
    }
    assert set(found.companies) == {ACME, SUB, TOP}
    assert found.companies[SUB].owner_id == ANN


def test_deals_come_with_dates_roles_and_team_of_the_accounts_the_people_and_those_asked_for(tmp_path: Path) -> None:
    data = {
        "Contact": [contact(EVE, "eve@x.example")],
        "Opportunity": [deal(DEAL), deal(ELSEWHERE, SUB), deal("006ASKED", TOP), deal("006NOT", TOP),
                        deal("006SHUT", stage="Kaybedildi")],
        "OpportunityContactRole": [
            {"Id": "00K1", "OpportunityId": ELSEWHERE, "ContactId": EVE, "IsPrimary": True, "IsDeleted": False},
            {"Id": "00K2", "OpportunityId": DEAL, "ContactId": EVE, "IsPrimary": True, "IsDeleted": True},
        ],
        "OpportunityTeamMember": [{"Id": "00q1", "OpportunityId": DEAL, "UserId": ANN, "IsDeleted": False}],
    }  # fmt: skip
    found = book(tmp_path, data, "eve@x.example", deals=("006ASKED", "006SHUT"))
    deals = {one.record_id: one for some in found.open_opportunities.values() for one in some}
    assert set(deals) == {DEAL, ELSEWHERE, "006ASKED"}
    assert deals[ELSEWHERE].roles == {EVE: True}
    assert (deals[DEAL].roles, deals[DEAL].team) == ({}, frozenset({ANN}))
    assert (deals[DEAL].close_date, deals[DEAL].last_activity) == (date(2026, 5, 1), date(2026, 3, 1))


def test_fields_that_describe_calls_email_are_read_and_find_a_record_after_the_named_ones(tmp_path: Path) -> None:
    config = shipped_config()
    spec = config.object("Contact")
    assert spec is not None
    described = [("Id", "id"), ("Name", "string"), ("Email", "email"), ("Private__c", "email"), ("Notes__c", "string")]
    describe = {"fields": [{"name": name, "type": kind} for name, kind in described]}
    fields = fields_from_describe(describe, wanted_fields(spec, describe))
    assert set(fields) == {"Id", "Name", "Email", "Private__c"}
    with Mirror(tmp_path, config) as mirror:
        row = {"Id": EVE, "Name": "Eve", "Email": "eve@x.example", "Private__c": "Eve@Home.example"}
        mirror.merge("Contact", [row], fields=fields, watermark=NOON)
        mirror.derive(ISTANBUL, now=NOON)
        mirror.publish(NOON, "00D")
    found = MirrorReader(tmp_path).address_book(["eve@x.example", "eve@home.example"])
    assert [found.people[one][0].is_main_address for one in ("eve@x.example", "eve@home.example")] == [True, False]


def test_users_are_found_by_their_own_address_only() -> None:
    spec = shipped_config().object("User")
    assert spec is not None
    fields = {"fields": [{"name": "SenderEmail", "type": "email"}]}
    assert "SenderEmail" not in wanted_fields(spec, fields)


def test_a_snapshot_of_an_earlier_leakwatch_is_refused_with_what_to_do(tmp_path: Path) -> None:
    publish(tmp_path, {"Contact": [contact(EVE, "eve@x.example")]})
    import duckdb

    snapshot = latest_snapshot(tmp_path)
    assert snapshot is not None
    with duckdb.connect(snapshot.path) as connection:
        connection.execute("DROP TABLE lw_domain")
    with pytest.raises(StaleError, match="leakwatch mirror"):
        address_book(tmp_path, ["eve@acme.example"])


def test_where_fields_are_hidden_from_us_nothing_is_found_by_them_and_nothing_fails(tmp_path: Path) -> None:
    config = shipped_config()
    with Mirror(tmp_path, config) as mirror:
        fields = {"Id": FieldSpec("Id"), "Email": FieldSpec("Email")}
        mirror.merge("Contact", [{"Id": EVE, "Email": "eve@x.example"}], fields=fields, watermark=NOON)
        mirror.merge("Account", [{"Id": ACME}], fields={"Id": FieldSpec("Id")}, watermark=NOON)
        mirror.derive(ISTANBUL, now=NOON)
        mirror.publish(NOON, "00D")
    found = MirrorReader(tmp_path).address_book(["eve@x.example"])
    assert found.people["eve@x.example"][0].account_id is None
    assert found.domains == {}


def test_the_state_of_the_people_changes_with_who_is_where_and_not_with_their_activity(tmp_path: Path) -> None:
    def state(name: str, **values: Any) -> str:
        data = {"Account": [account(ACME)], "Contact": [contact(EVE, "eve@acme.example") | values]}
        publish(tmp_path / name, data | {"Opportunity": [deal(DEAL)]})
        return people_state(tmp_path / name)

    assert people_state(tmp_path) == ""
    first = state("a")
    assert first == state("b", LastActivityDate="2026-03-02", Name="Eve")
    assert len({first, state("c", Email="eve@other.example"), state("d", AccountId=SUB)}) == 3
