# ruff: noqa: S608  -- names come from our own configuration and are quoted
"""Loads a Salesforce Data Export into a mirror of its own and publishes it as a snapshot, once and without state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from leakwatch.core.report_inputs import Note
from leakwatch.core.tables import FieldSpec, MirrorConfig, ObjectSpec, snake
from leakwatch.errors import LeakwatchError
from leakwatch.model import Snapshot, Text
from leakwatch.store.export_columns import Inspection, bad_value_notes, inspect, source_sql
from leakwatch.store.export_csv import Part, explain_or_mend, lines_without_id, open_part
from leakwatch.store.export_files import ExportError, ExportFile, UnreadableFileError, discover
from leakwatch.store.mirror import Mirror
from leakwatch.store.mirror_derive import DeriveSettings
from leakwatch.store.mirror_ingest import failure, quoted
from leakwatch.store.snapshot_facts import closed_after

_FRESH = timedelta(days=7)  # Data Export can be scheduled weekly: older data than that were not made for this audit


@dataclass(frozen=True, slots=True)
class LoadedExport:
    """An export, ready for the rules.

    `unreadable` names tables whose files were refused, with the reason; `left_out` columns (table, column) that can't
    be read in one sure way, also those that would be made of them.
    """

    snapshot: Snapshot
    as_of_date: date
    as_of: datetime  # aware; the end of that day in `time_zone`, or the given moment if no day was given
    time_zone: str
    notes: tuple[Note, ...]
    unreadable: Mapping[str, Text] = field(default_factory=dict[str, Text])
    left_out: Mapping[tuple[str, str], Text] = field(default_factory=dict[tuple[str, str], Text])
    ignored: tuple[str, ...] = ()  # files that no rule needs
    newest_change: datetime | None = None  # the newest stamp in the data, aware UTC


class ExportLoader:
    """Loads exports into `folder`, which the caller makes and removes (it holds a copy of the data meanwhile)."""

    def __init__(self, config: MirrorConfig, folder: Path, *, settings: DeriveSettings | None = None) -> None:
        self._config = config
        self._folder = folder
        self._settings = settings or DeriveSettings()

    def load(self, paths: Sequence[Path], *, now: datetime, as_of_date: date | None = None) -> LoadedExport:
        """Return the export at `paths` as a snapshot that is seen from the end of `as_of_date`, or from `now`.

        Raises:
            ExportError: nothing of it can be used; `problems` names each file and what to do.
        """
        found = discover(paths, self._config)
        notes: list[Note] = list(found.notes)
        unreadable: dict[str, Text] = {}
        left_out: dict[tuple[str, str], Text] = {}
        with Mirror(self._folder, self._config) as mirror:
            loaded: list[ObjectSpec] = []
            for spec in self._config.objects:
                files = [file for file in found.files if file.sobject == spec.name]
                if not files:
                    continue
                try:
                    told, reasons = self._load_object(mirror, spec, files)
                    notes += told
                    left_out.update(_left_out(self._config, spec, reasons))
                    loaded.append(spec)
                except UnreadableFileError as error:
                    unreadable[spec.table] = error.text
                    notes.append(Note("file_unreadable", error.text, "warning"))
                except duckdb.Error as error:
                    raise failure(error) from error
            if not loaded:
                raise ExportError([text.en for text in unreadable.values()])
            zone = mirror.time_zone(self._settings)
            moment, day = _seen_from(now, as_of_date, zone)
            stamps = {spec.name: stamp for spec in loaded if (stamp := _newest_change(mirror, spec)) is not None}
            for name, stamp in stamps.items():  # an object without stamps is fresh up to nobody knows when
                mirror.set_watermark(name, stamp)
            notes += mirror.derive(self._settings, now=moment)
            snapshot = mirror.publish(moment, _org_id(mirror))
        newest = max(stamps.values(), default=None)
        if newest is not None:
            notes += _time_notes(snapshot, newest.astimezone(ZoneInfo(zone)).date(), day, given=as_of_date is not None)
        return LoadedExport(snapshot, day, moment, zone, tuple(notes), unreadable, left_out, found.ignored, newest)

    def _load_object(
        self, mirror: Mirror, spec: ObjectSpec, files: Sequence[ExportFile]
    ) -> tuple[list[Note], Mapping[str, Text]]:
        """Load one object; return what is to be told of its files, and why which fields were left out."""
        parts = [open_part(file, spec, mirror.staging, number) for number, file in enumerate(files)]
        connection = mirror.connection
        inspection = _inspect_whole(connection, spec, parts)
        if inspection is None:
            parts = [explain_or_mend(part, mirror.staging, number) for number, part in enumerate(parts)]
            inspection = _inspect_whole(connection, spec, parts)
        if inspection is None:
            raise UnreadableFileError(
                f"{files[0].name}: can't be read as CSV; export it again as Salesforce writes it",
                f"{files[0].name}: CSV olarak okunamadı; Salesforce'un yazdığı gibi yeniden dışa aktarın",
            )
        notes = _encoding_notes(parts) + list(inspection.notes)
        notes += bad_value_notes(connection, spec, parts, inspection)
        fields: dict[str, FieldSpec] = {column.spec.name: column.spec for column in inspection.columns}
        select = ", ".join(column.sql() for column in inspection.columns)
        source = source_sql(parts, [column.spec for column in inspection.columns])
        mirror.load_csv(
            spec.name, f"SELECT {select} FROM ({source}) WHERE NULLIF(trim(\"Id\"), '') IS NOT NULL", fields
        )
        notes += _row_notes(mirror, spec, parts, inspection)
        for path in mirror.staging.glob(f"*{spec.table}_*.csv"):
            path.unlink()
        return notes, inspection.left_out


def _left_out(config: MirrorConfig, spec: ObjectSpec, reasons: Mapping[str, Text]) -> dict[tuple[str, str], Text]:
    """Return why columns of the mirror are not there: those of the fields in `reasons`, and what is made of them."""
    by_column = {snake(name): reason for name, reason in reasons.items()}
    found: dict[tuple[str, str], Text] = {}
    for column in config.catalog()[spec.table] if reasons else ():
        sources = sorted(config.sources(spec.table, column) & by_column.keys())
        if sources:
            found[spec.table, column] = by_column[sources[0]]
    return found


def _inspect_whole(connection: duckdb.DuckDBPyConnection, spec: ObjectSpec, parts: Sequence[Part]) -> Inspection | None:
    """Return the inspection if every row that the files have was read, else None: rows are never lost silently."""
    if any(part.rows is None for part in parts):
        return None
    try:
        inspection = inspect(connection, spec, parts)
    except duckdb.InvalidInputException:  # its words show CRM text: a slow reading finds better ones
        return None
    return inspection if inspection.rows == sum(part.rows or 0 for part in parts) else None


def _seen_from(now: datetime, as_of_date: date | None, zone: str) -> tuple[datetime, date]:
    """Return the moment and the day that the audit looks from."""
    if as_of_date is None:
        return now, now.astimezone(ZoneInfo(zone)).date()
    last_second = datetime.combine(as_of_date, time(23, 59, 59), tzinfo=ZoneInfo(zone))
    return last_second.astimezone(UTC), as_of_date


def _row_notes(mirror: Mirror, spec: ObjectSpec, parts: Sequence[Part], inspection: Inspection) -> list[Note]:
    notes: list[Note] = []
    name = " + ".join(part.file.name for part in parts[:3])
    missing = inspection.without_id
    if missing:
        where = "; ".join(lines_without_id(parts))
        notes.append(
            Note(
                "rows_without_id",
                Text(
                    en=f"{name}: {missing} of {inspection.rows} rows have no Id and were left out ({where}).",
                    tr=f"{name}: {inspection.rows} satırdan {missing} tanesinde Id yok; dışarıda bırakıldı ({where}).",
                ),
                "warning",
            )
        )
    twice = mirror.drop_doubles(spec.name)
    folders = {part.file.name.rpartition("/")[0] for part in parts}
    if twice:
        rows = "1 row repeats" if twice == 1 else f"{twice:,} rows repeat"
        en = f"{name}: {rows} an Id; of each the one changed last was kept."
        tr = f"{name}: {twice} satır aynı Id ile yineleniyor; her birinden son değişen tutuldu."
        if len(parts) > 1:
            en += " If these are two exports, give only one: what was deleted in between is judged as if still there."
            tr += " Bunlar iki ayrı dışa aktarımsa yalnızca birini verin: arada silinenler hâlâ varmış gibi"
            tr += " değerlendirildi."
        notes.append(Note("rows_twice", Text(en, tr), "warning"))
    elif len(folders) > 1:
        notes.append(
            Note(
                "files_joined",
                Text(
                    en=f"{name} share no Id and were read as parts of one table.",
                    tr=f"{name} ortak Id içermiyor; tek tablonun parçaları olarak okundu.",
                ),
            )
        )
    return notes


def _encoding_notes(parts: Sequence[Part]) -> list[Note]:
    return [
        Note(
            "encoding",
            Text(
                en=f"{part.file.name} is not UTF-8; it was read as {part.assumed[0]}.",
                tr=f"{part.file.name} UTF-8 değil; {part.assumed[1]} olarak okundu.",
            ),
        )
        for part in parts
        if part.assumed is not None
    ]


def _newest_change(mirror: Mirror, spec: ObjectSpec) -> datetime | None:
    """Return the newest stamp of the object's rows, aware UTC."""
    if not spec.stamp or spec.stamp not in mirror.fields(spec.name):
        return None
    column = quoted(next(item.column for item in spec.fields if item.name == spec.stamp))
    row = mirror.connection.execute(f"SELECT max({column}) FROM {quoted(spec.table)}").fetchone()
    return row[0].replace(tzinfo=UTC) if row and row[0] is not None else None


