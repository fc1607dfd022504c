"""What `doctor` says of whose mailboxes are read, whichever provider keeps them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leakwatch.app.building import Parts
from leakwatch.app.capturing import roster
from leakwatch.app.doctoring_check import Check
from leakwatch.flows.capture_read import without_notice
from leakwatch.model import Principal
from leakwatch.store.snapshot_facts import UserFact


@dataclass(frozen=True, slots=True)
class Place:
    """How a provider is spoken of."""

    check: str  # the check's name
    where: str  # mailboxes are there: "in the directory"
    provider: str


GOOGLE = Place("mailboxes", "in the directory", "Google")
MICROSOFT = Place("Outlook mailboxes", "in the tenant", "Microsoft 365")


def roster_checks(
    parts: Parts, people: list[UserFact] | None, users: Sequence[Mapping[str, Any]], place: Place
) -> Generator[Check, None, Sequence[Principal]]:
    """Yield the checks of the roster; return those whose mailboxes may be opened.

    `people` are Salesforce's users, None if they can't be read; `users` those of the provider's directory.
    """
    if people is None:
        yield Check(place.check, "note", "not examined: whose they are is known from Salesforce, which can't be read",
                    "Mend what stands under Salesforce, then run doctor again.")  # fmt: skip
        return ()
    principals = roster(parts, people, users)
    told, untold = without_notice(principals, parts.clock.now())
    if not principals:
        yield Check(place.check, "bad", f"no active Salesforce user has a mailbox {place.where}",
                    f"Compare the users' e-mail addresses in Salesforce and {place.provider}.")  # fmt: skip
        return ()
    words = f"{len(principals)} may be read, {len(told)} of their owners have a recorded notice"
    yield Check(place.check, "ok", words)
    for one in untold:
        words = "no notice is recorded" if one.notice_date is None else f"the notice is dated {one.notice_date}"
        yield Check("notice", "note", f"{one.address}: {words}; this mailbox is not read",
                    "Tell the employee, then record the day under capture.notices.")  # fmt: skip
    return told
