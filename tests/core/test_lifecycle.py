from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from finding_sample import (
    DAY,
    MANAGER,
    MONDAY,
    OTHER_OWNER,
    OWNER,
    Accepted,
    apply,
    finding,
    judge,
    mark,
    opportunity_id,
    outcome,
    row,
    rule,
    task,
)
from leakwatch.core.fingerprint import escalation_key, fingerprint, marker, owner_key, parse_key
from leakwatch.core.lifecycle import Signals, retire
from leakwatch.core.lifecycle_case import Look
from leakwatch.core.lifecycle_moves import LOOK_MOVES, SIGNAL_MOVES
from leakwatch.model import EscalationStep, FindingStatus, Lifecycle, Mode, Proof, RuleLimits, Severity

ISTANBUL = ZoneInfo("Europe/Istanbul")

LATE = MONDAY + 30 * DAY


def told(number: int = 1, **changes):
    values = {"notified_owner_id": OWNER, "notified_at": MONDAY, "notices": 1, "pending_notice": None}
    return finding(number, **(values | changes))


# --- names ---


def test_fingerprint_differs_when_parts_are_split_differently():
    assert fingerprint("org", "rule", ("ab", "c")) != fingerprint("org", "rule", ("a", "bc"))
    assert fingerprint("org", "rule", ("a",)) != fingerprint("orgrule", "", ("a",))


def test_fingerprint_stays_when_owner_amount_severity_and_version_change():
    first = judge(outcome(row(1)))
    other = replace(row(1), owner_id=OTHER_OWNER, impact=Decimal(9), severity=Severity.CRITICAL, record_name="Other")
    second = judge(outcome(other, rule_version=7, params_digest="p9"))
    assert first.findings[0].fingerprint == second.findings[0].fingerprint


def test_keys_say_what_they_are_of_when_parsed():
    name = mark(1)
    assert parse_key(owner_key(name, 1, 1)).number == 1
    assert parse_key(owner_key(name, 2, 3)) == replace(parse_key(owner_key(name, 1, 1)), episode=2, number=3)
    assert parse_key(escalation_key(name, 1, 2, 0)).escalation == "e2"
    assert parse_key(escalation_key(name, 1, 2, 1)).number == 0
    assert escalation_key(name, 1, 1, 0) != escalation_key(name, 1, 1, 1)


@pytest.mark.parametrize("key", ["", "lw1:m:" + "a" * 40, "lw1:f:short:1", f"lw1:f:{'a' * 32}:x", "someone's key"])
def test_keys_of_anything_else_are_not_taken_for_alerts(key):
    assert parse_key(key) is None


def test_markers_differ_between_episodes():
    assert marker(owner_key(mark(1), 1, 1)) != marker(owner_key(mark(1), 2, 1))
    assert len(marker("x")) == len("lw:1a2b3c4d")


# --- every pair is written out ---


def test_every_pair_of_status_and_event_has_a_move():
    for status in FindingStatus:
        assert set(LOOK_MOVES[status]) == set(Look)
        assert status in SIGNAL_MOVES


# --- birth ---


def test_first_run_records_everything_as_baseline_and_tells_nobody():
    result = judge(outcome(row(1), row(2)), first_run=True)
    assert [item.baseline for item in result.findings] == [True, True]
    assert all(item.status is FindingStatus.OPEN and item.pending_notice is None for item in result.findings)
    assert {change.reason for change in result.transitions} == {"baseline"}
    assert {change.notify for change in result.transitions} == {None}


def test_new_finding_opens_and_waits_to_be_said():
    result = judge(outcome(row(1)))
    (found,) = result.findings
    (change,) = result.transitions
    assert (found.status, found.baseline, found.pending_notice) == (FindingStatus.OPEN, False, "new")
    assert (change.old, change.new, change.reason, change.notify) == (None, FindingStatus.OPEN, "detected", "new")


@pytest.mark.parametrize("mode", [Mode.REPORT, Mode.NOTIFY])
def test_nothing_waits_to_be_said_when_the_rule_may_not_act(mode):
    of = rule(mode=mode)
    result = judge(outcome(row(1), of=of), of=of)
    assert result.findings[0].pending_notice is None
    assert result.transitions[0].notify == "new"  # the forecast counts it


