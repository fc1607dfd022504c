"""The mirror flow: closed windows with overlap, deletes by every route, and what is said when reading fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from leakwatch.core.deletions import DeleteLog, Removals
from leakwatch.core.tables import FieldSpec, FieldType, MirrorConfig, ObjectSpec
from leakwatch.errors import CursorError, NotFoundError, RecordError, TransientError
from leakwatch.flows.mirror import OVERLAP, mirror
from leakwatch.model import Snapshot

NOON = datetime(2026, 11, 23, 12, 0, 0, 400_000, tzinfo=UTC)

ID = FieldSpec("Id", FieldType.ID)
STAMP = FieldSpec("SystemModstamp", FieldType.DATETIME)
LEAD = ObjectSpec("Lead", (ID, FieldSpec("Status"), STAMP), stamp="SystemModstamp")
LINE = ObjectSpec("OpportunityLineItem", (ID, STAMP), stamp="SystemModstamp")
STAGE = ObjectSpec("OpportunityStage", (ID, FieldSpec("MasterLabel")))
TYPES = {"Id": "id", "SystemModstamp": "datetime"}


class FakeReader:
    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.queries: list[tuple[str, bool]] = []
        self.fail: dict[str, list[Exception]] = {}
        self.absent: set[str] = set()
        self.logs: dict[str, DeleteLog] = {}
        self.asked: list[tuple[Mapping[str, datetime], datetime]] = []
        self.now = NOON
        self.fields: dict[str, list[str]] = {}
        self.prepared: list[tuple[list[str], bool]] = []

    def org(self) -> Mapping[str, Any]:
        return {"Id": "00D"}

    def describe(self, sobject: str) -> Mapping[str, Any]:
        if sobject in self.absent:
            raise NotFoundError(f"{sobject} is not there")
        names = self.fields.get(sobject, ["Id", "Status", "SystemModstamp", "MasterLabel"])
        return {"fields": [{"name": name, "type": TYPES.get(name, "string")} for name in names]}

    def server_now(self) -> datetime:
        return self.now

    def prepare_describes(self, sobjects: Sequence[str], *, anew: bool = False) -> None:
        self.prepared.append((list(sobjects), anew))

    def query(self, query: str, *, all_rows: bool = False):
        self.queries.append((query, all_rows))
        sobject = query.split(" FROM ")[1].split()[0]
        if self.fail.get(sobject):
            raise self.fail[sobject].pop(0)
        yield self.rows.get(sobject, [])

    def delete_logs(self, since: Mapping[str, datetime], until: datetime) -> Mapping[str, DeleteLog]:
        self.asked.append((since, until))
        return {name: self.logs[name] for name in since if name in self.logs}


class FakeStore:
    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Mapping[str, Any]]] = {}
        self.marks: dict[str, datetime] = {}
        self.known_until: dict[str, datetime] = {}
        self.published = 0
        self.columns: dict[str, list[str]] = {}

    def watermark(self, sobject: str) -> datetime | None:
        return self.marks.get(sobject)

    def fields(self, sobject: str) -> Mapping[str, str]:
        return dict.fromkeys(self.columns.get(sobject, ()), "VARCHAR")

    def deletions_known_until(self, sobject: str) -> datetime | None:
        return self.known_until.get(sobject)

    def merge(
        self, sobject, rows: Iterable[Mapping[str, Any]], *, fields, watermark=None, removals: Removals | None = None
    ) -> Any:
        got = list(rows)
        table = self.tables.setdefault(sobject, {})
        table.update({row["Id"]: row for row in got})
        left = [*removals.absent, *removals.logged]
        gone = [table.pop(record_id) for record_id in left if record_id in table]
        self.marks[sobject], self.known_until[sobject] = watermark, removals.until
        return SimpleNamespace(rows=len(got), deleted=len(gone))

    def replace(self, sobject, rows: Iterable[Mapping[str, Any]], *, fields, watermark=None) -> Any:
        got = {row["Id"]: row for row in rows}
        self.columns[sobject] = list(fields)
        self.tables[sobject] = got
        self.marks[sobject] = self.known_until[sobject] = watermark
        return SimpleNamespace(rows=len(got), deleted=0)

    def ids(self, sobject: str) -> Iterable[str]:
        return list(self.tables.get(sobject, {}))

    def publish(self, now: datetime, org_id: str) -> Snapshot:
        self.published += 1
        return Snapshot("s1", "", now, org_id, {}, {})


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


def refresh(reader, store, *objects, full=False):
    config = MirrorConfig(objects=objects)
    return mirror(reader, store, config, org_id="00D", derive=tuple, now=NOON, full=full)


def test_the_first_refresh_reads_everything_and_the_next_begins_before_it_did(reader, store):
    refresh(reader, store, LEAD)
    [(query, all_rows)] = reader.queries
    assert all_rows
    assert query == "SELECT Id, Status, SystemModstamp FROM Lead"
    assert store.marks["Lead"] == datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC)


def test_a_row_that_changes_while_everything_is_read_is_read_again_by_the_next_refresh(reader, store):
    """Its stamp lies behind the moment that was taken before: a window that ended there would leave it out."""
    reader.rows["Lead"] = [{"Id": "00Q1", "SystemModstamp": NOON + timedelta(minutes=3)}]
    refresh(reader, store, LEAD)
    assert set(store.tables["Lead"]) == {"00Q1"}
    assert store.marks["Lead"] < NOON + timedelta(minutes=3)


def test_the_next_refresh_starts_an_overlap_before_the_last_window_ended(reader, store):
    refresh(reader, store, LEAD)
    store.marks["Lead"] = datetime(2026, 11, 23, 11, 0, 1, tzinfo=UTC)
    refresh(reader, store, LEAD)
    query, _ = reader.queries[-1]
    assert ">= 2026-11-23T10:50:01Z AND SystemModstamp < 2026-11-23T12:00:01Z" in query
    assert store.marks["Lead"] == datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC)


def test_rows_read_twice_are_one_row_with_the_last_state(reader, store):
    reader.rows["Lead"] = [{"Id": "00Q1", "Status": "Open"}]
    refresh(reader, store, LEAD)
    reader.rows["Lead"] = [{"Id": "00Q1", "Status": "Working"}]
    refresh(reader, store, LEAD)
    assert store.tables["Lead"] == {"00Q1": {"Id": "00Q1", "Status": "Working"}}


def test_an_object_without_a_stamp_is_read_whole_each_time(reader, store):
    reader.rows["OpportunityStage"] = [{"Id": "1"}, {"Id": "2"}]
    refresh(reader, store, STAGE)
    reader.rows["OpportunityStage"] = [{"Id": "2"}]
    refresh(reader, store, STAGE)
    assert set(store.tables["OpportunityStage"]) == {"2"}
    assert all("WHERE" not in query for query, _ in reader.queries)


# --- deletions ---


def test_deletions_are_asked_for_together_each_object_from_where_its_own_are_known(reader, store):
    refresh(reader, store, LINE, LEAD, STAGE)
    assert reader.asked == [], "what is read whole needs no log"
    store.known_until["Lead"] = NOON - timedelta(hours=3)
    refresh(reader, store, LINE, LEAD, STAGE)
    [(since, until)] = reader.asked
    assert since == {"OpportunityLineItem": store.marks["Lead"] - OVERLAP, "Lead": NOON - timedelta(hours=3) - OVERLAP}
    assert until == NOON + timedelta(minutes=1)
    refresh(reader, store, LINE, LEAD, full=True)
    assert len(reader.asked) == 1


@pytest.mark.parametrize("spec", [LINE, LEAD], ids=["never in the recycle bin", "usually in the recycle bin"])
def test_rows_deleted_for_good_leave_by_the_delete_log(reader, store, spec):
    reader.rows[spec.name] = [{"Id": "1"}, {"Id": "2"}]
    refresh(reader, store, spec)
    reader.rows[spec.name] = []
    reader.logs[spec.name] = DeleteLog({"1": NOON}, covered_until=NOON)
    report = refresh(reader, store, spec)
    assert set(store.tables[spec.name]) == {"2"}
    assert report.tables[0].deleted == 1
    assert len(reader.queries) == 2, "no list of ids was asked for"


def test_deletions_are_known_only_up_to_where_the_log_says_it_covers_them(reader, store):
    refresh(reader, store, LEAD)
    reader.now = NOON + timedelta(hours=2)
    reader.logs["Lead"] = DeleteLog({}, covered_until=NOON + timedelta(minutes=20))
    refresh(reader, store, LEAD)
    assert store.known_until["Lead"] == NOON + timedelta(minutes=20)
    reader.logs["Lead"] = DeleteLog({}, covered_until=NOON)  # an older transaction came to light
    refresh(reader, store, LEAD)
    assert reader.asked[-1][0] == {"Lead": NOON + timedelta(minutes=20) - OVERLAP}
    assert store.known_until["Lead"] == NOON + timedelta(minutes=20), "it never goes back"


@pytest.mark.parametrize("log", [None, DeleteLog({}, covered_until=NOON, complete_from=NOON)], ids=["none", "gaps"])
@pytest.mark.parametrize(
    ("age", "compared"), [(timedelta(hours=5), False), (timedelta(hours=6), True), (timedelta(days=20), True)]
)
def test_without_a_whole_delete_log_ids_are_compared_every_six_hours(reader, store, log, age, compared):
    reader.rows["Lead"] = [{"Id": "1"}, {"Id": "2"}]
    refresh(reader, store, LEAD)
    known = store.known_until["Lead"] = store.marks["Lead"] - age
    if log is not None:
        reader.logs["Lead"] = log
    reader.rows["Lead"] = [{"Id": "2"}]
    refresh(reader, store, LEAD)
    assert set(store.tables["Lead"]) == ({"2"} if compared else {"1", "2"})
    assert store.known_until["Lead"] == (store.marks["Lead"] if compared else known)
    listed = [(query, all_rows) for query, all_rows in reader.queries if query == "SELECT Id FROM Lead"]
    assert listed == ([("SELECT Id FROM Lead", True)] if compared else []), (
        "what lies in the recycle bin is still there"
    )


def test_a_mirror_that_never_heard_of_deletions_compares_ids_at_once(reader, store):
    reader.rows["Lead"] = [{"Id": "1"}, {"Id": "2"}]
    refresh(reader, store, LEAD)
    del store.known_until["Lead"]  # as in a file that an earlier version wrote
    reader.rows["Lead"] = [{"Id": "2"}]
    refresh(reader, store, LEAD)
    assert set(store.tables["Lead"]) == {"2"}


# --- trouble ---


def test_a_locator_that_expired_starts_its_window_again_once(reader, store):
    reader.fail["Lead"] = [CursorError("gone")]
    reader.rows["Lead"] = [{"Id": "00Q1"}]
    assert refresh(reader, store, LEAD).rows == 1
    reader.fail["Lead"] = [CursorError("gone"), CursorError("gone")]
    with pytest.raises(TransientError, match="cursor twice while Lead was read"):
        refresh(reader, store, LEAD)


def test_an_object_the_org_lacks_is_named_and_the_others_are_read(reader, store):
    reader.absent = {"OpportunityLineItem"}
    reader.rows["Lead"] = [{"Id": "00Q1"}]
    report = refresh(reader, store, LINE, LEAD)
    assert "OpportunityLineItem can't be read" in report.tables[0].note
    assert (report.tables[1].rows, report.complete) == (1, False)


def test_a_field_the_integration_user_does_not_see_is_left_out_and_named(reader, store):
    reader.fields["Lead"] = ["Id", "SystemModstamp"]
    report = refresh(reader, store, LEAD)
    assert report.tables[0].missing_fields == ("Status",)
    assert "Status" not in reader.queries[0][0]


def test_a_field_that_became_visible_is_read_for_the_old_rows_too(reader, store):
    reader.fields["Lead"] = ["Id", "SystemModstamp"]
    refresh(reader, store, LEAD)
    reader.fields["Lead"] = ["Id", "SystemModstamp", "Status"]
    assert refresh(reader, store, LEAD).tables[0].whole
    assert not refresh(reader, store, LEAD).tables[0].whole


def test_an_org_that_is_down_publishes_nothing_and_keeps_the_old_mark(reader, store):
    refresh(reader, store, LEAD)
    mark = store.marks["Lead"]
    reader.fail["Lead"] = [TransientError("503")]
    with pytest.raises(TransientError):
        refresh(reader, store, LEAD)
    assert (store.marks["Lead"], store.published) == (mark, 1)


def test_every_refresh_asks_anew_what_the_org_has_in_one_go(reader, store):
    refresh(reader, store, LEAD, STAGE)
    assert reader.prepared == [(["Lead", "OpportunityStage"], True)]


@pytest.mark.parametrize(
    ("code", "hint"), [("OPERATION_TOO_LARGE", "View All Data"), ("QUERY_TOO_COMPLICATED", "formula fields")]
)
def test_a_table_that_is_too_much_for_the_org_keeps_its_rows_and_holds_up_no_other(reader, store, code, hint):
    reader.rows = {"Lead": [{"Id": "1"}], "OpportunityLineItem": [{"Id": "2"}]}
    reader.fail["Lead"] = [RecordError("\nexceeded 100000 distinct\n  who/what's", code=code)]
    report = refresh(reader, store, LEAD, LINE)
    assert not report.complete
    assert "read: exceeded 100000 distinct who/what's. " in report.tables[0].note
    assert hint in report.tables[0].note
    assert (report.tables[1].rows, store.published) == (1, 1)
