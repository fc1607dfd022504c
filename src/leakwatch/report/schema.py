"""The result's JSON Schema (draft 2020-12), for those who read `--json` with a program."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import orjson


def result_schema() -> dict[str, Any]:
    """Return the schema of what `core.report` builds."""
    schema: dict[str, Any] = orjson.loads(files("leakwatch.report").joinpath("result.schema.json").read_bytes())
    return schema
