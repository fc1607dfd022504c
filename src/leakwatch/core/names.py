"""Names and labels as people write them: comparing and folding English and Turkish text. Pure.

Plain `lower()` is wrong for Turkish: `"İPTAL".lower()` has an invisible dot, `"ASKI".lower()` has the wrong i.
For the order of names in a list see `core.collation`.
"""

from __future__ import annotations

import re
import unicodedata

from anyascii import anyascii

# Dotted and dotless i become one letter: a label typed on an English keyboard must still be the same label.
_ONE_I = str.maketrans({"İ": "i", "I": "i", "ı": "i", "\u0307": None})
_SPACES = re.compile(r"[\s\u00a0\u200b\u2060\ufeff]+")
_NOT_WORD = re.compile(r"[^0-9a-z]+")


def label_key(label: str) -> str:
    """Return the form in which two picklist labels are compared: NFC, one case, one kind of i, single spaces.

    Accents stay: `Kaybedildi` and `KAYBEDİLDİ` are equal, `Açık` and `Acik` are not.
    """
    composed = unicodedata.normalize("NFC", label)
    return unicodedata.normalize("NFC", _SPACES.sub(" ", composed.translate(_ONE_I)).strip().casefold())


def fold(text: str) -> str:
    """Return `text` as bare lower-case ASCII letters and digits with single spaces: `Şişli A.Ş.` is `sisli a s`.

    For proposing that two names may be the same; never enough to decide it.
    """
    if not text.isascii():
        text = anyascii(unicodedata.normalize("NFC", text))
    return _NOT_WORD.sub(" ", text.lower()).strip()
