"""Making real mail (RFC 5322) from a world's mail objects."""

from __future__ import annotations

from email import message_from_string
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any

from leakwatch.sandbox.google.post import Letter
from leakwatch.sandbox.world.model import World, instant


def message_id(mail: dict[str, Any], world: World) -> str:
    """The mail's Message-ID without brackets."""
    given = mail.get("message_id")
    if given is not None:
        return str(given).strip("<>")
    domain = parseaddr(str(mail["from"]))[1].rpartition("@")[2] or world.company["domains"][0]
    return f"{mail['id']}.{world.seed}@mail.{domain}"


def _addresses(values: list[str]) -> list[Address]:
    found: list[Address] = []
    for value in values:
        name, address = parseaddr(value)
        found.append(Address(display_name=name, addr_spec=address))
    return found


def build(mail: dict[str, Any], world: World) -> Letter:
    """The letter as recipients get it, and as the sender keeps it."""
    message = EmailMessage(policy=SMTP)
    zone = world.zone
    at = instant(mail["at"])
    extra = [(str(name), str(value)) for name, value in mail.get("headers", [])]
    given = {name.lower() for name, _ in extra}
    if "return-path" in given:
        _add(message, [(name, value) for name, value in extra if name.lower() == "return-path"])
    message["MIME-Version"] = "1.0"
    message["Date"] = format_datetime(at.astimezone(zone))
    if mail.get("message_id", "-"):
        message["Message-ID"] = f"<{message_id(mail, world)}>"
    message["Subject"] = mail["subject"]
    message["From"] = _addresses([mail["from"]])[0] if parseaddr(mail["from"])[1] else mail["from"]
    if mail["to"]:
        message["To"] = _addresses(mail["to"])
    if mail.get("cc"):
        message["Cc"] = _addresses(mail["cc"])
    _thread_headers(message, mail, world)
    _add(message, [pair for pair in extra if not pair[0].lower().startswith(("return-path", "content-"))])
    _content(message, mail)
    # Setting the content drops all headers that begin with Content-, so these come last.
    _add(message, [pair for pair in extra if pair[0].lower().startswith("content-")])
    raw = message.as_bytes()
    own = raw
    if mail.get("bcc"):
        message["Bcc"] = _addresses(mail["bcc"])
        own = message.as_bytes()
    recipients = [*mail["to"], *mail.get("cc", []), *mail.get("bcc", [])]
    only = mail.get("only")
    return Letter(
        raw=raw,
        raw_own=own,
        sender=parseaddr(mail["from"])[1].lower(),
        recipients=tuple(parseaddr(value)[1].lower() for value in recipients),
        labels={box: tuple(names) for box, names in mail.get("labels", {}).items()},
        only=None if only is None else frozenset(only),
    )


def _add(message: EmailMessage, headers: list[tuple[str, str]]) -> None:
    for name, value in headers:
        if name.lower() != "content-type":
            message[name] = value


def _thread_headers(message: EmailMessage, mail: dict[str, Any], world: World) -> None:
    chain: list[str] = []
    parent = mail.get("reply_to")
    while parent is not None:
        body = world.mail(parent)
        chain.insert(0, f"<{message_id(body, world)}>")
        parent = body.get("reply_to")
    chain = [*mail.get("references", []), *chain]
    if chain:
        message["In-Reply-To"] = chain[-1]
        message["References"] = " ".join(chain)


def _content(message: EmailMessage, mail: dict[str, Any]) -> None:
    message.set_content(mail.get("text", ""), cte="quoted-printable")
    if mail.get("html"):
        message.add_alternative(mail["html"], subtype="html", cte="quoted-printable")
    for part in mail.get("parts", []):
        main, _, rest = str(part["type"]).partition("/")
        subtype, *parameters = [piece.strip() for piece in rest.split(";")]
        named = dict(piece.split("=", 1) for piece in parameters if "=" in piece)
        filename = part.get("filename")
        if main == "message":
            message.make_mixed()
            head = f"Content-Type: {part['type']}\r\n\r\n"
            message.attach(message_from_string(head + str(part["text"]), policy=SMTP))
        elif main == "text":
            arguments: dict[str, Any] = {"subtype": subtype, "params": named, "cte": "quoted-printable"}
            if filename:
                arguments |= {"filename": filename, "disposition": "attachment"}
            if mail.get("mime", "").startswith("multipart/alternative"):
                message.add_alternative(part["text"], **arguments)
            else:
                message.add_attachment(part["text"], **arguments)
        else:
            body = str(part["text"]).encode()
            message.add_attachment(body, main, subtype, params=named, filename=filename, cte="base64")
    if mail.get("mime"):
        kind, *parameters = [piece.strip() for piece in str(mail["mime"]).split(";")]
        if message.get_content_type() != kind:
            message.set_type(kind)
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            message.set_param(name, value)
    for number, part in enumerate(message.walk()):
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            # The library's own boundary is random, and a world must give the same bytes every time.
            part.set_boundary(f"=_{mail['id']}_{number}")
