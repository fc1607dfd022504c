"""Loading rule files: strict, all faults at once, with file and line."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leakwatch.errors import ConfigError
from leakwatch.model import Mode, Severity
from leakwatch.rule_engine.load import load_rules
from leakwatch.rule_engine.schema import rule_schema
from mirror_data import ROOT
from rule_samples import CATALOG, load_sample, sample, write_rule


def problems(folder: Path, rule: dict[str, Any] | str, **options: Any) -> list[str]:
    write_rule(folder / "rules", rule)
    with pytest.raises(ConfigError) as caught:
        load_rules(CATALOG, shipped_folder=folder / "none", user_folder=folder / "rules", **options)
    return caught.value.problems


def test_a_rule_of_ones_own_loads_and_starts_in_report_mode(tmp_path: Path) -> None:
    loaded = load_sample(tmp_path)
    assert loaded.rule.mode is Mode.REPORT
    assert loaded.rule.title.tr == "Small deal"  # one text stands for both languages
    assert loaded.rule.params == {"least": Decimal(100)}
    assert not loaded.shipped


def test_an_unknown_key_names_file_line_and_the_nearest_known_key(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, {**sample(), "populationsql": "SELECT 1 AS n"})
    assert "custom_small.yaml, line " in found
    assert "unknown key `populationsql` (did you mean `population_sql`?)" in found


def test_an_unknown_key_deep_inside_is_found_too(tmp_path: Path) -> None:
    rule = sample()
    rule["finding"]["messages"] = "x"
    (found,) = problems(tmp_path, rule)
    assert "`finding.messages` (did you mean `message`?)" in found


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ({"column": "amount", "days": "least"}, "`least` is no parameter of type int"),
        ({"column": "owner_id", "days": "least"}, "`owner_id` must stand in `show`"),
    ],
)
def test_a_window_needs_a_column_that_findings_keep_and_a_number_of_days(
    tmp_path: Path, window: dict[str, str], said: str
) -> None:
    rule = sample()
    rule["finding"] |= {"show": ["amount"], "window": window}
    assert any(said in found for found in problems(tmp_path, rule))


PROCESS = {"field": "sf_opportunity.amount", "empty": "without", "message": "{count}", "fix": "fill it in"}
COUNTS = (
    "SELECT COUNT(*) AS deals, SUM(CASE WHEN o.amount IS NULL THEN 1 ELSE 0 END) AS without FROM sf_opportunity AS o"
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"population_sql": None}, "counts with `population_sql`, and there is none"),
        ({"process": [{**PROCESS, "empty": "withot"}]}, "no column `withot` (did you mean `without`?)"),
        ({"process": [{**PROCESS, "of": "all"}]}, "population_sql returns no column `all`"),
        ({"process": [{**PROCESS, "field": "sf_opportunity.name"}]}, "does not read sf_opportunity.name"),
        ({"process": [PROCESS, {**PROCESS}]}, "sf_opportunity.amount has an entry already"),
        ({"process": [{**PROCESS, "message": "{amount}"}]}, "the message uses {amount}"),
    ],
)
def test_a_process_entry_that_can_not_be_counted_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    rule = sample(**{"process": [PROCESS], "population_sql": COUNTS, **changes})
    assert any(said in text for text in problems(tmp_path, rule))


def test_faults_of_several_files_are_all_told(tmp_path: Path) -> None:
    write_rule(tmp_path / "rules", sample(id="custom_other", severity="awful"))
    found = problems(tmp_path, sample(version=0))
    assert any("custom_other.yaml" in text and "severity" in text for text in found)
    assert any("custom_small.yaml" in text and "version" in text for text in found)


def test_a_breach_in_the_sql_names_its_line_in_the_file(tmp_path: Path) -> None:
    text = (ROOT / "src/leakwatch/rules/lead_stale.yaml").read_text(encoding="utf-8")
    text = text.replace("id: lead_stale", "id: custom_small").replace(
        "t.last_touch_date <= $cutoff", "t.last_tuch_date <= $cutoff"
    )
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "last_tuch_date" in row)
    (found,) = problems(tmp_path, text)
    assert f"line {line}:" in found
    assert "unknown column last_tuch_date (did you mean `last_touch_date`?)" in found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "small"}, "must begin with `custom_`"),
        ({"needs": {"sf_opportunity": {}, "sf_lead": {}}}, "sf_lead is not read by the SQL"),
        ({"needs": {"sf_lead": {}}}, "sf_opportunity is read but stands neither"),
        ({"params": {"least": {"type": "decimal", "default": "x"}}}, "the default of `least`"),
        ({"params": {"least": {"type": "decimal"}}}, "either `default` or `derive`"),
        ({"params": {"least": {"type": "decimal", "default": 1}, "more": {"type": "int", "default": 1}}}, "used no"),
        ({"params": {"as_of_date": {"type": "date", "derive": ["as_of_date", "-", 1]}}}, "is built in"),
        ({"params": {"least": {"type": "date", "derive": ["as_of_date", "-", "lest"]}}}, "neither a whole number"),
        ({"tests": []}, "tests"),
        ({"sql": "SELECT o.id AS record_id FROM sf_opportunity AS o WHERE o.amount < $least"}, "no column `owner_id`"),
        ({"title": {"en": "only English"}}, "expected a text"),
        ({"lifecycle": {"remind_every": "7"}}, "expected a duration"),
        ({"optional": {"sf_opportunity": {"columns": {"is_deletd": None}}}}, "did you mean `is_deleted`"),
        ({"optional": {"sf_opportunity": {}}}, "name the `columns` of it that may be missing"),
        ({"actions": [{"task": {}, "chatter": {}}]}, "exactly one action"),
        ({"version": True}, "version"),
    ],
)  # fmt: skip
def test_a_fault_is_refused_in_words(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    found = problems(tmp_path, sample(**change))
    assert any(words in text for text in found), found


def test_a_message_may_only_use_what_the_rule_returns(tmp_path: Path) -> None:
    rule = sample()
    rule["finding"]["message"] = {"en": "Only {amuont:money}", "tr": "Yalnızca {amount"}
    found = problems(tmp_path, rule)
    assert any("can't read the placeholder" in text for text in found)
    rule["finding"]["message"] = "Only {amuont:money}"
    (found_name,) = problems(tmp_path, rule)
    assert "{amuont}" in found_name
    assert "did you mean `amount`" in found_name


def test_the_file_must_be_named_after_the_rule(tmp_path: Path) -> None:
    write_rule(tmp_path / "rules", sample()).rename(tmp_path / "rules" / "custom_else.yaml")
    with pytest.raises(ConfigError, match="file name must be the same"):
        load_rules(CATALOG, shipped_folder=tmp_path / "none", user_folder=tmp_path / "rules")


def test_lifecycle_limits_and_actions_come_from_the_file_with_the_models_defaults_for_the_rest(tmp_path: Path) -> None:
    loaded = load_sample(
        tmp_path,
        lifecycle={"reopen_within": "2w", "escalate": [{"after": "36h", "to": "manager"}]},
        limits={"new_share": 0.5},
        actions=[{"task": {"due": "2bd", "subject": {"en": "a", "tr": "b"}}}],
    )
    rule = loaded.rule
    assert rule.lifecycle.reopen_within == timedelta(days=14)
    assert rule.lifecycle.escalate[0].after == timedelta(hours=36)
    assert rule.lifecycle.keep_open_runs == 2
    assert rule.limits.new_share == Decimal("0.5")
    assert rule.limits.new_per_run == 200
    assert rule.actions[0].kind == "task"
    assert rule.actions[0].options == {"due": "2bd", "subject": {"en": "a", "tr": "b"}}


# --- overrides ---


def overrides(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "overrides.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_overrides_change_parameters_severity_team_and_mode_and_the_digest_only_for_what_changes_the_meaning(
    tmp_path: Path,
) -> None:
    plain = load_sample(tmp_path / "a").rule
    text = "rules:\n  custom_small: {params: {least: 250.50}, severity: high, owner_team: emea, mode: act}\n"
    changed = load_sample(tmp_path / "b", overrides=overrides(tmp_path, text)).rule
    assert changed.params == {"least": Decimal("250.50")}
    assert (changed.severity, changed.owner_team, changed.mode) == (Severity.HIGH, "emea", Mode.ACT)
    assert changed.params_digest != plain.params_digest
    text = "rules:\n  custom_small:\n    params: {least: 100.00}\n    mode: act\n"
    same = load_sample(tmp_path / "c", overrides=overrides(tmp_path, text)).rule
    assert same.params_digest == plain.params_digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules:\n  opp_close_overdu: {mode: act}\n", "line 2: there is no rule `opp_close_overdu` (did you"),
        ("rules:\n  lead_stale:\n    params: {day: 3}\n", "has no parameter `day` (did you mean `days`?)"),
        ("rules:\n  lead_stale:\n    params: {days: 0}\n", "0 is below the smallest allowed value 1"),
        ("rules:\n  lead_stale:\n    params: {days: many}\n", "expected a value of type int"),
        ("rules:\n  lead_stale: {mode: shout}\n", "mode"),
        ("rule: {}\n", "did you mean `rules`"),
    ],
)  # fmt: skip
def test_an_override_that_fits_no_rule_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_rules(CATALOG, overrides=overrides(tmp_path, text))
    assert any(words in problem for problem in caught.value.problems), caught.value.problems


def test_the_shipped_override_file_changes_nothing() -> None:
    plain = load_rules(CATALOG)
    assert [item.rule for item in load_rules(CATALOG, overrides=ROOT / "config/overrides.yaml")] == [
        item.rule for item in plain
    ]


# --- schema ---


def test_the_published_schema_knows_every_key_and_refuses_unknown_ones() -> None:
    schema = rule_schema()
    assert json.dumps(schema)
    assert schema["additionalProperties"] is False
    assert set(sample()) <= set(schema["properties"])
    assert {"id", "version", "sql", "tests"} <= set(schema["required"])
    assert "if" in schema["$defs"]["SeverityWhenSpec"]["properties"]
