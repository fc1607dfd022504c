"""How text becomes typed columns of the mirror: one set of expressions for API rows and for export files.

DuckDB's own casts are not trusted where they lose meaning: casting a text with an offset to TIMESTAMP drops the offset
(`09:00+03:00` becomes 09:00), casting to DECIMAL rounds without a word.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import duckdb

from leakwatch.core.currencies import CODES
from leakwatch.core.record_ids import long_id
from leakwatch.core.tables import FieldSpec, FieldType
from leakwatch.errors import LeakwatchError

TRUE_WORDS = ("true", "1", "yes", "evet", "doğru")  # DOĞRU and YANLIŞ: what Turkish Excel makes of TRUE and FALSE
FALSE_WORDS = ("false", "0", "no", "hayır", "yanlış")
MAX_LINE_BYTES = 8_000_000  # a row of export text: 131,072 characters per long text field, several of them
BUFFER_BYTES = 16_000_000  # DuckDB's default would be 16 times the longest line, for each thread

_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")  # JSON may hold halves of a surrogate pair; UTF-8 and databases don't
SHORT_ID = 15  # characters of an id as old reports and links have it; 18 tell upper case from lower by themselves
_SUFFIX_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

# Numbers as people write them: groups of three digits have a first group of one to three that is not 0.
POINT_NUMBER = r"^[-+]?([1-9]\d{0,2}(,\d{3})+|\d+)(\.\d*)?$"  # 1,234.50
COMMA_NUMBER = r"^[-+]?([1-9]\d{0,2}(\.\d{3})+|\d+)(,\d*)?$"  # 1.234,50
_MARK = rf"US\$|\p{{Sc}}|TL|{'|'.join(sorted(CODES))}"
MARKED_NUMBER = rf"^\s*([-+]?)\s*({_MARK})?\s*([-+]?[0-9.,]+)\s*({_MARK})?\s*$"  # ₺ 1.234,50 or 1,234.50 USD

# Salesforce takes dates of these years only (SOAP API Developer Guide, dateTime). Out of them are years of two digits.
_FIRST_DAY, _LAST_DAY = "1700-01-01", "4000-12-31"


@dataclass(frozen=True, slots=True)
class Reading:
    """How the text of one column is to be understood, where there is more than one way."""

    decimal_comma: bool = False  # 1.234,50 instead of 1234.50
    grouped: bool = False  # 1,234.50
    marked: bool = False  # a currency sign or code stands before or after the number
    dotted_dates: bool = False  # 31.12.2017 instead of 2017-12-31
    slashed_dates: Literal["day first", "month first"] | None = None  # 31/12/2017 or 12/31/2017
    from_api: bool = False  # as `write_rows` writes: nothing else to look for, which saves half of the planning


PLAIN = Reading()
FROM_API = Reading(from_api=True)


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A clean UTF-8 CSV file: `columns` maps the fields we want to their place (from 0) in each row."""

    path: Path
    delimiter: str
    width: int
    columns: Mapping[str, int] = field(default_factory=dict[str, int])
    skip: int = 0  # lines before the header
    newline: str = "\\n"  # as DuckDB wants it named; left to itself, it was seen to return no rows without an error

    def sql(self) -> str:
        """Return a `read_csv` call whose columns are called c0, c1, ..."""
        names = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(self.width))
        return (
            f"read_csv({literal(str(self.path))}, auto_detect=false, header=true, delim={literal(self.delimiter)},"
            f" quote='\"', escape='\"', columns={{{names}}}, max_line_size={MAX_LINE_BYTES},"
            f" buffer_size={BUFFER_BYTES}, skip={self.skip}, new_line={literal(self.newline)})"
        )


