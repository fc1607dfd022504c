"""The story that is killed: eleven days of the world `small`, of which four are lived, command by command."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from system.crash.images import Image, photographed
from system.crash.theatre import Facts, Leak, Theatre, difference

# Day 0 logs the backfill and finds the baseline, of which nobody is told. Day 3 has new mail and new leaks: Tasks and a
# post. Day 10 has fixed and escalated ones: Tasks are closed. `sync` is `mirror` and then `capture`.
DAYS = (0, 3, 7, 10)
COMMANDS = ("mirror", "capture", "mirror again", "audit", "act")
KILLED = {
    0: ("capture", "audit"),
    3: ("mirror", "capture", "mirror again", "audit", "act"),
    10: ("capture", "audit", "act"),
}
WRITING = frozenset({"capture", "act"})


@dataclass(slots=True)
class Scene:
    """One command of one day: the state before it is kept by the name `title`; the rest is how it ended undisturbed."""

    day: int
    step: str
    points: list[str]
    result: dict[str, int]
    labels: dict[str, str]
    org: Facts
    facts: Facts
    images: list[Image]

    @property
    def title(self) -> str:
        return title_of(self.day, self.step)

    @property
    def command(self) -> str:
        return self.step.split()[0]

    @property
    def writes(self) -> bool:
        """Whether this command may write to Salesforce."""
        return self.command in WRITING


@dataclass(slots=True)
class Story:
    """The undisturbed run, with the leaks (rule, record id) that each day's audit saw and the world says are there."""

    scenes: list[Scene] = field(default_factory=list)
    seen: dict[int, set[Leak]] = field(default_factory=dict)
    planted: dict[int, set[Leak]] = field(default_factory=dict)

    def scene(self, day: int, step: str) -> Scene:
        return next(scene for scene in self.scenes if (scene.day, scene.step) == (day, step))


def title_of(day: int, step: str) -> str:
    """Return the name under which the state before a command is kept."""
    return f"day {day} {step}".replace(" ", "-")


def live_through(theatre: Theatre) -> Story:
    """Play every day once, undisturbed, keeping the state before each command that will be killed, and how it ended."""
    story = Story()
    for day in DAYS:
        theatre.day(day)
        for step in COMMANDS:
            killed = step in KILLED.get(day, ())
            title = title_of(day, step)
            images: list[Image] = []
            if killed:
                theatre.save(title)
                ended, images = photographed(theatre, step.split()[0], title)
            else:
                ended = theatre.run(step.split()[0])
            assert ended.exit == 0, f"{title} ended with {ended.exit or ended.signal}: {ended.words}"
            if step == "audit":
                story.seen[day], story.planted[day] = theatre.leaks_seen(), theatre.leaks_planted()
            if killed:
                org, labels = theatre.org()
                facts = theatre.facts(labels, mirror=step.startswith("mirror"))
                story.scenes.append(Scene(day, step, ended.points, ended.result, labels, org, facts, images))
    return story


def what_differs(theatre: Theatre, scene: Scene) -> list[str]:
    """Return in words how the present state differs from the undisturbed end of `scene`."""
    org, labels = theatre.org() if scene.writes else (scene.org, scene.labels)
    facts = theatre.facts(labels, mirror=scene.command == "mirror")
    return difference(scene.org, org) + difference(scene.facts, facts)


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that are not zero."""
    return {name: value for name, value in result.items() if value}
