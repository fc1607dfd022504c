"""File names of an export as people leave them: taken for what they are, or named as not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from leakwatch.store.export_files import Discovery, discover
from leakwatch.store.export_names import Named, judge
from mirror_data import shipped_config


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Opportunity.csv", Named("object", "Opportunity")),
        ("opportunity.CSV", Named("object", "Opportunity")),
        ("Opportunity_2.csv", Named("object", "Opportunity")),
        ("Opportunity (3).csv", Named("object", "Opportunity")),
        ("Product2.csv", Named("object", "Product2")),
        ("Opportunity_20260331.csv", Named("loose", "Opportunity")),
        ("Opportunity-2026-03-31.csv", Named("loose", "Opportunity")),
        ("Lead 2026_03_31_235959.csv", Named("loose", "Lead")),
        ("Opportunity - Copy.csv", Named("loose", "Opportunity")),
        ("Opportunity - Copy (2).csv", Named("loose", "Opportunity")),
        ("Opportunity - Kopya.csv", Named("loose", "Opportunity")),
        ("Copy of Lead.csv", Named("loose", "Lead")),
        ("Case.csv", Named("other")),
        ("OpportunityShare.csv", Named("other")),
        ("Invoice__c.csv", Named("other")),
        ("00P000000000001AAA", Named("other")),
        ("Opportunities.csv", Named("strange")),
        ("Leads.csv", Named("strange")),
        ("Opportunity final.csv", Named("strange")),
        ("Opportunity_final.csv", Named("strange")),
        ("Opportunity.xlsx", Named("strange")),
        ("Opportunity.csv.gz", Named("strange")),
        ("Opportunity.txt", Named("strange")),
        ("._Opportunity.csv", Named("junk")),
        (".DS_Store", Named("junk")),
        ("~$Opportunity.xlsx", Named("junk")),
        ("Thumbs.db", Named("junk")),
    ],
)
def test_a_name_says_what_a_file_is(name: str, expected: Named) -> None:
    assert judge(name, shipped_config()) == expected


def found(folder: Path, *names: str) -> Discovery:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Id\n", encoding="utf-8")
    return discover([folder], shipped_config())


def told(discovery: Discovery) -> dict[str, str]:
    return {note.code: note.text.en for note in discovery.notes}


def test_a_dated_or_copied_file_is_read_where_it_is_the_only_one_of_its_object(tmp_path: Path) -> None:
    result = found(tmp_path, "Opportunity_20260331.csv", "Lead.csv")
    assert [(file.sobject, file.name) for file in result.files] == [
        ("Lead", "Lead.csv"), ("Opportunity", "Opportunity_20260331.csv"),
    ]  # fmt: skip
    assert told(result) == {
        "file_named_loosely": "Opportunity_20260331.csv is taken to be the file of Opportunity; there is no other."
    }


@pytest.mark.parametrize("other", ["Opportunity.csv", "Opportunity_20260407.csv", "old/Opportunity_20260324.csv"])
def test_a_dated_or_copied_file_beside_another_of_its_object_is_named_as_not_read(tmp_path: Path, other: str) -> None:
    result = found(tmp_path, "Lead.csv", "Opportunity - Copy.csv", other)
    assert "Opportunity - Copy.csv" not in [file.name for file in result.files]
    assert "Opportunity - Copy.csv" in told(result)["files_not_read"]
    assert "file_named_loosely" not in told(result)


def test_files_that_may_hold_data_are_warned_of_and_those_of_other_objects_listed(tmp_path: Path) -> None:
    result = found(
        tmp_path, "Lead.csv", "Opportunity.xlsx", "x/Opportunities.csv", "Case.csv", "Attachments/00P1", ".DS_Store"
    )
    warning, listed = result.notes
    assert (warning.code, warning.level) == ("files_not_read", "warning")
    assert "may hold data: Opportunity.xlsx, x/Opportunities.csv." in warning.text.en
    assert (listed.code, listed.level) == ("files_not_needed", "assumption")
    assert listed.text.en == "Not needed by any rule and not read: Attachments/00P1, Case.csv."
    assert set(result.ignored) == {"Opportunity.xlsx", "x/Opportunities.csv", "Case.csv", "Attachments/00P1"}


def test_long_lists_of_files_are_cut_with_their_number(tmp_path: Path) -> None:
    result = found(tmp_path, "Lead.csv", *(f"Attachments/00P{n:03d}" for n in range(300)))
    assert told(result)["files_not_needed"].endswith("Attachments/00P007 (+292).")
