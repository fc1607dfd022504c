"""Reading mail as Gmail shows it: header list, snippet, part tree. Never raises on odd real mail."""

from __future__ import annotations

import base64
import html
import re
from dataclasses import dataclass
from email import policy
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.utils import getaddresses
from typing import Any

#: Gmail cuts its snippet at about this length.
SNIPPET_LENGTH = 200

#: Parts above this size, or with a file name, are given by attachmentId and not inline.
INLINE_LIMIT = 16 * 1024

_SPACES = re.compile(r"\s+")
_TAGS = re.compile(r"(?is)<(script|style).*?</\1>|<[^>]*>")
_REPLY_PREFIX = re.compile(r"(?i)^\s*((re|fw|fwd|ynt|ilt|i̇lt|aw|wg|sv|antw)\s*(\[\d+\])?\s*:\s*)+")
_MESSAGE_ID = re.compile(r"<([^<>\s]+)>")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the store keeps of a message's head."""

    headers: list[tuple[str, str]]
    message_id: str
    parents: list[str]
    subject: str
    subject_key: str
    from_text: str
    to_text: str
    cc_text: str
    bcc_text: str


def _clean(text: str) -> str:
    """Unfold, and turn bytes that were no ASCII into the replacement sign instead of a surrogate."""
    unfolded = text.replace("\r", "").replace("\n", "")
    return unfolded.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()


def decode_value(value: object) -> str:
    """A header's value in Unicode, whatever it claims to be encoded in."""
    text = str(value)
    if "=?" not in text:
        return _clean(text)
    try:
        return _clean(str(make_header(decode_header(_clean(text)))))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return _clean(text)


def subject_key(subject: str) -> str:
    """The subject without reply and forward marks: Gmail threads only mails that share it."""
    return _SPACES.sub(" ", _REPLY_PREFIX.sub("", subject)).strip().casefold()


def read_envelope(raw: bytes) -> Envelope:
    """Decode the head of a message."""
    head = BytesHeaderParser(policy=policy.compat32).parsebytes(raw)
    headers = [(name, decode_value(value)) for name, value in head.raw_items()]

    def joined(wanted: str) -> str:
        return ", ".join(value for name, value in headers if name.lower() == wanted)

    identifiers = _MESSAGE_ID.findall(joined("message-id"))
    subject = joined("subject")
    return Envelope(
        headers=headers,
        message_id=identifiers[0] if identifiers else "",
        parents=_MESSAGE_ID.findall(joined("in-reply-to")) + _MESSAGE_ID.findall(joined("references"))[::-1],
        subject=subject,
        subject_key=subject_key(subject),
        from_text=joined("from"),
        to_text=joined("to"),
        cc_text=joined("cc"),
        bcc_text=joined("bcc"),
    )


def addresses(text: str) -> list[str]:
    """The mail addresses in a header's text, lower case, in order, without repeats."""
    try:
        found = [address.lower() for _, address in getaddresses([text]) if "@" in address]
    except (ValueError, IndexError, TypeError):
        found = []
    return list(dict.fromkeys(found))


def parse(raw: bytes) -> Message:
    """The whole message as a tree."""
    return BytesParser(policy=policy.compat32).parsebytes(raw)


def _payload_bytes(part: Message) -> bytes:
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        payload = None
    if isinstance(payload, bytes):
        return payload
    plain = part.get_payload()
    return plain.encode("utf-8", "replace") if isinstance(plain, str) else b""


def _payload_text(part: Message) -> str:
    data = _payload_bytes(part)
    charset = str(part.get_content_charset() or "utf-8")
    try:
        return data.decode(charset, "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")


def _parts(part: Message) -> list[Message]:
    payload: Any = part.get_payload() if part.is_multipart() else []
    return [child for child in payload if isinstance(child, Message)]


def summary(raw: bytes) -> tuple[str, str]:
    """(snippet, MIME type): the first words of the text body, HTML-escaped as Gmail sends them."""
    tree = parse(raw)
    text = ""
    for part in tree.walk():
        if part.get_content_maintype() != "text" or _filename(part):
            continue
        body = _payload_text(part)
        text = html.unescape(_TAGS.sub(" ", body)) if part.get_content_subtype() == "html" else body
        if text.strip():
            break
    first = html.escape(_SPACES.sub(" ", text).strip()[:SNIPPET_LENGTH].rstrip())
    return first.replace("&#x27;", "&#39;"), tree.get_content_type()


def body_texts(tree: Message) -> tuple[str, str]:
    """(plain, HTML): the first body of each kind that is no attachment; empty where there is none."""
    found = {"plain": "", "html": ""}
    for part in tree.walk():
        kind = part.get_content_subtype()
        if part.get_content_maintype() == "text" and kind in found and not found[kind] and not _filename(part):
            found[kind] = _payload_text(part)
    return found["plain"], found["html"]


def b64url(data: bytes) -> str:
    """base64url with padding, as the Gmail API writes bodies."""
    return base64.urlsafe_b64encode(data).decode("ascii")


def payload_tree(raw: bytes, *, message: str) -> dict[str, Any]:
    """The `payload` of format=full: MIME order kept, big or named parts by attachmentId."""
    return _part_tree(parse(raw), "", message)


def _filename(part: Message) -> str:
    try:
        return decode_value(part.get_filename() or "")
    except (ValueError, LookupError, TypeError):
        return ""


def _part_tree(part: Message, number: str, message: str) -> dict[str, Any]:
    name = _filename(part)
    tree: dict[str, Any] = {
        "partId": number,
        "mimeType": part.get_content_type(),
        "filename": name,
        "headers": [{"name": key, "value": decode_value(value)} for key, value in part.raw_items()],
        "body": {"size": 0},
    }
    children = _parts(part)
    if children:
        prefix = f"{number}." if number else ""
        tree["parts"] = [_part_tree(child, f"{prefix}{index}", message) for index, child in enumerate(children)]
        return tree
    data = _payload_bytes(part)
    body: dict[str, Any] = {"size": len(data)}
    if name or len(data) > INLINE_LIMIT:
        body["attachmentId"] = b64url(f"{message}:{number or '0'}".encode()).rstrip("=")
    elif data:
        body["data"] = b64url(data)
    tree["body"] = body
    return tree
