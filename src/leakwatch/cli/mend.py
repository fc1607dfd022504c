"""The verbs that mend: undo, quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from leakwatch.cli import output
from leakwatch.cli.options import AsJson, Config, opened

FAILED = 1  # a part could not be done, and trying again alone will not mend it
NOTHING_THERE = 1  # for a part of what was asked

quarantine_app = typer.Typer(no_args_is_help=True, help="Mails, people and alerts that are set aside.")


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command(name="undo")(undo)
    app.add_typer(quarantine_app, name="quarantine")


def undo(
    run: Annotated[
        str, typer.Option("--run", help="A run of capture, or the beginning of its id; see `leakwatch runs list`.")
    ],
    config: Config = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it. Without it nothing is written: what would be done is shown.")
    ] = False,
    release: Annotated[
        bool,
        typer.Option("--release", help="Let the next sync write again what an undo of this run took back, and stop."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take back what one run of capture wrote to Salesforce. What a person changed since stays."""
    if apply and release:
        raise typer.BadParameter("--release lets go what --apply took back: give one of them", param_hint="--release")
    with opened(config, quiet=True) as parts:
        from leakwatch.app.undoing import release_undone, run_undo
        from leakwatch.cli.mend_words import undo_lines

        if release:
            let_go = release_undone(parts, run)
            output.print_json(let_go) if as_json else typer.echo(
                f"released: {let_go.released} mails and meetings, which the next sync looks at again"
            )
            return
        found = run_undo(parts, run, dry_run=not apply)
        if as_json:
            output.print_json(found)
        else:
            typer.echo("\n".join(undo_lines(found)))
        if found.refused:
            raise typer.Exit(FAILED)
        if found.waiting:
            typer.echo("some could not be taken back for now: run the same command again later", err=True)
            raise typer.Exit(output.TRY_AGAIN)


@quarantine_app.command("list")
def quarantine_list(
    config: Config = None,
    dropped: Annotated[bool, typer.Option("--dropped", help="What was dropped instead, and for what reason.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what is set aside, with its reason: refused mails, people and alerts, mails that can't be had or read."""
    with opened(config, quiet=True) as parts:
        from leakwatch.app import quarantine

        found = quarantine.dropped(parts) if dropped else quarantine.quarantined(parts)
        if as_json:
            output.print_json(found)
            return
        rows = [(one.key, one.what, one.code, f"dropped: {one.dropped}" if dropped else one.reason) for one in found]
        nothing = "nothing was dropped" if dropped else "nothing is quarantined"
        typer.echo(output.table(["key", "what", "code", "reason"], rows) or nothing)


@quarantine_app.command("show")
def quarantine_show(
    key: Annotated[str, typer.Argument(help="A key from `quarantine list`.", show_default=False)],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show everything that is known of one thing that is set aside, and what can be done."""
    with opened(config, quiet=True) as parts:
        from leakwatch.app.quarantine import show
        from leakwatch.cli.mend_words import quarantine_lines

        found = show(parts, key)
        if as_json:
            output.print_json(found)
        else:
            typer.echo("\n".join(line for one in found for line in quarantine_lines(one, parts.zone)), nl=bool(found))
        _name_unknown(() if found else (key,))


Keys = Annotated[list[str], typer.Argument(help="Keys from `quarantine list`.", show_default=False)]


@quarantine_app.command("retry")
def quarantine_retry(keys: Keys, config: Config = None, as_json: AsJson = False) -> None:
    """Let the next sync try these mails and people again, the next act these alerts; also what was dropped."""
    with opened(config, quiet=True) as parts:
        from leakwatch.app.quarantine import release

        found = release(parts, keys)
        if as_json:
            output.print_json({"asked": len(keys), "released": found.total, "unknown": found.unknown})
        elif found.total:
            typer.echo(
                f"released: {found.mails} mails and {found.people} people, which the next sync tries again; "
                f"{found.alerts} alerts, which the next act plans anew"
            )
        _name_unknown(found.unknown)


@quarantine_app.command("drop")
def quarantine_drop(
    keys: Keys,
    reason: Annotated[str, typer.Option("--reason", help="Why; `explain` says so to whoever asks later.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Set these aside for good: they are never tried again. `quarantine retry` takes that back."""
    with opened(config, quiet=True) as parts:
        from leakwatch.app.quarantine import drop

        found = drop(parts, keys, reason)
        if as_json:
            output.print_json({"asked": len(keys), "dropped": found.total, "unknown": found.unknown})
        elif found.total:
            typer.echo(f"dropped: {found.mails} mails, {found.people} people, {found.alerts} alerts")
        _name_unknown(found.unknown)


def _name_unknown(keys: Sequence[str]) -> None:
    for key in keys:
        typer.echo(f"error: nothing is quarantined as {key}; see leakwatch quarantine list", err=True)
    if keys:
        raise typer.Exit(NOTHING_THERE)
