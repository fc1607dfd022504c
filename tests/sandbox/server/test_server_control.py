"""The control API: clock, truth, state, ledger, trouble."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox.server.harness import Running


def test_it_wants_its_token(running: Running) -> None:
    url = f"{running.info['control']['url']}/clock"
    assert running.web.get(url, timeout=5).status_code == 401
    assert running.web.get(url, headers={"Authorization": "Bearer no"}, timeout=5).status_code == 401


def test_the_clock_stands_until_it_is_moved_and_shows_as_date_of_the_org(running: Running) -> None:
    assert running.control("GET", "/clock") == {"now": "2026-03-02T02:00:00Z"}
    assert running.salesforce("limits").headers["Date"] == "Mon, 02 Mar 2026 02:00:00 GMT"
    running.control("POST", "/clock", {"to": "2026-03-02T09:30:00+03:00"})
    assert running.control("GET", "/clock") == {"now": "2026-03-02T06:30:00Z"}
    assert running.salesforce("limits").headers["Date"] == "Mon, 02 Mar 2026 06:30:00 GMT"


@pytest.mark.parametrize(
    "body",
    [
        {"to": "2026-03-01T00:00:00Z"},
        {"to": "2026-03-05T00:00:00"},
        {"advance_seconds": -1},
        {"advance_seconds": "1"},
        {},
        {"to": 5},
    ],
)
def test_the_clock_does_not_go_back_and_wants_an_instant(running: Running, body: dict[str, Any]) -> None:
    answer = running.raw_control("POST", "/clock", body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert running.control("GET", "/clock") == {"now": "2026-03-02T02:00:00Z"}


def test_moving_the_clock_plays_what_is_due_in_order_and_once(running: Running) -> None:
    first = running.control("POST", "/clock", {"advance_seconds": 3 * 86_400})["played"]
    second = running.control("POST", "/clock", {"advance_seconds": 12 * 86_400})["played"]
    instants = [event["at"] for event in [*first, *second]]
    assert instants == sorted(instants)
    assert first
    assert second
    assert max(event["at"] for event in first) <= "2026-03-05T02:00:00Z" < min(event["at"] for event in second)
    assert running.control("POST", "/clock", {"advance_seconds": 86_400})["played"] == []


def audit(running: Running, day: datetime) -> dict[str, set[str]]:
    """The four rules asked of the org itself, in SOQL."""
    world = running.control("GET", "/world")
    local = (day + timedelta(hours=3)).date()
    edge = (local - timedelta(days=14)).isoformat()
    overdue = running.soql(f"SELECT Id FROM Opportunity WHERE IsClosed = false AND CloseDate < {edge}")
    lost_stages = [s for s, m in world["meanings"]["stage"].items() if m in {"lost", "suspended", "abandoned"}]
    names = ", ".join(f"'{stage}'" for stage in lost_stages)
    window = local - timedelta(days=365)
    lost = {
        row["Id"]
        for row in running.soql(
            f"SELECT Id, Loss_Reason__c, LastStageChangeDate, CloseDate FROM Opportunity WHERE StageName IN ({names})"
        )
        if not (row["Loss_Reason__c"] or "").strip() and _stage_day(row) >= window
    }
    return {
        "lead_stale": _stale(running, day),
        "opp_close_overdue": {row["Id"] for row in overdue},
        "opp_lost_without_reason": lost,
        "opp_price_deviation": _price(running),
    }


def _stale(running: Running, now: datetime) -> set[str]:
    """Leads whose last touch is 30 days old: what the org has, and the mails that would be captured by now."""
    meanings = running.control("GET", "/world")["meanings"]["lead_status"]
    touches: dict[str, list[Any]] = {}

    def touch(who: str | None, moment: str) -> None:
        day = datetime.fromisoformat(moment)
        local = day.date() if len(moment) == 10 else (day + timedelta(hours=3)).date()
        touches.setdefault(who or "", []).append(local)

    for row in running.soql("SELECT WhoId, CompletedDateTime, ActivityDate FROM Task WHERE IsClosed = true"):
        touch(row["WhoId"], row["CompletedDateTime"] or row["ActivityDate"])
    for row in running.soql("SELECT WhoId, EndDateTime FROM Event"):
        if datetime.fromisoformat(row["EndDateTime"]) <= now:
            touch(row["WhoId"], row["EndDateTime"])
    for row in running.soql("SELECT RelationId, EmailMessage.MessageDate FROM EmailMessageRelation"):
        touch(row["RelationId"], row["EmailMessage"]["MessageDate"])
    for item in running.control("GET", "/truth")["captures"]:
        for who in item["who_ids"]:
            touch(who, item["from"])
    found: set[str] = set()
    for row in running.soql("SELECT Id, Status, CreatedDate FROM Lead WHERE IsConverted = false"):
        touch(row["Id"], row["CreatedDate"])
        old = max(touches[row["Id"]]) <= (now + timedelta(hours=3)).date() - timedelta(days=30)
        if old and meanings[row["Status"]] == "open":
            found.add(row["Id"])
    return found


def _stage_day(row: dict[str, Any]) -> Any:
    if row["LastStageChangeDate"]:
        return (datetime.fromisoformat(row["LastStageChangeDate"]) + timedelta(hours=3)).date()
    return datetime.fromisoformat(row["CloseDate"]).date()


def _price(running: Running) -> set[str]:
    first: dict[str, Decimal] = {}
    for row in running.soql("SELECT OpportunityId, Amount FROM OpportunityHistory ORDER BY CreatedDate, Id"):
        first.setdefault(row["OpportunityId"], Decimal(str(row["Amount"] or 0)))
    listed: dict[str, Decimal] = {}
    for row in running.soql("SELECT OpportunityId, ListPrice, Quantity FROM OpportunityLineItem"):
        worth = Decimal(str(row["ListPrice"])) * Decimal(str(row["Quantity"]))
        listed[row["OpportunityId"]] = listed.get(row["OpportunityId"], Decimal(0)) + worth
    found: set[str] = set()
    for row in running.soql("SELECT Id, Amount, Budget__c FROM Opportunity WHERE IsWon = true"):
        bases = [
            Decimal(str(row["Budget__c"] or 0)),
            listed.get(row["Id"], Decimal(0)),
            first.get(row["Id"], Decimal(0)),
        ]
        basis = next((value for value in bases if value > 0), None)
        amount = Decimal(str(row["Amount"]))
        if basis is not None and (amount < basis / 2 or amount > basis * 5 / 4):
            found.add(row["Id"])
    return found


def test_the_org_itself_shows_the_leaks_that_the_truth_tells_day_by_day(running: Running) -> None:
    day = datetime(2026, 3, 2, 3, tzinfo=UTC)
    for offset in (0, 1, 2, 3, 4, 6, 8, 9, 14):
        now = day + timedelta(days=offset)
        played = running.control("POST", "/clock", {"to": now.isoformat()})["played"]
        assert not [event for event in played if "error" in event]
        truth = running.control("GET", "/truth")
        for rule, found in audit(running, now).items():
            told = {item["record_id"] for item in truth["findings"] if item["rule"] == rule and item["open"]}
            assert found == told, (offset, rule)
            assert not found & {item["record_id"] for item in truth["decoys"] if item["rule"] == rule}


def test_the_truth_about_mail_changes_when_a_draft_is_sent(running: Running) -> None:
    def drafts() -> list[str]:
        captures = running.control("GET", "/truth")["captures"]
        return [item["expect"] for item in captures if "draft1" in item["message_id"]]

    assert drafts() == []
    running.control("POST", "/clock", {"to": "2026-03-04T20:00:00Z"})
    assert drafts() == ["skipped"]
    running.control("POST", "/clock", {"to": "2026-03-05T20:00:00Z"})
    assert drafts() == ["written"]
    written = [c for c in running.control("GET", "/truth")["captures"] if c["expect"] == "written"]
    assert all(len(c["who_ids"]) >= 1 and c["owner_id"].startswith("005") for c in written)


def test_a_rep_closes_the_alert_and_mends_nothing(running: Running) -> None:
    events = running.control("POST", "/clock", {"to": "2026-03-05T03:00:00Z"})["played"]
    assert not any(event["do"] == "complete_alert_task" for event in events)
    refs = running.control("GET", "/world")["refs"]
    truth = running.control("GET", "/truth")["findings"]
    item = next(f for f in truth if f["why"].startswith("new on day 3; on day 5 the alert is closed"))
    task = {
        "Subject": "Close date",
        "WhatId": item["record_id"],
        "OwnerId": refs["@user:rep1"],
        "Leakwatch_Key__c": "lw1:f:abc",
    }
    key = running.salesforce("sobjects/Task", "POST", task).json()["id"]
    other = running.salesforce("sobjects/Task", "POST", task | {"Leakwatch_Key__c": None}).json()["id"]
    played = running.control("POST", "/clock", {"to": "2026-03-08T03:00:00Z"})["played"]
    done = [event for event in played if event["do"] == "complete_alert_task" and event["record"] == item["record"]]
    assert done[0]["result"] == [key]
    states = {row["Id"]: row["Status"] for row in running.soql("SELECT Id, Status FROM Task WHERE WhatId != null")}
    assert states[key] == "Completed"
    assert states[other] != "Completed"


def test_a_saved_state_comes_back_whole(running: Running) -> None:
    dump = running.control("GET", "/org/dump")
    truth = running.control("GET", "/truth")
    running.control("POST", "/save", {"name": "here"})
    running.control("POST", "/clock", {"advance_seconds": 9 * 86_400})
    running.salesforce("sobjects/Task", "POST", {"Subject": "x"})
    assert running.control("GET", "/org/dump") != dump
    assert running.control("POST", "/restore", {"name": "here"})["now"] == "2026-03-02T02:00:00Z"
    assert running.control("GET", "/org/dump") == dump
    assert running.control("GET", "/truth") == truth
    assert running.salesforce("limits").status_code == 200
    first = running.control("POST", "/clock", {"advance_seconds": 9 * 86_400})["played"]
    running.control("POST", "/restore", {"name": "here"})
    assert running.control("POST", "/clock", {"advance_seconds": 9 * 86_400})["played"] == first


def test_the_dump_tells_on_request_which_label_stands_for_which_new_id(running: Running) -> None:
    key = running.salesforce("sobjects/Task", "POST", {"Subject": "labelled"}).json()["id"]
    told = running.control("GET", "/org/dump?labels=true")
    row = next(row for row in told["rows"]["Task"] if row["Subject"] == "labelled")
    assert told["labels"][key[:15]] == row["Id"]
    assert told["rows"] == running.control("GET", "/org/dump")


def test_a_running_org_can_be_made_to_refuse_collections_inside_composite(running: Running) -> None:
    part = {"allOrNone": False, "records": [{"attributes": {"type": "Task"}, "Subject": "x"}]}
    call = {"method": "POST", "url": "/services/data/v62.0/composite/sobjects", "referenceId": "a", "body": part}

    def status() -> int:
        answer = running.salesforce("composite", "POST", {"allOrNone": False, "compositeRequest": [call]}).json()
        return answer["compositeResponse"][0]["httpStatusCode"]

    assert status() == 200
    running.control("POST", "/org/settings", {"composite_collections_allowed": False})
    assert status() == 400
    assert running.control("POST", "/org/settings", {"composite_collections_allowed": True})["page_size"] == 2000
    assert status() == 200


def test_a_running_org_can_be_made_to_allow_no_unique_key_on_email_messages(running: Running) -> None:
    def insert() -> dict[str, Any]:
        mail = {"attributes": {"type": "EmailMessage"}, "Status": "3", "Subject": "x", "Leakwatch_Key__c": "lw1:m:1"}
        return running.salesforce("composite/sobjects", "POST", {"allOrNone": False, "records": [mail]}).json()[0]

    assert insert()["success"]
    assert insert()["errors"][0]["statusCode"] == "DUPLICATE_VALUE"
    running.control("POST", "/org/settings", {"email_message_key_unique": False})
    described = running.salesforce("sobjects/EmailMessage/describe").json()["fields"]
    assert not next(field for field in described if field["name"] == "Leakwatch_Key__c")["unique"]
    assert insert()["success"]
    running.control("POST", "/org/settings", {"email_message_key_unique": True})
    assert not insert()["success"]


@pytest.mark.parametrize("change", [{"org_id": "x"}, {"page_size": "many"}, {"auto_task_owner": "nobody"}, {"sise": 1}])
def test_settings_that_cannot_change_or_make_no_sense_are_refused_and_nothing_changes(
    running: Running, change: dict[str, Any]
) -> None:
    before = running.control("GET", "/org/settings")
    assert running.raw_control("POST", "/org/settings", {"audit_fields": True, **change}).status_code == 400
    assert running.control("GET", "/org/settings") == before


def test_rules_are_declared_while_the_org_runs(running: Running) -> None:
    when = {"field": "LastName", "is": "Nobody"}
    rule = {"name": "Somebody", "object": "Lead", "when": when, "message": "Say who.", "field": "LastName"}
    assert running.control("POST", "/org/rules", {"validation_rules": [rule]})["validation_rules"] == [rule]
    assert running.raw_control("POST", "/org/rules", {"validation_rules": [{**rule, "when": {}}]}).status_code == 400
    answer = running.salesforce("sobjects/Lead", "POST", {"LastName": "Nobody", "Company": "L"})
    assert answer.json()[0]["message"] == "Say who."
    running.control("POST", "/org/rules", {"validation_rules": []})
    assert running.control("GET", "/org/rules") == {"validation_rules": [], "duplicate_rules": []}


def test_rows_can_be_committed_late_and_deleted_for_good(running: Running) -> None:
    row = {"LastName": "Late", "Company": "L", "SystemModstamp": "2026-01-05T08:00:00Z"}
    assert running.control("POST", "/org/rows", {"sobject": "Lead", "rows": [row]}) == {"added": 1}
    query = "SELECT Id, SystemModstamp FROM Lead WHERE LastName = 'Late'"
    (late,) = running.soql(query)
    assert late["SystemModstamp"] == "2026-01-05T08:00:00.000+0000"
    running.control("POST", "/org/purge", {"sobject": "Lead", "ids": [late["Id"]]})
    assert running.soql(query) == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/org/rows", {"sobject": "Lead", "rows": [{"Nope": 1}]}),
        ("/org/rows", {"rows": []}),
        ("/org/purge", {"sobject": "Lead", "ids": ["00Q5e00000zzzzzAAA"]}),
    ],
)
def test_rows_the_org_cannot_have_are_refused(running: Running, path: str, body: dict[str, Any]) -> None:
    assert running.raw_control("POST", path, body).status_code == 400


@pytest.mark.parametrize("name", ["../x", "", "a/b", "nothing-of-that-name"])
def test_only_names_of_saved_states_are_restored(running: Running, name: str) -> None:
    assert running.raw_control("POST", "/restore", {"name": name}).status_code == 400


def test_the_ledger_counts_rows_that_were_asked_to_be_written_by_any_kind_of_call(running: Running) -> None:
    key = running.salesforce("sobjects/Task", "POST", {"Subject": "x"}).json()["id"]
    record = {"attributes": {"type": "Task"}, "id": key, "Subject": "y"}
    body = {"allOrNone": False, "records": [record, record | {"id": "00T5e000000000000"}]}
    part = {"method": "PATCH", "url": "/services/data/v62.0/composite/sobjects", "referenceId": "a", "body": body}
    running.salesforce("composite", "POST", {"compositeRequest": [part]})
    running.salesforce(f"sobjects/Task/{key}", "DELETE")
    rows = running.control("GET", "/ledger")["salesforce_rows"]
    assert rows["create Task"] == rows["delete Task"] == 1
    assert rows["update Task"] >= 1
    running.control("DELETE", "/ledger")
    assert running.control("GET", "/ledger")["salesforce_rows"] == {}


def test_the_ledger_counts_calls_by_endpoint(running: Running) -> None:
    running.soql("SELECT Id FROM Lead LIMIT 1")
    running.soql("SELECT Id FROM Account LIMIT 1")
    key = running.salesforce("sobjects/Task", "POST", {"Subject": "x"}).json()["id"]
    running.salesforce(f"sobjects/Task/{key}")
    ledger = running.control("GET", "/ledger")
    assert ledger["requests"]["salesforce"] == {
        "GET /services/data/v{n}/query": 2,
        "GET /services/data/v{n}/sobjects/Task/{id}": 1,
        "POST /services/data/v{n}/sobjects/Task": 1,
    }
    assert ledger["totals"] == {"salesforce": 4}
    running.control("DELETE", "/ledger")
    assert running.control("GET", "/ledger")["totals"] == {}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "INVALID_SESSION_ID"),
        (403, "REQUEST_LIMIT_EXCEEDED"),
        (500, "UNKNOWN_EXCEPTION"),
        (503, "SERVER_UNAVAILABLE"),
        (429, None),
    ],
)
def test_faults_have_salesforces_shape_and_end(running: Running, status: int, code: str | None) -> None:
    rule = {
        "service": "salesforce",
        "match": "^GET .*/query",
        "status": status,
        "times": 2,
        "after": 1,
        "retry_after": 7,
    }
    running.control("POST", "/faults", rule)
    answers = [running.salesforce("query?q=SELECT+Id+FROM+Lead+LIMIT+1") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, status, status, 200]
    assert answers[1].headers["Retry-After"] == "7"
    if code is None:
        assert answers[1].content == b""
    else:
        assert answers[1].json()[0]["errorCode"] == code
    assert running.control("GET", "/ledger")["faults"] == {f"salesforce {status}": 2}


def test_a_fault_before_does_nothing_and_a_fault_after_has_done_it(running: Running) -> None:
    def tasks() -> int:
        return len(running.soql("SELECT Id FROM Task WHERE Subject = 'fault'"))

    for do, effect, made in (
        ("answer", "before", 0),
        ("answer", "after", 1),
        ("reset", "before", 1),
        ("reset", "after", 2),
    ):
        rule = {"service": "salesforce", "match": "POST", "do": do, "effect": effect, "times": 1}
        running.control("POST", "/faults", rule)
        try:
            assert running.salesforce("sobjects/Task", "POST", {"Subject": "fault"}).status_code == 503
        except requests.exceptions.ConnectionError:
            assert do == "reset"
        assert tasks() == made


def test_a_cut_answer_is_cut_and_its_work_done(running: Running) -> None:
    running.control("POST", "/faults", {"service": "salesforce", "match": "POST", "do": "truncate", "times": 1})
    with pytest.raises(requests.exceptions.RequestException):
        running.salesforce("sobjects/Task", "POST", {"Subject": "cut"}).json()
    assert len(running.soql("SELECT Id FROM Task WHERE Subject = 'cut'")) == 1


def test_probability_follows_the_seed(running: Running) -> None:
    def run() -> list[int]:
        running.control("DELETE", "/faults?seed=11")
        running.control("POST", "/faults", {"service": "salesforce", "status": 503, "probability": 0.5})
        return [running.salesforce("limits").status_code for _ in range(16)]

    first = run()
    assert first == run()
    assert {200, 503} == set(first)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"service": "salesforce", "statsu": 1}, "did you mean 'status'"),
        ({"service": "graph"}, "service must be"),
        ({"service": "google", "do": "explode"}, "do must be one of"),
        ({"service": "google", "match": "("}, "unterminated subpattern"),
        ({"service": "google", "every": 0}, "every must be"),
    ],
)
def test_a_senseless_fault_is_refused(running: Running, rule: dict[str, Any], words: str) -> None:
    answer = running.raw_control("POST", "/faults", rule)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert running.control("GET", "/faults")["rules"] == []


def test_expired_sessions_are_refused_by_salesforce(tmp_path_factory: pytest.TempPathFactory) -> None:
    running = Running(tmp_path_factory.mktemp("sessions"), "--world", "small")
    try:
        assert running.salesforce("limits").status_code == 200
        running.control("POST", "/sessions/expire", {"service": "salesforce"})
        answer = running.salesforce("limits")
        assert answer.status_code == 401
        assert answer.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    finally:
        running.stop()


def test_an_edit_that_the_org_refuses_is_told_and_the_play_goes_on(running: Running) -> None:
    truth = running.control("GET", "/truth")["findings"]
    item = next(f for f in truth if f["why"] == "baseline, moved on day 3")
    assert running.salesforce(f"sobjects/Opportunity/{item['record_id']}", "DELETE").status_code == 204
    played = running.control("POST", "/clock", {"advance_seconds": 5 * 86_400})["played"]
    refused = [event for event in played if "error" in event]
    assert [event["record"] for event in refused] == [item["record"]]
    assert played.index(refused[0]) < len(played) - 1


def test_a_lead_is_converted_on_demand(running: Running) -> None:
    lead = running.soql("SELECT Id, OwnerId FROM Lead WHERE IsConverted = false AND Owner.Type = 'User' LIMIT 1")[0]
    made = running.control("POST", "/leads/convert", {"lead": lead["Id"], "user": lead["OwnerId"]})
    assert made["leadId"] == lead["Id"]
    assert made["opportunityId"].startswith("006")
    again = running.raw_control("POST", "/leads/convert", {"lead": lead["Id"], "user": lead["OwnerId"]})
    assert (again.status_code, "converted lead" in again.json()["error"]) == (400, True)


def test_records_are_merged_on_demand(running: Running) -> None:
    kept, gone = running.soql("SELECT Id, OwnerId FROM Contact WHERE AccountId != null LIMIT 2")
    body = {"sobject": "Contact", "master": kept["Id"], "merged": [gone["Id"]], "user": kept["OwnerId"]}
    assert running.control("POST", "/merge", body)["mergedRecordIds"] == [gone["Id"]]
    row = running.control("GET", f"/rows/Contact/{gone['Id']}")
    assert (row["IsDeleted"], row["MasterRecordId"]) == (True, kept["Id"])
    again = running.raw_control("POST", "/merge", body)
    assert (again.status_code, "entity is deleted" in again.json()["error"]) == (400, True)


# -- logging in --------------------------------------------------------------------------------------


def login(running: Running) -> str:
    """A token of its own, by client credentials."""
    org = running.info["salesforce"]
    form = {"grant_type": "client_credentials", "client_id": org["client_id"], "client_secret": org["client_secret"]}
    answer = running.web.post(f"{org['instance_url']}/services/oauth2/token", data=form, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def works(running: Running, token: str) -> int:
    """The status of a call with this token."""
    url = f"{running.info['salesforce']['instance_url']}/services/data/v66.0/limits"
    return running.web.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=20).status_code


def test_the_login_host_is_apart_from_the_org(running: Running) -> None:
    org = running.info["salesforce"]
    assert org["login_url"] != org["instance_url"]
    form = {"grant_type": "client_credentials", "client_id": org["client_id"], "client_secret": org["client_secret"]}
    answer = running.web.post(f"{org['login_url']}/services/oauth2/token", data=form, timeout=20)
    assert answer.json()["error_description"] == "request not supported on this domain"
    assert {"username", "id", "name", "active"} == set(org["users"][0])
    assert org["username"] in {user["username"] for user in org["users"]}


def test_one_session_ends_by_its_token_or_name_or_after_some_calls(running: Running) -> None:
    first, second, third = login(running), login(running), login(running)
    assert running.control("POST", "/sessions/expire", {"token": first}) == {"sessions": 1}
    named = running.control("GET", "/sessions")["sessions"]
    assert second not in str(named)
    running.control("POST", "/sessions/expire", {"session": named[-2]["session"]})
    running.control("POST", "/sessions/expire", {"token": third, "after_calls": 1})
    assert [works(running, token) for token in (first, second, third, third)] == [401, 401, 200, 401]
    assert running.salesforce("limits").status_code == 200


def test_a_user_can_be_locked_and_lose_the_api_and_the_org_too(running: Running) -> None:
    token, user = login(running), running.info["salesforce"]["username"]
    assert running.control("POST", "/users", {"user": user, "locked": True, "api": False})["api"] is False
    assert works(running, token) == 403
    running.control("POST", "/users", {"user": user, "locked": False, "api": True})
    running.control("POST", "/org/api", {"enabled": False})
    assert works(running, token) == 403
    running.control("POST", "/org/api", {"enabled": True})
    assert works(running, token) == 200


def test_an_app_is_set_up_otherwise_and_shows_no_secret(running: Running) -> None:
    app = running.control("GET", "/apps")["apps"][0]
    assert (app["policy"], "secret" in app) == ("admin_approved", False)
    changed = running.control("POST", "/apps", {"client_id": app["client_id"], "rotation": False})
    assert changed == app | {"rotation": False}
    running.control("POST", "/apps", {"client_id": app["client_id"], "rotation": True})


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/sessions/expire", {"session": "nonsense"}, "no living session"),
        ("/sessions/expire", {"service": "graph"}, "salesforce or google"),
        ("/sessions/expire", {"service": "google", "user": "x"}, "for the org's sessions only"),
        ("/sessions/expire", {"sesion": "x"}, "not known here"),
        ("/sessions/expire", {"user": "nobody"}, "there is no user"),
        ("/sessions/expire", {"user": "x", "token": "y"}, "say one of"),
        ("/sessions/expire", {"after_calls": "2"}, "a number of calls"),
        ("/users", {"user": "nobody", "locked": True}, "there is no user"),
        ("/users", {"locked": 1}, "there is no user"),
        ("/org/api", {"enabled": "no"}, "true or false"),
        ("/apps", {"client_id": "x", "installed": False}, "there is no app"),
    ],
)
def test_what_makes_no_sense_about_logging_in_is_refused(
    running: Running, path: str, body: dict[str, Any], words: str
) -> None:
    answer = running.raw_control("POST", path, body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_a_reset_goes_back_to_the_world_as_seeded_and_keeps_people_logged_in(running: Running) -> None:
    before = running.control("GET", "/org/dump")
    token = login(running)
    account = running.soql("SELECT Id, Name FROM Account LIMIT 1")[0]
    running.control("POST", "/clock", {"advance_seconds": 2 * 86_400})
    assert running.salesforce(f"sobjects/Account/{account['Id']}", "PATCH", {"Name": "Changed"}).status_code == 204
    assert running.control("GET", f"/rows/Account/{account['Id']}")["Name"] == "Changed"
    running.control("POST", "/faults", {"service": "salesforce", "match": "never"})
    assert running.control("POST", "/reset") == {"now": "2026-03-02T02:00:00Z"}
    assert running.control("GET", f"/rows/Account/{account['Id']}")["Name"] == account["Name"]
    assert running.control("GET", "/org/dump") == before
    assert running.control("GET", "/faults")["rules"] == []
    assert works(running, token) == 200
    missing = running.raw_control("GET", "/rows/Account/001000000000000AAA")
    assert (missing.status_code, "there is no Account" in missing.json()["error"]) == (400, True)
