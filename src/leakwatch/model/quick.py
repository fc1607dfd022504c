"""Changing frozen records fast: capture does so a dozen times for each mail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar

Noun = TypeVar("Noun")


def changer(cls: type[Noun]) -> Callable[..., Noun]:
    """Return what does for `cls` alone as `dataclasses.replace` does for any class, in a third of the time."""
    names = tuple(one.name for one in fields(cls))  # pyright: ignore[reportArgumentType]
    values = attrgetter(*names)

    def changed(noun: Noun, **changes: Any) -> Noun:
        return cls(*map(changes.get, names, values(noun)))

    return changed
