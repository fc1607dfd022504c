"""Filling an org with the world `million`: from numbers into the file, never whole in memory, told on the way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from leakwatch.sandbox.clock import monotonic_seconds
from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.pouring import Pour, claim_ids, without_indexes
from leakwatch.sandbox.world.million import COLUMNS, Million, Rows, owners
from leakwatch.sandbox.world.model import World

#: Where a folder notes that its world is this one.
FILE = "million.json"
#: Bytes on disk for each deal with its activities (measured: 5,140 and the log of one index), and for an empty org.
DEAL_BYTES, EMPTY_BYTES = 5_500, 20_000_000
#: Accounts whose rows are in memory at once: 32,000 rows, some 40 MB.
_TOGETHER = 500
#: Seconds between two lines about how far it came.
_TELL_EVERY = 5.0


class NoRoomError(RuntimeError):
    """The disk has too little room for the world."""


class Computed(dict[str, str]):
    """What references to the world's rows stand for, computed when asked for; nothing is in it to be listed."""

    def __init__(self, million: Million, value: Callable[[str, int], str]) -> None:
        """`value` is given the object and the number of the row."""
        super().__init__()
        self._million, self._value = million, value

    def __missing__(self, reference: str) -> str:
        """Raises KeyError where no row is called so."""
        found = self._million.has(reference)
        if found is None:
            raise KeyError(reference)
        return self._value(*found)

    def __contains__(self, reference: object) -> bool:
        return isinstance(reference, str) and self._million.has(reference) is not None


def computed(million: Million, org: Org) -> tuple[Computed, Computed]:
    """By reference: ids, and names of objects."""
    return Computed(million, _naming(org)), Computed(million, lambda sobject, _number: sobject)


def _naming(org: Org) -> Callable[[str, int], str]:
    prefixes = {name: org.schema.objects[name].prefix for name in COLUMNS}
    return lambda sobject, number: ids.make(prefixes[sobject], number)


def kept(folder: Path) -> Million | None:
    """The million that a folder was filled with, if it was."""
    path = folder / FILE
    if not path.exists():
        return None
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Million(int(body["deals"]), int(body["seed"]))


def check_room(million: Million, folder: Path) -> None:
    """Raises NoRoomError where the folder's disk has less room than the world takes."""
    needed = EMPTY_BYTES + million.deals * DEAL_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoomError(
            f"a world of {million.deals:,} deals takes about {_size(needed)}, and {folder} has {_size(free)} left; "
            "choose another --dir or a smaller --scale"
        )


def fill(org: Org, world: World, million: Million, refs: Mapping[str, str], tell: Callable[[str], None]) -> None:
    """Write all rows into an org that has the world's people already; `tell` gets a line every few seconds."""
    sellers, left = owners(world)
    ids_of_sellers, left_id = [refs[one] for one in sellers], refs[left]
    named = _naming(org)
    pours = {name: Pour(org.engine, name, columns) for name, columns in COLUMNS.items()}
    for name, count in million.counts.items():
        claim_ids(org.engine, name, count)

    began = monotonic_seconds()
    say = _now_and_then(tell)
    written, total = 0, sum(million.counts.values())
    with without_indexes(org.store, COLUMNS, lambda name: say(f"building index {name}")):
        for first in range(1, million.accounts + 1, _TOGETHER):
            rows: Rows = {name: [] for name in COLUMNS}
            for number in range(first, min(first + _TOGETHER, million.accounts + 1)):
                million.account(number, named, ids_of_sellers, left_id, rows)
            with org.store.transaction():
                written += sum(pour.write(rows[name]) for name, pour in pours.items())
            say(f"{written:,} of {total:,} rows, {written / (monotonic_seconds() - began):,.0f} a second")
    org.storage.forget()
    tell(f"{written:,} rows in {monotonic_seconds() - began:.0f} seconds")


def _now_and_then(tell: Callable[[str], None]) -> Callable[[str], None]:
    """The same with most lines left out."""
    told = monotonic_seconds()

    def say(line: str) -> None:
        nonlocal told
        if monotonic_seconds() - told > _TELL_EVERY:
            told = monotonic_seconds()
            tell(line)

    return say


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
