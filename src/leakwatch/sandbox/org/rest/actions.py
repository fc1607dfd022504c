"""Standard invocable actions: posts to Chatter and custom notifications (actions guide)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leakwatch.sandbox.org import chatter, notifications
from leakwatch.sandbox.org.errors import OrgError, bad, not_emulated
from leakwatch.sandbox.org.rest.http import Call, Reply, router

Values = dict[str, Any]
_ACTIONS = (
    ("chatterPost", "Post to Chatter", "CHATTERPOST"),
    ("customNotificationAction", "Send Custom Notification", "CUSTOMNOTIFICATION"),
)


@router.on("GET", r"actions/standard")
def listed(call: Call) -> Reply:
    """The standard actions there are."""
    found = [
        {"label": label, "name": name, "type": kind, "url": f"{call.root}/actions/standard/{name}"}
        for name, label, kind in _ACTIONS
    ]
    return Reply(body={"actions": found})


@router.on("POST", r"actions/standard/chatterPost")
def chatter_post(call: Call) -> Reply:
    """One post per input; each input succeeds or fails by itself."""
    return _each(call, "chatterPost", lambda one: {"feedItemId": _post(call, one)})


@router.on("POST", r"actions/standard/customNotificationAction")
def custom_notification(call: Call) -> Reply:
    """One notification per input."""

    def one(given: Values) -> Values:
        notifications.send(call.org, call.caller, given)
        return {"SuccessMessage": "Your custom notification is processed successfully."}

    return _each(call, "customNotificationAction", one)


def _each(call: Call, name: str, action: Callable[[Values], Values]) -> Reply:
    """The result of each input, in the shape that all actions answer with."""
    inputs = call.json_object().get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise bad("JSON_PARSER_ERROR", "The request needs a list of inputs")
    answers: list[Values] = []
    for one in inputs:
        values: Values | None = None
        errors: list[Values] | None = None
        try:
            with call.org.store.transaction():
                values = action(one if isinstance(one, dict) else {})
        except OrgError as error:
            errors = error.rows()
        answers.append({"actionName": name, "errors": errors, "isSuccess": errors is None, "outputValues": values})
    # 400 where no input succeeded is what clients report; the status of a mixed answer is unverified
    return Reply(200 if any(answer["isSuccess"] for answer in answers) else 400, answers)


def _post(call: Call, one: Values) -> str:
    text, subject = one.get("text"), one.get("subjectNameOrId")
    missing = [name for name, value in (("text", text), ("subjectNameOrId", subject)) if not value]
    if missing or not isinstance(text, str) or not isinstance(subject, str):
        raise bad("REQUIRED_FIELD_MISSING", f"Missing required input parameter: {', '.join(missing)}", *missing)
    for name in ("communityId", "visibility"):  # valid only with Digital Experiences, which no org has here
        if one.get(name):
            raise not_emulated(f"Experience Cloud sites ({name} of a post)")
    if len(text) > chatter.MAX_TEXT:
        raise bad("STRING_TOO_LONG", f"Text: data value too large (max length={chatter.MAX_TEXT})", "text")
    parent = chatter.subject(call.org, call.caller, subject, str(one.get("type") or ""))
    return chatter.post(call.org, call.caller, parent, chatter.marked(call.org, text))
