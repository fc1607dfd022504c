"""What two weeks of a demo came to, and how the leaks it saw stand against the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

Mark = tuple[str, str]  # rule id, record id


@dataclass(slots=True)
class Score:
    """One rule against the truth, over all daily audits."""

    planted: int = 0
    found: int = 0
    missed: list[str] = field(default_factory=list[str])
    wrongly_raised: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Story:
    """What two weeks came to."""

    world: str
    days: int
    mailboxes: int = 0
    mailboxes_not_read: dict[str, str] = field(default_factory=dict[str, str])
    mails_read: int = 0
    written: Counter[str] = field(default_factory=Counter[str])
    tasks_given: int = 0
    matched: Counter[str] = field(default_factory=Counter[str])
    skipped: Counter[str] = field(default_factory=Counter[str])
    unmatched: int = 0
    quarantined: Counter[str] = field(default_factory=Counter[str])
    mails_right: int = 0
    mails_wrong: list[str] = field(default_factory=list[str])
    meetings_right: int = 0
    meetings_wrong: list[str] = field(default_factory=list[str])
    baseline: int = 0
    told_on_first_day: int = 0
    scores: dict[str, Score] = field(default_factory=dict[str, Score])
    tasks_made: int = 0
    posts_made: int = 0
    tasks_closed: int = 0
    lines_added: int = 0
    escalated: int = 0
    fixed: int = 0
    refused: list[str] = field(default_factory=list[str])
    api_calls: int = 0
    api_calls_by_kind: dict[str, int] = field(default_factory=dict[str, int])
    gmail_units: int = 0
    report: Path | None = None
    settings: Path | None = None
    ends_at: datetime | None = None  # the sandbox's time at the end

    @property
    def as_expected(self) -> bool:
        """Whether nothing was missed, wrongly raised or wrongly logged, and nobody was told on the first day."""
        clean = all(not score.missed and not score.wrongly_raised for score in self.scores.values())
        logged = not self.mails_wrong and not self.meetings_wrong
        return clean and logged and not self.told_on_first_day and not self.refused
