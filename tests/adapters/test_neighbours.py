"""What other tools wrote, as the mirror and the org tell it: in few calls, and nothing of our own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from adapters.served_org import NINE, Leakwatch, ServedOrg
from leakwatch.core.identity import MEETING_PREFIX
from leakwatch.errors import RecordError
from leakwatch.model import KEY_FIELD
from leakwatch.salesforce.neighbours import OrgNeighbours
from leakwatch.store.foreign_mail import foreign_mails

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedOrg]:
    served = ServedOrg(tmp_path_factory.mktemp("org"))
    with served.served():
        yield served


@pytest.fixture
def leakwatch(org: ServedOrg, tmp_path: Path) -> Iterator[Leakwatch]:
    org.refresh()
    one = Leakwatch(org, tmp_path)
    yield one
    one.close()


def put_mail(org: ServedOrg, identifier: str | None, **fields: Any) -> str:
    row = {"Id": org.org.new_id("EmailMessage"), "MessageIdentifier": identifier, "Status": "3", **fields}
    org.org.seed("EmailMessage", [row])
    return str(row["Id"])


def put_event(org: ServedOrg, start: datetime, **fields: Any) -> str:
    times = {"StartDateTime": start.isoformat(), "DurationInMinutes": 60}
    return org.org.create("Event", {"Subject": "Demo", "OwnerId": org.rep, **times, **fields}, user_id=org.rep)


def test_a_mail_that_came_since_the_mirror_was_read_is_found_in_one_call_and_ours_and_older_ones_are_not(
    org: ServedOrg, leakwatch: Leakwatch
):
    since = NINE
    with_brackets = put_mail(org, "<a@x>", CreatedDate=(since + HOUR).isoformat())
    without = put_mail(org, "b@x", CreatedDate=(since + HOUR).isoformat())
    put_mail(org, "<old@x>", CreatedDate=(since - HOUR).isoformat())
    put_mail(org, "<ours@x>", CreatedDate=(since + HOUR).isoformat(), **{KEY_FIELD: f"lw1:m:{1:040d}"})
    put_mail(org, None, CreatedDate=(since + HOUR).isoformat())
    neighbours = OrgNeighbours(leakwatch.reader, lambda ids: {"old@x": "02sMIRROR"} if "old@x" in ids else {}, since)
    leakwatch.reader.describe("EmailMessage")
    before = leakwatch.client.calls
    asked = {"a@x", "b@x", "old@x", "ours@x", "A@X", "none@x"}
    assert neighbours.mails(asked) == {"a@x": with_brackets, "b@x": without, "old@x": "02sMIRROR"}
    assert leakwatch.client.calls - before == 1


def test_an_org_that_refuses_the_query_leaves_what_the_mirror_knows(org: ServedOrg, leakwatch: Leakwatch):
    org.fault(match="query", code="OPERATION_TOO_LARGE")
    neighbours = OrgNeighbours(leakwatch.reader, lambda _: {"a@x": "02sMIRROR"}, NINE)
    assert neighbours.mails({"a@x", "b@x"}) == {"a@x": "02sMIRROR"}
    with pytest.raises(RecordError):
        neighbours.events([org.rep], NINE, NINE)


def test_without_a_mirror_of_mails_only_what_it_says_is_known(leakwatch: Leakwatch):
    before = leakwatch.client.calls
    assert OrgNeighbours(leakwatch.reader, lambda _: {}, None).mails({"a@x"}) == {}
    assert leakwatch.client.calls == before


def test_the_events_of_some_owners_in_a_span_both_ends_included_are_one_call_and_deleted_ones_are_not_there(
    org: ServedOrg, leakwatch: Leakwatch
):
    first, last = put_event(org, NINE), put_event(org, NINE + 5 * HOUR)
    ours = put_event(org, NINE + HOUR, **{KEY_FIELD: f"{MEETING_PREFIX}{1:040d}"})
    put_event(org, NINE - HOUR)
    put_event(org, NINE + 6 * HOUR)
    put_event(org, NINE, OwnerId=org.bot)
    org.org.delete("Event", put_event(org, NINE + HOUR), user_id=org.rep)
    neighbours = OrgNeighbours(leakwatch.reader, lambda _: {}, None)
    leakwatch.reader.describe("Event")
    before = leakwatch.client.calls
    found = neighbours.events([org.rep], NINE, NINE + 5 * HOUR)
    assert leakwatch.client.calls - before == 1
    assert {row["Id"]: row[KEY_FIELD] for row in found} == {
        first: None, last: None, ours: f"{MEETING_PREFIX}{1:040d}"
    }  # fmt: skip
    assert neighbours.events([], NINE, NINE) == []


def snapshot(folder: Path, statement: str) -> Path:
    path = folder / "snapshot.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(statement)
    return path


def test_a_mirrored_mail_of_another_tool_is_known_by_its_message_id_with_or_without_brackets(tmp_path: Path):
    rows = (
        "('02sB', '<a@x>', NULL, FALSE), ('02sA', 'a@x', NULL, FALSE), ('02sC', '<ours@x>', 'lw1:m:1', FALSE),"
        " ('02sD', '<gone@x>', NULL, TRUE), ('02sE', 'b@x', NULL, NULL)"
    )
    columns = "id, message_identifier, leakwatch_key__c, is_deleted"
    path = snapshot(tmp_path, f"CREATE TABLE sf_email_message AS FROM (VALUES {rows}) v({columns})")
    assert foreign_mails(path, ["a@x", "ours@x", "gone@x", "b@x", "c@x"]) == {"a@x": "02sA", "b@x": "02sE"}
    assert foreign_mails(path, []) == {}


@pytest.mark.parametrize("statement", ["SELECT 1", "CREATE TABLE sf_email_message AS SELECT '02sA' AS id"])
def test_a_mirror_without_mails_or_their_message_ids_knows_none(tmp_path: Path, statement: str):
    assert foreign_mails(snapshot(tmp_path, statement), ["a@x"]) == {}


def test_in_an_org_without_our_key_every_mail_is_somebody_elses(tmp_path: Path):
    path = snapshot(tmp_path, "CREATE TABLE sf_email_message AS SELECT '02sA' AS id, '<a@x>' AS message_identifier")
    assert foreign_mails(path, ["a@x"]) == {"a@x": "02sA"}


def test_closed_tasks_that_look_like_mails_of_others_are_one_call_and_the_rest_is_not_asked_for(
    org: ServedOrg, leakwatch: Leakwatch
):
    def put(subject: str, **fields: Any) -> str:
        row = {"Subject": subject, "OwnerId": org.rep, "ActivityDate": "2026-01-05", "Status": "Completed", **fields}
        return org.org.create("Task", row, user_id=org.rep)

    mails = {put("Email: Offer"), put("Offer", TaskSubtype="Email"), put("[Outreach] [Email] [Out] Offer")}
    put("Offer")
    put("Email: Open", Status="Not Started")
    put("Email: Ours", **{KEY_FIELD: f"lw1:m:{9:040d}"})
    put("Email: Later", ActivityDate="2026-01-07")
    neighbours = OrgNeighbours(leakwatch.reader, lambda _: {}, None)
    leakwatch.reader.describe("Task")
    before = leakwatch.client.calls
    rows = neighbours.mail_tasks({org.rep}, date(2026, 1, 4), date(2026, 1, 6))
    assert {row["Id"] for row in rows} == mails
    assert leakwatch.client.calls - before == 1
    org.fault(match="query", code="OPERATION_TOO_LARGE")
    assert neighbours.mail_tasks({org.rep}, date(2026, 1, 4), date(2026, 1, 6)) == ()
