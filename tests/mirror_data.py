"""Small mirrors for tests: rows in, a published snapshot out."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from leakwatch.core.tables import FieldSpec, MirrorConfig
from leakwatch.model import Snapshot
from leakwatch.store.mirror import Mirror
from leakwatch.store.mirror_config import load_mirror_config
from leakwatch.store.mirror_derive import DeriveSettings

ROOT = Path(__file__).parent.parent
NOON = datetime(2026, 3, 31, 9, 0, tzinfo=UTC)  # a Tuesday, noon in Istanbul
ISTANBUL = DeriveSettings(time_zone="Europe/Istanbul", default_currency="TRY")

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


@lru_cache
def shipped_config() -> MirrorConfig:
    """The mirror configuration that is shipped."""
    return load_mirror_config(ROOT / "config" / "mirror.yaml")


def fields_of(config: MirrorConfig, sobject: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, FieldSpec]:
    """The configured fields that occur in `rows`."""
    spec = config.object(sobject)
    assert spec is not None
    names = {name for row in rows for name in row}
    unknown = names - {item.name for item in spec.fields}
    assert not unknown, f"not in mirror.yaml: {unknown}"
    return {item.name: item for item in spec.fields if item.name in names}


def publish(
    folder: Path,
    data: Rows,
    *,
    now: datetime = NOON,
    settings: DeriveSettings = ISTANBUL,
    config: MirrorConfig | None = None,
) -> Snapshot:
    """A snapshot of `data` (Salesforce API names), each table fresh as of `now`."""
    config = config or shipped_config()
    with Mirror(folder, config) as mirror:
        for sobject, rows in data.items():
            mirror.merge(sobject, rows, fields=fields_of(config, sobject, rows), watermark=now)
        mirror.derive(settings, now=now)
        return mirror.publish(now, "00D000000000001AAA")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], *, delimiter: str = ",", encoding: str = "utf-8") -> None:
    """A CSV as Data Export writes it: all values quoted, None as nothing."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, delimiter=delimiter, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows(["" if value is None else value for value in row.values()] for row in rows)
