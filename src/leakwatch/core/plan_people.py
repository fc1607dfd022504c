"""Whom the record of a meeting names: the guests who are in Salesforce, as a set that is kept in step. Pure.

With Shared Activities an Event or Task names up to 50 contacts or one lead (`EventWhoIds`, `TaskWhoIds`; `WhoId` is the
first of them), without it one of either. What a person added or took away in Salesforce is theirs: only whom we named
are we rid of again, and whom a person took away we do not name once more.
Source: Object Reference v63, "Event", "Task", "EventRelation".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leakwatch.core.text import clean_line, cut
from leakwatch.model import Activity, Match, MatchBasis, Written

MOST_CONTACTS = 50  # one activity names at most so many ("EventRelation", "TaskRelation")
LEAD_PREFIX = "00Q"  # of a Lead's id (Object Reference v63)
MAX_NOTE = 32_000  # Description of an Event or Task
USER_PREFIX = "005"


@dataclass(frozen=True, slots=True)
class Invited:
    """Who of a meeting's guests is to be named.

    Attributes:
        ids: contacts, or one lead; the one that matters most first.
        gone: everybody whom the meeting was written for was taken off the guest list, and nobody known is left.
    """

    ids: tuple[str, ...]
    gone: bool = False


def capacity(shared: bool) -> int:
    """Return how many contacts one activity can name."""
    return MOST_CONTACTS if shared else 1


def list_field(sobject: str) -> str:
    """Return the field of an Event or Task that lists its people."""
    return f"{sobject}WhoIds"


def first_people(match: Match, sobject: str, *, shared: bool) -> dict[str, Any]:
    """Return the fields that name the people of a record that is to be made."""
    ids = match.who_ids[: capacity(shared)]
    if len(ids) < 2:
        return {"WhoId": ids[0]} if ids else {}
    return {"WhoId": ids[0], list_field(sobject): list(ids)}


def invited(activity: Activity, match: Match, earlier: Match | None, ours: Collection[str]) -> Invited:
    """Return who is to be named by a record that is there.

    Besides who matches now, that is who was named for a guest still on the list to whose address no record answers any
    more: a person left the CRM then, not the meeting. `earlier` is how the meeting matched when it was written.
    """
    there = {person.address for person in activity.participants}
    before = {address: one for address, one in _outside(earlier) if one in ours}
    stay = [one for address, one in before.items() if address in there and address not in match.addresses]
    if match.who_ids:
        stay = [one for one in stay if not one.startswith(LEAD_PREFIX)]  # contacts are named rather than a lead
    gone = match.basis is MatchBasis.NONE and bool(before) and not before.keys() & there
    return Invited(tuple(dict.fromkeys((*match.who_ids, *stay))), gone)


def _outside(match: Match | None) -> list[tuple[str, str]]:
    known = match.addresses if match is not None else {}
    return [(address, known[address]) for address in sorted(known) if not known[address].startswith(USER_PREFIX)]


def settled_people(wanted: Sequence[str], written: Written, current: Mapping[str, Any]) -> bool:
    """Return whether those we named are the ones wanted, and the first of them leads: nobody need be looked at then."""
    first = wanted[0] if wanted else None
    return frozenset(wanted) == written.people and written.fields.get("WhoId") == first == current.get("WhoId")


def people_change(
    wanted: Sequence[str],
    sobject: str,
    *,
    written: Written,
    current: Mapping[str, Any],
    present: Sequence[str] | None,
    lead_fits: bool,
) -> dict[str, Any]:
    """Return the fields by which a record comes to name those of `wanted`; empty if it does as far as it may.

    Args:
        wanted: see `Invited.ids`.
        sobject: Event or Task.
        written: what leakwatch wrote so far.
        current: the record as it is now, with its WhoId.
        present: whom it names now, by its relations; None where the org knows WhoId alone.
        lead_fits: it names no other record: a lead can't stand beside one.
    """
    leads = written.fields.get("WhoId")
    untouched = (current.get("WhoId") or None) == (leads or None)
    wanted = [one for one in wanted if lead_fits or not one.startswith(LEAD_PREFIX)]
    if present is None:
        first = wanted[0] if wanted else None
        return {"WhoId": first} if untouched and first != (leads or None) else {}
    after = _reconciled(wanted, written.people, present)
    led_by_person = not untouched and current.get("WhoId") in after
    if not led_by_person and wanted and wanted[0] in after:
        after = list(dict.fromkeys((wanted[0], *after)))
    lead = after[0] if after else None
    if lead != (current.get("WhoId") or None):
        return {"WhoId": lead, list_field(sobject): after}
    # Who leads already is not written: if a person chose them, that must not come to count as our choice.
    return {} if set(after) == set(present) else {list_field(sobject): after}


def _reconciled(wanted: Sequence[str], ours: Collection[str], present: Sequence[str]) -> list[str]:
    kept = [one for one in present if one not in ours or one in wanted]
    added = [one for one in wanted if one not in ours and one not in present]
    if any(one.startswith(LEAD_PREFIX) for one in kept):
        return kept
    if kept:
        added = [one for one in added if not one.startswith(LEAD_PREFIX)]
    return [*kept, *added[: max(0, MOST_CONTACTS - len(kept))]]


def unnamed(activity: Activity, match: Match, *, shared: bool) -> str:
    """Return a line on the guests who are in Salesforce and whom the record can't name; empty if there are none."""
    over = set(match.who_ids[capacity(shared) :])
    left = {address for address, one in match.addresses.items() if one in over} | set(match.left_out)
    names: dict[str, str] = {}
    for person in activity.participants:
        if person.address in left:
            name = clean_line(person.name)
            lead = " (lead)" if person.address in match.left_out else ""
            names.setdefault(person.address, f"{name} <{person.address}>{lead}" if name else f"{person.address}{lead}")
    return cut(f"Also invited: {', '.join(names.values())}", MAX_NOTE) if names else ""
