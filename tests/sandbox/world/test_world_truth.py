"""The planted truth of generated worlds against a second, independent evaluation."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from leakwatch.sandbox.world.captures import evaluate_captures
from leakwatch.sandbox.world.generate import generate
from leakwatch.sandbox.world.model import RULES, SKIP_REASONS, World, instant
from leakwatch.sandbox.world.reader import parse_world
from leakwatch.sandbox.world.truth import audits, evaluate, planted

WORLDS = [("small", 1), ("small", 2), ("small", 7), ("small", 2026), ("medium", 7)]
_made: dict[tuple[str, int], World] = {}


@pytest.fixture(params=WORLDS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def world(request: pytest.FixtureRequest) -> World:
    size, seed = request.param
    if (size, seed) not in _made:
        _made[size, seed] = generate(size, seed)
    return _made[size, seed]


def expected_captures(world: World, now: Any) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for item in world.truth["captures"]:
        until = item.get("until")
        if instant(item["from"]) <= now and (until is None or instant(until) > now):
            assert item["message_id"] not in found, "two expectations hold at once"
            keys = ("expect", "reason", "who", "what", "owner")
            found[item["message_id"]] = {key: item[key] for key in keys if key in item}
            if "who" in item:
                found[item["message_id"]]["who"] = sorted(item["who"])
    return found


def test_what_is_planted_is_what_the_rules_find_at_every_audit(world: World) -> None:
    days = list(audits(world))
    assert len(days) == 15
    for now in days:
        assert evaluate(world, now) == planted(world, now)


def test_no_decoy_is_ever_a_finding(world: World) -> None:
    decoys = {(item["rule"], item["record"]) for item in world.truth["decoys"]}
    assert {rule for rule, _ in decoys} == set(RULES)
    for now in audits(world):
        assert not decoys & evaluate(world, now)


def test_every_mail_has_the_expectation_that_its_own_content_gives(world: World) -> None:
    for now in [world.start, *audits(world)]:
        assert evaluate_captures(world, now) == expected_captures(world, now)


def test_each_rule_has_baseline_new_mended_and_ignored_leaks(world: World) -> None:
    alerts = {event["record"] for event in world.timeline if event["do"] == "complete_alert_task"}
    for rule in RULES:
        mine = [item for item in world.truth["findings"] if item["rule"] == rule]
        assert any(item["baseline"] for item in mine)
        assert any(not item["baseline"] and item["until"] for item in mine)
        assert any(not item["baseline"] and not item["until"] for item in mine)
        assert any(item["record"] in alerts and not item["baseline"] and not item["until"] for item in mine)


def test_an_overdue_deal_of_the_first_days_is_never_touched_and_may_escalate(world: World) -> None:
    touched = {event.get("record") for event in world.timeline}
    late = [
        item
        for item in world.truth["findings"]
        if item["rule"] == "opp_close_overdue" and not item["baseline"] and item["record"] not in touched
    ]
    assert any((instant(item["from"]) - world.start).days <= 2 for item in late)


def test_every_reason_for_not_writing_a_mail_occurs(world: World) -> None:
    reasons = {item.get("reason") for item in world.truth["captures"]} - {None}
    assert reasons == set(SKIP_REASONS)
    expectations = {item["expect"] for item in world.truth["captures"]}
    assert expectations == {"written", "skipped", "unmatched"}


def test_no_touch_by_mail_lies_near_the_thirty_days(world: World) -> None:
    leads = {record["ref"] for record in world.records if record["object"] == "Lead"}
    last = list(audits(world))[-1]
    for item in world.truth["captures"]:
        if item["expect"] == "written" and set(item["who"]) & leads:
            age = (last - instant(item["from"])).days
            assert age <= 28


def test_the_deals_of_corresponding_accounts_do_not_move(world: World) -> None:
    moving = {event["record"] for event in world.timeline if event["do"] == "update"}
    accounts = {r["ref"]: r["fields"].get("AccountId") for r in world.records if r["object"] == "Opportunity"}
    contacts = {r["ref"]: r["fields"].get("AccountId") for r in world.records if r["object"] == "Contact"}
    talking = {contacts.get(who) for item in world.truth["captures"] for who in item.get("who", [])}
    assert not {accounts.get(ref) for ref in moving} & (talking - {None})


def test_the_same_seed_gives_the_same_world_and_another_one_does_not() -> None:
    assert generate("small", 5).as_json() == generate("small", 5).as_json()
    assert generate("small", 5).as_json() != generate("small", 6).as_json()


def test_a_world_survives_its_own_file(world: World) -> None:
    assert parse_world(copy.deepcopy(world.as_json())).as_json() == world.as_json()


@pytest.mark.parametrize("rule", RULES)
def test_the_second_opinion_notices_a_leak_that_was_not_planted(rule: str) -> None:
    world = generate("small", 3)
    kept = [item for item in world.truth["findings"] if item["rule"] != rule]
    world.truth["findings"] = kept
    assert any(evaluate(world, now) != planted(world, now) for now in audits(world))
