from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from finding_org import US, WORDS, marker_of
from finding_sample import (
    DAY,
    MANAGER,
    OTHER_OWNER,
    OWNER,
    Accepted,
    mark,
    opportunity_id,
    row,
    rule,
)
from flows.act_company import FIRST, PEOPLE, Company
from leakwatch import faultpoints
from leakwatch.core.fingerprint import escalation_key, owner_key
from leakwatch.errors import TransientError
from leakwatch.flows.act import OrgView
from leakwatch.model import FindingStatus, Mode, RuleAction, Severity

# --- from finding to Task ---


def test_new_leak_becomes_one_task_and_acting_again_writes_nothing(company):
    it = company()
    report = it.day(row(1))
    assert (report.tasks_made, report.failed, report.waiting) == (1, (), ())
    (made,) = it.org.tasks.values()
    assert (made["OwnerId"], made["Leakwatch_Key__c"]) == (OWNER, FIRST)
    assert made["WhatId"] == opportunity_id(1)
    again = it.act()
    assert (again.tasks_made, again.ops) == (0, ())
    assert it.day(row(1)).ops == ()
    assert len(it.org.sent) == 1


def test_baseline_is_told_to_nobody(company, tmp_path):
    it = Company(tmp_path / "fresh.db")
    it.rule = replace(it.rule, version=2)
    assert it.day(row(1), row(2)).ops == ()
    it.engine.dispose()


def test_rule_in_report_mode_writes_nothing_and_its_old_findings_stay_quiet_when_it_may_act(company):
    it = company(rule(mode=Mode.REPORT))
    assert it.day(row(1)).ops == ()
    it.rule = replace(it.rule, mode=Mode.ACT)
    report = it.day(row(1), row(2))
    assert [delivery.fingerprints for delivery in report.deliveries] == [(mark(2),)]


def test_everything_is_off_until_switched_on(company):
    it = company()
    it.policy = replace(it.policy, writes={})
    report = it.day(row(1))
    assert report.ops == ()
    assert [one.reason for one in report.waiting] == ["writes_off"]
    it.policy = replace(it.policy, writes={"salesforce_task": True})
    assert it.act().tasks_made == 1


def test_dry_run_lists_exactly_what_would_be_written_and_changes_nothing(company):
    it = company()
    it.audit(row(1), row(2))
    before = (it.store.findings(), it.store.deliveries())
    dry = it.act(dry_run=True)
    assert (it.store.findings(), it.store.deliveries(), it.org.tasks) == (*before, {})
    real = it.act()
    assert [op.op_id for op in dry.ops] == [op.op_id for op in real.ops]
    assert [dict(op.fields) for op in dry.ops] == [dict(op.fields) for op in it.org.sent]


def test_dry_run_lists_what_an_earlier_run_left_unsent_and_what_would_be_closed(company):
    it = company()
    it.day(row(1))
    it.audit(row(1), row(2))
    it.org.down_after = 0
    with pytest.raises(TransientError):
        it.act()
    it.org.down_after = None
    it.audit(row(2))
    it.audit(row(2))
    dry = it.act(dry_run=True)
    assert sorted(op.op_id for op in dry.ops) == sorted([owner_key(mark(2), 1, 1), f"{FIRST}|resolved:0"])


def test_closing_write_knows_the_values_before_it_for_undo_and_the_account_to_group_by(company):
    it = company()
    it.day(row(1))
    it.day()
    (op,) = it.day().ops
    assert op.prior["Status"] == "Not Started"
    assert "Why it matters" in op.prior["Description"]
    assert op.account_id == "001000000000001AAA"


# --- fixing, closing, people ---


def test_fixed_leak_closes_its_task_with_the_orgs_own_status(company):
    it = company()
    it.day(row(1))
    assert it.day().tasks_closed == 0  # one look is not enough
    assert it.day().tasks_closed == 1
    (made,) = it.org.tasks.values()
    assert made["Status"] == "Completed"
    assert "no longer sees the problem" in made["Description"]
    assert it.day().ops == ()


