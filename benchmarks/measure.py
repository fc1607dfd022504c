"""How every benchmark here is measured: each side in a process of its own, candidate and peer in turn (A B A B ...).

The figure is CPU seconds, user and system, of the process and its children; wall time is shown and never judged,
because the machine is shared. The ratio is that of the minima. A comparison whose peer itself varies by more than
x1.6 is void, not failed: nothing can be said then.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAIRS = 5
VOID_SPREAD = 1.6  # peer's slowest / fastest run
TOLERANCE = 1.25  # past a target by more than this is a failure

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one side: CPU and wall seconds, peak memory (MB of 1,000,000 bytes), and what it said of itself."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    said: Values


@dataclass(frozen=True, slots=True)
class Target:
    """A promise: `value` should be at most `limit` (in `unit`). An aim that is not `binding` is shown, never fails."""

    name: str
    value: float
    limit: float
    unit: str = ""
    binding: bool = True

    @property
    def kept(self) -> bool:
        """Whether the target is met."""
        return self.value <= self.limit

    @property
    def failed(self) -> bool:
        """Whether it is missed by more than the tolerance."""
        return self.binding and self.value > self.limit * TOLERANCE


@dataclass(slots=True)
class Outcome:
    """What a benchmark came to: lines of a table (what, leakwatch, peer), targets, and everything measured."""

    name: str
    title: str
    rows: list[tuple[str, str, str]]
    targets: list[Target] = field(default_factory=list)
    void: str = ""
    spread: Values = field(default_factory=dict)
    samples: Values = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether a target is missed by more than the tolerance; never for a void run."""
        return not self.void and any(target.failed for target in self.targets)


def run_side(script: Path, side: str, options: Mapping[str, Any]) -> Sample:
    """Return what `python script --side SIDE OPTIONS` costs. It says what it did as JSON, in its last line.

    Raises:
        RuntimeError: it failed; its words are in the text.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as words:
        command = [sys.executable, str(script), "--side", side, "--options", json.dumps(dict(options), default=str)]
        # Compiled once and kept, as where leakwatch is installed; this machine may forbid it for everyone else.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = str(RESULTS / "pycache")
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=words, stdin=subprocess.DEVNULL, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        words.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"{script.name} --side {side} ended with {process.returncode}:\n{words.read()[-3000:]}")
        said = json.loads(out.read().strip().splitlines()[-1])
    return Sample(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024 / 1e6, said)


def interleave(
    script: Path,
    options: Mapping[str, Any],
    *,
    pairs: int = PAIRS,
    sides: Sequence[str] = ("leakwatch", "peer"),
    before: Callable[[str], None] | None = None,
    after: Callable[[str, Sample], None] | None = None,
) -> dict[str, list[Sample]]:
    """Run the sides in turn, `pairs` times; `before` and `after` set the stage and are not measured."""
    samples: dict[str, list[Sample]] = {side: [] for side in sides}
    for number in range(pairs):
        for side in sides:
            if before is not None:
                before(side)
            sample = run_side(script, side, options)
            if after is not None:
                after(side, sample)
            samples[side].append(sample)
            load = os.getloadavg()[0]
            print(
                f"  {script.stem} {number + 1}/{pairs} {side}: {sample.cpu_s:.2f} CPU-s, {sample.wall_s:.1f} s, "
                f"{sample.peak_mb:.0f} MB (load {load:.1f})",
                file=sys.stderr,
            )
    return samples


def least(samples: Sequence[Sample], figure: str | None = None) -> float:
    """Return the minimum of the CPU seconds, or of a figure that the sides said themselves."""
    return min(sample.cpu_s if figure is None else float(sample.said[figure]) for sample in samples)


def spread(samples: Sequence[Sample], figure: str | None = None) -> float:
    """Return slowest / fastest."""
    values = [sample.cpu_s if figure is None else float(sample.said[figure]) for sample in samples]
    return max(values) / min(values)


def peak(samples: Sequence[Sample]) -> float:
    """Return the highest peak memory, MB."""
    return max(sample.peak_mb for sample in samples)


def judged(
    name: str,
    title: str,
    samples: Mapping[str, Sequence[Sample]],
    rows: list[tuple[str, str, str]],
    targets: list[Target],
    *,
    figure: str | None = None,
) -> Outcome:
    """Return the outcome of a comparison, void where the peer varied too much."""
    spreads = {side: round(spread(found, figure), 2) for side, found in samples.items()}
    rows = [*rows, ("slowest / fastest run", *(f"x{spreads[side]:.2f}" for side in ("leakwatch", "peer")))]
    void = ""
    unsteady = max(value for side, value in spreads.items() if "leakwatch" not in side)
    if unsteady > VOID_SPREAD:
        void = f"the peer itself varied x{unsteady:.2f} (more than x{VOID_SPREAD}): the machine was too busy"
    kept = {
        side: [{"cpu_s": one.cpu_s, "wall_s": one.wall_s, "peak_mb": one.peak_mb, "said": one.said} for one in found]
        for side, found in samples.items()
    }
    return Outcome(name, title, rows, targets, void, spreads, kept)


def machine() -> Values:
    """Return where this was measured: nothing that names the machine."""
    commit = subprocess.run(
        ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "cores": os.cpu_count(),
        "load": [round(one, 2) for one in os.getloadavg()],
        "python": platform.python_version(),
        "versions": {
            name: version(name) for name in ("duckdb", "pandas", "simple-salesforce", "google-api-python-client")
        },
    }


def show(outcome: Outcome) -> None:
    """Print the outcome as a table."""
    width = max(len(what) for what, _, _ in outcome.rows)
    print(f"\n{outcome.title}\n")
    print(f"  {'':{width}}  {'leakwatch':>22}  {'peer':>22}")
    for what, ours, theirs in outcome.rows:
        print(f"  {what:{width}}  {ours:>22}  {theirs:>22}")
    for target in outcome.targets:
        past = "MISSED" if target.value > target.limit * TOLERANCE else "missed, within 25 %"
        word = "kept" if target.kept else past
        kind = "target" if target.binding else "aim (does not fail the run)"
        print(f"  {kind}: {target.name} ≤ {target.limit:g}{target.unit}: {target.value:.3g}{target.unit}, {word}")
    if outcome.void:
        print(f"  VOID: {outcome.void}. Run it again on a quieter machine.")


def keep(outcome: Outcome, where: Values) -> Path:
    """Write the outcome as JSON under `results/`; return the file."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{outcome.name}.json"
    body = {
        "name": outcome.name,
        "title": outcome.title,
        "machine": where,
        "rows": outcome.rows,
        "targets": [
            {"name": one.name, "value": one.value, "limit": one.limit, "kept": one.kept, "binding": one.binding}
            for one in outcome.targets
        ],
        "void": outcome.void,
        "spread": outcome.spread,
        "samples": outcome.samples,
    }
    path.write_text(json.dumps(body, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    return path


def say(**values: Any) -> None:
    """What a side says of itself, for whoever measures it: JSON in one line."""
    print(json.dumps(values, default=str))
