"""What a kill leaves behind, taken without killing: the state folder and the org as they stand at each fault point.

A process that is killed with SIGKILL leaves what it handed to the kernel and to Salesforce, and nothing else. So the
files of its state folder, copied while it stands still at a fault point, are what a kill there would leave; fault
points between which neither changed leave the same, and what follows them is the same too. One run of a command so
gives the ends of all its kills. `test_crash_points.py` kills for real, too, and compares.
"""

from __future__ import annotations

from dataclasses import dataclass

from system.crash.theatre import Ended, Theatre


@dataclass(slots=True)
class Image:
    """What a kill at any of the fault points from the `first`-th to the `last`-th leaves; kept under these names."""

    first: int
    last: int
    state: str
    org: str

    @property
    def kills(self) -> int:
        """How many fault points leave this."""
        return self.last - self.first + 1


def photographed(theatre: Theatre, command: str, title: str) -> tuple[Ended, list[Image]]:
    """Run a command undisturbed; return how it ended, and the images of all its fault points, in their order.

    The state before it must have been kept under the name `title`.
    """
    images: list[Image] = []
    seen = ("", theatre.written())
    org = title
    place = 0

    def photograph(_point: str) -> None:
        nonlocal place, seen, org
        place += 1
        name = f"{title}-at-{place}"
        now = (theatre.keep_state(name), theatre.written())
        if images and now == seen:
            images[-1].last = place
            return
        if now[1] != seen[1]:
            theatre.save_org(name)
            org = name
        images.append(Image(place, place, name, org))
        seen = now

    return theatre.run(command, watch=photograph), images
