"""How the days and moments of one export column are written: ISO, 31.12.2017, 31/12/2017 or 12/31/2017.

With slashes the column itself must prove what stands first: a number above 12 is no month.
"""

from __future__ import annotations

from leakwatch.core.report_inputs import Note
from leakwatch.core.tables import FieldSpec, FieldType
from leakwatch.store.export_decision import (
    Column,
    Decision,
    Facts,
    Measure,
    assumption,
    count,
    left_out,
    no_such_value,
    not_blank,
)
from leakwatch.store.mirror_ingest import Reading, cast_sql

TYPES = (FieldType.DATE, FieldType.DATETIME)
_OFFSET = r"(Z|[+-]\d{2}:?\d{2})\s*$"
_DOTTED = r"^\s*\d{1,2}\.\d{1,2}\.\d{4}"
_SLASHED = r"^\s*\d{1,2}/\d{1,2}/\d{4}"
_SHORT_YEAR = r"^\s*\d{1,2}[-./]\d{1,2}[-./]\d{1,2}($|[^0-9])"
_ABOVE_12 = r"(1[3-9]|2\d|3[01])"

_DAY_FIRST = Reading(dotted_dates=True, slashed_dates="day first")
_MONTH_FIRST = Reading(dotted_dates=True, slashed_dates="month first")
_DOTTED_ONLY = Reading(dotted_dates=True)


def measures(item: FieldSpec, name: str) -> list[Measure]:
    """Return what the first look at a column counts. It must be fast: nearly every column needs nothing more."""
    filled = not_blank(name)
    found = [
        ("filled", count(filled)),
        ("bad", count(f"CASE WHEN ({cast_sql(name, item)}) IS NULL THEN {filled} ELSE FALSE END")),
    ]
    if item.type is FieldType.DATETIME:
        utc = f"suffix({name}, 'Z') OR suffix({name}, '+0000')"
        rest = f"{filled} AND NOT regexp_matches({name}, '{_OFFSET}')"
        found.append(("naive", count(f"CASE WHEN {utc} THEN FALSE ELSE {rest} END")))
    return found


def is_odd(facts: Facts) -> bool:
    """Tell whether the column needs `closer_measures`: not every value is an ISO day or moment."""
    return bool(facts["bad"])


def closer_measures(item: FieldSpec, name: str) -> list[Measure]:
    """Return what decides between the readings of a column with other than ISO values."""
    return [
        ("dotted", count(f"regexp_matches({name}, '{_DOTTED}')")),
        ("slashed", count(f"regexp_matches({name}, '{_SLASHED}')")),
        ("day_first", count(rf"regexp_matches({name}, '^\s*{_ABOVE_12}/\d{{1,2}}/\d{{4}}')")),
        ("month_first", count(rf"regexp_matches({name}, '^\s*\d{{1,2}}/{_ABOVE_12}/\d{{4}}')")),
        ("short_year", count(f"regexp_matches({name}, '{_SHORT_YEAR}')")),
        *(
            (key, f"count({cast_sql(name, item, reading)})")
            for key, reading in (
                ("read_dotted", _DOTTED_ONLY), ("read_day_first", _DAY_FIRST), ("read_month_first", _MONTH_FIRST),
            )
        ),
    ]  # fmt: skip


def decide(where: str, item: FieldSpec, facts: Facts) -> Decision:
    """Return how the column is read, from what both looks counted."""
    if not is_odd(facts):
        return Decision(Column(item))
    if facts["day_first"] and facts["month_first"]:
        return left_out(
            where, item, "has dates with the day first and others with the month first (31/12/2017 and 12/31/2017)",
            "hem günle hem ayla başlayan tarihler içeriyor (31/12/2017 ve 12/31/2017)",
        )  # fmt: skip
    notes: list[Note] = []
    key, reading = "read_dotted", _DOTTED_ONLY
    if facts["day_first"]:
        key, reading = "read_day_first", _DAY_FIRST
        notes.append(
            assumption(
                "slashed_dates",
                f"{where} has dates like 31/12/2017, read as day/month/year: some of them can be nothing else.",
                f"{where} 31/12/2017 biçiminde tarihler içeriyor; gün/ay/yıl olarak okundu: bazıları başka türlü"
                " okunamaz.",
            )
        )
    elif facts["month_first"]:
        key, reading = "read_month_first", _MONTH_FIRST
        notes.append(
            assumption(
                "slashed_dates",
                f"{where} has dates like 12/31/2017, read as month/day/year: some of them can be nothing else.",
                f"{where} 12/31/2017 biçiminde tarihler içeriyor; ay/gün/yıl olarak okundu: bazıları başka türlü"
                " okunamaz.",
            )
        )
    if facts["dotted"]:
        notes.append(
            assumption(
                "dotted_dates",
                f"{where} has dates like 31.12.2017, read as day.month.year.",
                f"{where} 31.12.2017 biçiminde tarihler içeriyor; gün.ay.yıl olarak okundu.",
            )
        )
    if not facts[key]:
        return _unreadable(where, item, facts)
    return Decision(Column(item, reading), facts["filled"] - facts[key], tuple(notes))


def _unreadable(where: str, item: FieldSpec, facts: Facts) -> Decision:
    if facts["slashed"]:
        return left_out(
            where, item, "has only values such as 3/1/2017, which can be read in two ways",
            "yalnızca 3/1/2017 gibi iki türlü okunabilen değerler içeriyor",
        )  # fmt: skip
    if facts["short_year"]:
        return left_out(
            where, item, "has only values whose year has two digits (31.12.17)",
            "yalnızca yılı iki basamaklı değerler içeriyor (31.12.17)",
        )  # fmt: skip
    return no_such_value(where, item)
