"""SOQL over relationships: TYPEOF, and pages and levels of child subqueries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.soql.results import Page
from sandbox.org.org_kit import Clock

pytestmark = pytest.mark.documented("SOQL and SOSL Reference, TYPEOF; Relationship Queries")

PEOPLE = 450


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Org]:
    """Three accounts, of which the first has 400 contacts and the second 50; a deal each; four tasks."""
    made = Org(tmp_path_factory.mktemp("related"), Clock())
    accounts = [made.new_id("Account") for _ in range(3)]
    made.seed("Account", [{"Id": one, "Name": f"Account {i}"} for i, one in enumerate(accounts)])
    people = [made.new_id("Contact") for _ in range(PEOPLE)]
    made.seed(
        "Contact",
        [{"Id": one, "LastName": f"Person {i:03}", "AccountId": accounts[i >= 400]} for i, one in enumerate(people)],
    )
    deals = [made.new_id("Opportunity") for _ in range(3)]
    deal = {"StageName": "Prospecting", "CloseDate": "2026-05-01", "Amount": 5}
    made.seed(
        "Opportunity",
        [{"Id": one, "Name": f"Deal {i}", "AccountId": accounts[i], **deal} for i, one in enumerate(deals)],
    )
    made.seed(
        "Task",
        [
            {"Subject": "about an account", "WhatId": accounts[0]},
            {"Subject": "about a deal", "WhatId": deals[1]},
            {"Subject": "about nothing"},
            {"Subject": "with a person", "WhoId": people[1]},
        ],
    )
    yield made
    made.close()


def ask(org: Org, soql: str, version: str = "62.0", size: int = 200) -> Page:
    caller = replace(org.caller(), version=version)
    return org.query_page(soql, all_rows=False, page_size=size, caller=caller)


def pages(org: Org, locator: str | None, size: int = 150) -> Iterator[Page]:
    while locator:
        page = org.query_more(locator, page_size=size)
        yield page
        locator = page.locator


def plain(record: Any) -> Any:
    if isinstance(record, dict):
        return {name: plain(value) for name, value in record.items() if name != "attributes"}
    return record


def about(org: Org, selected: str) -> dict[str, Any]:
    """What is shown of each task's What, by the task's subject."""
    return {one["Subject"]: one["What"] for one in ask(org, f"SELECT Subject, {selected} FROM Task").records}


def test_typeof_shows_the_fields_of_the_object_that_a_reference_leads_to(org: Org) -> None:
    branches = "WHEN Account THEN Name, Parent.Name WHEN Opportunity THEN Amount, Account.Name"
    shown = about(org, f"TYPEOF What {branches} END")
    assert shown["about an account"]["attributes"]["type"] == "Account"
    assert plain(shown["about an account"]) == {"Name": "Account 0", "Parent": None}
    assert shown["about a deal"]["attributes"]["url"].startswith("/services/data/v62.0/sobjects/Opportunity/006")
    assert shown["about a deal"]["Amount"] == 5
    assert plain(shown["about a deal"]["Account"]) == {"Name": "Account 1"}
    assert shown["about nothing"] is None


@pytest.mark.documented("SOQL and SOSL Reference, TYPEOF", settled=False)
def test_other_objects_of_typeof_show_the_fields_of_else_or_null(org: Org) -> None:
    with_else = about(org, "TYPEOF What WHEN Account THEN Phone ELSE Name, Type END")
    assert plain(with_else["about a deal"]) == {"Name": "Deal 1", "Type": "Opportunity"}
    assert plain(with_else["about an account"]) == {"Phone": None}
    assert about(org, "TYPEOF What WHEN Account THEN Phone END")["about a deal"] is None


def test_typeof_stands_in_child_subqueries_too(org: Org) -> None:
    soql = (
        "SELECT (SELECT TYPEOF Who WHEN Contact THEN LastName END FROM Tasks) FROM Contact WHERE LastName LIKE '%001'"
    )
    tasks = ask(org, soql).records[0]["Tasks"]["records"]
    assert [plain(one["Who"]) for one in tasks] == [{"LastName": "Person 001"}]


@pytest.mark.documented(guess="the words of the refusals")
@pytest.mark.parametrize(
    ("soql", "version", "code", "said"),
    [
        ("SELECT TYPEOF What WHEN Lead THEN Name END FROM Task", "62.0", "INVALID_TYPE", "Lead"),
        ("SELECT TYPEOF Account WHEN Account THEN Name END FROM Contact", "62.0", "MALFORMED_QUERY", "several objects"),
        ("SELECT TYPEOF What WHEN Account THEN Nope END FROM Task", "62.0", "INVALID_FIELD", "'Nope' on entity 'Acc"),
        ("SELECT TYPEOF What WHEN Account THEN Id ELSE Amount END FROM Task", "62.0", "INVALID_FIELD", "'Name'"),
        ("SELECT What.Name, TYPEOF What WHEN Account THEN Id END FROM Task", "62.0", "INVALID_FIELD", "duplicate"),
        ("SELECT COUNT(Id), TYPEOF What WHEN Account THEN Id END FROM Task", "62.0", "MALFORMED_QUERY", "TYPEOF"),
        ("SELECT TYPEOF What WHEN Account THEN Id END FROM Task", "45.0", "MALFORMED_QUERY", "token: 'TYPEOF'"),
        (
            "SELECT Id FROM Lead WHERE Id IN (SELECT TYPEOF What WHEN Account THEN Id END FROM Event)",
            "62.0",
            "MALFORMED_QUERY",
            "",
        ),
    ],
)
def test_typeof_is_refused_where_it_cannot_stand(org: Org, soql: str, version: str, code: str, said: str) -> None:
    with pytest.raises(OrgError) as caught:
        ask(org, soql, version)
    assert (caught.value.status, caught.value.error_code) == (400, code)
    assert said in caught.value.message


def test_a_child_result_longer_than_a_page_has_pages_of_its_own(org: Org) -> None:
    page = ask(org, "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName DESC) FROM Account ORDER BY Name")
    inside = page.records[0]["Contacts"]
    assert (inside["totalSize"], inside["done"], len(inside["records"])) == (400, False, 200)
    root, locator = inside["nextRecordsUrl"].rsplit("/", 1)
    assert root == "/services/data/v62.0/query"
    rest = list(pages(org, locator))
    assert [one.total for one in rest] == [400, 400]
    names = [one["LastName"] for one in inside["records"]] + [one["LastName"] for more in rest for one in more.records]
    assert names == [f"Person {i:03}" for i in reversed(range(400))]


def test_the_records_around_a_long_child_result_go_on_with_the_query_s_own_locator(org: Org) -> None:
    page = ask(org, "SELECT Name, (SELECT Id FROM Contacts) FROM Account ORDER BY Name")
    assert [one["Name"] for one in page.records] == ["Account 0"]
    others = [one for more in pages(org, page.locator) for one in more.records]
    assert [(one["Name"], one["Contacts"] and one["Contacts"]["totalSize"]) for one in others] == [
        ("Account 1", 50),
        ("Account 2", None),
    ]


def test_later_pages_of_a_child_result_have_the_children_below_them(org: Org) -> None:
    page = ask(
        org,
        "SELECT Id, (SELECT LastName, (SELECT Subject FROM Tasks) FROM Contacts ORDER BY LastName DESC) FROM Account",
    )
    locator = page.records[0]["Contacts"]["nextRecordsUrl"].rsplit("/", 1)[1]
    people = [one for more in pages(org, locator) for one in more.records]
    assert [one["LastName"] for one in people if one["Tasks"]] == ["Person 001"]
    assert [one["Subject"] for one in people[-2]["Tasks"]["records"]] == ["with a person"]


def test_subqueries_go_four_levels_down_from_version_58_on_and_one_before(org: Org) -> None:
    two = "SELECT Name, (SELECT Name, (SELECT Subject FROM Tasks) FROM Opportunities) FROM Account ORDER BY Name"
    deals = [one["Opportunities"]["records"][0] for one in ask(org, two).records]
    assert [one["Tasks"] and one["Tasks"]["totalSize"] for one in deals] == [None, 1, None]
    inner = "SELECT Id FROM ChildAccounts"
    for _ in range(3):
        inner = f"SELECT Id, ({inner}) FROM ChildAccounts"
    ask(org, f"SELECT Id, ({inner}) FROM Account")
    for soql, version in (
        (two, "57.0"),
        (f"SELECT Id, (SELECT Id, ({inner}) FROM ChildAccounts) FROM Account", "62.0"),
    ):
        with pytest.raises(OrgError) as caught:
            ask(org, soql, version)
        assert caught.value.error_code == "MALFORMED_QUERY"
