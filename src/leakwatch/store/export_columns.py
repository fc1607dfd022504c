# ruff: noqa: S608  -- names come from our own configuration and are quoted; patterns are our own
"""Looks at a whole column of export text before it is typed: what it holds, how it is to be read, what is odd in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from leakwatch.core.report_inputs import Note
from leakwatch.core.tables import MAX_SCALE, FieldSpec, FieldType, ObjectSpec
from leakwatch.model import Text
from leakwatch.store.export_csv import Part
from leakwatch.store.mirror_ingest import PLAIN, Reading, cast_sql, quoted

_COMMA_NUMBER = r"^\s*-?(\d{1,3}(\.\d{3})+|\d+)(,\d*)?\s*$"
_OFFSET = r"(Z|[+-]\d{2}:?\d{2})\s*$"
_DOTTED = r"^\s*\d{1,2}\.\d{1,2}\.\d{4}"
_SLASHED = r"^\s*\d{1,4}/\d{1,2}/\d{1,4}"
_LOST = r"\pL\?+\pL|\?{2,}\pL|\pL\?{2,}|\x{FFFD}"  # Ye?il, ??kr?
_NUMBERS = (FieldType.MONEY, FieldType.NUMBER, FieldType.INTEGER)


@dataclass(frozen=True, slots=True)
class Column:
    """How one column is to be read."""

    spec: FieldSpec
    reading: Reading = PLAIN

    def sql(self) -> str:
        """Return the typed expression over the source column."""
        return cast_sql(quoted(self.spec.name), self.spec, self.reading)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a look at all the rows gave: columns that can be used, rows, rows without Id, and notes for the reader."""

    columns: tuple[Column, ...]
    rows: int
    without_id: int
    notes: tuple[Note, ...]
    bad: Mapping[str, int]  # field -> values that could not be read


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
    """Return how the columns of `parts` are to be read. Raises duckdb.Error where a part is not proper CSV."""
    fields = [item for item in spec.fields if any(item.name in part.source.columns for part in parts)]
    wanted: list[tuple[str, str, str]] = []
    for item in fields:
        name = quoted(item.name)
        wanted += [(item.name, key, sql) for key, sql in _measures(item, name)]
    facts: dict[str, dict[str, int]] = {item.name: {} for item in fields}
    rows = _measure(connection, parts, fields, wanted, facts)
    closer = [
        (item.name, key, sql)
        for item in fields
        if facts[item.name].get("commas") or facts[item.name].get("dotted")
        for key, sql in _closer_measures(item, quoted(item.name))
    ]
    if closer:
        _measure(connection, parts, fields, closer, facts)
    columns: list[Column] = []
    notes: list[Note] = []
    bad: dict[str, int] = {}
    for item in fields:
        column, trouble = _decide(spec, item, facts[item.name])
        notes += trouble
        if column is not None:
            columns.append(column)
            if item.type not in (FieldType.ID, FieldType.TEXT):
                bad[item.name] = _bad(column, facts[item.name])
    notes += _summaries(spec, fields, facts)
    return Inspection(
        tuple(columns), rows, rows - facts["Id"]["filled"], tuple(notes), {name: n for name, n in bad.items() if n}
    )


def _measure(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[Part],
    fields: Sequence[FieldSpec],
    wanted: Sequence[tuple[str, str, str]],
    facts: dict[str, dict[str, int]],
) -> int:
    """Fill `facts` with the (field, key, aggregate SQL) of `wanted`; return the number of rows."""
    select = ", ".join(sql for _, _, sql in wanted)
    row = connection.execute(f"SELECT count(*), {select} FROM ({source_sql(parts, fields)})").fetchone() or (0,)
    for (field, key, _), value in zip(wanted, row[1:], strict=True):
        facts[field][key] = int(value or 0)
    return int(row[0])


def _measures(item: FieldSpec, name: str) -> list[tuple[str, str]]:
    """Return (key, aggregate SQL) for what must be known of a column of this type."""
    # CASE throughout: it keeps DuckDB from doing the slow thing to values that the fast one has settled.
    not_blank = f"CASE WHEN starts_with({name}, ' ') THEN trim({name}) <> '' ELSE {name} <> '' END"

    def count(condition: str) -> str:
        return f"count(*) FILTER (WHERE {condition})"

    filled = count(not_blank)
    plain_bad = count(f"CASE WHEN ({cast_sql(name, item)}) IS NULL THEN {not_blank} ELSE FALSE END")
    if item.type is FieldType.ID:
        return [("filled", filled)]
    if item.type is FieldType.TEXT:
        return [
            ("filled", filled),
            ("lost", count(f"(contains({name}, '?') OR contains({name}, chr(65533))) AND NOT contains({name}, '://')"
                           f" AND regexp_matches({name}, '{_LOST}')")),
            ("foreign", count(f"strlen({name}) <> length({name})")),
        ]  # fmt: skip
    if item.type in _NUMBERS:
        decimals = f"CASE WHEN contains({name}, '.') THEN length(rtrim(split_part({name}, '.', 2), '0 ')) END"
        return [
            ("filled", filled),
            ("bad", plain_bad),
            ("commas", count(f"contains({name}, ',')")),
            ("decimals", f"max({decimals})"),
        ]
    if item.type in (FieldType.DATE, FieldType.DATETIME):
        measures = [
            ("filled", filled),
            ("bad", plain_bad),
            ("dotted", count(f"({name}[2] = '.' OR {name}[3] = '.') AND regexp_matches({name}, '{_DOTTED}')")),
            ("slashed", count(f"contains({name}, '/') AND regexp_matches({name}, '{_SLASHED}')")),
        ]
        if item.type is FieldType.DATETIME:
            utc = f"suffix({name}, 'Z') OR suffix({name}, '+0000')"
            rest = f"{not_blank} AND NOT regexp_matches({name}, '{_OFFSET}')"
            measures.append(("naive", count(f"CASE WHEN {utc} THEN FALSE ELSE {rest} END")))
        return measures
    return [("filled", filled), ("bad", plain_bad)]


