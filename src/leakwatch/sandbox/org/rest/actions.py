"""Standard invocable actions: posts to Chatter (actions guide, "Post to Chatter")."""

from __future__ import annotations

import re
from typing import Any

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.errors import OrgError, bad
from leakwatch.sandbox.org.rest.http import Call, Reply, router

MAX_TEXT = 10_000
MAX_MENTIONS = 25
_MENTION = re.compile(r"@\[([^\]]*)\]")
_TOPIC = re.compile(r"#\[([^\]]*)\]")


@router.on("GET", r"actions/standard")
def listed(call: Call) -> Reply:
    """The standard actions there are."""
    one = {"label": "Post to Chatter", "name": "chatterPost", "type": "CHATTERPOST"}
    return Reply(body={"actions": [one | {"url": f"{call.root}/actions/standard/chatterPost"}]})


@router.on("POST", r"actions/standard/chatterPost")
def chatter_post(call: Call) -> Reply:
    """One post per input; each input succeeds or fails by itself."""
    inputs = call.json_object().get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise bad("JSON_PARSER_ERROR", "The request needs a list of inputs")
    answers: list[dict[str, Any]] = []
    for one in inputs:
        try:
            with call.org.store.transaction():
                feed_item = _post(call, one if isinstance(one, dict) else {})
            errors, values = None, {"feedItemId": feed_item}
        except OrgError as error:
            errors, values = [error.row()], None
        answers.append(
            {"actionName": "chatterPost", "errors": errors, "isSuccess": errors is None, "outputValues": values}
        )
    # 400 where no input succeeded is what clients report; the status of a mixed answer is unverified
    return Reply(200 if any(answer["isSuccess"] for answer in answers) else 400, answers)


def _post(call: Call, one: dict[str, Any]) -> str:
    text, subject = one.get("text"), one.get("subjectNameOrId")
    missing = [name for name, value in (("text", text), ("subjectNameOrId", subject)) if not value]
    if missing or not isinstance(text, str) or not isinstance(subject, str):
        raise bad("REQUIRED_FIELD_MISSING", f"Missing required input parameter: {', '.join(missing)}", *missing)
    if len(text) > MAX_TEXT:
        raise bad("STRING_TOO_LONG", f"Text: data value too large (max length={MAX_TEXT})", "text")
    parent = _subject(call, subject, one.get("type"))
    if len(_MENTION.findall(text)) > MAX_MENTIONS:
        raise bad("LIMIT_EXCEEDED", f"A post can mention at most {MAX_MENTIONS} people and groups")
    body = _TOPIC.sub(lambda match: f"#{match[1]}", _MENTION.sub(lambda match: _mention(call, match[1]), text))
    return call.org.create("FeedItem", {"ParentId": parent, "Body": body}, user_id=call.caller)


def _subject(call: Call, subject: str, kind: Any) -> str:
    normal = ids.normalise(subject)
    if normal is not None and call.org.engine.lookup(normal) is not None:
        return normal
    if isinstance(kind, str) and kind.lower() == "user":
        found = call.org.store.find("User", call.org.schema.objects["User"].fields["Username"], subject)
        if found:
            return str(found[0]["Id"])
    raise bad("INVALID_ID_FIELD", f"The subject does not exist: {subject}", "subjectNameOrId")  # words unverified


def _mention(call: Call, record_id: str) -> str:
    """`@[005...]` becomes `@Name` in the body."""
    normal = ids.normalise(record_id)
    row = call.org.engine.lookup(normal) if normal and normal[:3] in ("005", "0F9") else None
    if row is None:
        raise bad("INVALID_ID_FIELD", f"Mention of an unknown user or group: {record_id}", "text")  # unverified
    return f"@{row['Name']}"
