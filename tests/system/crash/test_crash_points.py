"""Killed with SIGKILL at any fault point and run again, each command ends as an undisturbed run does.

A command is what a job or a person starts: `mirror`, `capture` (the rest of `sync` after its mirror), `audit`, `act`.
What a kill at each of its fault points leaves is known from one run (`images.py`); a sample is killed for real and must
leave the same. Run again from there, everything that it then leaves is compared: every row of the org, and every row of
the state file, with Salesforce's new ids replaced by labels. As that is all the next command starts from, days of
killed commands end like an undisturbed day.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from system.crash.images import Image
from system.crash.scenes import Scene, Story, summary, what_differs
from system.crash.theatre import Facts, Theatre, difference

CHUNKS = 8  # so that two processes share the work evenly
SAMPLED = 16  # every which image of a scene is compared with a real kill, beginning at one of the first...
FEWEST = 7  # ... seven, which each scene has
BOUNDARIES = {  # each write boundary of DESIGN's two halves, by the name of one of its points
    "journal.commit_page.inside", "journal.record_matches.before", "write_log.begin.before", "write_log.begin.after",
    "writer.collection.answered", "writer.posts.answered", "write_log.finish.before", "write_log.finish.after",
    "capture.after_owners", "mirror.merge.before_commit", "mirror.merge.after_commit", "mirror.publish.before_rename",
    "mirror.publish.after_rename", "findings.evaluation.written", "findings.evaluation.committed",
    "findings.deliveries.written", "findings.deliveries.committed", "findings.delivery.recorded",
    "act.messages.planned",
}  # fmt: skip


def run_again(theatre: Theatre, scene: Scene, image: Image) -> list[str]:
    """Run `scene` again on what a kill left, and return how the end differs from the undisturbed."""
    theatre.restore(image.state, org=image.org if scene.writes else None)
    again = theatre.run(scene.command)
    if again.exit != 0:
        return [f"can't be run again: {again.exit} {again.error} {again.words}"]
    return what_differs(theatre, scene)


def left_behind(theatre: Theatre, scene: Scene) -> Facts:
    """Return everything of the present state that is compared."""
    org, labels = theatre.org() if scene.writes else ({}, scene.labels)
    return {**org, **theatre.facts(labels, mirror=scene.command == "mirror")}


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_killed_at_any_point_and_run_again_it_ends_as_undisturbed(
    theatre: Theatre, story: Story, chunk: int, record_property: Callable[[str, object], None]
) -> None:
    tried = 0
    wrong: list[str] = []
    for scene in story.scenes:
        if not scene.writes:
            theatre.restore(scene.title, org=scene.title)
            theatre.forget_calls()
        for image in scene.images[chunk::CHUNKS]:
            tried += image.kills
            differences = run_again(theatre, scene, image)
            if differences:
                names = ", ".join(scene.points[image.first - 1 : image.last])
                wrong.append(
                    "\n".join([f"{scene.title}, killed at {image.first} to {image.last}, {names}:", *differences])
                )
        if not scene.writes:
            assert theatre.written() == {}, f"{scene.title} must not write to Salesforce"
    record_property("kill_points", tried)
    assert not wrong, f"{len(wrong)} kills left their mark:\n" + "\n\n".join(wrong)


def test_killed_for_real_a_command_leaves_what_its_image_shows(theatre: Theatre, story: Story) -> None:
    killed = 0
    for number, scene in enumerate(story.scenes):
        theatre.restore(scene.title, org=scene.title)
        for image in scene.images[number % FEWEST :: SAMPLED]:
            killed += 1
            theatre.restore(image.state, org=image.org if scene.writes else None)
            shown = left_behind(theatre, scene)
            theatre.restore(scene.title, org=scene.title if scene.writes else None)
            ended = theatre.run(scene.command, kill_at=image.last)
            assert (ended.signal, ended.points) == (signal.SIGKILL, scene.points[: image.last])
            differences = difference(shown, left_behind(theatre, scene))
            assert not differences, f"{scene.title}, killed at {image.last}:\n" + "\n".join(differences)
    assert killed >= len(story.scenes)


def test_the_images_show_every_fault_point_once(story: Story) -> None:
    for scene in story.scenes:
        shown = [place for image in scene.images for place in range(image.first, image.last + 1)]
        assert shown == list(range(1, len(scene.points) + 1)), scene.title
        assert len(scene.images) >= FEWEST, scene.title


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
