"""Which currency limits on money are in, and what others are worth: by the settings, else by the org itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb

from leakwatch.core import formats
from leakwatch.core.rates import Rates
from leakwatch.model import Text
from leakwatch.rule_engine.isolated import Row
from leakwatch.rule_engine.load import LoadedRule
from leakwatch.rule_engine.rows import unrated

Columns = Mapping[str, frozenset[str]]


def rates_of(connection: duckdb.DuckDBPyConnection, columns: Columns, given: Rates) -> Rates:
    """Return `given`, filled up with what the snapshot knows.

    Source: Object Reference, "CurrencyType": ConversionRate is how many units one unit of the corporate currency buys.
    """
    corporate, bought = _currency_types(connection, columns)
    home = given.home or corporate or _organization_currency(connection, columns)
    at_home = bought.get(home or "")
    org = {code: at_home / rate for code, rate in bought.items()} if at_home else dict[str, Decimal]()
    return Rates(home, {**org, **given.per_unit})


def with_home(rates: Rates, loaded: LoadedRule, rows: Sequence[Row]) -> Rates:
    """Return `rates`; where the company's currency is not known, with the only one there is among `rows`."""
    column = loaded.spec.finding.currency
    if rates.home is not None or column is None:
        return rates
    there = {str(row[column]) for row in rows if row[column]}
    return replace(rates, home=next(iter(there))) if len(there) == 1 else rates


def unrated_notes(loaded: LoadedRule, rows: Sequence[Row], rates: Rates) -> list[Text]:
    """Return the sentence about amounts that the rule's limits on money say nothing of."""
    unknown = unrated(loaded, rows, rates)
    if not unknown:
        return []
    count, codes = sum(unknown.values()), ", ".join(unknown)
    records = "1 record" if count == 1 else f"{formats.number(count, 'en')} records"
    missing = "company.exchange_rates" if rates.home else "company.currency"
    return [
        Text(
            en=f"Severity limits on amounts are in {rates.home or 'one currency'}; for {records} in {codes} there is "
            f"no rate ({missing} in the settings): the rule's own severity stands.",
            tr=f"Tutara bağlı önem sınırları {rates.home or 'tek bir para birimi'} cinsindendir; {codes} cinsinden "
            f"{formats.number(count, 'tr')} kaydın kuru yok (ayarlarda {missing}): kuralın kendi önem derecesi "
            "geçerlidir.",
        )
    ]


def _currency_types(connection: duckdb.DuckDBPyConnection, columns: Columns) -> tuple[str | None, dict[str, Decimal]]:
    """Return the corporate currency and, by currency, how many units one unit of it buys."""
    there = columns.get("sf_currency_type", frozenset())
    if not {"iso_code", "conversion_rate"} <= there:
        return None, {}
    corporate = "is_corporate" if "is_corporate" in there else "NULL"
    rows: list[tuple[Any, ...]] = connection.execute(
        f"SELECT iso_code, conversion_rate, {corporate} FROM sf_currency_type"  # noqa: S608  our own names
        " WHERE iso_code IS NOT NULL AND conversion_rate > 0 ORDER BY iso_code"
    ).fetchall()
    own = next((str(code) for code, _, is_own in rows if is_own), None)
    return own, {str(code): Decimal(rate) for code, rate, _ in rows}


def _organization_currency(connection: duckdb.DuckDBPyConnection, columns: Columns) -> str | None:
    if "default_currency_iso_code" not in columns.get("sf_organization", frozenset()):
        return None
    named = connection.execute("SELECT default_currency_iso_code FROM sf_organization LIMIT 1").fetchone()
    return str(named[0]) if named and named[0] else None
