"""`leakwatch plan` and `leakwatch apply`: what would be written, and then exactly that.

The plan is made by the same flows in dry run. Applying runs them again with a writer that lets through only what the
plan holds, word for word: what changed since, or was not in it, is left out and named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import orjson

from leakwatch.app.auditing import run_act, run_audit
from leakwatch.app.building import Parts
from leakwatch.app.capturing import run_capture
from leakwatch.app.looking import user_names
from leakwatch.app.mirroring import run_mirror
from leakwatch.core.newcomers import PEOPLE
from leakwatch.errors import ConfigError, UsageError
from leakwatch.flows.act_sending import ActReport
from leakwatch.model import Verb, WriteOp, WriteResult, WriteStatus
from leakwatch.ports import Writer

FRESH = timedelta(minutes=15)  # a mirror that this very command refreshed, however long the mailboxes took
PLAN_FORMAT = "leakwatch-plan/1"
HELD_BACK = "NOT_IN_PLAN"


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One write of a plan, as a person reviews it; `digest` covers every field that would be sent."""

    op_id: str
    flow: str
    sobject: str
    verb: str
    reason: str
    fields: dict[str, Any]
    digest: str
    record_id: str | None = None
    recipient: str = ""  # the name of who is told, or whose Task is changed
    subject: str = ""  # of a message


@dataclass(frozen=True, slots=True)
class Plan:
    """What all flows would write now."""

    made_at: datetime
    org_id: str
    writes: tuple[PlannedWrite, ...]
    format: str = PLAN_FORMAT
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Applied:
    """What came of a plan."""

    written: int = 0
    already_there: int = 0
    refused: list[str] = field(default_factory=list[str])
    changed: list[str] = field(default_factory=list[str])  # differs now from what the plan shows: not written
    unplanned: int = 0  # wanted now, not in the plan: not written
    no_longer: list[str] = field(default_factory=list[str])  # in the plan, not wanted any more


def make_plan(parts: Parts) -> Plan:
    """Return what capture and act would write now. Reads the org and the mailboxes, judges, writes nothing there.

    The mirror is refreshed, the mailboxes are read into the journal and the findings are brought up to date, because
    what would be said depends on it ("no mail for 30 days" needs a mailbox that was read); nobody is told.
    """
    writes: list[PlannedWrite] = []
    notes: list[str] = []
    if not parts.settings.reads_mail:
        run_mirror(parts)
    else:
        run_capture(parts, write=False)
        captured = run_capture(parts, dry_run=True, mirror_max_age=FRESH)
        writes += planned_captures(captured.operations, user_names(parts))
        if captured.held_deletions:
            notes.append(f"Not in this plan, and not deleted by apply: {captured.held_why}")
        if any(op.sobject == "EmailMessage" for op in captured.operations):
            notes.append("After each EmailMessage, the Task that Salesforce makes for it is given to the rep.")
        if captured.adopted:
            notes.append(f"{len(captured.adopted)} are in Salesforce already, not by us: adopted, nothing is written.")
        if captured.loop:
            notes.append(captured.loop)
        if not parts.settings.writes.capture:
            notes.append("writes.capture is off: the captured mails are shown, and not written until it is on.")
        elif not parts.settings.writes.create_people and any(op.sobject in PEOPLE for op in captured.operations):
            notes.append("writes.create_people is off: people are shown, and not entered until it is on.")
        notes += [f"{address} is not in this plan: parked: {why}" for address, why in captured.mailboxes_parked.items()]
        notes += [f"{address} was not read to its end: {why}" for address, why in captured.mailboxes_failed.items()]
    run_audit(parts)
    acted = run_act(parts, dry_run=True)
    if writes and acted.ops:
        notes.append("A mail of this plan may settle an alert of it: apply looks again before anybody is told.")
    writes += planned_messages(acted, user_names(parts))
    off = sum(1 for waiting in acted.waiting if waiting.reason == "writes_off")
    if off:
        notes.append(f"{off} people would be told more if writes.salesforce_task and writes.chatter_post were on.")
    return Plan(parts.clock.now(), parts.org.org_id, tuple(writes), notes=tuple(notes))


def planned_captures(ops: Sequence[WriteOp], names: Mapping[str, str]) -> list[PlannedWrite]:
    """Return the writes of a dry run of capture, with the person a Task is given to; `names` are by user id."""
    owners = [str(op.fields.get("OwnerId") or "") if op.verb is Verb.UPDATE else "" for op in ops]
    return [
        replace(_planned("capture", op), recipient=names.get(owner, owner))
        for op, owner in zip(ops, owners, strict=True)
    ]


def planned_messages(acted: ActReport, names: Mapping[str, str]) -> list[PlannedWrite]:
    """Return the writes of a dry run of act with whom each is for; `names` are people's by user id."""
    messages = {delivery.key: delivery for delivery in acted.deliveries}
    writes: list[PlannedWrite] = []
    for op in acted.ops:
        message = messages[op.op_id]
        name = names.get(message.recipient_id) or message.recipient_id
        writes.append(replace(_planned("act", op), recipient=name, subject=message.title))
    return writes


