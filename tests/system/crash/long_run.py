"""The long run of crash tests: as many cases as asked for, each repeatable by its name.

    make crash ARGS="--cases 30000 --seed 1"                  some hours; goes on where it stopped when called again
    make crash ARGS="--seed 1 --case 3/capture-3/trouble/17"  one case once more, in words

Worlds are drawn by the seed, one after the other, three mailboxes each; every other one enters people in Salesforce. In
each world four days are lived; each day's capture and the undoing of the first are killed at every fault point, then in
chains of two to five kills, then amid faults. Which case is which follows from the seed alone, not from the number
of processes. Results are kept in `build/crash/seed-N/`, one line of JSON for each scene that is through.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import shutil
import signal
import sqlite3
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakwatch.app.building import STATE_FILE
from system.crash.cases import Case, Undisturbed, chain, play, single, trouble, undisturbed
from system.crash.company import Company, Setting, memory_folder
from system.crash.emulated import dice_of

DAYS = (0, 3, 6, 10)
KEPT = Path(__file__).parents[3] / "build" / "crash"
MOST_SHOWN = 40  # lines of one failure


@dataclass(frozen=True, slots=True)
class Scene:
    """A command in the state that a story has come to."""

    title: str
    command: str


def scenes(company: Company) -> Iterator[Scene]:
    """Live the story, stopping before each scene. What is played of a scene must not change the company."""
    for day in DAYS:
        company.day(day)
        company.well("mirror")
        company.emulated.settle()
        yield Scene(f"capture-{day}", "capture")
        company.well("capture")
        company.emulated.settle()
        if day == 0:
            yield Scene("undo-0", f"undo {_latest_run(company)}")


def _latest_run(company: Company) -> str:
    with closing(sqlite3.connect(company.state / STATE_FILE)) as connection:
        rows = connection.execute("SELECT run_id FROM runs WHERE flow = 'capture' ORDER BY started_at DESC LIMIT 1")
        return str(rows.fetchone()[0])


def cases_of(name: str, points: int) -> Iterator[tuple[str, Case]]:
    """Yield the cases of a scene by name: one kill at each point, and as many chains and troubles as points."""
    for place in range(1, points + 1):
        yield f"single/{place}", single(place)
    for kind, draw in (("chain", chain), ("trouble", trouble)):
        for number in range(1, points + 1):
            yield f"{kind}/{number}", draw(points, dice_of(name, kind, number))


class Worker:
    """One process of the long run."""

    def __init__(self, options: argparse.Namespace, number: int, counts: mmap.mmap) -> None:
        self.options, self.number, self._counts = options, number, counts
        self.kept = KEPT / f"seed-{options.seed}"
        self.folder = Path(tempfile.mkdtemp(prefix="leakwatch-long-", dir=memory_folder()))

    def tried(self) -> int:
        """Return how many cases all processes have tried."""
        return sum(struct.unpack(f"{len(self._counts) // 8}Q", self._counts[:]))

    def _count(self, more: int) -> None:
        place = 8 * (1 + self.number)
        (before,) = struct.unpack("Q", self._counts[place : place + 8])
        self._counts[place : place + 8] = struct.pack("Q", before + more)

    def work(self, done: set[tuple[int, str]]) -> None:
        """Take one world after the other, as long as there are too few cases."""
        number = self.number
        try:
            while self.tried() < self.options.cases:
                self._world(number, done)
                number += self.options.processes
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _world(self, world: int, done: set[tuple[int, str]]) -> None:
        company = company_of(self.folder / str(world), self.options.seed, world)
        for scene in scenes(company):
            if (world, scene.title) in done:
                continue
            if self.tried() >= self.options.cases:
                break
            self._write(self._scene(company, world, scene))
        shutil.rmtree(company.folder)

    def _scene(self, company: Company, world: int, scene: Scene) -> dict[str, Any]:
        began, tally = time.process_time() + _children(), Counter[str]()
        told = company.apart(undisturbed, scene.command)
        failures = [{"case": f"{world}/{scene.title}", "words": told["wrong"]}] if told.pop("wrong") else []
        wanted = Undisturbed(**told)
        for name, case in cases_of(f"{self.options.seed}/{world}/{scene.title}", len(wanted.points)):
            if self.tried() >= self.options.cases:
                break
            played = played_safely(company, scene, case, wanted)
            tally[name.split("/", 1)[0]] += 1
            tally["kills"] += played["kills"]
            tally.update({f"fault: {one}": 1 for one in (*case.faults, *case.oddities)})
            if played["wrong"]:
                failures.append({"case": f"{world}/{scene.title}/{name}", "words": [case.words, *played["wrong"]]})
                sys.stdout.write(f"FAILED {world}/{scene.title}/{name}: {case.words}\n")
                sys.stdout.flush()
            self._count(1)
        spent = time.process_time() + _children() - began
        return {"world": world, "scene": scene.title, "tally": tally, "failures": failures, "cpu_s": round(spent, 2)}

    def _write(self, line: dict[str, Any]) -> None:
        with (self.kept / f"worker-{self.number}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        sys.stdout.write(f"{self.tried():>7} cases: world {line['world']}, {line['scene']}, {line['cpu_s']} CPU-s\n")
        sys.stdout.flush()


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def company_of(folder: Path, seed: int, world: int) -> Company:
    """Return the `world`-th company of a seed."""
    return Company(folder, Setting(dice_of("world", seed, world).randint(1, 10**6), create=world % 2 == 1))


def played_safely(company: Company, scene: Scene, case: Case, wanted: Undisturbed) -> dict[str, Any]:
    """Play a case apart; what goes wrong in the test itself is a failure too."""
    try:
        return company.apart(play, scene.command, case.as_json(), wanted)
    except RuntimeError as error:
        return {"wrong": [f"the case could not be played: {error}"], "kills": 0, "runs": 0, "hits": {}}


def play_one(options: argparse.Namespace) -> int:
    """Play one case by its name and tell of it."""
    world, title, kind, number = options.case.split("/")
    folder = Path(tempfile.mkdtemp(prefix="leakwatch-long-", dir=memory_folder()))
    try:
        company = company_of(folder / world, options.seed, int(world))
        scene = next(scene for scene in scenes(company) if scene.title == title)
        told = company.apart(undisturbed, scene.command)
        told.pop("wrong")
        wanted = Undisturbed(**told)
        case = dict(cases_of(f"{options.seed}/{world}/{title}", len(wanted.points)))[f"{kind}/{number}"]
        sys.stdout.write(f"{case.words}\n{json.dumps(case.as_json(), indent=1)}\n")
        sys.stdout.writelines(f"{place}: {wanted.points[place - 1]}\n" for place in case.kills)
        played = played_safely(company, scene, case, wanted)
        sys.stdout.write("\n".join(played["wrong"]) + f"\n{played['kills']} kills, {played['runs']} runs\n")
        return 1 if played["wrong"] else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _results(folder: Path) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for path in sorted(folder.glob("worker-*.jsonl")):
        lines += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return lines


def _cases_in(lines: list[dict[str, Any]]) -> int:
    return sum(line["tally"].get(kind, 0) for line in lines for kind in ("single", "chain", "trouble"))


def report(options: argparse.Namespace, folder: Path) -> int:
    """Print what was tried and what failed; return the exit code."""
    lines = _results(folder)
    tally = Counter[str]()
    for line in lines:
        tally.update(line["tally"])
    failures = [failure for line in lines for failure in line["failures"]]
    for failure in failures[:MOST_SHOWN]:
        sys.stdout.write("\n".join(["", f"FAILED {failure['case']}", *failure["words"][:MOST_SHOWN]]) + "\n")
        sys.stdout.write(f'again: make crash ARGS="--seed {options.seed} --case {failure["case"]}"\n')
    worlds = len({line["world"] for line in lines})
    sys.stdout.write(
        f"\n{_cases_in(lines)} cases in {worlds} worlds (seed {options.seed}), {tally['kills']} kills, "
        f"{sum(line['cpu_s'] for line in lines):.0f} CPU-s: {len(failures)} failed\n"
    )
    for name, count in sorted(tally.items()):
        sys.stdout.write(f"  {count:>7}  {name}\n")
    return 1 if failures else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make crash", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=30_000, help="stop when so many were tried (default 30000)")
    parser.add_argument("--seed", type=int, default=1, help="which worlds and which cases (default 1)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="default: one for each processor")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results of this seed")
    parser.add_argument("--case", help="one case by its name: WORLD/SCENE/KIND/NUMBER")
    options = parser.parse_args()
    if options.case:
        return play_one(options)
    folder = KEPT / f"seed-{options.seed}"
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what lies in memory is removed
    before = _results(folder)
    counts = mmap.mmap(-1, 8 * (1 + options.processes))
    counts[:8] = struct.pack("Q", _cases_in(before))
    done = {(line["world"], line["scene"]) for line in before}
    workers: list[int] = []
    for number in range(options.processes):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                Worker(options, number, counts).work(done)
                code = 0
            finally:
                os._exit(code)
        workers.append(child)
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in workers]
    return max(report(options, folder), *(abs(code) for code in ended))


if __name__ == "__main__":
    sys.exit(main())
