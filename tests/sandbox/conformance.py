"""The conformance table of docs/sandbox.md, read off the tests of the sandbox's Salesforce side.

A test says where the behaviour that it holds is documented:

    pytestmark = pytest.mark.documented("REST API Developer Guide, sObject Rows")   # the whole module
    @pytest.mark.documented("SOQL and SOSL Reference, Date Formats", settled=False)  # one test, before the module's
    @pytest.mark.documented(guess="the code of the refusal")                # one test; the source is the module's

Its name is the behaviour, in words. `settled=False` marks what no document settles: the sandbox's answer is a guess.
`guess` names the part that is one where the rest is documented. Nothing is run here: that a row holds is what the
test command shows.

    make conformance-table   # writes it into the page
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import leakwatch.sandbox.org.rest as rest
from leakwatch.sandbox.org.rest.http import router

TESTS = Path(__file__).parent
FOLDERS = (TESTS / "org", TESTS / "property")
CODE = TESTS.parents[1] / "src/leakwatch/sandbox/org"
PAGE = TESTS.parents[1] / "docs/sandbox.md"
BEGIN, END = "<!-- conformance: begin -->", "<!-- conformance: end -->"
MARK = "documented"
GUESS = "a guess: no document settles it"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a behaviour is documented, and whether the document settles it."""

    text: str
    settled: bool = True
    guess: str = ""
    """The part that no document settles, where the rest is settled."""

    @property
    def holds(self) -> str:
        """What the table says: that the behaviour holds, and how sure it is."""
        if not self.settled:
            return GUESS
        return f"yes; a guess: {self.guess}" if self.guess else "yes"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one test holds."""

    words: str
    source: Source
    file: str


def behaviours(folders: Iterable[Path] = FOLDERS) -> Iterator[tuple[str, list[Behaviour]]]:
    """Yield each test module's title with its behaviours, in the order of the file; modules by folder and name."""
    for path in (one for folder in folders for one in sorted(folder.rglob("test_*.py"))):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        whole = next((found for node in tree.body if (found := _module_mark(node)) is not None), None)
        rows = [
            Behaviour(_words(node.name), source, path.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name.startswith("test_")
            and (source := _source(node, whole)) is not None
        ]
        if rows:
            title = (ast.get_docstring(tree) or path.stem).splitlines()[0].rstrip(".")
            yield title, rows


def not_emulated() -> list[str]:
    """What the sandbox answers with SANDBOX_NOT_EMULATED, in its own words; variable parts stand as `…`."""
    found: set[str] = set()
    for path in CODE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "not_emulated" and node.args:
                text = _literal(node.args[0])
                if text:
                    found.add(text)
    for module in iter_modules(rest.__path__):
        import_module(f"{rest.__name__}.{module.name}")  # each names what it lacks
    return sorted(found | set(router.not_emulated()), key=str.casefold)


def table() -> str:
    """The generated part of docs/sandbox.md."""
    lines: list[str] = []
    total = guesses = partly = 0
    for title, rows in behaviours():
        usual, _ = Counter(row.source.text for row in rows).most_common(1)[0]
        lines += ["", f"### {title}", "", f"Source, where a row names no other: {usual}.", ""]
        lines += ["| behaviour | holds |", "|---|---|"]
        for row in rows:
            total += 1
            guesses += not row.source.settled
            partly += bool(row.source.settled and row.source.guess)
            other = f" ({row.source.text})" if row.source.text != usual else ""
            lines.append(f"| {row.words}{other} | {row.source.holds} |")
    lines += ["", "### Not emulated", "", "Each answers 501 `SANDBOX_NOT_EMULATED` and names itself.", ""]
    lines += [f"- {what}" for what in not_emulated()]
    head = (
        f"{total} behaviours hold, each by the test of that name in `tests/sandbox/org` or `tests/sandbox/property`; "
        f"{guesses} are guesses, and of {partly} more a part is one."
    )
    return "\n".join([BEGIN, head, *lines, END])


def page(text: str) -> str:
    """`text`, the page, with its generated part brought up to date."""
    start, end = text.index(BEGIN), text.index(END) + len(END)
    return text[:start] + table() + text[end:]


def _source(node: ast.FunctionDef | ast.AsyncFunctionDef, otherwise: Source | None) -> Source | None:
    own = next((found for one in node.decorator_list if (found := _mark(one)) is not None), otherwise)
    return own if own is None or own.text or otherwise is None else replace(own, text=otherwise.text)


def _module_mark(node: ast.stmt) -> Source | None:
    if not (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "pytestmark"):
        return None
    marks = node.value.elts if isinstance(node.value, ast.List) else [node.value]
    return next((found for one in marks if (found := _mark(one)) is not None), None)


def _mark(node: ast.expr) -> Source | None:
    if not (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == MARK):
        return None
    given = {one.arg: ast.literal_eval(one.value) for one in node.keywords}
    text = str(ast.literal_eval(node.args[0])) if node.args else ""
    return Source(text, bool(given.get("settled", True)), str(given.get("guess", "")))


def _words(name: str) -> str:
    return re.sub(r"\bsoql\b", "SOQL", name.removeprefix("test_").replace("_", " "))


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values)
    return ""


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
