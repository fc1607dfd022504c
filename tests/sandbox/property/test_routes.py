"""Whatever way a record is written and whatever way it is read, it is the same: random rows with hostile texts.

LEAKWATCH_ROUTES_SEEDS sets how many times the dice are thrown for each object.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest

from leakwatch.sandbox.org.facade import Org, OrgSettings
from sandbox.org.org_kit import Api, Clock
from sandbox.property.random_rows import INSTANT, KEY, OBJECTS, is_plain, kept, row

pytestmark = pytest.mark.documented("REST API Developer Guide, Resources")
FIELD = {
    "fullName": KEY, "label": "Key", "type": "Text", "length": 64,
    "externalId": True, "unique": True, "caseSensitive": True,
}  # fmt: skip
ROWS = 2  # for each way of writing
SEEDS = int(os.environ.get("LEAKWATCH_ROUTES_SEEDS", "1"))
BASE = Api.root

Row = dict[str, Any]
Rows = dict[str, Row]
"""By id."""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    org = Org(tmp_path / "org", Clock(), settings=OrgSettings(time_zone="Asia/Kathmandu"))
    user = org.new_id("User")
    org.settings.bulk_polls = 1
    org.seed("User", [{"Id": user, "LastName": "Ö", "Username": "o@org.example", "Email": "o@org.example"}])
    for sobject in ("Account", "Opportunity", "Contact", "Activity"):
        org.add_custom_field(sobject, FIELD)
    yield Api(org, user)
    org.close()


def said(answer: Any, *statuses: int) -> Any:
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    return answer.json() if answer.content else None


def typed(sobject: str, rows: list[Row]) -> list[Row]:
    return [{"attributes": {"type": sobject}, **one} for one in rows]


def parts(answer: Any) -> list[Any]:
    """The bodies of a Composite's answers."""
    told = said(answer, 200)["compositeResponse"]
    assert all(one["httpStatusCode"] < 300 for one in told), told
    return [one["body"] for one in told]


# --- writing: rows that have a key come in, ids come out


def by_row(api: Api, sobject: str, rows: list[Row]) -> list[str]:
    return [said(api.call("POST", f"sobjects/{sobject}", one), 201)["id"] for one in rows]


def by_collection(api: Api, sobject: str, rows: list[Row]) -> list[str]:
    told = said(api.call("POST", "composite/sobjects", {"records": typed(sobject, rows)}), 200)
    assert all(one["success"] for one in told), told
    return [one["id"] for one in told]


def by_composite(api: Api, sobject: str, rows: list[Row]) -> list[str]:
    calls = [
        {"method": "POST", "url": f"{BASE}/sobjects/{sobject}", "referenceId": f"r{n}", "body": one}
        for n, one in enumerate(rows)
    ]
    return [one["id"] for one in parts(api.call("POST", "composite", {"compositeRequest": calls}))]


def by_batch(api: Api, sobject: str, rows: list[Row]) -> list[str]:
    calls = [{"method": "POST", "url": f"v66.0/sobjects/{sobject}", "richInput": one} for one in rows]
    told = said(api.call("POST", "composite/batch", {"batchRequests": calls}), 200)
    assert not told["hasErrors"], told
    return [one["result"]["id"] for one in told["results"]]


def by_key(api: Api, sobject: str, rows: list[Row]) -> list[str]:
    made: list[str] = []
    for one in rows:
        body = {name: value for name, value in one.items() if name != KEY}
        path = f"sobjects/{sobject}/{KEY}/{quote(one[KEY], safe='')}"
        made.append(said(api.call("PATCH", path, body), 200, 201)["id"])
    return made


def by_keys(api: Api, sobject: str, rows: list[Row]) -> list[str]:
    told = said(api.call("PATCH", f"composite/sobjects/{sobject}/{KEY}", {"records": typed(sobject, rows)}), 200)
    assert all(one["success"] for one in told), told
    return [one["id"] for one in told]


def changed_by_row(api: Api, sobject: str, rows: Rows) -> None:
    for record_id, one in rows.items():
        said(api.call("PATCH", f"sobjects/{sobject}/{record_id}", one), 204)