def literal(text: str) -> str:
    """Return `text` as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """Return `name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def failure(error: duckdb.Error) -> LeakwatchError:
    """Return a database error in our words. DuckDB's own may show rows of customers, so only its kind is told."""
    kind = type(error).__name__.removesuffix("Exception")
    if isinstance(error, duckdb.OutOfMemoryException):
        return LeakwatchError(
            "the mirror ran out of memory and of disk to spill to; nothing was stored. Free some disk"
        )
    if isinstance(error, duckdb.IOException):
        return LeakwatchError(
            f"the mirror's file can't be written or read ({kind}); nothing was stored. Check the disk"
        )
    return LeakwatchError(
        f"the mirror can't be worked on ({kind}); nothing was stored. If this stays so, delete the mirror's folder: it"
        " holds nothing that is not in Salesforce, and the next `leakwatch mirror` builds it again"
    )


def prepare_connection(connection: duckdb.DuckDBPyConnection, *, memory_limit: str, temp_folder: Path) -> None:
    """Set what every writing connection needs, and define the `lw_*` macros that `cast_sql` uses."""
    connection.execute("SET enable_progress_bar=false")  # it would go to standard output even without a terminal
    connection.execute("SET TimeZone='UTC'")
    connection.execute("SET preserve_insertion_order=false")  # keeps big loads in bounded memory
    connection.execute(f"SET memory_limit={literal(memory_limit)}")
    connection.execute(f"SET temp_directory={literal(str(temp_folder))}")
    # A lambda instead of five CASEs: ids of 15 letters are rare, but each id column would pay 4 ms of planning.
    bit = "CASE WHEN x[start + i] BETWEEN 'A' AND 'Z' THEN 1 << i ELSE 0 END"
    group = f"CAST(list_sum(list_transform([0, 1, 2, 3, 4], lambda i: {bit})) AS INTEGER)"
    connection.execute(f"CREATE OR REPLACE TEMP MACRO lw_suffix(x, start) AS {literal(_SUFFIX_LETTERS)}[{group} + 1]")
    connection.execute(
        "CREATE OR REPLACE TEMP MACRO lw_long_id(x) AS"
        " CASE WHEN length(x) = 15 THEN x || lw_suffix(x, 1) || lw_suffix(x, 6) || lw_suffix(x, 11) ELSE x END"
    )
    for name, kind, last in (("lw_day", "DATE", _LAST_DAY), ("lw_moment", "TIMESTAMP", f"{_LAST_DAY} 23:59:59.999999")):
        span = f"{kind} '{_FIRST_DAY}' AND {kind} '{last}'"
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {name}(x) AS CASE WHEN x BETWEEN {span} THEN x END")


def cast_sql(text: str, spec: FieldSpec, reading: Reading = PLAIN) -> str:
    """Return the SQL expression that types the text expression `text`; NULL where it can't be read."""
    match spec.type:
        case FieldType.ID if reading.from_api:
            return f"NULLIF({text}, '')"
        case FieldType.ID:
            return f"lw_long_id(NULLIF(trim({text}), ''))"
        case FieldType.TEXT:
            return f"NULLIF({text}, '')"
        case FieldType.BOOLEAN if reading.from_api:
            return f"CASE {text} WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"
        case FieldType.BOOLEAN:
            yes, no = (literal("|".join(words)) for words in (TRUE_WORDS, FALSE_WORDS))  # IN is slower to plan
            folded = f"lower(replace(trim({text}), 'I', 'ı'))"  # HAYIR
            return (
                f"CASE WHEN regexp_full_match({folded}, {yes}) THEN TRUE"
                f" WHEN regexp_full_match({folded}, {no}) THEN FALSE END"
            )
        case FieldType.DATE:
            ways = [f"TRY_CAST({text} AS DATE)"]
            day = f"split_part(trim({text}), ' ', 1)"
            ways += [f"CAST(try_strptime({day}, '{order}') AS DATE)" for order in _orders(reading)]
            return f"lw_day({_first(ways)})"
        case FieldType.DATETIME:
            ways = [f"CAST(TRY_CAST(trim({text}) AS TIMESTAMPTZ) AT TIME ZONE 'UTC' AS TIMESTAMP)"]
            ways += [
                f"try_strptime(trim({text}), ['{order} %H:%M:%S', '{order} %H:%M', '{order} %I:%M:%S %p',"
                f" '{order} %I:%M %p', '{order}'])"
                for order in _orders(reading)
            ]
            return f"lw_moment({_first(ways)})"
        case FieldType.MONEY | FieldType.NUMBER | FieldType.INTEGER:
            return number_sql(text, spec.sql_type, reading)


def _first(ways: Sequence[str]) -> str:
    return ways[0] if len(ways) == 1 else f"COALESCE({', '.join(ways)})"


def _orders(reading: Reading) -> list[str]:
    """Return the forms of a day, as strptime writes them, that the column has beside ISO ones."""
    orders = ["%d.%m.%Y"] if reading.dotted_dates else []
    if reading.slashed_dates is not None:
        orders.append("%d/%m/%Y" if reading.slashed_dates == "day first" else "%m/%d/%Y")
    return orders


def bare_number_sql(text: str) -> str:
    """Return SQL for the number in `text` without blanks, currency sign or code around it; other text as it is."""
    return f"regexp_replace({text}, {literal(MARKED_NUMBER)}, '\\1\\3')"


def number_sql(text: str, sql_type: str, reading: Reading) -> str:
    """Return SQL for the number in `text`; NULL where it is not written as `reading` says or is no number at all."""
    bare = bare_number_sql(text)
    if reading.decimal_comma:
        plain = f"replace(replace({bare}, '.', ''), ',', '.')"
        return f"CASE WHEN regexp_matches({bare}, '{COMMA_NUMBER}') THEN TRY_CAST({plain} AS {sql_type}) END"
    usual = f"TRY_CAST({text} AS {sql_type})"
    if not reading.grouped and not reading.marked:
        return usual
    written = f"TRY_CAST(replace({bare}, ',', '') AS {sql_type})"
    return f"COALESCE({usual}, CASE WHEN regexp_matches({bare}, '{POINT_NUMBER}') THEN {written} END)"


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], fields: Mapping[str, FieldSpec]) -> int:
    """Write API rows as CSV, one column per field, as FROM_API reads them; return how many.

    None and '' become empty: Salesforce has no ''. Ids get their long form.
    """
    columns = [(name, _as_id if item.type is FieldType.ID else _as_text) for name, item in fields.items()]
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(fields)
        for row in rows:
            writer.writerow([write(row.get(name)) for name, write in columns])
            count += 1
    return count


def content_version(path: Path) -> str:
    """Return what stands for the content of a file, whenever it was written."""
    with path.open("rb") as file:
        return f"content {hashlib.file_digest(file, 'sha256').hexdigest()}"


def _as_id(value: Any) -> str:
    text = _as_text(value).strip()
    return long_id(text) if len(text) == SHORT_ID else text


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _NOT_TEXT.sub("", value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")  # the shortest text that is this float: what the JSON said
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)
