"""The terminal's summary, the phrases of both languages, and how numbers are written in them."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

import leakwatch.report
from leakwatch.core.report import export_audit
from leakwatch.report.text import render_text
from leakwatch.report.words import Words
from report_sample import OVERDUE, RULES, outcome, row, sample_context, sample_weekly


def phrases(language: str) -> dict[str, Any]:
    return yaml.safe_load(files(leakwatch.report).joinpath("locales", f"{language}.yaml").read_text("utf-8"))


def placeholders(phrase: Any) -> set[str]:
    forms = phrase.values() if isinstance(phrase, dict) else [phrase]
    return {name for form in forms for _, name, _, _ in string.Formatter().parse(form) if name}


def test_both_languages_know_the_same_phrases_with_the_same_placeholders() -> None:
    english, turkish = phrases("en"), phrases("tr")
    assert english.keys() == turkish.keys()
    assert {key: placeholders(value) for key, value in english.items()} == {
        key: placeholders(value) for key, value in turkish.items()
    }


def test_every_phrase_has_a_general_form() -> None:
    for language in ("en", "tr"):
        for key, phrase in phrases(language).items():
            assert isinstance(phrase, str) or "other" in phrase, key


def test_every_phrase_a_template_names_exists() -> None:
    folder = Path(str(files(leakwatch.report)))
    sources = [*folder.glob("templates/*.j2"), *folder.glob("*.py")]
    named = {
        name for path in sources for name in re.findall(r'words\(["\']([a-z_.]+[a-z_])["\']', path.read_text("utf-8"))
    }
    assert len(named) > 60
    assert named - phrases("en").keys() == set()


def test_the_summary_shows_rules_with_money_what_is_off_and_the_worst_five() -> None:
    rows = [row(OVERDUE, f"006{n}", f"{n + 1}000", record_name=f"Deal number {n}") for n in range(7)]
    off = replace(
        outcome(RULES[4]), complete=False, switched_off="Event.csv is missing", switched_off_tr="Event.csv yok"
    )
    result = export_audit(sample_context(), [outcome(OVERDUE, *rows), off])
    text = render_text(result)
    assert re.search(r"Open deal past its close date +7 +€28,000\.00 at risk", text)
    assert "Meeting without follow-up: Switched off. Event.csv is missing" in text
    assert "Deal number 6" in text
    assert "Deal number 1" not in text
    assert "and 2 more" in text
    turkish = render_text(result, "tr")
    assert "Takibi yapılmayan toplantı: Devre dışı. Event.csv yok" in turkish
    assert "€28.000,00 risk altında" in turkish


@pytest.mark.parametrize("language", ["en", "tr"])
def test_the_summary_is_plain_text_whatever_the_names_hold(language: str) -> None:
    found = row(OVERDUE, "006A", "5", record_name="\x1b]0;evil\x07\u202eDeal\nline", owner_name="\x9b31m")
    text = render_text(export_audit(sample_context(language), [outcome(OVERDUE, found)]))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert "Deal line" in text


def test_columns_stay_in_line_with_wide_letters() -> None:
    wide = replace(OVERDUE, title=replace(OVERDUE.title, en="期限切れの商談"))
    context = sample_context(rules=(wide, *RULES[2:]))
    lines = render_text(export_audit(context, [outcome(wide, row(wide, "006A", "5"))])).splitlines()
    title = next(line for line in lines if line.startswith("期限"))
    other = next(line for line in lines if line.startswith("Rule"))
    assert (
        title.index(" 1  €5.00") + 7 == other.index("Findings") + len("Findings") - 2
    )  # seven letters, two columns each


def test_the_weekly_summary_tells_what_changed() -> None:
    text = render_text(sample_weekly())
    assert "Week 16–22 Nov 2026" in text
    assert re.search(r"This week: \d+ new, \d+ fixed, \d+ reopened\.", text)


def test_percentages_money_and_dates_follow_the_language() -> None:
    turkish, english = Words("tr", "Europe/Istanbul"), Words("en", "Europe/London")
    assert turkish.percent(Decimal("0.125")) == "%12,5"
    assert english.percent(Decimal("0.125")) == "12.5%"
    assert turkish.money("1234567.5", "TRY") == "₺1.234.567,50"
    assert english.money("-1234.5", "EUR") == "−€1,234.50"
    assert english.money("1234.5", "CHF") == "CHF\u00a01,234.50"
    assert english.money("1234", "JPY") == "¥1,234"
    assert turkish.compact(Decimal(1_234_567), "TRY") == "₺1,2\u00a0Mn"
    assert turkish.day("2026-11-22") == "22.11.2026"
    assert turkish.moment("2026-11-22T22:30:00Z") == "23.11.2026 01:30"


def test_plurals_follow_the_language() -> None:
    assert Words("en")("count.findings", n=1) == "1 finding"
    assert Words("en")("count.findings", n=1200) == "1,200 findings"
    assert Words("tr")("count.findings", n=1) == "1 bulgu"
    assert Words("tr")("count.findings", n=1200) == "1.200 bulgu"


def test_an_amount_without_a_currency_is_a_plain_number() -> None:
    assert Words("en").money("1234.5", None) == Words("en").money("1234.5", "XXX") == "1,234.50"


@pytest.mark.parametrize("name", ["x" * 500, "x" * 60, "漢" * 250, "İ" * 61, "e\u0301" * 300, "漢x" * 31])
def test_a_name_of_any_length_is_cut_to_its_column(name: str) -> None:
    result = export_audit(sample_context(), [outcome(OVERDUE, row(OVERDUE, "006A", "10.50", record_name=name))])
    text = render_text(result)
    [line] = [line for line in text.splitlines() if "…" in line and name[:3] in line]
    shown = line[line.index(name[:3]) : line.index("…")]
    wide = sum(2 if letter == "漢" else 0 if letter == "\u0301" else 1 for letter in shown)
    assert wide in (48, 49)
