"""What the project says of itself: dependencies, locks, unit and container files."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-image.lock")
UNSAFE = [sys.executable, str(ROOT / ".ci" / "refuse_unsafe_files.py")]


def direct_dependencies() -> set[str]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    names = {re.split(r"[<>=!~ ]", line)[0] for group in groups for line in group}
    return names - {"leakwatch[test]"}


def pinned(lock: str) -> set[str]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    return {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.MULTILINE)}


def test_every_direct_dependency_has_its_reason_and_no_reason_is_left_over() -> None:
    text = (ROOT / "docs/decisions/0001-dependencies.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([^`]+)` \| \S", text, re.MULTILINE)) == direct_dependencies()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) > 90
    assert all(re.match(r"[A-Za-z0-9_.-]+==\S+", entry) and "--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"://|index-url|find-links|file:|^-e", text, re.MULTILINE)


def test_locks_hold_every_direct_dependency_and_agree_with_each_other() -> None:
    def names(group: list[str]) -> set[str]:
        return {re.split(r"[\[<>=!~ ]", line)[0].lower() for line in group}

    runtime, extras = names(PROJECT["dependencies"]), PROJECT["optional-dependencies"]
    assert runtime <= pinned("requirements-image.lock") < pinned("requirements.lock") | {"editables"}
    assert runtime | names(extras["test"]) <= pinned("requirements.lock") < pinned("requirements-dev.lock")
    assert (names(extras["dev"]) - {"leakwatch"}) | names(extras["bench"]) <= pinned("requirements-dev.lock")
    assert "pytest" not in pinned("requirements-image.lock")
    versions = [set(re.findall(r"^\S+==\S+", (ROOT / lock).read_text(), re.MULTILINE)) for lock in LOCKS]
    assert versions[2] <= versions[0] <= versions[1]


def test_decisions_are_all_listed_on_their_first_page() -> None:
    folder = ROOT / "docs/decisions"
    listed = re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(path.name for path in folder.glob("[0-9]*.md"))


def test_commit_hooks_are_all_local_and_run_what_is_there() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks)


def test_container_sample_runs_without_root_and_without_rights() -> None:
    service = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["leakwatch"]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "ports" not in service
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "\nUSER 10001:10001\n" in dockerfile
    assert 'CMD ["leakwatch", "status", "--probe"]' in dockerfile


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        ("-----BEGIN " + "PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA\n", "private key"),
        ('{"private_' + 'key": "-----BEGIN ...', "private key"),
        ("x" * 1_000_001, "1,000,001 bytes"),
        ("-----BEGIN CERTIFICATE-----\nMIID\n", None),
    ],
    ids=["key", "service account", "large", "certificate"],
)
def test_unsafe_file_is_refused_by_the_hook_with_its_reason(content: str, refused: str | None, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(content, encoding="utf-8")
    result = subprocess.run([*UNSAFE, str(path)], capture_output=True, text=True, check=False)
    assert result.returncode == (1 if refused else 0)
    assert (refused or "") in result.stderr
