"""Where the reading of an Outlook mailbox stands, as the text that a cursor keeps. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, cast

from leakwatch.errors import CursorError

VERSION = 1


@dataclass(frozen=True, slots=True)
class FolderState:
    """A folder that is followed, and the link that gives what changed in it; an empty link: read it whole first."""

    folder: str
    link: str = ""
    given: int = 0
    """Messages that this link's filter has let through so far (see `MAX_GIVEN` of the source)."""
    following: str = ""
    """A link begun anew, which takes over once the old one was read to its end."""


@dataclass(frozen=True, slots=True)
class Folders:
    """All followed folders, in the order they are read."""

    folders: tuple[FolderState, ...]

    def dump(self) -> str:
        """Return it as text."""
        rows = [[one.folder, one.link, one.given, one.following] for one in self.folders]
        return json.dumps({"v": VERSION, "folders": rows}, separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Folders:
        """Return what `dump` wrote; raises CursorError for anything else."""

        def read(found: Any) -> Folders:
            rows = [(str(a), str(b), int(c), str(d)) for a, b, c, d in found["folders"]]
            return cls(tuple(FolderState(*row) for row in rows))

        return _read(text, read)

    def put(self, state: FolderState) -> Folders:
        """Return these with one folder's state replaced."""
        return Folders(tuple(state if one.folder == state.folder else one for one in self.folders))

    def drop(self, folder: str) -> Folders:
        """Return these without one."""
        return Folders(tuple(one for one in self.folders if one.folder != folder))


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of the backfill: what was received from `start` on and before `end`."""

    start: str
    end: str
    size: int
    """Messages per page."""
    link: str = ""
    """Of the next page; empty: the window's first."""
    expected: int = 0
    """How many Graph counted when the window was begun."""
    seen: int = 0
    tries: int = 0
    """How often it was begun again because fewer came than were counted."""

    def dump(self) -> str:
        """Return it as text."""
        return json.dumps({"v": VERSION} | asdict(self), separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Window:
        """Return what `dump` wrote; raises CursorError for anything else."""

        def read(found: Any) -> Window:
            del found["v"]
            window = cls(**found)
            for moment in (window.start, window.end):
                datetime.fromisoformat(moment)
            return window

        return _read(text, read)

    def again(self, *, size: int | None = None, tries: int = 0) -> Window:
        """Return the same window at its beginning."""
        return replace(self, size=size or self.size, link="", expected=0, seen=0, tries=tries)


@dataclass(frozen=True, slots=True)
class Place:
    """Inside a round of changes: the folder that is read, and its next page's link, if it was begun."""

    folder: str
    link: str = ""

    def dump(self) -> str:
        """Return it as text."""
        return json.dumps({"v": VERSION, "folder": self.folder, "link": self.link}, separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Place:
        """Return what `dump` wrote; raises CursorError for anything else."""
        return _read(text, lambda found: cls(str(found["folder"]), str(found["link"])))


def _read(text: str, make: Any) -> Any:
    try:
        found: Any = json.loads(text)
        if cast(dict[str, Any], found)["v"] != VERSION:
            raise ValueError("another layout")
        return make(found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CursorError("the stored place in an Outlook mailbox can't be read; its window is read anew") from error
