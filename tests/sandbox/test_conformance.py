"""docs/sandbox.md says what the tests hold, no more and no less."""

from __future__ import annotations

from sandbox import conformance


def test_the_page_is_up_to_date() -> None:
    text = conformance.PAGE.read_text(encoding="utf-8")
    assert text == conformance.page(text), "run `make conformance-table`"


def test_every_test_of_the_org_names_its_source_or_is_about_the_sandbox_itself() -> None:
    ours = {f"test_org_{name}.py" for name in ("agenda", "foundations", "state", "trouble", "witness")}
    named = {row.file for _, rows in conformance.behaviours() for row in rows}
    silent = {path.name for path in (conformance.TESTS / "org").glob("test_*.py")} - named - ours
    assert not silent, "say where it is documented: pytest.mark.documented, see tests/sandbox/conformance.py"
