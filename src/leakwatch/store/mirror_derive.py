"""Builds the next snapshot: every mirrored table with its derived columns, and the tables that leakwatch generates.

What is delicate is worked out here once, so that no rule has to: seconds and local dates beside timestamps, folded
names, what a stage means, which reason was given, who was last in touch and when.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb

from leakwatch.core.names import fold
from leakwatch.core.report_inputs import Note
from leakwatch.core.tables import DERIVED, FieldType, MirrorConfig, ObjectSpec, epoch_column, local_date_column, snake
from leakwatch.core.working_time import WorkingTime
from leakwatch.store import mirror_meanings as meanings
from leakwatch.store.mirror_build import Build
from leakwatch.store.mirror_ingest import CsvSource, literal, quoted
from leakwatch.store.mirror_meetings import build_meetings
from leakwatch.store.mirror_people import PEOPLE_READ, PEOPLE_TABLES, build_people
from leakwatch.store.mirror_reuse import Reuse
from leakwatch.store.mirror_touch import build_touches

# Blanks that people and web forms leave: every space of Unicode, the zero-width space and the BOM, which show nothing.
_BLANKS = literal(
    " \t\r\n\u000b\u000c\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\u200b\ufeff"
)


@dataclass(frozen=True, slots=True)
class DeriveSettings:
    """What the org says about itself, or the configuration where it does not. None = ask the mirrored tables."""

    time_zone: str | None = None  # IANA name; local dates are days there
    default_currency: str | None = None  # ISO 4217, of amounts in an org with one currency
    working: WorkingTime = field(default_factory=WorkingTime)  # waiting is counted in these hours


def build_derived(
    connection: duckdb.DuckDBPyConnection,
    config: MirrorConfig,
    settings: DeriveSettings,
    *,
    now: datetime,
    folder: Path,
    reuse: Reuse,
) -> tuple[Note, ...]:
    """Fill the attached database `next` from the live tables; return the assumptions made on the way.

    `reuse` (entered) says what can be taken over from the last snapshot.
    """
    build = Build(connection, config)
    build.now = now
    build.folder = folder
    build.reuse = reuse
    build.zone = _zone(build, settings)
    currency = _default_currency(build, settings)
    for spec in config.objects:
        if spec.table in build.columns:
            _build_table(build, spec, currency)
    build_touches(build)
    if not build.take(reuse.recipe(PEOPLE_READ, repr(config)), *PEOPLE_TABLES):
        build_people(build)
    meetings = build_meetings(build, settings.working)
    _build_bookkeeping(build, currency, meetings=meetings)
    reuse.write_down()
    return tuple(item.note for item in build.notes)


def org_time_zone(connection: duckdb.DuckDBPyConnection, config: MirrorConfig, settings: DeriveSettings) -> str:
    """Return the IANA name of the time zone in which local dates are days."""
    return _zone(Build(connection, config), settings)


def _zone(build: Build, settings: DeriveSettings) -> str:
    """Return the org's time zone: told, else of the Organization row, else the commonest of its users, else UTC."""
    name = settings.time_zone
    if name is None and build.has("sf_organization", "time_zone_sid_key"):
        rows = build.run("SELECT time_zone_sid_key FROM sf_organization WHERE time_zone_sid_key IS NOT NULL LIMIT 1")
        name = str(rows[0][0]) if rows else None
    if name is None and build.has("sf_user", "time_zone_sid_key"):
        rows = build.run(
            "SELECT time_zone_sid_key FROM sf_user WHERE time_zone_sid_key IS NOT NULL"
            " GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
        )
        if rows:
            name = str(rows[0][0])
            build.assume(
                "*", "zone_of_users",
                f"The org's time zone is not in the data; days are days in {name}, the commonest zone of its users.",
                f"Kuruluşun saat dilimi veride yok; günler, kullanıcıların çoğunun saat dilimi {name} ile sayıldı.",
            )  # fmt: skip
    if name is None:
        build.assume(
            "*", "zone_unknown",
            "The org's time zone is not in the data; days are days in UTC.",
            "Kuruluşun saat dilimi veride yok; günler UTC ile sayıldı.",
        )  # fmt: skip
        return "UTC"
    try:
        ZoneInfo(name)
        build.run(f"SELECT TIMESTAMPTZ '2000-01-01 00:00:00+00' AT TIME ZONE {literal(name)}")
    except (ZoneInfoNotFoundError, ValueError, duckdb.Error):
        build.assume(
            "*", "zone_invalid",
            f"{name} is not a known time zone; days are days in UTC.",
            f"{name} bilinen bir saat dilimi değil; günler UTC ile sayıldı.",
            warning=True,
        )  # fmt: skip
        return "UTC"
    return name


