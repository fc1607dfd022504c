"""What a scheduled job is: one YAML file in the jobs folder, read strictly."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter
from pydantic import BaseModel, ConfigDict, Field

from leakwatch.core import strict_yaml
from leakwatch.errors import ConfigError

Flow = Literal["capture", "mirror", "audit", "act", "report"]
FLOWS: tuple[str, ...] = get_args(Flow)
ORG_TIME_ZONE = "org"  # in a file: the company's own zone, from company.time_zone

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,39}$")
_DURATION = re.compile(r"^(\d{1,4})(s|m|h)$")
_CHANCE = re.compile(r"(?i)^[hr](?:[/(]|$)")  # croniter's hashed and random fields: a timetable is not drawn by lot
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LONGEST = timedelta(hours=24)
_NEVER_PROBED_FROM = datetime(2027, 1, 1)  # noqa: DTZ001  any fixed moment: "does this schedule ever fire?"


@dataclass(frozen=True, slots=True)
class Job:
    """A flow with its timetable. `name` is the file's name; renaming the file makes another job."""

    name: str
    flow: str  # capture | mirror | audit | act | report
    schedule: str  # five cron fields: minute, hour, day of month, month, day of week
    time_zone: str  # IANA name in which the schedule is read
    timeout: timedelta  # after so long the flow is asked to stop where it can go on later
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    enabled: bool = True


class _JobFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    flow: Flow
    schedule: str
    time_zone: str = ORG_TIME_ZONE
    timeout: str = "1h"
    options: dict[str, Any] = Field(default_factory=dict[str, Any])
    enabled: bool = True


def load_jobs(
    folder: Path, *, org_time_zone: str = "UTC", known_options: Mapping[str, Collection[str]] | None = None
) -> tuple[Job, ...]:
    """Return the jobs in `folder` (`*.yaml`), by name.

    `org_time_zone` stands for `time_zone: org`. `known_options` names the options each flow takes; without it, options
    are not checked.

    Raises:
        ConfigError: the folder can't be read, or any file is at fault; all problems of all files at once.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder of jobs; set jobs_folder, or leave it out for ours")
    jobs: list[Job] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*.y*ml")):
        try:
            jobs.append(_load(path, org_time_zone, known_options))
        except ConfigError as error:
            problems += error.problems
    if not jobs and not problems:
        problems.append(f"{folder}: holds no job (*.yaml); the daemon would have nothing to do")
    if problems:
        raise ConfigError(problems)
    return tuple(jobs)


def _load(path: Path, org_time_zone: str, known_options: Mapping[str, Collection[str]] | None) -> Job:
    document = strict_yaml.read(path)
    spec = strict_yaml.validate(_JobFile, document)
    problems: list[str] = []
    if path.suffix != ".yaml":
        problems.append(f"{path}: name it {path.stem}.yaml")
    if not _NAME.match(path.stem):
        problems.append(f"{path}: a job's file name is lower-case letters, digits and _, at most 40, e.g. mirror.yaml")
    zone = org_time_zone if spec.time_zone == ORG_TIME_ZONE else spec.time_zone
    problems += [f"{document.at(('schedule',))}: {text}" for text in _schedule_problems(spec.schedule)]
    problems += [f"{document.at(('time_zone',))}: {text}" for text in _zone_problems(zone)]
    timeout = _duration(spec.timeout)
    if timeout is None:
        problems.append(f"{document.at(('timeout',))}: `timeout` is a whole number and s, m or h, from 1s to 24h")
    problems += _option_problems(spec, document, known_options)
    if problems or timeout is None:
        raise ConfigError(problems)
    return Job(
        name=path.stem,
        flow=spec.flow,
        schedule=" ".join(spec.schedule.split()),
        time_zone=zone,
        timeout=timeout,
        options=spec.options,
        enabled=spec.enabled,
    )


def _schedule_problems(schedule: str) -> list[str]:
    fields = schedule.split()
    if len(fields) != 5:  # croniter would also take seconds, years and @daily; one spelling is enough to know
        return [f"`schedule` has five fields (minute hour day month weekday), got {len(fields)} in {schedule!r}"]
    if not croniter.is_valid(schedule) or any(_CHANCE.match(part) for part in fields):
        return [f"`schedule` {schedule!r} is not a cron line; an example: 0 7 * * 1 is Monday 07:00"]
    try:
        croniter(schedule, _NEVER_PROBED_FROM).get_next(datetime)
    except ValueError:
        return [f"`schedule` {schedule!r} never comes"]
    return []


def _zone_problems(zone: str) -> list[str]:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [f"`time_zone` {zone!r} is unknown; use an IANA name such as Europe/Istanbul, or org"]
    return []


def _duration(text: str) -> timedelta | None:
    match = _DURATION.match(text)
    if match is None:
        return None
    span = timedelta(seconds=int(match[1]) * _UNIT_SECONDS[match[2]])
    return span if timedelta(0) < span <= _LONGEST else None


def _option_problems(
    spec: _JobFile, document: strict_yaml.Document, known_options: Mapping[str, Collection[str]] | None
) -> list[str]:
    if known_options is None:
        return []
    known = sorted(known_options.get(spec.flow, ()))
    takes = f"; it takes: {', '.join(known)}" if known else "; it takes none"
    return [
        f"{document.at(('options', option))}: the flow {spec.flow} has no option `{option}`"
        f"{strict_yaml.nearest(option, known) or takes}"
        for option in spec.options
        if option not in known
    ]
