"""Google's pages of lists, looked at before use: what is no page must not pass for an empty one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from leakwatch.errors import TransientError

#: historyTypes (Gmail API, history.list) and where a history record holds what changed so
HISTORY_KEYS = {
    "messageAdded": "messagesAdded",
    "messageDeleted": "messagesDeleted",
    "labelAdded": "labelsAdded",
    "labelRemoved": "labelsRemoved",
}
_ONE_OF = frozenset({"messages", "nextPageToken", "resultSizeEstimate"})
"""In every page of messages.list: of no mail at all Gmail says `{"resultSizeEstimate": 0}`."""


def rows(holder: Mapping[str, Any], name: str, operation: str) -> list[Mapping[str, Any]]:
    """Return the list of objects under `name`, which Google leaves out where it is empty.

    Raises:
        TransientError: there is something else.
    """
    found: Any = holder.get(name) or []
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in cast(list[Any], found)):
        raise TransientError(f"Google answered {operation} with something else than a list of {name}")
    return cast(list[Mapping[str, Any]], found)


def of_mails(page: dict[str, Any]) -> dict[str, Any]:
    """Return a page of messages.list; raises TransientError for what would read as a mailbox that ends here."""
    if not page.keys() & _ONE_OF:
        raise TransientError("Gmail answered messages.list with something that is no list of mails")
    rows(page, "messages", "messages.list")
    return page


def of_history(page: dict[str, Any]) -> dict[str, Any]:
    """Return a page of history.list; raises TransientError for what is none, or where a change is not one of a mail.

    The history id is in every page (Gmail API, history.list): without it, nothing says that nothing happened.
    """
    if not page.get("historyId"):
        raise TransientError("Gmail answered history.list with something that is no history")
    for record in rows(page, "history", "history.list"):
        for key in HISTORY_KEYS.values():
            for change in rows(record, key, "history.list"):
                if not isinstance(change.get("message"), dict):
                    raise TransientError("Gmail answered history.list with a change of no mail")
    return page