def save_plan(plan: Plan, path: Path) -> None:
    """Write `plan` as JSON, whole or not at all, readable by its owner only: it holds names and subjects.

    Raises:
        ConfigError: the file can't be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        part.write_bytes(orjson.dumps(asdict(plan), option=orjson.OPT_INDENT_2, default=str))
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"the plan can't be written to {path}: {error.strerror}. Nothing was written.") from error


def load_plan(path: Path) -> Plan:
    """Return the plan in the file at `path`.

    Raises:
        UsageError: it is no plan, or one of another format.
    """
    try:
        body = cast(dict[str, Any], orjson.loads(path.read_bytes()))
        writes = tuple(PlannedWrite(**entry) for entry in body["writes"])
        made_at = datetime.fromisoformat(str(body["made_at"]))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}. Nothing was written.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a plan made by `leakwatch plan -o`. Nothing was written.") from error
    if body.get("format") != PLAN_FORMAT:
        raise UsageError(f"{path} has the format {body.get('format')!r}, not {PLAN_FORMAT}. Make the plan again.")
    return Plan(made_at, str(body["org_id"]), writes, notes=tuple(body.get("notes", ())))


def apply_plan(parts: Parts, plan: Plan) -> Applied:
    """Write what `plan` shows and nothing else. What was mended since the plan is left out: it is looked at again.

    Raises:
        ConfigError: the plan was made for another org, or holds what is switched off now.
    """
    if plan.org_id != parts.org.org_id:
        raise ConfigError(f"this plan is for the org {plan.org_id}, not for {parts.org.org_id}. Nothing was written.")
    flows = {write.flow for write in plan.writes}
    if "capture" in flows and not (parts.settings.writes.capture and parts.settings.reads_mail):
        raise ConfigError(
            "the plan holds captured mails, but writes.capture is off, or google.enabled and microsoft.enabled are. "
            "Nothing was written. Switch them on, or make the plan again."
        )
    gate = PlannedOnly(parts.writer, plan)
    parts.__dict__["writer"] = gate
    try:
        if "capture" in flows:
            run_capture(parts)
        if "act" in flows:
            run_mirror(parts)
            run_audit(parts)
            run_act(parts)
    finally:
        parts.__dict__["writer"] = gate.inner
    gate.applied.no_longer = sorted(gate.planned.keys() - gate.seen)
    return gate.applied


class PlannedOnly:
    """A Writer that lets through only what a plan holds (and what follows from it, such as a Task's owner)."""

    def __init__(self, writer: Writer, plan: Plan) -> None:
        self.inner = writer
        self.planned = {write.op_id: write.digest for write in plan.writes}
        self.seen: set[str] = set()
        self.applied = Applied()

    def apply(self, ops: Sequence[WriteOp], *, run_id: str) -> Sequence[WriteResult]:
        """Write the planned ones of `ops`; the others come back as held: not sent, no failure, no try counted."""
        allowed: list[WriteOp] = []
        held: list[WriteResult] = []
        for op in ops:
            follows = op.after is not None and op.after in self.planned
            if self.planned.get(op.op_id) == _digest(op) or (follows and op.op_id not in self.planned):
                allowed.append(op)
            else:
                self._hold(op)
                held.append(WriteResult(op.op_id, WriteStatus.HELD, code=HELD_BACK, message="not in the plan"))
            self.seen.add(op.op_id)
        results = {result.op_id: result for result in self.inner.apply(allowed, run_id=run_id)} if allowed else {}
        for result in results.values():
            self._count(result)
        results |= {result.op_id: result for result in held}
        return [results[op.op_id] for op in ops if op.op_id in results]

    def settle(self) -> int:
        """Find out what became of writes in flight when a process ended."""
        settle = getattr(self.inner, "settle", None)
        return int(settle()) if settle is not None else 0

    def _hold(self, op: WriteOp) -> None:
        if op.op_id in self.planned:
            self.applied.changed.append(op.op_id)
        else:
            self.applied.unplanned += 1

    def _count(self, result: WriteResult) -> None:
        if result.status is WriteStatus.DONE:
            self.applied.written += 1
        elif result.status is WriteStatus.ALREADY_THERE:
            self.applied.already_there += 1
        elif result.status is WriteStatus.REFUSED:
            self.applied.refused.append(f"{result.op_id}: {result.code}: {result.message}")


def _planned(flow: str, op: WriteOp) -> PlannedWrite:
    fields = cast(dict[str, Any], orjson.loads(orjson.dumps(dict(op.fields), default=str)))
    return PlannedWrite(
        op.op_id, flow, op.sobject, op.verb.value, op.reason, fields, _digest(op), record_id=op.record_id
    )


def _digest(op: WriteOp) -> str:
    """Return a digest of all that would be sent for `op`."""
    body = [op.sobject, op.verb.value, op.key, op.record_id, dict(op.fields)]
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()
