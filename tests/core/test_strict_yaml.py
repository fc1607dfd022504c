"""YAML read strictly: each fault with file and line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from leakwatch.core import strict_yaml
from leakwatch.errors import ConfigError


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    grace_days: int = 0


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    inner: Inner = Inner()
    items: list[Inner] = []


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        strict_yaml.validate(Outer, strict_yaml.parse(text, name="file.yaml"))
    return caught.value.problems


def test_an_unknown_key_is_told_with_file_line_and_the_nearest_known_key() -> None:
    assert problems("name: x\ninner:\n  grace_day: 3\n") == [
        "file.yaml, line 3: unknown key `inner.grace_day` (did you mean `grace_days`?)"
    ]


def test_every_fault_is_told_at_once() -> None:
    found = problems("nam: x\nitems:\n  - grace_days: many\n")
    assert len(found) == 3
    assert any("line 1" in text and "did you mean `name`?" in text for text in found)
    assert any("`name` is missing" in text for text in found)
    assert any("line 3" in text and "grace_days" in text for text in found)


def test_a_key_given_twice_is_an_error_instead_of_a_silent_loss() -> None:
    assert problems("name: x\nname: y\n") == ["file.yaml, line 2: the key `name` is given twice"]


def test_broken_yaml_is_told_with_its_line() -> None:
    assert problems("name: x\ninner: [\n")[0].startswith("file.yaml, line 3: not valid YAML")


def test_on_and_off_are_words_and_numbers_with_a_point_are_exact() -> None:
    data = strict_yaml.parse("on: off\nshare: 0.10\nyes: true\n", name="x").data
    assert data == {"on": "off", "share": Decimal("0.10"), "yes": True}


def test_a_record_id_of_digits_stays_text_instead_of_turning_octal() -> None:
    data = strict_yaml.parse("id: 006000000000001\ncount: 12\nzero: 0\nminus: -3\n", name="x").data
    assert data == {"id": "006000000000001", "count": 12, "zero": 0, "minus": -3}


def test_a_file_that_is_no_utf8_or_not_there_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with pytest.raises(ConfigError, match=r"x\.yaml"):
        strict_yaml.read(path)
    path.write_bytes(b"name: \xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        strict_yaml.read(path)


def test_a_date_that_does_not_exist_is_refused() -> None:
    assert "file.yaml" in problems("name: 2026-02-30\n")[0]


def test_an_alias_bomb_is_refused_at_its_first_alias() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    with pytest.raises(ConfigError, match=r"bomb.yaml, line 2: aliases \(\*a\) are not taken"):
        strict_yaml.parse("\n".join(lines), name="bomb.yaml")


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "[" * 20_000, "a: " * 3 + "{" * 20_000, "x" * 2_000_001])
def test_what_refers_to_itself_or_is_nested_or_long_beyond_reason_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError, match=r"deep\.yaml"):
        strict_yaml.parse(text, name="deep.yaml")
