"""Syncing a quote with its deal (Salesforce help, "How Quote Syncing Works" and "Sync Quotes and Opportunities").

`Opportunity.SyncedQuoteId` starts, moves and stops it (Object Reference, Opportunity); `Quote.IsSyncing` shows it.
A deal syncs with one quote at a time. What is done to a line of one is done to its twin, `OpportunityLineItemId`
leading from the quote's to the deal's. A row that was written by a rule has nothing in `given`, so that a twin's
change does not come back.
"""

from __future__ import annotations

from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row
from leakwatch.sandbox.org.errors import bad
from leakwatch.sandbox.org.schema import SObject

_BOOK = "Pricebook2Id"
_TWIN = "OpportunityLineItemId"
_ALIKE = ("Quantity", "UnitPrice", "ServiceDate", "Discount", "SortOrder")
"""What lines have in common (the help's list; "product sorting also syncs")."""


# -- the deal -----------------------------------------------------------------------------------------


def prepare_deal(engine: Engine, change: Change) -> None:
    """The quote must be one of the deal's; while it syncs, Amount is the quote's and stays when it is given."""
    row, old = change.row, change.old
    quote = engine.lookup(row.get("SyncedQuoteId"))
    if quote is not None and change.changed("SyncedQuoteId") and quote["OpportunityId"] != row.get("Id"):
        # that it has to be a child is documented, the code and the words are unverified
        said = "field integrity exception: SyncedQuoteId (the quote must be a quote of the opportunity)"
        raise bad("FIELD_INTEGRITY_EXCEPTION", said, "SyncedQuoteId")
    if old is not None and old["SyncedQuoteId"] and "Amount" in change.given:
        row["Amount"] = old["Amount"]  # "you can't edit" it; that the API ignores it, as with products, is unverified


def settle_deal(engine: Engine, change: Change) -> None:
    """Start or stop; the price books are the same."""
    row, old = change.row, change.old
    if old is None:
        return
    if change.changed("SyncedQuoteId"):
        _stop(engine, old["SyncedQuoteId"], change.caller)
        _start(engine, row, change.caller)
    elif change.changed(_BOOK) and row["SyncedQuoteId"]:
        _set(engine, "Quote", row["SyncedQuoteId"], {_BOOK: row[_BOOK]}, change.caller)


def _stop(engine: Engine, quote_id: str | None, caller: Caller) -> None:
    """The lines stay where they are, on both sides."""
    if quote_id:
        _set(engine, "Quote", quote_id, {"IsSyncing": 0}, caller)


def _start(engine: Engine, deal: Row, caller: Caller) -> None:
    """The quote's lines take the place of the deal's.

    That is documented where one synced quote follows another; that it is so for the first one is unverified.
    """
    quote = engine.lookup(deal["SyncedQuoteId"])
    if quote is None:
        return
    for line in _lines(engine, "OpportunityLineItem", "OpportunityId", deal["Id"]):
        engine.drop(engine.schema.objects["OpportunityLineItem"], line, caller, direct=True)
    _same_book(engine, quote, "Opportunity", deal["Id"], caller)
    for line in _lines(engine, "QuoteLineItem", "QuoteId", quote["Id"]):
        _add_to_deal(engine, quote, line, caller)
    _set(engine, "Quote", quote["Id"], {"IsSyncing": 1}, caller)


# -- the quote ----------------------------------------------------------------------------------------


def settle_quote(engine: Engine, change: Change) -> None:
    """The deal's quantity is the number of the synced quote's lines, its price book the quote's (the help's list)."""
    row = change.row
    if not row["IsSyncing"] or not change.changed("IsSyncing", "LineItemCount", _BOOK):
        return
    changes: Row = {"TotalOpportunityQuantity": row["LineItemCount"]}
    if row[_BOOK]:
        changes[_BOOK] = row[_BOOK]
    _set(engine, "Opportunity", row["OpportunityId"], changes, change.caller)


# -- the lines ----------------------------------------------------------------------------------------


