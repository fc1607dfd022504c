"""What every source keeps to. Sources are found by their files; each is made from a client alone."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import leakwatch.sources
from capture_samples import ANN, BOB
from leakwatch.model import Activity, Decision, Outcome, SkipReason
from leakwatch.ports import Source
from leakwatch.store.capture_codec import dump_activity, load_activity


def found_sources() -> list[Any]:
    sources: list[Any] = []
    for module in pkgutil.iter_modules(leakwatch.sources.__path__):
        loaded = importlib.import_module(f"leakwatch.sources.{module.name}")
        classes = [
            one
            for _, one in inspect.getmembers(loaded, inspect.isclass)
            if one.__module__ == loaded.__name__ and hasattr(one, "fetch_page")
        ]
        assert len(classes) == 1, f"{module.name}: exactly one class with fetch_page in a source's file"
        sources.append(classes[0])
    return sources


SOURCES = found_sources()

# Anything JSON can hold, under the names that providers use.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet=st.characters(), max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
HEADERS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["From", "To", "Cc", "Date", "Subject", "Message-ID", "Auto-Submitted", "X-Odd"]),
            "value": st.text(alphabet=st.characters(), max_size=60) | st.none(),
        }
    ),
    max_size=8,
)
ITEM = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=8) | st.none(),
        "labelIds": st.lists(st.sampled_from(["INBOX", "SENT", "DRAFT", "SPAM", "Label_1"]), max_size=3) | JSON,
        "internalDate": st.integers().map(str) | JSON,
        "payload": st.fixed_dictionaries({"headers": HEADERS | JSON}, optional={"parts": JSON, "mimeType": JSON})
        | JSON,
    },
)


def test_there_is_a_source_to_look_at():
    assert SOURCES


@pytest.mark.parametrize("kind", SOURCES, ids=lambda kind: kind.name)
def test_a_source_has_the_name_of_its_file_and_the_doors_of_the_port(kind: Any):
    assert kind.__module__.rpartition(".")[2] == kind.name
    for door in ("first_cursor", "fetch_page", "fetch_again", "to_activity"):
        assert list(inspect.signature(getattr(kind, door)).parameters) == list(
            inspect.signature(getattr(Source, door)).parameters
        )


@pytest.mark.parametrize("kind", SOURCES, ids=lambda kind: kind.name)
@given(item=ITEM)
def test_no_item_makes_a_source_raise_and_what_it_says_is_whole(kind: Any, item: dict[str, Any]):
    source = cast(Source, kind(object()))
    found = source.to_activity(item, ANN)
    assert found == source.to_activity(item, ANN)
    ref = found.ref if isinstance(found, Decision) else found.refs[0]
    assert (ref.source, ref.principal) == (kind.name, ANN.address)
    if isinstance(found, Activity):
        assert load_activity(dump_activity(found)) == found
        assert found.body is None
        assert found.start.tzinfo is not None
        assert all(person.address == person.address.lower() for person in found.participants)
    else:
        assert found.outcome in (Outcome.SKIPPED, Outcome.QUARANTINED)
        if found.outcome is Outcome.SKIPPED:
            assert found.reason in set(SkipReason)


@pytest.mark.parametrize("kind", SOURCES, ids=lambda kind: kind.name)
def test_an_items_principal_is_the_one_it_was_read_for(kind: Any):
    found = cast(Source, kind(object())).to_activity({"id": "x"}, BOB)
    assert (found.ref if isinstance(found, Decision) else found.refs[0]).principal == BOB.address
