"""How the mails before a mail in its conversation matched: what the resolver is told of threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from leakwatch.core.identity import mail_key
from leakwatch.model import Activity, Match
from leakwatch.ports import Journal

OPPORTUNITY_PREFIX = "006"  # of an Opportunity's id (Object Reference v63)


@dataclass(slots=True)
class Threads:
    """Matches of earlier mails: those in Salesforce as the journal knows them, and those of this run.

    Of this run only what names an opportunity is kept, for that is what a reply inherits, and none of its words: a
    first run may match a hundred thousand mails.
    """

    journal: Journal
    _now: dict[str, Match] = field(default_factory=dict[str, Match])

    def before(self, activities: Sequence[Activity]) -> Mapping[str, Match]:
        """Return key -> match of every mail that one of `activities` answers, as far as it is known."""
        wanted = {mail_key(one) for activity in activities for one in activity.answers}
        found = dict(self.journal.matches(wanted)) if wanted else {}
        return found | {key: self._now[key] for key in wanted & self._now.keys()}

    def nearest(self, activity: Activity, known: Mapping[str, Match]) -> Match | None:
        """Return the match of the nearest mail before `activity` that has an opportunity, else of the nearest."""
        keys = (mail_key(one) for one in activity.answers)
        chain = [match for key in keys if (match := self._now.get(key) or known.get(key)) is not None]
        return next((match for match in chain if _has_deal(match)), chain[0] if chain else None)

    def note(self, match: Match) -> None:
        """Remember how a mail of this run matched."""
        if _has_deal(match):
            self._now[match.activity_key] = Match(
                activity_key=match.activity_key,
                who_ids=match.who_ids,
                what_id=match.what_id,
                account_id=match.account_id,
                owner_id=match.owner_id,
                basis=match.basis,
                reason="",
                left_out=match.left_out,
            )


def _has_deal(match: Match) -> bool:
    return (match.what_id or "").startswith(OPPORTUNITY_PREFIX)


def deals_of(matches: Mapping[str, Match]) -> frozenset[str]:
    """Return the opportunities that `matches` name."""
    return frozenset(match.what_id for match in matches.values() if match.what_id is not None and _has_deal(match))
