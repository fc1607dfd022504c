"""Text from a CRM is hostile: anyone can type a name into a web form, and it ends up in a browser, a sheet, a terminal.

HTML escaping is Jinja's; what is here is the rest.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Cc: terminal escapes, NUL, tabs and newlines. U+202A-202E, U+2066-2069: they turn the text *after* a name around too.
# U+2028/2029: line breaks to some programs. U+FEFF: invisible. Lone surrogates can't be encoded.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_INVISIBLE = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")

# What spreadsheets take for a formula, the full-width forms included (Excel folds them), even after spaces and quotes.
_FORMULA_SIGNS = "=+\\-@＝＋－＠"
_LEADING = "[\\s\"'`“”‘’«»\u00a0\u200b-\u200d\u2060\ufeff]*"
_FORMULA = re.compile(f"{_LEADING}[{_FORMULA_SIGNS}]")
_CONTROL_FIRST = ("\t", "\r", "\n", "\x00")
# A file opened with the other list separator is cut at it: what follows would begin a cell of its own.
_FORMULA_INSIDE = re.compile(f"([;,]{_LEADING})(?=[{_FORMULA_SIGNS}])")

_RECORD_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")  # Salesforce ids have 15 or 18 characters
_BASE_URL = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]+)?/?")


@lru_cache(maxsize=16384)
def clean(text: str) -> str:
    """Return `text` on one line, without control characters and direction overrides."""
    if text.isascii() and text.isprintable():
        return text.strip()
    calm = _INVISIBLE.sub("", _CONTROL.sub(" ", text))
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", calm).strip()


def cell(text: str) -> str:
    """Return `text` safe in a text column of a CSV: a leading apostrophe where a spreadsheet would see a formula.

    Numbers do not come through here: they stand in columns of their own and stay numbers.
    """
    calm = clean(text)  # first: what hides a sign from us (an escape, an invisible letter) goes away
    inside = _FORMULA_INSIDE.sub(r"\1'", calm)
    return f"'{inside}" if _FORMULA.match(calm) or text.startswith(_CONTROL_FIRST) else inside


def record_url(base_url: str | None, record_id: str) -> str | None:
    """Return the record's address, or None unless both parts are what they should be."""
    if not base_url or not _BASE_URL.fullmatch(base_url) or not _RECORD_ID.fullmatch(record_id):
        return None
    return f"{base_url.rstrip('/')}/{record_id}"
