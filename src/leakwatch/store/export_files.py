"""The files of a Salesforce Data Export: finding them in folders and ZIPs, and making clean UTF-8 CSV of each.

Taken as people have them: one folder, one ZIP, the several `WE_*.ZIP` of a big org, or single CSV files. A file is
known by its name, which is the object's API name: `Opportunity.csv`, also numbered as in `Opportunity_1.csv`,
`Opportunity-2.csv` or `Opportunity (3).csv`; parts of one object are read as one table.
"""

from __future__ import annotations

import re
import shutil
import zipfile
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from leakwatch.core.tables import MirrorConfig
from leakwatch.errors import LeakwatchError
from leakwatch.model import Text

BLOCK_BYTES = 1 << 20
_NUMBERED = re.compile(r"(.+?)[ _.-]?\(?\d{1,4}\)?")
_SIGNATURES = (
    (b"PK\x03\x04", "a ZIP or Excel file", "ZIP ya da Excel dosyası"),
    (b"%PDF", "a PDF", "PDF"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file", "eski bir Excel dosyası"),
    (b"<", "a web page or XML", "web sayfası ya da XML"),
    (b"{", "JSON", "JSON"),
)


class ExportError(LeakwatchError):
    """The export as a whole can't be used; `problems` has a sentence for each reason."""

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("; ".join(self.problems))


class UnreadableFileError(LeakwatchError):
    """One file of the export can't be used: only the rules that need its object are switched off."""

    def __init__(self, en: str, tr: str) -> None:
        self.text = Text(en=en, tr=tr)
        super().__init__(en)


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One CSV of the export: the object it belongs to, its name for messages, and where its bytes are."""

    sobject: str
    name: str
    path: Path  # the CSV itself, or the ZIP that holds it
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found: files of objects we know, and the names of files that no rule needs."""

    files: tuple[ExportFile, ...]
    ignored: tuple[str, ...]


def discover(paths: Sequence[Path], config: MirrorConfig) -> Discovery:
    """Return the files of the export at `paths`.

    Raises:
        ExportError: a path is missing, a ZIP is broken or locked, or no file of any known object is there. A ZIP that
            can't be read stops everything, because it may hold part of any object.
    """
    problems: list[str] = []
    files: list[ExportFile] = []
    ignored: list[str] = []
    for path in paths:
        if not path.exists():
            problems.append(f"{path}: there is no such file or folder")
            continue
        inside = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
        for item in inside:
            suffix = item.suffix.lower()
            if suffix == ".zip":
                try:
                    _look_into_zip(item, config, files, ignored)
                except ExportError as error:
                    problems += error.problems
            elif suffix == ".csv":
                _sort_in(item.name, ExportFile("", item.name, item), config, files, ignored)
            elif not path.is_dir():
                problems.append(f"{path}: neither a folder, a ZIP nor a CSV file; export as CSV (Setup, Data Export)")
            else:
                ignored.append(item.name)
    if not files and not problems:
        where = ", ".join(str(path) for path in paths) or "nothing was given"
        seen = f"; found {', '.join(ignored[:5])}" if ignored else ""
        problems.append(
            f"no file of a Salesforce Data Export in {where}{seen}. Expected files named after objects, such as"
            " Opportunity.csv, Lead.csv, Account.csv, User.csv or Task.csv"
        )
    if problems:
        raise ExportError(problems)
    return Discovery(tuple(sorted(files, key=lambda file: (file.sobject, file.name))), tuple(ignored))


def _look_into_zip(path: Path, config: MirrorConfig, files: list[ExportFile], ignored: list[str]) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile as error:
        raise ExportError(
            f"{path.name}: not a whole ZIP file, the download may have broken off; download it again"
        ) from error
    except OSError as error:
        raise ExportError(f"{path.name}: can't be read: {error.strerror}") from error
    for info in members:
        base = info.filename.replace("\\", "/").rsplit("/", 1)[-1]
        if info.filename.startswith("__MACOSX/") or base.startswith("._"):
            continue
        if info.flag_bits & 1 and base.lower().endswith(".csv"):
            raise ExportError(f"{path.name}: locked with a password; unpack it yourself and give the folder")
        if base.lower().endswith(".csv"):
            found = ExportFile("", f"{path.name}/{base}", path, info.filename)
            _sort_in(base, found, config, files, ignored)
        else:
            ignored.append(f"{path.name}/{base}")


def _sort_in(base: str, file: ExportFile, config: MirrorConfig, files: list[ExportFile], ignored: list[str]) -> None:
    stem = base.rsplit(".", 1)[0].strip()
    spec = config.object(stem)
    if spec is None and (numbered := _NUMBERED.fullmatch(stem)):
        spec = config.object(numbered[1])
    if spec is None:
        ignored.append(file.name)
    else:
        files.append(ExportFile(spec.name, file.name, file.path, file.member))


@contextmanager
def _opened(file: ExportFile) -> Generator[IO[bytes]]:
    if file.member is None:
        with file.path.open("rb") as stream:
            yield stream
        return
    with zipfile.ZipFile(file.path) as archive, archive.open(file.member) as stream:
        yield stream


def unpack(file: ExportFile, target: Path) -> Path:
    """Return the path of the file's bytes on disk: its own, or `target` for one inside a ZIP.

    Raises:
        UnreadableFileError: the ZIP's contents are damaged, or the disk is full.
    """
    if file.member is None:
        return file.path
    try:
        with zipfile.ZipFile(file.path) as archive:
            size = archive.getinfo(file.member).file_size
        if size > shutil.disk_usage(target.parent).free:
            raise UnreadableFileError(
                f"{file.name}: needs {size // 1_000_000} MB to unpack, more than the disk has left; free some space",
                f"{file.name}: açmak için {size // 1_000_000} MB gerekli, diskte yer yok; yer açın",
            )
        with _opened(file) as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out, BLOCK_BYTES)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UnreadableFileError(
            f"{file.name}: damaged inside the ZIP; download the ZIP again",
            f"{file.name}: ZIP içinde bozuk; ZIP'i yeniden indirin",
        ) from error
    return target


def refuse_what_is_no_csv(file: ExportFile, path: Path) -> None:
    """Raise UnreadableFileError if the file is empty or plainly something else than CSV."""
    with path.open("rb") as stream:
        start = stream.read(4096)
    if not start.strip():
        raise UnreadableFileError(
            f"{file.name}: empty, without even a header; export this object again",
            f"{file.name}: boş, başlık satırı bile yok; bu nesneyi yeniden dışa aktarın",
        )
    for signature, en, tr in _SIGNATURES:
        if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(signature):
            raise UnreadableFileError(
                f"{file.name}: this is {en}, not CSV; export as CSV (Setup, Data Export)",
                f"{file.name}: bu bir {tr}, CSV değil; CSV olarak dışa aktarın (Kurulum, Veri Dışa Aktarma)",
            )
