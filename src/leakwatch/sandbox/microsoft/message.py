"""A message as Graph shows it (resources message, eventMessage, eventMessageRequest, eventMessageResponse)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from leakwatch.sandbox.microsoft import ids
from leakwatch.sandbox.microsoft.filters import Column
from leakwatch.sandbox.microsoft.letter import body_of, kept_invitation
from leakwatch.sandbox.microsoft.rows import Item
from leakwatch.sandbox.microsoft.store import Mailboxes

TYPE = "microsoft.graph.message"

#: What is shown where nothing is selected, in Graph's order; the rest must be asked for.
DEFAULT = (
    "createdDateTime", "lastModifiedDateTime", "changeKey", "categories", "receivedDateTime", "sentDateTime",
    "hasAttachments", "internetMessageId", "subject", "bodyPreview", "importance", "parentFolderId", "conversationId",
    "conversationIndex", "isDeliveryReceiptRequested", "isReadReceiptRequested", "isRead", "isDraft", "webLink",
    "inferenceClassification", "body", "sender", "from", "toRecipients", "ccRecipients", "bccRecipients", "replyTo",
    "flag",
)  # fmt: skip
ON_REQUEST = ("internetMessageHeaders", "uniqueBody")

#: Of an invitation, an answer, a cancellation.
EVENT = (
    "meetingMessageType", "type", "isOutOfDate", "isAllDay", "isDelegated", "startDateTime", "endDateTime", "location",
    "recurrence",
)  # fmt: skip
REQUEST = (
    "responseRequested", "allowNewTimeProposals", "meetingRequestType", "previousLocation", "previousStartDateTime",
    "previousEndDateTime",
)  # fmt: skip

_CAST = "microsoft.graph.eventMessage/"
SELECTABLE = frozenset(("id", *DEFAULT, *ON_REQUEST, *(_CAST + name for name in EVENT)))

#: What Mail.ReadBasic.All keeps back: "body, bodyPreview, uniqueBody, attachments, extensions, and any extended
#: properties" (permissions reference).
BASIC_HIDES = frozenset({"body", "bodyPreview", "uniqueBody"})

COLUMNS = {
    "receivedDateTime": Column("received", "instant"), "sentDateTime": Column("sent", "instant"),
    "createdDateTime": Column("created", "instant"), "lastModifiedDateTime": Column("modified", "instant"),
    "isRead": Column("is_read", "bool"), "isDraft": Column("is_draft", "bool"),
    "hasAttachments": Column("attachments", "bool"), "importance": Column("importance", "enum"),
    "inferenceClassification": Column("inference", "enum"), "internetMessageId": Column("message_id"),
    "subject": Column("subject"), "from/emailAddress/address": Column("sender"),
    "categories": Column("categories", "list"), "flag/flagStatus": Column("CASE flagged WHEN 1 THEN 'flagged' "
    "ELSE 'notFlagged' END", "enum"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class View:
    """How messages are to be shown in one answer."""

    mailboxes: Mailboxes
    guid: str
    """The mailbox's."""
    select: tuple[str, ...] | None = None
    immutable: bool = False
    text_bodies: bool = False
    hidden: frozenset[str] = frozenset()
    """Properties that the caller may not see."""
    typed: bool = False
    """Whether plain messages carry `@odata.type` too, as they do in a delta."""

    def id_of(self, item: int, folder: int, place: int) -> str:
        """The id of an item in the form that was asked for."""
        return ids.immutable_id(self.guid, item) if self.immutable else ids.mutable_id(self.guid, folder, place)

    def show(self, item: Item, only: frozenset[str] | None = None) -> dict[str, Any]:
        """One message; `only`: of what is selected, these properties alone."""
        derived = item.kind not in ("message", "chat")
        body: dict[str, Any] = {}
        if derived or self.typed:
            body["@odata.type"] = f"#microsoft.graph.{item.kind if derived else 'message'}"
        body["@odata.etag"] = f'W/"{ids.change_key(self.guid, item.sequence)}"'
        body["id"] = self.id_of(item.id, item.folder, item.place)
        names = self.select if self.select is not None else DEFAULT
        for name in names:
            if name in self.hidden or (only is not None and name not in only):
                continue
            maker = _MAKERS.get(name)
            if maker is not None:
                body[name] = maker(self, item)
        if derived:
            body |= self._event(item)
        return body

    def _event(self, item: Item) -> dict[str, Any]:
        found = kept_invitation(item.letter)
        if found is None:
            return {}
        values: dict[str, Any] = {
            "meetingMessageType": found.message_type,
            "type": "seriesMaster" if found.recurring else "singleInstance",
            "isOutOfDate": False, "isAllDay": found.all_day, "isDelegated": False, "startDateTime": found.start,
            "endDateTime": found.end,
            "location": {"displayName": found.location, "locationType": "default", "uniqueIdType": "unknown"},
            "recurrence": None,
        }  # fmt: skip
        if item.kind == "eventMessageRequest":
            values |= {
                "responseRequested": found.wants_reply, "allowNewTimeProposals": True,
                "meetingRequestType": "newMeetingRequest", "previousLocation": None, "previousStartDateTime": None,
                "previousEndDateTime": None,
            }  # fmt: skip
        if self.select is None:
            return values
        return {name: values[name] for name in EVENT if _CAST + name in self.select}


