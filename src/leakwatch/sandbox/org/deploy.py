"""Custom fields: from an SFDX project's files or from a plain description.

Keys are those of the Metadata API's CustomField (`fullName`, `type`, `externalId`, ...); fields of the
object Activity appear on Task and Event.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from leakwatch.sandbox.org.errors import bad, not_emulated
from leakwatch.sandbox.org.schema import ACTIVITY_OBJECTS, Schema

_NS = "{http://soap.sforce.com/2006/04/metadata}"
_TYPES = {
    "Text": ("string", "FSGA"),
    "TextArea": ("textarea", "FSGA"),
    "LongTextArea": ("textarea", ""),
    "Html": ("textarea", ""),
    "Checkbox": ("boolean", "FSG"),
    "Currency": ("currency", "FSA"),
    "Number": ("double", "FSA"),
    "Percent": ("percent", "FSA"),
    "Date": ("date", "FSGA"),
    "DateTime": ("datetime", "FSA"),
    "Picklist": ("picklist", "FSGA"),
    "Email": ("email", "FSGA"),
    "Phone": ("phone", "FSGA"),
    "Url": ("url", "FSGA"),
    "Lookup": ("reference", "FSGA"),
}
_LENGTHS = {"textarea": 255, "picklist": 255, "email": 80, "phone": 40, "url": 255, "reference": 18}


def compact(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A custom field in the compact form of the schema files."""
    name, kind = str(spec["fullName"]), str(spec["type"])
    if not name.endswith("__c"):
        raise bad("INVALID_FIELD", f"custom field names end in __c: {name}")
    if kind not in _TYPES:
        raise not_emulated(f"custom fields of the type {kind}")
    described, flags = _TYPES[kind]
    field: dict[str, Any] = {
        "n": name,
        "t": described,
        "l": str(spec.get("label") or name.removesuffix("__c").replace("_", " ")),
        "f": flags + _flags(spec, described),
    }
    length = spec.get("length") or _LENGTHS.get(described)
    if length:
        field["len"] = int(length)
    if described in ("currency", "double", "percent"):
        field |= {"p": int(spec.get("precision") or 18), "s": int(spec.get("scale") or 0)}
    if spec.get("values"):
        field["pick"] = list(spec["values"])
    if spec.get("defaultValue") is not None:
        default = spec["defaultValue"]
        field["def"] = str(default).lower() == "true" if described == "boolean" else default
    if described == "reference":
        field |= {"ref": [spec["referenceTo"]], "rel": name.removesuffix("__c") + "__r"}
    return field


def _flags(spec: Mapping[str, Any], described: str) -> str:
    """The flags that hang on the field's own settings."""
    flags = "CUW"
    if described == "boolean":
        flags += "D"
    elif not spec.get("required"):
        flags += "n"
    if spec.get("externalId"):
        flags += "X"
    if spec.get("unique"):
        flags += "Q"
    if spec.get("externalId") or spec.get("unique"):
        flags += "I"
    if spec.get("caseSensitive"):
        flags += "V"
    return flags + ("R" if spec.get("restricted") else "")


def targets(schema: Schema, sobject: str) -> tuple[str, ...]:
    """The objects a field of this object appears on."""
    if sobject == "Activity":
        return ACTIVITY_OBJECTS
    if sobject in ACTIVITY_OBJECTS:
        raise bad("INVALID_TYPE", f"custom fields of {sobject} are deployed on Activity")
    if sobject not in schema.objects:
        raise bad("INVALID_TYPE", f"Entity of type '{sobject}' cannot be found")
    return (sobject,)


def project_fields(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(object, description) of every field file of an SFDX project; custom objects are left out."""
    for path in sorted(folder.rglob("objects/*/fields/*.field-meta.xml")):
        sobject = path.parent.parent.name
        if not sobject.endswith("__c"):
            yield sobject, read_xml(path)


def read_xml(path: Path) -> dict[str, Any]:
    """One `*.field-meta.xml`."""
    root = ET.parse(path).getroot()  # noqa: S314 - the project's own files
    spec: dict[str, Any] = {}
    for child in root:
        tag = child.tag.removeprefix(_NS)
        if tag == "valueSet":
            spec["values"] = [
                (one.findtext(f"{_NS}fullName") or "", one.findtext(f"{_NS}label") or "")
                for one in child.iter(f"{_NS}value")
            ]
            spec["restricted"] = (child.findtext(f"{_NS}restricted") or "false") == "true"
        elif child.text is not None:
            text = child.text.strip()
            spec[tag] = {"true": True, "false": False}.get(text, text)
    return spec
