"""The verbs: sync, mirror, audit, act, report, plan, apply, run. Each does one flow once, or the daemon all of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from leakwatch.cli import output
from leakwatch.cli.options import (
    AsJson,
    Config,
    DryRun,
    Language,
    Quiet,
    clock_from,
    iso_day,
    jobs_of,
    opened,
    settings_from,
)
from leakwatch.errors import LeakwatchError

if TYPE_CHECKING:
    from leakwatch.jobs import JobStatus

COULD_NOT_LOOK = ("switched_off", "failed", "skipped", "not_run")  # states of a rule in the report's result
FAILED = 1  # a part could not be done, and trying again alone will not mend it
FINDINGS_FOUND = 4  # exit code of --fail-on
SEVERITIES = ("low", "medium", "high", "critical")

Severity = Literal["low", "medium", "high", "critical"]


def register(app: typer.Typer) -> None:
    """Add this module's commands to `app`."""
    for command in (sync, mirror, audit, act, report, plan, apply, run):
        app.command(name=command.__name__)(command)


def sync(
    config: Config = None,
    dry_run: DryRun = False,
    mailbox: Annotated[list[str] | None, typer.Option(help="Only this mailbox; may be given again.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Judge again what an exclusion kept out, after you loosened one.")
    ] = False,
    allow_deletes: Annotated[
        int | None,
        typer.Option(
            "--allow-deletes", min=1, help="Let so many deletions go this time, if that many at once are held back."
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Read the mailboxes and log what belongs to somebody in Salesforce."""
    with opened(config, quiet=quiet) as parts:
        from leakwatch.app.capturing import run_capture

        found = run_capture(
            parts,
            dry_run=dry_run,
            only=mailbox or (),
            full=full,
            retry_parked=True,
            allow_deletes=allow_deletes,
            progress=output.progress(quiet=quiet),
        )
        if as_json:
            output.print_json(found)
        else:
            from leakwatch.cli.words import capture_lines

            typer.echo("\n".join(capture_lines(found)))
        if found.mailboxes_failed:
            typer.echo("some mailboxes could not be read to the end: run the same command again later", err=True)
            raise typer.Exit(output.TRY_AGAIN)
        if found.held_deletions and not dry_run:
            raise typer.Exit(FAILED)


def mirror(
    config: Config = None,
    full: Annotated[bool, typer.Option("--full", help="Read every object whole, not only what changed.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be asked and how many calls it takes; rows are only counted."),
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Copy what the rules need from Salesforce and publish a snapshot. Reads only."""
    with opened(config, quiet=quiet) as parts:
        from leakwatch.app.mirroring import plan_refresh, run_mirror
        from leakwatch.cli.words import mirror_plan_lines

        if dry_run:
            plan = plan_refresh(parts, full=full)
            if as_json:
                output.print_json({**output.plain(plan), "rows": plan.rows, "calls": plan.calls})
            else:
                typer.echo("\n".join(mirror_plan_lines(plan)))
            return

        found = run_mirror(parts, full=full)
        if as_json:
            output.print_json(found)
            return
        rows = [
            (table.sobject, table.rows, table.deleted, "whole" if table.whole else "changes") for table in found.tables
        ]
        typer.echo(output.table(["object", "rows read", "deleted", "read"], rows))
        for table in found.tables:
            if table.note:
                typer.echo(f"! {table.note}", err=True)
            if table.missing_fields:
                typer.echo(f"! {table.sobject}: not in this org: {', '.join(table.missing_fields)}", err=True)
        if found.snapshot is not None:
            typer.echo(f"\nsnapshot {found.snapshot.snapshot_id}; {parts.client.calls} API calls")


def audit(
    config: Config = None,
    export: Annotated[
        list[Path] | None,
        typer.Option(help="Audit a Salesforce Data Export instead: a folder, a ZIP, several ZIPs or CSV files."),
    ] = None,
    more: Annotated[list[Path] | None, typer.Argument(help="More files of the export.", show_default=False)] = None,
    as_of: Annotated[
        date | None,
        typer.Option(parser=iso_day, metavar="YYYY-MM-DD", help="With --export: look from the end of this day."),
    ] = None,
    language: Language = None,
    out: Annotated[Path | None, typer.Option(help="With --export: where the report is written.")] = None,
    record_url: Annotated[
        str | None,
        typer.Option(
            "--record-url",
            help="With --export: your org's address, so that records in the report are links, "
            "e.g. https://yourcompany.lightning.force.com.",
        ),
    ] = None,
    fail_on: Annotated[
        Severity | None, typer.Option(help="Exit with 4 on open findings at or above this severity.")
    ] = None,
    accept_shrunk: Annotated[
        bool, typer.Option("--accept-shrunk", help="Believe a table that lost most of its rows, or all.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run the rules: on the mirror (findings are kept), or once on the files of a Data Export (nothing is kept)."""
    if export or more:
        paths = [*(export or ()), *(more or ())]
        _audit_export(config, paths, as_of, language, out, record_url, fail_on, as_json=as_json, quiet=quiet)
        return
    if as_of is not None or out is not None or record_url is not None:
        raise typer.BadParameter(
            "they go with --export; a mirror is always judged as it is", param_hint="--as-of, --out, --record-url"
        )
    with opened(config, quiet=quiet) as parts:
        from leakwatch.app.auditing import run_audit
        from leakwatch.app.looking import open_findings
        from leakwatch.cli.words import audit_lines

        found = run_audit(parts, dry_run=dry_run, accept_shrunk=accept_shrunk)
        if as_json:
            output.print_json(
                {
                    "snapshot": found.snapshot_id,
                    "snapshot_at": found.snapshot_at,
                    "dry_run": found.dry_run,
                    "rules": found.rules,
                }
            )
        else:
            typer.echo("\n".join(audit_lines(found, parts.clock.now())))
        if any(rule.error for rule in found.rules):
            typer.echo("a rule failed: its findings are held as they are; see leakwatch rules test", err=True)
            raise typer.Exit(FAILED)
        if found.stale:
            typer.echo("the mirror is too old: run leakwatch mirror, then leakwatch audit again", err=True)
            raise typer.Exit(output.TRY_AGAIN)
        if fail_on and any(_at_least(finding.severity.value, fail_on) for finding in open_findings(parts)):
            raise typer.Exit(FINDINGS_FOUND)


def _audit_export(
    config: Path | None,
    paths: list[Path],
    as_of: date | None,
    language: str | None,
    out: Path | None,
    record_url: str | None,
    fail_on: str | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    overrides: dict[str, Any] = {}
    if language:
        overrides["company"] = {"language": language}
    given = {"folder": out.absolute() if out is not None else None, "record_url": record_url}
    overrides["report"] = {name: value for name, value in given.items() if value is not None}
    with opened(config, overrides=overrides, quiet=True) as parts:
        from leakwatch.app.reporting import export_result, write_files
        from leakwatch.report.text import render_text

        try:
            result = export_result(parts, paths, as_of=as_of)
        except LeakwatchError as error:
            error.add_note("Nothing was judged and nothing is kept. Correct the export, then run the command again.")
            raise
        if as_json:
            output.print_json(result)
        else:
            typer.echo(render_text(result), nl=False)
        if out is not None or not as_json:
            _say_files(write_files(parts, result, f"leakwatch-export-{result['as_of']}"), quiet=quiet)
        if all(rule["status"] in COULD_NOT_LOOK for rule in result["rules"]):
            typer.echo(
                "no rule had anything to look at in this export, so nothing can be said of it: see above why", err=True
            )
            raise typer.Exit(FAILED)
        if fail_on and any(_at_least(finding["severity"], fail_on) for finding in result["findings"]):
            raise typer.Exit(FINDINGS_FOUND)


def _at_least(severity: str, bound: str) -> bool:
    return SEVERITIES.index(severity) >= SEVERITIES.index(bound)


def _say_files(files: Any, *, quiet: bool, label: str = "report") -> None:
    if not quiet:
        for name in ("html", "csv", "excel_csv", "json"):
            path = getattr(files, name)
            if path is not None:
                typer.echo(f"{label}: {path}", err=True)


def act(config: Config = None, dry_run: DryRun = False, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Tell people about findings (Tasks, Chatter posts) and close what was mended, as far as it is switched on."""
    with opened(config, quiet=quiet) as parts:
        from leakwatch.app.auditing import run_act
        from leakwatch.app.looking import user_names
        from leakwatch.app.mirroring import latest_snapshot
        from leakwatch.cli.words import act_lines, snapshot_words

        found = run_act(parts, dry_run=dry_run)
        if as_json:
            output.print_json(found)
        else:
            typer.echo("\n".join(act_lines(found, user_names(parts) if dry_run else {})))
            typer.echo(snapshot_words(latest_snapshot(parts), parts.clock.now()))
        if found.failed and not found.dry_run:
            typer.echo(
                "some were refused: mend the reason, then release them with leakwatch quarantine retry. Their owners "
                "do not count as told",
                err=True,
            )
            raise typer.Exit(FAILED)
        if found.unsent and not found.dry_run:
            raise typer.Exit(output.TRY_AGAIN)


def report(
    config: Config = None,
    week_to: Annotated[
        date | None,
        typer.Option(parser=iso_day, metavar="YYYY-MM-DD", help="Last day of the week; default: yesterday."),
    ] = None,
    language: Language = None,
    out: Annotated[Path | None, typer.Option(help="Folder; default: report.folder.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the report and name the files, without writing any.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write the weekly report: HTML, CSV and the JSON result they are made from."""
    overrides: dict[str, Mapping[str, Any]] = {}
    if language:
        overrides["company"] = {"language": language}
    if out is not None:
        overrides["report"] = {"folder": out.absolute()}
    with opened(config, overrides=overrides, quiet=quiet) as parts:
        from leakwatch.app.reporting import files_of, week_stem, weekly_result, write_files
        from leakwatch.report.text import render_text

        today = parts.clock.now().astimezone(parts.zone).date()
        if week_to is not None and week_to > today:
            raise typer.BadParameter(f"{week_to} is still to come: today is {today}", param_hint="--week-to")
        result = weekly_result(parts, as_of=week_to)
        files = (files_of if dry_run else write_files)(parts, result, week_stem(result))
        if as_json:
            output.print_json(result)
        else:
            typer.echo(render_text(result), nl=False)
        _say_files(files, quiet=quiet, label="would write" if dry_run else "report")


def plan(
    config: Config = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the plan to this file.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show what all flows would write to Salesforce now. Writes nothing there."""
    with opened(config, quiet=quiet) as parts:
        from leakwatch.app.planning import make_plan, save_plan
        from leakwatch.cli.words import plan_lines

        found = make_plan(parts)
        if out is not None:
            save_plan(found, out)
        if as_json:
            output.print_json(found)
        else:
            typer.echo("\n".join(plan_lines(found)))
        if out is not None and not quiet:
            typer.echo(f"plan: {out}; carry it out with: leakwatch apply {out}", err=True)


def apply(
    file: Annotated[Path, typer.Argument(help="A plan written by `leakwatch plan -o`.")],
    config: Config = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write exactly what a plan shows; what is no longer as planned is left out and named."""
    with opened(config, quiet=quiet) as parts:
        from leakwatch.app.planning import apply_plan, load_plan
        from leakwatch.cli.words import applied_lines

        found = apply_plan(parts, load_plan(file))
        if as_json:
            output.print_json(found)
        else:
            typer.echo("\n".join(applied_lines(found)))
        if found.refused:
            typer.echo("some were refused; see leakwatch quarantine list", err=True)
            raise typer.Exit(FAILED)


def run(
    config: Config = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print its process, store and jobs as JSON once it is ready; log JSON lines only."),
    ] = False,
) -> None:
    """Run the daemon: the jobs of `jobs/` when they are due, until SIGTERM."""
    with output.handled():
        from leakwatch import daemon, log
        from leakwatch.app.auditing import exceptions
        from leakwatch.app.building import Parts
        from leakwatch.app.daily import flow_runner
        from leakwatch.app.pushing import push_of
        from leakwatch.clock import SystemClock
        from leakwatch.jobs import Early

        settings = settings_from(config)
        log.configure(level=settings.log.level, json=as_json or None)
        clock = clock_from(settings)
        jobs = jobs_of(settings)
        with Parts(settings, clock=clock) as parts:
            _ = parts.loaded_rules, tuple(exceptions(parts))  # every fault is told now, not at six in the morning
        store = settings.store.folder
        push = push_of(settings, clock, SystemClock())
        spacing = timedelta(seconds=settings.google.push.spacing_seconds)
        early = Early("capture", push.has_news, spacing) if push is not None else None

        def ready(statuses: Sequence[JobStatus]) -> None:
            if push is not None:
                push.listen()
            if as_json:
                output.print_json({"pid": os.getpid(), "store": store, "jobs": [_timetable(one) for one in statuses]})

        runner = flow_runner(settings, clock, push)
        code = daemon.run(jobs, runner, clock=clock, store_folder=store, on_ready=ready, early=early)
        raise typer.Exit(code)


def _timetable(one: JobStatus) -> Mapping[str, Any]:
    names = ("job", "flow", "schedule", "time_zone", "next_due")
    return {name: getattr(one, name) for name in names}
