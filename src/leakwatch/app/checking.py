"""`leakwatch config check`: every file of the configuration read, every fault reported at once. Asks no service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized

from leakwatch.app.auditing import exceptions
from leakwatch.app.building import Parts
from leakwatch.config import check_secret_file
from leakwatch.errors import ConfigError


def check_files(parts: Parts, more: Mapping[str, Callable[[], Sized]] | None = None) -> dict[str, int]:
    """Return how many mirrored objects, rules, exceptions and secrets are well formed; `more` names further readers.

    Raises:
        ConfigError: with the problems of every file. Rules can't be judged while the mirror's file is broken.
    """
    problems: list[str] = []
    found: dict[str, int] = {}

    def count(name: str, read: Callable[[], Sized]) -> bool:
        try:
            found[name] = len(read())
        except ConfigError as error:
            problems.extend(problem for problem in error.problems if problem not in problems)
            return False
        return True

    if count("mirrored objects", lambda: parts.mirror_config.objects) and count("rules", lambda: parts.loaded_rules):
        count("exceptions", lambda: tuple(exceptions(parts)))
    for name, read in {"secret files": lambda: _secret_files(parts), **(more or {})}.items():
        count(name, read)
    if problems:
        raise ConfigError(problems)
    return found


def _secret_files(parts: Parts) -> list[str]:
    """Return the names of the settings that name a secret file.

    Raises:
        ConfigError: one is missing or may be read by others.
    """
    named = {
        "salesforce.private_key_file": parts.settings.salesforce.private_key_file,
        "google.service_account_file": parts.settings.google.service_account_file,
        "microsoft.certificate_file": parts.settings.microsoft.certificate_file,
    }
    there = {name: path for name, path in named.items() if path is not None}
    problems = [problem for name, path in there.items() for problem in check_secret_file(path, name)]
    if problems:
        raise ConfigError(problems)
    return list(there)
