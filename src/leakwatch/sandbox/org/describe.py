"""describeGlobal and describe, in the shape of the REST API: every key that a real body has.

Attributes that Salesforce keeps for features that the sandbox has not got (`mask`, `highScaleNumber`, ...)
hold what the bodies of real orgs hold for all their fields.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leakwatch.sandbox.org.indexes import quote
from leakwatch.sandbox.org.schema import NUMBER_TYPES, Child, Field, Schema, SObject
from leakwatch.sandbox.org.store import Store

_SOAP = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "time": "xsd:time",
    "anyType": "xsd:anyType",
    "base64": "xsd:base64Binary",
    "address": "urn:address",
    "junction": "urn:JunctionIdListNames",
}
_VERBS = (
    *("createable", "deletable", "layoutable", "queryable", "replicateable"),
    *("retrieveable", "searchable", "triggerable", "undeletable", "updateable"),
)
_ON_IF_SAID = ("activateable", "customSetting", "deepCloneable", "feedEnabled", "mergeable", "mruEnabled")
_MASTER_RECORD_TYPE = "012000000000000AAA"
_JUNCTIONS = {
    ("EmailMessage", "EmailMessageRelation"): ["BccIds", "CcIds", "ToIds"],
    ("Event", "EventWhoRelation"): ["EventWhoIds"],
    ("Task", "TaskWhoRelation"): ["TaskWhoIds"],
}
_FLAGS = {
    "aggregatable": "A",
    "autoNumber": "a",
    "calculated": "K",
    "caseSensitive": "V",
    "createable": "C",
    "defaultedOnCreate": "D",
    "externalId": "X",
    "filterable": "F",
    "groupable": "G",
    "htmlFormatted": "h",
    "idLookup": "I",
    "nameField": "N",
    "nillable": "n",
    "permissionable": "W",
    "queryByDistance": "q",
    "restrictedPicklist": "R",
    "searchPrefilterable": "s",
    "sortable": "S",
    "unique": "Q",
    "updateable": "U",
}
_NULL_UNLESS_SAID = (
    *("calculatedFormula", "controllerName", "defaultValueFormula", "extraTypeInfo", "filteredLookupInfo"),
    *("inlineHelpText", "mask", "maskType", "referenceTargetField", "relationshipOrder"),
)
_OFF_UNLESS_SAID = (
    *("aiPredictionField", "dependentPicklist", "deprecatedAndHidden", "displayLocationInDecimal", "encrypted"),
    *("formulaTreatNullNumberAsZero", "highScaleNumber", "writeRequiresMasterRead"),
)
_URLS = {
    "approvalLayouts": "{base}/describe/approvalLayouts",
    "caseArticleSuggestions": "{base}/suggestedArticles",
    "caseRowArticleSuggestions": "{base}/{{ID}}/suggestedArticles",
    "compactLayouts": "{base}/describe/compactLayouts",
    "defaultValues": "{base}/defaultValues?recordTypeId&fields",
    "describe": "{base}/describe",
    "eventSeriesUpdates": "{base}/{{ID}}/fromThisEventOnwards",
    "layouts": "{base}/describe/layouts",
    "listviews": "{base}/listviews",
    "namedLayouts": "{base}/describe/namedLayouts/{{LayoutName}}",
    "passwordUtilities": "{base}/{{ID}}/password",
    "quickActions": "{base}/quickActions",
    "rowTemplate": "{base}/{{ID}}",
    "sobject": "{base}",
}
_WITH_LAYOUT = ("approvalLayouts", "compactLayouts", "layouts", "listviews", "quickActions")
_IN_DESCRIBE_ONLY = frozenset(
    ("caseArticleSuggestions", "caseRowArticleSuggestions", "defaultValues", "eventSeriesUpdates")
)
_ALWAYS = ("describe", "rowTemplate", "sobject")


def global_describe(schema: Schema, version: str) -> dict[str, Any]:
    """`GET sobjects/`."""
    listed = sorted(schema.objects.values(), key=lambda one: one.name)
    return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [summary(one, version) for one in listed]}


def summary(sobject: SObject, version: str) -> dict[str, Any]:
    """What describeGlobal says of one object."""
    return {
        "activateable": "activateable" in sobject.on,
        "associateEntityType": sobject.associated and sobject.associated[0],
        "associateParentEntity": sobject.associated and sobject.associated[1],
        "custom": sobject.custom,
        "deprecatedAndHidden": False,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": sobject.prefix if sobject.allows("keyPrefix") else None,
        "label": sobject.label,
        "labelPlural": sobject.plural,
        "name": sobject.name,
        "urls": _urls(sobject, version, [name for name in sobject.urls if name not in _IN_DESCRIBE_ONLY]),
        **{flag: flag in sobject.on for flag in _ON_IF_SAID},
        **{verb: sobject.allows(verb) for verb in _VERBS},
    }


def _urls(sobject: SObject, version: str, more: Iterable[str]) -> dict[str, str]:
    base = f"/services/data/v{version}/sobjects/{sobject.name}"
    names = [*_ALWAYS, *more]
    if sobject.allows("layoutable"):
        names += [name for name in _WITH_LAYOUT if sobject.allows(name)]
    return {name: _URLS[name].format(base=base) for name in names}


def describe(schema: Schema, store: Store, sobject: SObject, version: str, host: str) -> dict[str, Any]:
    """`GET sobjects/X/describe`; `host` is the address of the org's pages, without a closing slash."""
    urls = _urls(sobject, version, sobject.urls)
    if sobject.allows("layoutable"):
        urls |= {
            "uiDetailTemplate": f"{host}/{{ID}}",
            "uiEditTemplate": f"{host}/{{ID}}/e",
            "uiNewRecord": f"{host}/{sobject.prefix}/e",
        }
    body = summary(sobject, version) | {
        "actionOverrides": [],
        "childRelationships": schema.remember(
            "children", sobject.name, lambda: [_child(schema, sobject, child) for child in sobject.children]
        ),
        "compactLayoutable": sobject.allows("layoutable") and sobject.allows("compactLayoutable"),
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": _fields(schema, store, sobject),
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": _record_types(store, sobject, version) if _has_record_types(sobject) else [],
        "searchLayoutable": sobject.allows("searchable") and sobject.allows("searchLayoutable"),
        "sobjectDescribeOption": "FULL",
        "supportedScopes": _scopes(sobject),
        "urls": urls,
    }
    return dict(sorted(body.items()))


