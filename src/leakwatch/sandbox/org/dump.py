"""A full dump of an org that compares: ids that were given out while running become stable labels.

Two runs that write the same rows in another order give them other ids. So every such id is replaced by a
label made of the row's own content and, over a few rounds, of the rows it points to.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.indexes import quote
from leakwatch.sandbox.org.schema import Schema
from leakwatch.sandbox.org.store import Store

ROUNDS = 3
MOST = 500_000
"""Rows that are dumped: they are all in memory, more than once, some 3 KB each."""
_NEW = ids.CREATED_POD.encode()
Rows = dict[str, list[dict[str, Any]]]


class TooLargeError(ValueError):
    """The org has more rows than a dump may have; the text says what to use instead."""


def dump(store: Store, schema: Schema) -> tuple[Rows, dict[str, str]]:
    """Object to its rows without nulls, deleted rows included, everything sorted; and the labels by 15-character id.

    Raises TooLargeError for an org of more than `MOST` rows.
    """
    _check_size(store, schema)
    rows = _read(store, schema)
    labels: dict[str, str] = {}
    for _ in range(ROUNDS):
        labels = _label(rows, labels)
    shown: Rows = {}
    for name, some in sorted(rows.items()):
        keyed = [_shown(row, labels) for row in some]
        if keyed:
            shown[name] = [row for _, row in sorted(keyed, key=lambda pair: pair[0])]
    return shown, labels


def _check_size(store: Store, schema: Schema) -> None:
    rows = 0
    for name in schema.objects:
        sql = f"SELECT COUNT(*) FROM (SELECT 1 FROM {quote(name)} LIMIT ?)"
        rows += int(store.execute(sql, (MOST + 1 - rows,)).fetchone()[0])
        if rows > MOST:
            raise TooLargeError(
                f"a dump holds every row in memory, and this org has more than {MOST:,}; ask for single rows with "
                "GET /rows/{sobject}/{id}, for numbers of rows with GET /org/usage, and for all rows of an object with "
                "a Bulk API 2.0 query job, which is streamed"
            )


def _read(store: Store, schema: Schema) -> Rows:
    rows: Rows = {}
    for name, sobject in schema.objects.items():
        booleans = {one.name for one in sobject.stored_fields if one.type == "boolean"}
        found = store.execute(f"SELECT * FROM {quote(name)}")
        names = [column[0] for column in found.description]
        rows[name] = [
            {
                key: bool(value) if key in booleans else value
                for key, value in zip(names, values, strict=True)
                if value is not None
            }
            for values in found.fetchall()
        ]
    return rows


def _shown(row: dict[str, Any], labels: dict[str, str]) -> tuple[bytes, dict[str, Any]]:
    """The row with labels in the place of new ids, after the text that it is sorted by."""
    text = _text(row)
    if _NEW not in text:  # most rows are of the world, and name no new one
        return text, row
    renamed = _renamed(row, labels)
    return _text(renamed), renamed


def _label(rows: Rows, known: dict[str, str]) -> dict[str, str]:
    """The next round's labels, from the content with the last round's labels put in."""
    labels: dict[str, str] = {}
    for name, some in rows.items():
        for row in some:
            if ids.CREATED.fullmatch(row["Id"]):
                content = _text(_renamed(row | {"Id": ""}, known))
                labels[row["Id"][:15]] = f"{name}#{hashlib.sha256(content).hexdigest()[:12]}"
    return labels


def _renamed(row: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    def renamed(value: Any) -> Any:
        if not isinstance(value, str) or ids.CREATED_POD not in value:
            return value
        return ids.CREATED.sub(lambda match: labels.get(match.group()[:15], "new"), value)

    return {key: renamed(value) for key, value in row.items()}


def _text(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
