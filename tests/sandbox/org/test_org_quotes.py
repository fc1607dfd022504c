"""A quote that syncs with its deal."""

from __future__ import annotations

from typing import Any

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Company

pytestmark = pytest.mark.documented("Salesforce help, How Quote Syncing Works; Object Reference, Opportunity")
DEAL_LINES = "SELECT Quantity, UnitPrice, Discount FROM OpportunityLineItem ORDER BY UnitPrice"
QUOTE_LINES = "SELECT Quantity, UnitPrice, Discount FROM QuoteLineItem WHERE QuoteId = '{}' ORDER BY UnitPrice"


def row(org: Org, sobject: str, record_id: str) -> dict[str, Any]:
    found = org.get(sobject, record_id)
    assert found is not None
    return found


@pytest.fixture
def entry(org: Org) -> str:
    """An entry of the standard price book."""
    ids = {name: org.new_id(name) for name in ("Pricebook2", "Product2", "PricebookEntry")}
    org.seed("Pricebook2", [{"Id": ids["Pricebook2"], "Name": "Standard", "IsActive": True}])
    org.seed("Product2", [{"Id": ids["Product2"], "Name": "Panel", "ProductCode": "P1", "IsActive": True}])
    fields = {"Pricebook2Id": ids["Pricebook2"], "Product2Id": ids["Product2"], "UnitPrice": 100, "IsActive": True}
    org.seed("PricebookEntry", [{"Id": ids["PricebookEntry"], **fields}])
    return ids["PricebookEntry"]


def quote_of(org: Org, company: Company, entry: str, *prices: float) -> str:
    quote = org.create("Quote", {"OpportunityId": company.deal, "Name": "Q"}, user_id=company.rep)
    for price in prices:
        add(org, company, "Quote", quote, entry, price)
    return quote


def add(org: Org, company: Company, parent: str, parent_id: str, entry: str, price: float) -> str:
    line = {f"{parent}Id": parent_id, "PricebookEntryId": entry, "Quantity": 2, "UnitPrice": price}
    return org.create(f"{parent}LineItem", line, user_id=company.rep)


def sync(org: Org, company: Company, quote: str | None) -> None:
    org.update("Opportunity", company.deal, {"SyncedQuoteId": quote}, user_id=company.rep)


def test_a_deal_syncs_with_one_of_its_quotes_at_a_time(org: Org, company: Company, entry: str) -> None:
    first, second = quote_of(org, company, entry, 10, 20), quote_of(org, company, entry, 40)
    sync(org, company, first)
    deal = row(org, "Opportunity", company.deal)
    assert (deal["Amount"], deal["TotalOpportunityQuantity"]) == (60.0, 2.0)
    assert deal["Pricebook2Id"] == row(org, "Quote", first)["Pricebook2Id"]
    sync(org, company, second)
    syncing = [row(org, "Quote", quote)["IsSyncing"] for quote in (first, second)]
    assert (syncing, row(org, "Opportunity", company.deal)["Amount"]) == ([False, True], 80.0)
    assert [line["UnitPrice"] for line in org.query(DEAL_LINES)] == [40.0]
    assert len(org.query(QUOTE_LINES.format(first))) == 2
    amounts = org.query("SELECT Amount FROM OpportunityHistory ORDER BY Id DESC LIMIT 1")
    assert amounts == [{"Amount": 80.0}]


@pytest.mark.documented(guess="that the deal's own lines give way to those of its first synced quote")
def test_the_lines_of_the_quote_take_the_place_of_the_deals(org: Org, company: Company, entry: str) -> None:
    add(org, company, "Opportunity", company.deal, entry, 5)
    sync(org, company, quote_of(org, company, entry, 10))
    assert [line["UnitPrice"] for line in org.query(DEAL_LINES)] == [10.0]


