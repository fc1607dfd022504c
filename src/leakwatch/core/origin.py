"""What a calendar item says of the Salesforce record it was copied from. Pure.

No tool documents what it leaves in a calendar item. Those that leave anything leave the record's id, in a property of
their own, in the item's source link or in its iCalendar UID: so ids are looked for, and not the names of properties.
Sources: Object Reference v63, "Event" (key prefix 00U); Google Calendar API v3, "Events" (extendedProperties, source).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from leakwatch.core.identity import MEETING_PREFIX
from leakwatch.core.record_ids import long_id

EVENT_ID_PREFIX = "00U"
_EVENT_ID = re.compile(r"(?<![0-9A-Za-z])00U[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?(?![0-9A-Za-z])")
_KEY = re.compile(re.escape(MEETING_PREFIX) + "[0-9a-f]{40}")
_LONGEST = 2_000  # characters of one note that are looked through; Google allows 1,024 for a property


def named_origin(notes: Iterable[str]) -> str:
    """Return the first Event id (18 characters) or key of a meeting of ours that one of `notes` holds, else ''."""
    for note in notes:
        text = note[:_LONGEST]
        key = _KEY.search(text)
        if key is not None:
            return key.group()
        for found in _EVENT_ID.finditer(text):
            whole = long_id(found.group()[:15])
            if whole.startswith(found.group()):  # three wrong letters at the end make no id of it
                return whole
    return ""
