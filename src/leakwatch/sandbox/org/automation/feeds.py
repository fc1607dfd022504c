"""Feed items and their comments (object reference, FeedItem and FeedComment).

Codes are of the API's list of status codes; which of them answers a rich text tag that is not allowed and a feed
that is switched off is unverified, as are the words.
"""

from __future__ import annotations

import re

from leakwatch.sandbox.org.caller import Caller
from leakwatch.sandbox.org.engine import Change, Engine, Row, Rules
from leakwatch.sandbox.org.errors import bad, not_emulated

RICH_TAGS = frozenset(("p", "a", "b", "code", "i", "u", "s", "ul", "ol", "li", "img"))
_TAG = re.compile(r"</?([A-Za-z][\w-]*)([^>]*)>")
_FILE = re.compile(r"""\bsrc\s*=\s*["']sfdc://069\w{12,15}["']""")
_ALWAYS = ("User", "CollaborationGroup")
"""Feeds that no feed tracking switches off."""


def prepare_post(engine: Engine, change: Change) -> None:
    """What a post needs by its type; who wrote it is who inserted it, unless audit fields say otherwise."""
    row = change.row
    if change.creating:
        if row.get("LinkUrl"):
            row["Type"] = "LinkPost"
        _creatable(row)
        _feed_is_on(engine, row.get("ParentId"))
        row["InsertedById"] = change.caller.user_id
    if row.get("Type") in ("TextPost", "AdvancedTextPost") and not row.get("Body"):
        raise bad("REQUIRED_FIELD_MISSING", "Required fields are missing: [Body]", "Body")
    if row.get("IsRichText"):
        _rich(row.get("Body") or "", "Body")


def prepare_comment(engine: Engine, change: Change) -> None:
    """A comment belongs to the record that its feed item belongs to."""
    row = change.row
    if change.creating:
        item = engine.lookup(row.get("FeedItemId"))
        if item is not None:
            row["ParentId"] = item["ParentId"]
            _feed_is_on(engine, item["ParentId"])
        row["InsertedById"] = change.caller.user_id
        if not row.get("CommentBody"):
            raise bad("REQUIRED_FIELD_MISSING", "Required fields are missing: [CommentBody]", "CommentBody")
    if row.get("IsRichText"):
        _rich(row.get("CommentBody") or "", "CommentBody")


def settle_comment(engine: Engine, change: Change) -> None:
    """The feed item counts its comments."""
    if change.creating:
        _count(engine, change.row["FeedItemId"])


def removed_comment(engine: Engine, row: Row, _caller: Caller) -> None:
    """And counts them anew when one is gone."""
    _count(engine, row["FeedItemId"])


def _count(engine: Engine, item: str) -> None:
    link = engine.schema.objects["FeedComment"].fields["FeedItemId"]
    engine.store.update("FeedItem", item, {"CommentCount": len(engine.store.find("FeedComment", link, item))})


def _creatable(row: Row) -> None:
    kind = row.get("Type")
    if kind == "ContentPost":
        raise not_emulated("posts with files (ContentPost)")
    if kind == "LinkPost" and not row.get("LinkUrl"):
        raise bad("REQUIRED_FIELD_MISSING", "Required fields are missing: [LinkUrl]", "LinkUrl")
    if kind == "PollPost":
        raise bad("FIELD_INTEGRITY_EXCEPTION", "Type: a poll can't be created as a feed item", "Type")


def _feed_is_on(engine: Engine, parent: str | None) -> None:
    if not engine.settings.chatter_posts_allowed:  # a probe: code and words are unverified
        raise bad("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
    sobject = engine.schema.of_id(parent) if parent else None
    if sobject is not None and sobject.name not in _ALWAYS and sobject.name in engine.settings.feed_tracking_off:
        said = f"Feed tracking is not enabled for {sobject.label}"
        raise bad("FEED_NOT_ENABLED_FOR_OBJECT", said, "ParentId")


def _rich(body: str, field: str) -> None:
    for tag in _TAG.finditer(body):
        name = tag[1].lower()
        picture = name == "img" and not tag[0].startswith("</")
        if name not in RICH_TAGS or (picture and not _FILE.search(tag[2])):
            raise bad("INVALID_MARKUP", f"The markup is not supported: {tag[0]}", field)


FEED_ITEM = Rules(prepare=prepare_post)
FEED_COMMENT = Rules(prepare=prepare_comment, settle=settle_comment, removed=removed_comment)
RULES = {"FeedItem": FEED_ITEM, "FeedComment": FEED_COMMENT}
