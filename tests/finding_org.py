"""A Salesforce org in a few lines for tests of the audit and act flows: Tasks, posts, refusals, lost answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from finding_sample import MONDAY, ORG, OWNER
from leakwatch.core.fingerprint import marker
from leakwatch.core.tasks import TaskState, TaskWords, task_states
from leakwatch.errors import TransientError
from leakwatch.model import Severity, Snapshot, Verb, WriteOp, WriteResult, WriteStatus

US = "005000000000099AAA"
WORDS = TaskWords(
    "Not Started", "Completed", frozenset({"Completed"}), {Severity.MEDIUM: "Normal", Severity.HIGH: "High"}
)


def snapshot(name: str = "s1", at: datetime = MONDAY) -> Snapshot:
    return Snapshot(name, "", at, ORG, {}, {})


class Org:
    """Writer, RecordFetcher and org in one. `log` is the write log: what landed is never sent again."""

    def __init__(self) -> None:
        self.now = MONDAY
        self.tasks: dict[str, dict[str, Any]] = {}
        self.posts: list[tuple[str, str]] = []
        self.log: dict[str, str] = {}
        self.refuse: dict[str, tuple[WriteStatus, str]] = {}  # op_id or owner id -> answer
        self.down_after: int | None = None  # writes that still land before the org stops answering
        self.sent: list[WriteOp] = []

    def apply(self, ops: Sequence[WriteOp], *, run_id: str) -> Sequence[WriteResult]:
        results: list[WriteResult] = []
        for op in ops:
            if op.op_id in self.log:
                results.append(WriteResult(op.op_id, WriteStatus.ALREADY_THERE, self.log[op.op_id]))
                continue
            if self.down_after is not None:
                if self.down_after == 0:
                    raise TransientError("the org answers 503")
                self.down_after -= 1
            results.append(self._one(op))
        return results

    def _one(self, op: WriteOp) -> WriteResult:
        answer = self.refuse.get(op.op_id) or self.refuse.get(str(op.fields.get("OwnerId")))
        if answer is not None:
            return WriteResult(op.op_id, answer[0], None, answer[1], f"{answer[1]} says the org")
        self.sent.append(op)
        if op.verb is Verb.POST:
            self.posts.append((op.fields["subjectNameOrId"], op.fields["text"]))
            record_id = f"0D5{len(self.posts):012d}AAA"
        elif op.verb is Verb.INSERT:
            record_id = f"00T{len(self.tasks) + 1:012d}AAA"
            self.tasks[record_id] = {"Id": record_id, "Leakwatch_Key__c": op.key, "IsDeleted": False}
            self._write(record_id, op.fields, US)
        else:
            record_id = str(op.record_id)
            if record_id not in self.tasks or self.tasks[record_id]["IsDeleted"]:
                return WriteResult(op.op_id, WriteStatus.REFUSED, None, "ENTITY_IS_DELETED", "entity is deleted")
            self._write(record_id, op.fields, US)
        self.log[op.op_id] = record_id
        return WriteResult(op.op_id, WriteStatus.DONE, record_id, created=op.verb is not Verb.UPDATE)

    def _write(self, record_id: str, fields: Mapping[str, Any], user: str) -> None:
        row = self.tasks[record_id]
        was_closed = row.get("IsClosed", False)
        row.update(fields)
        row["IsClosed"] = row["Status"] in WORDS.closed
        row["LastModifiedById"], row["LastModifiedDate"] = user, self.now
        if row["IsClosed"] and not was_closed:
            row["CompletedDateTime"] = self.now

    def person(self, record_id: str, user: str = OWNER, **fields: Any) -> None:
        """Let somebody change a Task by hand."""
        self._write(record_id, fields, user)

    def delete(self, record_id: str) -> None:
        self.tasks[record_id]["IsDeleted"] = True

    def fetch(self, sobject: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        living = [name for name in ids if name in self.tasks and not self.tasks[name]["IsDeleted"]]
        return {name: {field: self.tasks[name].get(field) for field in fields} for name in living}

    def states(self) -> dict[str, TaskState]:
        """Return what a mirror of right now says: without descriptions."""
        rows = [{name: value for name, value in row.items() if name != "Description"} for row in self.tasks.values()]
        return task_states(rows, WORDS, our_user_id=US)

    def open_tasks(self) -> list[dict[str, Any]]:
        return [row for row in self.tasks.values() if not row["IsClosed"] and not row["IsDeleted"]]

    def keys(self) -> list[str]:
        return sorted(row["Leakwatch_Key__c"] for row in self.tasks.values())

    def markers(self) -> list[str]:
        return sorted(text.rsplit("\n", 1)[1] for _, text in self.posts)


def marker_of(key: str) -> str:
    return marker(key)
