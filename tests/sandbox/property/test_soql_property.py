"""Random SOQL: the sandbox's answers are those of a plain evaluator that knows no SQL.

LEAKWATCH_SOQL_QUERIES sets how many queries are asked, LEAKWATCH_SOQL_SEED where the dice begin.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from leakwatch.sandbox.org import cursors
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.facade import Org, OrgSettings
from leakwatch.sandbox.org.soql import listing
from sandbox.org.org_kit import Clock
from sandbox.property.evaluator import Evaluator, Operand, Query
from sandbox.property.random_company import company
from sandbox.property.random_queries import CHILDREN, FIELDS, Dice, operands

pytestmark = pytest.mark.documented("SOQL and SOSL Reference; SOQL Date Functions; SOQL Date Literals")

QUERIES = int(os.environ.get("LEAKWATCH_SOQL_QUERIES", "250"))
SEED = int(os.environ.get("LEAKWATCH_SOQL_SEED", "1"))
NOW = datetime(2026, 3, 1, 21, 40, tzinfo=UTC)  # already the 2nd in Istanbul, still the 1st in Berlin
PARENTS = {
    ("Account", "Owner"): "OwnerId",
    ("Account", "Parent"): "ParentId",
    ("Contact", "Account"): "AccountId",
    ("Opportunity", "Account"): "AccountId",
    ("Opportunity", "Owner"): "OwnerId",
    ("Task", "Account"): "AccountId",
    ("Task", "Owner"): "OwnerId",
    ("Task", "What"): "WhatId",
}
LISTED = {
    ("Account", "Industry"): ("Account", "Industry"),
    ("Contact", "Account.Industry"): ("Account", "Industry"),
    ("Contact", "LeadSource"): ("Contact", "LeadSource"),
    ("Opportunity", "LeadSource"): ("Opportunity", "LeadSource"),
}
TABLES = {("Opportunity", "StageName"): "OpportunityStage", ("Task", "Status"): "TaskStatus"}


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Org]:
    settings = OrgSettings(time_zone="Europe/Istanbul", fiscal_year_start_month=4, locale="tr_TR")
    made = Org(tmp_path_factory.mktemp("property"), Clock(NOW), settings=settings)
    company(made, SEED, NOW)
    yield made
    made.close()


def flat(query: Query, record: dict[str, Any]) -> dict[str, Any]:
    """A record of the REST API as the evaluator writes it."""
    unnamed = 0
    row: dict[str, Any] = {}
    grouped = bool(query.group) or any(not isinstance(one, Operand) for one in query.select)
    for one in query.select:
        if grouped and isinstance(one, Operand) and not one.function:
            row[str(one)] = record[one.path.split(".")[-1]]
        elif grouped:
            row[str(one)], unnamed = record[f"expr{unnamed}"], unnamed + 1
        else:
            value: Any = record
            for part in str(one).split("."):
                value = value and value[part]
            row[str(one)] = value
    for name, sub in query.children:
        inside = record[name]
        row[name] = [flat(sub, one) for one in inside["records"]] if inside else []
    return row


def evaluator(org: Org, caller: Caller) -> Evaluator:
    """The evaluator over what plain queries show, unfiltered and unsorted."""
    wanted = {name: {one.path for one in operands(name) if "." not in one.path} for name in FIELDS}
    wanted["Account"] |= {"ParentId"}
    wanted["Opportunity"] |= {"OwnerId"}
    wanted["Task"] |= {"OwnerId", "AccountId"}
    wanted["User"] = {"Id", "Name", "IsActive"}
    rows = {name: org.query(f"SELECT {', '.join(sorted(some))} FROM {name}") for name, some in wanted.items()}
    picklists = {
        key: [value for value, _ in org.schema.objects[of].fields[one].picklist] for key, (of, one) in LISTED.items()
    }
    for key, table in TABLES.items():
        values = org.query(f"SELECT ApiName, SortOrder FROM {table}")
        picklists[key] = [row["ApiName"] for row in sorted(values, key=lambda row: row["SortOrder"])]
    today = NOW.astimezone(caller.zone).date()
    return Evaluator(rows, PARENTS, CHILDREN, picklists, caller.zone, today, caller.first_weekday, caller.fiscal_month)


def values_of(known: Evaluator) -> dict[tuple[str, str], list[Any]]:
    found: dict[tuple[str, str], list[Any]] = {}
    for source in FIELDS:
        for one in operands(source):
            there = {known.value(source, row, one) for row in known.rows[source]} - {None}
            found[source, one.path] = sorted(there) or ["x"]
    return found


def rounded(value: Any) -> Any:
    return round(value, 6) + 0.0 if isinstance(value, int | float) and not isinstance(value, bool) else value


def alike(query: Query, answer: list[dict[str, Any]]) -> Any:
    """An answer without what is left open: the order of groups that the query does not put in order."""
    rows = [{name: rounded(value) for name, value in row.items()} for row in answer]
    if query.group:
        keys = [[str(row[str(one.operand)]).casefold() for one in query.order] for row in rows]
        return keys, sorted(map(repr, rows))
    return rows


@pytest.mark.parametrize("zone", ["Europe/Istanbul", "America/New_York"])
def test_answers_are_those_of_the_evaluator(org: Org, zone: str) -> None:
    system = org.caller()
    caller = Caller(system.user_id, ZoneInfo(zone), system.locale, system.language, system.currency, 4)
    known = evaluator(org, caller)
    dice = Dice(random.Random(f"{SEED} {zone}"), values_of(known))
    for number in range(QUERIES // 2):
        query = dice.query()
        soql = query.text()
        page = org.query_page(soql, all_rows=False, page_size=10**6, caller=caller)
        got = alike(query, [flat(query, record) for record in page.records])
        assert got == alike(query, known.answer(query)), f"query {number} of seed {SEED}: {soql}"


def test_pages_have_the_rows_of_the_whole_answer_in_its_order(org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the org were large: few rows are walked through, few ids found ahead, and the rest is listed."""
    monkeypatch.setattr(cursors, "CHUNK", 3)
    monkeypatch.setattr(listing, "AHEAD", 6)
    monkeypatch.setattr(listing, "WALK", 9)
    monkeypatch.setattr(listing, "DENSE", 5)
    known = evaluator(org, org.caller())
    dice = Dice(random.Random(f"{SEED} pages"), values_of(known))
    for number in range(QUERIES // 8):
        query = dice.query()
        if query.group:
            continue
        soql = query.text()
        page = org.query_page(soql, all_rows=False, page_size=4)
        records = list(page.records)
        while page.locator:
            page = org.query_more(page.locator, page_size=4)
            records += page.records
        assert page.total == len(records)
        got = alike(query, [flat(query, record) for record in records])
        assert got == alike(query, known.answer(query)), f"query {number} of seed {SEED}: {soql}"
