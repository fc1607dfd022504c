from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from finding_sample import DAY, MONDAY, OTHER_OWNER, OWNER, QUEUE, REVOPS, finding, mark, rule
from leakwatch.core.forecast import forecast
from leakwatch.model import FindingStatus, Mode, Transition

OPEN = FindingStatus.OPEN


def change(number, *, days_ago=1, notify="new", reason="detected"):
    return Transition(mark(number), None, OPEN, reason, MONDAY - days_ago * DAY, "r", 1, notify)


def ask(findings, transitions=(), *, watched_days=0, **changes):
    first = {} if not watched_days else {"opp_close_overdue": MONDAY - watched_days * DAY}
    (rule_forecast,) = forecast([rule()], findings, transitions, first_runs=first, now=MONDAY, **changes).rules
    return rule_forecast


def dated(number, days_ago, **changes):
    return finding(number, evidence={"stage": "x", "close_date": MONDAY.date() - days_ago * DAY}, **changes)


def test_history_of_a_week_or_more_gives_words_per_week_by_owner():
    found = [finding(number, owner_id=OTHER_OWNER if number == 9 else OWNER) for number in range(1, 10)]
    result = ask(found, [change(number) for number in range(1, 10)], watched_days=14)
    assert (result.basis, result.per_week) == ("history", Decimal("4.5"))
    assert [(rep.owner_id, rep.per_week) for rep in result.reps] == [
        (OWNER, Decimal("4.0")),
        (OTHER_OWNER, Decimal("0.5")),
    ]


def test_history_counts_only_words_that_would_be_tasks_and_only_in_the_window():
    found = [finding(number) for number in range(1, 8)]
    changes = [
        change(1),
        change(2, notify="back_again"),
        change(3, notify=None),  # baseline
        change(4, notify="grew"),
        change(5, notify="escalated"),
        change(6, days_ago=28),
        replace(change(7), fingerprint="not ours"),
    ]
    assert ask(found, changes, watched_days=60).per_week == Decimal("0.5")  # 2 in 4 weeks


def test_first_day_counts_those_that_entered_lately_by_their_first_date():
    found = [dated(1, 15), dated(2, 20), dated(3, 42), dated(4, 43), dated(5, 400)]
    result = ask(found, watched_days=3)
    assert (result.basis, result.per_week) == ("dates", Decimal("0.8"))  # 1, 2 and 3 in 28 days up to the youngest
    assert "at least 0.8 Tasks a week" in result.sentence.en
    assert "en az 0,8 görev" in result.sentence.tr


def test_first_day_leaves_out_what_is_settled_about_the_process_or_in_the_future():
    found = [
        dated(1, 15),
        dated(2, 15, status=FindingStatus.RESOLVED),
        dated(3, 15, is_process=True),
        dated(4, -400),
    ]
    assert ask(found).per_week == Decimal("0.2")


def test_without_dates_or_history_it_says_that_it_does_not_know():
    result = ask([finding(number, evidence={}) for number in (1, 2)])
    assert (result.basis, result.per_week, result.standing) == ("unknown", None, 2)
    assert "not known" in result.sentence.en


def test_nobodys_week_is_more_than_the_daily_cap_allows():
    found = [finding(number) for number in range(1, 200)]
    changes = [change(number) for number in range(1, 200)]
    whole = forecast(
        [rule(), rule("stale_lead")],
        found,
        changes,
        first_runs={"opp_close_overdue": MONDAY - 7 * DAY},
        now=MONDAY,
        per_owner_per_day=2,
    )
    assert whole.rules[0].reps[0].per_week == Decimal(14)
    assert whole.reps[0].per_week == Decimal(14)


def test_rules_are_forecast_whatever_their_mode_and_waiting_words_are_named():
    found = [finding(1), finding(2, pending_notice=None)]
    (result,) = forecast(
        [rule(mode=Mode.REPORT)], found, [change(1)], first_runs={"opp_close_overdue": MONDAY - 7 * DAY}, now=MONDAY
    ).rules
    assert result.waiting == 1
    assert "1 waits to be said at once" in result.sentence.en
    assert result.per_week == Decimal("1.0")


def test_nameless_owner_is_named_by_id_and_nobody_is_revops():
    result = ask([finding(1, owner_id=None, owner_name="")], [change(1)], watched_days=7)
    assert "(RevOps)" in result.sentence.en
    result = ask([finding(1, owner_id=REVOPS, owner_name="")], [change(1)], watched_days=7)
    assert REVOPS in result.sentence.en


def test_a_queue_is_no_person_and_one_is_singular():
    found = [finding(1), finding(2, owner_id=QUEUE, owner_name="Web Leads", pending_notice=None)]
    result = ask(found, [change(1), change(2)], watched_days=7)
    assert "2 Tasks a week for 1 person and 1 queue, at most 1 for one" in result.sentence.en
    assert "what a queue owns goes to RevOps" in result.sentence.en
    assert "1 kişiye ve 1 kuyruğa haftada 2 görev, birine en çok 1" in result.sentence.tr
    alone = ask([finding(1)], [change(1)], watched_days=14)
    assert "0.5 Tasks a week for 1 person" in alone.sentence.en
    assert "1 kişiye haftada 0,5 görev" in alone.sentence.tr
    assert ask([finding(1, evidence={})]).sentence.en.startswith("Open opportunity past its close date: 1 record now.")
