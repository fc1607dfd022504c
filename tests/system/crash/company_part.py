"""What the suite plays of the long run, as JSON: run by `test_company.py` in a process of its own, with one thread."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from system.crash.cases import Undisturbed, play, single, undisturbed
from system.crash.company import Company, Setting, memory_folder
from system.crash.long_run import Scene, scenes

SEED = 11


def lived(folder: Path) -> dict[str, Any]:
    """Live with people to be entered until day 3; return of each scene what became of its cases."""
    company = Company(folder / "company", Setting(SEED, create=True))
    told: dict[str, Any] = {}
    for scene in scenes(company):
        told[scene.title] = _killed(company, scene)
        if scene.title == "capture-3":
            break
    return told | {"away": company.apart(_away)}


def _killed(company: Company, scene: Scene) -> dict[str, Any]:
    """Kill a scene where this file wants it killed; return how it ended, by place."""
    if scene.title == "capture-0":  # the suite's other crash tests kill it everywhere
        return {}
    wanted = Undisturbed(**{k: v for k, v in company.apart(undisturbed, scene.command).items() if k != "wrong"})
    places = range(1, len(wanted.points) + 1, 3)
    if scene.title == "capture-3":
        entered = wanted.points.index("capture.after_people") + 1
        places = range(entered - 4, entered + 1, 2)
    played = {place: company.apart(play, scene.command, single(place).as_json(), wanted) for place in places}
    return {"result": wanted.result, "points": wanted.points, "played": played}


def _away(company: Company) -> dict[str, Any]:
    """Three days without Salesforce, in which the daemon captures; then it is back."""
    company.day(6)
    company.emulated.outage = True
    ended = company.run("capture in the daemon")
    with closing(sqlite3.connect(company.state / "state.db")) as connection:
        waiting = connection.execute("SELECT count(*) FROM activities WHERE outcome IS NULL").fetchone()[0]
    calls = company.emulated.calls["google"]
    company.emulated.outage = False
    after = company.run("capture in the daemon")
    return {
        "exit": ended.exit,
        "words": ended.words,
        "waiting": waiting,
        "asked_again": company.emulated.calls["google"] - calls,
        "after": after.exit,
        "written": after.result,
    }


if __name__ == "__main__":
    home = Path(tempfile.mkdtemp(prefix="leakwatch-company-", dir=memory_folder()))
    try:
        sys.stdout.write(json.dumps(lived(home)))
    finally:
        shutil.rmtree(home, ignore_errors=True)
