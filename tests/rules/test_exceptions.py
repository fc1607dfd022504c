"""Accepted leaks: exact, signed, ending; a file that can't be read stops the run."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from leakwatch.errors import ConfigError
from leakwatch.model import RuleRow, Severity
from leakwatch.rule_engine.exceptions import load_exceptions
from mirror_data import ROOT

TODAY = date(2026, 3, 31)
RULES = ["opp_close_overdue", "lead_stale"]


def load(folder: Path, text: str):
    path = folder / "exceptions.yaml"
    path.write_text(text, encoding="utf-8")
    return load_exceptions(path, rule_ids=RULES, today=TODAY)


def entry(**values: Any) -> str:
    fields = {"record": "006000000000001AAA", "author": "Ayşe", "reason": "agreed", "expires": "2026-06-30", **values}
    lines = "\n    ".join(f"{key}: {value}" for key, value in fields.items() if value is not None)
    return f"exceptions:\n  - {lines}\n"


def row(**values: Any) -> RuleRow:
    base: dict[str, Any] = {
        "rule_id": "opp_close_overdue", "business_key": ("006000000000001AAA",), "record_id": "006000000000001AAA",
        "sobject": "Opportunity", "record_name": "", "owner_id": "005000000000001AAA", "owner_name": "",
        "manager_id": None, "severity": Severity.LOW, "impact": None, "currency": None, "impact_kind": "none",
        "message_en": "", "message_tr": "", "evidence": {}, "account_id": "001000000000001AAA",
    }  # fmt: skip
    return RuleRow(**{**base, **values})


def test_no_file_and_the_shipped_file_accept_nothing(tmp_path: Path) -> None:
    assert load_exceptions(tmp_path / "none.yaml", rule_ids=RULES, today=TODAY) == ()
    assert load_exceptions(ROOT / "config/exceptions.yaml", rule_ids=RULES, today=TODAY) == ()


@pytest.mark.parametrize(
    ("values", "covered"),
    [
        ({"rule": "opp_close_overdue"}, True),
        ({"rule": "lead_stale"}, False),
        ({"record": "006000000000001"}, True),  # the short form of the same id
        ({"record": "006000000000002AAA"}, False),
        ({"record": None, "owner": "005000000000001AAA"}, True),
        ({"owner": "005000000000009AAA"}, False),  # all that is named must match
        ({"record": None, "account": "001000000000001AAA"}, True),
        ({"record": None, "account": "001000000000002AAA"}, False),
    ],
)
def test_an_exception_covers_exactly_what_it_names(tmp_path: Path, values: dict[str, Any], covered: bool) -> None:
    (exception,) = load(tmp_path, entry(**values))
    assert exception.covers(row(), today=TODAY) is covered


def test_an_exception_holds_through_its_last_day(tmp_path: Path) -> None:
    (exception,) = load(tmp_path, entry(expires="2026-03-31"))
    assert exception.covers(row(), today=TODAY)
    assert not exception.covers(row(), today=TODAY + timedelta(days=1))


def test_a_finding_about_the_process_is_never_covered(tmp_path: Path) -> None:
    (exception,) = load(tmp_path, entry())
    assert not exception.covers(row(is_process=True), today=TODAY)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (entry(author=None), "`exceptions.0.author` is missing"),
        (entry(reason=None), "`exceptions.0.reason` is missing"),
        (entry(expires=None), "`exceptions.0.expires` is missing"),
        (entry(record=None), "name a `record`, an `owner` or an `account`"),
        (entry(rule="opp_close_overdu"), "did you mean `opp_close_overdue`"),
        (entry(recrod="x"), "did you mean `record`"),
        (entry(expires="2026-09-28"), "more than 180 days away (latest: 2026-09-27)"),
        ("exceptions: [", "not valid YAML"),
        ("- a", "expected `key: value` lines"),
    ],
)
def test_a_file_with_a_fault_stops_the_run(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert any(words in problem for problem in caught.value.problems), caught.value.problems


def test_180_days_is_the_longest_end_allowed(tmp_path: Path) -> None:
    assert len(load(tmp_path, entry(expires="2026-09-27"))) == 1
