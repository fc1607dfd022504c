# ruff: noqa: S608  -- names come from our own configuration and are quoted; patterns are our own
"""Looks at the columns of an export before they are typed: what they hold, how each is read, what is odd in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from leakwatch.core.report_inputs import Note
from leakwatch.core.tables import FieldSpec, FieldType, ObjectSpec
from leakwatch.model import Text
from leakwatch.store import export_days, export_numbers
from leakwatch.store.export_csv import Part
from leakwatch.store.export_decision import Column, Decision, Measure, count, kind, no_such_value, not_blank
from leakwatch.store.mirror_ingest import cast_sql, quoted

_LOST = r"\pL\?+\pL|(^|[^\pL\pN?])\?+\pL|\?{2,}\pL|\pL\?{2,}|\x{FFFD}"  # Ye?il, ?stanbul, ??kr?


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a look at all the rows gave: columns that can be used, rows, rows without Id, and notes for the reader."""

    columns: tuple[Column, ...]
    rows: int
    without_id: int
    notes: tuple[Note, ...]
    bad: Mapping[str, int]  # field -> values that could not be read
    left_out: Mapping[str, Text] = field(default_factory=dict[str, Text])  # field -> why its column is not used


def source_sql(parts: Sequence[Part], fields: Sequence[FieldSpec]) -> str:
    """Return a SELECT over all parts of an object, with one text column per field, named as in Salesforce."""
    selects: list[str] = []
    for part in parts:
        columns = ", ".join(
            (f"c{part.source.columns[item.name]}" if item.name in part.source.columns else "CAST(NULL AS VARCHAR)")
            + f" AS {quoted(item.name)}"
            for item in fields
        )
        selects.append(f"SELECT {columns} FROM {part.source.sql()}")
    return " UNION ALL ".join(selects)


def inspect(connection: duckdb.DuckDBPyConnection, spec: ObjectSpec, parts: Sequence[Part]) -> Inspection:
    """Return how the columns of `parts` are to be read. Raises duckdb.Error where a part is not proper CSV.

    All columns are looked at in one pass over the files, the few odd ones in a second.
    """
    fields = [item for item in spec.fields if any(item.name in part.source.columns for part in parts)]
    facts: dict[str, dict[str, int]] = {item.name: {} for item in fields}
    rows = _measure(connection, parts, {item: _measures(item, quoted(item.name)) for item in fields}, facts)
    odd = {
        item: measures for item in fields if (measures := _closer_measures(item, quoted(item.name), facts[item.name]))
    }
    if odd:
        _measure(connection, parts, odd, facts)
    columns: list[Column] = []
    notes: list[Note] = []
    bad: dict[str, int] = {}
    left_out: dict[str, Text] = {}
    for item in fields:
        marks = _marks(connection, parts, item) if facts[item.name].get("marked") else ()
        decision = _decide(f"{spec.name}.{item.name}", item, facts[item.name], marks)
        notes += decision.notes
        if decision.reason is not None:
            left_out[item.name] = decision.reason
        if decision.column is not None:
            columns.append(decision.column)
        if decision.bad:
            bad[item.name] = decision.bad
    notes += _summaries(spec, fields, facts)
    return Inspection(tuple(columns), rows, rows - facts["Id"]["filled"], tuple(notes), bad, left_out)


def _measure(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[Part],
    wanted: Mapping[FieldSpec, Sequence[Measure]],
    facts: dict[str, dict[str, int]],
) -> int:
    """Add what the measures of each field count to `facts`; return the number of rows."""
    places = [(item.name, key, sql) for item, measures in wanted.items() for key, sql in measures]
    select = ", ".join(sql for _, _, sql in places)
    row = connection.execute(f"SELECT count(*), {select} FROM ({source_sql(parts, list(wanted))})").fetchone() or (0,)
    for (name, key, _), value in zip(places, row[1:], strict=True):
        facts[name][key] = int(value or 0)
    return int(row[0])


def _measures(item: FieldSpec, name: str) -> list[Measure]:
    """Return what must be known of a column of this type."""
    if item.type in export_numbers.TYPES:
        return export_numbers.measures(item, name)
    if item.type in export_days.TYPES:
        return export_days.measures(item, name)
    filled = count(not_blank(name))
    if item.type is FieldType.ID:
        return [("filled", filled)]
    if item.type is FieldType.TEXT:
        return [
            ("filled", filled),
            ("lost", count(f"(contains({name}, '?') OR contains({name}, chr(65533))) AND NOT contains({name}, '://')"
                           f" AND regexp_matches({name}, '{_LOST}')")),
            ("foreign", count(f"strlen({name}) <> length({name})")),
        ]  # fmt: skip
    bad = count(f"CASE WHEN ({cast_sql(name, item)}) IS NULL THEN {not_blank(name)} ELSE FALSE END")
    return [("filled", filled), ("bad", bad)]


