"""What a newer snapshot knows better about a mail → wanted changes of its Task. Pure.

A Task's WhoId and WhatId may be changed at any time. A sent EmailMessage takes no change of its people or of what it is
related to: its Task and its relations do (Object Reference v63, "EmailMessage", "EmailMessageRelation", "Task"; for the
relations see `plan_relations`). A field is ours as long as it holds what we gave it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leakwatch.core.rematch import LEAD_PREFIX
from leakwatch.model import Match, Verb, WriteOp, Written

READ_BACK = ("Id", "WhoId", "WhatId")


@dataclass(frozen=True, slots=True)
class Changed:
    """The change of one record, None if there is nothing to do; `theirs` says that a person changed it since."""

    op: WriteOp | None
    theirs: bool = False


def plan_rematch(
    stored: Match, better: Match, written: Written, current: Mapping[str, Any] | None, reason: str
) -> Changed:
    """Return what makes the Task `current` of a mail follow `better`.

    Args:
        stored: how the activity matched when it was written.
        better: the same with what is known now besides.
        written: what leakwatch wrote for it so far.
        current: `READ_BACK` of its Task as it is now; None if a person deleted it.
        reason: why, in words.
    """
    if current is None:
        return Changed(None, theirs=better != stored)
    who, what = current.get("WhoId") or None, current.get("WhatId") or None
    given_who = written.fields.get("WhoId") or _first(stored)
    given_what = written.fields.get("WhatId", written.fields.get("RelatedToId")) or None
    changes: dict[str, Any] = {}
    theirs = False
    if _first(better) not in (_first(stored), who):
        theirs = who != (given_who or None)
        changes |= {} if theirs else {"WhoId": _first(better)}
    if better.what_id not in (given_what, what):
        # No record stands beside a lead, whoever put it there.
        taken = what != given_what or str(changes.get("WhoId") or who or "").startswith(LEAD_PREFIX)
        theirs = theirs or taken
        changes |= {} if taken else {"WhatId": better.what_id}
    if not changes:
        return Changed(None, theirs)
    return Changed(
        WriteOp(
            op_id=f"{better.activity_key}|rematch|{written.steps}",
            sobject="Task",
            verb=Verb.UPDATE,
            key=better.activity_key,
            fields=changes,
            reason=reason,
            record_id=str(current["Id"]),
            account_id=better.account_id,
            prior={name: current.get(name) for name in changes},
        ),
        theirs,
    )


def _first(match: Match) -> str | None:
    return match.who_ids[0] if match.who_ids else None