@pytest.mark.parametrize("side", ["Quote", "Opportunity"])
def test_lines_are_added_changed_and_removed_on_both_sides(org: Org, company: Company, entry: str, side: str) -> None:
    quote = quote_of(org, company, entry)
    sync(org, company, quote)
    parent = {"Quote": quote, "Opportunity": company.deal}[side]
    lines = [add(org, company, side, parent, entry, price) for price in (10, 20)]
    org.update(f"{side}LineItem", lines[0], {"Quantity": 3, "Discount": 50}, user_id=company.rep)
    assert org.query(QUOTE_LINES.format(quote)) == org.query(DEAL_LINES)
    assert org.query(DEAL_LINES)[0] == {"Quantity": 3.0, "UnitPrice": 10.0, "Discount": 50.0}
    assert row(org, "Opportunity", company.deal)["Amount"] == row(org, "Quote", quote)["TotalPrice"] == 55.0
    org.delete(f"{side}LineItem", lines[0], user_id=company.rep)
    assert org.query(QUOTE_LINES.format(quote)) == org.query(DEAL_LINES)
    assert row(org, "Opportunity", company.deal)["Amount"] == row(org, "Quote", quote)["TotalPrice"] == 40.0
    assert len(org.query("SELECT Id FROM QuoteLineItem WHERE OpportunityLineItemId != null")) == 1


def test_after_the_sync_is_stopped_each_keeps_its_lines_and_goes_its_own_way(
    org: Org, company: Company, entry: str
) -> None:
    quote = quote_of(org, company, entry, 10)
    sync(org, company, quote)
    sync(org, company, None)
    assert row(org, "Quote", quote)["IsSyncing"] is False
    add(org, company, "Quote", quote, entry, 20)
    (line,) = org.query("SELECT Id FROM OpportunityLineItem")
    org.delete("OpportunityLineItem", line["Id"], user_id=company.rep)
    assert (org.query(DEAL_LINES), len(org.query(QUOTE_LINES.format(quote)))) == ([], 2)
    assert org.query("SELECT Id FROM QuoteLineItem WHERE OpportunityLineItemId != null") == []


def test_a_synced_quote_that_is_deleted_leaves_the_deal_its_lines(org: Org, company: Company, entry: str) -> None:
    quote = quote_of(org, company, entry, 10)
    sync(org, company, quote)
    org.delete("Quote", quote, user_id=company.rep)
    deal = row(org, "Opportunity", company.deal)
    assert (deal["SyncedQuoteId"], deal["Amount"], len(org.query(DEAL_LINES))) == (None, 20.0, 1)
    org.delete("Opportunity", company.deal, user_id=company.rep)


@pytest.mark.documented(guess="that a given Amount is ignored where there are no lines")
def test_the_amount_of_a_synced_deal_is_not_for_editing(org: Org, company: Company, entry: str) -> None:
    sync(org, company, quote_of(org, company, entry))
    org.update("Opportunity", company.deal, {"Amount": 1, "NextStep": "call"}, user_id=company.rep)
    assert row(org, "Opportunity", company.deal)["Amount"] == 12_500.5


@pytest.mark.documented(guess="the code of the refusal of another deal's quote")
def test_what_cannot_be_synced_is_refused(org: Org, company: Company, entry: str) -> None:
    fields = {"Name": "other", "StageName": "Prospecting", "CloseDate": "2026-05-01"}
    other = org.create("Opportunity", fields, user_id=company.rep)
    quote = org.create("Quote", {"OpportunityId": other, "Name": "Q"}, user_id=company.rep)
    with pytest.raises(OrgError, match="FIELD_INTEGRITY_EXCEPTION"):
        sync(org, company, quote)
    with pytest.raises(OrgError, match="FIELD_INTEGRITY_EXCEPTION"):
        org.create("Opportunity", fields | {"SyncedQuoteId": quote}, user_id=company.rep)
    with pytest.raises(OrgError, match="INVALID_FIELD_FOR_INSERT_UPDATE"):
        org.update("Quote", quote, {"IsSyncing": True}, user_id=company.rep)
    assert row(org, "Opportunity", company.deal)["SyncedQuoteId"] is None
