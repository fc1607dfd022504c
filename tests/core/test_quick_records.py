"""Records with a short way to be changed: the same to everybody who uses them."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

from capture_samples import activity
from leakwatch.model import Activity, Direction, Participant, Role, altered, participant


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
