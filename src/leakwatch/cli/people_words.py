"""How people not in Salesforce are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from leakwatch.cli import output
from leakwatch.core.unmatched import UnmatchedDomain

if TYPE_CHECKING:
    from leakwatch.store.write_log import LoggedWrite


def unmatched_lines(found: Sequence[UnmatchedDomain], *, limit: int, one: bool, zone: ZoneInfo) -> list[str]:
    """Return lines that tell of `found`: `one` domain person by person, or the first `limit` domains in a table."""
    if not found:
        return ["everybody in the mails read so far is in Salesforce, as last mirrored"]
    if one:
        return [line for domain in found for line in _people(domain, zone)]
    company = [domain for domain in found if not domain.is_shared]
    lines = [_sentence(company[0])] if company else []
    rows = [
        (domain.domain, len(domain.people), domain.mails, domain.last_at.astimezone(zone).date(), _account(domain))
        for domain in found[:limit]
    ]
    lines += output.table(["domain", "people", "mails", "last", "account"], rows).splitlines()
    if len(found) > limit:
        lines.append(f"and {len(found) - limit:,} more domains; see --limit")
    return lines


def _sentence(domain: UnmatchedDomain) -> str:
    number = len(domain.people)
    words = "1 person" if number == 1 else f"{number:,} people"
    verb = "is" if number == 1 else "are"
    return f"{words} at {domain.domain} talked to you and {verb} not in Salesforce."


def _people(domain: UnmatchedDomain, zone: ZoneInfo) -> list[str]:
    rows = [
        (person.address, person.name or None, person.mails, person.last_at.astimezone(zone).date())
        for person in domain.people
    ]
    return [_sentence(domain), *output.table(["address", "name", "mails", "last"], rows).splitlines()]


def _account(domain: UnmatchedDomain) -> str | None:
    if domain.is_shared:
        return "(anybody's domain)"
    return domain.account_name or domain.account_id


def entering_line(one: LoggedWrite, zone: tzinfo) -> str:
    """Return what became of the write that was to enter a person; times are in `zone`."""
    name = " ".join(str(one.op.fields[part]) for part in ("FirstName", "LastName") if part in one.op.fields)
    fate = f"{one.status} {one.code} {one.message}".rstrip()
    record = f"{one.op.sobject} {one.op.record_id or ''}".rstrip()
    begun = one.begun_at.astimezone(zone)
    return f"{name} was to be entered ({begun:%Y-%m-%d %H:%M}) as {record}: {fate}. {one.op.reason}".rstrip()