def _default_currency(build: Build, settings: DeriveSettings) -> str | None:
    """Return the one currency of all amounts, or None if nobody knows or rows carry their own."""
    for table, columns in build.columns.items():
        if "currency_iso_code" in columns and build.run(
            f"SELECT 1 FROM {quoted(table)} WHERE currency_iso_code IS NOT NULL LIMIT 1"
        ):
            return None
    if settings.default_currency:
        return settings.default_currency
    if build.has("sf_organization", "default_currency_iso_code"):
        rows = build.run("SELECT default_currency_iso_code FROM sf_organization WHERE default_currency_iso_code <> ''")
        if rows:
            return str(rows[0][0])
    if build.has("sf_opportunity", "amount"):
        build.assume(
            "sf_opportunity", "currency_unknown",
            "No currency is named in the data; all amounts are taken to be in one currency and shown without it.",
            "Veride para birimi yok; tüm tutarlar aynı para biriminde sayıldı ve birimsiz gösterildi.",
            column="currency",
        )  # fmt: skip
    return None


def currency_sql(build: Build, table: str, default: str | None, alias: str = "t") -> str:
    """Return SQL for a row's currency: its own, else the org's only one, else NULL."""
    own = build.column(table, "currency_iso_code", "VARCHAR", alias)
    return f"COALESCE({own}, {literal(default)})" if default else own


def _build_table(build: Build, spec: ObjectSpec, currency: str | None) -> None:
    table = spec.table
    words = (repr(build.config), build.zone, currency or "", *([_today(build)] if spec.name in DAILY else []))
    if build.take(build.reuse.recipe((table, *READS.get(spec.name, ())), *words), table):
        return
    present = build.columns[table]
    extra: dict[str, str] = {}
    for item in spec.fields:
        if item.type is FieldType.DATETIME and present.get(item.column) == "TIMESTAMP":
            source = f"t.{quoted(item.column)}"
            extra[epoch_column(item.column)] = f"epoch_us({source}) // 1000000"
            extra[local_date_column(item.column)] = build.local_date(source)
    joins: list[str] = []
    for name in spec.keys:
        if snake(name) in present:
            extra[f"{snake(name)}_key"] = _add_key(build, table, snake(name), joins)
    derive = _DERIVATIONS.get(spec.name)
    if derive is not None:
        extra.update(derive(build, currency, joins))
    kinds = DERIVED.get(spec.name, {})
    columns = ", ".join(
        f"CAST({sql} AS {kinds[name]}) AS {quoted(name)}" if name in kinds else f"{sql} AS {quoted(name)}"
        for name, sql in extra.items()
    )
    build.run(
        f"CREATE TABLE next.main.{quoted(table)} AS SELECT t.*{', ' + columns if columns else ''}"
        f" FROM main.{quoted(table)} AS t {' '.join(joins)}"
    )


