"""Reads an SFDX project's metadata: custom objects, custom fields, permission sets.

Every file is checked before anything is deployed. What is wrong is a `MetadataError` that names the file and the
element; what is right but not emulated is refused by name. Element names and rules are the Metadata API's
(CustomObject, CustomField, PermissionSet).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leakwatch.sandbox.org.errors import OrgError

_NS = "{http://soap.sforce.com/2006/04/metadata}"
_NOT_EMULATED_KINDS = {
    "__mdt": "custom metadata types",
    "__e": "platform events",
    "__b": "big objects",
    "__x": "external objects",
}
_NOT_EMULATED_FIELDS = {
    "formula": "formula fields",
    "summaryOperation": "roll-up summary fields",
    "lookupFilter": "lookup filters",
}
_FIELD_ELEMENTS = frozenset(
    """
    caseSensitive businessOwnerUser businessStatus complianceGroup customDataType defaultValue deleteConstraint
    deprecated description displayFormat displayLocationInDecimal encryptionScheme externalDeveloperName externalId
    formula formulaTreatBlanksAs fullName inlineHelpText isFilteringDisabled isNameField isSortingDisabled label length
    lookupFilter maskChar maskType populateExistingRows precision referenceTo relationshipLabel relationshipName
    relationshipOrder reparentableMasterDetail required restrictedAdminField scale securityClassification
    startingNumber stripMarkup summarizedField summaryFilterItems summaryForeignKey summaryOperation trackFeedHistory
    trackHistory trackTrending translateData type unique valueSet visibleLines writeRequiresMasterRead
    """.split()  # noqa: SIM905 - a list to read
)
_NEEDED = {
    "Text": ("length",),
    "LongTextArea": ("length", "visibleLines"),
    "Html": ("length", "visibleLines"),
    "Number": ("precision", "scale"),
    "Currency": ("precision", "scale"),
    "Percent": ("precision", "scale"),
    "Checkbox": ("defaultValue",),
    "Picklist": ("valueSet",),
    "MultiselectPicklist": ("valueSet", "visibleLines"),
    "Lookup": ("referenceTo",),
    "MasterDetail": ("referenceTo", "relationshipName"),
    "AutoNumber": ("displayFormat",),
}
"""Elements without which a field of the type does not deploy."""
_LENGTHS = {"Text": (1, 255), "LongTextArea": (256, 131_072), "Html": (256, 131_072)}
_KEYS = frozenset(("Text", "Number", "Email", "AutoNumber"))
"""Types that may be external ids or unique."""
_MAX_DIGITS = 18


class MetadataError(OrgError):
    """A metadata file that Salesforce would not deploy: which file, which element, and why."""

    def __init__(self, path: Path, element: str, said: str) -> None:
        super().__init__(400, "INVALID_METADATA", f"{path}: {element}: {said}")


@dataclass(frozen=True, slots=True)
class FieldFile:
    """One custom field of a project, in the Metadata API's words."""

    sobject: str
    spec: dict[str, Any]
    path: Path


@dataclass(slots=True)
class Project:
    """What a project deploys."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Custom objects by name, in the Metadata API's words."""
    fields: list[FieldFile] = field(default_factory=list[FieldFile])
    permission_sets: dict[str, dict[str, list[Mapping[str, Any]]]] = field(
        default_factory=dict[str, dict[str, list[Mapping[str, Any]]]]
    )
    """By name: the entries of `fieldPermissions` and of `objectPermissions`."""
    notes: list[str] = field(default_factory=list[str])
    """What is in the project and has no effect here."""


def read_project(folder: Path) -> Project:
    """Read and check every file of a project; raises MetadataError, or OrgError for what is not emulated."""
    project = Project()
    for path in sorted(folder.rglob("objects/*/*.object-meta.xml")):
        name = path.parent.name
        if name.endswith("__c"):
            project.objects[name] = _read_object(path)
        else:
            _refuse_kind(name, path)
            project.notes.append(f"{path.name}: settings of standard objects have no effect in the sandbox")
    for path in sorted(folder.rglob("objects/*/fields/*.field-meta.xml")):
        sobject = path.parent.parent.name
        _refuse_kind(sobject, path)
        spec = read_field_file(path)
        if spec["fullName"].endswith("__c"):
            project.fields.append(FieldFile(sobject, spec, path))
        else:
            project.notes.append(f"{path.name}: settings of standard fields have no effect in the sandbox")
        if sobject.endswith("__c") and sobject not in project.objects:
            raise MetadataError(path, "fullName", f"there is no {sobject}.object-meta.xml beside it")
    for path in sorted(folder.rglob("permissionsets/*.permissionset-meta.xml")):
        project.permission_sets[path.name.removesuffix(".permissionset-meta.xml")] = _read_permissions(path)
    return project


def _refuse_kind(name: str, path: Path) -> None:
    for ending, what in _NOT_EMULATED_KINDS.items():
        if name.endswith(ending):
            raise OrgError(501, "SANDBOX_NOT_EMULATED", f"{path}: {what} ({name}) are not emulated by the sandbox")


def _root(path: Path, kind: str) -> ET.Element:
    try:
        root = ET.parse(path).getroot()  # noqa: S314 - the project's own files
    except ET.ParseError as error:
        raise MetadataError(path, kind, f"not well-formed XML: {error}") from None
    if root.tag != f"{_NS}{kind}":
        raise MetadataError(path, root.tag.removeprefix(_NS), f"a {kind} of the namespace {_NS[1:-1]} is expected")
    return root


