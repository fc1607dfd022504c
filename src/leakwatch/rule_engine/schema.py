"""The JSON Schema of a rule file, for editors."""

from __future__ import annotations

from typing import Any

from leakwatch.rule_engine.spec import RuleSpec


def rule_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a rule file."""
    schema = RuleSpec.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "leakwatch rule"
    return schema
