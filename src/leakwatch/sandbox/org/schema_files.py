"""Reads the compact data files that say what objects and fields a Salesforce org has.

Each `schema/<Object>.json` says where its facts come from; `docs/sandbox-schema.md` explains the format.
The letters in a field's `f` are the describe's flags: n nillable, C createable, U updateable, F filterable,
S sortable, G groupable, A aggregatable, I idLookup, X externalId, Q unique, D defaultedOnCreate,
R restrictedPicklist, K calculated, V caseSensitive, W permissionable, N nameField, a autoNumber,
h htmlFormatted, q queryByDistance, s searchPrefilterable; and of the relationship that a reference makes:
c the children go with their parent, d the parent can't be deleted while it has children, k there is no
child relationship, P it leads to the object `Name` even when it has one target, * it may lead to any
custom object too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

from leakwatch.sandbox.org.sobject import Child, Field, SObject


def label_of(name: str) -> str:
    """The default label of a field: its words apart, `Id` written as Salesforce writes it."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.removesuffix("__c")).replace("_", " ").strip()
    return re.sub(r" Id$", " ID", spaced)


def read_field(raw: Mapping[str, Any]) -> Field:
    """A field from its compact JSON form."""
    picks = tuple((p, p) if isinstance(p, str) else (p[0], p[1]) for p in raw.get("pick", ()))
    return Field(
        name=raw["n"],
        type=raw["t"],
        flags=raw.get("f", ""),
        label=raw.get("l") or label_of(raw["n"]),
        length=raw.get("len", 0),
        precision=raw.get("p", 0),
        scale=raw.get("s", 0),
        refers_to=tuple(raw.get("ref", ())),
        relationship=raw.get("rel"),
        default=raw.get("def"),
        compound=raw.get("cmp"),
        picklist=picks,
        values_from=raw.get("from"),
        child_name=raw.get("kids"),
        extra=tuple(raw.get("x", {}).items()),
        number_format=raw.get("fmt", ""),
        number_start=raw.get("start", 1),
        tracked=raw.get("trk", False),
        unknown=frozenset(raw.get("u", ())),
    )


def read_object(raw: Mapping[str, Any], features: frozenset[str] = frozenset()) -> SObject:
    """An object from its compact JSON form, with the fields that these features bring."""
    listed = list(raw["fields"])
    for feature, more in raw.get("fields_with", {}).items():
        if feature in features:
            names = {one["n"] for one in more}
            listed = [one for one in listed if one["n"] not in names] + more
    fields = [read_field(one) for one in listed]
    return SObject(
        name=raw["name"],
        label=raw["label"],
        plural=raw["plural"],
        prefix=raw["prefix"],
        off=frozenset(raw.get("off", ())),
        on=frozenset(raw.get("on", ())),
        marks=frozenset(raw.get("marks", ())),
        scopes=tuple(raw.get("scopes", {}).items()),
        urls=tuple(raw.get("urls", ())),
        unknown=frozenset(raw.get("unknown", ())),
        associated=(raw["associated"][0], raw["associated"][1]) if "associated" in raw else None,
        fields={one.name: one for one in fields},
    )


@cache
def _files() -> tuple[dict[str, Any], ...]:
    folder = resources.files("leakwatch.sandbox.org") / "schema"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda f: f.name)
    return tuple(json.loads(file.read_text(encoding="utf-8")) for file in files)


@cache
def standard(features: frozenset[str], currency: str) -> dict[str, SObject]:
    """The objects of an org with these features; shared by all such orgs, so never to be changed."""
    objects = {raw["name"]: read_object(raw, features) for raw in _files() if features.issuperset(raw.get("needs", ()))}
    for one in objects.values():
        if "multicurrency" in features and "noCurrency" not in one.marks:
            one.fields["CurrencyIsoCode"] = _currency_field(currency)
        one.fields = {name: only for name, field in one.fields.items() if (only := _existing(field, objects))}
        one.index()
    if "multicurrency" in features:
        user = objects["User"]
        user.fields["DefaultCurrencyIsoCode"] = replace(_currency_field(currency), name="DefaultCurrencyIsoCode")
        user.index()
    _relate(objects)
    return objects


def _existing(one: Field, objects: Mapping[str, SObject]) -> Field | None:
    """A reference with the targets that this org has; None when it has none, as without the feature behind it."""
    if one.type != "reference" or not one.refers_to:
        return one
    known = tuple(name for name in one.refers_to if name in objects)
    if known == one.refers_to:
        return one
    if not known:
        return None
    return replace(one, refers_to=known, flags=one.flags + "P" if one.polymorphic else one.flags)


def _relate(objects: Mapping[str, SObject]) -> None:
    """Give every object the children that the references of all objects make."""
    found: dict[str, list[Child]] = {name: [] for name in objects}
    for name, one in objects.items():
        for link in one.fields.values():
            if link.type == "reference" and not link.can("k"):
                for parent in link.refers_to:
                    found[parent].append(Child(name, link.name, link.child_name, link.can("c")))
    for name, one in objects.items():
        one.children = tuple(sorted(found[name], key=lambda child: child[:2]))


def _currency_field(currency: str) -> Field:
    return Field(
        name="CurrencyIsoCode",
        type="picklist",
        flags="nCUFSGADR",
        label="Currency ISO Code",
        length=255,
        default=currency,
    )
