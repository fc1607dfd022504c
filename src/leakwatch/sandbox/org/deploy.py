"""Custom objects and fields in the compact form of the schema files, from what the Metadata API calls them.

Keys are those of the Metadata API's CustomField and CustomObject (`fullName`, `type`, `externalId`, ...); an SFDX
project's files are read by `metadata`. Fields of the object Activity appear on Task and Event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from leakwatch.sandbox.org.errors import bad, not_emulated
from leakwatch.sandbox.org.ids import DIGITS
from leakwatch.sandbox.org.metadata import FieldFile, MetadataError, Project
from leakwatch.sandbox.org.schema import ACTIVITY_OBJECTS, Schema

_CURRENCY = {"n": "CurrencyIsoCode", "t": "picklist", "l": "Currency ISO Code", "len": 255, "f": "nCUFSGADR"}
HISTORY_PREFIX = "017"
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
    "Time": ("time", "FSGA"),
    "MultiselectPicklist": ("multipicklist", "F"),
    "AutoNumber": ("string", "FSAaD"),
    "Lookup": ("reference", "FSGA"),
    "MasterDetail": ("reference", "FSGAc"),
}
_EXTRAS = {"LongTextArea": "plaintextarea", "TextArea": "plaintextarea", "Html": "richtextarea"}
"""`extraTypeInfo`; that of Html is unverified."""
_LENGTHS = {
    "textarea": 255,
    "picklist": 255,
    "email": 80,
    "phone": 40,
    "url": 255,
    "reference": 18,
    "multipicklist": 4099,
}
_AUTO_NUMBER_LENGTH = 30


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
        "f": flags + _flags(spec, kind),
    }
    length = spec.get("length") or _LENGTHS.get(described) or (_AUTO_NUMBER_LENGTH if kind == "AutoNumber" else None)
    if length:
        field["len"] = int(length)
    if described in ("currency", "double", "percent"):
        field |= {"p": int(spec.get("precision") or 18), "s": int(spec.get("scale") or 0)}
    if spec.get("values"):
        field["pick"] = list(spec["values"])
    if spec.get("defaultValue") is not None:
        default = spec["defaultValue"]
        field["def"] = str(default).lower() == "true" if described == "boolean" else default
    if kind == "AutoNumber":
        field |= {"fmt": spec.get("displayFormat") or "{0}", "start": int(spec.get("startingNumber") or 1)}
    if described == "reference":
        field |= {"ref": [spec["referenceTo"]], "rel": name.removesuffix("__c") + "__r"}
        if spec.get("relationshipName"):
            field["kids"] = f"{spec['relationshipName']}__r"
    if spec.get("trackHistory"):
        field["trk"] = True
    if extra := _extra(spec, kind):
        field["x"] = extra
    return field


def _flags(spec: Mapping[str, Any], kind: str) -> str:
    """The flags that hang on the field's own settings."""
    flags = "" if kind == "AutoNumber" else "CW" if kind == "MasterDetail" else "CUW"
    if kind == "MasterDetail" and spec.get("reparentableMasterDetail"):
        flags += "U"
    if kind == "Checkbox":
        flags += "D"
    elif not spec.get("required") and kind not in ("MasterDetail", "AutoNumber"):
        flags += "n"
    if spec.get("externalId"):
        flags += "X"
    if spec.get("unique"):
        flags += "Q"
    if spec.get("externalId") or spec.get("unique"):
        flags += "I"
    if spec.get("caseSensitive"):
        flags += "V"
    if kind == "Html":
        flags += "h"
    flags += {"Cascade": "c", "Restrict": "d"}.get(str(spec.get("deleteConstraint")), "")
    return flags + ("R" if spec.get("restricted") else "")


