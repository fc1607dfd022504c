"""Record ids: 3 characters of key prefix, 12 of serial number, 3 of checksum.

The checksum makes the 18-character form safe where upper and lower case are confused: each of its
characters says which of five characters are capitals (SOAP API guide, "ID Field Type").
"""

from __future__ import annotations

import re
from functools import lru_cache

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?\Z")

SEEDED_POD = "5e"
"""The two characters after the key prefix (a real org: its server instance) of seeded rows."""
CREATED_POD = "Qy"
"""The same for rows that somebody created later; `Org.dump` renames only these."""
CREATED = re.compile(rf"\b[0-9A-Za-z]{{3}}{CREATED_POD}0[0-9A-Za-z]{{9}}(?:[A-Z0-5]{{3}})?\b")


def suffix(first15: str) -> str:
    """The three checksum characters of a 15-character id."""
    return "".join(
        _SUFFIX[sum(1 << i for i, char in enumerate(first15[at : at + 5]) if "A" <= char <= "Z")] for at in (0, 5, 10)
    )


_PAIRS = [first + second for first in DIGITS for second in DIGITS]
"""The two digits of each number below 62 x 62."""
_CAPITALS = [("A" <= pair[0] <= "Z") | ("A" <= pair[1] <= "Z") << 1 for pair in _PAIRS]
"""Which of these are capitals, in bits."""


def make(prefix: str, number: int, pod: str = SEEDED_POD) -> str:
    """The 18-character id of the `number`-th row of its object."""
    high, low = divmod(number, 62**4)
    head, checked, bit = _head(prefix, pod, high)
    left, right = divmod(low, 62**2)
    last = _SUFFIX[bit | _CAPITALS[left] << 1 | _CAPITALS[right] << 3]
    return f"{head}{_PAIRS[left]}{_PAIRS[right]}{checked}{last}"


@lru_cache(maxsize=4096)
def _head(prefix: str, pod: str, high: int) -> tuple[str, str, int]:
    """The first 11 characters of an id, which many share: with two of its checksum, and whether the last is capital."""
    serial = ""
    for _ in range(5):
        high, digit = divmod(high, 62)
        serial = DIGITS[digit] + serial
    head = f"{prefix}{pod}0{serial}"
    return head, suffix(head[:10] + "00000")[:2], int("A" <= head[10] <= "Z")


def normalise(text: str) -> str | None:
    """Return the 18-character form of a well-formed id, else None.

    A wrong checksum is repaired where it can be, as the real service does for ids whose case was lost.
    """
    if not _SHAPE.match(text):
        return None
    if len(text) == 15:
        return text + suffix(text)
    return text if suffix(text[:15]) == text[15:] else _recase(text)


def _recase(text: str) -> str | None:
    """Restore the case of the first 15 characters from the checksum; None if it cannot be one."""
    restored = ""
    for block in range(3):
        bits = _SUFFIX.find(text[15 + block].upper())
        if bits < 0:
            return None
        for i, char in enumerate(text[block * 5 : block * 5 + 5]):
            restored += char.upper() if bits >> i & 1 else char.lower()
    return restored + suffix(restored) if suffix(restored) == text[15:].upper() else None
