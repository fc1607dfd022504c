"""The shipped rules: their own tests, their texts, their boundaries from the mirror's tables to the finding."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leakwatch.core.columns import LABELS
from leakwatch.model import Mode, RuleOutcome, Severity
from leakwatch.rule_engine.compile import bind, render
from leakwatch.rule_engine.load import LoadedRule, load_rules
from leakwatch.rule_engine.params import resolve
from leakwatch.rule_engine.run import RuleEngine
from leakwatch.rule_engine.testing import run_rule_tests
from mirror_data import ISTANBUL, NOON, ROOT, publish, shipped_config

CONFIG = shipped_config()
CATALOG = CONFIG.catalog()
RULES = {item.rule.id: item for item in load_rules(CATALOG, overrides=ROOT / "config" / "overrides.yaml")}
CASES = [(rule_id, test.name) for rule_id, item in RULES.items() for test in item.spec.tests]


def outcomes(folder: Path, data: dict[str, list[dict[str, Any]]], **options: Any) -> dict[str, RuleOutcome]:
    snapshot = publish(folder, data, **options)
    engine = RuleEngine(list(RULES.values()), catalog=CATALOG, label=CONFIG.label)
    found = engine.run(snapshot.path, as_of_date=NOON.date(), as_of=NOON)
    return {outcome.rule_id: outcome for outcome in found}


def ids(outcome: RuleOutcome) -> set[str]:
    assert outcome.error is None
    assert outcome.switched_off is None
    return {row.record_id for row in outcome.rows}


@pytest.mark.parametrize(("rule_id", "name"), CASES)
def test_a_shipped_rule_passes_the_test_in_its_file(rule_id: str, name: str) -> None:
    result = next(result for result in run_rule_tests(RULES[rule_id], CATALOG) if result.name == name)
    assert result.problems == ()


def test_the_four_rules_are_there_and_none_writes_before_it_is_switched_on() -> None:
    assert set(RULES) >= {"lead_stale", "opp_close_overdue", "opp_lost_without_reason", "opp_price_deviation"}
    assert {item.rule.mode for item in RULES.values()} == {Mode.REPORT}


def test_the_thresholds_are_those_of_the_specification() -> None:
    assert {rule_id: dict(item.rule.params) for rule_id, item in RULES.items() if rule_id in {*CORE}} == CORE


CORE = {
    "lead_stale": {"days": 30},
    "opp_close_overdue": {"grace_days": 14},
    "opp_lost_without_reason": {"window_days": 365},
    "opp_price_deviation": {"low": Decimal("0.50"), "high": Decimal("1.25"), "window_days": 0},
}


def test_an_overdue_deal_escalates_to_the_manager_after_10_days_and_to_revops_after_21() -> None:
    steps = RULES["opp_close_overdue"].rule.lifecycle.escalate
    assert [(step.after.days, step.to) for step in steps] == [(10, "manager"), (21, "revops")]


def test_price_deviations_are_told_in_chatter_and_say_how_the_definition_was_read() -> None:
    loaded = RULES["opp_price_deviation"]
    assert [action.kind for action in loaded.rule.actions] == ["chatter"]
    assert loaded.reading is not None
    for text in (loaded.reading.en, loaded.rule.why.en):
        assert "0.50" in text
        assert "1.25" in text


@pytest.mark.parametrize("loaded", RULES.values(), ids=RULES)
def test_every_text_for_people_is_in_both_languages(loaded: LoadedRule) -> None:
    rule = loaded.rule
    texts = [rule.title, rule.why, rule.fix, rule.message]
    texts += [param.help for param in loaded.spec.params.values() if param.help]
    texts += [text for process in loaded.spec.process for text in (process.message, process.fix)]
    for text in texts:
        assert text.en != text.tr
        assert text.en.isascii() or "“" in text.en


@pytest.mark.parametrize("dialect", ["spark", "postgres"])
@pytest.mark.parametrize("loaded", RULES.values(), ids=RULES)
def test_a_rule_can_be_rendered_for_another_engine(loaded: LoadedRule, dialect: str) -> None:
    values = resolve(loaded.spec.params, loaded.rule.params, as_of_date=NOON.date(), as_of=NOON)
    assert "$" not in render(bind(loaded.query.tree, values), dialect=dialect)


# --- from the org's rows to the finding ---

USERS = [
    {"Id": "005000000000001AAA", "Name": "Ayşe Yılmaz", "ManagerId": "005000000000002AAA", "IsActive": True},
    {"Id": "005000000000002AAA", "Name": "Can Öz", "ManagerId": None, "IsActive": True},
]


def deal(number: int, **values: Any) -> dict[str, Any]:
    base = {
        "Id": f"006{number:012d}AAA", "IsDeleted": False, "Name": f"Deal {number}", "OwnerId": "005000000000001AAA",
        "AccountId": "001000000000001AAA", "StageName": "Müzakere", "IsClosed": False, "IsWon": False,
        "Amount": 1000, "CloseDate": "2026-06-30", "Loss_Reason__c": None, "Budget__c": None,
        "LastStageChangeDate": "2026-03-01T09:00:00.000Z", "CreatedDate": "2026-01-01T09:00:00.000Z",
    }  # fmt: skip
    return {**base, **values}


def test_an_overdue_deal_carries_owner_manager_money_and_a_sentence_in_both_languages(tmp_path: Path) -> None:
    data = {
        "User": USERS,
        "Opportunity": [deal(1, CloseDate="2026-03-16", Amount=50000), deal(2, CloseDate="2026-03-17")],
    }
    outcome = outcomes(tmp_path, data)["opp_close_overdue"]
    (row,) = outcome.rows
    assert (row.record_id, row.record_name, row.sobject) == ("006000000000001AAA", "Deal 1", "Opportunity")
    assert (row.owner_id, row.owner_name, row.manager_id) == ("005000000000001AAA", "Ayşe Yılmaz", "005000000000002AAA")
    assert (row.impact, row.currency, row.impact_kind) == (Decimal("50000.00"), "TRY", "at_risk")
    assert row.severity is Severity.HIGH
    assert row.message_en == "Close date 16 Mar 2026 passed 15 days ago"
    assert row.message_tr == "Kapanış tarihi 16.03.2026, üzerinden 15 gün geçti"
    assert row.evidence["amount"] == Decimal("50000.00")
    assert row.account_id == "001000000000001AAA"
    assert (outcome.population, outcome.complete) == (2, True)


def test_turkish_stages_are_judged_by_meaning(tmp_path: Path) -> None:
    closed = {"IsClosed": True, "IsWon": False}
    data = {
        "Opportunity": [
            deal(1, StageName="KAYBEDİLDİ", **closed),
            deal(2, StageName="Askıya Alındı", IsClosed=False),
            deal(3, StageName="vazgeçildi", **closed),
            deal(4, StageName="Kazanıldı", IsClosed=True, IsWon=True),
            deal(5, StageName="Kaybedildi", **closed, IsDeleted=True),
            deal(6, StageName="Kaybedildi", Loss_Reason__c="Fiyat", **closed),
            deal(7, StageName="Kaybedildi", Loss_Reason__c="\u00a0", **closed),
        ]
    }
    data["Opportunity"][1]["IsClosed"] = False
    outcome = outcomes(tmp_path, data)["opp_lost_without_reason"]
    assert ids(outcome) == {f"006{number:012d}AAA" for number in (1, 2, 3, 7)}
    assert outcome.population == 5
    column, first_day = outcome.window or ("", None)
    assert first_day == NOON.date() - timedelta(days=365)  # what leaves the window was fixed by nobody
    assert all(column in row.evidence for row in outcome.rows)


def lost(count: int, with_reason: int) -> list[dict[str, Any]]:
    return [
        deal(n, StageName="Kaybedildi", IsClosed=True, Loss_Reason__c="Fiyat" if n < with_reason else None)
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("count", "with_reason", "one_finding"),
    [(20, 1, True), (20, 2, False), (19, 0, False), (100, 5, True), (100, 6, False), (40, 0, True)],
)
def test_from_95_percent_of_at_least_20_deals_on_a_missing_reason_is_one_finding_about_the_process(
    tmp_path: Path, count: int, with_reason: int, one_finding: bool
) -> None:
    outcome = outcomes(tmp_path, {"Opportunity": lost(count, with_reason)})["opp_lost_without_reason"]
    assert outcome.population == count
    if not one_finding:
        assert len(outcome.rows) == count - with_reason
        assert not any(row.is_process for row in outcome.rows)
        return
    (row,) = outcome.rows
    assert row.is_process
    assert row.count == count - with_reason
    assert row.record_id == "sf_opportunity.loss_reason"
    assert row.record_name == "Opportunity.Loss_Reason__c / Closed_Lost_Reason__c / Lost_Reason__c"
    assert row.owner_id is None
    assert row.impact == Decimal(1000) * (count - with_reason)
    assert f"{count - with_reason} of the {count} deals" in row.message_en


def process(outcome: RuleOutcome) -> dict[str, int]:
    """Empty field -> in how many records, as the rule's findings about the process say."""
    return {row.record_id: row.count for row in outcome.rows if row.is_process}


