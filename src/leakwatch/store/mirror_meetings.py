"""Meetings that were held with somebody outside, and whether anybody was in touch since: a generated table.

`lw_last_touch` knows days, and the last touch of a record; a follow-up needs the moment, and the first one after a
meeting with the same people or on the same deal. Our own alerts are no touch, as there.
"""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

from leakwatch.core.tables import GENERATED
from leakwatch.core.working_time import WorkingTime
from leakwatch.store.mirror_build import Build
from leakwatch.store.mirror_ingest import literal
from leakwatch.store.mirror_touch import event_times, is_no_alert, sent_mails

REACH_DAYS = 400  # older meetings are nobody's follow-up any more; rules look back over a year at most
_OUTSIDE = ("003", "00Q")  # key prefixes of Contact and Lead
# Leakwatch_Key__c of what we wrote ourselves: its Task was made when it was captured, not when it was.
_WRITTEN = "lw1:"
_MEETING = "lw1:e:"  # and of a meeting


def build_meetings(build: Build, working: WorkingTime) -> bool:
    """Make `next.lw_meeting`, one row per held meeting; return whether the data have meetings with their times."""
    if not build.has("sf_event", "id", "activity_date_time") or not build.has("sf_event", "who_id"):
        return False
    now = f"TIMESTAMP '{build.now.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"
    _list_meetings(build, now)
    _list_touches(build, now)
    _list_hours(build, working)
    columns = ", ".join(f"{name} {kind}" for name, kind in GENERATED["lw_meeting"].items())
    build.run(f"CREATE TABLE next.main.lw_meeting ({columns})")
    build.run(f"INSERT INTO next.main.lw_meeting {_meetings(build, now)}")
    for name in ("lw_held", "lw_with", "lw_touch_at", "lw_hours"):
        build.run(f"DROP TABLE {name}")
    return True


def _list_meetings(build: Build, now: str) -> None:
    """Make `lw_held` (meetings with their moments, those to come included) and `lw_with` (who and what each is with).

    A meeting follows up another at `touch_at`; what touches its people from `since` on may follow it up. Of an event
    that is its end, and for a mail of ours its beginning.
    """
    every = " UNION ALL ".join([_events(build), *_tasks(build)])
    build.run(
        f"CREATE OR REPLACE TEMP TABLE lw_held AS SELECT * FROM ({every})"
        f" WHERE ended > {now} - INTERVAL {REACH_DAYS} DAY"
    )
    relations = "".join(f" UNION {one}" for one in (_related(build, "event"), _related(build, "task")) if one)
    build.run(
        "CREATE OR REPLACE TEMP TABLE lw_with AS SELECT id AS event_id, who_id AS record_id FROM lw_held"
        f" WHERE who_id IS NOT NULL UNION SELECT id, what_id FROM lw_held WHERE what_id IS NOT NULL{relations}"
    )


def _next_day(build: Build, day: str) -> str:
    """Return SQL for when a day begins, in UTC."""
    return f"CAST({day} AS TIMESTAMP) AT TIME ZONE {literal(build.zone)} AT TIME ZONE 'UTC'"


def _events(build: Build) -> str:
    table, times = "sf_event", event_times(build)
    began = f"CASE WHEN {times.all_day} THEN {_next_day(build, times.first_day)} ELSE {times.start} END"
    ended = f"CASE WHEN {times.all_day} THEN {_next_day(build, f'({times.last_day} + 1)')} ELSE {times.end} END"
    deleted, child = (build.column(table, name, "BOOLEAN") for name in ("is_deleted", "is_child"))
    return (
        f"SELECT *, began AS touch_at, ended AS since FROM (SELECT t.id, {_who_and_what(build, table)},"
        f" {began} AS began, {ended} AS ended FROM next.main.{table} AS t"
        f" WHERE NOT COALESCE({deleted}, FALSE) AND NOT COALESCE({child}, FALSE) AND {is_no_alert(build, table)})"
    )


def _tasks(build: Build) -> list[str]:
    """Return the meetings that we logged as Tasks (`capture.meetings_as: task`), of which only the day is known.

    Whatever happened on that day may have been after it: in doubt it was followed up.
    """
    table = "sf_task"
    if not build.has(table, "id", "activity_date", "leakwatch_key__c") or not _knows_done(build):
        return []
    begins, ends = (_next_day(build, day) for day in ("t.activity_date", "(t.activity_date + 1)"))
    query = (
        f"SELECT t.id, {_who_and_what(build, table)}, {begins} AS began, {ends} AS ended, {ends} AS touch_at,"
        f" {begins} AS since FROM next.main.{table} AS t WHERE {_is_meeting(build)} AND t.is_done"
        f" AND NOT COALESCE({build.column(table, 'is_deleted', 'BOOLEAN')}, FALSE)"
    )
    return [query]