def test_finding_stays_pending_when_confirmation_needs_a_second_snapshot():
    of = rule(lifecycle=Lifecycle(confirm_runs=2))
    first = judge(outcome(row(1)), of=of, snapshot="s1")
    assert first.findings[0].status is FindingStatus.PENDING
    again = judge(outcome(row(1)), list(first.findings), of=of, snapshot="s1")
    assert again.findings == ()
    second = judge(outcome(row(1)), list(first.findings), of=of, snapshot="s2", now=MONDAY + DAY)
    assert second.findings[0].status is FindingStatus.OPEN
    assert [change.reason for change in second.transitions] == ["confirmed"]
    assert second.findings[0].pending_notice == "new"


def test_pending_finding_vanishes_without_trace_when_absent():
    of = rule(lifecycle=Lifecycle(confirm_runs=2))
    first = judge(outcome(row(1)), of=of, snapshot="s1")
    second = judge(outcome(), list(first.findings), of=of, snapshot="s2")
    assert second.dropped == (mark(1),)
    assert second.findings == ()
    assert second.transitions == ()


def test_rows_without_key_and_rows_that_repeat_a_key_do_not_stop_the_rest():
    keyless = replace(row(3), business_key=("",))
    smaller = replace(row(1), impact=Decimal(5))
    result = judge(outcome(smaller, row(1), keyless, row(2)))
    assert len(result.findings) == 2
    assert {item.impact for item in result.findings} == {Decimal("1000.00")}
    assert "1 rows have no key" in result.note
    assert "1 rows repeat a key" in result.note


# --- resolving ---


def test_finding_resolves_when_absent_in_two_complete_runs_on_two_snapshots():
    held = [told()]
    once = judge(outcome(), held, snapshot="s1")
    assert once.findings[0].status is FindingStatus.OPEN
    assert once.findings[0].absent_runs == 1
    held = apply(held, once)
    twice = judge(outcome(), held, snapshot="s2", now=MONDAY + DAY)
    assert twice.findings[0].status is FindingStatus.RESOLVED
    assert twice.findings[0].resolved_reason == "fixed"
    assert [change.notify for change in twice.transitions] == ["resolved"]


def test_two_runs_on_the_same_snapshot_are_one_look():
    held = apply([finding()], judge(outcome(), [finding()], snapshot="s1"))
    again = judge(outcome(), held, snapshot="s1", now=MONDAY + DAY)
    assert again.findings == ()
    assert again.transitions == ()


def test_finding_seen_again_starts_counting_absences_anew():
    held = apply([finding()], judge(outcome(), [finding()], snapshot="s1"))
    held = apply(held, judge(outcome(row(1)), held, snapshot="s2"))
    held = apply(held, judge(outcome(), held, snapshot="s3"))
    assert held[0].status is FindingStatus.OPEN
    assert held[0].absent_runs == 1


@pytest.mark.parametrize(
    "blind",
    [
        {"complete": False},
        {"error": "child killed after 60 s"},
        {"switched_off": "no column reason__c"},
        {"population": 0},
    ],
)
def test_a_run_that_could_not_look_resolves_nothing_and_says_held(blind):
    held = [finding()]
    for number in range(5):
        result = judge(outcome(**blind), held, snapshot=f"s{number}", now=MONDAY + number * DAY)
        assert not result.complete
        assert result.transitions == ()
        assert result.held == 1
        held = apply(held, result)
    assert held[0].status is FindingStatus.OPEN
    assert held[0].proof is Proof.HELD
    assert held[0].absent_runs == 0


def test_held_finding_is_proven_again_when_it_is_seen_again():
    held = apply([finding()], judge(outcome(complete=False), [finding()]))
    result = judge(outcome(row(1)), held, snapshot="s2")
    assert result.findings[0].proof is Proof.PROVEN


def test_an_incomplete_run_may_open_findings():
    result = judge(outcome(row(1), complete=False))
    assert result.findings[0].status is FindingStatus.OPEN


