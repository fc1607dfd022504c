"""The order in which names are listed for people: Turkish by the Turkish alphabet, anything else by plain Latin.

Not for matching (that is folding, in `core.names`): two different names never share a key here, so a sorted list is
the same on every machine, whatever its C library thinks of `ı` and `İ`.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from anyascii import anyascii

# The 29 letters of the Turkish alphabet, with q, w and x where dictionaries put them for foreign words.
TURKISH_ALPHABET = "abcçdefgğhıijklmnoöpqrsştuüvwxyz"
LATIN_ALPHABET = "abcdefghijklmnopqrstuvwxyz"

SortKey = tuple[tuple[tuple[int, int], ...], tuple[str, ...], tuple[bool, ...], str]

# First thing compared: spaces, then punctuation, digits, our alphabet, every other script by code point.
_SPACE, _PUNCTUATION, _DIGIT, _LETTER, _OTHER = range(5)


def sort_key(text: str, language: str) -> SortKey:
    """Return a key that sorts `text` as readers of `language` (`tr`, or any other for plain Latin) expect.

    Case and foreign accents decide only between names that are otherwise equal; lower case comes first.
    """
    return _key(text, language == "tr")


def turkish_key(text: str) -> SortKey:
    """Return a key that sorts by the Turkish alphabet: ç after c, ğ after g, ı before i, ö, ş, ü in their places."""
    return _key(text, turkish=True)


@lru_cache(maxsize=8192)
def _key(text: str, turkish: bool) -> SortKey:
    alphabet = TURKISH_ALPHABET if turkish else LATIN_ALPHABET
    letters: list[tuple[int, int]] = []
    accents: list[str] = []
    cases: list[bool] = []
    for character in unicodedata.normalize("NFC", text).replace("i\u0307", "i"):
        lower = _lower(character, turkish=turkish)
        for letter, accent in _letters(lower, alphabet):
            letters.append(_weight(letter, alphabet))
            accents.append(accent)
            cases.append(character != lower)
    return tuple(letters), tuple(accents), tuple(cases), text


def _lower(character: str, *, turkish: bool) -> str:
    if turkish and character == "I":
        return "ı"
    if character == "İ":
        return "i"
    return character.lower()


def _letters(character: str, alphabet: str) -> list[tuple[str, str]]:
    """Return the alphabet's letters that stand for `character`, each with what was foreign about it."""
    if character in alphabet or not character.isalpha():
        return [(character, "")] if unicodedata.combining(character) == 0 else []
    base = unicodedata.normalize("NFD", character)[0]
    if base in alphabet:
        return [(base, character)]
    if unicodedata.name(character, "").startswith("LATIN"):  # ß, æ, ø, ł, đ, and ı outside Turkish
        return [(letter, character) for letter in anyascii(character).lower() if letter in alphabet]
    return [(character, "")]


def _weight(character: str, alphabet: str) -> tuple[int, int]:
    place = alphabet.find(character)
    if place >= 0:
        return _LETTER, place
    if character.isspace():
        return _SPACE, 0
    if character.isdecimal():
        return _DIGIT, unicodedata.decimal(character)
    return (_OTHER if character.isalpha() else _PUNCTUATION), ord(character)
