"""Posts to feeds: to whom, of what pieces, and within which limits, whichever way they come in.

A post's body is a list of message segments, as the Connect REST API has them: text, mentions, topics, links and
rich text markup. The feed item's Body is what they read like; the segments themselves are kept beside the row.
Sources: actions guide, "Post to Chatter"; Connect REST API guide, "Message Segment Input" and "Feed Item Input".
The codes and words of the refusals are unverified unless a comment says otherwise.
"""

from __future__ import annotations

import html
import json
import re
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.org import ids, late
from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.errors import bad, not_emulated

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org

MAX_TEXT = 10_000
MAX_MENTIONS = 25
MENTIONED = ("005", "0F9")
"""Key prefixes of what can be mentioned: users and Chatter groups."""
TAGS = {
    "Bold": "b",
    "Code": "code",
    "Hyperlink": "a",
    "Italic": "i",
    "ListItem": "li",
    "OrderedList": "ol",
    "Paragraph": "p",
    "Strikethrough": "s",
    "Underline": "u",
    "UnorderedList": "ul",
}
"""Types of rich text markup, with the HTML tags that stand for them in FeedItem.Body."""
_MARK = re.compile(r"(@|#)\[([^\]]*)\]")
Segment = dict[str, Any]


def marked(org: Org, text: str) -> list[Segment]:
    """The segments of a text with `@[id]` for mentions and `#[topic]` for topics."""
    found: list[Segment] = []
    end = 0
    for mark in _MARK.finditer(text):
        if mark.start() > end:
            found.append(_text(text[end : mark.start()]))
        found.append(_mention(org, mark[2]) if mark[1] == "@" else _topic(mark[2]))
        end = mark.end()
    if text[end:]:
        found.append(_text(text[end:]))
    return found


def given(org: Org, body: Any) -> list[Segment]:
    """The segments of a Message Body Input."""
    listed: Any = body.get("messageSegments") if isinstance(body, dict) else None
    if not isinstance(listed, list) or not listed:
        raise bad("POST_BODY_PARSE_ERROR", "The body needs a list of messageSegments")
    found: list[Segment] = []
    open_tags: list[str] = []
    for one in listed:
        if not isinstance(one, dict):
            raise bad("POST_BODY_PARSE_ERROR", "A message segment must be an object")
        kind = one.get("type")
        if kind == "Text":
            found += _with_topics(str(one.get("text") or ""))
        elif kind == "Mention":
            found.append(_mention(org, str(one.get("id") or ""), one.get("username")))
        elif kind == "Link":
            url = str(one.get("url") or "")
            found.append({"type": "Link", "text": url, "url": url})
        elif kind == "HashTag":
            found.append(_topic(str(one.get("tag") or "")))
        elif kind in ("MarkupBegin", "MarkupEnd"):
            found.append(_markup(kind, one, open_tags))
        else:
            raise not_emulated(f"message segments of the type {kind}")
    if open_tags:
        raise bad("INVALID_MARKUP", f"Markup is not closed: {open_tags[-1]}")
    return found


def plain(segments: list[Segment]) -> str:
    """What the segments read like, without markup."""
    return "".join(str(one["text"]) for one in segments)


def body_of(segments: list[Segment]) -> tuple[str, bool]:
    """FeedItem.Body for these segments, and whether it is rich text."""
    if not any(one["type"].startswith("Markup") for one in segments):
        return plain(segments), False
    written: list[str] = []
    for one in segments:
        tag = TAGS.get(one.get("markupType", ""), "")
        if one["type"] == "MarkupBegin":
            link = f' href="{html.escape(one["url"])}"' if tag == "a" else ""
            written.append(f"<{tag}{link}>")
        elif one["type"] == "MarkupEnd":
            written.append(f"</{tag}>")
        else:
            written.append(html.escape(str(one["text"]), quote=False))
    return "".join(written), True