def stamp(milliseconds: int) -> str:
    """An instant as Outlook's resources show it: whole seconds, cut off."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _people(listing: list[dict[str, str]]) -> list[dict[str, Any]]:
    return [{"emailAddress": dict(one)} for one in listing]


def _one(listing: list[dict[str, str]]) -> dict[str, Any] | None:
    return {"emailAddress": dict(listing[0])} if listing else None


def _index(view: View, item: Item) -> str:
    """The conversation's beginning as far as the mailbox knows it, and each reply on the way to this message."""
    replies = view.mailboxes.sent_of(item.mailbox, list(dict.fromkeys(reversed(item.letter.parents))))
    began, *between = [*replies, item.sent]
    index = ids.conversation_index(item.thread, began, between)
    return base64.b64encode(index).decode("ascii")


_MAKERS: dict[str, Callable[[View, Item], Any]] = {
    "createdDateTime": lambda _view, item: stamp(item.created),
    "lastModifiedDateTime": lambda _view, item: stamp(item.modified),
    "changeKey": lambda view, item: ids.change_key(view.guid, item.sequence),
    "categories": lambda _view, item: item.categories,
    "receivedDateTime": lambda _view, item: stamp(item.received),
    "sentDateTime": lambda _view, item: stamp(item.sent),
    "hasAttachments": lambda _view, item: item.attachments,
    "internetMessageId": lambda _view, item: item.message_id or None,
    "subject": lambda _view, item: item.subject,
    "bodyPreview": lambda _view, item: item.letter.preview,
    "importance": lambda _view, item: item.importance,
    "parentFolderId": lambda view, item: ids.folder_id(view.guid, item.folder),
    "conversationId": lambda view, item: ids.conversation_id(view.guid, item.thread),
    "conversationIndex": _index,
    "isDeliveryReceiptRequested": lambda _view, item: item.letter.delivery_receipt,
    "isReadReceiptRequested": lambda _view, item: item.letter.read_receipt,
    "isRead": lambda _view, item: item.is_read,
    "isDraft": lambda _view, item: item.is_draft,
    "webLink": lambda view, item: (
        "https://outlook.office365.com/owa/?ItemID="
        f"{view.id_of(item.id, item.folder, item.place)}&exvsurl=1&viewmodel=ReadMessageItem"
    ),
    "inferenceClassification": lambda _view, item: item.inference,
    "body": lambda view, item: body_of(view.mailboxes.raw(item), as_text=view.text_bodies),
    "uniqueBody": lambda view, item: body_of(view.mailboxes.raw(item), as_text=view.text_bodies),
    "sender": lambda _view, item: _one(item.letter.senders),
    "from": lambda _view, item: _one(item.letter.sender),
    "toRecipients": lambda _view, item: _people(item.letter.to),
    "ccRecipients": lambda _view, item: _people(item.letter.cc),
    "bccRecipients": lambda _view, item: _people(item.letter.bcc),
    "replyTo": lambda _view, item: _people(item.letter.reply_to),
    "flag": lambda _view, item: {"flagStatus": "flagged" if item.flagged else "notFlagged"},
    "internetMessageHeaders": lambda _view, item: [
        {"name": name, "value": value} for name, value in item.letter.headers
    ],
}