def _values(root: ET.Element) -> dict[str, Any]:
    """The simple elements, with booleans as booleans."""
    found: dict[str, Any] = {}
    for child in root:
        if len(child) == 0 and child.text is not None:
            text = child.text.strip()
            found[child.tag.removeprefix(_NS)] = {"true": True, "false": False}.get(text, text)
    return found


def _read_object(path: Path) -> dict[str, Any]:
    root = _root(path, "CustomObject")
    spec = _values(root)
    name = root.find(f"{_NS}nameField")
    if spec.get("customSettingsType"):
        raise OrgError(501, "SANDBOX_NOT_EMULATED", f"{path}: custom settings are not emulated by the sandbox")
    for element in ("label", "pluralLabel", "sharingModel"):
        if not spec.get(element):
            raise MetadataError(path, element, "is required")
    if name is None:
        raise MetadataError(path, "nameField", "is required")
    spec["nameField"] = _values(name)
    if spec["nameField"].get("type") not in ("Text", "AutoNumber"):
        raise MetadataError(path, "nameField/type", "must be Text or AutoNumber")
    if spec["nameField"]["type"] == "AutoNumber":
        _check_format(path, "nameField/displayFormat", spec["nameField"].get("displayFormat"))
    for inline in root.findall(f"{_NS}fields"):
        raise MetadataError(path, "fields", f"{inline.findtext(f'{_NS}fullName')}: fields are files of their own here")
    return spec


def read_field_file(path: Path) -> dict[str, Any]:
    """One `*.field-meta.xml`, checked."""
    root = _root(path, "CustomField")
    for child in root:
        tag = child.tag.removeprefix(_NS)
        if tag not in _FIELD_ELEMENTS:
            raise MetadataError(path, tag, "is no element of a CustomField")
        if tag in _NOT_EMULATED_FIELDS:
            said = f"{path}: {tag}: {_NOT_EMULATED_FIELDS[tag]} are not emulated by the sandbox"
            raise OrgError(501, "SANDBOX_NOT_EMULATED", said)
    spec = _values(root)
    values = root.find(f"{_NS}valueSet")
    if values is not None:
        spec |= _value_set(path, values)
    if path.name != f"{spec.get('fullName')}.field-meta.xml":
        raise MetadataError(path, "fullName", f"{spec.get('fullName')} is not the file's name")
    if spec["fullName"].endswith("__c"):
        _check_field(path, spec)
    return spec


def _value_set(path: Path, values: ET.Element) -> dict[str, Any]:
    if values.find(f"{_NS}valueSetName") is not None:
        said = f"{path}: valueSet/valueSetName: global value sets are not emulated by the sandbox"
        raise OrgError(501, "SANDBOX_NOT_EMULATED", said)
    found: dict[str, Any] = {"values": [], "restricted": values.findtext(f"{_NS}restricted") == "true"}
    for one in values.iter(f"{_NS}value"):
        name = one.findtext(f"{_NS}fullName")
        if not name:
            raise MetadataError(path, "valueSet/value/fullName", "is required")
        found["values"].append((name, one.findtext(f"{_NS}label") or name))
        if one.findtext(f"{_NS}default") == "true":
            found["defaultValue"] = name
    if (controller := values.findtext(f"{_NS}controllingField")) is not None:
        found["controllingField"] = controller
    return found | {"valueSet": True}


def _check_field(path: Path, spec: Mapping[str, Any]) -> None:
    kind = spec.get("type")
    for element in ("label", "type"):
        if not spec.get(element):
            raise MetadataError(path, element, "is required")
    _check_sizes(path, spec, str(kind))
    for element in ("externalId", "unique"):
        if spec.get(element) is True and kind not in _KEYS:
            raise MetadataError(path, element, f"is not for the type {kind}")
    if kind == "AutoNumber":
        _check_format(path, "displayFormat", spec["displayFormat"])
    if kind == "MasterDetail" and not path.parent.parent.name.endswith("__c"):
        raise MetadataError(path, "type", "only custom objects can be the detail of a master")


def _check_sizes(path: Path, spec: Mapping[str, Any], kind: str) -> None:
    for element in _NEEDED.get(kind, ()):
        if spec.get(element) is None:
            raise MetadataError(path, element, f"is required for the type {kind}")
    for element in ("length", "precision", "scale", "visibleLines", "relationshipOrder", "startingNumber"):
        if element in spec and not str(spec[element]).isdigit():
            raise MetadataError(path, element, f"{spec[element]} is no whole number")
    if kind in _LENGTHS and not _LENGTHS[kind][0] <= int(spec["length"]) <= _LENGTHS[kind][1]:
        raise MetadataError(path, "length", "must be between {} and {}".format(*_LENGTHS[kind]))
    if "precision" in spec and not int(spec.get("scale", 0)) <= int(spec["precision"]) <= _MAX_DIGITS:
        raise MetadataError(path, "precision", f"must be at least the scale and at most {_MAX_DIGITS}")


def _check_format(path: Path, element: str, said: Any) -> None:
    if not isinstance(said, str) or "{0" not in said or "}" not in said:
        raise MetadataError(path, element, "an auto-number needs a format such as A-{0000}")


def _read_permissions(path: Path) -> dict[str, list[Mapping[str, Any]]]:
    root = _root(path, "PermissionSet")
    found: dict[str, list[Mapping[str, Any]]] = {}
    for element, key in (("fieldPermissions", "field"), ("objectPermissions", "object")):
        found[element] = list(_entries(path, root, element, key))
    return found


def _entries(path: Path, root: ET.Element, element: str, key: str) -> Iterator[dict[str, Any]]:
    for one in root.findall(f"{_NS}{element}"):
        entry = _values(one)
        if not entry.get(key):
            raise MetadataError(path, f"{element}/{key}", "is required")
        yield entry
