"""A small valid rule to vary in tests, and ways to load it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from leakwatch.rule_engine.load import LoadedRule, load_rules
from mirror_data import shipped_config

CATALOG = shipped_config().catalog()


def sample(**changes: Any) -> dict[str, Any]:
    """A rule that finds open deals below an amount; `changes` replace top-level keys, None removes one."""
    rule: dict[str, Any] = {
        "id": "custom_small",
        "version": 1,
        "title": "Small deal",
        "category": "test",
        "severity": "low",
        "owner_team": "revops",
        "why": "because",
        "fix": "do it",
        "needs": {"sf_opportunity": {}},
        "params": {"least": {"type": "decimal", "default": "100"}},
        "sql": (
            "SELECT o.id AS record_id, o.owner_id, o.name, o.amount, o.currency\n"
            "FROM sf_opportunity AS o\n"
            "WHERE o.stage_meaning = 'open' AND o.amount < $least"
        ),
        "finding": {
            "object": "Opportunity",
            "name": "name",
            "currency": "currency",
            "impact": {"column": "amount", "kind": "at_risk"},
            "show": ["amount"],
            "message": {"en": "Only {amount:money}", "tr": "Yalnızca {amount:money}"},
        },
        "tests": [
            {
                "name": "finds small ones",
                "as_of": "2026-03-31",
                "given": {"sf_opportunity": [{"id": "a", "stage_meaning": "open", "amount": "99.99"}]},
                "expect": [{"record_id": "a"}],
            }
        ],
    }
    rule.update(changes)
    return {key: value for key, value in rule.items() if value is not None}


def write_rule(folder: Path, rule: dict[str, Any] | str) -> Path:
    """The rule as a file named after its id."""
    folder.mkdir(parents=True, exist_ok=True)
    text = rule if isinstance(rule, str) else yaml.safe_dump(rule, allow_unicode=True, sort_keys=False)
    # safe_dump quotes what looks like a date: rules have plain ones
    path = folder / f"{rule['id'] if isinstance(rule, dict) else 'custom_small'}.yaml"
    path.write_text(text.replace("'2026-03-31'", "2026-03-31"), encoding="utf-8")
    return path


def load_sample(folder: Path, *, shipped: bool = False, overrides: Path | None = None, **changes: Any) -> LoadedRule:
    """The sample rule, loaded as a customer's own or as a shipped one."""
    write_rule(folder / "rules", sample(**changes))
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    if shipped:
        return load_rules(CATALOG, shipped_folder=folder / "rules", overrides=overrides)[0]
    return load_rules(CATALOG, shipped_folder=empty, user_folder=folder / "rules", overrides=overrides)[0]