def _extra(spec: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Attributes that are told as describe has them."""
    extra: dict[str, Any] = {}
    if kind in _EXTRAS:
        extra["extraTypeInfo"] = _EXTRAS[kind]
    if spec.get("inlineHelpText"):
        extra["inlineHelpText"] = spec["inlineHelpText"]
    if spec.get("controllingField"):
        extra |= {"controllerName": spec["controllingField"], "dependentPicklist": True}
    if kind == "MasterDetail":
        extra["relationshipOrder"] = int(spec.get("relationshipOrder") or 0)
        extra["writeRequiresMasterRead"] = bool(spec.get("writeRequiresMasterRead"))
    return extra


def objects(project: Project, prefixes: Mapping[str, str], currency: str | None) -> Iterator[dict[str, Any]]:
    """The project's custom objects in compact form, each followed by its history object if it keeps one.

    Args:
        project: What `metadata.read_project` read.
        prefixes: Key prefixes that custom objects have already, by object; others get the next of a00, a01, ...
        currency: The org's currency where it has several, so that rows carry one.
    """
    details = {one.sobject for one in project.fields if one.spec.get("type") == "MasterDetail"}
    known = dict(prefixes)
    for name, spec in project.objects.items():
        if name not in known:
            number = len(known)
            known[name] = "a" + DIGITS[number // len(DIGITS)] + DIGITS[number % len(DIGITS)]
        raw = _object(name, spec, known[name], detail=name in details)
        if currency is not None:
            raw["fields"].append(_CURRENCY | {"def": currency})
        yield raw
        if spec.get("enableHistory"):
            yield _history(name, str(spec["label"]))


def _object(name: str, spec: Mapping[str, Any], prefix: str, *, detail: bool) -> dict[str, Any]:
    named = spec["nameField"]
    label = named.get("label") or "Name"
    first: dict[str, Any] = {"n": "Name", "t": "string", "l": label, "len": 80, "f": "nCUFSGAIDN"}
    if named["type"] == "AutoNumber":
        first |= {"len": _AUTO_NUMBER_LENGTH, "f": "FSAIDNa", "fmt": named["displayFormat"]}
        first["start"] = int(named.get("startingNumber") or 1)
    owner = {"n": "OwnerId", "t": "reference", "len": 18, "f": "CUFSGAD", "ref": ["Group", "User"], "rel": "Owner"}
    active = {"n": "LastActivityDate", "t": "date", "l": "Last Activity", "f": "nFSGA"}
    off = [] if spec.get("enableSearch", False) else ["searchable"]
    return {
        "name": name,
        "label": spec["label"],
        "plural": spec["pluralLabel"],
        "prefix": prefix,
        "off": off,
        "on": ["feedEnabled"] if spec.get("enableFeeds") else [],
        "marks": ["activities"] if spec.get("enableActivities") else [],
        "fields": [
            {"n": "Id", "t": "id", "l": "Record ID", "len": 18, "f": "FSGAID"},
            *([] if detail else [owner]),
            {"n": "IsDeleted", "t": "boolean", "l": "Deleted", "f": "FSGD"},
            first,
            *_stamps(),
            *([active] if spec.get("enableActivities") else []),
            {"n": "LastViewedDate", "t": "datetime", "f": "nFSA"},
            {"n": "LastReferencedDate", "t": "datetime", "f": "nFSA"},
        ],
    }


def _stamps() -> Iterable[dict[str, Any]]:
    for when, who in (("CreatedDate", "CreatedBy"), ("LastModifiedDate", "LastModifiedBy")):
        yield {"n": when, "t": "datetime", "f": "FSAD"}
        yield {"n": f"{who}Id", "t": "reference", "len": 18, "f": "FSGAD", "ref": ["User"], "rel": who}
    yield {"n": "SystemModstamp", "t": "datetime", "f": "FSAD"}


def _history(parent: str, label: str) -> dict[str, Any]:
    created, by = list(_stamps())[:2]
    return {
        "name": parent.removesuffix("c") + "History",
        "label": f"History: {label}",
        "plural": f"History: {label}",
        "prefix": HISTORY_PREFIX,
        "off": [
            *("createable", "updateable", "deletable", "undeletable", "keyPrefix", "searchable", "layoutable"),
            "triggerable",
        ],
        "marks": ["noCurrency"],
        "associated": ["History", parent],
        "fields": [
            {"n": "Id", "t": "id", "len": 18, "f": "FSGAID"},
            {"n": "IsDeleted", "t": "boolean", "l": "Deleted", "f": "FSGD"},
            {
                "n": "ParentId",
                "t": "reference",
                "len": 18,
                "f": "FSGAc",
                "ref": [parent],
                "rel": "Parent",
                "kids": "Histories",
            },
            by,
            created,
            {"n": "Field", "t": "picklist", "l": "Changed Field", "len": 255, "f": "FSGAR"},
            {"n": "DataType", "t": "picklist", "l": "Datatype", "len": 40, "f": "nFSGAR"},
            {"n": "OldValue", "t": "anyType", "len": 255, "f": "nS"},
            {"n": "NewValue", "t": "anyType", "len": 255, "f": "nS"},
        ],
    }


def check(schema: Schema, project: Project) -> None:
    """Refuse fields of, or references to, objects that are neither there nor in the project, before anything changes.

    Raises:
        MetadataError: With the file and the element.
    """
    known = {*schema.objects, *project.objects}
    taken = {(parent.name, str(child.relationship)) for parent in schema.objects.values() for child in parent.children}
    for one in project.fields:
        if one.sobject != "Activity" and one.sobject not in known:
            raise MetadataError(one.path, "fullName", f"there is no object {one.sobject}")
        parent = one.spec.get("referenceTo")
        if parent is None:
            continue
        if parent not in known:
            raise MetadataError(one.path, "referenceTo", f"there is no object {parent}")
        name = f"{one.spec.get('relationshipName')}__r"
        if one.spec.get("relationshipName") and (parent, name) in taken and not _there(schema, one):
            raise MetadataError(one.path, "relationshipName", f"{parent} has a child relationship {name} already")
        taken.add((parent, name))


def _there(schema: Schema, one: FieldFile) -> bool:
    """Whether the field is deployed already."""
    sobject = schema.objects.get(one.sobject)
    return sobject is not None and one.spec["fullName"] in sobject.fields


def targets(schema: Schema, sobject: str) -> tuple[str, ...]:
    """The objects a field of this object appears on."""
    if sobject == "Activity":
        return ACTIVITY_OBJECTS
    if sobject in ACTIVITY_OBJECTS:
        raise bad("INVALID_TYPE", f"custom fields of {sobject} are deployed on Activity")
    if sobject not in schema.objects:
        raise bad("INVALID_TYPE", f"Entity of type '{sobject}' cannot be found")
    return (sobject,)
