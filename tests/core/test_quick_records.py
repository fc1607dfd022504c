"""Records with a short way to be made: the same to everybody who uses them."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from capture_samples import activity
from leakwatch.model import Activity, Direction, Match, MatchBasis, Participant, Role, SourceRef, altered, participant


def test_a_record_is_of_its_class_and_stays_as_it_was_made():
    person = Participant("ann@ourco.com", Role.TO, name="Ann")
    assert type(person) is Participant
    assert (person.address, person.role, person.name, person.internal, person.response) == (
        "ann@ourco.com", Role.TO, "Ann", False, None,
    )  # fmt: skip
    with pytest.raises(FrozenInstanceError):
        person.name = "Bob"  # type: ignore[misc]
    assert person == Participant("ann@ourco.com", Role.TO, "Ann")
    assert hash(person) == hash(Participant("ann@ourco.com", Role.TO, "Ann"))
    assert repr(person).startswith("Participant(address='ann@ourco.com'")


def test_wrong_arguments_are_refused_as_ever():
    with pytest.raises(TypeError):
        SourceRef("gmail", "ann@ourco.com")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        SourceRef("gmail", "ann@ourco.com", "1", colour="red")  # type: ignore[call-arg]


def test_a_default_that_is_made_anew_is_not_shared():
    one, other = (Match("k", (), None, None, None, MatchBasis.NONE, "") for _ in range(2))
    assert one.addresses == {}
    assert one.addresses is not other.addresses


def test_a_record_can_be_changed_copied_and_pickled_like_any_other():
    mail = activity()
    sent = altered(mail, direction=Direction.OUTBOUND, subject="x")
    assert type(sent) is Activity
    assert sent == replace(mail, direction=Direction.OUTBOUND, subject="x")
    assert altered(mail) == mail == copy.deepcopy(mail) == pickle.loads(pickle.dumps(mail))


def test_the_same_person_is_one_object():
    assert participant("a@b.com", Role.CC, "A") is participant("a@b.com", Role.CC, "A")
    assert participant("a@b.com", Role.CC, "A") == Participant("a@b.com", Role.CC, "A")
    assert participant("a@b.com", Role.TO, "A") != participant("a@b.com", Role.CC, "A")
