"""What counts, and how often: each record once, no sum across currencies, nothing unproven."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from leakwatch.core.report import RuleRun, export_audit, weekly
from leakwatch.model import Finding, FindingStatus, Proof, Text, Transition
from report_sample import NO_REASON, NOW, OVERDUE, PRICE, STALE_LEAD, outcome, row, sample_context

OPEN, RESOLVED, PENDING = FindingStatus.OPEN, FindingStatus.RESOLVED, FindingStatus.PENDING


def finding(mark: str, **changes: Any) -> Finding:
    born = changes.pop("since", NOW - timedelta(days=40))
    base = Finding(
        fingerprint=mark,
        rule_id=OVERDUE.id,
        rule_version=OVERDUE.version,
        sobject="Opportunity",
        record_id=f"006-{mark}",
        record_name=f"Deal {mark}",
        owner_id="005A",
        owner_name="Ada",
        manager_id="005M",
        status=OPEN,
        severity=OVERDUE.severity,
        since=born,
        first_seen=born,
        last_seen=NOW,
        status_since=born,
        episode=1,
        baseline=False,
        absent_runs=0,
        seen_runs=3,
        reopened=0,
        impact=Decimal("100.00"),
        currency="EUR",
        impact_kind="at_risk",
        message_en="Close date passed",
        message_tr="Kapanış tarihi geçti",
        evidence={},
        proof=Proof.PROVEN,
        snapshot_id="s1",
        notified_owner_id="005A",
    )
    return replace(base, **changes)


def moved(mark: str, old: FindingStatus | None, new: FindingStatus, reason: str, days_ago: float) -> Transition:
    return Transition(mark, old, new, reason, NOW - timedelta(days=days_ago), "run", 1)


def report(findings: list[Finding], transitions: list[Transition] | None = None, **others: Any) -> dict[str, Any]:
    return weekly(
        others.pop("context", sample_context()),
        others.pop("outcomes", ()),
        findings=findings,
        transitions=transitions or [],
        **others,
    )


def eur(sums: list[dict[str, Any]]) -> str | None:
    return next((one["amount"] for one in sums if one["currency"] == "EUR"), None)


def test_a_record_hit_by_three_rules_counts_once_with_its_largest_amount() -> None:
    rows = [
        row(rule, "006A", amount) for rule, amount in ((OVERDUE, "100.00"), (STALE_LEAD, "250.00"), (PRICE, "90.00"))
    ]
    result = export_audit(
        sample_context(), [outcome(rule, found) for rule, found in zip((OVERDUE, STALE_LEAD, PRICE), rows, strict=True)]
    )
    assert result["kpis"]["at_risk"] == [{"currency": "EUR", "amount": "250.00", "records": 1}]
    assert result["kpis"]["findings"] == 3
    assert result["kpis"]["records"] == 1


def test_amounts_of_two_currencies_are_never_added() -> None:
    rows = [row(OVERDUE, "006A", "100.00"), row(OVERDUE, "006B", "7.00", currency="USD"), row(OVERDUE, "006C", "1.50")]
    result = export_audit(sample_context(), [outcome(OVERDUE, *rows)])
    assert result["kpis"]["at_risk"] == [
        {"currency": "EUR", "amount": "101.50", "records": 2},
        {"currency": "USD", "amount": "7.00", "records": 1},
    ]


def test_cents_survive_where_floats_would_lose_them() -> None:
    rows = [row(OVERDUE, f"006{n}", "0.10") for n in range(3)]
    result = export_audit(sample_context(), [outcome(OVERDUE, *rows)])
    assert eur(result["kpis"]["at_risk"]) == "0.30"


def test_an_amount_without_a_currency_has_the_orgs_own() -> None:
    result = export_audit(sample_context(), [outcome(OVERDUE, row(OVERDUE, "006A", "5", currency=None))])
    assert result["kpis"]["at_risk"][0]["currency"] == "EUR"


def test_an_amount_without_any_known_currency_is_marked_as_such_and_not_guessed() -> None:
    context = sample_context()
    context = replace(context, org=replace(context.org, default_currency=None))
    result = export_audit(context, [outcome(OVERDUE, row(OVERDUE, "006A", "5", currency=None))])
    assert result["kpis"]["at_risk"][0]["currency"] == "XXX"
    assert result["findings"][0]["currency"] is None


def test_the_orgs_own_currency_leads_only_if_any_amount_is_in_it() -> None:
    dollars = [row(OVERDUE, f"006{n}", "1", currency="USD") for n in range(2)]
    pounds, euros = row(OVERDUE, "006P", "9", currency="GBP"), row(OVERDUE, "006E", "1")
    assert export_audit(sample_context(), [outcome(OVERDUE, *dollars, pounds)])["main_currency"] == "USD"
    assert export_audit(sample_context(), [outcome(OVERDUE, *dollars, pounds, euros)])["main_currency"] == "EUR"
    assert export_audit(sample_context(), [outcome(OVERDUE)])["main_currency"] == "EUR"


def test_the_three_kinds_of_money_have_figures_of_their_own() -> None:
    outcomes = [
        outcome(OVERDUE, row(OVERDUE, "006A", "10")),
        outcome(NO_REASON, row(NO_REASON, "006B", "20", impact_kind="lost")),
        outcome(
            PRICE, row(PRICE, "006C", "-30", impact_kind="deviation"), row(PRICE, "006D", "5", impact_kind="deviation")
        ),
    ]
    kpis = export_audit(sample_context(), outcomes)["kpis"]
    assert (eur(kpis["at_risk"]), eur(kpis["lost"]), eur(kpis["deviation"])) == ("10", "20", "35")


def test_a_process_finding_is_listed_apart_and_enters_no_total() -> None:
    whole = row(NO_REASON, "Opportunity", "9999", is_process=True, count=400, impact_kind="lost")
    result = export_audit(sample_context(), [outcome(NO_REASON, whole)])
    assert result["kpis"]["process_findings"] == 1
    assert result["kpis"]["lost"] == []
    assert result["kpis"]["findings"] == 0
    assert result["findings"][0]["counted"] is False
    assert result["top_findings"] == []


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
def test_an_amount_that_is_no_number_does_not_stop_the_report(amount: str) -> None:
    result = export_audit(sample_context(), [outcome(OVERDUE, row(OVERDUE, "006A", amount), row(OVERDUE, "006B", "3"))])
    assert eur(result["kpis"]["at_risk"]) == "3"
    assert {one["impact"] for one in result["findings"]} == {None, "3"}


def test_an_unproven_finding_is_listed_but_counted_apart() -> None:
    result = report([finding("a"), finding("b", proof=Proof.UNPROVEN, impact=Decimal(70))])
    assert eur(result["kpis"]["at_risk"]) == "100.00"
    assert result["kpis"]["unproven"] == 1
    assert eur(result["kpis"]["unproven_at_risk"]) == "70"
    assert len(result["findings"]) == 2


def test_a_held_finding_still_counts_because_failing_to_look_is_not_absence() -> None:
    result = report([finding("a", proof=Proof.HELD)])
    assert eur(result["kpis"]["at_risk"]) == "100.00"
    assert result["kpis"]["held"] == 1


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        (FindingStatus.OPEN, True),
        (FindingStatus.ESCALATED, True),
        (FindingStatus.ACKNOWLEDGED, True),
        (FindingStatus.SNOOZED, True),
        (FindingStatus.PENDING, False),
        (FindingStatus.EXCEPTED, False),
        (FindingStatus.RESOLVED, False),
    ],
)
def test_which_states_are_money_at_risk(status: FindingStatus, counts: bool) -> None:
    result = report([finding("a", status=status)])
    assert eur(result["kpis"]["at_risk"]) == ("100.00" if counts else None)


def test_new_in_the_week_is_what_was_first_opened_then_and_not_what_was_there_before() -> None:
    findings = [finding(mark, since=NOW - timedelta(days=2)) for mark in "abcd"]
    findings[2] = replace(findings[2], baseline=True)
    changes = [
        moved("a", None, OPEN, "detected", 2),
        moved("b", None, PENDING, "detected", 2),
        moved("b", PENDING, OPEN, "confirmed", 1),
        moved("c", None, OPEN, "baseline", 2),
        moved("d", None, OPEN, "detected", 9),
    ]
    assert report(findings, changes)["kpis"]["new"] == 2


def test_what_waits_for_confirmation_is_not_new_yet() -> None:
    result = report([finding("a", status=PENDING, since=NOW)], [moved("a", None, PENDING, "detected", 1)])
    assert (result["kpis"]["new"], result["kpis"]["pending"]) == (0, 1)


def test_fixed_counts_only_fixes_and_names_the_other_ends() -> None:
    findings = [finding(mark, status=RESOLVED) for mark in "abc"]
    changes = [
        moved("a", OPEN, RESOLVED, "fixed", 2),
        moved("b", OPEN, RESOLVED, "rule_changed", 2),
        moved("c", OPEN, RESOLVED, "gone", 2),
    ]
    kpis = report(findings, changes)["kpis"]
    assert kpis["fixed"] == 1
    assert kpis["resolved_otherwise"] == {"gone": 1, "rule_changed": 1}


def test_a_finding_fixed_and_open_again_in_the_same_week_is_reopened_and_not_fixed() -> None:
    changes = [moved("a", OPEN, RESOLVED, "fixed", 5), moved("a", RESOLVED, OPEN, "reopened", 1)]
    kpis = report([finding("a", reopened=1)], changes)["kpis"]
    assert (kpis["fixed"], kpis["reopened"], kpis["new"]) == (0, 1, 0)
    assert kpis["recovered"] == []


def test_a_finding_seen_again_long_after_its_end_is_new() -> None:
    kpis = report([finding("a", episode=2)], [Transition("a", RESOLVED, OPEN, "detected", NOW, "run", 2)])["kpis"]
    assert (kpis["new"], kpis["reopened"]) == (1, 0)


@pytest.mark.parametrize("kind", ["at_risk", "lost"])
def test_a_negative_amount_puts_no_money_at_risk_and_takes_none_from_other_records(kind: str) -> None:
    rows = [
        row(OVERDUE, "006A", "-900", impact_kind=kind),
        row(OVERDUE, "006B", "100", impact_kind=kind),
        row(OVERDUE, "006C", "-50", impact_kind=kind),
    ]
    result = export_audit(sample_context(), [outcome(OVERDUE, *rows)])
    assert result["kpis"][kind] == [{"currency": "EUR", "amount": "100", "records": 3}]
    assert result["rules"][0]["amounts"][kind][0]["amount"] == "100"
    assert result["findings"][0]["record_id"] == "006B"  # the credit of 900 is not the largest


def test_a_deviation_counts_by_size_in_either_direction() -> None:
    rows = [row(PRICE, f"006{n}", amount, impact_kind="deviation") for n, amount in enumerate(("-900", "100"))]
    result = export_audit(sample_context(), [outcome(PRICE, *rows)])
    assert result["kpis"]["deviation"] == [{"currency": "EUR", "amount": "1000", "records": 2}]


def test_a_queue_is_no_person_of_a_team() -> None:
    rows = [row(OVERDUE, f"006{n}", "10", owner_id=who) for n, who in enumerate(("005A", "00GA", None))]
    (team,) = export_audit(sample_context(), [outcome(OVERDUE, *rows)])["teams"]
    assert (team["owners"], team["findings"]) == (1, 3)


def test_records_of_process_findings_are_not_added_up_within_a_rule() -> None:
    fields = {"sf_opportunity.amount": 90, "sf_opportunity.budget_amount": 70}
    rows = [
        row(PRICE, field, business_key=("process", field), is_process=True, count=count)
        for field, count in fields.items()
    ]
    fixes = {"sf_opportunity.amount": Text(en="Make Amount required.", tr="Tutarı zorunlu yapın.")}
    result = export_audit(sample_context(rules=(replace(PRICE, process_fixes=fixes),)), [outcome(PRICE, *rows)])
    assert result["rules"][0]["process_records"] == 90
    assert result["kpis"]["process_records"]["none"] == 90
    assert result["kpis"]["process_findings"] == 2
    told = {finding["record_id"]: finding["fix"]["en"] for finding in result["findings"]}
    assert told["sf_opportunity.amount"] == "Make Amount required."


def test_money_taken_out_of_risk_is_counted_once_per_record_and_only_if_nothing_else_threatens_it() -> None:
    findings = [
        finding("a", status=RESOLVED, record_id="006X", impact=Decimal(10)),
        finding("b", status=RESOLVED, record_id="006X", impact=Decimal(40), rule_id=STALE_LEAD.id),
        finding("c", status=RESOLVED, record_id="006Y", impact=Decimal(500)),
        finding("d", record_id="006Y", impact=Decimal(500), rule_id=STALE_LEAD.id),
    ]
    changes = [moved(mark, OPEN, RESOLVED, "fixed", 1) for mark in "abc"]
    assert report(findings, changes)["kpis"]["recovered"] == [{"currency": "EUR", "amount": "40", "records": 1}]


def test_the_median_time_to_fix_is_in_days_from_first_sight_to_the_fix() -> None:
    spans = {"a": 2, "b": 5, "c": 30}
    findings = [finding(mark, status=RESOLVED, since=NOW - timedelta(days=1 + days)) for mark, days in spans.items()]
    changes = [moved(mark, OPEN, RESOLVED, "fixed", 1) for mark in "abc"]
    assert report(findings, changes)["kpis"]["median_days_to_fix"] == "5.0"


def test_without_fixes_there_is_no_median() -> None:
    assert report([finding("a")])["kpis"]["median_days_to_fix"] is None


def test_the_week_ends_with_the_as_of_day_in_the_orgs_own_zone() -> None:
    context = sample_context("tr")  # Istanbul: 22 November ends at 21:00 UTC
    inside = Transition("a", None, OPEN, "detected", NOW.replace(hour=20, minute=59), "run", 1)
    outside = Transition("b", None, OPEN, "detected", NOW.replace(hour=21), "run", 1)
    first = Transition("c", None, OPEN, "detected", NOW.replace(day=15, hour=21), "run", 1)
    before = Transition("d", None, OPEN, "detected", NOW.replace(day=15, hour=20, minute=59), "run", 1)
    findings = [
        finding(mark, since=change.at) for mark, change in zip("abcd", (inside, outside, first, before), strict=True)
    ]
    result = report(findings, [inside, outside, first, before], context=context)
    assert result["period"] == {"start": "2026-11-16", "end": "2026-11-22"}
    assert result["kpis"]["new"] == 2


def test_not_told_counts_only_rules_that_speak_and_never_the_baseline() -> None:
    findings = [
        finding("a", notified_owner_id=None),
        finding("b"),
        finding("c", notified_owner_id=None, baseline=True),
        finding("d", notified_owner_id=None, rule_id=PRICE.id),  # mode: report
    ]
    assert report(findings)["kpis"]["not_notified"] == 1


def test_long_resolved_findings_are_not_listed_but_this_weeks_are() -> None:
    findings = [finding("a", status=RESOLVED), finding("b", status=RESOLVED), finding("c")]
    changes = [moved("a", OPEN, RESOLVED, "fixed", 20), moved("b", OPEN, RESOLVED, "fixed", 2)]
    assert {one["id"] for one in report(findings, changes)["findings"]} == {"b", "c"}


def run(rule_id: str, days_ago: float, **changes: Any) -> RuleRun:
    return replace(RuleRun(rule_id, 3, NOW - timedelta(days=days_ago), 1), **changes)


def test_the_trend_replays_what_was_open_at_each_weeks_end() -> None:
    findings = [
        finding("a", since=NOW - timedelta(days=16)),
        finding("b", since=NOW - timedelta(days=9), status=RESOLVED, impact=Decimal(50)),
    ]
    changes = [
        moved("a", None, OPEN, "detected", 16),
        moved("b", None, OPEN, "detected", 9),
        moved("b", OPEN, RESOLVED, "fixed", 2),
    ]
    result = report(findings, changes, rule_runs=[run(OVERDUE.id, days) for days in (16, 9, 2)])
    points = result["trend"]["points"]
    assert [(point["end"], point["findings"], eur(point["at_risk"])) for point in points] == [
        ("2026-11-08", 1, "100.00"),
        ("2026-11-15", 2, "150.00"),
        ("2026-11-22", 1, "100.00"),
    ]
    assert [(point["new"], point["fixed"]) for point in points] == [(1, 0), (1, 0), (0, 1)]
    assert result["kpis"]["previous"]["findings"] == 2


def test_the_last_point_of_the_trend_is_the_headline_figure() -> None:
    findings = [finding("a"), finding("b", impact=Decimal("0.5")), finding("c", proof=Proof.UNPROVEN)]
    result = report(findings, rule_runs=[run(OVERDUE.id, 30)])
    assert result["trend"]["points"][-1]["at_risk"] == result["kpis"]["at_risk"]
    assert result["trend"]["points"][-1]["findings"] == result["kpis"]["findings"] == 2


def test_weeks_before_anybody_looked_are_left_out_and_twelve_are_the_most() -> None:
    assert len(report([finding("a")], rule_runs=[run(OVERDUE.id, 1)])["trend"]["points"]) == 1
    assert len(report([finding("a")], rule_runs=[run(OVERDUE.id, 400)])["trend"]["points"]) == 12


def test_a_week_without_a_complete_run_is_marked() -> None:
    result = report([finding("a")], rule_runs=[run(OVERDUE.id, 9), run(OVERDUE.id, 2, complete=False)])
    assert [point["complete"] for point in result["trend"]["points"]] == [True, False]


def test_a_changed_rule_leaves_a_mark_so_that_a_step_is_not_read_as_progress() -> None:
    runs = [
        run(OVERDUE.id, 30, rule_version=2, params_digest="x"),
        run(OVERDUE.id, 20, params_digest="x"),
        run(OVERDUE.id, 10, params_digest="y"),
        run(STALE_LEAD.id, 5, rule_version=1),
    ]
    marks = report([finding("a")], rule_runs=runs)["trend"]["marks"]
    assert [(mark["rule_id"], mark["change"], mark["from_version"], mark["to_version"]) for mark in marks] == [
        (OVERDUE.id, "version", 2, 3),
        (OVERDUE.id, "thresholds", 3, 3),
        (STALE_LEAD.id, "added", None, 1),
    ]


def test_last_weeks_count_of_a_rule_comes_from_its_own_runs() -> None:
    result = report([finding("a")], rule_runs=[run(OVERDUE.id, 9, open_count=7), run(OVERDUE.id, 1, open_count=1)])
    overdue = next(rule for rule in result["rules"] if rule["id"] == OVERDUE.id)
    assert overdue["findings_before"] == 7


def test_as_of_is_a_day_of_the_orgs_calendar_whatever_the_clock_says() -> None:
    context = replace(sample_context(), as_of=date(2026, 11, 15))
    assert report([finding("a")], context=context)["period"]["end"] == "2026-11-15"
