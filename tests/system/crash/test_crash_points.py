"""Killed with SIGKILL at every fault point and run again, each command ends as an undisturbed run does.

A command is what a job or a person starts: `mirror`, `capture` (the rest of `sync` after its mirror), `audit`, `act`.
It is killed in the state in which it would have been started, run again, and everything it leaves behind is compared:
every row of the org, and every row of the state file, with Salesforce's new ids replaced by labels. As that is all the
next command starts from, days of killed commands end like an undisturbed day.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from system.crash.scenes import Scene, Story, summary, what_differs
from system.crash.theatre import Theatre

CHUNKS = 8  # so that two processes share the work evenly
BOUNDARIES = {  # each write boundary of DESIGN's two halves, by the name of one of its points
    "journal.commit_page.inside", "journal.record_matches.before", "write_log.begin.before", "write_log.begin.after",
    "writer.collection.answered", "writer.posts.answered", "write_log.finish.before", "write_log.finish.after",
    "capture.after_owners", "mirror.merge.before_commit", "mirror.merge.after_commit", "mirror.publish.before_rename",
    "mirror.publish.after_rename", "findings.evaluation.written", "findings.evaluation.committed",
    "findings.deliveries.written", "findings.deliveries.committed", "findings.delivery.recorded",
    "act.messages.planned",
}  # fmt: skip


def kill_and_run_again(theatre: Theatre, scene: Scene, place: int) -> list[str]:
    """Kill `scene` at its `place`-th fault point, run it again, and return how the end differs from the undisturbed."""
    theatre.restore(scene.title, org=scene.writes)
    killed = theatre.run(scene.command, kill_at=place)
    if killed.signal != signal.SIGKILL or killed.points != scene.points[:place]:
        return [f"was not killed there: {killed}"]
    again = theatre.run(scene.command)
    if again.exit != 0:
        return [f"can't be run again: {again.exit} {again.error} {again.words}"]
    return what_differs(theatre, scene)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_killed_at_any_point_and_run_again_it_ends_as_undisturbed(
    theatre: Theatre, story: Story, chunk: int, record_property: Callable[[str, object], None]
) -> None:
    tried = 0
    wrong: list[str] = []
    for scene in story.scenes:
        if not scene.writes:
            theatre.restore(scene.title)
            theatre.forget_calls()
        for place in range(1 + chunk, len(scene.points) + 1, CHUNKS):
            tried += 1
            differences = kill_and_run_again(theatre, scene, place)
            if differences:
                wrong.append("\n".join([f"{scene.title}, killed at {place}, {scene.points[place - 1]}:", *differences]))
        if not scene.writes:
            assert theatre.written() == {}, f"{scene.title} must not write to Salesforce"
    record_property("kill_points", tried)
    assert not wrong, f"{len(wrong)} of {tried} kills left their mark:\n" + "\n\n".join(wrong)


def test_the_story_that_is_killed_passes_every_boundary_and_does_every_kind_of_write(story: Story) -> None:
    reached = {point for scene in story.scenes for point in scene.points}
    assert not BOUNDARIES - reached
    assert summary(story.scene(0, "capture").result)["written.EmailMessage"] > 50
    assert summary(story.scene(0, "capture").result)["written.Event"] > 10
    assert "written.Event.changed" in summary(story.scene(3, "capture").result)
    assert {"tasks_made", "posts_made"} <= summary(story.scene(3, "act").result).keys()
    assert {"tasks_made", "posts_made", "tasks_closed"} <= summary(story.scene(10, "act").result).keys()


def test_each_audit_of_the_story_sees_what_is_planted_and_nothing_else(story: Story) -> None:
    assert len(story.seen[0]) > 20
    assert story.seen == story.planted