def test_task_that_the_rep_changed_gets_a_line_and_stays_theirs(company):
    it = company()
    it.day(row(1))
    (record_id,) = it.org.tasks
    it.org.person(record_id, Description="called them", Status="In Progress")
    it.day()
    report = it.day()
    assert (report.tasks_closed, report.lines_added) == (0, 1)
    made = it.org.tasks[record_id]
    assert made["Status"] == "In Progress"
    assert made["Description"].startswith("called them\n\n")
    assert it.day().ops == ()


def test_task_that_the_rep_only_put_in_progress_still_closes_itself(company):
    it = company()
    it.day(row(1))
    (record_id,) = it.org.tasks
    it.org.person(record_id, Status="In Progress")
    it.day(row(1, impact=Decimal(5000)), days=15)  # acknowledged: nothing is said
    it.day(row(1, impact=Decimal(5000)))  # the acknowledgement is over: a line
    assert "still not fixed" in it.org.tasks[record_id]["Description"]
    it.org.person(record_id, Status="In Progress")
    it.day()
    assert it.day().tasks_closed == 1
    assert it.org.tasks[record_id]["Status"] == "Completed"


@pytest.mark.parametrize("changes", [{"Description": "my own plan"}, {"Subject": "Call Ahmet"}])
def test_task_that_the_rep_wrote_in_after_our_line_is_never_closed(company, changes):
    it = company()
    it.day(row(1))
    (record_id,) = it.org.tasks
    it.org.person(record_id, **changes)
    it.day(row(1, impact=Decimal(5000)))  # our line is the last change now
    it.day()
    report = it.day()
    assert (report.tasks_closed, report.lines_added) == (0, 1)


def test_change_made_after_the_snapshot_is_seen_before_a_task_is_closed(company):
    it = company()
    it.day(row(1))
    it.day()
    it.audit()
    stale = it.org.states()
    (record_id,) = it.org.tasks
    it.org.person(record_id, Description="just now")
    report = it.act(org=OrgView(stale, PEOPLE, WORDS, US))
    assert (report.tasks_closed, report.lines_added) == (0, 1)


def test_task_deleted_after_the_snapshot_is_left_alone(company):
    it = company()
    it.day(row(1))
    it.day()
    it.audit()
    stale = it.org.states()
    it.org.delete(next(iter(it.org.tasks)))
    assert it.act(org=OrgView(stale, PEOPLE, WORDS, US)).ops == ()
    report = it.act(org=OrgView(stale, PEOPLE, WORDS, US), fetcher=None)
    assert (report.left_alone, report.failed) == (1, ())
    assert it.act(org=OrgView(stale, PEOPLE, WORDS, US), fetcher=None).ops == ()


def test_task_closed_by_the_rep_is_left_alone_when_the_leak_is_fixed(company):
    it = company()
    it.day(row(1))
    it.org.person(next(iter(it.org.tasks)), Status="Completed")
    it.day()
    assert it.day().ops == ()


def test_task_closed_without_a_fix_is_answered_by_one_more_task_after_the_grace(company):
    it = company()
    it.day(row(1))
    it.org.person(next(iter(it.org.tasks)), Status="Completed")
    assert it.day(row(1)).ops == ()
    assert it.day(row(1)).ops == ()
    assert it.day(row(1)).tasks_made == 1
    assert it.org.keys() == [FIRST, owner_key(mark(1), 1, 2)]
    assert it.day(row(1)).ops == ()
    assert it.day(row(1)).ops == ()


def test_owner_hears_of_one_leak_at_most_three_times(company):
    it = company(replace(rule(), lifecycle=replace(rule().lifecycle, escalate=())))
    it.day(row(1))
    for _ in range(8):
        for made in it.org.open_tasks():
            it.org.person(made["Id"], Status="Completed")
        it.day(row(1), days=3)
    assert len(it.org.tasks) == 3


def test_deleted_task_is_never_made_again_in_its_episode_but_in_the_next(company):
    it = company(replace(rule(), lifecycle=replace(rule().lifecycle, escalate=())))
    it.day(row(1))
    it.org.delete(next(iter(it.org.tasks)))
    for _ in range(5):
        assert it.day(row(1), days=5).ops == ()
    it.day()
    it.day(days=31)
    assert it.day(row(1)).tasks_made == 1
    assert it.org.keys()[-1] == owner_key(mark(1), 2, 1)