def test_a_shrunken_population_closes_nothing_however_often_the_same_snapshot_is_judged():
    held = [finding()]
    first = judge(outcome(), held, snapshot="s1", hold_note="only 4 records were seen, 1,000 before")
    assert first.findings[0].proof is Proof.HELD
    assert not first.complete
    again = judge(outcome(), apply(held, first), snapshot="s1")
    assert again.transitions == ()


def test_single_findings_are_held_when_one_process_finding_stands_for_them():
    process = replace(row(0), business_key=("process",), record_id="", is_process=True, owner_id=None, count=900)
    held = [finding()]
    for number in range(3):
        seen = outcome(process, singles_replaced=True)
        held = apply(held, judge(seen, held, snapshot=f"s{number}", now=MONDAY + number * DAY))
    single = next(item for item in held if not item.is_process)
    assert (single.status, single.proof) == (FindingStatus.OPEN, Proof.HELD)


def test_single_findings_close_beside_a_process_finding_that_does_not_stand_for_them():
    process = replace(row(0), business_key=("process", "amount"), record_id="amount", is_process=True, owner_id=None)
    held = [finding()]
    for number in range(3):
        held = apply(held, judge(outcome(process), held, snapshot=f"s{number}", now=MONDAY + number * DAY))
    status = {item.is_process: (item.status, item.resolved_reason) for item in held}
    assert status == {False: (FindingStatus.RESOLVED, "fixed"), True: (FindingStatus.OPEN, None)}


def test_a_process_finding_closes_when_the_field_is_filled_but_not_when_it_left_the_data():
    process = replace(row(0), business_key=("process", "amount"), record_id="amount", is_process=True, owner_id=None)
    (held,) = apply([], judge(outcome(process), snapshot="s0"))
    gone = filled = [held]
    for number in range(1, 4):
        when = {"snapshot": f"s{number}", "now": MONDAY + number * DAY}
        gone = apply(gone, judge(outcome(unchecked=frozenset({"amount"})), gone, **when))
        filled = apply(filled, judge(outcome(), filled, **when))
    assert (gone[0].status, gone[0].proof) == (FindingStatus.OPEN, Proof.HELD)
    assert (filled[0].status, filled[0].resolved_reason) == (FindingStatus.RESOLVED, "fixed")


def test_deleted_or_merged_record_closes_as_gone_even_when_the_run_was_incomplete():
    result = judge(outcome(complete=False), [told()], signals=Signals(gone_records=frozenset({opportunity_id(1)})))
    assert result.findings[0].resolved_reason == "gone"
    assert result.transitions[0].notify is None


def test_absent_after_the_rule_changed_its_meaning_closes_as_rule_changed_not_fixed():
    of = rule(params_digest="p2")
    result = judge(outcome(of=of), [told()], of=of, meaning_changed=True)
    assert result.findings[0].resolved_reason == "rule_changed"
    assert [(change.reason, change.notify) for change in result.transitions] == [("rule_changed", None)]


def test_absent_after_a_failed_run_under_the_new_meaning_still_counts_as_rule_changed():
    of = rule(version=2)
    held = apply([told()], judge(outcome(of=of, complete=False), [told()], of=of, meaning_changed=True))
    result = judge(outcome(of=of), held, of=of, meaning_changed=True, snapshot="s2")
    assert result.findings[0].resolved_reason == "rule_changed"


def test_what_appears_when_the_meaning_changed_is_baseline_and_what_was_open_goes_on():
    of = rule(version=2)
    result = judge(outcome(row(1), row(2), of=of), [told()], of=of, meaning_changed=True)
    by_mark = {item.fingerprint: item for item in result.findings}
    assert by_mark[mark(2)].baseline
    assert not by_mark[mark(1)].baseline
    assert by_mark[mark(1)].rule_version == 2


