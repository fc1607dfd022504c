"""The daemon's flows: what a scheduled job runs, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from leakwatch import log
from leakwatch.app.auditing import run_act, run_audit
from leakwatch.app.building import Parts
from leakwatch.app.capturing import run_capture
from leakwatch.app.google_parts import GoogleParts
from leakwatch.app.mirroring import refresh_if_older, run_mirror
from leakwatch.app.pacing import pacing_of
from leakwatch.app.pushing import Push
from leakwatch.app.reporting import week_stem, weekly_result, write_files
from leakwatch.app.streams import live_mailboxes
from leakwatch.clients.limiter import Limiter
from leakwatch.clock import SystemClock
from leakwatch.config import Settings
from leakwatch.errors import SafetyError
from leakwatch.model import Run
from leakwatch.ports import Clock

# A capture every five minutes need not read the org each time: the mirror job does, every quarter of an hour. Where it
# did not (it failed, or has another timetable), captures and audits refresh the mirror themselves.
MIRROR_MAX_AGE = timedelta(minutes=20)

KNOWN_OPTIONS: Mapping[str, frozenset[str]] = {
    "capture": frozenset(),
    "mirror": frozenset({"full"}),
    "audit": frozenset(),
    "act": frozenset(),
    "report": frozenset(),
}


def flow_runner(
    settings: Settings, clock: Clock, push: Push | None = None
) -> Callable[[str, Mapping[str, Any], Callable[[], bool]], Run]:
    """Return what the job engine calls. It calls one flow at a time; each opens its parts and closes them.

    Pacing outlives them: a pause that a provider asked for, and what was spent, count for the next job too. So does
    `push`, which says what a capture need not read.
    """
    pacing = pacing_of(settings, SystemClock())

    def run_flow(flow: str, options: Mapping[str, Any], should_stop: Callable[[], bool]) -> Run:
        with Parts(settings, clock=clock) as parts:
            _one(parts, flow, options, should_stop, pacing, push)
            return parts.runs.latest(flow, limit=1)[0]

    return run_flow


def _one(
    parts: Parts,
    flow: str,
    options: Mapping[str, Any],
    should_stop: Callable[[], bool],
    pacing: Limiter,
    push: Push | None = None,
) -> None:
    match flow:
        case "capture":
            if parts.settings.reads_mail:
                google = GoogleParts(parts, pacing, push)
                live = live_mailboxes(parts)
                for some in (live, ()) if live else ((),):
                    run_capture(parts, only=some, google=google, should_stop=should_stop, mirror_max_age=MIRROR_MAX_AGE)
            else:
                _note_idle(parts, flow)
        case "mirror":
            run_mirror(parts, full=bool(options.get("full")), should_stop=should_stop)
        case "audit":
            refresh_if_older(parts, MIRROR_MAX_AGE, should_stop=should_stop)
            run_audit(parts)
        case "act":
            run_act(parts)
        case "report":
            with parts.run("report") as note:
                result = weekly_result(parts)
                files = write_files(parts, result, week_stem(result))
                note.complete = True
            log.get(__name__).info(log.Event.REPORT_WRITTEN, path=str(files.html))
        case _:
            raise SafetyError(f"no flow is called {flow!r}")


def _note_idle(parts: Parts, flow: str) -> None:
    with parts.run(flow) as note:
        note.complete = True
