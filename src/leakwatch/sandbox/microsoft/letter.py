"""What a mailbox of Exchange keeps of a message's bytes, read once when it is delivered."""

from __future__ import annotations

import html
import json
import re
from dataclasses import asdict, dataclass, field
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

from leakwatch.sandbox.google import mime
from leakwatch.sandbox.microsoft.invitation import Invitation, read_invitation

#: `bodyPreview`: "The first 255 characters of the message body".
PREVIEW_LENGTH = 255

_IMPORTANCE = {"1": "high", "2": "high", "high": "high", "4": "low", "5": "low", "low": "low", "non-urgent": "low"}
_BLANKS = re.compile(r"[ \t]+")


@dataclass(slots=True)
class Letter:
    """The head of a message and what of its body is shown without reading it again."""

    subject: str = ""
    message_id: str = ""
    """With its angle brackets, as `internetMessageId` has it; empty where there is none."""
    parents: list[str] = field(default_factory=list[str])
    """Message-IDs that it answers, without brackets, nearest first."""
    sender: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    senders: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """From, and Sender where there is one (else From)."""
    to: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    cc: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    bcc: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    reply_to: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    headers: list[list[str]] = field(default_factory=list[list[str]])
    preview: str = ""
    sent: int | None = None
    """The Date header, in milliseconds since the epoch."""
    attachments: bool = False
    importance: str = "normal"
    read_receipt: bool = False
    delivery_receipt: bool = False
    invitation: dict[str, Any] | None = None
    """What an iCalendar part asks for or answers; see `Invitation`."""

    def as_text(self) -> str:
        """JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


def read_letter(raw: bytes) -> Letter:
    """Read a message; never raises on odd real mail."""
    envelope = mime.read_envelope(raw)
    tree = mime.parse(raw)
    texts: dict[str, list[str]] = {}
    for name, value in envelope.headers:
        texts.setdefault(name.lower(), []).append(value)

    def people(name: str) -> list[dict[str, str]]:
        return _people(", ".join(texts.get(name, [])))

    sender = people("from")
    found = read_invitation(tree)
    return Letter(
        subject=envelope.subject,
        message_id=f"<{envelope.message_id}>" if envelope.message_id else "",
        parents=envelope.parents,
        sender=sender[:1],
        senders=(people("sender") or sender)[:1],
        to=people("to"),
        cc=people("cc"),
        bcc=people("bcc"),
        reply_to=people("reply-to"),
        headers=[list(pair) for pair in envelope.headers],
        preview=_preview(tree),
        sent=_sent(texts.get("date", [])),
        attachments=any(_is_attachment(part) for part in tree.walk()),
        importance=_importance(texts),
        read_receipt="disposition-notification-to" in texts,
        delivery_receipt="return-receipt-to" in texts,
        invitation=asdict(found) if found else None,
    )


def kept_letter(text: str) -> Letter:
    """A letter as it was kept."""
    return Letter(**json.loads(text))


def kept_invitation(letter: Letter) -> Invitation | None:
    """What its iCalendar part says."""
    return Invitation(**letter.invitation) if letter.invitation else None


def _people(text: str) -> list[dict[str, str]]:
    try:
        pairs = getaddresses([text])
    except (ValueError, IndexError, TypeError):
        return []
    # Graph repeats the address where there is no name.
    return [{"name": name or address, "address": address} for name, address in pairs if address]


def _sent(dates: list[str]) -> int | None:
    try:
        return round(parsedate_to_datetime(dates[0]).timestamp() * 1000)
    except (IndexError, ValueError, TypeError, OverflowError):
        return None


def _importance(texts: dict[str, list[str]]) -> str:
    for name in ("importance", "x-priority", "priority"):
        for value in texts.get(name, []):
            found = _IMPORTANCE.get(value.split("(")[0].strip().lower())
            if found:
                return found
    return "normal"


def _is_attachment(part: Message) -> bool:
    """`hasAttachments` leaves out what is inline."""
    return part.get_content_disposition() == "attachment"


def _preview(tree: Message) -> str:
    plain, marked = mime.body_texts(tree)
    text = plain if plain.strip() else text_of(marked)
    lines = (_BLANKS.sub(" ", line).strip() for line in text.splitlines())
    return "\r\n".join(line for line in lines if line)[:PREVIEW_LENGTH]


def text_of(marked: str) -> str:
    """The words of an HTML body."""
    shown = re.sub(r"(?is)<(script|style|head).*?</\1>", " ", marked)
    return html.unescape(re.sub(r"(?s)<[^>]*>", " ", re.sub(r"(?i)<(br|/p|/div)\s*/?>", "\n", shown)))


def body_of(raw: bytes, *, as_text: bool) -> dict[str, str]:
    """`body`: HTML unless text is preferred; a plain body is made HTML as Exchange makes it."""
    plain, marked = mime.body_texts(mime.parse(raw))
    if as_text:
        return {"contentType": "text", "content": plain or text_of(marked)}
    if marked:
        return {"contentType": "html", "content": marked}
    lines = html.escape(plain, quote=False).replace("\r\n", "\n").rstrip("\n").replace("\n", "<br>\r\n")
    head = '<html><head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head><body>\r\n'
    return {"contentType": "html", "content": f'{head}<div class="PlainText">{lines}</div>\r\n</body></html>'}
