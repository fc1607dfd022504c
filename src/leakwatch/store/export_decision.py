"""What was decided about one column of an export: how it is read, or why it is left out, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leakwatch.core.report_inputs import Note
from leakwatch.core.tables import FieldSpec, FieldType
from leakwatch.model import Text
from leakwatch.store.mirror_ingest import PLAIN, Reading, cast_sql, quoted

Facts = Mapping[str, int]  # what was counted in a column, by the key of its measure
Measure = tuple[str, str]  # key, aggregate in SQL

# What a value should be, and what to export instead: (English, Turkish) each.
_KINDS: Mapping[FieldType, tuple[str, str]] = {
    FieldType.BOOLEAN: ("true or false", "doğru/yanlış"),
    FieldType.DATE: ("a date", "tarih"),
    FieldType.DATETIME: ("a date and time", "tarih ve saat"),
    FieldType.MONEY: ("an amount", "tutar"),
    FieldType.NUMBER: ("a number", "sayı"),
    FieldType.INTEGER: ("a whole number", "tam sayı"),
}
_ADVICE: Mapping[FieldType, tuple[str, str]] = {
    FieldType.BOOLEAN: ("true and false, or 1 and 0", "true ve false ya da 1 ve 0 değerleriyle"),
    FieldType.DATE: ("dates such as 2017-03-01", "2017-03-01 gibi tarihlerle"),
    FieldType.DATETIME: ("moments such as 2017-03-01T09:00:00Z", "2017-03-01T09:00:00Z gibi tarih ve saatlerle"),
    FieldType.MONEY: ("plain numbers such as 1234.50", "1234.50 gibi düz sayılarla"),
    FieldType.NUMBER: ("plain numbers such as 1234.5", "1234.5 gibi düz sayılarla"),
    FieldType.INTEGER: ("whole numbers such as 1234", "1234 gibi tam sayılarla"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """How one column is to be read."""

    spec: FieldSpec
    reading: Reading = PLAIN

    def sql(self) -> str:
        """Return the typed expression over the source column."""
        return cast_sql(quoted(self.spec.name), self.spec, self.reading)


@dataclass(frozen=True, slots=True)
class Decision:
    """How a column is read (None = left out, because of `reason`), its values that can't be read, and what to tell."""

    column: Column | None
    bad: int = 0
    notes: tuple[Note, ...] = ()
    reason: Text | None = None


def kind(item: FieldSpec) -> Text:
    """Return in words what a value of the field is."""
    return Text(*_KINDS[item.type])


def left_out(where: str, item: FieldSpec, en: str, tr: str) -> Decision:
    """Return the decision against a column, with what to do; `en` and `tr` say what its values are."""
    advice = _ADVICE[item.type]
    reason = Text(f"{where} {en}", f"{where} {tr}")
    told = Text(
        f"{reason.en}; the column is left out. Export again with {advice[0]}.",
        f"{reason.tr}; sütun dışarıda bırakıldı. {advice[1]} yeniden dışa aktarın.",
    )
    return Decision(None, notes=(Note("column_left_out", told, "warning"),), reason=reason)


def no_such_value(where: str, item: FieldSpec) -> Decision:
    """Return the decision against a column none of whose values is of its type."""
    name = kind(item)
    return left_out(where, item, f"has no value that is {name.en}", f"içinde {name.tr} olan bir değer yok")


def assumption(code: str, en: str, tr: str) -> Note:
    """Return what was assumed in reading a column."""
    return Note(code, Text(en, tr))


def count(condition: str) -> str:
    """Return SQL for the number of rows in which `condition` holds."""
    return f"count(*) FILTER (WHERE {condition})"


def not_blank(name: str) -> str:
    """Return SQL that tells whether the text column `name` holds anything but blanks.

    A CASE, here and in the measures: it keeps DuckDB from doing the slow thing to values that the fast one has settled.
    """
    return f"CASE WHEN starts_with({name}, ' ') THEN trim({name}) <> '' ELSE {name} <> '' END"
