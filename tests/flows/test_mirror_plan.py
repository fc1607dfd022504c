"""The plan of a refresh: what would be asked, by which calls, and that no row is read for it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flows.test_mirror import LEAD, LINE, NOON, STAGE, FakeReader, FakeStore, refresh
from leakwatch.core.tables import MirrorConfig
from leakwatch.errors import RecordError
from leakwatch.flows.mirror import OVERLAP
from leakwatch.flows.mirror_plan import MirrorPlan, plan_mirror


class CountingReader(FakeReader):
    """Counts by the end of the query: everything, or what changed."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.counted: list[tuple[str, bool]] = []

    def count(self, query: str, *, all_rows: bool = False) -> int:
        self.counted.append((query, all_rows))
        sobject = query.split(" FROM ")[1].split()[0]
        if sobject not in self.counts:
            raise RecordError("too many", code="OPERATION_TOO_LARGE")
        return self.counts[sobject] if "WHERE" not in query else 3


@pytest.fixture
def reader() -> CountingReader:
    return CountingReader()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


def plan(reader: CountingReader, store: FakeStore, *, full: bool = False) -> MirrorPlan:
    return plan_mirror(reader, store, MirrorConfig(objects=(LEAD, LINE, STAGE)), full=full)


def test_before_the_first_refresh_everything_is_to_be_read(reader, store):
    reader.counts = {"Lead": 4001, "OpportunityLineItem": 0, "OpportunityStage": 8}
    found = plan(reader, store)
    lead = found.tables[0]
    assert (lead.whole, lead.since, lead.rows, lead.calls, lead.deletions) == (True, None, 4001, 3, "none")
    assert lead.fields == ("Id", "Status", "SystemModstamp")
    assert [table.calls for table in found.tables] == [3, 1, 1], "an empty answer is a call, too"
    assert (found.rows, found.calls) == (4009, 3 + 1 + 1 + 1), "and one call for the describes"
    assert reader.queries == []
    assert reader.counted[0] == ("SELECT COUNT() FROM Lead", True)
    assert reader.counted[2] == ("SELECT COUNT() FROM OpportunityStage", False)
    assert store.tables == {}


def test_after_a_refresh_the_changes_since_are_to_be_read_and_deletions_by_the_log(reader, store):
    reader.counts = {"Lead": 9000, "OpportunityLineItem": 9000, "OpportunityStage": 8}
    refresh(reader, store, LEAD, LINE, STAGE)
    store.known_until["OpportunityLineItem"] = NOON - timedelta(days=20)
    reader.queries.clear()
    found = plan(reader, store)
    lead, line, stage = found.tables
    assert (lead.whole, lead.since, lead.rows, lead.calls) == (False, store.marks["Lead"] - OVERLAP, 3, 1)
    assert (lead.deletions, line.deletions, stage.deletions) == ("log", "ids", "none")
    assert line.calls == 1 + 5, "one for three changes, five for nine thousand ids"
    assert found.calls == 1 + 6 + 1 + 1 + 1, "and one each for describes and delete logs"
    assert plan(reader, store, full=True).tables[0].whole
    assert reader.queries == []


def test_rows_the_org_does_not_count_and_objects_it_lacks_are_said(reader, store):
    reader.counts = {"Lead": 1, "OpportunityLineItem": 1}
    reader.absent = {"OpportunityLineItem"}
    reader.fields["Lead"] = ["Id", "SystemModstamp"]
    lead, line, stage = plan(reader, store).tables
    assert lead.missing_fields == ("Status",)
    assert "can't be read" in line.note
    assert (stage.rows, stage.calls) == (None, 1)
