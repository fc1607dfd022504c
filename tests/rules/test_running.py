"""Running rules over a snapshot: what is missing, stale or broken is said, and nothing else suffers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leakwatch.core.rates import Rates
from leakwatch.errors import LeakwatchError
from leakwatch.model import RuleOutcome, Severity, Text
from leakwatch.rule_engine.load import LoadedRule
from leakwatch.rule_engine.run import RuleEngine, run_rules
from leakwatch.rule_engine.testing import run_rule_tests
from mirror_data import NOON, publish, shipped_config
from rule_samples import CATALOG, load_sample, sample

DEALS = [
    {"Id": f"00600000000000{n}AAA", "Name": f"Deal {n}", "StageName": "Müzakere", "Amount": n * 30, "OwnerId": "005"}
    for n in range(1, 6)
]  # 30, 60, 90 are below 100


def run(folder: Path, *rules: LoadedRule, data: dict[str, Any] | None = None, **options: Any) -> list[RuleOutcome]:
    snapshot = publish(folder / "mirror", {"Opportunity": DEALS} if data is None else data)
    as_of = options.pop("as_of", NOON)
    return run_rules(
        snapshot.path,
        rules,
        catalog=CATALOG,
        as_of_date=NOON.date(),
        as_of=as_of,
        label=shipped_config().label,
        **options,
    )


def without(*names: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in names} for row in DEALS]


def test_findings_come_sorted_by_money_with_their_sentence(tmp_path: Path) -> None:
    (outcome,) = run(tmp_path, load_sample(tmp_path, shipped=True))
    assert [row.impact for row in outcome.rows] == [Decimal("90.00"), Decimal("60.00"), Decimal("30.00")]
    assert outcome.rows[0].message_en == "Only ₺90.00"
    assert outcome.rows[0].message_tr == "Yalnızca ₺90,00"
    assert (outcome.complete, outcome.population, outcome.error) == (True, None, None)


def test_a_missing_table_or_column_switches_off_the_rule_that_needs_it_and_names_it(tmp_path: Path) -> None:
    rule = load_sample(tmp_path, shipped=True)
    (outcome,) = run(tmp_path / "a", rule, data={"Opportunity": without("Amount")})
    assert outcome.switched_off == "not in the data: Opportunity.Amount"
    assert outcome.switched_off_tr == "veride yok: Opportunity.Amount"
    assert (outcome.complete, outcome.rows) == (False, ())
    (outcome,) = run(tmp_path / "b", rule, data={"Lead": [{"Id": "00Q"}]})
    assert outcome.switched_off == "not in the data: Opportunity"


def test_an_optional_column_may_be_missing_and_that_is_said(tmp_path: Path) -> None:
    said = {"en": "No amounts here.", "tr": "Tutar yok."}
    rule = load_sample(
        tmp_path, shipped=True, optional={"sf_opportunity": {"columns": {"amount": said, "name": None}}},
        sql="SELECT o.id AS record_id, o.owner_id, o.name, o.amount, o.currency FROM sf_opportunity AS o"
        " WHERE COALESCE(o.amount, 0) < $least",
    )  # fmt: skip
    (outcome,) = run(tmp_path, rule, data={"Opportunity": without("Amount", "Name")})
    assert len(outcome.rows) == len(DEALS)
    assert outcome.rows[0].impact is None
    assert outcome.assumptions[:2] == (
        "No amounts here.",
        "Opportunity.Name is not in the data; the rule ran without it.",
    )
    assert outcome.assumptions_tr[0] == "Tutar yok."


def test_an_optional_table_may_be_missing_as_a_whole(tmp_path: Path) -> None:
    sql = (
        "SELECT o.id AS record_id, o.owner_id, o.name, o.amount, o.currency FROM sf_opportunity AS o"
        " LEFT JOIN sf_user AS u ON u.id = o.owner_id WHERE COALESCE(u.is_active, FALSE) = FALSE AND o.amount < $least"
    )
    rule = load_sample(tmp_path, shipped=True, optional={"sf_user": {}}, sql=sql)
    (outcome,) = run(tmp_path, rule)
    assert len(outcome.rows) == 3
    assert "User is not in the data; the rule ran without it." in outcome.assumptions


def test_a_table_that_could_not_be_read_is_not_taken_for_missing(tmp_path: Path) -> None:
    sql = (
        "SELECT o.id AS record_id, o.owner_id, o.name, o.amount, o.currency FROM sf_opportunity AS o"
        " LEFT JOIN sf_user AS u ON u.id = o.owner_id WHERE u.is_active AND o.amount < $least"
    )
    rule = load_sample(tmp_path, shipped=True, optional={"sf_user": {}}, sql=sql)
    snapshot = publish(tmp_path / "mirror", {"Opportunity": DEALS})
    engine = RuleEngine([rule], catalog=CATALOG)
    why = Text(en="User.csv is broken", tr="User.csv bozuk")
    (outcome,) = engine.run(snapshot.path, as_of_date=NOON.date(), as_of=NOON, unreadable={"sf_user": why})
    assert (outcome.switched_off, outcome.switched_off_tr) == (why.en, why.tr)


@pytest.mark.parametrize(("age", "complete"), [(timedelta(hours=6), True), (timedelta(hours=6, seconds=1), False)])
def test_data_older_than_a_rule_allows_may_open_findings_but_prove_nothing_fixed(
    tmp_path: Path, age: timedelta, complete: bool
) -> None:
    rule = load_sample(tmp_path, shipped=True, needs={"sf_opportunity": {"fresh_within": "6h"}})
    (outcome,) = run(tmp_path, rule, as_of=NOON + age)
    assert len(outcome.rows) == 3
    assert outcome.complete is complete
    assert any("Too old" in text and "Opportunity" in text for text in outcome.assumptions) is not complete
    assert (outcome.stale in outcome.assumptions) is not complete


@pytest.mark.parametrize("allowed", [None, "48h"])
def test_data_older_than_the_company_allows_are_too_old_for_every_rule(tmp_path: Path, allowed: str | None) -> None:
    need = {"fresh_within": allowed} if allowed else {}
    rule = load_sample(tmp_path, shipped=True, needs={"sf_opportunity": need})
    snapshot = publish(tmp_path / "mirror", {"Opportunity": DEALS})
    engine = RuleEngine([rule], catalog=CATALOG, stale_after=timedelta(hours=24))

    def stale(age: timedelta) -> bool:
        (outcome,) = engine.run(snapshot.path, as_of_date=NOON.date(), as_of=NOON + age)
        return outcome.stale is not None

    assert not stale(timedelta(hours=24))
    assert stale(timedelta(hours=24, seconds=1))


def test_a_rule_that_fails_is_an_error_of_that_rule_only(tmp_path: Path) -> None:
    broken = load_sample(
        tmp_path / "broken", shipped=True, id="custom_broken",
        sql="SELECT o.id AS record_id, o.owner_id, o.name, o.amount, o.currency FROM sf_opportunity AS o"
        " JOIN sf_opportunity AS other ON other.owner_id = o.owner_id WHERE o.amount < $least",
    )  # fmt: skip
    fine = load_sample(tmp_path / "fine", shipped=True)
    first, second = run(tmp_path, broken, fine)
    assert first.error is not None
    assert "two rows have the same key" in first.error
    assert not first.complete
    assert second.error is None
    assert len(second.rows) == 3


def test_a_value_that_breaks_the_arithmetic_is_an_error_of_that_rule_only(tmp_path: Path) -> None:
    huge = "o.amount * 99999999999999999999999999999.9 * 99999999.9"
    broken = load_sample(
        tmp_path / "broken", shipped=True,
        sql=f"SELECT o.id AS record_id, o.owner_id, o.name, {huge} AS amount, o.currency FROM sf_opportunity AS o"
        " WHERE o.amount < $least",
    )  # fmt: skip
    (outcome,) = run(tmp_path, broken)
    assert outcome.error
    assert outcome.rows == ()


def test_a_snapshot_that_is_gone_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LeakwatchError, match="leakwatch mirror"):
        run_rules(tmp_path / "no.duckdb", [], catalog=CATALOG, as_of_date=NOON.date(), as_of=NOON)


def test_severity_follows_the_first_condition_that_holds(tmp_path: Path) -> None:
    finding = sample()["finding"]
    when = [
        {"if": {"amount": {"gte": 90}}, "then": "critical"},
        {"if": {"amount": {"gt": 30, "lt": 90}}, "then": "high"},
    ]
    rule = load_sample(tmp_path, shipped=True, finding={**finding, "severity_when": when})
    (outcome,) = run(tmp_path, rule)
    assert [row.severity for row in outcome.rows] == [Severity.CRITICAL, Severity.HIGH, Severity.LOW]


def judged(folder: Path, deals: list[tuple[str, str | None]], rates: Rates | None = None, **data: Any) -> RuleOutcome:
    """The outcome over deals of (amount, currency), critical from an amount of 50 on."""
    when = [{"if": {"amount": {"gte": 50}}, "then": "critical"}]
    rule = load_sample(folder, shipped=True, finding={**sample()["finding"], "severity_when": when})
    rows = [
        {**DEALS[0], "Id": f"00600000000000{n}AAA", "Amount": amount, "CurrencyIsoCode": currency}
        for n, (amount, currency) in enumerate(deals)
    ]
    snapshot = publish(folder / "mirror", {"Opportunity": rows, **data})
    engine = RuleEngine([rule], catalog=CATALOG, label=shipped_config().label, rates=rates)
    (outcome,) = engine.run(snapshot.path, as_of_date=NOON.date(), as_of=NOON)
    return outcome


def severities(outcome: RuleOutcome) -> dict[str | None, Severity]:
    return {row.currency: row.severity for row in outcome.rows}


def test_a_limit_on_money_is_in_the_companys_currency_and_others_are_converted(tmp_path: Path) -> None:
    rates = Rates("TRY", {"EUR": Decimal("48.50"), "JPY": Decimal("0.28")})
    outcome = judged(tmp_path, [("49.99", "TRY"), ("2", "EUR"), ("99", "JPY")], rates)
    assert severities(outcome) == {"TRY": Severity.LOW, "EUR": Severity.CRITICAL, "JPY": Severity.LOW}
    assert not [text for text in outcome.assumptions if "Severity limits" in text]


def test_an_amount_without_a_known_rate_keeps_the_rules_own_severity_and_that_is_said(tmp_path: Path) -> None:
    outcome = judged(tmp_path, [("99", "TRY"), ("99", "EUR"), ("98", "EUR")], Rates("TRY"))
    assert severities(outcome) == {"TRY": Severity.CRITICAL, "EUR": Severity.LOW}
    assert outcome.assumptions[-1] == (
        "Severity limits on amounts are in TRY; for 2 records in EUR there is no rate (company.exchange_rates in the"
        " settings): the rule's own severity stands."
    )
    assert outcome.assumptions_tr[-1].startswith("Tutara bağlı önem sınırları TRY cinsindendir; EUR cinsinden 2 kaydın")


def test_the_companys_currency_is_the_orgs_own_or_the_only_one_where_none_is_set(tmp_path: Path) -> None:
    organization = [{"Id": "00D", "Name": "x", "DefaultCurrencyIsoCode": "EUR"}]
    both = [("99", "TRY"), ("99", "EUR")]
    assert severities(judged(tmp_path / "a", both, Organization=organization)) == {
        "TRY": Severity.LOW, "EUR": Severity.CRITICAL,
    }  # fmt: skip
    assert severities(judged(tmp_path / "b", [("99", "EUR")])) == {"EUR": Severity.CRITICAL}
    unknown = judged(tmp_path / "c", both)
    assert set(severities(unknown).values()) == {Severity.LOW}
    assert "in EUR, TRY there is no rate (company.currency in the settings)" in unknown.assumptions[-1]


def test_an_orgs_own_rates_hold_where_the_settings_give_none(tmp_path: Path) -> None:
    types = [
        {"Id": f"01L{code}", "IsoCode": code, "ConversionRate": rate, "IsCorporate": code == "TRY"}
        for code, rate in (("TRY", 1), ("EUR", "0.0200"), ("XAU", 0))
    ]
    deals: list[tuple[str, str | None]] = [("49", "TRY"), ("1", "EUR"), ("99", "XAU")]
    outcome = judged(tmp_path / "a", deals, CurrencyType=types)  # 1 EUR is 50 TRY
    assert severities(outcome) == {"TRY": Severity.LOW, "EUR": Severity.CRITICAL, "XAU": Severity.LOW}
    assert "for 1 record in XAU there is no rate" in outcome.assumptions[-1]
    in_euro = judged(tmp_path / "b", deals, Rates("EUR"), CurrencyType=types)  # 49 TRY is 0.98 EUR
    assert severities(in_euro)["EUR"] is Severity.LOW
    ours = judged(tmp_path / "c", deals, Rates(None, {"EUR": Decimal(49), "XAU": Decimal(1)}), CurrencyType=types)
    assert severities(ours) == {"TRY": Severity.LOW, "EUR": Severity.LOW, "XAU": Severity.CRITICAL}


def test_alerts_are_ordered_by_the_same_rates(tmp_path: Path) -> None:
    types = [
        {"Id": f"01L{code}", "IsoCode": code, "ConversionRate": rate} for code, rate in (("TRY", 1), ("USD", "0.025"))
    ]
    snapshot = publish(tmp_path / "mirror", {"Opportunity": DEALS, "CurrencyType": types})
    engine = RuleEngine([], catalog=CATALOG, rates=Rates("TRY"))
    assert engine.rates(snapshot.path) == Rates("TRY", {"TRY": Decimal(1), "USD": Decimal(40)})


def test_the_manager_is_looked_up_unless_the_rule_returns_one(tmp_path: Path) -> None:
    users = [{"Id": "005", "Name": "Ayşe", "ManagerId": "005000000000002AAA"}]
    (outcome,) = run(
        tmp_path / "a", load_sample(tmp_path / "x", shipped=True), data={"Opportunity": DEALS, "User": users}
    )
    assert {(row.owner_name, row.manager_id) for row in outcome.rows} == {("Ayşe", "005000000000002AAA")}
    told = load_sample(
        tmp_path / "y", shipped=True, finding={**sample()["finding"], "manager": "boss"},
        sql=sample()["sql"].replace("o.owner_id,", "o.owner_id, o.account_id AS boss,"),
    )  # fmt: skip
    data = {"Opportunity": [{**row, "AccountId": "005000000000009AAA"} for row in DEALS], "User": users}
    (outcome,) = run(tmp_path / "b", told, data=data)
    assert {row.manager_id for row in outcome.rows} == {"005000000000009AAA"}


COUNTS = (
    "SELECT COUNT(*) AS n, SUM(CASE WHEN o.amount IS NULL OR o.amount < 100 THEN 1 ELSE 0 END) AS small"
    " FROM sf_opportunity AS o"
)
SMALL = {
    "field": "sf_opportunity.amount", "empty": "small", "min_rows": 1, "share": 0.5, "replaces_findings": True,
    "message": "{count} of {population}, {impact:money}", "fix": "fill it in",
}  # fmt: skip


def test_amounts_of_several_currencies_make_no_sum_for_a_process(tmp_path: Path) -> None:
    rule = load_sample(tmp_path, shipped=True, process=[SMALL], population_sql=COUNTS)
    (outcome,) = run(tmp_path / "a", rule)
    assert outcome.singles_replaced
    (row,) = outcome.rows
    assert (row.impact, row.currency, row.count) == (Decimal("180.00"), "TRY", 3)
    assert row.message_en == "3 of 5, ₺180.00"
    mixed = [{**row, "CurrencyIsoCode": "EUR" if n else "TRY"} for n, row in enumerate(DEALS)]
    (outcome,) = run(tmp_path / "b", rule, data={"Opportunity": mixed})
    assert (outcome.rows[0].impact, outcome.rows[0].currency) == (None, None)


def unjudged_rule(folder: Path) -> LoadedRule:
    return load_sample(
        folder, shipped=True, population_sql="SELECT COUNT(*) AS n FROM sf_opportunity AS o",
        unjudged_sql="SELECT COUNT(*) AS n FROM sf_opportunity AS o WHERE o.amount IS NULL",
        unjudged={"en": "{count} of {population} have no amount", "tr": "{population} içinde {count} tutarsız"},
    )  # fmt: skip


def test_how_many_a_rule_could_not_judge_is_said_in_its_own_words(tmp_path: Path) -> None:
    deals = [{**row, "Amount": None if n < 2 else row["Amount"]} for n, row in enumerate(DEALS)]
    (outcome,) = run(tmp_path / "a", unjudged_rule(tmp_path), data={"Opportunity": deals})
    assert outcome.unjudged == Text("2 of 5 have no amount", "5 içinde 2 tutarsız")
    assert (outcome.population, outcome.complete, len(outcome.rows)) == (5, True, 1)
    (outcome,) = run(tmp_path / "b", unjudged_rule(tmp_path))
    assert outcome.unjudged is None


def test_a_rule_that_can_judge_none_of_its_records_is_off_and_not_clean(tmp_path: Path) -> None:
    deals = [{**row, "Amount": None} for row in DEALS]
    (outcome,) = run(tmp_path / "a", unjudged_rule(tmp_path), data={"Opportunity": deals})
    assert (outcome.switched_off, outcome.switched_off_tr) == ("5 of 5 have no amount", "5 içinde 5 tutarsız")
    assert (outcome.complete, outcome.rows, outcome.population) == (False, (), None)


def test_a_process_finding_stands_beside_the_single_ones_unless_it_says_the_same(tmp_path: Path) -> None:
    beside = {**SMALL, "replaces_findings": False}
    rule = load_sample(tmp_path, shipped=True, process=[beside], population_sql=COUNTS)
    (outcome,) = run(tmp_path, rule)
    assert [row.is_process for row in outcome.rows] == [True, False, False, False]
    assert outcome.rows[0].impact is None
    assert outcome.rows[0].business_key == ("process", "sf_opportunity.amount")
    assert not outcome.singles_replaced


def test_a_rules_own_test_may_count_what_the_population_query_counts(tmp_path: Path) -> None:
    test = {**sample()["tests"][0], "population": 1, "counts": {"small": 2}}
    rule = load_sample(tmp_path, process=[SMALL], population_sql=COUNTS, tests=[test])
    (result,) = run_rule_tests(rule, CATALOG)
    assert result.problems == ("small is 1, expected 2",)


def test_a_rules_own_test_fails_on_missing_and_on_extra_findings(tmp_path: Path) -> None:
    test = sample()["tests"][0]
    wrong = {**test, "expect": [{"record_id": "b"}]}
    (result,) = run_rule_tests(load_sample(tmp_path, tests=[wrong]), CATALOG)
    assert any("expected but not found: record_id: b" in problem for problem in result.problems)
    assert any(problem.startswith("found but not expected: record_id: a") for problem in result.problems)


def test_a_rules_own_test_may_not_invent_columns(tmp_path: Path) -> None:
    test = {**sample()["tests"][0], "given": {"sf_opportunity": [{"id": "a", "amuont": 1}]}}
    (result,) = run_rule_tests(load_sample(tmp_path, tests=[test]), CATALOG)
    assert result.problems == ("sf_opportunity has no column amuont (did you mean `amount`?)",)


# --- a customer's own rules run apart ---


def test_a_customers_rule_gives_the_same_in_its_own_process(tmp_path: Path) -> None:
    shipped = load_sample(tmp_path / "s", shipped=True)
    own = load_sample(tmp_path / "o")
    assert (shipped.shipped, own.shipped) == (True, False)
    one, two = run(tmp_path, shipped, own)
    assert one.rows == two.rows
    assert len(two.rows) == 3


def test_dates_and_exact_numbers_survive_the_way_back_from_the_process(tmp_path: Path) -> None:
    sql = sample()["sql"].replace("o.amount, ", "o.amount, o.close_date, ")
    rule = load_sample(tmp_path, sql=sql, finding={**sample()["finding"], "show": ["amount", "close_date"]})
    data = {"Opportunity": [{**DEALS[0], "CloseDate": "2026-03-16", "Amount": 12.34}]}
    (outcome,) = run(tmp_path, rule, data=data)
    when = datetime(2026, 3, 16, tzinfo=UTC).date()
    assert outcome.rows[0].evidence == {"amount": Decimal("12.34"), "close_date": when}
