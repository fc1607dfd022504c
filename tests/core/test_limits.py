from __future__ import annotations

from decimal import Decimal

import pytest

from finding_sample import DAY, MONDAY, OTHER_OWNER, OWNER
from leakwatch.core.limits import DailyAllowance, breaker_note, shrink_note
from leakwatch.model import RuleLimits


@pytest.mark.parametrize(
    ("fresh", "population", "trips"),
    [(200, 100, False), (201, 1005, False), (201, 1004, True), (201, None, True), (5_000, 1_000_000, False)],
)
def test_breaker_trips_only_when_both_count_and_share_are_passed(fresh, population, trips):
    note = breaker_note(RuleLimits(), fresh=fresh, population=population, rule_id="r")
    assert (note is not None) is trips


def test_breaker_note_says_what_was_done_and_what_to_do():
    note = breaker_note(RuleLimits(), fresh=849, population=1000, rule_id="stale_lead")
    assert note.startswith("stale_lead: 849 new findings at once of 1,000 records examined (limits: 200 and 20%)")
    assert "nobody was told" in note


@pytest.mark.parametrize(
    ("population", "before", "held"),
    [
        (500, (1000, MONDAY), False),
        (499, (1000, MONDAY), True),
        (0, (1000, MONDAY), True),
        (0, (1000, MONDAY - 13 * DAY), True),  # nothing at all is doubted for longer, and however little there was
        (0, (1000, MONDAY - 14 * DAY), False),
        (0, (5, MONDAY), True),
        (0, (0, MONDAY), False),  # it was believed before
        (499, (1000, MONDAY - 7 * DAY), False),  # a week of report lines said so
        (1, (19, MONDAY), False),
        (None, (1000, MONDAY), False),
        (10, None, False),
    ],
)
def test_halved_population_closes_nothing_for_a_week_and_an_empty_one_for_two(population, before, held):
    note = shrink_note("r", population=population, before=before, now=MONDAY)
    assert (note is not None) is held


def test_allowance_stops_each_person_and_each_rule_of_a_person_and_the_whole_org():
    allowance = DailyAllowance(per_owner=3, per_day=5)
    for _ in range(2):
        assert allowance.refusal(OWNER, "a", per_rule=2) is None
        allowance.take(OWNER, "a")
    assert allowance.refusal(OWNER, "a", per_rule=2) == "owner_cap"
    assert allowance.refusal(OWNER, "b", per_rule=2) is None
    allowance.take(OWNER, "b")
    assert allowance.refusal(OWNER, "c", per_rule=9) == "owner_cap"
    assert allowance.refusal(OTHER_OWNER, "a", per_rule=2) is None
    allowance.spent([(OTHER_OWNER, "a"), (OTHER_OWNER, "b")])
    assert allowance.refusal("somebody else", "a", per_rule=2) == "daily_budget"


def test_share_is_exact_where_a_float_would_err():
    limits = RuleLimits(new_per_run=0, new_share=Decimal("0.07"))
    assert (
        breaker_note(limits, fresh=7, population=100, rule_id="r") is None
    )  # 0.07 * 100 is 7.000000000000001 in floats
    assert breaker_note(limits, fresh=8, population=100, rule_id="r") is not None
