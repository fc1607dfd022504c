"""The strict reader of `leakwatch-world/1` (docs/world-format.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leakwatch.sandbox.microsoft.tenant import PLACES
from leakwatch.sandbox.world.check import REFERENCE, Node, WorldError, nearest
from leakwatch.sandbox.world.letters import message_id
from leakwatch.sandbox.world.meetings import check_act, check_meetings, check_truth, split_uid, uid
from leakwatch.sandbox.world.model import (
    DEFAULT_DELEGATION,
    FORMAT,
    LEAD_MEANINGS,
    MAIL_KEYS,
    MOVES,
    ROLES,
    RULE_KEYS,
    RULES,
    SKIP_REASONS,
    STAGE_MEANINGS,
    USER_TYPES,
    VERBS,
    World,
    instant,
)

AUDIT_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def read_world(path: Path) -> World:
    """Read a world file; `WorldError` lists everything wrong with it."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WorldError([f"{path.name}: cannot be read: {error}"]) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise WorldError([f"{path.name}: not JSON: {error.msg} ({where})"]) from error
    return parse_world(body)


def parse_world(body: Any) -> World:
    """Check a decoded world and return it."""
    problems: list[str] = []
    root = Node(body, "", problems)
    if isinstance(body, dict) and root.child("format").value != FORMAT:
        raise WorldError([f"format: must be {FORMAT!r}, not {root.child('format').value!r}"])
    root.keys(
        ("format", "name", "start", "company", "users", "stages", "lead_statuses", "meanings"),
        (
            "seed", "days", "audit_time", "delegation", "queues", "custom_fields", "capture", "records", "mails",
            "meetings", "timeline", "truth", *RULE_KEYS,
        ),
    )  # fmt: skip
    start = root.child("start").instant()
    _schedule(root)
    _company(root.child("company"))
    references = _users(root)
    _stages(root)
    for kind, (required, optional) in RULE_KEYS.items():
        for node in root.items(kind):
            node.keys(required, optional)
    references |= _records(root, references)
    mails, meetings = _mails(root), check_meetings(root)
    references |= _timeline(root, references, mails, meetings)
    _truth(root, references)
    if problems or start is None:
        raise WorldError(problems)
    world = World(
        name=body["name"], seed=int(body.get("seed", 0)), start=start, days=int(body.get("days", 14)),
        audit_time=body.get("audit_time", "06:00"), company=body["company"], users=body["users"],
        queues=body.get("queues", []), custom_fields=body.get("custom_fields", {}), stages=body["stages"],
        lead_statuses=body["lead_statuses"], meanings=body["meanings"], capture=body.get("capture", {}),
        records=body.get("records", []), mails=body.get("mails", []), timeline=body.get("timeline", []),
        truth=body.get("truth", {}), validation_rules=body.get("validation_rules", []),
        duplicate_rules=body.get("duplicate_rules", []), meetings=body.get("meetings", []),
        delegation=body.get("delegation", list(DEFAULT_DELEGATION)),
    )  # fmt: skip
    _date_captures(world, problems)
    uids = {uid(meeting, world.seed) for meeting in world.meetings}
    check_truth(root.child("truth"), references, uids | _split_uids(world))
    if problems:
        raise WorldError(problems)
    return world


def _split_uids(world: World) -> set[str]:
    """The iCalUIDs of the series that begin where another one is split."""
    found: set[str] = set()
    for event in world.timeline:
        if event["do"] == "meeting" and event["act"] == "split":
            found.add(split_uid(world.meeting(event["meeting"]), world.seed, event["occurrence"]))
    return found


def _date_captures(world: World, problems: list[str]) -> None:
    """An expectation about a mail begins, unless the file says otherwise, when the mail is delivered."""
    delivered: dict[str, str] = {}
    for mail in sorted(world.mails, key=lambda mail: instant(mail["at"]), reverse=True):
        delivered[message_id(mail, world)] = mail["at"]
    for index, item in enumerate(world.truth.get("captures", [])):
        if item["message_id"] not in delivered:
            near = nearest(item["message_id"], delivered)
            problems.append(f"truth.captures[{index}].message_id: no mail has the id {item['message_id']!r}{near}")
        else:
            item.setdefault("from", delivered[item["message_id"]])