def test_amounts_empty_in_nearly_every_open_deal_are_one_finding_beside_the_overdue_deals(tmp_path: Path) -> None:
    deals = [deal(n, CloseDate="2026-01-01", Amount=100 if n < 1 else None) for n in range(20)]
    outcome = outcomes(tmp_path / "a", {"Opportunity": deals})["opp_close_overdue"]
    assert process(outcome) == {"sf_opportunity.amount": 19}
    assert len(outcome.rows) == 21
    assert not outcome.singles_replaced
    (row,) = (row for row in outcome.rows if row.is_process)
    assert (row.record_name, row.impact, row.owner_id) == ("Opportunity.Amount", None, None)
    assert row.message_en == ("Amount is empty in 19 of the 20 open deals: how much money is at risk is not known")
    assert row.message_tr.startswith("20 açık fırsatın 19 tanesinde Tutar boş")
    enough = [*deals[:19], deal(19, Amount=5)]
    assert process(outcomes(tmp_path / "b", {"Opportunity": enough})["opp_close_overdue"]) == {}
    few = outcomes(tmp_path / "c", {"Opportunity": deals[1:]})["opp_close_overdue"]
    assert process(few) == {}


def test_a_field_that_is_not_in_the_data_is_no_finding_and_is_known_as_unchecked(tmp_path: Path) -> None:
    deals = [{name: value for name, value in deal(n).items() if name not in ("Amount", "Budget__c")} for n in range(30)]
    found = outcomes(tmp_path, {"Opportunity": deals})
    assert process(found["opp_close_overdue"]) == {}
    assert found["opp_close_overdue"].unchecked == {"sf_opportunity.amount"}


