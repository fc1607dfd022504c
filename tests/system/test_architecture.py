"""ARCHITECTURE.md says what is there: each promise's tests, each module's place, the layers that are checked."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "src" / "leakwatch"
PROMISES = 8  # rows of the table: none is dropped quietly
OUTSIDE_THE_LAYERS = {"sandbox", "rules"}  # a program of its own, and data


def section(title: str) -> str:
    """Return the text under a heading."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no heading {title!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Return the cells of a table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def modules() -> set[str]:
    """Return the top-level modules and packages of the source."""
    names = {path.stem for path in PACKAGE.glob("*.py")}
    names |= {path.name for path in PACKAGE.iterdir() if any(path.glob("*.py")) or any(path.glob("*.yaml"))}
    return {name for name in names if not name.startswith("_")}


HELD_BY = [(promise, test) for promise, tests in rows(section("The promises, and what holds each"))
           for test in re.findall(r"`([^`]+::[^`]+)`", tests)]  # fmt: skip


def test_every_promise_names_one_to_three_tests() -> None:
    table = rows(section("The promises, and what holds each"))
    assert len(table) == PROMISES
    assert all(1 <= len(re.findall(r"`[^`]+::test_\w+`", tests)) <= 3 for _, tests in table)


@pytest.mark.parametrize(("promise", "test"), HELD_BY, ids=[test.split("::")[1][:60] for _, test in HELD_BY])
def test_a_test_that_holds_a_promise_is_there_and_asserts_something(promise: str, test: str) -> None:
    file, name = test.split("::")
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    assert len(found) == 1, f"{promise}: {test} is not there"
    skips = [ast.unparse(mark) for mark in found[0].decorator_list if "skip" in ast.unparse(mark)]
    assert skips == []
    assert any(isinstance(node, ast.Assert) for node in ast.walk(found[0])), f"{test} asserts nothing"


def test_every_module_has_its_place_on_the_map_and_nothing_else_has() -> None:
    named = {
        name.rstrip("/").removesuffix(".py")
        for place, *_ in rows(section("Where things are"))
        for name in re.findall(r"`([\w/.]+)`", place)
    }
    assert named == modules()


def test_the_layers_named_are_those_that_are_checked() -> None:
    block = re.search(r"```\n(cli .*?)```", section("Where things are"), re.DOTALL)
    assert block is not None
    named = [{name.strip() for name in layer.split(",")} for layer in block[1].split(">")]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    [checked] = [contract for contract in settings["contracts"] if contract["type"] == "layers"]
    assert named == [{name.strip() for name in layer.split("|")} for layer in checked["layers"]]
    assert checked["exhaustive"]
    assert set().union(*named) | OUTSIDE_THE_LAYERS == modules()
