"""The result of a query job on disk: rows as they are sent, and where each begins.

The index (8 bytes a row) makes any slice of rows a slice of bytes: pages of any size, again and again and several
at once, cost one seek each.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

BLOCK = 1 << 16  # bytes that are read and sent at once
_FLUSH = 1 << 20
_PLACE = struct.Struct("<Q")


def index_of(path: Path) -> Path:
    """Where the index of a result is."""
    return path.with_name(f"{path.name}.at")


def write(path: Path, header: bytes, lines: Iterable[bytes], stop: threading.Event) -> int:
    """Write a result; how many rows it has. Set `stop` to leave off."""
    count, place = 0, len(header)
    held, places = [header], [_PLACE.pack(place)]
    size = 0
    with path.open("wb") as rows, index_of(path).open("wb") as index:
        for line in lines:
            held.append(line)
            count += 1
            size += len(line)
            place += len(line)
            places.append(_PLACE.pack(place))
            if size > _FLUSH:
                rows.write(b"".join(held))
                index.write(b"".join(places))
                held, places, size = [], [], 0
                if stop.is_set():
                    break
        rows.write(b"".join(held))
        index.write(b"".join(places))
    return count


class Result:
    """A written result."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.count = index_of(path).stat().st_size // _PLACE.size - 1
        """How many rows there are."""

    def size(self) -> int:
        """Bytes of the whole result."""
        return self._path.stat().st_size

    def page(self, start: int, count: int) -> Iterator[bytes]:
        """The header and `count` rows from the one at `start` (0 is the first).

        The file is open from now on, so a job that is deleted meanwhile is sent to its end.
        """
        with index_of(self._path).open("rb") as index:
            header, begin, end = (_place(index, row) for row in (0, start, min(start + count, self.count)))
        return spans(self._path.open("rb"), [(0, header), (begin, end)])


def spans(file: BinaryIO, wanted: list[tuple[int, int]]) -> Iterator[bytes]:
    """The bytes of a file from each first place up to the second, in blocks; closes the file."""
    with file:
        for begin, end in wanted:
            file.seek(begin)
            left = end - begin
            while left > 0 and (block := file.read(min(left, BLOCK))):
                left -= len(block)
                yield block


def _place(index: BinaryIO, row: int) -> int:
    index.seek(row * _PLACE.size)
    return int(_PLACE.unpack(index.read(_PLACE.size))[0])
