"""The deletions of one run of capture, gathered until all are known: whether they are too many shows only then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from leakwatch.core.deletion_limits import Deletion, DeletionLimits, HeldBack, hold_back, is_large
from leakwatch.model import Activity, Verb, WriteOp
from leakwatch.ports import Journal


@dataclass(slots=True)
class Deletions:
    """Gathers deletions and says which may be done."""

    journal: Journal
    limits: DeletionLimits
    now: datetime
    wanted: list[Deletion] = field(default_factory=list[Deletion])

    def take(self, ops: Iterable[WriteOp], activities: Iterable[Activity]) -> list[WriteOp]:
        """Keep the deletions among `ops`, which concern `activities`; return the other ones."""
        boxes = {one.key: frozenset(ref.principal for ref in one.refs) for one in activities}
        others: list[WriteOp] = []
        for op in ops:
            if op.verb is Verb.DELETE:
                self.wanted.append(Deletion(op, boxes.get(op.key or "", frozenset())))
            else:
                others.append(op)
        return others

    def judge(self) -> tuple[Sequence[WriteOp], HeldBack]:
        """Return the deletions that may be done, and those that are held back."""
        if not is_large(self.wanted, self.limits):
            return [one.op for one in self.wanted], HeldBack()
        total, coming = self.journal.coming(self.now)
        held = hold_back(self.wanted, coming, total, self.limits)
        kept = {op.op_id for op in held.ops}
        return [one.op for one in self.wanted if one.op.op_id not in kept], held
