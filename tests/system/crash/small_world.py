"""A generated world with little in it: three mailboxes, some twenty mails and a dozen meetings, by seed.

What the sandbox's generator plants stays as it is, with what the world says must become of it. Left out is all in which
a colleague takes part who is not among the three, so that no answer depends on a mailbox that is not read.
"""

from __future__ import annotations

import json
import random
import re
from typing import Any

from leakwatch.sandbox.world.generate import generate
from leakwatch.sandbox.world.letters import message_id
from leakwatch.sandbox.world.meetings import uid
from leakwatch.sandbox.world.model import World
from leakwatch.sandbox.world.reader import parse_world

SMALLEST = 0.2  # share of the world `small` with which the generator still finds a customer for every case
MAILS, MEETINGS = 22, 12
_ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+")


def small_world(seed: int, *, forgotten: bool = False) -> World:
    """Return the world of a seed: the same always, to the byte.

    `forgotten`: customers who wrote and were answered are not in Salesforce, so that they can be entered; what must
    become of the mails and meetings is not said then.
    """
    whole = generate("small", seed, scale=SMALLEST)
    dice, world = random.Random(f"small world {seed}"), whole.as_json()
    chosen, others = _people(world, dice)
    for user in world["users"]:
        if user["email"] in others:
            user.pop("notice_date", None)
    world["mails"] = _some_mails(world["mails"], others, dice)
    meetings = [one for one in world["meetings"] if not _addresses(one) & others]
    world["meetings"] = _some(meetings, MEETINGS, dice)
    mails = {mail["id"] for mail in world["mails"]}
    there = mails | {meeting["id"] for meeting in world["meetings"]}
    world["timeline"] = [one for one in world["timeline"] if _still_about(one, there, chosen)]
    said, invited = (
        {message_id(mail, whole) for mail in world["mails"]},
        {uid(meeting, whole.seed) for meeting in world["meetings"]},
    )
    truth = world["truth"]
    world["truth"] = {
        "findings": [],
        "decoys": [],
        "captures": [one for one in truth["captures"] if one["message_id"].strip("<>") in said],
        "meetings": [one for one in truth["meetings"] if one["uid"] in invited],
    }
    if forgotten:
        _forget(world)
    return parse_world(json.loads(json.dumps(world)))


def _forget(world: dict[str, Any]) -> None:
    """Take the contacts who wrote and were written to out of the world, and every record about them."""
    wrote = {one for mail in world["mails"] for one in _ADDRESS.findall(mail["from"])}
    answered = {one for mail in world["mails"] for one in _ADDRESS.findall(json.dumps(mail["to"]))}
    gone = {
        f"@{one['ref']}" if not one["ref"].startswith("@") else one["ref"]
        for one in world["records"]
        if one["object"] == "Contact" and one["fields"].get("Email") in wrote & answered
    }
    while more := {
        one["ref"]
        for one in (*world["records"], *world["timeline"])
        if one.get("ref") and one["ref"] not in gone and gone & _values(one.get("fields"))
    }:
        gone |= more
    world["records"] = [one for one in world["records"] if one["ref"] not in gone and not gone & _values(one["fields"])]
    world["timeline"] = [
        one
        for one in world["timeline"]
        if one.get("record") not in gone and one.get("ref") not in gone and not gone & _values(one.get("fields"))
    ]
    world["truth"] = {"findings": [], "decoys": [], "captures": [], "meetings": []}


def _values(fields: Any) -> set[str]:
    return {one for one in (fields or {}).values() if isinstance(one, str)}


def _people(world: dict[str, Any], dice: random.Random) -> tuple[set[str], set[str]]:
    """Return the addresses of those whose mailboxes are read, and of all their colleagues."""
    told = [user for user in world["users"] if user.get("notice_date") and not (user["google"] or {}).get("suspended")]
    reps = dice.sample([user["email"] for user in told if user["role"] == "rep"], 2)
    chosen = {*reps, dice.choice([user["email"] for user in told if user["role"] == "manager"])}
    aliases = {
        alias
        for user in world["users"]
        if user["email"] not in chosen
        for alias in (user["google"] or {}).get("aliases", [])
    }
    return chosen, {user["email"] for user in world["users"]} - chosen | aliases


def _addresses(item: dict[str, Any]) -> set[str]:
    """Return every address that stands anywhere in a mail's or meeting's description, plus tags taken off."""
    return {re.sub(r"\+[^@]*@", "@", one.lower()) for one in _ADDRESS.findall(json.dumps(item, ensure_ascii=False))}


def _some_mails(mails: list[dict[str, Any]], others: set[str], dice: random.Random) -> list[dict[str, Any]]:
    """Return whole conversations, drafts always among them, until there are enough mails."""
    root: dict[str, str] = {}
    for mail in mails:
        parent = mail.get("reply_to")
        root[mail["id"]] = root.get(parent, parent) if parent else mail["id"]
    unfit = {root[mail["id"]] for mail in mails if _addresses(mail) & others}
    held = {root[mail["id"]] for mail in mails if mail.get("held")} - unfit
    threads = sorted({root[mail["id"]] for mail in mails} - unfit - held)
    dice.shuffle(threads)
    wanted = set(held)
    for thread in threads:
        if sum(root[mail["id"]] in wanted for mail in mails) >= MAILS:
            break
        wanted.add(thread)
    return [mail for mail in mails if root[mail["id"]] in wanted]


def _some(items: list[dict[str, Any]], count: int, dice: random.Random) -> list[dict[str, Any]]:
    """Return `count` of the items, in their order; one series among them, the shortest, as others have fifty parts."""
    series = sorted((item for item in items if item.get("recurrence")), key=lambda one: "COUNT" not in str(one))
    kept = {item["id"] for item in series[:1]}
    items = [item for item in items if item not in series[1:]]
    rest = [item["id"] for item in items if item["id"] not in kept]
    kept |= set(dice.sample(rest, min(len(rest), max(0, count - len(kept)))))
    return [item for item in items if item["id"] in kept]


def _still_about(event: dict[str, Any], there: set[str], chosen: set[str]) -> bool:
    """Return whether a planned happening is about something that is still in the world."""
    if event["do"] == "complete_alert_task":  # of leaks, which nobody looks for here
        return False
    if "mailbox" in event and event["mailbox"] not in chosen:
        return False
    return all(event[name] in there for name in ("mail", "meeting") if name in event)
