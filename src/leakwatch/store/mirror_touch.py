"""Who was last in touch with a record and when: a generated table of a snapshot.

Our own alerts never count as a touch; captured mails, meetings and calls do, and so does what people log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from zoneinfo import ZoneInfo

from leakwatch.core.tables import snake
from leakwatch.store.mirror_build import Build
from leakwatch.store.mirror_ingest import literal, quoted
from leakwatch.store.mirror_meanings import OWN_ALERT_PREFIX

_SOURCES = ("created", "last_activity_date", "task", "event", "email")  # later ones win on the same day
_DRAFT = "5"  # EmailMessage.Status of a draft


def build_touches(build: Build) -> None:
    """Make `next.lw_last_touch`: one row per record of the configured objects."""
    local_now = build.now.astimezone(ZoneInfo(build.zone))
    today = f"DATE '{local_now.date().isoformat()}'"
    now = f"TIMESTAMP '{build.now.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"
    bases = [f"sf_{snake(name)}" for name in build.config.last_touch_objects if build.has(f"sf_{snake(name)}", "id")]
    parts = [*_task_parts(build, today), *_event_parts(build, today, now), *_email_parts(build, now)]
    base_parts = [
        _part("t.id", "t.created_date_local", "created", f"next.main.{quoted(table)} AS t", "TRUE")
        for table in bases
        if build.has(table, "created_date")
    ]
    base_parts += _fallback_parts(build, bases)
    build.run("CREATE TABLE next.main.lw_last_touch (record_id VARCHAR, last_touch_date DATE, touch_source VARCHAR)")
    if not bases or not (base_parts or parts):
        return
    ids = " UNION ALL ".join(f"SELECT id FROM next.main.{quoted(table)}" for table in bases)
    activity = f"SELECT * FROM ({' UNION ALL '.join(parts)}) WHERE record_id IN ({ids})" if parts else ""
    # One number per touch, days since 1970 and rank of the source, so that one max() finds the latest touch, the same
    # on every run.
    names = "[" + ", ".join(map(literal, _SOURCES)) + "]"
    build.run(
        "INSERT INTO next.main.lw_last_touch SELECT record_id, DATE '1970-01-01' + CAST(latest // 8 AS INTEGER),"
        f" {names}[CAST(latest % 8 AS INTEGER) + 1] FROM (SELECT record_id,"
        " max(date_diff('day', DATE '1970-01-01', touched) * 8 + rank) AS latest FROM"
        f" ({' UNION ALL '.join([*base_parts, *([activity] if activity else [])])})"
        f" WHERE touched <= {today} AND record_id IS NOT NULL GROUP BY record_id)"
    )


def _part(record: str, touched: str, source: str, origin: str, where: str) -> str:
    rank = _SOURCES.index(source)
    return f"SELECT {record} AS record_id, {touched} AS touched, {rank} AS rank FROM {origin} WHERE {where}"


def _fallback_parts(build: Build, bases: list[str]) -> list[str]:
    """Return LastActivityDate as a touch where tasks or events themselves are not at hand."""
    missing = [name for name, table in (("Task", "sf_task"), ("Event", "sf_event")) if not build.has(table)]
    if not missing or not bases:
        return []
    usable = [table for table in bases if build.has(table, "last_activity_date")]
    if usable:
        build.assume(
            "lw_last_touch", "touch_from_last_activity",
            f"{' and '.join(missing)} not in the data: the last touch is also taken from LastActivityDate, which can't"
            " tell our own alerts from real contact.",
            f"{' ve '.join(missing)} veride yok: son temas LastActivityDate alanından da alındı; bu alan kendi"
            " uyarılarımızı gerçek temastan ayıramaz.",
        )  # fmt: skip
    else:
        build.assume(
            "lw_last_touch", "touch_from_created",
            f"{' and '.join(missing)} and LastActivityDate not in the data: touches of that kind are not seen, the day"
            " a record was made may be its last known touch.",
            f"{' ve '.join(missing)} ile LastActivityDate veride yok: bu tür temaslar görülmedi, kaydın oluşturulduğu"
            " gün son temas sayılmış olabilir.",
            warning=True,
        )  # fmt: skip
    return [
        _part("t.id", "t.last_activity_date", "last_activity_date", f"next.main.{quoted(table)} AS t", "TRUE")
        for table in usable
    ]


def _task_parts(build: Build, today: str) -> list[str]:
    table = "sf_task"
    if not (build.has(table, "status") or build.has(table, "is_closed")):
        return []
    completed = "t.completed_date_local" if build.has(table, "completed_date_time") else "CAST(NULL AS DATE)"
    created = "t.created_date_local" if build.has(table, "created_date") else "CAST(NULL AS DATE)"
    due = build.column(table, "activity_date", "DATE")
    # A task done ahead of a due date to come was done some time since it was made: the earlier day is the safe one.
    touched = f"COALESCE({completed}, CASE WHEN {due} <= {today} THEN {due} END, {created})"
    where = f"t.is_done AND NOT t.is_own_alert AND NOT COALESCE({build.column(table, 'is_deleted', 'BOOLEAN')}, FALSE)"
    return [
        _part(f"t.{column}", touched, "task", "next.main.sf_task AS t", where)
        for column in ("who_id", "what_id")
        if build.has(table, column)
    ]


@dataclass(frozen=True, slots=True)
class EventTimes:
    """SQL for the times of `sf_event AS t`: UTC timestamps, or days where it lasts all day."""

    start: str
    end: str
    all_day: str
    first_day: str
    last_day: str


def event_times(build: Build) -> EventTimes:
    """Return SQL for when an event begins and ends, whichever of Salesforce's fields for that are at hand."""
    table = "sf_event"
    start = build.column(table, "activity_date_time", "TIMESTAMP")
    minutes = build.column(table, "duration_in_minutes", "BIGINT")
    stored_end = build.column(table, "end_date_time", "TIMESTAMP")
    end = f"COALESCE({stored_end}, {start} + to_minutes(COALESCE({minutes}, 0)))"
    day = build.column(table, "activity_date", "DATE")
    all_day = (
        f"COALESCE({build.column(table, 'is_all_day_event', 'BOOLEAN')}, {start} IS NULL AND {stored_end} IS NULL)"
    )
    last_day = f"COALESCE(CAST({stored_end} AS DATE), {day})"  # all-day ends are days at midnight UTC, in no zone
    return EventTimes(start, end, all_day, f"COALESCE({day}, CAST({start} AS DATE))", last_day)


