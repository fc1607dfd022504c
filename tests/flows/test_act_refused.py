"""Messages that do not get through: refused, unanswered, overtaken, switched off; and who counts as told then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from finding_sample import DAY, MANAGER, OTHER_OWNER, OWNER, REVOPS, mark, row
from flows.act_company import FIRST, Company
from leakwatch.core.fingerprint import escalation_key, owner_key
from leakwatch.errors import TransientError
from leakwatch.flows.act_sending import MOST_TRIES
from leakwatch.model import FindingStatus, WriteStatus


def plan_without_an_answer(it: Company) -> None:
    """Let a first Task be planned while Salesforce is away: it is stored, and not sent."""
    it.audit(row(1))
    it.org.down_after = 0
    with pytest.raises(TransientError):
        it.act()
    it.org.down_after = None


def test_refused_task_is_set_aside_with_its_reason_and_the_others_are_made(company):
    it = company()
    it.org.refuse[FIRST] = (WriteStatus.REFUSED, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    report = it.day(row(1), row(2))
    assert report.tasks_made == 1
    (failure,) = report.failed
    assert (failure.key, failure.code) == (FIRST, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    kept = {delivery.key: delivery for delivery in it.store.deliveries()}[FIRST]
    assert kept.quarantined
    assert "says the org" in kept.error
    assert it.day(row(1), row(2)).ops == ()


def test_owner_of_a_refused_task_counts_as_not_told_and_is_never_reported_to_the_manager(company):
    it = company()
    it.org.refuse[FIRST] = (WriteStatus.REFUSED, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    it.day(row(1))
    found = it.finding()
    assert (found.pending_notice, found.notices) == ("new", 0)
    assert (found.notified_at, found.notified_owner_id) == (None, None)
    for _ in range(3):
        report = it.day(row(1), days=10)
        assert report.ops == ()
        assert [one.reason for one in report.waiting] == ["refused"]
    assert it.finding().status is FindingStatus.OPEN


def test_refused_task_is_made_once_it_is_released_and_the_escalation_clock_starts_then(company):
    it = company()
    it.org.refuse[FIRST] = (WriteStatus.REFUSED, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    it.day(row(1), days=9)
    it.org.refuse.clear()
    assert it.store.release_refused([FIRST, "lw1:f:unknown"]) == {FIRST}
    assert it.store.release_refused([FIRST]) == set()
    assert it.day(row(1, record_name="Deal renamed")).tasks_made == 1
    (made,) = it.org.tasks.values()
    assert made["Subject"].endswith("Deal renamed")
    told_at = it.now - DAY
    assert it.finding().notified_at == told_at
    assert it.day(row(1), days=9).ops == ()
    assert it.day(row(1)).tasks_made == 1
    (one,) = [made for made in it.org.tasks.values() if made["OwnerId"] == MANAGER]
    assert "was told on 2 Dec 2026" in one["Description"]


def test_released_task_waits_like_any_other_word_for_its_turn(company):
    it = company()
    it.org.refuse[FIRST] = (WriteStatus.REFUSED, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    it.day(row(1))
    it.org.refuse.clear()
    it.store.release_refused([FIRST])
    assert it.day().ops == ()  # not seen today: nothing is said until it is certain again
    assert it.day(row(1)).tasks_made == 1


def test_released_task_of_what_was_fixed_meanwhile_is_withdrawn(company):
    it = company()
    it.org.refuse[FIRST] = (WriteStatus.REFUSED, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    it.day(row(1))
    it.day()
    it.day()
    it.org.refuse.clear()
    it.store.release_refused([FIRST])
    report = it.day()
    assert (report.withdrawn, report.ops) == (1, ())
    assert it.store.refused() == []


def test_new_owner_is_told_although_the_task_of_the_old_one_was_refused(company):
    it = company()
    it.org.refuse[OWNER] = (WriteStatus.REFUSED, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    it.day(row(1))
    assert it.day(row(1, owner_id=OTHER_OWNER)).tasks_made == 1
    it.org.refuse.clear()
    it.store.release_refused([FIRST])
    report = it.day(row(1, owner_id=OTHER_OWNER))
    assert (report.ops, report.withdrawn) == ((), 1)


def test_second_word_that_was_refused_leaves_the_first_one_told(company):
    it = company()
    it.day(row(1))
    told_at = it.finding().notified_at
    it.org.person(next(iter(it.org.tasks)), Status="Completed")
    it.org.refuse[owner_key(mark(1), 1, 2)] = (WriteStatus.REFUSED, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    it.day(row(1), days=2)
    report = it.day(row(1), days=9)
    assert len(report.failed) == 1
    found = it.finding()
    assert (found.pending_notice, found.notices, found.notified_at) == ("not_fixed", 1, told_at)
    assert found.notified_owner_id == OWNER


def test_nobody_is_escalated_for_a_task_that_never_left(company):
    it = company()
    plan_without_an_answer(it)
    on, it.policy = it.policy, replace(it.policy, writes={})
    it.day(row(1), days=30)
    it.audit(row(1))
    assert it.finding().status is FindingStatus.OPEN
    it.policy = on
    assert it.act().tasks_made == 1
    assert it.finding().notified_at == it.now


def test_refused_escalation_can_be_released_too(company):
    it = company()
    it.day(row(1), days=10)
    key = escalation_key(mark(1), 1, 1, 0)
    it.org.refuse[key] = (WriteStatus.REFUSED, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    it.day(row(1))
    assert it.day(row(1)).ops == ()
    it.org.refuse.clear()
    assert it.store.release_refused([key]) == {key}
    assert it.day(row(1)).tasks_made == 1


def test_inactive_owner_is_replaced_by_revops_at_once(company):
    it = company()
    it.org.refuse[OWNER] = (WriteStatus.REFUSED, "INACTIVE_OWNER_OR_USER")
    it.policy = replace(it.policy, revops_user_id=REVOPS)
    assert it.day(row(1)).tasks_made == 1
    (made,) = it.org.tasks.values()
    assert made["OwnerId"] == REVOPS
    nobody = company()
    nobody.org.refuse[OWNER] = (WriteStatus.REFUSED, "INACTIVE_OWNER_OR_USER")
    assert [one.code for one in nobody.day(row(1)).failed] == ["INACTIVE_OWNER_OR_USER"]


@pytest.mark.parametrize("status", [WriteStatus.RETRY, WriteStatus.UNKNOWN])
def test_unsent_message_is_tried_by_later_runs_and_at_last_set_aside(company, status):
    it = company()
    it.org.refuse[FIRST] = (status, "UNABLE_TO_LOCK_ROW")
    reports = [it.day(row(1)) for _ in range(MOST_TRIES)]
    assert [report.unsent for report in reports] == [1] * (MOST_TRIES - 1) + [0]
    assert [one.code for one in reports[-1].failed] == ["TOO_MANY_TRIES"]
    patient = company()
    patient.org.refuse[FIRST] = (status, "UNABLE_TO_LOCK_ROW")
    patient.day(row(1))
    patient.org.refuse.clear()
    assert patient.day(row(1)).tasks_made == 1


def test_org_that_stops_answering_loses_nothing_and_doubles_nothing(company):
    it = company()
    rows = [row(number) for number in range(1, 5)]
    it.audit(*rows)
    it.org.down_after = 2
    with pytest.raises(TransientError):
        it.act()
    assert len(it.org.tasks) == 2
    it.org.down_after = None
    it.act()
    assert len(it.org.tasks) == len(set(it.org.keys())) == 4
    assert it.store.undelivered() == []


def test_message_that_was_overtaken_before_it_was_sent_is_withdrawn(company):
    it = company()
    plan_without_an_answer(it)
    it.next_day()
    it.audit()
    it.audit()
    report = it.act()
    assert (report.withdrawn, report.ops, it.org.tasks) == (1, (), {})
    assert it.act().withdrawn == 0


def test_unsent_message_to_the_old_owner_is_withdrawn_when_the_record_was_handed_over(company):
    it = company()
    plan_without_an_answer(it)
    report = it.day(row(1, owner_id=OTHER_OWNER))
    assert (report.withdrawn, report.tasks_made) == (1, 1)
    (made,) = it.org.tasks.values()
    assert made["OwnerId"] == OTHER_OWNER


def test_unsent_message_waits_while_its_channel_is_switched_off(company):
    it = company()
    plan_without_an_answer(it)
    on, it.policy = it.policy, replace(it.policy, writes={})
    assert it.act().ops == ()
    it.policy = on
    assert it.act().tasks_made == 1


def test_message_for_an_action_that_is_not_there_is_set_aside(company):
    it = company()
    it.audit(row(1))
    report = it.act(actions={})
    assert [one.code for one in report.failed] == ["NO_ACTION"]
