"""Price books, lines, quotes, orders, contracts, and money of several currencies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org, OrgSettings
from sandbox.org.org_kit import Clock, Company

pytestmark = pytest.mark.documented("Object Reference, OpportunityLineItem, Quote, Order, Contract")


def row(org: Org, sobject: str, record_id: str) -> dict[str, Any]:
    found = org.get(sobject, record_id)
    assert found is not None
    return found


def refused(call: Any, *args: Any, **kwargs: Any) -> OrgError:
    with pytest.raises(OrgError) as caught:
        call(*args, **kwargs)
    return caught.value


def seeded(org: Org, sobject: str, **fields: Any) -> str:
    record_id = org.new_id(sobject)
    org.seed(sobject, [{"Id": record_id, **fields}])
    return record_id


def entry(org: Org, *, book: str | None = None, active: bool = True, **more: Any) -> str:
    book = book or seeded(org, "Pricebook2", Name="Standard", IsActive=True)
    product = seeded(org, "Product2", Name="Panel", ProductCode="P1", IsActive=True)
    fields = {"Pricebook2Id": book, "Product2Id": product, "UnitPrice": 100, "IsActive": active}
    return seeded(org, "PricebookEntry", **fields, **more)


# -- lines --------------------------------------------------------------------------------------------


@pytest.mark.documented(guess="which field the refusal of another price book names")
def test_a_first_line_gives_the_deal_its_price_book_and_others_must_be_of_it(org: Org, company: Company) -> None:
    line = {"OpportunityId": company.deal, "PricebookEntryId": entry(org), "Quantity": 1, "UnitPrice": 5}
    org.create("OpportunityLineItem", line, user_id=company.rep)
    book = row(org, "PricebookEntry", line["PricebookEntryId"])["Pricebook2Id"]
    assert row(org, "Opportunity", company.deal)["Pricebook2Id"] == book
    error = refused(org.create, "OpportunityLineItem", line | {"PricebookEntryId": entry(org)}, user_id=company.rep)
    said = "pricebook entry is in a different pricebook than the one assigned to the opportunity"
    assert (error.error_code, error.message, error.fields) == (
        "FIELD_INTEGRITY_EXCEPTION",
        f"field integrity exception: PricebookEntryId ({said})",
        ["PricebookEntryId"],
    )
    other = seeded(org, "Pricebook2", Name="Other", IsActive=True)
    moved = refused(org.update, "Opportunity", company.deal, {"Pricebook2Id": other}, user_id=company.rep)
    assert moved.fields == ["Pricebook2Id"]


@pytest.mark.documented("Object Reference, PricebookEntry", settled=False)
def test_an_inactive_entry_is_refused(org: Org, company: Company) -> None:
    fields = {"OpportunityId": company.deal, "PricebookEntryId": entry(org, active=False), "Quantity": 1}
    assert "inactive" in refused(org.create, "OpportunityLineItem", fields, user_id=company.rep).message


@pytest.mark.documented("Salesforce help, OpportunityLineItem Insert Field Integrity Error")
def test_a_line_without_an_entry_is_refused_in_salesforces_words(org: Org, company: Company) -> None:
    error = refused(org.create, "OpportunityLineItem", {"OpportunityId": company.deal, "Quantity": 1}, user_id="x")
    said = "(versions 3.0 and higher must specify pricebook entry id; others must specify product id)"
    assert (error.error_code, error.message) == (
        "FIELD_INTEGRITY_EXCEPTION",
        f"field integrity exception: PricebookEntryId, unknown {said}",
    )


@pytest.mark.documented(guess="the code of the refusal of an insert")
def test_a_line_is_given_one_of_its_two_prices(org: Org, company: Company) -> None:
    fields = {"OpportunityId": company.deal, "PricebookEntryId": entry(org), "Quantity": 2}
    prices = {"UnitPrice": 5, "TotalPrice": 10}
    both = refused(org.create, "OpportunityLineItem", fields | prices, user_id=company.rep)
    assert both.error_code == "FIELD_INTEGRITY_EXCEPTION"
    line = org.create("OpportunityLineItem", fields | {"TotalPrice": 11}, user_id=company.rep)
    assert row(org, "OpportunityLineItem", line)["UnitPrice"] == 5.5
    late = refused(org.update, "OpportunityLineItem", line, prices, user_id=company.rep)
    assert (late.error_code, late.fields) == ("INVALID_FIELD", ["UnitPrice"])


def test_totals_are_rounded_half_up_to_cents(org: Org, company: Company) -> None:
    fields = {"OpportunityId": company.deal, "PricebookEntryId": entry(org), "Quantity": 0.5, "UnitPrice": 10.25}
    line = org.create("OpportunityLineItem", fields, user_id=company.rep)
    assert row(org, "OpportunityLineItem", line)["TotalPrice"] == 5.13


def test_the_amount_of_a_deal_shows_no_binary_fractions(org: Org, company: Company) -> None:
    line = {"OpportunityId": company.deal, "PricebookEntryId": entry(org), "Quantity": 1}
    for price in (0.1, 0.2):
        org.create("OpportunityLineItem", line | {"UnitPrice": price}, user_id=company.rep)
    assert row(org, "Opportunity", company.deal)["Amount"] == 0.3


@pytest.mark.documented("Object Reference, Quote, QuoteLineItem")
def test_a_quote_adds_up_its_lines_with_tax_and_shipping(org: Org, company: Company) -> None:
    fields = {"OpportunityId": company.deal, "Name": "Q", "Tax": 18, "ShippingHandling": 2}
    quote = org.create("Quote", fields, user_id=company.rep)
    assert row(org, "Quote", quote)["AccountId"] == company.account
    line = {"QuoteId": quote, "PricebookEntryId": entry(org), "Quantity": 2, "UnitPrice": 50, "Discount": 10}
    lines = [org.create("QuoteLineItem", line | {"Discount": off}, user_id=company.rep) for off in (10, 0)]
    found = row(org, "Quote", quote)
    names = ("Subtotal", "TotalPrice", "Discount", "LineItemCount", "GrandTotal")
    assert [found[name] for name in names] == [200.0, 190.0, 5.0, 2, 210.0]
    org.delete("QuoteLineItem", lines[1], user_id=company.rep)
    assert row(org, "Quote", quote)["GrandTotal"] == 110.0


# -- orders and contracts -----------------------------------------------------------------------------


@pytest.mark.documented(
    "Object Reference, Order, OrderItem",
    guess="the code of the deletion, and the fields that are named",
)
def test_an_order_begins_as_a_draft_and_is_activated_with_products_only(org: Org, company: Company) -> None:
    book = seeded(org, "Pricebook2", Name="Standard", IsActive=True)
    fields = {"AccountId": company.account, "EffectiveDate": "2026-03-02", "Status": "Draft", "Pricebook2Id": book}
    early = refused(org.create, "Order", fields | {"Status": "Activated"}, user_id=company.rep)
    assert early.error_code == "FAILED_ACTIVATION"
    order = org.create("Order", fields, user_id=company.rep)
    activate = {"Status": "Activated"}
    assert refused(org.update, "Order", order, activate, user_id=company.rep).error_code == "FAILED_ACTIVATION"
    item = {"OrderId": order, "PricebookEntryId": entry(org, book=book), "Quantity": 3, "UnitPrice": 9.5}
    org.create("OrderItem", item, user_id=company.rep)
    assert row(org, "Order", order)["TotalAmount"] == 28.5
    more = refused(org.update, "Order", order, activate | {"Description": "x"}, user_id=company.rep)
    assert more.error_code == "FAILED_ACTIVATION"
    org.update("Order", order, activate, user_id=company.rep)
    found = row(org, "Order", order)
    active = (found["StatusCode"], found["ActivatedById"], found["ActivatedDate"])
    assert active == ("Activated", company.rep, "2026-03-02T09:00:30.000+0000")
    assert refused(org.create, "OrderItem", item, user_id=company.rep).fields == ["OrderId"]
    assert refused(org.delete, "Order", order, user_id=company.rep).error_code == "DELETE_FAILED"
    org.update("Order", order, {"Status": "Draft"}, user_id=company.rep)
    assert row(org, "Order", order)["ActivatedDate"] is None


@pytest.mark.documented("Object Reference, Contract", guess="the code of the deletion, and the field that is named")
def test_a_contract_ends_with_its_term_and_stays_active(org: Org, company: Company) -> None:
    fields = {"AccountId": company.account, "StartDate": "2026-03-01", "ContractTerm": 12}
    contract = org.create("Contract", fields, user_id=company.rep)
    found = row(org, "Contract", contract)
    assert (found["EndDate"], found["StatusCode"], found["Status"]) == ("2027-02-28", "Draft", "Draft")
    org.update("Contract", contract, {"Status": "Activated"}, user_id=company.rep)
    assert row(org, "Contract", contract)["ActivatedById"] == company.rep
    back = refused(org.update, "Contract", contract, {"Status": "Draft"}, user_id=company.rep)
    assert back.fields == ["Status"]
    assert refused(org.delete, "Contract", contract, user_id=company.rep).error_code == "DELETE_FAILED"
    early = refused(org.create, "Contract", fields | {"Status": "Activated"}, user_id=company.rep)
    assert early.error_code == "FAILED_ACTIVATION"


# -- cases and campaigns ------------------------------------------------------------------------------


@pytest.mark.documented("Object Reference, Case")
def test_a_case_is_closed_by_its_status_and_knows_its_contact(org: Org, company: Company) -> None:
    case = org.create("Case", {"Subject": "s", "ContactId": company.contact}, user_id=company.rep)
    found = row(org, "Case", case)
    assert (found["AccountId"], found["ContactEmail"], found["IsClosed"]) == (
        company.account,
        "isil@celik.example",
        False,
    )
    org.update("Case", case, {"Status": "Closed"}, user_id=company.rep)
    closed = row(org, "Case", case)
    assert (closed["IsClosed"], closed["ClosedDate"]) == (True, "2026-03-02T09:00:30.000+0000")
    org.update("Case", case, {"Status": "Working"}, user_id=company.rep)
    assert (row(org, "Case", case)["IsClosed"], row(org, "Case", case)["ClosedDate"]) == (False, None)


@pytest.mark.documented("Object Reference, Campaign, CampaignMember, CampaignMemberStatus")
def test_a_campaign_counts_who_is_in_it_who_responded_and_what_was_won(org: Org, company: Company) -> None:
    campaign = org.create("Campaign", {"Name": "Fair"}, user_id=company.rep)
    contact = {"CampaignId": campaign, "ContactId": company.contact}
    member = org.create("CampaignMember", {"CampaignId": campaign, "LeadId": company.lead}, user_id=company.rep)
    org.create("CampaignMember", contact, user_id=company.rep)
    assert refused(org.create, "CampaignMember", contact, user_id=company.rep).message == "Already a campaign member."
    found = row(org, "CampaignMember", member)
    assert (found["Status"], found["HasResponded"], found["CompanyOrAccount"]) == ("Sent", False, "Öz Ltd")
    org.update("CampaignMember", member, {"Status": "Responded"}, user_id=company.rep)
    found = row(org, "CampaignMember", member)
    assert (found["HasResponded"], found["FirstRespondedDate"]) == (True, "2026-03-02")
    org.update("Lead", company.lead, {"Title": "CEO"}, user_id=company.rep)
    assert row(org, "CampaignMember", member)["Title"] == "CEO"
    won = {"CampaignId": campaign, "StageName": "Closed Won"}
    org.update("Opportunity", company.deal, won, user_id=company.rep)
    counted = {
        "NumberOfLeads": 1,
        "NumberOfContacts": 1,
        "NumberOfResponses": 1,
        "NumberOfOpportunities": 1,
        "NumberOfWonOpportunities": 1,
        "AmountWonOpportunities": 12_500.5,
    }
    assert {name: row(org, "Campaign", campaign)[name] for name in counted} == counted
    org.convert_lead(company.lead, user_id=company.rep)
    converted = row(org, "Campaign", campaign)
    assert (converted["NumberOfLeads"], converted["NumberOfConvertedLeads"]) == (0, 1)
    assert (converted["NumberOfContacts"], converted["NumberOfOpportunities"]) == (2, 2)


@pytest.mark.documented("Object Reference, Opportunity")
def test_a_probability_set_by_hand_stays_until_the_stage_changes(org: Org, company: Company) -> None:
    org.update("Opportunity", company.deal, {"Probability": 35}, user_id=company.rep)
    org.update("Opportunity", company.deal, {"NextStep": "call"}, user_id=company.rep)
    assert row(org, "Opportunity", company.deal)["Probability"] == 35.0
    org.update("Opportunity", company.deal, {"StageName": "Needs Analysis"}, user_id=company.rep)
    assert row(org, "Opportunity", company.deal)["Probability"] == 20.0


# -- currencies ---------------------------------------------------------------------------------------


@pytest.fixture
def rich(tmp_path: Path, clock: Clock) -> Iterator[Org]:
    settings = OrgSettings(multicurrency=True, currency="USD")
    org = Org(tmp_path / "rich", clock, settings=settings)
    rates = {"USD": 1.0, "EUR": 0.8, "TRY": 40.0}
    org.seed(
        "CurrencyType",
        [{"IsoCode": iso, "ConversionRate": rate, "IsActive": iso != "TRY"} for iso, rate in rates.items()],
    )
    seeded(org, "User", LastName="E", Username="e@a.example", DefaultCurrencyIsoCode="EUR", IsActive=True)
    yield org
    org.close()


def european(org: Org) -> str:
    return str(org.query("SELECT Id FROM User WHERE Username = 'e@a.example'")[0]["Id"])


@pytest.mark.documented("Salesforce help, Manage Multiple Currencies")
def test_records_take_the_currency_of_their_user_and_no_inactive_one(rich: Org) -> None:
    user = european(rich)
    account = rich.create("Account", {"Name": "a"}, user_id=user)
    assert row(rich, "Account", account)["CurrencyIsoCode"] == "EUR"
    error = refused(rich.update, "Account", account, {"CurrencyIsoCode": "TRY"}, user_id=user)
    assert error.error_code == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"


@pytest.mark.documented(guess="which field the refusal names")
def test_a_line_has_the_deals_currency_and_an_entry_of_it(rich: Org) -> None:
    user = european(rich)
    fields = {"Name": "d", "StageName": "Prospecting", "CloseDate": "2026-04-01", "CurrencyIsoCode": "EUR"}
    deal = rich.create("Opportunity", fields, user_id=user)
    line = {"OpportunityId": deal, "Quantity": 1, "UnitPrice": 5}
    dollars = entry(rich, CurrencyIsoCode="USD")
    said = refused(rich.create, "OpportunityLineItem", line | {"PricebookEntryId": dollars}, user_id=user)
    assert said.fields == ["PricebookEntryId"]
    euros = entry(rich, CurrencyIsoCode="EUR")
    made = rich.create("OpportunityLineItem", line | {"PricebookEntryId": euros}, user_id=user)
    assert row(rich, "OpportunityLineItem", made)["CurrencyIsoCode"] == "EUR"
    assert rich.query("SELECT CurrencyIsoCode FROM OpportunityHistory LIMIT 1") == [{"CurrencyIsoCode": "EUR"}]


@pytest.mark.documented("Salesforce help, About Advanced Currency Management")
def test_a_deal_is_converted_by_the_rate_of_the_day_it_closes(rich: Org) -> None:
    user = european(rich)
    for start, rate in (("2026-01-01", 0.5), ("2026-07-01", 0.25)):
        fields = {"IsoCode": "EUR", "StartDate": start, "ConversionRate": rate}
        rich.create("DatedConversionRate", fields, user_id=user)
    ends = rich.query("SELECT NextStartDate FROM DatedConversionRate ORDER BY StartDate")
    assert [one["NextStartDate"] for one in ends] == ["2026-07-01", None]
    for day in ("2025-12-31", "2026-06-30", "2026-07-01"):
        fields = {"Name": day, "StageName": "Prospecting", "CloseDate": day, "Amount": 10, "CurrencyIsoCode": "EUR"}
        rich.create("Opportunity", fields, user_id=user)
    rows = rich.query("SELECT SUM(Amount) worth FROM Opportunity GROUP BY CloseDate ORDER BY CloseDate")
    assert [one["worth"] for one in rows] == [12.5, 20.0, 40.0]
    assert [one["Name"] for one in rich.query("SELECT Name FROM Opportunity WHERE Amount > USD30")] == ["2026-07-01"]
    rich.create("Account", {"Name": "a", "AnnualRevenue": 8}, user_id=user)
    assert rich.query("SELECT SUM(AnnualRevenue) worth FROM Account") == [{"worth": 10.0}]
