"""SOQL that the real service refuses, and SOQL that only the sandbox refuses, by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Clock

pytestmark = pytest.mark.documented("SOQL and SOSL Reference; SOQL and SOSL Limits")

UNGROUPED = "Field must be grouped or aggregated: "
REFUSED = [
    # clauses
    ("SELECT Id FROM Lead ALL ROWS", "MALFORMED_QUERY", "ALL ROWS not allowed in this context"),
    ("SELECT Id FROM Lead WITH SECURITY_ENFORCED", "MALFORMED_QUERY", "unexpected token: 'WITH'"),
    ("SELECT Id FROM Lead WITH USER_MODE", "MALFORMED_QUERY", "unexpected token: 'WITH'"),
    ("SELECT Id FROM Lead ORDER BY Name FOR UPDATE", "MALFORMED_QUERY", "FOR UPDATE"),
    ("SELECT Id FROM Lead USING SCOPE nobody", "INVALID_QUERY_SCOPE", "Invalid scope 'nobody'"),
    ("SELECT Id FROM Organization USING SCOPE mine", "INVALID_QUERY_SCOPE", "Invalid scope 'mine'"),
    ("SELECT Id FROM Lead AS", "MALFORMED_QUERY", "unexpected token: 'AS'"),
    ("SELECT Id FROM Contact c, c.Nobody n", "INVALID_FIELD", "Didn't understand relationship 'Nobody'"),
    ("SELECT Id FROM Contact c, c.Account a WHERE b.Name = 'x'", "INVALID_FIELD", "relationship 'b'"),
    # aliases
    ("SELECT Name n FROM Lead", "MALFORMED_QUERY", "only aggregate expressions use field aliasing"),
    ("SELECT COUNT() c FROM Lead", "MALFORMED_QUERY", "unexpected token: 'c'"),
    ("SELECT FORMAT(Amount) a, FORMAT(CloseDate) a FROM Opportunity", "MALFORMED_QUERY", "duplicate alias: a"),
    (
        "SELECT Account.Name, Owner.Name, COUNT(Id) FROM Contact GROUP BY Account.Name, Owner.Name",
        "MALFORMED_QUERY",
        "duplicate alias: Name",
    ),
    # functions
    ("SELECT FOO(Id) FROM Lead", "MALFORMED_QUERY", "unexpected token: '('"),
    ("SELECT Id FROM Lead WHERE FOO(Id) = 1", "MALFORMED_QUERY", "unexpected token: '('"),
    ("SELECT convertTimezone(CreatedDate) FROM Lead", "MALFORMED_QUERY", "inside a date function"),
    ("SELECT CALENDAR_YEAR(CreatedDate) FROM Lead", "MALFORMED_QUERY", UNGROUPED + "CreatedDate"),
    ("SELECT Id FROM Lead WHERE CALENDAR_YEAR(CreatedDate) = THIS_YEAR", "INVALID_FIELD", "must be of type int"),
    ("SELECT Id FROM Lead WHERE HOUR_IN_DAY(Name) = 1", "INVALID_FIELD", "does not support the function"),
    ("SELECT Id FROM Opportunity WHERE HOUR_IN_DAY(CloseDate) = 1", "INVALID_FIELD", "does not support the function"),
    (
        "SELECT Id FROM Opportunity WHERE DAY_ONLY(CloseDate) = 2026-01-01",
        "INVALID_FIELD",
        "does not support the function",
    ),
    ("SELECT toLabel(Name) FROM Lead", "INVALID_FIELD", "does not support toLabel"),
    ("SELECT Id FROM Lead ORDER BY toLabel(Status)", "MALFORMED_QUERY", "ORDER BY clause"),
    ("SELECT FORMAT(Name) FROM Lead", "INVALID_FIELD", "does not support FORMAT"),
    ("SELECT convertCurrency(Amount) FROM Opportunity", "INVALID_FIELD", "convertCurrency"),
    ("SELECT Id FROM Opportunity WHERE Amount > USD5000", "MALFORMED_QUERY", "unexpected token: 'USD5000'"),
    # aggregates
    ("SELECT COUNT(), Id FROM Lead", "MALFORMED_QUERY", "COUNT() must be the only element"),
    ("SELECT COUNT() FROM Lead ORDER BY Name", "MALFORMED_QUERY", "Ordered field must be grouped"),
    ("SELECT COUNT(Id) FROM Lead LIMIT 1", "MALFORMED_QUERY", "aggregate functions cannot also use LIMIT"),
    ("SELECT COUNT(Id) FROM Lead HAVING COUNT(Id) > 1", "MALFORMED_QUERY", "unexpected token: 'HAVING'"),
    (
        "SELECT Status, COUNT(Id) FROM Lead GROUP BY Status HAVING City LIKE 'San%'",
        "MALFORMED_QUERY",
        UNGROUPED + "City",
    ),
    (
        "SELECT Status, COUNT(Id) FROM Lead GROUP BY Status HAVING Id IN (SELECT LeadId FROM CampaignMember)",
        "MALFORMED_QUERY",
        "must be grouped|HAVING",
    ),
    (
        "SELECT Status, COUNT(Id) FROM Lead GROUP BY Status ORDER BY City",
        "MALFORMED_QUERY",
        "Ordered field must be grouped or aggregated: City",
    ),
    ("SELECT CALENDAR_YEAR(CreatedDate), COUNT(Id) FROM Lead GROUP BY City", "MALFORMED_QUERY", UNGROUPED),
    ("SELECT MAX(IsWon) FROM Opportunity", "MALFORMED_QUERY", "field IsWon does not support aggregate operator MAX"),
    ("SELECT MAX(ActivityDate) FROM Task", "MALFORMED_QUERY", "ActivityDate does not support aggregate operator MAX"),
    ("SELECT COUNT(Description) FROM Lead", "MALFORMED_QUERY", "does not support aggregate operator COUNT"),
    ("SELECT SUM(Name) FROM Lead", "MALFORMED_QUERY", "does not support aggregate operator SUM"),
    ("SELECT COUNT(Id), (SELECT Id FROM Contacts) FROM Account", "MALFORMED_QUERY", "child relationships"),
    ("SELECT Id, (SELECT COUNT(Id) FROM Contacts) FROM Account", "MALFORMED_QUERY", "only root queries support aggr"),
    ("SELECT Id, (SELECT COUNT() FROM Contacts) FROM Account", "MALFORMED_QUERY", "only root queries support aggr"),
    ("SELECT GROUPING(Status) FROM Lead GROUP BY Status", "MALFORMED_QUERY", "ROLLUP"),
    ("SELECT COUNT(Id) FROM Lead GROUP BY ROLLUP(Status), City", "MALFORMED_QUERY", "can not be combined"),
    ("SELECT COUNT(Id) FROM Lead GROUP BY CUBE(Status, City, Name, Company)", "MALFORMED_QUERY", "one to 3 fields"),
    # operators
    ("SELECT Id FROM Lead WHERE Name INCLUDES ('a')", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on string"),
    ("SELECT Id FROM Lead WHERE Name = '" + "x" * 4_001 + "'", "MALFORMED_QUERY", "4000 characters"),
    # semi-joins
    (
        "SELECT Id FROM Account WHERE Name = 'x' OR Id IN (SELECT AccountId FROM Contact)",
        "MALFORMED_QUERY",
        "Semi join sub-selects are not allowed with the 'OR' operator",
    ),
    (
        "SELECT Id FROM Account WHERE Name = 'x' OR (Site = 'y' AND Id IN (SELECT AccountId FROM Contact))",
        "MALFORMED_QUERY",
        "only allowed at the top level WHERE expressions and not in nested WHERE expressions.",
    ),
    ("SELECT Id FROM Account WHERE NOT Id IN (SELECT AccountId FROM Contact)", "MALFORMED_QUERY", "nested WHERE"),
    (
        "SELECT Id FROM Account WHERE Id IN (SELECT OwnerId FROM Contact)",
        "MALFORMED_QUERY",
        "The selected field 'OwnerId' in the subquery and the left operand field in the where expression",
    ),
    (
        "SELECT Id FROM Contact WHERE Id IN (SELECT WhoId FROM Task)",
        "MALFORMED_QUERY",
        "Entity 'Task' is not supported for semi join inner selects",
    ),
    ("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact LIMIT 1)", "MALFORMED_QUERY", "LIMIT"),
    ("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact ORDER BY Name)", "MALFORMED_QUERY", "ORDER BY"),
    # child queries
    ("SELECT Id, (SELECT Id FROM Contacts) c FROM Account", "MALFORMED_QUERY", "unexpected token: 'c'"),
    ("SELECT Id, (SELECT Id FROM Contacts OFFSET 1) FROM Account", "MALFORMED_QUERY", "OFFSET"),
]
NOT_EMULATED = [
    ("SELECT Id FROM Account WHERE DISTANCE(BillingAddress, GEOLOCATION(1, 2), 'mi') < 3", "DISTANCE"),
    ("SELECT Id FROM Lead WITH DATA CATEGORY Geography__c AT usa__c", "WITH DATA CATEGORY"),
    ("SELECT Id FROM Account USING SCOPE team", "scope team"),
    ("SELECT Id, (SELECT Id FROM ActivityHistories) FROM Account", "relationship ActivityHistories"),
    ("SELECT Id, (SELECT Id FROM OpenActivities) FROM Contact", "relationship OpenActivities"),
    ("SELECT Id FROM Account WHERE BillingAddress = 'x'", "compound field"),
]


def refused(org: Org, soql: str) -> OrgError:
    with pytest.raises(OrgError) as caught:
        org.query(soql)
    return caught.value


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Org]:
    """An org without rows: refusals need none."""
    made = Org(tmp_path_factory.mktemp("bare"), Clock())
    yield made
    made.close()


@pytest.mark.documented(guess="many of the words")
@pytest.mark.parametrize(("soql", "code", "said"), REFUSED, ids=[one[0][:60] for one in REFUSED])
def test_what_salesforce_refuses_is_refused_with_its_code(bare: Org, soql: str, code: str, said: str) -> None:
    error = refused(bare, soql)
    assert (error.status, error.error_code) == (400, code)
    assert any(one in error.message for one in said.split("|"))


@pytest.mark.parametrize(("soql", "what"), NOT_EMULATED)
def test_what_the_sandbox_lacks_is_refused_by_name(bare: Org, soql: str, what: str) -> None:
    error = refused(bare, soql)
    assert (error.status, error.error_code) == (501, "SANDBOX_NOT_EMULATED")
    assert what in error.message


@pytest.mark.documented(guess="the words of the refusals")
def test_at_most_55_relationships_lead_up_and_20_down_and_5_levels_up(bare: Org) -> None:
    steps = ["Owner", "CreatedBy", "LastModifiedBy", "Account.Owner", "Account.CreatedBy", "Account.LastModifiedBy"]
    paths = [f"{a}.{b}.{c}.Name" for a in steps for b in ("Manager", "CreatedBy") for c in ("Manager", "CreatedBy")]
    paths += [f"{a}.LastModifiedBy.{c}.Name" for a in steps for c in ("Manager", "CreatedBy", "LastModifiedBy")]
    bare.query(f"SELECT {', '.join(paths[:20])} FROM Opportunity")
    assert "55" in refused(bare, f"SELECT {', '.join(paths)} FROM Opportunity").message
    children = ", ".join(["(SELECT Id FROM Contacts)"] * 21)
    assert "20" in refused(bare, f"SELECT Id, {children} FROM Account").message
    too_deep = "SELECT Account.Owner.Manager.Manager.Manager.Manager.Name FROM Opportunity"
    assert "5 levels" in refused(bare, too_deep).message


def test_a_query_has_at_most_100_000_characters(bare: Org) -> None:
    long = "SELECT Id FROM Lead WHERE " + " OR ".join(f"Name = 'name {i:06}'" for i in range(4_500))
    assert refused(bare, long).error_code == "QUERY_TOO_COMPLICATED"