def _schedule(root: Node) -> None:
    """How long the story is, and when its audits are."""
    for key in ("days", "seed"):
        number = root.child(key)
        if number.value is not None and (type(number.value) is not int or number.value < 0):
            number.problem(f"must be a whole number from 0 on, not {number.value!r}")
    at = root.child("audit_time")
    if at.value is not None and not AUDIT_TIME.fullmatch(str(at.value)):
        at.problem(f"must be a local time such as '06:30', not {at.value!r}")


def _company(node: Node) -> None:
    node.keys(
        ("name", "domains", "time_zone", "currency"),
        (
            *("currencies", "locale", "language", "fiscal_year_start_month", "field_history"),
            *("person_accounts", "shared_activities"),
        ),
    )
    for name in ("person_accounts", "shared_activities"):
        node.child(name).boolean(default=False)
    if not node.child("domains").texts():
        node.child("domains").problem("must name at least one domain")
    for _, tracked in node.entries("field_history"):
        tracked.texts()
    zone = node.child("time_zone")
    try:
        ZoneInfo(zone.text() or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone.problem(f"no such time zone: {zone.value!r}")


def _users(root: Node) -> set[str]:
    references: set[str] = set()
    for node in root.items("users"):
        node.keys(
            ("ref", "first_name", "last_name", "email", "role"),
            (
                *("username", "title", "manager", "active", "user_type", "notice_date", "google", "microsoft"),
                *("language", "currency"),
            ),
        )
        _claim(node.child("ref"), references)
        node.child("role").text(choices=ROLES)
        node.child("active").boolean(default=True)
        if node.child("user_type").value is not None:
            node.child("user_type").text(choices=USER_TYPES)
        if node.child("notice_date").value is not None:
            node.child("notice_date").day()
        if node.child("google").value is not None:
            node.child("google").keys(
                (), ("aliases", "non_editable_aliases", "admin", "suspended", "gmail", "created", "labels")
            )
        _microsoft(node)
    for node in root.items("users"):
        if node.child("manager").value is not None:
            node.child("manager").reference(references)
    for node in root.items("queues"):
        node.keys(("ref", "name", "objects"), ("members", "email"))
        _claim(node.child("ref"), references)
        for member in node.items("members"):
            member.reference(references)
    return references


def _microsoft(user: Node) -> None:
    node = user.child("microsoft")
    if node.value is None:
        return
    if user.child("google").value is not None:
        node.problem("a user has an account at Google or at Microsoft, not at both")
    node.keys((), ("aliases", "folders", "upn", "mailbox", "guest", "suspended", "created"))
    if node.child("mailbox").value is not None:
        node.child("mailbox").text(choices=PLACES)


def _claim(node: Node, references: set[str]) -> None:
    name = node.reference()
    if name and name in references:
        node.problem(f"{name!r} is already taken")
    references.add(name)


def _stages(root: Node) -> None:
    stages: list[str] = []
    for node in root.items("stages"):
        node.keys(("value", "is_closed", "is_won"), ("label", "probability", "forecast"))
        stages.append(node.child("value").text())
    statuses: list[str] = []
    for node in root.items("lead_statuses"):
        node.keys(("value",), ("label", "is_converted", "is_default"))
        statuses.append(node.child("value").text())
    meanings = root.child("meanings").keys(("stage", "lead_status"), ("fields",))
    _meanings(meanings, "stage", stages, STAGE_MEANINGS)
    _meanings(meanings, "lead_status", statuses, LEAD_MEANINGS)
    if meanings.child("fields").value is not None:
        meanings.child("fields").keys((), ("loss_reason", "budget"))


def _meanings(node: Node, key: str, values: list[str], choices: Iterable[str]) -> None:
    named: set[str] = set()
    for value, meaning in node.entries(key):
        if value not in values:
            meaning.problem("no such value")
        meaning.text(choices=choices)
        named.add(value)
    for value in values:
        if value not in named:
            node.child(key).problem(f"says nothing about {value!r}")


def _records(root: Node, users: set[str]) -> set[str]:
    references: set[str] = set(users)
    for node in root.items("records"):
        node.keys(("ref", "object", "fields"), ("created", "modified", "owner", "deleted"))
        _claim(node.child("ref"), references)
        for name in ("created", "modified"):
            if node.child(name).value is not None:
                node.child(name).instant()
    for node in root.items("records"):
        if node.child("owner").value is not None:
            node.child("owner").reference(references)
        _field_references(node, references)
    return references


def _field_references(node: Node, references: set[str]) -> None:
    for _, value in node.entries("fields"):
        if isinstance(value.value, str) and REFERENCE.fullmatch(value.value):
            value.reference(references)


def _mails(root: Node) -> set[str]:
    known: set[str] = set()
    for node in root.items("mails"):
        node.keys(("id", "at", "from", "to", "subject"), MAIL_KEYS)
        name = node.child("id").text()
        if name in known:
            node.child("id").problem(f"{name!r} is already taken")
        node.child("at").instant()
        node.child("to").texts()
        parent = node.child("reply_to")
        if parent.value is not None and parent.value not in known:
            parent.problem("must name a mail that stands before this one")
        known.add(name)
    return known


def _timeline(root: Node, references: set[str], mails: set[str], meetings: set[str]) -> set[str]:
    known = set(references)
    drafts: set[str] = set()
    for node in root.items("timeline"):
        verb = node.child("do").text(choices=VERBS)
        required, optional = VERBS.get(verb, ((), ()))
        node.keys(("at", "do", *required), optional)
        node.child("at").instant()
        if "ref" in required:
            _claim(node.child("ref"), known)
        for name in ("record", "by", "user"):
            if name in required:
                node.child(name).reference(known)
        if verb == "convert_lead":
            _conversion(node, known)
        if "mail" in required and node.child("mail").value not in mails:
            node.child("mail").problem(f"no such mail: {node.child('mail').value!r}")
        if verb == "meeting":
            check_act(node)
            if node.child("meeting").value not in meetings:
                node.child("meeting").problem(f"no such meeting: {node.child('meeting').value!r}")
        if verb == "move":
            node.child("to").text(choices=MOVES)
        if verb == "draft":
            drafts.add(node.child("draft").text())
        if verb == "send_draft" and node.child("draft").value not in drafts:
            node.child("draft").problem("was never saved as a draft before")
        _field_references(node, known)
    return known


def _conversion(node: Node, known: set[str]) -> None:
    """Account and contact may be there already; the deal is always new."""
    for part in ("account", "contact"):
        if node.child(part).value is not None:
            known.add(node.child(part).reference())
    if node.child("opportunity").value is not None:
        _claim(node.child("opportunity"), known)
    if node.child("owner").value is not None:
        node.child("owner").reference(known)


def _subject(node: Node, references: set[str], meetings: Collection[object]) -> None:
    """What a finding is about: a record, or a meeting of `truth.meetings`."""
    if node.child("meeting").value is None:
        node.child("record").reference(references)
        return
    if node.child("record").value is not None:
        node.problem("give either 'record' or 'meeting'")
    meeting = node.child("meeting")
    meeting.keys(("uid",), ("original_start",))
    if meeting.child("uid").text() not in meetings:
        meeting.child("uid").problem(f"truth.meetings has no meeting {meeting.child('uid').value!r}")


def _truth(root: Node, references: set[str]) -> None:
    truth = root.child("truth")
    if truth.value is None:
        return
    truth.keys((), ("findings", "decoys", "captures", "meetings"))
    meetings = [node.child("uid").value for node in truth.items("meetings")]
    for node in truth.items("findings"):
        node.keys(("rule", "from"), ("record", "meeting", "until", "baseline", "why"))
        node.child("rule").text(choices=RULES)
        _subject(node, references, meetings)
        node.child("from").instant()
        if node.child("until").value is not None:
            node.child("until").instant()
    for node in truth.items("decoys"):
        node.keys(("rule", "record", "why"))
        node.child("rule").text(choices=RULES)
        node.child("record").reference(references)
    for node in truth.items("captures"):
        node.keys(("message_id", "expect"), ("reason", "who", "what", "account", "owner", "from", "until", "why"))
        expect = node.child("expect").text(choices=("written", "skipped", "unmatched"))
        if expect == "skipped":
            node.child("reason").text(choices=SKIP_REASONS)
        for name in ("from", "until"):
            if node.child(name).value is not None:
                node.child(name).instant()