@pytest.mark.parametrize(("first_day", "reason"), [(date(2025, 3, 17), "aged_out"), (date(2025, 3, 16), "fixed")])
def test_record_that_left_the_rules_window_was_not_fixed_by_anybody(first_day: date, reason: str):
    held = [told(evidence={"stage_changed_on": date(2025, 3, 16)}, absent_runs=1)]
    result = judge(outcome(window=("stage_changed_on", first_day)), held)
    assert result.findings[0].resolved_reason == reason
    assert [change.notify for change in result.transitions] == ["resolved" if reason == "fixed" else None]


def test_retired_rule_closes_its_findings_without_success_and_forgets_pending_ones():
    pending = finding(2, status=FindingStatus.PENDING)
    resolved = finding(3, status=FindingStatus.RESOLVED, resolved_reason="fixed")
    result = retire([told(), pending, resolved], now=LATE, run_id="r")
    assert [item.resolved_reason for item in result.findings] == ["retired"]
    assert [change.reason for change in result.transitions] == ["retired"]
    assert result.dropped == (mark(2),)


# --- coming back ---


def resolved_at(moment, **changes):
    values = {"status": FindingStatus.RESOLVED, "resolved_reason": "fixed", "status_since": moment}
    return told(**(values | changes))


def test_seen_again_within_thirty_days_reopens_the_same_episode():
    result = judge(outcome(row(1)), [resolved_at(MONDAY)], now=MONDAY + 30 * DAY)
    (found,) = result.findings
    assert (found.status, found.reopened, found.episode) == (FindingStatus.OPEN, 1, 1)
    assert found.pending_notice == "back_again"
    assert [change.reason for change in result.transitions] == ["reopened"]


def test_seen_again_later_starts_a_new_episode_with_a_new_clock():
    later = MONDAY + 31 * DAY
    result = judge(outcome(row(1)), [resolved_at(MONDAY)], now=later)
    (found,) = result.findings
    assert (found.episode, found.reopened, found.since, found.notices) == (2, 0, later, 0)
    assert found.first_seen == MONDAY
    assert found.pending_notice == "new"


def test_what_a_rule_change_closed_is_no_relapse_when_it_appears_again():
    closed = resolved_at(MONDAY, resolved_reason="rule_changed")
    result = judge(outcome(row(1)), [closed], now=MONDAY + DAY, meaning_changed=True)
    (found,) = result.findings
    assert found.reopened == 0
    assert found.baseline
    assert found.pending_notice is None


def test_resolved_finding_is_left_alone_by_everything_but_being_seen():
    closed = resolved_at(MONDAY)
    for result in (
        judge(outcome(), [closed], snapshot="s9"),
        judge(outcome(complete=False), [closed], snapshot="s9"),
        judge(outcome(), [closed], signals=Signals(gone_records=frozenset({opportunity_id(1)}))),
        judge(outcome(of=rule(version=2)), [closed], of=rule(version=2), meaning_changed=True),
    ):
        assert result.findings == ()
        assert result.transitions == ()


# --- breaker ---


def test_flood_is_recorded_as_baseline_and_closes_nothing():
    of = rule(limits=RuleLimits(new_per_run=2, new_share=Decimal("0.20")))
    result = judge(outcome(row(2), row(3), row(4), of=of, population=10), [told()], of=of)
    new = [item for item in result.findings if item.fingerprint != mark(1)]
    assert all(item.baseline and item.pending_notice is None for item in new)
    old = next(item for item in result.findings if item.fingerprint == mark(1))
    assert old.proof is Proof.HELD
    assert result.breaker
    assert "3 new findings" in result.note
    assert "10 records" in result.note


@pytest.mark.parametrize(("population", "trips"), [(15, False), (14, True), (None, True)])
def test_breaker_needs_both_limits_passed_where_the_population_is_known(population, trips):
    of = rule(limits=RuleLimits(new_per_run=2, new_share=Decimal("0.20")))
    result = judge(outcome(row(2), row(3), row(4), of=of, population=population), of=of)
    assert result.breaker is trips


def test_a_mass_reopening_trips_the_breaker_too():
    of = rule(limits=RuleLimits(new_per_run=1, new_share=Decimal("0.01")))
    held = [resolved_at(MONDAY), replace(resolved_at(MONDAY), fingerprint=mark(2))]
    result = judge(outcome(row(1), row(2), of=of, population=10), held, of=of, now=MONDAY + DAY)
    assert result.breaker
    assert all(item.pending_notice is None and item.baseline for item in result.findings)


