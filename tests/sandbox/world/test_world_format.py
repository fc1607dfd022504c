"""The world file is read strictly and says where it is wrong."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.clock import VirtualClock
from leakwatch.sandbox.org.facade import Org, OrgError
from leakwatch.sandbox.salesforce import open_org
from leakwatch.sandbox.world.check import WorldError
from leakwatch.sandbox.world.reader import parse_world, read_world
from leakwatch.sandbox.world.seed import declare_rules

TINY: dict[str, Any] = {
    "format": "leakwatch-world/1",
    "name": "tiny",
    "start": "2026-03-02T05:00:00Z",
    "company": {"name": "Tiny", "domains": ["tiny.example"], "time_zone": "Europe/Berlin", "currency": "EUR"},
    "users": [{"ref": "@user:a", "first_name": "A", "last_name": "B", "email": "a@tiny.example", "role": "rep"}],
    "stages": [{"value": "Open", "is_closed": False, "is_won": False}],
    "lead_statuses": [{"value": "New"}],
    "meanings": {"stage": {"Open": "open"}, "lead_status": {"New": "open"}},
    "records": [
        {"ref": "@acc:karaca", "object": "Account", "owner": "@user:a", "fields": {"Name": "Karaca"}},
        {"ref": "@con:x", "object": "Contact", "fields": {"LastName": "X", "AccountId": "@acc:karaca"}},
    ],
    "mails": [
        {"id": "m1", "at": "2026-03-02T09:00:00Z", "from": "x@y.example", "to": ["a@tiny.example"], "subject": "s"}
    ],
    "timeline": [
        {"at": "2026-03-03T09:00:00Z", "do": "update", "record": "@acc:karaca", "by": "@user:a", "fields": {}}
    ],
    "truth": {"findings": [], "decoys": [], "captures": []},
}


def put(body: dict[str, Any], path: str, value: Any) -> None:
    *way, last = path.split(".")
    spot: Any = body
    for step in way:
        spot = spot[int(step)] if step.isdigit() else spot[step]
    spot[int(last) if last.isdigit() else last] = value


def test_a_world_can_have_person_accounts_and_shared_activities(tmp_path: Path) -> None:
    body = copy.deepcopy(TINY)
    put(body, "company.person_accounts", True)
    put(body, "company.shared_activities", True)
    clock = VirtualClock(None, parse_world(body).start)
    org = open_org(tmp_path / "org", clock, parse_world(body), fresh=True, deploy=None).org
    assert {"PersonEmail", "PersonContactId"} <= set(org.schema.objects["Account"].fields)
    assert "TaskRelation" in org.schema.objects
    org.close()


def test_a_small_world_by_hand_is_enough() -> None:
    world = parse_world(copy.deepcopy(TINY))
    assert world.days == 14
    assert world.zone.key == "Europe/Berlin"


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("usres", [], "(file): unknown key 'usres', did you mean 'users'?"),
        ("users.0.manger", "@user:a", "users[0]: unknown key 'manger', did you mean 'manager'?"),
        ("company.shared_activities", "yes", "company.shared_activities: must be true or false"),
        ("users.0.role", "sales", "users[0].role: 'sales' is not one of rep, manager, revops, admin, integration"),
        ("users.0.manager", "@user:z", "users[0].manager: nothing is called '@user:z'"),
        ("days", "two weeks", "days: must be a whole number from 0 on, not 'two weeks'"),
        ("seed", 1.5, "seed: must be a whole number from 0 on, not 1.5"),
        ("audit_time", "6.30", "audit_time: must be a local time such as '06:30', not '6.30'"),
        ("users.0.notice_date", "soon", "users[0].notice_date: must be an ISO date, not 'soon'"),
        (
            "records.1.fields.AccountId",
            "@acc:karaka",
            "records[1].fields.AccountId: nothing is called '@acc:karaka', did you mean '@acc:karaca'?",
        ),
        ("records.1.ref", "@acc:karaca", "records[1].ref: '@acc:karaca' is already taken"),
        ("records.0.created", "2026-01-01", "records[0].created: must be an ISO 8601 instant"),
        ("company.time_zone", "Europe/Istambul", "company.time_zone: no such time zone: 'Europe/Istambul'"),
        ("meanings.stage", {}, "meanings.stage: says nothing about 'Open'"),
        ("meanings.stage", {"Open": "opne"}, "meanings.stage.Open: 'opne' is not one of open, won"),
        ("timeline.0.do", "updaet", "timeline[0].do: 'updaet' is not one of"),
        ("timeline.0.record", "@acc:none", "timeline[0].record: nothing is called '@acc:none'"),
        ("mails.0.reply_to", "m9", "mails[0].reply_to: must name a mail that stands before this one"),
        ("mails.0.at", None, "mails[0].at: must be an ISO 8601 instant with its offset, not None"),
        (
            "validation_rules",
            [{"name": "r", "object": "Lead", "when": {}, "mesage": "x"}],
            "validation_rules[0]: unknown key 'mesage', did you mean 'message'?",
        ),
        (
            "truth.findings",
            [{"rule": "lead_stail", "record": "@con:x", "from": "2026-03-02T05:00:00Z"}],
            "truth.findings[0].rule: 'lead_stail' is not one of lead_stale",
        ),
        (
            "truth.captures",
            [{"message_id": "x", "expect": "skipped", "reason": "boring"}],
            "truth.captures[0].reason: 'boring' is not one of",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(path: str, value: Any, problem: str) -> None:
    body = copy.deepcopy(TINY)
    put(body, path, value)
    with pytest.raises(WorldError) as caught:
        parse_world(body)
    assert any(line.startswith(problem) for line in caught.value.problems), caught.value.problems


def test_an_expectation_begins_with_its_mail_and_must_have_one() -> None:
    body = copy.deepcopy(TINY)
    body["truth"]["captures"] = [{"message_id": "m1.0@mail.y.example", "expect": "unmatched"}]
    assert parse_world(copy.deepcopy(body)).truth["captures"][0]["from"] == "2026-03-02T09:00:00Z"
    body["truth"]["captures"][0]["message_id"] = "m2.0@mail.y.example"
    with pytest.raises(WorldError, match=r"captures\[0\]\.message_id: no mail has the id .*did you mean 'm1\.0@"):
        parse_world(body)


def test_all_mistakes_are_told_at_once() -> None:
    body = copy.deepcopy(TINY)
    del body["stages"]
    body["users"][0]["role"] = "boss"
    body["mails"][0]["form"] = "x"
    with pytest.raises(WorldError) as caught:
        parse_world(body)
    assert len(caught.value.problems) >= 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "cannot be read"),
        (b"[]", "must be an object"),
        (b'{"format": "x/2"}', "leakwatch-world/1"),
    ],
)
def test_a_file_that_is_no_world_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "w.json"
    path.write_bytes(content)
    with pytest.raises(WorldError, match=words):
        read_world(path)


def test_the_example_of_the_documentation_is_a_world() -> None:
    text = (Path(__file__).parents[3] / "docs" / "world-format.md").read_text(encoding="utf-8")
    example = text.split("```json\n", 1)[1].split("```", 1)[0]
    world = parse_world(json.loads(example))
    assert world.records
    assert world.truth["findings"]


def test_the_rules_of_a_world_hold_in_its_org_and_a_bad_one_is_named(tmp_path: Path) -> None:
    rule = {"name": "r", "object": "Lead", "when": {"field": "Title", "blank": True}, "message": "Say what."}
    world = parse_world({**copy.deepcopy(TINY), "validation_rules": [rule]})
    assert world.as_json()["validation_rules"] == [rule]
    org = Org(tmp_path / "org", VirtualClock(None, world.start))
    declare_rules(world, org)
    with pytest.raises(OrgError, match="Say what"):
        org.create("Lead", {"LastName": "x", "Company": "c"}, user_id=org.settings.system_user_id)
    rule["when"] = {"field": "Tytle", "blank": True}
    with pytest.raises(WorldError, match="Lead has no field 'Tytle'"):
        declare_rules(world, org)
    org.close()