def test_leak_whose_task_the_owner_deleted_is_never_reported_to_the_manager(company):
    it = company()
    it.day(row(1))
    it.org.delete(next(iter(it.org.tasks)))
    it.day(row(1))
    it.org.tasks.clear()  # the recycle bin keeps deleted Tasks for 15 days
    for _ in range(4):
        assert it.day(row(1), days=10).ops == ()
    assert it.finding().status is FindingStatus.OPEN
    assert [change.reason for change in it.store.transitions()].count("task_deleted") == 1
    assert it.day(row(1, owner_id=OTHER_OWNER), days=10).tasks_made == 1
    assert it.day(row(1, owner_id=OTHER_OWNER)).tasks_made == 1  # the new owner's clock runs


def test_deletion_is_respected_when_the_task_was_put_in_progress_before(company):
    it = company()
    it.day(row(1))
    (record_id,) = it.org.tasks
    it.org.person(record_id, Status="In Progress")
    it.day(row(1))
    assert it.finding().status is FindingStatus.ACKNOWLEDGED
    it.org.delete(record_id)
    it.day(row(1))
    it.org.tasks.clear()
    for _ in range(4):
        assert it.day(row(1), days=15).ops == ()
    assert it.finding().escalation_step == 0


def test_leak_that_comes_back_is_told_once_more_under_the_next_key(company):
    it = company()
    it.day(row(1))
    it.day()
    it.day()
    report = it.day(row(1))
    assert report.tasks_made == 1
    assert it.org.keys() == [FIRST, owner_key(mark(1), 1, 2)]
    (again,) = it.org.open_tasks()
    assert again["Subject"].startswith("Back again: ")
    it.day()
    assert it.day().tasks_closed == 1


def test_record_handed_over_gives_the_new_owner_a_task_and_closes_the_old_one(company):
    it = company()
    it.day(row(1))
    report = it.day(row(1, owner_id=OTHER_OWNER))
    assert (report.tasks_made, report.tasks_closed) == (1, 1)
    (left,) = it.org.open_tasks()
    assert left["OwnerId"] == OTHER_OWNER
    assert it.day(row(1, owner_id=OTHER_OWNER)).ops == ()


def test_task_that_leakwatch_closed_itself_is_not_held_against_its_owner(company):
    it = company()
    it.day(row(1))
    (record_id,) = it.org.tasks
    it.org.person(record_id, US, Status="Completed")
    for _ in range(5):
        assert it.day(row(1)).ops == ()


def test_growth_is_a_line_in_the_task_and_raises_no_second_one(company):
    it = company()
    it.day(row(1))
    report = it.day(row(1, impact=Decimal(5000), severity=Severity.HIGH, message_en="now 5,000"))
    assert (report.tasks_made, report.lines_added) == (0, 1)
    assert report.ops[0].fields["Priority"] == "High"
    assert report.ops[0].prior["Priority"] == "Normal"
    assert set(report.ops[0].prior) == set(report.ops[0].fields)
    (made,) = it.org.tasks.values()
    assert "it got worse: now 5,000" in made["Description"]
    assert it.day(row(1, impact=Decimal(5000), severity=Severity.HIGH)).ops == ()


def test_growth_is_said_with_what_is_at_risk_now_and_what_was_before(company):
    it = company()
    it.day(row(1))
    it.audit(row(1, impact=Decimal(1800)))  # more than half more
    it.next_day()
    it.day(row(1, impact=Decimal(5000)))  # and more, before it could be said
    (made,) = it.org.tasks.values()
    assert "At risk: ₺5,000.00 (before: ₺1,000.00)" in made["Description"]
    assert [change.reason for change in it.store.transitions()].count("grew") == 1
    assert it.day(row(1, impact=Decimal(7000))).ops == ()
    it.day(row(1, impact=Decimal(8000)))
    assert "At risk: ₺8,000.00 (before: ₺5,000.00)" in made["Description"]


def test_growth_whose_line_was_lost_in_a_crash_is_said_with_the_same_words(company):
    it = company()
    it.day(row(1))
    it.audit(row(1, impact=Decimal(5000)))
    it.org.down_after = 0
    with pytest.raises(TransientError):
        it.act()
    it.org.down_after = None
    it.act()
    (made,) = it.org.tasks.values()
    assert made["Description"].count("At risk: ₺5,000.00 (before: ₺1,000.00)") == 1


