"""What capture asks of Google and Salesforce, call by call, against the least that their documents allow.

Counted, not timed: units by both of Gmail's price lists (projects since May 2026, and older ones), HTTP requests, and
Salesforce calls by how activities are written. The least for the mails that belong in Salesforce, in a mailbox: its
history id, a list of 500 a page (first reading) or one history page a poll, then for each conversation the cheaper of
its mails one by one and the whole of it; HTTP requests: a hundred gets in one. Two worlds: all mails belong in
Salesforce, in conversations of three or four; and the sandbox's `small`, in which newsletters, colleagues' and
strangers' mail lie between. There is no peer.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import measure

MAILS = 1_000
MOST_OF_LEAST = 1.2  # units, of the least there is
CALLS = {  # Salesforce calls per 1,000 activities
    "mail, its Task given to the rep": 4.0,
    "mail, its Task given to the rep, plain Collections": 12.0,
    "mail as Tasks": 2.5,
    "mail as Tasks, plain Collections": 6.0,
}
BATCH = 100  # parts of a Gmail batch (Gmail API, "Batching requests")
PAGE = 500  # ids of messages.list


def leakwatch(options: dict[str, Any]) -> None:
    """Capture once; say which calls were booked."""
    import loaded  # noqa: F401

    from leakwatch import config, log
    from leakwatch.app.building import Parts
    from leakwatch.app.capturing import run_capture
    from leakwatch.app.google_parts import GoogleParts
    from leakwatch.app.mirroring import run_mirror
    from leakwatch.clock import SettableClock, SystemClock

    log.configure(level="WARNING")
    settings = config.load(Path(options["settings"]))
    clock = SettableClock(datetime.fromisoformat(options["now"]))
    with Parts(settings, clock=clock, wall=SystemClock()) as parts:
        if options.get("step") == "mirror":
            run_mirror(parts)
            measure.say(calls={}, written=0, by_path={})
            return
        google = GoogleParts(parts)
        report = run_capture(parts, google=google, mirror_max_age=timedelta(hours=1))
        calls = dict(google.limiter.calls())
        measure.say(calls=calls, written=sum(report.written.values()), by_path=parts.client.calls_by_path)


def units(calls: Mapping[str, int], *, old: bool = False) -> int:
    """Return Gmail units of counted calls by a price list."""
    from leakwatch.clients.limiter import GMAIL_2026, GMAIL_GRANDFATHERED

    prices = (GMAIL_GRANDFATHERED if old else GMAIL_2026).costs
    return sum(count * prices[name] for name, count in calls.items() if name in prices)


def least(
    conversations: Iterable[tuple[str, str]], mailboxes: int, *, first: bool, old: bool = False
) -> tuple[int, int]:
    """Return (units, HTTP requests) that relevant mails cost at least; each is (mailbox, conversation)."""
    from leakwatch.clients.limiter import GMAIL_2026, GMAIL_GRANDFATHERED

    prices = (GMAIL_GRANDFATHERED if old else GMAIL_2026).costs
    found = Counter(conversations)
    gets = sum(min(count * prices["messages.get"], prices["threads.get"]) for count in found.values())
    asked = Counter[str]()
    parts = Counter[str]()
    for (mailbox, _), count in found.items():
        asked[mailbox] += count
        parts[mailbox] += min(count, 1 if count * prices["messages.get"] > prices["threads.get"] else count)
    requests = sum(math.ceil(count / BATCH) for count in parts.values())
    if first:
        pages = sum(max(1, math.ceil(asked[mailbox] / PAGE)) for mailbox in asked) + mailboxes - len(asked)
        return gets + pages * prices["messages.list"] + mailboxes * prices["getProfile"], requests + pages + mailboxes
    return gets + mailboxes * prices["history.list"], requests + mailboxes


def in_conversations(path: Path) -> None:
    """Let each mail of the benchmark's world answer the one before between the same two people."""
    world = json.loads(path.read_text(encoding="utf-8"))
    last: dict[tuple[str, ...], str] = {}
    for mail in world["mails"]:
        people = tuple(sorted((mail["from"], mail["to"][0])))
        if people in last:
            mail["reply_to"] = last[people]
        last[people] = mail["id"]
    path.write_text(json.dumps(world), encoding="utf-8")


