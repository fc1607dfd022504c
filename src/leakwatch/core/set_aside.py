"""What Salesforce or a mailbox refused: what a person can do about it, and how it is set aside for good. Pure."""

from __future__ import annotations

from leakwatch.core.text import clean_line
from leakwatch.model import SkipReason

DROPPED = "DROPPED: "  # begins the words of what was dropped
_BEFORE = "; before: "  # parts a person's reason from what stood there before

_ANEW = "A record it names is gone. Retry: it is matched anew by the mirror as it is now."
_ACCESS = "Give the integration user this right (leakwatch doctor names what is missing), then retry."
# Codes: SOAP API Developer Guide, "StatusCode".
_STEPS = {
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "Exempt the integration user from this validation rule of your org, then "
    "retry.",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "A trigger or flow of your org stops it: mend that, or exempt the "
    "integration user, then retry.",
    "REQUIRED_FIELD_MISSING": "Your org demands a field that leakwatch does not fill: give it a default, then retry.",
    "DUPLICATES_DETECTED": "Exempt the integration user from this duplicate rule of your org, then retry.",
    "INSUFFICIENT_ACCESS_OR_READONLY": _ACCESS,
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": _ACCESS,
    "INVALID_FIELD_FOR_INSERT_UPDATE": _ACCESS,
    "ENTITY_IS_DELETED": _ANEW,
    "INVALID_CROSS_REFERENCE_KEY": _ANEW,
    "CANNOT_UPDATE_CONVERTED_LEAD": _ANEW,
    "INACTIVE_OWNER_OR_USER": "Its owner is inactive in Salesforce. Retry once the mirror knows, or drop it.",
    SkipReason.NOT_GIVEN.value: "Nothing: every sync asks for it again. Dropped, it is not asked for again; the gap in "
    "what is known of this mailbox stays.",
    "unreadable": "It can't be read, so it can't be logged. Drop it to have it out of the list.",
    "unreadable_date": "It can't be read, so it can't be logged. Drop it to have it out of the list.",
}
_PERSON_STEPS = {
    "DUPLICATES_DETECTED": "Give the record that Salesforce takes for the same person this address, or enter them by "
    "hand: either is matched as anybody else. Or retry, or drop it.",
    "INSUFFICIENT_ACCESS_OR_READONLY": _ACCESS,
}
OTHERWISE = "Mend what Salesforce names, then retry; or drop it."
RETRY_DROPPED = "It is not tried again. Retry takes that back."


def next_step(code: str) -> str:
    """Return what a person can do about something that was refused with `code`."""
    return _STEPS.get(code, OTHERWISE)


def next_step_for_person(code: str) -> str:
    """Return what can be done about somebody whom Salesforce refused to take with `code`."""
    return _PERSON_STEPS.get(code, OTHERWISE)


def dropped(why: str, before: str) -> str:
    """Return the words of what is dropped for the reason `why`, with those that stood there `before`."""
    return f"{DROPPED}{clean_line(why).replace(_BEFORE, ', ')}{_BEFORE}{before}"


def is_dropped(words: str | None) -> bool:
    """Return whether `words` say that something was dropped."""
    return (words or "").startswith(DROPPED)


def as_before(words: str) -> str:
    """Return what stood there before something was dropped."""
    return words.partition(_BEFORE)[2] if is_dropped(words) else words


def reason_of(words: str) -> str:
    """Return for what reason a person dropped something; empty if nobody did."""
    return words.removeprefix(DROPPED).partition(_BEFORE)[0] if is_dropped(words) else ""
