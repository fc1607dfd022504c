"""Reading an answer's body to its end, but not for ever: a read timeout alone lets a trickle hold a call for hours."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import requests
import urllib3

_PIECE = 65_536  # bytes asked for at once; what has arrived is taken, so that time is looked at between pieces


class TooSlowError(requests.RequestException):
    """The answer was still arriving when its time was over."""


def read_whole(response: requests.Response, *, seconds_left: Callable[[], float]) -> bytes:
    """Return the decoded body of an answer that was asked for with `stream=True`; the connection is kept if it can be.

    `seconds_left` is asked between pieces: at zero the answer is given up and its connection closed.

    Raises:
        TooSlowError: the time was over. requests.RequestException: it was cut short, torn, or could not be decoded.
    """
    pieces: list[bytes] = []
    try:
        # Undecoded: a decoder asks for more by itself until it can give something.
        while piece := response.raw.read1(_PIECE, decode_content=False):
            pieces.append(piece)
            if seconds_left() <= 0:
                raise TooSlowError("the answer was still arriving when its time was over")
        body = b"".join(pieces)
        if body and response.headers.get("Content-Encoding", "").lower() == "gzip":  # the only one that is asked for
            body = gzip.decompress(body)
    except (urllib3.exceptions.HTTPError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, requests.RequestException):
            raise
        raise requests.exceptions.ChunkedEncodingError(error) from error
    finally:
        response.close()
    return body
