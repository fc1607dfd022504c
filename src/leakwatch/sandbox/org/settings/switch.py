"""How a setting says that it may be changed while the org runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, fields
from typing import Any

_VALUES = "values"


def switch(default: Any, *others: Any) -> Any:
    """A setting that may be changed: among `default` and the others, or without others to anything of its type."""
    return field(default=default, metadata={_VALUES: (default, *others) if others else type(default)})


def collection(kind: Callable[[], Any]) -> Any:
    """A setting that may be changed to any `dict` or `list`; empty at first."""
    return field(default_factory=kind, metadata={_VALUES: type(kind())})


def changeable(settings: type[Any]) -> dict[str, type | tuple[Any, ...]]:
    """What may be changed, with its type or its values."""
    ordered = sorted(fields(settings), key=lambda one: one.name)
    return {one.name: one.metadata[_VALUES] for one in ordered if _VALUES in one.metadata}


def check(known: Mapping[str, type | tuple[Any, ...]], changes: Mapping[str, Any]) -> None:
    """Raise ValueError where something can't be changed, or not to that."""
    for name, value in changes.items():
        values = known.get(name)
        if values is None:
            raise ValueError(f"{name!r} can't be changed; what can: {', '.join(known)}")
        if value not in values if isinstance(values, tuple) else type(value) is not values:
            raise ValueError(f"{value!r} is no value of {name}")