def test_worse_severity_without_more_money_names_no_amount(company):
    it = company()
    it.day(row(1))
    it.day(row(1, severity=Severity.HIGH))
    (made,) = it.org.tasks.values()
    assert made["Description"].endswith("24 Nov 2026: it got worse: Close date passed 20 days ago")


def test_accepted_leak_closes_its_task(company):
    it = company()
    it.day(row(1))
    accepted = (Accepted(opportunity_id(1), it.now.date() + 30 * DAY),)
    assert it.day(row(1), exceptions=accepted).tasks_closed == 1


def test_owner_of_a_leak_that_was_accepted_for_a_time_gets_a_task_of_its_own_when_the_time_is_over(company):
    it = company()
    it.day(row(1))
    accepted = (Accepted(opportunity_id(1), it.now.date() + 3 * DAY),)
    for _ in range(4):
        it.day(row(1), exceptions=accepted)
    assert it.org.open_tasks() == []
    report = it.day(row(1), exceptions=accepted)
    assert report.tasks_made == 1
    (again,) = it.org.open_tasks()
    assert again["Subject"].startswith("Due again: ")
    assert "accepted or put off is over" in again["Description"]
    assert it.finding().notified_at == it.now - DAY  # the escalation clock starts anew
    for _ in range(5):
        assert it.day(row(1)).ops == ()


def test_task_that_stayed_open_through_an_exception_gets_a_line_and_no_second_one_is_made(company):
    it = company()
    it.day(row(1))
    (record_id,) = it.org.tasks
    it.org.person(record_id, Description="asked the buyer", Status="In Progress")
    accepted = (Accepted(opportunity_id(1), it.now.date()),)
    assert it.day(row(1), exceptions=accepted).lines_added == 1
    report = it.day(row(1), exceptions=accepted)
    assert (report.tasks_made, report.lines_added) == (0, 1)
    assert "still not fixed" in it.org.tasks[record_id]["Description"]


def test_acknowledged_leak_is_not_escalated(company):
    it = company()
    it.day(row(1))
    it.org.person(next(iter(it.org.tasks)), Status="In Progress")
    for _ in range(6):
        assert it.day(row(1), days=2).ops == ()
    assert it.finding().status is FindingStatus.ACKNOWLEDGED


def test_ignored_leak_is_escalated_to_the_manager_once_and_all_tasks_close_when_it_is_fixed(company):
    it = company()
    it.day(row(1), days=9)
    assert it.day(row(1)).ops == ()
    report = it.day(row(1))
    assert report.tasks_made == 1
    (one,) = [made for made in it.org.tasks.values() if made["OwnerId"] == MANAGER]
    assert one["Leakwatch_Key__c"] == escalation_key(mark(1), 1, 1, 0)
    assert it.day(row(1)).ops == ()
    it.day()
    assert it.day().tasks_closed == 2


def test_escalation_is_posted_on_the_record_where_the_rule_says_so(company):
    actions = (RuleAction("task"), RuleAction("chatter", {"on": "escalate", "mention": ["owner", "manager"]}))
    it = company(rule(actions=actions))
    it.day(row(1), days=10)
    report = it.day(row(1))
    assert (report.posts_made, report.tasks_made) == (1, 0)
    ((record, text),) = it.org.posts
    assert record == opportunity_id(1)
    assert f"@[{MANAGER}]" in text
    assert f"@[{OWNER}]" in text
    assert text.endswith(marker_of(escalation_key(mark(1), 1, 1, 0)))


def test_leak_that_is_not_proven_is_not_escalated_until_it_is(company):
    it = company()
    it.day(row(1), unproven_owners=frozenset({OWNER}))
    for _ in range(3):
        assert it.day(row(1), days=10, unproven_owners=frozenset({OWNER})).ops == ()
    assert it.finding().status is FindingStatus.OPEN
    assert it.day(row(1)).tasks_made == 1


def test_escalation_waits_while_the_leak_is_not_proven(company):
    it = company()
    it.day(row(1), days=10)
    it.audit(row(1))
    it.next_day()
    report = it.day(row(1), unproven_owners=frozenset({OWNER}))
    assert (report.ops, [one.reason for one in report.waiting]) == ((), ["unproven"])
    assert it.day(row(1)).tasks_made == 1


