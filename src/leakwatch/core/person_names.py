"""First and last name of a person from a mail's display name, or else from the address. Pure.

Salesforce asks for a last name of up to 80 characters and takes a first name of up to 40 (Object Reference v63,
"Contact", "Lead"). Nothing is spelled otherwise than it was written, except what was plainly read in the wrong
character set.
"""

from __future__ import annotations

import re

from leakwatch.core.letters import mended
from leakwatch.core.mail_providers import words_of
from leakwatch.core.names import fold
from leakwatch.core.text import clean_line, cut

MAX_FIRST, MAX_LAST = 40, 80
_ASIDE = re.compile(r"\s*(?:\(.*?\)|\[.*?\]|<.*?>)\s*|\s+(?:[|/–—]|-+)\s+.*$")  # (Acme), [extern], | Acme, - Acme
_VIA = re.compile(r"\s+(?:via|aracılığıyla|über)\s+.*$", re.IGNORECASE)  # what groups and services append
_WORD = re.compile(r"[^\W\d_][^\W\d_'’.-]*(?:[-'’][^\W\d_]+)*\.?")
_TITLES = words_of(
    "dr prof doc av avukat muh mimar sn sayin bay bayan mr mrs ms miss herr frau dipl ing mag mba phd msc jr sr bey"
    " hanim"
)
_PARTICLES = words_of("al bin da de del della den der des di dos du el la le ten ter van von zu zum zur")
_SPLIT = re.compile(r"[._+-]+")


def person_name(shown: str, address: str) -> tuple[str, str]:
    """Return (first name, last name) of whoever is `shown` so; the first may be empty, the last is not."""
    words = _words(shown)
    if not words:
        return _from_address(address)
    first, last = _parted(words)
    return cut(first, MAX_FIRST), cut(last, MAX_LAST)


def _words(shown: str) -> list[str]:
    """Return the words of a name; none if what is shown is none (an address, a number, a single word)."""
    text = clean_line(shown).strip("'\"’ ")
    text = mended(text) or text
    text = _ASIDE.sub(" ", _VIA.sub("", text)).strip(" '\"")
    if "@" in text or not text:
        return []
    surname, comma, given = text.partition(",")
    if comma:  # Işık, Ayşe: what stands before the comma is the surname, unless a title follows it
        given_words = _named(given)
        return [*given_words, " ".join(_named(surname))] if given_words and _named(surname) else _named(surname)
    words = _named(text)
    return words if len(words) > 1 else []


def _named(text: str) -> list[str]:
    parts = text.split()
    if not all(_WORD.fullmatch(part) for part in parts):
        return []
    return [part for part in parts if fold(part).replace(" ", "") not in _TITLES]


def _parted(words: list[str]) -> tuple[str, str]:
    """Return (first, last): the one word in capitals is the surname, else the last with the particles before it."""
    if " " in words[-1]:
        return " ".join(words[:-1]), words[-1]
    loud = [word for word in words if len(word) > 1 and word.isupper() and not word.endswith(".")]
    if len(loud) == 1 and len(words) > 1:
        return " ".join(word for word in words if word != loud[0]), loud[0]
    start = len(words) - 1
    while start > 1 and fold(words[start - 1]) in _PARTICLES:
        start -= 1
    return " ".join(words[:start]), " ".join(words[start:])


def _from_address(address: str) -> tuple[str, str]:
    """Return the name that the local part spells (`ayse.isik7` is Ayse Isik), or else the local part as last name."""
    local = address.partition("@")[0].partition("+")[0] or address
    parts = [part.strip("0123456789") for part in _SPLIT.split(local)]
    parts = [part for part in parts if part]
    if len(parts) < 2 or not all(part.isalpha() for part in parts):
        return "", cut(local, MAX_LAST)
    named = [part[:1].upper() + part[1:] for part in parts]
    return cut(" ".join(named[:-1]), MAX_FIRST), cut(named[-1], MAX_LAST)
