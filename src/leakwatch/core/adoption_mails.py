"""Which Task that another tool wrote for a mail stands for which mail of ours. Pure.

Where Enhanced Email is off, mail add-ins, Email to Salesforce and sales tools log a mail as a completed Task. It bears
no Message-ID, only the mail's subject behind words of the tool's, the day, a contact or lead, and an owner. So it is
taken for a mail only where all of these agree and nothing else could be meant. The Task's description, which holds the
mail's text, is not read. Decision 0011.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from leakwatch.core.text import clean_line, fold
from leakwatch.model import KEY_FIELD, Activity, Match

TASK_FIELDS = (
    "Id", "Subject", "TaskSubtype", "IsClosed", "OwnerId", "WhoId", "ActivityDate", "CreatedDate", KEY_FIELD,
)  # fmt: skip
MAIL_SUBTYPE = "Email"  # TaskSubtype of a Task that stands for a mail (Object Reference v63, "Task")
LONGEST_SUBJECT = 255  # of a Task; longer ones are cut by whoever writes it
CLOCK_SKEW = timedelta(minutes=10)  # between the mail server's clock and Salesforce's
_USER = "005"
# What tools put before the mail's subject: Salesforce itself ("Email: "), sales tools ("[Outreach] [Email] [Out] ").
SUBJECT_MARKS = ("Email:", "E-mail:", "E-posta:", "[Outreach] [Email]", "[Email]")
_MARK = re.compile(r"^(?:\[[a-z .-]{1,20}\]\s*)?(?:\[e-?mail\]\s*(?:\[(?:in|out)\]\s*)?|(?:e-?mail|e-posta)\s*:\s*)")
_REFERENCE = re.compile(r"\[?\s*ref:[\w!.:-]+:ref\s*\]?")  # of Email to Case, at the end of a subject


@dataclass(frozen=True, slots=True)
class Logged:
    """A mail that another tool logged: its Tasks (several where the tool writes one for each person)."""

    record_ids: tuple[str, ...]


def owners_of(match: Match) -> frozenset[str]:
    """Return the ids of our users in a mail, one of whom owns the Task if there is one."""
    return frozenset(one for one in (*match.addresses.values(), match.owner_id) if one and one.startswith(_USER))


def days_of(moment: datetime) -> tuple[date, date]:
    """Return the first and last day of what was sent at `moment`, over all time zones: the tool's is not known."""
    moment = moment.astimezone(UTC)
    return (moment - timedelta(hours=12)).date(), (moment + timedelta(hours=14)).date()


def logged_mails(
    mails: Sequence[Activity], matches: Mapping[str, Match], rows: Iterable[Mapping[str, Any]]
) -> dict[str, Logged]:
    """Return key -> the Tasks that stand for it, of those of `mails` about which there is no doubt.

    No doubt is where a mail has one such Task, or one for each of several of its people, and no other of `mails` could
    be meant by any of them.

    Args:
        mails: of one time, without a record of ours.
        matches: how they match, by key.
        rows: Tasks (`TASK_FIELDS`) of about that time, of anybody.
    """
    alike = like_tasks({one.key: (one.subject, one.start) for one in mails}, matches, rows)
    starts = {one.key: one.start for one in mails}
    alike = {key: [row for row in some if _made_after(row, starts[key])] for key, some in alike.items()}
    claims = Counter(str(row["Id"]) for some in alike.values() for row in some)
    return {
        key: Logged(tuple(sorted(str(row["Id"]) for row in some)))
        for key, some in alike.items()
        if some and all(claims[str(row["Id"])] == 1 for row in some) and _one_each(some)
    }


def like_tasks(
    mails: Mapping[str, tuple[str, datetime]], matches: Mapping[str, Match], rows: Iterable[Mapping[str, Any]]
) -> dict[str, list[Mapping[str, Any]]]:
    """Return key -> the Tasks among `rows` that agree with it, of `mails`: key -> (subject, when)."""
    by_subject: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if _is_mail(row):
            by_subject[task_subject(str(row.get("Subject") or ""))].append(row)
    found: dict[str, list[Mapping[str, Any]]] = {}
    for key, (subject, moment) in mails.items():
        plain = mail_subject(subject)
        some = [row for row in by_subject.get(plain, ()) if plain and _agrees(moment, matches[key], row)]
        if some:
            found[key] = some
    return found


def _is_mail(row: Mapping[str, Any]) -> bool:
    if row.get(KEY_FIELD) or not row.get("IsClosed"):
        return False
    return row.get("TaskSubtype") == MAIL_SUBTYPE or _MARK.match(fold(str(row.get("Subject") or ""))) is not None


def _agrees(moment: datetime, match: Match, row: Mapping[str, Any]) -> bool:
    first, last = days_of(moment)
    day = _day(row.get("ActivityDate"))
    return (
        row.get("OwnerId") in owners_of(match)
        and row.get("WhoId") in _outside(match)
        and day is not None
        and first <= day <= last
    )


def _made_after(row: Mapping[str, Any], moment: datetime) -> bool:
    """Return whether a Task can be the log of a mail of that moment: nothing is logged before it was written."""
    made = _moment(row.get("CreatedDate"))
    return made is None or made >= moment - CLOCK_SKEW


def _outside(match: Match) -> Collection[str]:
    return {*match.who_ids, *(one for one in match.addresses.values() if not one.startswith(_USER))}


def _one_each(rows: Sequence[Mapping[str, Any]]) -> bool:
    return len({row.get("WhoId") for row in rows}) == len(rows)


def mail_subject(subject: str) -> str:
    """Return a mail's subject for comparing; "Re:" stays, for it tells a reply from the mail before it."""
    return _cut(fold(clean_line(subject)))


def task_subject(subject: str) -> str:
    """Return the subject of the mail that a Task stands for, for comparing; of one that was cut, what is left."""
    folded = fold(clean_line(subject))
    return _cut(_REFERENCE.sub("", _MARK.sub("", folded, count=1)))


def _cut(folded: str) -> str:
    # Both are compared as far as every tool's words leave room for them.
    return folded[: LONGEST_SUBJECT - 35].strip(" .\u2026")


def _day(raw: Any) -> date | None:
    try:
        return date.fromisoformat(str(raw))
    except ValueError:
        return None


def _moment(raw: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(raw))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
