"""The verbs that look: status, explain, doctor, runs, rules, config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from leakwatch.cli import output
from leakwatch.cli.options import AsJson, Config, clock_from, jobs_of, opened, settings_from

UNHEALTHY = 1

rules_app = typer.Typer(no_args_is_help=True, help="Look at the rules, check and test them.")
config_app = typer.Typer(no_args_is_help=True, help="Look at the settings.")
runs_app = typer.Typer(no_args_is_help=True, help="What each run did, and every write it made.")


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    for command in (status, explain, doctor):
        app.command(name=command.__name__)(command)
    app.add_typer(runs_app, name="runs")
    app.add_typer(rules_app, name="rules")
    app.add_typer(config_app, name="config")


def status(
    config: Config = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Say only whether the daemon is healthy; exit 1 if not.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show mailboxes, mirror, findings, jobs and what waits."""
    if probe:
        with output.handled():
            from leakwatch.daemon import probe as ask

            settings = settings_from(config)
            healthy, words = ask(settings.store.folder, clock_from(settings))
            output.print_json({"healthy": healthy, "words": words}) if as_json else typer.echo(words)
            raise typer.Exit(0 if healthy else UNHEALTHY)
    with opened(config, quiet=True) as parts:
        from leakwatch.app.looking import status_of
        from leakwatch.cli.words import status_lines
        from leakwatch.jobs import read_status

        found, jobs = status_of(parts), read_status(parts.settings.store.folder)
        if as_json:
            output.print_json({**output.plain(found), "jobs": output.plain(jobs)})
        else:
            typer.echo("\n".join(status_lines(found, jobs, zone=parts.zone, now=parts.clock.now())))


def explain(
    term: Annotated[
        str,
        typer.Argument(
            help="A Message-ID, a provider id, a Salesforce id (a record, or an alert's or a mail's Task), an e-mail "
            "address, a finding's fingerprint, or an alert's key."
        ),
    ],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Say why something is in Salesforce, or why it is not."""
    with opened(config, quiet=True) as parts:
        from leakwatch.app.looking import explain_term
        from leakwatch.cli.words import explanation_lines

        found = explain_term(parts, term)
        if as_json:
            output.print_json(found)
        else:
            typer.echo("\n".join(explanation_lines(found, term, parts.zone)))
        if found.is_empty:
            raise typer.Exit(1)


def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Check settings, tokens, permissions, the key field and a sample mailbox; say how to mend what is wrong."""
    with opened(config, quiet=True) as parts:
        from leakwatch.app.doctoring import examine
        from leakwatch.cli.words import check_lines

        checks = examine(parts)
        if as_json:
            output.print_json(checks)
        else:
            typer.echo("\n".join(check_lines(checks)))
        bad = [check for check in checks if check.state == "bad"]
        if bad:
            raise typer.Exit(bad[0].exit_code)


@runs_app.command("list")
def runs_list(
    config: Config = None,
    flow: Annotated[
        Literal["capture", "mirror", "audit", "act", "report", "undo"] | None,
        typer.Option(help="Only runs of this flow."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the latest runs."""
    with opened(config, quiet=True) as parts:
        found = parts.runs.latest(flow, limit=limit)
        if as_json:
            output.print_json(found)
            return
        rows = [(run.run_id, run.finished_at, run.complete, run.dry_run, run.error or "") for run in found]
        typer.echo(output.table(["run", "finished", "complete", "dry run", "error"], rows) or "no run yet")


@runs_app.command("show")
def runs_show(
    run_id: Annotated[str, typer.Argument(help="A run's id, or its beginning.", show_default=False)],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show what one run counted, and every write it made or tried."""
    with opened(config, quiet=True) as parts:
        from leakwatch.app.looking import show_run
        from leakwatch.cli.words import run_lines

        found = show_run(parts, run_id)
        if as_json:
            output.print_json(found)
        else:
            typer.echo("\n".join(run_lines(found)))


@rules_app.command("list")
def rules_list(config: Config = None, as_json: AsJson = False) -> None:
    """List the rules with their mode, severity and thresholds."""
    with opened(config, quiet=True) as parts:
        rules = parts.rules
        if as_json:
            output.print_json(rules)
            return
        language = parts.settings.company.language
        rows = [
            (rule.id, rule.title.get(language), rule.severity.value, rule.mode.value, _params(rule.params))
            for rule in rules
        ]
        typer.echo(output.table(["rule", "title", "severity", "mode", "settings"], rows))


def _params(values: object) -> str:
    return ", ".join(f"{name}={value}" for name, value in dict(values).items())  # type: ignore[call-overload]


@rules_app.command("test")
def rules_test(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder of your rules; default: the rules of the configuration.", show_default=False),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Lint the rules and run the tests inside them."""
    with opened(config, quiet=True) as parts:
        from leakwatch.app.looking import test_rules
        from leakwatch.cli.words import rule_test_lines

        results = test_rules(parts, folder)
        if as_json:
            output.print_json(results)
        else:
            typer.echo("\n".join(rule_test_lines(results)))
        if any(result.problems for result in results):
            raise typer.Exit(1)


@rules_app.command("schema")
def rules_schema(as_json: AsJson = False) -> None:
    """Print the JSON Schema of a rule file, for your editor."""
    del as_json  # it is nothing else
    from leakwatch.rule_engine.schema import rule_schema

    output.print_json(rule_schema())


@rules_app.command("forecast")
def rules_forecast(config: Config = None, as_json: AsJson = False) -> None:
    """Say how many Tasks each rule would give each rep per week, before you switch it on."""
    with opened(config, quiet=True) as parts:
        from leakwatch.app.looking import noise_forecast

        found = noise_forecast(parts)
        if as_json:
            output.print_json(found)
            return
        language = parts.settings.company.language
        typer.echo("\n".join(rule.sentence.get(language) for rule in found.rules))


@config_app.command("sample")
def config_sample(
    which: Annotated[
        Literal["settings", "mirror", "overrides", "exceptions"], typer.Argument(help="Which of the files.")
    ] = "settings",
    as_json: AsJson = False,
) -> None:
    """Print every setting with its default, or a file that a setting names, as a file to copy."""
    from leakwatch.cli.config_sample import sample
    from leakwatch.config import shipped

    text = sample() if which == "settings" else (shipped("config") / f"{which}.yaml").read_text(encoding="utf-8")
    if as_json:
        from leakwatch.core import strict_yaml

        output.print_json(strict_yaml.parse(text, name=which).data)
    else:
        typer.echo(text, nl=False)


@config_app.command("check")
def config_check(config: Config = None, as_json: AsJson = False) -> None:
    """Read settings, mirror, rules, exceptions and jobs, and report every fault. Asks no service."""
    with opened(config, quiet=True) as parts:
        from leakwatch.app.checking import check_files

        found = check_files(parts, {"jobs": lambda: jobs_of(parts.settings)})
        if as_json:
            output.print_json(found)
        else:
            words = ", ".join(f"{count} {name}" for name, count in found.items())
            typer.echo(f"the configuration is good: {words}")


@config_app.command("schema")
def config_schema(as_json: AsJson = False) -> None:
    """Print the JSON Schema of the settings, for your editor."""
    del as_json  # it is nothing else
    from leakwatch.config import Settings

    output.print_json(Settings.model_json_schema())