# --- owner, growth ---


@pytest.mark.parametrize("status", [FindingStatus.OPEN, FindingStatus.ESCALATED])
def test_new_owner_is_told_when_the_owner_changed(status):
    result = judge(outcome(replace(row(1), owner_id=OTHER_OWNER)), [told(status=status)], now=MONDAY + DAY)
    assert result.findings[0].status is status
    assert result.findings[0].pending_notice == "reassigned"


def test_acknowledgement_of_the_old_owner_ends_when_the_owner_changed():
    held = [told(status=FindingStatus.ACKNOWLEDGED)]
    result = judge(outcome(replace(row(1), owner_id=OTHER_OWNER)), held, now=MONDAY + DAY)
    assert result.findings[0].status is FindingStatus.OPEN


def test_task_that_the_old_owner_put_in_progress_does_not_leave_the_new_owner_untold():
    held = [told(status=FindingStatus.ACKNOWLEDGED)]
    theirs = task(owner_key(mark(1), 1, 1), in_progress=True, last_modified_by_other=True)
    signals = Signals(tasks={theirs.key: theirs})
    result = judge(outcome(replace(row(1), owner_id=OTHER_OWNER)), held, signals=signals, now=MONDAY + DAY)
    assert (result.findings[0].status, result.findings[0].pending_notice) == (FindingStatus.OPEN, "reassigned")


def test_task_that_the_old_owner_keeps_in_progress_does_not_acknowledge_for_the_new_one():
    held = [told(owner_id=OTHER_OWNER, notified_owner_id=OTHER_OWNER, notices=2)]
    theirs = task(owner_key(mark(1), 1, 1), in_progress=True, last_modified_by_other=True)
    signals = Signals(tasks={theirs.key: theirs})
    result = judge(outcome(replace(row(1), owner_id=OTHER_OWNER)), held, signals=signals, now=MONDAY + DAY)
    assert result.findings[0].status is FindingStatus.OPEN


def test_new_owner_of_a_baseline_finding_is_not_told():
    held = [finding(baseline=True, pending_notice=None)]
    result = judge(outcome(replace(row(1), owner_id=OTHER_OWNER)), held, now=MONDAY + DAY)
    assert result.findings[0].pending_notice is None
    assert result.transitions[0].notify is None


def test_growth_that_an_exception_covers_is_measured_from_there_when_it_ends():
    told = finding(impact=Decimal(100), impact_reference=Decimal(100), notified_at=MONDAY)
    covered = Signals(exceptions=(Accepted(opportunity_id(1), MONDAY.date()),))
    (kept,) = judge(outcome(replace(row(1), impact=Decimal(151))), [told], signals=covered).findings
    assert (kept.status, kept.pending_notice, kept.impact_reference) == (FindingStatus.EXCEPTED, None, Decimal(151))


def test_owner_who_was_not_told_yet_hears_new_not_that_it_grew():
    result = judge(outcome(replace(row(1), impact=Decimal(9000))), [finding()], now=MONDAY + DAY)
    assert result.findings[0].pending_notice == "new"
    assert [change.reason for change in result.transitions] == ["grew"]


@pytest.mark.parametrize(("impact", "grew"), [("1500.00", False), ("1500.01", True)])
def test_finding_grew_only_when_the_impact_is_up_by_more_than_half(impact, grew):
    result = judge(outcome(replace(row(1), impact=Decimal(impact))), [told()], now=MONDAY + DAY)
    assert (result.findings[0].pending_notice == "grew") is grew


def test_slow_growth_is_said_when_it_adds_up():
    held, reasons = [told()], []
    for number in range(1, 8):
        bigger = replace(row(1), impact=Decimal(1000) * (10 + number) / 10)
        result = judge(outcome(bigger), held, snapshot=f"s{number}", now=MONDAY + number * DAY)
        held = apply(held, result)
        reasons += [change.reason for change in result.transitions]
    assert reasons == ["grew"]


