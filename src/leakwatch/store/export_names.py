"""What the name of an export file says: the object it belongs to, a part of it, a copy of it, or nothing we know.

Data Export names its files after objects: `Opportunity.csv`. A big object comes in numbered parts: `Opportunity_1.csv`,
`Opportunity-2.csv` or `Opportunity (3).csv`. People add dates and make copies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from leakwatch.core.tables import MirrorConfig

_PART = re.compile(r"(.+?)[ _.-]?\(?\d{1,4}\)?")
_LOOSE = (
    re.compile(r"(.+?)[ _.-]*(?:19|20)\d{2}[-_.]?\d{2}[-_.]?\d{2}(?:[ T_-]*\d{4,6}Z?)?"),  # Opportunity_20260331
    re.compile(r"(.+?)[ _-]+(?:copy|kopya|kopyası|kopie)(?:[ _]?\(\d{1,3}\))?", re.IGNORECASE),
    re.compile(r"(?:copy of|kopya) (.+)", re.IGNORECASE),
)
_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*|[A-Za-z]\w*__[A-Za-z]+")
_TABLES = frozenset(
    (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers", ".txt", ".tsv", ".tab", ".json", ".xml", ".parquet")
)
_PACKED = frozenset((".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".tgz"))
_JUNK = frozenset(("thumbs.db", "desktop.ini"))

Kind = Literal["object", "loose", "other", "strange", "junk"]


@dataclass(frozen=True, slots=True)
class Named:
    """What a name says.

    Attributes:
        kind: `object` (a file of `sobject`, or a numbered part of it), `loose` (one with a date or a copy's name),
            `other` (of an object that no rule needs, or an attachment), `strange` (it may hold data, but nobody can
            tell of which object, or it can't be read), `junk` (left by the operating system).
    """

    kind: Kind
    sobject: str | None = None


def judge(base: str, config: MirrorConfig) -> Named:
    """Return what the file name `base` (without folders; no ZIP) says."""
    stem, _, ending = base.rpartition(".")
    suffix = f".{ending.lower()}" if stem else ""
    if base.startswith((".", "~$")) or base.lower() in _JUNK:
        return Named("junk")
    if suffix != ".csv":
        return Named("strange" if suffix in _TABLES | _PACKED else "other")
    stem = stem.strip()
    part = _PART.fullmatch(stem)
    spec = config.object(stem) or (config.object(part[1]) if part else None)
    if spec is not None:
        return Named("object", spec.name)
    for pattern in _LOOSE:
        loose = pattern.fullmatch(stem)
        spec = config.object(loose[1].strip()) if loose else None
        if spec is not None:
            return Named("loose", spec.name)
    plurals = {word for item in config.objects for word in (f"{item.name}s".lower(), f"{item.name[:-1]}ies".lower())}
    known = _API_NAME.fullmatch(stem) and stem.lower() not in plurals
    return Named("other" if known else "strange")
