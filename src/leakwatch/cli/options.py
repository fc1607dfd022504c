"""Options that many commands share, and how a command opens its parts."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leakwatch.cli import output

if TYPE_CHECKING:
    from leakwatch.app.building import Parts
    from leakwatch.config import Settings

DEFAULT_CONFIG = Path("leakwatch.yaml")

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; default: $LEAKWATCH_CONFIG, else ./leakwatch.yaml if there."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done; store and write nothing.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no hints.")]
Language = Annotated[str | None, typer.Option("--language", help="en or tr; default: company.language.")]


def settings_from(config: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of `config`, of $LEAKWATCH_CONFIG, or of ./leakwatch.yaml, in this order.

    Raises:
        ConfigError: with every problem of the file.
    """
    from leakwatch import config as settings

    path = config or (Path(os.environ["LEAKWATCH_CONFIG"]) if os.environ.get("LEAKWATCH_CONFIG") else None)
    if path is None and DEFAULT_CONFIG.exists():
        path = DEFAULT_CONFIG
    return settings.load(path, overrides)


@contextmanager
def opened(config: Path | None, *, overrides: Mapping[str, Any] | None = None, quiet: bool = False) -> Generator[Parts]:
    """Yield the parts that the configuration builds; errors become one clear message and an exit code."""
    with output.handled():
        from leakwatch import log
        from leakwatch.app.building import Parts

        settings = settings_from(config, overrides)
        log.configure(level="ERROR" if quiet else "WARNING")  # the daemon logs at log.level; a command prints
        with Parts(settings) as parts:
            yield parts