def _scopes(sobject: SObject) -> list[dict[str, str]]:
    scopes = sobject.scopes or (("everything", f"All {sobject.plural.lower()}"),)
    return [{"label": label, "name": name} for name, label in scopes]


def _child(schema: Schema, parent: SObject, child: Child) -> dict[str, Any]:
    return {
        "cascadeDelete": child.cascade,
        "childSObject": child.sobject,
        "deprecatedAndHidden": False,
        "field": child.field,
        "junctionIdListNames": _JUNCTIONS.get((parent.name, child.sobject), []),
        "junctionReferenceTo": [],
        "relationshipName": child.relationship,
        "restrictedDelete": schema.objects[child.sobject].fields[child.field].can("d"),
    }


def _has_record_types(sobject: SObject) -> bool:
    return sobject.allows("layoutable") and sobject.allows("recordTypes")


def _record_types(store: Store, sobject: SObject, version: str) -> list[dict[str, Any]]:
    sql = "SELECT Id, Name, DeveloperName, IsActive FROM RecordType WHERE SobjectType = ? ORDER BY Id"
    rows = [dict(row) for row in store.execute(sql, (sobject.name,))]
    master = {"Id": _MASTER_RECORD_TYPE, "Name": "Master", "DeveloperName": "Master", "IsActive": 1}
    base = f"/services/data/v{version}/sobjects/{sobject.name}/describe/layouts/"
    return [
        {
            "active": bool(row["IsActive"]),
            "available": True,
            "defaultRecordTypeMapping": i == 0,
            "developerName": row["DeveloperName"],
            "master": row["Id"] == _MASTER_RECORD_TYPE,
            "name": row["Name"],
            "recordTypeId": row["Id"],
            "urls": {"layout": f"{base}{row['Id']}"},
        }
        for i, row in enumerate([*rows, master])
    ]


def _fields(schema: Schema, store: Store, sobject: SObject) -> list[dict[str, Any]]:
    """The fields; only the picklists that are rows of a table are read anew."""
    bodies: list[dict[str, Any]] = schema.remember(
        "fields", sobject.name, lambda: [_field(one) for one in sobject.fields.values()]
    )
    return [
        body | {"picklistValues": _rows(store, one.values_from)} if one.values_from else body
        for one, body in zip(sobject.fields.values(), bodies, strict=True)
        if one.name not in sobject.hidden
    ]


def _field(one: Field) -> dict[str, Any]:
    text = one.length and one.type not in NUMBER_TYPES
    body: dict[str, Any] = {
        "name": one.name,
        "label": one.label,
        "type": "reference" if one.type == "junction" else one.type,
        "soapType": _SOAP.get(one.type, "xsd:string"),
        "length": one.length,
        "byteLength": one.length * (1 if one.type in ("id", "reference") else 3) if text else 0,
        "precision": one.precision,
        "scale": one.scale,
        "digits": 8 if one.type == "int" else 0,
        "custom": one.custom,
        "cascadeDelete": one.custom and one.can("c"),
        "restrictedDelete": one.custom and one.can("d"),
        "polymorphicForeignKey": one.polymorphic,
        "namePointing": one.polymorphic,
        "referenceTo": list(one.refers_to),
        "relationshipName": one.relationship,
        "compoundFieldName": one.compound,
        "defaultValue": one.default if one.default is not None else (False if one.type == "boolean" else None),
        "picklistValues": [
            {"active": True, "defaultValue": value == one.default, "label": label, "validFor": None, "value": value}
            for value, label in one.picklist
        ],
        **{name: letter in one.flags for name, letter in _FLAGS.items()},
        **dict.fromkeys(_NULL_UNLESS_SAID),
        **dict.fromkeys(_OFF_UNLESS_SAID, False),
        **dict(one.extra),
    }
    return dict(sorted(body.items()))


def _rows(store: Store, table: str) -> list[dict[str, Any]]:
    rows = store.execute(f"SELECT * FROM {quote(table)} ORDER BY SortOrder, Id").fetchall()
    return [
        {
            "active": _is(row, "IsActive", otherwise=True),
            "defaultValue": _is(row, "IsDefault", otherwise=False),
            "label": row["MasterLabel"],
            "validFor": None,
            "value": row["ApiName"],
        }
        for row in rows
    ]


def _is(row: Any, name: str, *, otherwise: bool) -> bool:
    return bool(row[name]) if name in row.keys() else otherwise  # noqa: SIM118 - a sqlite3.Row


def changed_at(store: Store) -> str:
    """When what describe says last changed: by a deployment, or by a new or changed value of a picklist."""
    tables = ("RecordType", "OpportunityStage", "LeadStatus", "CaseStatus", "TaskStatus", "TaskPriority")
    stamps = [store.execute(f"SELECT MAX(SystemModstamp) FROM {quote(name)}").fetchone()[0] for name in tables]
    return max(stamp for stamp in (*stamps, store.note("deployed")) if stamp)
