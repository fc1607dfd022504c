"""What `doctor` says of other tools that log the same mails as Tasks. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time

from leakwatch.app.building import Parts
from leakwatch.app.doctoring_check import Check
from leakwatch.app.neighbouring import neighbours_of
from leakwatch.core.adoption import moment_of
from leakwatch.core.adoption_mails import days_of, like_tasks, owners_of
from leakwatch.core.identity import MAIL_PREFIX
from leakwatch.model import WriteOp

RECENT = 200  # mails that we wrote last: enough to see a tool at work, in about one call
MOST_NAMED = 3


def mail_checks(parts: Parts) -> Iterator[Check]:
    """Yield which of the mails that we wrote last stand beside another tool's Tasks that are like them.

    Raises:
        AuthError, TransientError, BudgetError: the org can't be asked.
    """
    written = [op for name in ("EmailMessage", "Task") for op in parts.write_log.latest(name, limit=RECENT)]
    mails = {op.key: (str(op.fields.get("Subject") or ""), when) for op in written
             if op.key and op.key.startswith(MAIL_PREFIX) and (when := _when(op)) is not None}  # fmt: skip
    matches = parts.journal.matches(mails)
    mails = {key: one for key, one in mails.items() if key in matches}
    owners = {owner for key in mails for owner in owners_of(matches[key])}
    if not owners:
        return
    days = [day for _, moment in mails.values() for day in days_of(moment)]
    rows = neighbours_of(parts).mail_tasks(owners, min(days), max(days))
    alike = like_tasks(mails, matches, rows)
    if alike:
        some = ", ".join(str(rows[0]["Id"]) for _, rows in sorted(alike.items())[:MOST_NAMED])
        yield Check("doubled mails", "note", f"{len(alike)} of the {len(mails)} mails that we logged last stand beside "
                    f"another tool's Tasks of the same subject, day, person and owner ({some})",
                    "Leave mail to one of the two: switch that tool's logging of mails off, or set writes.capture: "
                    "false.")  # fmt: skip


def _when(op: WriteOp) -> datetime | None:
    found = moment_of(op.fields.get("MessageDate"))
    if found is not None:
        return found
    try:
        return datetime.combine(datetime.fromisoformat(str(op.fields.get("ActivityDate"))).date(), time(12), UTC)
    except ValueError:
        return None
