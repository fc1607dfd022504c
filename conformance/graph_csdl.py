"""Graph's own description of its types (CSDL of v1.0), and whether a body is what it describes."""

from __future__ import annotations

import base64
import binascii
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
_GRAPH = ("microsoft.graph.", "graph.")

#: How primitive types look in JSON (OData JSON Format 4.01 §7.1).
_TEXTS = {
    "Edm.String": r"(?s).*",
    "Edm.DateTimeOffset": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,12})?(Z|[+-]\d\d:\d\d)",
    "Edm.Date": r"\d{4}-\d\d-\d\d",
    "Edm.TimeOfDay": r"\d\d:\d\d:\d\d(\.\d{1,12})?",
    "Edm.Duration": r"-?P.*",
    "Edm.Guid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
}
_OTHERS: dict[str, tuple[type, ...]] = {
    "Edm.Boolean": (bool,), "Edm.Byte": (int,), "Edm.Int16": (int,), "Edm.Int32": (int,), "Edm.Int64": (int,),
    "Edm.Double": (int, float), "Edm.Single": (int, float), "Edm.Decimal": (int, float),
}  # fmt: skip


@dataclass
class Type:
    """An entity or complex type."""

    base: str | None
    properties: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Type and whether it may be null, by name."""


class Csdl:
    """All types of the namespace microsoft.graph."""

    def __init__(self, path: Path) -> None:
        self.types: dict[str, Type] = {}
        self.enums: dict[str, set[str]] = {}
        for schema in ET.parse(path).getroot().iter(f"{_EDM}Schema"):
            if schema.get("Namespace") == "microsoft.graph":
                self._read(schema)

    def _read(self, schema: ET.Element) -> None:
        for one in schema:
            kind, name = one.tag.removeprefix(_EDM), one.get("Name", "")
            if kind == "EnumType":
                self.enums[name] = {member.get("Name", "") for member in one.iter(f"{_EDM}Member")}
            elif kind in ("EntityType", "ComplexType"):
                found = Type(_short(one.get("BaseType")))
                for inner in one:
                    if inner.tag in (f"{_EDM}Property", f"{_EDM}NavigationProperty"):
                        may = inner.get("Nullable", "true") == "true"
                        found.properties[inner.get("Name", "")] = (inner.get("Type", ""), may)
                self.types[name] = found

    def problems(self, body: dict[str, Any], kind: str, at: str = "") -> Iterator[str]:
        """What of an object is not as its type is described, with the place."""
        named = body.get("@odata.type")
        if named is not None:
            actual = str(named).removeprefix("#microsoft.graph.")
            if actual not in self.types or kind not in self._line(actual):
                yield f"{at}: {named} is no {kind}"
                return
            kind = actual
        known: dict[str, tuple[str, bool]] = {}
        for name in self._line(kind):
            known = self.types[name].properties | known
        for name, value in body.items():
            if name.startswith("@") or "@odata." in name:
                continue
            if name in known:
                yield from self._value(value, *known[name], f"{at}/{name}")
            else:  # in open types too: what a customer adds to a message is no business of the sandbox
                yield f"{at}/{name}: {kind} has no such property"

    def _line(self, kind: str) -> list[str]:
        """A type and those that it derives from."""
        line: list[str] = []
        at: str | None = kind
        while at is not None:
            line.append(at)
            at = self.types[at].base
        return line

    def _value(self, value: Any, kind: str, nullable: bool, at: str) -> Iterator[str]:
        if kind.startswith("Collection("):
            if not isinstance(value, list):
                yield f"{at}: no list"
                return
            for number, one in enumerate(value):
                yield from self._value(one, kind[11:-1], False, f"{at}[{number}]")
        elif value is None:
            if not nullable:
                yield f"{at}: null"
        elif kind in _TEXTS:
            if not isinstance(value, str) or not re.fullmatch(_TEXTS[kind], value):
                yield f"{at}: {value!r} is no {kind}"
        elif kind == "Edm.Binary":
            try:
                base64.b64decode(value, validate=True)
            except (binascii.Error, TypeError, ValueError):
                yield f"{at}: {value!r} is no {kind}"
        elif kind in _OTHERS:
            if type(value) not in _OTHERS[kind]:
                yield f"{at}: {value!r} is no {kind}"
        else:
            yield from self._graph_value(value, _short(kind) or kind, at)

    def _graph_value(self, value: Any, kind: str, at: str) -> Iterator[str]:
        if kind in self.enums:
            if value not in self.enums[kind]:
                yield f"{at}: {value!r} is none of {kind}"
        elif not isinstance(value, dict):
            yield f"{at}: {value!r} is no {kind}"
        else:
            yield from self.problems(value, kind, at)


def _short(name: str | None) -> str | None:
    """A type's name without its namespace."""
    for prefix in _GRAPH:
        if name is not None and name.startswith(prefix):
            return name.removeprefix(prefix)
    return name
