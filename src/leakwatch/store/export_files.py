"""The files of a Salesforce Data Export: finding them in folders and ZIPs, and making clean UTF-8 CSV of each.

Taken as people have them: one folder, one ZIP (or a ZIP of ZIPs), the several `WE_*.ZIP` of a big org, or single CSV
files. A file is known by its name (`export_names`); parts of one object are read as one table.
"""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from leakwatch.core.report_inputs import Note
from leakwatch.core.tables import MirrorConfig
from leakwatch.errors import LeakwatchError
from leakwatch.model import Text
from leakwatch.store.export_names import judge

BLOCK_BYTES = 1 << 20
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
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
    name: str  # relative to the path that was given
    path: Path  # the CSV itself, or the ZIP that holds it
    members: tuple[str, ...] = ()  # the way into the ZIP; two names where a ZIP lies in a ZIP


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found: files of objects we know, the names of all other files, and what the reader must know of them."""

    files: tuple[ExportFile, ...]
    ignored: tuple[str, ...]
    notes: tuple[Note, ...] = ()


@dataclass(slots=True)
class _Found:
    """What was found so far."""

    config: MirrorConfig
    problems: list[str] = field(default_factory=list[str])
    files: list[ExportFile] = field(default_factory=list[ExportFile])
    loose: list[ExportFile] = field(default_factory=list[ExportFile])
    strange: list[str] = field(default_factory=list[str])
    other: list[str] = field(default_factory=list[str])

    def add(self, file: ExportFile) -> None:
        """Sort the file in by its name; `sobject` is not known yet."""
        named = judge(file.name.rsplit("/", 1)[-1], self.config)
        if named.sobject is not None:
            (self.files if named.kind == "object" else self.loose).append(replace(file, sobject=named.sobject))
        elif named.kind != "junk":
            (self.strange if named.kind == "strange" else self.other).append(file.name)


def discover(paths: Sequence[Path], config: MirrorConfig) -> Discovery:
    """Return the files of the export at `paths`.

    Raises:
        ExportError: a path is missing, a ZIP is broken or locked, or no file of any known object is there. A ZIP that
            can't be read stops everything, because it may hold part of any object.
    """
    found = _Found(config)
    for path in paths:
        if not path.exists():
            found.problems.append(f"{path}: there is no such file or folder")
            continue
        inside = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
        for item in inside:
            name = item.relative_to(path).as_posix() if path.is_dir() else item.name
            if path.is_dir() and len(paths) > 1:
                name = f"{path.name}/{name}"
            if item.suffix.lower() == ".zip":
                _look_into_zip(item, name, found)
            elif path.is_dir() or item.suffix.lower() == ".csv":
                found.add(ExportFile("", name, item))
            else:
                found.problems.append(
                    f"{path}: neither a folder, a ZIP nor a CSV file; export as CSV (Setup, Data Export)"
                )
    files, notes = _with_loose(found)
    ignored = [*found.strange, *found.other]
    if not files and not found.problems:
        where = ", ".join(str(path) for path in paths) or "nothing was given"
        seen = f"; found {_some(ignored)}" if ignored else ""
        found.problems.append(
            f"no file of a Salesforce Data Export in {where}{seen}. Expected files named after objects, such as"
            " Opportunity.csv, Lead.csv, Account.csv, User.csv or Task.csv"
        )
    if found.problems:
        raise ExportError(found.problems)
    return Discovery(
        tuple(sorted(files, key=lambda file: (file.sobject, file.name))),
        tuple(ignored),
        (*notes, *_passed_over(found)),
    )


def _with_loose(found: _Found) -> tuple[list[ExportFile], list[Note]]:
    """Return the files to read: of those with a date or a copy's name each that is the only one of its object."""
    files = list(found.files)
    notes: list[Note] = []
    for file in found.loose:
        rivals = [item.name for item in (*found.files, *found.loose) if item.sobject == file.sobject and item != file]
        if rivals:
            found.strange.append(file.name)
            continue
        files.append(file)
        text = Text(
            en=f"{file.name} is taken to be the file of {file.sobject}; there is no other.",
            tr=f"{file.name}, {file.sobject} dosyası sayıldı; başkası yok.",
        )
        notes.append(Note("file_named_loosely", text))
    return files, notes


