"""Salesforce record ids: 15 characters whose case counts, or 18 that carry the case in a suffix."""

from __future__ import annotations

import re

_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHORT = re.compile(r"[0-9A-Za-z]{15}")


def long_id(record_id: str) -> str:
    """Return the 18-character form of a 15-character id; anything else comes back as it is.

    Each of the three suffix characters encodes which letters of one group of five are capitals.
    """
    if not _SHORT.fullmatch(record_id):
        return record_id
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, letter in enumerate(record_id[start : start + 5]) if "A" <= letter <= "Z")
        suffix += _SUFFIX[bits]
    return record_id + suffix
