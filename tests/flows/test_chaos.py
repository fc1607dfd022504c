"""Whatever goes wrong for days, the org ends as it is reckoned from the mailboxes alone (see `chaos_stories`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.chaos_stories import TROUBLES, play

SHORT = {  # days; the outage lasts its ten
    "ten days of Salesforce outage": 10,
    "an old journal restored": 6,
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_after_days_of_trouble_the_org_is_what_the_mailboxes_say(
    trouble: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    story = play(tmp_path, "suite", only=(trouble,), days=SHORT.get(trouble, 3))
    record_property("chaos_days", story.day)
    assert len(story.expected) > 3
    assert story.wrong() == []


def test_troubles_that_fall_together_change_nothing_either(tmp_path: Path) -> None:
    together = ("killed", "throttled parts", "cursors expired at each phase", "two leakwatches on one org")
    story = play(tmp_path, "suite, together", only=together, days=3)
    assert len(story.expected) > 3
    assert story.wrong() == []
