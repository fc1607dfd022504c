"""Options that many commands share, and how a command opens its parts."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

import typer

from leakwatch.cli import output

if TYPE_CHECKING:
    from leakwatch.app.building import Parts
    from leakwatch.config import Settings
    from leakwatch.jobs import Job
    from leakwatch.ports import Clock

LOOPBACK = ("localhost", "127.0.0.1")
DEFAULT_CONFIG = Path("leakwatch.yaml")

_OTHER_DAYS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y")


def iso_day(text: str) -> date:
    """Return the day that `text` names as YYYY-MM-DD.

    Raises:
        typer.BadParameter: it is written otherwise, or there is no such day; the message shows the form that is taken.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        example = "2026-12-31"
        for form in _OTHER_DAYS:
            with suppress(ValueError):
                example = datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007  a day has no zone
                break
        raise typer.BadParameter(f"{text!r} is no day. Write it as YYYY-MM-DD, such as {example}.") from None


Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; default: $LEAKWATCH_CONFIG, else ./leakwatch.yaml if there."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Show what would be done: nothing is written to Salesforce, no mail, finding or message is stored.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no hints.")]
Language = Annotated[
    Literal["en", "tr"] | None, typer.Option("--language", help="Language of the report; default: company.language.")
]


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


def clock_from(settings: Settings) -> Clock:
    """Return the time to work by: the machine's, or the one $LEAKWATCH_NOW begins (a sandbox has a time of its own).

    Raises:
        ConfigError: $LEAKWATCH_NOW is set for anything but a sandbox on this machine, or is no moment.
    """
    from leakwatch.clock import ShiftedClock, SystemClock
    from leakwatch.errors import ConfigError

    said = os.environ.get("LEAKWATCH_NOW")
    if not said:
        return SystemClock()
    if urlsplit(settings.salesforce.login_url).hostname not in LOOPBACK:
        raise ConfigError(
            f"LEAKWATCH_NOW is set, but {settings.salesforce.login_url} is no sandbox on this machine. Nothing was "
            "done. Unset it: with a real org only the real time will do."
        )
    try:
        return ShiftedClock(datetime.fromisoformat(said))
    except ValueError as error:
        raise ConfigError(
            f"LEAKWATCH_NOW is {said!r}, which is no moment with a zone. Nothing was done. Write it like "
            "2026-03-16T03:00:00Z."
        ) from error


def jobs_of(settings: Settings) -> Sequence[Job]:
    """Return the daemon's jobs: those of `jobs_folder`, or the shipped ones.

    Raises:
        ConfigError: with every fault of every job.
    """
    from leakwatch.app.daily import KNOWN_OPTIONS
    from leakwatch.config import shipped
    from leakwatch.jobs import load_jobs

    folder = settings.jobs_folder or shipped("jobs")
    return load_jobs(folder, org_time_zone=settings.company.time_zone, known_options=KNOWN_OPTIONS)


@contextmanager
def opened(config: Path | None, *, overrides: Mapping[str, Any] | None = None, quiet: bool = False) -> Generator[Parts]:
    """Yield the parts that the configuration builds; errors become one clear message and an exit code."""
    with output.handled():
        from leakwatch import log
        from leakwatch.app.building import Parts
        from leakwatch.clock import SystemClock

        settings = settings_from(config, overrides)
        log.configure(level="ERROR" if quiet else "WARNING")  # the daemon logs at log.level; a command prints
        with Parts(settings, clock=clock_from(settings), wall=SystemClock()) as parts:
            yield parts
