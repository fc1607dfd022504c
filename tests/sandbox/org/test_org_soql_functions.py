"""SOQL's functions and clauses: what they answer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org.facade import Org, OrgSettings
from leakwatch.sandbox.org.schema import read_field
from leakwatch.sandbox.org.soql.functions import date_part, local
from sandbox.org.org_kit import Api, Clock, Company

pytestmark = pytest.mark.documented("SOQL and SOSL Reference, Date Functions, FORMAT, toLabel, convertCurrency")

DEAL = {"StageName": "Prospecting", "CloseDate": "2026-05-01"}


def deals(org: Org, *rows: dict[str, Any]) -> None:
    org.seed("Opportunity", [DEAL | row for row in rows])


def multipicklist(org: Org) -> None:
    raw = {"n": "Tags__c", "t": "multipicklist", "f": "nCUFS", "len": 255, "pick": ["a", ["b", "Bee"], "c"]}
    org.store.add_field("Account", read_field(raw), raw)
    tags = {"ab": "a;b", "c": "c", "abc": "a;b;c", "none": None, "long": "aa"}
    org.seed("Account", [{"Name": name, "Tags__c": value} for name, value in tags.items()])


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("Tags__c INCLUDES ('a')", ["ab", "abc"]),
        ("Tags__c INCLUDES ('A;b')", ["ab", "abc"]),
        ("Tags__c INCLUDES ('b;c', 'c')", ["abc", "c"]),
        ("Tags__c EXCLUDES ('a')", ["c", "long", "none"]),
        ("Tags__c = 'a;b'", ["ab"]),
        ("Tags__c != 'a;b'", ["abc", "c", "long", "none"]),
    ],
)
def test_a_multi_select_picklist_is_filtered_by_the_values_it_holds(org: Org, condition: str, found: list[str]) -> None:
    multipicklist(org)
    assert [row["Name"] for row in org.query(f"SELECT Name FROM Account WHERE {condition} ORDER BY Name")] == found


def test_labels_stand_in_for_the_values_of_picklists(org: Org) -> None:
    multipicklist(org)
    soql = "SELECT Tags__c, toLabel(Tags__c) label FROM Account WHERE Name = 'ab'"
    assert org.query(soql) == [{"Tags__c": "a;b", "label": "a;Bee"}]
    org.seed("OpportunityStage", [{"ApiName": "won", "MasterLabel": "Closed Won", "SortOrder": 1}])
    deals(org, {"Name": "d", "StageName": "won"})
    soql = "SELECT toLabel(StageName) FROM Opportunity WHERE toLabel(StageName) = 'closed won'"
    assert org.query(soql) == [{"StageName": "Closed Won"}]


def test_picklists_are_sorted_by_the_order_of_their_values(org: Org) -> None:
    deals(org, {"Name": "1", "StageName": "Qualification"}, {"Name": "2", "StageName": "Closed Won"}, {"Name": "3"})
    rows = org.query("SELECT StageName FROM Opportunity ORDER BY StageName")
    assert [row["StageName"] for row in rows] == ["Prospecting", "Qualification", "Closed Won"]
    assert org.query("SELECT MIN(StageName), MAX(StageName) FROM Opportunity") == [
        {"expr0": "Prospecting", "expr1": "Closed Won"}
    ]


@pytest.mark.parametrize(
    ("function", "value"),
    [
        *[("CALENDAR_YEAR", 2026), ("CALENDAR_QUARTER", 1), ("CALENDAR_MONTH", 3), ("DAY_IN_MONTH", 8)],
        *[("DAY_IN_WEEK", 1), ("DAY_IN_YEAR", 67), ("WEEK_IN_MONTH", 2), ("WEEK_IN_YEAR", 10)],
        *[("FISCAL_YEAR", 2026), ("FISCAL_QUARTER", 4), ("FISCAL_MONTH", 12), ("HOUR_IN_DAY", 22)],
        ("DAY_ONLY", "2026-03-08"),
    ],
)
def test_date_functions_give_parts_of_a_date(function: str, value: int | str) -> None:
    assert date_part(function, "2026-03-08T22:30:00.000+0000", 4) == value


@pytest.mark.parametrize(
    ("zone", "instant", "there"),
    [
        ("Europe/Istanbul", "2026-01-15T22:30:00.000+0000", "2026-01-16T01:30:00"),  # +3 all the year since 2016
        ("Europe/Istanbul", "2026-07-15T22:30:00.000+0000", "2026-07-16T01:30:00"),
        ("Europe/Istanbul", "2015-01-15T22:30:00.000+0000", "2015-01-16T00:30:00"),
        ("Europe/Berlin", "2026-03-29T00:59:59.000+0000", "2026-03-29T01:59:59"),
        ("Europe/Berlin", "2026-03-29T01:00:00.000+0000", "2026-03-29T03:00:00"),
        ("America/New_York", "2026-11-01T05:30:00.000+0000", "2026-11-01T01:30:00"),
        ("America/New_York", "2026-11-01T06:30:00.000+0000", "2026-11-01T01:30:00"),  # the hour comes twice
    ],
)
def test_instants_are_shown_by_the_clock_of_a_zone_summer_time_included(zone: str, instant: str, there: str) -> None:
    assert local(instant, zone) == there


@pytest.mark.parametrize(
    ("zone", "first", "after"),
    [
        ("Europe/Istanbul", "2026-03-28T21:00:00Z", "2026-03-29T21:00:00Z"),
        ("Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),  # a day of 23 hours
        ("America/New_York", "2026-03-29T04:00:00Z", "2026-03-30T04:00:00Z"),
    ],
)
def test_today_begins_and_ends_at_the_users_midnight(
    org: Org, company: Company, clock: Clock, zone: str, first: str, after: str
) -> None:
    clock.moment = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
    org.update("User", company.rep, {"TimeZoneSidKey": zone}, user_id=company.rep)
    begin, end = (datetime.fromisoformat(one.replace("Z", "+00:00")) for one in (first, after))
    for name, moment in {"first": begin, "last": end.replace(second=59) - (end - end.replace(second=0))}.items():
        org.seed("Task", [{"Subject": name, "CreatedDate": moment}])
    rows = Api(org, company.rep).query("SELECT Subject FROM Task WHERE CreatedDate = TODAY").json()["records"]
    assert [row["Subject"] for row in rows] == ["first"]
    rows = Api(org, company.rep).query("SELECT Subject FROM Task WHERE CreatedDate > TODAY").json()["records"]
    assert [row["Subject"] for row in rows] == ["last"]


def test_date_functions_group_in_utc_and_after_convert_timezone_in_the_users_zone(org: Org, company: Company) -> None:
    deals(org, {"Name": "late", "CreatedDate": datetime(2026, 1, 31, 22, 30, tzinfo=UTC)})
    soql = (
        "SELECT DAY_ONLY(CreatedDate) utc, DAY_ONLY(convertTimezone(CreatedDate)) mine, COUNT(Id) n FROM Opportunity "
        "WHERE HOUR_IN_DAY(convertTimezone(CreatedDate)) = 1 AND CALENDAR_MONTH(CreatedDate) = 1 "
        "GROUP BY DAY_ONLY(CreatedDate), DAY_ONLY(convertTimezone(CreatedDate))"
    )
    assert org.query(soql) == [{"utc": "2026-01-31", "mine": "2026-02-01", "n": 1}]


def test_fiscal_periods_begin_with_the_orgs_fiscal_year(tmp_path: Path, clock: Clock) -> None:
    org = Org(tmp_path, clock, settings=OrgSettings(fiscal_year_start_month=4))
    deals(org, {"Name": "march", "CloseDate": "2026-03-31"}, {"Name": "april", "CloseDate": "2026-04-01"})
    rows = org.query(
        "SELECT FISCAL_YEAR(CloseDate) y, FISCAL_QUARTER(CloseDate) q, FISCAL_MONTH(CloseDate) m, COUNT(Id) n "
        "FROM Opportunity GROUP BY CloseDate"
    )
    assert rows == [{"y": 2026, "q": 4, "m": 12, "n": 1}, {"y": 2027, "q": 1, "m": 1, "n": 1}]
    now = "SELECT Name FROM Opportunity WHERE CloseDate = "
    assert org.query(now + "THIS_FISCAL_QUARTER") == [{"Name": "march"}]
    assert org.query(now + "NEXT_N_FISCAL_YEARS:1") == [{"Name": "april"}]
    assert org.query(now + "N_FISCAL_QUARTERS_AGO:0") == [{"Name": "march"}]
    org.close()


@pytest.mark.documented(guess="much of how they are written")
def test_values_are_formatted_by_the_users_locale_and_zone(org: Org, company: Company) -> None:
    soql = (
        "SELECT Amount, FORMAT(Amount) money, FORMAT(CloseDate) day, FORMAT(CreatedDate) at FROM Opportunity "
        f"WHERE Id = '{company.deal}'"
    )
    shown: list[list[str]] = []
    for locale in ("en_US", "tr_TR"):
        org.update("User", company.rep, {"LocaleSidKey": locale}, user_id=company.rep)
        (row,) = Api(org, company.rep).query(soql).json()["records"]
        assert row["Amount"] == 12_500.5
        shown.append([row["money"], row["day"], row["at"]])
    assert shown == [
        ["$12,500.50", "4/15/2026", "1/1/2025, 3:00 AM"],
        ["$12.500,50", "15.04.2026", "1.01.2025, 03:00"],
    ]


@pytest.fixture
def bazaar(tmp_path: Path, clock: Clock) -> Any:
    """An org of two currencies: a euro is two dollars."""
    org = Org(tmp_path / "bazaar", clock, settings=OrgSettings(multicurrency=True))
    rates = {"USD": 1.0, "EUR": 0.5}
    org.seed("CurrencyType", [{"IsoCode": iso, "ConversionRate": rate} for iso, rate in rates.items()])
    deals(
        org,
        {"Name": "euro", "Amount": 1000, "CurrencyIsoCode": "EUR"},
        {"Name": "dollar", "Amount": 1500, "CurrencyIsoCode": "USD"},
    )
    yield org
    org.close()


def test_money_is_compared_sorted_and_added_up_by_what_it_is_worth(bazaar: Org) -> None:
    assert [row["Name"] for row in bazaar.query("SELECT Name FROM Opportunity ORDER BY Amount")] == ["dollar", "euro"]
    found = "SELECT Name FROM Opportunity WHERE Amount {}"
    assert bazaar.query(found.format("> USD1800")) == [{"Name": "euro"}]
    assert bazaar.query(found.format("> EUR800")) == [{"Name": "euro"}]
    assert bazaar.query(found.format("IN (EUR1000, USD7)")) == [{"Name": "euro"}]
    assert bazaar.query(found.format("> 1200")) == [{"Name": "dollar"}]
    assert bazaar.query("SELECT SUM(Amount) total FROM Opportunity") == [{"total": 3500.0}]


def test_money_is_converted_into_the_users_currency(bazaar: Org) -> None:
    user = bazaar.new_id("User")
    bazaar.seed(
        "User", [{"Id": user, "LastName": "Öz", "Username": "oz@acme.example", "DefaultCurrencyIsoCode": "EUR"}]
    )
    soql = "SELECT convertCurrency(Amount), FORMAT(Amount) as_is, FORMAT(convertCurrency(Amount)) mine FROM Opportunity"
    page = bazaar.query_page(soql, all_rows=False, page_size=200, caller=bazaar.caller(user))
    assert [(one["Amount"], one["as_is"], one["mine"]) for one in page.records] == [
        (1000.0, "EUR 1,000.00", "EUR 1,000.00"),
        (750.0, "USD 1,500.00", "EUR 750.00"),
    ]


@pytest.mark.documented(guess="how Salesforce rounds")
def test_computed_money_shows_no_binary_fractions(org: Org, bazaar: Org) -> None:
    deals(org, {"Name": "a", "Amount": 0.1}, {"Name": "b", "Amount": 0.2})
    assert org.query("SELECT SUM(Amount) s, AVG(Amount) a FROM Opportunity") == [{"s": 0.3, "a": 0.15}]
    assert len(org.query("SELECT StageName FROM Opportunity GROUP BY StageName HAVING SUM(Amount) = 0.3")) == 1
    bazaar.store.execute("UPDATE CurrencyType SET ConversionRate = 0.9 WHERE IsoCode = 'EUR'")
    bazaar.store.execute("UPDATE Opportunity SET Amount = 100.1 WHERE Name = 'euro'")
    converted = bazaar.query("SELECT convertCurrency(Amount) FROM Opportunity WHERE Name = 'euro'")
    assert converted == [{"Amount": 111.22}]
    assert list(bazaar.stream("SELECT convertCurrency(Amount) FROM Opportunity WHERE Name = 'euro'").rows) == [[111.22]]


@pytest.mark.documented(guess="the order")
def test_subtotals_come_behind_the_groups_they_are_over(org: Org) -> None:
    deals(org, {"Name": "a", "Amount": 1}, {"Name": "b", "Amount": 2}, {"Name": "b", "Amount": 4})
    soql = "SELECT StageName, Name, SUM(Amount) s, GROUPING(Name) g FROM Opportunity GROUP BY ROLLUP(StageName, Name)"
    assert [(row["StageName"], row["Name"], row["s"], row["g"]) for row in org.query(soql)] == [
        ("Prospecting", "a", 1.0, 0),
        ("Prospecting", "b", 6.0, 0),
        ("Prospecting", None, 7.0, 1),
        (None, None, 7.0, 1),
    ]
    cube = "SELECT COUNT(Id) n FROM Opportunity GROUP BY CUBE(StageName, Name)"
    assert sorted(row["n"] for row in org.query(cube)) == [1, 1, 2, 2, 3, 3]
    some = "SELECT Name FROM Opportunity GROUP BY ROLLUP(Name) HAVING GROUPING(Name) = 0 ORDER BY Name DESC LIMIT 1"
    assert org.query(some) == [{"Name": "b"}]


@pytest.mark.documented(guess="that AS is taken before a name")
def test_names_given_in_from_stand_for_their_objects(org: Org, company: Company) -> None:
    soql = "SELECT a.Name, o.Name FROM Opportunity o, o.Account a, a.Owner boss WHERE boss.Name = 'Jane Doe'"
    assert org.query(soql) == [{"Account": {"Name": "Çelik Yapı A.Ş."}, "Name": "Çelik 2026"}]
    assert org.query("SELECT a.Name FROM Account AS a WHERE a.Name LIKE 'N%'") == [{"Name": "Northwind"}]


def test_a_scope_leaves_the_rows_of_the_one_who_asks(org: Org, company: Company) -> None:
    mine = "SELECT COUNT() FROM Opportunity USING SCOPE mine"
    assert Api(org, company.rep).query(mine).json()["totalSize"] == 1
    assert Api(org, company.manager).query(mine).json()["totalSize"] == 0
    everything = "SELECT COUNT() FROM Opportunity USING SCOPE Everything"
    assert Api(org, company.manager).query(everything).json()["totalSize"] == 1


@pytest.mark.parametrize(
    "clause",
    ["FOR VIEW", "FOR REFERENCE", "FOR UPDATE", "UPDATE TRACKING", "LIMIT 5 FOR VIEW UPDATE VIEWSTAT"],
)
def test_clauses_about_views_and_locks_change_nothing_in_the_answer(org: Org, company: Company, clause: str) -> None:
    assert org.query(f"SELECT Id FROM Opportunity {clause}") == [{"Id": company.deal}]


def test_what_a_name_leads_to_is_found_whatever_the_object(org: Org, company: Company) -> None:
    org.seed("Task", [{"Subject": "deal", "WhatId": company.deal, "OwnerId": company.rep}])
    org.seed("Task", [{"Subject": "account", "WhatId": company.account, "OwnerId": company.queue}, {"Subject": "none"}])
    rows = org.query("SELECT What.Name, Owner.Name, Owner.UserRole.Name FROM Task WHERE What.Name LIKE 'ç%'")
    assert [(row["What"]["Name"], row["Owner"]["Name"]) for row in rows] == [
        ("Çelik 2026", "Jane Doe"),
        ("Çelik Yapı A.Ş.", "Inbound"),
    ]
    groups = org.query("SELECT What.Type, COUNT(Id) n FROM Task GROUP BY What.Type")
    assert groups == [{"Type": None, "n": 1}, {"Type": "Account", "n": 1}, {"Type": "Opportunity", "n": 1}]