def _closer_measures(item: FieldSpec, name: str, facts: Mapping[str, int]) -> list[Measure]:
    """Return what else must be known of a column that holds more than the usual, else nothing."""
    if item.type in export_numbers.TYPES and export_numbers.is_odd(item, facts):
        return export_numbers.closer_measures(name)
    if item.type in export_days.TYPES and export_days.is_odd(facts):
        return export_days.closer_measures(item, name)
    return []


def _marks(connection: duckdb.DuckDBPyConnection, parts: Sequence[Part], item: FieldSpec) -> tuple[str, ...]:
    """Return the first few currency signs and codes that stand beside the column's numbers."""
    mark = export_numbers.marks_sql(quoted(item.name))
    found = connection.execute(
        f"SELECT DISTINCT mark FROM (SELECT {mark} AS mark FROM ({source_sql(parts, [item])})) WHERE mark <> ''"
        " ORDER BY 1 LIMIT 5"
    ).fetchall()
    return tuple(str(row[0]) for row in found)


def _decide(where: str, item: FieldSpec, facts: Mapping[str, int], marks: Sequence[str]) -> Decision:
    """Return how to read the column and what to tell about it."""
    if item.type in export_numbers.TYPES:
        return export_numbers.decide(where, item, facts, marks)
    if item.type in export_days.TYPES:
        return export_days.decide(where, item, facts)
    bad = facts.get("bad", 0)
    if bad and bad == facts["filled"]:
        return no_such_value(where, item)
    return Decision(Column(item), bad)


def _summaries(spec: ObjectSpec, fields: Sequence[FieldSpec], facts: Mapping[str, Mapping[str, int]]) -> list[Note]:
    notes: list[Note] = []
    naive = [item.name for item in fields if facts[item.name].get("naive")]
    if naive:
        names = ", ".join(naive)
        notes.append(
            _note(
                "naive_datetimes",
                f"{spec.name}: {names} without an offset are taken to be UTC, as Data Export writes them.",
                f"{spec.name}: saat farkı belirtilmeyen {names}, Veri Dışa Aktarma'nın yazdığı gibi UTC sayıldı.",
            )
        )
    lost = {item.name: facts[item.name]["lost"] for item in fields if facts[item.name].get("lost")}
    if lost:
        names = ", ".join(f"{name} ({count})" for name, count in lost.items())
        only_ascii = not any(facts[item.name].get("foreign") for item in fields)
        also = (" No letter outside ASCII is left.", " ASCII dışında harf kalmamış.") if only_ascii else ("", "")
        notes.append(
            _note(
                "text_lost",
                f"{spec.name}: letters were already lost to “?” before this export reached us: {names}.{also[0]} Export"
                " again in UTF-8; names and labels may not match.",
                f"{spec.name}: harfler dosya bize gelmeden “?” olmuş: {names}.{also[1]} UTF-8 ile yeniden dışa aktarın;"
                " adlar ve etiketler eşleşmeyebilir.",
                warning=True,
            )
        )
    return notes


def _note(code: str, en: str, tr: str, *, warning: bool = False) -> Note:
    return Note(code, Text(en=en, tr=tr), "warning" if warning else "assumption")


def bad_value_notes(
    connection: duckdb.DuckDBPyConnection, spec: ObjectSpec, parts: Sequence[Part], inspection: Inspection
) -> list[Note]:
    """Return a warning for each column in which some values can't be read, with the first few records by Id."""
    notes: list[Note] = []
    fields = [column.spec for column in inspection.columns]
    for column in inspection.columns:
        bad = inspection.bad.get(column.spec.name)
        if not bad:
            continue
        name = quoted(column.spec.name)
        rows: list[tuple[Any, ...]] = connection.execute(
            f"SELECT \"Id\", {name} FROM ({source_sql(parts, fields)}) WHERE NULLIF(trim({name}), '') IS NOT NULL"
            f" AND ({column.sql()}) IS NULL ORDER BY 1 LIMIT 3"
        ).fetchall()
        examples = ", ".join(f"{record}: {str(value)[:30]!r}" for record, value in rows)
        where = f"{spec.name}.{column.spec.name}"
        notes.append(
            _note(
                "values_unreadable",
                f"{where}: {bad} values can't be read as {kind(column.spec).en} and count as empty ({examples}).",
                f"{where}: {bad} değer {kind(column.spec).tr} olarak okunamadı ve boş sayıldı ({examples}).",
                warning=True,
            )
        )
    return notes
