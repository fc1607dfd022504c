"""The planted truth of generated worlds against a second, independent evaluation."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from leakwatch.sandbox.world.captures import evaluate_captures
from leakwatch.sandbox.world.generate import generate
from leakwatch.sandbox.world.model import RULES, SKIP_REASONS, World, instant
from leakwatch.sandbox.world.reader import parse_world
from leakwatch.sandbox.world.state import audits
from leakwatch.sandbox.world.truth import evaluate, planted

WORLDS = [("small", 1), ("small", 2), ("small", 7), ("small", 2026), ("medium", 7), ("large", 7)]
SCALES = {"large": 0.01}  # the whole one takes minutes
_made: dict[tuple[str, int], World] = {}


@pytest.fixture(params=WORLDS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def world(request: pytest.FixtureRequest) -> World:
    size, seed = request.param
    if (size, seed) not in _made:
        _made[size, seed] = generate(size, seed, scale=SCALES.get(size, 1.0))
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
    # What is planted is what is found: the test above.
    decoys = {(item["rule"], item["record"]) for item in world.truth["decoys"]}
    assert {rule for rule, _ in decoys} == set(RULES)
    for now in audits(world):
        assert not decoys & planted(world, now)


def test_every_mail_has_the_expectation_that_its_own_content_gives(world: World) -> None:
    for now in [world.start, *audits(world)]:
        assert evaluate_captures(world, now) == expected_captures(world, now)


def about(world: World, item: dict[str, Any]) -> str:
    """The record whose alert would be closed for a finding."""
    if "record" in item:
        return str(item["record"])
    met = next(entry for entry in world.truth["meetings"] if entry["uid"] == item["meeting"]["uid"])
    return str(met["what"] or met["who"][0])


def test_each_rule_has_baseline_new_mended_and_ignored_leaks(world: World) -> None:
    alerts = {event["record"] for event in world.timeline if event["do"] == "complete_alert_task"}
    for rule in RULES:
        mine = [item for item in world.truth["findings"] if item["rule"] == rule]
        assert any(item["baseline"] for item in mine)
        assert any(not item["baseline"] and item["until"] for item in mine)
        assert any(not item["baseline"] and not item["until"] for item in mine)
        assert any(about(world, item) in alerts and not item["baseline"] and not item["until"] for item in mine)


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


def by_hand(**more: Any) -> World:
    """A world that somebody wrote: one rep, no deals, and what is given."""
    return parse_world(
        {
            "format": "leakwatch-world/1",
            "name": "by-hand",
            "start": "2026-03-02T10:00:00Z",
            "company": {"name": "H", "domains": ["h.example"], "time_zone": "America/New_York", "currency": "USD"},
            "users": [{"ref": "@user:a", "first_name": "A", "last_name": "B", "email": "a@h.example", "role": "rep"}],
            "stages": [
                {"value": "Talk", "is_closed": False, "is_won": False},
                {"value": "Ice", "is_closed": False, "is_won": False},
            ],
            "lead_statuses": [{"value": "New"}],
            "meanings": {"stage": {"Talk": "open", "Ice": "suspended"}, "lead_status": {"New": "open"}},
            **more,
        }
    )


@pytest.mark.parametrize(
    ("start", "first"),
    [
        ("2026-03-02T10:59:00Z", "2026-03-02T11:00:00+00:00"),
        ("2026-03-02T11:00:00Z", "2026-03-02T11:00:00+00:00"),
        ("2026-03-02T11:01:00Z", "2026-03-03T11:00:00+00:00"),
    ],
)
def test_the_first_audit_is_the_first_audit_time_that_is_not_before_the_start(start: str, first: str) -> None:
    moments = list(audits(by_hand(start=start, days=7)))
    assert moments[0].isoformat() == first
    assert len(moments) == 8
    assert moments[-1].hour == 10, "summer time began on March 8: six o'clock comes an hour earlier in UTC"


@pytest.mark.parametrize(
    ("when", "stale"),
    [
        ({"StartDateTime": "2026-02-20T15:00:00Z", "EndDateTime": "2026-02-20T16:00:00Z"}, False),
        ({"ActivityDateTime": "2026-02-20T15:00:00Z", "DurationInMinutes": 60}, False),
        ({"ActivityDateTime": "2026-03-02T10:30:00Z", "DurationInMinutes": 60}, True),
        ({"Subject": "no time at all"}, True),
    ],
)
def test_a_meeting_by_hand_counts_once_it_ended_however_its_time_is_given(when: dict[str, Any], stale: bool) -> None:
    lead = {"LastName": "L", "Company": "C", "Status": "New"}
    records = [
        {"ref": "@lead:a", "object": "Lead", "created": "2025-01-01T00:00:00Z", "fields": lead},
        {"ref": "@event:a", "object": "Event", "fields": {"WhoId": "@lead:a", **when}},
    ]
    world = by_hand(records=records)
    assert (("lead_stale", "@lead:a") in evaluate(world, next(audits(world)))) is stale


def test_a_suspended_deal_is_not_open_so_its_close_date_may_pass() -> None:
    records = [
        {
            "ref": f"@opp:{stage.lower()}",
            "object": "Opportunity",
            "fields": {"StageName": stage, "CloseDate": "2026-01-01"},
        }
        for stage in ("Talk", "Ice")
    ]
    world = by_hand(records=records)
    assert evaluate(world, next(audits(world))) == {("opp_close_overdue", "@opp:talk")}


@pytest.mark.parametrize(
    ("first", "currency", "leak"),
    [(["100"], "EUR", True), (["100"], "USD", False), (["0", "100"], "EUR", True), ([None, "100"], "EUR", True)],
)
def test_a_won_deal_is_held_against_its_first_amount_above_zero_in_its_own_currency(
    first: list[str | None], currency: str, leak: bool
) -> None:
    deal = {"StageName": "Done", "CloseDate": "2026-01-01", "Amount": "40", "CurrencyIsoCode": "EUR"}
    records: list[dict[str, Any]] = [{"ref": "@opp:a", "object": "Opportunity", "fields": deal}]
    for number, amount in enumerate(first):
        fields = {"OpportunityId": "@opp:a", "Amount": amount, "CurrencyIsoCode": currency}
        when = f"2025-0{number + 1}-01T00:00:00Z"
        records.append({"ref": f"@hist:{number}", "object": "OpportunityHistory", "created": when, "fields": fields})
    world = by_hand(
        records=records,
        stages=[{"value": "Done", "is_closed": True, "is_won": True}],
        meanings={"stage": {"Done": "won"}, "lead_status": {"New": "open"}},
    )
    assert (("opp_price_deviation", "@opp:a") in evaluate(world, next(audits(world)))) is leak


def test_a_large_world_is_a_hundred_mailboxes_and_what_is_scaled_is_not_the_people() -> None:
    world = generate("large", 7, scale=0.01)
    read = [user for user in world.users if user.get("google") and user["google"].get("gmail", True) and user["active"]]
    assert len(read) == 100
    assert 500 <= sum(1 for record in world.records if record["object"] == "Opportunity") <= 520
    assert world.as_json() == generate("large", 7, scale=0.01).as_json()
