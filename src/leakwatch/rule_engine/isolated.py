"""Runs one query of a customer's own rule in a child process with limits on time, memory and disk.

DuckDB's own locks were measured not to hold: `repeat('x', 2000000000)` took 4.2 GB under a limit of 256 MB
(reliability_perf.md §2.4). The linter refuses such SQL first; this is the second wall.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from leakwatch.errors import LeakwatchError

Row = dict[str, Any]

# -I ignores the environment and the working folder; our own package is found where it was found now.
_START = (
    f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r});"
    " from leakwatch.rule_engine.child import main; sys.exit(main())"
)


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """What one query of a customer's own rule may use."""

    cpu_seconds: int = 30
    wall_seconds: int = 60
    address_space_mb: int = 2048  # DuckDB reserves more than it uses; 1.6 GB was the least that ran when measured
    memory_mb: int = 512  # DuckDB's own limit, below that
    temp_mb: int = 512
    max_rows: int = 200_000


def run_isolated(snapshot: Path, sql: str, limits: ChildLimits) -> list[Row]:
    """Return the rows of `sql` over the snapshot, as the in-process engine would.

    Raises:
        LeakwatchError: the query failed or used more than `limits` allow; the text says which.
    """
    with tempfile.TemporaryDirectory(prefix="leakwatch-rule-") as folder:
        job = json.dumps({"snapshot": str(snapshot.resolve()), "sql": sql, "folder": folder, "limits": asdict(limits)})
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-c", _START],
                input=job.encode(),
                capture_output=True,
                timeout=limits.wall_seconds,
                env={},
                cwd=folder,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LeakwatchError(f"stopped after {limits.wall_seconds} seconds") from error
    if done.returncode != 0:
        raise LeakwatchError(_reason(done.returncode, done.stderr, limits))
    lines = done.stdout.splitlines()
    names: list[str] = json.loads(lines[0])
    return [dict(zip(names, map(decode, json.loads(line)), strict=True)) for line in lines[1:]]


def _reason(code: int, stderr: bytes, limits: ChildLimits) -> str:
    if code in (-24, -9):  # SIGXCPU, or SIGKILL after it
        return f"stopped: used more than {limits.cpu_seconds} seconds of processor time"
    lines = stderr.decode(errors="replace").strip().splitlines()
    if code == 3 and lines:
        return lines[-1]
    if "MemoryError" in (lines[-1] if lines else "") or code in (-6, -11):
        return f"stopped: used more than {limits.memory_mb} MB of memory"
    return f"the rule's process ended with code {code}{': ' + lines[-1][:200] if lines else ''}"


def encode(value: Any) -> Any:
    """Return a value as JSON keeps it: decimals and dates as a pair of type and text."""
    if isinstance(value, Decimal):
        return ["decimal", str(value)]
    if isinstance(value, date):
        return ["date", value.isoformat()]
    return value


def decode(value: Any) -> Any:
    """Return what `encode` was given."""
    if isinstance(value, list):
        kind, text = _pair(value)
        return Decimal(text) if kind == "decimal" else date.fromisoformat(text)
    return value


def _pair(value: Sequence[Any]) -> tuple[str, str]:
    return str(value[0]), str(value[1])