def changed_by_collection(api: Api, sobject: str, rows: Rows) -> None:
    records = typed(sobject, [{"Id": record_id, **one} for record_id, one in rows.items()])
    told = said(api.call("PATCH", "composite/sobjects", {"records": records}), 200)
    assert all(one["success"] for one in told), told


def changed_by_composite(api: Api, sobject: str, rows: Rows) -> None:
    calls = [
        {"method": "PATCH", "url": f"{BASE}/sobjects/{sobject}/{record_id}", "referenceId": f"r{n}", "body": one}
        for n, (record_id, one) in enumerate(rows.items())
    ]
    parts(api.call("POST", "composite", {"compositeRequest": calls}))


def by_bulk(api: Api, sobject: str, rows: list[Row]) -> list[str]:
    made = loaded(api, sobject, "insert", rows, {})
    return [made[one[KEY]] for one in rows]


def changed_by_bulk(api: Api, sobject: str, rows: Rows) -> None:
    records = [{"Id": record_id, **one} for record_id, one in rows.items()]
    loaded(api, sobject, "update", records, {"columnDelimiter": "PIPE", "lineEnding": "CRLF"})


def loaded(api: Api, sobject: str, operation: str, rows: list[Row], form: Row) -> dict[str, str]:
    """Ids by key of the rows of an ingest job, all of which must succeed."""
    job = {"object": sobject, "operation": operation, **form}
    path = f"jobs/ingest/{said(api.call('POST', 'jobs/ingest', job), 200)['id']}"
    out = io.StringIO(newline="")
    ending, between = ("\r\n", "|") if form else ("\n", ",")
    writer = csv.writer(out, delimiter=between, lineterminator=ending)
    names = [*rows[0]]
    writer.writerow(names)
    writer.writerows([as_csv(one[name]) for name in names] for one in rows)
    content, kind = out.getvalue().encode(), {"Content-Type": "text/csv"}
    said(api.http.put(f"{BASE}/{path}/batches", content=content, headers=kind), 201)
    said(api.call("PATCH", path, {"state": "UploadComplete"}), 200)
    wait(api, path)
    assert said(api.get(path), 200)["numberRecordsFailed"] == 0, api.get(f"{path}/failedResults").text
    done = io.StringIO(api.get(f"{path}/successfulResults").content.decode(), newline="")
    return {one.get(KEY, ""): one["sf__Id"] for one in csv.DictReader(done, delimiter=between)}


