"""Exchange rates as the admin set them: to weigh amounts against a limit or each other, never to add them up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Rates:
    """The company's currency, in which limits on money are stated, and what one unit of other currencies is worth."""

    home: str | None = None  # ISO 4217
    per_unit: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])  # ISO 4217 -> amount in `home`

    def at_home(self, amount: Decimal, currency: str | None) -> Decimal | None:
        """Return `amount` in the company's currency, or None where its rate is not known.

        An amount without a currency is in the company's own.
        """
        if currency is None or currency == self.home:
            return amount
        rate = self.per_unit.get(currency) if self.home is not None else None
        return None if rate is None else amount * rate
