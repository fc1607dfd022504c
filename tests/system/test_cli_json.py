"""What `--json` prints: whatever the flows return, as JSON that other programs read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from leakwatch.cli.output import print_json


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Box:
    content: Any
    lid: bool = True


def printed(value: Any, capsys) -> Any:
    print_json(value)
    return json.loads(capsys.readouterr().out)


def test_decimals_dates_and_paths_are_text(capsys):
    value = {
        "amount": Decimal("1250.50"),
        "at": datetime(2026, 3, 31, 6, 0, 0, 500_000, tzinfo=UTC),
        "day": date(2026, 3, 31),
        "file": Path("report.html"),
    }
    assert printed(value, capsys) == {
        "amount": "1250.50", "at": "2026-03-31T06:00:00.500000+00:00", "day": "2026-03-31", "file": "report.html",
    }  # fmt: skip


def test_nouns_are_mappings_however_deep_they_lie(capsys):
    assert printed([Box({"inner": Box(Colour.RED)})], capsys) == [
        {"content": {"inner": {"content": "red", "lid": True}}, "lid": True}
    ]


def test_keys_that_are_no_text_become_text(capsys):
    value = {Colour.RED: 1, 7: 2, date(2026, 1, 2): MappingProxyType({"x": None})}
    assert printed(value, capsys) == {"red": 1, "7": 2, "2026-01-02": {"x": None}}


def test_sets_come_in_order_and_tuples_are_lists(capsys):
    assert printed({"set": frozenset("cab"), "tuple": (1, 2)}, capsys) == {"set": ["a", "b", "c"], "tuple": [1, 2]}


def test_letters_stay_letters(capsys):
    print_json({"name": "Şirket ₺"})
    assert capsys.readouterr().out == '{\n  "name": "Şirket ₺"\n}\n'
