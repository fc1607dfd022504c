"""Google's multipart batches, built and split by hand: an order of magnitude less CPU than the client library's.

Answers are matched by Content-ID, never by position; a part that is missing is the caller's to ask for again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BOUNDARY = "leakwatch-batch-5f2c"
REQUEST_TYPE = f'multipart/mixed; boundary="{BOUNDARY}"'
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_CONTENT_ID = re.compile(rb"^content-id:[ \t]*<?response-part(\d+)>?", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(rb"^HTTP/\d(?:\.\d)? (\d{3})")


@dataclass(frozen=True, slots=True)
class BatchPart:
    """One answer inside a batch: the place of its request, HTTP status, raw header lines and body."""

    index: int
    status: int
    head: bytes
    body: bytes

    def headers(self) -> dict[str, str]:
        """Return the part's own HTTP headers."""
        found: dict[str, str] = {}
        for line in self.head.split(b"\r\n")[1:]:
            name, colon, value = line.partition(b":")
            if colon:
                found[name.decode("latin-1").strip().lower()] = value.decode("latin-1").strip()
        return found


def build(paths: Sequence[str]) -> bytes:
    """Return the body of a batch of GETs; `paths` begin with `/`. Send it as REQUEST_TYPE."""
    parts = [
        f"--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: <part{index}>\r\n\r\nGET {path}\r\n\r\n"
        for index, path in enumerate(paths)
    ]
    return ("".join(parts) + f"--{BOUNDARY}--\r\n").encode("ascii")


def split(content_type: str, body: bytes) -> Iterable[BatchPart]:
    """Yield the parts of a batch answer that can be read; whatever is damaged is left out."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        return
    for raw in body.split(b"--" + found.group(1).encode("latin-1"))[1:]:
        pieces = raw.split(b"\r\n\r\n", 2)
        if len(pieces) < 3:
            continue
        name = _CONTENT_ID.search(pieces[0])
        status = _STATUS.match(pieces[1].lstrip())
        if name is not None and status is not None:
            yield BatchPart(int(name.group(1)), int(status.group(1)), pieces[1], pieces[2])
