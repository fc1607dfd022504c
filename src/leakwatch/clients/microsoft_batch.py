"""`$batch` of Graph as JSON: built and read by hand, because the SDK's helper retries no part and lacks a package.

Parts come back in any order and are matched by id; each has its own status, so a 429 lies inside a 200.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

MAX_PARTS = 20  # "limited to 20 individual requests" (concepts/json-batching)


@dataclass(frozen=True, slots=True)
class BatchPart:
    """One answer inside a batch: the place of its request, HTTP status, headers, body."""

    index: int
    status: int
    headers: Mapping[str, str]
    body: Any


def build(paths: Sequence[str], headers: Mapping[str, str]) -> bytes:
    """Return the body of a batch of GETs; `paths` begin with `/users/`, `headers` go with each (none is inherited)."""
    requests = [
        {"id": str(index), "method": "GET", "url": path, "headers": dict(headers)} for index, path in enumerate(paths)
    ]
    return orjson.dumps({"requests": requests})


def split(answer: Mapping[str, Any]) -> Iterator[BatchPart]:
    """Yield the parts of a batch answer that can be read; whatever is damaged is left out."""
    responses: Any = answer.get("responses")
    for one in cast(list[Any], responses) if isinstance(responses, list) else []:
        if not isinstance(one, dict):
            continue
        part = cast(Mapping[str, Any], one)
        name, status, headers = str(part.get("id")), part.get("status"), part.get("headers")
        if name.isdigit() and isinstance(status, int):
            given = cast(Mapping[Any, Any], headers) if isinstance(headers, dict) else {}
            yield BatchPart(int(name), status, {str(k): str(v) for k, v in given.items()}, part.get("body"))
