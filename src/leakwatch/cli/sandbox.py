"""`leakwatch demo` and `leakwatch sandbox`: both start the sandbox as the program it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from leakwatch.cli import output

_MAX_PORT = 65_535
_PORT = "0: the port of before, or a free one."
sandbox_app = typer.Typer(no_args_is_help=True, help="The emulated Salesforce org, Google Workspace and Microsoft 365.")


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    app.command(name="demo")(demo)
    app.add_typer(sandbox_app, name="sandbox")


def demo(
    world: Annotated[str, typer.Option(help="small, medium, large, or a world file of yours.")] = "small",
    seed: Annotated[int, typer.Option(help="Seed of a generated world.")] = 7,
    days: Annotated[
        int | None,
        typer.Option(help="Simulated days; default: as many as the world has, 14 where it says none.", min=1, max=60),
    ] = None,
    mail: Annotated[
        Path | None, typer.Option(help="Import an mbox file into a sandbox mailbox and capture it.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where state and reports are kept; emptied first.")] = Path("demo"),
    language: Annotated[Literal["en", "tr"], typer.Option(help="Language of Tasks, posts and reports.")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")] = False,
) -> None:
    """Play two weeks on the sandbox: capture, audit, alerts, fixes, an escalation and the weekly report."""
    with output.handled():
        from leakwatch import log
        from leakwatch.demo.mail import run_mail
        from leakwatch.demo.stage import DemoOptions
        from leakwatch.demo.story import run_story
        from leakwatch.demo.words import mail_lines, story_lines

        log.configure(level="ERROR")
        options = DemoOptions(folder.resolve(), world=world, seed=seed, days=days, language=language)
        if mail is not None:
            outcome = run_mail(options, mail, progress=output.progress())
            lines = mail_lines(outcome)
        else:
            outcome = run_story(options, progress=output.progress())
            lines = story_lines(outcome)
        output.print_json(outcome) if as_json else typer.echo("\n".join(lines))
        if not outcome.as_expected:
            raise typer.Exit(1)


@sandbox_app.command("serve")
def serve(  # noqa: PLR0913, PLR0917  each is an option of the command line
    folder: Annotated[
        Path, typer.Option("--dir", help="Where its state lives; the same one goes on where it stopped.")
    ] = Path("sandbox"),
    world: Annotated[
        str | None,
        typer.Option(
            help="What a new folder plays: small, medium, large, million, or a world file of yours. Default: small."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of a generated world. Default: 7.")] = None,
    scale: Annotated[
        float, typer.Option(help="Share of a generated world: --world million --scale 0.01 has 10,000 deals.")
    ] = 1.0,
    mailboxes: Annotated[
        Literal["google", "microsoft", "both"], typer.Option(help="Whose mailboxes a generated world has.")
    ] = "google",
    mail: Annotated[Path | None, typer.Option(help="Import an mbox file into one more mailbox.")] = None,
    salesforce_port: Annotated[
        int, typer.Option("--port", "--salesforce-port", help=f"The org's port. {_PORT}", min=0, max=_MAX_PORT)
    ] = 0,
    login_port: Annotated[int, typer.Option(help=f"The login host's port. {_PORT}", min=0, max=_MAX_PORT)] = 0,
    google_port: Annotated[int, typer.Option(help=_PORT, min=0, max=_MAX_PORT)] = 0,
    microsoft_port: Annotated[
        int, typer.Option(help=f"Of Microsoft Graph and Entra's token endpoint. {_PORT}", min=0, max=_MAX_PORT)
    ] = 0,
    control_port: Annotated[int, typer.Option(help=_PORT, min=0, max=_MAX_PORT)] = 0,
    proxy_port: Annotated[
        int | None,
        typer.Option(
            help="Serve a proxy that brings login.salesforce.com and *.my.salesforce.com to the sandbox, for clients "
            f"that hard-code these names. Default: none. {_PORT}",
            min=0,
            max=_MAX_PORT,
        ),
    ] = None,
    google: Annotated[
        bool, typer.Option(help="Serve Google Workspace and Microsoft 365 too, or the org alone.")
    ] = True,
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Plain HTTP, for tools that can't be given a CA.")
    ] = False,
    info: Annotated[
        Path | None, typer.Option(help="Write here too what to connect to and with what: JSON, for your eyes only.")
    ] = None,
    deploy: Annotated[bool, typer.Option(help="Deploy leakwatch's own fields, or leave them out.")] = True,
    quota: Annotated[
        Literal["real", "legacy", "generous", "off"], typer.Option(help="Quota of Gmail, Calendar and Graph.")
    ] = "generous",
    reset: Annotated[bool, typer.Option("--reset", help="Forget the folder's state; keep its keys and ports.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what it serves as JSON once it is ready, without any secret.")
    ] = False,
) -> None:
    """Start the emulators alone and serve until Ctrl-C. What to connect to stands in DIR/sandbox.json."""
    arguments = ["--dir", str(folder), "--quota", quota]
    arguments += [] if world is None else ["--world", world]
    arguments += [] if seed is None else ["--seed", str(seed)]
    arguments += [] if scale == 1.0 else ["--scale", str(scale)]
    ports = {"salesforce": salesforce_port, "login": login_port, "google": google_port, "control": control_port}
    ports |= {"microsoft": microsoft_port} if microsoft_port else {}
    ports |= {} if proxy_port is None else {"proxy": proxy_port}
    arguments += [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]
    arguments += [] if mailboxes == "google" else ["--mailboxes", mailboxes]
    arguments += [] if google else ["--no-google"]
    arguments += ["--insecure-http"] if insecure_http else []
    arguments += ["--info", str(info)] if info is not None else []
    arguments += ["--mail", str(mail)] if mail is not None else []
    arguments += [] if deploy else ["--no-deploy"]
    arguments += ["--reset"] if reset else []
    arguments += ["--json"] if as_json else []
    command = [sys.executable, "-m", "leakwatch.sandbox", "serve", *arguments]
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606  the sandbox is a program of its own: signals and exit code are its own