# --- caps ---


def test_capped_leaks_get_their_turn_the_next_day_and_nothing_is_lost(company):
    it = company()
    rows = [row(number, impact=Decimal(number)) for number in range(1, 13)]
    made = [it.day(*rows).tasks_made for _ in range(4)]
    assert made == [5, 5, 2, 0]
    assert len(it.org.tasks) == 12
    assert sum("and 7 more" in task["Description"] for task in it.org.tasks.values()) == 1


def test_acting_twice_a_day_spends_the_cap_once(company):
    it = company()
    it.audit(*[row(number) for number in range(1, 13)])
    assert it.act().tasks_made == 5
    it.now += timedelta(hours=3)
    report = it.act()
    assert (report.tasks_made, len(report.waiting)) == (0, 7)


# --- crashes ---


class Killed(BaseException):
    """The process dies: nothing in the product catches this."""


def kill_at(step):
    """Die at the `step`-th fault point reached (from 1); return the names reached so far."""
    reached: list[str] = []

    def hook(name):
        reached.append(name)
        if len(reached) == step:
            raise Killed(name)

    faultpoints.install(hook)
    return reached


CHATTER_ON_ESCALATION = (RuleAction("task"), RuleAction("chatter", {"on": "escalate"}))
STORY = [  # rows seen on each day: new, capped, growing, handed over, fixed, escalated
    [row(number, impact=Decimal(number)) for number in range(1, 8)],
    [row(number, impact=Decimal(number)) for number in range(1, 8)],
    [row(1, impact=Decimal(50)), row(2, owner_id=OTHER_OWNER), *[row(number) for number in range(4, 8)]],
    [row(1, impact=Decimal(50)), row(2, owner_id=OTHER_OWNER), *[row(number) for number in range(4, 7)]],
    [row(1, impact=Decimal(50)), row(2, owner_id=OTHER_OWNER)],
]


def play(it, step=0):
    """Play the story; die at fault point `step`, then go on where the story was. Return the names reached."""
    reached = kill_at(step)
    for day, rows in enumerate(STORY):
        for half in ("audit", "act"):
            try:
                it.audit(*rows, name=f"day {day}") if half == "audit" else it.act()
            except Killed:
                faultpoints.install(None)
                it.audit(*rows, name=f"day {day}") if half == "audit" else it.act()
        it.next_day(4)
    faultpoints.install(None)
    return reached


def state(it):
    """Return what is there in the end: in the org, and in the store apart from how often something was tried."""
    tasks = sorted(
        (made["Leakwatch_Key__c"], made["OwnerId"], made["Status"], made["Subject"], made["Description"])
        for made in it.org.tasks.values()
    )
    findings = sorted(
        (
            (found.fingerprint, found.status, found.notices, found.pending_notice, found.escalation_told),
            (found.notified_owner_id, found.notified_at, found.impact_reference),
        )
        for found in it.store.findings()
    )
    sent = sorted(delivery.key for delivery in it.store.deliveries() if delivery.sent_at is not None)
    told = [(change.fingerprint, change.reason) for change in it.store.transitions()]
    return tasks, it.org.markers(), findings, sent, sorted(told)


def test_killed_at_every_boundary_the_org_ends_as_if_nothing_had_happened(company):
    calm = company(rule(actions=CHATTER_ON_ESCALATION))
    reached = play(calm)
    wanted = state(calm)
    assert len(calm.org.posts) == 4  # deals 4, 5, 6 on day 12; deal 1, told on day 4, on day 16
    assert any(status == "Completed" for _, _, status, _, _ in wanted[0])
    assert {
        "audit.rule.judged",
        "findings.evaluation.written",
        "audit.rule.stored",
        "act.messages.planned",
        "findings.deliveries.written",
        "findings.deliveries.committed",
        "act.messages.sent",
        "findings.delivery.recorded",
    } <= set(reached)
    for step in range(1, len(reached) + 1):
        it = company(rule(actions=CHATTER_ON_ESCALATION))
        play(it, step)
        assert state(it) == wanted, f"after dying at {reached[step - 1]} ({step})"
        it.engine.dispose()
