"""docs/requirements.md says what is there: each requirement has a test that is there, or a paper that decides."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "requirements.md"
TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
PAPER = re.compile(r"\[[\w.]+\]\(([\w./-]+\.md)\)(?: (\d+)| \"([^\"]+)\")?")
ROWS = 100  # at least: none is dropped quietly


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "| requirement |" not in line]


@cache
def functions_of(file: str) -> Mapping[str, ast.FunctionDef]:
    path = ROOT / "tests" / file
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def is_there(file: str, number: str, words: str) -> bool:
    path = PAGE.parent / file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    wanted = rf"^{number}\. " if number else rf"\*\*{re.escape(words)}" if words else "."
    return re.search(wanted, text, re.MULTILINE) is not None


def test_every_requirement_is_held_by_a_test_or_decided_on_a_paper() -> None:
    table = rows()
    assert len(table) >= ROWS
    faults = [
        title
        for _, title, held_by, status in table
        if not {"held": TEST, "decided": PAPER}.get(status, re.compile("(?!)")).search(held_by)
    ]
    assert faults == []


def test_each_test_and_paper_that_a_requirement_names_is_there() -> None:
    named = " ".join(held_by for _, _, held_by, _ in rows())
    missing = [f"{file}::{name}" for file, name in TEST.findall(named) if name not in functions_of(file)]
    missing += [f"{file} {number}{words}" for file, number, words in PAPER.findall(named)
                if not is_there(file, number, words)]  # fmt: skip
    assert missing == []
    skipped = [f"{file}::{name}" for file, name in TEST.findall(named)
               for mark in functions_of(file)[name].decorator_list if "skip" in ast.unparse(mark)]  # fmt: skip
    assert skipped == []
