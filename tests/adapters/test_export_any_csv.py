"""Whatever a CSV looks like: every row of it is read as Python reads it, or the file is refused. Nothing is lost."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from leakwatch.store.export_files import ExportError
from leakwatch.store.export_loader import ExportLoader
from leakwatch.store.mirror_derive import DeriveSettings
from leakwatch.store.snapshots import open_snapshot
from mirror_data import NOON, shipped_config

# What breaks readers: quotes, delimiters, line ends and blanks at every place.
VALUES = st.text(st.sampled_from(["a", "ş", '"', ",", ";", "\n", " ", "'", "\\", "#"]), max_size=6)


def read_by_us(content: str) -> list[tuple[str, str | None, str | None]] | None:
    """The rows as the export loader reads them, or None if it refuses the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "Opportunity.csv").write_bytes(content.encode())
        loader = ExportLoader(shipped_config(), folder / "mirror", settings=DeriveSettings("UTC"))
        try:
            loaded = loader.load([folder / "Opportunity.csv"], now=NOON)
        except ExportError:
            return None
        with open_snapshot(Path(loaded.snapshot.path)) as connection:
            columns = {row[0] for row in connection.execute("DESCRIBE sf_opportunity").fetchall()}
            wanted = [name if name in columns else f"NULL AS {name}" for name in ("id", "name", "stage_name")]
            return connection.execute(f"SELECT {', '.join(wanted)} FROM sf_opportunity ORDER BY id").fetchall()


@settings(max_examples=15)
@given(
    rows=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6),
    delimiter=st.sampled_from([",", ";"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
@example(rows=[("a\nb", "c")], delimiter=",", newline="\r\n", quoting=csv.QUOTE_MINIMAL)
def test_what_a_csv_writer_wrote_is_read_back_whole(
    rows: list[tuple[str, str]], delimiter: str, newline: str, quoting: int
) -> None:
    with tempfile.TemporaryFile("w+", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=newline, quoting=quoting)
        writer.writerow(["Name", "Id", "Note\nof two lines", "StageName"])
        for number, (name, stage) in enumerate(rows):
            writer.writerow([name, f"006{number:012d}AAA", "x", stage])
        file.seek(0)
        content = file.read()
    expected = [(f"006{number:012d}AAA", name or None, stage or None) for number, (name, stage) in enumerate(rows)]
    assert read_by_us(content) == expected


@settings(max_examples=25)
@given(body=st.text(st.sampled_from(["a", "b", '"', ",", "\n", "\r", " "]), max_size=40))
@example(body='"a\n1,"b\r\n"')
@example(body='1,5" x\n2,b\n')
def test_a_broken_csv_is_refused_or_read_as_python_reads_it_strictly(body: str) -> None:
    content = "Id,Name\n" + body
    found = read_by_us(content)
    if found is None:
        return
    with tempfile.TemporaryFile("w+", newline="", encoding="utf-8") as file:
        file.write(content)
        file.seek(0)
        expected = {row[0].strip(): [*row, ""][1] for row in csv.reader(file) if row}
    expected.pop("Id")
    expected.pop("", None)
    assert {record.strip(): name or "" for record, name, _ in found} == expected
