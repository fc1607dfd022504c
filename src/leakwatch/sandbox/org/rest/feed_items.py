"""How the Connect REST API shows a feed item: the representation "Feed Item" and what it is made of.

Keys and their order are those of published answers (v49 and v62); what has no counterpart here is null or empty.
"""

from __future__ import annotations

from typing import Any

from leakwatch.sandbox.org import chatter
from leakwatch.sandbox.org.limits import app_name
from leakwatch.sandbox.org.rest.http import Call

Json = dict[str, Any]


def feed_item(call: Call, row: Json) -> Json:
    """One row of FeedItem."""
    url = f"{call.root}/chatter/feed-elements/{row['Id']}"
    actor, parent = _entity(call, row["CreatedById"]), _entity(call, row["ParentId"])
    segments = [_shown(call, one) for one in chatter.segments_of(call.org, row)]
    text = chatter.plain(segments)
    link = {"type": "EntityLink", "text": parent["name"], "motif": None}
    link["reference"] = {"id": parent["id"], "url": parent["url"]}
    return {
        "actor": actor,
        "body": {"isRichText": bool(row["IsRichText"]), "messageSegments": segments, "text": text},
        "capabilities": _capabilities(row, url),
        "clientInfo": {"applicationName": app_name(call.org, call.caller.app) or None, "applicationUrl": None},
        "createdDate": _instant(row["CreatedDate"]),
        "event": False,
        "feedElementType": "FeedItem",
        "hasVerifiedComment": False,
        "header": {"isRichText": None, "messageSegments": [link], "text": parent["name"]},
        "id": row["Id"],
        "isDeleteRestricted": False,
        "isSharable": True,
        "modifiedDate": _instant(row["LastModifiedDate"]),
        "originalFeedItem": None,
        "originalFeedItemActor": None,
        "parent": parent,
        "photoUrl": None,
        "relativeCreatedDate": None,
        "type": row["Type"],
        "url": url,
        "visibility": "AllUsers",
    }


def _shown(call: Call, segment: Json) -> Json:
    if segment["type"] == "Mention":
        record = _entity(call, segment["id"])
        return {"accessible": True, **segment, "record": record, "user": record if record["type"] == "User" else None}
    return segment


def _entity(call: Call, record_id: str) -> Json:
    """A user as User Summary, anything else as Record Summary (shortened)."""
    sobject = call.org.schema.of_id(record_id)
    row = call.org.store.get(sobject.name, record_id) if sobject else None
    name = (row or {}).get("Name") or (row or {}).get("Subject")
    kind = sobject.name if sobject else None
    if kind != "User" or row is None:
        return {"id": record_id, "mySubscription": None, "name": name, "type": kind, "url": _url(call, kind, record_id)}
    return {
        "companyName": row.get("CompanyName"),
        "displayName": name,
        "firstName": row["FirstName"],
        "id": record_id,
        "isActive": bool(row["IsActive"]),
        "isInThisCommunity": True,
        "lastName": row["LastName"],
        "mySubscription": None,
        "name": name,
        "title": row.get("Title"),
        "type": "User",
        "url": _url(call, kind, record_id),
        "userType": "Internal",
    }


def _url(call: Call, kind: str | None, record_id: str) -> str:
    place = {"User": "users", "CollaborationGroup": "groups"}.get(kind or "", "records")
    return f"{call.root}/chatter/{place}/{record_id}"


def _capabilities(row: Json, url: str) -> Json:
    def page(path: str, total: int = 0) -> Json:
        nothing = dict.fromkeys(("nextPageToken", "nextPageUrl", "previousPageToken", "previousPageUrl"))
        here = {"currentPageToken": None, "currentPageUrl": f"{url}/capabilities/{path}/items"}
        return here | {"items": []} | nothing | {"total": total}

    return {
        "chatterLikes": {
            "isLikedByCurrentUser": False,
            "likesMessage": None,
            "myLike": None,
            "page": page("chatter-likes", row["LikeCount"] or 0),
        },
        "comments": {"page": page("comments", row["CommentCount"] or 0)},
        "status": {"feedEntityStatus": row["Status"], "isApprovableByMe": True},
    }


def _instant(kept: str) -> str:
    return kept.replace("+0000", "Z")