def as_csv(value: Any) -> str:
    """A value in an uploaded file, where nothing means no change and null has a word of its own."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return "#N/A"
    return json.dumps(value) if isinstance(value, bool) else str(value)


def wait(api: Api, path: str) -> None:
    for _ in range(1_000):  # jobs move by being asked for here
        if (state := said(api.get(path), 200)["state"]) not in ("UploadComplete", "InProgress"):
            assert state == "JobComplete", state
            return
    raise AssertionError("the job does not end")


CREATING: list[Callable[[Api, str, list[Row]], list[str]]] = [
    by_row, by_collection, by_composite, by_batch, by_key, by_keys, by_bulk,
]  # fmt: skip
CHANGING: list[Callable[[Api, str, Rows], None]] = [
    changed_by_row, changed_by_collection, changed_by_composite, changed_by_bulk,
]  # fmt: skip


# --- reading: ids come in, rows come out


def one_by_one(api: Api, sobject: str, ids: list[str]) -> Iterator[Row]:
    for record_id in ids:
        yield said(api.get(f"sobjects/{sobject}/{record_id}"), 200)


def one_by_key(api: Api, sobject: str, ids: list[str]) -> Iterator[Row]:
    for record_id in ids:
        key = said(api.get(f"sobjects/{sobject}/{record_id}", fields=KEY), 200)[KEY]
        yield said(api.get(f"sobjects/{sobject}/{KEY}/{quote(key, safe='')}"), 200)


def as_collection(api: Api, sobject: str, ids: list[str]) -> Iterator[Row]:
    yield from said(api.get(f"composite/sobjects/{sobject}", ids=",".join(ids), fields=",".join(fields(sobject))), 200)


def as_posted_collection(api: Api, sobject: str, ids: list[str]) -> Iterator[Row]:
    asked = {"ids": ids, "fields": fields(sobject)}
    yield from said(api.call("POST", f"composite/sobjects/{sobject}", asked), 200)


def by_query(api: Api, sobject: str, ids: list[str]) -> Iterator[Row]:
    yield from said(api.query(soql(sobject, ids)), 200)["records"]


def by_query_all(api: Api, sobject: str, ids: list[str]) -> Iterator[Row]:
    yield from said(api.query(soql(sobject, ids), resource="queryAll"), 200)["records"]


def in_composite(api: Api, sobject: str, ids: list[str]) -> Iterator[Row]:
    calls = [
        {"method": "GET", "url": f"{BASE}/sobjects/{sobject}/{record_id}", "referenceId": f"r{n}"}
        for n, record_id in enumerate(ids[:24])
    ]
    asked = quote(soql(sobject, ids[24:] or ids))
    calls.append({"method": "GET", "url": f"{BASE}/query?q={asked}", "referenceId": "q"})
    *rows, page = parts(api.call("POST", "composite", {"compositeRequest": calls}))
    yield from rows
    yield from page["records"]


def in_bulk(api: Api, sobject: str, ids: list[str]) -> Iterator[Row]:
    asked = {"operation": "query", "query": soql(sobject, ids)}
    path = f"jobs/query/{said(api.call('POST', 'jobs/query', asked), 200)['id']}"
    wait(api, path)
    for one in csv.DictReader(io.StringIO(api.get(f"{path}/results").content.decode(), newline="")):
        yield {name: from_csv(sobject, name, text) for name, text in one.items()}


def from_csv(sobject: str, name: str, text: str) -> Any:
    """A value of a result file as JSON has it."""
    value = json.loads(text) if text and is_plain(sobject, name) else text or None
    return f"{text[:-1]}+0000" if OBJECTS[sobject].get(name) is INSTANT else value


READING: list[Callable[[Api, str, list[str]], Iterator[Row]]] = [
    one_by_one, one_by_key, as_collection, as_posted_collection, by_query, by_query_all, in_composite, in_bulk,
]  # fmt: skip


def fields(sobject: str) -> list[str]:
    return ["Id", KEY, *OBJECTS[sobject]]


def soql(sobject: str, ids: list[str]) -> str:
    listed = ", ".join(f"'{record_id}'" for record_id in ids)
    return f"SELECT {', '.join(fields(sobject))} FROM {sobject} WHERE Id IN ({listed})"


def check(api: Api, sobject: str, expected: Rows) -> None:
    """Every way of reading gives each row as it must be."""
    for read in READING:
        found = {
            one["Id"]: {name: one[name] for name in (KEY, *OBJECTS[sobject])} for one in read(api, sobject, [*expected])
        }
        assert found == expected, read.__name__


@pytest.mark.parametrize("sobject", OBJECTS)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_record_is_the_same_by_whatever_way_it_is_written_and_read(api: Api, sobject: str, seed: int) -> None:
    random = Random(f"{seed} {sobject}")
    expected: Rows = {}
    for create in CREATING:
        keys = [f"{create.__name__} {n} {random.choice('/?#%&+ş;')}x" for n in range(ROWS)]
        rows = [{KEY: key, **row(random, sobject)} for key in keys]
        for record_id, one in zip(create(api, sobject, json.loads(json.dumps(rows))), rows, strict=True):
            expected[record_id] = {KEY: one.pop(KEY), **kept(sobject, one)}
    assert len(expected) == ROWS * len(CREATING)
    changeable = [*expected][::ROWS]  # of each way of writing, one row; the others stay as they came
    for change in CHANGING:
        rows_by_id = {record_id: row(random, sobject) for record_id in random.sample(changeable, ROWS)}
        change(api, sobject, rows_by_id)
        for record_id, one in rows_by_id.items():
            expected[record_id] |= kept(sobject, one)
    check(api, sobject, expected)
