"""docs/chaos.md names a test for each fault, and each test that it names is there and asserts something."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "chaos.md").read_text(encoding="utf-8")
ROWS = {"A": 14, "B": 10, "C": 21, "E": 10, "G": 12, "H": 14}  # of the fault matrix: transport to content
PROPERTIES = 10


def rows(title: str) -> list[list[str]]:
    """Return the cells of the table under a heading, without its head."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    lines = [line for line in found[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@cache
def functions_of(file: str) -> dict[str, ast.FunctionDef]:
    """Return the functions of a test file by name."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def checks_something(file: str, node: ast.FunctionDef) -> bool:
    """Return whether it asserts, expects an error, or calls a function of its file that does."""
    words = ast.unparse(node)
    if "assert" in words or "pytest.raises" in words:
        return True
    called = {one.func.id for one in ast.walk(node) if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)}
    return any("assert" in ast.unparse(one) for name, one in functions_of(file).items() if name in called)


def test_each_fault_has_its_row_once_and_in_order() -> None:
    numbers = [row[0] for row in rows("Fault by fault")]
    assert numbers == [f"{letter}{n}" for letter, count in ROWS.items() for n in range(1, count + 1)]
    assert len(rows("However it goes wrong, the org ends as the mailboxes say")) == PROPERTIES


def test_each_row_names_tests_that_are_there_or_says_why_there_is_none() -> None:
    missing: list[str] = []
    for row in (*rows("Fault by fault"), *rows("However it goes wrong, the org ends as the mailboxes say")):
        named = re.findall(r"`([^`:]+)::(\w+)`", row[-1])
        if not named and not re.fullmatch(r"\*.{10,}\*", row[-1]):
            missing.append(f"{row[0]}: neither a test nor a reason")
        for file, name in named:
            node = functions_of(file).get(name)
            if node is None or not checks_something(file, node):
                missing.append(f"{row[0]}: {file}::{name}")
    assert missing == []
