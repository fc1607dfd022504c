"""Encodings of export files: strict UTF-8 first, then Turkish or Western Windows text by the evidence in the bytes."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from leakwatch.store.export_files import BLOCK_BYTES, ExportFile, UnreadableFileError

# The six letters in which cp1254 (Turkish) and ISO-8859-1 (Western) differ: Ğ İ Ş ğ ı ş against Ð Ý Þ ð ý þ.
_DIFFERENT = bytes([0xD0, 0xDD, 0xDE, 0xF0, 0xFD, 0xFE])
# Letters of Western text, above all of Icelandic, the one big language of Ð, Ý and Þ, that Turkish does not have:
# Á É Í Ó Ú Æ á é í ó ú æ. Turkish has one of the six letters above for about every twelve letters of text, and hardly
# any of these, so half as many of these already speak for Western text.
_WESTERN = bytes([0xC1, 0xC9, 0xCD, 0xD3, 0xDA, 0xC6, 0xE1, 0xE9, 0xED, 0xF3, 0xFA, 0xE6])
_WINDOWS_ONLY = bytes(range(0x80, 0xA0))  # quotes, dashes and the euro sign in Windows, nothing printable in ISO
_UNDEFINED = {
    "cp1254": bytes([0x81, 0x8D, 0x8E, 0x8F, 0x90, 0x9D, 0x9E]),
    "cp1252": bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D]),
}
_WORDS = {
    "cp1254": ("Turkish Windows text (cp1254)", "Türkçe Windows metni (cp1254)"),
    "cp1252": ("Western Windows text (cp1252)", "Batı Avrupa Windows metni (cp1252)"),
    "iso-8859-1": ("Western text (ISO-8859-1)", "Batı Avrupa metni (ISO-8859-1)"),
    "utf-16": ("Unicode text (UTF-16)", "Unicode metin (UTF-16)"),
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of a file, and in words (English, Turkish) what was assumed, if anything was."""

    name: str
    assumed: tuple[str, str] | None = None


def detect(file: ExportFile, path: Path) -> Encoding:
    """Return the file's encoding.

    Raises:
        UnreadableFileError: it is binary, mostly UTF-8 with broken bytes, or has bytes that mean nothing.
    """
    with path.open("rb") as stream:
        start = stream.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Encoding("utf-16", _WORDS["utf-16"])
    broken = _first_broken_utf8(file, path)
    if broken is None:
        return Encoding("utf-8")
    counts = _count_bytes(path)
    return _judge(file, path, counts, broken)


def _first_broken_utf8(file: ExportFile, path: Path) -> int | None:
    """Return the offset of the first byte that is not UTF-8, or None."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    offset = 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            if b"\x00" in block:
                raise UnreadableFileError(
                    f"{file.name}: binary, not text; export as CSV in UTF-8",
                    f"{file.name}: metin değil, ikili dosya; UTF-8 CSV olarak dışa aktarın",
                )
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                return offset + error.start
            offset += len(block)
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return offset
    return None


def _count_bytes(path: Path) -> list[int]:
    counts = [0] * 256
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            high = block.translate(None, bytes(range(0x80)))
            for value in set(high):
                counts[value] += high.count(value)
    return counts


def _judge(file: ExportFile, path: Path, counts: list[int], broken: int) -> Encoding:
    line = _line_at(path, broken)
    if _valid_utf8_letters(path) > 2 * _broken_utf8_bytes(path):
        raise UnreadableFileError(
            f"{file.name}, line {line}: a byte that is not UTF-8 although the rest of the file is; export it again",
            f"{file.name}, satır {line}: dosyanın geri kalanı UTF-8 iken bu bayt değil; yeniden dışa aktarın",
        )

    def total(values: bytes) -> int:
        return sum(counts[value] for value in values)

    if total(_DIFFERENT) > 2 * total(_WESTERN):
        name = "cp1254"
    elif total(_WINDOWS_ONLY):
        name = "cp1252"
    else:
        name = "iso-8859-1"
    undefined = [value for value in _UNDEFINED.get(name, b"") if counts[value]]
    if undefined:
        where = _line_of_byte(path, undefined[0])
        raise UnreadableFileError(
            f"{file.name}, line {where}: the byte 0x{undefined[0]:02X} is no letter in UTF-8, ISO-8859-1 or cp1254;"
            " export again in UTF-8",
            f"{file.name}, satır {where}: 0x{undefined[0]:02X} baytı UTF-8, ISO-8859-1 ve cp1254 içinde harf değil;"
            " UTF-8 olarak yeniden dışa aktarın",
        )
    return Encoding(name, _WORDS[name])


def _valid_utf8_letters(path: Path) -> int:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    letters = 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            text = decoder.decode(block)
            letters += sum(1 for char in text if char > "\x7f" and char != "\ufffd") if not text.isascii() else 0
    return letters


def _broken_utf8_bytes(path: Path) -> int:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with path.open("rb") as stream:
        return sum(decoder.decode(block).count("\ufffd") for block in iter(lambda: stream.read(BLOCK_BYTES), b""))


def _line_at(path: Path, offset: int) -> int:
    """Return the line (from 1) of the byte at `offset`."""
    lines = 1
    with path.open("rb") as stream:
        while offset > 0 and (block := stream.read(min(BLOCK_BYTES, offset))):
            lines += block.count(b"\n")
            offset -= len(block)
    return lines


def _line_of_byte(path: Path, value: int) -> int:
    lines = 1
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            place = block.find(bytes([value]))
            if place >= 0:
                return lines + block.count(b"\n", 0, place)
            lines += block.count(b"\n")
    return lines


def transcode(path: Path, encoding: str, target: Path) -> None:
    """Write `path` as UTF-8 to `target`. Raises UnicodeError where the encoding turns out wrong."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with path.open("rb") as stream, target.open("wb") as out:
        while block := stream.read(BLOCK_BYTES):
            out.write(decoder.decode(block).encode("utf-8"))
        out.write(decoder.decode(b"", final=True).encode("utf-8"))
