"""One export file as a clean table: its delimiter and header, and what exactly is wrong where it is not one."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leakwatch.core.tables import ObjectSpec
from leakwatch.store.export_files import BLOCK_BYTES, ExportFile, UnreadableFileError, refuse_what_is_no_csv, unpack
from leakwatch.store.export_text import detect, transcode
from leakwatch.store.mirror_ingest import MAX_LINE_BYTES, CsvSource

_DELIMITERS = ",;\t"
_HEADER_BYTES = 1 << 20
_ALL_BUT_QUOTES_AND_ENDS = bytes(value for value in range(256) if value not in b'"\r\n')
_EXCEL_HINT = re.compile(r'^"?sep=(.)"?\r?\n')


@dataclass(frozen=True, slots=True)
class Part:
    """One readable file of an object; `assumed` says in words (English, Turkish) how its bytes were understood."""

    file: ExportFile
    source: CsvSource
    assumed: tuple[str, str] | None = None
    rows: int | None = None  # rows there must be; None = only a slow reading can tell


def open_part(file: ExportFile, spec: ObjectSpec, folder: Path, number: int) -> Part:
    """Return the file as a CSV that DuckDB can read, unpacked and transcoded into `folder` where needed.

    Raises:
        UnreadableFileError: it can't be read; the text names file, line and what to do.
    """
    try:
        return _open_part(file, spec, folder, number)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableFileError(
            f"{file.name}: can't be read or copied: {reason}", f"{file.name}: okunamadı ya da kopyalanamadı: {reason}"
        ) from error


def _open_part(file: ExportFile, spec: ObjectSpec, folder: Path, number: int) -> Part:
    raw = unpack(file, folder / f"{spec.table}_{number}.raw.csv")
    refuse_what_is_no_csv(file, raw)
    encoding = detect(file, raw)
    path = raw
    if encoding.name != "utf-8":
        path = folder / f"{spec.table}_{number}.utf8.csv"
        try:
            transcode(raw, encoding.name, path)
        except UnicodeError as error:
            raise UnreadableFileError(
                f"{file.name}: not whole {encoding.name} text; export again in UTF-8",
                f"{file.name}: eksik {encoding.name} metni; UTF-8 olarak yeniden dışa aktarın",
            ) from error
    source = _read_header(file, spec, path)
    newline, lines = _scan_lines(path)
    rows = None if newline is None else lines - source.skip - 1
    return Part(file, replace(source, newline=newline or source.newline), encoding.assumed, rows)


def _scan_lines(path: Path) -> tuple[str | None, int]:
    """Return the file's line end as DuckDB names it (None if there are several kinds), and its lines, outside quotes.

    Fast because everything but quotes and line ends is thrown away first; a pair of quotes changes nothing.
    """
    windows = unix = mac = 0
    quoted = False
    last = b""
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            if block.endswith(b"\r"):
                block += stream.read(1)
            last = block[-1:]
            pieces = block.translate(None, _ALL_BUT_QUOTES_AND_ENDS).replace(b'""', b"").split(b'"')
            outside = b'"'.join(pieces[1 if quoted else 0 :: 2])
            both = outside.count(b"\r\n")
            windows += both
            unix += outside.count(b"\n") - both
            mac += outside.count(b"\r") - both
            quoted ^= len(pieces) % 2 == 0
    kinds = {"\\r\\n": windows, "\\n": unix, "\\r": mac}
    found = [name for name, count in kinds.items() if count]
    if len(found) > 1:
        return None, 0
    return (found[0] if found else "\\n"), sum(kinds.values()) + (0 if last in (b"\n", b"\r") else 1)


def _read_header(file: ExportFile, spec: ObjectSpec, path: Path) -> CsvSource:
    with path.open("rb") as stream:
        text = stream.read(_HEADER_BYTES).decode("utf-8-sig", errors="ignore")
    hint = _EXCEL_HINT.match(text)
    if hint:
        text = text[hint.end() :]
    delimiters = hint[1] if hint else _DELIMITERS
    known = {item.name.lower(): item.name for item in spec.fields}
    headers = {delimiter: _first_record(text, delimiter) for delimiter in delimiters}
    delimiter = max(
        headers, key=lambda item: (sum(name.lower() in known for name in headers[item]), len(headers[item]))
    )
    header = headers[delimiter]
    columns: dict[str, int] = {}
    for place, name in enumerate(header):
        field = known.get(name.lower())
        if field is None:
            continue
        if field in columns:
            raise UnreadableFileError(
                f"{file.name}: the column {field} is there twice; remove one of them",
                f"{file.name}: {field} sütunu iki kez var; birini silin",
            )
        columns[field] = place
    if "Id" not in columns:
        start = ", ".join(header[:4])[:80]
        raise UnreadableFileError(
            f"{file.name}: the first row has no column Id (it begins: {start}). Columns must have API names, as Data"
            " Export writes them; a report export has labels",
            f"{file.name}: ilk satırda Id sütunu yok (başı: {start}). Sütunlar, Veri Dışa Aktarma'nın yazdığı gibi API"
            " adları taşımalı; rapor dışa aktarımında etiketler olur",
        )
    return CsvSource(path, delimiter, len(header), columns, skip=1 if hint else 0)


def _first_record(text: str, delimiter: str) -> list[str]:
    try:
        record = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        return [name.strip().strip("\ufeff") for name in record]
    except csv.Error:
        return []


def explain_or_mend(part: Part, folder: Path, number: int) -> Part:
    """Read the file slowly, after DuckDB refused or misread it: return it rewritten if it is whole, else say why not.

    Raises:
        UnreadableFileError: naming the first bad line, and how many there are.
    """
    source = part.source
    name = part.file.name
    target = folder / f"mended_{number}_{source.path.name}"
    ragged: list[tuple[int, int]] = []
    csv.field_size_limit(MAX_LINE_BYTES)
    with (
        source.path.open(encoding="utf-8-sig", newline="") as stream,
        target.open("w", encoding="utf-8", newline="") as out,
    ):
        for _ in range(source.skip):
            stream.readline()
        reader = csv.reader(stream, delimiter=source.delimiter, strict=True)
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
        rows = -1  # the header is none
        try:
            for row in reader:
                if not row:
                    continue
                rows += 1
                if len(row) != source.width and any(cell for cell in row[source.width :]) | (len(row) < source.width):
                    ragged.append((reader.line_num, len(row)))
                writer.writerow(row[: source.width])
        except csv.Error as error:
            line = reader.line_num
            if "unexpected end" in str(error):
                raise UnreadableFileError(
                    f"{name}: ends inside a quoted value (line {line}): the file was cut off, export it again",
                    f"{name}: tırnak içindeki bir değerin ortasında bitiyor (satır {line}); dosya yarım kalmış, yeniden"
                    " dışa aktarın",
                ) from error
            raise UnreadableFileError(
                f"{name}, line {line}: quotes are not as in CSV ({error}); export it again as Salesforce writes it",
                f"{name}, satır {line}: tırnaklar CSV kurallarına uymuyor; Salesforce'un yazdığı gibi dışa aktarın",
            ) from error
    if ragged:
        line, count = ragged[0]
        raise UnreadableFileError(
            f"{name}, line {line}: {count} values where the header has {source.width}"
            f"{f', and {len(ragged) - 1} more such rows' if len(ragged) > 1 else ''}; mend these rows or export again",
            f"{name}, satır {line}: başlıkta {source.width} sütun varken {count} değer"
            f"{f', ayrıca {len(ragged) - 1} satır daha' if len(ragged) > 1 else ''}; satırları düzeltin ya da yeniden"
            " dışa aktarın",
        )
    mended = replace(source, path=target, delimiter=",", skip=0, newline="\\n")
    return replace(part, source=mended, rows=rows)


def lines_without_id(parts: Sequence[Part], limit: int = 5) -> list[str]:
    """Return where the first rows without an Id are, as `file line N`."""
    found: list[str] = []
    csv.field_size_limit(MAX_LINE_BYTES)
    for part in parts:
        place = part.source.columns["Id"]
        with part.source.path.open(encoding="utf-8-sig", newline="") as stream:
            for _ in range(part.source.skip):
                stream.readline()
            reader = csv.reader(stream, delimiter=part.source.delimiter)
            next(reader, None)
            for row in reader:
                if len(row) > place and not row[place].strip():
                    found.append(f"{part.file.name} line {reader.line_num}")
                    if len(found) == limit:
                        return found
    return found
