"""The command line: parse arguments, call one function, print. Data on standard output, everything else on error.

Each command imports what it needs when it runs, so that `leakwatch --help` stays quick. Exit codes: 0 ok, 1 failure,
2 usage, 3 configuration or credentials, 4 findings at or above --fail-on, 75 temporary (try again), 130 interrupted.
"""

from __future__ import annotations

import os
import sys

import typer

from leakwatch import __version__
from leakwatch.cli import flows, look, mend, people, sandbox
from leakwatch.cli.output import INTERRUPTED

app = typer.Typer(
    name="leakwatch",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals hold tokens
    rich_markup_mode=None,
    help="Finds the money a sales team loses quietly in Salesforce, and tells the person who can mend it.",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"leakwatch {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and stop.", callback=_version, is_eager=True
    ),
) -> None:
    del version


flows.register(app)
look.register(app)
mend.register(app)
people.register(app)
sandbox.register(app)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(INTERRUPTED)  # threads may still wait for a slow answer; flows survive an end at any point
        raise
