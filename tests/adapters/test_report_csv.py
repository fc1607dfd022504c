"""The CSV: what a program reads, what a Turkish Excel opens, and what no spreadsheet may take for a formula."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakwatch.core.report import export_audit
from leakwatch.model import Text
from leakwatch.report.csv import render_csv
from leakwatch.report.hostile import cell
from report_sample import OVERDUE, PRICE, outcome, row, sample_context, sample_weekly


def audit(*rows: Any, language: str = "tr") -> dict[str, Any]:
    return export_audit(sample_context(language), [outcome(OVERDUE, *rows)])


def standard(result: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(result).decode("utf-8"), newline="")))


def turkish(result: dict[str, Any]) -> list[dict[str, str]]:
    text = render_csv(result, "excel-tr").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))


def test_the_standard_file_is_rfc_4180_with_point_and_iso_dates() -> None:
    found = row(OVERDUE, "006A", "1234.50", record_name='Say "hi", twice', evidence={"close_date": date(2026, 3, 1)})
    raw = render_csv(audit(found))
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\r\n") == 2
    assert b'"Say ""hi"", twice"' in raw
    line = standard(audit(found))[0]
    assert line["amount"] == "1234.50"
    assert line["severity"] == "medium"
    assert line["evidence"] == "close_date=2026-03-01"
    assert line["record_name"] == 'Say "hi", twice'


def test_the_turkish_file_opens_in_a_turkish_excel() -> None:
    evidence = {"close_date": date(2026, 3, 1), "stage_name": "Müzakere"}
    found = row(OVERDUE, "006A", "1234.50", currency="TRY", evidence=evidence)
    raw = render_csv(audit(found), "excel-tr")
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.decode("utf-8-sig").split("\r\n")[0].split(";")[:3] == ["Kural", "Önem", "Durum"]
    line = turkish(audit(found))[0]
    assert line["Tutar"] == "1234,50"
    assert line["Önem"] == "Orta"
    assert line["Kanıt"] == "Kapanış tarihi=01.03.2026; Aşama=Müzakere"
    assert (line["Aşama"], line["Kapanış tarihi"]) == ("Müzakere", "01.03.2026")
    assert line["Sorun"] == "Bir sorun var"


def test_codes_in_the_evidence_are_words_in_the_turkish_file_and_codes_in_the_one_for_programs() -> None:
    rule = replace(
        PRICE, words={"basis": {"list_price": Text(en="list price of its lines", tr="satırların liste fiyatı")}}
    )
    found = row(PRICE, "006A", "5", impact_kind="deviation", evidence={"basis": "list_price", "gap": True})
    result = export_audit(sample_context("tr", rules=(rule,)), [outcome(rule, found)])
    assert turkish(result)[0]["Kanıt"] == "Referansın kaynağı=satırların liste fiyatı; gap=evet"
    assert standard(result)[0]["evidence"] == "basis=list_price; gap=true"


def test_account_stage_and_close_date_have_columns_of_their_own() -> None:
    evidence = {"close_date": date(2026, 3, 1), "stage_name": "Negotiation"}
    found = row(OVERDUE, "006A", "5", account_id="001A", evidence=evidence)
    bare = row(OVERDUE, "006B", "4")
    result = export_audit(sample_context(accounts={"001A": "Fjordlink"}), [outcome(OVERDUE, found, bare)])
    seen = [(line["account"], line["stage"], line["close_date"]) for line in standard(result)]
    assert seen == [("Fjordlink", "Negotiation", "2026-03-01"), ("", "", "")]


def test_dates_are_days_of_the_orgs_calendar_in_each_dialects_form() -> None:
    result = sample_weekly("tr")
    for finding, plain, local in zip(result["findings"], standard(result), turkish(result), strict=True):
        year, month, day = plain["since"].split("-")
        assert local["Başlangıç"] == f"{day}.{month}.{year}"
        assert finding["since"][:4] == year


def test_all_findings_are_in_the_file_in_the_order_of_the_result() -> None:
    result = sample_weekly()
    assert [line["finding_id"] for line in standard(result)] == [finding["id"] for finding in result["findings"]]


def test_negative_amounts_stay_numbers() -> None:
    found = row(PRICE, "006A", "-500.25", impact_kind="deviation", evidence={"gap": Decimal("-500.25")})
    result = export_audit(sample_context(), [outcome(PRICE, found)])
    assert standard(result)[0]["amount"] == "-500.25"
    assert turkish(result)[0]["Tutar"] == "-500,25"


@pytest.mark.parametrize("sign", list("=+-@＝＋－＠"))
@pytest.mark.parametrize("before", ["", " ", "   ", '"', "'", " '\"", "\u00a0", "\u200b", "“"])
def test_what_a_sheet_would_take_for_a_formula_gets_an_apostrophe(before: str, sign: str) -> None:
    assert cell(f"{before}{sign}cmd|' /C calc'!A0").startswith("'")


@pytest.mark.parametrize("begin", ["\t", "\r", "\n", "\x00"])
def test_control_characters_at_the_beginning_are_disarmed_too(begin: str) -> None:
    assert cell(f"{begin}=1+1").startswith("'")


@pytest.mark.parametrize("before", ["\x1b", "\u202e", "\ufeff", "\x1b\u2066 "])
def test_a_sign_hidden_behind_characters_that_are_removed_is_found(before: str) -> None:
    assert cell(f"{before}=1+1").startswith("'=")


@pytest.mark.parametrize("name", ["Acme", "A-B", "Ayşe + Fatma", "5 = five", "e@mail", "'quoted'", ""])
def test_ordinary_text_is_left_alone(name: str) -> None:
    assert cell(name) == name


@pytest.mark.parametrize("between", [";", ",", "; ", ',"'])
def test_a_formula_behind_the_other_separator_is_disarmed_where_the_cell_would_begin(between: str) -> None:
    assert cell(f"harmless{between}=1+1") == f"harmless{between}'=1+1"


@pytest.mark.parametrize("field", ["record_name", "owner_name", "message_en", "message_tr", "owner_id", "record_id"])
def test_the_guard_holds_in_every_text_column(field: str) -> None:
    result = audit(replace(row(OVERDUE, "006A"), **{field: "=HYPERLINK(1)"}))
    for line in (*standard(result), *turkish(result)):
        assert not [value for value in line.values() if value.startswith("=")]


@given(st.text(max_size=12))
def test_no_text_becomes_a_formula_or_a_second_line(name: str) -> None:
    safe = cell(name)
    assert not safe.lstrip("\"' \u00a0").startswith(("=", "＝")) or safe.startswith("'")
    assert not set("\r\n\t\x00") & set(safe)


def test_an_unknown_dialect_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="excel-fr"):
        render_csv(audit(), "excel-fr")  # type: ignore[arg-type]


def test_the_file_is_the_same_every_time() -> None:
    assert render_csv(sample_weekly(), "excel-tr") == render_csv(sample_weekly(), "excel-tr")
