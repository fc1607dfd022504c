"""The body of a request: on disk as soon as it is large, so that 150 MB of CSV cost no memory.

It comes off the wire into a spooled file (`receive`), before anything is known about the call. Compression
is undone, with a limit on what comes out, when a handler's route is known (`Body.unpacked`).
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import AsyncIterator
from typing import IO, cast

from leakwatch.sandbox.org.errors import OrgError, bad

MEMORY = 1_000_000  # bytes of a body that are kept in memory; more goes to a temporary file
MAX_BODY = 50_000_000  # of one JSON request, unpacked; the real limit and its answer are unverified
MAX_UPLOAD = 150_000_000  # of one Bulk API 2.0 upload (Bulk API 2.0 guide, "Request and Response Formats")
_CHUNK = 1 << 16


class Body:
    """A request's body; `file` stands at its beginning."""

    def __init__(self, file: IO[bytes] | None = None, size: int = 0) -> None:
        self.file = file or cast(IO[bytes], tempfile.SpooledTemporaryFile(max_size=MEMORY))  # noqa: SIM115  see __del__
        self.size = size

    def __del__(self) -> None:
        """Let go of the file, for which nobody else answers."""
        self.file.close()

    @classmethod
    def of(cls, content: bytes) -> Body:
        """A body that is in memory already."""
        body = cls()
        body.append(content)
        return body.rewound()

    def append(self, content: bytes) -> None:
        """Add bytes at the end; call `rewound` after the last."""
        self.file.write(content)
        self.size += len(content)

    def rewound(self) -> Body:
        """The body itself, to be read from its beginning."""
        self.file.seek(0)
        return self

    def read(self) -> bytes:
        """All of it, in memory: for bodies that a route keeps small."""
        self.file.seek(0)
        return self.file.read()

    def unpacked(self, most: int) -> Body:
        """A gzip body (RFC 1952) as it was; raises OrgError where it is not whole or has more than `most` bytes."""
        reader = zlib.decompressobj(wbits=31)  # gzip's header and checksum
        plain = Body()
        self.file.seek(0)
        try:
            while (chunk := self.file.read(_CHUNK)) and not reader.eof:
                while chunk:
                    plain.append(reader.decompress(chunk, _CHUNK))
                    chunk = reader.unconsumed_tail
                    if plain.size > most:
                        raise too_large(most)
        except zlib.error:
            raise bad("JSON_PARSER_ERROR", "The request body is not in GZIP format") from None
        if not reader.eof:
            raise bad("JSON_PARSER_ERROR", "Unexpected end of ZLIB input stream")
        return plain.rewound()


def too_large(most: int) -> OrgError:
    """The refusal of a body that is larger than its route takes; code and words are unverified."""
    return OrgError(413, "REQUEST_ENTITY_TOO_LARGE", f"The request body is larger than {most} bytes")


async def receive(stream: AsyncIterator[bytes]) -> Body:
    """Take a body off the wire; what is beyond `MAX_UPLOAD` is counted and thrown away."""
    body = Body()
    async for chunk in stream:
        if body.size <= MAX_UPLOAD:
            body.append(chunk)
    return body.rewound()