def post(org: Org, caller: Caller, parent: str, segments: list[Segment]) -> str:
    """Add a feed item; its id."""
    if len(plain(segments)) > MAX_TEXT:
        raise bad("STRING_TOO_LONG", f"Text: data value too large (max length={MAX_TEXT})", "text")
    if sum(1 for one in segments if one["type"] == "Mention") > MAX_MENTIONS:
        raise bad("LIMIT_EXCEEDED", f"A post can mention at most {MAX_MENTIONS} people and groups")
    body, rich = body_of(segments)
    delay = org.settings.feed_item_delay_seconds
    with org.store.transaction(), late.held_back(org, delay) if delay else nullcontext():
        item = org.create("FeedItem", {"ParentId": parent, "Body": body, "IsRichText": rich}, user_id=caller)
        org.store.execute("INSERT INTO _segments VALUES (?, ?)", (item, json.dumps(segments)))
    return item


def segments_of(org: Org, row: dict[str, Any]) -> list[Segment]:
    """The segments of a feed item; its Body as one, where it was not posted in pieces."""
    kept = org.store.execute("SELECT segments FROM _segments WHERE id = ?", (row["Id"],)).fetchone()
    if kept is not None:
        return json.loads(kept["segments"])
    return [_text(row["Body"])] if row["Body"] else []


def subject(org: Org, caller: Caller, name: str, kind: str = "") -> str:
    """Whose feed: an id, `me`, a username with the kind `User`, a group's name with the kind `Group`."""
    normal = ids.normalise(name)
    if normal is not None and org.engine.lookup(normal) is not None:
        return normal
    if name == "me":
        return caller.user_id
    by_name = {"user": ("User", "Username"), "group": ("CollaborationGroup", "Name")}.get(kind.lower())
    if by_name is not None:
        sobject, field = by_name
        found = org.store.find(sobject, org.schema.objects[sobject].fields[field], name)
        if found:
            return str(found[0]["Id"])
    raise bad("INVALID_ID_FIELD", f"Invalid identifier: {name}", "subjectNameOrId")


def _text(text: str) -> Segment:
    return {"type": "Text", "text": text}


def _topic(topic: str) -> Segment:
    if not topic:
        raise bad("INVALID_API_INPUT", "A topic needs a name")
    return {"type": "Hashtag", "tag": topic, "text": f"#{topic}"}


def _with_topics(text: str) -> list[Segment]:
    """A text input; `#[topic]` in it becomes a topic, as the guide says, and `@[...]` stays text."""
    found: list[Segment] = []
    end = 0
    for mark in _MARK.finditer(text):
        if mark[1] == "#" and mark[2]:
            found += [_text(text[end : mark.start()]), _topic(mark[2])]
            end = mark.end()
    found.append(_text(text[end:]))
    return [one for one in found if one["text"]]


def _mention(org: Org, record_id: str, username: Any = None) -> Segment:
    normal = ids.normalise(record_id)
    if normal is None and isinstance(username, str):
        found = org.store.find("User", org.schema.objects["User"].fields["Username"], username)
        normal = str(found[0]["Id"]) if found else None
    row = org.engine.lookup(normal) if normal and normal[:3] in MENTIONED else None
    if row is None:
        raise bad("INVALID_ID_FIELD", f"Mention of an unknown user or group: {record_id or username}", "text")
    return {"type": "Mention", "id": row["Id"], "name": row["Name"], "text": f"@{row['Name']}"}


def _markup(kind: str, one: Segment, open_tags: list[str]) -> Segment:
    markup = one.get("markupType")
    if not isinstance(markup, str) or markup not in TAGS:
        raise bad("INVALID_MARKUP", f"Unknown markupType: {markup}")
    url = str(one.get("url") or "")
    if kind == "MarkupBegin":
        if markup == "Hyperlink" and not url.startswith(("http://", "https://")):
            raise bad("INVALID_MARKUP", "A hyperlink needs a url that starts with http:// or https://")
        open_tags.append(markup)
    elif not open_tags or open_tags.pop() != markup:
        raise bad("INVALID_MARKUP", f"Markup ends that was not begun: {markup}")
    more = {"url": url} if kind == "MarkupBegin" and markup == "Hyperlink" else {}
    return {"type": kind, "markupType": markup, "htmlTag": TAGS[markup], "text": "", **more}
