"""What one check of `leakwatch doctor` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Check:
    """One prerequisite."""

    name: str
    state: State
    words: str
    fix: str = ""
    exit_code: int = 1
