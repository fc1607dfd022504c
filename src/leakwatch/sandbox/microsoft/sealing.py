"""Tokens that say nothing to the client and cannot be made up: values, packed and signed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import zlib
from typing import Any

from leakwatch.sandbox.microsoft import errors

#: Bytes of the signature that a token carries.
_SIGNED = 10


class Seal:
    """Writes values as tokens, and reads them again."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def write(self, values: list[Any]) -> str:
        """A token."""
        packed = zlib.compress(json.dumps(values).encode())
        return base64.urlsafe_b64encode(self._mac(packed) + packed).decode("ascii").rstrip("=")

    def read(self, text: str) -> list[Any]:
        """The values of a token; raises GraphError for what was never one."""
        try:
            data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise errors.bad_state() from None
        if not hmac.compare_digest(self._mac(data[_SIGNED:]), data[:_SIGNED]):
            raise errors.bad_state()
        values: list[Any] = json.loads(zlib.decompress(data[_SIGNED:]))
        return values

    def _mac(self, packed: bytes) -> bytes:
        return hmac.new(self._key, packed, hashlib.sha256).digest()[:_SIGNED]
