"""Findings about the process: a field that is empty in nearly every record a rule examines is one finding, not many.

They stand beside the rule's single findings, or for them where those say the same of each record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from leakwatch.core.report_entries import money_size
from leakwatch.model import RuleRow
from leakwatch.rule_engine.isolated import Row
from leakwatch.rule_engine.load import LoadedRule
from leakwatch.rule_engine.messages import Sentence
from leakwatch.rule_engine.rows import decimal
from leakwatch.rule_engine.spec import ProcessSpec

PROCESS_KEY = "process"  # first part of the business key; the second is the field


@dataclass(frozen=True, slots=True)
class ProcessFindings:
    """What a rule says about the process."""

    rows: tuple[RuleRow, ...] = ()
    unchecked: frozenset[str] = frozenset()  # fields that are not in the data: nothing is known of them
    replace_singles: bool = False


def find_process(
    loaded: LoadedRule,
    rows: Sequence[Row],
    counts: Mapping[str, int],
    *,
    missing: Mapping[str, frozenset[str] | None],
    values: Mapping[str, Any],
    label: Callable[[str, str | None], str],
) -> ProcessFindings:
    """Return a row for each field of the rule's `process` that is empty in nearly every record.

    Args:
        loaded: the rule.
        rows: the rows of its SELECT.
        counts: the row of its `population_sql`, column by column.
        missing: optional tables (None = whole) and columns that the data lack.
        values: its parameters.
        label: (table, column) -> name in Salesforce.
    """
    found: list[RuleRow] = []
    unchecked: set[str] = set()
    replaced = False
    for process, sentence in zip(loaded.spec.process, loaded.process_messages, strict=True):
        table, column = process.field.split(".")
        if table in missing and column in (missing[table] or {column}):
            unchecked.add(process.field)
            continue
        empty, population = counts[process.empty], counts[process.of or next(iter(counts))]
        if population < process.min_rows or empty < process.share * population:
            continue
        replaced = replaced or process.replaces_findings
        stands_for = rows if process.replaces_findings else ()
        found.append(_row(loaded, process, sentence, stands_for, empty, population, values, label(table, column)))
    return ProcessFindings(tuple(found), frozenset(unchecked), replaced)


def _row(
    loaded: LoadedRule,
    process: ProcessSpec,
    sentence: Sentence,
    stands_for: Sequence[Row],
    empty: int,
    population: int,
    values: Mapping[str, Any],
    name: str,
) -> RuleRow:
    impact, currency = _sum(loaded, stands_for)
    share = Decimal(empty) / Decimal(population)
    facts = {**values, "count": empty, "population": population, "share": share, "impact": impact}
    english, turkish = sentence
    kind = loaded.spec.finding.impact.kind if loaded.spec.finding.impact and impact is not None else "none"
    return RuleRow(
        rule_id=loaded.rule.id,
        business_key=(PROCESS_KEY, process.field),
        record_id=process.field,
        sobject=loaded.rule.sobject,
        record_name=name,
        owner_id=None,
        owner_name="",
        manager_id=None,
        severity=process.severity or loaded.rule.severity,
        impact=impact,
        currency=currency,
        impact_kind=kind,
        message_en=english.fill(facts, currency),
        message_tr=turkish.fill(facts, currency),
        evidence={"count": empty, "population": population},
        is_process=True,
        count=empty,
    )


def _sum(loaded: LoadedRule, rows: Sequence[Row]) -> tuple[Decimal | None, str | None]:
    """Return the money of `rows` and its currency; nothing without money or in several currencies."""
    finding = loaded.spec.finding
    currencies = {row[finding.currency] for row in rows} if finding.currency else {None}
    if finding.impact is None or not rows or len(currencies) != 1:
        return None, None
    sizes = [money_size(decimal(row[finding.impact.column]), finding.impact.kind) for row in rows]
    return sum(sizes, Decimal(0)), next(iter(currencies))
