"""`config/overrides.yaml`: an org's own thresholds, severities, teams and modes; shipped rules stay untouched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from leakwatch.core import strict_yaml
from leakwatch.errors import ConfigError
from leakwatch.model import Mode, Severity
from leakwatch.rule_engine import params
from leakwatch.rule_engine.spec import RuleSpec, Scalar, Strict


class _Change(Strict):
    params: dict[str, Scalar] = Field(default_factory=dict[str, Any])
    severity: Severity | None = None
    owner_team: str | None = None
    mode: Mode | None = None


class _File(Strict):
    rules: dict[str, _Change | None] | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """What an org changes on one rule; None leaves it as shipped."""

    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    severity: Severity | None = None
    owner_team: str | None = None
    mode: Mode | None = None


def load_overrides(path: Path, rules: Mapping[str, RuleSpec]) -> dict[str, Override]:
    """Return the overrides in the file at `path` by rule id; none if there is no such file.

    Raises:
        ConfigError: with every fault: unknown rule or parameter, a value of the wrong type or out of its bounds.
    """
    if not path.exists():
        return {}
    document = strict_yaml.read(path)
    file = strict_yaml.validate(_File, document)
    problems: list[str] = []
    overrides: dict[str, Override] = {}
    for rule_id, change in (file.rules or {}).items():
        spec = rules.get(rule_id)
        if spec is None:
            at = document.at(("rules", rule_id))
            problems.append(f"{at}: there is no rule `{rule_id}`{strict_yaml.nearest(rule_id, sorted(rules))}")
            continue
        if change is None:
            continue
        values: dict[str, Any] = {}
        for name, value in change.params.items():
            at = document.at(("rules", rule_id, "params", name))
            param = spec.params.get(name)
            if param is None or param.derive is not None:
                known = [key for key, item in spec.params.items() if item.derive is None]
                problems.append(f"{at}: {rule_id} has no parameter `{name}`{strict_yaml.nearest(name, known)}")
                continue
            try:
                values[name] = params.check(param, value)
            except ValueError as error:
                problems.append(f"{at}: `{name}` of {rule_id}: {error}")
        overrides[rule_id] = Override(values, change.severity, change.owner_team, change.mode)
    if problems:
        raise ConfigError(problems)
    return overrides
