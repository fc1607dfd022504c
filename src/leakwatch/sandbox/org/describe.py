"""describeGlobal and describe, in the shape of the REST API."""

from __future__ import annotations

from typing import Any

from leakwatch.sandbox.org.schema import NUMBER_TYPES, Field, Schema, SObject
from leakwatch.sandbox.org.store import Store, quote

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
    "address": "urn:address",
    "junction": "urn:JunctionIdListNames",
}
_VERBS = (
    "createable",
    "updateable",
    "deletable",
    "queryable",
    "replicateable",
    "retrieveable",
    "searchable",
    "triggerable",
    "undeletable",
    "layoutable",
)
_OFF_UNLESS_KNOWN = (
    "activateable",
    "customSetting",
    "deprecatedAndHidden",
    "hasSubtypes",
    "isInterface",
    "isSubtype",
    "mergeable",
)
_MASTER_RECORD_TYPE = "012000000000000AAA"


def global_describe(schema: Schema, version: str) -> dict[str, Any]:
    """`GET sobjects/`."""
    listed = sorted(schema.objects.values(), key=lambda one: one.name)
    return {
        "encoding": "UTF-8",
        "maxBatchSize": 200,
        "sobjects": [_summary(one, version) for one in listed],
    }


def _summary(sobject: SObject, version: str) -> dict[str, Any]:
    base = f"/services/data/v{version}/sobjects/{sobject.name}"
    return {
        "name": sobject.name,
        "label": sobject.label,
        "labelPlural": sobject.plural,
        "keyPrefix": sobject.prefix,
        "custom": sobject.name.endswith("__c"),
        "feedEnabled": "feedEnabled" in sobject.on,
        "mruEnabled": sobject.allows("layoutable"),
        **{verb: sobject.allows(verb) for verb in _VERBS},
        **dict.fromkeys(_OFF_UNLESS_KNOWN, False),
        "urls": {"sobject": base, "describe": f"{base}/describe", "rowTemplate": f"{base}/{{ID}}"},
    }


def describe(schema: Schema, store: Store, sobject: SObject, version: str) -> dict[str, Any]:
    """`GET sobjects/X/describe`."""
    fields = [_field(store, one) for one in sobject.fields.values()]
    body = _summary(sobject, version)
    body["fields"] = fields
    body["childRelationships"] = [
        {
            "cascadeDelete": cascade,
            "childSObject": child,
            "deprecatedAndHidden": False,
            "field": link,
            "junctionIdListNames": ["BccIds", "CcIds", "ToIds"]
            if (sobject.name, child) == ("EmailMessage", "EmailMessageRelation")
            else [],
            "junctionReferenceTo": [],
            "relationshipName": name,
            "restrictedDelete": False,
        }
        for child, link, name, cascade in sobject.children
        if child in schema.objects
    ]
    body["recordTypeInfos"] = _record_types(store, sobject, version)
    body["supportedScopes"] = [{"label": f"All {sobject.plural.lower()}", "name": "everything"}]
    return body


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


def _field(store: Store, one: Field) -> dict[str, Any]:
    text = one.length and one.type not in NUMBER_TYPES
    return {
        "name": one.name,
        "label": one.label,
        "type": "reference" if one.type == "junction" else one.type,
        "soapType": _SOAP.get(one.type, "xsd:string"),
        "length": one.length,
        "byteLength": one.length * (1 if one.type in ("id", "reference") else 3) if text else 0,
        "precision": one.precision,
        "scale": one.scale,
        "digits": 8 if one.type == "int" else 0,
        "nillable": one.can("n"),
        "createable": one.can("C"),
        "updateable": one.can("U"),
        "filterable": one.can("F"),
        "sortable": one.can("S"),
        "groupable": one.can("G"),
        "aggregatable": one.can("A"),
        "idLookup": one.can("I"),
        "externalId": one.can("X"),
        "unique": one.can("Q"),
        "caseSensitive": one.can("V"),
        "defaultedOnCreate": one.can("D"),
        "restrictedPicklist": one.can("R"),
        "permissionable": one.can("W"),
        "nameField": one.can("N"),
        "calculated": one.can("K"),
        "custom": one.custom,
        "polymorphicForeignKey": one.polymorphic,
        "namePointing": one.polymorphic,
        "referenceTo": list(one.refers_to),
        "relationshipName": one.relationship,
        "compoundFieldName": one.compound,
        "controllerName": None,
        "calculatedFormula": None,
        "defaultValue": one.default if one.default is not None else (False if one.type == "boolean" else None),
        "autoNumber": False,
        "cascadeDelete": False,
        "deprecatedAndHidden": False,
        "dependentPicklist": False,
        "encrypted": False,
        "htmlFormatted": False,
        "inlineHelpText": None,
        "picklistValues": _values(store, one),
    }


def _values(store: Store, one: Field) -> list[dict[str, Any]]:
    table = one.values_from
    if table is not None:
        rows = store.execute(f"SELECT * FROM {quote(table)} ORDER BY SortOrder, Id").fetchall()
        has_default = bool(rows) and "IsDefault" in rows[0].keys()  # noqa: SIM118 - a sqlite3.Row
        return [
            {
                "active": bool(row["IsActive"]) if table == "OpportunityStage" else True,
                "defaultValue": bool(row["IsDefault"]) if has_default else False,
                "label": row["MasterLabel"],
                "validFor": None,
                "value": row["ApiName"],
            }
            for row in rows
        ]
    return [
        {"active": True, "defaultValue": value == one.default, "label": label, "validFor": None, "value": value}
        for value, label in one.picklist
    ]
