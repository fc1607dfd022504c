"""Runs of a flow, and snapshots of the mirror."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a flow: what it read, planned, wrote, spent, and whether it was complete."""

    run_id: str
    flow: str  # capture | mirror | audit | act | report | undo
    started_at: datetime
    finished_at: datetime | None = None
    complete: bool = False
    dry_run: bool = False
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A published, read-only copy of the mirror."""

    snapshot_id: str
    path: str
    published_at: datetime
    org_id: str
    freshness: Mapping[str, datetime]  # table -> everything before this moment is in it
    row_counts: Mapping[str, int]