def test_worse_severity_is_said_once():
    worse = replace(row(1), severity=Severity.HIGH)
    first = judge(outcome(worse), [told()])
    assert [change.reason for change in first.transitions] == ["grew"]
    second = judge(outcome(worse), apply([told()], first), snapshot="s2")
    assert second.transitions == ()


def test_growth_is_not_compared_across_currencies_or_rule_versions():
    dollars = replace(row(1), impact=Decimal(9000), currency="USD")
    assert judge(outcome(dollars), [told()]).transitions == ()
    of = rule(version=2)
    assert judge(outcome(replace(row(1), impact=Decimal(9000)), of=of), [told()], of=of).transitions == ()


# --- acknowledgement ---


def in_progress(**changes):
    values = {"status": "In Progress", "in_progress": True, "last_modified_by_other": True}
    return Signals(tasks={owner_key(mark(1), 1, 1): task(owner_key(mark(1), 1, 1), **(values | changes))})


@pytest.mark.parametrize("status", [FindingStatus.OPEN, FindingStatus.ESCALATED])
def test_task_put_in_progress_acknowledges(status):
    result = judge(outcome(row(1)), [told(status=status)], now=MONDAY + DAY, signals=in_progress())
    assert result.findings[0].status is FindingStatus.ACKNOWLEDGED
    assert result.transitions[0].notify is None


@pytest.mark.parametrize(
    "signals",
    [
        in_progress(last_modified_by_other=False),
        in_progress(is_deleted=True),
        in_progress(modified_at=MONDAY - 14 * DAY),
        in_progress(in_progress=False),
    ],
)
def test_nothing_is_acknowledged_when_no_person_did_it_lately(signals):
    result = judge(outcome(row(1)), [told()], signals=signals)
    assert result.count("acknowledged") == 0


def test_acknowledgement_ends_after_fourteen_days_and_does_not_flap():
    held = apply([told()], judge(outcome(row(1)), [told()], signals=in_progress()))
    early = judge(outcome(row(1)), held, now=MONDAY + 14 * DAY - DAY, snapshot="s2", signals=in_progress())
    assert early.transitions == ()
    late = judge(outcome(row(1)), held, now=MONDAY + 14 * DAY, snapshot="s2", signals=in_progress())
    assert [(change.reason, change.notify) for change in late.transitions] == [("ack_expired", "still_open")]
    again = judge(outcome(row(1)), apply(held, late), now=MONDAY + 15 * DAY, snapshot="s3", signals=in_progress())
    assert again.transitions == ()


def test_person_who_touches_the_task_again_keeps_the_acknowledgement():
    held = apply([told()], judge(outcome(row(1)), [told()], signals=in_progress()))
    later = in_progress(modified_at=MONDAY + 10 * DAY)
    result = judge(outcome(row(1)), held, now=MONDAY + 15 * DAY, snapshot="s2", signals=later)
    assert result.transitions == ()


# --- closed, not fixed ---


def closed_task(number: int = 1, **changes):
    key = owner_key(mark(1), 1, number)
    values = {"status": "Completed", "is_closed": True, "closed_at": MONDAY, "last_modified_by_other": True}
    return Signals(tasks={key: task(key, **(values | changes))})


def test_closed_task_is_answered_once_after_the_grace_when_the_leak_persists():
    early = judge(outcome(row(1)), [told()], now=MONDAY + DAY, signals=closed_task())
    assert early.transitions == ()
    late = judge(outcome(row(1)), [told()], now=MONDAY + 2 * DAY, signals=closed_task())
    assert late.findings[0].pending_notice == "not_fixed"
    again = judge(outcome(row(1)), apply([told()], late), now=MONDAY + 9 * DAY, snapshot="s2", signals=closed_task())
    assert [change.reason for change in again.transitions] == []


def test_task_that_we_closed_is_not_answered():
    ours = closed_task(last_modified_by_other=False)
    assert judge(outcome(row(1)), [told()], now=LATE - 21 * DAY, signals=ours).transitions == ()