def test_budget_and_amount_of_won_deals_are_each_a_finding_where_nobody_fills_them(tmp_path: Path) -> None:
    data = {"Opportunity": [won(n, "100" if n < 29 else "", Budget__c=0 if n else 100) for n in range(30)]}
    outcome = outcomes(tmp_path / "a", data)["opp_price_deviation"]
    assert process(outcome) == {"sf_opportunity.budget_amount": 29}
    (row,) = (row for row in outcome.rows if row.is_process)
    assert row.record_name == "Opportunity.Budget__c"
    assert row.severity is Severity.LOW
    empty = {"Opportunity": [won(n, "100" if n < 1 else "", Budget__c=100) for n in range(30)]}
    outcome = outcomes(tmp_path / "b", empty)["opp_price_deviation"]
    assert process(outcome) == {"sf_opportunity.amount": 29}
    assert outcome.population == 1


def test_leads_on_which_nothing_is_ever_logged_are_one_finding_beside_the_stale_ones(tmp_path: Path) -> None:
    def lead(number: int) -> dict[str, Any]:
        return {
            "Id": f"00Q{number:012d}AAA", "IsDeleted": False, "IsConverted": False, "Status": "Open", "Name": "x",
            "OwnerId": "005000000000001AAA", "CreatedDate": "2026-01-01T09:00:00.000Z", "LastActivityDate": None,
        }  # fmt: skip

    done = {
        "Id": "00T0",
        "IsClosed": True,
        "WhoId": "00Q000000000000AAA",
        "CompletedDateTime": "2026-03-30T09:00:00.000Z",
    }
    data = {"Lead": [lead(n) for n in range(20)], "Task": [done], "Event": [{"Id": "00U0", "ActivityDate": None}]}
    outcome = outcomes(tmp_path, data)["lead_stale"]
    assert process(outcome) == {"sf_lead.last_activity_date": 19}
    assert len(outcome.rows) == 20


