"""Money of several currencies: what an amount is worth in another one (SOQL reference, "convertCurrency()").

Rates are those of CurrencyType, units of the currency for one of the org's own. Dated rates (advanced currency
management) are not emulated: the one rate there is holds for every day.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from leakwatch.sandbox.org.schema import Schema
from leakwatch.sandbox.org.soql import scope

_ISO = "CurrencyIsoCode"


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
        return exp.paren(exp.Div(this=place.column.copy(), expression=rate(self.iso(place))))

    def converted(self, place: scope.Place, currency: exp.Expr) -> exp.Expr:
        """A currency field in another currency; null where a rate is missing."""
        return exp.paren(exp.Mul(this=self.corporate(place), expression=rate(currency)))


def money_of(schema: Schema) -> Money:
    """The conversions of the org that has these objects."""
    known = schema.objects["Opportunity"].fields.get(_ISO)
    return Money(known is not None, str(known.default) if known else "")


def rate(iso: exp.Expr) -> exp.Expr:
    """The rate of a currency."""
    found = exp.Select().from_(scope.table("CurrencyType", "r")).limit(1)
    found.set("expressions", [scope.column("r", "ConversionRate")])
    found.set("where", exp.Where(this=exp.EQ(this=scope.column("r", "IsoCode"), expression=iso)))
    return exp.Subquery(this=found)
