"""CSV as the Bulk API writes and reads it (Bulk API 2.0 guide, "Prepare CSV Files").

Written: every value in double quotes, double quotes doubled, nothing else changed. Read: strictly, in UTF-8, with the
line ending that the job says. Python's own reader does the splitting; what it forgives is looked at here.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from leakwatch.sandbox.org.schema import Field

DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
MAX_FIELD = 131_072  # characters of a value
MAX_FIELDS = 5_000  # of a record
MAX_RECORD = 400_000  # characters of a record ("Bulk API and Bulk API 2.0 Limits and Allocations")
_BOM = b"\xef\xbb\xbf"
_PLAIN_FROM, _PLAIN_BELOW = 1e-3, 1e7


class CsvError(Exception):
    """A file that the Bulk API doesn't take: what the job's `errorMessage` says."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a job's CSV is written."""

    delimiter: str
    line_ending: str

    def line(self, values: Sequence[str]) -> bytes:
        """One record with its line ending, every value quoted."""
        text = '"' + f'"{self.delimiter}"'.join([value.replace('"', '""') for value in values]) + '"'
        return (text + self.line_ending).encode()


def text_of(field: Field) -> Callable[[Any], str]:
    """What makes a field's answered values (as in JSON) into text of a CSV file; null is empty."""
    if field.type == "boolean":
        return lambda value: "" if value is None else "true" if value else "false"
    if field.type == "datetime":
        return _instant
    if field.type in ("double", "currency", "percent"):
        return _double
    return lambda value: "" if value is None else str(value)


def _instant(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    return f"{text[:-5]}Z" if text.endswith("+0000") else text  # what FORMAT made stays


def _double(value: Any) -> str:
    """A number as Java writes a double, `1.0E7` from ten millions on (unverified; XML Schema allows it)."""
    if value is None or isinstance(value, str):
        return value or ""
    number = float(value)
    if not number:
        return "0.0"
    if _PLAIN_FROM <= abs(number) < _PLAIN_BELOW:
        return repr(number)
    # the shortest digits that mean the number, which Python and Java agree on
    mantissa, _, exponent = f"{number!r}".partition("e")
    if not exponent:
        sign, digits = ("-", mantissa[1:]) if number < 0 else ("", mantissa)
        whole, _, part = digits.partition(".")
        power = math.floor(math.log10(abs(number)))
        ciphers = (whole + part).strip("0") or "0"
        mantissa, exponent = f"{sign}{ciphers[0]}.{ciphers[1:] or '0'}", str(power)
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


class Reader:
    """The records of an uploaded file; iterating gives each with the number of bytes up to its end."""

    def __init__(self, file: IO[bytes], dialect: Dialect, ending_name: str) -> None:
        """Read the header of `file`, which stands at its beginning.

        Raises CsvError for a header that cannot be read.
        """
        self._file = file
        self._dialect = dialect
        self._ending_name = ending_name
        self._last = b""
        self.offset = 0
        """Bytes up to the end of the last record."""
        self._reader = self._new_reader()
        self.header = self._record()
        """The names of the columns; empty where the file is."""
        self.header_bytes = self.offset

    def seek(self, offset: int) -> None:
        """Go on behind a record."""
        self._file.seek(offset)
        self.offset = self._read = offset
        self._reader = self._new_reader()

    def _new_reader(self) -> Iterator[list[str]]:
        self._read = self.offset
        return csv.reader(self._lines(), delimiter=self._dialect.delimiter, strict=True)

    def _lines(self) -> Iterator[str]:
        first = self._read == 0
        for line in self._file:
            self._last = line
            self._read += len(line)
            if first and line.startswith(_BOM):
                if line[3:4] == b'"':  # as reported by users of the real service
                    raise _unescaped()
                line = line[3:]  # noqa: PLW2901  that it is taken off otherwise is unverified
            first = False
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError:  # the words are unverified
                raise CsvError("InvalidBatch : Failed to parse CSV. The data is not UTF-8") from None

    def __iter__(self) -> Iterator[list[str]]:
        while record := self._record():
            yield record

    def _record(self) -> list[str]:
        """The next record that is no empty line; an empty list at the end."""
        record: list[str] = []
        try:
            while not record:
                record = next(self._reader)
                self._check_ending()
                if record and self._is_too_long(record):  # whatever limit the csv module has in this process
                    raise _too_long()
                self.offset = self._read
        except StopIteration:
            return []
        except csv.Error as error:
            if "field larger" in str(error):
                raise _too_long() from None
            if "new-line" in str(error):
                raise self._wrong_ending() from None
            raise _unescaped() from None
        return record

    def _is_too_long(self, record: list[str]) -> bool:
        lengths = [len(value) for value in record]
        return len(record) > MAX_FIELDS or sum(lengths) > MAX_RECORD or max(lengths) > MAX_FIELD

    def _check_ending(self) -> None:
        """Whether the record ended as the job says; the last one of a file need not end at all."""
        crlf = self._dialect.line_ending == "\r\n"
        if self._last.endswith(b"\n") and self._last.endswith(b"\r\n") != crlf:
            raise self._wrong_ending()

    def _wrong_ending(self) -> CsvError:
        said = f"LineEnding is invalid on user data. Current LineEnding setting is {self._ending_name}"
        return CsvError(f"ClientInputError : {said}")


def _unescaped() -> CsvError:
    """As clients report it; that every fault of quoting is told so is unverified."""
    said = "Found unescaped quote. A value with quote should be within a quote"
    return CsvError(f"InvalidBatch : Failed to parse CSV. {said}")


def _too_long() -> CsvError:
    """The limits are documented, the words are unverified."""
    said = f"A record has at most {MAX_FIELDS} fields and {MAX_RECORD} characters, a field {MAX_FIELD}"
    return CsvError(f"InvalidBatch : {said}")
