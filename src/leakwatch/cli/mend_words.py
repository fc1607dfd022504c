"""What the verbs that mend print: lines of plain text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from leakwatch.core.undo import EMAIL_MESSAGE

if TYPE_CHECKING:
    from leakwatch.flows.undo import Stays, UndoReport

MOST_LINES = 40


def undo_lines(found: UndoReport) -> list[str]:
    """Return what an undo did, or would do."""
    would = "would be " if found.dry_run else ""
    lines = [
        f"undo of {found.of_run}: {would}removed: {_counts(found.removed)}; {would}put back: {_counts(found.put_back)}"
    ]
    if found.dry_run:
        lines += _some([f"  {op.verb.value} {op.sobject} {op.record_id}: {op.reason}" for op in found.operations])
        if found.removed[EMAIL_MESSAGE]:
            lines.append("  with each EmailMessage the Task that Salesforce made for it goes")
    if found.gone:
        lines.append(f"not there any more, or as before the run: {found.gone}")
    lines += _some([f"kept: {_of(one)}" for one in found.kept])
    lines += _some([f"! refused: {_of(one)}" for one in found.refused])
    if found.waiting:
        lines.append(f"! waiting: {found.waiting}")
    if found.dry_run:
        lines.append(
            f"about {found.calls} API calls; dry run: nothing was written. Do it with: leakwatch undo --run "
            f"{found.of_run} --apply"
        )
    elif found.removed:
        lines.append(
            "what was removed lies in the org's recycle bin for 15 days. No sync writes it again, unless you release "
            f"it: leakwatch undo --run {found.of_run} --release"
        )
    return lines


def _of(one: Stays) -> str:
    return f"{one.sobject} {one.record_id}: {one.why}"


def _counts(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(values.items()) if count) or "none"


def _some(lines: list[str]) -> list[str]:
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[:MOST_LINES], f"  ... and {len(lines) - MOST_LINES} more (--json lists all)"]
