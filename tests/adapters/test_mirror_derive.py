"""Derived columns: what stages mean, which reason counts, local days, money, and the last touch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leakwatch.core.tables import DERIVED, FieldType, MirrorConfig
from leakwatch.store.mirror_derive import DeriveSettings
from leakwatch.store.snapshots import open_snapshot
from mirror_data import ISTANBUL, NOON, Rows, publish, shipped_config

DEAL = "006000000000001AAA"
LEAD = "00Q000000000001AAA"


def ask(folder: Path, data: Rows, sql: str, **options: Any) -> list[tuple[Any, ...]]:
    with open_snapshot(Path(publish(folder, data, **options).path)) as connection:
        return connection.execute(sql).fetchall()


def notes(folder: Path, data: Rows, **options: Any) -> set[str]:
    return {code for (code,) in ask(folder, data, "SELECT code FROM lw_notes", **options)}


def meaning(folder: Path, *, stages: list[dict[str, Any]] | None = None, **deal: Any) -> str | None:
    data: dict[str, Any] = {"Opportunity": [{"Id": DEAL, **deal}]}
    if stages is not None:
        data["OpportunityStage"] = [{"Id": f"01J00000000000{n}AAA", **stage} for n, stage in enumerate(stages)]
    return ask(folder, data, "SELECT stage_meaning FROM sf_opportunity")[0][0]


# --- stages ---


@pytest.mark.parametrize(
    ("is_closed", "is_won", "expected"), [(False, False, "open"), (True, True, "won"), (True, False, "lost")]
)
def test_the_orgs_own_stage_flags_decide_whatever_the_label(
    tmp_path: Path, is_closed: bool, is_won: bool, expected: str
) -> None:
    stage = {"ApiName": "Faz 7", "MasterLabel": "Faz 7", "IsClosed": is_closed, "IsWon": is_won}
    assert meaning(tmp_path, stages=[stage], StageName="Faz 7") == expected


def test_without_stage_metadata_the_deals_own_flags_decide(tmp_path: Path) -> None:
    assert meaning(tmp_path, StageName="Faz 9", IsClosed=True, IsWon=False) == "lost"


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Askıya Alındı", "suspended"),
        ("ASKIYA ALINDI", "suspended"),
        ("On Hold", "suspended"),
        ("Vazgeçildi", "abandoned"),
        ("VAZGEÇİLDİ", "abandoned"),
        ("iptal", "abandoned"),
        ("Abandoned", "abandoned"),
    ],
)
def test_suspended_and_abandoned_are_known_by_their_label_because_no_flag_says_it(
    tmp_path: Path, label: str, expected: str
) -> None:
    assert meaning(tmp_path / "a", StageName=label, IsClosed=True, IsWon=False) == expected
    assert meaning(tmp_path / "b", StageName=label, IsClosed=False, IsWon=False) == expected


def test_a_stage_is_also_known_by_the_label_behind_its_api_name(tmp_path: Path) -> None:
    stage = {"ApiName": "Stage_14", "MasterLabel": "Askıya Alındı", "IsClosed": False, "IsWon": False}
    assert meaning(tmp_path, stages=[stage], StageName="Stage_14") == "suspended"


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Closed Won", "won"),
        ("KAYBEDİLDİ", "lost"),
        ("Kazanıldı", "won"),
        ("Müzakere", "open"),
        ("Prospecting", "open"),
    ],
)
def test_without_any_flag_common_labels_are_read_and_that_is_said(tmp_path: Path, label: str, expected: str) -> None:
    assert meaning(tmp_path / "a", StageName=label) == expected
    assert "stages_by_label" in notes(tmp_path / "b", {"Opportunity": [{"Id": DEAL, "StageName": label}]})


def test_a_stage_that_nobody_explains_means_nothing_and_that_is_said(tmp_path: Path) -> None:
    assert meaning(tmp_path / "a", StageName="Faz 7") is None
    assert "stage_unknown" in notes(tmp_path / "b", {"Opportunity": [{"Id": DEAL, "StageName": "Faz 7"}]})


def test_what_the_company_says_of_a_stage_wins_over_its_flags(tmp_path: Path) -> None:
    roles = replace(shipped_config().opportunity, stage_meanings={"lost": ("Ölü",)})
    config = replace(shipped_config(), opportunity=roles)
    data = {"Opportunity": [{"Id": DEAL, "StageName": "ÖLÜ", "IsClosed": False, "IsWon": False}]}
    assert ask(tmp_path, data, "SELECT stage_meaning FROM sf_opportunity", config=config) == [("lost",)]


# --- reasons, days and money ---


@pytest.mark.parametrize("blank", ["", "   ", "\u00a0", "\t\n", "\u200b \ufeff", "\u3000\u2003\u2028", None])
def test_a_blank_reason_is_no_reason(tmp_path: Path, blank: str | None) -> None:
    data = {"Opportunity": [{"Id": DEAL, "Loss_Reason__c": blank}]}
    assert ask(tmp_path, data, "SELECT loss_reason FROM sf_opportunity") == [(None,)]


def test_the_first_filled_reason_field_counts(tmp_path: Path) -> None:
    row = {"Id": DEAL, "Loss_Reason__c": " \u00a0", "Closed_Lost_Reason__c": " Fiyat ", "Lost_Reason__c": "Other"}
    assert ask(tmp_path, {"Opportunity": [row]}, "SELECT loss_reason FROM sf_opportunity") == [("Fiyat",)]


def test_without_any_reason_field_there_is_no_reason_column(tmp_path: Path) -> None:
    columns = ask(
        tmp_path, {"Opportunity": [{"Id": DEAL, "StageName": "Won"}]},
        "SELECT column_name FROM duckdb_columns() WHERE table_name = 'sf_opportunity'",
    )  # fmt: skip
    assert ("loss_reason",) not in columns


def test_a_late_evening_in_utc_is_the_next_day_in_istanbul(tmp_path: Path) -> None:
    data = {"Opportunity": [{"Id": DEAL, "CreatedDate": "2026-03-30T21:30:00.000+0000"}]}
    sql = "SELECT created_date_local, created_epoch FROM sf_opportunity"
    epoch = int(datetime(2026, 3, 30, 21, 30, tzinfo=UTC).timestamp())
    assert ask(tmp_path / "a", data, sql) == [(date(2026, 3, 31), epoch)]
    assert ask(tmp_path / "b", data, sql, settings=DeriveSettings("America/Chicago")) == [(date(2026, 3, 30), epoch)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"LastStageChangeDate": "2026-03-01T22:00:00.000Z", "CloseDate": "2026-01-01"}, date(2026, 3, 2)),
        ({"LastStageChangeDate": None, "CloseDate": "2026-01-05"}, date(2026, 1, 5)),
        ({"CloseDate": None, "LastModifiedDate": "2026-02-01T08:00:00.000Z"}, date(2026, 2, 1)),
        ({"CloseDate": "2026-01-05", "LastModifiedDate": "2025-02-01T08:00:00.000Z"}, date(2026, 1, 5)),
        ({"CloseDate": "2027-01-05", "LastModifiedDate": "2026-02-01T08:00:00.000Z"}, date(2026, 2, 1)),
    ],
)
def test_a_closed_deal_changed_stage_when_salesforce_says_else_on_its_close_date_else_at_its_last_change(
    tmp_path: Path, values: dict[str, Any], expected: date
) -> None:
    row = {"Id": DEAL, "StageName": "x", "IsClosed": True, "IsWon": False, **values}
    assert ask(tmp_path, {"Opportunity": [row]}, "SELECT stage_changed_on FROM sf_opportunity") == [(expected,)]


def test_a_suspended_deal_that_is_not_closed_changed_stage_at_its_last_change_not_on_its_close_date(
    tmp_path: Path,
) -> None:
    row = {
        "Id": DEAL, "StageName": "Askıya Alındı", "IsClosed": False, "IsWon": False,
        "CloseDate": "2027-01-01", "LastModifiedDate": "2026-02-01T08:00:00.000Z",
    }  # fmt: skip
    assert ask(tmp_path, {"Opportunity": [row]}, "SELECT stage_changed_on FROM sf_opportunity") == [(date(2026, 2, 1),)]


def test_amounts_have_their_own_currency_else_the_orgs_only_one(tmp_path: Path) -> None:
    sql = "SELECT currency FROM sf_opportunity ORDER BY id"
    many = [{"Id": DEAL, "CurrencyIsoCode": "EUR"}, {"Id": "006000000000002AAA", "CurrencyIsoCode": None}]
    assert ask(tmp_path / "a", {"Opportunity": many}, sql) == [("EUR",), (None,)]
    assert ask(tmp_path / "b", {"Opportunity": [{"Id": DEAL}]}, sql) == [("TRY",)]
    organization = {"Organization": [{"Id": "00D", "DefaultCurrencyIsoCode": "USD"}], "Opportunity": [{"Id": DEAL}]}
    assert ask(tmp_path / "c", organization, sql, settings=DeriveSettings("UTC")) == [("USD",)]
    assert ask(tmp_path / "d", {"Opportunity": [{"Id": DEAL}]}, sql, settings=DeriveSettings("UTC")) == [(None,)]


def test_in_an_org_with_several_currencies_a_table_without_them_has_unknown_ones(tmp_path: Path) -> None:
    data = {
        "Opportunity": [{"Id": DEAL, "CurrencyIsoCode": "TRY"}],
        "OpportunityLineItem": [{"Id": "00k1", "OpportunityId": DEAL, "ListPrice": 1, "Quantity": 1}],
    }
    assert ask(tmp_path, data, "SELECT list_currency FROM sf_opportunity_line_item") == [(None,)]


def test_the_list_amount_is_the_list_price_else_the_price_book_entrys_times_the_quantity(tmp_path: Path) -> None:
    line = {"OpportunityId": DEAL, "PricebookEntryId": "01u000000000001AAA", "Quantity": 2.5}
    data = {
        "OpportunityLineItem": [
            {"Id": "00k000000000001AAA", "ListPrice": 10.10, **line},
            {"Id": "00k000000000002AAA", "ListPrice": None, **line},
            {"Id": "00k000000000003AAA", "ListPrice": None, **line, "PricebookEntryId": None},
        ],
        "PricebookEntry": [{"Id": "01u000000000001AAA", "UnitPrice": 8}],
    }
    found = ask(tmp_path, data, "SELECT list_amount FROM sf_opportunity_line_item ORDER BY id")
    assert found == [(Decimal("25.25"),), (Decimal(20),), (None,)]


@pytest.mark.parametrize(("budget", "expected"), [(100, Decimal(100)), (0, None), (-5, None), (None, None)])
def test_a_budget_counts_only_above_zero(tmp_path: Path, budget: int | None, expected: Decimal | None) -> None:
    data = {"Opportunity": [{"Id": DEAL, "Budget__c": budget}]}
    assert ask(tmp_path, data, "SELECT budget_amount FROM sf_opportunity") == [(expected,)]


def test_names_get_a_folded_key(tmp_path: Path) -> None:
    rows = [{"Id": f"00100000000000{n}AAA", "Name": name} for n, name in enumerate(["Şişli A.Ş.", "SISLI as", None])]
    found = ask(tmp_path, {"Account": rows}, "SELECT name_key FROM sf_account ORDER BY id")
    assert found == [("sisli a s",), ("sisli as",), (None,)]


# --- leads ---


@pytest.mark.parametrize(
    ("status", "converted", "expected"),
    [
        ("Open - Not Contacted", False, "open"),
        ("Unqualified", False, "closed"),
        ("UYGUN DEĞİL", False, "closed"),
        ("Open - Not Contacted", True, "closed"),
        ("Dönüştü", False, "closed"),
        (None, False, "open"),
    ],
)
def test_a_lead_is_closed_when_converted_or_in_a_status_that_ends_it(
    tmp_path: Path, status: str | None, converted: bool, expected: str
) -> None:
    data = {
        "Lead": [{"Id": LEAD, "Status": status, "IsConverted": converted}],
        "LeadStatus": [
            {"Id": "01J000000000001AAA", "ApiName": "Dönüştü", "MasterLabel": "Dönüştü", "IsConverted": True}
        ],
    }
    assert ask(tmp_path, data, "SELECT status_meaning FROM sf_lead") == [(expected,)]


def test_a_queue_is_known_by_its_id_or_by_the_group_table(tmp_path: Path) -> None:
    rows = [{"Id": LEAD, "OwnerId": "00G000000000001AAA"}, {"Id": LEAD[:-4] + "2AAA", "OwnerId": "005000000000001AAA"}]
    assert ask(tmp_path, {"Lead": rows}, "SELECT owner_is_queue FROM sf_lead ORDER BY id") == [(True,), (False,)]


# --- last touch ---


def touch(folder: Path, now: datetime = NOON, **tables: list[dict[str, Any]]) -> tuple[date, str]:
    empty = {"Task": [{"Id": "00T0", "IsClosed": False}], "Event": [{"Id": "00U0", "ActivityDate": None}]}
    lead = {"Id": LEAD, "CreatedDate": "2026-01-10T09:00:00.000Z", "LastActivityDate": "2026-03-29"}
    data: dict[str, Any] = {"Lead": [lead], **empty, **tables}
    found = ask(
        folder, data, f"SELECT last_touch_date, touch_source FROM lw_last_touch WHERE record_id = '{LEAD}'", now=now
    )
    assert len(found) == 1
    return found[0]


def task(**values: Any) -> dict[str, Any]:
    return {"Id": "00T000000000001AAA", "WhoId": LEAD, "IsClosed": True, "ActivityDate": "2026-02-01", **values}


def event(**values: Any) -> dict[str, Any]:
    return {"Id": "00U000000000001AAA", "WhoId": LEAD, "IsAllDayEvent": False, **values}


def test_a_lead_without_activity_was_last_touched_when_it_was_made(tmp_path: Path) -> None:
    assert touch(tmp_path) == (date(2026, 1, 10), "created")


def test_a_task_is_a_touch_where_the_day_a_lead_was_made_is_not_in_the_data(tmp_path: Path) -> None:
    assert touch(tmp_path, Lead=[{"Id": LEAD}], Task=[task()]) == (date(2026, 2, 1), "task")


def test_a_completed_task_touches_on_its_completion_day_else_on_its_due_day(tmp_path: Path) -> None:
    done = task(CompletedDateTime="2026-02-03T21:30:00.000Z")  # 00:30 of the 4th in Istanbul
    assert touch(tmp_path / "a", Task=[done]) == (date(2026, 2, 4), "task")
    assert touch(tmp_path / "b", Task=[task(CompletedDateTime=None)]) == (date(2026, 2, 1), "task")


@pytest.mark.parametrize(
    "values", [{"IsClosed": False}, {"IsDeleted": True}, {"Leakwatch_Key__c": "lw1:f:abc"}, {"WhoId": None}]
)
def test_open_deleted_and_our_own_alert_tasks_are_no_touch(tmp_path: Path, values: dict[str, Any]) -> None:
    assert touch(tmp_path, Task=[task(**values)]) == (date(2026, 1, 10), "created")


def test_a_captured_mail_is_a_touch_although_we_wrote_it(tmp_path: Path) -> None:
    assert touch(tmp_path, Task=[task(Leakwatch_Key__c="lw1:m:abc")]) == (date(2026, 2, 1), "task")


def test_without_flags_a_task_is_done_by_its_status(tmp_path: Path) -> None:
    status = [{"Id": "01J1", "ApiName": "Bitti", "MasterLabel": "Bitti", "IsClosed": True}]
    done = {"Id": "00T1", "WhoId": LEAD, "Status": "Bitti", "ActivityDate": "2026-02-01"}
    assert touch(tmp_path / "a", Task=[done], TaskStatus=status) == (date(2026, 2, 1), "task")
    assert touch(tmp_path / "b", Task=[{**done, "Status": "TAMAMLANDI"}]) == (date(2026, 2, 1), "task")
    assert touch(tmp_path / "c", Task=[{**done, "Status": "Başlamadı"}]) == (date(2026, 1, 10), "created")


def test_a_meeting_touches_once_it_has_ended(tmp_path: Path) -> None:
    ended = event(EndDateTime="2026-03-31T09:00:00.000Z")
    assert touch(tmp_path / "a", Event=[ended]) == (date(2026, 3, 31), "event")
    running = event(EndDateTime="2026-03-31T09:00:01.000Z")
    assert touch(tmp_path / "b", Event=[running]) == (date(2026, 1, 10), "created")


def test_a_meeting_without_an_end_ends_after_its_duration(tmp_path: Path) -> None:
    start = (NOON - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    ended = event(ActivityDateTime=start, DurationInMinutes=30)
    assert touch(tmp_path / "a", Event=[ended]) == (date(2026, 3, 31), "event")
    running = event(ActivityDateTime=start, DurationInMinutes=31)
    assert touch(tmp_path / "b", Event=[running]) == (date(2026, 1, 10), "created")


def test_an_all_day_event_ends_with_its_day(tmp_path: Path) -> None:
    today = event(IsAllDayEvent=True, ActivityDate="2026-03-31", ActivityDateTime="2026-03-31T00:00:00.000Z")
    assert touch(tmp_path / "a", Event=[today]) == (date(2026, 1, 10), "created")
    yesterday = event(IsAllDayEvent=True, ActivityDate="2026-03-30", ActivityDateTime="2026-03-30T00:00:00.000Z")
    assert touch(tmp_path / "b", Event=[yesterday]) == (date(2026, 3, 30), "event")


MAIL = {"Id": "02s000000000001AAA", "MessageDate": "2026-03-05T21:30:00.000Z", "Status": "3", "ActivityId": None}


def test_a_mail_touches_everybody_it_relates_to(tmp_path: Path) -> None:
    relation = {"Id": "0CZ1", "EmailMessageId": MAIL["Id"], "RelationId": LEAD}
    found = touch(tmp_path, EmailMessage=[MAIL], EmailMessageRelation=[relation])
    assert found == (date(2026, 3, 6), "email")


def test_a_mail_also_touches_through_the_task_that_salesforce_makes_of_it(tmp_path: Path) -> None:
    mail = {**MAIL, "ActivityId": "00T000000000001AAA"}
    open_task = task(IsClosed=False)
    assert touch(tmp_path, EmailMessage=[mail], Task=[open_task]) == (date(2026, 3, 6), "email")


@pytest.mark.parametrize("values", [{"Status": "5"}, {"IsDeleted": True}, {"MessageDate": "2026-04-02T00:00:00.000Z"}])
def test_drafts_deleted_and_scheduled_mails_are_no_touch(tmp_path: Path, values: dict[str, Any]) -> None:
    relation = {"Id": "0CZ1", "EmailMessageId": MAIL["Id"], "RelationId": LEAD}
    found = touch(tmp_path, EmailMessage=[{**MAIL, **values}], EmailMessageRelation=[relation])
    assert found == (date(2026, 1, 10), "created")


def test_with_tasks_and_events_at_hand_last_activity_date_is_not_believed(tmp_path: Path) -> None:
    assert touch(tmp_path)[1] == "created"  # LastActivityDate of the 29th could be one of our own alerts


def test_without_tasks_and_events_last_activity_date_counts_and_that_is_said(tmp_path: Path) -> None:
    lead = {"Id": LEAD, "CreatedDate": "2026-01-10T09:00:00.000Z", "LastActivityDate": "2026-03-29"}
    sql = "SELECT last_touch_date, touch_source FROM lw_last_touch"
    assert ask(tmp_path / "a", {"Lead": [lead]}, sql) == [(date(2026, 3, 29), "last_activity_date")]
    assert "touch_from_last_activity" in notes(tmp_path / "b", {"Lead": [lead]})
    future = {**lead, "LastActivityDate": "2026-04-20"}  # a planned event moves it too
    assert ask(tmp_path / "c", {"Lead": [future]}, sql) == [(date(2026, 1, 10), "created")]


def test_without_any_of_them_that_is_said_too(tmp_path: Path) -> None:
    lead = {"Id": LEAD, "CreatedDate": "2026-01-10T09:00:00.000Z"}
    assert "touch_from_created" in notes(tmp_path, {"Lead": [lead]})


# --- the org, and the contract ---


def test_the_time_zone_is_the_orgs_else_the_commonest_of_its_users_else_utc(tmp_path: Path) -> None:
    sql = "SELECT value FROM lw_settings WHERE name = 'time_zone'"
    ask_zone = DeriveSettings()
    org = {"Organization": [{"Id": "00D", "TimeZoneSidKey": "Europe/Berlin"}]}
    assert ask(tmp_path / "a", org, sql, settings=ask_zone) == [("Europe/Berlin",)]
    zones = ["Europe/Istanbul", "America/Chicago", "Europe/Istanbul"]
    users = {"User": [{"Id": f"00500000000000{n}AAA", "TimeZoneSidKey": zone} for n, zone in enumerate(zones)]}
    assert ask(tmp_path / "b", users, sql, settings=ask_zone) == [("Europe/Istanbul",)]
    assert ask(tmp_path / "c", {"Lead": [{"Id": LEAD}]}, sql, settings=ask_zone) == [("UTC",)]
    wrong = {"Organization": [{"Id": "00D", "TimeZoneSidKey": "Mars/Base"}]}
    assert ask(tmp_path / "d", wrong, sql, settings=ask_zone) == [("UTC",)]
    assert "zone_invalid" in notes(tmp_path / "e", wrong, settings=ask_zone)


def _example(kind: FieldType) -> object:
    values = {FieldType.BOOLEAN: False, FieldType.DATE: "2026-01-01", FieldType.DATETIME: "2026-01-01T00:00:00.000Z"}
    return 1 if kind in (FieldType.MONEY, FieldType.NUMBER, FieldType.INTEGER) else values.get(kind, "x")


def _whole(config: MirrorConfig) -> dict[str, list[dict[str, Any]]]:
    return {spec.name: [{item.name: _example(item.type) for item in spec.fields}] for spec in config.objects}


def test_a_whole_org_gives_exactly_the_tables_columns_and_types_that_rules_are_promised(tmp_path: Path) -> None:
    sql = (
        "SELECT table_name, column_name, data_type FROM duckdb_columns()"
        " WHERE table_name LIKE 'sf_%' OR table_name IN ('lw_last_touch', 'lw_meeting')"
    )
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in ask(tmp_path, _whole(shipped_config()), sql, settings=ISTANBUL):
        found.setdefault(table, {})[column] = kind
    assert found == shipped_config().catalog()
    assert set(DERIVED["Opportunity"]) <= set(found["sf_opportunity"])
