"""The rest of a long answer is listed beside its first page: what its pages show, and what becomes of a listing
that is cut off."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leakwatch.sandbox.org.cursors import CHUNK
from leakwatch.sandbox.org.database import Snapshot
from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org, OrgSettings
from leakwatch.sandbox.org.soql import listing
from leakwatch.sandbox.org.soql.results import Page
from leakwatch.sandbox.org.store import Store
from sandbox.org.org_kit import Clock, Company

pytestmark = pytest.mark.documented("REST API Developer Guide, Query", settled=False)

COUNT = CHUNK + 100
ASKED = "SELECT Name FROM Account WHERE Name LIKE 'deal%' ORDER BY Name DESC"


@pytest.fixture(autouse=True)
def short_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more ids than one page has are found with it."""
    monkeypatch.setattr(listing, "AHEAD", CHUNK)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """No listing reads a row before this is set."""
    go_on, read = threading.Event(), Snapshot.execute

    def wait(self: Snapshot, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        assert go_on.wait(10)
        return read(self, sql, parameters)

    monkeypatch.setattr(Snapshot, "execute", wait)
    yield go_on
    go_on.set()


@pytest.fixture
def first(org: Org, company: Company) -> Callable[[], Page]:
    org.seed("Account", ({"Name": f"deal{i:04}"} for i in range(COUNT)))
    return lambda: org.query_page(ASKED, all_rows=False, page_size=CHUNK)


def rest_of(org: Org, page: Page) -> list[str]:
    return [record["Name"] for record in org.query_more(str(page.locator), page_size=CHUNK).records]


def test_the_first_page_tells_the_total_before_the_rest_is_listed(
    org: Org, first: Callable[[], Page], held: threading.Event
) -> None:
    page = first()
    assert not held.is_set()
    assert (page.total, len(page.records), page.records[0]["Name"]) == (COUNT, CHUNK, f"deal{COUNT - 1:04}")
    held.set()
    assert rest_of(org, page) == [f"deal{i:04}" for i in reversed(range(100))]


def test_rows_changed_before_the_rest_is_listed_stay_where_the_first_page_had_them(
    org: Org, company: Company, first: Callable[[], Page], held: threading.Event
) -> None:
    page = first()
    gone, renamed = (
        org.query(f"SELECT Id FROM Account WHERE Name = '{one}'")[0]["Id"] for one in ("deal0050", "deal0060")
    )
    org.purge("Account", [gone])
    org.update("Account", renamed, {"Name": "no longer wanted"}, user_id=company.rep)
    org.create("Account", {"Name": "deal0055"}, user_id=company.rep)
    held.set()
    wanted = ["no longer wanted" if i == 60 else f"deal{i:04}" for i in reversed(range(100)) if i != 50]
    assert rest_of(org, page) == wanted


def test_a_listing_cut_off_by_the_end_of_the_process_ends_its_locator(
    org: Org, first: Callable[[], Page], held: threading.Event, clock: Clock, tmp_path: Path
) -> None:
    page = first()
    shutil.copytree(tmp_path / "org", tmp_path / "killed")  # what a killed process leaves behind
    again = Org(tmp_path / "killed", clock, settings=OrgSettings())
    with pytest.raises(OrgError, match="INVALID_QUERY_LOCATOR"):
        rest_of(again, page)
    again.close()


def test_an_orderly_end_lists_the_rest_first(
    org: Org, first: Callable[[], Page], held: threading.Event, clock: Clock, tmp_path: Path
) -> None:
    page = first()
    closing = threading.Thread(target=org.close)
    closing.start()
    held.set()
    closing.join(10)
    again = Org(tmp_path / "org", clock, settings=OrgSettings())
    assert len(rest_of(again, page)) == 100
    again.close()


def test_a_listing_that_fails_ends_its_locator_and_no_other(
    org: Org, first: Callable[[], Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = first()
    org.cursors.settle()

    def fail(self: Snapshot, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Snapshot, "execute", fail)
    page = first()
    assert page.total == COUNT
    with pytest.raises(OrgError, match="INVALID_QUERY_LOCATOR"):
        rest_of(org, page)
    assert len(rest_of(org, good)) == 100


def test_pages_found_with_the_first_one_do_not_wait_for_the_rest(
    org: Org, first: Callable[[], Page], held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "AHEAD", 2 * CHUNK)
    org.seed("Account", ({"Name": f"deal{i:04}"} for i in range(COUNT, 2 * COUNT)))
    page = org.query_more(str(first().locator), page_size=CHUNK)
    assert not held.is_set()
    assert (page.total, page.records[0]["Name"]) == (2 * COUNT, f"deal{2 * COUNT - CHUNK - 1:04}")
    held.set()
    assert len(rest_of(org, page)) == 2 * COUNT - 2 * CHUNK


STARTED = "CreatedDate > 2020-01-01T00:00:00Z"
COVERED = "SEARCH t0 USING COVERING INDEX"
LATE = "IsClosed = false AND CloseDate < TODAY"


@pytest.mark.parametrize(
    ("sobject", "where", "step"),
    [
        ("Account", STARTED, f"{COVERED} Account_CreatedDate (CreatedDate>?)"),
        ("Account", "AnnualRevenue = null", "SCAN t0"),
        (
            "Opportunity",
            LATE,
            f"{COVERED} Opportunity_narrow_IsClosed (IsClosed=? AND CloseDate<?)",
        ),
        ("Opportunity", f"{LATE} AND Probability = 10", "SCAN t0"),
    ],
)
def test_counting_reads_an_index_alone_or_the_table_alone(
    org: Org, monkeypatch: pytest.MonkeyPatch, sobject: str, where: str, step: str
) -> None:
    more = {"CloseDate": "2020-01-01", "StageName": "Prospecting"} if sobject == "Opportunity" else {}
    org.seed(sobject, ({"Name": f"deal{i}", **more} for i in range(202)))
    monkeypatch.setattr(listing, "AHEAD", 200)
    counts: list[tuple[str, Any]] = []
    run = Store.execute

    def note(self: Store, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if sql.startswith("SELECT COUNT"):
            counts.append((sql, parameters))
        return run(self, sql, parameters)

    monkeypatch.setattr(Store, "execute", note)
    org.query_page(f"SELECT Id FROM {sobject} WHERE {where}", all_rows=False, page_size=200)
    ((sql, parameters),) = counts
    assert [row["detail"] for row in org.store.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)] == [step]
