"""Names that stay: of a finding, and of each message about it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

KEY_PREFIX = "lw1:f:"
MARKER_BYTES = 4  # a post is looked for among the posts of one record only: 32 bits are plenty there
_KEY = re.compile(r"lw1:f:(?P<fingerprint>[0-9a-f]{32}):(?P<episode>\d+)(?::(?P<suffix>[^:|]+))?\Z")


def fingerprint(org_id: str, rule_id: str, business_key: Sequence[str]) -> str:
    """Return 32 hex digits (blake2b-128) that name a finding for as long as the problem is the same.

    Made of what does not change while the problem stays: never owner, amount, date, threshold or rule version. Every
    part is length-prefixed, so that ("ab", "c") and ("a", "bc") differ. Both forms of a Salesforce id (15 and 18
    characters) are different keys: the mirror holds 18.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in (org_id, rule_id, *business_key):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class NoticeKey:
    """What the key of a message (and of the Task that carries it) says."""

    fingerprint: str
    episode: int
    number: int = 1  # the n-th word to the owner in this episode; 0 for an escalation
    escalation: str = ""  # "e1", or "e1r2" after two reopenings


def owner_key(mark: str, episode: int, number: int) -> str:
    """Return the key of the `number`-th (from 1) word to the owner: `lw1:f:<fingerprint>:<episode>[:<number>]`."""
    return f"{KEY_PREFIX}{mark}:{episode}" + (f":{number}" if number > 1 else "")


def escalation_key(mark: str, episode: int, step: int, reopened: int) -> str:
    """Return the key of escalation `step` (from 1); a reopened finding escalates anew under another key."""
    return f"{KEY_PREFIX}{mark}:{episode}:e{step}" + (f"r{reopened}" if reopened else "")


def parse_key(key: str) -> NoticeKey | None:
    """Return what `key` says, or None if it is not the key of one of our alerts (captured mail has other keys)."""
    found = _KEY.match(key)
    if found is None:
        return None
    suffix = found["suffix"] or "1"
    if suffix.isdecimal():
        return NoticeKey(found["fingerprint"], int(found["episode"]), int(suffix))
    return NoticeKey(found["fingerprint"], int(found["episode"]), 0, suffix)


def marker(key: str) -> str:
    """Return the short mark that ends a Chatter post, by which the writer finds it before it posts again."""
    return "lw:" + hashlib.blake2b(key.encode(), digest_size=MARKER_BYTES).hexdigest()
