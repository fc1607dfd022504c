"""Random rows of some objects, and how each of their values must be read again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from random import Random
from typing import Any

KEY = "Key__c"
#: Pieces of text that something on the way may trip over: JSON, CSV, SOQL, URLs, HTML, Unicode.
PIECES = (
    *"abcXYZ019 \t'\"\\/,;|&<>%_+=?#@{}[]()$^`~*:.-",
    *(
        "İ",
        "ı",
        "ş",
        "Ğ",
        "é",
        "e\u0301",
        "ß",
        "ﬁ",
        "中文",
        "עברית",
        "\u200f",
        "\u2028",
        "\u00a0",
        "\ufeff",
        "💥",
        "👩‍👧",
    ),
    *("null", "NULL", "true", "\\n", "\\u0041", "' OR '1'='1", "--", "<b>&amp;</b>", "${x}", "=1+1", '""', "%27"),
)
LINE_BREAK = "\n"


@dataclass(frozen=True, slots=True)
class Kind:
    """Values of one type of field: how one is made, and what is read where it was written."""

    make: Callable[[Random], Any]
    kept: Callable[[Any], Any] = lambda value: value
    plain: bool = False
    """Whether CSV has it as JSON does: a number or a truth value."""


def _text(most: int, *, lines: bool = False, required: bool = False) -> Kind:
    def make(random: Random) -> str | None:
        if not required and random.random() < 0.1:
            return random.choice([None, "", "  "])
        pieces = [*PIECES, LINE_BREAK] if lines else PIECES
        text = "".join(random.choices(pieces, k=random.choice([1, 5, 40])))
        text = text.replace("@{", "@ {")  # in Composite that is a reference
        text = f"x{text}" if required else text
        return text[: most - 1] if random.random() < 0.9 else text[:most].ljust(most, "ş")

    return Kind(make, lambda text: (text or "").strip() or None)  # blanks around a text go


def _instant(random: Random) -> str:
    zone = timezone(timedelta(minutes=15 * random.randint(-48, 56)))
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randint(0, 4_000_000_000))
    return moment.astimezone(zone).isoformat(timespec=random.choice(["seconds", "milliseconds"]))


def _kept_instant(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _number(digits: int, scale: int) -> Kind:
    def make(random: Random) -> float | int | None:
        if random.random() < 0.1:
            return None
        whole = random.randint(-(10 ** random.randint(1, digits)) + 1, 10 ** random.randint(1, digits) - 1)
        return whole / 10**scale if scale else whole

    return Kind(make, plain=True)


DATE = Kind(lambda random: (date(1700, 1, 1) + timedelta(days=random.randint(0, 800_000))).isoformat())
INSTANT = Kind(_instant, _kept_instant)
BOOLEAN = Kind(lambda random: random.random() < 0.5, plain=True)
OBJECTS: dict[str, dict[str, Kind]] = {
    "Account": {
        "Name": _text(255, required=True),
        "Site": _text(80),
        "Description": _text(32_000, lines=True),
        "AnnualRevenue": _number(15, 0),
        "NumberOfEmployees": _number(8, 0),
    },
    "Opportunity": {
        "Name": _text(120, required=True),
        "StageName": Kind(lambda random: random.choice(["Prospecting", "Closed Won", "Closed Lost"])),
        "CloseDate": DATE,
        "Amount": _number(14, 2),
        "IsPrivate": BOOLEAN,
        "Description": _text(32_000, lines=True),
    },
    "Contact": {
        "LastName": _text(80, required=True),
        "Birthdate": DATE,
        "Description": _text(32_000, lines=True),
    },
    "Event": {
        "Subject": _text(255, required=True),
        "StartDateTime": INSTANT,
        "DurationInMinutes": Kind(lambda random: random.randint(0, 1_440), plain=True),
        "Description": _text(32_000, lines=True),
    },
}


def row(random: Random, sobject: str) -> dict[str, Any]:
    """A row to be written, as JSON has it."""
    made = {name: kind.make(random) for name, kind in OBJECTS[sobject].items()}
    assert json.loads(json.dumps(made)) == made
    return made


def kept(sobject: str, written: dict[str, Any]) -> dict[str, Any]:
    """The same row as every way of reading must give it."""
    return {name: OBJECTS[sobject][name].kept(value) for name, value in written.items()}


def is_plain(sobject: str, name: str) -> bool:
    """Whether a field's values are numbers or truth values."""
    kind = OBJECTS[sobject].get(name)
    return kind is not None and kind.plain
