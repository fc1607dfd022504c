"""Google's batch endpoint: up to 100 calls in one multipart/mixed body, each answered by itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import Any, cast

import orjson

from leakwatch.sandbox.google.errors import GoogleError, invalid
from leakwatch.sandbox.google.service import Reply

#: "You're limited to 100 calls in a single batch request."
MAX_PARTS = 100

#: "You're limited to 50 calls in a single batch request" (guide of the Calendar API).
MAX_CALENDAR_PARTS = 50

_REASONS = {
    200: "OK", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    410: "Gone", 429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One call inside a batch."""

    content_id: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


def read_parts(content_type: str, body: bytes, most: int = MAX_PARTS) -> list[Part]:
    """Take a batch apart; 400 as a whole if it is none, or has more than `most` calls."""
    if "multipart/mixed" not in content_type.lower() or "boundary=" not in content_type.lower():
        raise GoogleError(400, "Failed to parse batch request, error: 0 items. Received batch body", "badRequest")
    message = BytesParser(policy=compat32).parsebytes(
        b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n" + body
    )
    payload: Any = message.get_payload()
    if not isinstance(payload, list) or not payload:
        raise invalid("The batch request contains no calls", "badRequest")
    parts = cast(list[Message], payload)
    if len(parts) > most:
        raise invalid(f"The batch request exceeds the maximum of {most} calls", "batchSizeTooLarge")
    return [_read_part(_unfolded(str(part["Content-ID"] or "")), part.get_payload(decode=True)) for part in parts]


def _unfolded(value: str) -> str:
    return re.sub(r"\r?\n(?=[ \t])", "", value)


def _read_part(content_id: str, payload: object) -> Part:
    text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    head, *rest = re.split(r"\r?\n\r?\n", text.lstrip("\r\n"), maxsplit=1)
    lines = re.split(r"\r?\n", head)
    words = lines[0].split(" ")
    if len(words) < 2:
        raise invalid("Failed to parse a call of the batch request", "badRequest")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    target = re.sub(r"^https?://[^/]+", "", words[1])
    return Part(content_id, words[0].upper(), target, headers, "".join(rest).encode())


def write_parts(parts: list[Part], replies: list[Reply]) -> tuple[str, bytes]:
    """(content type, body) of the answer; Content-ID echoes with `response-` in front."""
    seed = hashlib.blake2b(repr([part.target for part in parts]).encode(), digest_size=12).hexdigest()
    boundary = f"batch_{seed}"
    out: list[bytes] = []
    for part, reply in zip(parts, replies, strict=True):
        content = orjson.dumps(reply.body)
        echo = part.content_id.strip()
        echo = f"<response-{echo[1:]}" if echo.startswith("<") else f"response-{echo}"
        lines = [f"--{boundary}", "Content-Type: application/http"]
        if part.content_id:
            lines.append(f"Content-ID: {echo}")
        lines += ["", f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}"]
        lines.append("Content-Type: application/json; charset=UTF-8")
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        lines += [f"Content-Length: {len(content)}", "", ""]
        out.append("\r\n".join(lines).encode() + content + b"\r\n")
    out.append(f"--{boundary}--\r\n".encode())
    return f"multipart/mixed; boundary={boundary}", b"".join(out)


def play(parts: list[Part], authorization: str, answer: Callable[[Part, str], Reply]) -> list[Reply]:
    """Answer each part under its own Authorization, or the batch's where it has none."""
    return [answer(part, part.headers.get("authorization", authorization)) for part in parts]
