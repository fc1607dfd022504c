"""Opportunities, their history and their products."""

from __future__ import annotations

from datetime import date
from typing import Any

from leakwatch.sandbox.org.automation import campaigns, pricing, quote_sync
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules
from leakwatch.sandbox.org.errors import bad

FORECAST = {"Best Case": "BestCase", "Commit": "Forecast"}
"""ForecastCategoryName to ForecastCategory, where they differ."""
_DEAL = pricing.Parent("Opportunity", "OpportunityId", "opportunity", takes_book=True)
_COUNTED = ("CampaignId", "Amount", "StageName")
"""What a campaign's counters hang on."""
_TRACKED = ("Amount", "Probability", "StageName", "CloseDate")


def stage_of(engine: Engine, name: str | None) -> Row | None:
    """What the org knows of a stage."""
    if name is None:
        return None
    stages = engine.store.find("OpportunityStage", engine.schema.objects["OpportunityStage"].fields["ApiName"], name)
    return stages[0] if stages else None


def prepare(engine: Engine, change: Change) -> None:
    """Stage decides forecast and probability; with products, Amount cannot be set ("silently ignored")."""
    row, old = change.row, change.old
    stage = stage_of(engine, row.get("StageName"))
    if stage is not None and change.changed("StageName"):
        if "Probability" not in change.given:
            row["Probability"] = stage["DefaultProbability"]
        if "ForecastCategoryName" not in change.given:
            row["ForecastCategoryName"] = stage["ForecastCategoryName"]
    quote_sync.prepare_deal(engine, change)
    if old is None:
        return
    pricing.keep_book(change, bool(old["HasOpportunityLineItem"]), "opportunity")
    if old["HasOpportunityLineItem"] and "Amount" in change.given:
        row["Amount"] = old["Amount"]
    if change.changed("StageName"):
        row["LastStageChangeDate"] = engine.now()
    if old["CloseDate"] and row["CloseDate"] and row["CloseDate"][:7] > old["CloseDate"][:7]:
        row["PushCount"] = (old.get("PushCount") or 0) + 1


def derive(engine: Engine, row: Row) -> None:
    """Fields that follow from stage, amount and close date."""
    stage = stage_of(engine, row.get("StageName"))
    row["IsClosed"] = int(bool(stage and stage["IsClosed"]))
    row["IsWon"] = int(bool(stage and stage["IsWon"]))
    if stage is not None:
        if row.get("Probability") is None:
            row["Probability"] = stage["DefaultProbability"]
        if row.get("ForecastCategoryName") is None:
            row["ForecastCategoryName"] = stage["ForecastCategoryName"]
    name = row.get("ForecastCategoryName")
    row["ForecastCategory"] = FORECAST.get(name, name) if name else "Pipeline"
    amount, probability = row.get("Amount"), row.get("Probability")
    row["ExpectedRevenue"] = None if amount is None else pricing.money(amount * (probability or 0) / 100)
    if row.get("CloseDate"):
        row |= _fiscal(date.fromisoformat(row["CloseDate"]), engine.settings.fiscal_year_start_month)
    row["PushCount"] = row.get("PushCount") or 0


def _fiscal(day: date, start: int) -> Row:
    """Fiscal period of a day; the year takes the name of the calendar year it ends in."""
    months = (day.month - start) % 12
    year = day.year + (1 if start > 1 and day.month >= start else 0)
    quarter = months // 3 + 1
    return {"FiscalYear": year, "FiscalQuarter": quarter, "Fiscal": f"{year} {quarter}"}


def settle(engine: Engine, change: Change) -> None:
    """History is kept, the campaign counts anew, a quote begins or ceases to sync."""
    if change.changed(*_COUNTED):
        before = change.old.get("CampaignId") if change.old else None
        for campaign in sorted({change.row.get("CampaignId") or "", before or ""}):
            campaigns.recount(engine, campaign)
    if change.changed(*_TRACKED):
        _keep_history(engine, change)
    quote_sync.settle_deal(engine, change)


