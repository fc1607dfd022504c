"""The mirror file: merging, deleting, publishing, asking who is who."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from leakwatch import faultpoints
from leakwatch.core.deletions import Removals
from leakwatch.core.tables import FieldSpec, FieldType
from leakwatch.errors import LeakwatchError
from leakwatch.store.mirror import Mirror, MirrorReader
from leakwatch.store.mirror_marks import marks_of
from leakwatch.store.snapshot_likes import proposals
from leakwatch.store.snapshots import HeldSnapshot, open_snapshot
from mirror_data import ISTANBUL, NOON, fields_of, publish, shipped_config

ID = "00600000000000%dAAA"


def deal(number: int, **values: Any) -> dict[str, Any]:
    return {"Id": ID % number, "Name": "x", "Amount": None, "SystemModstamp": "2026-03-01T00:00:00.000+0000", **values}


def merge(mirror: Mirror, *rows: dict[str, Any], watermark: datetime | None = None) -> int:
    return mirror.merge(
        "Opportunity", rows, fields=fields_of(shipped_config(), "Opportunity", rows), watermark=watermark
    ).rows


def stored(mirror: Mirror, columns: str = "id, name, amount") -> list[tuple[Any, ...]]:
    return mirror.connection.execute(f"SELECT {columns} FROM sf_opportunity ORDER BY id").fetchall()


@pytest.fixture
def mirror(tmp_path: Path):
    with Mirror(tmp_path / "mirror", shipped_config()) as opened:
        yield opened


def test_merging_again_replaces_rows_with_the_same_id_and_keeps_the_others(mirror: Mirror) -> None:
    merge(mirror, deal(1, Name="old"), deal(2, Name="kept"))
    assert merge(mirror, deal(1, Name="new", Amount=10.1)) == 1
    assert stored(mirror) == [(ID % 1, "new", Decimal("10.10")), (ID % 2, "kept", None)]


def test_merging_the_same_rows_twice_changes_nothing(mirror: Mirror) -> None:
    rows = [deal(1, Name='Şirket, "A"\nB'), deal(2)]
    merge(mirror, *rows)
    before = stored(mirror)
    merge(mirror, *rows)
    assert stored(mirror) == before
    assert before[0][1] == 'Şirket, "A"\nB'


def test_of_two_rows_with_one_id_in_a_batch_the_later_stamp_stays(mirror: Mirror) -> None:
    later = deal(1, Name="later", SystemModstamp="2026-03-01T00:00:01.000+0000")
    merge(mirror, later, deal(1, Name="earlier"))
    assert [row[1] for row in stored(mirror)] == ["later"]


def test_json_values_are_typed_exactly(mirror: Mirror) -> None:
    row = deal(1, Amount=1234567890.12, IsWon=True, CloseDate="2026-03-31", CreatedDate="2026-03-31T01:30:00.000+0300")
    merge(mirror, row)
    assert stored(mirror, "amount, is_won, close_date::VARCHAR, created_date::VARCHAR") == [
        (Decimal("1234567890.12"), True, "2026-03-31", "2026-03-30 22:30:00")
    ]


def test_a_short_id_is_stored_in_its_long_form(mirror: Mirror) -> None:
    merge(mirror, deal(1, Id="00D000000000001", OwnerId="005000000000001"))
    assert stored(mirror, "id, owner_id") == [("00D000000000001EAA", "005000000000001AAA")]


def test_values_that_cannot_be_read_are_counted_and_become_null(mirror: Mirror) -> None:
    rows = [deal(1, Amount="twelve"), deal(2, Amount="12")]
    result = mirror.merge("Opportunity", rows, fields=fields_of(shipped_config(), "Opportunity", rows))
    assert (result.rows, dict(result.unreadable)) == (2, {"Amount": 1})
    assert [row[2] for row in stored(mirror)] == [None, Decimal("12.00")]


def test_a_field_that_appears_is_added_and_one_that_is_lost_is_dropped(mirror: Mirror) -> None:
    merge(mirror, deal(1))
    merge(mirror, {"Id": ID % 2, "Name": "y", "StageName": "Open"})
    assert set(mirror.fields("Opportunity")) == {"Id", "Name", "StageName"}
    assert stored(mirror, "id, stage_name") == [(ID % 1, None), (ID % 2, "Open")]


def test_describe_may_give_a_field_more_decimals_later(mirror: Mirror) -> None:
    spec = {"Id": FieldSpec("Id", FieldType.ID), "Amount": FieldSpec("Amount", FieldType.MONEY, scale=2)}
    mirror.merge("Opportunity", [{"Id": ID % 1, "Amount": 1.25}], fields=spec)
    spec["Amount"] = FieldSpec("Amount", FieldType.MONEY, scale=4)
    mirror.merge("Opportunity", [{"Id": ID % 2, "Amount": 1.2345}], fields=spec)
    assert stored(mirror, "amount") == [(Decimal("1.2500"),), (Decimal("1.2345"),)]


def test_the_watermark_is_stored_with_the_rows(mirror: Mirror) -> None:
    assert mirror.watermark("Opportunity") is None
    merge(mirror, deal(1), watermark=NOON)
    assert mirror.watermark("Opportunity") == NOON


def test_a_process_killed_before_the_commit_leaves_rows_and_watermark_as_they_were(mirror: Mirror) -> None:
    merge(mirror, deal(1, Name="old"), watermark=NOON)

    def die(point: str) -> None:
        if point == "mirror.merge.before_commit":
            raise KeyboardInterrupt

    faultpoints.install(die)
    try:
        with pytest.raises(KeyboardInterrupt):
            merge(mirror, deal(1, Name="new"), watermark=NOON + timedelta(hours=1))
    finally:
        faultpoints.install(None)
    assert [row[1] for row in stored(mirror)] == ["old"]
    assert mirror.watermark("Opportunity") == NOON


def test_replacing_makes_the_rows_the_whole_table(mirror: Mirror) -> None:
    merge(mirror, deal(1), deal(2))
    rows = [deal(3)]
    mirror.replace("Opportunity", rows, fields=fields_of(shipped_config(), "Opportunity", rows))
    assert mirror.ids("Opportunity") == {ID % 3}


def test_deleting_takes_only_the_named_rows_and_forgives_unknown_ones(mirror: Mirror) -> None:
    merge(mirror, deal(1), deal(2))
    assert mirror.delete("Opportunity", [ID % 1, "006000000000009AAA"]) == 1
    assert mirror.delete("Lead", ["00Q000000000001AAA"]) == 0
    assert mirror.ids("Opportunity") == {ID % 2}


@pytest.mark.parametrize(
    ("point", "left"), [("mirror.merge.before_commit", {1, 2}), ("mirror.merge.after_commit", {2})]
)
def test_deletions_are_stored_with_the_watermark_that_is_past_them_or_not_at_all(
    mirror: Mirror, point: str, left: set[int]
) -> None:
    merge(mirror, deal(1), deal(2), watermark=NOON)

    def end_there(name: str) -> None:
        if name == point:
            raise KeyboardInterrupt

    faultpoints.install(end_there)
    try:
        with pytest.raises(KeyboardInterrupt):
            mirror.merge(
                "Opportunity",
                [],
                fields=fields_of(shipped_config(), "Opportunity", [deal(1)]),
                watermark=NOON + timedelta(days=1),
                removals=Removals(NOON + timedelta(days=1), NOON - timedelta(days=14), absent=[ID % 1, ID % 9]),
            )
    finally:
        faultpoints.install(None)
    assert mirror.ids("Opportunity") == {ID % number for number in left}
    assert mirror.watermark("Opportunity") == (NOON if 1 in left else NOON + timedelta(days=1))
    assert mirror.deletions_known_until("Opportunity") == (None if 1 in left else NOON + timedelta(days=1))


DELETED_AT = datetime(2026, 3, 1, tzinfo=UTC)  # the stamp of `deal`


def remove(mirror: Mirror, **removals: Any) -> int:
    return mirror.merge(
        "Opportunity",
        [],
        fields=fields_of(shipped_config(), "Opportunity", [deal(1, IsDeleted=False)]),
        watermark=NOON,
        removals=Removals(NOON, **{"marked_before": DELETED_AT - timedelta(days=1), **removals}),
    ).deleted


def test_a_row_leaves_when_the_delete_log_names_it_unless_it_changed_after_or_lies_in_the_bin(mirror: Mirror) -> None:
    restored = deal(2, SystemModstamp="2026-03-01T00:00:01.000+0000")
    merge(mirror, deal(1, IsDeleted=False), restored, deal(3, IsDeleted=True), deal(4, IsDeleted=False))
    logged = {ID % number: DELETED_AT for number in (1, 2, 3, 9)}
    assert remove(mirror, logged=logged) == 1
    assert mirror.ids("Opportunity") == {ID % number for number in (2, 3, 4)}


def test_a_row_marked_as_deleted_leaves_when_no_recycle_bin_holds_it_any_more(mirror: Mirror) -> None:
    merge(mirror, deal(1, IsDeleted=True), deal(2, IsDeleted=False))
    assert remove(mirror, marked_before=DELETED_AT) == 0
    assert mirror.ids("Opportunity") == {ID % 1, ID % 2}
    remove(mirror, marked_before=DELETED_AT + timedelta(seconds=1))
    assert mirror.ids("Opportunity") == {ID % 2}


def test_deletions_are_known_up_to_the_moment_of_a_whole_read_and_stay_so_through_merges(mirror: Mirror) -> None:
    rows = [deal(1)]
    mirror.replace("Opportunity", rows, fields=fields_of(shipped_config(), "Opportunity", rows), watermark=NOON)
    merge(mirror, deal(2), watermark=NOON + timedelta(hours=1))
    assert mirror.deletions_known_until("Opportunity") == NOON


def test_how_far_a_mirror_was_read_can_be_looked_at_without_making_or_changing_a_file(tmp_path: Path) -> None:
    with marks_of(tmp_path / "none", shipped_config()) as marks:
        assert (marks.watermark("Opportunity"), marks.fields("Opportunity")) == (None, {})
    assert not (tmp_path / "none").exists()
    with Mirror(tmp_path, shipped_config()) as mirror:
        merge(mirror, deal(1), watermark=NOON)
        mirror.connection.execute("ALTER TABLE lw_tables DROP COLUMN deletions_until")  # as an earlier version made it
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with marks_of(tmp_path, shipped_config()) as marks:
        assert (marks.watermark("Opportunity"), marks.deletions_known_until("Opportunity")) == (NOON, None)
        assert "Amount" in marks.fields("Opportunity")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_mirror_of_an_earlier_version_is_taken_over_and_knows_of_no_deletions(tmp_path: Path) -> None:
    with Mirror(tmp_path, shipped_config()) as mirror:
        merge(mirror, deal(1), watermark=NOON)
        mirror.connection.execute("ALTER TABLE lw_tables DROP COLUMN deletions_until")
    with Mirror(tmp_path, shipped_config()) as mirror:
        assert (mirror.watermark("Opportunity"), mirror.deletions_known_until("Opportunity")) == (NOON, None)


def test_an_object_without_rows_is_there_and_empty(mirror: Mirror) -> None:
    spec = shipped_config().object("Task")
    assert spec is not None
    mirror.merge("Task", [], fields={item.name: item for item in spec.fields})
    assert mirror.ids("Task") == set()
    assert "Status" in mirror.fields("Task")


def test_a_second_process_cannot_write_and_is_told_so(mirror: Mirror, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from leakwatch.core.tables import MirrorConfig; from leakwatch.errors import BusyError\n"
        "from leakwatch.store.mirror import Mirror\n"
        "try: Mirror(Path(sys.argv[1]), MirrorConfig(()))\n"
        "except BusyError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "mirror")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "another leakwatch process" in done.stdout


def test_a_database_error_is_told_without_showing_rows_and_stores_nothing(mirror: Mirror) -> None:
    merge(mirror, deal(1), watermark=NOON)
    mirror.connection.execute("DROP TABLE sf_opportunity")
    with pytest.raises(LeakwatchError, match="nothing was stored") as caught:
        merge(mirror, deal(2, Name="Secret Customer"), watermark=NOON + timedelta(hours=1))
    assert "Secret" not in str(caught.value)
    assert mirror.watermark("Opportunity") == NOON


def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "live.duckdb").write_bytes(b"no database" * 1000)
    with pytest.raises(LeakwatchError, match=r"delete .*live\.duckdb"):
        Mirror(tmp_path, shipped_config())


# --- publishing ---


def test_a_snapshot_says_who_it_is_how_fresh_and_how_big(tmp_path: Path) -> None:
    snapshot = publish(tmp_path, {"Opportunity": [deal(1), deal(2)]})
    assert snapshot == MirrorReader(tmp_path).latest()
    assert snapshot.published_at == NOON
    assert snapshot.org_id == "00D000000000001AAA"
    assert snapshot.row_counts["sf_opportunity"] == 2
    assert snapshot.freshness["sf_opportunity"] == NOON


def test_before_the_first_publication_there_is_no_snapshot_and_nobody_is_known(tmp_path: Path) -> None:
    reader = MirrorReader(tmp_path)
    assert reader.latest() is None
    assert reader.address_book(["a@x.example"]).people == {}


def test_a_snapshot_cannot_be_written_and_reaches_no_files(tmp_path: Path) -> None:
    snapshot = publish(tmp_path, {"Opportunity": [deal(1)]})
    with open_snapshot(Path(snapshot.path)) as connection:
        with pytest.raises(duckdb.Error):
            connection.execute("DELETE FROM sf_opportunity")
        with pytest.raises(duckdb.Error):
            connection.execute("SELECT * FROM read_text('/etc/hostname')")


def test_only_the_last_snapshots_are_kept_and_their_names_rise(tmp_path: Path) -> None:
    names: list[str] = []
    with Mirror(tmp_path, shipped_config()) as mirror:
        merge(mirror, deal(1))
        for _ in range(5):  # five in the same second
            mirror.derive(ISTANBUL, now=NOON)
            names.append(mirror.publish(NOON, "00D").snapshot_id)
    kept = sorted(path.stem for path in (tmp_path / "snapshots").glob("*.duckdb"))
    assert names == sorted(set(names))
    assert kept == names[-3:]


def test_a_held_snapshot_gives_way_to_a_newer_one_and_can_be_asked_again_after_it_was_let_go(tmp_path: Path) -> None:
    held = HeldSnapshot(tmp_path)
    assert held.latest() is None
    first = publish(tmp_path, {"Opportunity": [deal(1)]})
    assert held.latest() == first
    second = publish(tmp_path, {"Opportunity": [deal(1), deal(2)]}, now=NOON + timedelta(minutes=1))
    assert held.latest() == second
    held.close()
    assert held.latest() == second
    held.close()


def test_a_held_snapshot_that_is_no_snapshot_is_named_and_not_kept(tmp_path: Path) -> None:
    snapshot = publish(tmp_path, {"Opportunity": [deal(1)]})
    Path(snapshot.path).chmod(0o600)
    Path(snapshot.path).write_bytes(b"not a database")
    held = HeldSnapshot(tmp_path)
    for _ in range(2):
        with pytest.raises(LeakwatchError):
            held.latest()


def test_a_reader_goes_on_reading_its_snapshot_while_newer_ones_are_published(tmp_path: Path) -> None:
    with Mirror(tmp_path, shipped_config()) as mirror:
        merge(mirror, deal(1, Name="first"))
        mirror.derive(ISTANBUL, now=NOON)
        snapshot = mirror.publish(NOON, "00D")
        with open_snapshot(Path(snapshot.path)) as connection:
            for number in range(4):
                merge(mirror, deal(1, Name=f"later {number}"))
                mirror.derive(ISTANBUL, now=NOON)
                mirror.publish(NOON, "00D")
            assert connection.execute("SELECT name FROM sf_opportunity").fetchall() == [("first",)]


def test_publishing_without_deriving_is_refused(mirror: Mirror) -> None:
    with pytest.raises(LeakwatchError, match="derive"):
        mirror.publish(NOON, "00D")


def test_a_run_killed_before_the_rename_leaves_the_old_snapshot_the_newest(tmp_path: Path) -> None:
    old = publish(tmp_path, {"Opportunity": [deal(1)]})

    def die(point: str) -> None:
        if point == "mirror.publish.before_rename":
            raise KeyboardInterrupt

    faultpoints.install(die)
    try:
        with pytest.raises(KeyboardInterrupt):
            publish(tmp_path, {"Opportunity": [deal(2)]}, now=NOON + timedelta(hours=1))
    finally:
        faultpoints.install(None)
    assert MirrorReader(tmp_path).latest() == old
    assert (
        publish(tmp_path, {"Opportunity": [deal(3)]}, now=NOON + timedelta(hours=2)).row_counts["sf_opportunity"] == 3
    )


# --- who is who ---


def person(prefix: str, number: int, email: str, **values: Any) -> dict[str, Any]:
    return {"Id": f"{prefix}00000000000{number}AAA", "Name": f"{prefix}{number}", "Email": email, **values}


def test_an_address_finds_contacts_unconverted_leads_users_and_person_accounts(tmp_path: Path) -> None:
    created = {"CreatedDate": "2026-01-01T00:00:00.000Z"}
    publish(
        tmp_path,
        {
            "Contact": [person("003", 1, "Ayşe@Firma.Example", AccountId="001000000000001AAA", **created)],
            "Lead": [
                person("00Q", 1, "ayşe@firma.example", IsConverted=False, IsDeleted=False, **created),
                person("00Q", 2, "ayşe@firma.example", IsConverted=True, IsDeleted=False, **created),
                person("00Q", 3, "ayşe@firma.example", IsConverted=False, IsDeleted=True, **created),
            ],
            "User": [person("005", 1, "rep@firma.example", IsActive=False)],
            "Account": [
                {"Id": "001000000000001AAA", "Name": "A", "PersonEmail": "ayşe@firma.example"},
                {"Id": "001000000000002AAA", "Name": "B", "PersonEmail": "alone@firma.example"},
            ],
        },
    )
    book = MirrorReader(tmp_path).address_book(
        ["AYŞE@firma.example", "rep@firma.example", "alone@firma.example", "no@x"]
    )
    found = {address: [(one.sobject, one.record_id) for one in people] for address, people in book.people.items()}
    assert found == {
        "ayşe@firma.example": [("Contact", "003000000000001AAA"), ("Lead", "00Q000000000001AAA")],
        "rep@firma.example": [("User", "005000000000001AAA")],
        "alone@firma.example": [("Account", "001000000000002AAA")],
    }
    assert book.people["rep@firma.example"][0].is_active is False
    assert book.people["ayşe@firma.example"][0].created_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_an_address_is_told_what_may_be_meant_by_it_and_matched_by_none_of_that(tmp_path: Path) -> None:
    account = {"Id": "001000000000001AAA", "Name": "YILDIRIM MAKİNA SAN. VE TİC. A.Ş."}
    snapshot = publish(
        tmp_path,
        {
            "Contact": [
                person("003", 1, "yıldırım@yildirimmakina.com.tr"),
                {**person("003", 2, "ayse@other.example"), "Name": "Ayþe Yýldýrým"},
                person("003", 3, "sinan@other.example"),
            ],
            "Account": [account, {"Id": "001000000000002AAA", "Name": "Other Makina"}],
        },
    )
    address = "yildirim@yildirimmakina.com.tr"
    assert MirrorReader(tmp_path).address_book([address]).people == {}
    by_address, by_company = proposals(Path(snapshot.path), address)
    assert "003000000000001AAA" in by_address
    assert "yıldırım@yildirimmakina.com.tr" in by_address
    assert "001000000000001AAA" in by_company
    (by_name,) = proposals(Path(snapshot.path), "ayse@other.example")
    assert "'Ayşe Yıldırım' may be meant" in by_name
    assert proposals(Path(snapshot.path), "sinan@other.example") == ()


def test_a_customer_who_logs_in_to_a_portal_is_found_as_the_contact_only(tmp_path: Path) -> None:
    publish(
        tmp_path,
        {
            "Contact": [person("003", 1, "eve@acme.example")],
            "User": [
                person("005", 1, "eve@acme.example", UserType="PowerCustomerSuccess"),
                person("005", 2, "rep@firma.example", UserType="Standard"),
                person("005", 3, "old@firma.example", UserType=None),
            ],
        },
    )
    book = MirrorReader(tmp_path).address_book(["eve@acme.example", "rep@firma.example", "old@firma.example"])
    assert {address: [one.sobject for one in people] for address, people in book.people.items()} == {
        "eve@acme.example": ["Contact"],
        "rep@firma.example": ["User"],
        "old@firma.example": ["User"],
    }


def test_open_deals_of_the_accounts_come_along_closed_and_deleted_ones_do_not(tmp_path: Path) -> None:
    account = "001000000000001AAA"
    base = {"AccountId": account, "IsWon": False, "IsDeleted": False, "OwnerId": "005000000000001AAA"}
    publish(
        tmp_path,
        {
            "Contact": [person("003", 1, "a@x.example", AccountId=account)],
            "Opportunity": [
                deal(1, StageName="Müzakere", IsClosed=False, **base),
                deal(2, StageName="Kaybedildi", IsClosed=True, **base),
                deal(3, StageName="Müzakere", IsClosed=False, **{**base, "IsDeleted": True}),
            ],
        },
    )
    book = MirrorReader(tmp_path).address_book(["a@x.example"])
    assert [deal.record_id for deal in book.open_opportunities[account]] == [ID % 1]
    assert book.snapshot_id


def test_half_a_surrogate_pair_in_one_row_does_not_stop_the_others(mirror: Mirror) -> None:
    merge(mirror, deal(1, Name="Bos\ud83dphorus\x00"), deal(2, Name="whole 😀"))
    assert [row[1] for row in stored(mirror)] == ["Bosphorus", "whole 😀"]
