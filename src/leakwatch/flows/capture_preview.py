"""What a real run would find in the journal after reading, for a dry run that stores nothing."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from leakwatch.core.exclusion import Vetoes, drops
from leakwatch.core.normalise import decisive, merge
from leakwatch.flows.capture_read import Memory
from leakwatch.model import Activity, WaitingMail
from leakwatch.ports import Journal


def would_be(journal: Journal, memory: Memory) -> Iterator[WaitingMail]:
    """Yield the mails a real run would match now, in its order: the journal's open ones and what was just read."""
    vetoes, out = Vetoes(memory.decisions), {one.ref for one in memory.decisions if drops(one)}
    reread = {ref for copies in memory.copies.values() for copy in copies for ref in copy.refs}  # judged otherwise now

    def stored() -> Iterator[WaitingMail]:
        for waiting in journal.unsettled():
            kept = [copy for copy in waiting.copies if waiting.written or copy.refs[0] not in out]
            copies = (*kept, *memory.copies.get(waiting.key, ()))
            if copies:
                stored_vetoes = (veto for veto in waiting.vetoes if veto.ref not in reread)
                yield replace(waiting, copies=_newest(copies), vetoes=(*stored_vetoes, *vetoes.about(copies)))

    def fresh() -> Iterator[WaitingMail]:
        seen = {waiting.key for waiting in journal.unsettled()}
        new = {key: tuple(copies) for key, copies in memory.copies.items() if key not in seen}
        for key in journal.withheld(new):
            del new[key]
        settled = journal.settled(new)
        written = journal.matches(settled)
        found = journal.vetoes([copy for copies in new.values() for copy in copies])
        older = Vetoes(veto for veto in found if veto.ref not in reread)
        for key, copies in new.items():
            there = key in written
            before = [copy for ref, copy in memory.stored.get(key, {}).items() if there or ref not in out]
            if key in settled and not _changes(before, copies):
                continue
            both = _newest((*before, *copies))
            yield WaitingMail(key, both, (*older.about(both), *vetoes.about(both)), written=there)

    return heapq.merge(stored(), sorted(fresh(), key=_arrival), key=_arrival)


def _arrival(waiting: WaitingMail) -> tuple[datetime, str]:
    return (merge(waiting.copies).start, waiting.key)


def _newest(copies: Iterable[Activity]) -> tuple[Activity, ...]:
    """Return `copies` without those that a later one of the same place replaces (an event that was moved)."""
    return tuple({copy.refs[0]: copy for copy in copies}.values())


def _changes(stored: Sequence[Activity], copies: Sequence[Activity]) -> bool:
    """Return whether `copies` make another mail of the `stored` ones: it is looked at once more then."""
    return not stored or decisive(merge(stored)) != decisive(merge(_newest((*stored, *copies))))
