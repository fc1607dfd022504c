"""What the verbs that mend print: lines of plain text."""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING

from leakwatch.cli.output import counts, some
from leakwatch.core.undo import EMAIL_MESSAGE

if TYPE_CHECKING:
    from leakwatch.app.quarantine import Shown
    from leakwatch.flows.undo import Stays, UndoReport


def undo_lines(found: UndoReport) -> list[str]:
    """Return what an undo did, or would do."""
    would = "would be " if found.dry_run else ""
    lines = [
        f"undo of {found.of_run}: {would}removed: {counts(found.removed)}; {would}put back: {counts(found.put_back)}"
    ]
    if found.dry_run:
        lines += some([f"  {op.verb.value} {op.sobject} {op.record_id}: {op.reason}" for op in found.operations])
        if found.removed[EMAIL_MESSAGE]:
            lines.append("  with each EmailMessage the Task that Salesforce made for it goes")
    if found.gone:
        lines.append(f"not there any more, or as before the run: {found.gone}")
    lines += some([f"kept: {_of(one)}" for one in found.kept])
    lines += some([f"! refused: {_of(one)}" for one in found.refused])
    if found.waiting:
        lines.append(f"! waiting: {found.waiting}")
    if found.dry_run:
        lines.append(
            f"about {found.calls} API calls; dry run: nothing was written. Do it with: leakwatch undo --run "
            f"{found.of_run} --apply"
        )
    elif found.removed:
        lines.append(
            "what was removed lies in the org's recycle bin for 15 days. No sync writes it again, unless you release "
            f"it: leakwatch undo --run {found.of_run} --release"
        )
    return lines


def quarantine_lines(found: Shown, zone: tzinfo) -> list[str]:
    """Return everything that is known of one thing that is set aside; times are in `zone`, the company's."""
    one = found.refusal
    times = {"first": found.first_at, "last": found.last_at}
    when = [f"{word} {moment.astimezone(zone):%Y-%m-%d %H:%M}" for word, moment in times.items() if moment]
    tried = f"tried {found.tries} times" if found.tries != 1 else "tried once"
    lines = [f"{one.key}: {one.what}: {'dropped' if one.dropped else 'quarantined'}"]
    lines += [f"  dropped because: {one.dropped}"] if one.dropped else []
    lines.append(f"  {one.code or 'refused'}: {one.reason}")
    lines.append(f"  {'; '.join([*([tried] if found.tries is not None else []), *when])}")
    lines += [f"  in the mailbox of {mailbox}: {provider_id}" for mailbox, provider_id in found.mailboxes]
    lines += [f"  matched: {found.matched}"] if found.matched else []
    if found.people or found.about:
        lines.append(f"  people: {', '.join(found.people) or '-'}; about: {found.about or '-'}")
    lines += [f"  for: {found.recipient_id}"] if found.recipient_id else []
    lines += [f"  to be written: {name}: {value}" for name, value in found.fields.items()]
    lines += [f"  run: {found.run_id}"] if found.run_id else []
    lines.append(f"  -> {found.next_step}")
    return lines


def _of(one: Stays) -> str:
    return f"{one.sobject} {one.record_id}: {one.why}"
