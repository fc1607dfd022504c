"""Tells people by a post on the record's feed that mentions them. Everybody who follows the record reads it.

The post ends with a short marker by which the writer finds it, should the answer to a post be lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from leakwatch.core.fingerprint import marker
from leakwatch.core.task_updates import UPDATE_KINDS
from leakwatch.core.tasks import TaskWords
from leakwatch.core.text import cut
from leakwatch.errors import RecordError
from leakwatch.model import Delivery, Verb, WriteOp

MAX_TEXT = 10_000  # Actions Developer Guide, "Post to Chatter"
MAX_MENTIONS = 25  # Chatter REST API Developer Guide, mentions in one post
_MARKUP = re.compile(r"([@#])\[")  # "@[id]" mentions and "#[topic]" tags: never out of CRM text


class Settings(BaseModel):
    """How posts look. Whether they are made is `writes.chatter_post`, whether they name amounts is in `actions`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_mentions: int = Field(5, ge=1, le=MAX_MENTIONS, description="People mentioned in one post, at most")


class ChatterPost:
    """One post for one delivery."""

    name = "chatter_post"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def plan(self, delivery: Delivery) -> Sequence[WriteOp]:
        """Return the post. `WriteOp.key` is the marker at the end of its text.

        Raises:
            RecordError: there is no record to post on, or the delivery is an update of a Task.
        """
        if not delivery.record_id or delivery.kind in UPDATE_KINDS:
            raise RecordError(f"delivery {delivery.key} ({delivery.kind}) can't be a post", code="NO_FEED")
        people = " ".join(f"@[{user_id}]" for user_id in delivery.mentions[: self._settings.max_mentions])
        mark = marker(delivery.key)
        room = MAX_TEXT - len(people) - len(mark) - 2
        body = cut(_MARKUP.sub(r"\1 [", delivery.body), room)
        return [
            WriteOp(
                op_id=delivery.key,
                sobject="FeedItem",
                verb=Verb.POST,
                key=mark,
                fields={"subjectNameOrId": delivery.record_id, "text": f"{people} {body}\n{mark}".lstrip()},
                reason=f"alert ({delivery.kind}) on {delivery.record_id}",
            )
        ]


def create(settings: Settings, words: TaskWords) -> ChatterPost:
    """Return the action. It needs none of the org's Task words."""
    del words
    return ChatterPost(settings)
