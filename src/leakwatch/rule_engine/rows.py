"""Turns the rows of a rule's SELECT into `RuleRow`s: severity, money, sentences."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from leakwatch.core.rates import Rates
from leakwatch.core.record_ids import activity_object
from leakwatch.model import RuleRow, Severity
from leakwatch.rule_engine.isolated import Row
from leakwatch.rule_engine.load import LoadedRule
from leakwatch.rule_engine.spec import ConditionSpec, FindingSpec

_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner's name and manager."""

    name: str
    manager_id: str | None


def to_rows(
    loaded: LoadedRule,
    rows: Sequence[Row],
    *,
    values: Mapping[str, Any],
    people: Mapping[str, Owner],
    rates: Rates,
) -> tuple[RuleRow, ...]:
    """Return what the rule found, biggest money first. Limits on its money are in `rates.home`.

    Raises:
        ValueError: a row has no record id, or two rows have the same business key.
    """
    found = [_row(loaded, row, values, people, rates) for row in rows]
    keys = [row.business_key for row in found]
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"two rows have the same key {'/'.join(twice)}; name more columns under finding.key")
    return tuple(sorted(found, key=lambda row: (-(row.impact or Decimal(-1)), row.record_id, row.business_key)))


def _row(loaded: LoadedRule, row: Row, values: Mapping[str, Any], people: Mapping[str, Owner], rates: Rates) -> RuleRow:
    finding = loaded.spec.finding
    rule = loaded.rule
    record_id = row["record_id"]
    if not record_id:
        raise ValueError("a row has no record_id")
    owner_id: str | None = row[finding.owner] or None
    owner = people.get(owner_id or "", Owner(owner_id or "", None))  # whoever is not in the data goes by their id
    currency: str | None = row[finding.currency] if finding.currency else None
    impact = decimal(row[finding.impact.column]) if finding.impact else None
    english, turkish = ({**values, **row, **_words(loaded, row, language)} for language in ("en", "tr"))
    return RuleRow(
        rule_id=rule.id,
        business_key=tuple(str(row[name]) for name in finding.key),
        record_id=record_id,
        sobject=activity_object(rule.sobject, str(record_id)),
        record_name=str(row[finding.name] or "") if finding.name else "",
        owner_id=owner_id,
        owner_name=owner.name,
        manager_id=(row[finding.manager] if finding.manager else None) or owner.manager_id,
        severity=_severity(rule.severity, finding, row, rates),
        impact=impact,
        currency=currency,
        impact_kind=finding.impact.kind if finding.impact and impact is not None else "none",
        message_en=loaded.message[0].fill(english, currency),
        message_tr=loaded.message[1].fill(turkish, currency),
        evidence={name: _shown(row[name]) for name in finding.show},
        account_id=row[finding.account] if finding.account else None,
        about_id=(row[finding.about] or None) if finding.about else None,
    )


def _words(loaded: LoadedRule, row: Row, language: str) -> dict[str, str]:
    """Return the codes in `row` that the rule has words for, in words."""
    return {
        column: words[str(row[column])].get(language)
        for column, words in loaded.spec.finding.words.items()
        if str(row[column]) in words
    }


def unrated(loaded: LoadedRule, rows: Sequence[Row], rates: Rates) -> dict[str, int]:
    """Return the currencies in `rows` that no limit on money can be held against, and how many rows each has."""
    finding = loaded.spec.finding
    if finding.impact is None or finding.currency is None:
        return {}
    if not any(finding.impact.column in choice.conditions for choice in finding.severity_when):
        return {}
    currencies = [
        str(row[finding.currency])
        for row in rows
        if row[finding.impact.column] is not None and rates.at_home(Decimal(1), row[finding.currency]) is None
    ]
    return dict(sorted(Counter(currencies).items()))


def _severity(default: Severity, finding: FindingSpec, row: Row, rates: Rates) -> Severity:
    values = row
    if finding.severity_when and finding.impact is not None and finding.currency is not None:
        amount = decimal(row[finding.impact.column])
        at_home = None if amount is None else rates.at_home(amount, row[finding.currency])
        values = {**row, finding.impact.column: at_home}
    for choice in finding.severity_when:
        if all(_holds(values[name], condition) for name, condition in choice.conditions.items()):
            return choice.then
    return default


def _holds(value: Any, condition: ConditionSpec) -> bool:
    for name in condition.model_fields_set:
        wanted = getattr(condition, name)
        if isinstance(value, Decimal) and wanted is not None and not isinstance(wanted, bool):
            wanted = Decimal(wanted)
        if name not in ("eq", "ne") and (value is None or wanted is None):
            return False
        if not _TESTS[name](value, wanted):
            return False
    return True


def decimal(value: Any) -> Decimal | None:
    """Return an amount of a result without the zeros that its column's scale adds, None for none."""
    if value is None:
        return None
    return _shown(value) if isinstance(value, Decimal) else Decimal(value)


def _shown(value: Any) -> Any:
    """Return a value without the zeros that a column's scale adds beyond two decimals: 1096.000000 is 1096.00."""
    if not isinstance(value, Decimal):
        return value
    cents = value.quantize(Decimal("0.01"))
    return cents if cents == value else value.normalize()