def _closer_measures(item: FieldSpec, name: str) -> list[tuple[str, str]]:
    """Return what else must be known of a column in which commas or dotted dates were seen."""
    not_blank = f"NULLIF(trim({name}), '') IS NOT NULL"
    if item.type in _NUMBERS:
        typed = cast_sql(name, item, Reading(decimal_comma=True))
        bad = f"({typed}) IS NULL OR NOT regexp_matches({name}, '{_COMMA_NUMBER}')"
        clear = f"regexp_matches({name}, ',(\\d{{1,2}}|\\d{{4,}})\\s*$') OR regexp_matches({name}, '\\..*,')"
        return [
            ("comma_bad", f"count(*) FILTER (WHERE {not_blank} AND ({bad}))"),
            ("comma_clear", f"count(*) FILTER (WHERE {clear})"),
        ]
    typed = cast_sql(name, item, Reading(dotted_dates=True))
    return [("dotted_bad", f"count(*) FILTER (WHERE {not_blank} AND ({typed}) IS NULL)")]


def _decide(spec: ObjectSpec, item: FieldSpec, facts: Mapping[str, int]) -> tuple[Column | None, list[Note]]:
    """Return how to read the column (None = not at all) and what to tell about it."""
    where = f"{spec.name}.{item.name}"
    if item.type in _NUMBERS:
        if facts["commas"] and not facts["comma_bad"] and facts["comma_clear"]:
            note = _note(
                "decimal_comma",
                f"{where} is written with a decimal comma (1.234,50) and read so.",
                f"{where} ondalık virgülle yazılmış (1.234,50) ve öyle okundu.",
            )
            return Column(item, Reading(decimal_comma=True)), [note]
        if facts["commas"]:
            note = _note(
                "ambiguous_comma",
                f"{where} has numbers with commas that can be read in two ways (1,234); the column is left out. Export"
                " with plain numbers such as 1234.50.",
                f"{where} iki türlü okunabilen virgüllü sayılar içeriyor (1,234); sütun dışarıda bırakıldı. 1234.50"
                " gibi düz sayılarla dışa aktarın.",
                warning=True,
            )
            return None, [note]
        if item.type is not FieldType.INTEGER:
            usual = int(item.sql_type.rsplit(",", 1)[1].rstrip(")"))
            item = replace(item, scale=min(max(usual, facts["decimals"]), MAX_SCALE))
    column = Column(item)
    if item.type in (FieldType.DATE, FieldType.DATETIME) and facts["dotted"]:
        note = _note(
            "dotted_dates",
            f"{where} has dates like 31.12.2017, read as day.month.year.",
            f"{where} 31.12.2017 biçiminde tarihler içeriyor; gün.ay.yıl olarak okundu.",
        )
        return Column(item, Reading(dotted_dates=True)), [note]
    if facts.get("bad", 0) and facts["bad"] == facts["filled"]:
        reason = ("such as 3/1/2017, which can be read in two ways", "3/1/2017 gibi iki türlü okunabilen")
        en, tr = reason if facts.get("slashed") else (f"that are no {item.type.value}", f"{item.type.value} olmayan")
        note = _note(
            "column_unreadable",
            f"{where} has only values {en}; the column is left out. Export with API formats (2017-03-01).",
            f"{where} yalnızca {tr} değerler içeriyor; sütun dışarıda bırakıldı. API biçimleriyle dışa aktarın"
            " (2017-03-01).",
            warning=True,
        )
        return None, [note]
    return column, []


def _bad(column: Column, facts: Mapping[str, int]) -> int:
    if column.reading.decimal_comma:
        return facts["comma_bad"]
    return facts["dotted_bad"] if column.reading.dotted_dates else facts.get("bad", 0)


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
        count = inspection.bad.get(column.spec.name)
        if not count:
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
                f"{where}: {count} values can't be read as {column.spec.type.value} and count as empty ({examples}).",
                f"{where}: {count} değer {column.spec.type.value} olarak okunamadı ve boş sayıldı ({examples}).",
                warning=True,
            )
        )
    return notes
