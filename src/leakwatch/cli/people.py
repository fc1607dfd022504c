"""The verb that looks at people: who talks to us and is not in Salesforce."""

from __future__ import annotations

from typing import Annotated

import typer

from leakwatch.cli import output
from leakwatch.cli.options import AsJson, Config, opened


def register(app: typer.Typer) -> None:
    """Add this module's command to `app`."""
    app.command(name="unmatched")(unmatched)


def unmatched(
    domain: Annotated[
        str | None, typer.Argument(help="A mail domain: list its people one by one.", show_default=False)
    ] = None,
    config: Config = None,
    days: Annotated[int, typer.Option(min=1, help="Mails of so many days back.")] = 90,
    limit: Annotated[int, typer.Option(min=1, help="So many domains, those with the most people first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List who talked to you and is not in Salesforce, by mail domain."""
    with opened(config, quiet=True) as parts:
        from leakwatch.app.unmatched import unmatched_people
        from leakwatch.cli.people_words import unmatched_lines

        found = unmatched_people(parts, days=days, domain=domain)
        if as_json:
            output.print_json(found)
        else:
            typer.echo("\n".join(unmatched_lines(found, limit=limit, one=domain is not None, zone=parts.zone)))