def is_no_alert(build: Build, table: str) -> str:
    """Return SQL for whether a row `t` of a table of activities is anything but an alert of ours."""
    key = build.column(table, "leakwatch_key__c", "VARCHAR")
    return f"NOT COALESCE(starts_with({key}, {literal(OWN_ALERT_PREFIX)}), FALSE)"


def _event_parts(build: Build, today: str, now: str) -> list[str]:
    table = "sf_event"
    if not build.has(table):
        return []
    times = event_times(build)
    touched = f"CASE WHEN {times.all_day} THEN {times.last_day} ELSE {build.local_date(times.end)} END"
    where = (
        f"CASE WHEN {times.all_day} THEN {times.last_day} < {today} ELSE {times.end} <= {now} END"
        f" AND NOT COALESCE({build.column(table, 'is_deleted', 'BOOLEAN')}, FALSE) AND {is_no_alert(build, table)}"
    )
    return [
        _part(f"t.{column}", touched, "event", "next.main.sf_event AS t", where)
        for column in ("who_id", "what_id")
        if build.has(table, column)
    ]


def sent_mails(build: Build, now: str) -> list[tuple[str, str, str]]:
    """Return SQL (record, FROM, WHERE) by which mails sent up to `now` lead to whom and what they are related to."""
    table = "sf_email_message"
    if not build.has(table, "id", "message_date"):
        return []
    origin = "next.main.sf_email_message AS t"
    where = (
        f"t.message_date <= {now} AND NOT COALESCE({build.column(table, 'is_deleted', 'BOOLEAN')}, FALSE)"
        f" AND {build.column(table, 'status', 'VARCHAR')} IS DISTINCT FROM {literal(_DRAFT)}"
    )
    found: list[tuple[str, str, str]] = []
    if build.has(table, "related_to_id"):
        found.append(("t.related_to_id", origin, where))
    relation = "sf_email_message_relation"
    if build.has(relation, "email_message_id", "relation_id"):
        gone = f"COALESCE({build.column(relation, 'is_deleted', 'BOOLEAN', 'r')}, FALSE)"
        joined = f"{origin} JOIN next.main.{relation} AS r ON r.email_message_id = t.id AND NOT {gone}"
        found.append(("r.relation_id", joined, where))
    if build.has(table, "activity_id"):
        joined = f"{origin} JOIN next.main.sf_task AS k ON k.id = t.activity_id"
        found += [(f"k.{column}", joined, where) for column in ("who_id", "what_id") if build.has("sf_task", column)]
    return found


def _email_parts(build: Build, now: str) -> list[str]:
    return [
        _part(record, "t.message_date_local", "email", origin, where)
        for record, origin, where in sent_mails(build, now)
    ]
