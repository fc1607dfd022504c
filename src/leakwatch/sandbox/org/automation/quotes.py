"""Quotes and their lines (Object Reference, Quote, QuoteLineItem); for syncing with a deal see `quote_sync`."""

from __future__ import annotations

from leakwatch.sandbox.org.automation import pricing, quote_sync
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules

_QUOTE = pricing.Parent("Quote", "QuoteId", "quote", takes_book=True)


def prepare(engine: Engine, change: Change) -> None:
    """Account and currency are the deal's; the price book stays while there are lines."""
    row = change.row
    deal = engine.lookup(row.get("OpportunityId"))
    if change.creating and deal is not None:
        row["AccountId"] = deal["AccountId"]
        if "CurrencyIsoCode" in row:
            row["CurrencyIsoCode"] = deal["CurrencyIsoCode"]
    pricing.keep_book(change, bool(row.get("LineItemCount")), "quote")


def derive(_engine: Engine, row: Row) -> None:
    """The grand total follows what it is made of."""
    row["LineItemCount"] = row.get("LineItemCount") or 0
    row["Subtotal"], row["TotalPrice"] = row.get("Subtotal") or 0.0, row.get("TotalPrice") or 0.0
    row["Discount"] = _discount(row["Subtotal"], row["TotalPrice"])
    more = (row.get("Tax") or 0) + (row.get("ShippingHandling") or 0)
    row["GrandTotal"] = pricing.money(row["TotalPrice"] + more)


def _discount(whole: float, total: float) -> float:
    """What the lines are below their subtotal, in percent."""
    return pricing.money((whole - total) / whole * 100) if whole else 0.0


def prepare_line(engine: Engine, change: Change) -> None:
    """Product and list price by the price book."""
    pricing.prepare_line(engine, change, _QUOTE)


def derive_line(_engine: Engine, row: Row) -> None:
    """Totals of the line."""
    row |= pricing.totals(row)


def settle_line(engine: Engine, change: Change) -> None:
    """The quote's totals are those of its lines, and those of a synced deal are the same."""
    _total(engine, change.row["QuoteId"], change.caller)
    quote_sync.settle_quote_line(engine, change)


def removed_line(engine: Engine, row: Row, caller: Caller) -> None:
    """The same after a line went."""
    _total(engine, row["QuoteId"], caller)
    quote_sync.removed_quote_line(engine, row, caller)


def _total(engine: Engine, quote_id: str, caller: Caller) -> None:
    quote = engine.lookup(quote_id)
    if quote is None:
        return
    sql = (
        "SELECT COUNT(*), ROUND(COALESCE(SUM(Subtotal), 0), 2), ROUND(COALESCE(SUM(TotalPrice), 0), 2) "
        "FROM QuoteLineItem WHERE QuoteId = ? AND IsDeleted = 0"
    )
    count, whole, total = engine.store.execute(sql, (quote_id,)).fetchone()
    changes: Row = {"LineItemCount": count, "Subtotal": whole, "TotalPrice": total}
    engine.change(engine.schema.objects["Quote"], quote, changes, caller, given=frozenset())


RULES = {
    "Quote": Rules(prepare=prepare, derive=derive, settle=quote_sync.settle_quote),
    "QuoteLineItem": Rules(prepare=prepare_line, derive=derive_line, settle=settle_line, removed=removed_line),
}
