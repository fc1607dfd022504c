"""Values of Salesforce's fields as they are written and as they come back. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def same_value(one: Any, other: Any) -> bool:
    """Return whether two values of a field are the same, however a moment's offset or a line's end is spelled."""
    if one == other or (not one and not other):
        return True
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except ValueError:
        return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()
