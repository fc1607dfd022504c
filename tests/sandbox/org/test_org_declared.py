"""Validation rules and duplicate rules that an admin declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Api, Clock, Company

pytestmark = pytest.mark.documented("SOAP API Developer Guide, StatusCode, DuplicateResult; DuplicateRuleHeader")
LEAD = {"LastName": "x", "Company": "c"}


def rule(when: Any, **more: Any) -> dict[str, Any]:
    return {"name": "r", "object": "Opportunity", "when": when, "message": "No.", **more}


@pytest.mark.parametrize(
    ("when", "fields", "refused"),
    [
        ({"field": "StageName", "is": "Closed Lost"}, {"StageName": "Closed Lost"}, True),
        ({"field": "StageName", "is": "Closed Lost"}, {"StageName": "closed lost"}, False),
        ({"field": "StageName", "in": ["Closed Lost", "Closed Won"]}, {"StageName": "Closed Won"}, True),
        ({"field": "Amount", "above": 20_000}, {"Amount": 20_000}, False),
        ({"field": "Amount", "at_least": 20_000}, {"Amount": 20_000}, True),
        ({"field": "Amount", "below": 1}, {"Amount": None}, False),
        ({"field": "Amount", "blank": True}, {"Amount": None}, True),
        ({"field": "CloseDate", "below": "2026-01-01"}, {"CloseDate": "2025-12-31"}, True),
        ({"field": "CloseDate", "changed": True}, {"Amount": 1}, False),
        ({"field": "CloseDate", "changed": True}, {"CloseDate": "2026-06-01"}, True),
        ({"field": "Amount", "above": {"field": "Probability"}}, {"Amount": 5}, False),
        ({"field": "Amount", "above": {"field": "Probability"}}, {"Amount": 50}, True),
        ({"not": {"field": "Name", "contains": "2026"}}, {"Name": "Plain"}, True),
        ({"any": [{"new": True}, {"field": "IsClosed", "is": True}]}, {"StageName": "Closed Won"}, True),
        ({"all": [{"new": True}, {"field": "Amount", "blank": False}]}, {"Amount": 1}, False),
    ],
)
def test_a_validation_rule_refuses_what_its_condition_is_true_of(
    org: Org, company: Company, when: dict[str, Any], fields: dict[str, Any], refused: bool
) -> None:
    org.declare({"validation_rules": [rule(when)]})
    if not refused:
        org.update("Opportunity", company.deal, fields, user_id=company.rep)
        return
    with pytest.raises(OrgError, match="FIELD_CUSTOM_VALIDATION_EXCEPTION"):
        org.update("Opportunity", company.deal, fields, user_id=company.rep)


def test_all_validation_rules_that_are_broken_are_named_with_their_fields(api: Api, org: Org, company: Company) -> None:
    when = {"field": "Amount", "above": 1}
    rules = [
        rule(when, field="Amount", message="Too much"),
        rule(when, message="Far too much"),
        rule(when, active=False, message="Not asked"),
    ]
    org.declare({"validation_rules": rules})
    answer = api.call("PATCH", f"sobjects/Opportunity/{company.deal}", {"Amount": 2})
    code = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    assert (answer.status_code, answer.json()) == (
        400,
        [
            {"message": "Too much", "errorCode": code, "fields": ["Amount"]},
            {"message": "Far too much", "errorCode": code},
        ],
    )
    records = [{"attributes": {"type": "Opportunity"}, "id": company.deal, "Amount": 2}]
    (row,) = api.call("PATCH", "composite/sobjects", {"records": records}).json()
    assert [one["statusCode"] for one in row["errors"]] == [code, code]


def test_a_duplicate_is_refused_with_what_it_duplicates(api: Api, org: Org, company: Company) -> None:
    org.declare({"duplicate_rules": [{"name": "Mail", "object": "Lead", "match": ["Email"], "action": "allow"}]})
    answer = api.call("POST", "sobjects/Lead", LEAD | {"Email": "OZ@oz.example"})
    (error,) = answer.json()
    assert (answer.status_code, error["errorCode"]) == (400, "DUPLICATES_DETECTED")
    assert error["message"].startswith("You're creating a duplicate record.")
    found = error["duplicateResult"]
    assert (found["allowSave"], found["duplicateRule"], found["duplicateRuleEntityType"]) == (True, "Mail", "Lead")
    (match,) = found["matchResults"][0]["matchRecords"]
    assert match["record"]["Id"] == company.lead
    assert set(match["record"]) == {"attributes", "Id"}
    whole = {"Sforce-Duplicate-Rule-Header": "allowSave=false; includeRecordDetails=true"}
    shown = api.call("POST", "sobjects/Lead", LEAD | {"Email": "oz@oz.example"}, headers=whole).json()[0]
    assert shown["duplicateResult"]["matchResults"][0]["matchRecords"][0]["record"]["Company"] == "Öz Ltd"
    save = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    assert api.call("POST", "sobjects/Lead", LEAD | {"Email": "oz@oz.example"}, headers=save).status_code == 201


def test_a_blocking_duplicate_rule_is_not_overridden_and_may_look_at_other_objects(
    api: Api, org: Org, company: Company
) -> None:
    mail = {"name": "Mail", "object": "Lead", "match": ["Email"], "against": ["Lead", "Contact"], "message": "There!"}
    org.declare({"duplicate_rules": [mail]})
    save = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    answer = api.call("POST", "sobjects/Lead", LEAD | {"Email": "isil@celik.example"}, headers=save)
    assert (answer.status_code, answer.json()[0]["message"]) == (400, "There!")
    assert api.call("POST", "sobjects/Lead", LEAD).status_code == 201  # an empty field matches nothing
    org.update("Lead", company.lead, {"Title": "x"}, user_id=company.rep)  # a row is no duplicate of itself


@pytest.mark.parametrize(
    "rules",
    [
        {"workflow_rules": []},
        {"validation_rules": [{"name": "r", "object": "Opportunity", "message": "x"}]},
        {"validation_rules": [rule({"field": "Nope", "is": "x"})]},
        {"validation_rules": [rule({"field": "Amount", "is": "much"})]},
        {"validation_rules": [rule({"field": "Amount", "is": 1, "below": 2})]},
        {"validation_rules": [rule({"field": "IsClosed", "above": True})]},
        {"validation_rules": [rule({"all": {"field": "Amount", "is": 1}})]},
        {"validation_rules": [rule({"new": True}, colour="red")]},
        {"duplicate_rules": [{"name": "d", "object": "Lead", "match": ["Email"], "action": "report"}]},
        {"duplicate_rules": [{"name": "d", "object": "Lead", "match": ["Email"], "against": ["Account"]}]},
    ],
)
def test_what_is_no_rule_is_refused_and_changes_nothing(org: Org, rules: dict[str, Any]) -> None:
    org.declare({"validation_rules": [rule({"new": True})]})
    with pytest.raises(ValueError):
        org.declare(rules)
    assert org.declare({}) == {"validation_rules": [rule({"new": True})], "duplicate_rules": []}


def test_declared_rules_survive_a_restart_and_go_with_a_saved_state(tmp_path: Path, clock: Clock) -> None:
    org = Org(tmp_path / "ruled", clock)
    org.declare({"validation_rules": [rule({"new": True})]})
    org.save(tmp_path / "kept")
    org.declare({"validation_rules": []})
    org.restore(tmp_path / "kept")
    assert len(org.declare({})["validation_rules"]) == 1
    org.close()
    again = Org(tmp_path / "ruled", clock)
    deal = {"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-05-01"}
    with pytest.raises(OrgError, match="FIELD_CUSTOM_VALIDATION_EXCEPTION: No"):
        again.create("Opportunity", deal, user_id=again.settings.system_user_id)
    again.close()
