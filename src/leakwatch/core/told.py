"""What a finding remembers of being told, once it is known what became of a message. Pure.

Planning a word only notes that it is on its way. Its owner counts as told, and may be reported to a manager, from when
the message was sent; where it was refused for good, the word waits again until a person releases it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from leakwatch.core.fingerprint import parse_key
from leakwatch.core.lifecycle_case import EXCEPTED, NOTICE_STRENGTH, RESOLVED, SNOOZED
from leakwatch.model import Delivery, Finding


def told(finding: Finding, delivery: Delivery, *, at: datetime) -> Finding | None:
    """Return `finding` as it is after its owner's word `delivery` was sent at `at` (aware); None if it changes nothing.

    Who was told is who got it, which is RevOps where the owner turned out to be inactive.
    """
    if _number(finding, delivery) is None:
        return None
    return replace(finding, notified_at=at, notified_owner_id=delivery.recipient_id)


def untold(finding: Finding, delivery: Delivery, *, said: Iterable[Delivery]) -> Finding | None:
    """Return `finding` as it is after its owner's word `delivery` was refused for good; None if it changes nothing.

    Args:
        finding: as stored.
        delivery: the refused message.
        said: everything that was ever to be said about the finding; the last word that was sent still holds.
    """
    number = _number(finding, delivery)
    if number is None:
        return None
    earlier = [one for one in said if one.sent_at is not None and (_word(finding, one) or number) < number]
    last = max(earlier, key=lambda one: _word(finding, one) or 0, default=None)
    waiting = finding.pending_notice or delivery.kind
    stronger = max(waiting, delivery.kind, key=lambda word: NOTICE_STRENGTH.get(word, 0))
    return replace(
        finding,
        notices=number - 1,
        notified_at=last.sent_at if last else None,
        notified_owner_id=last.recipient_id if last else None,
        pending_notice=None if finding.status in (RESOLVED, EXCEPTED, SNOOZED) else stronger,
    )


def _number(finding: Finding, delivery: Delivery) -> int | None:
    """Return which word of its episode `delivery` is if it is the latest one to the owner, else None."""
    number = _word(finding, delivery)
    return number if number and number == finding.notices else None


def _word(finding: Finding, delivery: Delivery) -> int | None:
    key = parse_key(delivery.key)
    return key.number if key is not None and key.number and key.episode == finding.episode else None
