"""How the numbers of one export column are written: with a point or a comma for decimals, grouped, with a currency.

A number is never guessed. What can be read in two ways (12.500, 1,234) needs another value in its column that can be
read in one way only; without it the column is left out, because the other reading would be wrong a thousand times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leakwatch.core import currencies
from leakwatch.core.tables import MAX_SCALE, FieldSpec, FieldType
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
from leakwatch.store.mirror_ingest import (
    MARKED_NUMBER,
    Reading,
    bare_number_sql,
    cast_sql,
    literal,
    number_sql,
)

TYPES = (FieldType.MONEY, FieldType.NUMBER, FieldType.INTEGER)
PRECISION = 18  # digits of every number in the mirror, see FieldSpec.sql_type
_WHOLE = f"DECIMAL({PRECISION},0)"
_WIDE = f"DECIMAL(38,{MAX_SCALE})"
_THREE = r"^[-+]?[1-9]\d{0,2}[.,]\d{3}$"  # a group of three digits, or three decimals
_UNGROUPED = r"^[-+]?\d{4,}$"


def measures(item: FieldSpec, name: str) -> list[Measure]:
    """Return what the first look at a column counts. It must be fast: nearly every column needs nothing more."""
    filled = not_blank(name)
    decimals = f"split_part({name}, '.', 2)"
    return [
        ("filled", count(filled)),
        ("bad", count(f"CASE WHEN ({cast_sql(name, item)}) IS NULL THEN {filled} ELSE FALSE END")),
        ("commas", count(f"contains({name}, ',')")),
        ("decimals", f"max(CASE WHEN contains({name}, '.') THEN length(rtrim({decimals}, '0 ')) END)"),
        ("threes", count(f"CASE WHEN contains({name}, '.') THEN length({decimals}) = 3 ELSE FALSE END")),
    ]


def is_odd(item: FieldSpec, facts: Facts) -> bool:
    """Tell whether the column needs `closer_measures`: not every value is a plain number of usual size."""
    return bool(facts["bad"] or facts["commas"] or facts["threes"] or facts["decimals"] > _usual_scale(item))


def closer_measures(name: str) -> list[Measure]:
    """Return what decides between the readings of a column that holds more than plain numbers."""
    bare = bare_number_sql(name)
    marked = f"regexp_extract({name}, {literal(MARKED_NUMBER)}, 2) <> '' OR"
    marked += f" regexp_extract({name}, {literal(MARKED_NUMBER)}, 4) <> ''"
    point = number_sql(name, _WHOLE, Reading(grouped=True, marked=True))
    comma = number_sql(name, _WHOLE, Reading(decimal_comma=True, marked=True))
    fits_point, fits_comma = f"({point}) IS NOT NULL", f"({comma}) IS NOT NULL"
    found = [
        ("plain", count(f"({number_sql(name, _WHOLE, Reading())}) IS NOT NULL")),
        ("point", count(fits_point)),
        ("comma", count(fits_comma)),
        ("point_only", count(f"{fits_point} AND NOT {fits_comma}")),
        ("comma_only", count(f"{fits_comma} AND NOT {fits_point}")),
        ("three_point", count(f"contains({name}, '.') AND regexp_matches({bare}, '{_THREE}')")),
        ("three_comma", count(f"contains({name}, ',') AND regexp_matches({bare}, '{_THREE}')")),
        ("ungrouped", count(f"regexp_matches({bare}, '{_UNGROUPED}')")),
        ("grouped", count(f"contains({name}, ',') AND {fits_point}")),
        ("marked", count(marked)),
    ]
    for way, fits, reading, sign in (
        ("point", fits_point, Reading(grouped=True, marked=True), "."),
        ("comma", fits_comma, Reading(decimal_comma=True, marked=True), ","),
    ):
        # Rounded up, so that rounding to fewer decimals can't need a digit more.
        size = f"ceil(max(abs({number_sql(name, _WIDE, reading)})) FILTER (WHERE {fits}))"
        decimals = f"length(rtrim(split_part({bare}, '{sign}', 2), '0 '))"
        found += [
            (f"{way}_size", f"CAST({size} AS HUGEINT)"),
            (f"{way}_decimals", f"max({decimals}) FILTER (WHERE {fits} AND contains({bare}, '{sign}'))"),
        ]
    return found


def marks_sql(name: str) -> str:
    """Return SQL for the currency sign or code beside a number, or an empty text."""
    before, after = (f"regexp_extract({name}, {literal(MARKED_NUMBER)}, {place})" for place in (2, 4))
    return f"concat({before}, {after})"


def decide(where: str, item: FieldSpec, facts: Facts, marks: Sequence[str]) -> Decision:
    """Return how the column is read, from what both looks counted; `marks` are the currencies beside its numbers."""
    if not is_odd(item, facts):
        return Decision(Column(item))
    if not facts["point"] and not facts["comma"]:
        return no_such_value(where, item)
    meant = sorted({currencies.meant(mark) or mark for mark in marks})
    if len(meant) > 1:
        names = ", ".join(meant)
        return left_out(
            where,
            item,
            f"has amounts in several currencies ({names})",
            f"birkaç para biriminde ({names}) tutar içeriyor",
        )
    if facts["comma_only"] and facts["point_only"]:
        return left_out(
            where, item, "has numbers with a decimal comma and others with a decimal point (1054,50 and 10.5)",
            "hem ondalık virgüllü hem ondalık noktalı sayılar içeriyor (1054,50 ve 10.5)",
        )  # fmt: skip
    if not facts["comma_only"] and not facts["point_only"]:
        three = facts["three_point"] + facts["three_comma"]
        # A writer who groups digits writes 1.000, not 1000: whole numbers of four digits and more speak for decimals.
        if three and (facts["three_comma"] or facts["ungrouped"] < three):
            return _ambiguous(where, item, comma=bool(facts["three_comma"]))
    decision = _read(where, item, facts, comma=bool(facts["comma_only"]))
    return _with_marks(where, decision, marks) if marks else decision


def _ambiguous(where: str, item: FieldSpec, *, comma: bool) -> Decision:
    if comma:
        return left_out(
            where, item, "has numbers with commas that can be read in two ways (1,234)",
            "iki türlü okunabilen virgüllü sayılar içeriyor (1,234)",
        )  # fmt: skip
    return left_out(
        where, item,
        "has numbers that can be read in two ways: 12.500 may be twelve thousand five hundred or twelve and a half",
        "iki türlü okunabilen sayılar içeriyor: 12.500, on iki bin beş yüz de on iki buçuk da olabilir",
    )  # fmt: skip


def _read(where: str, item: FieldSpec, facts: Facts, *, comma: bool) -> Decision:
    way = "comma" if comma else "point"
    notes = [
        assumption(
            "decimal_comma",
            f"{where} is written with a decimal comma (1.234,50) and read so.",
            f"{where} ondalık virgülle yazılmış (1.234,50) ve öyle okundu.",
        )
    ] if comma else []  # fmt: skip
    if not comma and facts["grouped"]:
        notes.append(
            assumption(
                "grouped_numbers",
                f"{where} is written with commas between thousands (1,234.50) and read so.",
                f"{where} binlikler virgülle ayrılarak yazılmış (1,234.50) ve öyle okundu.",
            )
        )
    if not comma and facts["three_point"] and not facts["point_only"]:
        notes.append(
            assumption(
                "three_decimals",
                f"{where} has values with three decimals (12.500) beside whole numbers such as 1000; the point is read"
                " as the decimal point.",
                f"{where} 1000 gibi tam sayıların yanında üç ondalıklı değerler içeriyor (12.500); nokta, ondalık"
                " ayırıcı olarak okundu.",
            )
        )
    decimals = facts[f"{way}_decimals"]
    spec, scale = _fitted(item, decimals, facts[f"{way}_size"])
    if item.type is not FieldType.INTEGER and decimals > scale:
        notes.append(
            assumption(
                "rounded",
                f"{where} has values with more than {scale} decimals; they are rounded to {scale}.",
                f"{where} içinde {scale} basamaktan çok ondalığı olan değerler var; {scale} basamağa yuvarlandı.",
            )
        )
    reading = Reading(decimal_comma=comma, grouped=not comma and bool(facts["grouped"]), marked=bool(facts["marked"]))
    plain = reading == Reading()
    return Decision(Column(spec, reading), facts["filled"] - facts["plain" if plain else way], tuple(notes))


def _fitted(item: FieldSpec, decimals: int, size: int) -> tuple[FieldSpec, int]:
    """Return the field with as many decimals as are used and as leave room for the digits before them."""
    if item.type is FieldType.INTEGER:
        return item, 0
    scale = min(max(_usual_scale(item), decimals), MAX_SCALE, PRECISION - len(str(size)))
    return replace(item, scale=scale), scale


def _usual_scale(item: FieldSpec) -> int:
    if item.type is FieldType.INTEGER:
        return MAX_SCALE  # 3.0 is a whole number to Salesforce
    return int(item.sql_type.rsplit(",", 1)[1].rstrip(")"))


def _with_marks(where: str, decision: Decision, marks: Sequence[str]) -> Decision:
    names = ", ".join(marks)
    note = assumption(
        "currency_marks",
        f"{where} has a currency beside its numbers ({names}); it was left aside: the currency is that of"
        " CurrencyIsoCode, of the org or of company.currency.",
        f"{where} sayıların yanında para birimi içeriyor ({names}); dikkate alınmadı: para birimi CurrencyIsoCode,"
        " kuruluş ya da company.currency ayarından gelir.",
    )
    return replace(decision, notes=(*decision.notes, note))
