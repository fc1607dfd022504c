"""SOQL: what it answers and what it refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.soql.dates import span
from sandbox.org.org_kit import Clock, Company

pytestmark = [pytest.mark.documented("SOQL and SOSL Reference"), pytest.mark.usefixtures("company")]


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["Name"] for row in rows]


def refused(org: Org, soql: str) -> OrgError:
    with pytest.raises(OrgError) as caught:
        org.query(soql)
    return caught.value


def deals(org: Org, *rows: dict[str, Any]) -> None:
    base = {"StageName": "Prospecting", "CloseDate": "2026-05-01"}
    org.seed("Opportunity", [base | row for row in rows])


def test_text_is_compared_without_case_and_turkish_letters_stay_themselves(org: Org) -> None:
    org.seed("Account", [{"Name": "İstanbul Çay"}, {"Name": "ISPARTA Gül"}, {"Name": "ısırgan"}])
    assert names(org.query("SELECT Name FROM Account WHERE Name = 'İSTANBUL çay'")) == ["İstanbul Çay"]
    assert names(org.query("SELECT Name FROM Account WHERE Name LIKE 'isparta%'")) == ["ISPARTA Gül"]
    assert names(org.query("SELECT Name FROM Account WHERE Name LIKE 'ısır%'")) == ["ısırgan"]
    assert org.query("SELECT Name FROM Account WHERE Name = 'istanbul çay'") == []


def test_like_knows_both_wildcards_and_their_escapes(org: Org) -> None:
    org.seed("Account", [{"Name": "100% wool"}, {"Name": "100 x wool"}, {"Name": "a_b"}, {"Name": "axb"}])
    assert names(org.query(r"SELECT Name FROM Account WHERE Name LIKE '100\%%'")) == ["100% wool"]
    assert sorted(names(org.query("SELECT Name FROM Account WHERE Name LIKE 'a_b'"))) == ["a_b", "axb"]
    assert names(org.query(r"SELECT Name FROM Account WHERE Name LIKE 'a\_b'")) == ["a_b"]


def test_string_escapes_are_read_and_unknown_ones_refused(org: Org) -> None:
    org.seed("Account", [{"Name": "O'Neil\\Sons"}, {"Name": "Ünal"}])
    assert len(org.query(r"SELECT Id FROM Account WHERE Name = 'O\'Neil\\Sons'")) == 1
    assert names(org.query(r"SELECT Name FROM Account WHERE Name = '\u00dcnal'")) == ["Ünal"]
    error = refused(org, r"SELECT Id FROM Account WHERE Name = 'a\q'")
    assert error.error_code == "MALFORMED_QUERY"
    assert "Illegal character sequence" in error.message


def test_null_and_unequal_include_rows_without_a_value(org: Org) -> None:
    deals(org, {"Name": "no amount"}, {"Name": "ten", "Amount": 10}, {"Name": "zero", "Amount": 0})
    assert "no amount" in names(org.query("SELECT Name FROM Opportunity WHERE Amount != 10"))
    assert "no amount" not in names(org.query("SELECT Name FROM Opportunity WHERE Amount < 10"))
    assert names(org.query("SELECT Name FROM Opportunity WHERE Amount = null")) == ["no amount"]
    assert "no amount" in names(org.query("SELECT Name FROM Opportunity WHERE NOT Amount = 10"))
    assert "no amount" in names(org.query("SELECT Name FROM Opportunity WHERE Amount NOT IN (10, 0)"))


def test_parents_come_nested_and_a_missing_parent_is_null(org: Org, company: Company) -> None:
    rows = org.query(
        f"SELECT Name, Account.Name, Owner.Manager.Name, Account.Owner.Name "
        f"FROM Opportunity WHERE Id = '{company.deal}'"
    )
    assert rows == [
        {
            "Name": "Çelik 2026",
            "Account": {"Name": "Çelik Yapı A.Ş.", "Owner": {"Name": "Jane Doe"}},
            "Owner": {"Manager": {"Name": "Maya Stone"}},
        }
    ]
    org.seed("Contact", [{"LastName": "Alone"}])
    assert org.query("SELECT Account.Name FROM Contact WHERE LastName = 'Alone'") == [{"Account": None}]


def test_polymorphic_parents_answer_the_fields_of_name_and_their_type(org: Org, company: Company) -> None:
    org.create("Task", {"Subject": "call", "WhoId": company.contact, "WhatId": company.deal}, user_id=company.rep)
    org.create("Task", {"Subject": "lead", "WhoId": company.lead}, user_id=company.rep)
    row = org.query("SELECT Who.Name, Who.Type, What.Type, Owner.Name FROM Task WHERE What.Type = 'Opportunity'")
    assert row == [
        {
            "Who": {"Name": "Işıl Çelik", "Type": "Contact"},
            "What": {"Type": "Opportunity"},
            "Owner": {"Name": "Jane Doe"},
        }
    ]
    assert len(org.query("SELECT Id FROM Task WHERE Who.Type IN ('Lead')")) == 1
    assert refused(org, "SELECT What.Amount FROM Task").message.endswith(
        "Please reference your WSDL or the describe call for the appropriate names."
    )


def test_children_come_with_their_parents_limit_counting_per_parent(org: Org, company: Company) -> None:
    rows = org.query(
        "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName LIMIT 1) FROM Account ORDER BY Name"
    )
    assert rows == [
        {"Name": "Northwind", "Contacts": None},
        {"Name": "Çelik Yapı A.Ş.", "Contacts": [{"LastName": "Kaya"}]},
    ]
    assert refused(org, "SELECT (SELECT Id FROM Nothings) FROM Account").error_code == "INVALID_TYPE"


def test_semi_and_anti_joins_and_their_restrictions(org: Org, company: Company) -> None:
    inside = org.query("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Opportunity WHERE Amount > 1)")
    outside = org.query("SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Opportunity)")
    assert inside == [{"Id": company.account}]
    assert outside == [{"Id": company.other_account}]
    same = refused(org, "SELECT Id FROM Account WHERE Id IN (SELECT ParentId FROM Account)")
    assert "same object type" in same.message


def test_aggregates_group_count_and_refuse_ungrouped_fields(org: Org, company: Company) -> None:
    deals(org, {"Name": "a", "Amount": 1.5}, {"Name": "b", "Amount": 2, "StageName": "Closed Won"})
    rows = org.query(
        "SELECT StageName, COUNT(Id) n, SUM(Amount), MAX(CloseDate) FROM Opportunity "
        "GROUP BY StageName HAVING COUNT(Id) > 1"
    )
    assert rows == [{"StageName": "Prospecting", "n": 2, "expr0": 12502.0, "expr1": "2026-05-01"}]
    assert org.query_page("SELECT COUNT() FROM Opportunity", all_rows=False, page_size=10).total == 3
    error = refused(org, "SELECT Name, COUNT(Id) FROM Opportunity GROUP BY StageName")
    assert (error.error_code, "must be grouped or aggregated: Name" in error.message) == ("MALFORMED_QUERY", True)


def test_order_puts_nulls_first_unless_told(org: Org) -> None:
    org.seed("Account", [{"Name": "b", "Site": "2"}, {"Name": "a"}, {"Name": "C", "Site": "1"}])
    first = org.query("SELECT Name FROM Account WHERE Name IN ('a','b','c') ORDER BY Site, Name")
    last = org.query("SELECT Name FROM Account WHERE Name IN ('a','b','c') ORDER BY Site DESC NULLS LAST")
    assert names(first) == ["a", "C", "b"]
    assert names(last) == ["b", "C", "a"]
    by_name = org.query("SELECT Name FROM Account WHERE Name IN ('a','b','c') ORDER BY Name DESC LIMIT 2 OFFSET 1")
    assert names(by_name) == ["b", "a"]


@pytest.mark.parametrize(
    ("soql", "code", "said"),
    [
        ("SELECT Id FROM Lead WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Lead WHERE Name = Company", "MALFORMED_QUERY", "unexpected token: 'Company'"),
        ('SELECT Id FROM Lead WHERE Name = "x"', "MALFORMED_QUERY", "no viable alternative"),
        ("SELECT Id FROM Lead WHERE A = 1 AND B = 2 OR C = 3", "MALFORMED_QUERY", "unexpected token: 'OR'"),
        ("SELECT Id; DROP TABLE Lead", "MALFORMED_QUERY", "no viable alternative"),
        ("SELECT Nope FROM Lead", "INVALID_FIELD", "No such column 'Nope' on entity 'Lead'"),
        ("SELECT Owner.Nope FROM Opportunity", "INVALID_FIELD", "No such column 'Nope' on entity 'User'"),
        ("SELECT Nope.Name FROM Lead", "INVALID_FIELD", "Didn't understand relationship 'Nope'"),
        ("SELECT Id FROM Nope", "INVALID_TYPE", "sObject type 'Nope' is not supported"),
        ("SELECT Id, Id FROM Lead", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Id FROM Lead WHERE Description LIKE 'a%'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Opportunity WHERE HasOverdueTask = true", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM EmailMessage WHERE TextBody = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM FeedItem WHERE Body = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Lead ORDER BY Description", "MALFORMED_QUERY", "can not be sorted"),
        ("SELECT Subject, COUNT(Id) FROM Task GROUP BY Subject", "MALFORMED_QUERY", "can not be grouped"),
        ("SELECT Id FROM Lead WHERE Name = 5", "INVALID_FIELD", "must be of type string and should be enclosed"),
        ("SELECT Id FROM Opportunity WHERE Amount = '5'", "INVALID_FIELD", "must be of type double"),
        ("SELECT Id FROM Opportunity WHERE IsWon = 'true'", "INVALID_FIELD", "must be of type boolean"),
        ("SELECT Id FROM Opportunity WHERE CloseDate = '2026-01-01'", "INVALID_FIELD", "must be of type date"),
        ("SELECT Id FROM Opportunity WHERE CreatedDate > 2026-01-01", "INVALID_FIELD", "must be of type dateTime"),
        ("SELECT Id FROM Opportunity WHERE CloseDate > 2026-01-01T00:00:00Z", "INVALID_FIELD", "type date "),
        ("SELECT Id FROM Opportunity WHERE CloseDate > 2026-02-30", "MALFORMED_QUERY", "Invalid date"),
        ("SELECT Id FROM Lead WHERE Id = 'nope'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: nope"),
        ("SELECT Id FROM Lead WHERE Id LIKE '00Q%'", "INVALID_QUERY_FILTER_OPERATOR", "id field"),
        ("SELECT Id FROM Lead LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"),
        ("SELECT FIELDS(ALL) FROM Lead", "MALFORMED_QUERY", "LIMIT of at most 200"),
    ],
)
def test_what_salesforce_refuses_is_refused_in_its_words(org: Org, soql: str, code: str, said: str) -> None:
    error = refused(org, soql)
    assert (error.status, error.error_code) == (400, code)
    assert said in error.message


def test_an_error_points_at_its_place(org: Org) -> None:
    error = refused(org, "SELECT Id\nFROM Lead WHERE Nope = 1")
    assert "ERROR at Row:2:Column:17" in error.message


def test_ids_are_found_by_15_and_18_characters(org: Org, company: Company) -> None:
    assert org.query(f"SELECT Id FROM Lead WHERE Id = '{company.lead[:15]}'") == [{"Id": company.lead}]
    rows = org.query(f"SELECT Id FROM Contact WHERE AccountId IN ('{company.account[:15]}', null)")
    assert len(rows) == 2


def test_currency_exists_only_where_the_org_has_several(org: Org) -> None:
    assert refused(org, "SELECT CurrencyIsoCode FROM Opportunity").error_code == "INVALID_FIELD"
    assert refused(org, "SELECT Id FROM CurrencyType").error_code == "INVALID_TYPE"


def test_relative_dates_follow_the_users_calendar(org: Org, clock: Clock) -> None:
    clock.moment = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)  # already the 3rd in Istanbul
    deals(org, {"Name": "today", "CloseDate": "2026-03-03"}, {"Name": "yesterday", "CloseDate": "2026-03-02"})
    assert names(org.query("SELECT Name FROM Opportunity WHERE CloseDate = TODAY")) == ["today"]
    assert names(org.query("SELECT Name FROM Opportunity WHERE CloseDate = LAST_N_DAYS:1 ORDER BY Name")) == [
        "today",
        "yesterday",
    ]
    org.seed("Task", [{"Subject": "s", "CreatedDate": datetime(2026, 3, 2, 21, 0, tzinfo=UTC)}])
    assert len(org.query("SELECT Id FROM Task WHERE CreatedDate = TODAY")) == 1
    assert org.query("SELECT Id FROM Task WHERE CreatedDate < TODAY") == []


@pytest.mark.parametrize(
    ("literal", "first", "after"),
    [
        ("LAST_N_DAYS:90", date(2025, 12, 2), date(2026, 3, 3)),
        ("NEXT_N_DAYS:2", date(2026, 3, 3), date(2026, 3, 5)),
        ("N_DAYS_AGO:1", date(2026, 3, 1), date(2026, 3, 2)),
        ("LAST_WEEK", date(2026, 2, 22), date(2026, 3, 1)),
        ("THIS_MONTH", date(2026, 3, 1), date(2026, 4, 1)),
        ("LAST_N_MONTHS:2", date(2026, 1, 1), date(2026, 3, 1)),
        ("LAST_QUARTER", date(2025, 10, 1), date(2026, 1, 1)),
        ("NEXT_YEAR", date(2027, 1, 1), date(2028, 1, 1)),
    ],
)
def test_relative_dates_span_what_the_reference_says(literal: str, first: date, after: date) -> None:
    assert span(literal, date(2026, 3, 2)) == (first, after)


def test_deleted_and_archived_rows_show_only_when_all_are_asked_for(org: Org, company: Company) -> None:
    org.delete("Lead", company.lead, user_id=company.rep)
    org.seed("Task", [{"Subject": "old", "IsArchived": True}])
    assert org.query(f"SELECT Id FROM Lead WHERE Id = '{company.lead}'") == []
    assert org.query(f"SELECT IsDeleted FROM Lead WHERE Id = '{company.lead}'", all_rows=True) == [{"IsDeleted": True}]
    assert org.query("SELECT Id FROM Task") == []
    assert len(org.query("SELECT Id FROM Task", all_rows=True)) == 1


def test_compound_and_computed_fields_can_be_selected(org: Org, company: Company) -> None:
    org.seed("Contact", [{"LastName": "Addr", "MailingCity": "İzmir", "MailingCountry": "Türkiye"}])
    (row,) = org.query("SELECT MailingAddress FROM Contact WHERE LastName = 'Addr'")
    assert (row["MailingAddress"]["city"], row["MailingAddress"]["street"]) == ("İzmir", None)
    org.create("Task", {"WhatId": company.deal, "ActivityDate": "2026-01-01"}, user_id=company.rep)
    assert org.query("SELECT HasOpenActivity, HasOverdueTask FROM Opportunity") == [
        {"HasOpenActivity": True, "HasOverdueTask": True}
    ]