def test_closed_task_is_not_answered_again_while_the_next_one_is_not_in_the_mirror_yet():
    held = [told(notices=2)]
    assert judge(outcome(row(1)), held, now=LATE, signals=closed_task(1)).count("closed_not_fixed") == 0
    assert judge(outcome(row(1)), held, now=LATE, signals=closed_task(2)).count("closed_not_fixed") == 1


def test_owner_hears_at_most_three_words_in_an_episode():
    result = judge(outcome(row(1)), [told(notices=3)], now=LATE, signals=closed_task(3))
    assert result.count("closed_not_fixed") == 0


def test_deleted_task_is_a_wish_not_to_be_asked_again():
    signals = closed_task(is_deleted=True)
    result = judge(outcome(row(1)), [told()], now=MONDAY + 5 * DAY, signals=signals)
    assert [(change.reason, change.notify) for change in result.transitions] == [("task_deleted", None)]
    assert (result.findings[0].pending_notice, result.findings[0].notified_at) == (None, None)
    later = judge(outcome(row(1)), apply([told()], result), now=MONDAY + 99 * DAY, signals=signals, snapshot="s2")
    assert later.transitions == ()


def test_acknowledged_finding_opens_again_when_its_task_was_closed_without_a_fix():
    held = [told(status=FindingStatus.ACKNOWLEDGED)]
    result = judge(outcome(row(1)), held, now=MONDAY + 3 * DAY, signals=closed_task())
    assert result.findings[0].status is FindingStatus.OPEN


def test_closed_task_says_nothing_while_nobody_could_look():
    result = judge(outcome(complete=False), [told()], now=LATE, signals=closed_task())
    assert result.transitions == ()


# --- escalation ---


def test_escalates_step_by_step_when_nobody_acknowledges():
    held = [told()]
    assert judge(outcome(row(1)), held, now=MONDAY + 9 * DAY).transitions == ()
    first = judge(outcome(row(1)), held, now=MONDAY + 10 * DAY)
    assert (first.findings[0].status, first.findings[0].escalation_step) == (FindingStatus.ESCALATED, 1)
    assert first.transitions[0].notify == "escalated"
    held = [replace(first.findings[0], escalation_told=1)]
    second = judge(outcome(row(1)), held, now=MONDAY + 21 * DAY, snapshot="s2")
    assert second.findings[0].escalation_step == 2
    held = [replace(second.findings[0], escalation_told=2)]
    assert judge(outcome(row(1)), held, now=MONDAY + 99 * DAY, snapshot="s3").transitions == ()


def test_second_step_waits_until_the_first_was_told():
    held = [told(status=FindingStatus.ESCALATED, escalation_step=1, escalation_told=0)]
    assert judge(outcome(row(1)), held, now=MONDAY + 99 * DAY).transitions == ()


@pytest.mark.parametrize(
    "held",
    [
        finding(),  # never told
        told(pending_notice="grew"),
        told(baseline=True),
        told(status=FindingStatus.ACKNOWLEDGED, status_since=MONDAY + 95 * DAY),
    ],
)
def test_nobody_is_reported_to_a_manager_when_they_were_not_told_or_are_on_it(held):
    assert judge(outcome(row(1)), [held], now=MONDAY + 99 * DAY).count("escalated") == 0


def test_nothing_escalates_while_nobody_can_look():
    assert judge(outcome(complete=False), [told()], now=MONDAY + 99 * DAY).transitions == ()


# --- exceptions and snoozing ---

ACCEPTED = Accepted(opportunity_id(1), date(2026, 12, 31))


@pytest.mark.parametrize(
    ("told_at", "judged_at", "escalated"),
    [
        ("2026-11-23T03:00:10Z", "2026-12-03T03:00:05Z", True),  # five seconds earlier on the tenth day: not put off
        ("2026-11-23T03:00:10Z", "2026-12-02T20:59:59Z", False),  # 23:59:59 of the ninth day in Istanbul
        ("2026-11-23T03:00:10Z", "2026-12-02T21:00:00Z", True),  # its tenth day begins
        ("2026-11-23T21:30:00Z", "2026-12-03T20:59:00Z", False),  # told on 24 November there
        ("2026-11-23T21:30:00Z", "2026-12-03T21:00:00Z", True),
    ],
)
def test_ten_days_are_days_of_the_orgs_calendar(told_at, judged_at, escalated):
    held = told(notified_at=datetime.fromisoformat(told_at))
    now = datetime.fromisoformat(judged_at)
    result = judge(outcome(row(1)), [held], now=now, signals=Signals(zone=ISTANBUL))
    assert result.count("escalated") == escalated