def _keep_history(engine: Engine, change: Change) -> None:
    """One row whenever amount, probability, stage or close date change."""
    row, old = change.row, change.old
    history: dict[str, Any] = {
        "OpportunityId": row["Id"],
        "PrevAmount": old["Amount"] if old else None,
        "PrevCloseDate": old["CloseDate"] if old else None,
        **{name: row.get(name) for name in (*_TRACKED, "ExpectedRevenue", "ForecastCategory")},
    }
    if "CurrencyIsoCode" in row:
        history["CurrencyIsoCode"] = row["CurrencyIsoCode"]
    history_id = engine.insert(engine.schema.objects["OpportunityHistory"], history, change.caller)
    links = {"Amount": "LastAmountChangedHistoryId", "CloseDate": "LastCloseDateChangedHistoryId"}
    changed = {link: history_id for name, link in links.items() if old is not None and change.changed(name)}
    engine.store.update("Opportunity", row["Id"], changed)


def removed(engine: Engine, row: Row, _caller: Caller) -> None:
    """The campaign of a deal that went counts anew."""
    campaigns.recount(engine, row.get("CampaignId"))


def prepare_line(engine: Engine, change: Change) -> None:
    """A line takes product, list price and default price from its price book entry."""
    row = change.row
    _one_price(change)
    entry = engine.lookup(row.get("PricebookEntryId"))
    if entry is None and row.get("Product2Id") is None:
        # the words of Salesforce help, article 000383141
        said = (
            "field integrity exception: PricebookEntryId, unknown "
            "(versions 3.0 and higher must specify pricebook entry id; others must specify product id)"
        )
        raise bad("FIELD_INTEGRITY_EXCEPTION", said, "PricebookEntryId", "unknown")
    pricing.prepare_line(engine, change, _DEAL)
    if "TotalPrice" in change.given and row.get("Quantity") and row.get("TotalPrice") is not None:
        kept = 1 - (row.get("Discount") or 0) / 100
        row["UnitPrice"] = pricing.money(row["TotalPrice"] / row["Quantity"] / kept) if kept else 0.0
    elif row.get("UnitPrice") is None:
        row["UnitPrice"] = row.get("ListPrice")


def _one_price(change: Change) -> None:
    """One of the two prices follows from the other, so one alone is given (Object Reference, OpportunityLineItem)."""
    if not {"UnitPrice", "TotalPrice"} <= change.given:
        return
    if change.creating:
        # the code is what clients report, the words are unverified
        said = "field integrity exception: TotalPrice, UnitPrice (only one of the two can be set)"
        raise bad("FIELD_INTEGRITY_EXCEPTION", said, "TotalPrice")
    # as clients report it
    raise bad("INVALID_FIELD", "Cannot change both 'UnitPrice' and 'TotalPrice' in update call", "UnitPrice")


def derive_line(engine: Engine, row: Row) -> None:
    """Totals, and the names copied from product and deal."""
    row |= pricing.totals(row)
    product = engine.lookup(row.get("Product2Id"))
    deal = engine.lookup(row.get("OpportunityId"))
    row["ProductCode"] = product["ProductCode"] if product else None
    if row.get("Name") is None and product and deal:
        row["Name"] = f"{deal['Name']} {product['Name']}"


def settle_line(engine: Engine, change: Change) -> None:
    """The deal's amount is the sum of its lines; a synced quote's lines are the same."""
    _total(engine, change.row["OpportunityId"], change.caller)
    quote_sync.settle_deal_line(engine, change)


def removed_line(engine: Engine, row: Row, caller: Caller) -> None:
    """The same after a line went; without lines the last amount stays."""
    _total(engine, row["OpportunityId"], caller)
    quote_sync.removed_deal_line(engine, row, caller)


def _total(engine: Engine, opportunity_id: str, caller: Caller) -> None:
    sobject = engine.schema.objects["Opportunity"]
    deal = engine.store.get("Opportunity", opportunity_id)
    if deal is None or deal["IsDeleted"]:
        return
    sql = (
        "SELECT COUNT(*), ROUND(SUM(TotalPrice), 2) FROM OpportunityLineItem WHERE OpportunityId = ? AND IsDeleted = 0"
    )
    count, total = engine.store.execute(sql, (opportunity_id,)).fetchone()
    engine.store.update("Opportunity", opportunity_id, {"HasOpportunityLineItem": int(count > 0)})
    if count:
        engine.change(
            sobject, deal | {"HasOpportunityLineItem": int(count > 0)}, {"Amount": total}, caller, given=frozenset()
        )


OPPORTUNITY = Rules(prepare=prepare, derive=derive, settle=settle, removed=removed)
LINE_ITEM = Rules(prepare=prepare_line, derive=derive_line, settle=settle_line, removed=removed_line)
RULES = {"Opportunity": OPPORTUNITY, "OpportunityLineItem": LINE_ITEM}