def _time_notes(snapshot: Snapshot, newest: date, day: date, *, given: bool) -> list[Note]:
    """Return what to say where the newest change in the data and the day looked from are far apart; `given` by hand."""
    if newest > day:
        later = closed_after(snapshot, day)
        text = Text(
            en=f"The data hold changes up to {newest.isoformat()}, after the day looked from ({day.isoformat()}). They"
            f" can't be undone: a deal counts as open or closed as it stands in the data. {later} deals closed after"
            " that day are left out by the rules on won and lost deals.",
            tr=f"Veri, bakılan günden ({_turkish(day)}) sonraki değişiklikleri de içeriyor (son: {_turkish(newest)})."
            f" Bunlar geri alınamaz: fırsat, verideki hâliyle açık ya da kapalı sayıldı. O günden sonra kapanan {later}"
            " fırsat, kazanılan ve kaybedilen fırsat kurallarının dışında bırakıldı.",
        )
        return [Note("data_newer_than_audit", text, "warning")]
    if day - newest <= _FRESH:
        return []
    if given:
        text = Text(
            en=f"The newest change in the data is of {newest.isoformat()}, {(day - newest).days} days before the day"
            f" looked from ({day.isoformat()}): what happened since is not in it.",
            tr=f"Verideki son değişiklik {_turkish(newest)} tarihli, bakılan günden ({_turkish(day)})"
            f" {(day - newest).days} gün önce: o günden sonra olanlar veride yok.",
        )
    else:
        text = Text(
            en=f"The newest change in the data is of {newest.isoformat()}, but all is judged as of today; for that day"
            f" give --as-of {newest.isoformat()}.",
            tr=f"Verideki son değişiklik {_turkish(newest)} tarihli, oysa bugüne göre değerlendirildi; o gün için"
            f" --as-of {newest.isoformat()} verin.",
        )
    return [Note("data_older_than_audit", text, "warning")]


def _turkish(day: date) -> str:
    return day.strftime("%d.%m.%Y")


def _org_id(mirror: Mirror) -> str:
    if mirror.fields("Organization"):
        row = mirror.connection.execute("SELECT id FROM sf_organization LIMIT 1").fetchone()
        if row and row[0]:
            return str(row[0])
    return "export"


__all__ = ["ExportError", "ExportLoader", "LeakwatchError", "LoadedExport"]
