"""Written mails ─▶ their Tasks ─▶ the reps: the Task that Salesforce makes for a mail is given to whose mail it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leakwatch import faultpoints, log
from leakwatch.core.plan import plan_owner
from leakwatch.core.record_ids import TASK_PREFIX
from leakwatch.flows.capture_report import Tally
from leakwatch.model import Match, WriteOp, WriteResult, WriteStatus
from leakwatch.ports import RecordFetcher, Writer

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Owning:
    """Gives Tasks to reps. `records` reads them back, `writer` changes their owners under `run_id`."""

    records: RecordFetcher
    writer: Writer
    run_id: str

    def give(
        self,
        mails: Mapping[str, str],
        ops: Sequence[WriteOp],
        matches: Mapping[str, Match],
        earlier: Mapping[str, Match],
        tally: Tally,
    ) -> frozenset[str]:
        """Give the Tasks of `mails` (key -> EmailMessage id) to their reps; return the keys where that must wait.

        Arguments and errors: see `plan`; `tally` counts what was done.
        """
        wanted = self.plan(mails, ops, matches, earlier)
        if not wanted:
            return frozenset()
        results = {result.op_id: result for result in self.writer.apply(list(wanted.values()), run_id=self.run_id)}
        faultpoints.reach("capture.after_owners")
        return frozenset(key for key, op in wanted.items() if not self._is_settled(key, results.get(op.op_id), tally))

    def plan(
        self,
        mails: Mapping[str, str],
        ops: Sequence[WriteOp],
        matches: Mapping[str, Match],
        earlier: Mapping[str, Match],
    ) -> Mapping[str, WriteOp]:
        """Return key -> the write that gives a mail's Task to its rep, where that is not so yet. Reads only.

        Args:
            mails: key -> id of those that are in Salesforce now: of the EmailMessage, or of the Task it was written as.
            ops: the writes that made them.
            matches: whose they are, by key.
            earlier: how those matched that were written before, as far as the journal knows.

        Raises:
            AuthError, TransientError, BudgetError, SafetyError: stopped; the next run takes it up.
        """
        tasks = self._tasks(mails)
        found = self.records.fetch("Task", list(tasks.values()), ("Id", "OwnerId", "CreatedById")) if tasks else {}
        senders = {op.key: op.fields.get("FromId") for op in ops}
        wanted: dict[str, WriteOp] = {}
        for key, task_id in tasks.items():
            if task_id not in found:
                continue  # deleted by a person since: respected
            before = earlier.get(key)
            op = plan_owner(
                key,
                matches[key],
                task=found[task_id],
                sender_id=senders.get(key),
                earlier_owner=before.owner_id if before is not None else None,
            )
            if op is not None:
                wanted[key] = op
        return wanted

    def _tasks(self, mails: Mapping[str, str]) -> dict[str, str]:
        """Return key -> id of the Task that Salesforce made, where it made one, or that the mail was written as."""
        tasks = {key: record for key, record in mails.items() if record.startswith(TASK_PREFIX)}
        messages = {key: record for key, record in mails.items() if key not in tasks}
        if not messages:
            return tasks
        rows = self.records.fetch("EmailMessage", list(messages.values()), ("Id", "ActivityId"))
        return tasks | {
            key: str(row["ActivityId"])
            for key, mail in messages.items()
            if (row := rows.get(mail)) and row.get("ActivityId")
        }

    def _is_settled(self, key: str, result: WriteResult | None, tally: Tally) -> bool:
        if result is None or result.status.waits:
            return False
        if result.status is WriteStatus.REFUSED:
            # The mail is in Salesforce; only its Task stays with the integration user. Trying again would not help.
            tally.quarantined[f"task_owner.{result.code}"] += 1
            _log.warning(log.Event.ACTIVITY_QUARANTINED, key=key, code=result.code, what="task owner")
        else:
            tally.owners_given += 1
        return True
