"""docs/sandbox.md says what the tests hold, no more and no less."""

from __future__ import annotations

from pathlib import Path

from sandbox import conformance


def test_the_page_is_up_to_date() -> None:
    text = conformance.PAGE.read_text(encoding="utf-8")
    assert text == conformance.page(text), "run `make conformance-table`"


def test_every_test_of_the_org_names_its_source_or_is_about_the_sandbox_itself() -> None:
    ours = {f"test_org_{name}.py" for name in ("agenda", "foundations", "state", "trouble", "witness")}
    named = {row.file for _, rows in conformance.behaviours() for row in rows}
    silent = {path.name for folder in conformance.FOLDERS for path in folder.glob("test_*.py")} - named - ours
    assert not silent, "say where it is documented: pytest.mark.documented, see tests/sandbox/conformance.py"


def test_a_row_says_which_part_of_it_is_a_guess(tmp_path: Path) -> None:
    module = """
pytestmark = pytest.mark.documented("Guide")
def test_a(): ...
@pytest.mark.documented(guess="the code")
def test_b(): ...
@pytest.mark.documented("Help", settled=False)
def test_c(): ...
"""
    (tmp_path / "test_some.py").write_text(module, encoding="utf-8")
    ((_, rows),) = conformance.behaviours([tmp_path])
    assert [(row.words, row.source.text, row.source.holds) for row in rows] == [
        ("a", "Guide", "yes"),
        ("b", "Guide", "yes; a guess: the code"),
        ("c", "Help", conformance.GUESS),
    ]
