"""People whom Salesforce refused to take as contacts or leads: which of them wait for a person, and taking them up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from leakwatch.app.building import Parts
from leakwatch.core.addresses import variants
from leakwatch.core.match_people import people_of
from leakwatch.core.newcomers import PERSON_PREFIX, create_op_id
from leakwatch.errors import StaleError

if TYPE_CHECKING:
    from leakwatch.store.write_log import LoggedWrite


def is_person(key: str) -> bool:
    """Return whether `key` is that of somebody who was to be entered."""
    return key.startswith(PERSON_PREFIX)


def refused_people(parts: Parts) -> Sequence[LoggedWrite]:
    """Return the refused writes that were to enter somebody whom the mirror does not know by now, newest first."""
    refused = [one for one in parts.write_log.refused() if is_person(one.op.op_id)]
    there = _known(parts, {str(one.op.fields["Email"]) for one in refused}) if refused else frozenset[str]()
    return [one for one in refused if one.op.fields["Email"] not in there]


def _known(parts: Parts, addresses: Collection[str]) -> frozenset[str]:
    from leakwatch.app.capturing import address_book_of

    try:
        book = address_book_of(parts, [form for one in addresses for form in variants(one)])
    except StaleError:  # the mirror can't say: rather one name too many on the list
        return frozenset()
    return frozenset(one for one in addresses if people_of(book, one))


def take_up(parts: Parts, key: str) -> int:
    """Let the next sync try again to enter the person `key`; return how many refusals that takes back."""
    return parts.write_log.forget_refusals([one.op.op_id for one in refused_people(parts) if _key(one) == key])


def entering(parts: Parts, term: str) -> Sequence[LoggedWrite]:
    """Return the writes that entered, or tried to, whom `term` names: an address, or a key of the quarantine."""
    term = term.strip()
    if "@" not in term and not is_person(term):
        return ()
    return parts.write_log.logged([f"{term}|insert" if is_person(term) else create_op_id(term.lower())])


def _key(one: LoggedWrite) -> str:
    return one.op.op_id.split("|")[0]