def _is_meeting(build: Build) -> str:
    return f"starts_with(COALESCE({build.column('sf_task', 'leakwatch_key__c', 'VARCHAR')}, ''), {literal(_MEETING)})"


def _knows_done(build: Build) -> bool:
    return build.has("sf_task", "status") or build.has("sf_task", "is_closed")


def _who_and_what(build: Build, table: str) -> str:
    owner, who, what = (build.column(table, name, "VARCHAR") for name in ("owner_id", "who_id", "what_id"))
    return f"{owner} AS owner_id, NULLIF({who}, '') AS who_id, NULLIF({what}, '') AS what_id"


def _related(build: Build, kind: str) -> str:
    """Return the further people of meetings that are events, or tasks; empty where the data do not have them."""
    table = f"sf_{kind}_relation"
    if not build.has(table, f"{kind}_id", "relation_id"):
        return ""
    gone = build.column(table, "is_deleted", "BOOLEAN", "r")
    return (
        f"SELECT h.id, r.relation_id FROM lw_held AS h JOIN next.main.{table} AS r ON r.{kind}_id = h.id"
        f" WHERE NOT COALESCE({gone}, FALSE) AND left(r.relation_id, 3) IN {_OUTSIDE}"
    )


def _list_touches(build: Build, now: str) -> None:
    """Make `lw_touch_at`: who or what was touched when, by what, and whether by a mail of ours."""
    meetings = "lw_with AS w JOIN lw_held AS h ON h.id = w.event_id"
    parts = [f"SELECT w.record_id, h.touch_at AS at, 'event' AS kind, FALSE AS ours, h.id AS event_id FROM {meetings}"]
    ours = f"NOT COALESCE({build.column('sf_email_message', 'incoming', 'BOOLEAN')}, TRUE)"
    parts += [
        f"SELECT {record}, t.message_date, 'email', {ours}, NULL FROM {origin} WHERE {where}"
        for record, origin, where in sent_mails(build, now)
    ]
    parts += _task_parts(build)
    build.run(
        "CREATE OR REPLACE TEMP TABLE lw_touch_at AS SELECT t.* FROM"
        f" ({' UNION ALL '.join(parts)}) AS t WHERE t.at > {now} - INTERVAL {REACH_DAYS} DAY"
        " AND t.record_id IN (SELECT record_id FROM lw_with)"
    )
    for table, name in (("sf_task", "Task"), ("sf_email_message", "EmailMessage")):
        if not build.has(table):
            build.assume(
                "lw_meeting", f"no_follow_up_by_{table}",
                f"{name} not in the data: follow-ups of that kind are not seen.",
                f"{name} veride yok: bu tür takipler görülmedi.",
                warning=True,
            )  # fmt: skip


def _task_parts(build: Build) -> list[str]:
    """Return the tasks made or done at a moment.

    The Task of a mail is left out, for it was made when the mail was logged; that of a meeting is a meeting. Of a mail
    that was logged as a Task, and of one done at an unknown moment, only the day is known, so it counts at the end of
    that. With Shared Activities a task touches everybody whom it names.
    """
    table = "sf_task"
    if not build.has(table, "created_date"):
        return []
    key = build.column(table, "leakwatch_key__c", "VARCHAR")
    day = build.column(table, "activity_date", "DATE")
    end_of_day = _next_day(build, f"({day} + 1)")
    done = build.column(table, "completed_date_time", "TIMESTAMP")
    finished = "t.is_done" if _knows_done(build) else "FALSE"
    at = (
        f"CASE WHEN starts_with(COALESCE({key}, ''), {literal(_WRITTEN)}) THEN {end_of_day}"
        f" ELSE GREATEST(t.created_date, {done}, CASE WHEN {done} IS NULL AND {finished} THEN {end_of_day} END) END"
    )
    where = (
        f"NOT COALESCE({build.column(table, 'is_deleted', 'BOOLEAN')}, FALSE) AND {is_no_alert(build, table)}"
        f" AND NOT {_is_meeting(build)}"
    )
    if build.has("sf_email_message", "activity_id"):
        where += " AND t.id NOT IN (SELECT activity_id FROM next.main.sf_email_message WHERE activity_id IS NOT NULL)"
    tasks = "next.main.sf_task AS t"
    found = [(f"t.{column}", tasks) for column in ("who_id", "what_id") if build.has(table, column)]
    if build.has("sf_task_relation", "task_id", "relation_id"):
        gone = build.column("sf_task_relation", "is_deleted", "BOOLEAN", "r")
        others = f"JOIN next.main.sf_task_relation AS r ON r.task_id = t.id AND NOT COALESCE({gone}, FALSE)"
        found.append(("r.relation_id", f"{tasks} {others} AND left(r.relation_id, 3) IN {_OUTSIDE}"))
    return [f"SELECT {record}, {at}, 'task', FALSE, NULL FROM {origin} WHERE {where}" for record, origin in found]


