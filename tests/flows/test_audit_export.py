"""Audit of an export: from files to findings, with everything that was assumed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leakwatch.core.report_inputs import Note
from leakwatch.errors import LeakwatchError
from leakwatch.flows.audit_export import ExportAudit, audit_export
from leakwatch.model import RuleOutcome, RuleRow, Severity, Snapshot, Text
from leakwatch.rule_engine.load import load_rules
from leakwatch.rule_engine.run import RuleEngine
from leakwatch.store.export_loader import ExportLoader
from mirror_data import NOON, shipped_config, write_csv

CONFIG = shipped_config()
ENGINE = RuleEngine(load_rules(CONFIG.catalog()), catalog=CONFIG.catalog(), label=CONFIG.label)
TODAY = date(2026, 3, 31)

Row = dict[str, Any]


def audit(folder: Path, files: Mapping[str, Sequence[Row]], as_of_date: date = TODAY) -> ExportAudit:
    (folder / "export").mkdir(parents=True)
    for sobject, rows in files.items():
        write_csv(folder / "export" / f"{sobject}.csv", rows)
    loader = ExportLoader(CONFIG, folder / "mirror")
    return audit_export([folder / "export"], loader=loader, engine=ENGINE, now=NOON, as_of_date=as_of_date)


def found(result: ExportAudit) -> dict[str, set[str]]:
    return {outcome.rule_id: {row.record_id for row in outcome.rows} for outcome in result.outcomes}


# --- the whole road against a second opinion ---


def random_export(seed: int) -> dict[str, list[Row]]:
    """A pipeline in which every threshold is met, missed by one and passed by one."""
    dice = random.Random(seed)
    stages = [
        ("Müzakere", False, False),
        ("Kazanıldı", True, True),
        ("Kaybedildi", True, False),
        ("Askıda", True, False),
    ]
    deals: list[Row] = []
    lines: list[Row] = []
    history: list[Row] = []
    for number in range(400):
        stage, closed, is_won = dice.choice(stages)
        deal = {
            "Id": f"006{number:012d}AAA",
            "IsDeleted": dice.random() < 0.05,
            "Name": f"Fırsat {number}",
            "StageName": stage,
            "Amount": dice.choice([None, "0.00", "49.99", "50.00", "100.00", "125.00", "125.01", "300.00"]),
            "CloseDate": TODAY - timedelta(days=dice.choice([-30, 0, 13, 14, 15, 16, 200, 364, 365, 366, 367])),
            "IsClosed": closed,
            "IsWon": is_won,
            "OwnerId": "005000000000001AAA",
            "Loss_Reason__c": dice.choice([None, " ", "\u00a0", "Fiyat"]),
            "Budget__c": dice.choice([None, None, "0.00", "100.00"]),
            "LastModifiedDate": "2026-03-01T09:00:00.000Z",
        }
        deals.append(deal)
        for _ in range(dice.choice([0, 0, 1, 2])):
            price = dice.choice(["50.00", "100.00", None])
            lines.append(
                {"Id": f"00k{len(lines):012d}AAA", "OpportunityId": deal["Id"], "Quantity": 1, "ListPrice": price}
            )
        for day in range(dice.choice([0, 1, 2])):
            moment = f"2026-01-0{day + 1}T09:00:00.000Z"
            amount = dice.choice([None, "0.00", "100.00"])
            history.append(
                {
                    "Id": f"008{len(history):012d}AAA",
                    "OpportunityId": deal["Id"],
                    "Amount": amount,
                    "CreatedDate": moment,
                }
            )
    return {"Opportunity": deals, "OpportunityLineItem": lines, "OpportunityHistory": history}


def reference_amount(deal: Row, lines: list[Row], history: list[Row]) -> Decimal | None:
    if deal["Budget__c"] and Decimal(deal["Budget__c"]) > 0:
        return Decimal(deal["Budget__c"])
    own = [line["ListPrice"] for line in lines if line["OpportunityId"] == deal["Id"]]
    if own and all(own):
        return sum((Decimal(price) for price in own), Decimal(0))
    amounts = [Decimal(row["Amount"]) for row in history if row["OpportunityId"] == deal["Id"] and row["Amount"]]
    return next((amount for amount in amounts if amount > 0), None)


def second_opinion(data: dict[str, list[Row]]) -> dict[str, set[str]]:
    """The same rules in plain Python, without SQL and without our tables."""
    living = [deal for deal in data["Opportunity"] if not deal["IsDeleted"]]
    overdue = {deal["Id"] for deal in living if not deal["IsClosed"] and (TODAY - deal["CloseDate"]).days > 14}
    gone = [deal for deal in living if deal["IsClosed"] and not deal["IsWon"]]
    silent = {
        deal["Id"] for deal in gone
        if (TODAY - deal["CloseDate"]).days <= 365 and not (deal["Loss_Reason__c"] or "").replace("\u00a0", " ").strip()
    }  # fmt: skip
    far: set[str] = set()
    for deal in living:
        reference = reference_amount(deal, data["OpportunityLineItem"], data["OpportunityHistory"])
        if deal["IsWon"] and deal["Amount"] is not None and reference is not None:
            share = Decimal(deal["Amount"]) / reference
            if share < Decimal("0.5") or share > Decimal("1.25"):
                far.add(deal["Id"])
    return {"opp_close_overdue": overdue, "opp_lost_without_reason": silent, "opp_price_deviation": far}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_findings_are_those_of_a_second_computation_in_plain_python(tmp_path: Path, seed: int) -> None:
    data = random_export(seed)
    result = found(audit(tmp_path, data))
    expected = second_opinion(data)
    assert all(expected.values())
    assert {rule: result[rule] for rule in expected} == expected


def test_a_rule_whose_object_is_not_in_the_export_is_skipped_by_name_and_the_others_run(tmp_path: Path) -> None:
    result = audit(tmp_path, random_export(1))
    times = "Event.ActivityDateTime, Event.WhoId"
    assert result.skipped == {
        "lead_stale": Text(en="not in the data: Lead", tr="veride yok: Lead"),
        "meeting_without_follow_up": Text(en=f"not in the data: {times}", tr=f"veride yok: {times}"),
    }
    assert {outcome.rule_id for outcome in result.outcomes if outcome.complete} == {
        "opp_close_overdue", "opp_lost_without_reason", "opp_price_deviation",
    }  # fmt: skip


def test_a_rule_whose_column_was_left_out_says_why_and_not_that_it_is_not_there(tmp_path: Path) -> None:
    data = random_export(1)
    for deal in data["Opportunity"]:
        deal["CloseDate"] = "3/1/2026"
        deal["Amount"] = "12.500"
    result = audit(tmp_path, data)
    assert result.skipped["opp_close_overdue"] == Text(
        en="Opportunity.CloseDate has only values such as 3/1/2017, which can be read in two ways",
        tr="Opportunity.CloseDate yalnızca 3/1/2017 gibi iki türlü okunabilen değerler içeriyor",
    )
    assert "12.500 may be" in result.skipped["opp_price_deviation"].en
    (lost,) = [outcome for outcome in result.outcomes if outcome.rule_id == "opp_lost_without_reason"]
    assert any("12.500 may be" in text and "ran without it" in text for text in lost.assumptions)


def lead(number: int, **dates: str) -> Row:
    row = {"Id": f"00Q{number:012d}AAA", "Status": "Open", "IsConverted": False, "OwnerId": "005000000000001AAA"}
    return {**row, **dates}


def test_leads_of_which_no_date_is_known_switch_off_their_rule_instead_of_being_clean(tmp_path: Path) -> None:
    result = audit(tmp_path, {"Lead": [lead(1), lead(2)]})
    assert result.skipped["lead_stale"].en == (
        "2 of 2 open leads have no known date up to this day (CreatedDate, LastActivityDate, task, meeting or mail) and"
        " can't be judged."
    )


def test_leads_of_which_no_date_is_known_are_counted_beside_those_that_are_judged(tmp_path: Path) -> None:
    old = "2026-01-01T09:00:00.000Z"
    result = audit(tmp_path, {"Lead": [lead(1, CreatedDate=old), lead(2, CreatedDate="")]})
    (outcome,) = [outcome for outcome in result.outcomes if outcome.rule_id == "lead_stale"]
    assert [row.record_id for row in outcome.rows] == ["00Q000000000001AAA"]
    assert outcome.unjudged is not None
    assert outcome.unjudged.en.startswith("1 of 2 open leads have no known date")


def test_a_stage_name_is_not_needed_where_flags_say_what_is_open(tmp_path: Path) -> None:
    data = random_export(1)
    deals = [{name: value for name, value in deal.items() if name != "StageName"} for deal in data["Opportunity"]]
    result = audit(tmp_path, {"Opportunity": deals})
    (overdue,) = [outcome for outcome in result.outcomes if outcome.rule_id == "opp_close_overdue"]
    assert {row.record_id for row in overdue.rows} == second_opinion(data)["opp_close_overdue"]
    assert any("StageName is not in the data" in text for text in overdue.assumptions)


def test_a_field_empty_in_nearly_every_row_is_one_finding_about_the_process(tmp_path: Path) -> None:
    data = random_export(1)
    for deal in data["Opportunity"]:
        deal["Loss_Reason__c"] = ""
    result = audit(tmp_path, data)
    (row,) = [row for row in result.findings if row.rule_id == "opp_lost_without_reason"]
    expected = second_opinion(data)["opp_lost_without_reason"]
    assert row.is_process
    assert row.count == len(expected)


def test_the_same_day_a_year_later_finds_what_has_become_overdue(tmp_path: Path) -> None:
    deal = {
        "Id": "006000000000001AAA",
        "StageName": "Açık",
        "IsClosed": False,
        "IsWon": False,
        "CloseDate": "2026-06-30",
    }
    files = {"Opportunity": [{**deal, "OwnerId": "005000000000001AAA"}]}
    assert found(audit(tmp_path / "now", files))["opp_close_overdue"] == set()
    later = audit(tmp_path / "later", files, as_of_date=date(2027, 3, 31))
    assert found(later)["opp_close_overdue"] == {"006000000000001AAA"}


def test_old_files_do_not_make_a_rule_say_that_it_holds_its_findings(tmp_path: Path) -> None:
    for outcome in audit(tmp_path, random_export(1), as_of_date=date(2027, 3, 31)).outcomes:
        assert not any("Findings are held" in text for text in outcome.assumptions)
        assert outcome.complete or outcome.switched_off


def test_assumptions_about_the_files_and_of_the_rules_are_both_told(tmp_path: Path) -> None:
    result = audit(tmp_path, random_export(1))
    assert {"zone_unknown", "currency_unknown"} <= {note.code for note in result.notes}
    (price,) = [outcome for outcome in result.outcomes if outcome.rule_id == "opp_price_deviation"]
    assert any("OpportunityLineItem.IsDeleted" in text for text in price.assumptions)
    assert len(price.assumptions) == len(price.assumptions_tr)


# --- the flow alone ---

ROW = RuleRow(
    rule_id="r", business_key=("a",), record_id="a", sobject="Lead", record_name="", owner_id=None, owner_name="",
    manager_id=None, severity=Severity.LOW, impact=None, currency=None, impact_kind="none", message_en="",
    message_tr="", evidence={},
)  # fmt: skip


SNAPSHOT = Snapshot("s", "path.duckdb", NOON, "export", {}, {})


@dataclass(frozen=True)
class FakeExport:
    snapshot: Snapshot = SNAPSHOT
    as_of_date: date = TODAY
    as_of: datetime = NOON
    time_zone: str = "UTC"
    notes: tuple[Note, ...] = (Note.plain("x", "assumed"),)
    unreadable: Mapping[str, Text] = None  # type: ignore[assignment]
    left_out: Mapping[tuple[str, str], Text] = None  # type: ignore[assignment]
    ignored: tuple[str, ...] = ("Case.csv",)


class FakeLoader:
    def load(self, paths: Sequence[Path], *, now: datetime, as_of_date: date | None = None) -> FakeExport:
        if not paths:
            raise LeakwatchError("nothing there")
        return FakeExport(unreadable={"sf_task": Text(en="broken", tr="bozuk")})


class FakeEngine:
    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def run(self, snapshot_path: Path | str, **options: Any) -> list[RuleOutcome]:
        self.asked = {"path": snapshot_path, **options}
        off = RuleOutcome("off", 1, "", (), None, complete=False, switched_off="no Task", switched_off_tr="Task yok")
        return [RuleOutcome("r", 1, "", (ROW,), 10, complete=True), off]


def test_the_rules_see_the_exports_day_and_what_could_not_be_read() -> None:
    engine = FakeEngine()
    result = audit_export([Path("x")], loader=FakeLoader(), engine=engine, now=datetime(2026, 4, 1, tzinfo=UTC))
    assert engine.asked["path"] == "path.duckdb"
    assert (engine.asked["as_of_date"], engine.asked["as_of"]) == (TODAY, NOON)
    assert engine.asked["unreadable"]["sf_task"].en == "broken"
    assert engine.asked["once"] is True
    assert result.findings == (ROW,)
    assert result.skipped == {"off": Text(en="no Task", tr="Task yok")}
    assert result.ignored == ("Case.csv",)
    assert [note.text.en for note in result.notes] == ["assumed"]


class Acceptance:
    """Accepts one record."""

    def __init__(self, record_id: str) -> None:
        self.record_id = record_id

    def covers(self, row: RuleRow, *, today: date) -> bool:
        assert today == TODAY, "the day of the audit, not of the run"
        return row.record_id == self.record_id


def test_an_accepted_leak_is_left_out_and_the_report_says_so() -> None:
    accepted = [Acceptance("a"), Acceptance("another")]
    result = audit_export([Path("x")], loader=FakeLoader(), engine=FakeEngine(), now=NOON, accepted=accepted)
    assert result.findings == ()
    assert result.notes[-1].text.en == "1 finding accepted in audit.exceptions_file: left out."
    assert result.outcomes[0].population == 10


def test_an_owner_whose_name_is_not_in_the_data_goes_by_the_id_and_is_not_called_nobody(tmp_path: Path) -> None:
    result = audit(tmp_path, {name: rows for name, rows in random_export(1).items() if name != "User"})
    assert {row.owner_name for row in result.findings if not row.is_process} == {"005000000000001AAA"}
    (note,) = [note for note in result.notes if note.code == "owners_unnamed"]
    assert "The name of 1 owner is not in the data" in note.text.en


def test_a_missing_reason_field_is_named_with_the_way_out(tmp_path: Path) -> None:
    data = random_export(1)
    for row in data["Opportunity"]:
        del row["Loss_Reason__c"]
    reason = audit(tmp_path, data).skipped["opp_lost_without_reason"]
    assert "Opportunity.Loss_Reason__c" in reason.en
    assert "audit.mirror_file" in reason.en
    assert "audit.mirror_file" in reason.tr


def test_an_export_that_cannot_be_used_runs_no_rule() -> None:
    engine = FakeEngine()
    with pytest.raises(LeakwatchError, match="nothing there"):
        audit_export([], loader=FakeLoader(), engine=engine, now=NOON)
    assert engine.asked == {}
