"""Numbers and dates of an export as people write them: read in the one way they can be, or left out aloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakwatch.core.tables import FieldSpec, FieldType, ObjectSpec
from leakwatch.store.export_columns import Inspection, inspect, source_sql
from leakwatch.store.export_csv import open_part
from leakwatch.store.export_files import ExportFile
from leakwatch.store.mirror_ingest import prepare_connection

SPEC = ObjectSpec(
    "Opportunity",
    (
        FieldSpec("Id", FieldType.ID),
        FieldSpec("Amount", FieldType.MONEY),
        FieldSpec("Score", FieldType.NUMBER),
        FieldSpec("Rank", FieldType.INTEGER),
        FieldSpec("CloseDate", FieldType.DATE),
        FieldSpec("CreatedDate", FieldType.DATETIME),
        FieldSpec("IsClosed", FieldType.BOOLEAN),
        FieldSpec("Name", FieldType.TEXT),
    ),
)


@dataclass(frozen=True)
class Read:
    """A column as it is read: its values (None where the whole column is left out) and what was said."""

    inspection: Inspection
    values: list[Any] | None

    @property
    def told(self) -> dict[str, str]:
        return {note.code: note.text.en for note in self.inspection.notes}

    @property
    def reason(self) -> str:
        (reason,) = self.inspection.left_out.values()
        return reason.en


def read(folder: Path, values: Sequence[str], field: str = "Amount") -> Read:
    path = folder / "Opportunity.csv"
    lines = [f'006{n:012d}AAA,"{value}"' for n, value in enumerate(values)]
    path.write_text("\n".join([f"Id,{field}", *lines]) + "\n", encoding="utf-8")
    with duckdb.connect() as connection:
        prepare_connection(connection, memory_limit="200MB", temp_folder=folder)
        parts = [open_part(ExportFile("Opportunity", path.name, path), SPEC, folder, 0)]
        found = inspect(connection, SPEC, parts)
        column = next((column for column in found.columns if column.spec.name == field), None)
        if column is None:
            return Read(found, None)
        source = source_sql(parts, [item.spec for item in found.columns])
        rows = connection.execute(
            f'SELECT "Id", {column.sql()} FROM ({source}) WHERE "Id" <> \'\' ORDER BY 1'
        ).fetchall()
    return Read(found, [row[1] for row in rows])


def money(*values: str | None) -> list[Decimal | None]:
    return [None if value is None else Decimal(value) for value in values]


# --- size ---


def test_one_amount_with_many_decimals_takes_nothing_from_big_ones(tmp_path: Path) -> None:
    found = read(tmp_path, ["15000000000", "1234.5600000001", "12000000000.25"])
    assert found.values == money("15000000000", "1234.56", "12000000000.25")
    assert found.inspection.bad == {}
    assert "more than 7 decimals; they are rounded to 7" in found.told["rounded"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["99999999999999999", "0.5"], ["99999999999999999", "0.5"]),
        (["999999999999999999", "1.4"], ["999999999999999999", "1"]),
        (["9999999999.999999999"], ["10000000000"]),  # rounding up needs a digit more
        (["10.12345", "7"], ["10.12345", "7"]),
        (["1.0E7", "1.5"], ["10000000", "1.5"]),
    ],
)
def test_digits_before_the_point_come_before_decimals(
    tmp_path: Path, values: Sequence[str], expected: Sequence[str]
) -> None:
    found = read(tmp_path, values)
    assert found.values == money(*expected)
    assert found.inspection.bad == {}


def test_an_amount_too_big_for_the_mirror_is_counted_as_unreadable(tmp_path: Path) -> None:
    found = read(tmp_path, ["1000000000000000000", "1000000000.12345678", "x"])
    assert found.values == money(None, "1000000000.12345678", None)
    assert found.inspection.bad == {"Amount": 2}


NUMBERS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**19), max_value=10**19, places=3).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-999, max_value=999, places=9).map(str),
    st.integers(-(10**18), 10**18).map(str),
    st.sampled_from(["", " ", "x", "1,5", "1.250.000", "12.500", "1,250,000.00", "₺5", "NaN", "1e3", "5."]),
)


@settings(max_examples=15, deadline=None)
@given(values=st.lists(NUMBERS, min_size=1, max_size=8))
def test_what_is_counted_as_unreadable_is_what_becomes_empty(
    tmp_path_factory: pytest.TempPathFactory, values: list[str]
) -> None:
    found = read(tmp_path_factory.getbasetemp(), values)
    if found.values is not None:
        empty = sum(1 for value in found.values if value is None) - sum(1 for value in values if not value.strip())
        assert found.inspection.bad.get("Amount", 0) == empty


# --- groups and decimals ---


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["12.500", "1.250.000"], ["12500", "1250000"]),
        (["-1.250.000", "900"], ["-1250000", "900"]),
        (["12.500", "7,50"], ["12500", "7.50"]),
        (["12.500", "7.5"], ["12.5", "7.5"]),
        (["0.125", "2.500"], ["0.125", "2.5"]),
        (["1,250,000.00", "900"], ["1250000", "900"]),
        (["1,234.50", "7"], ["1234.50", "7"]),
        (["1,234", "7.25", "x"], ["1234", "7.25", None]),
    ],
)
def test_grouped_thousands_are_read_where_one_value_proves_them(
    tmp_path: Path, values: Sequence[str], expected: Sequence[str | None]
) -> None:
    found = read(tmp_path, values)
    assert found.values == money(*expected)
    assert found.inspection.bad == ({"Amount": 1} if None in expected else {})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["12.500", "15.000"], "12.500 may be twelve thousand five hundred or twelve and a half"),
        (["12.500", "900"], "12.500 may be"),
        (["12.500", "15.000", "1000"], "12.500 may be"),
        (["1,234", "5,678"], "commas that can be read in two ways"),
        (["1054,50", "10.5"], "a decimal comma and others with a decimal point"),
        (["1.250.000", "1,250,000"], "a decimal comma and others with a decimal point"),
        (["none", "n/a"], "no value that is an amount"),
        (["₺5", "5 USD"], "several currencies (TRY, USD)"),
    ],
)
def test_amounts_that_nothing_proves_are_left_out_with_the_reason_and_what_to_do(
    tmp_path: Path, values: Sequence[str], words: str
) -> None:
    found = read(tmp_path, values)
    assert found.values is None
    assert words in found.reason
    assert found.told["column_left_out"] == (
        f"{found.reason}; the column is left out. Export again with plain numbers such as 1234.50."
    )


def test_three_decimals_beside_many_ungrouped_numbers_are_decimals_and_that_is_said(tmp_path: Path) -> None:
    found = read(tmp_path, ["12.125", "1000", "25000"])
    assert found.values == money("12.125", "1000", "25000")
    assert "read as the decimal point" in found.told["three_decimals"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["₺1.000,50", "₺ 7"], ["1000.50", "7"]),
        (["1000.50 TL", "-₺7.00"], ["1000.50", "-7"]),
        (["USD 1,250.00", "usd"], ["1250", None]),
        (["€-3.50"], ["-3.50"]),
    ],
)
def test_a_currency_beside_a_number_is_left_aside_and_that_is_said(
    tmp_path: Path, values: Sequence[str], expected: Sequence[str | None]
) -> None:
    found = read(tmp_path, values)
    assert found.values == money(*expected)
    assert "it was left aside" in found.told["currency_marks"]


def test_whole_numbers_and_other_numbers_follow_the_same_rules(tmp_path: Path) -> None:
    assert read(tmp_path, ["1.000.000", "2.000"], "Rank").values == [1_000_000, 2000]
    assert read(tmp_path, ["3.0", "4"], "Rank").values == [3, 4]
    assert read(tmp_path, ["1.500"], "Score").values is None


# --- days ---


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["31/12/2025", "3/1/2026"], [date(2025, 12, 31), date(2026, 1, 3)]),
        (["12/31/2025", "3/1/2026"], [date(2025, 12, 31), date(2026, 3, 1)]),
        (["2026-01-01", "31/12/2025", "31.12.2025"], [date(2026, 1, 1), date(2025, 12, 31), date(2025, 12, 31)]),
    ],
)
def test_slashed_days_are_read_where_one_value_proves_their_order(
    tmp_path: Path, values: Sequence[str], expected: Sequence[date]
) -> None:
    found = read(tmp_path, values, "CloseDate")
    assert found.values == expected
    assert "some of them can be nothing else" in found.told["slashed_dates"]


def test_slashed_moments_follow_their_column_too(tmp_path: Path) -> None:
    found = read(tmp_path, ["12/31/2025 2:05 PM", "1/2/2026 14:05"], "CreatedDate")
    assert [str(value) for value in found.values or ()] == ["2025-12-31 14:05:00", "2026-01-02 14:05:00"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["3/1/2026", "4/1/2026"], "3/1/2017, which can be read in two ways"),
        (["31/12/2025", "12/31/2025"], "the day first and others with the month first"),
        (["05.01.26", "26-01-05"], "two digits (31.12.17)"),
        (["soon"], "no value that is a date"),
    ],
)
def test_days_that_nothing_proves_are_left_out_with_the_reason_and_what_to_do(
    tmp_path: Path, values: Sequence[str], words: str
) -> None:
    found = read(tmp_path, values, "CloseDate")
    assert found.values is None
    assert words in found.reason
    assert "Export again with dates such as 2017-03-01" in found.told["column_left_out"]


@pytest.mark.parametrize(("field", "good"), [("CloseDate", "2026-01-05"), ("CreatedDate", "2026-01-05T09:00:00Z")])
def test_years_that_salesforce_does_not_know_are_unreadable(tmp_path: Path, field: str, good: str) -> None:
    found = read(tmp_path, ["26-01-05", "0026-01-05", "4001-01-01", "1699-12-31", good, "1700-01-01"], field)
    assert found.values is not None
    assert [value is None for value in found.values] == [True] * 4 + [False] * 2
    assert found.inspection.bad == {field: 4}


def test_the_advice_fits_the_type(tmp_path: Path) -> None:
    found = read(tmp_path, ["perhaps"], "IsClosed")
    assert found.told["column_left_out"] == (
        "Opportunity.IsClosed has no value that is true or false; the column is left out. Export again with true and"
        " false, or 1 and 0."
    )
