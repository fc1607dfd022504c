"""The house rules of rule SQL: what would mean something else on another engine, or reach too far, is refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from leakwatch.rule_engine.lint import lint
from rule_samples import CATALOG

SAMPLES = {"as_of_date": date(2026, 3, 31), "as_of_epoch": 0, "days": 14, "low": Decimal("0.5")}
START = "SELECT o.id AS record_id, o.owner_id FROM sf_opportunity AS o "


def faults(sql: str) -> str:
    query, problems = lint(sql, catalog=CATALOG, samples=SAMPLES)
    assert (query is None) == bool(problems)
    return "; ".join(problem.text for problem in problems)


@pytest.mark.parametrize(
    "sql",
    [
        START + "WHERE NOT COALESCE(o.is_deleted, FALSE) AND o.close_date < $as_of_date",
        START + "WHERE o.amount < $low * o.budget_amount OR o.amount BETWEEN 1 AND 2",
        START + "WHERE o.created_epoch + 86400 < $as_of_epoch",
        START + "LEFT JOIN sf_user AS u ON u.id = o.owner_id AND u.is_active WHERE u.id IS NULL",
        START + "WHERE o.stage_meaning IN ('won', 'lost') AND ($days = 0 OR o.loss_reason IS NULL)",
        START + "WHERE EXISTS (SELECT 1 AS one FROM sf_task AS t WHERE t.what_id = o.id)",
        """
        WITH t AS (
          SELECT l.owner_id, COUNT(*) AS n, MAX(l.created_epoch) AS last FROM sf_lead AS l GROUP BY l.owner_id
        )
        SELECT t.owner_id AS record_id, t.owner_id, CASE WHEN t.n > $days THEN 'many' ELSE 'few' END AS size FROM t
        """,
        """
        SELECT s.id AS record_id, s.owner_id
        FROM (
          SELECT o.id, o.owner_id, ROW_NUMBER() OVER (PARTITION BY o.account_id ORDER BY o.created_epoch, o.id) AS place
          FROM sf_opportunity AS o
        ) AS s
        WHERE s.place = 1
        """,
    ],
)
def test_the_portable_subset_is_enough_for_real_rules(sql: str) -> None:
    assert faults(sql) == ""


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "no functions and no files"),
        ("SELECT content AS record_id, 1 AS owner_id FROM read_text('/etc/passwd')", "no functions and no files"),
        ("SELECT a AS record_id, b AS owner_id FROM '/etc/passwd'", "unknown table"),
        ("ATTACH '/tmp/other.db' AS other", "only a SELECT"),
        ("COPY sf_lead TO '/tmp/leads.csv'", "only a SELECT"),
        (START + "; DROP TABLE sf_lead", "exactly one SELECT"),
        ("SELECT name AS record_id, value AS owner_id FROM duckdb_settings()", "no functions"),
        ("SELECT table_name AS record_id, 1 AS owner_id FROM information_schema.tables", "no schema or catalog"),
        ("SELECT getenv('HOME') AS record_id, o.owner_id FROM sf_opportunity AS o", "getenv is not on the allow-list"),
        (START + "WHERE o.created_epoch < epoch(now())", "allow-list"),
        (START + "CROSS JOIN sf_user AS u", "no cross join"),
        (START + ", sf_user AS u", "no cross join"),
        ("SELECT o.id AS record_id, o.ownr_id AS owner_id FROM sf_opportunity AS o", "unknown column ownr_id"),
        ("SELECT repeat('x', 2000000000) AS record_id, o.owner_id FROM sf_opportunity AS o", "not on the allow-list"),
        ("WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 AS n FROM t) SELECT n FROM t", "no recursion"),
        ("SET memory_limit = '100GB'", "only a SELECT"),
        ("SELECT query('SELECT 1') AS record_id, 1 AS owner_id", "not on the allow-list"),
    ],
)  # fmt: skip
def test_a_hostile_statement_is_refused(sql: str, words: str) -> None:
    assert words in faults(sql)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (START + "WHERE o.close_date < current_date", "no clock"),
        (START + "WHERE o.close_date < today()", "no clock"),
        (START + "WHERE o.close_date < $as_of_date - 14", "no date arithmetic"),
        (START + "WHERE o.close_date < $as_of_date - INTERVAL 14 DAY", "no date arithmetic"),
        (START + "WHERE date_diff('day', o.close_date, $as_of_date) > 14", "no date arithmetic"),
        (START + "WHERE o.created_date < o.last_modified_date", "no timestamps"),
        (START + "WHERE lower(o.stage_name) = 'won'", "no text folding"),
        (START + "WHERE o.stage_name ILIKE 'closed%'", "no text folding"),
        (START + "WHERE o.stage_name < 'M'", "no ordering of texts"),
        (START + "WHERE o.amount / o.budget_amount < 0.5", "no division"),
        (START + "WHERE round(o.amount) = 5", "no division or rounding"),
        (START + "WHERE CAST(o.amount AS INTEGER) = 5", "CAST only of a literal"),
        (START + "JOIN sf_user AS u ON u.id < o.owner_id", "joins by equality only"),
        (START + "JOIN sf_user AS u ON u.is_active", "ON must say which column"),
        (START + "JOIN sf_user AS u USING (id)", "no USING"),
        (START + "RIGHT JOIN sf_user AS u ON u.id = o.owner_id", "only JOIN and LEFT JOIN"),
        (START + "LIMIT 10", "no row limit"),
        (START + "ORDER BY o.id", "no ORDER BY"),
        ("SELECT * FROM sf_opportunity AS o", "no SELECT *"),
        ("FROM sf_opportunity", "no SELECT *"),
        ("SELECT o.id AS record_id, o.owner_id, o.amount + 1 FROM sf_opportunity AS o", "a name with AS"),
        ("SELECT o.id AS record_id, o.id AS record_id FROM sf_opportunity AS o", "is there twice"),
        (START + "WHERE o.amount < $lo", "unknown parameter $lo (did you mean `low`?)"),
        (START + "WHERE o.amount < ?", "unknown parameter"),
        ("SELECT o.id AS record_id FROM sf_oportunity AS o", "did you mean `sf_opportunity`"),
        (START + "WHERE o.is_won + 1 = 2", "numbers only"),
        (START + "QUALIFY ROW_NUMBER() OVER (ORDER BY o.id) = 1", "no QUALIFY"),
        ("SELECT o.id AS record_id, SUM(o.amount) AS owner_id FROM sf_opportunity AS o GROUP BY ALL", "GROUP BY needs"),
        ("SELECT o.id AS record_id FROM", "not valid SQL"),
        ("", "exactly one SELECT"),
    ],
)  # fmt: skip
def test_what_another_engine_would_read_differently_is_refused(sql: str, words: str) -> None:
    assert words in faults(sql)


def test_every_breach_is_told_with_its_line() -> None:
    sql = START.replace(" FROM", "\nFROM") + "\nWHERE o.close_date < now()\n  AND o.amount / 2 > 1"
    _, problems = lint(sql, catalog=CATALOG, samples=SAMPLES)
    assert [problem.line for problem in problems] == [3, 4]


def test_what_a_query_reads_and_returns_is_known() -> None:
    sql = START + "LEFT JOIN sf_user AS u ON u.id = o.owner_id WHERE u.is_active AND o.amount < $low"
    query, _ = lint(sql, catalog=CATALOG, samples=SAMPLES)
    assert query is not None
    assert query.reads == {"sf_opportunity": {"id", "owner_id", "amount"}, "sf_user": {"id", "is_active"}}
    assert query.returns == ("record_id", "owner_id")
    assert query.params == {"low"}