def test_a_limit_in_hours_is_by_the_clock():
    hasty = rule(lifecycle=Lifecycle(escalate=(EscalationStep(timedelta(hours=36), "manager"),)))
    early = judge(outcome(row(1)), [told()], of=hasty, now=MONDAY + timedelta(hours=35, minutes=59))
    assert early.transitions == ()
    assert judge(outcome(row(1)), [told()], of=hasty, now=MONDAY + timedelta(hours=36)).count("escalated") == 1


def test_accepted_leak_is_excepted_from_birth_and_tells_nobody():
    result = judge(outcome(row(1)), signals=Signals(exceptions=(ACCEPTED,)))
    assert result.findings[0].status is FindingStatus.EXCEPTED
    assert result.findings[0].pending_notice is None
    assert len(result.transitions) == 1


def test_exception_ends_on_the_day_after_its_expiry():
    held = apply([told()], judge(outcome(row(1)), [told()], signals=Signals(exceptions=(ACCEPTED,))))
    assert held[0].status is FindingStatus.EXCEPTED
    signals = Signals(exceptions=(ACCEPTED,), zone=ISTANBUL)
    last_day, after = (datetime(2026, 12, 31, hour, tzinfo=UTC) for hour in (20, 21))  # 23:00, then midnight there
    assert judge(outcome(row(1)), held, signals=signals, snapshot="s2", now=last_day).transitions == ()
    result = judge(outcome(row(1)), held, signals=signals, snapshot="s2", now=after)
    assert [(change.reason, change.notify) for change in result.transitions] == [("exception_ended", "resumed")]
    there = replace(signals, tasks={owner_key(mark(1), 1, 1): task(owner_key(mark(1), 1, 1))})
    result = judge(outcome(row(1)), held, signals=there, snapshot="s2", now=after)
    assert [(change.reason, change.notify) for change in result.transitions] == [("exception_ended", "still_open")]


def test_excepted_finding_still_closes_when_it_is_fixed():
    held = [told(status=FindingStatus.EXCEPTED)]
    signals = Signals(exceptions=(ACCEPTED,))
    held = apply(held, judge(outcome(), held, snapshot="s1", signals=signals))
    held = apply(held, judge(outcome(), held, snapshot="s2", signals=signals))
    assert held[0].resolved_reason == "fixed"


def test_finding_that_no_exception_covers_stays_open():
    other = Signals(exceptions=(Accepted(opportunity_id(2), date(2026, 12, 31)),))
    assert judge(outcome(row(1)), signals=other).findings[0].status is FindingStatus.OPEN


def test_snoozed_finding_sleeps_until_its_end():
    signals = Signals(snoozed={mark(1): MONDAY + 5 * DAY})
    held = apply([told()], judge(outcome(row(1)), [told()], signals=signals))
    assert held[0].status is FindingStatus.SNOOZED
    assert judge(outcome(row(1)), held, snapshot="s2", now=MONDAY + 4 * DAY, signals=signals).transitions == ()
    result = judge(outcome(row(1)), held, snapshot="s2", now=MONDAY + 5 * DAY, signals=signals)
    assert [change.reason for change in result.transitions] == ["snooze_ended"]


def test_finding_of_an_owner_whose_mailbox_was_not_read_is_unproven():
    result = judge(outcome(row(1)), signals=Signals(unproven_owners=frozenset({OWNER})))
    assert result.findings[0].proof is Proof.UNPROVEN


def test_manager_of_the_row_is_kept_for_the_escalation():
    assert judge(outcome(row(1))).findings[0].manager_id == MANAGER
