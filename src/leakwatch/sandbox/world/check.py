"""Reading a world file strictly: every problem names its path, and the nearest known key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, cast

from leakwatch.sandbox.clock import ClockError, parse_instant

REFERENCE = re.compile(r"@[a-z]+:[A-Za-z0-9_.\-]+")


class WorldError(ValueError):
    """A world file that cannot be played; says everything that is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def nearest(word: str, known: Iterable[str]) -> str:
    """`, did you mean ...?`, or nothing."""
    near = get_close_matches(word, list(known), 1, 0.5)
    return f", did you mean {near[0]!r}?" if near else ""


class Node:
    """A value in the file with its path; collects problems instead of stopping at the first."""

    def __init__(self, value: Any, path: str, problems: list[str]) -> None:
        self.value = value
        self.path = path
        self.problems = problems

    def problem(self, text: str) -> None:
        """Note a problem here."""
        self.problems.append(f"{self.path or '(file)'}: {text}")

    def keys(self, required: Iterable[str], optional: Iterable[str] = ()) -> Node:
        """Check that this is an object with these keys and no others."""
        needed = list(required)
        known = [*needed, *optional]
        if not isinstance(self.value, dict):
            self.problem(f"must be an object, not {type(self.value).__name__}")
            self.value = {}
            return self
        body = cast(dict[str, Any], self.value)
        for key in body:
            if key not in known:
                self.problem(f"unknown key {key!r}{nearest(key, known)}")
        for key in needed:
            if key not in body:
                self.problem(f"needs the key {key!r}")
        return self

    def child(self, key: str) -> Node:
        """The value under a key (None where there is none)."""
        body: dict[str, Any] = self.value if isinstance(self.value, dict) else {}
        return Node(body.get(key), f"{self.path}.{key}" if self.path else key, self.problems)

    def items(self, key: str) -> Iterator[Node]:
        """The elements of a list under a key."""
        listing = self.child(key)
        if listing.value is None:
            return
        if not isinstance(listing.value, list):
            listing.problem("must be a list")
            return
        for index, value in enumerate(cast(list[Any], listing.value)):
            yield Node(value, f"{listing.path}[{index}]", self.problems)

    def entries(self, key: str) -> Iterator[tuple[str, Node]]:
        """The pairs of an object under a key."""
        listing = self.child(key)
        if listing.value is None:
            return
        if not isinstance(listing.value, dict):
            listing.problem("must be an object")
            return
        for name, value in cast(dict[str, Any], listing.value).items():
            yield name, Node(value, f"{listing.path}.{name}", self.problems)

    def text(self, *, choices: Iterable[str] | None = None, empty: bool = False) -> str:
        """A string, perhaps one of a few."""
        if not isinstance(self.value, str) or not (self.value or empty):
            self.problem("must be a text")
            return ""
        if choices is not None and self.value not in choices:
            known = list(choices)
            self.problem(f"{self.value!r} is not one of {', '.join(known)}{nearest(self.value, known)}")
        return self.value

    def boolean(self, default: bool) -> bool:
        """A yes or no."""
        if self.value is None:
            return default
        if not isinstance(self.value, bool):
            self.problem("must be true or false")
            return default
        return self.value

    def instant(self) -> datetime | None:
        """An ISO 8601 instant with its offset."""
        try:
            return parse_instant(str(self.value))
        except (ClockError, TypeError, AttributeError):
            self.problem(f"must be an ISO 8601 instant with its offset, not {self.value!r}")
            return None

    def day(self) -> date | None:
        """An ISO date."""
        try:
            return date.fromisoformat(str(self.value))
        except (ValueError, TypeError):
            self.problem(f"must be an ISO date, not {self.value!r}")
            return None

    def reference(self, known: Iterable[str] | None = None) -> str:
        """`@kind:name`; known ones only, where they are given."""
        if not isinstance(self.value, str) or not REFERENCE.fullmatch(self.value):
            self.problem(f"must be a reference such as '@acc:karaca', not {self.value!r}")
            return ""
        if known is not None and self.value not in known:
            self.problem(f"nothing is called {self.value!r}{nearest(self.value, known)}")
        return self.value

    def texts(self) -> list[str]:
        """A list of strings."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            self.problem("must be a list of texts")
            return []
        values = cast(list[Any], self.value)
        if not all(isinstance(value, str) for value in values):
            self.problem("must be a list of texts")
            return []
        return [str(value) for value in values]