def _list_hours(build: Build, working: WorkingTime) -> None:
    """Make `lw_hours`: each day, when work began on it (UTC), for how many seconds, and how many were worked before."""
    zone = literal(build.zone)
    today = build.now.astimezone(ZoneInfo(build.zone)).date().isoformat()
    days = ", ".join(str(day + 1) for day in sorted(working.days))  # ISO: Monday is 1
    holidays = ", ".join(f"DATE '{day.isoformat()}'" for day in sorted(working.holidays)) or "NULL"
    at = "(day + TIME '{}') AT TIME ZONE " + zone + " AT TIME ZONE 'UTC'"
    opens, closes = (at.format(moment.isoformat()) for moment in (working.opens, working.closes))
    works = f"isodow(day) IN ({days}) AND NOT COALESCE(day IN ({holidays}), FALSE)"
    build.run(
        "CREATE OR REPLACE TEMP TABLE lw_hours AS SELECT day, opens, seconds,"
        " SUM(seconds) OVER (ORDER BY day) - seconds AS before FROM"
        f" (SELECT day, {opens} AS opens, CASE WHEN {works} THEN epoch({closes}) - epoch({opens}) ELSE 0 END AS seconds"
        f" FROM (SELECT DATE '{today}' - CAST(back AS INTEGER) AS day FROM range({REACH_DAYS + 2}) AS r(back)))"
    )


def _meetings(build: Build, now: str) -> str:
    """Return the SELECT that fills `lw_meeting`, in the order of its columns."""
    local = build.local_date
    first = (
        f"SELECT h.id, MIN(t.at) FILTER (t.at <= {now}) AS followed, ARG_MIN(t.kind, t.at) FILTER (t.at <= {now}) AS"
        f" kind, MIN(t.at) FILTER (t.at > {now} AND t.kind = 'event') AS planned FROM lw_held AS h"
        " JOIN lw_with AS w ON w.event_id = h.id JOIN lw_touch_at AS t ON t.record_id = w.record_id"
        f" WHERE h.ended <= {now} AND t.event_id IS DISTINCT FROM h.id"
        " AND t.at >= CASE WHEN t.ours THEN h.began ELSE h.since END GROUP BY h.id"
    )
    guests = (
        "SELECT event_id, COUNT(*) AS number, MIN(record_id) AS first FROM lw_with"
        f" WHERE left(record_id, 3) IN {_OUTSIDE} GROUP BY event_id"
    )
    people, company, account = _names(build)
    worked = "{0}.before + GREATEST(0, LEAST({0}.seconds, epoch({1}) - epoch({0}.opens)))"
    waited = f"({worked.format('at_now', now)}) - ({worked.format('at_end', 'h.ended')})"
    return (
        f"SELECT h.id, h.owner_id, g.guest_id, p.name, {company}, COALESCE(g.number, 0), {account}, h.what_id,"
        f" COALESCE(h.what_id, g.guest_id), {local('(h.ended - INTERVAL 1 MICROSECOND)')},"
        f" epoch_us(h.ended) // 1000000, CAST({waited} AS BIGINT) // 3600, epoch_us(f.followed) // 1000000, f.kind,"
        " epoch_us(f.planned) // 1000000 FROM lw_held AS h"
        f" LEFT JOIN (SELECT h.id, COALESCE(h.who_id, g.first) AS guest_id, g.number FROM lw_held AS h JOIN ({guests})"
        " AS g ON g.event_id = h.id) AS g ON g.id = h.id"
        f" LEFT JOIN ({first}) AS f ON f.id = h.id"
        f" LEFT JOIN ({people}) AS p ON p.id = g.guest_id"
        " LEFT JOIN next.main.lw_company AS c ON c.record_id = p.account_id"
        f" JOIN lw_hours AS at_now ON at_now.day = {local(now)}"
        f" JOIN lw_hours AS at_end ON at_end.day = {local('h.ended')}"
        f" WHERE h.ended <= {now} AND (g.guest_id IS NOT NULL OR left(h.what_id, 3) = '006')"
    )


def _names(build: Build) -> tuple[str, str, str]:
    """Return a SELECT of everybody's (id, name, account_id, company), and SQL for a guest's company and account."""
    parts = ["SELECT NULL AS id, NULL AS name, NULL AS account_id, NULL AS company WHERE FALSE"]
    for table in ("sf_contact", "sf_lead"):
        if build.has(table, "id"):
            name, company, account = (
                build.column(table, column, "VARCHAR") for column in ("name", "company", "account_id")
            )
            parts.append(f"SELECT t.id, {name}, {account}, {company} FROM next.main.{table} AS t")
    return " UNION ALL ".join(parts), "COALESCE(c.name, p.company)", "p.account_id"
