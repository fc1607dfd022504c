"""A result, arranged for reading: grouped, sorted by the reader's alphabet, cut to what a page can hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from leakwatch.core.report_entries import IMPACT_KINDS, money_size
from leakwatch.report.hostile import clean
from leakwatch.report.words import Words

Json = Mapping[str, Any]

READ_WITHIN = timedelta(days=1)  # a mailbox unread for longer is shown as needing attention
_SPEECHLESS = ("failed", "switched_off", "held", "skipped", "not_run")
_STANDING = ("open", "escalated", "acknowledged", "snoozed")
_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")
_NO_RULE: Json = {"title": {"en": "", "tr": ""}, "evidence_types": {}}


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one rule, each with its place in the whole list; `total` counts those not shown, too."""

    rule: Json
    rows: tuple[tuple[int, Json], ...]
    total: int


def headline(result: Json, words: Words) -> str:
    """Return the report's title with the org's name, where that is known."""
    title = words(f"title.{result['kind']}")
    org = clean(result["org"]["name"])
    return words("text.headline", title=title, org=org) if org else title


def main_amount(amounts: Mapping[str, Sequence[Json]], currency: str) -> tuple[str, Decimal]:
    """Return the most telling kind of a rule's or team's amounts and its size in the main currency."""
    for kind in IMPACT_KINDS:
        for one in amounts[kind]:
            if one["currency"] == currency:
                return kind, Decimal(one["amount"])
    return "none", Decimal(0)


def largest_amount(line: Json, currency: str) -> Decimal:
    """Return a line's largest amount in `currency`, whatever its kind."""
    return max(
        (
            Decimal(one["amount"])
            for kind in IMPACT_KINDS
            for one in line["amounts"][kind]
            if one["currency"] == currency
        ),
        default=Decimal(0),
    )


def lines_by_money(lines: Iterable[Json], currency: str, words: Words, name: Any) -> list[Json]:
    """Return lines with `amounts` and `findings`, the largest first; equals by name in the reader's alphabet."""

    def order(line: Json) -> tuple[Any, ...]:
        sizes = [
            -next((Decimal(one["amount"]) for one in line["amounts"][kind] if one["currency"] == currency), Decimal(0))
            for kind in IMPACT_KINDS
        ]
        return (*sizes, -line["findings"], words.sort_key(name(line)))

    return sorted(lines, key=order)


def rules_by_money(result: Json, words: Words) -> list[Json]:
    """Return the rules that could speak, or found something before, the most money first."""
    spoke = [rule for rule in result["rules"] if rule["status"] not in ("switched_off", "not_run") or rule["findings"]]
    currency = result["main_currency"]
    return sorted(
        spoke,
        key=lambda rule: (
            -largest_amount(rule, currency),
            -rule["findings"],
            words.sort_key(words.text(rule["title"])),
        ),
    )


def speechless(result: Json, words: Words) -> list[Json]:
    """Return the rules that failed, were held, switched off or skipped, worst first."""
    found = [rule for rule in result["rules"] if rule["status"] in _SPEECHLESS]
    return sorted(
        found, key=lambda rule: (_SPEECHLESS.index(rule["status"]), words.sort_key(words.text(rule["title"])))
    )


def why(rule: Json, words: Words) -> str:
    """Return why a rule could not speak in full, in words."""
    return words.text(rule["reason"]) if rule["reason"] else words.known("broken", f"{rule['status']}_reason")


def top(result: Json) -> list[Group]:
    """Return the top findings grouped by rule, so that each next step is said once; ranks stay those of the list."""
    by_id = {finding["id"]: finding for finding in result["findings"]}
    ranked = [
        (place, by_id[identity]) for place, identity in enumerate(result["top_findings"], start=1) if identity in by_id
    ]
    return _groups(result, ranked, limit=None)


def listing(result: Json, words: Words, *, limit: int) -> list[Group]:
    """Return what is not resolved, grouped by rule, at most `limit` of each; equals in the reader's alphabet."""
    living = [finding for finding in result["findings"] if finding["status"] != "resolved" and not finding["process"]]
    severities = ("critical", "high", "medium", "low")

    def order(finding: Json) -> tuple[Any, ...]:
        size = money_size(Decimal(finding["impact"] or 0), finding["impact_kind"])
        foreign = "" if finding["currency"] == result["main_currency"] else finding["currency"] or "~"
        name = words.sort_key(finding["record_name"]) if size == 0 else ()
        return (severities.index(finding["severity"]), size == 0, foreign, -size, name, finding["id"])

    return _groups(result, list(enumerate(sorted(living, key=order), start=1)), limit=limit)


