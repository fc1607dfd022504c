"""Jobs: their files, their timetable, and what is wanted when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakwatch import daemon
from leakwatch.errors import AuthError, BudgetError, ConfigError, SafetyError, TransientError
from leakwatch.jobs import (
    Early,
    Job,
    JobStatus,
    Outcome,
    Phase,
    Slot,
    early_slots,
    last_due,
    load_jobs,
    next_due,
    wanted,
    wanted_now,
)
from leakwatch.jobs.aftermath import after_error

SHIPPED = Path(__file__).parents[2] / "jobs"
MONDAY_SEVEN = datetime(2026, 6, 1, 7, 0, tzinfo=UTC)  # a Monday


def job(schedule: str = "0 7 * * 1", *, zone: str = "UTC", enabled: bool = True) -> Job:
    return Job(
        name="weekly_report",
        flow="report",
        schedule=schedule,
        time_zone=zone,
        timeout=timedelta(minutes=30),
        enabled=enabled,
    )


def status(**changes: Any) -> JobStatus:
    known = JobStatus(
        job="weekly_report", flow="report", schedule="0 7 * * 1", time_zone="UTC",
        known_since=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    return replace(known, **changes)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


# --- the files ---


def test_shipped_jobs_when_loaded_are_the_five_flows_at_their_hours() -> None:
    jobs = {each.name: each for each in load_jobs(SHIPPED, org_time_zone="Europe/Istanbul")}
    assert {name: (each.flow, each.schedule) for name, each in jobs.items()} == {
        "mirror": ("mirror", "*/15 * * * *"),
        "capture": ("capture", "*/5 * * * *"),
        "audit": ("audit", "0 6 * * *"),
        "act": ("act", "15 6 * * *"),
        "weekly_report": ("report", "0 7 * * 1"),
    }
    assert {each.time_zone for each in jobs.values()} == {"Europe/Istanbul"}
    assert all(each.enabled for each in jobs.values())


def test_faulty_files_when_loaded_are_all_named_at_once_with_line_and_nearest_key(tmp_path: Path) -> None:
    write(
        tmp_path,
        first='flow: mirror\nshedule: "* * * * *"\n',
        second='flow: audits\nschedule: "0 6 * * *"\n',
        third='flow: act\nschedule: "61 6 * * *"\ntime_zone: Europe/Stambul\ntimeout: 3 days\n',
    )
    with pytest.raises(ConfigError) as caught:
        load_jobs(tmp_path)
    text = "\n".join(caught.value.problems)
    assert "first.yaml, line 2: unknown key `shedule` (did you mean `schedule`?)" in text
    assert "first.yaml" in text
    assert "`schedule` is missing" in text
    assert "second.yaml, line 1" in text
    for fault in ("'61 6 * * *'", "'Europe/Stambul'", "`timeout`"):
        assert fault in text
    assert len([line for line in caught.value.problems if "third.yaml" in line]) == 3


@pytest.mark.parametrize(
    ("schedule", "because"),
    [
        ("@weekly", "five fields"),
        ("0 0 7 * * 1", "five fields"),
        ("H 7 * * 1", "not a cron line"),
        ("0 0 31 2 *", "never comes"),
        ("x 7 * * 1", "not a cron line"),
    ],
)
def test_schedule_that_is_no_plain_cron_line_is_refused_with_its_reason(
    schedule: str, because: str, tmp_path: Path
) -> None:
    write(tmp_path, odd=f'flow: audit\nschedule: "{schedule}"\n')
    with pytest.raises(ConfigError, match=because):
        load_jobs(tmp_path)


def test_option_that_the_flow_does_not_know_is_refused_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, weekly='flow: report\nschedule: "0 7 * * 1"\noptions: {formts: html}\n')
    with pytest.raises(
        ConfigError, match=r"line 3: the flow report has no option `formts` \(did you mean `formats`\?\)"
    ):
        load_jobs(tmp_path, known_options={"report": {"formats", "folder"}})
    assert load_jobs(tmp_path)[0].options == {"formts": "html"}, "unchecked where nobody says what is known"


@pytest.mark.parametrize("make", [lambda path: path / "missing", lambda path: path], ids=["no folder", "empty folder"])
def test_folder_without_jobs_is_refused_instead_of_idling_for_ever(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError):
        load_jobs(make(tmp_path))


# --- the timetable ---

SCHEDULES = st.sampled_from(["*/5 * * * *", "0 7 * * 1", "30 2 * * *", "15 6 1 * *", "0 0 29 2 *", "7,37 8-18 * * 1-5"])
ZONES = st.sampled_from(["UTC", "Europe/Istanbul", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
SIX_YEARS_IN_SECONDS = 6 * 365 * 86_400
MOMENTS = st.integers(0, SIX_YEARS_IN_SECONDS).map(lambda s: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=s))


@given(schedule=SCHEDULES, zone=ZONES, now=MOMENTS)
def test_last_and_next_due_time_enclose_the_moment_and_agree_with_each_other(
    schedule: str, zone: str, now: datetime
) -> None:
    each = job(schedule, zone=zone)
    last, following = last_due(each, now), next_due(each, now)
    assert last <= now < following
    assert last_due(each, following) == following
    assert last_due(each, following - timedelta(seconds=1)) == last, "no due time lies between the two"


def test_daily_job_keeps_its_local_hour_when_the_clocks_change() -> None:
    berlin = job("0 6 * * *", zone="Europe/Berlin")
    # 28 March 2026: UTC+1. 29 March: UTC+2, since 01:00 UTC.
    assert last_due(berlin, datetime(2026, 3, 28, 12, tzinfo=UTC)) == datetime(2026, 3, 28, 5, tzinfo=UTC)
    assert last_due(berlin, datetime(2026, 3, 29, 12, tzinfo=UTC)) == datetime(2026, 3, 29, 4, tzinfo=UTC)


def test_job_at_an_hour_that_comes_twice_in_autumn_is_due_once() -> None:
    berlin = job("30 2 * * *", zone="Europe/Berlin")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 summer time; 02:30 comes again an hour later
    assert last_due(berlin, first) == first
    assert last_due(berlin, first + timedelta(hours=3)) == first
    assert next_due(berlin, first) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_job_every_quarter_of_an_hour_goes_on_through_the_hour_that_comes_twice() -> None:
    berlin = job("*/15 * * * *", zone="Europe/Berlin")
    moment = datetime(2026, 10, 24, 23, 50, tzinfo=UTC)
    due = [moment := next_due(berlin, moment) for _ in range(12)]
    assert [later - earlier for earlier, later in pairwise(due)] == [timedelta(minutes=15)] * 11


def test_job_at_an_hour_that_spring_leaves_out_runs_at_the_moment_after() -> None:
    berlin = job("30 2 * * *", zone="Europe/Berlin")
    assert last_due(berlin, datetime(2026, 3, 29, 12, tzinfo=UTC)) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


# --- what is wanted ---


def test_job_that_just_became_known_waits_for_its_next_due_time() -> None:
    wednesday = MONDAY_SEVEN + timedelta(days=2)
    fresh = status(known_since=wednesday)
    assert wanted(job(), fresh, wednesday + timedelta(hours=1)) is None
    assert wanted(job(), fresh, MONDAY_SEVEN + timedelta(days=7)) == Slot(
        "weekly_report", MONDAY_SEVEN + timedelta(days=7)
    )


def test_slots_missed_while_nothing_ran_are_made_up_for_by_the_latest_alone() -> None:
    served = status(due=MONDAY_SEVEN, attempt=1, outcome=Outcome.SUCCEEDED, last_success_at=MONDAY_SEVEN)
    three_weeks_on = MONDAY_SEVEN + timedelta(days=23)
    assert wanted(job(), served, three_weeks_on) == Slot("weekly_report", MONDAY_SEVEN + timedelta(days=21))


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.INCOMPLETE])
def test_slot_that_was_served_is_never_wanted_again(outcome: Outcome) -> None:
    served = status(due=MONDAY_SEVEN, attempt=1, outcome=outcome)
    assert wanted(job(), served, MONDAY_SEVEN + timedelta(days=6, hours=23)) is None


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RUNNING])
def test_job_under_way_is_not_asked_for_again_however_late_it_gets(phase: Phase) -> None:
    busy = status(phase=phase, due=MONDAY_SEVEN, attempt=1)
    assert wanted(job(), busy, MONDAY_SEVEN + timedelta(days=30)) is None


def test_job_switched_off_or_paused_is_not_wanted() -> None:
    late = MONDAY_SEVEN + timedelta(days=8)
    assert wanted(job(enabled=False), status(), late) is None
    assert wanted(job(), status(paused_reason="the admin is on leave"), late) is None
    assert wanted(job(), status(), late) is not None


def test_interrupted_slot_is_tried_again_but_not_for_ever() -> None:
    def again(attempt: int) -> Slot | None:
        left = status(due=MONDAY_SEVEN, attempt=attempt, outcome=Outcome.INTERRUPTED)
        return wanted(job(), left, MONDAY_SEVEN + timedelta(minutes=1))

    assert again(1) == Slot("weekly_report", MONDAY_SEVEN, 2)
    assert again(5) is None, "a job that kills its process five times waits for its next slot"


def test_postponed_slot_waits_for_its_retry_even_past_the_next_due_time() -> None:
    retry_at = MONDAY_SEVEN + timedelta(minutes=40)
    each = job("*/5 * * * *")
    away = status(due=MONDAY_SEVEN, attempt=1, outcome=Outcome.POSTPONED, retry_at=retry_at)
    assert wanted(each, away, retry_at - timedelta(seconds=1)) is None
    assert wanted(each, away, retry_at) == Slot("weekly_report", retry_at)


def test_failed_slot_gives_way_to_the_next_due_time() -> None:
    failed = status(due=MONDAY_SEVEN, attempt=3, outcome=Outcome.FAILED)
    assert wanted(job(), failed, MONDAY_SEVEN + timedelta(days=6)) is None
    assert wanted(job(), failed, MONDAY_SEVEN + timedelta(days=7)) is not None


def test_slot_ids_tell_slots_and_attempts_apart_in_any_zone() -> None:
    istanbul = MONDAY_SEVEN.astimezone(ZoneInfo("Europe/Istanbul")).astimezone(UTC)
    ids = {
        Slot("a", MONDAY_SEVEN).id,
        Slot("a", MONDAY_SEVEN, 2).id,
        Slot("b", MONDAY_SEVEN).id,
        Slot("a", istanbul).id,
    }
    assert len(ids) == 3


# --- what is wanted together ---

SUNDAY_NOON = MONDAY_SEVEN - timedelta(hours=19)
MONDAY_NOON = MONDAY_SEVEN + timedelta(hours=5)


def company(**audit: Any) -> tuple[list[Job], dict[str, JobStatus]]:
    """Return the shipped jobs, each served last on Sunday at noon, the audit with changes to that."""
    jobs = list(load_jobs(SHIPPED))
    statuses = {
        each.name: JobStatus(
            each.name, each.flow, each.schedule, each.time_zone, known_since=datetime(2026, 1, 1, tzinfo=UTC),
            due=last_due(each, SUNDAY_NOON), attempt=1, outcome=Outcome.SUCCEEDED, last_success_at=SUNDAY_NOON,
        )
        for each in jobs
    }  # fmt: skip
    return jobs, statuses | {"audit": replace(statuses["audit"], **audit)}


def names(jobs: list[Job], statuses: dict[str, JobStatus], now: datetime) -> list[str]:
    return [slot.job for slot in wanted_now(jobs, statuses, now)]


def test_jobs_missed_while_nothing_ran_are_made_up_for_in_the_order_of_their_flows() -> None:
    jobs, statuses = company()
    assert names(jobs[::-1], statuses, MONDAY_NOON) == ["mirror", "capture", "audit"]
    served = {"due": MONDAY_SEVEN - timedelta(hours=1), "last_success_at": MONDAY_NOON}
    jobs, statuses = company(**served)
    assert names(jobs, statuses, MONDAY_NOON) == ["mirror", "capture", "act", "weekly_report"]


@pytest.mark.parametrize(
    "audit",
    [
        {"phase": Phase.RUNNING, "due": MONDAY_SEVEN - timedelta(hours=1)},
        {
            "outcome": Outcome.POSTPONED, "due": MONDAY_SEVEN - timedelta(hours=1),
            "retry_at": MONDAY_NOON + timedelta(minutes=15),
        },
        {"outcome": Outcome.FAILED, "due": MONDAY_SEVEN - timedelta(hours=1)},
        {"outcome": Outcome.BLOCKED, "due": MONDAY_SEVEN - timedelta(hours=1), "last_success_at": None},
    ],
    ids=["running", "postponed", "failed", "blocked"],
)  # fmt: skip
def test_nobody_is_told_before_the_audit_that_was_due_has_ended_well(audit: dict[str, Any]) -> None:
    jobs, statuses = company(**audit)
    wanted_then = names(jobs, statuses, MONDAY_NOON)
    assert "act" not in wanted_then
    assert ("weekly_report" in wanted_then) is (statuses["audit"].phase is Phase.IDLE)  # it waits no hour for nothing


def test_audit_that_is_due_more_often_than_it_can_run_does_not_keep_people_from_being_told() -> None:
    every_minute = Job("audit", "audit", "* * * * *", "UTC", timedelta(hours=1))
    jobs, statuses = company(phase=Phase.RUNNING, due=MONDAY_NOON, last_success_at=MONDAY_NOON - timedelta(minutes=1))
    jobs = [every_minute if each.name == "audit" else each for each in jobs]
    assert "act" in names(jobs, statuses, MONDAY_NOON)


@pytest.mark.parametrize("changes", [{"paused_reason": "for the holidays"}, {"known_since": MONDAY_SEVEN}])
def test_audit_that_is_paused_or_was_not_due_yet_is_not_waited_for(changes: dict[str, Any]) -> None:
    jobs, statuses = company(**changes)
    assert "act" in names(jobs, statuses, MONDAY_NOON)


# --- after a failure ---


def changes_after(error: Exception, **known: Any) -> dict[str, Any]:
    return after_error(error, status(attempt=1, **known), now=MONDAY_SEVEN, said=None)


def test_service_that_is_away_is_asked_again_later_and_later_up_to_a_quarter_of_an_hour() -> None:
    waits = [
        changes_after(TransientError("away"), failures=failures)["retry_at"] - MONDAY_SEVEN for failures in range(7)
    ]
    assert [int(wait.total_seconds() / 60) for wait in waits] == [1, 2, 4, 8, 15, 15, 15]


def test_service_that_names_its_wait_is_left_alone_for_so_long() -> None:
    changes = changes_after(TransientError("quota", retry_after=timedelta(hours=2)))
    assert changes["outcome"] is Outcome.POSTPONED
    assert changes["retry_at"] == MONDAY_SEVEN + timedelta(hours=2)


def test_call_budget_at_its_reserve_postpones_and_a_limit_on_harm_fails_without_a_retry() -> None:
    assert changes_after(BudgetError("reserve reached"))["outcome"] is Outcome.POSTPONED
    stopped = changes_after(SafetyError("wants 30,000 writes"))
    assert (stopped["outcome"], stopped["retry_at"]) == (Outcome.FAILED, None)


@pytest.mark.parametrize("error", [AuthError("revoked"), ConfigError("no key file")])
def test_refused_credentials_block_the_job_and_it_looks_again_in_an_hour(error: Exception) -> None:
    changes = changes_after(error)
    assert changes["outcome"] is Outcome.BLOCKED
    assert changes["retry_at"] == MONDAY_SEVEN + timedelta(hours=1)


def test_unforeseen_error_is_tried_three_times_and_then_left_for_the_next_slot() -> None:
    def retry(attempt: int) -> Any:
        return after_error(RuntimeError("?"), status(attempt=attempt), now=MONDAY_SEVEN, said=None)["retry_at"]

    assert retry(1) == retry(2) == MONDAY_SEVEN + timedelta(minutes=15)
    assert retry(3) is None


# --- what is wanted before it is due ---

EARLY = Early("report", lambda: True, timedelta(minutes=1))
AT = MONDAY_SEVEN + timedelta(minutes=2, seconds=7, milliseconds=300)
SERVED: dict[str, Any] = {
    "due": MONDAY_SEVEN,
    "attempt": 1,
    "outcome": Outcome.SUCCEEDED,
    "finished_at": MONDAY_SEVEN + timedelta(minutes=1),
}


def early(**changes: Any) -> list[str]:
    known = status(**SERVED | changes)
    return [slot.id for slot in early_slots([job()], {"weekly_report": known}, AT, EARLY)]


def test_a_job_that_is_wanted_early_runs_under_a_slot_of_its_own_second() -> None:
    assert early() == ["weekly_report@20260601T070207Z#1"]
    assert wanted(job(), status(**SERVED | {"due": AT.replace(microsecond=0)}), AT) is None
    assert next_due(job(), AT) == MONDAY_SEVEN + timedelta(days=7)


@pytest.mark.parametrize(
    "changes",
    [
        {"finished_at": AT - timedelta(seconds=59)},
        {"phase": Phase.RUNNING},
        {"phase": Phase.QUEUED},
        {"paused_reason": "by hand"},
        {"outcome": Outcome.BLOCKED},
        {"outcome": Outcome.POSTPONED},
        {"outcome": Outcome.FAILED},
        {"outcome": None, "due": None, "finished_at": None},
        {"due": AT.replace(microsecond=0)},
    ],
    ids=[
        "too soon",
        "it runs",
        "asked for",
        "paused",
        "blocked",
        "postponed",
        "failed",
        "never ran",
        "this very second",
    ],
)
def test_it_does_not_run_early_where(changes: dict[str, Any]) -> None:
    assert early(**changes) == []


def test_another_flow_or_a_job_that_is_switched_off_is_not_wanted_early() -> None:
    known = {"weekly_report": status(**SERVED)}
    assert early_slots([job(enabled=False)], known, AT, EARLY) == []
    assert early_slots([job()], known, AT, Early("capture", lambda: True, timedelta(0))) == []


@pytest.mark.parametrize(("has_news", "asked"), [(True, 1), (False, 0)])
def test_the_daemon_asks_for_it_where_there_is_news_and_nothing_is_due(has_news: bool, asked: int) -> None:
    slots: list[Slot] = []
    engine: Any = SimpleNamespace(status=lambda: [status(**SERVED)], enqueue=slots.append)
    daemon._ask_for_due(engine, [job()], AT, Early("report", lambda: has_news, timedelta(minutes=1)))
    assert len(slots) == asked
