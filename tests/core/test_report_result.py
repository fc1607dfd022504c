"""The one result: its shape, its order, its text, and that it is the same every time."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest

from leakwatch.core.report import Note, ReportOptions, RuleInfo, export_audit, to_json, weekly
from leakwatch.core.report_sections import outcome_status
from leakwatch.model import Severity, Text
from leakwatch.report.schema import result_schema
from report_sample import (
    NO_REASON,
    NOW,
    OVERDUE,
    PRICE,
    RULES,
    STALE_LEAD,
    outcome,
    row,
    sample_context,
    sample_findings,
    sample_weekly,
)


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str = "$") -> list[str]:
    """Return where `value` departs from `schema`: the part of JSON Schema 2020-12 that ours uses."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema:
        tries = [faults(value, option, root, where) for option in schema["anyOf"]]
        return [] if any(not found for found in tries) else [f"{where}: none of {tries}"]
    if "const" in schema and value != schema["const"]:
        return [f"{where}: {value!r} is not {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is not one of {schema['enum']}"]
    names = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    fits = [kind for kind in kinds if isinstance(value, names[kind]) and (kind == "boolean") == isinstance(value, bool)]
    if kinds and not fits:
        return [f"{where}: {value!r} is no {kinds}"]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return [f"{where}: {value!r} does not look like {schema['pattern']}"]
    if "minimum" in schema and isinstance(value, int) and value < schema["minimum"]:
        return [f"{where}: {value} is too small"]
    found: list[str] = []
    if isinstance(value, dict):
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties", True)
        found += [f"{where}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        for name, part in value.items():
            if name in known or isinstance(rest, dict):
                found += faults(part, known.get(name, rest), root, f"{where}.{name}")
            elif rest is False:
                found.append(f"{where}: {name} is not in the schema")
    if isinstance(value, list) and "items" in schema:
        for place, part in enumerate(value):
            found += faults(part, schema["items"], root, f"{where}[{place}]")
    return found


def export(language: str = "en", **changes: Any) -> dict[str, Any]:
    context = replace(sample_context(language), **changes)
    outcomes = [
        outcome(OVERDUE, row(OVERDUE, "006A", "10.50", evidence={"close_date": date(2026, 10, 1), "days": 52})),
        outcome(NO_REASON, row(NO_REASON, "Opportunity", is_process=True, count=40)),
        outcome(PRICE, population=None, error="division by zero"),
        outcome(STALE_LEAD, population=0),
        replace(
            outcome(RULES[4]), complete=False, switched_off="Event.csv is missing", switched_off_tr="Event.csv yok"
        ),
    ]
    return export_audit(context, outcomes)


@pytest.mark.parametrize(
    "make", [export, sample_weekly, lambda: sample_weekly("tr", options=ReportOptions(owner_league=True))]
)
def test_every_result_fits_its_published_schema(make: Any) -> None:
    schema = result_schema()
    assert faults(orjson.loads(to_json(make())), schema, schema) == []


def test_the_schema_check_of_these_tests_can_fail() -> None:
    schema = result_schema()
    broken = export() | {"extra": 1, "language": "de"}
    broken["kpis"]["findings"] = "many"
    assert len(faults(broken, schema, schema)) == 3


def test_the_same_inputs_give_the_same_bytes_whatever_order_they_came_in() -> None:
    findings, changes = sample_findings("en", "EUR")
    context = sample_context()
    once = to_json(weekly(context, [], findings=findings, transitions=changes))
    chance = random.Random(3)
    chance.shuffle(findings)
    chance.shuffle(changes)
    turned = replace(context, rules=tuple(reversed(context.rules)))
    again = weekly(turned, [], findings=findings, transitions=changes)
    assert to_json(again) == once


def test_a_json_reader_finds_everything_about_a_finding_in_it() -> None:
    found = export()["findings"][0]
    assert found["rule_id"] == OVERDUE.id
    assert found["record_id"] == "006A"
    assert found["owner_id"] == "005A"
    assert found["impact"] == "10.50"
    assert found["currency"] == "EUR"
    assert found["evidence"] == {"close_date": "2026-10-01", "days": 52}
    assert found["message"] == {"en": "Something is wrong", "tr": "Bir sorun var"}
    assert found["fix"]["en"] == OVERDUE.fix.en


def test_evidence_keeps_its_types_readable() -> None:
    evidence = {
        "amount": Decimal("1E+3"),
        "on": date(2026, 1, 2),
        "at": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        "won": True,
        "steps": 3,
        "stage": "Kapalı",
        "nothing": None,
    }
    result = export_audit(sample_context(), [outcome(OVERDUE, row(OVERDUE, "006A", evidence=evidence))])
    assert result["findings"][0]["evidence"] == {
        "amount": "1000",
        "on": "2026-01-02",
        "at": "2026-01-02T03:04:05Z",
        "won": True,
        "steps": 3,
        "stage": "Kapalı",
        "nothing": None,
    }
    overdue = next(rule for rule in result["rules"] if rule["id"] == OVERDUE.id)
    assert overdue["evidence_types"] == {
        "amount": "decimal", "at": "datetime", "on": "date", "stage": "text", "steps": "integer", "won": "boolean",
    }  # fmt: skip


def test_an_export_audit_claims_nothing_that_needs_memory() -> None:
    result = export()
    for name in ("new", "fixed", "reopened", "median_days_to_fix", "recovered", "not_notified", "previous"):
        assert result["kpis"][name] is None
    assert result["trend"] is None
    assert result["findings"][0]["since"] is None
    assert result["findings"][0]["proof"] is None
    assert "stateless" in {line["code"] for line in result["method"]}


def test_a_rule_that_could_not_speak_says_why_in_both_languages() -> None:
    by_id = {rule["id"]: rule for rule in export()["rules"]}
    assert by_id[RULES[4].id]["status"] == "switched_off"
    assert by_id[RULES[4].id]["reason"] == {"en": "Event.csv is missing", "tr": "Event.csv yok"}
    assert (by_id[PRICE.id]["status"], by_id[PRICE.id]["reason"]["en"]) == ("failed", "division by zero")
    assert by_id[STALE_LEAD.id]["status"] == "skipped"
    assert by_id[OVERDUE.id]["status"] == "run"


def test_a_rule_on_incomplete_inputs_is_held_and_one_without_a_result_is_not_run() -> None:
    result = weekly(sample_context(), [outcome(OVERDUE, complete=False)], findings=[], transitions=[])
    by_id = {rule["id"]: rule["status"] for rule in result["rules"]}
    assert by_id[OVERDUE.id] == "held"
    assert by_id[PRICE.id] == "not_run"
    assert result["rule_counts"] == {"run": 0, "held": 1, "failed": 0, "switched_off": 0, "skipped": 0, "not_run": 5}


def test_an_export_audit_holds_nothing_because_it_remembers_nothing() -> None:
    result = export_audit(
        sample_context(), [outcome(OVERDUE, complete=False), outcome(PRICE, complete=False, error="x")]
    )
    assert (result["rule_counts"]["run"], result["rule_counts"]["held"], result["rule_counts"]["failed"]) == (1, 0, 1)


def test_what_several_rules_assume_is_said_once_and_of_no_rule_in_particular() -> None:
    outcomes = [outcome(rule, assumptions=("no history",), assumptions_tr=("geçmiş yok",)) for rule in (OVERDUE, PRICE)]
    notes = export_audit(sample_context(notes=()), outcomes)["notes"]
    assert [(note["rule_id"], note["text"]["tr"]) for note in notes] == [(None, "geçmiş yok")]


def test_a_rule_with_nothing_but_a_process_finding_is_not_called_skipped() -> None:
    saying = outcome(PRICE, row(PRICE, "sf_opportunity.budget_amount", is_process=True, count=100), population=0)
    assert outcome_status(saying) == "run"
    assert outcome_status(outcome(PRICE, population=0)) == "skipped"


def test_a_process_finding_tells_how_many_records_it_stands_for() -> None:
    result = export()
    by_id = {rule["id"]: rule for rule in result["rules"]}
    assert (by_id[NO_REASON.id]["process_findings"], by_id[NO_REASON.id]["process_records"]) == (1, 40)
    assert result["kpis"]["process_records"] == {"at_risk": 0, "lost": 0, "deviation": 0, "none": 40}


def test_the_worst_come_first_by_severity_then_size_and_other_currencies_after() -> None:
    rows = [
        row(OVERDUE, "006small", "10"),
        row(OVERDUE, "006big", "900"),
        row(OVERDUE, "006dollar", "5000", currency="USD"),
        row(OVERDUE, "006free"),
        row(OVERDUE, "006grave", "1", severity=Severity.CRITICAL),
    ]
    result = export_audit(sample_context(), [outcome(OVERDUE, *rows)])
    assert [one["record_id"] for one in result["findings"]] == [
        "006grave",
        "006big",
        "006small",
        "006dollar",
        "006free",
    ]
    assert result["top_findings"] == [one["id"] for one in result["findings"]]


def test_the_top_list_is_as_long_as_asked_for() -> None:
    rows = [row(OVERDUE, f"006{n:02d}", str(n + 1)) for n in range(30)]
    context = sample_context(options=ReportOptions(top=7))
    assert len(export_audit(context, [outcome(OVERDUE, *rows)])["top_findings"]) == 7


def test_teams_add_up_their_people_and_name_managers_who_own_nothing() -> None:
    rows = [
        row(OVERDUE, "006A", "10", owner_id="005A", manager_id="005M"),
        row(OVERDUE, "006B", "20", owner_id="005B", manager_id="005M"),
        row(OVERDUE, "006C", "40", owner_id=None, owner_name="", manager_id=None),
    ]
    result = export_audit(sample_context(people={"005M": "Meral Deniz"}), [outcome(OVERDUE, *rows)])
    teams = [
        (team["manager_name"], team["owners"], team["amounts"]["at_risk"][0]["amount"]) for team in result["teams"]
    ]
    assert teams == [("", 0, "40"), ("Meral Deniz", 2, "30")]


def test_people_are_ranked_only_where_the_admin_asked_for_it() -> None:
    assert export()["owners"] is None
    shown = export(options=ReportOptions(owner_league=True))["owners"]
    assert [owner["owner_name"] for owner in shown] == ["Ada Example"]


def test_assumptions_of_rules_and_notes_of_the_reader_are_told_once_warnings_first() -> None:
    context = sample_context(notes=(Note.plain("encoding", "Lead.csv: cp1254"), Note.plain("lost", "3 × ?", "warning")))
    said = outcome(OVERDUE, assumptions=("no history", "no budget"), assumptions_tr=("geçmiş yok",))
    notes = export_audit(context, [said, said])["notes"]
    assert [(note["level"], note["text"]["en"], note["text"]["tr"]) for note in notes] == [
        ("warning", "3 × ?", "3 × ?"),
        ("assumption", "Lead.csv: cp1254", "Lead.csv: cp1254"),
        ("assumption", "no history", "geçmiş yok"),
        ("assumption", "no budget", "no budget"),
    ]


def test_what_a_rule_could_not_judge_is_a_warning_of_that_rule() -> None:
    words = Text("1 of 3 deals have no close date", "3 fırsattan 1 tanesinin kapanış tarihi yok")
    notes = export_audit(sample_context(), [outcome(OVERDUE, unjudged=words)])["notes"]
    (note,) = [note for note in notes if note["code"] == "unjudged"]
    assert (note["level"], note["rule_id"], note["text"]["en"]) == ("warning", OVERDUE.id, words.en)


def test_a_rules_reading_of_an_ambiguous_definition_is_under_how_numbers_are_made() -> None:
    readings = [line for line in export()["method"] if line["code"] == f"reading:{PRICE.id}"]
    assert len(readings) == 1
    assert "0.50" in readings[0]["en"]
    assert "0,50" in readings[0]["tr"]


def test_broken_characters_from_a_file_do_not_stop_the_json() -> None:
    result = export_audit(sample_context(), [outcome(OVERDUE, row(OVERDUE, "006A", record_name="Ac\udce7me"))])
    assert orjson.loads(to_json(result))["findings"][0]["record_name"] == "Ac\ufffdme"


def test_exceptions_say_when_they_end_and_whether_anybody_needs_them() -> None:
    states = {entry["reason"]: entry["state"] for entry in sample_weekly()["exceptions"]}
    assert states == {
        "Framework contract, dates follow the tender": "expiring",
        "Asked for a call next year": "expired",
    }


def test_a_finding_of_a_rule_that_is_gone_is_still_reported() -> None:
    stranger = replace(OVERDUE, id="retired_rule")
    result = export_audit(sample_context(), [outcome(stranger, row(stranger, "006A", "5"))])
    assert result["findings"][0]["rule_id"] == "retired_rule"
    assert result["kpis"]["findings"] == 1


def test_rule_facts_are_taken_from_a_loaded_rule() -> None:
    from leakwatch.model import Lifecycle, Mode, Rule, RuleLimits

    loaded = Rule(
        id="x", version=4, title=Text("T", "B"), why=Text("w", "n"), fix=Text("f", "d"), message=Text("m", "i"),
        category="c", severity=Severity.HIGH, owner_team="revops", mode=Mode.ACT, sobject="Lead", sql="SELECT 1",
        population_sql=None, params={"days": 3}, params_digest="p", key=("record_id",), lifecycle=Lifecycle(),
        limits=RuleLimits(), actions=(), runbook="r.md",
    )  # fmt: skip
    info = RuleInfo.from_rule(loaded)
    assert (info.id, info.version, info.title.tr, info.params, info.mode) == ("x", 4, "B", {"days": 3}, Mode.ACT)


def test_times_are_utc_and_whole_seconds() -> None:
    result = export(generated_at=NOW.replace(microsecond=123456))
    assert result["generated_at"] == "2026-11-22T15:00:00Z"
