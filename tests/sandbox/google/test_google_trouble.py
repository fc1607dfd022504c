"""Quota and faults as the official client meets them."""

from __future__ import annotations

from typing import Any

import httplib2
import pytest
from googleapiclient.errors import HttpError

from sandbox.google.witness import Witness


def test_past_its_quota_a_user_is_told_when_to_come_back(witness: Witness) -> None:
    gmail = witness.gmail()
    witness.running.control("POST", "/quota", {"profile": "real", "units_per_user_minute": 30})
    key = gmail.users().messages().list(userId="me").execute()["messages"][0]["id"]
    gmail.users().messages().get(userId="me", id=key).execute()
    with pytest.raises(HttpError, match=r"User-rate limit exceeded\.  Retry after 20\d\d-") as caught:
        gmail.users().messages().get(userId="me", id=key).execute()
    assert caught.value.resp.status == 429
    assert "retry-after" not in caught.value.resp
    units = witness.running.control("GET", "/ledger")["google_units"]
    assert units == {witness.rep: 25}


def test_the_parts_of_a_batch_count_as_requests_at_once(witness: Witness) -> None:
    gmail = witness.gmail()
    key = gmail.users().messages().list(userId="me").execute()["messages"][0]["id"]
    witness.running.control("POST", "/quota", {"profile": "real", "concurrent_per_user": 10})
    outcome: list[int] = []

    def note(_request_id: str, _response: Any, error: Any) -> None:
        outcome.append(error.resp.status if error else 200)

    batch = witness.batch(note)
    for _ in range(12):
        batch.add(gmail.users().messages().get(userId="me", id=key, format="minimal"))
    batch.execute()
    assert sorted(outcome) == [200] * 10 + [429] * 2


def test_a_fault_may_hit_single_parts_of_a_batch(witness: Witness) -> None:
    gmail = witness.gmail()
    key = gmail.users().messages().list(userId="me").execute()["messages"][0]["id"]
    rule = {"service": "google", "match": "/messages/", "status": 429, "every": 3}
    witness.running.control("POST", "/faults", rule)
    outcome: list[int] = []

    def note(_request_id: str, _response: Any, error: Any) -> None:
        outcome.append(error.resp.status if error else 200)

    batch = witness.batch(note)
    for _ in range(6):
        batch.add(gmail.users().messages().get(userId="me", id=key, format="minimal"))
    batch.execute()
    assert outcome == [429, 200, 200, 429, 200, 200]


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, "userRateLimitExceeded"), (429, "rateLimitExceeded"), (500, "backendError"), (503, "backendError")],
)
def test_faults_have_googles_shape(witness: Witness, status: int, reason: str) -> None:
    gmail = witness.gmail()
    witness.running.control("POST", "/faults", {"service": "google", "match": "/profile", "status": status, "times": 1})
    with pytest.raises(HttpError) as caught:
        gmail.users().getProfile(userId="me").execute()
    assert caught.value.resp.status == status
    assert caught.value.error_details[0]["reason"] == reason
    gmail.users().getProfile(userId="me").execute()


def test_an_expired_token_is_fetched_anew_by_the_client_itself(witness: Witness) -> None:
    gmail = witness.gmail()
    gmail.users().getProfile(userId="me").execute()
    witness.running.control("POST", "/sessions/expire", {"service": "google"})
    gmail.users().getProfile(userId="me").execute()
    minted = witness.running.control("GET", "/ledger")["google_tokens_minted"]
    assert minted[witness.rep] == 2


def test_a_torn_and_a_cut_answer_are_errors_of_the_line(witness: Witness) -> None:
    gmail = witness.gmail()
    gmail.users().getProfile(userId="me").execute()
    witness.running.control("POST", "/faults", {"service": "google", "match": "/profile", "do": "reset", "times": 2})
    with pytest.raises((ConnectionError, httplib2.HttpLib2Error, OSError)):
        gmail.users().getProfile(userId="me").execute()
    witness.running.control("DELETE", "/faults")
    witness.running.control("POST", "/faults", {"service": "google", "match": "/profile", "do": "truncate", "times": 1})
    with pytest.raises(Exception) as caught:
        gmail.users().getProfile(userId="me").execute()
    assert not isinstance(caught.value, HttpError)
    gmail.users().getProfile(userId="me").execute()