def _groups(result: Json, ranked: Sequence[tuple[int, Json]], *, limit: int | None) -> list[Group]:
    by_rule: dict[str, list[tuple[int, Json]]] = {}
    for place, finding in ranked:
        by_rule.setdefault(finding["rule_id"], []).append((place, finding))
    rules = {rule["id"]: rule for rule in result["rules"]}
    return [
        Group(rules.get(rule_id, {**_NO_RULE, "id": rule_id}), tuple(rows[:limit]), len(rows))
        for rule_id, rows in by_rule.items()
    ]


def process_findings(result: Json) -> list[Json]:
    """Return the findings about the process, those that cover most records first."""
    found = [finding for finding in result["findings"] if finding["process"] and finding["status"] in _STANDING]
    return sorted(found, key=lambda finding: (-finding["count"], finding["id"]))


def valued(finding: Json) -> bool:
    """Return whether the finding has an amount worth showing."""
    return finding["impact"] is not None and Decimal(finding["impact"]) != 0


def company(finding: Json) -> str:
    """Return whose record it is: its account, or the company a lead names; nothing where its name says so."""
    name = str(finding["account_name"] or finding["evidence"].get("company") or "")
    return "" if name in finding["record_name"] else name


def any_valued(findings: Iterable[Json]) -> bool:
    """Return whether any of the findings has an amount worth showing."""
    return any(valued(finding) for finding in findings)


def standing(result: Json) -> int:
    """Return how many findings the top list was chosen from."""
    return sum(1 for finding in result["findings"] if finding["counted"])


def unread_mailboxes(result: Json, words: Words) -> list[Json]:
    """Return the mailboxes that are parked or were not read within a day, by person."""
    deadline = datetime.fromisoformat(result["generated_at"]) - READ_WITHIN
    late = [
        health
        for health in result["capture"] or ()
        if health["parked_reason"]
        or health["last_good_read"] is None
        or datetime.fromisoformat(health["last_good_read"]) < deadline
    ]
    return sorted(late, key=lambda health: words.sort_key(health["name"] or health["address"]))


def change(result: Json, kind: str = "at_risk") -> Decimal | None:
    """Return by how much the main currency's sum moved since last week, or None in the first week."""
    previous = result["kpis"]["previous"]
    if not previous:
        return None
    currency = result["main_currency"]

    def size(sums: Sequence[Json]) -> Decimal:
        return next((Decimal(one["amount"]) for one in sums if one["currency"] == currency), Decimal(0))

    return size(result["kpis"][kind]) - size(previous[kind])


def by_name(objects: Iterable[Json], words: Words) -> list[Json]:
    """Return the mirror's tables or an export's files by the name people use."""
    return sorted(objects, key=lambda entry: words.sort_key(words.sobject(entry["name"])))


def rules_by_title(result: Json, words: Words) -> list[Json]:
    """Return all rules by title, in the reader's alphabet."""
    return sorted(result["rules"], key=lambda rule: words.sort_key(words.text(rule["title"])))


def rule_title(rule_id: str, result: Json, words: Words) -> str:
    """Return a rule's title, or its id where the rule is gone."""
    return next((words.text(rule["title"]) for rule in result["rules"] if rule["id"] == rule_id), rule_id)


def rate(rule: Json, words: Words) -> str:
    """Return which share of the examined records breaks the rule, or nothing where that can't be said."""
    examined = rule["population"]
    if not examined or rule["records"] > examined or rule["process_findings"]:
        return ""
    return words.percent(Decimal(rule["records"]) / Decimal(examined))


def mark(entry: Json, result: Json, words: Words) -> str:
    """Return what changed in a rule, in words."""
    title = rule_title(entry["rule_id"], result, words)
    return words(f"mark.{entry['change']}", rule=title, before=entry["from_version"], after=entry["to_version"])


def param(value: Any, words: Words) -> str:
    """Return a threshold as it is set, numbers in the reader's notation but with all their digits."""
    if isinstance(value, str):
        return value.replace(".", ",") if words.language == "tr" and _DECIMAL.fullmatch(value) else value
    return words.evidence(value, "integer")


def remarks(result: Json, words: Words) -> list[str]:
    """Return the sentences under the headline figures: what they leave out and why."""
    kpis = result["kpis"]
    said = [
        words(f"others.{name}", n=kpis[name]) for name in ("unproven", "held", "pending", "not_notified") if kpis[name]
    ]
    if kpis["resolved_otherwise"]:
        items = [
            words("others.item", n=count, reason=words.known("resolved", reason))
            for reason, count in kpis["resolved_otherwise"].items()
        ]
        said.insert(0, words("others.resolved", n=sum(kpis["resolved_otherwise"].values()), list=", ".join(items)))
    return said


def one_moment(objects: Sequence[Json]) -> str | None:
    """Return the oldest of the objects' moments if all lie within an hour of it: then one date speaks for all."""
    moments = [entry["fresh_at"] for entry in objects]
    if not moments or None in moments:
        return None
    first, last = min(moments), max(moments)
    return first if datetime.fromisoformat(last) - datetime.fromisoformat(first) <= timedelta(hours=1) else None
