"""Written mails ─▶ their relations: people whom a later copy names are added, what a person did there stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from leakwatch import faultpoints, log
from leakwatch.core.plan_relations import PARENT, RELATION, RELATION_FIELDS, missing_people, plan_relations
from leakwatch.flows.capture_report import Tally
from leakwatch.model import Match, WriteOp, WriteStatus, Written
from leakwatch.ports import RecordFetcher, Writer

MAIL_PREFIX = "02s"  # of an EmailMessage's id (Object Reference v63, "EmailMessage")

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Relating:
    """Adds people to mails that are in Salesforce.

    `records` reads their relations back, `landed` and `history` say what was written before, `writer` writes under
    `run_id`.
    """

    records: RecordFetcher
    landed: Callable[[Iterable[str]], Mapping[str, str]]
    history: Callable[[Iterable[str]], Mapping[str, Written]]
    writer: Writer
    run_id: str

    def plan(
        self, mails: Mapping[str, str], ops: Sequence[WriteOp], matches: Mapping[str, Match]
    ) -> Mapping[str, Sequence[WriteOp]]:
        """Return key -> the writes that add people to a mail, where some are missing. Reads only.

        Args:
            mails: key -> id of those that are in Salesforce; what was written as a Task has no such relations.
            ops: the writes that would make them now.
            matches: how they match now, by key.

        Raises:
            AuthError, TransientError, BudgetError: the org can't be asked.
        """
        messages = {key: record for key, record in mails.items() if record.startswith(MAIL_PREFIX)}
        if not messages:
            return {}
        history = self.history(messages)
        making = {op.key: op for op in ops}
        missing = {
            key: people
            for key, written in history.items()
            if key in making and written.fields and (people := missing_people(making[key], written))
        }
        if not missing:
            return {}
        rows = self.records.related(RELATION, PARENT, [messages[key] for key in missing], RELATION_FIELDS)
        there: dict[str, list[Mapping[str, object]]] = {}
        for row in rows:
            there.setdefault(str(row[PARENT]), []).append(row)
        wanted = {
            key: plan_relations(making[key], matches[key], people, messages[key], there.get(messages[key], ()))
            for key, people in missing.items()
        }
        done = self.landed(op.op_id for some in wanted.values() for op in some)
        left = {key: [op for op in some if op.op_id not in done] for key, some in wanted.items()}
        return {key: some for key, some in left.items() if some}

    def add(
        self, mails: Mapping[str, str], ops: Sequence[WriteOp], matches: Mapping[str, Match], tally: Tally
    ) -> frozenset[str]:
        """Add people to `mails`; return the keys of those where that must wait. Arguments and errors: see `plan`."""
        wanted = self.plan(mails, ops, matches)
        if not wanted:
            return frozenset()
        every = [op for some in wanted.values() for op in some]
        results = {result.op_id: result for result in self.writer.apply(every, run_id=self.run_id)}
        faultpoints.reach("capture.after_relations")
        late: set[str] = set()
        for key, some in wanted.items():
            for op in some:
                result = results.get(op.op_id)
                if result is None or result.status.waits:
                    late.add(key)
                elif result.status is WriteStatus.REFUSED:
                    # The mail is in Salesforce; trying again would not help.
                    tally.quarantined[f"relation.{result.code}"] += 1
                    _log.warning(log.Event.ACTIVITY_QUARANTINED, key=key, code=result.code, what="relation")
                else:
                    tally.written[RELATION] += 1
        return frozenset(late)