def _add_key(build: Build, table: str, column: str, joins: list[str]) -> str:
    """Fold the column's distinct values in Python and join them; return SQL for the key."""
    path = build.folder / f"{table}_{column}_key.csv"
    values = build.connection.execute(
        f"SELECT DISTINCT {quoted(column)} FROM main.{quoted(table)} WHERE {quoted(column)} IS NOT NULL"
    )
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(("value", "folded"))
        while batch := values.fetchmany(50_000):
            writer.writerows((value, fold(value)) for (value,) in batch)
    name = f"lw_key_{table}_{column}"
    source = CsvSource(path, ",", 2).sql()
    build.run(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT c0 AS value, c1 AS folded FROM {source}")
    path.unlink()
    joins.append(f"LEFT JOIN {name} AS {name} ON {name}.value = t.{quoted(column)}")
    return f"NULLIF({name}.folded, '')"


def _today(build: Build) -> str:
    """Return the present day in the org's time zone, as ISO 8601 writes it."""
    return build.now.astimezone(ZoneInfo(build.zone)).date().isoformat()


def _derive_opportunity(build: Build, currency: str | None, joins: list[str]) -> dict[str, str]:
    table = "sf_opportunity"
    extra = {"currency": currency_sql(build, table, currency)}
    roles = build.config.opportunity
    meaning = "NULL"
    if build.has(table, "stage_name") or build.has(table, "is_closed"):
        meanings.map_stages(build)
        keys = {"stage_name": "VARCHAR", "is_closed": "BOOLEAN", "is_won": "BOOLEAN"}
        on = " AND ".join(
            f"stage.{name} IS NOT DISTINCT FROM {build.column(table, name, kind)}" for name, kind in keys.items()
        )
        joins.append(f"LEFT JOIN lw_stage_map AS stage ON {on}")
        meaning = extra["stage_meaning"] = "stage.meaning"
    reasons = [f"t.{quoted(snake(name))}" for name in roles.reason_fields if build.has(table, snake(name))]
    if reasons:
        cleaned = ", ".join(f"NULLIF(trim({name}, {_BLANKS}), '')" for name in reasons)
        extra["loss_reason"] = f"COALESCE({cleaned})"
    changed = [
        build.local_date(build.column(table, name, "TIMESTAMP"))
        for name in ("last_stage_change_date", "last_modified_date")
    ]
    if any(build.has(table, name) for name in ("last_stage_change_date", "close_date", "last_modified_date")):
        closed = f"COALESCE({build.column(table, 'is_closed', 'BOOLEAN')}, {meaning} IN ('won', 'lost'))"
        # A close date still to come is no stage change to come: that was at the latest when the deal was last changed.
        today = literal(_today(build))
        day = build.column(table, "close_date", "DATE")
        close_date = f"CASE WHEN {day} > DATE {today} THEN LEAST({day}, {changed[1]}) ELSE {day} END"
        extra["stage_changed_on"] = f"COALESCE({changed[0]}, CASE WHEN {closed} THEN {close_date} END, {changed[1]})"
        if not build.has(table, "last_stage_change_date"):
            build.assume(
                table, "stage_change_unknown",
                "Opportunity.LastStageChangeDate is not in the data; a closed deal is taken to have changed stage on"
                " its close date, any other on the day of its last change.",
                "Opportunity.LastStageChangeDate veride yok; kapanmış fırsatın aşaması kapanış tarihinde,"
                " diğerlerininki son değişiklik gününde değişmiş sayıldı.",
                column="stage_changed_on",
            )  # fmt: skip
    budgets = [
        f"CASE WHEN t.{quoted(snake(name))} > 0 THEN t.{quoted(snake(name))} END"
        for name in roles.budget_fields
        if build.columns[table].get(snake(name), "").startswith(("DECIMAL", "BIGINT"))
    ]
    if budgets:
        extra["budget_amount"] = f"COALESCE({', '.join(budgets)})"
    return extra


def _derive_lead(build: Build, _currency: str | None, joins: list[str]) -> dict[str, str]:
    extra: dict[str, str] = {}
    if build.has("sf_lead", "status") or build.has("sf_lead", "is_converted"):
        meanings.map_lead_statuses(build)
        status = build.column("sf_lead", "status", "VARCHAR")
        joins.append(f"LEFT JOIN lw_lead_map AS status_map ON status_map.status IS NOT DISTINCT FROM {status}")
        converted = f"COALESCE({build.column('sf_lead', 'is_converted', 'BOOLEAN')}, FALSE)"
        extra["status_meaning"] = f"CASE WHEN {converted} THEN 'closed' ELSE COALESCE(status_map.meaning, 'open') END"
    if build.has("sf_lead", "owner_id"):
        queue = "FALSE"
        if build.has("sf_group", "type"):
            queue = "t.owner_id IN (SELECT id FROM main.sf_group WHERE type = 'Queue')"
        extra["owner_is_queue"] = f"starts_with(t.owner_id, '00G') OR {queue}"  # 00G: the id prefix of Group
    return extra


def _derive_line_item(build: Build, currency: str | None, joins: list[str]) -> dict[str, str]:
    table = "sf_opportunity_line_item"
    entry = "sf_pricebook_entry"
    has_entry = build.has(entry, "unit_price") and build.has(table, "pricebook_entry_id")
    if not build.has(table, "quantity") or not (build.has(table, "list_price") or has_entry):
        return {}
    own = build.column(table, "list_price", "DECIMAL(18,2)")
    own_currency = currency_sql(build, table, currency)
    if not has_entry:
        return {"list_amount": f"{own} * t.quantity", "list_currency": own_currency}
    joins.append(f"LEFT JOIN main.{entry} AS entry ON entry.id = t.pricebook_entry_id")
    entry_currency = currency_sql(build, entry, currency, "entry")
    return {
        "list_amount": f"COALESCE({own}, entry.unit_price) * t.quantity",
        "list_currency": f"CASE WHEN {own} IS NOT NULL THEN {own_currency} ELSE {entry_currency} END",
    }


def _derive_history(build: Build, currency: str | None, _joins: list[str]) -> dict[str, str]:
    return {"currency": currency_sql(build, "sf_opportunity_history", currency)}


def _derive_task(build: Build, _currency: str | None, joins: list[str]) -> dict[str, str]:
    extra: dict[str, str] = {}
    if build.has("sf_task", "status") or build.has("sf_task", "is_closed"):
        meanings.map_task_statuses(build)
        status = build.column("sf_task", "status", "VARCHAR")
        joins.append(f"LEFT JOIN lw_task_map AS status_map ON status_map.status IS NOT DISTINCT FROM {status}")
        closed = build.column("sf_task", "is_closed", "BOOLEAN")
        extra["is_done"] = f"COALESCE({closed}, status_map.done, FALSE)"
    key = build.column("sf_task", "leakwatch_key__c", "VARCHAR")
    extra["is_own_alert"] = f"COALESCE(starts_with({key}, {literal(meanings.OWN_ALERT_PREFIX)}), FALSE)"
    return extra


_DERIVATIONS = {
    "Opportunity": _derive_opportunity,
    "Lead": _derive_lead,
    "OpportunityLineItem": _derive_line_item,
    "OpportunityHistory": _derive_history,
    "Task": _derive_task,
}
# Beside its own: the live tables that a derivation reads. Those of DAILY also go by the present day.
READS = {
    "Opportunity": ("sf_opportunity_stage",),
    "Lead": ("sf_lead_status", "sf_group"),
    "OpportunityLineItem": ("sf_pricebook_entry",),
    "Task": ("sf_task_status",),
}
DAILY = frozenset({"Opportunity"})


def _build_bookkeeping(build: Build, currency: str | None, *, meetings: bool) -> None:
    build.run("CREATE TABLE next.main.lw_snapshot (snapshot_id VARCHAR, published_at TIMESTAMP, org_id VARCHAR)")
    build.run("CREATE TABLE next.main.lw_columns AS SELECT * FROM main.lw_columns")
    build.run("CREATE TABLE next.main.lw_freshness (table_name VARCHAR, fresh_until TIMESTAMP, row_count BIGINT)")
    watermarks: dict[str, object] = {
        str(name): stamp for name, stamp in build.run("SELECT table_name, watermark FROM main.lw_tables")
    }
    generated = ["lw_last_touch", *(["lw_meeting"] if meetings else [])]
    counted = " UNION ALL ".join(
        f"SELECT {literal(table)}, count(*) FROM next.main.{quoted(table)}" for table in (*build.columns, *generated)
    )
    touching = ["sf_task", "sf_event", "sf_email_message", "sf_email_message_relation"]
    of_records = [spec.table for spec in build.config.objects if spec.name in build.config.last_touch_objects]
    of_meetings = [*touching, "sf_event_relation", "sf_task_relation"]
    for name, sources in (("lw_last_touch", touching + of_records), ("lw_meeting", of_meetings)):
        stamps = [watermarks.get(table) for table in sources if table in build.columns]
        watermarks[name] = min((s for s in stamps if isinstance(s, datetime)), default=None) if all(stamps) else None
    build.insert(
        "next.main.lw_freshness", [(table, watermarks.get(str(table)), count) for table, count in build.run(counted)]
    )
    build.run("CREATE TABLE next.main.lw_settings (name VARCHAR, value VARCHAR)")
    derived_at = build.now.astimezone(UTC).isoformat()
    settings = (("time_zone", build.zone), ("currency", currency), ("derived_at", derived_at))
    build.insert("next.main.lw_settings", settings)
    build.run(
        "CREATE TABLE next.main.lw_notes (table_name VARCHAR, column_name VARCHAR, code VARCHAR, level VARCHAR,"
        " en VARCHAR, tr VARCHAR)"
    )
    notes = ((item.table, item.column, item.note) for item in build.notes)
    build.insert(
        "next.main.lw_notes",
        [(table, column, note.code, note.level, note.text.en, note.text.tr) for table, column, note in notes],
    )
