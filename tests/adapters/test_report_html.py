"""The HTML report: safe with hostile names, right in both languages, small and quick with many findings."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import orjson
import pytest

from leakwatch.core.report import ReportOptions, export_audit, to_json
from leakwatch.model import Text
from leakwatch.report.html import render_html
from leakwatch.report.text import render_text
from report_sample import OVERDUE, PRICE, STALE_LEAD, outcome, row, sample_context, sample_weekly

VOID = {"meta", "br", "col", "link", "img", "hr", "input"}  # HTML's own; SVG closes its elements itself


class Page(HTMLParser):
    """The page's elements and texts; complains about what does not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.crooked: list[str] = []
        self.feed(html)
        self.crooked += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.crooked.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


def audit(*rows: Any, language: str = "en", **changes: Any) -> dict[str, Any]:
    return export_audit(replace(sample_context(language), **changes), [outcome(OVERDUE, *rows)])


@pytest.mark.parametrize("language", ["en", "tr"])
def test_the_page_is_well_formed_and_says_its_language(language: str) -> None:
    page = Page(render_html(sample_weekly(language)))
    assert page.crooked == []
    assert page.attributes("html") == [{"lang": language}]


def test_nothing_is_loaded_from_anywhere_and_the_policy_says_so() -> None:
    html = render_html(sample_weekly())
    page = Page(html)
    policies = [meta["content"] for meta in page.attributes("meta") if meta.get("http-equiv")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & {tag for tag, _ in page.elements}
    assert all(not name.startswith("on") for _, attrs in page.elements for name in attrs)
    assert "@import" not in html
    assert "url(" not in html


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> {{7*7}} \u202egnp.exe\x00\x1b[31m"


def test_a_hostile_name_is_shown_as_text_wherever_it_appears() -> None:
    found = row(
        OVERDUE, "006A", "5", record_name=HOSTILE, owner_name=HOSTILE, message_en=HOSTILE, owner_id=HOSTILE,
        manager_id=HOSTILE, evidence={HOSTILE: HOSTILE}, account_id=HOSTILE,
    )  # fmt: skip
    broken = outcome(PRICE, population=None, error=HOSTILE, assumptions=(HOSTILE,))
    context = sample_context(people={HOSTILE: HOSTILE}, options=ReportOptions(owner_league=True))
    context = replace(context, org=replace(context.org, name=HOSTILE), snapshot_id=HOSTILE, row_counts={HOSTILE: 1})
    page = Page(render_html(export_audit(context, [outcome(OVERDUE, found), broken])))
    assert not {"script", "img"} & {tag for tag, _ in page.elements}
    assert "<script>alert(1)</script>" in page.text
    assert "{{7*7}}" in page.text
    assert page.crooked == []


def test_control_characters_and_direction_overrides_never_reach_the_page() -> None:
    html = render_html(audit(row(OVERDUE, "006A", record_name=HOSTILE, message_en=HOSTILE)))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)


def test_names_are_isolated_so_that_right_to_left_text_stays_in_its_cell() -> None:
    html = render_html(audit(row(OVERDUE, "006A", record_name="شركة الأمل")))
    assert "<bdi>شركة الأمل</bdi>" in html


def test_a_name_of_ten_thousand_letters_is_cut() -> None:
    html = render_html(audit(row(OVERDUE, "006A", record_name="x" * 10_000)))
    assert "x" * 300 not in html


def test_records_are_links_only_where_the_orgs_address_is_known() -> None:
    found = row(OVERDUE, "006000000000001AAA")
    with_links = Page(render_html(audit(found)))
    links = with_links.attributes("a")
    assert links == [{"href": "https://example.my.salesforce.com/006000000000001AAA", "rel": "noopener"}]
    context = sample_context()
    without = replace(context.org, base_url=None)
    assert Page(render_html(audit(found, org=without))).attributes("a") == []


@pytest.mark.parametrize("url", ["javascript:alert(1)//", "http://plain.example", "https://a.example/path?x=1"])
def test_an_address_that_is_not_an_orgs_makes_no_link(url: str) -> None:
    org = replace(sample_context().org, base_url=url)
    assert Page(render_html(audit(row(OVERDUE, "006000000000001AAA"), org=org))).attributes("a") == []


def test_an_id_that_is_none_makes_no_link() -> None:
    assert Page(render_html(audit(row(OVERDUE, "006?redirect=evil")))).attributes("a") == []


def test_turkish_reports_write_money_dates_and_titles_the_turkish_way() -> None:
    found = row(OVERDUE, "006A", "1234567.50", currency="TRY")
    text = Page(render_html(audit(found, language="tr"))).text
    assert "₺1.234.567,50" in text
    assert "22.11.2026" in text
    assert "Gelir kaçağı denetimi" in text
    assert "Risk altındaki tutar" in text


def test_english_reports_write_them_the_english_way() -> None:
    text = Page(render_html(audit(row(OVERDUE, "006A", "1234567.50")))).text
    assert "€1,234,567.50" in text
    assert "22 Nov 2026" in text
    assert "Money at risk" in text


def test_the_language_can_be_chosen_when_rendering() -> None:
    text = Page(render_html(audit(row(OVERDUE, "006A", "5")), "tr")).text
    assert "Bir sorun var" in text
    assert "Something is wrong" not in text


def test_equal_teams_are_listed_in_turkish_order() -> None:
    names = {"005M1": "Irmak", "005M2": "İnci", "005M3": "Çağ", "005M4": "Cem", "005M5": "Deniz"}
    rows = [row(OVERDUE, f"006{n}", "10", manager_id=who, owner_id=f"005{n}") for n, who in enumerate(names)]
    text = Page(render_html(audit(*rows, language="tr", people=names))).text
    places = [text.index(name) for name in ("Cem", "Çağ", "Deniz", "Irmak", "İnci")]
    assert places == sorted(places)


def test_records_of_one_name_are_told_apart_by_account_and_id() -> None:
    ids = ("006S00000000001AAA", "006S00000000002AAA")
    rows = [
        row(OVERDUE, one, "10", record_name="Renewal", account_id=account)
        for one, account in zip(ids, ("001A", "001B"), strict=True)
    ]
    text = Page(render_html(audit(*rows, accounts={"001A": "Fjordlink", "001B": "Tarn Valley"}))).text
    assert f"Fjordlink {ids[0]}" in text
    assert f"Tarn Valley {ids[1]}" in text


def test_a_records_name_is_a_link_only_where_the_orgs_address_is_known() -> None:
    found = row(OVERDUE, "006S00000000001AAA", "10")
    linked = audit(found)
    assert [link["href"] for link in Page(render_html(linked)).attributes("a")] == [
        "https://example.my.salesforce.com/006S00000000001AAA"
    ]
    linked["org"]["base_url"] = None
    assert Page(render_html(linked)).attributes("a") == []


def test_the_company_of_a_lead_is_shown_unless_its_name_says_it() -> None:
    rows = [
        row(STALE_LEAD, f"00Q{n}", record_name=name, evidence={"company": "Pellworth"})
        for n, name in enumerate(("Ada", "Pellworth Dairy"))
    ]
    text = Page(render_html(export_audit(sample_context(), [outcome(STALE_LEAD, *rows)]))).text
    assert text.count("Pellworth") == 2


def test_the_title_has_no_loose_comma_where_the_orgs_name_is_unknown() -> None:
    result = audit(row(OVERDUE, "006A", "10"))
    result["org"]["name"] = ""
    assert "<title>Revenue leak audit, 22 Nov 2026</title>" in render_html(result)
    assert render_text(result).splitlines()[0] == "Revenue leak audit"


def test_thresholds_are_told_in_words_of_the_language() -> None:
    said = Text(en="Calendar days after the close date", tr="Kapanış tarihinden sonraki takvim günü")
    rule = replace(OVERDUE, param_help={"grace_days": said}, params={"grace_days": 14, "factor": Decimal("0.50")})
    result = audit(row(OVERDUE, "006A", "10"), rules=(rule,))
    english, turkish = (Page(render_html(result, language)).text for language in ("en", "tr"))
    assert "Calendar days after the close date: 14 (grace_days)" in english
    assert "Kapanış tarihinden sonraki takvim günü: 14 (grace_days)" in turkish
    assert "factor = 0,50" in turkish


def test_each_step_of_repair_is_told_once_for_all_findings_of_its_rule() -> None:
    rows = [row(OVERDUE, f"006{n}", "10") for n in range(3)]
    assert Page(render_html(audit(*rows))).text.count(OVERDUE.fix.en) == 1


def test_rules_that_could_not_speak_are_named_with_their_reason() -> None:
    text = Page(render_html(sample_weekly())).text
    assert "Switched off" in text
    assert "the mirror has no table sf_event" in text
    assert "veri kopyasında sf_event tablosu yok" in Page(render_html(sample_weekly("tr"))).text


def test_people_are_not_ranked_unless_asked_for() -> None:
    plain = Page(render_html(sample_weekly())).text
    asked = Page(render_html(sample_weekly(options=ReportOptions(owner_league=True)))).text
    assert "People Owner Findings" not in plain
    assert "People Owner Findings" in asked


def test_every_picture_has_a_title_or_is_hidden_from_screen_readers() -> None:
    for attrs in Page(render_html(sample_weekly())).attributes("svg"):
        assert attrs.get("aria-labelledby") or attrs.get("aria-hidden") == "true"


def test_every_table_names_its_columns() -> None:
    html = render_html(sample_weekly())
    for table in re.findall(r"<table.*?</table>", html, flags=re.S):
        assert '<th scope="col"' in table


def test_dark_screens_and_paper_have_rules_of_their_own() -> None:
    html = render_html(sample_weekly())
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    assert "size: A4" in html


def test_an_audit_without_findings_is_a_report_too() -> None:
    text = Page(render_html(audit())).text
    assert "Nothing found." in text
    assert "Rules by money" in text


def test_the_page_is_the_same_every_time_and_from_the_json_file() -> None:
    result = sample_weekly()
    once = render_html(result)
    assert render_html(sample_weekly()) == once
    assert render_html(orjson.loads(to_json(result))) == once


def test_ten_thousand_findings_make_a_small_page() -> None:
    result = sample_weekly(count=10_000)
    html = render_html(result)
    assert len(html.encode()) < 3_000_000
    assert "all of them are in the CSV and JSON files" in Page(html).text