def settle_quote_line(engine: Engine, change: Change) -> None:
    """What was done to a line of a synced quote is done to the deal's."""
    row = change.row
    quote = engine.lookup(row["QuoteId"])
    if not change.given or quote is None or not quote["IsSyncing"]:
        return
    if row.get(_TWIN):
        _set(engine, "OpportunityLineItem", row[_TWIN], _alike(row), change.caller)
    else:
        _add_to_deal(engine, quote, row, change.caller)


def settle_deal_line(engine: Engine, change: Change) -> None:
    """What was done to a line of a deal is done to the synced quote's."""
    row = change.row
    deal = engine.lookup(row["OpportunityId"])
    if not change.given or deal is None or not deal["SyncedQuoteId"]:
        return
    twin = _synced_twin(engine, row["Id"])
    if twin is not None:
        _set(engine, "QuoteLineItem", twin["Id"], _alike(row), change.caller)
    else:
        line = _alike(row) | {"QuoteId": deal["SyncedQuoteId"], _TWIN: row["Id"]}
        _same_book(engine, deal, "Quote", deal["SyncedQuoteId"], change.caller)
        names = ("PricebookEntryId", "Product2Id")
        engine.insert(_lines_of(engine, "Quote"), line | {name: row[name] for name in names}, change.caller)


def removed_quote_line(engine: Engine, row: Row, caller: Caller) -> None:
    """The deal's line goes along unless it is the quote itself that goes."""
    quote = engine.lookup(row["QuoteId"])
    line = engine.lookup(row.get(_TWIN))
    if quote is not None and quote["IsSyncing"] and line is not None:
        engine.drop(engine.schema.objects["OpportunityLineItem"], line, caller, direct=True)


def removed_deal_line(engine: Engine, row: Row, caller: Caller) -> None:
    """The synced quote's line goes along; in quotes that do not sync the lookup is cleared."""
    lines = _lines_of(engine, "Quote")
    for line in engine.store.find(lines.name, lines.fields[_TWIN], row["Id"]):
        quote = engine.lookup(line["QuoteId"])
        if quote is not None and quote["IsSyncing"]:
            engine.drop(lines, line, caller)
        else:
            engine.store.update(lines.name, line["Id"], {_TWIN: None})


def _add_to_deal(engine: Engine, quote: Row, line: Row, caller: Caller) -> None:
    deal_id = quote["OpportunityId"]
    _same_book(engine, quote, "Opportunity", deal_id, caller)
    made = _alike(line) | {"OpportunityId": deal_id, "PricebookEntryId": line["PricebookEntryId"]}
    twin = engine.insert(_lines_of(engine, "Opportunity"), made, caller)
    engine.store.update("QuoteLineItem", line["Id"], {_TWIN: twin})


def _synced_twin(engine: Engine, line_id: str) -> Row | None:
    lines = _lines_of(engine, "Quote")
    for line in engine.store.find(lines.name, lines.fields[_TWIN], line_id):
        quote = engine.lookup(line["QuoteId"])
        if quote is not None and quote["IsSyncing"]:
            return line
    return None


def _lines_of(engine: Engine, parent: str) -> SObject:
    return engine.schema.objects[f"{parent}LineItem"]


def _lines(engine: Engine, sobject: str, link: str, parent: str) -> list[Row]:
    return engine.store.find(sobject, engine.schema.objects[sobject].fields[link], parent)


def _alike(line: Row) -> Row:
    return {name: line.get(name) for name in _ALIKE}


def _same_book(engine: Engine, of: Row, sobject: str, record_id: str, caller: Caller) -> None:
    if of[_BOOK]:
        _set(engine, sobject, record_id, {_BOOK: of[_BOOK]}, caller)


def _set(engine: Engine, sobject: str, record_id: str, changes: Row, caller: Caller) -> None:
    """Change what is different, as a rule does: with nothing in `given`."""
    row = engine.lookup(record_id)
    if row is not None and any(row.get(name) != value for name, value in changes.items()):
        engine.change(engine.schema.objects[sobject], row, changes, caller, given=frozenset())
