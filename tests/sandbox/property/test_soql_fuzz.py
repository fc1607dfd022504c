"""Mutated SOQL: whatever is asked, the answer is records or an error of Salesforce's shape.

LEAKWATCH_SOQL_MUTATIONS sets how many queries are asked, LEAKWATCH_SOQL_SEED where the dice begin.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator

import pytest

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org
from sandbox.org.org_kit import Clock

pytestmark = pytest.mark.documented("REST API Developer Guide, Status Codes and Error Responses")

MUTATIONS = int(os.environ.get("LEAKWATCH_SOQL_MUTATIONS", "150"))
SEED = int(os.environ.get("LEAKWATCH_SOQL_SEED", "1"))
VALID = (
    "SELECT Id, Owner.Name, Account.Parent.Name FROM Opportunity WHERE Amount >= 10.5 ORDER BY Name DESC NULLS LAST",
    "SELECT Id, Name FROM Opportunity WHERE Name != '' AND StageName IN ('A', 'B\\'s') LIMIT 5 OFFSET 2",
    "SELECT Id, What.Name, TYPEOF Who WHEN Lead THEN Company ELSE Name END FROM Task WHERE ActivityDate < LAST_WEEK",
    "SELECT Name, (SELECT Id, (SELECT Subject FROM Tasks) FROM Contacts WHERE Email LIKE '%a\\_b%') FROM Account",
    "SELECT MAX(Amount) FROM Opportunity GROUP BY DAY_ONLY(convertTimezone(CreatedDate))",
    "SELECT StageName, SUM(Amount) n FROM Opportunity GROUP BY StageName HAVING SUM(Amount) > 1 ORDER BY SUM(Amount)",
    "SELECT StageName, GROUPING(StageName) g, COUNT(Id) FROM Opportunity GROUP BY ROLLUP(StageName, LeadSource)",
    "SELECT COUNT() FROM Lead WHERE CreatedDate > 2026-01-31T00:00:00Z OR (NOT (Status != null))",
    "SELECT FIELDS(STANDARD) FROM Contact c, c.Account a USING SCOPE mine WHERE a.Name < 'x' LIMIT 200 FOR VIEW",
    "SELECT Id, FORMAT(Amount) f, toLabel(StageName) FROM Opportunity WHERE CloseDate IN (2026-01-01, TODAY)",
    "SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact WHERE Birthdate < THIS_FISCAL_QUARTER)",
)
_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|[\w.:+-]+|\s+|.", re.DOTALL)
_NOISE = (
    *(
        "'",
        "\\",
        "(",
        ")",
        ",",
        "%",
        "\0",
        "é",
        "\u2028",
        "\ud800",
        "\n",
        "-1",
        "1e400",
        "99999999999999999999",
        "null",
    ),
    *("''", "'\\u0000'", "TODAY", "9999-12-31", "0000-00-00", "LAST_N_DAYS:99999999999", "2026-02-30T25:61:00Z"),
    *("NOT", "AND", "SELECT", "FROM", "Id", "Name", "CreatedDate", "Owner.", ".", "COUNT()", "USD5", "true"),
)


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Org]:
    """An org with a row of most objects that are asked for."""
    made = Org(tmp_path_factory.mktemp("fuzz"), Clock())
    account, deal = made.new_id("Account"), made.new_id("Opportunity")
    made.seed("Account", [{"Id": account, "Name": "a"}])
    made.seed("Contact", [{"LastName": "c", "AccountId": account, "Email": "xa_b@acme.example"}])
    made.seed("Lead", [{"LastName": "l", "Company": "c"}])
    made.seed(
        "Opportunity",
        [{"Id": deal, "Name": "d", "StageName": "A", "CloseDate": "2026-01-01", "Amount": 12, "AccountId": account}],
    )
    made.seed("Task", [{"Subject": "t", "WhatId": deal}])
    yield made
    made.close()


def mutated(dice: random.Random) -> str:
    """A valid query with one to four changes to its tokens or characters."""
    parts = _TOKEN.findall(dice.choice(VALID))
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(parts))
        match dice.randrange(6):
            case 0:
                del parts[at]
            case 1:
                parts.insert(at, dice.choice(_NOISE))
            case 2:
                parts[at] = dice.choice(_NOISE)
            case 3:
                parts[at] = dice.choice(_TOKEN.findall(dice.choice(VALID)))
            case 4:
                other = dice.randrange(len(parts))
                parts[at], parts[other] = parts[other], parts[at]
            case _:
                cut = dice.randint(0, len(parts[at]))
                parts[at] = parts[at][:cut] + chr(dice.randrange(1, 0x250)) + parts[at][cut:]
        parts = parts or [" "]
    return "".join(parts)


@pytest.mark.parametrize("soql", VALID)
def test_the_queries_that_are_mutated_are_valid(org: Org, soql: str) -> None:
    org.query_page(soql, all_rows=False, page_size=200)


def test_a_mutated_query_is_answered_or_refused_in_the_shape_of_an_error(org: Org) -> None:
    dice = random.Random(SEED)
    answered = 0
    for number in range(MUTATIONS):
        soql = mutated(dice)
        refusal = None
        try:
            page = org.query_page(soql, all_rows=False, page_size=200)
        except OrgError as error:
            refusal = error
        except Exception as error:
            raise AssertionError(f"mutation {number} of seed {SEED}: {soql!r}") from error
        else:
            answered += 1
            assert all(record["attributes"]["type"] for record in page.records), soql
        if refusal is not None:
            assert refusal.status in (400, 501), soql
            assert re.fullmatch(r"[A-Z][A-Z0-9_]+", refusal.error_code), soql
            assert refusal.message, soql
    assert 0 < answered < MUTATIONS
