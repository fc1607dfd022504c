"""What capture does with what it read, in order: people are entered, activities written, older ones matched anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from leakwatch.flows.capture_people import Creating
from leakwatch.flows.capture_rematch import Rematching
from leakwatch.flows.capture_report import Tally
from leakwatch.flows.capture_write import Writing
from leakwatch.model import WaitingMail, WriteOp


@dataclass(frozen=True, slots=True)
class Steps:
    """The writing half of capture; what is None is switched off."""

    creating: Creating | None
    writing: Writing
    rematching: Rematching | None

    def plan_only(self, waiting: Iterable[WaitingMail], tally: Tally) -> tuple[WriteOp, ...]:
        """Return the writes that are wanted, `waiting` being what is not written yet; nothing is stored or sent."""
        entered = self.creating.plan_only(tally) if self.creating is not None else ()
        written = self.writing.plan_only(waiting, tally)
        matched = self.rematching.plan_only(tally) if self.rematching is not None else ()
        return (*entered, *written, *matched)

    def write(self, waiting: Iterable[WaitingMail], tally: Tally) -> None:
        """Carry them out. Errors: see each of them; what was done is recorded, the next run goes on."""
        if self.creating is not None:
            self.creating.write(tally)
        self.writing.write(waiting, tally)
        if self.rematching is not None:
            self.rematching.write(tally)