def won(number: int, amount: str, **values: Any) -> dict[str, Any]:
    return deal(number, StageName="Kazanıldı", IsClosed=True, IsWon=True, Amount=amount, **values)


def test_a_price_finding_states_its_reference_basis_and_reading(tmp_path: Path) -> None:
    data = {
        "Opportunity": [
            won(1, "499.99", Budget__c=1000),
            won(2, "500.00", Budget__c=1000),
            won(3, "1300"),
            won(4, "40"),
        ],
        "OpportunityLineItem": [
            {
                "Id": "00k1",
                "OpportunityId": "006000000000003AAA",
                "Quantity": 2,
                "ListPrice": 500,
                "PricebookEntryId": None,
            }
        ],
        "OpportunityHistory": [
            {
                "Id": "0081",
                "OpportunityId": "006000000000004AAA",
                "Amount": 100,
                "CreatedDate": "2026-01-01T00:00:00.000Z",
            }
        ],
    }
    outcome = outcomes(tmp_path, data)["opp_price_deviation"]
    found = {row.record_id[-4]: row for row in outcome.rows}
    assert {key: row.evidence["basis"] for key, row in found.items()} == {
        "1": "budget", "3": "list_price", "4": "first_amount",
    }  # fmt: skip
    assert found["1"].impact == Decimal("500.01")
    assert found["1"].impact_kind == "deviation"
    assert found["1"].message_en == (
        "Won at ₺499.99, that is 49.999% of its reference ₺1,000.00 (the budget)."
        " Reported below 50% or above 125% of the reference"
    )
    assert found["3"].message_tr == (
        "₺1.300,00 tutarla kazanıldı. Referans tutar ₺1.000,00 (satırların liste fiyatı), oran %130."
        " Bildirim sınırları: referansın %50 altı, %125 üstü"
    )
    assert outcome.population == 4


def test_a_loss_is_in_the_window_by_the_calendar_of_the_org(tmp_path: Path) -> None:
    loss = {"StageName": "Kaybedildi", "IsClosed": True}
    deals = [
        deal(1, LastStageChangeDate="2025-03-30T21:00:00.000Z", **loss),  # 31 March in Istanbul, 365 days back
        deal(2, LastStageChangeDate="2025-03-30T20:59:59.000Z", **loss),  # 30 March
    ]
    outcome = outcomes(tmp_path, {"Opportunity": deals}, settings=ISTANBUL)["opp_lost_without_reason"]
    assert ids(outcome) == {"006000000000001AAA"}


def test_a_lead_is_stale_by_the_calendar_of_the_org(tmp_path: Path) -> None:
    lead = {"IsDeleted": False, "IsConverted": False, "Status": "Open", "OwnerId": "00G000000000001AAA", "Name": "x"}
    rows = [
        {"Id": "00Q000000000001AAA", "CreatedDate": "2026-03-01T20:59:00.000Z", **lead},  # 1 March in Istanbul
        {"Id": "00Q000000000002AAA", "CreatedDate": "2026-03-01T21:00:00.000Z", **lead},  # 2 March in Istanbul
    ]
    none = {"Task": [{"Id": "00T0", "IsClosed": False}], "Event": [{"Id": "00U0", "ActivityDate": None}]}
    queue = {"Group": [{"Id": "00G000000000001AAA", "Name": "Gelen Adaylar", "Type": "Queue"}]}
    outcome = outcomes(tmp_path, {"Lead": rows, **none, **queue}, settings=ISTANBUL)["lead_stale"]
    assert ids(outcome) == {"00Q000000000001AAA"}
    assert outcome.rows[0].owner_name == "Gelen Adaylar"
    assert outcome.rows[0].message_tr == "30 gündür temas yok; son temas 01.03.2026 (kayıt açılışı)"


@pytest.mark.parametrize("rule_id", RULES)
def test_every_column_that_people_see_has_a_name_in_both_languages(rule_id: str) -> None:
    assert set(RULES[rule_id].spec.finding.show) <= LABELS.keys()
