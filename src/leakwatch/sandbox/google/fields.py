"""Google's partial responses: the `fields` parameter, `a,b(c,d),e/f` with `*`."""

from __future__ import annotations

import re
from typing import Any, cast

from leakwatch.sandbox.google.errors import GoogleError

_TOKEN = re.compile(r"[A-Za-z0-9_\-*]+|[,/()]")

Mask = dict[str, "Mask"]


def _refuse(mask: str) -> GoogleError:
    return GoogleError(400, f"Invalid field selection {mask}", "invalidParameter")


def _parse(mask: str) -> Mask:
    tokens = _TOKEN.findall(mask)
    if "".join(tokens) != mask.replace(" ", "") or not tokens:
        raise _refuse(mask)
    position = 0

    def listing() -> Mask:
        nonlocal position
        found: Mask = {}
        while position < len(tokens) and tokens[position] != ")":
            if tokens[position] == ",":
                position += 1
                continue
            branch = found
            name = tokens[position]
            position += 1
            while position < len(tokens) and tokens[position] == "/":
                branch = branch.setdefault(name, {})
                name = tokens[position + 1] if position + 1 < len(tokens) else ""
                position += 2
            if not re.fullmatch(r"[A-Za-z0-9_\-*]+", name):
                raise _refuse(mask)
            inner = branch.setdefault(name, {})
            if position < len(tokens) and tokens[position] == "(":
                position += 1
                inner.update(listing())
                if position >= len(tokens):
                    raise _refuse(mask)
                position += 1
        return found

    result = listing()
    if position != len(tokens):
        raise _refuse(mask)
    return result


def _cut(value: Any, mask: Mask) -> Any:
    if not mask or "*" in mask:
        return value
    if isinstance(value, list):
        return [_cut(item, mask) for item in cast(list[Any], value)]
    if isinstance(value, dict):
        body = cast(dict[str, Any], value)
        return {key: _cut(item, mask[key]) for key, item in body.items() if key in mask}
    return value


def select(body: dict[str, Any], mask: str) -> dict[str, Any]:
    """The part of `body` that the mask names."""
    return cast(dict[str, Any], _cut(body, _parse(mask)))
