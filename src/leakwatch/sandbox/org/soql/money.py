"""Money of several currencies: what an amount is worth in another one (SOQL reference, "convertCurrency()").

Rates are those of CurrencyType, units of the currency for one of the org's own. Deals, their products and their
history take the rate that DatedConversionRate has for the day the deal closes, where it has one (help, "About
Advanced Currency Management"); other objects know the one rate only.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from leakwatch.sandbox.org.schema import Field, Schema
from leakwatch.sandbox.org.soql import scope

_ISO = "CurrencyIsoCode"
_DATED = {"Opportunity": None, "OpportunityHistory": None, "OpportunityLineItem": "OpportunityId"}
"""Whose amounts are converted by dated rates, and the link to the deal that closes on the day."""


@dataclass(frozen=True, slots=True)
class Money:
    """Conversions of one org."""

    several: bool
    """Whether the org has several currencies; without, every amount is worth what it is."""
    default: str
    """The org's own currency."""

    def iso(self, place: scope.Place | None) -> exp.Expr:
        """The currency of the row that a field belongs to."""
        node = place.nodes[-1] if place else None
        if node is None or not node.alias or _ISO not in node.targets[0].fields:
            return exp.Literal.string(self.default)
        return exp.Coalesce(this=scope.column(node.alias, _ISO), expressions=[exp.Literal.string(self.default)])

    def corporate(self, place: scope.Place) -> exp.Expr:
        """A currency field in the org's own currency, by which amounts are compared, sorted and added up."""
        if not self.several:
            return place.column
        return exp.paren(exp.Div(this=place.column.copy(), expression=rate(self.iso(place), closing_day(place))))

    def converted(self, place: scope.Place, currency: exp.Expr) -> exp.Expr:
        """A currency field in another currency; null where a rate is missing."""
        return exp.paren(exp.Mul(this=self.corporate(place), expression=rate(currency, closing_day(place))))


def exact(sql: exp.Expr, field: Field) -> exp.Expr:
    """A computed number without the traces of binary fractions: 0.1 and 0.2 are 0.3.

    Sums and converted amounts have as many digits behind the point as their field, but not less than two; other
    numbers (averages, sums of whole numbers) keep 15 digits. How Salesforce rounds these is unverified.
    """
    if field.precision and field.type in ("currency", "double", "percent"):
        return exp.Round(this=sql, decimals=exp.Literal.number(max(field.scale, 2)))
    return exp.Anonymous(this="sf_exact", expressions=[sql])


def money_of(schema: Schema) -> Money:
    """The conversions of the org that has these objects."""
    known = schema.objects["Opportunity"].fields.get(_ISO)
    return Money(known is not None, str(known.default) if known else "")


def closing_day(place: scope.Place) -> exp.Expr | None:
    """The day whose rate holds for a row's amounts; None where the rate has no day."""
    node = place.nodes[-1]
    name = node.targets[0].name if node.alias else ""
    if name not in _DATED:
        return None
    link = _DATED[name]
    if link is None:
        return scope.column(node.alias, "CloseDate")
    deal = exp.EQ(this=scope.column("o", "Id"), expression=scope.column(node.alias, link))
    return _looked_up("Opportunity", "o", "CloseDate", deal)


def rate(iso: exp.Expr, day: exp.Expr | None = None) -> exp.Expr:
    """The rate of a currency, on a day if its rates are dated."""
    of_currency = exp.EQ(this=scope.column("r", "IsoCode"), expression=iso)
    usual = _looked_up("CurrencyType", "r", "ConversionRate", of_currency)
    if day is None:
        return usual
    begun = exp.LTE(this=scope.column("r", "StartDate"), expression=day)
    dated = _looked_up("DatedConversionRate", "r", "ConversionRate", exp.and_(of_currency.copy(), begun))
    dated.this.set("order", exp.Order(expressions=[exp.Ordered(this=scope.column("r", "StartDate"), desc=True)]))
    return exp.Coalesce(this=dated, expressions=[usual])


def _looked_up(sobject: str, alias: str, field: str, test: exp.Expr) -> exp.Expr:
    found = exp.Select().from_(scope.table(sobject, alias)).limit(1)
    found.set("expressions", [scope.column(alias, field)])
    found.set("where", exp.Where(this=test))
    return exp.Subquery(this=found)