def copies(google_store: Path, message_ids: set[str], after: datetime | None) -> list[tuple[str, str]]:
    """Return (mailbox, conversation) of each copy of these mails (of all, if none), by the sandbox's own file."""
    import sqlite3
    from contextlib import closing

    since = int(after.timestamp() * 1000) if after is not None else 0
    with closing(sqlite3.connect(f"file:{google_store}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT mailbox, thread, message_id, at FROM message").fetchall()
    return [
        (box, thread)
        for box, thread, name, at in rows
        if at > since and (not message_ids or str(name).strip("<>") in message_ids)
    ]


def run(*, pairs: int | None = None, scale: float = 1.0) -> measure.Outcome:
    """Count; return the outcome."""
    del pairs  # the same each time
    rows: list[tuple[str, str, str]] = []
    targets: list[measure.Target] = []
    for title, world in (("all mails relevant", None), ("world small", "small")):
        with tempfile.TemporaryDirectory(prefix="leakwatch-bench-") as folder:
            for step, told in _google(Path(folder), world, scale).items():
                rows += _rows(f"{title}, {step}", told)
                ratio = told["units"] / told["least"]
                binding = world is None
                targets.append(
                    measure.Target(f"units of the least, {title}, {step}", ratio, MOST_OF_LEAST, binding=binding)
                )
    for title, count in _salesforce(scale).items():
        rows.append((f"Salesforce calls per 1,000 activities: {title}", f"{count:.1f}", ""))
        targets.append(measure.Target(f"Salesforce calls: {title}", count, CALLS[title]))
    return measure.Outcome("mail_cost", "what capture asks of Google and Salesforce", rows, targets, samples={})


def _rows(title: str, told: Mapping[str, float]) -> list[tuple[str, str, str]]:
    each = 1000 / told["relevant"]
    return [
        (
            f"{title}: Gmail units per 1,000 relevant mails",
            f"{told['units'] * each:,.0f}",
            f"{told['least'] * each:,.0f}",
        ),
        ("  by the older price list", f"{told['old'] * each:,.0f}", f"{told['least_old'] * each:,.0f}"),
        ("  HTTP requests to Google", f"{told['requests'] * each:,.0f}", f"{told['least_requests'] * each:,.0f}"),
    ]


def _google(folder: Path, world: str | None, scale: float) -> dict[str, dict[str, float]]:
    """Return what the first reading and the next day's poll cost, and the least."""
    import mail_world
    from mail_stage import control

    from leakwatch.demo.stage import Sandbox, write_settings

    if world is None:
        path = mail_world.write_world(folder / "world.json", max(20, int(MAILS * scale)))
        in_conversations(path)
    with Sandbox(folder / "sandbox", world=world or str(folder / "world.json"), seed=1) as sandbox:
        control(sandbox, "POST", "/quota", {"profile": "off"})
        settings = write_settings(folder, sandbox, language="en")
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace("units_per_user_minute: 60000", "units_per_user_minute: 9000000"))
        start = datetime.fromisoformat(sandbox.info["world"]["start"])
        told: dict[str, dict[str, float]] = {}
        seen: datetime | None = None
        for step, moment in (("first reading", start), ("a poll a day later", start + timedelta(days=1))):
            sandbox.move_to(moment)
            options = {"settings": str(settings), "now": moment.isoformat()}
            measure.run_side(Path(__file__), "leakwatch", options | {"step": "mirror"})
            control(sandbox, "DELETE", "/ledger")
            said = measure.run_side(Path(__file__), "leakwatch", options).said
            captures = sandbox.truth()["captures"]  # of the benchmark's own world none are told: all are relevant
            relevant = {one["message_id"].strip("<>") for one in captures if one["expect"] == "written"}
            people = {user["email"] for user in sandbox.world["users"] if user.get("notice_date")}
            wanted = [one for one in copies(folder / "sandbox" / "google.sqlite", relevant, seen) if one[0] in people]
            asked = sandbox.ledger()["requests"]["google"]
            gmail = sum(n for name, n in asked.items() if "/gmail/" in name or "batch" in name)
            first = step == "first reading"
            best, best_requests = least(wanted, len(people), first=first)
            told[step] = {
                "relevant": len(wanted), "units": units(said["calls"]), "old": units(said["calls"], old=True),
                "requests": gmail, "least": best, "least_requests": best_requests,
                "least_old": least(wanted, len(people), first=first, old=True)[0],
            }  # fmt: skip
            seen = moment
        return told


def _salesforce(scale: float) -> dict[str, float]:
    """Return calls per 1,000 mails beyond those of a run with nothing new, by how they are written."""
    from mail_stage import mail_stage, salesforce_calls
    from mail_world import NEXT_DAY, START

    mails, found = max(20, int(MAILS * scale)), {}
    with tempfile.TemporaryDirectory(prefix="leakwatch-bench-") as folder, mail_stage(Path(folder), mails) as stage:
        plain = stage.settings.read_text(encoding="utf-8")
        for title in CALLS:
            stage.go_back()
            text = plain
            if "plain" in title:
                text = text.replace("salesforce:\n", "salesforce:\n  composite: false\n", 1)
            if "as Tasks" in title:
                text = text.replace("capture:\n", "capture:\n  mail_as: task\n", 1)
            stage.settings.write_text(text, encoding="utf-8")
            # As every day: the first capture is past, the mirror is fresh, new mail came.
            measure.run_side(Path(__file__), "leakwatch", stage.options(START) | {"step": "mirror"})
            measure.run_side(Path(__file__), "leakwatch", stage.options(START))
            stage.sandbox.move_to(NEXT_DAY)
            options = stage.options(NEXT_DAY)
            measure.run_side(Path(__file__), "leakwatch", options | {"step": "mirror"})
            stage.count_anew()
            measure.run_side(Path(__file__), "leakwatch", options)
            whole = salesforce_calls(stage.ledger())
            stage.count_anew()
            measure.run_side(Path(__file__), "leakwatch", options)
            found[title] = (whole - salesforce_calls(stage.ledger())) * 1000 / mails
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", required=True)
    parser.add_argument("--options", type=json.loads, required=True)
    leakwatch(parser.parse_args().options)
    sys.exit(0)
