"""Many at once: readers beside a writer, answers of many pages, answers that stream."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from leakwatch.sandbox.org.cursors import CHUNK, MOST_PER_USER
from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.facade import Org, OrgSettings
from leakwatch.sandbox.org.soql import listing
from sandbox.org.org_kit import Clock, Company

NAMES = "SELECT Name FROM Account"


def accounts(org: Org, count: int, name: str = "A") -> None:
    org.seed("Account", ({"Name": f"{name}{i}"} for i in range(count)))


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def rest_of(org: Org, locator: str | None) -> list[str]:
    names: list[str] = []
    while locator is not None:
        page = org.query_more(locator, page_size=2000)
        names += [record["Name"] for record in page.records]
        locator = page.locator
    return names


def test_two_threads_query_while_a_third_is_in_the_middle_of_writing(org: Org, company: Company) -> None:
    halfway, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with org.store.transaction():
            org.create("Account", {"Name": "half"}, user_id=company.rep)
            halfway.set()
            assert go_on.wait(10)
            org.create("Account", {"Name": "done"}, user_id=company.rep)

    before = len(org.query(NAMES))
    writer = in_thread(write)
    assert halfway.wait(10)
    seen: list[int] = []
    readers = [in_thread(lambda: seen.append(len(org.query(NAMES)))) for _ in range(2)]
    for reader in readers:
        reader.join(10)
    assert seen == [before, before]  # the writer has not let go yet
    go_on.set()
    writer.join(10)
    assert len(org.query(NAMES)) == before + 2


def test_a_call_counts_against_the_limit_although_somebody_writes(org: Org, clock: Clock, tmp_path: Path) -> None:
    with org.store.transaction():
        thread = in_thread(org.count_call)
        thread.join(10)
        assert org.calls_used() == 1
    org.close()
    again = Org(tmp_path / "org", clock, settings=OrgSettings())
    assert again.calls_used() == 1
    again.close()


@pytest.mark.documented("REST API Developer Guide, Query", settled=False)
def test_a_cursor_fixes_the_rows_and_shows_their_present_values(org: Org, company: Company) -> None:
    accounts(org, 2500)
    page = org.query_page(NAMES, all_rows=False, page_size=2000)
    last = org.query("SELECT Id FROM Account ORDER BY Id DESC LIMIT 2")
    org.create("Account", {"Name": "too late"}, user_id=company.rep)
    org.update("Account", last[0]["Id"], {"Name": "renamed"}, user_id=company.rep)
    org.purge("Account", [last[1]["Id"]])
    names = rest_of(org, page.locator)
    assert page.total == 2502
    assert len(names) == 501  # without the row that is gone for good
    assert names[-1] == "renamed"


def test_filling_a_cursor_holds_one_chunk_of_ids_however_many_there_are(
    org: Org, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "AHEAD", CHUNK)
    for count in (3 * CHUNK, 2 * CHUNK):
        accounts(org, count)
        for soql in (NAMES, f"{NAMES} WHERE Name LIKE 'A%'"):
            page = org.query_page(soql, all_rows=False, page_size=2000)
            assert len(rest_of(org, page.locator)) == page.total - 2000
    assert org.cursors.most_rows_held == CHUNK


@pytest.mark.documented("REST API Developer Guide, Query")
def test_a_filtered_and_sorted_answer_has_the_rows_of_an_unfiltered_one(org: Org, company: Company) -> None:
    accounts(org, 4100)
    asked = f"{NAMES} WHERE Name != 'nobody' ORDER BY Name DESC"
    page = org.query_page(asked, all_rows=False, page_size=2000)
    names = [record["Name"] for record in page.records] + rest_of(org, page.locator)
    assert names == sorted((row["Name"] for row in org.query(NAMES)), key=str.casefold, reverse=True)
    assert page.total == 4102


@pytest.mark.documented("SOQL and SOSL Reference, query cursors")
def test_the_eleventh_cursor_of_a_user_releases_the_oldest(org: Org, company: Company) -> None:
    accounts(org, 250)
    caller = org.caller(company.rep)
    pages = [org.query_page(NAMES, all_rows=False, page_size=200, caller=caller) for _ in range(MOST_PER_USER + 1)]
    others = org.query_page(NAMES, all_rows=False, page_size=200, caller=org.caller(company.manager))
    with pytest.raises(OrgError, match="INVALID_QUERY_LOCATOR"):
        org.query_more(str(pages[0].locator), page_size=200)
    assert all(org.query_more(str(page.locator), page_size=200).records for page in (*pages[1:], others))


@pytest.mark.documented("REST API Developer Guide, Query")
def test_a_cursor_past_its_life_is_pruned_by_the_next(org: Org, company: Company, clock: Clock) -> None:
    accounts(org, 250)
    org.query_page(NAMES, all_rows=False, page_size=200)
    clock.advance(days=2, seconds=1)
    page = org.query_page(NAMES, all_rows=False, page_size=200)
    assert org.cursors.release() == 1
    with pytest.raises(OrgError, match="INVALID_QUERY_LOCATOR"):
        org.query_more(str(page.locator), page_size=200)


def test_a_cursor_goes_on_after_a_restart_and_comes_back_with_a_saved_state(
    org: Org, company: Company, clock: Clock, tmp_path: Path
) -> None:
    accounts(org, 250)
    locator = str(org.query_page(NAMES, all_rows=False, page_size=200).locator)
    org.save(tmp_path / "saved")
    later = str(org.query_page(NAMES, all_rows=False, page_size=200).locator)
    org.close()
    again = Org(tmp_path / "org", clock, settings=OrgSettings())
    assert len(again.query_more(later, page_size=200).records) == 52
    again.restore(tmp_path / "saved")
    assert len(again.query_more(locator, page_size=200).records) == 52
    with pytest.raises(OrgError, match="INVALID_QUERY_LOCATOR"):
        again.query_more(later, page_size=200)
    again.close()


def test_a_query_inside_a_call_that_writes_pages_through_what_it_has_written(org: Org, company: Company) -> None:
    accounts(org, 250)
    with org.store.transaction():
        org.create("Account", {"Name": "mine"}, user_id=company.rep)
        page = org.query_page(NAMES, all_rows=False, page_size=200)
    assert (page.total, rest_of(org, page.locator)[-1]) == (253, "mine")


def test_a_streamed_answer_stays_what_it_was_while_rows_are_written(org: Org, company: Company) -> None:
    accounts(org, 50)
    stream = org.stream("SELECT Id, Name, Owner.Name, IsDeleted FROM Account ORDER BY Name")
    assert [".".join(one.names) for one in stream.columns] == ["Id", "Name", "Owner.Name", "IsDeleted"]
    first = next(stream.rows)
    org.create("Account", {"Name": "A9999"}, user_id=company.rep)
    for row in org.query("SELECT Id FROM Account WHERE Name = 'A7'"):
        org.update("Account", row["Id"], {"Name": "A7 renamed"}, user_id=company.rep)
    rows = [first, *stream.rows]
    assert len(rows) == 52
    assert [row[1] for row in rows if row[1].startswith("A7")] == ["A7"]
    assert rows[0][3] is False
    with pytest.raises(OrgError, match="INVALID_FIELD"):
        org.stream("SELECT Nothing FROM Account")