def _passed_over(found: _Found) -> list[Note]:
    notes: list[Note] = []
    if found.strange:
        names = _some(found.strange)
        text = Text(
            en=f"Not read, although they may hold data: {names}. Export as CSV and name each file after its object,"
            " such as Opportunity.csv; of two files of one object keep one.",
            tr=f"Veri içerebileceği hâlde okunmadı: {names}. CSV olarak dışa aktarın ve her dosyaya nesnesinin adını"
            " verin (Opportunity.csv gibi); aynı nesnenin iki dosyasından birini bırakın.",
        )
        notes.append(Note("files_not_read", text, "warning"))
    if found.other:
        names = _some(found.other)
        text = Text(
            en=f"Not needed by any rule and not read: {names}.",
            tr=f"Hiçbir kural gerektirmediği için okunmadı: {names}.",
        )
        notes.append(Note("files_not_needed", text))
    return notes


def _some(names: Sequence[str], limit: int = 8) -> str:
    more = f" (+{len(names) - limit})" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _look_into_zip(path: Path, name: str, found: _Found, members: tuple[str, ...] = ()) -> None:
    """Add what the ZIP holds; `members` is the way to it where it lies in another ZIP."""
    try:
        with _opened_zip(path, members) as archive:
            inside = [info for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile:
        found.problems.append(f"{name}: not a whole ZIP file, the download may have broken off; download it again")
        return
    except OSError as error:
        found.problems.append(f"{name}: can't be read: {error.strerror}")
        return
    except _DAMAGE:
        found.problems.append(f"{name}: damaged inside the ZIP; download the ZIP again")
        return
    for info in inside:
        member = info.filename.replace("\\", "/")
        base = member.rsplit("/", 1)[-1]
        if member.startswith("__MACOSX/"):
            continue
        packed = base.lower().endswith(".zip")
        if info.flag_bits & 1 and (packed or base.lower().endswith(".csv")):
            found.problems.append(f"{name}: locked with a password; unpack it yourself and give the folder")
            return
        if packed and members:
            found.problems.append(f"{name}/{member}: a ZIP in a ZIP in a ZIP; unpack it yourself and give the folder")
        elif packed:
            _look_into_zip(path, f"{name}/{member}", found, (info.filename,))
        else:
            found.add(ExportFile("", f"{name}/{member}", path, (*members, info.filename)))


@contextmanager
def _opened_zip(path: Path, members: Sequence[str]) -> Generator[zipfile.ZipFile]:
    """Open the ZIP at `path`, or the one that lies in it at `members`."""
    with ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(path))
        for member in members:
            archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(archive.open(member))))
        yield archive


def unpack(file: ExportFile, target: Path) -> Path:
    """Return the path of the file's bytes on disk: its own, or `target` for one inside a ZIP.

    Raises:
        UnreadableFileError: the ZIP's contents are damaged, or the disk is full.
    """
    if not file.members:
        return file.path
    try:
        with _opened_zip(file.path, file.members[:-1]) as archive:
            size = archive.getinfo(file.members[-1]).file_size
            if size > shutil.disk_usage(target.parent).free:
                megabytes = size // 1_000_000
                raise UnreadableFileError(
                    f"{file.name}: needs {megabytes} MB to unpack, more than the disk has left; free some space",
                    f"{file.name}: açmak için {megabytes} MB gerekli, diskte yer yok; yer açın",
                )
            with archive.open(file.members[-1]) as stream, target.open("wb") as out:
                shutil.copyfileobj(stream, out, BLOCK_BYTES)
    except _DAMAGE as error:
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
