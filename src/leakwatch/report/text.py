"""The report as a short plain text for the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from leakwatch.core.report_entries import IMPACT_KINDS
from leakwatch.report import view
from leakwatch.report.hostile import clean
from leakwatch.report.words import Words

Json = Mapping[str, Any]

TOP = 5
_NOTES = 5
_NAME_WIDTH = 50  # columns for a rule's title or a record's name; longer ones are cut
_WRAP_AT = 100


def render_text(result: Json, language: str | None = None) -> str:
    """Return the summary as lines of plain text with a final newline, without colour and control characters.

    Args:
        result: what `core.report` built, or its JSON read back.
        language: `en` or `tr`; the result's own if left out.
    """
    words = Words(language or result["language"], result["time_zone"])
    parts = [
        _head(result, words),
        _rules(result, words),
        _silent(result, words),
        _process(result, words),
        _top(result, words),
        _notes(result, words),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _head(result: Json, words: Words) -> list[str]:
    title = view.headline(result, words)
    period = result["period"]
    when = (
        words("header.week", days=words.days(period["start"], period["end"]))
        if period
        else words("header.as_of", day=words.day(result["as_of"]))
    )
    lines = [title, when]
    for kind in IMPACT_KINDS:
        for one in result["kpis"][kind]:
            amount = words.money(one["amount"], one["currency"])
            lines.append(f"{words(f'kpi.{kind}')}: {amount} ({words('kpi.on_records', n=one['records'])})")
    if result["kind"] == "weekly":
        kpis = result["kpis"]
        lines.append(words("text.week", **{name: words.number(kpis[name]) for name in ("new", "fixed", "reopened")}))
    return lines + view.remarks(result, words)


def _rules(result: Json, words: Words) -> list[str]:
    rules = view.rules_by_money(result, words)
    if not rules:
        return [words("text.nothing")]
    count_width = max(len(words("text.findings")), *(len(words.number(rule["findings"])) for rule in rules))
    lines = [f"{_fit(words('text.rule'))}  {words('text.findings'):>{count_width}}  {words('text.amounts')}"]
    for rule in rules:
        amounts = [
            f"{words.money(one['amount'], one['currency'])} {words(f'kind.{kind}')}"
            for kind in IMPACT_KINDS
            for one in rule["amounts"][kind]
        ]
        count = words.number(rule["findings"])
        if rule["process_findings"]:
            amounts.append(words("rules.process", n=rule["process_records"]))
        title = _fit(words.text(rule["title"]))
        lines.append(f"{title}  {count:>{count_width}}  {', '.join(amounts) or '–'}")
    return lines


def _silent(result: Json, words: Words) -> list[str]:
    lines = [
        f"  {words.text(rule['title'])}: {words.known('rule_status', rule['status'])}. {clean(view.why(rule, words))}"
        for rule in view.speechless(result, words)
    ]
    return [words("text.off"), *lines] if lines else []


def _process(result: Json, words: Words) -> list[str]:
    found = view.process_findings(result)
    lines = [f"  {clean(finding['record_name'])}: {words.text(finding['message'])}" for finding in found[:TOP]]
    return [words("text.process"), *lines, *_more(found, TOP, words)] if lines else []


def _top(result: Json, words: Words) -> list[str]:
    by_id = {finding["id"]: finding for finding in result["findings"]}
    lines: list[str] = []
    for place, identity in enumerate(result["top_findings"][:TOP], start=1):
        finding = by_id[identity]
        amount = words.money(finding["impact"], finding["currency"]) if finding["impact"] is not None else ""
        name = _cut(clean(finding["record_name"]) or words("value.no_name"), _NAME_WIDTH)
        owner = clean(finding["owner_name"]) or words("value.no_owner")
        facts = [words(f"severity.{finding['severity']}"), amount, name, owner]
        lines.append(f"  {place}. " + " · ".join(fact for fact in facts if fact))
        lines.append(f"     {_cut(words.text(finding['message']), _WRAP_AT)} ({clean(finding['record_id'])})")
    more = view.standing(result) - min(len(result["top_findings"]), TOP)
    if lines and more > 0:
        lines.append(f"  {words('text.more', n=more)}")
    return [words("text.top"), *lines] if lines else []


def _notes(result: Json, words: Words) -> list[str]:
    warnings = [note for note in result["notes"] if note["level"] == "warning"]
    assumptions = len(result["notes"]) - len(warnings)
    lines = [f"  {words.text(note['text'])}" for note in warnings[:_NOTES]]
    if lines:
        lines = [words("text.warnings"), *lines, *_more(warnings, _NOTES, words)]
    if assumptions:
        lines.append(words("text.assumptions", n=assumptions))
    return lines


def _more(items: Sequence[Any], shown: int, words: Words) -> list[str]:
    return [f"  {words('text.more', n=len(items) - shown)}"] if len(items) > shown else []


def _fit(text: str) -> str:
    """Return `text` cut or filled to the name column, counting wide (East Asian) letters as two columns."""
    calm = _cut(text, _NAME_WIDTH)
    return calm + " " * (_NAME_WIDTH - _columns(calm))


def _cut(text: str, width: int) -> str:
    if _columns(text) <= width:
        return text
    kept, room = "", width - 1
    for letter in text:
        room -= _columns(letter)
        if room < 0:
            break
        kept += letter
    return kept.rstrip() + "…"


def _columns(text: str) -> int:
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )
